"""FastAPI with async path operations."""

from __future__ import annotations

import asyncio
import typing as t

from fastapi import FastAPI, Form, Header
from fastapi.responses import HTMLResponse

# As its documentation has pages: no model for the response.
HTML: t.Any = {"response_class": HTMLResponse, "response_model": None}


async def _plain() -> str:
    return "Hello, World!"


async def _json() -> dict[str, t.Any]:
    return {"message": "Hello, World!", "n": [1, 2, 3]}


async def _item(number: int) -> str:
    return f"item {number + 1}"


async def _search(q: str, x_name: t.Annotated[str, Header()]) -> str:
    return f"{q} by {x_name}"


async def _form(
    name: t.Annotated[str, Form()], mail: t.Annotated[str, Form()], note: t.Annotated[str, Form()]
) -> str:
    return f"{name} {mail} {len(note)}"


async def _waiting() -> str:
    await asyncio.sleep(0)
    return "Hello, World!"


def plain() -> FastAPI:
    app = FastAPI()
    app.get("/", **HTML)(_plain)
    return app


def as_json() -> FastAPI:
    app = FastAPI()
    app.get("/json")(_json)
    return app


def parameter() -> FastAPI:
    app = FastAPI()
    app.get("/items/{number}", **HTML)(_item)
    return app


def query_and_header() -> FastAPI:
    app = FastAPI()
    app.get("/search", **HTML)(_search)
    return app


def form() -> FastAPI:
    app = FastAPI()
    app.post("/form", **HTML)(_form)
    return app


def waiting() -> FastAPI:
    app = FastAPI()
    app.get("/", **HTML)(_waiting)
    return app
