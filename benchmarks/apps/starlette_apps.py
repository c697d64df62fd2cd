"""Starlette with async endpoints."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ..data import HEADER, QUERY


async def _plain(request: Request) -> Response:
    return HTMLResponse("Hello, World!")


async def _json(request: Request) -> Response:
    return JSONResponse({"message": "Hello, World!", "n": [1, 2, 3]})


async def _item(request: Request) -> Response:
    return HTMLResponse(f"item {request.path_params['number'] + 1}")


async def _search(request: Request) -> Response:
    return HTMLResponse(f"{request.query_params[QUERY]} by {request.headers[HEADER]}")


async def _form(request: Request) -> Response:
    async with request.form() as fields:
        return HTMLResponse(f"{fields['name']} {fields['mail']} {len(str(fields['note']))}")


async def _waiting(request: Request) -> Response:
    await asyncio.sleep(0)
    return HTMLResponse("Hello, World!")


def plain() -> Starlette:
    return Starlette(routes=[Route("/", _plain)])


def as_json() -> Starlette:
    return Starlette(routes=[Route("/json", _json)])


def parameter() -> Starlette:
    return Starlette(routes=[Route("/items/{number:int}", _item)])


def query_and_header() -> Starlette:
    return Starlette(routes=[Route("/search", _search)])


def form() -> Starlette:
    return Starlette(routes=[Route("/form", _form, methods=["POST"])])


def waiting() -> Starlette:
    return Starlette(routes=[Route("/", _waiting)])
