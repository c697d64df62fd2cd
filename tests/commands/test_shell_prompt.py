"""``erlen shell`` at the prompt, on a terminal: Python's own shell, IPython and bpython."""

from __future__ import annotations

import os
import sys
import textwrap
import time
import typing as t
from pathlib import Path

import pytest

from terminals import CTRL_D, Terminal

pytest.importorskip("termios", reason="needs terminals of POSIX")

APP = """
    import asyncio
    from pathlib import Path

    from erlen import Erlen, current_app

    app = Erlen(__name__)
    ticks = []

    async def name_of(word):
        await asyncio.sleep(0)
        return f"{word} {current_app.name}"

    async def tick():
        while True:
            await asyncio.sleep(0.01)
            ticks.append(1)

    async def start():
        return asyncio.get_running_loop().create_task(tick())

    def wait():
        Path("waiting").touch()
        while True:
            pass

    async def wait_async():
        Path("waiting").touch()
        await asyncio.sleep(1000)

    @app.get("/users/<int:id>")
    def user(id):
        return str(id)

    @app.shell_context_processor
    def names():
        functions = (name_of, start, wait, wait_async)
        return {"price": 42, "ticks": ticks, **{function.__name__: function for function in functions}}
"""

PROMPTS = {"python": r">>> ", "ipython": r"In \[\d+\]: ", "bpython": r">>> "}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write("app.py", APP)
    return tmp_path


