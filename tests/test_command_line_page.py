"""The page about the command line: what it shows is what is printed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import typing as t
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from erlen import Erlen
from erlen.cli import ErlenGroup
from terminals import CTRL_D, Terminal

PAGE = (Path(__file__).parents[1] / "docs" / "command-line.md").read_text(encoding="utf-8")


def blocks_of(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, str]]:
    """Return each command of the page with what it prints."""
    parts = [
        part for block in blocks_of("console") for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    ]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Make the files of the page in a folder, and return the variables for programs in it."""
    monkeypatch.chdir(tmp_path)
    for block in blocks_of("python"):
        name = block.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(block, encoding="utf-8")
    plugin = tmp_path / "plugin" / "shop_backup-1.dist-info"
    plugin.mkdir(parents=True)
    [(group, commands)] = tomllib.loads(blocks_of("toml")[0])["project"]["entry-points"].items()
    points = "\n".join(f"{name} = {place}" for name, place in commands.items())
    (plugin / "entry_points.txt").write_text(f"[{group}]\n{points}\n", encoding="utf-8")
    (plugin / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: shop-backup\nVersion: 1\n", encoding="utf-8"
    )
    # The programs of the page, as this Python has them.
    programs = tmp_path / "programs"
    programs.mkdir()
    main = "import sys\nfrom erlen.cli import main\nsys.exit(main())\n"
    (programs / "erlen").write_text(f"#!{sys.executable}\n{main}", encoding="utf-8")
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    for program in programs.iterdir():
        program.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ERLEN_", "PYTHON"))}
    return {
        **kept,
        "HOME": str(tmp_path),
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": f"{plugin.parent}{os.pathsep}{tmp_path}",
    }


def run(command: str, environment: t.Mapping[str, str], program: str = "sh") -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    finished = subprocess.run(
        [program, "-c", command], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert finished.stderr == ""
    return finished.stdout


@pytest.mark.parametrize(("command", "output"), examples(), ids=[command[:60] for command, _ in examples()])
def test_an_example_prints_what_it_shows(environment: dict[str, str], command: str, output: str) -> None:
    assert run(command, environment) == output


def test_the_session_of_the_page_is_what_the_shell_shows(environment: dict[str, str]) -> None:
    pytest.importorskip("termios", reason="needs terminals of POSIX")
    [session] = blocks_of("pycon")
    with Terminal("-m", "erlen", "shell", "-i", "python", environment=environment) as terminal:
        terminal.until(">>> ")
        shown = ">>> "
        for line in session.splitlines():
            if line.startswith(">>> "):
                terminal.enter(line.removeprefix(">>> "))
                shown += terminal.until(r"\n>>> ")
        terminal.type(CTRL_D)
        assert terminal.ends() == 0
    assert shown == f"{session}>>> "


def test_the_env_file_of_the_page_names_the_application(environment: dict[str, str]) -> None:
    pytest.importorskip("dotenv")
    Path(".erlenenv").write_text(blocks_of("ini")[0], encoding="utf-8")
    assert run("erlen shell -c 'print(app.name)'", environment) == "shop\n"
    assert run("ERLEN_SKIP_DOTENV=1 erlen shell -c 'print(app.name)'", environment) == "app\n"


def test_the_completion_of_the_page_completes(environment: dict[str, str]) -> None:
    [line] = blocks_of("bash")
    completes = (
        'COMP_WORDS=({0}); COMP_CWORD={1}; COMPREPLY=(); _erlen_completion erlen; echo "${{COMPREPLY[@]}}"'
    )
    asked = [("erlen cle", 1), ("erlen routes --so", 2), ("erlen shell --interface ip", 3)]
    commands = "\n".join(completes.format(words, number) for words, number in asked)
    assert run(f"{line}{commands}", environment, "bash").splitlines() == ["clean", "--sort", "ipython"]


def options_of(heading: str) -> set[str]:
    section = re.split(rf"^## {heading}\n", PAGE, flags=re.MULTILINE)[1].partition("\n## ")[0]
    return set(re.findall(r"^\| `(--[\w-]+)", section, re.MULTILINE))


@pytest.mark.parametrize("name", ["shell", "routes"])
def test_the_page_has_every_option(name: str) -> None:
    command = ErlenGroup().commands[name]
    options = {max(one.opts, key=len) for one in command.params if isinstance(one, click.Option)}
    assert options_of(f"erlen {name}") == options


def test_the_tables_of_json_have_every_key() -> None:
    section = PAGE.partition("### JSON")[2].partition("\n## ")[0]
    tables = section.split("`erlen routes --match URL --json`")
    keys = [
        {
            name
            for row in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
            for name in re.findall(r"`(\w+)`", row)
        }
        for table in tables
    ]
    app = Erlen("made")
    app.add_url_rule("/", "index", lambda: "")
    printed = (
        CliRunner().invoke(ErlenGroup(create_app=lambda: app), ["routes", "--match", "/", "--json"]).output
    )
    answer = json.loads(printed)
    assert keys == [set(answer["route"]), set(answer)]
