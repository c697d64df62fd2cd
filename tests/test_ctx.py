"""The context: push and pop, teardown, ``g``, copies, and what is said outside of one."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import io
import logging
import signal
import threading
import typing as t

import pytest
from greenlet import greenlet  # type: ignore[import-untyped]
from werkzeug.exceptions import NotFound
from werkzeug.test import create_environ

from asgi_peer import Peer, begun, get, run
from erlen import (
    Blueprint,
    Erlen,
    Request,
    after_this_request,
    appcontext_pushed,
    appcontext_tearing_down,
    copy_current_request_context,
    current_app,
    flash,
    g,
    has_app_context,
    has_request_context,
    jsonify,
    render_template_string,
    request,
    request_tearing_down,
    session,
    stream_with_context,
    url_for,
)
from erlen.ctx import AppContext, RequestContext, context_var
from erlen.globals import app_ctx, request_ctx
from erlen.sessions import SecureCookieSessionInterface
from erlen.testing import ErlenClient
from waiting import until

T = t.TypeVar("T")


@pytest.fixture(autouse=True)
def quiet() -> t.Iterator[None]:
    """Keep errors that are meant to be out of the log: its records would keep their frames alive."""
    logger = logging.getLogger("erlen_test")
    logger.disabled = True
    yield
    logger.disabled = False


def text(value: str = "text") -> str:
    return value


def active() -> AppContext | None:
    return context_var.get(None)


def current(proxy: t.Any) -> t.Any:
    """Return what a proxy stands for now."""
    return proxy._get_current_object()


# Push and pop


def test_push_and_pop_bind_and_unbind_the_context(app: Erlen) -> None:
    context = app.app_context()
    context.push()
    assert active() is context and has_app_context() and not has_request_context()
    context.pop()
    assert active() is None and not has_app_context()


def test_request_context_is_application_and_request_context_in_one(app: Erlen) -> None:
    with app.test_request_context("/") as context:
        assert has_app_context() and has_request_context()
        assert current(app_ctx) is context and current(request_ctx) is context
        assert isinstance(context, RequestContext) and isinstance(context, AppContext)
    assert not has_app_context() and not has_request_context()


def test_contexts_nest_and_come_back_in_reverse_order(app: Erlen) -> None:
    other = Erlen("other", root_path=".")
    with app.app_context() as outer:
        with other.test_request_context("/inner"):
            assert current(current_app) is other
            with app.app_context() as innermost:
                assert active() is innermost and not has_request_context()
            assert request.path == "/inner"
        assert active() is outer and current(current_app) is app


def test_context_pushed_twice_is_torn_down_at_its_last_pop(app: Erlen) -> None:
    told: list[t.Any] = []
    app.teardown_appcontext(told.append)
    context = app.app_context()
    with context:
        g.name = "kept"
        with context:
            assert g.name == "kept"
        assert told == [] and g.name == "kept"
    assert told == [None]


def test_context_can_be_pushed_again_after_its_end(app: Erlen) -> None:
    told: list[t.Any] = []
    app.teardown_request(told.append)
    context = app.test_request_context("/again")
    for _ in range(2):
        with context:
            assert request.path == "/again"
    assert told == [None, None]


def in_own_variables(function: t.Callable[[], T]) -> T:
    """Call a function that may leave a context bound, and return what it returns."""
    return contextvars.copy_context().run(function)


def test_popping_the_wrong_context_names_both(app: Erlen) -> None:
    outer, inner = app.app_context(), app.test_request_context("/inner")

    def pop() -> str:
        outer.push()
        inner.push()
        with pytest.raises(AssertionError) as caught:
            outer.pop()
        return str(caught.value)

    assert in_own_variables(pop) == (
        "Cannot pop <AppContext of erlen_test>: the active context is <RequestContext 'http://localhost/inner' "
        "[GET] of erlen_test>. Contexts are popped in the reverse order of their push; use 'with context:' so that "
        "this cannot go wrong."
    )


def test_popping_in_the_wrong_order_leaves_no_ended_context_active(app: Erlen) -> None:
    outer, inner = app.app_context(), app.app_context()

    def pop() -> AppContext | None:
        outer.push()
        inner.push()
        for context in (outer, inner):
            with contextlib.suppress(AssertionError):
                context.pop()
        return active()

    assert in_own_variables(pop) is None


def test_popping_a_context_that_was_never_pushed_tears_nothing_down(app: Erlen) -> None:
    told: list[t.Any] = []
    app.teardown_appcontext(told.append)
    with pytest.raises(AssertionError, match="the active context is None"):
        app.app_context().pop()
    assert told == []


def test_popping_once_too_often_is_refused(app: Erlen) -> None:
    context = app.app_context()
    with context:
        pass
    with pytest.raises(AssertionError, match="Cannot pop <AppContext of erlen_test>"):
        context.pop()


def test_popping_the_wrong_context_ends_where_the_active_one_was_pushed_twice(app: Erlen) -> None:
    def interrupt(*args: t.Any) -> None:
        raise TimeoutError("pop() does not end")

    def pop() -> None:
        with app.app_context() as context, context, pytest.raises(AssertionError, match="Cannot pop"):
            app.app_context().pop()

    handler = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1)
    try:
        in_own_variables(pop)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)


def test_popping_on_another_thread_is_refused(app: Erlen) -> None:
    told: list[t.Any] = []
    errors: list[BaseException] = []
    app.teardown_appcontext(told.append)

    def pop(context: AppContext) -> None:
        try:
            context.pop()
        except Exception as error:
            errors.append(error)

    def push() -> None:
        with app.app_context() as context:
            thread = threading.Thread(target=pop, args=(context,))
            thread.start()
            thread.join()
            assert active() is context and told == []

    in_own_variables(push)
    assert "the active context is None" in str(errors[0])
    assert told == [None]


def test_view_that_leaves_a_context_pushed_is_told_of_and_torn_down(app: Erlen, client: ErlenClient) -> None:
    told: list[t.Any] = []
    app.teardown_request(told.append)

    @app.route("/")
    def index() -> str:
        app.app_context().push()
        return text()

    def send() -> AppContext | None:
        with pytest.raises(AssertionError, match=r"Cannot pop <RequestContext .* context is <AppContext"):
            client.get("/")
        return active()

    assert in_own_variables(send) is None
    assert len(told) == 1


@pytest.mark.leaks_context
def test_context_whose_push_fails_is_not_left_pushed(app: Erlen) -> None:
    def refuse(sender: Erlen) -> None:
        raise LookupError("no")

    with appcontext_pushed.connected_to(refuse, app):
        with pytest.raises(LookupError), app.app_context():
            pytest.fail("the block of a context that was not pushed")
    assert active() is None


def test_request_whose_push_fails_is_answered_with_500(app: Erlen) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    told: list[t.Any] = []
    app.teardown_request(told.append)
    app.add_url_rule("/", view_func=text)

    def refuse(sender: Erlen) -> None:
        raise LookupError("no")

    with appcontext_pushed.connected_to(refuse, app):
        assert app.test_client().get("/").status_code == 500
    assert active() is None
    assert [type(error) for error in told] == [LookupError]


def test_context_represents_itself(app: Erlen) -> None:
    assert repr(app.app_context()) == "<AppContext of erlen_test>"
    context = app.test_request_context("/a?b=ü", method="POST")
    assert repr(context) == "<RequestContext 'http://localhost/a?b=ü' [POST] of erlen_test>"


# Teardown


def raising(error: BaseException, log: list[str]) -> t.Callable[[BaseException | None], None]:
    def teardown(exc: BaseException | None) -> None:
        log.append(str(error))
        raise error

    return teardown


def test_teardown_of_a_request_comes_before_that_of_the_application_context(app: Erlen) -> None:
    log: list[str] = []
    app.add_url_rule("/", view_func=text)
    for name in ("first", "second"):
        app.teardown_appcontext(lambda exc, name=name: log.append(f"appcontext {name}"))
        app.teardown_request(lambda exc, name=name: log.append(f"request {name}"))
    app.test_client().get("/")
    assert log == ["request second", "request first", "appcontext second", "appcontext first"]


def test_teardown_goes_from_the_inner_blueprint_outwards_latest_first(app: Erlen) -> None:
    log: list[str] = []
    outer, inner = Blueprint("outer", "outer", root_path="."), Blueprint("inner", "inner", root_path=".")
    for target, name in ((app, "app"), (outer, "outer"), (inner, "inner")):
        for number in (1, 2):
            target.teardown_request(lambda exc, line=f"{name} {number}": log.append(line))
    outer.teardown_app_request(lambda exc: log.append("outer for the application"))
    inner.add_url_rule("/", view_func=text)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.test_client().get("/")
    assert log == ["inner 2", "inner 1", "outer 2", "outer 1", "outer for the application", "app 2", "app 1"]


def test_teardown_of_another_blueprint_does_not_run(app: Erlen) -> None:
    log: list[t.Any] = []
    one, two = Blueprint("one", "one", root_path="."), Blueprint("two", "two", root_path=".")
    one.add_url_rule("/one", view_func=text)
    two.teardown_request(log.append)
    app.register_blueprint(one)
    app.register_blueprint(two)
    app.test_client().get("/one")
    assert log == []


def test_teardown_signals_come_after_the_functions_of_their_phase(app: Erlen) -> None:
    log: list[str] = []
    app.add_url_rule("/", view_func=text)
    app.teardown_request(lambda exc: log.append("request"))
    app.teardown_appcontext(lambda exc: log.append("appcontext"))

    def of_request(sender: Erlen, exc: BaseException | None) -> None:
        log.append("request signal")

    def of_context(sender: Erlen, exc: BaseException | None) -> None:
        log.append("appcontext signal")

    with (
        request_tearing_down.connected_to(of_request, app),
        appcontext_tearing_down.connected_to(of_context, app),
    ):
        app.test_client().get("/")
    assert log == ["request", "request signal", "appcontext", "appcontext signal"]


def test_teardown_sees_request_session_and_g(app: Erlen) -> None:
    app.secret_key = "key"
    seen: list[t.Any] = []

    @app.route("/")
    def index() -> str:
        g.name = "g"
        session["name"] = "session"
        return text()

    app.teardown_request(lambda exc: seen.append((request.path, g.name, session["name"])))
    app.teardown_appcontext(lambda exc: seen.append((request.path, g.name, session["name"])))
    app.test_client().get("/")
    assert seen == [("/", "g", "session")] * 2


def test_one_error_of_a_teardown_is_raised_as_itself_and_the_others_run(app: Erlen) -> None:
    log: list[str] = []
    error = LookupError("middle")
    app.add_url_rule("/", view_func=text)
    app.teardown_request(lambda exc: log.append("first registered"))
    app.teardown_request(raising(error, log))
    app.teardown_request(lambda exc: log.append("last registered"))
    app.teardown_appcontext(lambda exc: log.append("appcontext"))
    with pytest.raises(LookupError) as caught:
        app.test_client().get("/")
    assert caught.value is error
    assert log == ["last registered", "middle", "first registered", "appcontext"]


def test_several_errors_of_a_teardown_are_raised_as_a_group(app: Erlen) -> None:
    log: list[str] = []
    errors = [LookupError("one"), KeyboardInterrupt("two")]
    for error in reversed(errors):
        app.teardown_appcontext(raising(error, log))
    with pytest.raises(BaseExceptionGroup) as caught, app.app_context():
        pass
    assert list(caught.value.exceptions) == errors
    assert caught.value.message == "2 callbacks raised while tearing down the context"
    assert active() is None


def test_several_ordinary_errors_make_an_ordinary_group(app: Erlen) -> None:
    for name in ("one", "two"):
        app.teardown_appcontext(raising(LookupError(name), []))
    with pytest.raises(ExceptionGroup), app.app_context():
        pass


def test_errors_of_both_phases_of_a_teardown_are_raised_as_a_group(app: Erlen) -> None:
    of_request, of_context = LookupError("request"), LookupError("appcontext")
    app.teardown_request(raising(of_request, []))
    app.teardown_appcontext(raising(of_context, []))
    with pytest.raises(ExceptionGroup) as caught, app.test_request_context("/"):
        pass
    assert list(caught.value.exceptions) == [of_request, of_context]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_base_exception_of_a_teardown_stops_no_other(app: Erlen, error: BaseException) -> None:
    log: list[t.Any] = []
    app.add_url_rule("/", view_func=text)
    app.teardown_appcontext(log.append)
    app.teardown_request(log.append)
    app.teardown_request(raising(error, []))
    with pytest.raises(type(error)):
        app.test_client().get("/")
    assert log == [None, None]
    assert active() is None


def test_receiver_of_a_teardown_signal_that_raises_stops_nothing(app: Erlen) -> None:
    log: list[t.Any] = []
    app.teardown_appcontext(log.append)

    def refuse(sender: Erlen, exc: BaseException | None) -> None:
        raise LookupError("signal")

    with request_tearing_down.connected_to(refuse, app):
        with pytest.raises(LookupError, match="signal"), app.test_request_context("/"):
            pass
    assert log == [None]


def test_request_after_one_whose_teardown_raised_is_unharmed(app: Erlen) -> None:
    app.add_url_rule("/", view_func=text)
    app.teardown_request(raising(LookupError("each time"), []))
    client = app.test_client()
    for _ in range(2):
        with pytest.raises(LookupError, match="each time"):
            client.get("/")
        assert active() is None


class Answered(Exception):
    """Raised where the test asks for it."""


def failing_app(where: str) -> tuple[Erlen, list[BaseException | None]]:
    """Return an application that fails at one place, and the list its teardown fills."""
    app = Erlen("failing", root_path=".")
    app.config.update(SECRET_KEY="key")
    app.logger.disabled = True
    told: list[BaseException | None] = []

    def fail(*args: t.Any, **kwargs: t.Any) -> t.Any:
        raise Answered(where)

    class Sessions(SecureCookieSessionInterface):
        open_session = fail if where == "session opening" else SecureCookieSessionInterface.open_session
        save_session = fail if where == "session saving" else SecureCookieSessionInterface.save_session

    app.session_interface = Sessions()
    app.teardown_request(told.append)
    app.teardown_appcontext(told.append)

    @app.route("/")
    def index() -> t.Any:
        session["name"] = "value"
        if where == "view":
            fail()
        if where == "sending":
            return lambda environ, start_response: fail()
        return None if where == "return value" else text()

    if where == "before_request":
        app.before_request(fail)
    if where == "after_request":
        app.after_request(fail)
    return app, told


@pytest.mark.parametrize(
    "where",
    [
        "view",
        "before_request",
        "after_request",
        "session opening",
        "session saving",
        "return value",
        "sending",
    ],
)
def test_teardown_runs_with_the_exception_wherever_a_request_fails(where: str) -> None:
    app, told = failing_app(where)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert app.test_client().get("/").status_code == 500
    expected = TypeError if where == "return value" else Answered
    assert [type(error) for error in told] == [expected, expected]
    assert active() is None


@pytest.mark.parametrize(
    "where", ["view", "before_request", "after_request", "session opening", "session saving", "sending"]
)
def test_teardown_runs_when_the_exception_is_propagated(where: str) -> None:
    app, told = failing_app(where)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(Answered) as caught:
        app.test_client().get("/")
    assert told == [caught.value, caught.value]
    assert active() is None


def test_teardown_runs_when_the_servers_start_response_raises(app: Erlen) -> None:
    told: list[BaseException | None] = []
    app.teardown_request(told.append)
    app.add_url_rule("/", view_func=text)

    def start_response(*args: t.Any) -> t.Any:
        raise BrokenPipeError("gone")

    environ = app.test_request_context("/").request.environ
    with pytest.raises(BrokenPipeError) as caught:
        app(environ, start_response)
    assert told == [caught.value]
    assert active() is None


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_teardown_is_given_a_base_exception_of_the_view(app: Erlen, error: BaseException) -> None:
    told: list[BaseException | None] = []
    app.teardown_request(told.append)

    @app.route("/")
    def index() -> str:
        raise error

    with pytest.raises(type(error)):
        app.test_client().get("/")
    assert told == [error]
    assert active() is None


def test_teardown_is_not_told_of_an_exception_that_a_handler_answered(app: Erlen) -> None:
    told: list[BaseException | None] = []
    app.teardown_request(told.append)
    app.register_error_handler(LookupError, lambda error: ("handled", 418))

    @app.route("/")
    def index() -> str:
        raise LookupError

    assert app.test_client().get("/").status_code == 418
    assert told == [None]


def test_teardown_is_not_told_of_an_http_exception(app: Erlen) -> None:
    told: list[BaseException | None] = []
    app.teardown_request(told.append)

    @app.route("/")
    def index() -> str:
        raise NotFound

    client = app.test_client()
    assert [client.get(path).status_code for path in ("/", "/nowhere")] == [404, 404]
    assert told == [None, None]


def test_teardown_is_given_the_exception_that_leaves_a_with_block(app: Erlen) -> None:
    told: list[BaseException | None] = []
    app.teardown_appcontext(told.append)
    error = LookupError("left")
    with pytest.raises(LookupError), app.app_context():
        raise error
    assert told == [error]


def test_teardown_takes_the_exception_being_handled_when_popped_without_one(app: Erlen) -> None:
    told: list[BaseException | None] = []
    app.teardown_request(told.append)
    app.teardown_appcontext(told.append)
    context = app.test_request_context("/")
    context.push()
    error = LookupError("handled")
    try:
        raise error
    except LookupError:
        context.pop()
    assert told == [error, error]


def test_pop_with_none_hands_on_none_whatever_is_handled(app: Erlen) -> None:
    told: list[BaseException | None] = []
    app.teardown_appcontext(told.append)
    context = app.app_context()
    context.push()
    try:
        raise LookupError
    except LookupError:
        context.pop(None)
    assert told == [None]


def test_should_ignore_error_keeps_an_exception_from_teardown() -> None:
    class Ignoring(Erlen):
        def should_ignore_error(self, error: BaseException | None) -> bool:
            return isinstance(error, LookupError)

    app = Ignoring("ignoring", root_path=".")
    app.testing = True
    told: list[BaseException | None] = []
    app.teardown_request(told.append)

    @app.route("/<kind>")
    def index(kind: str) -> str:
        raise {"lookup": LookupError, "value": ValueError}[kind]

    client = app.test_client()
    for kind in ("lookup", "value"):
        with pytest.raises((LookupError, ValueError)):
            client.get(f"/{kind}")
    assert told[0] is None
    assert isinstance(told[1], ValueError)


def test_teardown_methods_assigned_on_the_instance_are_called(app: Erlen) -> None:
    log: list[str] = []
    app.add_url_rule("/", view_func=text)
    client = app.test_client()
    client.get("/")
    changed: t.Any = app
    changed.do_teardown_request = lambda exc=None: log.append("request")
    changed.do_teardown_appcontext = lambda exc=None: log.append("appcontext")
    client.get("/")
    assert log == ["request", "appcontext"]


def test_uploaded_files_are_closed_at_the_end_of_a_request(app: Erlen) -> None:
    streams: list[t.Any] = []

    @app.post("/")
    def index() -> str:
        streams.append(request.files["file"].stream)
        return str(streams[0].closed)

    data = {"file": (io.BytesIO(b"content"), "name.txt")}
    assert app.test_client().post("/", data=data).text == "False"
    assert streams[0].closed


def test_context_is_freed_without_the_garbage_collector(app: Erlen) -> None:
    freed: list[str] = []

    class Marker:
        def __del__(self) -> None:
            freed.append("marker")

    @app.route("/")
    def index() -> str:
        g.marker = Marker()
        return text()

    gc.disable()
    try:
        assert app.test_client().get("/").text == "text"
        # Over ASGI the thread of the view may still be on its way out of the request.
        asyncio.run(until(lambda: freed == ["marker"]))
    finally:
        gc.enable()


# g


def test_g_is_made_when_first_touched_and_once(app: Erlen) -> None:
    made: list[t.Any] = []

    class Namespace(app.app_ctx_globals_class):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            made.append(self)

    app.app_ctx_globals_class = Namespace
    with app.app_context() as context:
        assert made == []
        g.name = "value"
        assert context.g is made[0] and current(g) is made[0] and len(made) == 1


def test_g_get_pop_setdefault(app: Erlen) -> None:
    with app.app_context():
        assert g.get("name") is None and g.get("name", 1) == 1
        assert g.setdefault("name", []) == [] and g.setdefault("name", 2) == []
        assert g.setdefault("other") is None
        assert g.pop("name") == [] and g.pop("name", 3) == 3
        with pytest.raises(KeyError):
            g.pop("name")


def test_g_in_and_iteration(app: Erlen) -> None:
    with app.app_context():
        g.one, g.two = 1, 2
        assert "one" in g and "three" not in g
        assert list(g) == ["one", "two"]
        del g.one
        assert list(g) == ["two"]


def test_g_attribute_that_nothing_set_is_named(app: Erlen) -> None:
    with app.app_context():
        with pytest.raises(AttributeError) as caught:
            g.user
        assert str(caught.value) == "'g' has no attribute 'user': nothing has set it in this context."
        assert not hasattr(g, "user") and getattr(g, "user", None) is None


def test_g_attribute_that_nothing_set_cannot_be_deleted(app: Erlen) -> None:
    with app.app_context(), pytest.raises(AttributeError) as caught:
        del g.user
    assert str(caught.value) == "'g' has no attribute 'user' to delete."


def test_g_represents_itself_with_its_application(app: Erlen) -> None:
    with app.app_context():
        assert repr(g) == "<erlen.g of 'erlen_test'>"
        namespace = current(g)
    assert "_AppCtxGlobals object at" in repr(namespace)


def test_g_of_two_contexts_are_two(app: Erlen) -> None:
    with app.app_context():
        g.name = "outer"
        with app.app_context():
            assert "name" not in g
            g.name = "inner"
        assert g.name == "outer"


def test_g_can_be_assigned_on_the_context(app: Erlen) -> None:
    with app.app_context() as context:
        namespace = app.app_ctx_globals_class()
        context.g = namespace
        assert current(g) is namespace


# Request, session, URL adapter


def test_context_without_a_request_says_so_for_request_and_session(app: Erlen) -> None:
    with app.app_context() as context:
        for name in ("request", "session"):
            with pytest.raises(RuntimeError, match="Working outside of request context"):
                getattr(context, name)
        assert not context.has_request and not context.session_is_open


def test_session_is_opened_when_first_touched() -> None:
    opened: list[str] = []

    class Sessions(SecureCookieSessionInterface):
        def open_session(self, app: t.Any, request: t.Any) -> t.Any:
            opened.append(request.path)
            return super().open_session(app, request)

    app = Erlen("lazy", root_path=".")
    app.secret_key = "key"
    app.session_interface = Sessions()
    with app.test_request_context("/lazy") as context:
        assert opened == [] and not context.session_is_open
        assert context.session is context.session
        assert opened == ["/lazy"] and context.session_is_open


def test_opening_the_session_does_not_mark_it_accessed(app: Erlen) -> None:
    app.secret_key = "key"
    with app.test_request_context("/") as context:
        assert context.open_session().accessed is False
        assert context.session.accessed is True


def test_session_given_to_a_context_is_used(app: Erlen) -> None:
    app.secret_key = "key"
    with app.test_request_context("/") as context:
        session["name"] = "value"
        given = context.session
    with RequestContext(t.cast(t.Any, app), given_environ(app), session=given):
        assert session["name"] == "value"


def given_environ(app: Erlen) -> dict[str, t.Any]:
    return dict(app.test_request_context("/given?name=value").request.environ)


def test_request_given_to_a_context_is_used(app: Erlen) -> None:
    environ = given_environ(app)
    given = app.request_class(environ)
    with RequestContext(t.cast(t.Any, app), environ, given) as context:
        assert context.request is given and current(request) is given


def test_url_adapter_is_bound_to_the_request_and_made_once(app: Erlen) -> None:
    with app.test_request_context("/path", base_url="https://example.com/root") as context:
        adapter = context.url_adapter
        assert adapter is context.url_adapter
        assert (adapter.server_name, adapter.script_name, adapter.url_scheme) == (
            "example.com",
            "/root/",
            "https",
        )


def test_url_adapter_without_a_request_needs_a_server_name(app: Erlen) -> None:
    assert app.app_context().url_adapter is None
    app.config["SERVER_NAME"] = "example.com"
    assert app.app_context().url_adapter.server_name == "example.com"


def test_url_adapter_can_be_assigned(app: Erlen) -> None:
    app.add_url_rule("/", "index", text)
    with app.test_request_context("/") as context:
        context.url_adapter = app.url_map.bind("assigned.example")
        assert url_for("index", _external=True) == "http://assigned.example/"


def test_attributes_of_any_name_may_be_set_d11(app: Erlen) -> None:
    seen: list[t.Any] = []
    holders: tuple[t.Any, ...] = (app_ctx, request, g)

    @app.before_request
    def load() -> None:
        for holder in holders:
            holder.of_an_extension = "kept"

    @app.route("/")
    def index() -> str:
        seen.extend(holder.of_an_extension for holder in (*holders, current(request_ctx)))
        return text()

    app.test_client().get("/")
    assert seen == ["kept"] * 4


def test_context_is_one_object_during_a_request_d11(app: Erlen) -> None:
    identities: list[int] = []

    def note(*args: t.Any) -> None:
        identities.extend(id(current(proxy)) for proxy in (app_ctx, request_ctx))

    app.before_request(note)
    app.teardown_request(note)
    app.teardown_appcontext(note)

    @app.after_request
    def after(response: t.Any) -> t.Any:
        note()
        return response

    @app.route("/")
    async def index() -> t.Any:
        note()

        def generate() -> t.Iterator[str]:
            note()
            yield "text"

        return stream_with_context(generate())

    assert app.test_client().get("/").text == "text"
    assert len(identities) == 12 and len(set(identities)) == 1


def test_two_requests_have_two_contexts(app: Erlen, client: ErlenClient) -> None:
    contexts: list[t.Any] = []

    @app.route("/")
    def index() -> str:
        contexts.append(current(app_ctx))
        return str("seen" in g or g.setdefault("seen", False))

    assert [client.get("/").text, client.get("/").text] == ["False", "False"]
    assert contexts[0] is not contexts[1]


# Copies


def test_copy_shares_request_and_session_and_has_its_own_g(app: Erlen) -> None:
    app.secret_key = "key"
    with app.test_request_context("/copied") as context:
        g.name, session["name"] = "original", "shared"
        copied = context.copy()
        assert type(copied) is RequestContext and copied is not context
        with copied:
            assert current(request) is context.request and current(session) is context.session
            assert "name" not in g
        assert g.name == "original" and active() is context


def test_copy_of_a_context_without_a_request(app: Erlen) -> None:
    copied = app.app_context().copy()
    assert type(copied) is AppContext and copied.app is app and not copied.has_request


def test_copy_of_a_matched_request_is_not_matched_again(app: Erlen) -> None:
    app.add_url_rule("/<name>", view_func=lambda name: name, endpoint="name")
    with app.test_request_context("/value") as context:
        rule = context.request.url_rule
        with context.copy() as copied:
            assert copied.request.url_rule is rule and request.view_args == {"name": "value"}


def test_copy_of_a_matched_request_leaves_the_values_that_a_hook_has_changed(
    app: Erlen, client: ErlenClient
) -> None:
    @app.url_value_preprocessor
    def take_language(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        assert values is not None
        g.language = values.pop("language")

    @app.before_request
    def audit() -> None:
        app.spawn(text).result(10)

    @app.get("/<language>/<name>")
    def index(name: str) -> str:
        return f"{g.language} {name}"

    assert client.get("/de/name").text == "de name"


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_end_of_a_copy_leaves_the_files_of_the_request_open(
    app: Erlen, client: ErlenClient, kind: str
) -> None:
    ended = list[str]()
    app.teardown_request(lambda exc: ended.append(request.path))

    async def work() -> None:
        assert request.files["file"].filename == "name.txt"

    @app.post("/")
    def index() -> str:
        file = request.files["file"]
        copy_current_request_context(work if kind == "async" else app.ensure_sync(work))()
        assert ended == ["/"]
        return str(file.read(), "utf-8")

    data = {"file": (io.BytesIO(b"content"), "name.txt")}
    assert client.post("/", data=data).text == "content"
    assert ended == ["/", "/"]


def test_copied_context_runs_on_a_thread(app: Erlen, client: ErlenClient) -> None:
    app.secret_key = "key"
    results: list[t.Any] = []

    @app.route("/")
    def index() -> str:
        session["name"], g.name = "session", "g"

        @copy_current_request_context
        def work(argument: int, *, keyword: int) -> None:
            results.append((argument, keyword, request.args["q"], session["name"], g.get("name")))

        assert work.__name__ == "work"
        thread = threading.Thread(target=work, args=(1,), kwargs={"keyword": 2})
        thread.start()
        thread.join()
        return text()

    client.get("/?q=value")
    assert results == [(1, 2, "value", "session", None)]


def test_copied_context_outlives_its_request(app: Erlen, client: ErlenClient) -> None:
    results: list[str] = []
    answered = threading.Event()
    threads: list[threading.Thread] = []

    @app.route("/")
    def index() -> str:
        @copy_current_request_context
        def work() -> None:
            answered.wait(10)
            results.append(request.path)

        threads.append(threading.Thread(target=work))
        threads[0].start()
        return text()

    client.get("/")
    answered.set()
    threads[0].join()
    assert results == ["/"]


def test_copied_context_runs_in_a_greenlet(app: Erlen) -> None:
    with app.test_request_context("/greenlet"):
        plain = greenlet(has_app_context)
        copied = greenlet(copy_current_request_context(lambda: request.path))
        assert plain.switch() is False
        assert copied.switch() == "/greenlet"


def test_copied_context_runs_in_greenlets_at_the_same_time(app: Erlen) -> None:
    with app.test_request_context("/greenlet"):
        main = greenlet.getcurrent()

        @copy_current_request_context
        def work(name: str) -> str:
            g.name = name
            main.switch()
            return f"{request.path} {g.name}"

        workers = [greenlet(work) for _ in range(2)]
        for number, worker in enumerate(workers):
            worker.switch(str(number))
            assert "name" not in g
        assert [worker.switch() for worker in workers] == ["/greenlet 0", "/greenlet 1"]


def test_copied_context_runs_in_an_asyncio_task(app: Erlen) -> None:
    async def main() -> tuple[str, str]:
        with app.test_request_context("/task"):

            @copy_current_request_context
            def work(name: str) -> str:
                return f"{request.path} {g.setdefault('name', name)}"

        async def one(name: str) -> str:
            assert not has_app_context()
            return work(name)

        first, second = await asyncio.gather(asyncio.create_task(one("a")), asyncio.create_task(one("b")))
        return first, second

    assert asyncio.run(main()) == ("/task a", "/task b")


def test_copied_context_runs_an_async_function(app: Erlen) -> None:
    with app.test_request_context("/async"):

        @copy_current_request_context
        async def work() -> str:
            await asyncio.sleep(0)
            return request.path

    result: t.Any = work()
    assert result == "/async"


def test_copied_context_is_torn_down_with_what_its_function_raised(app: Erlen) -> None:
    told: list[t.Any] = []
    app.teardown_request(told.append)
    with app.test_request_context("/"):

        @copy_current_request_context
        def work() -> None:
            raise LookupError("work")

        with pytest.raises(LookupError) as caught:
            work()
        assert told == [caught.value]


# after_this_request


def test_after_this_request_runs_in_order_and_before_after_request(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    def noting(name: str) -> t.Callable[[t.Any], t.Any]:
        def after(response: t.Any) -> t.Any:
            log.append(name)
            return response

        return after

    app.after_request(noting("after_request"))

    @app.route("/")
    def index() -> str:
        after_this_request(noting("first"))
        after_this_request(noting("second"))
        return text()

    client.get("/")
    assert log == ["first", "second", "after_request"]
    log.clear()
    client.get("/nowhere")
    assert log == ["after_request"]


def test_after_this_request_replaces_the_response(app: Erlen, client: ErlenClient) -> None:
    @app.route("/")
    def index() -> str:
        @after_this_request
        def replace(response: t.Any) -> t.Any:
            return jsonify(was=response.get_data(as_text=True))

        assert replace.__name__ == "replace"
        return text()

    assert client.get("/").json == {"was": "text"}


def test_after_this_request_takes_an_async_function(app: Erlen, client: ErlenClient) -> None:
    @app.route("/")
    def index() -> str:
        @after_this_request
        async def mark(response: t.Any) -> t.Any:
            response.headers["X-Mark"] = "async"
            return response

        return text()

    assert client.get("/").headers["X-Mark"] == "async"


def test_after_this_request_of_a_hook_runs_when_the_view_fails(app: Erlen) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    log: list[int] = []

    @app.before_request
    def before() -> None:
        @after_this_request
        def after(response: t.Any) -> t.Any:
            log.append(response.status_code)
            return response

    @app.route("/")
    def index() -> str:
        raise LookupError

    app.test_client().get("/")
    assert log == [500]


# Outside a context


@pytest.mark.parametrize("context", ["none", "application"])
def test_after_this_request_outside_a_request_names_the_fix(app: Erlen, context: str) -> None:
    def call() -> None:
        with pytest.raises(RuntimeError) as caught:
            after_this_request(lambda response: response)
        assert str(caught.value) == (
            "'after_this_request' was called without a request being handled, so there is no response to wait for. "
            "Call it in a view or a hook; for every response, register '@app.after_request'."
        )

    if context == "none":
        call()
    else:
        with app.app_context():
            call()


@pytest.mark.parametrize("context", ["none", "application"])
def test_copy_current_request_context_outside_a_request_names_the_fix(app: Erlen, context: str) -> None:
    def call() -> None:
        with pytest.raises(RuntimeError) as caught:
            copy_current_request_context(text)
        assert str(caught.value) == (
            "'copy_current_request_context' was called without a request being handled, so there is no context to "
            "copy. Call it inside a view or a hook, on the function that will run elsewhere."
        )

    if context == "none":
        call()
    else:
        with app.app_context():
            call()


def test_stream_with_context_outside_a_context_names_the_fix() -> None:
    with pytest.raises(RuntimeError) as caught:
        stream_with_context(iter(()))
    assert str(caught.value) == (
        "'stream_with_context' was called without an active context, so there is none to keep. Call it inside the "
        "view: 'return stream_with_context(generate())'."
    )


def use_current_app() -> t.Any:
    return current_app.name


def use_g() -> t.Any:
    return g.name


def set_g() -> None:
    g.name = "value"


def use_template() -> t.Any:
    return render_template_string("text")


def use_url_for() -> t.Any:
    return url_for("index")


@pytest.mark.parametrize("use", [use_current_app, use_g, set_g, use_template])
def test_application_outside_a_context_names_the_fix(use: t.Callable[[], t.Any]) -> None:
    with pytest.raises(RuntimeError) as caught:
        use()
    message = str(caught.value)
    assert message.startswith("Working outside of application context.")
    assert "with app.app_context():" in message


def use_request() -> t.Any:
    return request.path


def use_session() -> t.Any:
    return session["name"]


def use_in_session() -> t.Any:
    return "name" in session


@pytest.mark.parametrize("use", [use_request, use_session, use_in_session])
@pytest.mark.parametrize("context", ["none", "application"])
def test_request_outside_a_context_names_the_fixes(
    app: Erlen, use: t.Callable[[], t.Any], context: str
) -> None:
    app.secret_key = "key"
    message = ""
    if context == "application":
        with app.app_context(), pytest.raises(RuntimeError) as caught:
            use()
        message = str(caught.value)
    else:
        with pytest.raises(RuntimeError) as caught:
            use()
        message = str(caught.value)
    assert message.startswith("Working outside of request context.")
    for fix in ("with app.test_request_context(", "'copy_current_request_context'", "'stream_with_context'"):
        assert fix in message


@pytest.mark.parametrize("use", [use_url_for, lambda: flash("message")])
def test_functions_outside_a_context_raise_runtime_error_with_a_fix(use: t.Callable[[], t.Any]) -> None:
    with pytest.raises(RuntimeError, match=r"app\.(app|test_request)_context\("):
        use()


# Clients that leave


@pytest.mark.parametrize("answer", ["text", "stream", "plain stream", "error"])
@pytest.mark.parametrize("kind", ["plain", "async"])
def test_client_that_leaves_does_not_cancel_teardown(app: Erlen, answer: str, kind: str) -> None:
    """What was taken from a pool is given back, however long that takes."""
    app.config["PROPAGATE_EXCEPTIONS"] = False
    log: list[str] = []
    is_there, may_go_on = asyncio.Event(), asyncio.Event()

    @app.teardown_request
    async def give_back(exc: BaseException | None) -> None:
        is_there.set()
        await may_go_on.wait()
        log.append("given back")

    async def pieces() -> t.AsyncIterator[str]:
        try:
            yield "a"
        finally:
            log.append("closed")

    def plain_pieces() -> t.Iterator[str]:
        yield "a"

    def index() -> t.Any:
        if answer == "error":
            raise ZeroDivisionError
        return {"text": "text", "stream": pieces(), "plain stream": plain_pieces()}[answer]

    async def aindex() -> t.Any:
        await asyncio.sleep(0)
        return index()

    if kind == "plain":
        # All of it runs on a worker thread then, which waits for the loop at the end.
        app.full_dispatch_request = app.full_dispatch_request  # type: ignore[method-assign]
    app.add_url_rule("/", "index", index if kind == "plain" else aindex)

    async def main() -> None:
        async with Peer(app, get("/")) as peer:
            await begun(is_there)
            peer.give({"type": "http.disconnect"})
            await until(lambda: peer.received)
            await asyncio.sleep(0.01)
            may_go_on.set()

    run(main())
    assert log == ["given back"]


def test_context_may_be_given_another_request(app: Erlen) -> None:
    app.secret_key = "key"

    @app.post("/replaced")
    def replaced() -> t.Any:
        first = request.path
        own: t.Any = app.request_class(create_environ("/another?a=2", headers={"Cookie": "name=another"}))
        own._application = app
        request_ctx.request = own
        assert request == own and request_ctx.request is own
        return {"paths": [first, request.path], "a": request.args["a"], "name": request.cookies["name"]}

    for _ in range(2):
        answer = app.test_client().post("/replaced?a=1", headers={"Cookie": "name=first"})
        assert answer.json == {"paths": ["/replaced", "/another"], "a": "2", "name": "another"}
    with app.app_context() as context, pytest.raises(RuntimeError, match="request"):
        context.request = Request(create_environ("/"))
