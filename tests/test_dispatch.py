"""The phases of a request: hooks and their order, automatic answers, and phases that others have replaced."""

from __future__ import annotations

import functools
import typing as t

import flask
import pytest
from werkzeug.exceptions import HTTPException

import erlen
from erlen import Blueprint, Erlen, g, request
from erlen.testing import ErlenClient


def hook(target: t.Any, label: str, trace: list[str]) -> None:
    """Register two of each hook on an application or a blueprint; each writes into the trace."""
    for name in (f"{label}1", f"{label}2"):
        _hook_once(target, name, trace)


def _hook_once(target: t.Any, name: str, trace: list[str]) -> None:
    def values(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        trace.append(f"values {name}")

    def before() -> None:
        trace.append(f"before {name}")

    def after(response: t.Any) -> t.Any:
        trace.append(f"after {name}")
        return response

    def teardown(error: BaseException | None) -> None:
        trace.append(f"teardown {name}")

    target.url_value_preprocessor(values)
    target.before_request(before)
    target.after_request(after)
    target.teardown_request(teardown)


def answering(trace: list[str]) -> str:
    trace.append("view")
    return "answer"


def test_hooks_of_an_application_run_in_order_and_back(app: Erlen, client: ErlenClient) -> None:
    trace: list[str] = []
    hook(app, "app", trace)
    app.add_url_rule("/", "index", lambda: answering(trace))
    assert client.get("/").text == "answer"
    assert trace == [
        "values app1",
        "values app2",
        "before app1",
        "before app2",
        "view",
        "after app2",
        "after app1",
        "teardown app2",
        "teardown app1",
    ]


def test_hooks_of_nested_blueprints_run_from_the_outside_in_and_back(app: Erlen, client: ErlenClient) -> None:
    trace: list[str] = []
    parent, child = Blueprint("parent", __name__), Blueprint("child", __name__)
    for target, label in ((child, "child"), (app, "app"), (parent, "parent")):
        hook(target, label, trace)
    child.add_url_rule("/", "index", lambda: answering(trace))
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    client.get("/")
    inward = ["app1", "app2", "parent1", "parent2", "child1", "child2"]
    outward = ["child2", "child1", "parent2", "parent1", "app2", "app1"]
    assert trace == [
        *(f"values {name}" for name in inward),
        *(f"before {name}" for name in inward),
        "view",
        *(f"after {name}" for name in outward),
        *(f"teardown {name}" for name in outward),
    ]


def test_hooks_of_a_blueprint_leave_other_views_alone(app: Erlen, client: ErlenClient) -> None:
    trace: list[str] = []
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")
    hook(blueprint, "shop", trace)
    blueprint.add_url_rule("/", "index", lambda: answering(trace))
    app.add_url_rule("/", "index", lambda: answering(trace))
    app.register_blueprint(blueprint)
    client.get("/")
    # No rule matched, so no blueprint is asked, also below its prefix.
    client.get("/shop/missing")
    assert trace == ["view"]


def test_hooks_that_a_blueprint_registers_for_all_run_everywhere(app: Erlen, client: ErlenClient) -> None:
    trace: list[str] = []
    blueprint = Blueprint("shop", __name__)

    @blueprint.before_app_request
    def before() -> None:
        trace.append("before")

    @blueprint.after_app_request
    def after(response: t.Any) -> t.Any:
        trace.append("after")
        return response

    @blueprint.teardown_app_request
    def teardown(error: BaseException | None) -> None:
        trace.append("teardown")

    @blueprint.app_url_value_preprocessor
    def values(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        trace.append(f"values {endpoint}")

    app.register_blueprint(blueprint)
    assert client.get("/missing").status_code == 404
    assert trace == ["values None", "before", "after", "teardown"]


def test_hook_before_that_answers_ends_the_way_in(app: Erlen, client: ErlenClient) -> None:
    trace: list[str] = []
    blueprint = Blueprint("shop", __name__)
    hook(app, "app", trace)
    app.before_request(lambda: ("stopped", 203))
    hook(blueprint, "shop", trace)
    blueprint.add_url_rule("/", "index", lambda: answering(trace))
    app.register_blueprint(blueprint)
    response = client.get("/")
    assert (response.status_code, response.text) == (203, "stopped")
    assert [line for line in trace if line.startswith(("before", "view", "after"))] == [
        "before app1",
        "before app2",
        "after shop2",
        "after shop1",
        "after app2",
        "after app1",
    ]


@pytest.mark.parametrize("value", ["", 0, b"", {}, []])
def test_hook_before_answers_with_anything_but_none(app: Erlen, client: ErlenClient, value: t.Any) -> None:
    app.add_url_rule("/", "index", lambda: "view")
    app.before_request(lambda: value)
    if value == 0 and type(value) is int:
        with pytest.raises(TypeError, match="'index' returned 0, of type int"):
            client.get("/")
    else:
        assert client.get("/").text != "view"


def test_hook_before_that_raises_is_answered_by_an_error_handler(app: Erlen, client: ErlenClient) -> None:
    def failing() -> None:
        raise LookupError("in a hook")

    app.add_url_rule("/", "index", lambda: "view")
    app.before_request(failing)
    app.register_error_handler(LookupError, lambda error: (str(error.args), 409))
    response = client.get("/")
    assert (response.status_code, response.text) == (409, "('in a hook',)")


def test_hook_after_replaces_the_response(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: "view")
    app.after_request(lambda response: app.response_class(f"<{response.get_data(as_text=True)}>", 202))
    response = client.get("/")
    assert (response.status_code, response.text) == (202, "<view>")
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_hook_after_runs_for_errors_that_were_handled(app: Erlen, client: ErlenClient) -> None:
    seen: list[int] = []

    @app.after_request
    def after(response: t.Any) -> t.Any:
        seen.append(response.status_code)
        return response

    client.get("/missing")
    app.testing = False
    client.post("/missing")
    assert seen == [404, 404]


def test_hook_after_that_raises_is_an_error_of_the_request(app: Erlen, client: ErlenClient) -> None:
    @app.after_request
    def after(response: t.Any) -> t.Any:
        if response.status_code == 200:
            raise LookupError("after")
        return response

    app.testing = False
    app.add_url_rule("/", "index", lambda: "view")
    app.register_error_handler(500, lambda error: (repr(error.original_exception), 500))
    response = client.get("/")
    assert (response.status_code, response.text) == (500, "LookupError('after')")


def test_functions_after_this_request_run_before_the_hooks_and_in_order(
    app: Erlen, client: ErlenClient
) -> None:
    trace: list[str] = []
    hook(app, "app", trace)

    def noting(name: str, response: t.Any) -> t.Any:
        trace.append(name)
        return response

    @app.get("/")
    def index() -> str:
        for name in ("one", "two"):
            erlen.after_this_request(functools.partial(noting, name))
        return "view"

    client.get("/")
    assert [line for line in trace if "teardown" not in line][4:] == [
        "one",
        "two",
        "after app2",
        "after app1",
    ]


def test_values_may_be_taken_out_by_a_preprocessor(app: Erlen, client: ErlenClient) -> None:
    @app.url_value_preprocessor
    def language(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        g.language = (values or {}).pop("language", None)

    @app.get("/<language>/<int:page>")
    def show(page: int) -> dict[str, t.Any]:
        return {"language": g.language, "page": page, "view_args": request.view_args}

    assert client.get("/de/7").json == {"language": "de", "page": 7, "view_args": {"page": 7}}


def test_hook_may_choose_another_endpoint(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: "index")
    app.add_url_rule("/other", "other", lambda: "other")
    (other,) = (rule for rule in app.url_map.iter_rules() if rule.endpoint == "other")

    @app.before_request
    def before() -> None:
        request.url_rule = other

    assert client.get("/").text == "other"


def test_teardown_is_given_the_error_that_nothing_handled(app: Erlen, client: ErlenClient) -> None:
    seen: list[t.Any] = []
    app.teardown_request(lambda error: seen.append(("request", error)))
    app.teardown_appcontext(lambda error: seen.append(("context", error)))
    error = LookupError("view")

    @app.get("/")
    def index() -> str:
        raise error

    @app.get("/handled")
    def handled() -> str:
        raise ZeroDivisionError

    app.register_error_handler(ZeroDivisionError, lambda error: "handled")
    app.testing = False
    assert client.get("/").status_code == 500
    assert client.get("/handled").text == "handled"
    assert seen == [("request", error), ("context", error), ("request", None), ("context", None)]


def test_teardown_runs_to_its_end_although_functions_raise(app: Erlen, client: ErlenClient) -> None:
    trace: list[str] = []

    def failing(label: str) -> t.Callable[[BaseException | None], None]:
        def teardown(error: BaseException | None) -> None:
            trace.append(label)
            raise LookupError(label)

        return teardown

    for label in ("first", "second"):
        app.teardown_request(failing(label))
    app.teardown_appcontext(lambda error: trace.append("context"))
    app.add_url_rule("/", "index", lambda: "view")
    with pytest.raises(ExceptionGroup, match="2 callbacks raised while tearing down the context") as caught:
        client.get("/")
    assert [str(error) for error in caught.value.exceptions] == ["second", "first"]
    assert trace == ["second", "first", "context"]


def test_one_failing_teardown_raises_what_it_raised(app: Erlen, client: ErlenClient) -> None:
    error = LookupError("alone")

    def failing(_: BaseException | None) -> None:
        raise error

    app.teardown_appcontext(failing)
    app.add_url_rule("/", "index", lambda: "view")
    with pytest.raises(LookupError) as caught:
        client.get("/")
    assert caught.value is error


def test_ignored_errors_are_not_told_to_teardown() -> None:
    class Ignoring(Erlen):
        def should_ignore_error(self, error: BaseException | None) -> bool:
            return isinstance(error, LookupError)

    app, seen = Ignoring("ignoring"), list[t.Any]()
    app.testing = True
    app.teardown_request(seen.append)

    @app.get("/")
    def index() -> str:
        raise LookupError

    with pytest.raises(LookupError):
        app.test_client().get("/")
    assert seen == [None]


def test_head_is_answered_without_a_body_and_with_its_length(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: f"{request.method} größe")
    response = client.head("/")
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == str(len("HEAD größe".encode()))


def test_options_are_answered_with_the_methods_of_all_views(app: Erlen, client: ErlenClient) -> None:
    trace: list[str] = []
    hook(app, "app", trace)
    app.add_url_rule("/", "index", lambda: answering(trace))
    app.add_url_rule("/", "change", lambda: answering(trace), methods=["PUT", "delete"])
    response = client.options("/")
    assert (response.status_code, response.data) == (200, b"")
    assert set(response.allow) == {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}
    assert "before app1" in trace
    assert "view" not in trace


def test_unknown_method_is_405_with_the_methods_allowed(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: "index")
    response = client.post("/")
    assert response.status_code == 405
    assert set(response.allow) == {"GET", "HEAD", "OPTIONS"}


def test_endpoint_without_a_view_names_the_call_that_gives_it_one(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/users", "users")
    with pytest.raises(KeyError) as caught:
        client.get("/users")
    assert caught.value.args[0] == (
        "The rule '/users' has the endpoint 'users', and no view function is registered for it. Register one "
        "with '@app.endpoint('users')'."
    )


# Phases that a subclass or an extension has replaced

Wrap: t.TypeAlias = "t.Callable[[t.Any, t.Callable[..., t.Any]], t.Callable[..., t.Any]]"


class Replaced(t.NamedTuple):
    """A phase, what makes its replacement of the application and the original, and a request that needs it."""

    wrap: Wrap
    path: str = "/"
    method: str = "GET"
    expected: str = "replaced"


def _returning(make: t.Callable[[t.Any], t.Any]) -> Wrap:
    return lambda app, original: lambda *args, **kwargs: make(app)


def _wsgi_app(app: t.Any, original: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    def middleware(environ: t.Any, start_response: t.Any) -> t.Any:
        return original({**environ, "PATH_INFO": "/replaced"}, start_response)

    return middleware


def _request_context(app: t.Any, original: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    def make(environ: t.Any) -> t.Any:
        return original({**environ, "PATH_INFO": "/replaced"})

    return make


def _create_url_adapter(app: t.Any, original: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    def create(request: t.Any) -> t.Any:
        adapter = original(request)
        if request is not None:
            adapter.path_info = "/replaced"
        return adapter

    return create


def _process_response(app: t.Any, original: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    def process(response: t.Any) -> t.Any:
        response = original(response)
        response.set_data("replaced")
        return response

    return process


def _ensure_sync(app: t.Any, original: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    def ensure(function: t.Any) -> t.Any:
        return (lambda: "replaced") if function is _index else original(function)

    return ensure


def _raising(app: t.Any, original: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    def raise_instead(request: t.Any) -> t.NoReturn:
        raise HTTPException(response=app.response_class("replaced"))

    return raise_instead


def _noting(app: t.Any, original: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    def note(*args: t.Any) -> None:
        app.extensions["noted"] = "replaced"
        original(*args)

    return note


PHASES: dict[str, Replaced] = {
    "wsgi_app": Replaced(_wsgi_app),
    "request_context": Replaced(_request_context),
    "create_url_adapter": Replaced(_create_url_adapter),
    "full_dispatch_request": Replaced(_returning(lambda app: app.response_class("replaced"))),
    "preprocess_request": Replaced(_returning(lambda app: "replaced")),
    "dispatch_request": Replaced(_returning(lambda app: "replaced")),
    "finalize_request": Replaced(lambda app, original: lambda *args, **kwargs: original("replaced")),
    "make_response": Replaced(lambda app, original: lambda value: original("replaced")),
    "process_response": Replaced(_process_response),
    "handle_user_exception": Replaced(_returning(lambda app: "replaced"), "/fail"),
    "handle_exception": Replaced(_returning(lambda app: app.response_class("replaced")), "/fail"),
    "handle_http_exception": Replaced(_returning(lambda app: "replaced"), "/missing"),
    "trap_http_exception": Replaced(_returning(lambda app: True), "/missing", expected="handled None"),
    "raise_routing_exception": Replaced(_raising, "/missing"),
    "make_default_options_response": Replaced(
        _returning(lambda app: app.response_class("replaced")), method="OPTIONS"
    ),
    "ensure_sync": Replaced(_ensure_sync),
    "async_to_sync": Replaced(_returning(lambda app: lambda: "replaced"), "/async"),
    "log_exception": Replaced(_noting, "/fail", expected="handled replaced"),
    "do_teardown_request": Replaced(_noting, expected="index, then replaced"),
    "do_teardown_appcontext": Replaced(_noting, expected="index, then replaced"),
}


def _index() -> str:
    return "index"


def _fail() -> t.NoReturn:
    raise LookupError("fail")


async def _asynchronous() -> str:
    return "async"


def _views(app: t.Any) -> t.Any:
    app.secret_key = "key"
    app.add_url_rule("/", "index", _index)
    app.add_url_rule("/replaced", "replaced", lambda: "replaced")
    app.add_url_rule("/fail", "fail", _fail)
    app.add_url_rule("/async", "async", _asynchronous)
    app.register_error_handler(500, lambda error: f"handled {app.extensions.get('noted')}")
    return app


def _replaced_app(base: type[t.Any], name: str, how: str) -> t.Any:
    """Return an application with one phase replaced, by a subclass or on the instance."""
    wrap = PHASES[name].wrap
    if how == "subclass":

        def method(self: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
            original: t.Any = getattr(super(subclass, self), name)
            return wrap(self, original)(*args, **kwargs)

        subclass = type("Subclass", (base,), {name: method})
        return _views(subclass("replaced"))
    app = _views(base("replaced"))
    if how == "instance, after the first request":
        for path in ("/", "/missing", "/async", "/fail"):
            app.test_client().get(path)
    setattr(app, name, wrap(app, getattr(app, name)))
    return app


def _text_of(app: t.Any, case: Replaced) -> str:
    text: str = app.test_client().open(case.path, method=case.method).text
    return f"{text}, then {app.extensions['noted']}" if "then" in case.expected else text


@pytest.mark.parametrize("how", ["subclass", "instance", "instance, after the first request"])
@pytest.mark.parametrize("name", PHASES)
def test_replaced_phase_is_honoured(name: str, how: str) -> None:
    case = PHASES[name]
    assert _text_of(_replaced_app(Erlen, name, how), case) == case.expected
    # Flask calls ``ensure_sync`` with every request, so there as well.
    assert _text_of(_replaced_app(flask.Flask, name, how), case) == case.expected


@pytest.mark.parametrize("name", ["process_response", "do_teardown_request", "do_teardown_appcontext"])
def test_replaced_phase_runs_once_a_request_though_it_has_nothing_to_do(app: Erlen, name: str) -> None:
    calls: list[str] = []
    original = getattr(app, name)

    def counting(*args: t.Any) -> t.Any:
        calls.append(name)
        return original(*args)

    setattr(app, name, counting)
    app.add_url_rule("/", "index", lambda: "index")
    client = app.test_client()
    client.get("/")
    client.get("/missing")
    assert calls == [name, name]


def test_phase_put_back_on_the_instance_is_the_one_of_the_class(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: "index")
    original = app.preprocess_request
    app.preprocess_request = lambda: "replaced"  # type: ignore[method-assign]
    assert client.get("/").text == "replaced"
    app.preprocess_request = original  # type: ignore[method-assign]
    assert client.get("/").text == "index"
    app.preprocess_request = lambda: "again"  # type: ignore[method-assign]
    assert client.get("/").text == "again"
    del app.preprocess_request
    assert client.get("/").text == "index"
