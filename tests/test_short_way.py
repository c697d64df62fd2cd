"""The short way of a request and the general one give the same answers.

The short way makes a context without its request, and sends the text of a view without a response. An application whose
contexts are of a class of its own, and which has a say in how a response is made, takes the general way, so each test asks two
applications that differ in that alone.
"""

from __future__ import annotations

import asyncio
import dis
import io
import sys
import threading
import time
import typing as t
from contextlib import suppress
from contextvars import copy_context

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import create_environ

from asgi_calls import Call
from erlen import (
    Erlen,
    Response,
    abort,
    after_this_request,
    appcontext_popped,
    ctx,
    current_app,
    g,
    redirect,
    request,
    request_finished,
    request_started,
    session,
    stream_with_context,
    url_for,
)
from erlen.ctx import RequestContext, context_var
from erlen.wrappers import Request

#: What a view does, by the last part of its address.
DEEDS = (
    "text",
    "json",
    "list",
    "tuple",
    "bytes",
    "response",
    "redirect",
    "abort",
    "error",
    "handled",
    "none",
    "session",
    "after",
    "stream",
    "request",
    "g",
    "hosts",
)


class General(RequestContext):
    """A context that the pipeline makes with its constructor."""


class GeneralApp(Erlen):
    """An application that has a say in how a response is made, and uses it for nothing."""

    def finalize_request(self, rv: t.Any, from_error_handler: bool = False) -> Response:
        return super().finalize_request(rv, from_error_handler)

    async def afinalize_request(self, rv: t.Any, from_error_handler: bool = False) -> Response:
        return await super().afinalize_request(rv, from_error_handler)


def deed(name: str) -> t.Any:
    def adorn(response: Response) -> Response:
        response.headers["X-After"] = "yes"
        return response

    def pieces() -> t.Iterator[str]:
        yield request.path
        yield current_app.name

    if name == "after":
        after_this_request(adorn)
    if name == "session":
        session["number"] = session.get("number", 0) + 1
    if name == "g":
        g.name = "g"
    if name == "abort":
        abort(404)
    if name == "error":
        raise ZeroDivisionError
    if name == "handled":
        raise LookupError(name)
    values: dict[str, t.Any] = {
        "json": {"name": name, "rule": str(request.url_rule)},
        "list": [1, "two"],
        "tuple": ("text", 201, {"X-Own": "1"}),
        "bytes": b"bytes",
        "response": Response("text", status=202),
        "redirect": redirect(url_for("deed", name="text")),
        "none": None,
        "stream": stream_with_context(pieces()),
        "request": f"{request.method} {request.url} {request.view_args} {sorted(request.args.items())} "
        f"{request.headers.get('X-Name')} {request.cookies.get('other')}",
        "hosts": request.host,
    }
    return values.get(name, name)


def make_app(general: bool, is_async: bool = False) -> Erlen:
    app = GeneralApp("short") if general else Erlen("short")
    app.config.update(SECRET_KEY="key", PROPAGATE_EXCEPTIONS=False)
    app.logger.disabled = True
    if general:
        app.request_context_class = General

    async def adeed(name: str) -> t.Any:
        return deed(name)

    async def awaits(number: int) -> str:
        await asyncio.sleep(0)
        return f"{number} {request.path}"

    app.add_url_rule("/", "index", lambda: "index")
    app.add_url_rule("/do/<name>", "deed", adeed if is_async else deed, methods=["GET", "POST"])
    app.add_url_rule("/number/<int:number>", "number", awaits if is_async else lambda number: f"{number}")
    app.add_url_rule("/a/<int:one>/<two>", "two", lambda one, two: {"one": one, "two": two})
    app.add_url_rule("/folder/", "folder", lambda: "folder")
    app.register_error_handler(LookupError, lambda error: (f"handled {error}", 418))
    return app


APPS = {(general, kind): make_app(general, kind) for general in (False, True) for kind in (False, True)}

