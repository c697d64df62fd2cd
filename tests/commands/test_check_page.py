"""The page of the documentation about checks, and the checks, say the same."""

from __future__ import annotations

import re
import tomllib
import typing as t
from pathlib import Path

import pytest

from erlen import Erlen
from erlen.commands.check import Subject, explain
from erlen.commands.check.runner import run_checks
from erlen.commands.check.table import ALWAYS, CHECKS, DEPLOY
from erlen.ext.security.checks import checks as of_accounts

PAGE = (Path(__file__).parents[2] / "docs" / "checks.md").read_text(encoding="utf-8")
MADE_EACH_TIME, WITH_DEPLOY, OF_ACCOUNTS = re.split(
    "## Made with --deploy|## Of accounts", PAGE.partition("## Made each time")[2]
)
WORDS = {"error": "Error", "warning": "Warning", "info": "Note"}


def sections(text: str) -> dict[str, str]:
    """Return the sections of a part of the page, by their headings."""
    parts = re.split(r"^### (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], (part.strip() for part in parts[1::2]), strict=True))


def test_each_check_has_its_section_in_the_order_of_the_table() -> None:
    assert list(sections(MADE_EACH_TIME)) == [check.id for check in ALWAYS]
    assert list(sections(WITH_DEPLOY)) == [check.id for check in DEPLOY]


@pytest.mark.parametrize("check", CHECKS, ids=[check.id for check in CHECKS])
def test_a_section_begins_with_the_severity(check: t.Any) -> None:
    section = sections(MADE_EACH_TIME + WITH_DEPLOY)[check.id]
    assert section.startswith(f"{WORDS[check.severity]}. ")
    assert check.link == f"docs/checks.md#{check.id}"
    assert check.deploy == (check in DEPLOY)


def test_checks_of_the_accounts_have_sections_as_well() -> None:
    found = sections(OF_ACCOUNTS)
    assert list(found) == [check.id for check in of_accounts]
    assert all(found[check.id].startswith(f"{WORDS[check.severity]}. ") for check in of_accounts)


def test_ids_are_unique_and_read_as_anchors() -> None:
    ids = [check.id for check in CHECKS]
    assert len(ids) == len(set(ids))
    assert [one for one in ids if not re.fullmatch(r"[a-z]+(-[a-z]+)+|dependencies", one)] == []


def test_titles_are_sentences_without_a_full_stop() -> None:
    wrong = [check.title for check in CHECKS if not check.title[0].isupper() or check.title.endswith(".")]
    assert wrong == []


def test_the_check_of_the_page_works(tmp_path: Path) -> None:
    names: dict[str, t.Any] = {}
    exec(PAGE.split("```python\n")[1].split("```")[0], names)
    app = Erlen("documented", root_path=str(tmp_path))
    subject = Subject(app, tmp_path, {})
    report = run_checks(subject, names["checks"], {})
    assert [reason for _, reason in report.not_applicable] == ["the application sends no mail"]
    app.extensions["mail"] = object()
    [(check, finding, severity)] = run_checks(subject, names["checks"], {}).findings
    assert (check.link, severity) == ("docs/mail.md#tls", "error")
    assert finding.fix == 'app.config["MAIL_USE_TLS"] = True'


def test_the_skipped_check_of_the_page_is_one() -> None:
    [table, _] = [tomllib.loads(block.split("```")[0]) for block in PAGE.split("```toml\n")[1:]]
    assert set(table["tool"]["erlen"]["check"]["skip"]) <= {check.id for check in CHECKS}


def test_the_page_is_packed_beside_the_file_that_reads_it() -> None:
    """Installed packages have no folder of documentation."""
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["only-include"] == ["src/erlen", "docs/checks.md"]
    folder = Path(explain.__file__).parent.relative_to(root / "src").as_posix()
    assert wheel["sources"] == {"src": "", "docs": folder}
