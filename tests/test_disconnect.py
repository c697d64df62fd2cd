"""Clients that go away, at every step: what runs is cancelled or closed, what has to run at the end runs once.

Servers say so through ``receive``; from version 2.4 of the specification on, ``send`` may raise ``OSError`` as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import typing as t
import weakref

import pytest

from asgi_calls import DISCONNECT, PATIENCE, Call, answer, body_messages, gone, happens, on_a_loop
from asgi_validator import Message
from erlen import (
    Erlen,
    Request,
    Response,
    appcontext_tearing_down,
    copy_current_request_context,
    g,
    has_app_context,
    request,
    request_tearing_down,
    stream_request_body,
    stream_with_context,
)
from erlen.ctx import context_var
from erlen.testing import ErlenClient


class Overriding(Erlen):
    """An application that has replaced a phase, so that all of them run plainly."""

    def dispatch_request(self) -> t.Any:
        return super().dispatch_request()


class Wrapped:
    """Middleware around ``wsgi_app`` that changes nothing."""

    def __init__(self, application: t.Any) -> None:
        self.application = application

    def __call__(self, environ: t.Any, start_response: t.Any) -> t.Any:
        return self.application(environ, start_response)


#: The ways in which a request with something async in it goes over ASGI.
WAYS = ("async spelling", "plain spelling", "middleware")

#: What both teardowns of an application write, once each.
ONCE = ["request", "context"]


def make_app(way: str, log: list[str]) -> Erlen:
    """Make an application whose teardown functions write into the log, and with a view that is always fine."""
    app = (Overriding if way == "plain spelling" else Erlen)("disconnecting", root_path=".")
    app.config.update(PROPAGATE_EXCEPTIONS=True)
    if way == "middleware":
        app.wsgi_app = Wrapped(app.wsgi_app)  # type: ignore[method-assign, assignment]

    @app.teardown_request
    async def tear_down(exc: BaseException | None) -> None:
        await asyncio.sleep(0)
        if request.path != "/fine":
            log.append("request")

    @app.teardown_appcontext
    def tear_down_context(exc: BaseException | None) -> None:
        if request.path != "/fine":
            log.append("context")

    app.add_url_rule("/fine", "fine", lambda: "fine", methods=["GET", "POST"])
    return app


async def still_fine(app: Erlen) -> bool:
    """Return whether nothing is left here and the next request is answered."""
    assert not has_app_context()
    return (await answer(app, "/fine", body=b"body")).text == "fine"


# While the body comes


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("pieces", [0, 1, 3])
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_client_goes_while_its_body_comes(kind: str, pieces: int, way: str) -> None:
    """Nothing has begun, so nothing has to end."""
    log: list[str] = []
    app = make_app(way, log)

    def plain() -> str:
        log.append("view")
        return "text"

    async def asynchronous() -> str:
        return plain()

    app.add_url_rule(
        "/", "index", t.cast("t.Any", plain if kind == "plain" else asynchronous), methods=["POST"]
    )
    came = body_messages(*[b"x"] * pieces, b"last")[:-1]
    call = Call(app, method="POST", headers=[(b"content-length", b"9")], events=[*came, DISCONNECT])
    await call.run()
    assert call.sent == [] and log == []
    assert await still_fine(app)


@on_a_loop
async def test_client_goes_while_a_large_body_is_written_to_disk() -> None:
    log: list[str] = []
    app = make_app("async spelling", log)
    app.add_url_rule("/", "index", lambda: "never", methods=["POST"])
    came = body_messages(*[bytes(65536)] * 30)[:-1]
    call = Call(app, method="POST", headers=[(b"transfer-encoding", b"chunked")], events=[*came, DISCONNECT])
    await call.run()
    assert call.sent == [] and log == [] and await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_client_goes_while_an_async_view_reads_its_body(way: str) -> None:
    log: list[str] = []
    app = make_app(way, log)

    @app.post("/")
    @stream_request_body
    async def index() -> str:
        try:
            async for piece in request.stream:
                log.append(piece.decode())
        finally:
            log.append("cleaned up")
        return "never"

    events = [*body_messages(b"a", b"b", b"c")[:-1], DISCONNECT]
    call = Call(app, method="POST", headers=[(b"content-length", b"9")], events=events)
    await call.run()
    assert log == ["a", "b", "cleaned up", *ONCE]
    # The error of the client is answered as such, though nobody hears it.
    assert not call.sent or call.status == 400
    assert await still_fine(app)


@on_a_loop
async def test_client_goes_while_a_plain_view_reads_its_body() -> None:
    log: list[str] = []
    app = make_app("async spelling", log)

    @app.post("/")
    @stream_request_body
    def index() -> str:
        try:
            while piece := request.stream.read(1):
                log.append(piece.decode())
        finally:
            log.append("cleaned up")
        return "never"

    events = [*body_messages(b"a", b"b", b"c")[:-1], DISCONNECT]
    await Call(app, method="POST", headers=[(b"content-length", b"9")], events=events).run()
    assert log == ["a", "b", "cleaned up", *ONCE] and await still_fine(app)


@pytest.mark.parametrize("reads", ["receive_body", "get_data", "form", "get_json"])
@on_a_loop
async def test_client_goes_while_a_view_receives_what_is_left(reads: str) -> None:
    log: list[str] = []
    app = make_app("async spelling", log)

    @app.post("/")
    @stream_request_body
    async def index() -> str:
        try:
            await request.receive_body()
        finally:
            log.append("cleaned up")
        return "never"

    @app.post("/plain")
    @stream_request_body
    def plain() -> str:
        try:
            str(request.form if reads == "form" else getattr(request, reads)())
        finally:
            log.append("cleaned up")
        return "never"

    kinds = {"form": b"application/x-www-form-urlencoded", "get_json": b"application/json"}
    headers = [(b"content-length", b"9"), (b"content-type", kinds.get(reads, b"text/plain"))]
    events = [*body_messages(b"a", b"b", b"c")[:-1], DISCONNECT]
    path = "/" if reads == "receive_body" else "/plain"
    await Call(app, path, method="POST", headers=headers, events=events).run()
    assert log == ["cleaned up", *ONCE] and await still_fine(app)


@on_a_loop
async def test_client_that_went_while_its_body_came_is_told_of_each_time() -> None:
    from werkzeug.exceptions import ClientDisconnected

    log: list[str] = []
    app = make_app("async spelling", log)

    @app.post("/")
    @stream_request_body
    async def index() -> str:
        for _ in range(3):
            with pytest.raises(ClientDisconnected):
                await request.receive_body()
        return "read"

    events = [*body_messages(b"a", b"b")[:-1], DISCONNECT]
    call = Call(app, method="POST", headers=[(b"content-length", b"9")], events=events)
    await call.run()
    # It is asked for once, and not again.
    assert call.receives == 2 and log == ONCE


# Before and while an async view waits


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_client_is_gone_before_an_async_view_waits(way: str) -> None:
    log: list[str] = []
    app = make_app(way, log)

    @app.get("/")
    async def index() -> str:
        log.append("view")
        await asyncio.Event().wait()
        return "never"

    call = Call(app, events=[DISCONNECT])
    await call.run()
    assert call.sent == [] and log == ["view", *ONCE] and await still_fine(app)


@pytest.mark.parametrize("has_body", [True, False])
@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_client_goes_while_an_async_view_waits(way: str, has_body: bool) -> None:
    log: list[str] = []
    app, waits = make_app(way, log), asyncio.Event()

    @app.route("/", methods=["GET", "POST"])
    async def index() -> str:
        try:
            waits.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            log.append(f"cancelled, as {error}")
            raise
        return "never"

    call = Call(app, body=b"body" if has_body else None)
    task = call.start()
    await waits.wait()
    call.go_away()
    # For the server this is the ordinary end of a request.
    await task
    assert call.sent == []
    assert log[0].startswith("cancelled, as") and log[1:] == ONCE
    assert t.cast("t.Any", asyncio.current_task()).cancelling() == 0
    assert await still_fine(app)


@pytest.mark.parametrize("step", ["before", "after", "error handler"])
@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_client_goes_while_an_async_hook_waits(way: str, step: str) -> None:
    log: list[str] = []
    app, waits = make_app(way, log), asyncio.Event()

    async def wait(*args: t.Any) -> None:
        if request.path != "/fine":
            waits.set()
            await asyncio.Event().wait()

    async def wait_after(response: Response) -> Response:
        await wait()
        return response

    async def handle(error: Exception) -> str:
        await wait()
        return "never"

    def index() -> str:
        if step == "error handler":
            raise LookupError
        return "text"

    if step == "before":
        app.before_request(wait)
    elif step == "after":
        app.after_request(wait_after)
    app.register_error_handler(LookupError, handle)
    app.add_url_rule("/", "index", index)
    call = Call(app)
    task = call.start()
    await waits.wait()
    call.go_away()
    await task
    assert call.sent == [] and log == ONCE and await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("body", ["whole", "stream", "stream with context"])
@on_a_loop
async def test_client_that_goes_during_a_teardown_function_does_not_cancel_it(body: str, way: str) -> None:
    """What it gives back, a connection of a pool for example, others need."""
    log: list[str] = []
    app = make_app(way, log)

    async def generate() -> t.AsyncIterator[str]:
        try:
            yield "a"
            if body == "stream":
                await asyncio.Event().wait()
        finally:
            log.append("closed")

    @app.get("/")
    async def index() -> t.Any:
        await asyncio.sleep(0)
        bodies: dict[str, t.Callable[[], t.Any]] = {
            "whole": lambda: "text",
            "stream": generate,
            "stream with context": lambda: stream_with_context(generate()),
        }
        return bodies[body]()

    @app.teardown_request
    async def give_back(exc: BaseException | None) -> None:
        if request.path == "/fine":
            return
        call.go_away()
        for _ in range(10):
            await asyncio.sleep(0)
        log.append("given back")

    call = Call(app)
    await call.run()
    expected = {
        "whole": ["given back", *ONCE],
        # One that has not begun has nothing to close.
        "stream": ["given back", *ONCE, *(["closed"] if call.pieces else [])],
        "stream with context": ["closed", "given back", *ONCE],
    }
    assert log == expected[body] and await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_server_that_cancels_as_well_is_told_so(way: str) -> None:
    log: list[str] = []
    app, waits = make_app(way, log), asyncio.Event()

    @app.get("/")
    async def index() -> str:
        waits.set()
        try:
            await asyncio.Event().wait()
        finally:
            # The client goes first, then the server stops.
            task.cancel()
        return "never"

    call = Call(app)
    task = call.start()
    await waits.wait()
    call.go_away()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ONCE and await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_view_may_answer_though_its_client_is_gone(way: str) -> None:
    log: list[str] = []
    app, waits = make_app(way, log), asyncio.Event()

    @app.get("/")
    async def index() -> str:
        waits.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("goes on")
        await asyncio.sleep(0)
        return "all the same"

    call = Call(app)
    task = call.start()
    await waits.wait()
    call.go_away()
    await task
    assert call.text == "all the same" and log == ["goes on", *ONCE] and await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_stream_of_a_view_that_has_learned_that_its_client_is_gone_is_closed(
    kind: str, way: str
) -> None:
    log: list[str] = []
    app, waits = make_app(way, log), asyncio.Event()

    def generate() -> t.Iterator[str]:
        # Ends where the test has to fail.
        yield from "a" * 1000

    async def agenerate() -> t.AsyncIterator[str]:
        for piece in generate():
            yield piece

    @app.get("/")
    async def index() -> Response:
        waits.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        stream: t.Any = generate() if kind == "plain" else agenerate()
        response = Response(stream_with_context(stream))
        response.call_on_close(lambda: log.append("closed"))
        return response

    call = Call(app)
    task = call.start()
    await waits.wait()
    call.go_away()
    await task
    assert call.sent == [] and log == [*ONCE, "closed"] and await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_view_that_fails_when_its_client_goes(way: str) -> None:
    log: list[str] = []
    app, waits = make_app(way, log), asyncio.Event()

    @app.get("/")
    async def index() -> str:
        waits.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError("while cleaning up")

    @app.errorhandler(LookupError)
    def handle(error: LookupError) -> str:
        log.append("handled")
        return "handled"

    call = Call(app)
    task = call.start()
    await waits.wait()
    call.go_away()
    await task
    assert log == ["handled", *ONCE] and await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_tasks_of_a_view_are_its_own_affair(way: str) -> None:
    """A task group is cancelled with its view, a task that was set free is not."""
    log: list[str] = []
    app, waits, may_end = make_app(way, log), asyncio.Event(), asyncio.Event()
    free: list[asyncio.Task[None]] = []

    async def wait(name: str) -> None:
        try:
            waits.set()
            await may_end.wait()
            log.append(f"{name} ended")
        except asyncio.CancelledError:
            log.append(f"{name} cancelled")
            raise

    @app.get("/")
    async def index() -> str:
        free.append(asyncio.create_task(wait("free")))
        async with asyncio.TaskGroup() as group:
            group.create_task(wait("member"))
        return "never"

    call = Call(app)
    task = call.start()
    await waits.wait()
    await asyncio.sleep(0)
    call.go_away()
    await task
    assert log == ["member cancelled", *ONCE]
    may_end.set()
    await free[0]
    assert log[-1] == "free ended"


# During a plain view


@pytest.mark.parametrize("body", ["whole", "stream", "async stream"])
@on_a_loop
async def test_client_goes_during_a_plain_view(body: str) -> None:
    """Nobody can stop a thread. What the view returns is sent, or closed."""
    log: list[str] = []
    app = make_app("async spelling", log)
    begun, may_go_on = threading.Event(), threading.Event()

    def generate() -> t.Iterator[str]:
        try:
            yield "a"
            threading.Event().wait(0.001)
            yield "b"
        finally:
            log.append("closed")

    async def agenerate() -> t.AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            log.append("closed")

    @app.get("/")
    def index() -> t.Any:
        begun.set()
        assert may_go_on.wait(PATIENCE)
        log.append("view")
        streams: dict[str, t.Callable[[], t.Any]] = {"stream": generate, "async stream": agenerate}
        return "text" if body == "whole" else stream_with_context(streams[body]())

    call = Call(app)
    task = call.start()
    await happens(begun)
    call.go_away()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    may_go_on.set()
    await task
    closed = ["closed"] if "closed" in log else []
    assert log == ["view", *closed, *ONCE] and await still_fine(app)
    # One that has begun was closed, and one that has not has nothing to close.
    assert body == "whole" or closed or not call.pieces


@pytest.mark.parametrize("calls", [True, False])
@pytest.mark.parametrize("way", ["plain spelling", "middleware"])
@on_a_loop
async def test_client_goes_between_two_coroutines_of_a_worker_thread(way: str, calls: bool) -> None:
    """The next one is cancelled, and a teardown function is not the next one."""
    log: list[str] = []
    app = make_app(way, log)
    begun, may_go_on = threading.Event(), threading.Event()

    async def first() -> None:
        await asyncio.sleep(0)

    async def second() -> None:
        log.append("second")
        await asyncio.Event().wait()

    @app.get("/")
    def index() -> str:
        app.ensure_sync(first)()
        begun.set()
        assert may_go_on.wait(PATIENCE)
        if calls:
            app.ensure_sync(second)()
        return "never"

    call = Call(app)
    task = call.start()
    await happens(begun)
    call.go_away()
    for _ in range(5):
        await asyncio.sleep(0)
    may_go_on.set()
    await task
    assert call.sent == [] and log == [*(["second"] if calls else []), *ONCE] and await still_fine(app)


@pytest.mark.parametrize("way", ["plain spelling", "middleware"])
@on_a_loop
async def test_server_that_cancels_what_went_on_without_its_client_is_told_so(way: str) -> None:
    log: list[str] = []
    app, waits = make_app(way, log), asyncio.Event()
    begun, may_go_on = threading.Event(), threading.Event()

    async def wait() -> None:
        waits.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        log.append("goes on")

    @app.get("/")
    def index() -> str:
        app.ensure_sync(wait)()
        begun.set()
        assert may_go_on.wait(PATIENCE)
        return "never"

    call = Call(app)
    task = call.start()
    await waits.wait()
    call.go_away()
    await happens(begun)
    task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert call.sent == [] and log == ["goes on", *ONCE] and await still_fine(app)


@on_a_loop
async def test_client_goes_during_a_plain_hook_of_an_async_view() -> None:
    log: list[str] = []
    app = make_app("async spelling", log)
    begun, may_go_on = threading.Event(), threading.Event()

    @app.before_request
    def before() -> None:
        if request.path != "/fine":
            begun.set()
            assert may_go_on.wait(PATIENCE)
            log.append("before")

    @app.get("/")
    async def index() -> str:
        log.append("view")
        return "never"

    call = Call(app)
    task = call.start()
    await happens(begun)
    call.go_away()
    for _ in range(5):
        await asyncio.sleep(0)
    may_go_on.set()
    await task
    assert log == ["before", *ONCE] and call.sent == [] and await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("keeps_context", [True, False])
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_stream_of_a_plain_view_whose_client_went_meanwhile_is_closed(
    kind: str, keeps_context: bool, way: str
) -> None:
    """Whether that is known when the view is done, or when its stream is sent."""
    log: list[str] = []
    app = make_app(way, log)

    def generate() -> t.Iterator[str]:
        for number in range(10_000):
            yield str(number)

    async def agenerate() -> t.AsyncIterator[str]:
        for number in range(10_000):
            await asyncio.sleep(0)
            yield str(number)

    @app.get("/")
    def index() -> Response:
        call.go_away()
        stream: t.Any = generate() if kind == "plain" else agenerate()
        response = Response(stream_with_context(stream) if keeps_context else stream)
        response.call_on_close(lambda: log.append("closed"))
        return response

    call = Call(app)
    await call.run()
    assert not call.is_complete and sorted(log) == sorted(["closed", *ONCE]) and await still_fine(app)


@pytest.mark.parametrize("hook", ["plain", "async"])
@on_a_loop
async def test_client_goes_while_a_hook_waits_that_has_the_response(hook: str) -> None:
    """The response is closed once, by whoever has it."""
    log: list[str] = []
    app = make_app("async spelling", log)
    waits, begun, may_go_on = asyncio.Event(), threading.Event(), threading.Event()

    def generate() -> t.Iterator[str]:
        yield "never"

    @app.get("/")
    async def index() -> Response:
        response = Response(stream_with_context(generate()))
        response.call_on_close(lambda: log.append("closed"))
        return response

    def after(response: Response) -> Response:
        if request.path != "/fine":
            begun.set()
            assert may_go_on.wait(PATIENCE)
        return response

    async def aafter(response: Response) -> Response:
        if request.path != "/fine":
            waits.set()
            await asyncio.Event().wait()
        return response

    app.after_request(t.cast("t.Any", after if hook == "plain" else aafter))
    call = Call(app)
    task = call.start()
    await (happens(begun) if hook == "plain" else waits.wait())
    call.go_away()
    for _ in range(5):
        await asyncio.sleep(0)
    may_go_on.set()
    await task
    assert call.sent == [] and sorted(log) == sorted(["closed", *ONCE]) and await still_fine(app)


@on_a_loop
async def test_client_goes_during_a_plain_hook_that_answers() -> None:
    log: list[str] = []
    app = make_app("async spelling", log)
    begun, may_go_on = threading.Event(), threading.Event()

    def generate() -> t.Iterator[str]:
        yield "never"

    @app.before_request
    def before() -> Response | None:
        if request.path == "/fine":
            return None
        begun.set()
        assert may_go_on.wait(PATIENCE)
        response = Response(stream_with_context(generate()))
        response.call_on_close(lambda: log.append("closed"))
        return response

    call = Call(app)
    task = call.start()
    await happens(begun)
    call.go_away()
    for _ in range(5):
        await asyncio.sleep(0)
    may_go_on.set()
    await task
    assert call.sent == [] and sorted(log) == sorted(["closed", *ONCE]) and await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_copy_of_the_context_that_ends_meanwhile_hides_no_client_that_goes(way: str) -> None:
    log: list[str] = []
    app, waits = make_app(way, log), asyncio.Event()

    @app.get("/")
    async def index() -> str:
        @copy_current_request_context
        async def work() -> None:
            log.append("work")

        await asyncio.create_task(work())
        waits.set()
        await asyncio.Event().wait()
        return "never"

    call = Call(app)
    task = call.start()
    await waits.wait()
    call.go_away()
    await task
    assert log == ["work", *ONCE, *ONCE] and await still_fine(app)


# During a stream


def streaming(app: Erlen, log: list[str], kind: str, keeps_context: bool) -> asyncio.Event:
    """Register a view that streams three pieces and then waits; return what is set by then."""
    waits = asyncio.Event()
    loop = asyncio.get_running_loop()

    def seen() -> str:
        return f"{request.path}{g.name}" if keeps_context else str(has_app_context())

    def generate() -> t.Iterator[str]:
        try:
            yield f"{seen()} "
            yield f"{seen()} "
            loop.call_soon_threadsafe(waits.set)
            while True:
                yield "more "
        finally:
            log.append(f"generator closed {seen()}")

    async def agenerate() -> t.AsyncIterator[str]:
        try:
            yield f"{seen()} "
            yield f"{seen()} "
            waits.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            log.append(f"generator closed {seen()}")

    @app.get("/")
    async def index() -> Response:
        g.name = "g"
        stream: t.Any = generate() if kind == "plain" else agenerate()
        response = Response(stream_with_context(stream) if keeps_context else stream)
        response.call_on_close(lambda: log.append("response closed"))
        return response

    return waits


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("keeps_context", [True, False])
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_client_goes_during_a_stream(kind: str, keeps_context: bool, way: str) -> None:
    log: list[str] = []
    app = make_app(way, log)
    waits = streaming(app, log, kind, keeps_context)
    call = Call(app)
    task = call.start()
    await waits.wait()
    call.go_away()
    await task
    shown = "/g" if keeps_context else "False"
    assert call.text.startswith(f"{shown} {shown} ") and not call.is_complete
    closed = f"generator closed {shown}"
    assert log == ([closed, *ONCE] if keeps_context else [*ONCE, closed]) + ["response closed"]
    assert await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("keeps_context", [True, False])
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_client_goes_while_the_server_takes_no_more(kind: str, keeps_context: bool, way: str) -> None:
    log: list[str] = []
    app = make_app(way, log)
    streaming(app, log, kind, keeps_context)
    call = Call(app)

    async def take(message: Message) -> None:
        if message.get("body"):
            await asyncio.Event().wait()

    call.on_send = take
    task = call.start()
    await call.until_pieces(1)
    call.go_away()
    await task
    assert len(call.pieces) == 1 and not call.is_complete
    shown = "/g" if keeps_context else "False"
    assert sorted(log) == sorted([*ONCE, f"generator closed {shown}", "response closed"])
    assert await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_client_goes_before_the_first_piece(kind: str, way: str) -> None:
    """A generator that has not begun has nothing to close; its context ends nevertheless."""
    log: list[str] = []
    app = make_app(way, log)
    streaming(app, log, kind, keeps_context=True)
    call = Call(app)

    async def take(message: Message) -> None:
        await asyncio.Event().wait()

    call.on_send = take
    task = call.start()
    await call.until(lambda: bool(call.sent))
    call.go_away()
    await task
    assert call.pieces == [] and log == [*ONCE, "response closed"] and await still_fine(app)


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt])
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_stream_that_fails_when_it_is_closed(kind: str, error: type[BaseException]) -> None:
    log: list[str] = []
    app = make_app("async spelling", log)

    def generate() -> t.Iterator[str]:
        try:
            while True:
                yield "a"
        finally:
            log.append("failing")
            raise error("while closing")

    async def agenerate() -> t.AsyncIterator[str]:
        try:
            while True:
                yield "a"
        finally:
            log.append("failing")
            raise error("while closing")

    @app.get("/")
    async def index() -> Response:
        stream: t.Any = generate() if kind == "plain" else agenerate()
        response = Response(stream_with_context(stream))
        response.call_on_close(lambda: log.append("response closed"))
        return response

    call = Call(app)

    async def take(message: Message) -> None:
        if message.get("body"):
            await asyncio.Event().wait()

    call.on_send = take
    task = asyncio.ensure_future(failure_of(call))
    await call.until_pieces(1)
    call.go_away()
    raised = await task
    assert isinstance(raised, error)
    # Whatever a generator does, the context ends; so does the response where Werkzeug's own close gets that far.
    assert log[:3] == ["failing", *ONCE]
    assert kind == "plain" or log[3:] == ["response closed"]
    assert await still_fine(app)


async def failure_of(call: Call) -> BaseException | None:
    """Make a call and return what it raises."""
    try:
        await call.run()
    except BaseException as error:
        return error
    return None


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_generator_that_is_slow_to_close_is_waited_for(way: str) -> None:
    log: list[str] = []
    app, closing, may_close = make_app(way, log), asyncio.Event(), asyncio.Event()

    @app.get("/")
    async def index() -> t.Any:
        async def generate() -> t.AsyncIterator[str]:
            try:
                while True:
                    yield "a"
                    await asyncio.sleep(0)
            finally:
                log.append("closing")
                closing.set()
                await may_close.wait()
                log.append(f"closed {request.path}")

        return stream_with_context(generate())

    call = Call(app)
    task = call.start()
    await call.until_pieces(2)
    call.go_away()
    await closing.wait()
    assert not task.done() and log == ["closing"]
    may_close.set()
    await task
    assert log == ["closing", "closed /", *ONCE] and await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_server_that_loses_its_patience_with_a_closing_generator(way: str) -> None:
    log: list[str] = []
    app, closing = make_app(way, log), asyncio.Event()

    @app.get("/")
    async def index() -> Response:
        async def generate() -> t.AsyncIterator[str]:
            try:
                while True:
                    yield "a"
                    await asyncio.sleep(0)
            finally:
                log.append("closing")
                closing.set()
                await asyncio.Event().wait()

        response = Response(t.cast("t.Any", stream_with_context(generate())))
        response.call_on_close(lambda: log.append("response closed"))
        return response

    call = Call(app)
    task = call.start()
    await call.until_pieces(2)
    call.go_away()
    await closing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["closing", *ONCE, "response closed"] and await still_fine(app)


@pytest.mark.parametrize(
    "end", ["request", "context", "request signal", "context signal", "response", "stream"]
)
@on_a_loop
async def test_server_that_cancels_before_a_thread_is_free_for_the_end(end: str) -> None:
    app, log, free = Erlen("ends", root_path="."), list[str](), threading.Event()
    app.config["THREAD_POOL_SIZE"] = 1
    waits = asyncio.Event()

    def note(*args: t.Any, **values: t.Any) -> None:
        log.append("ended")

    @app.get("/")
    async def index() -> t.Any:
        waits.set()
        if end == "stream":

            async def generate() -> t.AsyncIterator[str]:
                yield "text"

            response = Response(t.cast("t.Any", generate()))
        else:
            response = Response("text")
        if end in {"response", "stream"}:
            response.call_on_close(note)
        return response

    if end == "request":
        app.teardown_request(note)
    elif end == "context":
        app.teardown_appcontext(note)
    elif end == "request signal":
        request_tearing_down.connect(note, app)
    elif end == "context signal":
        appcontext_tearing_down.connect(note, app)
    busy = asyncio.create_task(app.on_thread(free.wait, PATIENCE))
    await asyncio.sleep(0)
    task = Call(app).start()
    await waits.wait()
    for _ in range(3):
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
    assert not task.done() and log == []
    free.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await busy and log == ["ended"]


# After the response


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["whole", "plain", "async"])
@on_a_loop
async def test_client_goes_after_the_response(kind: str, way: str) -> None:
    """As all do; servers report it as soon as the last piece was taken."""
    log: list[str] = []
    app = make_app(way, log)

    async def agenerate() -> t.AsyncIterator[str]:
        yield "text"

    async def close() -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        log.append("closed")

    @app.get("/")
    async def index() -> Response:
        await asyncio.sleep(0)
        bodies: dict[str, t.Any] = {"whole": "text", "plain": iter(["text"]), "async": agenerate()}
        response = Response(bodies[kind])
        response.call_on_close(app.ensure_sync(close))
        return response

    call = await answer(app)
    assert call.text == "text" and call.is_complete
    assert log == [*ONCE, "closed"] and await still_fine(app)


@pytest.mark.parametrize("kind", ["whole", "plain", "async"])
@on_a_loop
async def test_server_that_is_slow_with_the_last_piece_and_reports_the_end(kind: str) -> None:
    """The report comes while the application still waits in ``send``."""
    log: list[str] = []
    app = make_app("async spelling", log)

    async def agenerate() -> t.AsyncIterator[str]:
        yield "text"

    @app.get("/")
    async def index() -> t.Any:
        await asyncio.sleep(0)
        bodies: dict[str, t.Callable[[], t.Any]] = {
            "whole": lambda: "text",
            "plain": lambda: stream_with_context(iter(["text"])),
            "async": lambda: stream_with_context(agenerate()),
        }
        return bodies[kind]()

    call = Call(app)

    async def take(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            call.go_away()
            for _ in range(5):
                await asyncio.sleep(0)

    call.on_send = take
    await call.run()
    assert call.text == "text" and log == ONCE and await still_fine(app)


# Flask's issue 6123


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.protocol("wsgi")
def test_stream_that_is_left_and_finalised_on_another_thread_issue_6123(app: Erlen, kind: str) -> None:
    """Over WSGI: the worker's next requests tear down, and the context is active nowhere."""
    told: list[str] = []
    app.teardown_request(lambda exc: told.append(request.path))

    def generate() -> t.Iterator[str]:
        try:
            while True:
                yield f"{request.path} "
        finally:
            told.append(f"closed {has_app_context()}")

    async def agenerate() -> t.AsyncIterator[str]:
        try:
            while True:
                await asyncio.sleep(0)
                yield f"{request.path} "
        finally:
            told.append(f"closed {has_app_context()}")

    app.add_url_rule(
        "/stream",
        "stream",
        lambda: stream_with_context(generate() if kind == "plain" else t.cast("t.Any", agenerate())),
    )
    app.add_url_rule("/fine", "fine", lambda: "fine")
    contexts: list[t.Any] = []

    def on_thread(function: t.Callable[[], t.Any]) -> t.Any:
        results: list[t.Any] = []

        def run() -> None:
            results.append(function())
            contexts.append(context_var.get(None))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return results[0]

    client = app.test_client()
    response = on_thread(lambda: client.get("/stream"))
    items = response.iter_encoded()
    # Each step on another thread, as servers with a pool of them do it.
    assert [on_thread(lambda: next(items)) for _ in range(3)] == [b"/stream "] * 3
    assert told == [] and on_thread(lambda: client.get("/fine").text) == "fine"
    assert told == ["/fine"]
    on_thread(response.close)
    assert told == ["/fine", "closed True", "/stream"]
    assert on_thread(lambda: client.get("/fine").text) == "fine"
    assert told == ["/fine", "closed True", "/stream", "/fine"]
    assert not any(contexts) and not has_app_context()


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.protocol("wsgi")
def test_stream_that_is_dropped_and_finalised_on_another_thread_issue_6123(app: Erlen, kind: str) -> None:
    """Nobody closes it: the garbage collector does, wherever it runs."""
    told: list[str] = []
    app.teardown_request(lambda exc: told.append(request.path))

    def generate() -> t.Iterator[str]:
        while True:
            yield f"{request.path} "

    async def agenerate() -> t.AsyncIterator[str]:
        while True:
            await asyncio.sleep(0)
            yield f"{request.path} "

    app.add_url_rule(
        "/stream",
        "stream",
        lambda: stream_with_context(generate() if kind == "plain" else t.cast("t.Any", agenerate())),
    )
    app.add_url_rule("/fine", "fine", lambda: "fine")

    held: list[t.Any] = []

    def begin() -> None:
        environ = app.test_request_context("/stream").request.environ
        environ = {key: value for key, value in environ.items() if key != "werkzeug.request"}
        body = iter(app(environ, lambda status, headers, exc_info=None: lambda data: None))
        next(body)
        held.append(body)

    def drop() -> None:
        held.clear()
        gc.collect()

    for step in (begin, drop):
        thread = threading.Thread(target=step)
        thread.start()
        thread.join()
    assert told == ["/stream"]
    assert app.test_client().get("/fine").text == "fine"
    assert told == ["/stream", "/fine"] and not has_app_context()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_stream_whose_client_goes_leaves_later_teardowns_running_over_asgi_issue_6123(
    kind: str, way: str
) -> None:
    log: list[str] = []
    app = make_app(way, log)
    threads: list[int] = []

    def generate() -> t.Iterator[str]:
        try:
            while True:
                threads.append(threading.get_ident())
                yield f"{request.path} "
        finally:
            threads.append(threading.get_ident())
            log.append(f"closed {request.path}")

    async def agenerate() -> t.AsyncIterator[str]:
        try:
            while True:
                await asyncio.sleep(0)
                yield f"{request.path} "
        finally:
            log.append(f"closed {request.path}")

    @app.get("/stream")
    async def stream() -> t.Any:
        return stream_with_context(generate() if kind == "plain" else t.cast("t.Any", agenerate()))

    @app.get("/")
    def index() -> str:
        return "text"

    for _ in range(3):
        call = Call(app, "/stream")
        task = call.start()
        await call.until_pieces(3)
        # Others come between two pieces, on the same threads.
        assert (await answer(app)).text == "text"
        call.go_away()
        await task
        assert log == [*ONCE, "closed /stream", *ONCE]
        assert (await answer(app)).text == "text"
        assert log == [*ONCE, "closed /stream", *ONCE, *ONCE]
        log.clear()
    assert kind == "async" or threading.get_ident() not in threads
    loop = asyncio.get_running_loop()
    pool = app.threads.executor()
    assert not any(await asyncio.gather(*(loop.run_in_executor(pool, has_app_context) for _ in range(8))))


