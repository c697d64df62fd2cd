"""The command ``erlen new``: names, places, questions, and what is left when it is stopped."""

from __future__ import annotations

import errno
import os
import re
import select
import signal
import stat
import subprocess
import sys
import textwrap
import typing as t
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from erlen.cli import cli
from erlen.commands.new.names import MAX_LENGTH, ProjectName
from erlen.commands.new.place import PlaceError, ProjectFile, make_project
from erlen.commands.new.table import TEMPLATES


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run each test in an empty folder."""
    for name in list(os.environ):
        if name.startswith(("ERLEN_", "NO_COLOR")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ERLEN_SKIP_DOTENV", "1")
    # The program sets it, for the rest of the process.
    monkeypatch.setenv("ERLEN_RUN_FROM_CLI", "true")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*args: str) -> Result:
    return CliRunner().invoke(cli, ["new", *args])


def python(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **variables}
    return subprocess.run(
        [sys.executable, *args], capture_output=True, text=True, env=environ, timeout=60, check=False
    )


def listed(folder: Path) -> list[str]:
    """Return all files and folders below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# What it makes


def test_a_project_is_one_file_and_its_test_unless_told_otherwise(folder: Path) -> None:
    result = new("shop")
    assert (result.exit_code, result.stderr) == (0, "")
    assert listed(folder / "shop") == [
        ".gitignore",
        "README.md",
        "app.py",
        "pyproject.toml",
        "tests",
        "tests/test_app.py",
    ]
    assert listed(folder) == ["shop", *(f"shop/{name}" for name in listed(folder / "shop"))]


def test_the_next_commands_are_shown(folder: Path) -> None:
    result = new("my-shop")
    assert result.output.startswith("Made my-shop: 5 files, template 'minimal'.\n\nNext:\n")
    for step in ("cd my-shop", "pytest", "erlen run --debug"):
        assert f"\n  {step}\n" in result.output
    assert max(map(len, result.output.splitlines())) <= 80
    assert "\x1b" not in result.output


def test_a_full_project_has_a_package_of_its_name(folder: Path) -> None:
    assert new("My-Shop", "--template", "full").exit_code == 0
    made = folder / "My-Shop"
    assert (made / "my_shop" / "__init__.py").is_file()
    assert "from my_shop import create_app" in (made / "app.py").read_text(encoding="utf-8")
    for name in (".dockerignore", ".env", ".env.example", ".gitignore", "Containerfile", "Makefile"):
        assert (made / name).is_file()


@pytest.mark.parametrize(
    "args", [("--extension",), ("-x",), ("--template", "extension"), ("-x", "-t", "extension")]
)
def test_an_extension_has_a_package_below_src(folder: Path, args: tuple[str, ...]) -> None:
    result = new("erlen-visits", *args)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.output.startswith("Made erlen-visits: 21 files, template 'extension'.\n")
    package = folder / "erlen-visits" / "src" / "erlen_visits"
    assert (package / "py.typed").read_bytes() == b""
    assert (package / "templates" / "erlen_visits" / "index.html").is_file()
    assert "class Visits:" in (package / "extension.py").read_text(encoding="utf-8")
    assert 'DATABASE = "VISITS_DATABASE"' in (package / "settings.py").read_text(encoding="utf-8")


def test_an_extension_goes_where_it_is_told_to(folder: Path) -> None:
    (folder / "here" / ".git").mkdir(parents=True)
    assert new("erlen-visits", "-x", "--folder", "here", "--yes").exit_code == 0
    assert (folder / "here" / "src" / "erlen_visits" / "__init__.py").is_file()


def test_an_extension_and_another_template_contradict(folder: Path) -> None:
    result = new("shop", "--extension", "--template", "full")
    assert result.exit_code == 2
    assert (
        "'--extension' and '--template full' contradict each other: an extension is a template of its own. Leave one of"
        " them out." in result.stderr
    )
    assert listed(folder) == []


def test_templates_are_listed_without_a_name(folder: Path) -> None:
    result = new("--list")
    assert (result.exit_code, result.stderr) == (0, "")
    assert [line.split()[0] for line in result.output.splitlines()] == list(TEMPLATES)
    assert "  extension  an extension for Erlen and Flask" in result.output
    assert listed(folder) == []


