"""The life span of an application, and what it does beside its requests."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import http.client
import logging
import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import typing as t
import weakref
from contextvars import ContextVar
from pathlib import Path

import pytest

from asgi_peer import LIMIT, Message, Peer, begun, connect, disconnect, get, handshake, run
from erlen import (
    Blueprint,
    Erlen,
    Response,
    after_this_request,
    current_app,
    g,
    has_app_context,
    has_request_context,
    redirect,
    request,
    session,
    websocket,
)
from erlen.pipeline.loops import in_a_loop, is_background_thread
from erlen.scaffold import SetupError
from erlen.testing import ErlenClient

language: ContextVar[str] = ContextVar("language", default="none")


def wait_for(condition: t.Callable[[], bool]) -> None:
    """Wait for what other threads do."""
    deadline = time.monotonic() + LIMIT / 2
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def noted(log: list[t.Any]) -> str:
    """Answer a request, and note that there was one."""
    log.append("request")
    return "text"


def bounded(function: t.Callable[[], t.Any]) -> t.Any:
    """Return what a function returns, and fail where it hangs."""
    future: concurrent.futures.Future[t.Any] = concurrent.futures.Future()

    def call() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future.result(LIMIT / 3)


def life_span(*messages: str) -> tuple[dict[str, t.Any], list[Message]]:
    """Return the scope of a life span, and its messages."""
    scope: dict[str, t.Any] = {
        "type": "lifespan",
        "asgi": {"version": "3.0", "spec_version": "2.0"},
        "state": {},
    }
    return scope, [{"type": f"lifespan.{message}"} for message in messages]


# Kinds of life spans


class Manager:
    """A context manager of a class, plain and async."""

    def __init__(self, log: list[str]) -> None:
        self.log = log

    def __enter__(self) -> None:
        self.log.append("begin")

    def __exit__(self, *details: object) -> None:
        self.log.append("end")


class AsyncManager:
    def __init__(self, log: list[str]) -> None:
        self.log = log

    async def __aenter__(self) -> None:
        await asyncio.sleep(0)
        self.log.append("begin")

    async def __aexit__(self, *details: object) -> None:
        await asyncio.sleep(0)
        self.log.append("end")


def life_spans(log: list[t.Any]) -> dict[str, t.Callable[..., t.Any]]:
    """Return a life span of each kind, which notes when it begins and ends."""

    async def async_generator() -> t.AsyncGenerator[None]:
        await asyncio.sleep(0)
        log.append("begin")
        yield
        await asyncio.sleep(0)
        log.append("end")

    def generator() -> t.Generator[None]:
        log.append("begin")
        yield
        log.append("end")

    async def async_generator_of_app(app: Erlen) -> t.AsyncGenerator[None]:
        assert type(app) is Erlen
        log.append("begin")
        yield
        log.append("end")

    def generator_of_app(app: Erlen, unused: str = "default", *, option: bool = False) -> t.Iterator[None]:
        assert type(app) is Erlen
        log.append("begin")
        yield
        log.append("end")

    class Method:
        def method(self) -> t.Iterator[None]:
            log.append("begin")
            yield
            log.append("end")

        async def method_of_app(self, app: Erlen) -> t.AsyncIterator[None]:
            assert type(app) is Erlen
            log.append("begin")
            yield
            log.append("end")

    return {
        "async generator": async_generator,
        "generator": generator,
        "async generator of app": async_generator_of_app,
        "generator of app": generator_of_app,
        "asynccontextmanager": contextlib.asynccontextmanager(async_generator),
        "contextmanager": contextlib.contextmanager(generator),
        "asynccontextmanager of app": contextlib.asynccontextmanager(async_generator_of_app),
        "returns async manager": lambda: AsyncManager(log),
        "returns manager": lambda: Manager(log),
        "returns manager of app": lambda app: Manager(log),
        "method": Method().method,
        "method of app": Method().method_of_app,
    }


@pytest.mark.parametrize("kind", life_spans([]))
def test_life_span_of_any_kind_runs_around_the_requests(app: Erlen, client: ErlenClient, kind: str) -> None:
    log: list[t.Any] = []
    assert app.lifespan(life_spans(log)[kind]) is not None
    app.add_url_rule("/", "index", lambda: noted(log))
    assert log == []
    with client:
        assert log == ["begin"]
        client.get("/")
        client.get("/")
    assert log == ["begin", "request", "request", "end"]
    with client:
        client.get("/")
    assert log[4:] == ["begin", "request", "end"]


def test_decorators_return_the_function(app: Erlen) -> None:
    def function() -> t.Iterator[None]:
        yield

    assert app.lifespan(function) is function
    assert app.before_serving(function) is function
    assert app.after_serving(function) is function


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_order_of_everything(app: Erlen, client: ErlenClient, kind: str) -> None:
    log: list[str] = []

    def span(name: str) -> t.Callable[..., t.Any]:
        def plain() -> t.Iterator[None]:
            log.append(f"begin {name}")
            yield
            log.append(f"end {name}")

        async def asynchronous() -> t.AsyncIterator[None]:
            log.append(f"begin {name}")
            yield
            log.append(f"end {name}")

        return plain if kind == "plain" else asynchronous

    def function(name: str) -> t.Callable[..., t.Any]:
        def plain() -> None:
            log.append(name)

        async def asynchronous() -> None:
            log.append(name)

        return plain if kind == "plain" else asynchronous

    app.after_serving(function("after 1"))
    app.before_serving(function("before 1"))
    app.lifespan(span("a"))
    app.lifespan(span("b"))
    app.before_serving(function("before 2"))
    app.after_serving(function("after 2"))
    app.add_url_rule("/", "index", lambda: noted(log))
    with client:
        client.get("/")
    assert log == [
        "begin a", "begin b", "before 1", "before 2", "request", "after 1", "after 2", "end b", "end a",
    ]  # fmt: skip


@pytest.mark.parametrize("only", ["lifespan", "before_serving", "after_serving"])
def test_each_kind_of_function_alone(app: Erlen, client: ErlenClient, only: str) -> None:
    log: list[str] = []

    def generator() -> t.Iterator[None]:
        log.append("before")
        yield
        log.append("after")

    if only == "lifespan":
        app.lifespan(generator)
    elif only == "before_serving":
        app.before_serving(lambda: log.append("before"))
    else:
        app.after_serving(lambda: log.append("after"))
    with client:
        client.get("/")
    assert (
        log
        == {
            "lifespan": ["before", "after"],
            "before_serving": ["before"],
            "after_serving": ["after"],
        }[only]
    )


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_application_is_active_in_all_of_it(app: Erlen, client: ErlenClient, kind: str) -> None:
    log: list[t.Any] = []

    def look() -> None:
        log.append((current_app.name, has_request_context(), g.get("name")))
        g.name = "of another context"

    def span() -> t.Iterator[None]:
        look()
        yield
        look()

    async def aspan() -> t.AsyncIterator[None]:
        look()
        yield
        look()

    async def alook() -> None:
        look()

    app.lifespan(span if kind == "plain" else aspan)
    app.before_serving(look if kind == "plain" else alook)
    app.after_serving(look if kind == "plain" else alook)
    torn_down: list[t.Any] = []
    app.teardown_appcontext(torn_down.append)
    with client:
        pass
    assert log == [("erlen_test", False, None)] * 4
    assert torn_down == [None] * 4
    assert not has_app_context()


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_variables_and_task_are_the_same_at_both_ends(app: Erlen, client: ErlenClient, kind: str) -> None:
    """What libraries ask of a block: cancel scopes and task groups have to be left where they were entered."""
    seen: list[t.Any] = []

    async def span() -> t.AsyncIterator[None]:
        task = asyncio.current_task()
        language.set("of the life span")
        yield
        seen.append((asyncio.current_task() is task, language.get()))

    def plain_span() -> t.Iterator[None]:
        language.set("of the life span")
        yield
        seen.append((True, language.get()))

    app.lifespan(span if kind == "async" else plain_span)
    with client:
        pass
    assert seen == [(True, "of the life span")]


def test_task_group_may_span_the_application(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    @app.lifespan
    async def workers() -> t.AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            stop = asyncio.Event()

            async def work() -> None:
                log.append("works")
                await stop.wait()
                log.append("stops")

            group.create_task(work())
            yield
            stop.set()
        log.append("is over")

    with client:
        client.get("/")
    assert log == ["works", "stops", "is over"]


@pytest.mark.protocol("wsgi")
def test_plain_functions_run_outside_of_an_event_loop_under_wsgi(app: Erlen, client: ErlenClient) -> None:
    """They may call whatever plain code may call: ``asyncio.run``, and what waits for the background loop."""
    log: list[bool] = []

    def span() -> t.Iterator[None]:
        log.append(in_a_loop())
        yield
        log.append(in_a_loop())

    app.lifespan(span)
    app.before_serving(lambda: log.append(in_a_loop()))
    app.after_serving(lambda: log.append(in_a_loop()))
    with client:
        pass
    assert log == [False] * 4


@pytest.mark.parametrize("method", ["lifespan", "before_serving", "after_serving"])
def test_functions_cannot_be_added_after_the_first_request(
    app: Erlen, client: ErlenClient, method: str
) -> None:
    client.get("/")
    with pytest.raises(
        SetupError, match=f"'{method}' was called on the application 'erlen_test', which has begun to serve"
    ):
        getattr(app, method)(lambda: None)


@pytest.mark.parametrize(
    ("returned", "shown"), [(None, "None"), (7, "7"), ([], r"\[\]"), ("coroutine", "<coroutine object")]
)
def test_function_that_makes_no_context_manager_is_explained(
    app: Erlen, client: ErlenClient, returned: t.Any, shown: str
) -> None:
    def plain() -> t.Any:
        return returned

    async def asynchronous() -> None:
        """No generator: the 'yield' was forgotten."""

    function = asynchronous if returned == "coroutine" else plain
    app.lifespan(function)
    with pytest.raises(TypeError) as caught:
        client.__enter__()
    assert re.fullmatch(
        rf"The lifespan function '\S+{function.__name__}' returned {shown}.*, which is no context manager. Write a "
        rf"generator: what is to be done before serving, then 'yield', then what is to be done after it. For one of both "
        rf"alone there are 'before_serving' and 'after_serving'.",
        str(caught.value),
    )


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize(("yields", "did"), [(0, "has not yielded"), (2, "has yielded twice")])
def test_generator_that_does_not_yield_once_is_named(
    app: Erlen, client: ErlenClient, kind: str, yields: int, did: str
) -> None:
    def span() -> t.Iterator[None]:
        yield from [None] * yields

    async def aspan() -> t.AsyncIterator[None]:
        for _ in range(yields):
            yield

    function = span if kind == "plain" else aspan
    app.lifespan(function)
    with pytest.raises(RuntimeError) as caught, client:
        pass
    assert str(caught.value) == (
        f"The lifespan function {function.__qualname__!r} {did}. It yields once, on every way through it: what is to be "
        f"done before serving, then 'yield', then what is to be done after it."
    )


def test_error_of_a_life_span_that_is_no_mistake_of_its_generator_is_raised_as_it_is(
    app: Erlen, client: ErlenClient
) -> None:
    @app.lifespan
    def span() -> t.Iterator[None]:
        raise RuntimeError("no database")
        yield

    with pytest.raises(RuntimeError, match=r"\Ano database\Z"), client:
        pass


# Failures


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_failure_at_the_start_ends_what_has_begun(app: Erlen, client: ErlenClient, kind: str) -> None:
    log: list[str] = []

    @app.lifespan
    async def first() -> t.AsyncIterator[None]:
        log.append("begin first")
        yield
        log.append("end first")

    @app.lifespan
    def second() -> t.Iterator[None]:
        log.append("begin second")
        yield
        log.append("end second")

    def plain() -> t.Iterator[None]:
        if fails:
            raise LookupError("planned")
        yield

    async def asynchronous() -> t.AsyncIterator[None]:
        if fails:
            raise LookupError("planned")
        yield

    app.lifespan(plain if kind == "plain" else asynchronous)
    app.before_serving(lambda: log.append("before"))
    app.after_serving(lambda: log.append("after"))
    fails = True
    with pytest.raises(LookupError, match="planned"):
        client.__enter__()
    assert log == ["begin first", "begin second", "end second", "end first"]
    # Another try, with the same client.
    fails = False
    log.clear()
    with client:
        pass
    assert log == [
        "begin first", "begin second", "before", "after", "end second", "end first",
    ]  # fmt: skip


def test_failure_before_serving_ends_the_life_spans_and_runs_nothing_after_serving(
    app: Erlen, client: ErlenClient
) -> None:
    log: list[str] = []

    @app.lifespan
    def span() -> t.Iterator[None]:
        yield
        log.append("end")

    @app.before_serving
    async def fail() -> None:
        raise LookupError("planned")

    app.after_serving(lambda: log.append("after"))
    with pytest.raises(LookupError, match="planned"):
        client.__enter__()
    assert log == ["end"]


def test_what_fails_while_a_failed_start_is_ended_is_noted(app: Erlen, client: ErlenClient) -> None:
    for number in range(2):

        def make(number: int = number) -> t.Any:
            async def span() -> t.AsyncIterator[None]:
                yield
                raise ValueError(f"end {number}")

            return span

        app.lifespan(make())

    @app.lifespan
    def fail() -> t.Iterator[None]:
        raise LookupError("planned")
        yield

    with pytest.raises(LookupError, match="planned") as caught:
        client.__enter__()
    assert caught.value.__notes__ == [
        f"While the life spans that had begun were ended, ValueError('end {number}') was raised."
        for number in (1, 0)
    ]


def test_failure_at_the_end_keeps_nothing_from_ending(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    @app.lifespan
    def first() -> t.Iterator[None]:
        yield
        log.append("first")

    @app.lifespan
    async def second() -> t.AsyncIterator[None]:
        yield
        raise LookupError("planned")

    @app.lifespan
    def third() -> t.Iterator[None]:
        yield
        log.append("third")

    with pytest.raises(LookupError, match="planned"), client:
        pass
    assert log == ["third", "first"]


def test_several_failures_at_the_end_are_a_group(app: Erlen, client: ErlenClient) -> None:
    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        yield
        raise LookupError("span")

    @app.after_serving
    def after() -> None:
        raise ValueError("after")

    with pytest.raises(BaseExceptionGroup) as caught, client:
        pass
    assert str(caught.value).startswith("2 callbacks raised while ending the life span")
    assert [repr(error) for error in caught.value.exceptions] == [
        "ValueError('after')",
        "LookupError('span')",
    ]


def test_failure_of_the_test_is_not_hidden_by_the_end(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        yield
        log.append("ended")

    with pytest.raises(ZeroDivisionError), client:
        raise ZeroDivisionError
    assert log == ["ended"]


# The test clients


def test_client_leaves_an_application_that_had_begun(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        log.append("begin")
        yield
        log.append("end")

    with client, app.test_client() as second:
        second.get("/")
        with app.test_client() as third:
            third.get("/")
        assert log == ["begin"]
    assert log == ["begin", "end"]


def test_client_outside_of_a_block_begins_with_its_first_request(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        log.append("begin")
        yield
        log.append("end")

    app.add_url_rule("/", "index", lambda: "text")
    client.get("/")
    client.get("/")
    assert log == ["begin"]
    # What a script without a server does.
    app.stop_serving()
    assert log == ["begin", "end"]
    client.get("/")
    assert log == ["begin", "end", "begin"]
    app.stop_serving()
    app.stop_serving()
    assert log == ["begin", "end", "begin", "end"]


def test_async_client_begins_and_ends_on_the_loop_of_the_test(app: Erlen) -> None:
    log: list[t.Any] = []

    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        log.append(asyncio.get_running_loop())
        yield
        log.append(asyncio.get_running_loop())

    @app.get("/")
    async def index() -> str:
        log.append(asyncio.get_running_loop())
        return "text"

    async def main() -> None:
        async with app.async_test_client() as client:
            await client.get("/")
        assert log == [asyncio.get_running_loop()] * 3

    run(main())


def test_websocket_of_a_client_begins_the_life_span(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        log.append("begin")
        yield
        log.append("end")

    @app.websocket("/")
    async def index() -> None:
        await websocket.send("a")

    with client.websocket("/") as socket:
        assert socket.receive() == "a"
    assert log == ["begin"]
    app.stop_serving()
    assert log == ["begin", "end"]


def test_start_serving_says_whether_it_was_the_one(app: Erlen) -> None:
    assert app.start_serving() is True
    assert app.is_serving
    assert app.start_serving() is False
    app.stop_serving()
    assert not app.is_serving
    assert app.start_serving() is True
    app.stop_serving()


@pytest.mark.parametrize("kind", ["lifespan", "before_serving"])
@pytest.mark.parametrize("is_async", [False, True])
def test_application_may_send_itself_requests_while_it_begins(
    app: Erlen, client: ErlenClient, kind: str, is_async: bool
) -> None:
    """To fill a cache, for example. It must not wait for its own beginning."""
    app.add_url_rule("/", "index", lambda: "warm")
    log: list[str] = []

    def warm_up() -> None:
        log.append(app.test_client(protocol="wsgi").get("/").text)

    async def awarm_up() -> None:
        log.append((await app.async_test_client().get("/")).text)

    def span() -> t.Iterator[None]:
        warm_up()
        yield

    async def aspan() -> t.AsyncIterator[None]:
        await awarm_up()
        yield

    if kind == "lifespan":
        app.lifespan(aspan if is_async else span)
    else:
        app.before_serving(awarm_up if is_async else warm_up)

    def use() -> str:
        with client:
            return client.get("/").text

    assert bounded(use) == "warm"
    assert log == ["warm"]


def test_blueprint_has_no_life_span() -> None:
    assert not hasattr(Blueprint("part", "part"), "lifespan")


# ASGI servers


def test_server_begins_and_ends_the_life_span(app: Erlen) -> None:
    log: list[t.Any] = []

    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        log.append(("begin", asyncio.get_running_loop()))
        yield
        log.append(("end", asyncio.get_running_loop()))

    @app.before_serving
    def before() -> None:
        log.append("before")

    async def main() -> None:
        scope, [startup, shutdown] = life_span("startup", "shutdown")
        async with Peer(app, scope, startup) as peer:
            assert await peer.take("lifespan.startup.complete") == {"type": "lifespan.startup.complete"}
            assert app.is_serving
            assert log == [("begin", asyncio.get_running_loop()), "before"]
            async with Peer(app, get("/")) as request:
                await request.take("http.response.start")
            peer.give(shutdown)
            assert await peer.take("lifespan.shutdown.complete") == {"type": "lifespan.shutdown.complete"}
        assert log[2:] == [("end", asyncio.get_running_loop())]

    run(main())


@pytest.mark.parametrize("kind", ["async generator", "generator", "before serving", "async before serving"])
def test_failed_start_is_sent_with_the_user_s_traceback(app: Erlen, kind: str) -> None:
    def fail() -> None:
        raise LookupError("planned")

    def span() -> t.Iterator[None]:
        fail()
        yield

    async def aspan() -> t.AsyncIterator[None]:
        fail()
        yield

    async def afail() -> None:
        fail()

    if "serving" in kind:
        app.before_serving(afail if kind.startswith("async") else fail)
    else:
        app.lifespan(aspan if kind.startswith("async") else span)

    async def main() -> str:
        scope, [startup] = life_span("startup")
        async with Peer(app, scope, startup) as peer:
            failed = await peer.take("lifespan.startup.failed")
        assert peer.rest() == []
        return t.cast(str, failed["message"])

    shown = run(main())
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.endswith("LookupError: planned")
    assert {Path(file).name for file in re.findall(r'File "(.+)", line', shown)} == {"test_lifecycle.py"}
    assert not app.is_serving


def test_failed_start_has_the_notes_of_what_was_ended(app: Erlen) -> None:
    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        yield
        raise ValueError("at the end")

    @app.before_serving
    async def fail() -> None:
        raise LookupError("planned")

    async def main() -> str:
        scope, [startup] = life_span("startup")
        async with Peer(app, scope, startup) as peer:
            return t.cast(str, (await peer.take("lifespan.startup.failed"))["message"])

    assert run(main()).endswith(
        "LookupError: planned\n"
        "While the life spans that had begun were ended, ValueError('at the end') was raised."
    )


@pytest.mark.parametrize("count", [1, 2])
def test_failed_end_is_sent_with_the_user_s_traceback(app: Erlen, count: int) -> None:
    def make(number: int) -> t.Any:
        async def span() -> t.AsyncIterator[None]:
            yield
            raise LookupError(f"planned {number}")

        return span

    for number in range(count):
        app.lifespan(make(number))

    async def main() -> str:
        scope, [startup, shutdown] = life_span("startup", "shutdown")
        async with Peer(app, scope, startup, shutdown) as peer:
            await peer.take("lifespan.startup.complete")
            return t.cast(str, (await peer.take("lifespan.shutdown.failed"))["message"])

    shown = run(main())
    assert "LookupError: planned 0" in shown
    assert ("LookupError: planned 1" in shown) == (count == 2)
    assert {Path(file).name for file in re.findall(r'File "(.+)", line', shown)} == {"test_lifecycle.py"}


@pytest.mark.parametrize("messages", [["nonsense"], ["startup", "nonsense"]])
def test_unknown_event_of_the_life_span_is_an_error(app: Erlen, messages: list[str]) -> None:
    async def main() -> None:
        scope, events = life_span(*messages)
        async with Peer(app, scope, *events):
            pass

    with pytest.raises(ValueError) as caught:
        run(main())
    assert (
        str(caught.value)
        == "The server sent 'lifespan.nonsense', which is no event of the life span in ASGI 3."
    )
    app.stop_serving()


def test_server_that_ends_what_has_not_begun(app: Erlen) -> None:
    log: list[str] = []
    app.after_serving(lambda: log.append("after"))

    async def main() -> None:
        scope, [shutdown] = life_span("shutdown")
        async with Peer(app, scope, shutdown) as peer:
            await peer.take("lifespan.shutdown.complete")

    run(main())
    assert log == []


def test_server_that_is_stopped_while_the_application_begins(app: Erlen) -> None:
    log: list[str] = []
    entered = asyncio.Event()

    @app.lifespan
    async def first() -> t.AsyncIterator[None]:
        log.append("begin first")
        yield
        log.append("end first")

    @app.lifespan
    async def second() -> t.AsyncIterator[None]:
        entered.set()
        await asyncio.Event().wait()
        yield

    async def main() -> None:
        scope, [startup] = life_span("startup")
        with pytest.raises(asyncio.CancelledError):
            async with Peer(app, scope, startup) as peer:
                await begun(entered)
                peer.task.cancel()

    run(main())
    assert log == ["begin first", "end first"]
    assert not app.is_serving


def test_first_request_begins_where_the_server_has_no_life_span(app: Erlen) -> None:
    log: list[t.Any] = []

    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        log.append(asyncio.get_running_loop())
        await asyncio.sleep(0)
        yield

    @app.get("/plain")
    def plain() -> str:
        return "plain"

    @app.get("/async")
    async def asynchronous() -> str:
        return "async"

    @app.websocket("/socket")
    async def socket() -> None:
        await websocket.accept()

    async def main() -> None:
        async with (
            Peer(app, get("/plain")) as plain,
            Peer(app, get("/async")) as asynchronous,
            Peer(app, handshake("/socket"), connect()) as socket,
        ):
            assert (await plain.take("http.response.start"))["status"] == 200
            assert (await asynchronous.take("http.response.start"))["status"] == 200
            await socket.take("websocket.accept")
        assert log == [asyncio.get_running_loop()]
        await app.astop_serving()

    run(main())


@pytest.mark.protocol("asgi")
@pytest.mark.parametrize(
    "needs", ["a plain function", "a plain teardown", "a plain function of an async one"]
)
def test_requests_that_wait_for_the_start_leave_it_a_thread(app: Erlen, needs: str) -> None:
    app.config["THREAD_POOL_SIZE"] = 2
    all_wait = asyncio.Event()
    waiting: list[int] = []
    log: list[str] = []
    start = app.start_serving

    def start_noted() -> bool:
        waiting.append(1)
        return start()

    vars(app)["start_serving"] = start_noted

    @app.before_serving
    async def first() -> None:
        await all_wait.wait()
        if needs == "a plain function of an async one":
            await app.ensure_async(log.append)("begin")

    if needs == "a plain function":
        app.before_serving(lambda: log.append("begin"))
    if needs == "a plain teardown":
        app.teardown_appcontext(lambda exc: log.append("begin"))
    app.add_url_rule("/plain", "plain", lambda: "text")

    @app.get("/async")
    async def asynchronous() -> str:
        return "text"

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(Peer(app, get("/async")))]
            await asyncio.sleep(0)
            for _ in range(4):
                peers.append(await stack.enter_async_context(Peer(app, get("/plain"))))
            await asyncio.to_thread(wait_for, lambda: len(waiting) == 2)
            all_wait.set()
            for peer in peers:
                assert (await peer.take("http.response.start"))["status"] == 200
        await app.astop_serving()

    run(main())
    assert log[0] == "begin"


@pytest.mark.parametrize("leaves", ["the first", "another"])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_client_that_leaves_while_the_application_begins_harms_no_other(
    app: Erlen, leaves: str, kind: str
) -> None:
    """Where the server has no life span, requests begin it and wait for it."""
    entered, may_begin = asyncio.Event(), asyncio.Event()
    log: list[str] = []

    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        log.append("begin")
        entered.set()
        await may_begin.wait()
        yield
        log.append("end")

    @app.get("/")
    async def index() -> str:
        return "text"

    @app.websocket("/socket")
    async def socket() -> None:
        await websocket.accept()

    def peer() -> Peer:
        return Peer(app, get("/")) if kind == "http" else Peer(app, handshake("/socket"), connect())

    async def main() -> None:
        async with peer() as first:
            await begun(entered)
            async with peer() as second:
                for _ in range(20):
                    await asyncio.sleep(0)
                gone, stays = (first, second) if leaves == "the first" else (second, first)
                gone.give({"type": "http.disconnect"} if kind == "http" else disconnect())
                await gone.over()
                may_begin.set()
                await stays.take("http.response.start" if kind == "http" else "websocket.accept")
        assert app.is_serving
        await app.astop_serving()

    run(main())
    assert log == ["begin", "end"]


# WSGI


@pytest.mark.protocol("wsgi")
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_threads_that_race_for_the_first_request_begin_once(app: Erlen, kind: str) -> None:
    log: list[str] = []
    barrier = threading.Barrier(16)

    def plain() -> t.Iterator[None]:
        log.append("begin")
        time.sleep(0.02)
        log.append("begun")
        yield

    async def asynchronous() -> t.AsyncIterator[None]:
        log.append("begin")
        await asyncio.sleep(0.02)
        log.append("begun")
        yield

    app.lifespan(plain if kind == "plain" else asynchronous)
    app.add_url_rule("/", "index", lambda: noted(log))
    answers: list[int] = []

    def ask() -> None:
        client = app.test_client()
        barrier.wait(LIMIT)
        answers.append(client.get("/").status_code)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert answers == [200] * 16
    assert log == ["begin", "begun", *["request"] * 16]
    app.stop_serving()


@pytest.mark.parametrize("propagates", [False, True])
def test_request_fails_with_the_start_and_the_next_tries_again(
    app: Erlen, client: ErlenClient, propagates: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = propagates
    fails = [True, True, False]
    log: list[str] = []

    @app.lifespan
    def span() -> t.Iterator[None]:
        if fails.pop(0):
            raise LookupError("planned")
        log.append("begin")
        yield
        log.append("end")

    app.add_url_rule("/", "index", lambda: noted(log))
    for _ in range(2):
        if propagates:
            with pytest.raises(LookupError, match="planned"):
                client.get("/")
        else:
            assert client.get("/").status_code == 500
    assert log == []
    assert client.get("/").status_code == 200
    app.stop_serving()
    assert log == ["begin", "request", "end"]
    assert len(caplog.records) == (0 if propagates else 2)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_request_that_fails_with_the_start_logs_little_but_the_user_s_traceback(
    app: Erlen, client: ErlenClient, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.lifespan
    def span() -> t.Iterator[None]:
        raise LookupError("planned")
        yield

    async def index() -> str:
        return "text"

    app.add_url_rule("/", "index", (lambda: "text") if kind == "plain" else index)
    for _ in range(2):
        assert client.get("/").status_code == 500
    for record in caplog.records:
        assert record.exc_info is not None
        names = [frame.name for frame in traceback.extract_tb(record.exc_info[2])]
        assert names[-2].endswith("full_dispatch_request")
        assert names[-1] == "span"


@pytest.mark.protocol("wsgi")
def test_threads_that_wait_for_a_start_that_fails_fail_with_it(app: Erlen) -> None:
    may_fail = threading.Event()
    tries: list[int] = []

    @app.lifespan
    def span() -> t.Iterator[None]:
        tries.append(1)
        assert may_fail.wait(LIMIT)
        raise LookupError("planned")
        yield

    app.add_url_rule("/", "index", lambda: "text")
    raised: list[str] = []

    def ask() -> None:
        try:
            app.test_client().get("/")
        except LookupError as error:
            raised.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: bool(tries))
    may_fail.set()
    for thread in threads:
        thread.join(LIMIT)
    assert raised == ["planned"] * 4


@pytest.mark.protocol("wsgi")
def test_request_while_the_application_stops_begins_it_anew(app: Erlen) -> None:
    """Nothing of the life span before is forgotten."""
    log: list[str] = []
    is_stopping, may_stop = threading.Event(), threading.Event()

    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        number = len([entry for entry in log if "begin" in entry])
        log.append(f"begin {number}")
        yield
        log.append(f"end {number}")

    def work() -> None:
        is_stopping.set()
        assert may_stop.wait(LIMIT)

    app.add_url_rule("/", "index", lambda: "text")
    client = app.test_client()
    client.get("/")
    app.spawn(work)
    stopping = threading.Thread(target=app.stop_serving)
    stopping.start()
    assert is_stopping.wait(LIMIT)
    wait_for(lambda: not app.is_serving)
    assert client.get("/").status_code == 200
    may_stop.set()
    stopping.join(LIMIT)
    app.stop_serving()
    assert sorted(log) == ["begin 0", "begin 1", "end 0", "end 1"]


# Processes


def python(code: str, *, returncode: int = 0, folder: Path | None = None) -> tuple[str, str]:
    """Run a program and return what it wrote."""
    finished = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert finished.returncode == returncode, finished.stderr
    return finished.stdout, finished.stderr


PROCESS = pytest.mark.protocol("wsgi")


@PROCESS
@pytest.mark.parametrize("kind", ["async def", "def"])
def test_life_span_ends_with_the_process(kind: str) -> None:
    out, error = python(
        f"""
        from erlen import Erlen
        app = Erlen("app")

        @app.lifespan
        {kind} span():
            print("begin")
            yield
            print("end")

        @app.after_serving
        {kind} after():
            print("after")

        app.add_url_rule("/", "index", lambda: "text")
        print(app.test_client().get("/").text)
        """
    )
    assert (out.split(), error) == (["begin", "text", "after", "end"], "")


@PROCESS
def test_function_after_serving_alone_runs_at_the_end_of_the_process() -> None:
    out, error = python(
        """
        from erlen import Erlen
        app = Erlen("app")
        app.after_serving(lambda: print("after"))
        app.add_url_rule("/", "index", lambda: "text")
        print(app.test_client().get("/").text)
        """
    )
    assert (out.split(), error) == (["text", "after"], "")


@PROCESS
def test_end_of_the_process_needs_no_threads() -> None:
    """None can be started there from Python 3.12 on."""
    out, error = python(
        """
        import threading
        from erlen import Erlen
        app = Erlen("app")

        @app.lifespan
        async def span():
            yield
            print("async")

        @app.lifespan
        def plain_span():
            yield
            print("plain", threading.current_thread() is threading.main_thread())

        app.add_url_rule("/", "index", lambda: "text")
        print(app.test_client().get("/").text)
        """
    )
    assert (out.splitlines(), error) == (["text", "plain True", "async"], "")


@PROCESS
def test_failure_at_the_end_of_the_process_is_logged() -> None:
    out, error = python(
        """
        from erlen import Erlen
        app = Erlen("app")

        @app.lifespan
        async def first():
            yield
            print("first")

        @app.lifespan
        async def second():
            yield
            raise LookupError("planned")

        app.add_url_rule("/", "index", lambda: "text")
        print(app.test_client().get("/").text)
        """
    )
    assert out.split() == ["text", "first"]
    assert "The life span of <Erlen 'app'> did not end well" in error
    assert "LookupError: planned" in error


@PROCESS
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_spawned_work_is_awaited_at_the_end_of_the_process(kind: str) -> None:
    out, error = python(
        f"""
        import asyncio, time
        from erlen import Erlen
        app = Erlen("app")

        async def awork():
            await asyncio.sleep(0.2)
            print("worked")

        def work():
            time.sleep(0.2)
            print("worked")

        @app.get("/")
        def index():
            app.spawn({"work" if kind == "plain" else "awork"})
            return "text"

        print(app.test_client().get("/").text)
        """
    )
    assert (out.split(), error) == (["text", "worked"], "")


@PROCESS
def test_spawned_work_that_hangs_does_not_keep_the_process() -> None:
    out, error = python(
        """
        import asyncio, threading
        from erlen import Erlen
        app = Erlen("app")
        app.config["SHUTDOWN_TIMEOUT"] = 0.1

        async def forever():
            try:
                await asyncio.Event().wait()
            finally:
                print("cancelled")

        def forever_plain():
            threading.Event().wait()

        with app.app_context():
            app.spawn(forever)
            app.spawn(forever_plain)
        print("end")
        """
    )
    assert out.split() == ["end", "cancelled"]
    assert "2 background tasks had not ended 0.1 s after the application was told to stop" in error
    assert "were given up: forever, forever_plain" in error


@PROCESS
def test_forked_process_has_a_life_span_of_its_own() -> None:
    out, error = python(
        """
        import os, sys
        from erlen import Erlen
        app = Erlen("app")

        @app.lifespan
        async def span():
            print("begin", os.getpid() == parent)
            yield
            print("end", os.getpid() == parent)

        def work():
            print("work", os.getpid() == parent)

        @app.get("/")
        def index():
            app.spawn(work).result()
            return "text"

        parent = os.getpid()
        app.test_client().get("/")
        child = os.fork()
        if child:
            assert os.waitpid(child, 0)[1] == 0
        else:
            app.test_client().get("/")
            print("child")
        """
    )
    assert error == ""
    assert out.splitlines() == [
        "begin True", "work True", "begin False", "work False", "child", "end False", "end True",
    ]  # fmt: skip


@PROCESS
def test_process_that_forks_before_the_first_request_begins_in_the_child_alone() -> None:
    out, error = python(
        """
        import os
        from erlen import Erlen
        app = Erlen("app")

        @app.lifespan
        async def span():
            print("begin")
            yield
            print("end")

        app.add_url_rule("/", "index", lambda: "text")
        child = os.fork()
        if child:
            assert os.waitpid(child, 0)[1] == 0
        else:
            app.test_client().get("/")
        """
    )
    assert (out.split(), error) == (["begin", "end"], "")


@PROCESS
@pytest.mark.parametrize("begins", ["the client", "app.start_serving()"])
def test_application_that_nobody_holds_ends_with_the_process(begins: str) -> None:
    code = """
        import gc
        from erlen import Erlen

        def use():
            app = Erlen("app")

            @app.lifespan
            async def span():
                print("begin")
                yield
                print("end")

            app.add_url_rule("/", "index", lambda: "text")
            BEGIN

        use()
        gc.collect()
        print("collected")
        """
    begin = "app.test_client().get('/')" if begins == "the client" else begins
    out, error = python(code.replace("BEGIN", begin))
    assert (out.split(), error) == (["begin", "collected", "end"], "")


@PROCESS
def test_application_without_an_end_is_freed_when_nobody_holds_it() -> None:
    out, _ = python(
        """
        import gc
        import time
        import weakref
        from erlen import Erlen

        def use():
            app = Erlen("app")
            app.before_serving(lambda: print("before"))
            app.add_url_rule("/", "index", lambda: "text")
            print(app.test_client().get("/").text)
            return weakref.ref(app)

        reference = use()
        # The loop in the background has it until it has nothing to do.
        while reference() is not None:
            time.sleep(0.01)
            gc.collect()
        print("freed")
        """
    )
    assert out.split() == ["before", "text", "freed"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("ERLEN_", "FLASK_", "WERKZEUG_"))]:
        monkeypatch.delenv(name)
    return tmp_path


APP = """
from erlen import Erlen, request
app = Erlen(__name__)

