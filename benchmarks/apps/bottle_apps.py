"""Bottle. It has no sessions; its templates are Jinja2's, through its own ``template``."""

from __future__ import annotations

import importlib
import typing as t

from ..data import HEADER, QUERY, ROWS, TEMPLATE

# Bottle has no types.
_bottle: t.Any = importlib.import_module("bottle")


def _app(rule: str, view: t.Callable[..., t.Any], method: str = "GET") -> t.Any:
    app = _bottle.Bottle()
    app.route(rule, method, view)
    return app


def plain() -> t.Any:
    return _app("/", lambda: "Hello, World!")


def as_json() -> t.Any:
    return _app("/json", lambda: {"message": "Hello, World!", "n": [1, 2, 3]})


def parameter() -> t.Any:
    def item(number: int) -> str:
        return f"item {number + 1}"

    return _app("/items/<number:int>", item)


def query_and_header() -> t.Any:
    def search() -> str:
        return f"{_bottle.request.query[QUERY]} by {_bottle.request.get_header(HEADER)}"

    return _app("/search", search)


def routes(size: int) -> t.Any:
    def end(value: str) -> str:
        return f"end {value}"

    app = _app("/part0/<value>/end", end)
    for number in range(1, size):
        app.route(f"/part{number}/<value>/end", "GET", end)
    return app


def form() -> t.Any:
    def post() -> str:
        fields = _bottle.request.forms
        return f"{fields['name']} {fields['mail']} {len(fields['note'])}"

    return _app("/form", post, "POST")


def template() -> t.Any:
    rendered = _bottle.Jinja2Template(source=TEMPLATE, autoescape=True)
    return _app("/rows", lambda: rendered.render(rows=ROWS))
