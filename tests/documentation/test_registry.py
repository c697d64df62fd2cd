"""The registry of extensions says what the scenarios and the pins say."""

from __future__ import annotations

import re

import pytest

import table


def test_the_registry_is_up_to_date() -> None:
    """When this fails: ``python ecosystem/table.py``. ``make test-ecosystem`` shows that it is so."""
    assert table.PAGE.read_text(encoding="utf-8") == table.written()


@pytest.mark.parametrize("name", table.names())
def test_each_scenario_is_in_the_registry_once(name: str) -> None:
    page = table.PAGE.read_text(encoding="utf-8")
    distribution = table.constant(name, "DISTRIBUTIONS")[0]
    version = table.versions(name)[table.normalized(distribution)]
    played = table.constant(name, "__doc__").splitlines()[0]
    rows = [
        line for line in page.splitlines() if line.startswith(f"| {distribution} | {version} | {played} |")
    ]
    assert len(rows) == 1


def test_the_registry_has_no_other_rows() -> None:
    rows = re.findall(
        r"^\| (?!extension \||application \|)[\w-]+ \|", table.PAGE.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(rows) == len(table.names())
