"""The sources of the documentation have one sentence a line, so that a change of one shows no other."""

from __future__ import annotations

import re
import typing as t
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PATTERNS = ("*.md", "benchmarks/*.md", "docs/**/*.md", "ecosystem/*.md", "examples/*/*.md")
PAGES = sorted(page for pattern in PATTERNS for page in ROOT.glob(pattern))

#: What ends with a full stop and ends no sentence: abbreviations, a beginning in bold, a severity.
GOES_ON = re.compile(r"(?:^|.*[\s(])(?:e\.g|i\.e|etc|cf|vs)\.|\*\*[^*]+\*\*|Error\.|Warning\.|Note\.")

#: Where a full stop is no end: code, links, addresses, parentheses.
_WHOLE = (
    r"(`+)(?!`).*?(?<!`)\1(?!`)",
    r"!?\[[^][]*\](?:\([^()\s]*\)|\[[^]]*\])?",
    r"<[^<>\s]+>",
    r"\([^()]*\)",
)

_END = re.compile(r"(?:\.\.\.(?=\S* [A-Z])|(?<!\.)\.|[!?])[\"')*_]*(?: (?=\S)|$)")


def wrong_lines(text: str) -> list[str]:
    """Return the lines of a page that end within a sentence which goes on below, or hold more than one."""
    return [
        f"line {number}: {line[-60:]!r} {problem}"
        for first, paragraph in _paragraphs(text)
        for number, line, problem in _problems(paragraph, first)
    ]


def _paragraphs(text: str) -> t.Iterator[tuple[int, list[str]]]:
    # Fences of colons hold paragraphs as well: without their first and last lines these are like any other.
    tokens = MarkdownIt("commonmark").enable("table").parse(re.sub(r"(?m)^ *:{3,}.*$", "", text))
    for before, token in pairwise(tokens):
        if before.type == "paragraph_open" and before.map:
            yield before.map[0] + 1, [line.strip() for line in token.content.splitlines()]


def _problems(lines: list[str], first: int) -> t.Iterator[tuple[int, str, str]]:
    if all(line.startswith("![") for line in lines):
        return
    for number, line in enumerate(lines):
        hidden = line
        for pattern in _WHOLE:
            hidden = re.sub(pattern, lambda match: "x" * len(match[0]), hidden)
        ends = [
            one.end() for one in _END.finditer(hidden) if not GOES_ON.fullmatch(line[: one.end()].strip())
        ]
        if number < len(lines) - 1 and not re.search(r"[.!?][\"')*_`]*$", line):
            yield first + number, line, "goes on in the next line"
        if any(end < len(line) for end in ends):
            yield first + number, line, "has more than one sentence"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_one_sentence_a_line(page: Path) -> None:
    assert wrong_lines(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "One sentence.\nAnother one, of `app.py`. ",
        "- An item.\n  Its second sentence.\n- Another one",
        "What `a. B` and [a link. There](page.md) hold, and (an aside. Or two) is one.",
        "Python 3.11, `.env` and users, roles ... are no ends.",
        "**In short.** This is one.\nAnd **this** another.",
        "Error. The key is short.\nMake one.",
        "```text\na line\nanother\n```\n\n| a. B | c |\n|---|---|\n| d | e. F |",
        "    indented code\n    goes on",
        "<!-- a comment\nof two lines. Or more. -->",
        ":::{note}\nA note.\nOf two sentences.\n:::",
        "![A picture. Of something.](one.svg)\n![Another one](two.svg)",
    ],
)
def test_a_text_that_is_right(text: str) -> None:
    assert wrong_lines(text) == []


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("A sentence that\ngoes on.", 1, "goes on in the next line"),
        ("One.\n\n- An item, of\n  two lines.", 3, "goes on in the next line"),
        ("> A quotation of\n> two lines.", 1, "goes on in the next line"),
        (":::{note}\nA note of\ntwo lines.\n:::", 2, "goes on in the next line"),
        ("One sentence. Another one.", 1, "has more than one sentence"),
        ("Is it? `app` says so.", 1, "has more than one sentence"),
        ("**In short.** One. Two.", 1, "has more than one sentence"),
        ("Users, roles ... And more.", 1, "has more than one sentence"),
    ],
)
def test_a_text_that_is_wrong(text: str, line: int, problem: str) -> None:
    [found] = wrong_lines(text)
    assert found.startswith(f"line {line}: ")
    assert found.endswith(problem)
