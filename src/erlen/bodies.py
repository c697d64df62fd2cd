"""The body of a request as a stream: read by plain code as a file, by async code with ``async for``.

Under ASGI the body is received before the view begins, into memory and beyond :data:`IN_MEMORY` bytes into a temporary
file, so that ``request.form`` and its relatives need no ``await`` and a slow client holds no thread (D6). What is not
received then (a body that is too large, or one whose view asked to stream it) is received as it is read.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
import typing as t
from contextlib import suppress
from contextvars import copy_context

from werkzeug.exceptions import BadRequest, ClientDisconnected, HTTPException, RequestEntityTooLarge

from .lazy import Lazy, asyncio
from .pipeline.bridge import run_coroutine, waits_for_hop
from .pipeline.loops import in_a_loop, run_on_loop

if t.TYPE_CHECKING:
    from .typing import Receive

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

#: How many bytes of a body are kept in memory: a file that its form keeps there, and the form around it.
#:
#: PERF: 1 MiB upload over ASGI: a temporary file for the body of a file that then is in memory costs 0.4 ms.
IN_MEMORY = 1024 * 1024 + 64 * 1024

#: How many bytes are read, and written to the temporary file, at once.
PIECE = 256 * 1024

#: How many bytes a form has at most that is parsed on the event loop. Its files may go to disk.
FORM_ON_LOOP = 256 * 1024

#: Runs a plain function on a worker thread.
OnThread: t.TypeAlias = "t.Callable[..., t.Awaitable[t.Any]]"


def stream_request_body(view: F) -> F:
    """Begin a view before the body of its request has been received, so that the view reads it piece by piece.

    Place it below the route decorator. ``MAX_CONTENT_LENGTH`` holds while the body is read; the view may set
    ``request.max_content_length`` first. Under WSGI this is how each view begins.

    .. code-block:: python

        @app.put("/files/<name>")
        @stream_request_body
        async def upload(name):
            async for piece in request.stream:
                ...

    :param view: the view function.

    .. versionadded:: 0.1
    """
    view.streams_request_body = True  # type: ignore[attr-defined]
    return view


class NotKept(RuntimeError):
    """A body could not be written to its temporary file."""


class MalformedMessage(ValueError):
    """A server answered ``receive`` with something that is no event of a request; the message says what is wrong."""


def too_large(limit: int | None, tells_limit: bool) -> RequestEntityTooLarge:
    """Return the 413 for a body.

    :param limit: the largest body in bytes.
    :param tells_limit: whether the answer says so.
    """
    if not tells_limit:
        return RequestEntityTooLarge()
    return RequestEntityTooLarge(
        f"The body of this request is larger than the {limit} bytes that are accepted (MAX_CONTENT_LENGTH)."
    )


class BodyStream(io.RawIOBase):
    """The body of a request.

    Plain code calls :meth:`read`, or iterates over lines. Async code iterates over pieces of up to 256 KiB:
    ``async for piece in request.stream``.

    :param stream: the server's stream, which ends where the body ends.
    """

    def __init__(self, stream: t.Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        """Return that this can be read."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Return up to ``size`` bytes, all that is left by default."""
        return t.cast(bytes, self._stream.read(-1 if size is None else size))

    def readinto(self, buffer: t.Any) -> int:
        """Read into a buffer, and return the number of bytes."""
        piece = self.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def readline(self, size: int | None = -1) -> bytes:
        """Return the bytes up to the next line feed, and with it."""
        return t.cast(bytes, self._stream.readline(-1 if size is None else size))

    async def _pieces(self) -> t.AsyncIterator[bytes]:
        receive = getattr(self._stream, "areceive", None)
        while piece := (self.read(PIECE) if receive is None else await receive(PIECE)):
            yield piece

    def __aiter__(self) -> t.AsyncIterator[bytes]:
        return self._pieces()


