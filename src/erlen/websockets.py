"""WebSockets (RFC 6455): the object behind ``erlen.websocket``, and the errors of its life.

:exc:`WebSocketError`
 + :exc:`WebSocketDisconnected`: the client has gone, or was told to
 + :exc:`UnexpectedData`: the client sent text for bytes, bytes for text, or no JSON
"""

from __future__ import annotations

import contextlib
import typing as t
from collections import deque
from functools import update_wrapper

from werkzeug.exceptions import HTTPException

from .lazy import asyncio
from .messages import as_utf_8
from .pipeline.bridge import is_async
from .scopes import SCOPE

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from .typing import Message, Receive, Scope, Send

__all__ = ["UnexpectedData", "UpgradeRequired", "WebSocket", "WebSocketDisconnected", "WebSocketError"]

#: How many messages of a client are received ahead; more wait in the server, and then at the client.
AHEAD = 16

#: After how many characters or bytes no more messages are received ahead, where the size of one has no limit.
AHEAD_SIZE = 1024 * 1024

#: After how many messages the loop gets a turn. Servers need not wait in ``send``, and some say nothing there when the
#: client has gone: a handler that only sends would keep everybody else from running, and never learn that it is over.
TURN = 16

#: How many bytes the reason of a close may have (RFC 6455, section 5.5).
MAX_REASON = 123

# The codes below 3000 that an application may send (RFC 6455, section 7.4, and IANA's registry).
_CODES = frozenset({1000, 1001, 1002, 1003, *range(1007, 1015)})

NOT_ASYNC = """\
The WebSocket handler {name!r} is a plain function, and would block the event loop that all WebSockets share. Write it as \
'async def {short}(...)', and await what it receives and sends."""


