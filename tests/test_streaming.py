"""Streams keep their context: active in each step, never between two, torn down once at the end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import typing as t
from pathlib import Path

import pytest
from greenlet import greenlet  # type: ignore[import-untyped]

from asgi_calls import Call, on_a_loop
from erlen import (
    Erlen,
    current_app,
    g,
    render_template_string,
    request,
    session,
    stream_template,
    stream_template_string,
    stream_with_context,
)
from erlen.ctx import context_var, has_app_context, has_request_context


@pytest.fixture(autouse=True)
def quiet() -> t.Iterator[None]:
    """Keep errors that are meant to be out of the log: its records would keep their frames alive."""
    logger = logging.getLogger("erlen_test")
    logger.disabled = True
    yield
    logger.disabled = False


class Server:
    """Calls an application as a WSGI server does, and leaves the body to the test."""

    def __init__(self, app: Erlen, **environ: t.Any) -> None:
        self.app = app
        self.environ = environ
        self.status = ""
        self.headers: dict[str, str] = {}

    def open(self, path: str = "/", **options: t.Any) -> t.Any:
        def start_response(status: str, headers: t.Any, exc_info: t.Any = None) -> t.Any:
            self.status, self.headers = status, dict(headers)
            return None

        # The context is only a way to an environment here: one that no request has been made of.
        environ = self.app.test_request_context(path, **options).request.environ
        environ = {key: value for key, value in environ.items() if key != "werkzeug.request"}
        return self.app(environ | self.environ, start_response)

    def text(self, path: str = "/", **options: t.Any) -> str:
        body = self.open(path, **options)
        try:
            return b"".join(body).decode()
        finally:
            if hasattr(body, "close"):
                body.close()


@pytest.fixture
def told(app: Erlen) -> list[t.Any]:
    """Return the list that both teardowns of ``app`` fill."""
    told: list[t.Any] = []
    app.teardown_request(lambda exc: told.append(("request", exc)))
    app.teardown_appcontext(lambda exc: told.append(("appcontext", exc)))
    return told


ONCE = [("request", None), ("appcontext", None)]


def streaming(app: Erlen, steps: int = 3) -> None:
    """Register a view that streams ``steps`` items, each with the path and ``g``."""

    @app.route("/")
    def index() -> t.Any:
        g.name = "g"

        def generate() -> t.Iterator[str]:
            for number in range(steps):
                yield f"{request.path}{g.name}{number} "

        return stream_with_context(generate())


# What is wrapped


def test_stream_of_a_generator(app: Erlen, told: list[t.Any]) -> None:
    streaming(app)
    assert Server(app).text() == "/g0 /g1 /g2 "
    assert told == ONCE


def test_stream_of_an_iterable(app: Erlen, told: list[t.Any]) -> None:
    app.add_url_rule("/", "index", lambda: stream_with_context(t.cast("t.Any", ["a", "b"])))
    assert Server(app).text() == "ab"
    assert told == ONCE


def test_stream_of_an_iterator_without_close(app: Erlen, told: list[t.Any]) -> None:
    app.add_url_rule("/", "index", lambda: stream_with_context(map(str, range(3))))
    body = Server(app).open()
    assert next(iter(body)) == b"0"
    body.close()
    assert told == ONCE


def test_stream_by_decorator(app: Erlen, told: list[t.Any]) -> None:
    @app.route("/")
    def index() -> t.Any:
        @stream_with_context
        def generate(greeting: str) -> t.Iterator[str]:
            """Greet."""
            yield greeting
            yield request.args["name"]

        assert (generate.__name__, generate.__doc__) == ("generate", "Greet.")
        return generate("Hello "), {"X-Streamed": "yes"}

    server = Server(app)
    assert server.text("/?name=Ada") == "Hello Ada"
    assert server.headers["X-Streamed"] == "yes"
    assert told == ONCE


def test_stream_by_decorator_defined_outside_a_context(app: Erlen) -> None:
    @stream_with_context
    def generate() -> t.Iterator[str]:
        yield request.path

    app.add_url_rule("/path", "index", lambda: generate())
    assert Server(app).text("/path") == "/path"


def test_stream_without_a_request(app: Erlen, told: list[t.Any]) -> None:
    with app.app_context():
        g.name = "value"
        stream = stream_with_context(iter(lambda: (current_app.name, g.name), None))
    assert next(stream) == ("erlen_test", "value")
    t.cast("t.Any", stream).close()
    assert told == [("appcontext", None)]


def test_generator_without_the_helper_has_no_context(app: Erlen, told: list[t.Any]) -> None:
    @app.route("/")
    def index() -> t.Any:
        def generate() -> t.Iterator[str]:
            yield str(has_request_context())

        return generate()

    body = Server(app).open()
    assert told == ONCE
    assert b"".join(body) == b"False"
    body.close()
    assert told == ONCE


# When the context is active


def test_context_is_active_in_each_step_and_never_between_two(app: Erlen) -> None:
    inside: list[bool] = []

    @app.route("/")
    def index() -> t.Any:
        def generate() -> t.Iterator[str]:
            try:
                for number in range(2):
                    inside.append(has_request_context())
                    yield str(number)
            finally:
                inside.append(has_request_context())

        return stream_with_context(generate())

    body = Server(app).open()
    between = [has_app_context()]
    for _ in body:
        between.append(has_app_context())
    body.close()
    assert inside == [True] * 3
    assert between == [False] * 3
    assert not has_app_context()


def test_stream_does_not_disturb_a_context_that_is_active_where_it_is_read(app: Erlen) -> None:
    streaming(app)
    other = Erlen("other", root_path=".")
    body = Server(app).open()
    with other.app_context() as context:
        for _ in body:
            assert context_var.get() is context
    body.close()


def test_requests_between_two_steps_see_their_own_context(app: Erlen) -> None:
    streaming(app)

    @app.route("/other")
    def other() -> str:
        return f"{request.path} {g.get('name')}"

    server = Server(app)
    body = server.open()
    items = iter(body)
    assert next(items) == b"/g0 "
    assert server.text("/other") == "/other None"
    assert next(items) == b"/g1 "
    body.close()


def test_two_streams_read_in_turn_keep_apart(app: Erlen) -> None:
    @app.route("/<name>")
    def index(name: str) -> t.Any:
        g.name = name

        def generate() -> t.Iterator[str]:
            while True:
                yield f"{g.name}{request.path}"

        return stream_with_context(generate())

    server = Server(app)
    one, two = server.open("/one"), server.open("/two")
    items = zip(one, two, strict=True)
    assert [next(items), next(items)] == [(b"one/one", b"two/two")] * 2
    one.close()
    two.close()


def test_stream_with_context_loses_g_in_quart_and_not_here(app: Erlen, told: list[t.Any]) -> None:
    """Quart: ``stream_with_context`` loses ``g``."""
    kept: list[bool] = []

    @app.before_request
    def load() -> None:
        g.user = ["Ada"]

    @app.route("/")
    def index() -> t.Any:
        user = g.user

        def generate() -> t.Iterator[str]:
            for _ in range(2):
                g.user.append("again")
                kept.append(g.user is user)
                yield ",".join(g.user)

        return stream_with_context(generate())

    assert Server(app).text() == "Ada,againAda,again,again"
    assert kept == [True, True]
    assert told == ONCE


def test_session_can_be_read_inside_a_stream(app: Erlen) -> None:
    app.secret_key = "key"

    @app.route("/login")
    def login() -> str:
        session["name"] = "Ada"
        return "in"

    @app.route("/")
    def index() -> t.Any:
        def generate() -> t.Iterator[str]:
            yield session["name"]

        return stream_with_context(generate())

    client = app.test_client()
    client.get("/login")
    assert client.get("/").text == "Ada"


def test_templates_can_be_rendered_inside_a_stream(app: Erlen) -> None:
    @app.route("/")
    def index() -> t.Any:
        def generate() -> t.Iterator[str]:
            yield render_template_string("{{ request.path }}")

        return stream_with_context(generate())

    assert Server(app).text() == "/"


def test_request_body_can_be_read_inside_a_stream(app: Erlen) -> None:
    @app.post("/")
    def index() -> t.Any:
        def generate() -> t.Iterator[bytes]:
            while piece := request.stream.read(2):
                yield piece + b"."

        return stream_with_context(generate())

    assert app.test_client().post("/", data=b"abcde").text == "ab.cd.e."


# How it ends


def test_teardown_waits_for_the_end_of_the_stream(app: Erlen, told: list[t.Any]) -> None:
    streaming(app, steps=2)
    body = Server(app).open()
    assert told == []
    items = iter(body)
    assert [next(items), next(items)] == [b"/g0 ", b"/g1 "]
    assert told == []
    assert next(items, None) is None
    assert told == ONCE
    body.close()
    assert told == ONCE


def test_teardown_runs_inside_the_context_of_the_stream(app: Erlen) -> None:
    seen: list[str] = []
    streaming(app)
    app.teardown_request(lambda exc: seen.append(f"{request.path}{g.name}"))
    Server(app).text()
    assert seen == ["/g"]


def test_client_gone_in_the_middle_leaves_later_teardowns_running_issue_6123(
    app: Erlen, told: list[t.Any]
) -> None:
    """Flask's issue 6123: a client that disconnects leaves the context stuck in the worker."""
    streaming(app)
    app.add_url_rule("/plain", "plain", lambda: f"plain {g.get('name')}")
    server = Server(app)
    body = server.open()
    assert next(iter(body)) == b"/g0 "
    body.close()
    assert told == ONCE
    assert not has_app_context()
    for count in (2, 3):
        assert server.text("/plain") == "plain None"
        assert told == ONCE * count