class MeasuredBody(BodyStream):
    """A body whose length its header tells; what is behind it in the server's stream is not read.

    :param stream: the server's stream.
    :param length: the length in bytes.
    """

    def __init__(self, stream: t.Any, length: int) -> None:
        super().__init__(stream)
        self._left = length

    def read(self, size: int | None = -1) -> bytes:
        """Return up to ``size`` bytes, all that is left by default.

        :raises ClientDisconnected: when the client went away.
        """
        if size is None or size < 0:
            return self.readall()
        return self._read_with(self._stream.read, size)

    def readall(self) -> bytes:
        """Return all that is left; raises what :meth:`read` does."""
        pieces: list[bytes] = []
        while self._left:
            pieces.append(self._read_with(self._stream.read, PIECE))
        return b"".join(pieces)

    def readline(self, size: int | None = -1) -> bytes:
        """Return the bytes up to the next line feed, and with it; raises what :meth:`read` does."""
        return self._read_with(self._stream.readline, self._left if size is None or size < 0 else size)

    def _read_with(self, read: t.Callable[[int], bytes], size: int) -> bytes:
        size = min(size, self._left)
        if not size:
            return b""
        try:
            piece = read(size)
        except (OSError, ValueError) as error:
            raise ClientDisconnected from error
        if not piece:
            raise ClientDisconnected
        self._left -= len(piece)
        return piece


class UnreadBody(BodyStream):
    """A body of which a part was read that is to be read once more.

    :param data: that part.
    :param stream: what is left of the body.
    """

    def __init__(self, data: bytes, stream: BodyStream) -> None:
        super().__init__(stream)
        self._data = data

    def read(self, size: int | None = -1) -> bytes:
        """Return up to ``size`` bytes, all that is left by default."""
        if not self._data:
            return super().read(size)
        if size is None or size < 0:
            data, self._data = self._data, b""
            return data + super().read()
        piece, self._data = self._data[:size], self._data[size:]
        return piece

    def readline(self, size: int | None = -1) -> bytes:
        """Return the bytes up to the next line feed, and with it."""
        if not self._data:
            return super().readline(size)
        end = self._data.find(b"\n") + 1
        most = len(self._data) if size is None or size < 0 else size
        line = self.read(min(end or most, most))
        if self._data or end:
            return line
        left = -1 if size is None or size < 0 else size - len(line)
        return line + super().readline(left) if left else line


class LimitedBody(BodyStream):
    """A body whose length nobody told, and which must not be larger than the limit.

    Werkzeug's stream ends at the limit when it is read as a whole, as if the body ended there; this one answers
    with 413.

    :param stream: the server's stream, which ends where the body ends.
    :param limit: the largest body in bytes.
    :param tells_limit: whether the 413 says what the limit is.
    """

    def __init__(self, stream: t.Any, limit: int, tells_limit: bool = False) -> None:
        super().__init__(stream)
        self._left = self._limit = limit
        self._tells_limit = tells_limit

    def read(self, size: int | None = -1) -> bytes:
        """Return up to ``size`` bytes, all that is left by default.

        :raises RequestEntityTooLarge: when there is more than the limit.
        :raises ClientDisconnected: when the client went away.
        :raises BadRequest: when the server cannot read it.
        """
        if size is None or size < 0:
            return self.readall()
        return self._read_with(self._stream.read, size)

    def readline(self, size: int | None = -1) -> bytes:
        """Return the bytes up to the next line feed, and with it; raises what :meth:`read` does."""
        return self._read_with(self._stream.readline, self._left + 1 if size is None or size < 0 else size)

    def _read_with(self, read: t.Callable[[int], bytes], size: int) -> bytes:
        try:
            piece = read(min(size, self._left + 1))
        except (OSError, ValueError) as error:
            raise ClientDisconnected from error
        except Exception as error:
            if isinstance(error, HTTPException) or hasattr(self._stream, "areceive"):
                raise
            # What gunicorn raises over WSGI for malformed chunks is neither of the above.
            raise BadRequest("The body of this request is malformed.") from error
        self._count(piece)
        return piece

    def _count(self, piece: bytes) -> None:
        self._left -= len(piece)
        if self._left < 0:
            self._left = 0
            if isinstance(self._stream, ReceivedFile):
                # Unless the limit is raised, nobody reads on.
                self._stream.body.is_streamed = False
            raise too_large(self._limit, self._tells_limit)

    async def _pieces(self) -> t.AsyncIterator[bytes]:
        async for piece in super()._pieces():
            if hasattr(self._stream, "areceive"):
                # It did not come through ``read``, which counts.
                self._count(piece)
            yield piece


_LINE_FEED = re.compile(rb"\n")

