"""Bodies of requests as they are read: in pieces, in lines, during the response, on threads of one's own."""

from __future__ import annotations

import asyncio
import io
import tempfile
import threading
import typing as t

import pytest
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from asgi_calls import PATIENCE, Call, answer, body_messages, happens, on_a_loop
from erlen import (
    Erlen,
    Request,
    copy_current_request_context,
    request,
    stream_request_body,
    stream_with_context,
)
from erlen.bodies import LimitedBody, ReceivedBody, ReceivedFile
from erlen.forms import FormParser

#: More pieces than fit into the limit of ``make_app``.
PIECES = [bytes([65 + number]) * 600 for number in range(6)]


def make_app(name: str = "bodies") -> Erlen:
    app = Erlen(name, root_path=".")
    app.config.update(MAX_CONTENT_LENGTH=1000, PROPAGATE_EXCEPTIONS=True)
    return app


def add_echo(app: Erlen, kind: str, says: str) -> None:
    """Add a view that reads its body while it sends it, and the way in which it says so before."""

    def begin() -> None:
        if says == "limit":
            request.max_content_length = 10**9
        elif says == "stream":
            assert request.stream.readable()

    def plain() -> t.Any:
        begin()

        def pieces() -> t.Iterator[bytes]:
            request.max_content_length = 10**9
            while piece := request.stream.read(100_000):
                yield piece

        return stream_with_context(pieces())

    async def asynchronous() -> t.Any:
        begin()

        async def pieces() -> t.AsyncIterator[bytes]:
            request.max_content_length = 10**9
            async for piece in request.stream:
                yield piece

        return stream_with_context(pieces())

    view: t.Any = plain if kind == "plain" else asynchronous
    app.post("/", endpoint="echo")(stream_request_body(view) if says == "decorator" else view)


# While the response is sent


@pytest.mark.parametrize("says", ["limit", "decorator"])
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_body_that_is_read_while_the_response_is_sent_is_whole(kind: str, says: str) -> None:
    app = make_app()
    add_echo(app, kind, says)
    assert (await answer(app, body=PIECES)).text.encode() == b"".join(PIECES)


@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_stream_that_a_view_has_asked_for_may_be_read_while_the_response_is_sent(kind: str) -> None:
    app = make_app()

    @app.before_request
    def lift_the_limit() -> None:
        # After the body was received up to it.
        app.config["MAX_CONTENT_LENGTH"] = None

    add_echo(app, kind, "stream")
    assert (await answer(app, body=PIECES)).text.encode() == b"".join(PIECES)


@pytest.mark.parametrize("says", ["limit", "decorator"])
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_body_of_an_application_inside_another_is_whole_while_the_response_is_sent(
    kind: str, says: str
) -> None:
    outer, inner = make_app("outer"), make_app("inner")
    add_echo(inner, kind, says)
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/in": inner})  # type: ignore[method-assign, assignment]
    assert (await answer(outer, "/in/", body=PIECES)).text.encode() == b"".join(PIECES)


@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_body_that_was_dropped_when_the_response_started_is_not_read_in_part(kind: str) -> None:
    app = make_app()
    add_echo(app, kind, "nothing")
    call = Call(app, body=PIECES)
    with pytest.raises(RuntimeError, match="put '@stream_request_body' below the route decorator"):
        await call.run()
    # Nothing of what came later is taken for what comes next.
    assert b"".join(PIECES).startswith(b"".join(call.pieces))


@on_a_loop
async def test_client_that_goes_while_it_is_refused_piece_by_piece_is_noticed() -> None:
    """The rest of a body that was too large is dropped, though a part of it was read."""
    app, closed = make_app(), list[str]()

    @app.errorhandler(413)
    async def refuse(error: Exception) -> t.Any:
        async def pieces() -> t.AsyncIterator[str]:
            try:
                yield "refused"
                await asyncio.Event().wait()
            finally:
                closed.append("closed")

        return pieces()

    @app.post("/")
    async def index() -> bytes:
        return b"".join([piece async for piece in request.stream])

    call = Call(app, body=PIECES)
    task = call.start()
    await call.until_pieces(1)
    call.go_away()
    await task
    assert closed == ["closed"]


# Lines


