"""Litestar with async handlers."""

from __future__ import annotations

import asyncio
import typing as t

from litestar import Litestar, MediaType, get, post
from litestar.enums import RequestEncodingType
from litestar.params import Body, Parameter

from ..data import HEADER


@get("/", media_type=MediaType.HTML)
async def _plain() -> str:
    return "Hello, World!"


@get("/json")
async def _json() -> dict[str, t.Any]:
    return {"message": "Hello, World!", "n": [1, 2, 3]}


@get("/items/{number:int}", media_type=MediaType.HTML)
async def _item(number: int) -> str:
    return f"item {number + 1}"


@get("/search", media_type=MediaType.HTML)
async def _search(q: str, name: t.Annotated[str, Parameter(header=HEADER)]) -> str:
    return f"{q} by {name}"


@post("/form", media_type=MediaType.HTML, status_code=200)
async def _form(
    data: t.Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> str:
    return f"{data['name']} {data['mail']} {len(data['note'])}"


@get("/", media_type=MediaType.HTML)
async def _waiting() -> str:
    await asyncio.sleep(0)
    return "Hello, World!"


def plain() -> Litestar:
    return Litestar([_plain])


def as_json() -> Litestar:
    return Litestar([_json])


def parameter() -> Litestar:
    return Litestar([_item])


def query_and_header() -> Litestar:
    return Litestar([_search])


def form() -> Litestar:
    return Litestar([_form])


def waiting() -> Litestar:
    return Litestar([_waiting])
