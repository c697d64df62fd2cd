"""``erlen shell`` with code from an option or through a pipe, and what is loaded for it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import typing as t
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from erlen import Erlen
from erlen.cli import ErlenGroup, shell_command

APP = """
    import asyncio

    from erlen import Erlen, current_app

    app = Erlen(__name__)

    def fail():
        1 / 0

    async def name_of(word):
        await asyncio.sleep(0)
        return f"{word} {current_app.name}"

    async def fail_async():
        await asyncio.sleep(0)
        fail()

    @app.get("/users/<int:id>")
    def user(id):
        return str(id)

    @app.shell_context_processor
    def names():
        return {"price": 42, "name_of": name_of, "fail_async": fail_async}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("app.py").write_text(textwrap.dedent(APP), encoding="utf-8")
    return tmp_path


def start(*arguments: str, text: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ERLEN_", "PYTHON"))}
    return subprocess.run(
        [sys.executable, *arguments],
        input=text, capture_output=True, text=True, timeout=60, check=False,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **variables},
    )  # fmt: skip


def shell(*arguments: str, text: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    return start("-m", "erlen", "shell", *arguments, text=text, **variables)


def run(*arguments: str, app: Erlen | None = None, text: str = "") -> Result:
    application = app or Erlen("made")
    return CliRunner().invoke(ErlenGroup(create_app=lambda: application), ["shell", *arguments], input=text)


def test_code_of_the_option_has_the_names_and_the_context() -> None:
    finished = shell(
        "-c", "from erlen import current_app; print(app is current_app._get_current_object(), price)"
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "True 42\n", "")


def test_code_awaits_inside_the_context() -> None:
    assert shell("-c", "print(await name_of('in'))").stdout == "in app\n"


def test_code_through_a_pipe_is_a_script() -> None:
    script = """\
for number in range(2):
    print(number, await name_of("in"))
if __name__ == "__main__":
    print("main")
"""
    finished = shell(text=script)
    assert (finished.returncode, finished.stdout) == (0, "0 in app\n1 in app\nmain\n")


def test_the_option_leaves_the_pipe_to_its_code() -> None:
    assert shell("--code", "print(input().upper())", text="given\n").stdout == "GIVEN\n"


def test_nothing_through_the_pipe_is_nothing_to_do() -> None:
    finished = shell()
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_an_error_is_shown_from_the_user_s_code_on() -> None:
    finished = shell(text="value = 1\nawait fail_async()\n")
    assert finished.returncode == 1
    lines = finished.stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == '  File "<stdin>", line 2, in <module>'
    assert lines[2] == "    await fail_async()"
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "erlen" not in finished.stderr


def test_a_mistake_in_the_syntax_is_shown() -> None:
    finished = shell("-c", "x = = 1")
    assert finished.returncode == 1
    assert finished.stderr.startswith('  File "<string>", line 1\n    x = = 1\n')
    assert finished.stderr.endswith("SyntaxError: invalid syntax\n")


@pytest.mark.parametrize(
    ("code", "expected"), [("raise SystemExit", 0), ("raise SystemExit(3)", 3), ("exit('no')", 1)]
)
def test_the_exit_code_is_that_of_the_code(code: str, expected: int) -> None:
    assert shell("-c", code).returncode == expected


def test_an_interrupted_code_ends_quietly() -> None:
    finished = shell("-c", "import signal; signal.raise_signal(signal.SIGINT)")
    assert (finished.returncode, finished.stderr) == (130, "")


def test_a_variable_cannot_hold_code() -> None:
    assert shell(text="print('piped')", ERLEN_SHELL_CODE="print('variable')").stdout == "piped\n"


def test_a_request_is_made_up() -> None:
    code = "print(request.method, request.endpoint, request.view_args, request.args['a'], session.new)"
    finished = shell("--request", "/users/7?a=b", "-c", code)
    assert finished.stdout == "GET user {'id': 7} b False\n", finished.stderr


def test_teardown_runs_when_the_code_has_failed() -> None:
    app = Erlen("made")
    ended: list[str] = []

    @app.teardown_appcontext
    def end(error: BaseException | None) -> None:
        ended.append("ended")

    assert run("-c", "1 / 0", app=app).exit_code == 1
    assert ended == ["ended"]


@pytest.mark.parametrize(("code", "expected"), [("await app.extensions['wait']()", 0), ("1 / 0", 1)])
def test_the_life_span_is_around_the_code_and_on_its_loop(code: str, expected: int) -> None:
    app = Erlen("made")
    seen: list[str] = []

    @app.lifespan
    async def resource() -> t.AsyncIterator[None]:
        # Not on every Python is a loop asked for before a function runs on it.
        import asyncio

        future = asyncio.get_running_loop().create_future()

        async def wait() -> None:
            asyncio.get_running_loop().call_soon(future.set_result, None)
            await future
            seen.append("awaited")

        app.extensions["wait"] = wait
        seen.append("begun")
        yield
        seen.append("ended")

    assert run("--serving", "-c", code, app=app).exit_code == expected
    assert seen == (["begun", "awaited", "ended"] if expected == 0 else ["begun", "ended"])


def test_the_life_span_does_not_begin_by_itself() -> None:
    app = Erlen("made")
    seen: list[str] = []
    app.before_serving(lambda: seen.append("begun"))
    assert run("-c", "print(app.is_serving)", app=app).output == "False\n"
    assert not seen


def test_a_life_span_that_fails_is_an_error_of_the_application() -> None:
    app = Erlen("made")
    app.before_serving(lambda: 1 / 0)
    result = run("--serving", "-c", "print('not reached')", app=app)
    assert isinstance(result.exception, ZeroDivisionError)
    assert result.output == ""


def test_the_command_can_be_called_as_a_function_of_click() -> None:
    app = Erlen("made")
    with app.app_context():
        result = CliRunner().invoke(shell_command, ["-c", "print(app.name)"])
    assert result.output == "made\n"


def test_a_plugin_takes_the_place_of_the_command_for_flask(folder: Path) -> None:
    plugin = folder / "shell_plugin-1.dist-info"
    plugin.mkdir()
    (plugin / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: shell-plugin\nVersion: 1\n", encoding="utf-8"
    )
    (plugin / "entry_points.txt").write_text(
        "[flask.commands]\nshell = shell_plugin:command\n", encoding="utf-8"
    )
    Path("shell_plugin.py").write_text(
        "import click\n"
        "from flask import current_app\n"
        "from flask.cli import with_appcontext\n\n"
        "@click.command()\n"
        "@with_appcontext\n"
        "def command():\n"
        "    print('plugin', sorted(current_app.make_shell_context())[0])\n",
        encoding="utf-8",
    )
    path = {"PYTHONPATH": str(folder)}
    flask = start("-m", "erlen.as_flask", "-m", "flask", "shell", **path)
    assert flask.stdout == "plugin app\n", flask.stderr
    assert shell("-c", "print('own')", **path).stdout == "own\n"


def test_the_command_of_flask_is_the_same() -> None:
    Path("app.py").write_text("from flask import Flask\napp = Flask(__name__)\n", encoding="utf-8")
    finished = start(
        "-m", "erlen.as_flask", "-m", "flask", "shell", text="print(type(app).__name__, g.get('x'))\n"
    )
    assert (finished.returncode, finished.stdout) == (0, "Flask None\n"), finished.stderr


def test_the_program_loads_nothing_for_shells_and_tables_before_they_are_asked_for() -> None:
    program = (
        "import sys, erlen.cli\n"
        "slow = ('erlen.cli.shell', 'erlen.cli.routes', 'IPython', 'bpython', 'rich', 'readline', 'code')\n"
        "print([name for name in sys.modules if name in slow or name.startswith(slow[:2])])\n"
    )
    assert start("-c", program).stdout == "[]\n"