@pytest.mark.parametrize("goes", ["while the generator waits", "before it is asked"])
@on_a_loop
async def test_client_goes_during_an_async_stream_in_an_iterable_of_middleware(goes: str) -> None:
    log: list[str] = []
    app, waits = make_app("async spelling", log), asyncio.Event()
    asked, may_ask = threading.Event(), threading.Event()

    class Outer:
        def __init__(self, body: t.Any) -> None:
            self._body, self._pieces = body, iter(body)

        def __iter__(self) -> t.Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            piece: bytes = next(self._pieces)
            if goes == "before it is asked":
                asked.set()
                assert may_ask.wait(PATIENCE)
                next(self._pieces)
            return piece

        def close(self) -> None:
            self._body.close()

    inner = app.wsgi_app
    app.wsgi_app = lambda *args: Outer(inner(*args))  # type: ignore[method-assign]

    @app.get("/")
    async def index() -> t.Any:
        async def generate() -> t.AsyncIterator[str]:
            try:
                yield "a"
                waits.set()
                await asyncio.Event().wait()
            finally:
                log.append("closed")

        return generate()

    call = Call(app)
    task = call.start()
    await (waits.wait() if goes == "while the generator waits" else happens(asked))
    call.go_away()
    for _ in range(10):
        await asyncio.sleep(0)
    may_ask.set()
    await task
    assert log == [*ONCE, "closed"]


