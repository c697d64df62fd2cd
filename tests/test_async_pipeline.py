"""Plain and async callables side by side: where each runs, in which order, and what it sees of the others."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import itertools
import threading
import typing as t
from contextvars import ContextVar
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException

import erlen
from asgi_calls import Call, answer, on_a_loop, run_on_a_loop
from erlen import (
    Blueprint,
    Erlen,
    Response,
    abort,
    after_this_request,
    copy_current_request_context,
    current_app,
    flash,
    g,
    has_app_context,
    has_request_context,
    nonblocking,
    render_template_string,
    request,
    session,
    stream_with_context,
)
from erlen.pipeline.bridge import is_nonblocking, spelled_async
from erlen.pipeline.steps import PHASES
from erlen.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionInterface
from erlen.testing import ErlenClient
from erlen.views import MethodView, View

trail: ContextVar[str] = ContextVar("trail", default="")

KINDS = ("plain", "async", "nonblocking")


def of_kind(kind: str, function: t.Callable[..., t.Any]) -> t.Any:
    """Return a function of a kind that does what a plain one does."""
    if kind == "async":

        async def asynchronous(*args: t.Any, **kwargs: t.Any) -> t.Any:
            await asyncio.sleep(0)
            return function(*args, **kwargs)

        return asynchronous

    def plain(*args: t.Any, **kwargs: t.Any) -> t.Any:
        return function(*args, **kwargs)

    return nonblocking(plain) if kind == "nonblocking" else plain


class Wrapped:
    """Middleware around ``wsgi_app`` that changes nothing."""

    def __init__(self, application: t.Any) -> None:
        self.application = application

    def __call__(self, environ: t.Any, start_response: t.Any) -> t.Any:
        return self.application(environ, start_response)


class Overriding(Erlen):
    """An application that has replaced a phase, so that all of them run plainly."""

    def dispatch_request(self) -> t.Any:
        return super().dispatch_request()


#: The ways in which a request with something async in it goes over ASGI.
WAYS = ("async spelling", "plain spelling", "middleware")


def make_app(way: str = "async spelling", **config: t.Any) -> Erlen:
    app = (Overriding if way == "plain spelling" else Erlen)("pipeline", root_path=".")
    app.config.update(config)
    if way == "middleware":
        app.wsgi_app = Wrapped(app.wsgi_app)  # type: ignore[method-assign, assignment]
    return app


class Counting(concurrent.futures.ThreadPoolExecutor):
    """Worker threads that count how often something is run on them."""

    hops = 0

    def submit(self, fn: t.Any, /, *args: t.Any, **kwargs: t.Any) -> t.Any:
        self.hops += 1
        return super().submit(fn, *args, **kwargs)

    def executor(self) -> t.Self:
        return self


def counted(app: Erlen) -> Counting:
    pool = Counting(4)
    app.threads = pool
    return pool


@dataclass
class Places:
    """Where each step has run: on the loop of the test, on its thread without it, or on which other thread."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    own: int = field(default_factory=threading.get_ident)
    seen: dict[str, str] = field(default_factory=dict[str, str])
    threads: dict[str, int] = field(default_factory=dict[str, int])

    def note(self, name: str) -> None:
        try:
            on_loop = asyncio.get_running_loop() is self.loop
        except RuntimeError:
            on_loop = False
        own = threading.get_ident() == self.own
        self.threads[name] = threading.get_ident()
        self.seen[name] = {(True, True): "loop", (False, False): "thread"}.get((on_loop, own), "elsewhere")


# Where what runs


def register_all(app: Erlen, places: Places, kind_of: t.Callable[[str], str]) -> None:
    """Register one of each callable, each of the kind that is asked for, and note where it runs."""

    def made(name: str, result: t.Callable[..., t.Any] = lambda *args: None) -> t.Any:
        def function(*args: t.Any) -> t.Any:
            places.note(name)
            return result(*args)

        return of_kind(kind_of(name), function)

    def view() -> t.Any:
        after_this_request(made("after this request", lambda response: response))
        raise LookupError

    app.url_value_preprocessor(made("url value preprocessor"))
    app.before_request(made("before request"))
    app.add_url_rule("/", "index", made("view", view))
    app.register_error_handler(LookupError, made("error handler", lambda error: "handled"))
    app.after_request(made("after request", lambda response: response))
    app.teardown_request(made("teardown request"))
    app.teardown_appcontext(made("teardown appcontext"))
    for name in ("request_started", "request_finished", "request_tearing_down", "appcontext_pushed"):
        receiver = made(name, lambda sender, **values: None)

        def receive(sender: t.Any, receiver: t.Any = receiver, **values: t.Any) -> t.Any:
            return receiver(sender)

        async def areceive(sender: t.Any, receiver: t.Any = receiver, **values: t.Any) -> t.Any:
            return await receiver(sender)

        getattr(erlen, name).connect(areceive if kind_of(name) == "async" else receive, app, weak=False)

    class Interface(SessionInterface):
        open_session = made("open session", lambda *args: SecureCookieSession())
        save_session = made("save session")

    app.session_interface = Interface()


ALL = (
    "url value preprocessor",
    "before request",
    "view",
    "after this request",
    "error handler",
    "after request",
    "teardown request",
    "teardown appcontext",
    "request_started",
    "request_finished",
    "request_tearing_down",
    "appcontext_pushed",
    "open session",
    "save session",
)


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_async_callables_run_on_the_loop_of_the_server(way: str) -> None:
    app, places = make_app(way), Places()
    register_all(app, places, lambda name: "async")
    call = await answer(app)
    assert (call.status, call.text) == (200, "handled")
    assert places.seen == dict.fromkeys(ALL, "loop")


@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_plain_callables_never_run_on_the_loop(way: str) -> None:
    app, places = make_app(way), Places()
    register_all(app, places, lambda name: "plain")
    assert (await answer(app)).text == "handled"
    assert places.seen == dict.fromkeys(ALL, "thread")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("one", ALL)
@on_a_loop
async def test_one_async_callable_among_plain_ones(way: str, one: str) -> None:
    app, places = make_app(way), Places()
    register_all(app, places, lambda name: "async" if name == one else "plain")
    assert (await answer(app)).text == "handled"
    assert places.seen == dict.fromkeys(ALL, "thread") | {one: "loop"}


@pytest.mark.parametrize("one", ALL)
@on_a_loop
async def test_one_plain_callable_among_async_ones(one: str) -> None:
    app, places = make_app(), Places()
    register_all(app, places, lambda name: "plain" if name == one else "async")
    assert (await answer(app)).text == "handled"
    assert places.seen == dict.fromkeys(ALL, "loop") | {one: "thread"}


