"""A list over several pages: links and counts in templates, the current page, searches, styles, other names."""

from __future__ import annotations

import typing as t
from pathlib import Path

from flask import Flask, render_template_string, request
from flask_paginate import Pagination, get_page_args, get_page_parameter

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["flask-paginate"]
REMOVED_FROM_FLASK = ["flask.Markup"]

BOOKS = [f"Volume {number}" for number in range(1, 2346)]

PAGE = """\
{{ pagination.info }}{{ pagination.links }}
<ol start="{{ pagination.skip + 1 }}">{% for book in books %}<li>{{ book }}{% endfor %}</ol>
"""


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)

    @app.get("/books/")
    @app.get("/books/page/<int:page>")
    def books(page: int = 1) -> str:
        current, per_page, offset = get_page_args(per_page_parameter="size")
        pagination = Pagination(
            page=current,
            per_page=per_page,
            total=len(BOOKS),
            record_name="books",
            format_total=True,
            format_number=True,
        )
        return render_template_string(PAGE, pagination=pagination, books=BOOKS[offset : offset + per_page])

    @app.get("/search")
    def search() -> str:
        wanted = request.args.get("q", "")
        found = [book for book in BOOKS if wanted in book]
        pagination = Pagination(
            page=request.args.get("p", default=1, type=int),
            page_parameter="p",
            per_page=20,
            total=len(BOOKS),
            found=len(found),
            search=bool(wanted),
            record_name="books",
            css_framework="bootstrap5",
            alignment="right",
            inner_window=1,
            outer_window=0,
        )
        start = pagination.skip
        return render_template_string(PAGE, pagination=pagination, books=found[start : start + 20])

    @app.get("/styles/<name>")
    def style(name: str) -> str:
        page = request.args.get(get_page_parameter(), type=int, default=1)
        pagination = Pagination(
            page=page, total=25, css_framework=name, prev_label="<back>", next_label="on", anchor="list"
        )
        return render_template_string("{{ pagination.links }}", pagination=pagination)

    @app.get("/few")
    def few() -> str:
        return render_template_string(
            "{{ one.links }}|{{ shown.links }}|{{ one.info }}",
            one=Pagination(page=1, total=3),
            shown=Pagination(page=1, total=3, show_single_page=True),
        )

    return app


def play(visitor: Visitor) -> None:
    first = visitor.get("/books/").text
    assert "displaying <b>1 - 10</b> books in total <b>2,345</b>" in first
    assert '<a class="page-link" href="/books/page/235">235</a>' in first
    assert "<li>Volume 10</ol>" in first
    last = visitor.get("/books/?page=235").text
    assert "<li>Volume 2345</ol>" in last
    # The route has the page, and the query its size.
    other = visitor.get("/books/page/3?size=5").text
    assert '<ol start="11"><li>Volume 11<li>' in other
    assert 'href="/books/page/4?size=5"' in other
    assert 'href="/books/?size=5">1</a>' in other

    found = visitor.get("/search?q=99").text
    assert "found <b>41</b> books" in found
    assert 'href="/search?q=99&p=2">2</a>' in found
    assert "<li>Volume 99<li>" in found
    assert "found <b>0</b> books" in visitor.get("/search?q=magazine").text

    # The links are markup, with labels as they are; what the visitor wrote comes escaped.
    for name in ("bootstrap3", "foundation", "bulma", "semantic"):
        styled = visitor.get(f"/styles/{name}", query_string={"page": "2", "from": '"><script>'}).text
        assert "<back>" in styled
        assert "page=3" in styled
        assert "<script>" not in styled
    assert visitor.get("/few").text.startswith("|<nav")
    assert visitor.get("/books/page/none").status_code == 404
