"""The test client for async tests: the interface of the plain one, awaited, on the loop of the test."""

from __future__ import annotations

import asyncio
import inspect
import io
import itertools
import threading
import typing as t
from contextlib import AsyncExitStack

import pytest
from werkzeug.test import Client, ClientRedirectError

from asgi_peer import LIMIT, begun, run
from erlen import (
    Erlen,
    EventStream,
    Request,
    Response,
    WebSocketDisconnected,
    abort,
    flash,
    g,
    has_app_context,
    has_request_context,
    redirect,
    request,
    session,
    stream_with_context,
    websocket,
)
from erlen.ctx import context_var
from erlen.sessions import SecureCookieSession, SessionInterface
from erlen.testing import (
    AsyncErlenClient,
    AsyncWebSocketSession,
    ErlenClient,
    WebSocketRejected,
    WebSocketSession,
)


@pytest.fixture
def app() -> Erlen:
    app = Erlen("erlen_test", static_folder=None)
    app.config.update(TESTING=True, SECRET_KEY="a key for tests")

    @app.route("/", methods=["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
    def index() -> dict[str, t.Any]:
        g.seen = request.path
        return {"method": request.method, "args": request.args, "url": request.url}

    @app.get("/async")
    async def asynchronous() -> dict[str, t.Any]:
        await asyncio.sleep(0)
        g.seen = request.path
        return {"path": request.path}

    @app.post("/echo")
    async def echo() -> t.Any:
        return {
            "form": request.form,
            "files": {name: file.read().decode() for name, file in request.files.items()},
            "json": request.get_json(silent=True),
            "data": request.get_data(as_text=True),
            "type": request.mimetype,
        }

    @app.get("/away/<int:hops>")
    def away(hops: int) -> t.Any:
        response = redirect(f"/away/{hops - 1}" if hops else "/")
        response.set_cookie(f"hop{hops}", "yes")
        return response

    @app.route("/name", methods=["GET", "POST"])
    def name() -> str:
        if request.method == "POST":
            session["name"] = request.form["name"]
        return t.cast(str, session.get("name", "nobody"))

    @app.get("/fail")
    async def fail() -> str:
        raise ZeroDivisionError("planned")

    @app.websocket("/socket")
    async def socket() -> None:
        async for message in websocket:
            await websocket.send(message)

    return app


# The same interface


#: What belongs to the machinery of the plain client.
INNER = {"allow_subdomain_redirects", "default_protocol", "resolve_redirect", "run_wsgi_app"}


def public(cls: type) -> dict[str, t.Any]:
    return {name: getattr(cls, name) for name in dir(cls) if not name.startswith("_")}


def test_every_call_of_the_plain_client_is_there() -> None:
    plain, asynchronous = public(ErlenClient), public(AsyncErlenClient)
    assert set(plain) - set(asynchronous) - INNER == set()
    # A response that the plain client streams is read by plain code; on a loop that has to be awaited.
    assert set(asynchronous) - set(plain) == {"environ_base", "stream"}


VERBS = ["open", "get", "post", "put", "delete", "patch", "options", "head", "trace"]


@pytest.mark.parametrize("name", VERBS)
def test_what_waits_is_awaited(name: str) -> None:
    assert inspect.iscoroutinefunction(getattr(AsyncErlenClient, name))


@pytest.mark.parametrize(
    "name", ["get_cookie", "set_cookie", "delete_cookie", "websocket", "session_transaction"]
)
def test_signatures_are_the_same(name: str) -> None:
    """Also for those who read them in an editor."""

    def parameters(cls: type) -> list[tuple[str, t.Any, t.Any]]:
        signature = inspect.signature(getattr(cls, name))
        return [(one.name, one.kind, one.default) for one in signature.parameters.values()]

    assert parameters(AsyncErlenClient) == parameters(ErlenClient)
    assert not inspect.iscoroutinefunction(getattr(AsyncErlenClient, name))


def test_open_takes_what_the_plain_one_takes() -> None:
    assert set(inspect.signature(AsyncErlenClient.open).parameters) == set(
        inspect.signature(ErlenClient.open).parameters
    )


def test_both_websockets_have_the_same_interface() -> None:
    assert set(public(WebSocketSession)) == set(public(AsyncWebSocketSession)) | {
        "close_code", "close_reason", "headers", "subprotocol",
    }  # fmt: skip
    for name in ("send", "send_json", "receive", "receive_json", "close"):
        plain, asynchronous = getattr(WebSocketSession, name), getattr(AsyncWebSocketSession, name)
        assert inspect.iscoroutinefunction(asynchronous)
        assert inspect.signature(plain) == inspect.signature(asynchronous)
        assert plain.__doc__ == asynchronous.__doc__


@pytest.mark.parametrize("name", [name for name in VERBS if name != "open"])
def test_verbs_send_their_method(app: Erlen, name: str) -> None:
    async def main() -> None:
        response = await getattr(app.async_test_client(), name)("/?a=1")
        assert response.status_code == 200
        if name != "head":
            assert response.json == {
                "method": name.upper(), "args": {"a": "1"}, "url": "http://localhost/?a=1",
            }  # fmt: skip

    run(main())


def test_client_is_made_as_the_plain_one(app: Erlen) -> None:
    class Mine(AsyncErlenClient):
        pass

    async def main() -> None:
        assert type(app.async_test_client()) is AsyncErlenClient
        app.async_test_client_class = Mine
        client = app.async_test_client(use_cookies=False)
        assert type(client) is Mine
        assert client.application is app
        await client.post("/name", data={"name": "Ada"})
        assert (await client.get("/name")).text == "nobody"
        with (
            pytest.raises(TypeError, match="keeps no cookies, so it has no session"),
            client.session_transaction(),
        ):
            pass

    run(main())


# Requests


def test_requests_run_on_the_loop_of_the_test(app: Erlen) -> None:
    seen: list[t.Any] = []

    @app.get("/loop")
    async def loop() -> str:
        seen.append(asyncio.get_running_loop())
        return "text"

    @app.get("/thread")
    def thread() -> str:
        seen.append(threading.current_thread())
        return "text"

    async def main() -> None:
        client = app.async_test_client()
        await client.get("/loop")
        await client.get("/thread")
        assert seen[0] is asyncio.get_running_loop()
        assert seen[1] is not threading.current_thread()

    run(main())


def test_bodies_of_every_kind_are_sent(app: Erlen) -> None:
    async def main() -> None:
        client = app.async_test_client()
        assert (await client.post("/echo", json={"a": [1]})).get_json()["json"] == {"a": [1]}
        assert (await client.post("/echo", data={"a": "1"})).get_json()["form"] == {"a": "1"}
        answer = (await client.post("/echo", data={"a": "1", "f": (io.BytesIO(b"file"), "f.txt")})).get_json()
        assert (answer["form"], answer["files"], answer["type"]) == (
            {"a": "1"}, {"f": "file"}, "multipart/form-data",
        )  # fmt: skip
        answer = (await client.post("/echo", data="größe", content_type="text/plain")).get_json()
        assert (answer["data"], answer["type"]) == ("größe", "text/plain")
        large = "a" * 3_000_000
        assert (await client.post("/echo", data=large, content_type="text/plain")).get_json()["data"] == large

    run(main())


def test_response_is_that_of_the_plain_client(app: Erlen) -> None:
    async def main() -> None:
        response = await app.async_test_client().get("/?a=1", headers={"X-Mine": "yes"})
        plain = app.test_client(protocol="asgi").get("/?a=1", headers={"X-Mine": "yes"})
        assert (response.status, response.data) == (plain.status, plain.data)
        assert list(response.headers) == list(plain.headers)
        assert response.request.path == "/"
        assert response.request.headers["X-Mine"] == "yes"
        assert response.history == ()
        assert isinstance(response, Response)

    run(main())


def test_environ_base_is_what_requests_begin_with(app: Erlen) -> None:
    app.add_url_rule("/who", "who", lambda: f"{request.remote_addr} {request.user_agent.string}")

    async def main() -> None:
        client = app.async_test_client()
        client.environ_base["REMOTE_ADDR"] = "10.0.0.1"
        client.environ_base["HTTP_USER_AGENT"] = "mine"
        assert (await client.get("/who")).text == "10.0.0.1 mine"

    run(main())


def test_cookies_are_kept(app: Erlen) -> None:
    async def main() -> None:
        client = app.async_test_client()
        await client.post("/name", data={"name": "Ada"})
        assert (await client.get("/name")).text == "Ada"
        cookie = client.get_cookie("session")
        assert cookie is not None
        client.delete_cookie("session")
        assert client.get_cookie("session") is None
        assert (await client.get("/name")).text == "nobody"
        client.set_cookie("session", cookie.value)
        assert (await client.get("/name")).text == "Ada"
        assert (await app.async_test_client().get("/name")).text == "nobody"

    run(main())


def test_session_can_be_opened(app: Erlen) -> None:
    async def main() -> None:
        client = app.async_test_client()
        with client.session_transaction() as opened:
            assert "name" not in opened
            opened["name"] = "Ada"
        assert (await client.get("/name")).text == "Ada"
        await client.post("/name", data={"name": "Grace"})
        with client.session_transaction() as opened:
            assert opened["name"] == "Grace"

    run(main())


class StoredSessions(SessionInterface):
    """Sessions in a dict of the process, behind functions that have to be awaited."""

    def __init__(self) -> None:
        self.stored: dict[str, t.Any] = {}

    async def open_session(self, app: t.Any, request: t.Any) -> t.Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return SecureCookieSession(self.stored)

    async def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        self.stored = dict(session)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_session_of_an_async_interface_can_be_opened(app: Erlen, kind: str) -> None:
    app.session_interface = interface = StoredSessions()

    def change(client: t.Any) -> None:
        with client.session_transaction() as opened:
            opened["name"] = "Ada"

    async def main() -> None:
        client = app.async_test_client()
        change(client)
        assert (await client.get("/name")).text == "Ada"

    if kind == "async":
        run(main())
    else:
        change(app.test_client())
    assert interface.stored == {"name": "Ada"}


def test_redirects_are_followed(app: Erlen) -> None:
    async def main() -> None:
        client = app.async_test_client()
        assert (await client.get("/away/2")).status_code == 302
        response = await client.get("/away/2", follow_redirects=True)
        assert response.status_code == 200
        assert [one.request.path for one in response.history] == ["/away/2", "/away/1", "/away/0"]
        assert response.request.path == "/"
        assert client.get_cookie("hop0") is not None

    run(main())


@pytest.mark.parametrize("buffered", [True, False])
def test_redirects_in_a_circle_are_followed_once(app: Erlen, buffered: bool) -> None:
    app.add_url_rule("/circle", "circle", lambda: redirect("/circle"))

    async def main() -> None:
        with pytest.raises(ClientRedirectError) as caught:
            await app.async_test_client().get("/circle", follow_redirects=True, buffered=buffered)
        assert str(caught.value) == (
            "The redirects go in a circle: a second one with 302 FOUND leads to '/circle'."
        )

    run(main())


def test_error_reaches_the_test(app: Erlen) -> None:
    async def main() -> None:
        client = app.async_test_client()
        with pytest.raises(ZeroDivisionError, match="planned"):
            await client.get("/fail")
        app.config["PROPAGATE_EXCEPTIONS"] = False
        app.logger.disabled = True
        assert (await client.get("/fail")).status_code == 500
        assert (await client.get("/")).status_code == 200

    try:
        run(main())
    finally:
        app.logger.disabled = False


def test_error_in_a_stream_reaches_the_test(app: Erlen) -> None:
    async def pieces() -> t.AsyncIterator[str]:
        yield "a"
        raise ZeroDivisionError("planned")

    app.add_url_rule("/stream", "stream", lambda: pieces())

    async def main() -> None:
        with pytest.raises(ZeroDivisionError, match="planned"):
            await app.async_test_client().get("/stream")

    run(main())


# Several at the same time


def test_requests_run_at_the_same_time(app: Erlen) -> None:
    """Many more than there are threads of the loop's own pool."""
    count = 40
    arrived: list[int] = []
    all_there = asyncio.Event()

    @app.get("/meet/<int:number>")
    async def meet(number: int) -> t.Any:
        arrived.append(number)
        if len(arrived) == count:
            all_there.set()
        await all_there.wait()
        return {"number": number, "path": request.path}

    async def main() -> list[t.Any]:
        client = app.async_test_client()
        return await asyncio.gather(*(client.get(f"/meet/{number}") for number in range(count)))

    responses = run(main())
    assert [response.json["number"] for response in responses] == list(range(count))


def test_views_may_use_the_threads_of_the_loop_meanwhile(app: Erlen) -> None:
    @app.get("/thread")
    async def thread() -> str:
        await asyncio.sleep(0.01)
        return await asyncio.to_thread(lambda: "from a thread")

    async def main() -> list[str]:
        client = app.async_test_client()
        responses = await asyncio.gather(*(client.get("/thread") for _ in range(64)))
        return [response.text for response in responses]

    assert run(main()) == ["from a thread"] * 64


def test_requests_in_a_block_may_run_at_the_same_time(app: Erlen) -> None:
    torn_down: list[t.Any] = []
    app.teardown_appcontext(torn_down.append)

    async def main() -> None:
        async with app.async_test_client() as client:
            responses = await asyncio.gather(*(client.get("/async") for _ in range(10)))
            assert [response.status_code for response in responses] == [200] * 10
            assert (await client.get("/")).status_code == 200
            assert g.seen == "/"
        assert not has_app_context()

    run(main())
    assert len(torn_down) >= 11


def test_each_context_of_requests_at_the_same_time_is_let_go_once(app: Erlen) -> None:
    torn_down: list[str] = []
    all_there = asyncio.Barrier(10)

    @app.teardown_request
    async def end(error: BaseException | None) -> None:
        await asyncio.sleep(0)
        torn_down.append(request.args["n"])

    @app.get("/meet")
    async def meet() -> str:
        await all_there.wait()
        return "text"

    async def main() -> None:
        async with app.async_test_client() as client:
            await asyncio.gather(*(client.get(f"/meet?n={number}") for number in range(10)))
        assert context_var.get(None) is None

    run(main())
    assert sorted(torn_down) == sorted([str(number) for number in range(10)] * 2)


def test_request_that_is_answered_after_the_block_keeps_no_context(app: Erlen) -> None:
    torn_down: list[t.Any] = []
    app.teardown_request(torn_down.append)
    entered, may_end = asyncio.Event(), asyncio.Event()

    @app.get("/wait")
    async def wait() -> str:
        entered.set()
        await may_end.wait()
        return "text"

    async def main() -> None:
        async with app.async_test_client() as client:
            asking = asyncio.create_task(client.get("/wait"))
            await begun(entered)
        may_end.set()
        assert (await asking).text == "text"

    run(main())
    assert torn_down == [None] * 2


def test_request_that_is_given_up_ends(app: Erlen) -> None:
    """Its view is cancelled, as when any other client goes away."""
    log: list[str] = []
    entered = asyncio.Event()

    @app.get("/wait")
    async def wait() -> str:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            log.append("ended")
        return "text"

    async def main() -> None:
        client = app.async_test_client()
        asking = asyncio.create_task(client.get("/wait"))
        await begun(entered)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await client.get("/async")).status_code == 200

    run(main())
    assert log == ["ended"]


def test_request_with_a_time_limit_leaves_nothing_behind(app: Erlen) -> None:
    app.config["WEBSOCKET_CLOSE_TIMEOUT"] = 0.01
    log: list[str] = []

    @app.get("/wait")
    async def wait() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            log.append("ended")
        return "text"

    async def main() -> None:
        async with app.async_test_client() as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.get("/wait")

    run(main())
    assert log == ["ended"]


# Streams


def test_stream_is_read_as_a_whole_by_default(app: Erlen) -> None:
    async def events() -> t.AsyncIterator[str]:
        for number in range(3):
            await asyncio.sleep(0)
            yield f"{number} {request.path}"

    @app.get("/events")
    async def stream() -> t.Any:
        return EventStream(stream_with_context(events()))

    async def main() -> None:
        response = await app.async_test_client().get("/events")
        assert response.data == b":\n\n" + b"".join(
            f"data: {number} /events\n\n".encode() for number in range(3)
        )

    run(main())


def test_stream_may_be_read_piece_by_piece(app: Erlen) -> None:
    log: list[str] = []

    async def pieces() -> t.AsyncIterator[str]:
        try:
            for number in range(1000):
                log.append(f"piece {number}")
                yield str(number)
                await asyncio.sleep(0)
        finally:
            log.append("closed")

    app.add_url_rule("/stream", "stream", lambda: pieces())

    async def main() -> None:
        response = await app.async_test_client().get("/stream", buffered=False)
        iterator = iter(response.iter_encoded())
        assert await asyncio.to_thread(next, iterator) == b"0"
        assert await asyncio.to_thread(next, iterator) == b"1"
        assert len(log) < 500
        await asyncio.to_thread(response.close)

    run(main())
    assert log[-1] == "closed"


@pytest.mark.parametrize("how", ["iterate", "text"])
def test_stream_that_is_read_on_the_loop_is_refused_instead_of_waiting_for_itself(
    app: Erlen, how: str
) -> None:
    async def pieces() -> t.AsyncIterator[str]:
        await asyncio.sleep(0.01)
        yield "a"
        await asyncio.sleep(0.01)
        yield "b"
        await asyncio.sleep(0.01)
        yield "c"

    app.add_url_rule("/stream", "stream", lambda: pieces())

    async def main() -> None:
        response = await app.async_test_client().get("/stream", buffered=False)
        with pytest.raises(RuntimeError) as caught:
            _ = list(response.iter_encoded()) if how == "iterate" else response.text
        assert str(caught.value) == (
            "A streamed response was read on the event loop that the application runs on, and would wait for itself. Read it "
            "with 'async with client.stream(...) as (response, pieces)', or leave out 'buffered=False'."
        )
        # Going away needs no waiting.
        response.close()

    run(main())


def test_response_that_is_complete_may_be_read_on_the_loop(app: Erlen) -> None:
    async def main() -> None:
        response = await app.async_test_client().get("/async", buffered=False)
        assert response.json == {"path": "/async"}
        response.close()

    run(main())


def numbers(log: list[str], kind: str) -> t.Any:
    """Return an endless generator that says what becomes of it."""

    def plain() -> t.Iterator[str]:
        try:
            for number in itertools.count():
                log.append(f"made {number}")
                yield str(number)
        finally:
            log.append("closed")

    async def asynchronous() -> t.AsyncIterator[str]:
        try:
            for number in itertools.count():
                log.append(f"made {number}")
                yield str(number)
        finally:
            log.append("closed")

    return plain() if kind == "plain" else asynchronous()


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_stream_comes_piece_by_piece(app: Erlen, kind: str) -> None:
    """The application is one piece ahead; it is told that the client goes at the end of the block."""
    log: list[str] = []
    app.add_url_rule("/numbers", "numbers", lambda: numbers(log, kind))

    async def main() -> None:
        async with app.async_test_client().stream("/numbers") as (response, pieces):
            assert response.status_code == 200
            assert response.request.path == "/numbers"
            for number in range(5):
                assert await anext(pieces) == str(number).encode()
                assert log in ([f"made {one}" for one in range(end)] for end in (number + 1, number + 2))
        assert log[-1] == "closed"

    run(main())


def test_stream_that_waits_is_cancelled_when_the_client_goes(app: Erlen) -> None:
    log: list[str] = []

    async def pieces() -> t.AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    app.add_url_rule("/stream", "stream", lambda: pieces())

    async def main() -> None:
        async with app.async_test_client().stream("/stream") as (_, received):
            assert await anext(received) == b"a"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(received)
        assert log == ["cancelled", "closed"]

    run(main())


def test_stream_may_be_read_to_its_end(app: Erlen) -> None:
    async def pieces() -> t.AsyncIterator[str]:
        yield "a"
        yield ""
        yield "b"

    app.add_url_rule("/stream", "stream", lambda: pieces())

    async def main() -> None:
        async with app.async_test_client().stream("/stream") as (_, received):
            assert [piece async for piece in received] == [b"a", b"b"]
            with pytest.raises(StopAsyncIteration):
                await anext(received)
        async with app.async_test_client().stream("/stream", method="HEAD") as (response, received):
            assert [piece async for piece in received] == []
            assert response.status_code == 200

    run(main())


def test_error_of_the_application_reaches_who_reads_the_stream(app: Erlen) -> None:
    async def pieces() -> t.AsyncIterator[str]:
        yield "a"
        raise ZeroDivisionError("planned")

    app.add_url_rule("/stream", "stream", lambda: pieces())

    async def main() -> None:
        client = app.async_test_client()
        with pytest.raises(ZeroDivisionError, match="planned"):
            async with client.stream("/fail"):
                raise AssertionError("there is no response")
        async with client.stream("/stream") as (_, received):
            assert await anext(received) == b"a"
            with pytest.raises(ZeroDivisionError, match="planned"):
                await anext(received)
            # It is told once.
            with pytest.raises(StopAsyncIteration):
                await anext(received)

    run(main())


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("way", ["wsgi", "asgi", "async"])
def test_error_of_a_stream_that_is_closed_reaches_the_test(app: Erlen, kind: str, way: str) -> None:
    def plain() -> t.Iterator[str]:
        try:
            yield "a"
            yield "b"
            yield "c"
        finally:
            raise ZeroDivisionError("planned")

    async def asynchronous() -> t.AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
            yield "c"
        finally:
            raise ZeroDivisionError("planned")

    app.add_url_rule("/stream", "stream", lambda: plain() if kind == "plain" else asynchronous())

    async def main() -> None:
        with pytest.raises(ZeroDivisionError, match="planned"):
            async with app.async_test_client().stream("/stream") as (_, received):
                assert await anext(received) == b"a"

    if way == "async":
        run(main())
        return
    response = app.test_client(protocol=way).get("/stream")
    assert next(iter(response.iter_encoded())) == b"a"
    with pytest.raises(ZeroDivisionError, match="planned"):
        response.close()


def test_failure_of_the_test_is_what_leaves_the_block_of_a_stream(app: Erlen) -> None:
    log: list[str] = []

    async def pieces() -> t.AsyncIterator[str]:
        try:
            while True:
                yield "a"
        finally:
            log.append("closed")
            raise ZeroDivisionError("planned")

    app.add_url_rule("/stream", "stream", lambda: pieces())

    async def main() -> None:
        with pytest.raises(LookupError):
            async with app.async_test_client().stream("/stream"):
                raise LookupError
        assert log == ["closed"]

    run(main())


def test_stream_of_a_test_that_is_cancelled_is_closed(app: Erlen) -> None:
    log: list[str] = []
    entered = asyncio.Event()
    app.add_url_rule("/numbers", "numbers", lambda: numbers(log, "async"))

    async def use() -> None:
        async with app.async_test_client().stream("/numbers"):
            entered.set()
            await asyncio.Event().wait()

    async def main() -> None:
        using = asyncio.create_task(use())
        await begun(entered)
        using.cancel()
        with pytest.raises(asyncio.CancelledError):
            await using
        assert log[-1] == "closed"

    run(main())


def test_many_streams_may_be_read_at_the_same_time(app: Erlen) -> None:
    logs: list[list[str]] = []

    @app.get("/numbers")
    async def stream() -> t.Any:
        logs.append([])
        return numbers(logs[-1], "async")

    async def main() -> None:
        client = app.async_test_client()
        async with AsyncExitStack() as stack:
            opened = [await stack.enter_async_context(client.stream("/numbers")) for _ in range(40)]
            for number in range(3):
                received = await asyncio.gather(*(anext(pieces) for _, pieces in opened))
                assert received == [str(number).encode()] * 40
        assert [log[-1] for log in logs] == ["closed"] * 40

    run(main())


def test_stream_has_the_context_and_the_cookies_of_a_request(app: Erlen) -> None:
    @app.get("/there")
    async def there() -> t.Any:
        response = redirect("/stream")
        response.set_cookie("seen", "yes")
        return response

    @app.get("/stream")
    async def stream() -> t.Any:
        g.seen = request.cookies["seen"]
        return numbers([], "async")

    async def main() -> None:
        async with app.async_test_client() as client:
            async with client.stream("/there", follow_redirects=True) as (response, pieces):
                assert [one.request.path for one in response.history] == ["/there"]
                assert (request.path, g.seen) == ("/stream", "yes")
                assert await anext(pieces) == b"0"
            assert (request.path, g.seen) == ("/stream", "yes")
        assert not has_app_context()

    run(main())


@pytest.mark.parametrize("way", ["asgi", "async"])
def test_stream_whose_context_has_ended_may_be_left(app: Erlen, way: str) -> None:
    """The next request of a block ends the context; the stream goes on, and ends when its client goes."""
    log: list[str] = []

    async def pieces() -> t.AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            log.append("closed")

    app.add_url_rule("/stream", "stream", lambda: pieces())

    async def main() -> None:
        async with app.async_test_client() as client, client.stream("/stream") as (_, received):
            assert await anext(received) == b"a"
            await client.get("/")

    if way == "async":
        run(main())
    else:
        with app.test_client(protocol=way) as client, client.get("/stream") as response:
            assert next(iter(response.iter_encoded())) == b"a"
            client.get("/")
    assert log == ["closed"]


# Contexts


def test_context_of_the_last_request_is_there_in_the_block(app: Erlen) -> None:
    async def main() -> None:
        async with app.async_test_client() as client:
            assert not has_request_context()
            await client.get("/?a=1")
            assert (request.args["a"], g.seen) == ("1", "/")
            await client.get("/async")
            assert (request.path, g.seen) == ("/async", "/async")
            await client.post("/name", data={"name": "Ada"})
            assert session["name"] == "Ada"
            with pytest.raises(ZeroDivisionError):
                await client.get("/fail")
            assert request.path == "/fail"
        assert not has_app_context()

    run(main())


def test_context_outside_of_a_block_is_over(app: Erlen) -> None:
    async def main() -> None:
        await app.async_test_client().get("/")
        assert not has_app_context()

    run(main())


@pytest.mark.parametrize("way", ["wsgi", "asgi", "async"])
def test_teardown_runs_as_often_as_with_the_plain_client(app: Erlen, way: str) -> None:
    torn_down: list[t.Any] = []
    app.teardown_appcontext(torn_down.append)
    counts: list[int] = []

    async def main() -> None:
        async with app.async_test_client() as client:
            torn_down.clear()
            await client.get("/")
            counts.append(len(torn_down))
            await client.get("/async")
            counts.append(len(torn_down))
        counts.append(len(torn_down))

    if way == "async":
        run(main())
    else:
        with app.test_client(protocol=way) as client:
            torn_down.clear()
            client.get("/")
            counts.append(len(torn_down))
            client.get("/async")
            counts.append(len(torn_down))
        counts.append(len(torn_down))
    assert counts == [1, 3, 4]


def test_block_in_a_block_is_refused(app: Erlen) -> None:
    async def main() -> None:
        async with app.async_test_client() as client:
            with pytest.raises(RuntimeError) as caught:
                async with client:
                    pass
            assert str(caught.value) == (
                "This client is in an 'async with' block already, and it keeps one context. Make another client for the "
                "inner block: 'app.async_test_client()'."
            )
            async with app.async_test_client() as other:
                await other.get("/async")
                await client.get("/")
        async with client:
            await client.get("/")

    run(main())


def test_clients_end_their_contexts_in_any_order(app: Erlen) -> None:
    async def main() -> None:
        first, second = app.async_test_client(), app.async_test_client()
        with app.app_context():
            g.seen = "outside"
            await first.__aenter__()
            await second.__aenter__()
            for client in (first, second, first, second):
                await client.get("/")
                assert request.path == "/"
                await client.get("/async")
                assert request.path == "/async"
            await first.get("/?a=1")
            await second.__aexit__(None, None, None)
            assert request.args["a"] == "1"
            await first.__aexit__(None, None, None)
            assert not has_request_context()
            assert g.seen == "outside"

    run(main())


def test_request_that_is_sent_again_after_the_block_keeps_no_context(app: Erlen) -> None:
    async def main() -> None:
        async with app.async_test_client() as client:
            response = await client.get("/")
        assert (await client.open(response.request)).status_code == 200
        assert not has_app_context()

    run(main())


def test_block_may_begin_and_end_in_other_tasks_than_the_requests(app: Erlen) -> None:
    """As fixtures of async test frameworks do it."""
    torn_down: list[t.Any] = []
    app.teardown_request(torn_down.append)

    async def main() -> None:
        client = app.async_test_client()

        async def test(path: str) -> None:
            await client.get(path)
            assert request.path == path

        await asyncio.create_task(client.__aenter__())
        await asyncio.create_task(test("/"))
        await asyncio.create_task(test("/async"))
        await asyncio.create_task(client.__aexit__(None, None, None))
        assert context_var.get(None) is None

    run(main())
    # Once at the end of each request, once when its context is let go.
    assert torn_down == [None] * 4


@pytest.mark.parametrize("how", ["wait_for", "group", "task"])
def test_requests_of_a_block_may_be_sent_by_other_tasks(app: Erlen, how: str) -> None:
    async def main() -> None:
        async with app.async_test_client() as client:
            await client.get("/")
            for _ in range(2):
                if how == "wait_for":
                    response = await asyncio.wait_for(client.get("/async"), LIMIT)
                elif how == "task":
                    response = await asyncio.create_task(client.get("/async"))
                else:
                    async with asyncio.TaskGroup() as group:
                        task = group.create_task(client.get("/async"))
                    response = task.result()
                assert response.status_code == 200
            await client.get("/")
            assert request.path == "/"
        assert not has_app_context()

    run(main())


def test_failure_of_the_test_ends_the_block(app: Erlen) -> None:
    log: list[str] = []

    @app.lifespan
    async def span() -> t.AsyncIterator[None]:
        yield
        log.append("ended")

    async def main() -> None:
        with pytest.raises(LookupError):
            async with app.async_test_client() as client:
                await client.get("/")
                raise LookupError
        assert not has_app_context()

    run(main())
    assert log == ["ended"]


# WebSockets


def test_websocket_is_awaited(app: Erlen) -> None:
    async def main() -> None:
        client = app.async_test_client()
        async with client.websocket("/socket") as socket:
            await socket.send("text")
            assert await socket.receive() == "text"
            await socket.send(b"bytes")
            assert await socket.receive() == b"bytes"
            await socket.send_json({"a": 1})
            assert await socket.receive_json() == {"a": 1}
        assert (socket.close_code, socket.close_reason) == (1000, "")

    run(main())


def test_websockets_talk_to_each_other(app: Erlen) -> None:
    members: list[asyncio.Queue[str]] = []

    @app.websocket("/rooms/<name>")
    async def room(name: str) -> None:
        async def write() -> None:
            while True:
                await websocket.send(await mine.get())

        mine: asyncio.Queue[str] = asyncio.Queue()
        members.append(mine)
        await websocket.accept()
        writer = asyncio.create_task(write())
        try:
            async for message in websocket:
                for one in members:
                    await one.put(f"{name}: {message!s}")
        finally:
            writer.cancel()
            members.remove(mine)

    async def main() -> None:
        client = app.async_test_client()
        async with client.websocket("/rooms/a") as a, client.websocket("/rooms/b") as b:
            await a.send("hello")
            assert [await a.receive(), await b.receive()] == ["a: hello"] * 2
            await b.send("hi")
            assert list(await asyncio.gather(a.receive(), b.receive())) == ["b: hi"] * 2
        assert members == []

    run(main())


def test_websocket_and_requests_share_cookies(app: Erlen) -> None:
    @app.websocket("/login")
    async def login() -> None:
        session["name"] = "Ada"
        flash("welcome")
        await websocket.accept()

    @app.websocket("/who")
    async def who() -> None:
        await websocket.send(session["name"])

    async def main() -> None:
        async with app.async_test_client() as client:
            async with client.websocket("/login"):
                pass
            assert (await client.get("/name")).text == "Ada"
            async with client.websocket("/who") as socket:
                assert await socket.receive() == "Ada"

    run(main())


def test_rejected_websocket_has_the_response(app: Erlen) -> None:
    @app.websocket("/no")
    async def no() -> t.Any:
        return {"error": "no"}, 401, {"X-Why": "because"}

    async def main() -> None:
        client = app.async_test_client()
        with pytest.raises(WebSocketRejected) as caught:
            async with client.websocket("/no"):
                pass
        response = caught.value.response
        assert (response.status_code, response.json, response.headers["X-Why"]) == (
            401,
            {"error": "no"},
            "because",
        )
        with pytest.raises(WebSocketRejected, match="404 NOT FOUND"):
            async with client.websocket("/nowhere"):
                pass

    run(main())


def test_websocket_says_what_did_not_come(app: Erlen) -> None:
    async def main() -> None:
        async with app.async_test_client().websocket("/socket", timeout=0.01) as socket:
            with pytest.raises(TimeoutError) as caught:
                await socket.receive()
            assert str(caught.value) == (
                "The application sent nothing over the WebSocket '/socket' for 0.01 s. Pass 'timeout' to 'client.websocket' "
                "where it takes longer."
            )

    run(main())


def test_receiving_may_be_given_up_by_the_test(app: Erlen) -> None:
    async def main() -> None:
        async with app.async_test_client().websocket("/socket") as socket:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await socket.receive()
            await socket.send("a")
            assert await socket.receive() == "a"

    run(main())


def test_test_that_is_cancelled_ends_its_websocket(app: Erlen) -> None:
    log: list[str] = []
    entered = asyncio.Event()

    @app.websocket("/wait")
    async def wait() -> None:
        await websocket.accept()
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            log.append("ended")

    async def use() -> None:
        async with app.async_test_client().websocket("/wait") as socket:
            await socket.receive()

    async def main() -> None:
        using = asyncio.create_task(use())
        await begun(entered)
        using.cancel()
        with pytest.raises(asyncio.CancelledError):
            await using

    run(main())
    assert log == ["ended"]


def test_close_of_the_application_is_received(app: Erlen) -> None:
    @app.websocket("/close")
    async def close() -> None:
        await websocket.accept()
        await websocket.close(4001, "enough")

    async def main() -> None:
        async with app.async_test_client().websocket("/close") as socket:
            with pytest.raises(WebSocketDisconnected) as caught:
                await socket.receive()
            assert (caught.value.code, caught.value.reason) == (4001, "enough")

    run(main())


# Inside of an application


def test_application_may_ask_itself(app: Erlen) -> None:
    @app.get("/outer")
    async def outer() -> t.Any:
        response = await app.async_test_client().get("/async")
        async with app.async_test_client().websocket("/socket") as socket:
            await socket.send("text")
            received = await socket.receive()
        return {"inner": response.json, "received": received, "outer": request.path}

    expected = {"inner": {"path": "/async"}, "received": "text", "outer": "/outer"}

    async def main() -> None:
        async with app.async_test_client() as client:
            assert (await client.get("/outer")).json == expected

    run(main())
    for protocol in ("wsgi", "asgi"):
        assert app.test_client(protocol=protocol).get("/outer").json == expected


@pytest.mark.parametrize("use", ["get", "websocket", "with"])
def test_plain_client_in_an_async_view_says_what_to_use_instead(app: Erlen, use: str) -> None:
    did, instead = {
        "get": ("sent a request over ASGI", "await app.async_test_client().get(...)"),
        "websocket": ("opened a WebSocket", "async with app.async_test_client().websocket(...)"),
        "with": ("began a 'with' block", "async with app.async_test_client()"),
    }[use]
    texts: list[str] = []

    @app.get("/outer")
    async def outer() -> str:
        client = app.test_client(protocol="asgi")
        try:
            if use == "get":
                client.get("/")
            else:
                with client.websocket("/socket") if use == "websocket" else client:
                    pass
        except RuntimeError as error:
            texts.append(str(error))
        return "text"

    assert app.test_client(protocol="asgi").get("/outer").text == "text"
    assert texts == [
        (
            f"A test client {did} from inside an async view, and would wait for itself: both run on the same event loop. Use "
            f"'{instead}' there."
        )
    ]


def test_plain_client_may_be_used_in_an_async_test(app: Erlen) -> None:
    """Its requests run on another loop."""

    async def main() -> None:
        with app.test_client(protocol="asgi") as client:
            assert client.get("/async").json == {"path": "/async"}
            with client.websocket("/socket") as socket:
                socket.send("text")
                assert socket.receive() == "text"
        assert app.test_client(protocol="wsgi").get("/async").json == {"path": "/async"}

    run(main())


def test_life_span_that_fails_leaves_the_client_as_it_was(app: Erlen) -> None:
    fails = [True]

    @app.before_serving
    async def before() -> None:
        if fails.pop():
            raise LookupError("planned")

    async def main() -> None:
        client = app.async_test_client()
        with pytest.raises(LookupError, match="planned"):
            await client.__aenter__()
        fails.append(False)
        async with client:
            assert (await client.get("/")).status_code == 200

    run(main())


def test_client_of_werkzeug_is_the_base_of_the_plain_one_alone() -> None:
    assert issubclass(ErlenClient, Client)
    assert not issubclass(AsyncErlenClient, Client)


# What is replaced in the async spelling alone


def test_phases_replaced_in_the_async_spelling_run_without_hooks_too() -> None:
    log: list[str] = []

    class Mine(Erlen):
        async def apreprocess_request(self) -> t.Any:
            log.append("preprocess")
            return await super().apreprocess_request()

        async def aprocess_response(self, response: t.Any) -> t.Any:
            log.append("process")
            return await super().aprocess_response(response)

        async def ado_teardown_request(self, *args: t.Any, **kwargs: t.Any) -> None:
            log.append("teardown request")
            await super().ado_teardown_request(*args, **kwargs)

        async def ado_teardown_appcontext(self, *args: t.Any, **kwargs: t.Any) -> None:
            log.append("teardown appcontext")
            await super().ado_teardown_appcontext(*args, **kwargs)

    app = Mine("erlen_test", static_folder=None)

    @app.get("/")
    async def index() -> str:
        log.append("view")
        abort(404)

    async def main() -> None:
        assert (await app.async_test_client().get("/")).status_code == 404

    run(main())
    assert log == ["preprocess", "view", "process", "teardown request", "teardown appcontext"]


def test_request_class_is_that_of_the_application(app: Erlen) -> None:
    class Mine(Request):
        @property
        def shouted(self) -> str:
            return self.path.upper()

    app.request_class = Mine
    app.add_url_rule("/shout", "shout", lambda: t.cast(t.Any, request).shouted)

    async def main() -> None:
        assert (await app.async_test_client().get("/shout")).text == "/SHOUT"

    run(main())
