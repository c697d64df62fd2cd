"""Plain answers, JSON, routes, and what is read off a request."""

from __future__ import annotations

import typing as t

from ...data import HEADER, MESSAGE, PRODUCTS, QUERY
from .making import make_app


def plain(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    @app.get("/")
    def index() -> str:
        return "Hello, World!"

    return app


get_only = head = plain


def as_json(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    @app.get("/json")
    def content() -> dict[str, t.Any]:
        return MESSAGE

    return app


def large_json(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    @app.get("/products")
    def products() -> dict[str, t.Any]:
        return PRODUCTS

    return app


def parameter(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    @app.get("/items/<int:number>")
    def item(number: int) -> str:
        return f"item {number + 1}"

    return app


def string_parameter(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    @app.get("/hello/<name>")
    def hello(name: str) -> str:
        return f"hello {name}"

    return app


def path_parameter(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    @app.get("/files/<path:rest>")
    def file(rest: str) -> str:
        return f"file {rest}"

    return app


def query_and_header(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.get("/search")
    def search() -> str:
        return f"{framework.request.args[QUERY]} by {framework.request.headers[HEADER]}"

    return app


def routes(size: int, **options: t.Any) -> t.Any:
    _, app = make_app(options)

    def end(value: str) -> str:
        return f"end {value}"

    for number in range(size):
        app.add_url_rule(f"/part{number}/<value>/end", f"part{number}", end)
    return app