@pytest.mark.parametrize("one", [*ALL, ""])
def test_any_callable_may_be_async(client: ErlenClient, app: Erlen, one: str) -> None:
    """On both protocols, and whatever the others are."""

    async def places() -> Places:
        return Places()

    noted = asyncio.run(places())
    register_all(app, noted, lambda name: "async" if name == one else "plain")
    assert client.get("/").text == "handled"
    assert sorted(noted.seen) == sorted(ALL)


@pytest.mark.parametrize("kind", KINDS)
def test_context_processor(app: Erlen, client: ErlenClient, kind: str) -> None:
    app.context_processor(of_kind(kind, lambda: {"name": request.args["name"]}))
    app.add_url_rule("/plain", "plain", lambda: render_template_string("{{ name }}"))

    @app.get("/async")
    async def index() -> str:
        return render_template_string("{{ name }}")

    assert [client.get(f"/{path}?name=Ada").text for path in ("plain", "async")] == ["Ada", "Ada"]


def test_methods_of_a_method_view_may_be_of_either_kind(app: Erlen, client: ErlenClient) -> None:
    class Item(MethodView):
        def get(self, name: str) -> str:
            return f"get {name}"

        async def post(self, name: str) -> str:
            await asyncio.sleep(0)
            return f"post {name}"

    app.add_url_rule("/<name>", view_func=Item.as_view("item"))
    assert [client.get("/a").text, client.post("/b").text] == ["get a", "post b"]
    assert client.head("/a").status_code == 200 and client.put("/a").status_code == 405


@on_a_loop
async def test_methods_of_a_method_view_run_where_functions_of_their_kind_do(app: Erlen) -> None:
    places = Places()

    class Item(MethodView):
        def get(self) -> str:
            places.note("get")
            return ""

        async def post(self) -> str:
            places.note("post")
            return ""

        @nonblocking
        def put(self) -> str:
            places.note("put")
            return ""

    app.add_url_rule("/", view_func=Item.as_view("item"))
    for method in ("GET", "POST", "PUT"):
        await answer(app, method=method)
    assert places.seen == {"get": "thread", "post": "loop", "put": "loop"}


# Hops


@on_a_loop
async def test_plain_request_is_one_hop(app: Erlen) -> None:
    places = Places()

    def noting(name: str) -> t.Callable[..., t.Any]:
        def note(*args: t.Any) -> t.Any:
            places.note(name)
            return args[0] if name.startswith("after") else None

        return note

    for number in range(2):
        app.url_value_preprocessor(noting(f"values {number}"))
        app.before_request(noting(f"before {number}"))
        app.after_request(noting(f"after {number}"))
        app.teardown_request(lambda exc, number=number: places.note(f"teardown {number}"))
        app.teardown_appcontext(lambda exc, number=number: places.note(f"context {number}"))

    @app.get("/")
    def index() -> str:
        places.note("view")
        return "text"

    pool = counted(app)
    assert (await answer(app)).text == "text"
    assert pool.hops == 1
    assert len(places.seen) == 11 and set(places.seen.values()) == {"thread"}
    assert len(set(places.threads.values())) == 1


@on_a_loop
async def test_plain_hooks_that_stand_together_are_one_hop(app: Erlen) -> None:
    for _ in range(3):
        app.url_value_preprocessor(lambda endpoint, values: None)
        app.before_request(lambda: None)
        app.after_request(lambda response: response)
        app.teardown_request(lambda exc: None)
        app.teardown_appcontext(lambda exc: None)

    @app.get("/")
    async def index() -> str:
        return "text"

    pool = counted(app)
    assert (await answer(app)).text == "text"
    assert pool.hops == 5


@pytest.mark.parametrize(
    ("kinds", "hops"),
    [
        ("plain", 1),
        ("async", 0),
        ("nonblocking", 0),
        ("plain plain plain", 1),
        ("plain async plain", 2),
        ("plain nonblocking plain plain", 2),
        ("async plain plain nonblocking plain async", 2),
    ],
)
@on_a_loop
async def test_hops_of_hooks_before_an_async_view(app: Erlen, kinds: str, hops: int) -> None:
    log: list[int] = []
    for number, kind in enumerate(kinds.split()):
        app.before_request(of_kind(kind, functools.partial(log.append, number)))

    @app.get("/")
    async def index() -> str:
        return "text"

    pool = counted(app)
    await answer(app)
    assert (pool.hops, log) == (hops, list(range(len(kinds.split()))))


@on_a_loop
async def test_request_whose_callables_never_wait_needs_no_thread(app: Erlen) -> None:
    app.secret_key = "key"
    places = Places()

    @app.before_request
    @nonblocking
    def before() -> None:
        places.note("before")
        session["name"] = "Ada"

    @app.get("/")
    @nonblocking
    def index() -> t.Any:
        places.note("view")
        return {"name": session["name"]}

    pool = counted(app)
    call = await answer(app)
    assert call.json == {"name": "Ada"} and b"session=" in call.headers[b"set-cookie"]
    assert (pool.hops, places.seen) == (0, {"before": "loop", "view": "loop"})


@on_a_loop
async def test_stream_of_a_plain_generator_leaves_the_thread_between_two_pieces(app: Erlen) -> None:
    app.config["THREAD_POOL_SIZE"] = 1

    @app.get("/stream")
    def stream() -> t.Any:
        return (str(number) for number in range(3))

    app.add_url_rule("/", "index", lambda: "text")
    call = Call(app, "/stream")
    between: list[str] = []

    async def ask(message: t.Any) -> None:
        between.append((await answer(app)).text)

    call.on_send = ask
    await call.run()
    assert (call.text, between) == ("012", ["text"] * 5)


@pytest.mark.parametrize(
    ("kind", "body", "hops"),
    [
        ("async", "whole", 1),
        ("async", "pieces", 1),
        ("async", "generator", 3),
        ("plain", "whole", 2),
        ("plain", "generator", 4),
    ],
)
@on_a_loop
async def test_hops_of_a_response_that_calls_something_when_it_is_sent(
    app: Erlen, kind: str, body: str, hops: int
) -> None:
    log: list[str] = []
    bodies: dict[str, t.Any] = {"whole": "text", "pieces": [b"te", b"xt"], "generator": iter(["text"])}

    def index() -> Response:
        response = Response(bodies[body])
        response.call_on_close(lambda: log.append("closed"))
        return response

    app.add_url_rule("/", "index", of_kind(kind, index))
    pool, call = counted(app), Call(app)

    async def note(message: t.Any) -> None:
        log.append(message["type"])

    call.on_send = note
    await call.run()
    pieces = 2 if body == "generator" else 1
    assert (call.text, pool.hops) == ("text", hops)
    assert log == ["http.response.start", *["http.response.body"] * pieces, "closed"]


# The same order on both protocols


@dataclass(frozen=True)
class Step:
    kind: str
    does: str = "nothing"


