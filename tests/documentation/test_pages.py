"""What the pages of the documentation show is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import recordings
from pages import ROOT, blocks_of, play
from recordings import Block, Recording

DOCS = ROOT / "docs"

#: The folders whose pages are played.
PLAYED = ("big", "coming-from", "design", "extensions", "framework", "guide", "howto", "start", "tutorial")

#: Pages elsewhere, with the tests that run what they show.
OTHER_TESTS = {
    "accounts": "tests/security/test_documented_accounts.py",
    "accounts-settings": "tests/security/test_documented_accounts.py",
    "async": "tests/test_documentation.py",
    "checks": "tests/commands/test_check_page.py",
    "coming-from-flask": "tests/as_flask/test_application.py",
    "command-line": "tests/test_command_line_page.py",
    "configuration": "tests/test_documentation.py",
    "debugging": "tests/debugger/test_debugger.py",
    "deploying": "tests/deploying/test_deploying_servers.py",
    "development-server": "tests/development/test_dev_protocols.py",
    "new-project": "tests/commands/test_new_projects.py",
    "serving": "tests/serving/test_serve_docs.py",
    "templates": "tests/test_documentation.py",
    "testing": "tests/plugin/test_documented_testing.py",
    "walkthrough": "tests/test_walkthrough.py",
}

#: What blocks of ``sh`` begin with: the network, an installation, root or another machine is needed.
NOT_RUN = {
    "apt", "apt-get", "cd", "docker", "export", "git", "make", "mkdir", "npm", "pip", "pipx", "podman", "psql", "python",
    "python3", "scp", "source", "ssh", "sudo", "systemctl", "twine", "uv", ".", "brew", "kubectl", "#",
}  # fmt: skip


def chapters(folder: str) -> list[Path]:
    """Return the pages of a folder in the order in which its first page lists them."""
    text = (DOCS / folder / "index.md").read_text(encoding="utf-8")
    names = [
        line.strip()
        for toctree in re.findall(r"^```\{toctree\}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        for line in toctree.splitlines()
        if line.strip() and not line.startswith((":", ".."))
    ]
    return [DOCS / folder / f"{name}.md" for name in names]


def groups() -> list[list[Path]]:
    """Return the pages that are played: the chapters of the tutorial together, each other page alone."""
    single = [
        [page]
        for folder in PLAYED
        if folder != "tutorial"
        for page in sorted((DOCS / folder).rglob("*.md"))
        if any(block.kind in {"python", "pycon", "console", "check"} for block in blocks_of(page))
    ]
    return [[DOCS / "index.md"], chapters("tutorial"), *single]


@pytest.mark.parametrize("pages", groups(), ids=lambda pages: str(pages[0].relative_to(DOCS).with_suffix("")))
def test_what_a_page_shows_is_what_happens(pages: list[Path], tmp_path: Path) -> None:
    assert play(pages, tmp_path)


def test_commands_see_nothing_of_the_environment_that_a_reader_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With CI, pytest prints whole errors in its last lines; with FORCE_COLOR, it draws in colour.
    for name in ("CI", "BUILD_NUMBER", "FORCE_COLOR", "PYTEST_ADDOPTS", "ERLEN_DEBUG"):
        monkeypatch.setenv(name, "1")
    recording = Recording(tmp_path, {"COLUMNS": "80"}, {})
    block = Block("console", "", "$ env\n", 1)
    _, come = recording.play(block)
    names = {line.partition("=")[0] for line in come.splitlines()[1:]}
    assert {"PATH", "COLUMNS"} <= names
    # The shell sets some itself.
    assert names - {"PWD", "OLDPWD", "SHLVL", "_", "COLUMNS"} <= set(recordings.KEPT)


def test_every_page_with_code_is_played_or_has_a_test_of_its_own() -> None:
    shown = {
        str(page.relative_to(DOCS).with_suffix(""))
        for page in DOCS.rglob("*.md")
        if any(block.kind in {"python", "pycon", "console"} for block in blocks_of(page))
    }
    played = {"index", *(name for name in shown if name.partition("/")[0] in PLAYED)}
    assert shown - played - set(OTHER_TESTS) == set()
    assert [path for path in OTHER_TESTS.values() if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    "page",
    [page for page in sorted(DOCS.rglob("*.md")) if page.stem not in OTHER_TESTS],
    ids=lambda page: str(page.relative_to(DOCS)),
)
def test_code_that_is_not_run_needs_what_is_not_here(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"^`{3,}\{code(?:-block)?\} (?:python|pycon|console)", text, re.MULTILINE)
    lines = [
        line
        for block in blocks_of(page)
        if block.kind in {"sh", "bash", "shell"} and not block.name
        for line in re.sub(r"\\\n", " ", block.text).splitlines()
        if line and not line.startswith(" ")
    ]
    assert [line for line in lines if line.split()[0] not in NOT_RUN] == []
