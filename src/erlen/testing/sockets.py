"""The client's end of a WebSocket, for tests."""

from __future__ import annotations

import asyncio
import json
import typing as t
from concurrent.futures import Future
from contextvars import copy_context
from types import TracebackType

from werkzeug.datastructures import Headers
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Request

from ..pipeline.loops import run_in_background
from ..websockets import WebSocketDisconnected
from . import exchange
from .exchange import scope_of

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.test import TestResponse

    from ..typing import Message, Scope

T = t.TypeVar("T")


class WebSocketRejected(Exception):
    """The application has answered the handshake with an ordinary response.

    :param response: the response, as of any other request.
    """

    def __init__(self, response: TestResponse) -> None:
        super().__init__(f"The WebSocket was rejected with {response.status}: {response.get_data()[:200]!r}")
        self.response = response


def websocket_scope(environ: WSGIEnvironment, subprotocols: t.Sequence[str]) -> Scope:
    """Return the scope of a WebSocket's handshake.

    :param environ: the handshake as a request.
    :param subprotocols: what the client offers.
    """
    scope = scope_of(environ)
    scope["type"] = "websocket"
    scope["scheme"] = "wss" if scope["scheme"] in {"https", "wss"} else "ws"
    scope["subprotocols"] = list(subprotocols)
    scope["extensions"] = {"websocket.http.response": {}}
    for key in ("method", "asgi.scope"):
        scope.pop(key, None)
    scope["headers"] += [
        (b"connection", b"Upgrade"),
        (b"upgrade", b"websocket"),
        (b"sec-websocket-version", b"13"),
        (b"sec-websocket-key", b"dGhlIHNhbXBsZSBub25jZQ=="),
    ]
    if subprotocols:
        scope["headers"].append((b"sec-websocket-protocol", ", ".join(subprotocols).encode("latin1")))
    return scope


