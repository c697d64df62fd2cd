"""Falcon. It has no templates (Jinja2 is called directly) and no sessions."""

from __future__ import annotations

import typing as t

from ..data import HEADER, QUERY, ROWS, TEMPLATE


def _app(route: str, resource: object) -> t.Any:
    import falcon  # here, so that the other frameworks run without it

    app: t.Any = falcon.App()
    # What the other frameworks take unless told otherwise.
    app.resp_options.default_media_type = "text/html; charset=utf-8"
    app.add_route(route, resource)
    return app


class _Plain:
    def on_get(self, request: t.Any, response: t.Any) -> None:
        response.text = "Hello, World!"


class _Json:
    def on_get(self, request: t.Any, response: t.Any) -> None:
        response.media = {"message": "Hello, World!", "n": [1, 2, 3]}
        response.content_type = "application/json"


class _Item:
    def on_get(self, request: t.Any, response: t.Any, number: int) -> None:
        response.text = f"item {number + 1}"


class _Search:
    def on_get(self, request: t.Any, response: t.Any) -> None:
        response.text = f"{request.get_param(QUERY)} by {request.get_header(HEADER)}"


class _End:
    def on_get(self, request: t.Any, response: t.Any, value: str) -> None:
        response.text = f"end {value}"


class _Form:
    def on_post(self, request: t.Any, response: t.Any) -> None:
        fields = request.get_media()
        response.text = f"{fields['name']} {fields['mail']} {len(fields['note'])}"


class _Rows:
    def __init__(self, template: t.Any) -> None:
        self.template = template

    def on_get(self, request: t.Any, response: t.Any) -> None:
        response.text = self.template.render(rows=ROWS)


def plain() -> t.Any:
    return _app("/", _Plain())


def as_json() -> t.Any:
    return _app("/json", _Json())


def parameter() -> t.Any:
    return _app("/items/{number:int}", _Item())


def query_and_header() -> t.Any:
    return _app("/search", _Search())


def routes(size: int) -> t.Any:
    end = _End()
    app = _app("/part0/{value}/end", end)
    for number in range(1, size):
        app.add_route(f"/part{number}/{{value}}/end", end)
    return app


def form() -> t.Any:
    return _app("/form", _Form())


def template() -> t.Any:
    from jinja2 import Environment  # here, so that the other frameworks run without Jinja2

    return _app("/rows", _Rows(Environment(autoescape=True).from_string(TEMPLATE)))
