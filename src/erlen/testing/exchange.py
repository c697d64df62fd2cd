"""One request over ASGI, made by plain code: the part of a server that tests need.

The application runs on the background loop of the process. The body of its response is handed over piece by piece: the
application goes on when the test has read the piece before.
"""

from __future__ import annotations

import asyncio
import queue
import typing as t
from concurrent.futures import Future
from contextvars import copy_context
from urllib.parse import quote_from_bytes

from werkzeug.http import HTTP_STATUS_CODES

from ..pipeline.loops import is_background_thread, run_on_loop
from ..scopes import PRESERVE_CONTEXT

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from ..typing import Message, Receive, Scope, Send

#: How many bytes of a request's body are one event.
PIECE = 64 * 1024

_CONTENT = {"CONTENT_TYPE": b"content-type", "CONTENT_LENGTH": b"content-length"}


def scope_of(environ: WSGIEnvironment) -> Scope:
    """Return the ASGI scope that says what a WSGI environment says.

    :param environ: the environment of a request.
    """
    root, path = (environ.get(key, "").encode("latin1") for key in ("SCRIPT_NAME", "PATH_INFO"))
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").partition("/")[2] or "1.1",
        "method": environ.get("REQUEST_METHOD", "GET").upper(),
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": (root + path).decode(errors="replace"),
        "raw_path": quote_from_bytes(root + path).encode(),
        "root_path": root.decode(errors="replace"),
        "query_string": environ.get("QUERY_STRING", "").encode("latin1"),
        "headers": _headers_of(environ),
        "client": (environ["REMOTE_ADDR"], int(environ.get("REMOTE_PORT") or 0))
        if "REMOTE_ADDR" in environ
        else None,
        "server": (environ.get("SERVER_NAME", "localhost"), int(environ.get("SERVER_PORT") or 80)),
    }
    if PRESERVE_CONTEXT in environ:
        scope[PRESERVE_CONTEXT] = environ[PRESERVE_CONTEXT]
    return scope


def _headers_of(environ: WSGIEnvironment) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    for key, value in environ.items():
        if key in _CONTENT:
            # An environment says with an empty length that there is none.
            if value or key == "CONTENT_TYPE":
                headers.append((_CONTENT[key], _bytes_of(str(value))))
        elif key.startswith("HTTP_"):
            name = key.removeprefix("HTTP_").replace("_", "-").lower()
            headers.append((name.encode("latin1"), _bytes_of(str(value))))
    if environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
        headers.append((b"transfer-encoding", b"chunked"))
    return headers


async def call(app: t.Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Call an application over ASGI."""
    await app(scope, receive, send)


def _bytes_of(value: str) -> bytes:
    try:
        return value.encode("latin1")
    except UnicodeEncodeError:
        return value.encode()


def refuse_to_wait(did: str, instead: str) -> None:
    """Raise where a plain test client would wait for the loop on which it was called.

    :param did: what it was asked for.
    :param instead: what to write there.
    """
    if is_background_thread():
        raise RuntimeError(
            f"A test client {did} from inside an async view, and would wait for itself: both run on the same event loop. "
            f"Use '{instead}' there."
        )


class Exchange:
    """A request on its way, and its response as the iterable and the start that WSGI has.

    :param app: the application.
    :param scope: the scope of an HTTP request.
    :param body: its body.
    :param loop: the loop of another thread on which the application runs; by default the background loop.
    """

    def __init__(
        self, app: t.Any, scope: Scope, body: t.IO[bytes], loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        if loop is None:
            refuse_to_wait("sent a request over ASGI", "await app.async_test_client().get(...)")
        self._scope = scope
        self._input = body
        # A server hands on as many bytes as the header announces.
        length = dict(scope["headers"]).get(b"content-length", b"")
        self._left = int(length) if length.isdigit() else None
        self._position = body.tell() if hasattr(body, "seekable") and body.seekable() else None
        self._has_sent_all = False
        # The pieces of the response, at the end an exception or ``None``. Made on the loop, read by the test.
        self._pieces: queue.SimpleQueue[bytes | BaseException | None] = queue.SimpleQueue()
        self._started: Future[tuple[str, list[tuple[str, str]]]] = Future()
        # Done when a piece has come that is not the last, or when all is over.
        self._settled: Future[None] = Future()
        self._is_over = False
        self._done = run_on_loop(self._run(app), copy_context(), loop)

    async def _run(self, app: t.Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._may_go_on = asyncio.Event()
        self._is_gone = asyncio.Event()
        try:
            await call(app, self._scope, self._receive, self._send)
        except BaseException as error:
            if self._started.done():
                self._pieces.put(error)
            else:
                self._started.set_exception(error)
        else:
            if not self._started.done():
                self._started.set_exception(AssertionError("The application sent no response."))
            self._pieces.put(None)
        finally:
            if not self._settled.done():
                self._settled.set_result(None)

    async def _receive(self) -> Message:
        if not self._has_sent_all:
            piece = self._input.read(PIECE if self._left is None else min(PIECE, self._left))
            if self._left is not None:
                self._left -= len(piece)
            self._has_sent_all = self._left == 0 if piece and self._left is not None else len(piece) < PIECE
            if self._has_sent_all and self._position is not None:
                # A client that follows a redirect sends the body again.
                self._input.seek(self._position)
            return {"type": "http.request", "body": piece, "more_body": not self._has_sent_all}
        await self._is_gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(name.decode("latin1"), value.decode("latin1")) for name, value in message["headers"]]
            code: int = message["status"]
            self._started.set_result((f"{code} {HTTP_STATUS_CODES.get(code, 'UNKNOWN')}".upper(), headers))
            return
        if message.get("more_body") and not self._settled.done():
            self._settled.set_result(None)
        self._may_go_on.clear()
        self._pieces.put(message.get("body", b""))
        if message.get("more_body") and not self._is_gone.is_set():
            await self._may_go_on.wait()

    def start(self) -> tuple[str, list[tuple[str, str]]]:
        """Return status and headers as soon as they are there; of a whole response when all of it is.

        :raises Exception: what the application raised before.
        """
        status, headers = self._started.result()
        if any(name == "content-length" for name, _ in headers):
            self._settled.result()
        return status, headers

    def __iter__(self) -> t.Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while not self._is_over:
            piece = self._pieces.get()
            self._loop.call_soon_threadsafe(self._may_go_on.set)
            if isinstance(piece, bytes):
                if piece:
                    return piece
                continue
            self._is_over = True
            if piece is not None:
                raise piece
        raise StopIteration

    def close(self) -> None:
        """Go away, if the response has not been read to its end, and wait for the application."""
        self._is_over = True
        if not self._done.done():
            self._go_away()
            self._done.result()

    def _go_away(self) -> None:
        self._loop.call_soon_threadsafe(self._is_gone.set)
        self._loop.call_soon_threadsafe(self._may_go_on.set)

    def __del__(self) -> None:
        done = vars(self).get("_done")
        if done is not None and not done.done():
            self._go_away()


def over_asgi(app: t.Any, loop: asyncio.AbstractEventLoop | None = None) -> WSGIApplication:
    """Return a WSGI application that sends each request to an application over ASGI.

    :param app: the application.
    :param loop: as for :class:`Exchange`.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        exchange = Exchange(app, scope_of(environ), environ["wsgi.input"], loop)
        status, headers = exchange.start()
        start_response(status, headers)
        return exchange

    return answer
