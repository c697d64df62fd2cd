"""Async tests: a runner that finds tasks left behind, and the server's side of ASGI, made by hand."""

from __future__ import annotations

import asyncio
import typing as t
from types import TracebackType

from asgi_validator import call_validated
from erlen.ctx import context_var

T = t.TypeVar("T")

Message = t.MutableMapping[str, t.Any]
Scope = dict[str, t.Any]

#: Seconds after which a test that hangs is given up. Nothing that works comes near it.
LIMIT = 60.0


def run(main: t.Coroutine[t.Any, t.Any, T]) -> T:
    """Run an async test, and fail it if a task is left on its loop afterwards."""

    async def checked() -> T:
        async with asyncio.timeout(LIMIT):
            result = await main
        await no_task_is_left()
        return result

    return asyncio.run(checked())


async def no_task_is_left(*but: asyncio.Task[t.Any]) -> None:
    """Fail if other tasks run on this loop. What was told to end has a while for it."""
    own = {asyncio.current_task(), *but}
    left = asyncio.all_tasks() - own
    for _ in range(400):
        if not left:
            return
        await asyncio.sleep(0.005)
        left = asyncio.all_tasks() - own
    raise AssertionError(f"tasks were left running: {left}")


def handshake(path: str = "/", *headers: tuple[str, str], **changes: t.Any) -> Scope:
    """Return the scope of a WebSocket as a server makes it for a client of the same origin."""
    sent = [("host", "localhost"), ("connection", "Upgrade"), ("upgrade", "websocket"), *headers]
    path, _, query = path.partition("?")
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode("latin1"), value.encode("latin1")) for name, value in sent],
        "client": ("127.0.0.1", 1234),
        "server": ("localhost", 80),
        "subprotocols": [],
        "extensions": {"websocket.http.response": {}},
        **changes,
    }


def get(path: str = "/", *headers: tuple[str, str], **changes: t.Any) -> Scope:
    """Return the scope of an ordinary request."""
    scope = handshake(path, **({"type": "http", "scheme": "http", "method": "GET"} | changes))
    scope["headers"] = [
        (b"host", b"localhost"),
        *((name.encode("latin1"), value.encode("latin1")) for name, value in headers),
    ]
    return scope


def connect() -> Message:
    return {"type": "websocket.connect"}


def text(data: str) -> Message:
    return {"type": "websocket.receive", "text": data}


def disconnect(code: int | None = 1001, reason: str = "") -> Message:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


class Peer:
    """The server's side of one call of an application: :meth:`give` is what the client does, :meth:`take` what it gets.

    .. code-block:: python

        async with Peer(app, handshake("/echo"), connect()) as peer:
            await peer.take("websocket.accept")
            peer.give(disconnect())

    At the end of the block the application has to return, in the context that it was called in. What it raises is raised
    there.

    :param app: the application.
    :param scope: what it is called with.
    :param messages: what it receives first.
    """

    def __init__(self, app: t.Any, scope: Scope, *messages: Message) -> None:
        self._app = app
        self._scope = scope
        self._to_app: asyncio.Queue[Message | BaseException] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        #: Cleared, it keeps the application waiting in ``send``, as for a client that does not read.
        self.takes = asyncio.Event()
        self.takes.set()
        #: Set when the application waits in ``send``.
        self.has_sent = asyncio.Event()
        #: Raised by ``send``, where a server does that for a client that is gone.
        self.refusal: BaseException | None = None
        #: How often ``receive`` has returned.
        self.received = 0
        for message in messages:
            self.give(message)

    def give(self, *messages: Message | BaseException) -> None:
        """Let the application receive messages, or let ``receive`` raise."""
        for message in messages:
            self._to_app.put_nowait(message)

    async def take(self, kind: str) -> Message:
        """Return the next message of the application, which has to be of a kind."""
        waits = asyncio.ensure_future(self._from_app.get())
        await asyncio.wait([waits, self.task], return_when=asyncio.FIRST_COMPLETED)
        if not waits.done() and self._from_app.empty():
            waits.cancel()
            await self.task
            raise AssertionError(f"the application has returned without {kind!r}")
        message = await waits
        assert message["type"] == kind, message
        return message

    def rest(self) -> list[Message]:
        """Return what the application has sent and nobody has taken."""
        return [self._from_app.get_nowait() for _ in range(self._from_app.qsize())]

    async def over(self) -> None:
        """Wait until the application has returned, and raise what it raised."""
        await asyncio.wait([self.task])
        await self.task

    async def _receive(self) -> Message:
        message = await self._to_app.get()
        self.received += 1
        if isinstance(message, BaseException):
            raise message
        return message

    async def _send(self, message: Message) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.has_sent.set()
        await self.takes.wait()
        await self._from_app.put(message)

    async def _call(self) -> None:
        task = t.cast("asyncio.Task[t.Any]", asyncio.current_task())
        try:
            await call_validated(self._app, self._scope, self._receive, self._send)
        finally:
            assert context_var.get(None) is None, "a context is still bound"
        # A server that goes on in this task must not find it half cancelled.
        assert task.cancelling() == 0, "a cancellation was not taken back"

    async def __aenter__(self) -> t.Self:
        #: The task in which the application runs.
        self.task = asyncio.get_running_loop().create_task(self._call())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.takes.set()
            self.task.cancel()
            await asyncio.wait([self.task])
            return
        await self.over()


async def begun(event: asyncio.Event) -> None:
    """Wait for an event of the application under test."""
    async with asyncio.timeout(LIMIT / 2):
        await event.wait()
