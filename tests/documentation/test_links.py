"""The links of a built site are followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from check_links import problems_of


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "guide").mkdir()
    (tmp_path / "guide" / "index.html").write_text(
        '<h1 id="top">Guide</h1><a name="old"></a>', encoding="utf-8"
    )
    (tmp_path / "style.css").write_text("", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "link",
    [
        "guide/index.html",
        "guide/",
        "guide/index.html#top",
        "guide/#old",
        "#here",
        "style.css?v=1",
        "https://example.com/nothing",
        "mailto:somebody@example.com",
        "http://127.0.0.1:5000/",
    ],
)
def test_a_link_that_leads_somewhere(site: Path, link: str) -> None:
    (site / "index.html").write_text(f'<p id="here"><a href="{link}">a</a>', encoding="utf-8")
    assert problems_of(site) == []


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("guide/routing.html", "leads to no file"),
        ("missing.css", "leads to no file"),
        ("../outside.html", "leads to no file"),
        ("guide/index.html#bottom", "leads to a page without 'bottom'"),
        ("#nowhere", "leads to a page without 'nowhere'"),
        ("http://example.com/", "is not https"),
        ("//example.com/", "is not https"),
        ("ftp://example.com/", "is not https"),
    ],
)
def test_a_link_that_does_not(site: Path, link: str, problem: str) -> None:
    (site / "index.html").write_text(f'<img src="style.css"><a href="{link}">a</a>', encoding="utf-8")
    assert problems_of(site) == [f"index.html: {link!r} {problem}"]