def test_no_mark_of_a_template_is_left(folder: Path) -> None:
    for template in ("minimal", "full", "accounts", "extension"):
        new(template, "-t", template)
        for path in (folder / template).rglob("*"):
            assert not path.name.endswith(".jinja")
            assert "_package_" not in path.name
            if path.is_file():
                assert not re.search(r"<<|<%|<#", path.read_text(encoding="utf-8")), path


def test_each_project_has_a_secret_key_of_its_own_that_git_does_not_see(folder: Path) -> None:
    keys: set[str] = set()
    for name in ("one", "two"):
        new(name, "-t", "full")
        text = (folder / name / ".env").read_text(encoding="utf-8")
        [key] = re.findall(rf"^{name.upper()}_SECRET_KEY=([\w-]{{43}})$", text, re.MULTILINE)
        keys.add(key)
        assert ".env" in (folder / name / ".gitignore").read_text(encoding="utf-8").split()
        elsewhere = [path for path in (folder / name).rglob("*") if path.is_file() and path.name != ".env"]
        assert [path for path in elsewhere if key in path.read_text(encoding="utf-8")] == []
        if os.name == "posix":
            assert stat.S_IMODE((folder / name / ".env").stat().st_mode) == 0o600
    assert len(keys) == 2


@pytest.mark.skipif(os.name != "posix", reason="needs the modes of files of POSIX")
def test_files_have_the_modes_that_the_user_gives_to_files(folder: Path) -> None:
    before = os.umask(0o027)
    try:
        new("shop")
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "shop").stat().st_mode) == 0o750
    assert stat.S_IMODE((folder / "shop" / "app.py").stat().st_mode) == 0o640


# Where it makes it


def test_the_folder_may_have_another_name(folder: Path) -> None:
    (folder / "sites").mkdir()
    result = new("shop", "--folder", "sites/first one")
    assert result.exit_code == 0
    assert result.output.startswith("Made shop in 'sites/first one': ")
    assert "cd 'sites/first one'\n" in result.output
    assert (folder / "sites" / "first one" / "app.py").is_file()


def test_a_dot_is_the_folder_one_is_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = folder / "my-shop"
    (here / ".venv").mkdir(parents=True)
    (here / ".git").mkdir()
    monkeypatch.chdir(here)
    result = new(".", "-t", "full")
    assert result.exit_code == 0
    assert "Made my-shop in this folder" in result.output
    assert "cd " not in result.output
    assert (here / "my_shop" / "__init__.py").is_file()
    assert [name for name in os.listdir(here) if name.startswith(".erlen")] == []


def test_a_dot_in_a_folder_whose_name_is_no_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "2nd try").mkdir()
    monkeypatch.chdir("2nd try")
    result = new(".")
    assert result.exit_code == 2
    assert "give the name, 'erlen new NAME --folder .'" in result.stderr
    assert new("shop", "--folder", ".").exit_code == 0
    assert (folder / "2nd try" / "app.py").is_file()


def test_a_dot_and_another_folder_contradict(folder: Path) -> None:
    result = new(".", "--folder", "there")
    assert result.exit_code == 2
    assert "'--folder' names another" in result.stderr
    assert listed(folder) == []


def test_a_folder_that_is_not_empty_is_left_alone(folder: Path) -> None:
    (folder / "shop").mkdir()
    for name in "abcd":
        (folder / "shop" / name).write_text("mine", encoding="utf-8")
    before = listed(folder)
    result = new("shop")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: The folder 'shop' is there already and is not empty ('a', 'b', 'c' ...). Nothing was changed."
        " Choose another name, or another place with '--folder'.\n"
    )
    assert listed(folder) == before


def test_a_file_is_left_alone(folder: Path) -> None:
    (folder / "shop").write_text("mine", encoding="utf-8")
    result = new("shop")
    assert result.exit_code == 1
    assert "'shop' is there already and is no folder" in result.stderr
    assert (folder / "shop").read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("target", ["empty", "nowhere"])