_DROPPED = (
    "What had not been received of the body of this request was dropped when the response started, as nothing had asked for "
    "it. To read it while the response is sent, say so before: put '@stream_request_body' below the route decorator, raise "
    "'request.max_content_length' in the view, or call 'stream = request.stream' there."
)

_CLOSED = (
    "The body of this request was read after its response had been sent; it is dropped then. Read it in the view, with "
    "'request.get_data()' or 'request.form' for example, and hand what you need of it to what runs later."
)


class ReceivedBody:
    """What ASGI has sent of a body; :class:`ReceivedFile` is that as the ``wsgi.input`` of its environment.

    :param receive: the server's callable.
    """

    # PERF: form POST over ASGI: a file of the standard library, with all of this set on each, costs 1 us more.
    #: Whether it was closed, at the end of the request.
    closed = False
    #: Whether the last piece has come.
    is_complete = False
    #: Whether the client went away before it.
    is_cut_off = False
    #: Whether the view reads it piece by piece, and so may what it returns.
    is_streamed = False
    #: Whether somebody else receives what is left, as nobody was going to read it when the response started.
    is_dropped = False
    #: Whether what was received ahead is in a file.
    is_on_disk = False
    #: The form that was parsed ahead: the limits it was parsed with, its fields and its files.
    parsed: tuple[t.Any, t.Any, t.Any] | None = None
    #: What parsing it ahead has raised: the limits, and the exception.
    refused: tuple[t.Any, Exception] | None = None
    #: Those files, which are closed with the body.
    files: t.Sequence[t.Any] = ()
    #: The loop on which the server answers ``receive``, where that is known.
    loop: asyncio.AbstractEventLoop | None = None
    #: Called when the last piece has come.
    completed: t.Callable[[], object] | None = None
    # A body that has come whole, until somebody reads it piece by piece.
    _whole = b""
    # How many bytes were received ahead; and the rest of a piece that was received to be read.
    _ahead = 0
    _rest: bytes | memoryview = b""
    # Why it could not be written to a file.
    _problem: str | None = None
    # Runs what waits for the file, if there is one.
    _on_thread: OnThread | None = None

    def __init__(self, receive: Receive) -> None:
        #: The server's callable.
        self.receive = receive

    def _make_file(self) -> t.IO[bytes]:
        return io.BytesIO(self._whole)

    # What was received ahead, read from its beginning.
    _file = Lazy(_make_file)

    def take_in(self, message: t.Any) -> bool:
        """Take the first event, and return whether the body has come whole with it; otherwise :meth:`fill` has to be called.

        :param message: what the server's callable has returned.
        :raises MalformedMessage: for no event of a request.
        """
        if (
            type(message) is dict
            and message.get("type") == "http.request"
            and not message.get("more_body", False)
            and type(piece := message.get("body", b"")) is bytes
        ):
            self._whole, self._ahead, self.is_complete = piece, len(piece), True
            return True
        self._rest = self._piece_of(message)
        return False

    async def fill(self, limit: int | None, on_thread: OnThread) -> None:
        """Receive the body ahead, to be read from its beginning.

        :param limit: the bytes after which the rest is left to be received when it is read; ``None`` for no limit.
        :param on_thread: runs the writing to a file.
        :raises ClientDisconnected: when the client went away.
        :raises NotKept: when the file cannot be written; each later read raises the same.
        """
        self._check_that_it_can_be_read()
        piece = self._rest or await self._next_here()
        self._rest = b""
        if self.is_complete and not self._ahead:
            self._file, self._ahead = io.BytesIO(piece), len(piece)
            return
        position, pending, size = self._file.tell(), [piece], len(piece)
        try:
            while not self.is_complete and (limit is None or self._ahead + size <= limit):
                piece = await self._next_here()
                pending.append(piece)
                size += len(piece)
                if self._ahead + size > IN_MEMORY and size >= PIECE:
                    await self._keep(pending, on_thread)
                    size = 0
            await self._keep(pending, on_thread)
        finally:
            # Who stops waiting, and asks once more, finds what has come meanwhile.
            self._rest = b"".join(pending)
            if self._problem is None:
                self._file.seek(position)

    async def _keep(self, pending: list[bytes | memoryview], on_thread: OnThread) -> None:
        """Move pieces into memory or the file, and out of the list."""
        data, ahead = b"".join(pending), self._ahead
        if not data:
            return
        try:
            if self.is_on_disk or ahead + len(data) > IN_MEMORY:
                # Also the first write, which moves what is in memory to disk, blocks no loop (CVE-2025-54121).
                self._on_thread = on_thread
                await on_thread(self._write_to_disk, data)
            elif ahead:
                self._write(data)
            else:
                # PERF: async 1 MiB upload: without another copy.
                self._file, self._ahead = io.BytesIO(data), len(data)
        except OSError as error:
            self._problem = (
                f"The body of this request is larger than {IN_MEMORY} bytes, and could not be written to a temporary file: "
                f"{error}. Free some space, or let the environment variable TMPDIR name a folder on another disk."
            )
            raise NotKept(self._problem) from error
        finally:
            # A thread that has begun is waited for, also by a task that is cancelled.
            if self._ahead > ahead:
                pending.clear()

    def _write_to_disk(self, data: bytes) -> None:
        if not self.is_on_disk:
            memory, self._file = self._file, t.cast("t.IO[bytes]", tempfile.TemporaryFile())  # noqa: SIM115 - closed with the request
            self._file.write(t.cast(io.BytesIO, memory).getvalue())
            self.is_on_disk = True
        self._write(data)
        # What a buffer kept would be written by the next seek, on the loop.
        self._file.flush()

    def _write(self, data: bytes) -> None:
        self._file.seek(self._ahead)
        self._file.write(data)
        self._ahead += len(data)

    async def _next(self) -> bytes:
        """Return the next piece, an empty one at the end."""
        while not self.is_complete:
            if self.is_cut_off:
                raise ClientDisconnected
            self._check_that_it_comes()
            # It may be the second one of two that somebody else has received first.
            piece = self._piece_of(await self.receive())
            if piece:
                return piece
        return b""

    def _piece_of(self, message: t.Any) -> bytes:
        self._check_that_it_comes()
        problem = _problem_of(message)
        if problem is not None:
            raise MalformedMessage(
                f"The server answered 'receive' with something that is no ASGI 3 event of a request: {problem}. The "
                f"likely cause is middleware that has changed it."
            )
        if message["type"] == "http.disconnect":
            self.is_cut_off = True
            return b""
        if not message.get("more_body", False):
            self.is_complete = True
            completed, self.completed = self.completed, None
            if completed is not None:
                completed()
        piece: bytes = message.get("body", b"")
        return piece

    def _check_that_it_can_be_read(self) -> None:
        if self._problem is not None:
            raise NotKept(self._problem)
        if self.closed:
            raise RuntimeError(_CLOSED)

    def _check_that_it_comes(self) -> None:
        if self.is_dropped:
            raise RuntimeError(_DROPPED)

    @property
    def is_large(self) -> bool:
        """Whether a form in it is parsed on a thread; only for a body that is complete."""
        return self._ahead > FORM_ON_LOOP

    def take(self, most: int) -> bytes | None:
        """Return what is left to be read, where the body is complete and in memory, and has ``most`` bytes at most.

        :param most: the number of bytes; ``None`` is returned for a larger body.
        """
        if not self.is_complete or self._rest or self.is_on_disk or self._ahead > most or self.closed:
            return None
        if "_file" in self.__dict__:
            return self._file.read()
        piece, self._whole = self._whole, b""
        return piece

    def rewind(self) -> None:
        """Go to the beginning; only for a body that is complete."""
        self._file.seek(0)

    def skip(self) -> None:
        """Go to the end; only for a body that is complete."""
        self._file.seek(0, io.SEEK_END)

    def read(self, size: int | None = -1) -> bytes:
        """Return up to ``size`` bytes, all that is left by default; wait for them where they have not come yet.

        :raises RuntimeError: on an event loop, where nothing can wait; and after the end of the request.
        """
        self._check_that_it_can_be_read()
        if self.is_complete and not self._rest:
            return self._file.read(-1 if size is None else size)
        if size is None or size < 0:
            return self.readall()
        return self._file.read(size) or self._taken(
            size, self._rest or (size and self._wait_for_next()) or b""
        )

    def readall(self) -> bytes:
        """Return all that is left; raises what :meth:`read` does."""
        pieces: list[bytes] = []
        while piece := self.read(PIECE):
            pieces.append(piece)
        return b"".join(pieces)

    def readline(self, size: int | None = -1) -> bytes:
        """Return the bytes up to the next line feed, and with it."""
        self._check_that_it_can_be_read()
        if self.is_complete and not self._rest:
            return self._file.readline(-1 if size is None else size)
        size = sys.maxsize if size is None or size < 0 else size
        line = [self._file.readline(size)]
        size -= len(line[0])
        while size and not line[-1].endswith(b"\n") and (piece := self._rest or self._wait_for_next()):
            # PERF: a pattern looks into a view without a copy of it.
            end = _LINE_FEED.search(piece)
            line.append(self._taken(min(size, len(piece) if end is None else end.end()), piece))
            size -= len(line[-1])
        return b"".join(line)

    def _taken(self, size: int, piece: bytes | memoryview) -> bytes:
        if len(piece) <= size:
            self._rest = b""
            return bytes(piece)
        # A view, as a piece that is read byte by byte must not be copied each time.
        view = memoryview(piece)
        self._rest = view[size:]
        return bytes(view[:size])

    def _wait_for_next(self) -> bytes:
        if self.is_complete:
            return b""
        if in_a_loop():
            raise RuntimeError(
                "The body of this request has not been received yet, and a plain read cannot wait for it on the event "
                "loop. The likely cause: the view is marked with 'stream_request_body', or the body is larger than "
                "MAX_CONTENT_LENGTH was when the view began. Read it with 'async for piece in request.stream', or "
                "call 'await request.receive_body()' first; then request.form, files, data and json work as always."
            )
        if self.loop is None or waits_for_hop():
            return run_coroutine(self._next())
        # A thread of somebody's own.
        return run_on_loop(self._next(), copy_context(), self.loop).result()

    async def areceive(self, size: int) -> bytes:
        """Return up to ``size`` bytes as soon as there are some, nothing at the end."""
        self._check_that_it_can_be_read()
        if self._on_thread is None:
            piece = self._file.read(size)
        else:
            piece = await self._on_thread(self._file.read, size)
        return piece or self._taken(size, self._rest or await self._next_here())

    def _next_here(self) -> t.Awaitable[bytes]:
        """Return the next piece as an awaitable for the loop that runs here, which may be another than the server's."""
        loop = asyncio.get_running_loop()
        if self.loop is None or self.loop is loop:
            return self._next()
        return asyncio.wrap_future(run_on_loop(self._next(), copy_context(), self.loop), loop=loop)

    def close(self) -> None:
        """Close the temporary file, if there is one, and the files of a form that was parsed ahead."""
        for file in self.files:
            file.close()
        if "_file" in self.__dict__:
            # It may be one that could not be written.
            with suppress(OSError):
                self._file.close()
        self.closed = True