@on_a_loop
async def test_generator_is_closed_on_another_thread_than_the_one_that_ran_it_issue_6123() -> None:
    """As it happens with a pool: the thread of the last piece is busy when the client goes."""
    log: list[str] = []
    app = make_app("async spelling", log)
    app.config["THREAD_POOL_SIZE"] = 2
    threads: list[int] = []
    busy, may_go_on = threading.Event(), threading.Event()

    @app.get("/stream")
    def stream() -> t.Any:
        def generate() -> t.Iterator[str]:
            try:
                while True:
                    threads.append(threading.get_ident())
                    yield request.path
            finally:
                threads.append(threading.get_ident())
                log.append(f"closed {request.path}")

        return stream_with_context(generate())

    def occupy() -> bool:
        """Hold the thread that has run the generator; let the other go."""
        if threading.get_ident() == threads[-1]:
            busy.set()
            return may_go_on.wait(PATIENCE)
        return busy.wait(PATIENCE)

    call = Call(app, "/stream")

    async def take(message: Message) -> None:
        if len(call.pieces) == 1:
            jobs.extend(pool.submit(occupy) for _ in range(2))
            await happens(busy)
            await asyncio.to_thread(jobs[0].result if jobs[0].done() else busy.wait)
            call.go_away()
            await asyncio.Event().wait()

    jobs: list[t.Any] = []
    pool = app.threads.executor()
    call.on_send = take
    await call.run()
    may_go_on.set()
    assert log == ["closed /stream", *ONCE]
    assert len(threads) == 2 and threads[0] != threads[1]
    assert await still_fine(app)


# What else ends exactly once


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_signals_of_the_end_are_sent_once_when_a_client_goes(way: str) -> None:
    log: list[str] = []
    app, waits, sent = make_app(way, log), asyncio.Event(), list[str]()

    def receive(sender: t.Any, **values: t.Any) -> None:
        sent.append(type(values["exc"]).__name__)

    @app.get("/")
    async def index() -> str:
        waits.set()
        await asyncio.Event().wait()
        return "never"

    with request_tearing_down.connected_to(receive, app), appcontext_tearing_down.connected_to(receive, app):
        call = Call(app)
        task = call.start()
        await waits.wait()
        call.go_away()
        await task
    assert sent == ["CancelledError"] * 2 and log == ONCE


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_nothing_is_logged_when_a_client_goes(way: str, caplog: pytest.LogCaptureFixture) -> None:
    log: list[str] = []
    app, waits = make_app(way, log), asyncio.Event()
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/")
    async def index() -> str:
        waits.set()
        await asyncio.Event().wait()
        return "never"

    with caplog.at_level(logging.DEBUG):
        call = Call(app)
        task = call.start()
        await waits.wait()
        call.go_away()
        await task
        gc.collect()
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG] == []


@pytest.mark.protocol("wsgi", "asgi")
def test_test_client_that_closes_a_stream_is_a_client_that_goes(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []
    app.teardown_request(lambda exc: log.append("torn down"))

    @app.get("/")
    async def index() -> t.Any:
        async def generate() -> t.AsyncIterator[str]:
            try:
                while True:
                    await asyncio.sleep(0)
                    yield "a"
            finally:
                log.append("closed")

        return stream_with_context(generate())

    response = client.get("/")
    assert next(response.iter_encoded()) == b"a" and log == []
    response.close()
    assert log == ["closed", "torn down"]


# Servers whose send raises


class Gone(OSError):
    """What servers of version 2.4 of the specification raise when they cannot send."""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("at", ["start", "first piece", "second piece", "last piece"])
@pytest.mark.parametrize("kind", ["whole", "plain", "async", "plain with context", "async with context"])
@on_a_loop
async def test_send_that_raises_ends_the_response(kind: str, at: str, way: str) -> None:
    log: list[str] = []
    app = make_app(way, log)

    def generate() -> t.Iterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            log.append("closed")

    async def agenerate() -> t.AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            log.append("closed")

    @app.get("/")
    async def index() -> Response:
        if kind == "whole":
            return Response("text")
        stream: t.Any = generate() if kind.startswith("plain") else agenerate()
        response = Response(stream_with_context(stream) if kind.endswith("context") else stream)
        response.call_on_close(lambda: log.append("response closed"))
        return response

    places = (
        ["start", "last piece"] if kind == "whole" else ["start", "first piece", "second piece", "last piece"]
    )
    if at not in places:
        return
    call = Call(app)

    async def take(message: Message) -> None:
        if len(call.sent) == places.index(at) + 1:
            raise Gone

    call.on_send = take
    # It is the server's own, and the server knows what to do with it.
    with pytest.raises(Gone):
        await call.run()
    begun = ["closed"] if kind != "whole" and at != "start" else []
    closed = [] if kind == "whole" else ["response closed"]
    assert sorted(log) == sorted([*begun, *closed, *ONCE])
    assert log.count("request") == 1 and await still_fine(app)


# Servers whose receive raises


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("error", [Gone, LookupError, asyncio.CancelledError])
@on_a_loop
async def test_receive_that_raises_while_the_body_comes(error: type[BaseException], way: str) -> None:
    log: list[str] = []
    app = make_app(way, log)
    app.add_url_rule("/", "index", lambda: "never", methods=["POST"])
    events = [*body_messages(b"a", b"b")[:-1], error()]
    call = Call(app, method="POST", headers=[(b"content-length", b"2")], events=events)
    with pytest.raises(error):
        await call.run()
    assert call.sent == [] and log == [] and await still_fine(app)


@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_receive_that_raises_while_a_view_reads(kind: str) -> None:
    log: list[str] = []
    app = make_app("async spelling", log)

    @app.post("/async")
    @stream_request_body
    async def asynchronous() -> str:
        async for piece in request.stream:
            log.append(piece.decode())
        return "never"

    @app.post("/plain")
    @stream_request_body
    def plain() -> str:
        while piece := request.stream.read(1):
            log.append(piece.decode())
        return "never"

    app.config["MAX_CONTENT_LENGTH"] = None
    events = [*body_messages(b"a", b"b")[:-1], LookupError("receive")]
    call = Call(app, f"/{kind}", method="POST", headers=[(b"content-length", b"2")], events=events)
    with pytest.raises(LookupError, match="receive"):
        await call.run()
    assert log == ["a", *ONCE] and await still_fine(app)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("error", [Gone, LookupError])
@on_a_loop
async def test_receive_that_raises_while_a_view_waits_is_no_news_of_the_client(
    error: type[Exception], way: str
) -> None:
    log: list[str] = []
    app = make_app(way, log)

    @app.get("/")
    async def index() -> str:
        for _ in range(20):
            await asyncio.sleep(0)
        return "text"

    call = Call(app, events=[error()])
    await call.run()
    assert call.text == "text" and call.receives == 1 and log == ONCE


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "event",
    [
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.request"},
        {"type": "http.other"},
        {},
        None,
    ],
    ids=repr,
)
@on_a_loop
async def test_receive_that_never_waits_leaves_the_loop_to_others(way: str, event: t.Any) -> None:
    """A server, or middleware, that answers at once each time, with anything."""
    log: list[str] = []
    app, other = make_app(way, log), asyncio.Event()
    receives = 0

    async def receive() -> t.Any:
        nonlocal receives
        receives += 1
        # Without this the test would hang where it has to fail.
        assert receives < 10_000
        return event

    @app.get("/")
    async def index() -> str:
        asyncio.get_running_loop().call_soon(other.set)
        await other.wait()
        return "text"

    call = Call(app)
    call.receive = receive  # type: ignore[method-assign]
    await call.run()
    assert call.text == "text" and receives < 10 and log == ONCE


@on_a_loop
async def test_body_that_nobody_announced_does_not_hide_that_the_client_goes() -> None:
    """GET over HTTP/2 may have a body without a length; it is left out."""
    log: list[str] = []
    app, waits = make_app("async spelling", log), asyncio.Event()

    @app.get("/")
    async def index() -> str:
        assert request.get_data() == b""
        waits.set()
        await asyncio.Event().wait()
        return "never"

    call = Call(app, http_version="2", events=body_messages(b"a", b"b", b"c"))
    task = call.start()
    await waits.wait()
    call.go_away()
    await task
    assert log == ONCE and await still_fine(app)


# What is freed


def remember(references: list[weakref.ref[t.Any]]) -> None:
    """Keep weak references to the request, its context and its body."""
    real = request._get_current_object()  # type: ignore[attr-defined]
    references += [weakref.ref(real), weakref.ref(context_var.get()), weakref.ref(real.environ["wsgi.input"])]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "case",
    [
        "plain",
        "async",
        "async that waits",
        "plain that fails",
        "async that fails",
        "async that waits and fails",
        "teardown that fails",
        "teardowns that fail",
        "stream",
        "async stream",
        "stream that is left",
        "async stream that is left",
        "client that goes",
        "cancelled",
        "body read by the view",
        "body read by a plain view",
        "too large",
        "abort",
        "form",
        "large form",
    ],
)
@on_a_loop
async def test_request_is_freed_at_once(case: str, way: str) -> None:
    """Without the garbage collector, which may take its time, and an upload with it."""
    app = make_app(way, [])
    app.config["PROPAGATE_EXCEPTIONS"] = False
    # A log handler may keep what it was given, pytest's does.
    app.log_exception = lambda exc_info: None  # type: ignore[method-assign]
    references: list[weakref.ref[t.Any]] = []
    waits = asyncio.Event()
    headers = [(b"content-type", b"application/x-www-form-urlencoded")]

    def fail(exc: BaseException | None = None) -> t.NoReturn:
        raise LookupError(case)

    def plain() -> t.Any:
        remember(references)
        if case == "form":
            return request.form["a"]
        if case == "large form":
            return str(len(request.form["a"]))
        if case == "too large":
            return request.get_data()
        if case == "abort":
            from erlen import abort

            abort(418)
        if "body read" in case:
            return request.stream.read()
        if "stream" in case:
            return stream_with_context(t.cast("t.Any", agenerate() if "async" in case else generate()))
        return fail() if case.endswith("that fails") and "teardown" not in case else "text"

    def generate() -> t.Iterator[str]:
        yield "a"
        yield "b"

    async def agenerate() -> t.AsyncIterator[str]:
        yield "a"
        yield "b"

    async def asynchronous() -> t.Any:
        if case == "body read by the view":
            remember(references)
            return b"".join([piece async for piece in request.stream])
        result = plain()
        if "waits" in case or case in {"client that goes", "cancelled"}:
            await asyncio.sleep(0)
        if case == "async that waits and fails":
            fail()
        if case in {"client that goes", "cancelled"}:
            waits.set()
            await asyncio.Event().wait()
        return result

    view: t.Any = (
        plain if "plain" in case or case in {"too large", "stream", "stream that is left"} else asynchronous
    )
    if "body read" in case:
        view = stream_request_body(view)
    if "teardown" in case:
        app.teardown_request(fail)
    if case == "teardowns that fail":
        app.teardown_appcontext(fail)
    app.add_url_rule("/", "index", view, methods=["POST"])
    app.config["MAX_CONTENT_LENGTH"] = 2 if case == "too large" else None
    app.config["MAX_FORM_MEMORY_SIZE"] = None
    pieces = [b"a=", *[b"x" * 65536] * 30] if case == "large form" else [b"a=", b"1"]

    async def send_one() -> None:
        waits.clear()
        call = Call(app, body=pieces, headers=headers)

        async def take(message: Message) -> None:
            if "left" in case and message.get("body"):
                call.go_away()
                await asyncio.Event().wait()

        call.on_send = take
        task = asyncio.ensure_future(failure_of(call))
        if case in {"client that goes", "cancelled"}:
            await waits.wait()
        if case == "client that goes":
            call.go_away()
        elif case == "cancelled":
            await asyncio.sleep(0)
            task.cancel()
        await task

    # What the first request makes once.
    await asyncio.create_task(send_one())
    references.clear()
    gc.collect()
    gc.disable()
    try:
        await asyncio.create_task(send_one())
        assert len(references) == 3
        left = [
            name
            for name, one in zip(("request", "context", "body"), references, strict=True)
            if not await gone(one)
        ]
        assert left == []
    finally:
        gc.enable()


class Copying(Wrapped):
    """Middleware that gives the application a copy of the environment."""

    def __call__(self, environ: t.Any, start_response: t.Any) -> t.Any:
        return super().__call__(dict(environ), start_response)


@pytest.mark.parametrize("way", [*WAYS, "copying middleware"])
@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/", 200), ("GET", "/folder", 308), ("POST", "/", 405)]
)
@on_a_loop
async def test_request_is_freed_at_once_whatever_it_matches(
    method: str, path: str, status: int, way: str
) -> None:
    made: list[weakref.ref[t.Any]] = []

    class Remembered(Request):
        @classmethod
        def of_scope(cls, scope: t.Any, receive: t.Any, app: t.Any = None) -> t.Self:
            one = super().of_scope(scope, receive, app)
            made.append(weakref.ref(one))
            return one

    app = make_app(way, [])
    app.request_class = Remembered
    if way == "copying middleware":
        app.wsgi_app = Copying(app.wsgi_app)  # type: ignore[method-assign, assignment]
    app.before_request(lambda: made.append(weakref.ref(request._get_current_object())))  # type: ignore[attr-defined]
    app.add_url_rule("/", "index", lambda: "text")
    app.add_url_rule("/folder/", "folder", lambda: "text")

    async def send_one() -> None:
        assert (await answer(app, path, method=method)).status == status

    await asyncio.create_task(send_one())
    made.clear()
    gc.collect()
    gc.disable()
    try:
        await asyncio.create_task(send_one())
        assert made and [await gone(one) for one in made] == [True] * len(made)
    finally:
        gc.enable()


@pytest.mark.parametrize("who", ["client", "server", "cancelled"])
@on_a_loop
async def test_request_whose_body_never_came_is_freed_at_once(who: str) -> None:
    from erlen import Request

    references: list[weakref.ref[t.Any]] = []

    class Own(Request):
        def __init__(self, environ: t.Any) -> None:
            super().__init__(environ)
            references.append(weakref.ref(self))

    app = make_app("async spelling", [])
    app.request_class = Own
    gc.collect()
    gc.disable()
    try:
        events = {
            "client": DISCONNECT,
            "server": LookupError("receive"),
            "cancelled": asyncio.CancelledError(),
        }
        call = Call(
            app, "/fine", method="POST", headers=[(b"content-length", b"2")], events=[events.pop(who)]
        )
        await asyncio.create_task(t.cast("t.Any", failure_of(call)))
        del call
        assert references and await gone(references[0])
    finally:
        gc.enable()
