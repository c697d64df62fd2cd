"""Responses that go on: server-sent events (WHATWG HTML, section 9.2) and lines of JSON."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import re
import typing as t
from dataclasses import dataclass

from . import json
from .ctx import context_var
from .lazy import asyncio
from .messages import as_utf_8
from .streams import OnThreads, _end, _next_or_end, aclose, variables_without_context
from .wrappers import Response

__all__ = ["EventStream", "JSONLines", "ServerSentEvent"]

#: Seconds of silence after which a comment shows that the stream is alive; proxies give up after 30 to 60.
KEEP_ALIVE = 15.0

_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event of an :class:`EventStream`.

    :param data: text, sent as it is; anything else is sent as JSON.
    :param event: the name under which the page listens, ``message`` by default.
    :param id: what the browser sends as ``Last-Event-ID`` when it connects again (``request.last_event_id``).
    :param retry: milliseconds after which the browser connects again.
    :param comment: a line that the browser ignores.
    :raises ValueError: for a name or an id that has a line break, text with half of a surrogate pair, a ``retry`` below 0.
    :raises TypeError: for a name, an id or a comment that is no text, a ``retry`` that is no ``int``.
    """

    data: t.Any = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None
    comment: str | None = None

    def __post_init__(self) -> None:
        value: t.Any
        for name, value in (("event", self.event), ("id", self.id), ("comment", self.comment)):
            if value is not None and not isinstance(value, str):
                raise TypeError(
                    f"The {name!r} of a server-sent event is text, not {value!r}: write {name}=str(...)."
                )
            if value is not None and name != "comment" and (_LINE_END.search(value) or "\0" in value):
                raise ValueError(
                    f"The {name!r} of a server-sent event is {value!r}, and would end in the middle: it is one line. Put "
                    f"text with line breaks in 'data'."
                )
        value = self.retry
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise TypeError(
                f"The 'retry' of a server-sent event is a number of milliseconds, not {value!r}: write retry=3000 for three "
                f"seconds."
            )
        if value is not None and value < 0:
            raise ValueError(
                f"The 'retry' of a server-sent event is {value}, and no time is shorter than 0: write the milliseconds after "
                f"which the browser connects again, as in retry=3000."
            )
        for name in ("data", "event", "id", "comment"):
            value = getattr(self, name)
            if isinstance(value, str) and not value.isascii():
                # Here, as the stream could only break off.
                as_utf_8(value, f"The {name!r} of a server-sent event")

    def encode(self, dumps: t.Callable[[t.Any], str] = json.dumps) -> bytes:
        """Return the event as it is sent.

        :param dumps: writes JSON.
        """
        lines: list[str] = []
        if self.comment is not None:
            lines += [f": {line}" for line in _LINE_END.split(self.comment)]
        if self.event is not None:
            lines.append(f"event: {self.event}")
        if self.id is not None:
            lines.append(f"id: {self.id}")
        if self.retry is not None:
            lines.append(f"retry: {self.retry:d}")
        if self.data is not None:
            text = self.data if isinstance(self.data, str) else dumps(self.data)
            lines += [f"data: {line}" for line in _LINE_END.split(text)]
        return as_utf_8("\n".join(lines) + "\n\n", "The JSON of a server-sent event")


class EventStream(Response):
    """A response of server-sent events, for ``EventSource`` in a page.

    .. code-block:: python

        @app.get("/counter")
        async def counter():
            async def events():
                number = int(request.last_event_id or 0)
                while True:
                    number += 1
                    yield ServerSentEvent({"count": number}, id=str(number))
                    await asyncio.sleep(1)

            return EventStream(stream_with_context(events()))

    When the client goes away, an async generator is cancelled where it waits; a plain one, which runs on a thread of its
    own, is closed when it gives its next event. Prefer async ones for many clients: of plain ones 256 can wait at the
    same time, and the next client gets the first comment and the keep-alives, and no event until one of them ends.

    :param events: an iterator, plain or async, of :class:`ServerSentEvent`, of ``str``, which is data, or of anything
        else, which is data in JSON.
    :param status: the status.
    :param headers: more headers.
    :param keep_alive: seconds of silence after which a comment is sent; ``None`` for none.
    :param retry: milliseconds after which the browser shall connect again.

    .. versionadded:: 0.1
    """

    default_mimetype = "text/event-stream"

    def __init__(
        self,
        events: t.Iterable[t.Any] | t.AsyncIterable[t.Any] = (),
        status: t.Any = None,
        headers: t.Any = None,
        *,
        keep_alive: float | None = KEEP_ALIVE,
        retry: int | None = None,
    ) -> None:
        _check("EventStream", events)
        source = events if isinstance(events, cabc.AsyncIterable) else OnThreads(events)
        super().__init__(t.cast(t.Any, _Encoded(source, keep_alive, retry)), status, headers)
        self.headers.setdefault("Cache-Control", "no-cache")
        # nginx would collect pieces until a buffer is full.
        self.headers.setdefault("X-Accel-Buffering", "no")


class _Encoded:
    """Events as bytes, and comments where there are none for a while."""

    def __init__(
        self,
        events: t.AsyncIterable[t.Any],
        keep_alive: float | None,
        retry: int | None,
    ) -> None:
        self._events = aiter(events)
        self._keep_alive = keep_alive
        self._dumps = _dumps()
        context = context_var.get(None)
        self._app = None if context is None else context.app
        self._stop: asyncio.Future[None] | None = None
        # The browser knows that it is connected as soon as something has come.
        self._first: bytes | None = b":\n\n" if retry is None else ServerSentEvent(retry=retry).encode()
        # All steps of a generator see the variables that it sets.
        self._variables = variables_without_context()
        self._step: asyncio.Task[t.Any] | None = None

    def __aiter__(self) -> t.Self:
        return self

    async def __anext__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._app is not None and self._app.is_stopping:
            raise StopAsyncIteration
        if self._step is None:
            self._step = asyncio.get_running_loop().create_task(
                _next_or_end(self._events), context=self._variables
            )
        try:
            done, _ = await asyncio.wait(
                {self._step, self._stopping()}, timeout=self._keep_alive, return_when=asyncio.FIRST_COMPLETED
            )
        except asyncio.CancelledError:
            await self._cancel()
            raise
        if not done:
            return b": keep-alive\n\n"
        if self._step not in done:
            # The server waits for this stream before it stops.
            raise StopAsyncIteration
        step, self._step = self._step, None
        item = step.result()
        if item is _end:
            raise StopAsyncIteration
        if item is None:
            # An event without data would be none.
            item = self._dumps(None)
        event = item if isinstance(item, ServerSentEvent) else ServerSentEvent(item)
        return event.encode(self._dumps)

    def _stopping(self) -> asyncio.Future[None]:
        """Return what is done when the application stops."""
        loop = asyncio.get_running_loop()
        if self._stop is None or self._stop.get_loop() is not loop:
            self._stop = loop.create_future()
            if self._app is not None:
                self._app.stop_callbacks[self._end] = None
        return self._stop

    def _end(self) -> None:
        if self._stop is not None:
            # The stop may be told on another thread, and the loop of a stream under WSGI be closed already.
            with contextlib.suppress(RuntimeError):
                self._stop.get_loop().call_soon_threadsafe(_set, self._stop)

    async def _cancel(self) -> None:
        if self._app is not None:
            self._app.stop_callbacks.pop(self._end, None)
        step, self._step = self._step, None
        if step is not None:
            step.cancel()
            # What it raises on its way out is nobody's answer any more.
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await step

    async def aclose(self) -> None:
        """Cancel the step that waits, if one does, and close the generator."""
        await self._cancel()
        await aclose(self._events)

    def close(self) -> None:
        """Close events that have not begun."""
        close = getattr(self._events, "close", None)
        if close is not None:
            close()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class JSONLines(Response):
    """A response of JSON values, a line each, sent as they come (newline-delimited JSON).

    :param values: an iterator, plain or async.
    :param status: the status.
    :param headers: more headers.

    .. versionadded:: 0.1
    """

    default_mimetype = "application/x-ndjson"

    def __init__(
        self,
        values: t.Iterable[t.Any] | t.AsyncIterable[t.Any] = (),
        status: t.Any = None,
        headers: t.Any = None,
    ) -> None:
        _check("JSONLines", values)
        dumps = _dumps()
        lines: t.Any
        if isinstance(values, cabc.AsyncIterable):
            lines = _AsyncLines(values, dumps)
        else:
            lines = _Lines(values, dumps)
        super().__init__(lines, status, headers)


class _Lines:
    def __init__(self, values: t.Iterable[t.Any], dumps: t.Callable[[t.Any], str]) -> None:
        self._values = iter(values)
        self._dumps = dumps

    def __iter__(self) -> t.Self:
        return self

    def __next__(self) -> bytes:
        return _line(self._dumps(next(self._values)))

    def close(self) -> None:
        close = getattr(self._values, "close", None)
        if close is not None:
            close()


class _AsyncLines:
    def __init__(self, values: t.AsyncIterable[t.Any], dumps: t.Callable[[t.Any], str]) -> None:
        self._values = aiter(values)
        self._dumps = dumps

    def __aiter__(self) -> t.Self:
        return self

    async def __anext__(self) -> bytes:
        return _line(self._dumps(await anext(self._values)))

    async def aclose(self) -> None:
        await aclose(self._values)

    def close(self) -> None:
        """Close values that have not begun."""
        close = getattr(self._values, "close", None)
        if close is not None:
            close()


def _line(text: str) -> bytes:
    # A line break in JSON is white space between two values: one within a text is escaped.
    return as_utf_8(text.replace("\n", " ") + "\n", "A line of JSON")


def _check(name: str, given: t.Any) -> None:
    """Raise :exc:`TypeError` for what is likely another thing than the iterator that was meant."""
    if isinstance(given, str | bytes | bytearray):
        shown = repr(given) if len(given) <= 30 else f"{given[:30]!r}..."
        one = "letter" if isinstance(given, str) else "number"
        raise TypeError(
            f"{name} was given {shown}, and would send it {one} by {one}. Pass an iterator of what is to be sent, a list "
            f"for a single one: {name}([...])."
        )
    if callable(given) and not isinstance(given, cabc.Iterable | cabc.AsyncIterable):
        called = getattr(given, "__name__", "function")
        raise TypeError(
            f"{name} was given {given!r}, which is not iterable, but can be called. Pass what it returns: "
            f"{name}({called}())."
        )


def _dumps() -> t.Callable[[t.Any], str]:
    context = context_var.get(None)
    return json.dumps if context is None else context.app.json.dumps
