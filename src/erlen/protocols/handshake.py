"""What a WebSocket's handshake has in common with an ordinary request: middleware around ``wsgi_app``, and a response.

Middleware sees the handshake as a WSGI environment and calls the application behind it, which keeps the environment and
answers 101. The WebSocket goes on with that environment, and what the middleware returned is closed when it ends. A
middleware that answers by itself rejects the WebSocket.
"""

from __future__ import annotations

import contextlib
import typing as t
from contextvars import copy_context

from ..pipeline.bridge import copy_back, run_on_thread
from ..scopes import HANDSHAKE
from ..streams import close_body
from .sending import Start, begin, send_stream, whole

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from ..typing import Message, Scope, Send

#: How many bytes the streamed response that rejects a WebSocket may have: servers take it as a whole.
MAX_REJECTION = 1024 * 1024

# PEP 3333 knows only these, and middleware compares them.
_AS_HTTP = {"ws": "http", "wss": "https"}
_AS_WEBSOCKET = {"http": "ws", "https": "wss"}

TOO_LARGE = """\
The response that rejects the WebSocket {path!r} has more than {limit} bytes. Servers send such a response as a whole, and \
browsers do not show it: return a short text with a status, as in 'return "not for you", 403'."""


class Handshake:
    """A handshake on its way through the middleware around ``wsgi_app``.

    :param app: the application.
    :param environ: the environment of the handshake.
    """

    def __init__(self, app: t.Any, environ: WSGIEnvironment) -> None:
        #: The application that it has come to: another one where middleware has chosen one.
        self.app = app
        #: Its environment there.
        self.environ = environ
        #: How the middleware has begun its response.
        self.start = Start()
        #: The body of that.
        self.body: t.Any = None
        self._outer_app, self._outer_environ = app, environ
        self._has_come = False

    @property
    def is_passed_on(self) -> bool:
        """Whether the middleware lets the WebSocket pass; else it has answered by itself."""
        return self._has_come and self.start.status[:3] == "101"

    async def pass_through(self) -> None:
        """Call the middleware, on a worker thread."""
        environ, variables = self._outer_environ, copy_context()
        environ["wsgi.url_scheme"] = _AS_HTTP.get(environ["wsgi.url_scheme"], environ["wsgi.url_scheme"])
        environ[HANDSHAKE] = self._take
        pool, wsgi_app = self._outer_app.threads.executor(), self._outer_app.wsgi_app
        try:
            self.body = await run_on_thread(
                pool, variables, begin, wsgi_app, environ, self.start, discard=close_body
            )
        finally:
            # Each would hold itself, where middleware has passed on a copy.
            environ["werkzeug.request"] = None
            environ.pop(HANDSHAKE, None)
        copy_back(variables)

    def _take(self, app: t.Any, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        environ.pop(HANDSHAKE, None)
        scheme = environ["wsgi.url_scheme"]
        self.app, self.environ, self._has_come = app, environ, True
        environ["wsgi.url_scheme"] = _AS_WEBSOCKET.get(scheme, scheme)
        # The type is for middleware that asks each response for one.
        start_response("101 Switching Protocols", [("Content-Type", "text/plain")])
        # A piece, so that a generator around it waits there until the WebSocket ends.
        return [b""]

    async def close(self) -> None:
        """Close what the middleware has returned."""
        if self.body is not None and type(self.body) is not list:
            await self._outer_app.on_thread(close_body, self.body)


def can_reject(scope: Scope) -> bool:
    """Return whether the server can answer a handshake with a response."""
    return "websocket.http.response" in (scope.get("extensions") or ())


async def gathered(app: t.Any, path: str, start: Start, body: t.Any) -> tuple[Message, Message]:
    """Return the events of a response that rejects a WebSocket, when all of it is there, and close its body.

    Servers want it in one piece, and nothing is sent before it is known to be one.

    :param app: the application.
    :param path: the path of the WebSocket, for messages.
    :param start: how the response has begun.
    :param body: its body.
    :raises ValueError: for a streamed body of more than :data:`MAX_REJECTION` bytes.
    """
    if type(body) is list:
        return _of_websocket(start.message()), _of_websocket(whole(t.cast("list[bytes]", body)))
    messages: list[Message] = []
    pieces: list[bytes] = []
    size = 0

    async def keep(message: Message) -> None:
        nonlocal size
        if message["type"] == "http.response.start":
            messages.append(message)
            return
        size += len(message["body"])
        if size > MAX_REJECTION:
            raise ValueError(TOO_LARGE.format(path=path, limit=MAX_REJECTION))
        pieces.append(message["body"])

    await send_stream(keep, start, body, app.threads.executor(), copy_context())
    begins = messages[0]
    if size and all(name != b"content-length" for name, _ in begins["headers"]):
        begins["headers"].append((b"content-length", b"%d" % size))
    return _of_websocket(begins), _of_websocket({"type": "http.response.body", "body": b"".join(pieces)})


def _of_websocket(message: Message) -> Message:
    return {**message, "type": f"websocket.{message['type']}"}


async def send_rejection(app: t.Any, send: Send, messages: t.Iterable[Message]) -> None:
    """Send what :func:`gathered` has returned; what fails from here on has no other answer.

    :param app: the application, which logs it.
    :param send: the server's callable.
    :param messages: the events.
    """
    try:
        with contextlib.suppress(OSError):
            # Nobody is there any more.
            for message in messages:
                await send(message)
    except Exception:
        app.logger.exception("The server could not send the response that rejects a WebSocket")


async def reject_outside(app: t.Any, scope: Scope, send: Send, start: Start, body: t.Any) -> None:
    """Answer a handshake with the response of middleware that has not passed it on.

    :param app: the application.
    :param scope: the ASGI scope.
    :param send: the server's callable.
    :param start: how the response has begun.
    :param body: its body.
    """
    if can_reject(scope):
        await send_rejection(app, send, await gathered(app, scope["path"], start, body))
        return
    try:
        await send_rejection(app, send, [{"type": "websocket.close", "code": 1008, "reason": ""}])
    finally:
        await app.on_thread(close_body, body)
