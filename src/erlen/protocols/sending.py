"""A response on its way to an ASGI server, and the client that may go away meanwhile."""

from __future__ import annotations

import contextlib
import typing as t
from contextvars import Context
from http import HTTPStatus
from itertools import chain
from time import monotonic

from ..headers import ENCODED
from ..lazy import asyncio, futures
from ..pipeline.bridge import run_on_thread
from ..pipeline.loops import unordered
from ..response import AsyncStream, WholeBody
from ..scopes import ENDING, WATCH
from ..streams import close_body

if t.TYPE_CHECKING:
    from ..typing import Message, Receive, Send
    from ..wrappers import Request

_end: t.Any = object()

#: After how many pieces the loop gets a turn, if so much time has passed. Servers need not wait in ``send``, and say nothing there when the client has
#: gone: an iterator that does not wait either would keep everybody else from running, and go on for ever.
TURN = 16
TURN_SECONDS = 0.001

# PERF: async plaintext: a look-up in place of reading a number, 0.1 us.
_CODES = {f"{code.value} {code.phrase.upper()}": code.value for code in HTTPStatus}

_encode = ENCODED.__getitem__


class Start:
    """The ``start_response`` (PEP 3333) of a request that came over ASGI: it keeps what it is given."""

    status: str = ""
    headers: list[tuple[str, str]]
    #: What came through the callable that ``start_response`` returns.
    written: list[bytes] | None = None
    # Whether the start was handed to the server, and so is final.
    _is_sent = False

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: t.Any = None
    ) -> t.Callable[[bytes], object]:
        """Keep the start of a response.

        :param status: code and reason.
        :param headers: names and values.
        :param exc_info: why this one takes the place of another.
        :return: what takes pieces of the body, as old applications want it.
        """
        if self._is_sent:
            if exc_info:
                # PEP 3333: it is too late for another response.
                raise exc_info[1].with_traceback(exc_info[2])
            raise RuntimeError(
                f"A WSGI application started a response with {status!r} when the one with {self.status!r} was being sent "
                f"already. Call 'start_response' once, before the first piece of the body."
            )
        self.status, self.headers = status, headers
        return self._write

    def _write(self, piece: bytes) -> None:
        self.written = [*(self.written or ()), piece]

    def message(self) -> Message:
        """Return the event that starts the response, which is final with it."""
        self._is_sent = True
        return {
            "type": "http.response.start",
            "status": _CODES.get(self.status) or int(self.status[:3]),
            "headers": list(map(_encode, self.headers)),
        }


def begin(
    app: t.Callable[..., t.Iterable[bytes]], environ: t.Any, start: Start, *context: t.Any
) -> t.Iterable[bytes]:
    """Call a WSGI application until its response has started, and return the body.

    :param app: the application.
    :param environ: its environment.
    :param start: its ``start_response``.
    :param context: the context of the request, where the application is to be given one. Then it may return a complete answer
        that has not been started, as ``wsgi_app`` does.
    """
    body = app(environ, start, *context)
    if not start.status and not (context and type(body) is tuple):
        # A generator starts its response when it is first asked for a piece.
        try:
            iterator = iter(body)
            body = _Chained(next(iterator, b""), iterator, body)
            if not start.status:
                raise RuntimeError(
                    f"The WSGI application {app!r} returned a body without a response: it has not called "
                    f"'start_response'. Call it before the first piece of the body."
                )
        except BaseException:
            close_body(body)
            raise
    return _Chained(b"".join(start.written), iter(body), body) if start.written else body


class _Chained:
    """A body whose first piece has been taken already."""

    def __init__(self, first: bytes, rest: t.Iterator[bytes], body: t.Any) -> None:
        self._pieces = chain([first], rest)
        self._body = body

    def __iter__(self) -> t.Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        close_body(self._body)


def whole(body: list[bytes]) -> Message:
    """Return the event for a body that is complete.

    :param body: its pieces.
    """
    only = body[0] if len(body) == 1 else b"".join(body)
    return {"type": "http.response.body", "body": only if type(only) is bytes else as_bytes(only)}


def as_bytes(piece: t.Any) -> bytes:
    """Return a piece of a body as ASGI wants it; WSGI servers take a bytearray as well.

    :param piece: anything bytes can be made of but a number, of which Python makes as many zeros.
    :raises TypeError: for what is no bytes.
    """
    return b"".join([piece])


async def send_stream(
    send: Send,
    start: Start,
    body: t.Any,
    pool: futures.Executor,
    context: Context,
    watch: Watch | None = None,
) -> None:
    """Send a response piece by piece, each when the server has taken the one before, and close the body.

    :param body: an async iterable, or a plain one that is asked for each piece on a worker thread.
    :param pool: the threads.
    :param context: the variables in which plain code runs there.
    :param watch: what cancels this when the client goes away. It ends before the body is closed, as servers report a
        client as gone after a complete response, too.
    """
    try:
        if watch is not None and watch.is_gone:
            # Servers that say nothing in ``send`` would be sent an endless one for ever.
            return
        await send(start.message())
        if watch is not None:
            watch.drop_body()
        if type(body) is WholeBody:
            if watch is not None:
                watch.finish()
            await send(whole(body))
            return
        if hasattr(body, "__aiter__"):
            await _send_async(send, body)
        else:
            await _send_plain(send, body, pool, context, watch)
        if watch is not None:
            watch.finish()
        await send({"type": "http.response.body", "body": b""})
    finally:
        if watch is not None:
            watch.end()
        await _close(body, pool, context)


