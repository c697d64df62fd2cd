"""What the documentation says is so."""

from __future__ import annotations

import re
import typing as t
from datetime import timedelta
from pathlib import Path

import pytest

from erlen import Erlen, render_template, render_template_string, stream_template
from erlen.profiles import DEFAULTS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("examples/*/README.md")])


def table_of_keys() -> list[tuple[str, str, str]]:
    """Return key, safe default and Flask's default of each row of the table of configuration keys."""
    lines = (DOCS / "configuration.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip(" `") for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| `")]
    return [(cells[0], cells[1], cells[2]) for cells in rows if len(cells) == 4]


def code_of(page: str) -> str:
    """Return the first block of Python in a page."""
    return (DOCS / page).read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]


def test_the_page_about_configuration_has_every_key_once() -> None:
    assert sorted(key for key, _, _ in table_of_keys()) == sorted(DEFAULTS["safe"])


@pytest.mark.parametrize(("key", "safe", "flask"), table_of_keys())
def test_a_row_of_the_page_about_configuration_has_the_defaults(key: str, safe: str, flask: str) -> None:
    values = [eval(text, {"timedelta": timedelta}) for text in (safe, flask)]
    assert values == [DEFAULTS["safe"][key], DEFAULTS["flask"][key]]


def test_the_engine_of_the_page_about_templates_works(tmp_path: Path) -> None:
    pytest.importorskip("mako")
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "base.html").write_text("<main>${self.body()}</main>", encoding="utf-8")
    (folder / "page.html").write_text(
        "<%inherit file='base.html'/>${name} ${url_for('page')}", encoding="utf-8"
    )
    names: dict[str, t.Any] = {}
    exec(code_of("templates.md"), names)
    app: Erlen = names["Application"]("documented", root_path=str(tmp_path))

    @app.get("/page")
    def page() -> list[str]:
        return [
            render_template("page.html", name="<Ada>"),
            render_template_string("${name}", name="<Ada>"),
            "".join(stream_template("page.html", name="Bob")),
        ]

    assert app.test_client().get("/page").json == [
        "<main>&lt;Ada&gt; /page</main>",
        "&lt;Ada&gt;",
        "<main>Bob /page</main>",
    ]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_what_a_page_links_to_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []
