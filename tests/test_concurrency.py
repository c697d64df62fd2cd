"""Requests at the same time: nobody keeps the loop, or a thread, from the others, and whoever is cancelled leaves nothing.

No test measures time. What has to run at the same time meets at a barrier, and what has to wait is let go by an event.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
import threading
import typing as t
import weakref
from contextvars import ContextVar

import anyio
import pytest

from asgi_calls import PATIENCE, Call, answer, gone, happens, on_a_loop, run_on_a_loop
from asgi_validator import Message
from erlen import (
    Erlen,
    Response,
    g,
    has_app_context,
    nonblocking,
    request,
    request_started,
    session,
    stream_request_body,
    stream_with_context,
)
from erlen.testing import ErlenClient

number: ContextVar[str] = ContextVar("number", default="none")


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


def make_app(way: str = "async spelling", **config: t.Any) -> Erlen:
    app = (Overriding if way == "plain spelling" else Erlen)("concurrent", root_path=".")
    app.config.update(config, PROPAGATE_EXCEPTIONS=True)
    if way == "middleware":
        app.wsgi_app = Wrapped(app.wsgi_app)  # type: ignore[method-assign, assignment]
    return app


async def answers(app: Erlen, *paths: str) -> list[str]:
    """Send requests at the same time and return the bodies of their answers."""
    return [call.text for call in await asyncio.gather(*(Call(app, path).start() for path in paths))]


async def cancelled(task: asyncio.Task[t.Any]) -> None:
    """Assert that a task ends as cancelled."""
    with pytest.raises(asyncio.CancelledError):
        await task


# Plain views


@on_a_loop
async def test_blocking_views_run_at_the_same_time() -> None:
    count = 12
    app, meet = make_app(), threading.Barrier(count)

    @app.get("/<name>")
    def index(name: str) -> str:
        meet.wait(PATIENCE)
        return name

    names = [str(one) for one in range(count)]
    assert await answers(app, *(f"/{name}" for name in names)) == names


@on_a_loop
async def test_blocking_views_leave_the_loop_to_others() -> None:
    app, may_go_on = make_app(), threading.Event()

    @app.get("/plain")
    def plain() -> str:
        assert may_go_on.wait(PATIENCE)
        return "plain"

    @app.get("/async")
    async def asynchronous() -> str:
        for _ in range(10):
            await asyncio.sleep(0)
        return "async"

    blocked = [Call(app, "/plain").start() for _ in range(5)]
    assert await answers(app, *["/async"] * 20) == ["async"] * 20
    assert not any(task.done() for task in blocked)
    may_go_on.set()
    assert [(await task).text for task in blocked] == ["plain"] * 5


@pytest.mark.parametrize(
    "where", ["before", "after", "teardown", "error handler", "receiver", "stream", "close"]
)
@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_blocking_step_leaves_the_loop_to_others(way: str, where: str) -> None:
    """The views are async, what stands around them is plain."""
    app = make_app(way)
    begun, may_go_on = threading.Event(), threading.Event()

    def wait() -> None:
        if request.path == "/slow":
            begun.set()
            assert may_go_on.wait(PATIENCE)

    def wait_then(result: t.Any) -> t.Any:
        wait()
        return result

    def pieces() -> t.Iterator[str]:
        wait()
        yield "slow"

    @app.get("/slow")
    async def slow() -> t.Any:
        if where == "error handler":
            raise LookupError
        if where == "stream":
            return stream_with_context(pieces())
        response = Response("slow")
        if where == "close":
            response.call_on_close(begun.set)
            response.call_on_close(lambda: may_go_on.wait(PATIENCE))
        return response

    @app.get("/fast")
    async def fast() -> str:
        return "fast"

    def receive(sender: t.Any, **values: t.Any) -> None:
        wait()

    if where == "before":
        app.before_request(wait)
    elif where == "after":
        app.after_request(wait_then)
    elif where == "teardown":
        app.teardown_request(lambda exc: wait())
    elif where == "error handler":
        app.register_error_handler(LookupError, lambda error: wait_then("slow"))
    elif where == "receiver":
        request_started.connect(receive, app)
    slow_one = Call(app, "/slow").start()
    await happens(begun)
    assert await answers(app, *["/fast"] * 5) == ["fast"] * 5
    assert not slow_one.done()
    may_go_on.set()
    assert (await slow_one).text == "slow"


@on_a_loop
async def test_pool_of_two_threads_runs_two_views_at_a_time() -> None:
    app, meet = make_app(THREAD_POOL_SIZE=2), threading.Barrier(3)

    @app.get("/")
    def index() -> str:
        try:
            # However long: the third has no thread before one of these gives up.
            meet.wait(0.2)
        except threading.BrokenBarrierError:
            return "alone"
        return "met"

    assert await answers(app, "/", "/", "/") == ["alone"] * 3


@on_a_loop
async def test_pool_of_three_threads_runs_three_views_at_a_time() -> None:
    app, meet = make_app(THREAD_POOL_SIZE=3), threading.Barrier(3)

    @app.get("/")
    def index() -> str:
        meet.wait(PATIENCE)
        return "met"

    assert await answers(app, "/", "/", "/") == ["met"] * 3


@on_a_loop
async def test_views_beyond_the_size_of_the_pool_wait_and_are_all_answered() -> None:
    app = make_app(THREAD_POOL_SIZE=2)
    lock, running, most = threading.Lock(), 0, 0

    @app.get("/<name>")
    def index(name: str) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.002)
        with lock:
            running -= 1
        return name

    names = [str(one) for one in range(20)]
    assert await answers(app, *(f"/{name}" for name in names)) == names
    assert most <= 2


def test_size_of_the_pool_is_documented() -> None:
    assert Erlen("sized", root_path=".").config["THREAD_POOL_SIZE"] == 40


def test_threads_end_with_their_application() -> None:
    before, of_the_application = set(threading.enumerate()), set[threading.Thread]()

    async def use() -> None:
        app = make_app()
        app.add_url_rule("/", "index", lambda: "text")
        assert await answers(app, "/", "/") == ["text", "text"]
        of_the_application.update(
            thread for thread in threading.enumerate() if thread.name.startswith("erlen-worker")
        )

    run_on_a_loop(use)
    of_the_application -= before
    assert of_the_application
    gc.collect()
    for thread in of_the_application:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in of_the_application)


# Async views


@on_a_loop
async def test_async_views_that_wait_hold_no_thread() -> None:
    app = make_app(THREAD_POOL_SIZE=1)
    may_go_on, waiting = asyncio.Event(), 0

    @app.get("/async")
    async def asynchronous() -> str:
        nonlocal waiting
        waiting += 1
        await may_go_on.wait()
        return "async"

    app.add_url_rule("/plain", "plain", lambda: "plain")
    calls = [Call(app, "/async").start() for _ in range(200)]
    assert await answers(app, *["/plain"] * 5) == ["plain"] * 5
    assert waiting == 200 and not any(task.done() for task in calls)
    may_go_on.set()
    assert {(await task).text for task in calls} == {"async"}
    assert len([one for one in threading.enumerate() if one.name.startswith("erlen-worker")]) >= 1


@on_a_loop
async def test_async_views_that_wait_behind_plain_hooks_hold_no_thread() -> None:
    app = make_app(THREAD_POOL_SIZE=1)
    may_go_on = asyncio.Event()
    app.before_request(lambda: None)
    app.teardown_request(lambda exc: None)

    @app.get("/")
    async def index() -> str:
        await may_go_on.wait()
        return "text"

    calls = [Call(app).start() for _ in range(20)]
    assert (await answer(app, "/nowhere")).status == 404
    may_go_on.set()
    assert {(await task).text for task in calls} == {"text"}


@on_a_loop
async def test_async_views_wait_for_each_other() -> None:
    app, queue = make_app(), asyncio.Queue[str]()

    @app.get("/get")
    async def get() -> str:
        return await queue.get()

    @app.get("/put")
    async def put() -> str:
        await queue.put("item")
        return "put"

    assert await answers(app, "/get", "/put") == ["item", "put"]


@pytest.mark.parametrize("suspends", [True, False])
@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_timeout_inside_an_async_view(way: str, suspends: bool) -> None:
    app = make_app(way)

    @app.get("/")
    async def index() -> str:
        if suspends:
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(0.01):
                await asyncio.Event().wait()
        except TimeoutError:
            task = t.cast("asyncio.Task[t.Any]", asyncio.current_task())
            return f"timed out {task.cancelling()}"
        return "not timed out"

    assert (await answer(app)).text == "timed out 0"


@pytest.mark.parametrize("suspends", [True, False])
@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_task_group_inside_an_async_view(way: str, suspends: bool) -> None:
    app, log = make_app(way), list[str]()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            log.append("cancelled")

    async def fail() -> None:
        raise LookupError("in the group")

    async def work(name: str) -> None:
        await asyncio.sleep(0)
        log.append(f"{name} {request.path} {g.name}")

    @app.get("/work")
    async def works() -> str:
        g.name = "g"
        if suspends:
            await asyncio.sleep(0)
        async with asyncio.TaskGroup() as group:
            for name in "ab":
                group.create_task(work(name))
        return "done"

    @app.get("/fail")
    async def fails() -> str:
        if suspends:
            await asyncio.sleep(0)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(wait())
                await asyncio.sleep(0)
                group.create_task(fail())
        except ExceptionGroup as errors:
            return repr(errors.exceptions)
        return "nothing raised"

    assert await answers(app, "/work", "/fail") == ["done", "(LookupError('in the group'),)"]
    assert sorted(log) == ["a /work g", "b /work g", "cancelled"]


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_timeout_around_a_plain_call_waits_for_the_call(way: str) -> None:
    app, log = make_app(way), list[str]()
    begun, may_go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert may_go_on.wait(PATIENCE)
        log.append("worked")

    @app.get("/")
    async def index() -> str:
        try:
            async with asyncio.timeout(None) as limit:
                asyncio.get_running_loop().create_task(expire(limit))
                await app.on_thread(work)
        except TimeoutError:
            log.append("timed out")
        return ", ".join(log)

    async def expire(limit: asyncio.Timeout) -> None:
        await happens(begun)
        limit.reschedule(0)
        await asyncio.sleep(0.01)
        may_go_on.set()

    assert (await answer(app)).text == "worked, timed out"


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_eager_tasks(way: str) -> None:
    asyncio.get_running_loop().set_task_factory(t.cast("t.Any", asyncio).eager_task_factory)
    app, tasks = make_app(way), list[asyncio.Task[None]]()

    async def beside() -> None:
        await asyncio.sleep(0)

    @app.get("/")
    async def index() -> str:
        tasks.append(asyncio.create_task(beside()))
        await asyncio.sleep(0)
        async with asyncio.TaskGroup() as group:
            group.create_task(beside())
        return "text"

    @app.get("/stream")
    async def stream() -> t.Any:
        async def generate() -> t.AsyncIterator[str]:
            for piece in "abc":
                await asyncio.sleep(0)
                yield piece

        return stream_with_context(generate())

    assert await answers(app, "/", "/stream") == ["text", "abc"]
    call = Call(app, "/", events=[])
    call.go_away()
    await call.run()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_task_that_a_view_has_created_goes_on_after_the_response(way: str) -> None:
    app, may_go_on, log = make_app(way), asyncio.Event(), list[str]()
    tasks: list[asyncio.Task[None]] = []

    async def beside() -> None:
        await may_go_on.wait()
        log.append("done")

    @app.get("/")
    async def index() -> str:
        tasks.append(asyncio.create_task(beside()))
        return "text"

    assert (await answer(app)).text == "text"
    assert log == [] and not tasks[0].done()
    may_go_on.set()
    await tasks[0]
    assert log == ["done"]


# Requests do not mix


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hook", ["plain", "async", "nonblocking"])
@pytest.mark.parametrize("view", ["plain", "async"])
@on_a_loop
async def test_requests_at_the_same_time_keep_apart(way: str, view: str, hook: str) -> None:
    count = 8
    app = make_app(way, SECRET_KEY="key")
    meet, ameet = threading.Barrier(count), asyncio.Barrier(count)

    def before() -> None:
        g.number = request.args["number"]
        number.set(request.args["number"])

    async def abefore() -> None:
        before()
        await asyncio.sleep(0)

    def seen() -> list[str]:
        return [g.number, number.get(), request.args["number"], session["number"]]

    @app.get("/plain")
    def plain() -> t.Any:
        session["number"] = g.number
        meet.wait(PATIENCE)
        return seen()

    @app.get("/async")
    async def asynchronous() -> t.Any:
        session["number"] = g.number
        async with ameet:
            await asyncio.sleep(0)
        return seen()

    hooks: dict[str, t.Any] = {"plain": before, "async": abefore, "nonblocking": nonblocking(before)}
    app.before_request(hooks[hook])
    calls = [Call(app, f"/{view}?number={one}").start() for one in range(count)]
    assert [(await task).json for task in calls] == [[str(one)] * 4 for one in range(count)]


@on_a_loop
async def test_streams_at_the_same_time_keep_apart() -> None:
    app = make_app(SECRET_KEY="key")

    @app.get("/plain/<name>")
    def plain(name: str) -> t.Any:
        g.name = name

        def generate() -> t.Iterator[str]:
            for _ in range(5):
                yield f"{g.name}{request.path} "

        return stream_with_context(generate())

    @app.get("/async/<name>")
    async def asynchronous(name: str) -> t.Any:
        g.name = name

        async def generate() -> t.AsyncIterator[str]:
            for _ in range(5):
                await asyncio.sleep(0)
                yield f"{g.name}{request.path} "

        return stream_with_context(generate())

    paths = [f"/{kind}/{name}" for kind in ("plain", "async") for name in "abcd"]
    assert await answers(app, *paths) == [f"{path[-1]}{path} " * 5 for path in paths]


# Back-pressure


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("keeps_context", [True, False])
@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_next_piece_is_asked_for_when_the_server_has_taken_the_one_before(
    way: str, keeps_context: bool, kind: str
) -> None:
    app, made = make_app(way), list[int]()

    def generate() -> t.Iterator[str]:
        for one in range(100):
            made.append(one)
            yield str(one)

    async def agenerate() -> t.AsyncIterator[str]:
        for one in generate():
            yield one

    @app.get("/")
    async def index() -> t.Any:
        stream: t.Any = generate() if kind == "plain" else agenerate()
        return stream_with_context(stream) if keeps_context else stream

    may_go_on, taken = asyncio.Semaphore(0), list[int]()

    async def take(message: Message) -> None:
        if message["type"] == "http.response.body" and message.get("body"):
            # The server's buffer is full.
            taken.append(len(made))
            await may_go_on.acquire()

    call = Call(app)
    call.on_send = take
    task = call.start()
    for count in range(1, 6):
        await call.until_pieces(count)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(made) == count
        may_go_on.release()
    for _ in range(100):
        may_go_on.release()
    await task
    assert taken == list(range(1, 101)) and call.is_complete


# Threads that wait for async code


@pytest.mark.parametrize("way", ["plain spelling", "middleware"])
@on_a_loop
async def test_views_that_occupy_all_threads_get_threads_for_what_they_wait_for(way: str) -> None:
    """Each request holds a worker thread while its async view runs, and the view needs another."""
    app = make_app(way, THREAD_POOL_SIZE=2)
    meet = asyncio.Barrier(2)

    @app.get("/<name>")
    async def index(name: str) -> t.Any:
        async with meet:
            return await app.on_thread(lambda: f"{name} {request.path}")

    assert await answers(app, "/a", "/b") == ["a /a", "b /b"]


@on_a_loop
async def test_threads_that_wait_for_each_other_in_several_steps() -> None:
    app = make_app(THREAD_POOL_SIZE=1)

    async def down(depth: int) -> int:
        return depth if depth == 5 else t.cast(int, await app.on_thread(app.ensure_sync(down), depth + 1))

    app.add_url_rule("/", "index", lambda: str(app.ensure_sync(down)(0)))
    assert (await answer(app)).text == "5"


@on_a_loop
async def test_first_requests_that_occupy_all_threads_begin_the_life_span() -> None:
    """A server that does not tell of the life span, and plain functions before serving."""
    app, log = make_app(THREAD_POOL_SIZE=2), list[str]()
    app.before_serving(lambda: log.append("begun"))
    app.add_url_rule("/", "index", lambda: "text")
    assert await answers(app, "/", "/", "/") == ["text"] * 3
    assert log == ["begun"]


@pytest.mark.parametrize("way", ["plain spelling", "middleware"])
@on_a_loop
async def test_large_body_is_received_by_a_view_that_occupies_the_only_thread(way: str) -> None:
    app = make_app(way, THREAD_POOL_SIZE=1)

    @app.post("/")
    @stream_request_body
    async def index() -> str:
        await request.receive_body()
        return str(len(request.get_data()))

    assert (await answer(app, body=[bytes(65536)] * 40)).text == str(40 * 65536)


@pytest.mark.parametrize("is_async", [False, True])
@on_a_loop
async def test_cancel_scope_of_anyio_waits_for_a_thread_without_turning_the_loop(is_async: bool) -> None:
    app, begun, may_go_on = make_app(), threading.Event(), threading.Event()

    def wait() -> str:
        begun.set()
        may_go_on.wait(PATIENCE)
        return "text"

    @app.get("/plain")
    def plain() -> str:
        return wait()

    @app.get("/async")
    async def asynchronous() -> str:
        return t.cast(str, await app.ensure_async(wait)())

    async def request() -> bool:
        with scope:
            await Call(app, "/async" if is_async else "/plain").run()
        return scope.cancelled_caught

    scope = anyio.CancelScope()
    task = asyncio.create_task(request())
    await happens(begun)
    scope.cancel()
    for _ in range(50):
        await asyncio.sleep(0)
    orders = task.cancelling()
    may_go_on.set()
    assert await task and orders < 5


# What a view on a thread may raise


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("hook", ["", "async"])
@on_a_loop
async def test_exception_that_is_no_error_leaves_a_thread(hook: str, error: type[BaseException]) -> None:
    app, told = make_app(), list[t.Any]()
    app.teardown_request(lambda exc: told.append(type(exc)))
    if hook:

        @app.before_request
        async def before() -> None:
            """There is something async."""

    @app.get("/")
    def index() -> t.NoReturn:
        raise error

    app.add_url_rule("/fine", "fine", lambda: "fine")
    call = Call(app)
    with pytest.raises(error):
        await call.run()
    assert told == [error] and call.sent == [] and not has_app_context()
    assert await answers(app, *["/fine"] * 3) == ["fine"] * 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@on_a_loop
async def test_exception_that_ends_a_process_leaves_an_async_view(error: type[BaseException]) -> None:
    app, told = make_app(), list[t.Any]()
    app.teardown_request(lambda exc: told.append(type(exc)))

    @app.get("/")
    async def index() -> t.NoReturn:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(error):
        await answer(app)
    assert told == [error] and not has_app_context()


@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_stop_iteration_of_a_view_is_an_error(kind: str) -> None:
    app, told = make_app(), list[t.Any]()
    app.teardown_request(lambda exc: told.append(type(exc)))

    @app.before_request
    async def before() -> None:
        """There is something async."""

    def plain() -> t.NoReturn:
        raise StopIteration

    async def asynchronous() -> t.NoReturn:
        raise StopIteration

    app.add_url_rule("/", "index", t.cast("t.Any", plain if kind == "plain" else asynchronous))
    with pytest.raises(RuntimeError, match="StopIteration"):
        await answer(app)
    assert told == [RuntimeError]


def test_stop_iteration_of_a_plain_view_is_answered_by_its_handler(app: Erlen, client: ErlenClient) -> None:
    @app.get("/")
    def index() -> t.NoReturn:
        raise StopIteration

    app.register_error_handler(StopIteration, lambda error: "handled")
    assert client.get("/").text == "handled"


@pytest.mark.parametrize("error", [StopIteration, StopAsyncIteration])
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_stream_that_raises_what_generators_do_not_raise(kind: str, error: type[BaseException]) -> None:
    app, closed = make_app(), list[str]()

    def generate() -> t.Iterator[str]:
        try:
            yield "a"
            raise error
        finally:
            closed.append("closed")

    async def agenerate() -> t.AsyncIterator[str]:
        try:
            yield "a"
            raise error
        finally:
            closed.append("closed")

    @app.get("/")
    async def index() -> t.Any:
        return generate() if kind == "plain" else agenerate()

    call = Call(app)
    with pytest.raises((RuntimeError, StopAsyncIteration)):
        await call.run()
    assert call.text == "a" and not call.is_complete and closed == ["closed"]


# Cancelled by the server


@on_a_loop
async def test_cancelled_plain_view_is_waited_for() -> None:
    app, log = make_app(), list[str]()
    begun, may_go_on = threading.Event(), threading.Event()
    app.teardown_request(lambda exc: log.append("torn down"))

    @app.get("/")
    def index() -> str:
        begun.set()
        assert may_go_on.wait(PATIENCE)
        log.append("view")
        return "text"

    call = Call(app)
    task = call.start()
    await happens(begun)
    task.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done() and log == []
    may_go_on.set()
    await cancelled(task)
    assert log == ["view", "torn down"] and call.sent == []


@pytest.mark.parametrize("keeps_context", [True, False])
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_stream_that_a_cancelled_plain_view_returns_is_closed(kind: str, keeps_context: bool) -> None:
    app, log = make_app(), list[str]()
    begun, may_go_on = threading.Event(), threading.Event()
    app.teardown_request(lambda exc: log.append("torn down"))

    def generate() -> t.Iterator[str]:
        yield "never asked for"

    async def agenerate() -> t.AsyncIterator[str]:
        yield "never asked for"

    @app.get("/")
    def index() -> t.Any:
        begun.set()
        assert may_go_on.wait(PATIENCE)
        stream: t.Any = generate() if kind == "plain" else agenerate()
        response = Response(stream_with_context(stream) if keeps_context else stream)
        response.call_on_close(lambda: log.append("closed"))
        return response

    task = Call(app).start()
    await happens(begun)
    task.cancel()
    may_go_on.set()
    await cancelled(task)
    assert sorted(log) == ["closed", "torn down"]


@on_a_loop
async def test_view_that_has_no_thread_yet_is_not_begun_when_it_is_cancelled() -> None:
    app, log = make_app(THREAD_POOL_SIZE=1), list[str]()
    begun, may_go_on = threading.Event(), threading.Event()

    @app.get("/<name>")
    def index(name: str) -> str:
        log.append(name)
        begun.set()
        assert may_go_on.wait(PATIENCE)
        return name

    first = Call(app, "/first").start()
    await happens(begun)
    second = Call(app, "/second").start()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second.cancel()
    await cancelled(second)
    may_go_on.set()
    assert (await first).text == "first" and log == ["first"]


STEPS = (
    "url value preprocessor",
    "before",
    "view",
    "error handler",
    "after",
    "teardown",
    "context",
    "stream",
    "close",
)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("where", STEPS)
@on_a_loop
async def test_request_that_is_cancelled_in_a_step(where: str, kind: str, way: str) -> None:
    """Each teardown runs once, whatever step it was, and nothing is left."""
    app, log = make_app(way), list[str]()
    begun, may_go_on = threading.Event(), threading.Event()

    def step(name: str, result: t.Callable[..., t.Any] = lambda *args: None) -> t.Any:
        def plain(*args: t.Any) -> t.Any:
            log.append(name)
            if name == where:
                begun.set()
                assert may_go_on.wait(PATIENCE)
            return result(*args)

        async def asynchronous(*args: t.Any) -> t.Any:
            log.append(name)
            if name == where:
                begun.set()
                await asyncio.Event().wait()
            await asyncio.sleep(0)
            return result(*args)

        return plain if kind == "plain" else asynchronous

    def pieces() -> t.Iterator[str]:
        try:
            yield "a"
            step("stream")()
            yield "b"
        finally:
            log.append("generator closed")

    async def apieces() -> t.AsyncIterator[str]:
        try:
            yield "a"
            await step("stream")()
            yield "b"
        finally:
            log.append("generator closed")

    def view() -> t.Any:
        if where == "error handler":
            raise LookupError
        if where == "stream":
            return stream_with_context(t.cast("t.Any", pieces() if kind == "plain" else apieces()))
        response = Response("text")
        if where == "close":
            response.call_on_close(app.ensure_sync(step("close")))
        return response

    @app.before_request
    async def something_async() -> None:
        """Without it, all would be plain, and nothing could be cancelled between two steps."""

    app.url_value_preprocessor(step("url value preprocessor"))
    app.before_request(step("before"))
    app.add_url_rule("/", "index", step("view", view))
    app.register_error_handler(LookupError, step("error handler", lambda error: "handled"))
    app.after_request(step("after", lambda response: response))
    app.teardown_request(step("teardown"))
    app.teardown_request(step("another teardown"))
    app.teardown_appcontext(step("context"))
    app.add_url_rule("/fine", "fine", lambda: "fine")
    call = Call(app)
    task = call.start()
    await happens(begun)
    task.cancel()
    await asyncio.sleep(0)
    may_go_on.set()
    await cancelled(task)
    teardowns = [name for name in log if name in {"teardown", "another teardown", "context"}]
    assert teardowns == ["another teardown", "teardown", "context"]
    assert len(log) == len(set(log)), f"something ran twice: {log}"
    assert not has_app_context()
    where = "nowhere"
    log.clear()
    assert (await answer(app, "/fine")).text == "fine"
    assert log[-3:] == ["another teardown", "teardown", "context"]


@on_a_loop
async def test_cancelled_async_view_may_clean_up() -> None:
    app, log, begun = make_app(), list[str](), asyncio.Event()
    app.teardown_request(lambda exc: log.append(type(exc).__name__))

    @app.get("/")
    async def index() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            log.append(f"cleaned up {request.path}")
        return "never"

    task = Call(app).start()
    await begun.wait()
    task.cancel()
    await cancelled(task)
    assert log == ["cleaned up /", "CancelledError"]


@on_a_loop
async def test_async_view_that_ignores_its_cancellation_is_answered() -> None:
    app, begun = make_app(), asyncio.Event()

    @app.get("/")
    async def index() -> str:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "all the same"

    task = Call(app).start()
    await begun.wait()
    task.cancel()
    assert (await task).text == "all the same"


@pytest.mark.parametrize("way", ["plain spelling", "middleware"])
@on_a_loop
async def test_second_cancellation_reaches_what_a_thread_has_begun_after_the_first(way: str) -> None:
    app, log = make_app(way), list[str]()
    begun, may_go_on, waits = threading.Event(), threading.Event(), asyncio.Event()

    @app.before_request
    def before() -> None:
        begun.set()
        assert may_go_on.wait(PATIENCE)

    @app.get("/")
    async def index() -> str:
        waits.set()
        try:
            await asyncio.Event().wait()
        finally:
            log.append("cancelled")
        return "never"

    app.teardown_request(lambda exc: log.append("torn down"))
    task = Call(app).start()
    await happens(begun)
    task.cancel()
    await asyncio.sleep(0)
    may_go_on.set()
    await waits.wait()
    task.cancel()
    await cancelled(task)
    assert log == ["cancelled", "torn down"]


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_teardown_function_that_is_cancelled_has_begun(way: str) -> None:
    """However early the cancellation comes."""
    app, log, begun = make_app(way), list[str](), threading.Event()

    @app.teardown_appcontext
    async def last(exc: BaseException | None) -> None:
        log.append("last")
        await asyncio.sleep(0)

    @app.teardown_request
    async def first(exc: BaseException | None) -> None:
        log.append("first")
        begun.set()
        await asyncio.Event().wait()

    app.add_url_rule("/", "index", lambda: "text")
    task = Call(app).start()
    await happens(begun)
    task.cancel()
    await cancelled(task)
    assert log == ["first", "last"]


@on_a_loop
async def test_everything_is_cancelled_as_servers_do_at_their_end() -> None:
    app, log = make_app(), list[str]()
    app.teardown_request(lambda exc: log.append(request.path))

    @app.get("/wait/<int:one>")
    async def wait(one: int) -> str:
        await asyncio.Event().wait()
        return "never"

    @app.get("/stream/<int:one>")
    async def stream(one: int) -> t.Any:
        async def generate() -> t.AsyncIterator[str]:
            yield "a"
            await asyncio.Event().wait()

        return stream_with_context(generate())

    calls = [Call(app, f"/{kind}/{one}") for kind in ("wait", "stream") for one in range(10)]
    tasks = [call.start() for call in calls]
    for call in calls[10:]:
        await call.until_pieces(1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)
    assert sorted(log) == sorted(call.scope["path"] for call in calls)


# What is freed


@pytest.mark.parametrize("error", [LookupError, asyncio.CancelledError])
@on_a_loop
async def test_result_that_nobody_awaits_any_more_is_freed(error: type[BaseException]) -> None:
    app = make_app()

    class Result:
        """Something a weak reference can point to."""

    references: list[weakref.ref[Result]] = []

    def work() -> Result:
        result = Result()
        references.append(weakref.ref(result))
        return result

    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(error):
            result = await app.on_thread(work)
            del result
            raise error
        assert await gone(references[0])
    finally:
        gc.enable()