class WebSocketError(Exception):
    """A WebSocket ends. A handler that does not catch this has ended as well; nothing is logged.

    :param code: the code of the close (RFC 6455, section 7.4).
    :param reason: the reason, at most 123 bytes.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.code} {self.reason}".rstrip()


class WebSocketDisconnected(WebSocketError):
    """The client has closed the WebSocket or is gone, so there is nobody to receive from or to send to."""


class UnexpectedData(WebSocketError):
    """A message was not of the kind that was asked for. Unless it is caught, the WebSocket is closed with its code."""


class UpgradeRequired(HTTPException):
    """An ordinary request came to an address that speaks WebSocket alone (RFC 9110, section 15.5.22)."""

    code = 426
    description = "This address speaks WebSocket. Connect to it with a WebSocket client."

    def __init__(self, over_wsgi: bool = False) -> None:
        super().__init__()
        if over_wsgi:
            self.description = (
                "This address speaks WebSocket, and the application is served over WSGI, which has none. Serve it over "
                "ASGI: 'granian --interface asgi module:app', 'uvicorn module:app' or 'hypercorn asgi:module:app'."
            )

    def get_headers(
        self, environ: WSGIEnvironment | None = None, scope: dict[str, t.Any] | None = None
    ) -> list[tuple[str, str]]:
        """Return the headers, with ``Upgrade`` where an application may send it: PEP 3333 forbids it, and so does HTTP/2."""
        headers = super().get_headers(environ, scope)
        if environ is not None and SCOPE in environ and environ["SERVER_PROTOCOL"].startswith("HTTP/1"):
            # RFC 9110, section 7.8: each with the other.
            headers += [("Connection", "Upgrade"), ("Upgrade", "websocket")]
        return headers


class WebSocketHandler:
    """The view of a WebSocket's rule.

    :param function: an async function.
    :raises TypeError: for a plain one.
    """

    __name__: str

    def __init__(self, function: t.Callable[..., t.Awaitable[t.Any]]) -> None:
        if not is_async(function):
            name = getattr(function, "__qualname__", repr(function))
            raise TypeError(NOT_ASYNC.format(name=name, short=getattr(function, "__name__", "handler")))
        self.function = function
        update_wrapper(self, function)

    async def __call__(self, **values: t.Any) -> t.Any:
        """Handle one WebSocket."""
        return await self.function(**values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WebSocketHandler) and self.function == other.function

    def __hash__(self) -> int:
        return hash(self.function)


class WebSocket:
    """A WebSocket, from its handshake to its close.

    It is accepted when :meth:`accept` is called, or when something is received or sent. A handler that returns or
    raises before that rejects it with an ordinary response; one that returns after that closes it.

    :param app: the application.
    :param scope: the ASGI scope.
    :param receive: the server's callable for events of the client.
    :param send: the server's callable for events to the client.
    :param begins: makes the headers of the acceptance of those that the handler gives.
    """

    def __init__(
        self,
        app: t.Any,
        scope: Scope,
        receive: Receive,
        send: Send,
        begins: t.Callable[[list[tuple[str, str]]], t.Awaitable[list[tuple[bytes, bytes]]]],
    ) -> None:
        self._app = app
        self._receive = receive
        self._send = send
        self._begins = begins
        self._limit: int | None = app.config["WEBSOCKET_MAX_MESSAGE_SIZE"]
        #: The subprotocols the client offers, the one it likes best first.
        self.subprotocols: list[str] = list(scope.get("subprotocols") or ())
        #: Whether it was accepted.
        self.is_accepted = False
        #: The code it was closed with, by either side; ``None`` while it is open.
        self.close_code: int | None = None
        #: The reason it was closed with.
        self.close_reason = ""
        self._closed_here = False
        #: The task that runs :meth:`listen`.
        self.listener: asyncio.Task[None] | None = None
        self._sent = 0
        # Several tasks may begin to receive and send at the same time; one accepts.
        self._accepting = asyncio.Lock()
        self._messages: deque[str | bytes] = deque()
        self._size = 0
        # Set when something has come, and when there is room for more.
        self._has_come = asyncio.Event()
        self._has_room = asyncio.Event()
        #: Whether the handler has ever asked for a message.
        self.has_received = False

    # The handshake

    async def accept(self, subprotocol: str | None = None, headers: t.Any = None) -> None:
        """Accept the WebSocket. The session is saved, and its cookie sent with the acceptance.

        :param subprotocol: one of :attr:`subprotocols`.
        :param headers: headers of the acceptance, a mapping or a list of pairs.
        :raises ValueError: for a subprotocol that the client does not offer.
        :raises RuntimeError: when it was accepted before.
        """
        async with self._accepting:
            if self.is_accepted:
                raise RuntimeError(
                    "This WebSocket was accepted already: by 'accept', or by the first 'receive' or 'send'. Call 'accept' "
                    "once, before them."
                )
            await self._accept(subprotocol, headers)

    async def _begin(self) -> None:
        """Accept the WebSocket, where the handler has not."""
        if not self.is_accepted:
            async with self._accepting:
                if not self.is_accepted:
                    await self._accept(None, None)

    async def _accept(self, subprotocol: str | None, headers: t.Any) -> None:
        if subprotocol is not None and subprotocol not in self.subprotocols:
            offered = ", ".join(map(repr, self.subprotocols)) or "none"
            raise ValueError(
                f"The client does not offer the subprotocol {subprotocol!r}; it offers {offered}. Choose one of "
                f"'websocket.subprotocols', or accept without."
            )
        pairs = _pairs_of(headers)
        if self.close_code is not None:
            raise self._gone()
        encoded = await self._begins(pairs)
        # The client may have gone meanwhile.
        if t.cast("int | None", self.close_code) is not None:
            raise self._gone()
        self.is_accepted = True
        await self._hand_on({"type": "websocket.accept", "subprotocol": subprotocol, "headers": encoded})

    # Messages

    async def receive(self) -> str | bytes:
        """Return the next message, a ``str`` or ``bytes`` as the client sent it.

        :raises WebSocketDisconnected: when there is no more.
        """
        await self._begin()
        self.has_received = True
        has_waited = False
        while not self._messages:
            if self.close_code is not None:
                # A task that waits here while another one closes has done nothing wrong.
                raise self._disconnected() if has_waited else self._gone()
            has_waited = True
            self._has_come.clear()
            await self._has_come.wait()
        message = self._messages.popleft()
        self._size -= len(message)
        self._has_room.set()
        return message

    async def receive_text(self) -> str:
        """Return the next message, which has to be text.

        :raises UnexpectedData: with code 1003, for bytes.
        :raises WebSocketDisconnected: when there is no more.
        """
        message = await self.receive()
        if not isinstance(message, str):
            raise UnexpectedData(1003, "text expected")
        return message

    async def receive_bytes(self) -> bytes:
        """Return the next message, which has to be bytes.

        :raises UnexpectedData: with code 1003, for text.
        :raises WebSocketDisconnected: when there is no more.
        """
        message = await self.receive()
        if isinstance(message, str):
            raise UnexpectedData(1003, "bytes expected")
        return message

    async def receive_json(self) -> t.Any:
        """Return what the next message says in JSON, read by ``app.json``.

        :raises UnexpectedData: with code 1007, for what is no JSON.
        :raises WebSocketDisconnected: when there is no more.
        """
        return self._read_json(await self.receive())

    def _read_json(self, message: str | bytes) -> t.Any:
        try:
            return self._app.json.loads(message)
        except (ValueError, RecursionError) as error:
            raise UnexpectedData(1007, "JSON expected") from error

    def __aiter__(self) -> t.Self:
        return self

    async def __anext__(self) -> str | bytes:
        try:
            return await self.receive()
        except WebSocketDisconnected:
            raise StopAsyncIteration from None
        except RuntimeError:
            if not self._closed_here:
                raise
            # Another task of the handler has closed it.
            raise StopAsyncIteration from None

    async def iter_json(self) -> t.AsyncIterator[t.Any]:
        """Iterate over what the messages say in JSON, until the client goes.

        :raises UnexpectedData: with code 1007, for what is no JSON.
        """
        async for message in self:
            yield self._read_json(message)

    async def send(self, data: str | bytes) -> None:
        """Send a message: text for a ``str``, binary for ``bytes``. Waits while the client is slow.

        :raises ValueError: for text with half of a surrogate pair.
        :raises WebSocketDisconnected: when the client has gone.
        :raises RuntimeError: after :meth:`close`.
        """
        given: t.Any = data
        if not isinstance(given, str | bytes | bytearray | memoryview):
            raise TypeError(
                f"A WebSocket sends str and bytes, and was given {given!r}, of type {type(given).__name__}. Call "
                f"'send_json' for anything else that JSON can say."
            )
        if isinstance(given, str) and not given.isascii():
            # Servers raise what they like for it, and close.
            as_utf_8(given, "The text for a WebSocket")
        await self._begin()
        if self.close_code is not None:
            raise self._gone()
        text, binary = (given, None) if isinstance(given, str) else (None, bytes(given))
        await self._hand_on({"type": "websocket.send", "text": text, "bytes": binary})
        self._sent += 1
        if not self._sent % TURN:
            await asyncio.sleep(0)

    async def send_json(self, value: t.Any) -> None:
        """Send a value as JSON, written by ``app.json``.

        :raises WebSocketDisconnected: when the client has gone.
        """
        await self.send(self._app.json.dumps(value))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the WebSocket; closing it again does nothing. Waits ``WEBSOCKET_CLOSE_TIMEOUT`` seconds at most.

        :param code: 1000, one of 3000 to 4999, or another of RFC 6455, section 7.4.
        :param reason: at most 123 bytes.
        :raises ValueError: for a code or a reason that cannot be sent.
        """
        if code not in _CODES and not 3000 <= code < 5000:
            raise ValueError(
                f"A WebSocket cannot be closed with the code {code} (RFC 6455, section 7.4). Use 1000, or a code of your own "
                f"from 4000 to 4999."
            )
        length = len(as_utf_8(reason, "The reason of a close"))
        if length > MAX_REASON:
            raise ValueError(f"The reason of a close has at most {MAX_REASON} bytes; this one has {length}.")
        if self.close_code is None:
            self._closed_here = True
            await self.break_off(code, reason)

    async def break_off(self, code: int, reason: str) -> None:
        """Close the WebSocket; to its handler it is as if the client had gone.

        :param code: as for :meth:`close`, as is ``reason``.
        """
        if self.close_code is not None:
            return
        self.close_code, self.close_reason = code, reason
        await self.stop_listening()
        try:
            # A client that is gone is as good as told. One that does not read keeps some servers from sending this, and
            # they drop it when the handler has ended; what a time-out raises is an OSError, too.
            with contextlib.suppress(OSError):
                async with asyncio.timeout(self._app.config["WEBSOCKET_CLOSE_TIMEOUT"]):
                    await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except Exception:
            # Most likely the client has gone as well. It is over, and nobody can do anything about it.
            self._app.logger.debug("A server could not send the close of a WebSocket", exc_info=True)
        finally:
            # Not before: a task that receives would end its handler, and this with it.
            self.end(code, reason)

    async def _hand_on(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError as error:
            self.end(1006, "")
            raise self._gone() from error
        except Exception as error:
            # gunicorn on uvloop raises a RuntimeError where the client has gone: then the listener is about to hear of it.
            for _ in range(TURN):
                if self.close_code is not None:
                    raise self._gone() from error
                await asyncio.sleep(0)
            raise

    @property
    def has_messages(self) -> bool:
        """Whether something has come that nobody has received."""
        return bool(self._messages)

    @property
    def is_closed_here(self) -> bool:
        """Whether the handler has closed it."""
        return self._closed_here

    def end(self, code: int, reason: str) -> None:
        """Note that nothing more will come or go."""
        if self.close_code is None:
            self.close_code, self.close_reason = code, reason
        self._has_come.set()
        self._has_room.set()

    def _gone(self) -> Exception:
        code = t.cast(int, self.close_code)
        if self._closed_here:
            return RuntimeError(
                f"This WebSocket was closed by its handler, with the code {code}, so nothing more can be received or sent. "
                f"Return after 'close', or look at 'websocket.close_code' first."
            )
        return self._disconnected()

    def _disconnected(self) -> WebSocketDisconnected:
        return WebSocketDisconnected(t.cast(int, self.close_code), self.close_reason)

    # What the client does

    async def listen(self) -> None:
        """Receive until the client has gone. One task does this, so that a going client is noticed at any time.

        :raises ValueError: for an event that is none of a WebSocket.
        """
        while self.close_code is None:
            if self._is_full:
                self._has_room.clear()
                try:
                    # What comes behind these, as the end of the client, is not heard of meanwhile.
                    async with asyncio.timeout(self._app.config["WEBSOCKET_RECEIVE_TIMEOUT"]):
                        await self._has_room.wait()
                except TimeoutError:
                    await self.break_off(1008, "messages are not received")
                continue
            message = await self._receive()
            kind = message.get("type")
            if kind == "websocket.disconnect":
                self.end(message.get("code") or 1005, message.get("reason") or "")
            elif kind != "websocket.receive":
                raise ValueError(f"The server sent {kind!r}, which is no event of a WebSocket in ASGI 3.")
            elif not self._take(message):
                await self.break_off(1009, f"at most {self._limit} bytes")

    @property
    def _is_full(self) -> bool:
        if not self._messages:
            # The next one may be as large as it may.
            return False
        return len(self._messages) >= AHEAD or self._size >= (self._limit or AHEAD_SIZE)

    async def stop_listening(self) -> None:
        """Stop what :meth:`listen` does. granian sends no close while its ``receive`` waits."""
        if self.listener is not None and self.listener is not asyncio.current_task():
            self.listener.cancel()
            await asyncio.wait({self.listener})

    def _take(self, message: Message) -> bool:
        data: str | bytes | None = message.get("text")
        if data is None:
            data = message.get("bytes")
        if not isinstance(data, str | bytes):
            raise ValueError(  # noqa: TRY004 - the value of a message is wrong, not of an argument
                f"The server sent a message with neither 'text' nor 'bytes': {message!r}."
            )
        if self._limit is not None and _is_larger(data, self._limit):
            return False
        self._messages.append(data)
        self._size += len(data)
        self._has_come.set()
        return True


def _pairs_of(headers: t.Any) -> list[tuple[str, str]]:
    given: t.Any = headers or ()
    pairs: list[t.Any] = list(given.items() if hasattr(given, "items") else given)
    for pair in pairs:
        match pair:
            case str(), bytes():
                is_header = False
            case str() as name, _:
                is_header = True
                if name.lower() == "sec-websocket-protocol":
                    raise ValueError("The subprotocol is no header of 'accept': pass it as 'subprotocol'.")
            case _:
                is_header = False
        if not is_header:
            raise TypeError(
                f"A header of 'accept' is {pair!r}, not a pair of a name and a value, both str: write "
                f"headers={{'X-Name': 'value'}}, or headers=[('X-Name', 'value')]."
            )
    return pairs


def _is_larger(data: str | bytes, limit: int) -> bool:
    if len(data) > limit:
        return True
    # A character has four bytes at most.
    return (
        isinstance(data, str) and not data.isascii() and len(data) * 4 > limit and len(data.encode()) > limit
    )