@app.lifespan
async def span():
    print("life span begins", flush=True)
    yield
    print("life span ends", flush=True)

@app.get("/")
def index():
    print("request", flush=True)
    return "text"
"""


class Server:
    """A server in a process of its own."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.log_file = folder / "server.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
                start_new_session=True,
            )

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")

    def lines(self) -> list[str]:
        """Return what the application has printed."""
        return [line for line in self.log().splitlines() if line.startswith(("life span", "request"))]

    def port(self) -> int:
        pattern = re.compile(r"http://127\.0\.0\.1:(\d+)")
        wait_for(lambda: pattern.search(self.log()) is not None or self.process.poll() is not None)
        found = pattern.search(self.log())
        assert found is not None, self.log()
        return int(found[1])

    def get(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=LIMIT)
        try:
            connection.request("GET", "/")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *details: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LIMIT)


@PROCESS
@pytest.mark.parametrize("command", ["run", "app.run", "run --debug --no-reload"])
def test_server_of_the_command_line_begins_before_the_first_request_and_ends_at_control_c(
    folder: Path, command: str
) -> None:
    end = "\napp.run(port=0)\n" if command == "app.run" else ""
    (folder / "app.py").write_text(APP + end, encoding="utf-8")
    arguments = ["app.py"] if command == "app.run" else ["-m", "erlen", *command.split(), "--port", "0"]
    with Server(folder, *arguments) as server:
        server.port()
        assert server.lines() == ["life span begins"]
        assert server.get() == "text"
        os.kill(server.process.pid, signal.SIGINT)
        assert server.process.wait(LIMIT) == 0, server.log()
        assert server.lines() == ["life span begins", "request", "life span ends"]
        assert "Traceback" not in server.log()