def test_client_gone_and_nothing_closed_leaves_later_teardowns_running_issue_6123(
    app: Erlen, told: list[t.Any]
) -> None:
    """As above, with a server that drops the body without closing it."""
    streaming(app)
    app.add_url_rule("/plain", "plain", lambda: "plain")
    server = Server(app)
    body = server.open()
    assert next(iter(body)) == b"/g0 "
    assert server.text("/plain") == "plain"
    assert told == ONCE
    del body
    assert told == ONCE * 2
    assert not has_app_context()


def test_closing_closes_the_generator_inside_the_context(app: Erlen, told: list[t.Any]) -> None:
    closed: list[str] = []

    @app.route("/")
    def index() -> t.Any:
        def generate() -> t.Iterator[str]:
            try:
                yield "a"
                yield "b"
            finally:
                closed.append(request.path)
                assert told == []

        return stream_with_context(generate())

    body = Server(app).open()
    next(iter(body))
    body.close()
    assert closed == ["/"]
    assert told == ONCE


class Counted:
    """What an iterator that is no generator has to do: nobody but its user closes it."""

    def __init__(self, log: list[str], count: int = 2, fails: bool = False) -> None:
        self.log, self.left, self.fails = log, count, fails

    def piece(self, end: type[Exception]) -> bytes:
        if self.left == 0:
            raise ZeroDivisionError if self.fails else end
        self.left -= 1
        return b"piece "

    def closed(self) -> None:
        self.log.append(f"closed {request.path}")