async def _send_async(send: Send, body: t.Any) -> None:
    # PERF: stream of 100 chunks: the iterator of the view itself, and not one that asks it for each piece: 20 us.
    pieces: t.AsyncIterable[t.Any] = body.pieces() if type(body) is AsyncStream else body
    number, turn = 0, monotonic()
    async for piece in pieces:
        if type(piece) is str:
            piece = piece.encode()
        elif type(piece) is not bytes:
            piece = as_bytes(piece.encode() if isinstance(piece, str) else piece)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        number += 1
        if not number % TURN and monotonic() - turn > TURN_SECONDS:
            await asyncio.sleep(0)
            turn = monotonic()


async def _send_plain(
    send: Send, body: t.Any, pool: futures.Executor, context: Context, watch: Watch | None
) -> None:
    pieces, piece = await run_on_thread(pool, context, _first, body, watch=watch)
    while piece is not _end:
        if piece:
            await send({"type": "http.response.body", "body": as_bytes(piece), "more_body": True})
        piece = await run_on_thread(pool, context, next, pieces, _end, watch=watch)


def _first(body: t.Iterable[t.Any]) -> tuple[t.Iterator[t.Any], t.Any]:
    """Begin to iterate over a body, and return the iterator and the first piece."""
    pieces = iter(body)
    return pieces, next(pieces, _end)


async def _close(body: t.Any, pool: futures.Executor, context: Context) -> None:
    try:
        if hasattr(body, "aclose"):
            await body.aclose()
    finally:
        close = getattr(body, "close", None)
        if type(body) is AsyncStream and body.ends_at_once:
            body.close()
        elif close is not None:
            await run_on_thread(pool, context, close, must_run=True)


class Watch:
    """Cancels the task that answers a request when its client goes away.

    Servers say so through ``receive``, so something has to wait there meanwhile. What of the body has not been received is
    not taken away: the watch begins when the body is complete.

    :param receive: the server's callable.
    :param request: the request.
    """

    def __init__(self, receive: Receive, request: Request) -> None:
        self._receive = receive
        self._body = request._body
        self._head = request.head
        self._watcher: asyncio.Task[None] | None = None
        self._is_over = False
        # One item for each teardown that runs: changed on any thread, by atomic operations alone.
        self._pauses: list[None] = []
        #: Whether the client has gone away.
        self.is_gone = False
        # Whether the task was cancelled for that.
        self._has_cancelled = False

    async def __aenter__(self) -> t.Self:
        self._task = t.cast("asyncio.Task[t.Any]", asyncio.current_task())
        self._loop = asyncio.get_running_loop()
        self._head[WATCH] = self
        if ENDING in self._head:
            # The end of the context has begun before; it resumes this watch.
            self._pauses.append(None)
        return self

    def begin(self) -> None:
        """Begin to watch, at the latest when something is waited for."""
        if self._watcher is not None or self._is_over:
            return
        if self._body is not None and not self._body.is_complete:
            self._body.completed = self.begin
            return
        self._watch()

    def drop_body(self) -> None:
        """Begin to watch also where the body is not complete, and drop what comes of it, unless the view reads it.

        Call it when the response has started: servers that are asked for more before send a 100 (Continue).
        """
        if self._body is None or not self._body.is_streamed:
            self._watch()

    def finish(self) -> None:
        """Cancel nothing any more, and drop what still comes of the body.

        hypercorn waits in its last ``send`` until somebody has received all that has come, and tells there that the
        client has gone, whether it has or not.
        """
        if self._body is not None and not self._body.is_complete:
            self._watch()
        self._is_over = True

    def _watch(self) -> None:
        if self._watcher is None and not self._is_over:
            if self._body is not None and not self._body.is_complete:
                # Two that receive would each get some of the pieces.
                self._body.is_dropped = True
            self._watcher = asyncio.get_running_loop().create_task(self._wait(), context=Context())

    def pause(self) -> None:
        """Cancel nothing until :meth:`resume` is called as often; may be called on any thread."""
        self._pauses.append(None)

    async def apause(self) -> None:
        """Do what :meth:`pause` does. A cancellation that was ordered before is over then, and cuts nothing short."""
        self.pause()
        if self._task is asyncio.current_task() and self._task.cancelling():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

    def resume(self) -> None:
        """End one :meth:`pause`; after the last one the task is cancelled also for what has been missed."""
        self._pauses.pop()
        if self.is_gone and not self.is_paused:
            with contextlib.suppress(RuntimeError):
                # On a loop that is closed there is nothing left to cancel.
                self._loop.call_soon_threadsafe(self._cancel)

    @property
    def is_paused(self) -> bool:
        """Whether what runs now is not to be cancelled because the client goes."""
        return bool(self._pauses)

    def _cancel(self) -> None:
        if not (self.is_paused or self._has_cancelled or self._is_over):
            self._has_cancelled = True
            self._task.cancel("the client went away")

    def end(self) -> None:
        """Cancel nothing any more."""
        self._is_over = True
        if self._body is not None:
            self._body.completed = None
        # A task that was cancelled holds its frame, which holds this watch.
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()

    async def _wait(self) -> None:
        ends = 0
        # Whatever the server means by an error here, there is nothing more to learn from it.
        with contextlib.suppress(Exception):
            # A body that nobody asked for has one end. A server that has more of them may never wait, and nobody else
            # would get to do anything.
            while ends < 2:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    if not self._is_over:
                        self.is_gone = True
                        self._cancel()
                    return
                ends += not message.get("more_body", False)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: t.Any
    ) -> bool:
        self.end()
        self._head.pop(WATCH, None)
        # Its exception holds the frames of the request, and they this watch.
        task = self._task
        del self._task
        if not self._has_cancelled:
            if isinstance(error, asyncio.CancelledError) and not task.cancelling():
                raise unordered(error) from error
            return False
        # The server has not asked for this cancellation, and need not hear of it. Where it asks as well, it does.
        return task.uncancel() == 0 and isinstance(error, asyncio.CancelledError)
