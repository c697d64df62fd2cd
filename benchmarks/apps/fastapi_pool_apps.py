"""FastAPI with plain path operations, which run in its thread pool."""

from __future__ import annotations

import typing as t

from fastapi import FastAPI, Form, Header
from fastapi.responses import HTMLResponse

# No model for the responses: it would be applied in the pool, which takes plain functions a second hop.
HTML: t.Any = {"response_class": HTMLResponse, "response_model": None}


def _plain() -> str:
    return "Hello, World!"


def _json() -> dict[str, t.Any]:
    return {"message": "Hello, World!", "n": [1, 2, 3]}


def _item(number: int) -> str:
    return f"item {number + 1}"


def _search(q: str, x_name: t.Annotated[str, Header()]) -> str:
    return f"{q} by {x_name}"


def _form(
    name: t.Annotated[str, Form()], mail: t.Annotated[str, Form()], note: t.Annotated[str, Form()]
) -> str:
    return f"{name} {mail} {len(note)}"


def plain() -> FastAPI:
    app = FastAPI()
    app.get("/", **HTML)(_plain)
    return app


def as_json() -> FastAPI:
    app = FastAPI()
    app.get("/json", response_model=None)(_json)
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