@PROCESS
def test_server_of_the_command_line_ends_at_a_signal_that_the_application_turns_into_an_exit(
    folder: Path,
) -> None:
    """SIGTERM ends a process at once unless somebody handles it; then all is ended in order."""
    handler = "\nimport signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n"
    (folder / "app.py").write_text(APP + handler, encoding="utf-8")
    with Server(folder, "-m", "erlen", "run", "--port", "0") as server:
        assert server.get() == "text"
        os.kill(server.process.pid, signal.SIGTERM)
        assert server.process.wait(LIMIT) == 0, server.log()
        assert server.lines() == ["life span begins", "request", "life span ends"]


@PROCESS
@pytest.mark.parametrize("command", ["run", "run --debug", "app.run"])
def test_failure_at_the_start_stops_the_server_with_the_user_s_traceback(folder: Path, command: str) -> None:
    end = "\napp.run(port=0)\n" if command == "app.run" else ""
    code = APP.replace('print("life span begins", flush=True)', "1 / 0")
    (folder / "app.py").write_text(code + end, encoding="utf-8")
    if command == "run --debug":
        # The reloader waits for the next change, and answers with the error until then.
        command = "run --debug --no-reload"
    arguments = ["app.py"] if command == "app.run" else ["-m", "erlen", *command.split(), "--port", "0"]
    with Server(folder, *arguments) as server:
        assert server.process.wait(LIMIT) == 1, server.log()
        assert server.log().endswith("ZeroDivisionError: division by zero\n")
        assert "Running on" not in server.log()
        if command != "app.run":
            assert {Path(file).name for file in re.findall(r'File "(.+)", line', server.log())} == {"app.py"}


