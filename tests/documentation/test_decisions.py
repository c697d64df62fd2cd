"""The page of design decisions: each is whole, and leads to code that is there."""

from __future__ import annotations

import re

import pytest

from pages import ROOT

PAGE = ROOT / "docs" / "design" / "decisions.md"
PARTS = ["The problem", "Weighed", "Decided", "The cost", "In the code"]

DECISIONS = {
    section.partition("\n")[0]: section
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    if not section.startswith("Where next")
}


@pytest.mark.parametrize("title", DECISIONS)
def test_a_decision_has_all_its_parts_in_order(title: str) -> None:
    assert re.findall(r"^\*\*([\w ]+)\.\*\*", DECISIONS[title], re.MULTILINE) == PARTS


@pytest.mark.parametrize("title", DECISIONS)
def test_the_code_of_a_decision_is_there(title: str) -> None:
    code = DECISIONS[title].partition("**In the code.**")[2]
    files = re.findall(r"`(\w+/[\w/]+\.py)`", code)
    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_the_numbers_that_the_code_names_are_on_the_page() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| D")]
    listed = {number for line in rows for number in re.findall(r"D\d+", line.split("|")[1])}
    sources = [*ROOT.glob("src/erlen/**/*.py"), ROOT / "docs" / "architecture.md"]
    named = {
        number
        for source in sources
        for number in re.findall(r"\((D\d+)\)", source.read_text(encoding="utf-8"))
    }
    assert named
    assert named <= listed
    assert listed == {f"D{number}" for number in range(1, 12)}
