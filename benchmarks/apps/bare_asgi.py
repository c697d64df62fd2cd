"""No framework: what the standard library needs for the same answers. It does not route: the floor."""

from __future__ import annotations

import asyncio
import json
import typing as t
from urllib.parse import parse_qs

from ..cases import Scope
from ..data import HEADER, QUERY

Application = t.Callable[[Scope, t.Any, t.Any], t.Awaitable[None]]
Body = t.Callable[[Scope, t.Any], t.Awaitable[bytes]]

HTML, JSON = b"text/html; charset=utf-8", b"application/json"


def _application(answer: Body, kind: bytes = HTML) -> Application:
    async def application(scope: Scope, receive: t.Any, send: t.Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"scopes of the type {scope['type']!r}")
        body = await answer(scope, receive)
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def plain() -> Application:
    async def answer(scope: Scope, receive: t.Any) -> bytes:
        return b"Hello, World!"

    return _application(answer)


def as_json() -> Application:
    async def answer(scope: Scope, receive: t.Any) -> bytes:
        return json.dumps({"message": "Hello, World!", "n": [1, 2, 3]}).encode()

    return _application(answer, JSON)


def parameter() -> Application:
    async def answer(scope: Scope, receive: t.Any) -> bytes:
        number = int(scope["path"].rpartition("/")[2])
        return f"item {number + 1}".encode()

    return _application(answer)


def query_and_header() -> Application:
    key = HEADER.lower().encode()

    async def answer(scope: Scope, receive: t.Any) -> bytes:
        query = parse_qs(scope["query_string"].decode())
        header = next(value for name, value in scope["headers"] if name == key)
        return f"{query[QUERY][0]} by {header.decode('latin1')}".encode()

    return _application(answer)


def form() -> Application:
    async def answer(scope: Scope, receive: t.Any) -> bytes:
        sent, more = b"", True
        while more:
            message = await receive()
            sent += message["body"]
            more = message["more_body"]
        fields = parse_qs(sent.decode())
        return f"{fields['name'][0]} {fields['mail'][0]} {len(fields['note'][0])}".encode()

    return _application(answer)


def waiting() -> Application:
    async def answer(scope: Scope, receive: t.Any) -> bytes:
        await asyncio.sleep(0)
        return b"Hello, World!"

    return _application(answer)