class Reads(io.BytesIO):
    """A server's stream, which counts how often it is asked for bytes."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        self.count += 1
        return super().read(size)

    def readline(self, size: int | None = -1) -> bytes:
        self.count += 1
        return super().readline(size)


LINES = [b"x" * 79 + b"\n"] * 100


def test_lines_of_a_body_without_a_length_are_read_as_lines() -> None:
    stream = Reads(b"".join(LINES) + b"end")
    assert [*LimitedBody(stream, 10_000)] == [*LINES, b"end"]
    assert stream.count == len(LINES) + 2


def test_lines_of_a_body_without_a_length_have_parts() -> None:
    body = LimitedBody(io.BytesIO(b"first\nsecond"), 100)
    assert [body.readline(3), body.readline(3), body.readline(0), body.readline(None)] == [
        b"fir",
        b"st\n",
        b"",
        b"second",
    ]


@pytest.mark.parametrize("content", [b"x" * 11, b"line\n" * 3])
def test_lines_of_a_body_that_is_too_large_are_refused(content: bytes) -> None:
    stream = Reads(content)
    with pytest.raises(RequestEntityTooLarge):
        list(LimitedBody(stream, 10))
    assert stream.tell() == 11


def test_line_of_a_client_that_is_gone() -> None:
    stream = io.BytesIO(b"line")
    stream.close()
    with pytest.raises(ClientDisconnected):
        LimitedBody(stream, 10).readline()


class CountedBody(ReceivedBody):
    count = 0

    def read(self, size: int | None = -1) -> bytes:
        self.count += 1
        return super().read(size)


def received(*pieces: bytes) -> CountedBody:
    events = iter(body_messages(*pieces))

    async def receive() -> t.Any:
        return next(events)

    return CountedBody(receive)


def test_lines_of_a_body_that_still_comes_are_found_in_its_pieces() -> None:
    whole = b"".join(LINES) + b"end"
    body = received(*[whole[start : start + 1001] for start in range(0, len(whole), 1001)])
    assert [*ReceivedFile(body)] == [*LINES, b"end"]
    assert body.count == 0


def test_lines_of_a_body_that_still_comes_have_parts() -> None:
    body = received(b"fi", b"rst\nsec", b"ond")
    assert [body.readline(1), body.readline(3), body.read(1), body.readline(9), body.readline(None)] == [
        b"f",
        b"irs",
        b"t",
        b"\n",
        b"second",
    ]


@on_a_loop
async def test_lines_of_a_body_of_which_a_part_was_received_ahead() -> None:
    app = make_app()

    @app.post("/")
    def index() -> t.Any:
        request.max_content_length = 10**9
        return [line.decode() for line in request.stream]

    lines = [f"{number:0700}\n" for number in range(5)]
    whole = "".join(lines).encode()
    call = await answer(app, body=[whole[:900], whole[900:1800], whole[1800:]])
    assert call.json == lines


@on_a_loop
async def test_last_line_of_a_body_on_the_loop_needs_not_to_be_waited_for() -> None:
    body = received(b"line\nmore", b" and end")
    assert await body.areceive(2) == b"li"
    assert await body.areceive(3) == b"ne\n"
    assert await body.areceive(9) == b"more"
    assert await body.areceive(3) == b" an"
    assert [*ReceivedFile(body)] == [b"d end"]


# Elsewhere than in the view


@pytest.mark.parametrize("reads", ["plainly", "on a loop of its own", "at once on a loop of its own"])
@on_a_loop
async def test_body_that_still_comes_is_read_in_a_thread_of_its_own(reads: str) -> None:
    app, begun = make_app(), threading.Event()

    async def collect() -> bytes:
        if reads.startswith("at once"):
            await request.receive_body()
        return b"".join([piece async for piece in request.stream])

    @app.post("/")
    @stream_request_body
    def index() -> bytes:
        request.max_content_length = 10**9
        results = list[bytes]()

        @copy_current_request_context
        def work() -> None:
            begun.set()
            results.append(request.stream.read() if reads == "plainly" else asyncio.run(collect()))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join(PATIENCE)
        return results[0]

    first, *rest = body_messages(*PIECES)
    call = Call(app, events=[first], body=PIECES)
    task = call.start()
    await happens(begun)
    # Whoever waits for it by now waits on this loop.
    call.add(*rest)
    assert (await task).text.encode() == b"".join(PIECES)


@pytest.mark.parametrize("limit", [None, 1000])
@pytest.mark.parametrize("read", ["request.stream.read()", "request.stream.readline()", "request.get_data()"])
@on_a_loop
async def test_body_that_is_read_after_the_response_is_not_the_clients_fault(
    read: str, limit: int | None
) -> None:
    app, answered = make_app(), threading.Event()
    app.config["MAX_CONTENT_LENGTH"] = limit
    futures = list[t.Any]()

    @app.post("/")
    def index() -> str:
        def work() -> None:
            answered.wait(PATIENCE)
            eval(read)

        futures.append(app.spawn(work))
        return "text"

    await answer(app, body=b"body")
    answered.set()
    with pytest.raises(RuntimeError, match="was read after its response had been sent"):
        await asyncio.wrap_future(futures[0])


# What goes wrong with it


class FullDisk(io.BytesIO):
    """A file on a disk that is full."""

    def write(self, data: t.Any) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("pieces", [1, 4, 20])
@on_a_loop
async def test_body_that_cannot_be_written_to_disk_is_an_error_of_who_reads_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str, pieces: int
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", FullDisk)
    app, told = make_app(), list[str]()
    app.config.update(MAX_CONTENT_LENGTH=None, PROPAGATE_EXCEPTIONS=False)

    def plain() -> t.Any:
        # Each time anew.
        for read in (request.get_data, request.stream.read, request.stream.readline):
            with pytest.raises(RuntimeError) as caught:
                read()
            told.append(str(caught.value))
        return request.get_data()

    async def asynchronous() -> t.Any:
        if pieces > 1:
            with pytest.raises(RuntimeError, match="No space left on device"):
                await request.receive_body()
        return plain()

    app.post("/", endpoint="index")(plain if kind == "plain" else asynchronous)
    app.add_url_rule("/other", "other", lambda: "text", methods=["POST"])
    body = [bytes(65536 * 40 // pieces)] * pieces + [b""]
    assert (await answer(app, body=body)).status == 500
    assert len(set(told)) == 1 and told[0] == (
        "The body of this request is larger than 1114112 bytes, and could not be written to a temporary file: [Errno 28] No "
        "space left on device. Free some space, or let the environment variable TMPDIR name a folder on another disk."
    )
    assert "Exception on / [POST]" in caplog.text
    assert (await answer(app, "/other", body=body)).text == "text"


class CountingParser(FormParser):
    threads: t.ClassVar[list[bool]] = []

    def parse(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        self.threads.append(threading.current_thread() is threading.main_thread())
        return super().parse(*args, **kwargs)


@pytest.mark.parametrize("changes", [False, True])
@on_a_loop
async def test_large_form_that_is_refused_is_parsed_once(changes: bool) -> None:
    app = make_app()
    app.config["MAX_CONTENT_LENGTH"] = None
    app.request_class = type("OwnRequest", (Request,), {"form_data_parser_class": CountingParser})
    CountingParser.threads.clear()

    @app.post("/")
    async def index() -> str:
        if changes:
            request.max_form_memory_size = 10**9
        return str(len(request.form["a"]))

    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    call = await answer(app, body=b"a=" + b"x" * 600_000, headers=headers)
    if changes:
        assert (call.status, call.text) == (200, "600000")
        assert CountingParser.threads == [False, True]
    else:
        assert call.status == 413
        assert CountingParser.threads == [False]


@pytest.mark.parametrize("profile", ["safe", "flask"])
@pytest.mark.parametrize("how", ["length", "chunked", "received"])
@on_a_loop
async def test_refusal_of_a_body_says_what_the_limit_is(how: str, profile: t.Any) -> None:
    app = Erlen("bodies", root_path=".", profile=profile)
    app.config["MAX_CONTENT_LENGTH"] = 1000

    @app.post("/")
    async def index() -> bytes:
        if how == "received":
            await request.receive_body()
        return request.get_data()

    call = await answer(app, body=b"".join(PIECES) if how != "chunked" else PIECES)
    assert call.status == 413
    assert ("larger than the 1000 bytes that are accepted" in call.text) is (profile == "safe")


@pytest.mark.parametrize("profile", ["safe", "flask"])
@on_a_loop
async def test_limit_of_a_request_that_is_none_is_that_of_the_configuration_as_in_flask(
    profile: t.Any,
) -> None:
    app = Erlen("bodies", root_path=".", profile=profile)
    app.config["MAX_CONTENT_LENGTH"] = 1000

    @app.post("/")
    async def index() -> bytes:
        request.max_content_length = None
        assert request.max_content_length == 1000
        return request.get_data()

    assert (await answer(app, body=PIECES)).status == 413
