"""Phases are called, and overridden, in the style of Flask 3.1 and in that of the next Flask, with the context first."""

from __future__ import annotations

import typing as t

import pytest

from erlen import Response, g, request
from erlen.compat.application import Flask
from erlen.compat.styles import STYLED, takes_context
from erlen.ctx import AppContext

Any = t.Any


@pytest.fixture
def app() -> Any:
    app = Flask("styles")

    @app.before_request
    def note() -> None:
        g.noted = True

    @app.errorhandler(404)
    def missing(error: Any) -> Any:
        return f"missing {request.path}", 404

    app.add_url_rule("/", view_func=lambda: f"index {g.get('noted', False)}")
    return app


def test_a_caller_may_pass_the_context(app: Any) -> None:
    with app.test_request_context("/") as context:
        assert app.preprocess_request(context) is None
        assert app.dispatch_request(context) == "index True"
        assert app.dispatch_request(ctx=context) == "index True"
        assert app.full_dispatch_request(context).get_data(as_text=True) == "index True"
        response = app.finalize_request(context, "text")
        assert response.get_data(as_text=True) == "text"
        assert app.process_response(context, response) is response
        assert app.make_default_options_response(context).allow == {"GET", "HEAD", "OPTIONS"}
        values: dict[str, Any] = {}
        app.update_template_context(context, values)
        assert values["request"].path == "/"
        app.do_teardown_request(context, None)
        app.do_teardown_appcontext(context, None)


def test_a_caller_may_leave_it_out(app: Any) -> None:
    with app.test_request_context("/"):
        assert app.preprocess_request() is None
        assert app.dispatch_request() == "index True"
        assert app.full_dispatch_request().get_data(as_text=True) == "index True"
        response = app.finalize_request("text", from_error_handler=True)
        assert app.process_response(response) is response
        app.update_template_context({})
        app.do_teardown_request()
        app.do_teardown_appcontext()


def test_errors_in_both_styles(app: Any) -> None:
    with app.test_request_context("/nowhere") as context:
        error = context.request.routing_exception
        for arguments in ((error,), (context, error)):
            assert app.handle_user_exception(*arguments) == ("missing /nowhere", 404)
            assert app.handle_http_exception(*arguments) == ("missing /nowhere", 404)
            assert app.handle_exception(*arguments[:-1], KeyError("x")).status_code == 500
            app.log_exception(*arguments[:-1], (None, None, None))


def test_another_context_than_the_active_one_may_be_passed(app: Any) -> None:
    other = app.test_request_context("/nowhere")
    with other, app.test_request_context("/"):
        assert app.full_dispatch_request(other).get_data(as_text=True) == "missing /nowhere"
        assert request.path == "/"


class Old(Flask):
    def dispatch_request(self) -> Any:
        return f"old {t.cast(str, super().dispatch_request())}"

    def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Response:
        response = super().finalize_request(rv, from_error_handler)
        response.headers["X-Finalized"] = "old"
        return response


class New(Flask):
    def dispatch_request(self, ctx: AppContext) -> Any:  # type: ignore[override]
        parent: Any = super()
        return f"new {parent.dispatch_request(ctx)} {ctx.request.path}"

    def finalize_request(self, ctx, rv, from_error_handler=False):  # type: ignore[no-untyped-def, override]
        parent: Any = super()
        response = parent.finalize_request(ctx, rv, from_error_handler)
        response.headers["X-Finalized"] = "new"
        return response


class NewestOfAll(New):
    def dispatch_request(self, ctx: AppContext) -> Any:  # type: ignore[override]
        return f"newest {super().dispatch_request(ctx)}"


class OldOnNew(New):
    def dispatch_request(self) -> Any:  # type: ignore[override]
        parent: Any = super()
        return f"old {parent.dispatch_request()}"


class Mixin:
    def dispatch_request(self, ctx: AppContext) -> Any:
        parent: Any = super()
        return f"mixed {parent.dispatch_request(ctx)}"


class Mixed(Mixin, Flask):  # type: ignore[misc]
    pass


class Whatever(Flask):
    def dispatch_request(self, *args: Any, **kwargs: Any) -> Any:
        parent: Any = super()
        return f"whatever {parent.dispatch_request(*args, **kwargs)}"


@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (Old, "old index"),
        (New, "new index /"),
        (NewestOfAll, "newest new index /"),
        (OldOnNew, "old new index /"),
        (Mixed, "mixed index"),
        (Whatever, "whatever index"),
    ],
)
def test_overrides_of_either_style(cls: type[Any], expected: str, protocol: str) -> None:
    app = cls("overridden")
    app.add_url_rule("/", view_func=lambda: "index")
    response = app.test_client(protocol=protocol).get("/")
    assert response.text == expected
    assert response.headers.get("X-Finalized") == {Old: "old", New: "new"}.get(
        cls, response.headers.get("X-Finalized")
    )
    with app.test_request_context("/") as context:
        assert app.dispatch_request() == expected
        assert app.dispatch_request(context) == expected


def test_a_function_assigned_on_the_application(app: Any) -> None:
    stock = app.handle_user_exception
    app.handle_user_exception = lambda error: ("assigned", 418)
    assert app.test_client().get("/nowhere").text == "assigned"

    def handle(ctx: AppContext, error: Any) -> Any:
        return f"assigned for {ctx.request.path}: {stock(ctx, error)[0]}"

    app.handle_user_exception = handle
    assert app.test_client().get("/nowhere").text == "assigned for /nowhere: missing /nowhere"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda self, ctx: 0, True),
        (lambda self: 0, False),
        (lambda self, error: 0, False),
        (lambda self, *args: 0, False),
        (lambda self, *, ctx: 0, False),
        (dict.get, False),
    ],
)
def test_what_counts_as_written_for_the_next_flask(function: Any, expected: bool) -> None:
    assert takes_context(function) is expected


def test_an_annotation_decides() -> None:
    def quoted(self: Any, context: AppContext) -> None: ...
    def imported(self: Any, ctx: int) -> None: ...
    def module(self: Any, context: Any) -> None: ...

    module.__annotations__["context"] = "flask.ctx.AppContext"
    real = lambda self, context: None
    real.__annotations__["context"] = AppContext
    assert takes_context(quoted)
    assert not takes_context(imported)
    assert takes_context(module)
    assert takes_context(real)


def test_all_phases_are_in_both_styles() -> None:
    from erlen import Erlen

    assert all(getattr(Flask, name) is not getattr(Erlen, name) for name in STYLED)
    assert all(getattr(Flask, name).__doc__ == getattr(Erlen, name).__doc__ for name in STYLED)