# Background work


@pytest.mark.parametrize("kind", ["plain", "async", "coroutine", "partial", "object"])
def test_spawned_function_runs_with_the_context_of_the_request(
    app: Erlen, client: ErlenClient, kind: str
) -> None:
    app.secret_key = "a key for tests"

    def work(number: int = 1, *, word: str = "word") -> t.Any:
        return [
            number,
            word,
            request.path,
            request.args["q"],
            session["name"],
            g.get("name"),
            current_app.name,
            language.get(),
        ]

    async def awork(number: int = 1, *, word: str = "word") -> t.Any:
        await asyncio.sleep(0)
        return work(number, word=word)

    class Work:
        async def __call__(self, number: int = 1, *, word: str = "word") -> t.Any:
            return await awork(number, word=word)

    futures: list[concurrent.futures.Future[t.Any]] = []

    @app.get("/")
    def index() -> str:
        session["name"] = "Ada"
        g.name = "of the request"
        language.set("of the view")
        if kind == "coroutine":
            futures.append(app.spawn(awork(7, word="given")))
        else:
            function = {
                "plain": work,
                "async": awork,
                "partial": lambda *a, **k: work(*a, **k),
                "object": Work(),
            }[kind]
            futures.append(app.spawn(function, 7, word="given"))
        return "text"

    assert client.get("/?q=query").text == "text"
    # A context of its own: ``g`` is empty, and what others set in it does not reach the request.
    assert futures[0].result(LIMIT) == [
        7, "given", "/", "query", "Ada", None, "erlen_test", "of the view",
    ]  # fmt: skip


