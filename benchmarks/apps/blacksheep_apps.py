"""BlackSheep with async handlers."""

from __future__ import annotations

import asyncio
import typing as t

from blacksheep import Application, Request, Response, html, json
from blacksheep.server.routing import Router

from ..data import HEADER, QUERY


async def _plain() -> Response:
    return html("Hello, World!")


async def _json() -> Response:
    return json({"message": "Hello, World!", "n": [1, 2, 3]})


async def _item(number: int) -> Response:
    return html(f"item {number + 1}")


async def _search(request: Request) -> Response:
    name = request.get_first_header(HEADER.encode()) or b""
    return html(f"{request.query[QUERY][0]} by {name.decode()}")


async def _form(request: Request) -> Response:
    fields: t.Any = await request.form()
    return html(f"{fields['name']} {fields['mail']} {len(fields['note'])}")


async def _waiting() -> Response:
    await asyncio.sleep(0)
    return html("Hello, World!")


def _app() -> Application:
    # The router that is made for an application by default is one for the whole process.
    return Application(router=Router())


def plain() -> Application:
    app = _app()
    app.router.add_get("/", _plain)
    return app


def as_json() -> Application:
    app = _app()
    app.router.add_get("/json", _json)
    return app


def parameter() -> Application:
    app = _app()
    app.router.add_get("/items/{int:number}", _item)
    return app


def query_and_header() -> Application:
    app = _app()
    app.router.add_get("/search", _search)
    return app


def form() -> Application:
    app = _app()
    app.router.add_post("/form", _form)
    return app


def waiting() -> Application:
    app = _app()
    app.router.add_get("/", _waiting)
    return app
