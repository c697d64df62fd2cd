"""Erlen and Quart with async views: one file, as their API is one but for the form, which Quart awaits."""

from __future__ import annotations

import asyncio
import typing as t

from ..data import HEADER, QUERY
from .flask_like.making import make_app


def plain(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    async def index() -> str:
        return "Hello, World!"

    app.add_url_rule("/", "index", index)
    return app


def as_json(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    async def content() -> dict[str, t.Any]:
        return {"message": "Hello, World!", "n": [1, 2, 3]}

    app.add_url_rule("/json", "json", content)
    return app


def parameter(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    async def item(number: int) -> str:
        return f"item {number + 1}"

    app.add_url_rule("/items/<int:number>", "item", item)
    return app


def query_and_header(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    async def search() -> str:
        return f"{framework.request.args[QUERY]} by {framework.request.headers[HEADER]}"

    app.add_url_rule("/search", "search", search)
    return app


def form(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    async def post() -> str:
        fields = framework.request.form
        return f"{fields['name']} {fields['mail']} {len(fields['note'])}"

    app.add_url_rule("/form", "form", post, methods=["POST"])
    return app


def waiting(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    async def index() -> str:
        await asyncio.sleep(0)
        return "Hello, World!"

    app.add_url_rule("/", "index", index)
    return app
