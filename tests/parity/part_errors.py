"""Errors by code, by class along the MRO, of blueprints before the application."""

# Handlers and views are registered by their decorators; nothing else mentions them.
# pyright: reportUnusedFunction=false
from __future__ import annotations

import typing as t

from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestedRangeNotSatisfiable,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
)
from werkzeug.routing import RequestRedirect

from .framework import Framework

if t.TYPE_CHECKING:
    from erlen import Blueprint, Erlen


class Shop(Exception):
    """A base class with a handler."""


class SoldOut(Shop):
    """A subclass with a handler of its own."""


class Closed(Shop):
    """A subclass without one."""


class Teapot(HTTPException):
    code = 418
    description = "A teapot of our own"


class Quiet(HTTPException):
    """An HTTP exception without a code is a response only through its handler."""


class Payment(Forbidden):
    description = "Pay first"


EXCEPTIONS: dict[str, t.Callable[[], BaseException]] = {
    "shop": lambda: Shop("shop"),
    "sold-out": lambda: SoldOut("sold out"),
    "closed": lambda: Closed("closed"),
    "teapot": Teapot,
    "quiet": lambda: Quiet("quiet"),
    "payment": Payment,
    "key": lambda: KeyError("key"),
    "value": lambda: ValueError("value"),
    "zero": lambda: ZeroDivisionError("zero"),
    "bad-request": lambda: BadRequest("bad"),
    "forbidden": Forbidden,
    "not-found": lambda: NotFound("own text <b>"),
    "method": lambda: MethodNotAllowed(["GET", "PUT"]),
    "range": lambda: RequestedRangeNotSatisfiable(10),
    "unavailable": lambda: ServiceUnavailable(retry_after=10),
    "many": lambda: TooManyRequests(retry_after=7),
    "unauthorized": Unauthorized,
    "internal": lambda: InternalServerError("inside"),
    "internal-original": lambda: InternalServerError(original_exception=ValueError("x")),
    "redirect": lambda: RequestRedirect("/moved"),
    "stop-iteration": StopIteration,
    "assertion": lambda: AssertionError("a"),
}


def _views(target: Erlen | Blueprint, f: Framework) -> None:
    @target.route("/exception/<name>")
    def exception(name: str) -> t.Any:
        raise EXCEPTIONS[name]()

    @target.route("/abort/<int:code>", methods=["GET", "POST"])
    def abort(code: int) -> t.Any:
        f.abort(code)

    @target.route("/abort/<int:code>/<text>")
    def abort_text(code: int, text: str) -> t.Any:
        f.abort(code, text)

    @target.route("/abort-description")
    def abort_description() -> t.Any:
        f.abort(404, description={"json": "description"})

    @target.route("/missing-key")
    def missing_key() -> t.Any:
        return f.request.args["nothing"]

    @target.route("/missing-form", methods=["POST"])
    def missing_form() -> t.Any:
        return f.request.form["nothing"]

    @target.route("/context")
    def context() -> t.Any:
        try:
            raise ValueError("first")
        except ValueError as error:
            raise KeyError("second") from error


def register_bare(app: Erlen, f: Framework) -> None:
    """Register views without any handler."""
    _views(app, f)


def register(app: Erlen, f: Framework) -> None:
    """Register views, handlers of the application and of two blueprints."""
    _views(app, f)
    trace: list[str] = app.extensions["parity"]
    _application_handlers(app, trace)

    blueprint = f.blueprint("shop", url_prefix="/shop")
    _views(blueprint, f)

    @blueprint.errorhandler(Shop)
    def shop(error: Shop) -> t.Any:
        return f"blueprint shop {error}", 409

    @blueprint.errorhandler(404)
    def missing(error: HTTPException) -> t.Any:
        return f"blueprint 404 {error.description}", 404

    @blueprint.errorhandler(Exception)
    def anything(error: Exception) -> t.Any:
        trace.append(f"blueprint caught {type(error).__name__}")
        if isinstance(error, HTTPException):
            return error
        return f"blueprint anything {type(error).__name__}", 500

    @blueprint.app_errorhandler(410)
    def gone_for_all(error: HTTPException) -> t.Any:
        return "gone for all", 410

    inner = f.blueprint("inner", url_prefix="/inner")
    _views(inner, f)

    @inner.errorhandler(HTTPException)
    def inner_http(error: HTTPException) -> t.Any:
        return {"code": error.code, "name": error.name, "description": error.description}, error.code or 500

    blueprint.register_blueprint(inner)
    app.register_blueprint(blueprint)


def _application_handlers(app: Erlen, trace: list[str]) -> None:
    @app.errorhandler(Shop)
    def shop(error: Shop) -> t.Any:
        return f"app shop {error}", 410

    @app.errorhandler(SoldOut)
    def sold_out(error: SoldOut) -> t.Any:
        return f"app sold out {error}", 411

    @app.errorhandler(LookupError)
    def lookup(error: LookupError) -> t.Any:
        trace.append(f"lookup {error.__cause__!r}")
        return f"app lookup {type(error).__name__}", 400

    @app.errorhandler(403)
    def forbidden(error: Forbidden) -> t.Any:
        return f"app forbidden {type(error).__name__}: {error.description}", 403

    @app.errorhandler(NotFound)
    def not_found(error: NotFound) -> t.Any:
        return f"app not found {error.description}", 404, {"X-Handler": "404"}

    @app.errorhandler(405)
    def method(error: MethodNotAllowed) -> t.Any:
        return f"app method {sorted(error.valid_methods or [])}", 405

    @app.errorhandler(500)
    def internal(error: InternalServerError) -> t.Any:
        original = error.original_exception
        return f"app internal {type(original).__name__} {original}", 500

    @app.errorhandler(401)
    def unauthorized(error: Unauthorized) -> t.Any:
        raise Shop("from a handler")

    @app.errorhandler(Quiet)
    def quiet(error: Quiet) -> t.Any:
        return "quiet", 299

    @app.errorhandler(429)
    def many(error: TooManyRequests) -> t.Any:
        return error.get_response()