@dataclass(frozen=True)
class Plan:
    """An application: hooks of it and of a blueprint, a view, handlers."""

    way: str
    values: list[Step]
    before: list[Step]
    own_before: list[Step]
    view: Step
    after: list[Step]
    own_after: list[Step]
    teardown: list[Step]
    own_teardown: list[Step]
    context: list[Step]
    handler: Step | None
    error_handler: Step | None


def steps(*does: str, most: int = 3) -> st.SearchStrategy[list[Step]]:
    # Mostly nothing happens, or few requests would come far.
    what = st.sampled_from(["nothing"] * 6 + list(does))
    return st.lists(st.builds(Step, st.sampled_from(KINDS), what), max_size=most)


HANDLER = st.none() | st.builds(
    Step, st.sampled_from(KINDS), st.sampled_from(["answers", "answers", "raises"])
)

PLANS = st.builds(
    Plan,
    way=st.sampled_from(WAYS),
    values=steps("replaces", "raises", most=2),
    before=steps("answers", "raises", "aborts"),
    own_before=steps("answers", "raises", most=2),
    view=st.builds(
        Step,
        st.sampled_from(KINDS),
        st.sampled_from(["answers", "answers", "answers", "raises", "aborts", "streams", "adds"]),
    ),
    after=steps("replaces", "raises", "forgets"),
    own_after=steps("raises", most=2),
    teardown=steps("raises"),
    own_teardown=steps("raises", most=2),
    context=steps("raises", most=2),
    handler=HANDLER,
    error_handler=HANDLER,
)


class Trouble(Exception):
    """What steps raise."""


def build(plan: Plan, log: list[str]) -> Erlen:
    app = make_app(plan.way, PROPAGATE_EXCEPTIONS=False)
    app.logger.disabled = True
    blueprint = Blueprint("part", __name__, url_prefix="/part")

    def made(name: str, step: Step) -> t.Any:
        def function(*args: t.Any, **kwargs: t.Any) -> t.Any:
            where = request.endpoint if has_request_context() else None
            shown = [type(one).__name__ if isinstance(one, BaseException) else "" for one in args]
            # The variable holds for each step what all before it have set.
            seen = trail.get()
            trail.set(f"{seen}{name};")
            log.append(f"{name} {where} {shown} {kwargs} after {seen}")
            if step.does == "raises":
                raise Trouble(name)
            if step.does == "aborts":
                abort(418)
            if step.does == "answers":
                return f"{name}: {request.view_args}", 203
            if step.does == "streams":
                return stream_with_context(iter([name, request.path]))
            if step.does == "adds":

                @after_this_request
                def add(response: t.Any) -> t.Any:
                    log.append("added")
                    return response

                return "added"
            if name.startswith("values"):
                if step.does == "replaces":
                    request.view_args = dict(args[1] or {}, name=f"{args[1] and args[1].get('name')}-{name}")
                return None
            if name.startswith("after"):
                return {"replaces": Response(name), "forgets": None}.get(step.does, args[0])
            return None

        return of_kind(step.kind, function)

    def each(name: str, given: list[Step], register: t.Callable[[t.Any], object]) -> None:
        for number, step in enumerate(given):
            register(made(f"{name} {number}", step))

    each("values", plan.values, app.url_value_preprocessor)
    each("before", plan.before, app.before_request)
    each("own before", plan.own_before, blueprint.before_request)
    each("after", plan.after, app.after_request)
    each("own after", plan.own_after, blueprint.after_request)
    each("teardown", plan.teardown, app.teardown_request)
    each("own teardown", plan.own_teardown, blueprint.teardown_request)
    each("context", plan.context, app.teardown_appcontext)
    blueprint.add_url_rule("/<name>", "index", made("view", plan.view))
    app.register_blueprint(blueprint)
    if plan.handler is not None:
        app.register_error_handler(Trouble, made("handler", plan.handler))
        app.register_error_handler(418, made("handler of 418", plan.handler))
    if plan.error_handler is not None:
        app.register_error_handler(500, made("handler of 500", plan.error_handler))
    return app


def leaves(error: BaseException) -> list[str]:
    if isinstance(error, BaseExceptionGroup):
        return list(itertools.chain.from_iterable(map(leaves, error.exceptions)))
    return [f"{type(error).__name__} {error}"]


def outcome_over_wsgi(app: Erlen, path: str) -> t.Any:
    def get() -> t.Any:
        try:
            response = app.test_client(protocol="wsgi").get(path)
            return response.status_code, response.text
        except Exception as error:
            return leaves(error)

    return get()


def outcome_over_asgi(app: Erlen, path: str) -> t.Any:
    async def get() -> t.Any:
        try:
            call = await answer(app, path)
        except Exception as error:
            return leaves(error)
        return call.status, call.text

    return run_on_a_loop(get)


@given(plan=PLANS, path=st.sampled_from(["/part/Ada", "/part/Ada", "/part/Ada", "/nowhere"]))
@settings(max_examples=150)
def test_steps_run_in_the_same_order_on_both_protocols(plan: Plan, path: str) -> None:
    over_wsgi: list[str] = []
    over_asgi: list[str] = []
    expected = threaded(lambda: outcome_over_wsgi(build(plan, over_wsgi), path))
    assert outcome_over_asgi(build(plan, over_asgi), path) == expected
    assert over_asgi == over_wsgi


