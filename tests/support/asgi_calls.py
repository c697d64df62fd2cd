"""Calls of an application at the level of ASGI: scopes made by hand, and a server that does what the test says.

Each call passes ``asgi_validator.py``. :func:`on_a_loop` makes an ordinary test of an async one, and looks afterwards at what
it has left: tasks, contexts, helper threads.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import json
import threading
import typing as t

from asgi_validator import Message, call_validated
from erlen.ctx import context_var

P = t.ParamSpec("P")
T = t.TypeVar("T")

#: Seconds that anything in a test may take which does not hang.
PATIENCE = 10.0

#: In place of a value: the scope does not have the key.
MISSING: t.Any = object()

DISCONNECT: Message = {"type": "http.disconnect"}

Headers = t.Iterable[tuple[bytes, bytes]]


def http_scope(
    path: str = "/", method: str = "GET", headers: Headers = (), **changes: t.Any
) -> dict[str, t.Any]:
    """Return the scope of a request as uvicorn makes it, with other keys or values where a test wants them."""
    path, _, query = path.partition("?")
    scope: dict[str, t.Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost"), *headers],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    scope |= changes
    return {key: value for key, value in scope.items() if value is not MISSING}


def body_messages(*pieces: t.Any) -> list[t.Any]:
    """Return the events for a body that comes in pieces."""
    return [
        {"type": "http.request", "body": piece, "more_body": number < len(pieces) - 1}
        for number, piece in enumerate(pieces)
    ]


class Call:
    """One request, as its server sees it.

    :param app: the application.
    :param path: path and query.
    :param body: the body, whole or in pieces; pieces are sent without a length, as HTTP/1.1 does with chunks.
    :param events: the events that the server has, in place of those for the body; an exception is raised.
    :param scope: the whole scope, in place of what the others make.
    :param changes: other keys of the scope.
    """

    def __init__(
        self,
        app: t.Any,
        path: str = "/",
        *,
        method: str | None = None,
        body: bytes | t.Sequence[bytes] | None = None,
        headers: Headers = (),
        events: t.Iterable[t.Any] | None = None,
        scope: Message | None = None,
        **changes: t.Any,
    ) -> None:
        if isinstance(body, bytes):
            pieces: t.Sequence[bytes] = [body]
            headers = [*headers, (b"content-length", str(len(body)).encode())]
        elif body is not None:
            pieces = body
            headers = [*headers, (b"transfer-encoding", b"chunked")]
        else:
            pieces = [b""]
        method = method or ("GET" if body is None else "POST")
        self.scope = http_scope(path, method, headers, **changes) if scope is None else scope
        self.app = app
        #: What the application has sent.
        self.sent: list[Message] = []
        #: How often it has asked for an event.
        self.receives = 0
        #: Awaited with each message that is sent, before the application goes on.
        self.on_send: t.Callable[[Message], t.Awaitable[object]] | None = None
        self._loop = asyncio.get_running_loop()
        self._events = asyncio.Queue[t.Any]()
        for event in body_messages(*pieces) if events is None else events:
            self._events.put_nowait(event)
        self._changed = asyncio.Event()
        self._is_gone = False

    async def receive(self) -> Message:
        """Hand an event to the application."""
        self.receives += 1
        self._changed.set()
        event = DISCONNECT if self._is_gone and self._events.empty() else await self._events.get()
        if isinstance(event, BaseException):
            try:
                raise event
            finally:
                # The exception holds this frame.
                del event
        if event is DISCONNECT:
            self._is_gone = True
        return t.cast("Message", event)

    async def send(self, message: Message) -> None:
        """Take a message of the application. When the response is complete, ``receive`` says so as servers do."""
        self.sent.append(message)
        self._changed.set()
        if self.on_send is not None:
            await self.on_send(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.go_away()

    def add(self, *events: t.Any) -> None:
        """Let the server have more events."""
        for event in events:
            self._events.put_nowait(event)

    def go_away(self) -> None:
        """Let the client go away; may be called on any thread."""
        self._loop.call_soon_threadsafe(self._events.put_nowait, DISCONNECT)

    async def run(self) -> t.Self:
        """Call the application, and return when it does."""
        await call_validated(self.app, self.scope, self.receive, self.send)
        return self

    def start(self) -> asyncio.Task[t.Self]:
        """Call the application in a task."""
        return asyncio.create_task(self.run())

    async def until(self, condition: t.Callable[[], bool]) -> None:
        """Wait for something that sending or receiving brings about."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()

    async def until_pieces(self, count: int) -> None:
        """Wait until so many pieces of the body have been sent."""
        await self.until(lambda: len(self.pieces) >= count)

    @property
    def status(self) -> int:
        """The status of the response."""
        return t.cast(int, self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The headers of the response; of several with one name the last."""
        return dict(self.sent[0]["headers"])

    @property
    def pieces(self) -> list[bytes]:
        """The pieces of the body that are not empty."""
        return [message["body"] for message in self.sent[1:] if message.get("body")]

    @property
    def text(self) -> str:
        """The body."""
        return b"".join(self.pieces).decode()

    @property
    def json(self) -> t.Any:
        """The body, read as JSON."""
        return json.loads(self.text)

    @property
    def is_complete(self) -> bool:
        """Whether the response has been sent to its end."""
        return len(self.sent) > 1 and not self.sent[-1].get("more_body", False)


async def answer(app: t.Any, path: str = "/", **options: t.Any) -> Call:
    """Send a request and return it when it is answered."""
    return await Call(app, path, **options).run()


async def happens(event: threading.Event) -> None:
    """Wait for an event that a thread sets, and let the loop go on meanwhile."""
    assert await asyncio.to_thread(event.wait, PATIENCE)


async def gone(reference: t.Callable[[], object]) -> bool:
    """Return whether something is freed, after the callbacks that other threads have ordered from the loop."""
    for _ in range(100):
        if reference() is None:
            return True
        await asyncio.sleep(0.005)
    return False


def _helpers() -> list[str]:
    names = ("erlen-bridge", "erlen-keeper")
    return [thread.name for thread in threading.enumerate() if thread.name in names]


async def _tasks_left() -> list[asyncio.Task[t.Any]]:
    own = asyncio.current_task()
    left = asyncio.all_tasks() - {own}
    for _ in range(200):
        if not left:
            break
        # What was told to end needs a moment.
        await asyncio.sleep(0.005)
        left = asyncio.all_tasks() - {own}
    return list(left)


def run_on_a_loop(main: t.Callable[[], t.Coroutine[t.Any, t.Any, T]]) -> T:
    """Run a coroutine on a loop of its own, as :func:`on_a_loop` does."""

    async def run() -> T:
        async with asyncio.timeout(PATIENCE):
            result = await main()
            left = await _tasks_left()
        assert not left, f"tasks are left: {left}"
        assert context_var.get(None) is None, f"a context is left: {context_var.get()!r}"
        return result

    # In variables of their own: what a test sets is not there for the next.
    result = contextvars.copy_context().run(asyncio.run, run())
    assert not _helpers(), f"threads are left: {_helpers()}"
    return result


def on_a_loop(test: t.Callable[P, t.Coroutine[t.Any, t.Any, None]]) -> t.Callable[P, None]:
    """Decorate an async test: it runs on a loop of its own, and leaves no task, no context, no helper thread."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        run_on_a_loop(lambda: test(*args, **kwargs))

    return run