PATHS = st.one_of(
    st.sampled_from([f"/do/{name}" for name in DEEDS]),
    st.sampled_from(
        ["/", "/number/7", "/number/x", "/number/", "/a/1/b", "/a/1/", "/folder", "/folder/", "//"]
    ),
    st.sampled_from(["/do/größe", "/do/a b", "/do/\x7f", "/do/\x00", "/nowhere", "/number/" + "9" * 5000]),
)
METHODS = st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "OPTIONS", "PUT", "get", "BREW"])
HEADERS = st.lists(
    st.sampled_from(
        [
            ("Host", "localhost"),
            ("Host", "other.example:8000"),
            ("Host", "bad host"),
            ("X-Name", "name"),
            ("Cookie", "other=1"),
            ("Cookie", "session=made.up"),
            ("Content-Length", "0"),
            ("Content-Length", "x"),
            ("Origin", "http://elsewhere.example"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Upgrade", "websocket"),
        ]
    ),
    max_size=4,
    unique_by=lambda pair: pair[0],
)


def _timeless(value: str) -> str:
    """Return a header's value without the time at which a session was signed."""
    return value.partition(".")[0] if value.startswith("session=") else value


def over_wsgi(
    app: Erlen,
    path: str,
    method: str,
    headers: list[tuple[str, str]],
    changes: t.Mapping[str, str] | None = None,
    kind: type[dict[str, t.Any]] = dict,
) -> t.Any:
    environ: dict[str, t.Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path.encode().decode("latin1"),
        "QUERY_STRING": "a=1&b=%20&a=2",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers:
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
    environ = kind({**environ, **(changes or {})})
    started: list[t.Any] = []

    def start_response(*start: t.Any) -> t.Any:
        started.append(start)

    body = app(environ, start_response)
    try:
        status, sent = started[0]
        return status, [(name, _timeless(value)) for name, value in sent], b"".join(body)
    finally:
        getattr(body, "close", lambda: None)()


async def over_asgi(app: Erlen, path: str, method: str, headers: list[tuple[str, str]]) -> t.Any:
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers]
    call = Call(app, path, method=method, headers=pairs, query_string=b"a=1&b=%20&a=2")
    await call.run()
    return (
        call.status,
        {name: _timeless(value.decode("latin1")) for name, value in call.headers.items()},
        call.text,
    )


@given(PATHS, METHODS, HEADERS, st.booleans())
def test_answers_over_wsgi_are_those_of_the_general_way(
    path: str, method: str, headers: list[tuple[str, str]], is_async: bool
) -> None:
    # Twice: what was asked for before is found in another way.
    for _ in range(2):
        short = over_wsgi(APPS[False, is_async], path, method, headers)
        assert short == over_wsgi(APPS[True, is_async], path, method, headers)
    assert context_var.get(None) is None


@given(PATHS, METHODS, HEADERS, st.booleans())
def test_answers_over_asgi_are_those_of_the_general_way(
    path: str, method: str, headers: list[tuple[str, str]], is_async: bool
) -> None:
    async def ask() -> None:
        for _ in range(2):
            short = await over_asgi(APPS[False, is_async], path, method, headers)
            assert short == await over_asgi(APPS[True, is_async], path, method, headers)
        assert context_var.get(None) is None

    asyncio.run(ask())


@pytest.mark.parametrize("is_async", [False, True])
def test_general_way_is_another_one(is_async: bool) -> None:
    short, general = APPS[False, is_async].freeze(), APPS[True, is_async].freeze()
    assert short.makes_contexts and short.steps_for("index").finishes_at_once
    assert not general.makes_contexts and not general.steps_for("index").finishes_at_once
    with APPS[True, is_async].test_request_context("/") as context:
        assert APPS[True, is_async].response_at_once("text", context) is None


def test_request_that_nobody_asks_for_is_not_made() -> None:
    made: list[object] = []
    app = make_app(general=False)

    @app.get("/untouched")
    def untouched() -> str:
        made.append(context_var.get()._made)
        return "text"

    for _ in range(2):
        assert over_wsgi(app, "/untouched", "GET", [])[2] == b"text"
    # The first request of a process takes the general way.
    assert made[1:] == [None]


@pytest.mark.parametrize("signal", [request_started, request_finished, appcontext_popped])
def test_who_connects_is_told_of_the_next_request(signal: t.Any) -> None:
    app, told = make_app(general=False), list[t.Any]()
    over_wsgi(app, "/", "GET", [])

    def receive(sender: object, **arguments: object) -> None:
        told.append(sender)

    with signal.connected_to(receive, app):
        over_wsgi(app, "/", "GET", [])
    over_wsgi(app, "/", "GET", [])
    assert told == [app]


def test_who_connects_in_the_view_is_told_of_the_end_of_that_request() -> None:
    app, told = make_app(general=False), list[t.Any]()

    def receive(sender: object, **arguments: object) -> None:
        told.append(sender)

    @app.get("/connects")
    def connects() -> str:
        request_finished.connect(receive, app)
        return "text"

    over_wsgi(app, "/connects", "GET", [])
    request_finished.disconnect(receive, app)
    assert told == [app]


def test_response_class_that_sends_in_its_own_way_is_asked() -> None:
    class Loud(Response):
        def get_wsgi_headers(self, environ: t.Any) -> t.Any:
            headers = super().get_wsgi_headers(environ)
            headers["X-Loud"] = "yes"
            return headers

    app = make_app(general=False)
    app.response_class = Loud
    for _ in range(2):
        assert ("X-Loud", "yes") in over_wsgi(app, "/", "GET", [])[1]


@pytest.mark.parametrize("way", ["constructor", "close", "scope"])
def test_request_class_with_a_way_of_its_own_is_made_for_each_request(way: str) -> None:
    seen: list[str] = []

    class Built(Request):
        def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
            seen.append("constructor")
            super().__init__(*args, **kwargs)

    class Closed(Request):
        def close(self) -> None:
            seen.append("close")
            super().close()

    class Scoped(Request):
        @classmethod
        def of_scope(cls, scope: t.Any, receive: t.Any, app: t.Any = None) -> t.Self:
            seen.append("scope")
            return super().of_scope(scope, receive, app)

    app = make_app(general=False)
    app.request_class = {"constructor": Built, "close": Closed, "scope": Scoped}[way]
    for _ in range(2):
        asyncio.run(over_asgi(app, "/", "GET", []))
    assert seen == [way] * 2


def test_dispatch_that_is_replaced_later_is_called() -> None:
    app = make_app(general=False)
    assert over_wsgi(app, "/", "GET", [])[2] == b"index"
    app.full_dispatch_request = lambda: app.make_response("replaced")  # type: ignore[method-assign]
    assert over_wsgi(app, "/", "GET", [])[2] == b"replaced"


def test_context_class_that_is_replaced_later_is_used() -> None:
    app, kinds = make_app(general=False), list[type]()

    @app.get("/kind")
    def kind() -> str:
        kinds.append(type(context_var.get()))
        return "kind"

    over_wsgi(app, "/kind", "GET", [])
    app.request_context_class = General
    over_wsgi(app, "/kind", "GET", [])
    assert kinds == [RequestContext, General]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("hook", [False, True])
def test_async_teardown_is_not_cut_short_by_a_client_that_goes(method: str, hook: bool) -> None:
    app, log = Erlen("ending"), list[str]()

    @app.route("/", methods=["GET", "POST"])
    async def index() -> str:
        return "text"

    async def before() -> None:
        """Do nothing."""

    if hook:
        app.before_request(before)

    @app.teardown_request
    async def tear_down(error: BaseException | None) -> None:
        log.append("begun")
        await asyncio.sleep(0.02)
        log.append("done")

    async def ask() -> None:
        for _ in range(2):
            call = Call(app, "/", method=method)
            task = call.start()
            await asyncio.sleep(0.005)
            call.go_away()
            await asyncio.wait([task])

    asyncio.run(ask())
    assert log == ["begun", "done"] * 2


def test_async_spelling_that_a_subclass_has_replaced_is_called() -> None:
    called: list[str] = []

    class Own(Erlen):
        async def awsgi_app(self, environ: t.Any, start_response: t.Any, context: t.Any = None) -> t.Any:
            called.append("awsgi_app")
            return await super().awsgi_app(environ, start_response, context)

    app = Own("own")

    @app.get("/")
    async def index() -> str:
        return "text"

    for _ in range(3):
        assert asyncio.run(over_asgi(app, "/", "GET", []))[2] == "text"
    assert called == ["awsgi_app"] * 3


def test_request_class_with_a_method_of_its_own_is_protected() -> None:
    class Overriding(Request):
        _sent = "GET"

        @property
        def method(self) -> str:
            return self.args.get("_method", self._sent)

        @method.setter
        def method(self, value: str) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
            self._sent = value

    app = make_app(general=False)
    app.request_class = Overriding
    app.add_url_rule("/own", "own", lambda: "text", methods=["GET", "DELETE"])
    scope_headers = [("Sec-Fetch-Site", "cross-site")]

    def status() -> str:
        environ = {"QUERY_STRING": "_method=DELETE"}
        return t.cast(str, over_wsgi(app, "/own", "GET", scope_headers, environ)[0])

    assert [status()[:3] for _ in range(3)] == ["403"] * 3


def test_proxy_shows_the_request_that_a_context_class_shows() -> None:
    another = Request(create_environ("/another"))

    class Shown(RequestContext):
        @property  # type: ignore[misc]
        def request(self) -> t.Any:  # pyright: ignore[reportIncompatibleMethodOverride]
            return another

    app = make_app(general=False)
    app.request_context_class = Shown
    with app.test_request_context("/") as context:
        # The other one is made already, and would be at hand.
        assert context._made.path == "/"
        assert request.path == "/another"
        assert request == another


@pytest.mark.parametrize("is_free", [False, True])
def test_threads_of_one_request_share_its_object(is_free: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctx, "_is_free_threaded", is_free)
    app, made = make_app(general=False), list[object]()

    class Slow(dict[str, t.Any]):
        def __getitem__(self, key: str) -> t.Any:
            time.sleep(0.005)
            return super().__getitem__(key)

    @app.get("/threads")
    def threads() -> str:
        def look() -> None:
            made.append(request._get_current_object())  # type: ignore[attr-defined]

        running = [threading.Thread(target=copy_context().run, args=[look]) for _ in range(4)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return "text"

    for _ in range(2):
        made.clear()
        over_wsgi(app, "/threads", "GET", [], kind=Slow)
        assert len({id(one) for one in made}) == 1


def test_no_thread_comes_between_the_look_for_a_request_and_its_keeping() -> None:
    """Python lets another thread run at calls and jumps back, so there is none of them behind the making."""
    instructions = list(dis.get_instructions(RequestContext._make_request))
    of_made = [(at, one.opname) for at, one in enumerate(instructions) if one.argval == "_made"]
    [keeping] = [at for at, name in of_made if name == "STORE_ATTR"]
    lets = ("CALL", "JUMP_BACKWARD", "FOR_ITER", "BEFORE_WITH", "SEND", "YIELD_VALUE")
    last = max(at for at, one in enumerate(instructions[:keeping]) if one.opname.startswith(lets))
    assert [name for at, name in of_made if last < at < keeping][:1] == ["LOAD_ATTR"]


def test_exception_from_a_signal_leaves_no_lock_behind() -> None:
    """Wherever it comes. Handlers of signals run at the end of a call and at the beginning of a function."""
    app, at, calls = make_app(general=False), 0, 0

    class Timeout(BaseException):
        """What a server raises in a worker whose time is up."""

    def profile(frame: object, event: str, called: object) -> None:
        nonlocal calls
        if event in {"call", "c_return"}:
            calls += 1
            if calls == at:
                raise Timeout

    @app.get("/interrupted")
    def interrupted() -> str:
        sys.setprofile(profile)
        try:
            return request.path
        finally:
            sys.setprofile(None)

    app.add_url_rule("/asked", "asked", lambda: request.path)

    def is_answered() -> bool:
        answers: list[t.Any] = []
        thread = threading.Thread(
            target=lambda: answers.append(over_wsgi(app, "/asked", "GET", [])), daemon=True
        )
        thread.start()
        thread.join(10)
        return bool(answers) and answers[0][2] == b"/asked"

    assert is_answered()
    while calls >= at:
        at, calls = at + 1, 0
        with suppress(Timeout):
            over_wsgi(app, "/interrupted", "GET", [])
        assert is_answered(), f"not after an exception at call {at}"
    assert at > 5


def test_request_is_in_its_environment_before_another_thread_finds_it() -> None:
    app, found = make_app(general=False), list[bool]()

    class Watched(dict[str, t.Any]):
        """An environment that notes whether others could take the request before it is stored there."""

        def __setitem__(self, key: str, value: t.Any) -> None:
            if key == "werkzeug.request" and value is not None:
                found.append(context_var.get()._made is None)
            super().__setitem__(key, value)

    app.add_url_rule("/environment", "environment", lambda: request.path)
    for _ in range(2):
        found.clear()
        over_wsgi(app, "/environment", "GET", [], kind=Watched)
    assert found == [True]


def test_request_of_an_outer_application_is_not_taken_for_that_of_this_one() -> None:
    app, made, theirs = make_app(general=False), list[t.Any](), list[Request]()

    @app.get("/inner")
    def inner() -> str:
        made.append(request._get_current_object())  # type: ignore[attr-defined]
        made.append(request.environ["werkzeug.request"])
        return "text"

    class Outer(dict[str, t.Any]):
        def __init__(self, own: dict[str, t.Any]) -> None:
            super().__init__(own)
            theirs.append(Request(self))

    for _ in range(2):
        made.clear()
        over_wsgi(app, "/inner", "GET", [], kind=Outer)
        assert made[0] is made[1] is not theirs[-1]


@pytest.mark.parametrize(
    ("cookie", "is_finished"), [(None, True), ("theme=dark", True), ("session=a", False)]
)
def test_cookies_of_others_do_not_keep_a_response_from_being_finished_at_once(
    cookie: str | None, is_finished: bool
) -> None:
    app = make_app(general=False)
    headers = {} if cookie is None else {"Cookie": cookie}
    with app.test_request_context("/", headers=headers) as context:
        made = app.response_at_once("text", context)
    assert (made is not None) is is_finished
