"""The site as a browser shows it: 'tools/walk_docs.py' finds what is planted, and nothing on the pages that are ours."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from browser import NAMES, executable
from pages import ROOT
from walk_docs import REPRESENTATIVE, walk

SITE = ROOT / "build" / "docs" / "dev"

needs_chromium = pytest.mark.skipif(
    executable() is None, reason=f"there is no Chromium, under none of the names {', '.join(NAMES)}"
)

_PAGE = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{}</title><meta name="description" content="Faults.">
<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width">
<style>
  body {{ margin: 0; background: #fff; color: #000 }} article {{ max-width: 40em; overflow: hidden }}
  @media (prefers-color-scheme: dark) {{ body {{ background: #111; color: #eee }} .dim {{ color: #555 }} }}
</style>
<article><h1>One</h1>{}</article>
"""


#: What is on a page, and what is said of it.
_PLANTED: dict[str, tuple[str, list[str]]] = {
    "right": ("<p>Right</p>", []),
    "wide": (
        '</article><div style="width: 60em">wide</div>',
        ["is 960 pixels wide, and scrolls sideways (390 light, 390 dark)"],
    ),
    "dim": (
        '<p class="dim">dim</p>',
        ['p.dim in article has a contrast of 2.53, as in "dim" (1280 dark, 390 dark)'],
    ),
    "levels": ("<h3>Three</h3>", ['the heading "Three" is h3 behind h1']),
    "tops": ("<h1>Two</h1>", ["has 2 headings h1"]),
    "missing": ('<img src="none.png" alt="A picture">', ["the picture none.png does not load", "console: "]),
    "mute": ('<img src="dot.svg">', ["the picture dot.svg says nothing in words"]),
    "cut": ('<table style="width: 50em"><td>cut</table>', ['table "cut" goes over the edge']),
    "scrolls": ('<div style="overflow-x: auto"><table style="width: 50em"><td>scrolls</table></div>', []),
    "console": ("<script>console.error('oh')</script>", ["console: oh"]),
    "script": ("<script>nothing()</script>", ["JavaScript: nothing is not defined"]),
}


@pytest.mark.servers
@needs_chromium
def test_what_is_wrong_with_a_page_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "dev"
    folder.mkdir()
    dot = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
    (folder / "dot.svg").write_text(dot, encoding="utf-8")
    for name, (planted, _) in _PLANTED.items():
        (folder / f"{name}.html").write_text(_PAGE.format(name, planted), encoding="utf-8")
    problems = walk(folder, uses=False)
    for name, (_, expected) in _PLANTED.items():
        found = [problem for problem in problems if problem.startswith(f"{name}: ")]
        assert len(found) == len(expected), found
        for text in expected:
            assert any(text in problem for problem in found), found


@pytest.mark.servers
@needs_chromium
@pytest.mark.skipif(not SITE.exists(), reason="there is no site in build/docs: make docs")
def test_nothing_is_wrong_with_pages_of_each_kind() -> None:
    assert walk(SITE, REPRESENTATIVE) == []


def test_a_name_with_underscores_stays_what_it_is_in_a_caption() -> None:
    functions = runpy.run_path(str(ROOT / "docs" / "_ext" / "tested_blocks.py"))
    source = ["```python shop/__init__.py\npass\n```\n"]
    functions["_with_captions"](None, "page", source)
    assert ":caption: shop/\\_\\_init\\_\\_.py\n" in source[0]


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("One. Two.", "One. Two."),
        ("A sentence. " + "x" * 200, "A sentence."),
        ("word " * 60, "word " * 40 + "..."),
    ],
)
def test_a_description_is_what_the_first_paragraph_says(text: str, description: str) -> None:
    nodes = pytest.importorskip("docutils.nodes")
    utils = pytest.importorskip("docutils.utils")
    functions = runpy.run_path(str(ROOT / "docs" / "_ext" / "descriptions.py"))
    document = utils.new_document("page")
    section = nodes.section("", nodes.title("", "Page"), nodes.note("", nodes.paragraph("", "Aside.")))
    document += section
    section += nodes.paragraph("", text)
    section += nodes.paragraph("", "Later.")
    assert functions["_first_paragraph"](document) == description