@pytest.mark.parametrize("view_kind", ["plain", "async"])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_spawned_function_runs_beside_the_response(
    app: Erlen, client: ErlenClient, kind: str, view_kind: str
) -> None:
    may_end = threading.Event()
    futures: list[concurrent.futures.Future[t.Any]] = []

    def work() -> str:
        assert may_end.wait(LIMIT)
        return request.path

    async def awork() -> str:
        assert await asyncio.to_thread(may_end.wait, LIMIT)
        return request.path

    def spawn() -> str:
        futures.append(app.spawn(work if kind == "plain" else awork))
        return "text"

    async def aspawn() -> str:
        return spawn()

    app.add_url_rule("/", "index", spawn if view_kind == "plain" else aspawn)
    assert client.get("/").text == "text"
    assert not futures[0].done()
    may_end.set()
    assert futures[0].result(LIMIT) == "/"


@pytest.mark.parametrize("view_kind", ["plain", "async"])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_spawned_function_after_the_response_begins_when_it_was_sent(
    app: Erlen, client: ErlenClient, kind: str, view_kind: str
) -> None:
    log: list[str] = []
    done = threading.Event()

    def work(word: str) -> None:
        log.append(f"{word} {request.path}")
        done.set()

    async def awork(word: str) -> None:
        work(word)

    def generate() -> t.Iterator[str]:
        yield "a"
        yield "b"
        log.append("streamed")

    def index() -> t.Any:
        assert app.spawn_after_response(work if kind == "plain" else awork, "word") is None  # type: ignore[func-returns-value]
        return generate()

    async def aindex() -> t.Any:
        return index()

    app.teardown_request(lambda exc: log.append("teardown"))
    app.add_url_rule("/", "index", index if view_kind == "plain" else aindex)
    response = client.get("/")
    assert response.text == "ab"
    response.close()
    assert done.wait(LIMIT)
    wait_for(lambda: log.count("teardown") == 2)
    # The last is that of the copied context.
    assert log == ["teardown", "streamed", "word /", "teardown"]