def threaded(function: t.Callable[[], t.Any]) -> t.Any:
    """Return what a function returns on a thread of its own, with variables of its own."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


# Context variables


@pytest.mark.protocol("wsgi", "asgi")
@pytest.mark.parametrize("kinds", list(itertools.product(("plain", "async"), repeat=3)), ids=" ".join)
@pytest.mark.parametrize("way", WAYS)
def test_variable_set_in_one_step_is_seen_by_the_next(
    protocol: str, way: str, kinds: tuple[str, ...]
) -> None:
    app = make_app(way)
    seen: list[str] = []
    around, before, view = kinds

    def step(name: str, result: t.Callable[..., t.Any] = lambda *args: None) -> t.Callable[..., t.Any]:
        def function(*args: t.Any) -> t.Any:
            seen.append(trail.get())
            trail.set(name)
            return result(*args)

        return function

    def fail() -> t.NoReturn:
        raise LookupError

    app.url_value_preprocessor(of_kind(around, step("values")))
    app.before_request(of_kind(before, step("before")))
    app.add_url_rule("/", "index", of_kind(view, step("view", fail)))
    app.register_error_handler(LookupError, of_kind(around, step("handler", lambda error: "handled")))
    app.after_request(of_kind(before, step("after", lambda response: response)))
    app.teardown_request(of_kind(around, step("teardown")))
    app.teardown_appcontext(of_kind(view, step("context")))
    assert threaded(lambda: app.test_client(protocol=protocol).get("/").text) == "handled"
    assert seen == ["", "values", "before", "view", "handler", "after", "teardown"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_variable_of_a_view_is_seen_by_its_stream(way: str, kind: str) -> None:
    app = make_app(way)

    def generate() -> t.Iterator[str]:
        for _ in range(2):
            yield f"{trail.get()}{has_app_context()} "
            trail.set("stream ")

    async def agenerate() -> t.AsyncIterator[str]:
        for piece in generate():
            yield piece

    @app.before_request
    async def before() -> None:
        """There is something async."""

    @app.get("/")
    def index() -> t.Any:
        trail.set("view ")
        return stream_with_context(generate()) if kind == "plain" else stream_with_context(agenerate())

    assert (await answer(app)).text == "view True stream True "


@on_a_loop
async def test_variables_of_a_request_are_not_there_after_it(app: Erlen) -> None:
    @app.before_request
    def before() -> None:
        trail.set("hook")

    @app.get("/")
    async def index() -> str:
        trail.set(f"{trail.get()} view")
        return trail.get()

    # A server calls each request in a task of its own.
    assert (await Call(app).start()).text == "hook view"
    assert (await Call(app).start()).text == "hook view"
    assert trail.get() == ""


@on_a_loop
async def test_no_context_is_left_on_a_worker_thread(app: Erlen) -> None:
    app.config["THREAD_POOL_SIZE"] = 1
    app.add_url_rule("/", "index", lambda: "text")
    app.add_url_rule("/fail", "fail", lambda: str(1 // 0))
    await answer(app)
    with pytest.raises(ZeroDivisionError):
        await answer(app, "/fail")
    loop = asyncio.get_running_loop()
    assert not await loop.run_in_executor(app.threads.executor(), has_app_context)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_copied_context_in_a_step_of_the_other_kind(app: Erlen, client: ErlenClient, kind: str) -> None:
    @app.get("/")
    async def index() -> str:
        @copy_current_request_context
        def plain() -> str:
            return request.args["name"]

        @copy_current_request_context
        async def asynchronous() -> str:
            await asyncio.sleep(0)
            return request.args["name"]

        if kind == "plain":
            return await asyncio.to_thread(plain)
        return await asyncio.create_task(asynchronous())

    assert client.get("/?name=Ada").text == "Ada"


# Nonblocking


def test_nonblocking_returns_the_function_itself() -> None:
    def function() -> None:
        """Do nothing."""

    assert nonblocking(function) is function and is_nonblocking(function)


@on_a_loop
async def test_nonblocking_is_not_inherited_by_what_wraps_the_function(app: Erlen) -> None:
    places = Places()

    def waiting(function: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        @functools.wraps(function)
        def wrapper() -> t.Any:
            places.note("wrapper")
            return function()

        return wrapper

    @app.before_request
    @waiting
    @nonblocking
    def before() -> None:
        places.note("before")

    @app.get("/")
    @waiting
    @nonblocking
    def index() -> str:
        places.note("view")
        return "text"

    assert (await answer(app)).text == "text"
    assert places.seen == {"wrapper": "thread", "before": "thread", "view": "thread"}


def test_nonblocking_counts_for_bound_methods_and_objects() -> None:
    class Hooks:
        @nonblocking
        def marked(self) -> None:
            """Do nothing."""

        def unmarked(self) -> None:
            """Do nothing."""

        def __call__(self) -> None:
            """Do nothing."""

    hooks = Hooks()
    assert is_nonblocking(hooks.marked) and not is_nonblocking(hooks.unmarked)
    assert not is_nonblocking(hooks)
    assert is_nonblocking(nonblocking(hooks))
    assert not is_nonblocking(Hooks())
    assert not is_nonblocking(functools.partial(hooks.marked))


def test_nonblocking_on_what_takes_no_attributes() -> None:
    with pytest.raises(TypeError) as caught:
        nonblocking(len)
    assert str(caught.value) == (
        "'nonblocking' was put on <built-in function len>, which takes no attributes. Put it on a function of your own: "
        "@nonblocking and then def hook(): ..."
    )


@on_a_loop
async def test_nonblocking_on_an_async_function_has_no_effect(app: Erlen) -> None:
    places = Places()

    @app.get("/")
    @nonblocking
    async def index() -> str:
        places.note("view")
        await asyncio.sleep(0)
        return "text"

    assert (await answer(app)).text == "text" and places.seen == {"view": "loop"}


@on_a_loop
async def test_nonblocking_hook_does_not_take_the_view_to_the_loop(app: Erlen) -> None:
    places = Places()
    app.before_request(nonblocking(lambda: places.note("before")))

    @app.get("/")
    def index() -> str:
        places.note("view")
        return "text"

    await answer(app)
    # All is plain, so all of it is one hop.
    assert places.seen == {"before": "thread", "view": "thread"}


# Phases that others have replaced


def trouble(app: Erlen) -> None:
    """Register views with which a request goes through every phase."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.disabled = True

    @app.get("/plain")
    def plain() -> str:
        raise LookupError

    @app.get("/async")
    async def asynchronous() -> str:
        await asyncio.sleep(0)
        raise LookupError

    @app.get("/abort")
    async def aborting() -> str:
        abort(418)


def paths_for(phase: str) -> tuple[str, ...]:
    return ("/abort",) if phase == "handle_http_exception" else ("/plain", "/async")


def put(app: Erlen, where: str, name: str, log: list[str]) -> None:
    """Replace a phase, on the instance or on the class of an application, with one that notes it and does the same."""
    target: t.Any = app if where == "instance" else type(app)
    inner = getattr(target, name)

    def replaced(*args: t.Any, **kwargs: t.Any) -> t.Any:
        log.append(name)
        return inner(*args, **kwargs)

    async def areplaced(*args: t.Any, **kwargs: t.Any) -> t.Any:
        log.append(name)
        return await inner(*args, **kwargs)

    setattr(target, name, areplaced if name.startswith("a") else replaced)


def fresh() -> Erlen:
    class Own(Erlen):
        """A class that a test may change."""

    return Own("own", root_path=".")


@pytest.mark.protocol("wsgi", "asgi")
@pytest.mark.parametrize("where", ["subclass", "instance"])
@pytest.mark.parametrize("phase", PHASES)
def test_phase_replaced_in_its_plain_spelling_alone(protocol: str, phase: str, where: str) -> None:
    app, log = fresh(), list[str]()
    put(app, where, phase, log)
    trouble(app)
    for path in paths_for(phase):
        response = app.test_client(protocol=protocol).get(path)
        assert response.status_code == (418 if path == "/abort" else 500)
        assert log == [phase]
        log.clear()