class Pieces(Counted):
    def __iter__(self) -> t.Self:
        return self

    def __next__(self) -> bytes:
        return self.piece(StopIteration)

    def close(self) -> None:
        self.closed()


class AsyncPieces(Counted):
    def __aiter__(self) -> t.Self:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        return self.piece(StopAsyncIteration)

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self.closed()


@pytest.mark.parametrize("end", ["read", "left", "fails"])
@pytest.mark.parametrize("kind", [Pieces, AsyncPieces])
def test_iterator_that_is_no_generator_is_closed_once_in_its_context(
    app: Erlen, kind: t.Any, end: str
) -> None:
    log = list[str]()
    app.teardown_request(lambda exc: log.append(f"torn down {exc!r}"))
    app.add_url_rule("/", "index", lambda: stream_with_context(kind(log, fails=end == "fails")))
    body = Server(app).open()
    if end == "left":
        assert next(iter(body)) == b"piece "
    else:
        with contextlib.suppress(ZeroDivisionError):
            assert list(body) == [b"piece ", b"piece "]
    body.close()
    assert log == ["closed /", f"torn down {'ZeroDivisionError()' if end == 'fails' else None}"]


@pytest.mark.parametrize("kind", [Pieces, AsyncPieces])
@on_a_loop
async def test_iterator_that_is_no_generator_is_closed_when_the_client_goes(kind: t.Any) -> None:
    app, log = Erlen("streaming", root_path="."), list[str]()
    app.add_url_rule("/", "index", lambda: stream_with_context(kind(log, count=10**9)))
    call = Call(app)
    task = call.start()
    await call.until_pieces(2)
    call.go_away()
    await task
    assert log == ["closed /"]


