"""Falcon over ASGI: the resources of ``falcon_apps``, with async responders."""

from __future__ import annotations

import asyncio
import typing as t

import falcon.asgi

from ..data import HEADER, QUERY


def _app(route: str, resource: object) -> t.Any:
    app: t.Any = falcon.asgi.App()
    # What the other frameworks take unless told otherwise.
    app.resp_options.default_media_type = "text/html; charset=utf-8"
    app.add_route(route, resource)
    return app


class _Plain:
    async def on_get(self, request: t.Any, response: t.Any) -> None:
        response.text = "Hello, World!"


class _Json:
    async def on_get(self, request: t.Any, response: t.Any) -> None:
        response.media = {"message": "Hello, World!", "n": [1, 2, 3]}
        response.content_type = "application/json"


class _Item:
    async def on_get(self, request: t.Any, response: t.Any, number: int) -> None:
        response.text = f"item {number + 1}"


class _Search:
    async def on_get(self, request: t.Any, response: t.Any) -> None:
        response.text = f"{request.get_param(QUERY)} by {request.get_header(HEADER)}"


class _Form:
    async def on_post(self, request: t.Any, response: t.Any) -> None:
        fields = await request.get_media()
        response.text = f"{fields['name']} {fields['mail']} {len(fields['note'])}"


class _Waiting:
    async def on_get(self, request: t.Any, response: t.Any) -> None:
        await asyncio.sleep(0)
        response.text = "Hello, World!"


def plain() -> t.Any:
    return _app("/", _Plain())


def as_json() -> t.Any:
    return _app("/json", _Json())


def parameter() -> t.Any:
    return _app("/items/{number:int}", _Item())


def query_and_header() -> t.Any:
    return _app("/search", _Search())


def form() -> t.Any:
    return _app("/form", _Form())


def waiting() -> t.Any:
    return _app("/", _Waiting())
