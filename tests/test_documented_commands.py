"""The commands of the pages that no other test runs: they are taken as they stand there, and what can be run is run."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from erlen import Erlen
from erlen.cli import ErlenGroup
from erlen.debugger import Debugger

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
SCRIPTS = Path(sys.executable).parent

#: The commands that begin to serve, or look at an application that a page only names.
COMMANDS = {"check", "run", "serve"}


def blocks_of(page: str, language: str) -> list[str]:
    """Return the blocks of a language in a page."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands_of(page: str) -> list[str]:
    """Return the commands of a page, without their comments; a line that ends with a backslash goes on."""
    lines = "".join(blocks_of(page, "console")).replace("\\\n", " ").splitlines()
    return [shlex.join(shlex.split(line[2:], comments=True)) for line in lines if line.startswith("$ ")]


def of_erlen() -> list[tuple[str, str]]:
    """Return the pages with the commands of ``erlen`` that start a server, or look at one, and go on."""
    return [
        (page, command)
        for page in ("checks", "coming-from-flask", "debugging", "deploying", "development-server", "serving")
        for command in commands_of(page)
        if re.match(r"(?:\w+=\S+ )?erlen ", command)
    ]


@pytest.mark.parametrize(("page", "line"), of_erlen(), ids=lambda text: text)
def test_a_command_has_the_options_that_it_is_given(
    page: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is parsed to its end, with each value checked, and not called."""
    words = [word for word in shlex.split(line) if not word.startswith("ERLEN_AS_FLASK=")]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ERLEN_SKIP_DOTENV", "1")
    for name in ("cert.pem", "key.pem"):
        Path(name).write_text("-", encoding="utf-8")
    Path("settings.py").write_text(
        "import ssl; tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)", "utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    app = Erlen("made", root_path=str(tmp_path))
    group = ErlenGroup(create_app=lambda: app)
    [at] = [number for number, word in enumerate(words) if word in COMMANDS]
    outer = group.make_context("erlen", words[1 : at + 1])
    command = group.get_command(outer, words[at])
    assert command is not None
    try:
        command.make_context(words[at], words[at + 1 :], parent=outer)
    finally:
        # The next test may have a module of that name.
        sys.modules.pop("settings", None)


def run(line: str, folder: Path) -> str:
    """Run a command in a folder, and return what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ERLEN_", "PYTHON"))}
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=folder,
        env={**kept, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(os.name != "posix", reason="the commands are those of a POSIX shell")
def test_a_program_of_flask_is_run_as_the_page_says(tmp_path: Path) -> None:
    """Each command of the page, the last one of gunicorn only as far as it loads the application."""
    (tmp_path / "app.py").write_text("import flask; print(flask.Flask.__mro__[1].__name__)", encoding="utf-8")
    (tmp_path / "test_app.py").write_text(
        "import flask, erlen\ndef test(): assert issubclass(flask.Flask, erlen.Erlen)", encoding="utf-8"
    )
    (tmp_path / "shop.py").write_text(
        "import flask, erlen\n"
        "def create_app():\n    assert issubclass(flask.Flask, erlen.Erlen)\n    return flask.Flask(__name__)",
        encoding="utf-8",
    )
    script, module, _, gunicorn = commands_of("coming-from-flask")
    assert run(script, tmp_path) == "Erlen\n"
    assert "1 passed" in run(f"{module} -q -p no:cacheprovider test_app.py", tmp_path)
    if shutil.which("gunicorn", path=str(SCRIPTS)):
        assert run(f"{gunicorn} --check-config", tmp_path) == ""
    [block] = blocks_of("coming-from-flask", "python")
    (tmp_path / "first.py").write_text(f"{block}print(Flask.__mro__[1].__name__)", encoding="utf-8")
    assert run("python first.py", tmp_path) == "Erlen\n"


def test_the_answer_in_json_of_the_page_about_debugging_has_those_keys() -> None:
    [shown] = [block for block in blocks_of("debugging", "console") if "application/json" in block]
    text = shown.partition("\n")[2].replace("[...]", "[]").replace("{...}", "{}")
    app = Erlen("made", root_path=".")
    app.debug = True

    def basket(name: str) -> str:
        return str(1 / len(name[:0]))

    app.add_url_rule("/basket/<name>", view_func=basket)
    client = app.test_client()
    client.application = t.cast("t.Any", Debugger(app))
    answer: t.Any = client.get(
        "/basket/ada", headers={"Accept": "application/json", "Host": "127.0.0.1:5000"}
    ).json
    documented = json.loads(text)
    assert list(answer) == list(documented)
    assert list(answer["error"]) == list(documented["error"])
    assert [answer["error"][name] for name in ("type", "message", "notes", "view", "cause", "context")] == [
        documented["error"][name] for name in ("type", "message", "notes", "view", "cause", "context")
    ]
