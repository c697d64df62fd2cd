"""One request over ASGI: the part of a server that tests need.

The application runs on the loop of an async test, or for plain code on the background loop of the process. The body of its
response is handed over piece by piece: the application goes on when the test has read the piece before.
"""

from __future__ import annotations

import asyncio
import contextlib
import typing as t
from contextvars import copy_context
from urllib.parse import quote_from_bytes

from werkzeug.http import HTTP_STATUS_CODES

from ..pipeline.loops import in_a_loop, is_background_thread, run_in_background, run_on_loop
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
    """A request on its way, and the pieces of its response, on the loop that runs where this is made.

    :param app: the application.
    :param scope: the scope of an HTTP request.
    :param body: its body.
    """

    def __init__(self, app: t.Any, scope: Scope, body: t.IO[bytes]) -> None:
        self._scope = scope
        self._input = body
        # A server hands on as many bytes as the header announces.
        length = dict(scope["headers"]).get(b"content-length", b"")
        self._left = int(length) if length.isdigit() else None
        self._position = body.tell() if hasattr(body, "seekable") and body.seekable() else None
        self._has_sent_all = False
        self._start: tuple[str, list[tuple[str, str]]] | None = None
        # What the application raised, until it is raised here.
        self._error: BaseException | None = None
        # The pieces of the response, ``None`` at the end.
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._has_started = asyncio.Event()
        # Set when a piece has come that is not the last, or when all is over.
        self._is_settled = asyncio.Event()
        self._may_go_on = asyncio.Event()
        self._is_gone = asyncio.Event()
        self._is_read = False
        #: Whether the application has returned.
        self.is_over = False
        #: Where the application runs.
        self.loop = asyncio.get_running_loop()
        self._task = self.loop.create_task(self._run(app))

    async def _run(self, app: t.Any) -> None:
        try:
            await call(app, self._scope, self._receive, self._send)
            if self._start is None:
                raise AssertionError("The application sent no response.")
        except BaseException as error:
            self._error = error
        finally:
            self.is_over = True
            self._pieces.put_nowait(None)
            self._has_started.set()
            self._is_settled.set()

    async def _receive(self) -> Message:
        if not (self._has_sent_all or self._is_gone.is_set()):
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
            self._start = f"{code} {HTTP_STATUS_CODES.get(code, 'UNKNOWN')}".upper(), headers
            self._has_started.set()
            return
        has_more = message.get("more_body", False)
        if has_more:
            self._is_settled.set()
        self._may_go_on.clear()
        self._pieces.put_nowait(message.get("body", b""))
        if has_more and not self._is_gone.is_set():
            await self._may_go_on.wait()

    async def start(self) -> tuple[str, list[tuple[str, str]]]:
        """Return status and headers as soon as they are there; of a whole response when all of it is.

        :raises Exception: what the application raised before.
        """
        await self._has_started.wait()
        if self._start is None:
            self._raise()
        status, headers = t.cast("tuple[str, list[tuple[str, str]]]", self._start)
        if any(name == "content-length" for name, _ in headers):
            await self._is_settled.wait()
        return status, headers

    def _raise(self) -> None:
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            # The traceback holds this frame.
            del error

    async def next(self) -> bytes | None:
        """Return the next piece of the body, ``None`` at the end.

        :raises Exception: what the application raised.
        """
        while not self._is_read:
            piece = await self._pieces.get()
            self._may_go_on.set()
            if piece:
                return piece
            self._is_read = piece is None
        self._raise()
        return None

    def __aiter__(self) -> t.AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        piece = await self.next()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def read(self) -> list[bytes]:
        """Return all pieces that are left."""
        return [piece async for piece in self]

    def next_at_once(self) -> bytes | None:
        """Do what :meth:`next` does when the application has returned; may be called on any thread."""
        while not self._is_read:
            piece = self._pieces.get_nowait()
            if piece:
                return piece
            self._is_read = piece is None
        self._raise()
        return None

    def go_away(self) -> None:
        """Let the application see that the client has gone."""
        self._is_gone.set()
        self._may_go_on.set()

    async def close(self) -> None:
        """Go away, if the response has not been read to its end, and wait for the application.

        :raises Exception: what the application raised, and nobody was told of.
        """
        await self._leave()
        # Its request is cancelled because the client goes.
        if not isinstance(self._error, asyncio.CancelledError):
            self._raise()

    async def leave(self) -> None:
        """Do what :meth:`close` does, where something else is raised already."""
        await self._leave()
        self._error = None

    async def _leave(self) -> None:
        self._is_read = True
        self.go_away()
        try:
            await asyncio.wait([self._task])
        except asyncio.CancelledError:
            # Whoever waits has no time for an application that takes its own.
            self._task.cancel()
            raise


class Pieces:
    """The body of a response, for plain code on another thread.

    :param exchange: the request, whose response has started.
    """

    def __init__(self, exchange: Exchange) -> None:
        #: The request, for code on the loop.
        self.exchange = exchange

    def _is_on_its_loop(self) -> bool:
        return in_a_loop() and asyncio.get_running_loop() is self.exchange.loop

    def __iter__(self) -> t.Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        exchange = self.exchange
        if exchange.is_over:
            piece = exchange.next_at_once()
        elif self._is_on_its_loop():
            raise RuntimeError(
                "A streamed response was read on the event loop that the application runs on, and would wait for itself. "
                "Read it with 'async with client.stream(...) as (response, pieces)', or leave out 'buffered=False'."
            )
        else:
            piece = run_on_loop(exchange.next(), copy_context(), exchange.loop).result()
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        """Go away, if the response has not been read to its end; on another thread, wait for the application."""
        exchange = self.exchange
        if self._is_on_its_loop():
            exchange.go_away()
        elif not exchange.is_over:
            run_on_loop(exchange.close(), copy_context(), exchange.loop).result()

    def __del__(self) -> None:
        if not self.exchange.is_over:
            with contextlib.suppress(RuntimeError):
                self.exchange.loop.call_soon_threadsafe(self.exchange.go_away)


def over_asgi(app: t.Any) -> WSGIApplication:
    """Return a WSGI application that sends each request to an application over ASGI, on the background loop.

    :param app: the application.
    """

    async def begin(environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], Pieces]:
        exchange = Exchange(app, scope_of(environ), environ["wsgi.input"])
        status, headers = await exchange.start()
        return status, headers, Pieces(exchange)

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        refuse_to_wait("sent a request over ASGI", "await app.async_test_client().get(...)")
        status, headers, pieces = run_in_background(begin(environ), copy_context()).result()
        start_response(status, headers)
        return pieces

    return answer