@pytest.mark.parametrize("path", ["/", "/stream", "/error", "/head"])
def test_spawned_function_after_the_response_begins_once(app: Erlen, client: ErlenClient, path: str) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    log: list[str] = []

    @app.get("/")
    @app.get("/stream")
    @app.get("/head")
    @app.get("/error")
    def index() -> t.Any:
        app.spawn_after_response(log.append, "worked")
        return iter(["a", "b"]) if path == "/stream" else "text"

    @app.after_request
    def fails_once(response: Response) -> Response:
        if path == "/error" and response.status_code == 200:
            raise ZeroDivisionError
        return response

    response = client.head(path) if path == "/head" else client.get(path)
    response.get_data()
    response.close()
    response.close()
    app.stop_serving()
    assert log == ["worked"]


@pytest.mark.parametrize("name", ["spawn", "spawn_after_response"])
def test_what_cannot_be_called_is_refused_where_it_is_spawned(
    app: Erlen, client: ErlenClient, name: str
) -> None:
    async def work() -> None:
        """Do nothing."""

    @app.get("/")
    def index() -> str:
        with pytest.raises(
            TypeError, match=r"'abc' was to be run in the background.*'app.spawn\(send_mail, "
        ):
            getattr(app, name)("abc")
        coroutine = work()
        with pytest.raises(TypeError, match="<coroutine object"):
            getattr(app, name)(coroutine, "argument")
        coroutine.close()
        return "text"

    assert client.get("/").text == "text"


