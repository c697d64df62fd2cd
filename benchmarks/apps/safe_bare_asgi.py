"""As ``bare_asgi``, with the headers that Erlen's safe profile sends: the same bytes leave the server."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import parse_qs

from ..cases import CASES, Scope
from . import safe_bare_wsgi

Application = t.Callable[[Scope, t.Any, t.Any], t.Awaitable[None]]

HEADERS = tuple((name.lower().encode(), value.encode()) for name, value in safe_bare_wsgi.HEADERS)
HTML, JSON = b"text/html; charset=utf-8", b"application/json"


def _application(answer: t.Callable[[Scope], bytes], kind: bytes = HTML) -> Application:
    async def application(scope: Scope, receive: t.Any, send: t.Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"scopes of the type {scope['type']!r}")
        body = answer(scope)
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *HEADERS]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return application


def plain() -> Application:
    return _application(lambda scope: b"Hello, World!")


def as_json() -> Application:
    return _application(lambda scope: json.dumps({"message": "Hello, World!", "n": [1, 2, 3]}).encode(), JSON)


def parameter() -> Application:
    return _application(lambda scope: f"item {int(scope['path'].rpartition('/')[2]) + 1}".encode())


def query_and_header() -> Application:
    case = CASES["query and header"]
    key, name = case.headers[0][0].lower().encode(), case.query.partition("=")[0]

    def answer(scope: Scope) -> bytes:
        query = parse_qs(scope["query_string"].decode())
        header = next(value for this, value in scope["headers"] if this == key)
        return f"{query[name][0]} by {header.decode('latin1')}".encode()

    return _application(answer)
