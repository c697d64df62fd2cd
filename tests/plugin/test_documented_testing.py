"""The examples of docs/testing.md are a project, whose tests pass."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from erlen.testing import LiveServer
from pytest_projects import Project

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")


def test_the_tests_of_the_page_about_testing_pass(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    project = Project(tmp_path)
    (tmp_path / "pytest.ini").unlink()
    blocks = re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == PAGE.count("```python") + PAGE.count("```toml"), "a block has no file"
    for name, text in blocks:
        project.write(name, text)
    outcome = project.run("--import-mode=importlib", "-W", "error", plugins=["anyio.pytest_plugin"])
    tests = len(re.findall(r"^ *(?:async )?def test_", "".join(text for _, text in blocks), re.MULTILINE))
    # Two run twice. The application of the database is another one than that of the others.
    skipped = 0 if shutil.which("chromium") else 1
    assert outcome.counts == {"passed": tests + 2 - skipped, **({"skipped": 1} if skipped else {})}, (
        outcome.text
    )


def test_what_the_page_says_of_the_live_server_is_there() -> None:
    names = re.findall(r"live_server\.(\w+)", PAGE)
    assert names
    assert {name for name in names if not hasattr(LiveServer, name)} <= {"host", "port", "interface"}


def test_the_page_has_every_option_with_its_default(tmp_path: Path) -> None:
    documented = dict(re.findall(r"^\| `(erlen_\w+)` \| ?`?(\w*)`? ?\|", PAGE, re.MULTILINE))
    project = Project(tmp_path)
    project.write(
        "conftest.py",
        """
        def pytest_sessionstart(session):
            names = "erlen_app erlen_interface erlen_check_contexts erlen_fixtures".split()
            print("OPTIONS", *(f"{name}={session.config.getini(name)}".lower() for name in names))
        """,
    )
    outcome = project.run("-s")
    assert f"OPTIONS {' '.join(f'{name}={value}' for name, value in documented.items())}" in outcome.text