def test_closing_twice_tears_down_once(app: Erlen, told: list[t.Any]) -> None:
    streaming(app)
    with app.test_request_context("/"):
        stream: t.Any = stream_with_context(iter("ab"))
    stream.close()
    stream.close()
    assert told == ONCE
    assert list(stream) == []


def test_stream_closed_on_another_thread(app: Erlen, told: list[t.Any]) -> None:
    streaming(app)
    server = Server(app)
    body = server.open()
    next(iter(body))
    left: list[bool] = []

    def close() -> None:
        body.close()
        left.append(has_app_context())

    thread = threading.Thread(target=close)
    thread.start()
    thread.join()
    assert told == ONCE
    assert left == [False] and not has_app_context()
    assert server.text() == "/g0 /g1 /g2 "
    assert told == ONCE * 2


def test_each_step_on_another_thread(app: Erlen, told: list[t.Any]) -> None:
    streaming(app, steps=2)
    items = iter(Server(app).open())
    got: list[t.Any] = []
    for _ in range(3):
        thread = threading.Thread(target=lambda: got.append((next(items, None), has_app_context())))
        thread.start()
        thread.join()
    assert got == [(b"/g0 ", False), (b"/g1 ", False), (None, False)]
    assert told == ONCE


def test_each_step_in_another_greenlet(app: Erlen, told: list[t.Any]) -> None:
    streaming(app, steps=2)
    items = iter(Server(app).open())
    assert [greenlet(next).switch(items, None) for _ in range(3)] == [b"/g0 ", b"/g1 ", None]
    assert told == ONCE


def test_greenlet_switched_away_inside_a_step(app: Erlen) -> None:
    main = greenlet.getcurrent()

    @app.route("/<name>")
    def index(name: str) -> t.Any:
        def generate() -> t.Iterator[str]:
            for _ in range(2):
                main.switch()
                yield request.path

        return stream_with_context(generate())

    server = Server(app)
    workers = [greenlet(server.text) for _ in range(2)]
    for worker, name in zip(workers, "ab", strict=True):
        worker.switch(f"/{name}")
        assert not has_app_context()
    for worker in workers:
        worker.switch()
    assert [worker.switch() for worker in workers] == ["/a/a", "/b/b"]


def test_generator_dropped_without_being_iterated(app: Erlen, told: list[t.Any]) -> None:
    @app.route("/")
    def index() -> str:
        def generate() -> t.Iterator[str]:
            pytest.fail("never started")
            yield ""

        stream_with_context(generate())
        return "text"

    assert Server(app).text() == "text"
    assert told == ONCE


def test_head_request_of_a_stream_is_torn_down(app: Erlen, told: list[t.Any]) -> None:
    streaming(app)
    assert Server(app).text(method="HEAD") == ""
    assert told == ONCE


def test_body_closed_without_being_iterated(app: Erlen, told: list[t.Any]) -> None:
    streaming(app)
    Server(app).open().close()
    assert told == ONCE