def test_plain_function_that_returns_a_coroutine_is_explained(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    futures: list[concurrent.futures.Future[t.Any]] = []

    async def work() -> None:
        raise AssertionError("nobody awaits this")

    def wraps_work() -> t.Any:
        return work()

    @app.get("/")
    def index() -> str:
        futures.append(app.spawn(wraps_work))
        return "text"

    assert client.get("/").text == "text"
    with pytest.raises(
        TypeError, match=r"wraps_work' was run .* returned <coroutine object .*Pass the async function"
    ):
        futures[0].result(LIMIT)
    wait_for(lambda: len(caplog.records) == 1)
    assert "wraps_work, spawned by / [GET]" in caplog.text


@pytest.mark.parametrize("path", ["/", "/stream", "/head", "/redirect", "/empty"])
@pytest.mark.parametrize("buffered", [False, True])
def test_spawned_function_after_the_response_begins_when_a_test_has_it(
    app: Erlen, client: ErlenClient, path: str, buffered: bool
) -> None:
    log: list[str] = []
    done = threading.Event()

    def work() -> None:
        log.append("worked")
        done.set()

    def stream() -> t.Iterator[str]:
        yield "a"
        log.append("streamed")

    @app.get("/<name>")
    @app.get("/", defaults={"name": ""})
    def index(name: str) -> t.Any:
        app.spawn_after_response(work)
        if name == "redirect":
            return redirect("/elsewhere")
        if name == "stream":
            return stream()
        return ("", 204) if name == "empty" else "text"

    with client:
        response = client.open(path, method="HEAD" if path == "/head" else "GET", buffered=buffered)
        if path == "/stream":
            assert response.text == "a"
        assert done.wait(LIMIT)
    assert log == (["streamed", "worked"] if path == "/stream" else ["worked"])


@pytest.mark.protocol("wsgi")
def test_plain_client_closes_no_response_by_itself(app: Erlen) -> None:
    """As in Flask."""
    log: list[str] = []

    @app.get("/")
    def index() -> Response:
        app.spawn_after_response(log.append, "worked")
        response = Response("text")
        response.call_on_close(lambda: log.append("closed"))
        return response

    with app.test_client() as client:
        response = client.get("/")
        wait_for(lambda: log == ["worked"])
        response.close()
    assert log == ["worked", "closed"]


def test_spawned_function_after_the_response_needs_a_request(app: Erlen) -> None:
    with app.app_context(), pytest.raises(RuntimeError, match="without a request being handled"):
        app.spawn_after_response(print)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_spawned_function_outside_of_a_request_has_an_application_context(app: Erlen, kind: str) -> None:
    def work() -> t.Any:
        return current_app.name, has_request_context()

    async def awork() -> t.Any:
        return work()

    function = work if kind == "plain" else awork
    assert app.spawn(function).result(LIMIT) == ("erlen_test", False)
    with app.app_context():
        assert app.spawn(function).result(LIMIT) == ("erlen_test", False)
    assert not has_app_context()


def test_spawned_function_has_the_context_of_its_own_application(app: Erlen, client: ErlenClient) -> None:
    other = Erlen("other")

    def work() -> t.Any:
        return current_app.name, has_request_context()

    @app.get("/")
    def index() -> t.Any:
        return list(other.spawn(work).result(LIMIT))

    assert client.get("/").json == ["other", False]


@pytest.mark.parametrize("kind", ["plain", "async", "coroutine"])
def test_error_is_logged_with_the_request_that_spawned(
    app: Erlen, client: ErlenClient, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise LookupError("planned")

    async def afail() -> None:
        raise LookupError("planned")

    futures: list[concurrent.futures.Future[t.Any]] = []

    @app.post("/orders/<int:number>")
    def order(number: int) -> str:
        futures.append(app.spawn({"plain": fail, "async": afail, "coroutine": None}[kind] or afail()))
        return "text"

    client.post("/orders/7")
    with pytest.raises(LookupError, match="planned"):
        futures[0].result(LIMIT)
    [record] = caplog.records
    name = "test_error_is_logged_with_the_request_that_spawned.<locals>." + (
        "fail" if kind == "plain" else "afail"
    )
    assert record.getMessage() == f"Exception in the background task {name}, spawned by /orders/7 [POST]"
    assert record.levelname == "ERROR"
    assert record.exc_info is not None
    assert record.exc_info[0] is LookupError


def test_error_outside_of_a_request_is_logged_with_the_name_alone(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise LookupError("planned")

    with pytest.raises(LookupError):
        app.spawn(fail).result(LIMIT)
    [record] = caplog.records
    assert record.getMessage().endswith(".<locals>.fail")


@pytest.mark.protocol("wsgi")
def test_path_in_a_log_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    app = Erlen("erlen_test", profile="flask")

    def fail() -> None:
        raise LookupError("planned")

    @app.get("/<name>")
    def index(name: str) -> str:
        app.spawn(fail).exception(LIMIT)
        return "text"

    app.test_client().get("/a%0aERROR%20forged")
    [record] = caplog.records
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_teardown_of_a_spawned_function_runs_with_its_error(app: Erlen, kind: str) -> None:
    told: list[t.Any] = []
    app.teardown_appcontext(told.append)

    def work() -> None:
        raise LookupError("planned")

    async def awork() -> None:
        work()

    logging.getLogger("erlen_test").disabled = True
    try:
        assert (
            repr(app.spawn(work if kind == "plain" else awork).exception(LIMIT)) == "LookupError('planned')"
        )
    finally:
        logging.getLogger("erlen_test").disabled = False
    assert [repr(error) for error in told] == ["LookupError('planned')"]


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_result_may_be_awaited(app: Erlen, kind: str) -> None:
    def work(number: int) -> int:
        return number * 2

    async def awork(number: int) -> int:
        return work(number)

    @app.get("/")
    async def index() -> t.Any:
        return {"result": await asyncio.wrap_future(app.spawn(work if kind == "plain" else awork, 21))}

    async def main() -> None:
        async with app.async_test_client() as client:
            assert (await client.get("/")).json == {"result": 42}

    run(main())


def test_spawned_coroutine_runs_on_the_loop_of_the_server(app: Erlen) -> None:
    loops: list[t.Any] = []

    async def work() -> None:
        loops.append(asyncio.get_running_loop())

    @app.get("/plain")
    def plain() -> str:
        app.spawn(work)
        return "text"

    @app.get("/async")
    async def asynchronous() -> str:
        app.spawn(work)
        return "text"

    async def main() -> None:
        async with app.async_test_client() as client:
            await client.get("/plain")
            await client.get("/async")
        assert loops == [asyncio.get_running_loop()] * 2

    run(main())


@pytest.mark.protocol("wsgi")
def test_spawned_coroutine_runs_on_the_background_loop_under_wsgi(app: Erlen, client: ErlenClient) -> None:
    async def work() -> bool:
        return is_background_thread()

    @app.get("/")
    async def index() -> t.Any:
        # Not on the loop that is kept for this thread: it stands still between two requests.
        return {"result": await asyncio.wrap_future(app.spawn(work))}

    assert client.get("/").json == {"result": True}


def test_plain_functions_share_a_number_of_threads(app: Erlen, client: ErlenClient) -> None:
    app.config["BACKGROUND_THREADS"] = 3
    running: list[int] = []
    most: list[int] = []
    lock = threading.Lock()
    may_end = threading.Event()

    def work(number: int) -> int:
        with lock:
            running.append(number)
            most.append(len(running))
        assert may_end.wait(LIMIT)
        with lock:
            running.remove(number)
        return number

    @app.get("/")
    def index() -> t.Any:
        futures.extend(app.spawn(work, number) for number in range(50))
        return "text"

    futures: list[concurrent.futures.Future[int]] = []
    client.get("/")
    wait_for(lambda: len(running) == 3)
    may_end.set()
    assert [future.result(LIMIT) for future in futures] == list(range(50))
    assert max(most) == 3


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_spawned_work_is_awaited_before_the_life_span_ends(
    app: Erlen, client: ErlenClient, kind: str
) -> None:
    log: list[str] = []
    may_end = threading.Event()

    @app.lifespan
    def span() -> t.Iterator[None]:
        yield
        log.append("life span")

    def work() -> None:
        assert may_end.wait(LIMIT)
        log.append("worked")

    async def awork() -> None:
        assert await asyncio.to_thread(may_end.wait, LIMIT)
        log.append("worked")

    @app.get("/")
    def index() -> str:
        app.spawn(work if kind == "plain" else awork)
        return "text"

    with client:
        client.get("/")
        threading.Timer(0.02, may_end.set).start()
    assert log == ["worked", "life span"]


def test_work_that_spawned_work_spawns_is_awaited_too(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    @app.lifespan
    def span() -> t.Iterator[None]:
        yield
        log.append("life span")

    async def work(number: int) -> None:
        await asyncio.sleep(0.01)
        log.append(f"worked {number}")
        if number:
            app.spawn(work, number - 1)

    @app.get("/")
    def index() -> str:
        app.spawn(work, 3)
        return "text"

    with client:
        client.get("/")
    assert log == ["worked 3", "worked 2", "worked 1", "worked 0", "life span"]


def test_work_that_takes_too_long_is_given_up(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["SHUTDOWN_TIMEOUT"] = 0.02
    log: list[str] = []
    may_end = threading.Event()

    @app.lifespan
    def span() -> t.Iterator[None]:
        yield
        log.append("life span")

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            # What was opened with the life span is there still.
            await asyncio.sleep(0.01)
            log.append("cleaned up")

    def long() -> None:
        assert may_end.wait(LIMIT)

    @app.get("/")
    def index() -> str:
        app.spawn(forever)
        app.spawn(long)
        return "text"

    with client:
        client.get("/")
    may_end.set()
    assert log == ["cleaned up", "life span"]
    [record] = caplog.records
    place = "test_work_that_takes_too_long_is_given_up.<locals>"
    assert record.getMessage() == (
        f"2 background tasks had not ended 0.02 s after the application was told to stop (SHUTDOWN_TIMEOUT) and were given "
        f"up: {place}.forever, spawned by / [GET], {place}.long, spawned by / [GET]"
    )


def test_work_that_is_given_up_cleans_up_before_the_life_span_ends(app: Erlen, client: ErlenClient) -> None:
    app.config["SHUTDOWN_TIMEOUT"] = 0.01
    log: list[str] = []

    @app.lifespan
    def span() -> t.Iterator[None]:
        yield
        log.append("life span")

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            log.append("cleaned up")

    @app.get("/")
    def index() -> str:
        app.spawn(forever)
        return "text"

    with client:
        client.get("/")
    assert log == ["cleaned up", "life span"]


def test_work_that_does_not_end_when_it_is_cancelled_is_left(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["SHUTDOWN_TIMEOUT"] = 0.01
    stop: list[bool] = []

    async def stubborn() -> None:
        while not stop:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)

    @app.get("/")
    def index() -> str:
        app.spawn(stubborn)
        return "text"

    with client:
        client.get("/")
    stop.append(True)
    assert len(caplog.records) == 1


def test_failed_work_is_not_reported_again_at_the_end(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    # What earlier tests have left on their loops is reported when it is collected.
    gc.collect()
    caplog.clear()

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise LookupError("planned")

    @app.get("/")
    def index() -> str:
        app.spawn(fail)
        return "text"

    with client:
        client.get("/")
    gc.collect()
    assert len(caplog.records) == 1


@pytest.mark.parametrize("kind", ["plain", "async", "coroutine"])
def test_work_may_be_cancelled(app: Erlen, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    app.config["BACKGROUND_THREADS"] = 1
    log: list[str] = []
    entered, may_end = threading.Event(), threading.Event()

    def block() -> None:
        entered.set()
        assert may_end.wait(LIMIT)

    def work() -> None:
        log.append("never")

    async def awork() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            log.append("cancelled")

    if kind == "plain":
        app.spawn(block)
        future = app.spawn(work)
    else:
        future = app.spawn(awork if kind == "async" else awork())
    assert entered.wait(LIMIT)
    assert future.cancel()
    may_end.set()
    app.stop_serving()
    wait_for(lambda: bool(log) or kind == "plain")
    assert log == ([] if kind == "plain" else ["cancelled"])
    assert caplog.records == []


def test_exit_of_a_spawned_function_ends_nothing_else(app: Erlen) -> None:
    def leave() -> None:
        raise SystemExit(3)

    async def aleave() -> None:
        raise SystemExit(3)

    async def work() -> str:
        return "worked"

    for function in (leave, aleave):
        assert isinstance(app.spawn(function).exception(LIMIT), SystemExit)
    assert app.spawn(work).result(LIMIT) == "worked"
    assert app.spawn(lambda: "worked").result(LIMIT) == "worked"


def test_request_may_spawn_and_end_before_the_work_reads_it(app: Erlen, client: ErlenClient) -> None:
    may_read = threading.Event()
    futures: list[concurrent.futures.Future[t.Any]] = []

    def work() -> t.Any:
        assert may_read.wait(LIMIT)
        return request.headers["X-Mine"], request.method, request.url

    @app.post("/")
    def index() -> str:
        futures.append(app.spawn(work))
        return "text"

    client.post("/", headers={"X-Mine": "yes"}, data={"a": "b"})
    may_read.set()
    assert futures[0].result(LIMIT) == ("yes", "POST", "http://localhost/")


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_nothing_of_spawned_work_is_kept(app: Erlen, client: ErlenClient, kind: str) -> None:
    class Thing:
        pass

    things: list[weakref.ref[Thing]] = []

    def work(thing: Thing) -> None:
        g.thing = thing

    async def awork(thing: Thing) -> None:
        g.thing = thing

    @app.get("/")
    def index() -> str:
        thing = Thing()
        things.append(weakref.ref(thing))
        app.spawn(work if kind == "plain" else awork, thing)
        return "text"

    for _ in range(3):
        client.get("/")

    def are_gone() -> bool:
        gc.collect()
        return [thing() for thing in things] == [None] * 3

    wait_for(are_gone)


@pytest.mark.parametrize("kind", ["wsgi", "asgi", "async client"])
@pytest.mark.protocol("wsgi")
def test_application_that_has_ended_is_freed(kind: str) -> None:
    def use() -> weakref.ref[Erlen]:
        app = Erlen("erlen_test", static_folder=None)

        @app.lifespan
        async def span() -> t.AsyncIterator[None]:
            yield

        @app.lifespan
        def plain_span() -> t.Iterator[None]:
            yield

        async def awork() -> None:
            await asyncio.sleep(0)

        def work() -> None:
            """Do nothing."""

        app.before_serving(work)
        app.after_serving(awork)
        me = weakref.ref(app)

        @app.get("/")
        def index() -> str:
            application = me()
            assert application is not None
            application.spawn(awork)
            application.spawn(work)
            return "text"

        if kind == "async client":

            async def main() -> None:
                async with app.async_test_client() as client:
                    await client.get("/")

            run(main())
        else:
            with app.test_client(protocol=kind) as client:
                client.get("/").close()
        return me

    reference = use()

    def is_gone() -> bool:
        gc.collect()
        return reference() is None

    wait_for(is_gone)


def test_threads_of_spawned_functions_end_when_there_is_nothing_to_do(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = app._threads_of_background()
    threads.patience = 0.01
    workers: list[threading.Thread] = []
    for _ in range(3):
        app.spawn(lambda: workers.append(threading.current_thread())).result(LIMIT)
    wait_for(lambda: not any(worker.is_alive() for worker in workers))
    # And begin again.
    assert app.spawn(lambda: "worked").result(LIMIT) == "worked"


def test_coroutine_of_an_after_request_function_may_be_spawned(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    async def work() -> None:
        log.append("worked")

    @app.get("/")
    def index() -> str:
        @after_this_request
        def later(response: Response) -> Response:
            app.spawn(work())
            return response

        return "text"

    client.get("/")
    app.stop_serving()
    assert log == ["worked"]


@PROCESS
def test_a_plain_teardown_function_runs_at_the_end_of_a_process() -> None:
    """No worker thread can be started then."""
    out, error = python(
        """
        from erlen import Erlen
        app = Erlen("ends")
        app.after_serving(lambda: print("after"))
        app.teardown_appcontext(lambda error: print("teardown"))
        app.add_url_rule("/", "index", lambda: "text")
        app.test_client().get("/")
        """
    )
    assert error == ""
    assert out.split() == ["teardown", "after", "teardown"]
