"""Hooks of the application, of blueprints and of nested blueprints, and the order they run in."""

# Hooks and views are registered by their decorators; nothing else mentions them.
# pyright: reportUnusedFunction=false
from __future__ import annotations

import typing as t

from .framework import Framework

if t.TYPE_CHECKING:
    from erlen import Blueprint, Erlen


def hook_everything(target: t.Any, label: str, trace: list[str], f: Framework) -> None:
    """Register two of each hook that application and blueprints share."""
    for number in (1, 2):
        _hook_once(target, f"{label}{number}", trace, f)


def _hook_once(target: t.Any, label: str, trace: list[str], f: Framework) -> None:
    def before() -> t.Any:
        trace.append(f"before {label}")
        if f.request.args.get("stop") == label:
            return f"stopped by {label}", 203
        if f.request.args.get("raise") == f"before-{label}":
            raise LookupError(f"before {label}")
        return None

    def after(response: t.Any) -> t.Any:
        trace.append(f"after {label} {response.status_code}")
        if f.request.args.get("raise") == f"after-{label}":
            raise LookupError(f"after {label}")
        response.headers.add("X-After", label)
        return response

    def teardown(exc: BaseException | None) -> None:
        trace.append(f"teardown {label} {type(exc).__name__}")

    def preprocess(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        trace.append(f"values {label} {endpoint} {values!r}")
        if values and "lang" in values:
            f.g.lang = values.pop("lang")

    target.before_request(before)
    target.after_request(after)
    target.teardown_request(teardown)
    target.url_value_preprocessor(preprocess)


def _blueprint(f: Framework, name: str, trace: list[str], **options: t.Any) -> Blueprint:
    blueprint = f.blueprint(name, **options)
    hook_everything(blueprint, name, trace, f)

    @blueprint.route("/")
    def index() -> t.Any:
        trace.append(f"view {name}")
        return {
            "endpoint": f.request.endpoint,
            "blueprints": f.request.blueprints,
            "own": f.url_for(".index"),
        }

    @blueprint.route("/raise")
    def failing() -> t.Any:
        raise ZeroDivisionError(name)

    @blueprint.route("/abort/<int:code>")
    def aborting(code: int) -> t.Any:
        f.abort(code)

    return blueprint


def register(app: Erlen, f: Framework) -> None:
    trace: list[str] = app.extensions["parity"]
    hook_everything(app, "app", trace, f)

    @app.teardown_appcontext
    def teardown(exc: BaseException | None) -> None:
        trace.append(f"teardown context {type(exc).__name__}")

    @app.route("/")
    def index() -> t.Any:
        trace.append("view app")
        return "index"

    @app.route("/raise")
    def failing() -> t.Any:
        raise ZeroDivisionError("app")

    @app.route("/stream")
    def stream() -> t.Any:
        def generate() -> t.Iterator[str]:
            trace.append("streaming")
            yield f.request.path

        return f.stream_with_context(generate())

    @app.route("/<lang>/page")
    def page(**values: t.Any) -> t.Any:
        return {"lang": f.g.get("lang"), "values": values, "view_args": f.request.view_args}

    @app.route("/static-response")
    def late() -> t.Any:
        def one(response: t.Any) -> t.Any:
            trace.append("after this 1")
            return response

        def two(response: t.Any) -> t.Any:
            trace.append("after this 2")
            return f.Response("replaced", 202)

        f.after_this_request(one)
        f.after_this_request(two)
        return "late"

    parent = _blueprint(f, "parent", trace, url_prefix="/parent")
    child = _blueprint(f, "child", trace, url_prefix="/child")
    grandchild = _blueprint(f, "grandchild", trace)
    child.register_blueprint(grandchild, url_prefix="/grandchild")
    parent.register_blueprint(child)

    @parent.errorhandler(404)
    def parent_missing(error: t.Any) -> t.Any:
        trace.append("parent 404")
        return "parent misses", 404

    @child.errorhandler(ZeroDivisionError)
    def child_division(error: Exception) -> t.Any:
        trace.append("child division")
        return f"child divided: {error}", 418

    @parent.before_app_request
    def parent_for_all() -> None:
        trace.append("before from parent for all")

    @child.after_app_request
    def child_for_all(response: t.Any) -> t.Any:
        trace.append("after from child for all")
        return response

    @child.teardown_app_request
    def child_teardown(exc: BaseException | None) -> None:
        trace.append("teardown from child for all")

    @parent.app_url_value_preprocessor
    def values_for_all(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        trace.append("values from parent for all")

    app.register_blueprint(parent)
    app.register_blueprint(parent, name="again", url_prefix="/again", url_defaults={"page": 1})


def register_signals(app: Erlen, f: Framework) -> None:
    """Write every signal that is sent into the trace."""
    signals = f.module("signals")
    trace: list[str] = app.extensions["parity"]
    names = (
        "template_rendered before_render_template request_started request_finished request_tearing_down "
        "got_request_exception appcontext_tearing_down appcontext_pushed appcontext_popped message_flashed"
    )
    for name in names.split():
        _listen(getattr(signals, name), name, app, trace)


def _listen(signal: t.Any, name: str, app: Erlen, trace: list[str]) -> None:
    def receive(sender: t.Any, **values: t.Any) -> None:
        shown = {key: _shown(value) for key, value in values.items()}
        trace.append(f"signal {name} {sorted(shown.items())}")

    signal.connect(receive, app, weak=False)


def _shown(value: t.Any) -> str:
    if isinstance(value, str | None):
        return repr(value)
    # A subclass of the framework's own counts as what it extends.
    public = (cls for cls in type(value).__mro__ if not cls.__module__.startswith(("flask", "erlen")))
    return next(public).__name__


def register_teardown(app: Erlen, f: Framework) -> None:
    """Register a view whose teardown is seen although the view, a hook or the handler failed."""
    trace: list[str] = app.extensions["parity"]

    @app.after_request
    def breaking(response: t.Any) -> t.Any:
        if f.request.args.get("after"):
            raise LookupError("after")
        return response

    @app.teardown_request
    def torn(exc: BaseException | None) -> None:
        trace.append(f"request torn down {type(exc).__name__}")

    @app.teardown_appcontext
    def context_torn(exc: BaseException | None) -> None:
        trace.append(f"context torn down {type(exc).__name__}")

    @app.errorhandler(ArithmeticError)
    def handler(error: Exception) -> t.Any:
        if f.request.args.get("handler"):
            raise LookupError("handler")
        return "handled", 400

    @app.route("/fine")
    def fine() -> t.Any:
        return "fine"

    @app.route("/divide")
    def divide() -> t.Any:
        return str(1 // 0)

    @app.route("/unhandled")
    def unhandled() -> t.Any:
        raise LookupError("unhandled")