def test_a_symbolic_link_is_left_alone(folder: Path, target: str) -> None:
    (folder / "empty").mkdir()
    (folder / "shop").symlink_to(target)
    result = new("shop")
    assert result.exit_code == 1
    assert "'shop' is a symbolic link" in result.stderr
    assert listed(folder) == ["empty", "shop"]


def test_a_place_below_a_file(folder: Path) -> None:
    (folder / "file").write_text("mine", encoding="utf-8")
    result = new("shop", "--folder", "file/shop")
    assert result.exit_code == 1
    assert "'file' is no folder" in result.stderr


def test_a_place_below_a_folder_that_is_not_there(folder: Path) -> None:
    result = new("shop", "--folder", "a/b/shop")
    assert result.exit_code == 1
    assert result.stderr == "Error: The folder 'a/b' is not there. Make it first: mkdir -p a/b\n"
    assert listed(folder) == []


def test_a_name_that_the_file_system_does_not_take(folder: Path) -> None:
    result = new("shop", "--folder", "x" * 300)
    assert result.exit_code == 1
    assert os.strerror(errno.ENAMETOOLONG) in result.stderr
    assert "Choose a shorter path" in result.stderr
    assert listed(folder) == []


@pytest.mark.skipif(
    not Path("/sys/kernel").is_dir(), reason="needs Linux's /sys, where nobody can make folders"
)
def test_a_folder_that_cannot_be_written() -> None:
    result = new("shop", "--folder", "/sys/shop")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Could not make '/sys/shop': ")
    assert "Choose another place with '--folder'." in result.stderr
    assert not Path("/sys/shop").exists()


# Whether it is whole


@pytest.mark.skipif(os.name != "posix", reason="needs limits of the size of files")
@pytest.mark.parametrize("existing", [False, True])
def test_a_disk_that_takes_no_more_leaves_nothing(folder: Path, existing: bool) -> None:
    """The operating system refuses to write more than 2000 bytes to a file; the style sheet is longer."""
    if existing:
        (folder / "shop").mkdir()
    script = (
        "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (2000, 2000)); from erlen.cli import main; main()"
    )
    ended = python("-c", script, "new", "shop", "-t", "full")
    assert ended.returncode == 1
    assert ended.stderr == (
        f"Error: Could not make 'shop': {os.strerror(errno.EFBIG)}. Choose another place with '--folder'.\n"
    )
    assert listed(folder) == (["shop"] if existing else [])


def test_files_that_cannot_be_made_one_after_the_other_leave_nothing(folder: Path) -> None:
    def files() -> t.Iterator[ProjectFile]:
        yield ProjectFile("a/b.py", b"")
        assert [name.rpartition("/")[2] for name in listed(folder)][-1] == "b.py"
        yield ProjectFile("a/b.py/c.py", b"")

    with pytest.raises(PlaceError, match="Could not make 'shop'"):
        make_project(files(), Path("shop"))
    assert listed(folder) == []


def test_a_place_that_somebody_takes_meanwhile_is_theirs(folder: Path) -> None:
    def files() -> t.Iterator[ProjectFile]:
        yield ProjectFile("app.py", b"")
        (folder / "shop").mkdir()
        (folder / "shop" / "theirs").write_text("", encoding="utf-8")

    with pytest.raises(PlaceError, match=re.escape(os.strerror(errno.ENOTEMPTY))):
        make_project(files(), Path("shop"))
    assert listed(folder) == ["shop", "shop/theirs"]


def test_a_project_that_cannot_be_moved_into_its_folder_is_taken_back(folder: Path) -> None:
    (folder / "shop").mkdir()

    def files() -> t.Iterator[ProjectFile]:
        yield ProjectFile("a.py", b"")
        yield ProjectFile("b.py", b"")
        # A file does not replace a folder.
        (folder / "shop" / "b.py").mkdir()

    with pytest.raises(PlaceError, match=re.escape(os.strerror(errno.EISDIR))):
        make_project(files(), Path("shop"))
    assert listed(folder / "shop") == ["b.py"]