class AsyncWebSocketSession:
    """A WebSocket that a test has opened, for async tests; the application runs on the same loop.

    :param app: the application.
    :param scope: the handshake.
    :param response_class: the class of a rejection.
    :param environ: the handshake as a request.
    :param answered: called with the headers of the acceptance, or of the rejection.
    :param timeout: seconds that receiving waits.
    """

    def __init__(
        self,
        app: t.Any,
        scope: Scope,
        response_class: t.Any,
        environ: WSGIEnvironment,
        answered: t.Callable[[Headers], None],
        timeout: float,
    ) -> None:
        self._app = app
        self._scope = scope
        self._response_class = response_class
        self._environ = environ
        self._answered = answered
        self._timeout = timeout
        self._has_raised = False
        #: The subprotocol the application has chosen.
        self.subprotocol: str | None = None
        #: The headers of the acceptance.
        self.headers = Headers()
        #: The code the WebSocket was closed with, ``None`` while it is open.
        self.close_code: int | None = None
        #: The reason it was closed with.
        self.close_reason = ""

    async def __aenter__(self) -> t.Self:
        # Made here, on the loop they belong to.
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        await self._to_app.put({"type": "websocket.connect"})
        self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            message = await self._next()
        except BaseException:
            await self._leave()
            raise
        if message["type"] == "websocket.accept":
            self.subprotocol = message.get("subprotocol")
            self.headers = _decoded(message.get("headers", ()))
            self._answered(self.headers)
            return self
        response = await self._rejection(message)
        await self._leave()
        # What the application raised says more than how the handshake was answered after that.
        await self._raise()
        raise WebSocketRejected(response)

    async def _run(self) -> None:
        try:
            await exchange.call(self._app, self._scope, self._to_app.get, self._from_app.put)
        finally:
            await self._from_app.put({"type": "over"})

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout(self._timeout):
                message = await self._from_app.get()
        except TimeoutError:
            raise TimeoutError(
                f"The application sent nothing over the WebSocket {self._scope['path']!r} for {self._timeout} s. Pass "
                f"'timeout' to 'client.websocket' where it takes longer."
            ) from None
        if message["type"] == "over":
            await self._raise()
            self._end(self.close_code or 1006, self.close_reason)
            raise WebSocketDisconnected(t.cast(int, self.close_code), self.close_reason)
        return message

    async def _raise(self) -> None:
        """Wait for the application, and raise what it raised: once, as a test may have caught it."""
        try:
            await self._task
        except Exception:
            if not self._has_raised:
                self._has_raised = True
                raise

    def _end(self, code: int, reason: str) -> None:
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason

    async def _rejection(self, message: Message) -> TestResponse:
        status, headers, body = 403, Headers(), b""
        if message["type"] == "websocket.http.response.start":
            status, headers = message["status"], _decoded(message.get("headers", ()))
            has_more = True
            while has_more:
                message = await self._next()
                body += message.get("body", b"")
                has_more = message.get("more_body", False)
        self._answered(headers)
        text = f"{status} {HTTP_STATUS_CODES.get(status, 'UNKNOWN')}".upper()
        response: TestResponse = self._response_class([body], text, headers, request=Request(self._environ))
        return response

    async def send(self, data: str | bytes) -> None:
        """Send a message: text for a ``str``, binary for ``bytes``."""
        key = "text" if isinstance(data, str) else "bytes"
        await self._to_app.put({"type": "websocket.receive", key: data})

    async def send_json(self, value: t.Any) -> None:
        """Send a value as JSON."""
        await self.send(json.dumps(value))

    async def receive(self) -> str | bytes:
        """Return the next message of the application.

        :raises WebSocketDisconnected: when it has closed the WebSocket.
        :raises TimeoutError: when none comes.
        """
        if self.close_code is not None:
            raise WebSocketDisconnected(self.close_code, self.close_reason)
        message = await self._next()
        if message["type"] == "websocket.close":
            code: int = message.get("code", 1000)
            self._end(code, message.get("reason") or "")
            await self._to_app.put({"type": "websocket.disconnect", "code": code})
            if code == 1011:
                # What the application raised, if it raises it further, says more.
                await self._raise()
            raise WebSocketDisconnected(code, self.close_reason)
        text: str | None = message.get("text")
        return t.cast(bytes, message["bytes"]) if text is None else text

    async def receive_json(self) -> t.Any:
        """Return what the next message says in JSON."""
        return json.loads(await self.receive())

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the WebSocket and wait until the application has done with it.

        :raises Exception: what the application raised.
        """
        if self.close_code is None:
            self._end(code, reason)
            await self._to_app.put({"type": "websocket.disconnect", "code": code, "reason": reason})
        await self._raise()

    async def _leave(self) -> None:
        if not self._task.done():
            await self._to_app.put({"type": "websocket.disconnect", "code": 1006})
        await asyncio.gather(self._task, return_exceptions=True)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            await self._leave()
        else:
            await self.close()


class WebSocketSession:
    """A WebSocket that a test has opened, for plain tests; the application runs on the background loop.

    :param session: the same for async tests.
    """

    def __init__(self, session: AsyncWebSocketSession) -> None:
        self._session = session

    def _run(self, coroutine: t.Coroutine[t.Any, t.Any, T]) -> T:
        try:
            exchange.refuse_to_wait("opened a WebSocket", "async with app.async_test_client().websocket(...)")
        except RuntimeError:
            coroutine.close()
            raise
        future: Future[T] = run_in_background(coroutine, copy_context())
        return future.result()

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol the application has chosen."""
        return self._session.subprotocol

    @property
    def headers(self) -> Headers:
        """The headers of the acceptance."""
        return self._session.headers

    @property
    def close_code(self) -> int | None:
        """The code the WebSocket was closed with, ``None`` while it is open."""
        return self._session.close_code

    @property
    def close_reason(self) -> str:
        """The reason it was closed with."""
        return self._session.close_reason

    def send(self, data: str | bytes) -> None:
        """Send a message: text for a ``str``, binary for ``bytes``."""
        self._run(self._session.send(data))

    def send_json(self, value: t.Any) -> None:
        """Send a value as JSON."""
        self._run(self._session.send_json(value))

    def receive(self) -> str | bytes:
        """Return the next message of the application.

        :raises WebSocketDisconnected: when it has closed the WebSocket.
        :raises TimeoutError: when none comes.
        """
        return self._run(self._session.receive())

    def receive_json(self) -> t.Any:
        """Return what the next message says in JSON."""
        return self._run(self._session.receive_json())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the WebSocket and wait until the application has done with it.

        :raises Exception: what the application raised.
        """
        self._run(self._session.close(code, reason))

    def __enter__(self) -> t.Self:
        self._run(self._session.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._session.__aexit__(kind, error, trace))


def _decoded(headers: t.Iterable[tuple[bytes, bytes]]) -> Headers:
    return Headers([(name.decode("latin1"), value.decode("latin1")) for name, value in headers])
