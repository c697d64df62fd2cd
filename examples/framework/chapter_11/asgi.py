"""ASGI 3: a request comes in as a scope and messages; it is answered as WSGI has it, and sent as messages."""

from __future__ import annotations

import asyncio
import io
import sys
import typing as t

from werkzeug.exceptions import RequestEntityTooLarge

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .config import Config

Scope: t.TypeAlias = t.MutableMapping[str, t.Any]
Message: t.TypeAlias = t.MutableMapping[str, t.Any]
Receive: t.TypeAlias = t.Callable[[], t.Awaitable[Message]]
Send: t.TypeAlias = t.Callable[[Message], t.Awaitable[None]]


class ASGI:
    """The part of an application that ASGI servers call."""

    config: Config
    has_async_views: bool
    wsgi_app: t.Callable[[WSGIEnvironment, StartResponse], t.Iterable[bytes]]
    awsgi_app: t.Callable[[WSGIEnvironment, StartResponse], t.Awaitable[t.Iterable[bytes]]]
    make_response: t.Callable[[t.Any], t.Any]

    async def asgi_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the life span of the server."""
        if scope["type"] == "lifespan":
            await serve_lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"This application answers requests and no {scope['type']!r}.")
        start = Start()
        try:
            environ = environ_of(scope, await receive_body(receive, self.config["MAX_CONTENT_LENGTH"]))
        except ClientGone:
            return
        except RequestEntityTooLarge as error:
            body = self.make_response(error)(environ_of(scope, b""), start)
        else:
            if self.has_async_views:
                body = await self.awsgi_app(environ, start)
            else:
                # With nothing to await, the whole request is one hop to a thread.
                body = await asyncio.to_thread(self.wsgi_app, environ, start)
        await send_response(send, start, body)


class ClientGone(Exception):
    """The client went away before it had sent all of its request."""


class Start:
    """What a response begins with; the ``start_response`` that an application is given here."""

    status = 500
    headers: t.Sequence[tuple[bytes, bytes]] = ()

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: t.Any = None, /) -> t.Any:
        """Take status and headers in the form of WSGI."""
        self.status = int(status[:3])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


async def receive_body(receive: Receive, limit: int | None) -> bytes:
    """Return the body of a request, which comes in pieces.

    :raises RequestEntityTooLarge: as soon as it is larger than the limit, however large the client says it is.
    :raises ClientGone: where the rest will not come; half of a form must not be taken for the whole.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        if limit is not None and len(body) > limit:
            raise RequestEntityTooLarge
        if not message.get("more_body"):
            return bytes(body)


def environ_of(scope: Scope, body: bytes) -> WSGIEnvironment:
    """Return what WSGI would say of a request."""
    root, path = scope.get("root_path", ""), scope["path"]
    if path == root or path.startswith(f"{root}/"):
        path = path.removeprefix(root)
    host, port = scope.get("server") or ("localhost", 80)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": as_wsgi(root),
        "PATH_INFO": as_wsgi(path),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "REMOTE_ADDR": (scope.get("client") or ("", 0))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name:
            # In WSGI it could not be told from one with a hyphen that a proxy vouches for.
            continue
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        if name not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            name = f"HTTP_{name}"
        # A header may come several times. HTTP/2 sends cookies one by one, and they are no list with commas.
        separator = "; " if name == "HTTP_COOKIE" else ","
        environ[name] = f"{environ[name]}{separator}{value}" if name in environ else value
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def as_wsgi(text: str) -> str:
    """Return text with each of its bytes as one character (chapter 1)."""
    return text.encode().decode("latin-1")


async def send_response(send: Send, start: Start, body: t.Iterable[bytes]) -> None:
    """Send a response piece by piece. A piece may have to be waited for, so a thread asks for it."""
    try:
        await send({"type": "http.response.start", "status": start.status, "headers": start.headers})
        pieces = iter(body)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        if close := getattr(body, "close", None):
            await asyncio.to_thread(close)


async def serve_lifespan(receive: Receive, send: Send) -> None:
    """Tell the server that there is nothing to wait for, when it starts and when it stops."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