@pytest.mark.parametrize("where", ["subclass", "instance"])
@pytest.mark.parametrize("phase", PHASES)
@on_a_loop
async def test_phase_replaced_in_both_spellings(phase: str, where: str) -> None:
    app, log, places = fresh(), list[str](), Places()
    put(app, where, phase, log)
    put(app, where, f"a{phase}", log)
    trouble(app)

    @app.before_request
    async def before() -> None:
        places.note("before")

    for path in paths_for(phase):
        await answer(app, path)
        # With something async in the request it is the async one, on the loop.
        assert log == [f"a{phase}"] and places.seen == {"before": "loop"}
        log.clear()
        await asyncio.to_thread(app.test_client(protocol="wsgi").get, path)
        assert log == [phase]
        log.clear()


@on_a_loop
async def test_phase_replaced_in_both_spellings_is_called_plainly_for_plain_requests() -> None:
    app, log = fresh(), list[str]()
    put(app, "subclass", "dispatch_request", log)
    put(app, "subclass", "adispatch_request", log)
    trouble(app)
    await answer(app, "/plain")
    await answer(app, "/async")
    assert log == ["dispatch_request", "adispatch_request"]


@on_a_loop
async def test_phase_replaced_in_its_async_spelling_alone() -> None:
    app, log = fresh(), list[str]()
    put(app, "subclass", "adispatch_request", log)
    trouble(app)
    await answer(app, "/async")
    assert log == ["adispatch_request"]


@pytest.mark.protocol("wsgi", "asgi")
@pytest.mark.parametrize("where", ["subclass", "instance"])
@pytest.mark.parametrize("phase", PHASES)
def test_phase_replaced_plainly_over_a_class_that_replaces_both(
    protocol: str, phase: str, where: str
) -> None:
    both = fresh()
    put(both, "subclass", phase, [])
    put(both, "subclass", f"a{phase}", [])

    class Last(type(both)):  # type: ignore[misc]
        """A class on top of that."""

    app, log = Last("last", root_path="."), list[str]()
    put(app, where, phase, log)
    trouble(app)
    for path in paths_for(phase):
        app.test_client(protocol=protocol).get(path)
        assert log == [phase]
        log.clear()


@on_a_loop
async def test_phase_replaced_in_its_async_spelling_over_a_class_that_replaces_both() -> None:
    app, log = fresh(), list[str]()
    put(app, "subclass", "dispatch_request", [])
    put(app, "subclass", "adispatch_request", [])
    put(app, "instance", "adispatch_request", log)
    trouble(app)
    await answer(app, "/async")
    assert log == ["adispatch_request"]


@on_a_loop
async def test_phase_that_is_assigned_late_is_honoured(app: Erlen) -> None:
    log: list[str] = []
    trouble(app)
    await answer(app, "/async")
    put(app, "instance", "dispatch_request", log)
    await answer(app, "/async")
    assert log == ["dispatch_request"]
    del app.dispatch_request
    vars(app)["plan"] = None
    await answer(app, "/async")
    assert log == ["dispatch_request"]


@pytest.mark.protocol("wsgi", "asgi")
@pytest.mark.parametrize("name", ["ensure_sync", "async_to_sync"])
@pytest.mark.parametrize("where", ["subclass", "instance"])
def test_what_makes_plain_functions_of_async_ones_is_honoured(protocol: str, where: str, name: str) -> None:
    app, log = fresh(), list[str]()
    target: t.Any = app if where == "instance" else type(app)
    inner = getattr(target, name)

    def replaced(*args: t.Any) -> t.Any:
        wrapped = inner(*args)
        if args[-1].__name__ != "index":
            return wrapped

        def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
            log.append(name)
            return wrapped(*args, **kwargs)

        return call

    setattr(target, name, replaced)

    @app.get("/")
    async def index() -> str:
        await asyncio.sleep(0)
        return "text"

    assert app.test_client(protocol=protocol).get("/").text == "text"
    assert log == [name]


@pytest.mark.protocol("wsgi", "asgi")
@pytest.mark.parametrize("is_async", [True, False])
def test_make_response_replaced(protocol: str, is_async: bool) -> None:
    class Own(Erlen):
        def make_response(self, rv: t.Any) -> Response:
            return super().make_response(f"made of {rv}")

    app = Own("own", root_path=".")
    app.add_url_rule("/", "index", of_kind("async" if is_async else "plain", lambda: "text"))
    assert app.test_client(protocol=protocol).get("/").text == "made of text"


# Views as classes, decorators


def guarded(function: t.Any) -> t.Any:
    """Refuse requests without a token, as decorators for logins do."""

    @functools.wraps(function)
    def wrapper(*args: t.Any, **kwargs: t.Any) -> t.Any:
        if "token" not in request.args:
            abort(403)
        return current_app.ensure_sync(function)(*args, **kwargs)

    return wrapper


def guarded_without_wraps(function: t.Any) -> t.Any:
    def wrapper(*args: t.Any, **kwargs: t.Any) -> t.Any:
        if "token" not in request.args:
            abort(403)
        return current_app.ensure_sync(function)(*args, **kwargs)

    wrapper.__name__ = function.__name__
    return wrapper


def guarded_and_copied(function: t.Any) -> t.Any:
    """Refuse requests, with each attribute of the function on the wrapper."""
    wrapper = guarded_without_wraps(function)
    vars(wrapper).update(vars(function))
    return wrapper


def guarded_async(function: t.Any) -> t.Any:
    @functools.wraps(function)
    async def wrapper(*args: t.Any, **kwargs: t.Any) -> t.Any:
        if "token" not in request.args:
            abort(403)
        return await current_app.ensure_async(function)(*args, **kwargs)

    return wrapper


class Guard:
    """An object that refuses requests."""

    def __init__(self, function: t.Any) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if "token" not in request.args:
            abort(403)
        return current_app.ensure_sync(self.function)(*args, **kwargs)


class AsyncPage(View):
    async def dispatch_request(self, name: str) -> str:
        await asyncio.sleep(0)
        return f"page {name}"


class AsyncItem(MethodView):
    async def get(self, name: str) -> str:
        await asyncio.sleep(0)
        return f"item {name}"

    def post(self, name: str) -> str:
        return f"posted {name}"


DECORATORS = (guarded, guarded_without_wraps, guarded_and_copied, guarded_async, Guard)


@pytest.mark.parametrize("place", ["around as_view", "in decorators", "both", "on the method"])
@pytest.mark.parametrize("cls", [AsyncPage, AsyncItem])
@pytest.mark.parametrize("decorator", DECORATORS, ids=lambda one: one.__name__)
def test_decorator_of_a_view_class_is_never_bypassed(
    app: Erlen, client: ErlenClient, decorator: t.Any, cls: t.Any, place: str
) -> None:
    """The async spelling of a view stands beside it, and must not stand in for what is around it."""

    class Own(cls):  # type: ignore[misc]
        decorators = [decorator] if place in {"in decorators", "both"} else []

    if place == "on the method":
        name = "get" if cls is AsyncItem else "dispatch_request"
        inner = getattr(cls, name)
        # An object is no descriptor, so it would not be given the instance.
        setattr(Own, name, (guarded if decorator is Guard else decorator)(inner))
    view = Own.as_view("page")
    app.add_url_rule("/<name>", view_func=decorator(view) if place in {"around as_view", "both"} else view)
    assert client.get("/a").status_code == 403
    assert client.get("/a?token=1").text == ("item a" if cls is AsyncItem else "page a")