class ReceivedFile(io.RawIOBase):
    """A body that ASGI sends as a file, for those who read the environment.

    :param body: the body.
    """

    def __init__(self, body: ReceivedBody) -> None:
        #: The body.
        self.body = body
        #: Returns up to so many bytes as soon as there are some.
        self.areceive = body.areceive

    @property
    def closed(self) -> bool:
        """Whether nothing can be read any more."""
        return self.body.closed or super().closed

    def readable(self) -> bool:
        """Return that this can be read."""
        return not self.closed

    def read(self, size: int | None = -1) -> bytes:
        """Return up to ``size`` bytes, all that is left by default; raises what :meth:`ReceivedBody.read` does."""
        return self.body.read(size)

    def readinto(self, buffer: t.Any) -> int:
        """Read into a buffer, and return the number of bytes."""
        piece = self.body.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def readline(self, size: int | None = -1) -> bytes:
        """Return the bytes up to the next line feed, and with it."""
        return self.body.readline(size)


def _problem_of(message: t.Any) -> str | None:
    """Return what is wrong with an event of the body, ``None`` where nothing is."""
    if not isinstance(message, dict):
        return f"it is {message!r}, not a dict"
    kind, body = message.get("type"), message.get("body", b"")
    if kind not in ("http.request", "http.disconnect"):
        return f"its 'type' is {kind!r}, not 'http.request' or 'http.disconnect'"
    if not isinstance(body, bytes):
        return f"its 'body' is of the type {type(body).__name__}, not bytes"
    return None