def test_generator_that_raises_in_the_middle(app: Erlen, told: list[t.Any]) -> None:
    @app.route("/")
    def index() -> t.Any:
        def generate() -> t.Iterator[str]:
            yield "a"
            raise LookupError("middle")

        return stream_with_context(generate())

    body = Server(app).open()
    items = iter(body)
    assert next(items) == b"a"
    with pytest.raises(LookupError) as caught:
        next(items)
    assert told == [("request", caught.value), ("appcontext", caught.value)]
    assert next(items, None) is None
    body.close()
    assert len(told) == 2 and not has_app_context()


def test_generator_that_raises_while_it_is_closed(app: Erlen, told: list[t.Any]) -> None:
    @app.route("/")
    def index() -> t.Any:
        def generate() -> t.Iterator[str]:
            try:
                yield "a"
            finally:
                raise LookupError("closing")

        return stream_with_context(generate())

    body = Server(app).open()
    next(iter(body))
    with pytest.raises(LookupError, match="closing") as caught:
        body.close()
    assert told == [("request", caught.value), ("appcontext", caught.value)]
    assert not has_app_context()


def test_teardown_that_raises_at_the_end_of_a_stream_stops_no_other(app: Erlen, told: list[t.Any]) -> None:
    streaming(app, steps=1)

    @app.teardown_request
    def refuse(exc: BaseException | None) -> None:
        raise LookupError("teardown")

    body = Server(app).open()
    items = iter(body)
    next(items)
    with pytest.raises(LookupError, match="teardown"):
        next(items)
    assert told == ONCE
    body.close()
    assert told == ONCE and not has_app_context()


# Several streams


def test_streams_nest(app: Erlen, told: list[t.Any]) -> None:
    @app.route("/")
    def index() -> t.Any:
        g.name = "g"

        @stream_with_context
        def inner() -> t.Iterator[str]:
            yield f"inner {g.name} "

        def outer() -> t.Iterator[str]:
            yield "outer "
            yield from inner()
            assert told == []
            yield f"outer {g.name}"

        return stream_with_context(outer())

    assert Server(app).text() == "outer inner g outer g"
    assert told == ONCE


def test_stream_wrapped_twice_is_torn_down_once(app: Erlen, told: list[t.Any]) -> None:
    @app.route("/")
    def index() -> t.Any:
        return stream_with_context(stream_with_context(iter("abc")))

    body = Server(app).open()
    next(iter(body))
    body.close()
    assert told == ONCE


def test_last_of_two_streams_of_a_request_tears_down(app: Erlen, told: list[t.Any]) -> None:
    with app.test_request_context("/"):
        one: t.Any = stream_with_context(iter("a"))
        two: t.Any = stream_with_context(iter("b"))
    one.close()
    assert told == []
    two.close()
    assert told == ONCE


def test_stream_read_inside_the_request_leaves_teardown_to_the_request(app: Erlen, told: list[t.Any]) -> None:
    @app.route("/")
    def index() -> str:
        text = "".join(stream_with_context(iter("abc")))
        assert told == [] and has_request_context()
        return text

    assert Server(app).text() == "abc"
    assert told == ONCE


# Responses that are replaced


def test_response_replaced_by_a_hook_ends_the_stream(app: Erlen, told: list[t.Any]) -> None:
    streaming(app)

    @app.after_request
    def replace(response: t.Any) -> t.Any:
        return app.response_class("replaced")

    assert Server(app).text() == "replaced"
    assert told == ONCE