@pytest.mark.parametrize("decorator", DECORATORS, ids=lambda one: one.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_decorator_of_a_view_function(app: Erlen, client: ErlenClient, decorator: t.Any, kind: str) -> None:
    function = of_kind(kind, lambda name: f"page {name}")
    app.add_url_rule("/<name>", "page", decorator(function))
    assert client.get("/a").status_code == 403
    assert client.get("/a?token=1").text == "page a"


@on_a_loop
async def test_async_view_in_a_plain_decorator_runs_on_the_loop_of_the_server(app: Erlen) -> None:
    places = Places()

    def decorator(function: t.Any) -> t.Any:
        @functools.wraps(function)
        def wrapper(*args: t.Any, **kwargs: t.Any) -> t.Any:
            places.note("decorator")
            return current_app.ensure_sync(function)(*args, **kwargs)

        return wrapper

    @app.get("/")
    @decorator
    async def index() -> str:
        places.note("view")
        await asyncio.sleep(0)
        return "text"

    assert (await answer(app)).text == "text"
    assert places.seen == {"decorator": "thread", "view": "loop"}


@on_a_loop
async def test_async_view_class_without_decorators_needs_no_thread(app: Erlen) -> None:
    app.add_url_rule("/page/<name>", view_func=AsyncPage.as_view("page"))
    app.add_url_rule("/item/<name>", view_func=AsyncItem.as_view("item"))
    pool = counted(app)
    assert [(await answer(app, f"/{path}/a")).text for path in ("page", "item")] == ["page a", "item a"]
    assert pool.hops == 0


def test_async_spelling_belongs_to_one_function() -> None:
    view = AsyncPage.as_view("page")
    assert spelled_async(view) is not None
    assert spelled_async(guarded(view)) is None
    assert spelled_async(guarded_and_copied(view)) is None
    assert spelled_async(functools.partial(view)) is None
    assert spelled_async(lambda: None) is None


@pytest.mark.parametrize("every_request", [True, False])
def test_instances_of_an_async_view_class(app: Erlen, client: ErlenClient, every_request: bool) -> None:
    made: list[t.Any] = []

    class Page(View):
        init_every_request = every_request

        def __init__(self, greeting: str) -> None:
            made.append(self)
            self.greeting = greeting

        async def dispatch_request(self) -> str:
            return self.greeting

    app.add_url_rule("/", view_func=Page.as_view("page", "Hello"))
    assert [client.get("/").text for _ in range(3)] == ["Hello"] * 3
    assert len(made) == (3 if every_request else 1)


def test_method_view_with_a_plain_dispatch_of_its_own(app: Erlen, client: ErlenClient) -> None:
    class Item(MethodView):
        def dispatch_request(self, **values: t.Any) -> t.Any:
            return f"dispatched {super().dispatch_request(**values)!s}"

        async def get(self, name: str) -> str:
            await asyncio.sleep(0)
            return name

    app.add_url_rule("/<name>", view_func=Item.as_view("item"))
    assert client.get("/a").text == "dispatched a"


def test_method_view_with_an_async_dispatch_of_its_own(app: Erlen, client: ErlenClient) -> None:
    class Item(MethodView):
        async def dispatch_request(self, **values: t.Any) -> t.Any:  # type: ignore[override]
            await asyncio.sleep(0)
            return f"dispatched {request.method} {values['name']}"

        def get(self, name: str) -> str:
            raise AssertionError(name)

    app.add_url_rule("/<name>", view_func=t.cast("t.Any", Item).as_view("item"))
    assert client.get("/a").text == "dispatched GET a"


def test_method_that_becomes_async_in_a_subclass(app: Erlen, client: ErlenClient) -> None:
    class Plain(MethodView):
        def get(self) -> t.Any:
            return "plain"

    class Asynchronous(Plain):
        async def get(self) -> str:
            await asyncio.sleep(0)
            return f"async and {super().get()}"

    app.add_url_rule("/plain", view_func=Plain.as_view("plain"))
    app.add_url_rule("/async", view_func=Asynchronous.as_view("async"))
    assert [client.get(path).text for path in ("/plain", "/async")] == ["plain", "async and plain"]


# Sessions


class Stored(SessionInterface):
    """Sessions that are kept on the server, as an extension would do it."""

    def __init__(self, kind: str, places: Places | None = None) -> None:
        self.sessions: dict[str, dict[str, t.Any]] = {}

        def open_session(app: Erlen, request: t.Any) -> t.Any:
            if places is not None:
                places.note("open")
            return SecureCookieSession(self.sessions.get(request.cookies.get("session", ""), {}))

        def save_session(app: Erlen, session: t.Any, response: t.Any) -> None:
            if places is not None:
                places.note("save")
            self.sessions["id"] = dict(session)
            response.set_cookie("session", "id")

        self.open_session = of_kind(kind, open_session)  # type: ignore[method-assign]
        self.save_session = of_kind(kind, save_session)  # type: ignore[method-assign]


def counting_visits(app: Erlen, kind: str) -> None:
    def index() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return str(session["visits"])

    app.add_url_rule("/", "index", of_kind(kind, index))


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("view", KINDS)
def test_session_of_an_interface(app: Erlen, client: ErlenClient, view: str, kind: str) -> None:
    app.session_interface = Stored(kind)
    counting_visits(app, view)
    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("view", KINDS)
@pytest.mark.parametrize("way", WAYS)
@on_a_loop
async def test_blocking_session_interface_stays_off_the_loop(way: str, view: str, kind: str) -> None:
    app, places = make_app(way), Places()
    app.session_interface = Stored(kind, places)
    counting_visits(app, view)
    assert (await answer(app)).text == "1"
    assert places.seen == dict.fromkeys(["open", "save"], "thread" if kind == "plain" else "loop")


@on_a_loop
async def test_session_is_opened_before_the_first_hook(app: Erlen) -> None:
    places = Places()
    app.session_interface = Stored("plain", places)
    log: list[str] = []

    @app.url_value_preprocessor
    async def values(endpoint: str | None, values: t.Any) -> None:
        log.append(",".join(places.seen))
        session["name"] = "Ada"

    app.add_url_rule("/", "index", of_kind("async", lambda: session["name"]))
    assert (await answer(app)).text == "Ada" and log == ["open"]


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_session_interface_that_opens_none(app: Erlen, client: ErlenClient, kind: str) -> None:
    class Interface(SessionInterface):
        open_session = of_kind(kind, lambda *args: None)

        def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> t.NoReturn:
            raise AssertionError

    app.session_interface = Interface()
    app.add_url_rule("/", "index", of_kind(kind, lambda: str(session.get("name"))))
    assert client.get("/").text == "None"


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("view", ["plain", "async"])
@pytest.mark.parametrize("which", ["open", "save"])
def test_session_interface_that_fails(
    app: Erlen, client: ErlenClient, which: str, view: str, kind: str
) -> None:
    def fail(*args: t.Any) -> t.NoReturn:
        raise LookupError(which)

    class Interface(SessionInterface):
        open_session = of_kind(kind, fail if which == "open" else lambda *args: SecureCookieSession())
        save_session = of_kind(kind, fail)

    told: list[str] = []
    app.session_interface = Interface()
    app.teardown_request(lambda exc: told.append(repr(exc)))
    counting_visits(app, view)
    with pytest.raises(LookupError, match=which):
        client.get("/")
    assert told == [f"LookupError('{which}')"]


def test_cookie_session_with_an_async_view(app: Erlen, client: ErlenClient) -> None:
    app.secret_key = "key"
    counting_visits(app, "async")
    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


@on_a_loop
async def test_cookie_session_needs_no_thread(app: Erlen) -> None:
    app.secret_key = "key"
    counting_visits(app, "async")
    pool = counted(app)
    assert (await answer(app)).text == "1" and pool.hops == 0


@on_a_loop
async def test_interface_derived_from_the_cookies_runs_off_the_loop(app: Erlen) -> None:
    """What is derived may look into a database, though its base only computes."""
    places = Places()

    class Interface(SecureCookieSessionInterface):
        def open_session(self, app: t.Any, request: t.Any) -> t.Any:
            places.note("open")
            return super().open_session(app, request)

        def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:
            places.note("save")
            super().save_session(app, session, response)

    app.secret_key = "key"
    app.session_interface = Interface()
    counting_visits(app, "async")
    assert (await answer(app)).text == "1"
    assert places.seen == {"open": "thread", "save": "thread"}


# Signals

SENT = (
    "appcontext_pushed",
    "request_started",
    "before_render_template",
    "template_rendered",
    "message_flashed",
    "got_request_exception",
    "request_finished",
    "request_tearing_down",
    "appcontext_tearing_down",
    "appcontext_popped",
)


@pytest.mark.protocol("wsgi", "asgi")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("receiver", ["plain", "async"])
@pytest.mark.parametrize("view", ["plain", "async"])
def test_signals_are_sent_in_the_same_order(protocol: str, view: str, receiver: str, way: str) -> None:
    app, log = make_app(way, SECRET_KEY="key", PROPAGATE_EXCEPTIONS=False), list[str]()
    app.logger.disabled = True
    for name in SENT:

        def receive(sender: t.Any, name: str = name, **values: t.Any) -> None:
            assert sender is app
            log.append(name)

        async def areceive(sender: t.Any, name: str = name, **values: t.Any) -> None:
            await asyncio.sleep(0)
            receive(sender, name)

        getattr(erlen, name).connect(areceive if receiver == "async" else receive, app, weak=False)

    def index() -> t.NoReturn:
        render_template_string("text")
        flash("message")
        raise LookupError

    app.add_url_rule("/", "index", of_kind(view, index))
    assert app.test_client(protocol=protocol).get("/").status_code == 500
    assert log == list(SENT)


@pytest.mark.parametrize("receiver", ["plain", "async"])
def test_receiver_that_raises_is_answered_as_a_hook_that_does(
    app: Erlen, client: ErlenClient, receiver: str
) -> None:
    def receive(sender: t.Any, **values: t.Any) -> None:
        raise LookupError("receiver")

    async def areceive(sender: t.Any, **values: t.Any) -> None:
        raise LookupError("receiver")

    with erlen.request_started.connected_to(areceive if receiver == "async" else receive, app):
        app.register_error_handler(LookupError, of_kind("async", lambda error: f"handled {error}"))
        app.add_url_rule("/", "index", of_kind("async", lambda: "text"))
        assert client.get("/").text == "handled receiver"


# Errors


@pytest.mark.parametrize("handler", KINDS)
@pytest.mark.parametrize("view", KINDS)
@pytest.mark.parametrize("what", [LookupError, 404, 500, HTTPException])
def test_error_handlers(app: Erlen, client: ErlenClient, what: t.Any, view: str, handler: str) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.disabled = True

    def fail() -> t.NoReturn:
        if what in {404, HTTPException}:
            abort(404)
        raise KeyError("in the view")

    def handle(error: t.Any) -> t.Any:
        error = getattr(error, "original_exception", None) or error
        return f"{type(error).__name__} {request.path}", 418

    app.register_error_handler(what, of_kind(handler, handle))
    app.add_url_rule("/path", "index", of_kind(view, fail))
    response = client.get("/path")
    name = "NotFound" if what in {404, HTTPException} else "KeyError"
    assert (response.status_code, response.text) == (418, f"{name} /path")


@pytest.mark.parametrize("handler", KINDS)
def test_error_handler_that_raises(app: Erlen, client: ErlenClient, handler: str) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.disabled = True

    def handle(error: Exception) -> t.NoReturn:
        raise KeyError("in the handler") from error

    app.register_error_handler(LookupError, of_kind(handler, handle))
    app.register_error_handler(500, of_kind(handler, lambda error: repr(error.original_exception)))
    app.add_url_rule("/", "index", of_kind("async", lambda: dict[str, str]()["key"]))
    assert client.get("/").text == "KeyError('in the handler')"


@pytest.mark.parametrize("kind", KINDS)
def test_exception_keeps_its_notes_cause_and_traceback(app: Erlen, client: ErlenClient, kind: str) -> None:
    cause, error = ValueError("cause"), LookupError("error")
    error.add_note("a note of the view")

    def view_that_fails() -> t.NoReturn:
        raise error from cause

    app.before_request(of_kind("async", lambda: None))
    app.add_url_rule("/", "index", of_kind(kind, view_that_fails))
    with pytest.raises(LookupError) as caught:
        client.get("/")
    assert caught.value is error and error.__cause__ is cause
    assert error.__notes__ == ["a note of the view"]
    assert any(entry.name == "view_that_fails" for entry in caught.traceback)


@pytest.mark.protocol("wsgi", "asgi")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hook", ["plain", "async", ""])
@pytest.mark.parametrize(
    "view", ["plain", "async", "plain class", "async class", "plain method", "async method"]
)
def test_view_whose_parameters_do_not_fit_its_rule_is_explained(
    protocol: str, view: str, hook: str, way: str
) -> None:
    app = make_app(way, PROPAGATE_EXCEPTIONS=True)

    async def asynchronous(number: int) -> str:
        return str(number)

    class PlainPage(View):
        def dispatch_request(self, number: int) -> str:
            return str(number)

    class AsyncOne(View):
        async def dispatch_request(self, number: int) -> str:
            return str(number)

    class Item(MethodView):
        get = (lambda self, number: str(number)) if view == "plain method" else asynchronous

    made: dict[str, t.Callable[[], t.Any]] = {
        "plain": lambda: lambda number: str(number),
        "async": lambda: asynchronous,
        "plain class": lambda: PlainPage.as_view("index"),
        "async class": lambda: AsyncOne.as_view("index"),
        "plain method": lambda: Item.as_view("index"),
        "async method": lambda: Item.as_view("index"),
    }
    if hook:
        app.before_request(of_kind(hook, lambda: None))
    app.add_url_rule("/<name>", "index", made[view]())
    with pytest.raises(TypeError) as caught:
        app.test_client(protocol=protocol).get("/Ada")
    explained = (
        "The rule '/<name>' of the endpoint 'index' calls its view with name: the names in the rule and the parameters of "
        "the view have to agree."
    )
    assert caught.value.__notes__ == [explained]


@pytest.mark.parametrize("hook", ["plain", "async", ""])
@pytest.mark.parametrize("kind", KINDS)
def test_type_error_inside_a_view_is_not_explained(
    app: Erlen, client: ErlenClient, kind: str, hook: str
) -> None:
    def needs_one(number: int) -> int:
        return number

    calls: list[t.Callable[[], t.Any]] = [
        lambda: t.cast("t.Any", needs_one)(),
        lambda: app.ensure_sync(of_kind("async", needs_one))(),
        lambda: getattr(erlen, "abort")(),
    ]
    if hook:
        app.before_request(of_kind(hook, lambda: None))
    app.add_url_rule("/<int:number>", "index", of_kind(kind, lambda number: calls[number]()))
    for number in range(len(calls)):
        with pytest.raises(TypeError) as caught:
            client.get(f"/{number}")
        assert not getattr(caught.value, "__notes__", [])


@pytest.mark.parametrize("kind", ["plain", "nonblocking"])
@pytest.mark.parametrize("hook", ["async", "plain"])
@on_a_loop
async def test_stop_iteration_of_a_plain_view_is_told_as_such(app: Erlen, hook: str, kind: str) -> None:
    """A coroutine that lets it out would look as if it had ended."""
    app.before_request(of_kind(hook, lambda: None))

    def index() -> str:
        return t.cast(str, next(iter(())))

    app.add_url_rule("/", "index", nonblocking(index) if kind == "nonblocking" else index)

    with pytest.raises(RuntimeError) as caught:
        await answer(app)
    assert isinstance(caught.value.__cause__, StopIteration)
    assert str(caught.value) == (
        f"{index.__qualname__!r} raised StopIteration, which no async code can be told of: it means the end of a "
        f"coroutine. Give 'next()' a default, or raise another exception."
    )


# Teardown


@pytest.mark.protocol("wsgi", "asgi")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kinds", list(itertools.product(("plain", "async"), repeat=3)), ids=" ".join)
def test_teardown_functions_run_also_when_others_raise(
    protocol: str, kinds: tuple[str, ...], way: str
) -> None:
    app, log = make_app(way), list[str]()

    def failing(name: str) -> t.Callable[..., t.Any]:
        def tear_down(exc: BaseException | None) -> None:
            log.append(name)
            raise KeyError(name)

        return tear_down

    for number, kind in enumerate(kinds):
        app.teardown_request(of_kind(kind, failing(f"request {number}")))
        app.teardown_appcontext(of_kind(kind, failing(f"context {number}")))
    app.add_url_rule("/", "index", of_kind(kinds[0], lambda: "text"))
    with pytest.raises(BaseExceptionGroup) as caught:
        app.test_client(protocol=protocol).get("/")
    expected = [f"{where} {number}" for where in ("request", "context") for number in (2, 1, 0)]
    assert log == expected
    assert leaves(caught.value) == [f"KeyError {name!r}" for name in expected]


@pytest.mark.parametrize("kind", ["plain", "async"])
@pytest.mark.parametrize("view", ["plain", "async"])
def test_stream_is_closed_when_a_teardown_function_raises(
    app: Erlen, client: ErlenClient, view: str, kind: str
) -> None:
    closed: list[str] = []

    def fail(exc: BaseException | None) -> t.NoReturn:
        raise LookupError("teardown")

    def index() -> Response:
        response = Response(iter("abc"))
        response.call_on_close(lambda: closed.append("closed"))
        return response

    app.teardown_request(of_kind(kind, fail))
    app.add_url_rule("/", "index", of_kind(view, index))
    with pytest.raises(LookupError, match="teardown"):
        client.get("/")
    assert closed == ["closed"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("view", KINDS)
def test_teardown_is_told_of_what_nothing_handled(
    app: Erlen, client: ErlenClient, view: str, kind: str
) -> None:
    told: list[str] = []

    def fail() -> t.NoReturn:
        raise LookupError("view")

    app.teardown_request(of_kind(kind, lambda exc: told.append(repr(exc))))
    app.teardown_appcontext(of_kind(kind, lambda exc: told.append(repr(exc))))
    app.add_url_rule("/", "index", of_kind(view, fail))
    app.add_url_rule("/fine", "fine", of_kind(view, lambda: "text"))
    with pytest.raises(LookupError):
        client.get("/")
    client.get("/fine")
    assert told == ["LookupError('view')"] * 2 + ["None"] * 2


@on_a_loop
async def test_exception_of_an_async_receiver_while_popping_leaves_no_context(app: Erlen) -> None:
    async def fail(sender: t.Any) -> t.NoReturn:
        raise LookupError("popped")

    app.add_url_rule("/", "index", of_kind("async", lambda: "text"))
    with erlen.appcontext_popped.connected_to(fail, app):
        with pytest.raises(LookupError, match="popped"):
            await answer(app)
        assert not has_app_context()
    assert (await answer(app)).text == "text"


@on_a_loop
async def test_context_that_a_hook_leaves_pushed_is_reported_and_ended(app: Erlen) -> None:
    other = Erlen("other", root_path=".")
    told: list[str] = []
    app.teardown_request(lambda exc: told.append("torn down"))

    @app.before_request
    async def before() -> None:
        if "leave" in request.args:
            other.app_context().push()

    app.add_url_rule("/", "index", of_kind("async", lambda: str(g.get("name"))))
    with pytest.raises(AssertionError, match="Contexts are popped in the reverse order"):
        await answer(app, "/?leave=1")
    assert told == ["torn down"] and not has_app_context()
    assert (await answer(app)).text == "None"