# Raises SIGINT in this process right before the n-th thing that is done to the file system in a folder of the command's,
# with n from 1 until the command comes to its end, and says how each ended.
_STOPPED_AT_EACH_STEP = """
    import os, shutil, signal, sys
    from click.testing import CliRunner
    from erlen.cli import cli

    steps_left = 0

    def count(event, args):
        global steps_left
        if steps_left and event.partition(".")[0] in {"open", "os", "shutil"} and ".erlen-new-" in str(args[:1]):
            steps_left -= 1
            if not steps_left:
                signal.raise_signal(signal.SIGINT)

    sys.addaudithook(count)
    existing = sys.argv[1] == "existing"
    for number in range(1, 1000):
        if existing:
            os.mkdir("shop")
        steps_left = number
        result = CliRunner().invoke(cli, ["new", "shop"])
        was_reached, steps_left = not steps_left, 0
        names = [os.path.join(at, name) for at, _, names in os.walk(".") for name in names]
        folders = sorted(os.listdir("."))
        print(was_reached, result.exit_code, len(names), folders, repr(result.stderr))
        if not was_reached:
            break
        shutil.rmtree("shop", ignore_errors=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX")
@pytest.mark.parametrize("existing", ["existing", "missing"])
def test_ctrl_c_at_any_step_leaves_all_or_nothing(folder: Path, existing: str) -> None:
    ended = python("-c", textwrap.dedent(_STOPPED_AT_EACH_STEP), existing)
    assert ended.stderr == ""
    *stopped, last = ended.stdout.splitlines()
    assert last == "False 0 5 ['shop'] ''"
    nothing = ["True 130 0 [] '\\nStopped: nothing was made.\\n'"]
    if existing == "existing":
        nothing = [line.replace("[]", "['shop']") for line in nothing]
    # From the step on that puts it in its place it goes through.
    assert set(stopped) == {*nothing, "True 0 5 ['shop'] ''"}
    assert stopped.count(nothing[0]) >= 10
    assert stopped == sorted(stopped, key=lambda line: line not in nothing)


def test_an_interruption_after_the_end_says_that_all_is_there(folder: Path) -> None:
    ended = python(
        "-c",
        textwrap.dedent("""
            import os, signal, sys
            from erlen.cli import main

            def stop(event, args):
                # The signal's own handler is put back after the last step.
                if event == "os.rename":
                    sys.setprofile(lambda frame, what, arg: is_done(frame, what))

            def is_done(frame, what):
                if what == "return" and frame.f_code.co_name == "make_project":
                    sys.setprofile(None)
                    signal.raise_signal(signal.SIGINT)

            sys.addaudithook(stop)
            main()
        """),
        "new",
        "shop",
    )
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "\nStopped: the project in 'shop' is whole.\n"
    assert (folder / "shop" / "app.py").is_file()


# What it asks


class Terminal:
    """A process on a terminal of 80 columns."""

    def __init__(self, *args: str, **variables: str) -> None:
        pty = pytest.importorskip("pty", reason="needs terminals of POSIX")
        number, environ = pty.fork()
        if number == 0:
            os.environ.update(variables, COLUMNS="80")
            os.execv(sys.executable, [sys.executable, "-m", "erlen", *args])
        self.number: int = number
        self.terminal: int = environ
        self.output = ""

    def wait_for(self, text: str) -> None:
        while text not in self.output:
            assert self.read(), f"it ended before {text!r}:\n{self.output}"

    def read(self) -> bool:
        ready, _, _ = select.select([self.terminal], [], [], 30)
        assert ready, f"nothing more came:\n{self.output}"
        try:
            data = os.read(self.terminal, 4096)
        except OSError:  # Linux says so that the other side was closed.
            return False
        self.output += data.decode().replace("\r\n", "\n")
        return bool(data)

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def press_until(self, key: str, text: str) -> None:
        """Press a key, as often as it takes: a Ctrl-C right before Python waits for a key is seen after the next one."""
        for _ in range(30):
            self.type(key)
            while text not in self.output and select.select([self.terminal], [], [], 1)[0]:
                assert self.read(), f"it ended before {text!r}:\n{self.output}"
            if text in self.output:
                return
        pytest.fail(f"{text!r} did not come:\n{self.output}")

    def end(self) -> int:
        while self.read():
            pass
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.number, 0)[1])


def test_on_a_terminal_the_template_is_asked_for(folder: Path) -> None:
    terminal = Terminal("new", "shop")
    terminal.wait_for("Template [minimal]: ")
    assert "full    " in terminal.output.replace("\x1b[0m", "")
    terminal.type("large\n")
    terminal.wait_for("'large' is not one of 'minimal', 'full', 'accounts', 'extension'")
    terminal.type("full\n")
    assert terminal.end() == 0
    assert "\x1b[1mshop\x1b[0m" in terminal.output
    assert (folder / "shop" / "shop").is_dir()


def test_an_empty_answer_is_the_default(folder: Path) -> None:
    terminal = Terminal("new", "shop", NO_COLOR="1")
    terminal.wait_for("Template [minimal]: ")
    terminal.type("\n")
    assert terminal.end() == 0
    assert "\x1b" not in terminal.output
    assert len(listed(folder / "shop")) == 6


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["ctrl-c", "ctrl-d"])
def test_leaving_the_question_makes_nothing(folder: Path, key: str) -> None:
    terminal = Terminal("new", "shop")
    terminal.wait_for("Template [minimal]: ")
    terminal.press_until(key, "Stopped: nothing was made.")
    assert terminal.end() == 130
    assert terminal.output.endswith("\nStopped: nothing was made.\n")
    assert listed(folder) == []


@pytest.mark.parametrize("args", [("--yes",), ("--template", "minimal")])
def test_on_a_terminal_nothing_is_asked_that_was_said(folder: Path, args: tuple[str, ...]) -> None:
    terminal = Terminal("new", "shop", *args)
    assert terminal.end() == 0
    assert "Template" not in terminal.output
    assert (folder / "shop" / "app.py").is_file()


def test_a_taken_place_is_told_before_anything_is_asked(folder: Path) -> None:
    (folder / "shop").write_text("", encoding="utf-8")
    terminal = Terminal("new", "shop")
    assert terminal.end() == 1
    assert "Template" not in terminal.output


def test_a_template_that_there_is_not(folder: Path) -> None:
    result = new("shop", "-t", "huge")
    assert result.exit_code == 2
    assert "'minimal', 'full', 'accounts', 'extension'" in result.stderr


# Names


@pytest.mark.parametrize(
    ("text", "package", "title", "prefix"),
    [
        ("shop", "shop", "Shop", "SHOP"),
        ("my-shop", "my_shop", "My shop", "MY_SHOP"),
        ("My.Own--Shop", "my_own_shop", "My Own Shop", "MY_OWN_SHOP"),
        ("x", "x", "X", "X"),
        ("shop2", "shop2", "Shop2", "SHOP2"),
        ("y" * MAX_LENGTH, "y" * MAX_LENGTH, "Y" + "y" * (MAX_LENGTH - 1), "Y" * MAX_LENGTH),
    ],
)
def test_a_name_has_these_spellings(text: str, package: str, title: str, prefix: str) -> None:
    name = ProjectName.parse(text)
    assert (name.distribution, name.package, name.title, name.prefix) == (text, package, title, prefix)


@pytest.mark.parametrize(
    ("text", "short", "class_name"),
    [
        ("erlen-visits", "visits", "Visits"),
        ("Flask-Page-Views", "page_views", "PageViews"),
        ("visits", "visits", "Visits"),
        ("my.visits2", "my_visits2", "MyVisits2"),
        # What is left would be a keyword, no name, or a command of Erlen's.
        ("erlen-import", "erlen_import", "ErlenImport"),
        ("erlen-2fa", "erlen_2fa", "Erlen2fa"),
        ("erlen-run", "erlen_run", "ErlenRun"),
        ("erlen-app", "erlen_app", "ErlenApp"),
        ("none", "none", "NoneExtension"),
    ],
)
def test_an_extension_has_these_names(text: str, short: str, class_name: str) -> None:
    name = ProjectName.parse(text)
    assert (name.short, name.class_name) == (short, class_name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The name is empty. Give one, for example 'my-shop'."),
        ("  ", "The name is empty."),
        ("x" * 41, "The name is 41 characters long, and 40 is the most."),
        (
            "sites/shop",
            "'sites/shop' is a path. Give name and place apart: erlen new shop --folder sites/shop",
        ),
        ("sites\\shop", "'sites\\\\shop' is a path."),
        ("/", "'/' is a path. Give name and place apart: erlen new NAME --folder /"),
        ("..", "'..' cannot be the name of a distribution."),
        ("my shop", "For example 'my-shop'."),
        ("shop!", "For example 'shop'."),
        ("-shop", "For example 'shop'."),
        ("shop-", "For example 'shop'."),
        ("_shop", "For example 'shop'."),
        ("café", "For example 'cafe'."),
        ("店", "'店' cannot be the name of a distribution."),
        ("shop\n", "'shop\\n' cannot be the name of a distribution."),
        ("shop\udcff", "'shop\\udcff' cannot be the name of a distribution."),
        ("２shop", "For example '2shop'."),
        ("2shop", "gives the package '2shop', which Python cannot import"),
        ("class", "'class' is a keyword of Python"),
        ("Async", "'async' is a keyword of Python"),
        ("test", "'test' is a module of Python's own library, and 'import test' can mean one only."),
        ("json", "'json' is a module of Python's own library"),
        ("Email", "'email' is a module of Python's own library"),
        ("_thread", "cannot be the name of a distribution"),
        ("flask", "'flask' is a package that projects use. Take another name, for example 'my-flask'."),
        ("Erlen", "'erlen' is a package that projects use."),
        ("sqlalchemy", "'sqlalchemy' is a package that projects use."),
        ("app", "'app.py' is in every project already."),
        ("tests", "'tests/' is in every project already."),
        ("iniconfig", "'iniconfig' is installed here already ("),
        ("python-dotenv", "The distribution 'python-dotenv' is installed here already ("),
    ],
)
def test_a_name_is_refused_with_its_reason(folder: Path, text: str, message: str) -> None:
    result = new("--", text)
    assert result.exit_code == 2
    assert message in result.stderr
    assert listed(folder) == []


def test_a_module_in_the_folder_one_is_in_does_not_take_its_name(folder: Path) -> None:
    (folder / "shop.py").write_text("", encoding="utf-8")
    ended = python("-m", "erlen", "new", "shop")
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_module_elsewhere_on_the_path_takes_its_name(folder: Path) -> None:
    (folder / "modules").mkdir()
    (folder / "modules" / "shop.py").write_text("", encoding="utf-8")
    path = os.pathsep.join([str(folder / "modules"), os.environ.get("PYTHONPATH", "")])
    ended = python("-m", "erlen", "new", "shop", PYTHONPATH=path.rstrip(os.pathsep))
    assert ended.returncode == 2
    assert "'shop' is installed here already (" in ended.stderr


# Beside applications


def test_no_application_is_needed_and_none_is_loaded(folder: Path) -> None:
    (folder / "app.py").write_text("1 / 0", encoding="utf-8")
    ended = python("-m", "erlen", "new", "shop")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (folder / "shop" / "app.py").is_file()


def test_flask_new_makes_a_project_too(folder: Path) -> None:
    ended = python("-m", "erlen.as_flask", "-m", "flask", "new", "shop")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (folder / "shop" / "app.py").is_file()


def test_flask_new_is_the_command_of_an_application_that_has_one(folder: Path) -> None:
    (folder / "app.py").write_text(
        textwrap.dedent("""
            from flask import Flask

            app = Flask(__name__)

            @app.cli.command("new")
            def new():
                print("of the application")
        """),
        encoding="utf-8",
    )
    ended = python("-m", "erlen.as_flask", "-m", "flask", "new")
    assert (ended.stdout, ended.stderr) == ("of the application\n", "")


def test_the_help_of_the_program_has_the_command() -> None:
    ended = python("-m", "erlen", "--help")
    assert re.search(r"^  new +Make a new project\.$", ended.stdout, re.MULTILINE)


def test_the_signal_is_as_before(folder: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    new("shop")
    assert signal.getsignal(signal.SIGINT) is before
