"""``erlen.testing.LiveServer``: an application on a real port, while a test runs."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import queue
import shutil
import socket
import struct
import subprocess
import threading
import time
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from werkzeug.routing import BuildError

from erlen import Erlen, EventStream, Response, g, request, session, websocket
from erlen.ctx import context_var
from erlen.testing import ErlenClient, LiveServer
from erlen.testing.live import Interface
from pytest_projects import Project

LIMIT = 30.0

INTERFACES: list[Interface] = ["wsgi", "asgi"]


@pytest.fixture(params=INTERFACES)
def interface(request: pytest.FixtureRequest) -> Interface:
    return t.cast(Interface, request.param)


@pytest.fixture(autouse=True)
def nothing_is_left() -> t.Iterator[None]:
    """Fail a test after which a thread of the live server runs."""
    yield
    assert [one.name for one in threading.enumerate() if one.name.startswith("erlen-live")] == []


def get(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
    """Return status and text of an answer."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(t.cast(str, parts.hostname), parts.port, timeout=LIMIT)
    with contextlib.closing(connection):
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else "") or "/", body)
        response = connection.getresponse()
        return response.status, response.read().decode()


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=LIMIT).close()
    except ConnectionRefusedError:
        return False
    return True


# What it serves


def test_what_a_view_returns_arrives(app: Erlen, interface: Interface) -> None:
    @app.post("/echo")
    def echo() -> dict[str, str]:
        return {"body": request.get_data(as_text=True), "host": request.host}

    with LiveServer(app, interface=interface) as server:
        status, text = get(f"{server.url}/echo", "POST", b"hello")
        assert (status, app.json.loads(text)) == (200, {"body": "hello", "host": f"127.0.0.1:{server.port}"})
        assert (server.interface, server.host, server.url) == (
            interface,
            "127.0.0.1",
            f"http://127.0.0.1:{server.port}",
        )


def test_a_plain_application_is_served_over_wsgi(app: Erlen) -> None:
    @app.get("/")
    def index() -> str:
        return str(request.environ["wsgi.multithread"])

    with LiveServer(app) as server:
        assert server.interface == "wsgi"
        assert get(server.url) == (200, "True")


def test_an_application_with_a_websocket_is_served_over_asgi(app: Erlen) -> None:
    @app.websocket("/echo")
    async def echo() -> None:
        async for message in websocket:
            await websocket.send(message)

    with LiveServer(app) as server:
        assert server.interface == "asgi"
        with connect(server.url_for("echo")) as socket:
            socket.send("hello")
            assert socket.recv(LIMIT) == "hello"


