"""No framework: what the standard library needs for the same answers. It does not route: the floor.

A template is Jinja2's, an upload is taken apart by ``multipart``: there the figure is the library's own cost.
"""

from __future__ import annotations

import asyncio
import json
import typing as t
from pathlib import Path
from urllib.parse import parse_qs

from ..cases import HTML, JSON, Scope
from ..data import (
    CHUNKS,
    HEADER,
    MESSAGE,
    PRODUCTS,
    QUERY,
    ROWS,
    STATIC,
    TEMPLATE,
    TEMPLATE_NAME,
    TEMPLATES,
)
from .bare_multipart import Parts

Application = t.Callable[[Scope, t.Any, t.Any], t.Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class Answer(t.NamedTuple):
    body: bytes
    status: int = 200
    kind: str = HTML
    headers: tuple[tuple[bytes, bytes], ...] = ()


View = t.Callable[[Scope, t.Any], t.Awaitable[Answer]]


def _application(view: View) -> Application:
    async def application(scope: Scope, receive: t.Any, send: t.Any) -> None:
        _only_http(scope)
        body, status, kind, more = await view(scope, receive)
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body)), *more]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return application


def _only_http(scope: Scope) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(f"scopes of the type {scope['type']!r}")


async def _body(receive: t.Any) -> bytes:
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        parts.append(message["body"])
        more = message["more_body"]
    return b"".join(parts)


def plain() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        if scope["path"] != "/":
            return Answer(b"not found", 404)
        return Answer(b"Hello, World!")

    return _application(view)


head = plain


def get_only() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        if scope["method"] != "GET":
            return Answer(b"no", 405, headers=((b"allow", b"GET"),))
        return Answer(b"Hello, World!")

    return _application(view)


def as_json() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        return Answer(json.dumps(MESSAGE).encode(), kind=JSON)

    return _application(view)


def large_json() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        return Answer(json.dumps(PRODUCTS).encode(), kind=JSON)

    return _application(view)


def parameter() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        return Answer(f"item {int(scope['path'].rpartition('/')[2]) + 1}".encode())

    return _application(view)


def string_parameter() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        return Answer(f"hello {scope['path'].rpartition('/')[2]}".encode())

    return _application(view)


def path_parameter() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        return Answer(f"file {scope['path'].removeprefix('/files/')}".encode())

    return _application(view)


def query_and_header() -> Application:
    key = HEADER.lower().encode()

    async def view(scope: Scope, receive: t.Any) -> Answer:
        query = parse_qs(scope["query_string"].decode())
        header = next(value for name, value in scope["headers"] if name == key)
        return Answer(f"{query[QUERY][0]} by {header.decode('latin1')}".encode())

    return _application(view)


def form() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        fields = parse_qs((await _body(receive)).decode())
        return Answer(f"{fields['name'][0]} {fields['mail'][0]} {len(fields['note'][0])}".encode())

    return _application(view)


def upload() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        kind = next(value for name, value in scope["headers"] if name == b"content-type")
        parts = Parts(kind.decode("latin1"))
        more = True
        while more:
            message = await receive()
            parts.feed(message["body"])
            more = message["more_body"]
        parts.feed(b"")
        return Answer(parts.answer())

    return _application(view)


def json_post() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        order = json.loads(await _body(receive))
        items = order["items"]
        total = sum(item["count"] for item in items)
        return Answer(f"{order['customer']['name']} {len(items)} {total}".encode())

    return _application(view)


def template() -> Application:
    from jinja2 import Environment, FileSystemLoader  # here, so that the others run without it

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, auto_reload=False)

    async def view(scope: Scope, receive: t.Any) -> Answer:
        return Answer(environment.get_template(TEMPLATE_NAME).render(rows=ROWS).encode())

    return _application(view)


def template_string() -> Application:
    from jinja2 import Environment  # here, so that the others run without it

    compiled = Environment(autoescape=True).from_string(TEMPLATE)

    async def view(scope: Scope, receive: t.Any) -> Answer:
        return Answer(compiled.render(rows=ROWS).encode())

    return _application(view)


def redirect() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        return Answer(b"", 302, headers=((b"location", b"/new?page=2"),))

    return _application(view)


def stream() -> Application:
    async def application(scope: Scope, receive: t.Any, send: t.Any) -> None:
        _only_http(scope)
        headers = [(b"content-type", HTML.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for chunk in CHUNKS:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return application


def static() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        # It blocks the loop for as long as that takes: the floor.
        content = Path(STATIC, scope["path"].rpartition("/")[2]).read_bytes()  # noqa: ASYNC240
        return Answer(content, kind="image/png")

    return _application(view)


def waiting() -> Application:
    async def view(scope: Scope, receive: t.Any) -> Answer:
        await asyncio.sleep(0)
        return Answer(b"Hello, World!")

    return _application(view)
