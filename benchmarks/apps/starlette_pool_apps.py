"""Starlette with plain endpoints, which run in its thread pool. They cannot read a form: that has to be awaited."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ..data import HEADER, QUERY


def _plain(request: Request) -> Response:
    return HTMLResponse("Hello, World!")


def _json(request: Request) -> Response:
    return JSONResponse({"message": "Hello, World!", "n": [1, 2, 3]})


def _item(request: Request) -> Response:
    return HTMLResponse(f"item {request.path_params['number'] + 1}")


def _search(request: Request) -> Response:
    return HTMLResponse(f"{request.query_params[QUERY]} by {request.headers[HEADER]}")


def plain() -> Starlette:
    return Starlette(routes=[Route("/", _plain)])


def as_json() -> Starlette:
    return Starlette(routes=[Route("/json", _json)])


def parameter() -> Starlette:
    return Starlette(routes=[Route("/items/{number:int}", _item)])


def query_and_header() -> Starlette:
    return Starlette(routes=[Route("/search", _search)])