def test_response_replaced_by_an_error_handler_ends_the_stream(app: Erlen, told: list[t.Any]) -> None:
    app.register_error_handler(LookupError, lambda error: ("handled", 418))

    @app.route("/")
    def index() -> t.Any:
        stream = stream_with_context(iter("abc"))
        raise LookupError(str(type(stream)))

    gc.collect()
    gc.disable()
    try:
        assert Server(app).text() == "handled"
        assert told == ONCE
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "where",
    [
        "view",
        "after_request",
    ],
)
def test_teardown_of_a_failed_request_with_a_stream_is_told_of_the_error(
    app: Erlen, told: list[t.Any], where: str
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    error = LookupError(where)

    @app.route("/")
    def index() -> t.Any:
        stream = stream_with_context(iter("abc"))
        if where == "view":
            raise error
        return stream

    @app.after_request
    def fail(response: t.Any) -> t.Any:
        if response.status_code == 200:
            raise error
        return response

    server = Server(app)
    server.text()
    assert server.status == "500 INTERNAL SERVER ERROR"
    error.__traceback__ = None
    gc.collect()
    assert told == [("request", error), ("appcontext", error)]


def test_teardown_of_a_failed_request_with_a_stream_needs_no_garbage_collector(
    app: Erlen, told: list[t.Any]
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    # A log handler may keep what it was given, pytest's does.
    app.log_exception = lambda exc_info: None  # type: ignore[method-assign]

    @app.route("/")
    def index() -> t.Any:
        stream = stream_with_context(iter("abc"))
        raise LookupError(str(type(stream)))

    gc.collect()
    gc.disable()
    try:
        Server(app).text()
        assert [name for name, _ in told] == ["request", "appcontext"]
    finally:
        gc.enable()


# Templates


def test_stream_template_keeps_the_context(app: Erlen, told: list[t.Any], tmp_path: Path) -> None:
    (tmp_path / "rows.html").write_text(
        "{% for row in rows %}{{ request.path }}{{ g.name }}{{ row }} {% endfor %}"
    )
    app.template_folder = str(tmp_path)

    @app.route("/")
    def index() -> t.Any:
        g.name = "g"

        def rows() -> t.Iterator[str]:
            for number in range(2):
                yield f"{number}{request.path}"

        return stream_template("rows.html", rows=rows())

    body = Server(app).open()
    assert told == [] and not has_app_context()
    assert b"".join(body) == b"/g0/ /g1/ "
    assert told == ONCE
    body.close()


def test_stream_template_string_closed_in_the_middle(app: Erlen, told: list[t.Any]) -> None:
    @app.route("/")
    def index() -> t.Any:
        return stream_template_string("{% for row in rows %}{{ row }}{% endfor %}", rows="abc")

    body = Server(app).open()
    assert next(iter(body)) == b"a"
    body.close()
    assert told == ONCE and not has_app_context()


# The test client


def test_client_in_a_with_block_keeps_the_context_of_a_stream(app: Erlen, told: list[t.Any]) -> None:
    streaming(app)
    with app.test_client() as client:
        assert client.get("/?name=Ada").text == "/g0 /g1 /g2 "
        assert request.args["name"] == "Ada" and g.name == "g"
        assert told == []
    assert told == ONCE


def test_client_in_a_with_block_and_a_stream_left_in_the_middle(app: Erlen, told: list[t.Any]) -> None:
    streaming(app)
    with app.test_client() as client:
        response = client.get("/")
        assert next(response.iter_encoded()) == b"/g0 "
        response.close()
        assert request.path == "/" and told == []
        assert client.get("/nowhere").status_code == 404
        assert told[:2] == ONCE
    assert not has_app_context()


def test_client_in_a_with_block_and_a_stream_read_after_it(app: Erlen, told: list[t.Any]) -> None:
    streaming(app)
    with app.test_client() as client:
        response = client.get("/")
    assert told == []
    assert response.text == "/g0 /g1 /g2 "
    assert told == ONCE
    response.close()


def test_client_without_a_with_block_closes_a_buffered_stream(app: Erlen, told: list[t.Any]) -> None:
    streaming(app)
    assert app.test_client().get("/", buffered=True).text == "/g0 /g1 /g2 "
    assert told == ONCE


def test_response_closed_by_the_client_in_the_middle(app: Erlen, told: list[t.Any]) -> None:
    streaming(app)
    response = app.test_client().get("/")
    assert told == []
    response.close()
    assert told == ONCE