def write(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ERLEN_", "PYTHON"))}
    home = str(Path.cwd())
    return {
        **kept, "HOME": home, "IPYTHONDIR": f"{home}/ipython", "XDG_CONFIG_HOME": home, "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1", **more,
    }  # fmt: skip


def shell(*arguments: str, columns: int = 100, **variables: str) -> Terminal:
    return Terminal("-m", "erlen", "shell", *arguments, environment=environment(**variables), columns=columns)


def wait_for(path: str) -> None:
    """Wait until a file is there, and take it away. What is printed would not do: bpython shows it when the code has ended."""
    deadline = time.monotonic() + 60
    while not Path(path).exists():
        assert time.monotonic() < deadline, f"{path} was not made"
        time.sleep(0.01)
    Path(path).unlink()


def leave(terminal: Terminal) -> int:
    """Press Ctrl-D at the next prompt of Python's own shell, and return the exit code."""
    terminal.until(">>> ")
    terminal.type(CTRL_D)
    return terminal.ends()


@pytest.fixture(params=["python", "ipython", "bpython"])
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    if kind != "python":
        pytest.importorskip("IPython" if kind == "ipython" else kind)
    return kind


def test_a_prompt_evaluates_awaits_is_interrupted_and_left(kind: str) -> None:
    prompt = PROMPTS[kind]
    with shell("--interface", kind) as terminal:
        banner = terminal.until(prompt)
        assert "App: app\n" in banner
        assert "Names: app, g, name_of, price, start, ticks, wait, wait_async\n" in banner
        for entered, shown in [
            ("print('sum', price + 1)", "sum 43"),
            ("await name_of('in')", "'in app'"),
            ("x = await name_of('kept')", ""),
            ("x[:4] + 'ing'", "'kepting'"),
            ("1 / 0", "ZeroDivisionError"),
        ]:
            terminal.enter(entered)
            terminal.until(shown)
            terminal.until(prompt)
        for entered in ("wait()", "await wait_async()"):
            terminal.enter(entered)
            wait_for("waiting")
            terminal.interrupt("KeyboardInterrupt")
            terminal.until(prompt)
        terminal.enter("'still ' + 'there'")
        terminal.until("still there")
        terminal.until(prompt)
        if kind == "ipython":
            terminal.enter("exit")
        else:
            terminal.type(CTRL_D)
        assert terminal.ends() == 0


@pytest.mark.parametrize("kind", ["python", "ipython"], indirect=True)
def test_tasks_go_on_while_the_prompt_waits(kind: str) -> None:
    with shell("--interface", kind) as terminal:
        assert "tasks go on while it waits" in terminal.until(PROMPTS[kind])
        terminal.enter("task = await start()")
        terminal.until(PROMPTS[kind])
        terminal.enter("import time")
        terminal.until(PROMPTS[kind])
        terminal.enter("while len(ticks) < 5: time.sleep(0.01)")
        terminal.enter("")
        terminal.until(PROMPTS[kind])
        terminal.enter("print('tick' + 'ed', len(ticks) >= 5, await name_of('in'))")
        terminal.until("ticked True in app")
        terminal.until(PROMPTS[kind])
        terminal.enter("exit()")
        assert terminal.ends() == 0


def test_bpython_says_that_tasks_wait() -> None:
    pytest.importorskip("bpython")
    with shell("-i", "bpython") as terminal:
        terminal.until("tasks go on only while it does")
        terminal.until(">>> ")
        terminal.enter("task = await start()")
        terminal.until(">>> ")
        terminal.enter("import asyncio; await asyncio.sleep(0.2); print('tick' + 'ed', len(ticks) > 2)")
        terminal.until("ticked True")
        terminal.until(">>> ")
        terminal.enter("exit(3)")
        assert terminal.ends() == 3


def test_the_first_shell_that_is_installed_is_taken() -> None:
    pytest.importorskip("IPython")
    with shell() as terminal:
        terminal.until(r"In \[1\]: ")
        terminal.enter("exit")
        assert terminal.ends() == 0


def test_a_variable_chooses_the_shell() -> None:
    with shell(ERLEN_SHELL_INTERFACE="python") as terminal:
        terminal.until(">>> ")
        terminal.enter("exit(5)")
        assert terminal.ends() == 5


def test_python_s_own_shell_executes_the_startup_file_and_goes_on_after_an_error_in_it() -> None:
    write("startup.py", "from_startup = 'started'\nprice = 'replaced'\n1 / 0\n")
    with shell("-i", "python", PYTHONSTARTUP="startup.py") as terminal:
        assert 'File "startup.py", line 3, in <module>' in terminal.until("ZeroDivisionError")
        terminal.until(">>> ")
        terminal.enter("print(from_startup.upper(), price)")
        terminal.until("STARTED 42")
        assert leave(terminal) == 0


def test_a_startup_file_that_is_not_there_is_named() -> None:
    with shell("-i", "python", PYTHONSTARTUP="nowhere.py") as terminal:
        terminal.until("PYTHONSTARTUP names 'nowhere.py', which is no file")
        assert leave(terminal) == 0


def test_python_s_own_shell_completes_names_and_keeps_what_was_entered() -> None:
    pytest.importorskip("readline")
    with shell("-i", "python") as terminal:
        terminal.until(">>> ")
        terminal.type("print(name_o\t'tab'")
        terminal.until(r"name_of\(\s*'tab'")
        terminal.interrupt("KeyboardInterrupt")
        terminal.until(">>> ")
        terminal.enter("'remember ' + 'this'")
        terminal.until("'remember this'")
        assert leave(terminal) == 0
    assert "'remember ' + 'this'" in Path(".python_history").read_text(encoding="utf-8")
    with shell("-i", "python") as terminal:
        terminal.until(">>> ")
        # The arrow that points up.
        terminal.type("\x1b[A\r")
        terminal.until("\n'remember this'")
        assert leave(terminal) == 0


def test_python_s_own_shell_takes_blocks_with_await_in_them() -> None:
    with shell("-i", "python") as terminal:
        terminal.until(">>> ")
        for line in ("async def twice():", "    return await name_of('a') * 2", ""):
            terminal.enter(line)
        terminal.enter("for i in range(2):")
        terminal.enter("    print(i, (await twice()).upper())")
        terminal.enter("")
        terminal.until("0 A APPA APP\n1 A APPA APP")
        terminal.enter("await twice")
        assert "erlen" not in terminal.until("TypeError").partition("Traceback")[2]
        terminal.enter("def broken(: pass")
        terminal.until("SyntaxError")
        assert leave(terminal) == 0


def test_the_life_span_is_the_shell_s_where_that_is_asked_for() -> None:
    write("app.py", "import asyncio\n" + textwrap.dedent(LIFE_SPAN))
    with shell("-i", "python") as terminal:
        terminal.until("Life span: not begun. '--serving' begins it.")
        assert leave(terminal) == 0
        assert "closed" not in terminal.text
    with shell("-i", "python", "--serving") as terminal:
        terminal.until("opened")
        terminal.until("Life span: begun, and ends with the shell.")
        terminal.until(">>> ")
        terminal.enter("await app.extensions['pool'].query('row')")
        terminal.until("'all of row'")
        assert leave(terminal) == 0
        assert terminal.text.count("closed") == 1


LIFE_SPAN = """
    from erlen import Erlen

    app = Erlen(__name__)

    class Pool:
        def __init__(self):
            self.loop = asyncio.get_running_loop()

        async def query(self, name):
            future = self.loop.create_future()
            self.loop.call_later(0.001, future.set_result, f"all of {name}")
            return await future

    @app.lifespan
    async def pool():
        app.extensions["pool"] = Pool()
        print("opened")
        yield
        print("closed")
"""


# An environment that has neither IPython nor bpython


@pytest.fixture
def bare(folder: Path) -> t.Callable[..., Terminal]:
    """Return what starts a Python with the packages that Erlen depends on, and no other."""
    packages = folder / "packages"
    packages.mkdir()
    for name in ("blinker", "click", "itsdangerous", "jinja2", "markupsafe", "werkzeug", "erlen"):
        module = sys.modules.get(name) or __import__(name)
        assert module.__file__ is not None
        (packages / name).symlink_to(Path(module.__file__).parent)

    def start(*arguments: str) -> Terminal:
        # Without 'site', which would add the packages that are installed.
        return Terminal(
            "-S", "-m", "erlen", "shell", *arguments, environment=environment(PYTHONPATH=str(packages))
        )

    return start


def test_without_any_other_shell_python_s_own_is_taken(bare: t.Callable[..., Terminal]) -> None:
    with bare() as terminal:
        terminal.until("App: app")
        terminal.until(">>> ")
        terminal.enter("print(await name_of('on'), 'python')")
        terminal.until("on app python")
        assert leave(terminal) == 0


@pytest.mark.parametrize("name", ["ipython", "bpython"])
def test_a_shell_that_is_not_installed_is_said_to_be_missing(
    bare: t.Callable[..., Terminal], name: str
) -> None:
    with bare("--interface", name) as terminal:
        terminal.until(f"{name} is not installed. Install it with: pip install {name}")
        assert terminal.ends() == 2


def test_a_shell_that_is_broken_is_left_out_with_the_reason(bare: t.Callable[..., Terminal]) -> None:
    write("packages/IPython/__init__.py", "raise ImportError('half installed')\n")
    with bare() as terminal:
        terminal.until("ipython is installed, and cannot be imported: half installed")
        assert leave(terminal) == 0