def test_requests_run_at_the_same_time(app: Erlen, interface: Interface) -> None:
    both = threading.Barrier(2, timeout=LIMIT)

    @app.get("/")
    def index() -> str:
        both.wait()
        return "met"

    answers: list[tuple[int, str]] = []
    with LiveServer(app, interface=interface) as server:
        threads = [threading.Thread(target=lambda: answers.append(get(server.url))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
    assert answers == [(200, "met")] * 2


def test_what_the_test_changes_the_application_sees(app: Erlen, interface: Interface) -> None:
    @app.get("/")
    def index() -> str:
        return str(app.config["GREETING"])

    with LiveServer(app, interface=interface) as server:
        for greeting in ("hello", "bye"):
            app.config["GREETING"] = greeting
            assert get(server.url) == (200, greeting)


def test_routes_can_be_added_before_the_first_request(app: Erlen, interface: Interface) -> None:
    with LiveServer(app, interface=interface) as server:
        app.add_url_rule("/late", view_func=lambda: "late")
        assert get(f"{server.url}/late") == (200, "late")


def test_a_free_port_is_taken_each_time(app: Erlen) -> None:
    with LiveServer(app) as first, LiveServer(app) as second:
        assert first.port != second.port
        assert is_open(first.port)
        assert is_open(second.port)


def test_a_server_may_run_again(app: Erlen) -> None:
    app.add_url_rule("/", view_func=lambda: "again")
    server = LiveServer(app)
    for _ in range(2):
        with server:
            assert get(server.url) == (200, "again")
        assert not is_open(server.port)


def test_another_address_has_its_url(app: Erlen) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"this machine has no ::1: {error}")
    app.add_url_rule("/", view_func=lambda: "six")
    with LiveServer(app, host="::1") as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert get(server.url) == (200, "six")


def test_a_page_is_shown_in_a_browser(app: Erlen, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("needs Chromium, and none of chromium, chromium-browser and google-chrome is in PATH")
    app.secret_key = "test"

    @app.get("/")
    def page() -> str:
        session["seen"] = True
        return "<p id=answer></p><script>fetch('/answer').then(a => a.text()).then(text => answer.textContent = text)</script>"

    @app.get("/answer")
    def answer() -> str:
        return f"answered, {session['seen']}"

    with LiveServer(app) as server:
        shown = subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--virtual-time-budget=5000",
                f"--user-data-dir={tmp_path}",
                "--dump-dom",
                server.url_for("page"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=120,
            check=True,
        )
    assert '<p id="answer">answered, True</p>' in shown.stdout.decode()


# URLs


def test_urls_of_endpoints_are_whole(app: Erlen) -> None:
    app.add_url_rule("/items/<int:number>", "item", lambda number: str(number))
    with LiveServer(app) as server:
        assert server.url_for("item", number=1, _anchor="end") == f"{server.url}/items/1#end"
        assert get(server.url_for("item", number=7)) == (200, "7")
        with pytest.raises(BuildError):
            server.url_for("nothing")
        assert context_var.get(None) is None


def test_a_server_name_does_not_change_where_the_server_is(app: Erlen) -> None:
    app.config["SERVER_NAME"] = "example.com"
    app.add_url_rule("/", "index", lambda: "here")
    with LiveServer(app) as server:
        assert get(server.url_for("index")) == (200, "here")


def test_without_a_block_there_is_no_url(app: Erlen) -> None:
    server = LiveServer(app)
    with pytest.raises(RuntimeError, match="it does not run.*with LiveServer"):
        server.url_for("index")
    assert "not started" in repr(server)
    with server:
        assert server.url in repr(server)


# What views raise


def test_what_a_view_raises_is_raised_at_the_end(app: Erlen, interface: Interface) -> None:
    @app.get("/")
    def index() -> str:
        raise LookupError("on purpose")

    with (
        pytest.raises(LookupError, match="on purpose") as caught,
        LiveServer(app, interface=interface) as server,
    ):
        assert get(server.url)[0] == 500
        assert [str(error) for error in server.errors] == ["on purpose"]
    # Of the application there are the user's own frames.
    assert [frame.name for frame in caught.traceback if "pipeline" in str(frame.path)] == []
    assert caught.traceback[-1].name == "index"


def test_several_errors_are_a_group(app: Erlen) -> None:
    @app.get("/<name>")
    def index(name: str) -> str:
        raise LookupError(name)

    with (
        pytest.raises(ExceptionGroup, match="while the live server ran") as caught,
        LiveServer(app) as server,
    ):
        get(f"{server.url}/a")
        get(f"{server.url}/b")
    assert [str(error) for error in caught.value.exceptions] == ["a", "b"]


def test_an_error_that_the_test_expects_is_cleared(app: Erlen, interface: Interface) -> None:
    @app.get("/")
    def index() -> str:
        raise LookupError("on purpose")

    with LiveServer(app, interface=interface) as server:
        get(server.url)
        [error] = server.errors
        assert isinstance(error, LookupError)
        server.errors.clear()


def test_the_failure_of_the_test_is_what_leaves_the_block(app: Erlen) -> None:
    @app.get("/")
    def index() -> str:
        raise LookupError("on purpose")

    with pytest.raises(AssertionError, match="of the test"), LiveServer(app) as server:
        get(server.url)
        raise AssertionError("of the test")
    assert not is_open(server.port)


def test_an_error_that_the_application_answers_is_none_of_the_test(app: Erlen, interface: Interface) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.get("/")
    def index() -> str:
        raise LookupError("on purpose")

    @app.errorhandler(500)
    def sorry(error: Exception) -> tuple[str, int]:
        return "sorry", 500

    with LiveServer(app, interface=interface) as server:
        assert get(server.url) == (500, "sorry")
        assert get(f"{server.url}/nothing")[0] == 404


def test_an_error_in_a_stream_is_raised_at_the_end(app: Erlen, interface: Interface) -> None:
    @app.get("/")
    def index() -> t.Iterator[str]:
        def pieces() -> t.Iterator[str]:
            yield "a piece"
            raise LookupError("on purpose")

        return pieces()

    with pytest.raises(LookupError, match="on purpose"), LiveServer(app, interface=interface) as server:
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            get(server.url)


def test_an_error_when_a_response_is_closed_is_raised_at_the_end(app: Erlen, interface: Interface) -> None:
    @app.teardown_request
    def fail(error: BaseException | None) -> None:
        raise LookupError("on purpose")

    app.add_url_rule("/", view_func=lambda: "answered")
    with pytest.raises(LookupError, match="on purpose"), LiveServer(app, interface=interface) as server:
        with contextlib.suppress(http.client.HTTPException, ConnectionError):
            get(server.url)


def test_an_error_of_a_websocket_is_raised_at_the_end(app: Erlen) -> None:
    @app.websocket("/")
    async def fail() -> None:
        await websocket.accept()
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"), LiveServer(app) as server:
        with connect(server.url_for("fail")) as socket, pytest.raises(ConnectionClosed):
            socket.recv(LIMIT)


def test_the_traceback_of_a_view_is_in_the_log(
    app: Erlen, interface: Interface, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/")
    def index() -> str:
        raise LookupError("on purpose")

    with LiveServer(app, interface=interface) as server:
        get(server.url)
        server.errors.clear()
    assert "in index" in caplog.text
    assert "LookupError: on purpose" in caplog.text


def test_requests_are_not_logged_as_warnings(
    app: Erlen, interface: Interface, caplog: pytest.LogCaptureFixture
) -> None:
    app.add_url_rule("/", view_func=lambda: "quiet")
    with LiveServer(app, interface=interface) as server:
        get(server.url)
        get(f"{server.url}/nothing")
    assert caplog.records == []


# The life span


def with_a_life_span(app: Erlen) -> list[str]:
    events: list[str] = []

    @app.lifespan
    async def life() -> t.AsyncIterator[None]:
        app.extensions["loop"] = asyncio.get_running_loop()
        events.append("begun")
        yield
        events.append("ended")

    return events


def test_the_life_span_is_that_of_the_server(app: Erlen, interface: Interface) -> None:
    events = with_a_life_span(app)
    app.add_url_rule("/", view_func=lambda: str(events))
    with LiveServer(app, interface=interface) as server:
        assert events == ["begun"]
        assert get(server.url) == (200, "['begun']")
    assert events == ["begun", "ended"]
    assert not app.is_serving


def test_views_over_asgi_share_the_loop_of_the_life_span(app: Erlen) -> None:
    with_a_life_span(app)

    @app.get("/")
    async def index() -> str:
        return str(asyncio.get_running_loop() is app.extensions["loop"])

    with LiveServer(app) as server:
        assert get(server.url) == (200, "True")


def test_a_life_span_that_does_not_begin_is_raised_as_it_is(app: Erlen, interface: Interface) -> None:
    @app.before_serving
    def fail() -> None:
        raise LookupError("on purpose")

    server = LiveServer(app, interface=interface)
    with pytest.raises(LookupError, match="on purpose"), server:
        pytest.fail("it has begun")  # pragma: no cover
    assert not is_open(server.port)


def test_a_life_span_that_does_not_end_well_is_raised_as_it_is(app: Erlen, interface: Interface) -> None:
    @app.after_serving
    def fail() -> None:
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"), LiveServer(app, interface=interface) as server:
        pass
    assert not is_open(server.port)


def test_a_life_span_of_somebody_else_is_left_alone(
    app: Erlen, client: ErlenClient, interface: Interface
) -> None:
    events = with_a_life_span(app)
    app.add_url_rule("/", view_func=lambda: "served")
    with client:
        with LiveServer(app, interface=interface) as server:
            assert get(server.url) == (200, "served")
        assert (events, app.is_serving, app.is_stopping) == (["begun"], True, False)
        assert client.get("/").text == "served"
    assert events == ["begun", "ended"]


def test_middleware_around_asgi_hears_of_the_life_span(app: Erlen) -> None:
    heard: list[str] = []
    inner = app.asgi

    async def middleware(scope: t.Any, receive: t.Any, send: t.Any) -> None:
        async def listen() -> t.Any:
            message = await receive()
            heard.append(message["type"])
            return message

        await inner(scope, listen if scope["type"] == "lifespan" else receive, send)

    app.asgi = middleware  # type: ignore[method-assign]
    app.add_url_rule("/", view_func=lambda: "served")
    with LiveServer(app, interface="asgi") as server:
        assert get(server.url) == (200, "served")
    assert heard == ["lifespan.startup", "lifespan.shutdown"]


def test_middleware_that_does_not_begin_ends_the_start(app: Erlen) -> None:
    async def middleware(scope: t.Any, receive: t.Any, send: t.Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "on purpose"})

    app.asgi = middleware  # type: ignore[method-assign]
    server = LiveServer(app, interface="asgi")
    with pytest.raises((RuntimeError, SystemExit)), server:
        pytest.fail("it has begun")  # pragma: no cover
    assert not is_open(server.port)


def test_work_beside_a_request_is_awaited(app: Erlen, interface: Interface) -> None:
    done: list[str] = []

    def work() -> None:
        time.sleep(0.05)
        done.append("work")

    @app.get("/")
    def index() -> str:
        app.spawn(work)
        return "answered"

    with LiveServer(app, interface=interface) as server:
        get(server.url)
    assert done == ["work"]


# The end


def test_a_connection_that_asks_nothing_does_not_keep_it(app: Erlen, interface: Interface) -> None:
    with LiveServer(app, interface=interface) as server:
        idle = socket.create_connection((server.host, server.port), timeout=LIMIT)
    with idle:
        assert _received(idle) == b""
    assert not is_open(server.port)


def test_a_request_that_runs_is_answered(app: Erlen, interface: Interface) -> None:
    has_begun = threading.Event()

    @app.get("/")
    def index() -> str:
        has_begun.set()
        time.sleep(0.05)
        return "answered"

    answers: list[tuple[int, str]] = []
    with LiveServer(app, interface=interface) as server:
        thread = threading.Thread(target=lambda: answers.append(get(server.url)))
        thread.start()
        assert has_begun.wait(LIMIT)
    thread.join(LIMIT)
    assert answers == [(200, "answered")]


@pytest.mark.parametrize("is_read", [True, False])
def test_a_stream_without_an_end_is_ended(app: Erlen, interface: Interface, is_read: bool) -> None:
    closed = threading.Event()

    @app.get("/")
    def index() -> t.Iterator[bytes]:
        def pieces() -> t.Iterator[bytes]:
            try:
                while True:
                    yield b"x" * 100_000
                    time.sleep(0.001)
            finally:
                closed.set()

        return pieces()

    with LiveServer(app, interface=interface) as server:
        client = socket.create_connection((server.host, server.port), timeout=LIMIT)
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(100)
        reader = threading.Thread(target=lambda: all(iter(lambda: _received(client), b"")))
        if is_read:
            reader.start()
    assert closed.is_set()
    if is_read:
        reader.join(LIMIT)
    client.close()


def _received(client: socket.socket) -> bytes:
    try:
        return client.recv(1_000_000)
    except ConnectionError:
        return b""


def test_events_end_as_on_a_server_that_stops(app: Erlen, interface: Interface) -> None:
    @app.get("/")
    def index() -> EventStream:
        async def events() -> t.AsyncIterator[str]:
            yield "first"
            await asyncio.Event().wait()

        return EventStream(events())

    with LiveServer(app, interface=interface) as server:
        connection = http.client.HTTPConnection(server.host, server.port, timeout=LIMIT)
        connection.request("GET", "/")
        response = connection.getresponse()
        while response.readline() != b"data: first\n":
            pass
    # Its end arrives, and not only that of the connection.
    assert response.read() == b"\n"
    connection.close()


def test_a_websocket_is_closed_with_the_code_of_a_restart(app: Erlen) -> None:
    @app.websocket("/")
    async def chat() -> None:
        async for message in websocket:
            await websocket.send(message)

    with contextlib.ExitStack() as stack:
        with LiveServer(app) as server:
            socket = stack.enter_context(connect(server.url_for("chat")))
            socket.send("hello")
            assert socket.recv(LIMIT) == "hello"
        with pytest.raises(ConnectionClosed) as caught:
            socket.recv(LIMIT)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1012


def test_a_view_that_does_not_end_is_named(app: Erlen, interface: Interface) -> None:
    app.config["SHUTDOWN_TIMEOUT"] = 0.1
    has_begun, may_end = threading.Event(), threading.Event()

    @app.get("/slow")
    def slow() -> str:
        has_begun.set()
        may_end.wait(LIMIT)
        return "late"

    def ask() -> None:
        with contextlib.suppress(http.client.HTTPException, OSError):
            get(f"{server.url}/slow")

    server = LiveServer(app, interface=interface)
    thread = threading.Thread(target=ask)
    try:
        with pytest.raises(
            RuntimeError, match=r"0\.1 s later \(SHUTDOWN_TIMEOUT\).*: GET /slow\. Does a view"
        ):
            with server:
                thread.start()
                assert has_begun.wait(LIMIT)
        assert not is_open(server.port)
    finally:
        may_end.set()
        for one in [thread, *(one for one in threading.enumerate() if one.name.startswith("erlen-live"))]:
            one.join(LIMIT)


def test_no_context_of_the_server_is_in_the_test(app: Erlen, interface: Interface) -> None:
    @app.get("/")
    def index() -> str:
        g.user = "somebody"
        return "answered"

    with LiveServer(app, interface=interface) as server:
        get(server.url)
        assert context_var.get(None) is None


def test_an_application_does_not_load_it(tmp_path: Path) -> None:
    script = "import sys, erlen; erlen.Erlen; print([name for name in sys.modules if name.startswith('erlen.testing.')])"
    project = Project(tmp_path)
    assert project.python("-c", script).text == "[]\n"
    loaded = project.python("-c", script.replace("erlen.Erlen", "erlen.Erlen('x').test_client()")).text
    assert "'erlen.testing.client'" in loaded
    assert "'erlen.testing.live'" not in loaded
    names = project.python("-c", "from erlen.testing import *; print(LiveServer, ErlenClient)").text
    assert names == "<class 'erlen.testing.live.LiveServer'> <class 'erlen.testing.client.ErlenClient'>\n"


# Mistakes


def test_another_interface_is_refused(app: Erlen) -> None:
    with pytest.raises(ValueError, match="interface='http' is none of 'auto', 'wsgi' and 'asgi'"):
        LiveServer(app, interface=t.cast(t.Any, "http"))


def test_a_server_that_runs_is_not_started_again(app: Erlen) -> None:
    with LiveServer(app) as server, pytest.raises(RuntimeError, match="runs already"), server:
        pytest.fail("it has begun")  # pragma: no cover


def test_a_port_that_is_taken_is_named(app: Erlen) -> None:
    with LiveServer(app) as server:
        with pytest.raises(RuntimeError, match=f"port {server.port}: .*in use.*takes a free port"):
            LiveServer(app, port=server.port).__enter__()


WITHOUT_UVICORN = """
    import sys
    from erlen import Erlen, websocket
    from erlen.testing import LiveServer

    app = Erlen("shop")

    @app.websocket("/chat")
    async def chat():
        await websocket.accept()

    with LiveServer(app, interface="wsgi") as server:
        print(server.interface)
    try:
        LiveServer(app).__enter__()
    except ModuleNotFoundError as error:
        print(error.name, error)
"""


@pytest.mark.parametrize(
    ("left_out", "missing"), [({"uvicorn"}, "uvicorn"), ({"websockets", "wsproto"}, "websockets")]
)
def test_without_uvicorn_the_message_has_the_command(
    tmp_path: Path, left_out: set[str], missing: str
) -> None:
    """In an environment that has the rest of what is installed here, by links."""
    import werkzeug

    installed = tmp_path / "installed"
    installed.mkdir()
    for path in Path(werkzeug.__file__).parents[1].iterdir():
        if path.suffix != ".pth" and path.name.partition("-")[0] not in left_out:
            (installed / path.name).symlink_to(path)
    project = Project(tmp_path)
    project.write("script.py", WITHOUT_UVICORN)
    source = str(Path(__file__).parents[2] / "src")
    outcome = project.python("-S", "script.py", variables={"PYTHONPATH": f"{installed}:{source}"})
    assert outcome.code == 0, outcome.text
    first, second = outcome.text.splitlines()
    assert first == "wsgi"
    assert second.startswith(
        f"{missing} The live server serves this application over ASGI, because of the WebSocket '/chat'"
    )
    assert f"{missing} is not installed" in second
    assert "pip install 'erlen[dev]'" in second
    assert 'LiveServer(app, interface="wsgi")' in second


def test_the_body_is_closed_where_the_client_resets_the_connection() -> None:
    """Werkzeug's handler leaves it open when the reset comes right after the answer, and what was to be done then undone."""
    app = Erlen(__name__)
    closed: queue.Queue[bool] = queue.Queue()

    @app.get("/")
    def hello() -> Response:
        response = Response(status=204)
        response.call_on_close(lambda: closed.put(True))
        return response

    with LiveServer(app, interface="wsgi") as server:
        # It has to come in ten milliseconds.
        for _ in range(5):
            with socket.create_connection((server.host, server.port)) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.recv(1)
            assert closed.get(timeout=LIMIT)
