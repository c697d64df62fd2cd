"""Templates, addresses, hooks, errors and redirects."""

from __future__ import annotations

import typing as t

from ...data import LEVEL_HEADERS, LEVELS, NUMBERS, ROWS, TEMPLATE, TEMPLATE_NAME, Trouble
from .making import make_app


def template(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.get("/rows")
    def rows() -> t.Any:
        return framework.render_template(TEMPLATE_NAME, rows=ROWS)

    return app


def template_string(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.get("/rows")
    def rows() -> t.Any:
        return framework.render_template_string(TEMPLATE, rows=ROWS)

    return app


def url_for(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.get("/items/<int:number>")
    def item(number: int) -> str:
        return f"item {number}"

    @app.get("/urls")
    def urls() -> str:
        return "\n".join([framework.url_for("item", number=number) for number in NUMBERS])

    return app


def hooks(**options: t.Any) -> t.Any:
    framework, app = make_app(options)
    outer = framework.Blueprint("outer", "benchmark", url_prefix="/outer")
    inner = framework.Blueprint("inner", "benchmark", url_prefix="/inner")
    for owner, level, header in zip((app, outer, inner), LEVELS, LEVEL_HEADERS, strict=True):
        _add_hooks(framework, owner, level, header)

    @inner.get("/page")
    def page() -> str:
        return " ".join(framework.g.seen)

    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    return app


def _add_hooks(framework: t.Any, owner: t.Any, level: str, header: str) -> None:
    @owner.before_request
    def before() -> None:
        if "seen" not in framework.g:
            framework.g.seen = []
        framework.g.seen.append(level)

    @owner.after_request
    def after(response: t.Any) -> t.Any:
        response.headers[header] = "1"
        return response


def error_handler(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    @app.errorhandler(Trouble)
    def trouble(error: Trouble) -> tuple[str, int]:
        return f"trouble: {error}", 409

    @app.get("/order")
    def order() -> str:
        raise Trouble("sold out")

    return app


def redirect(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.get("/old")
    def old() -> t.Any:
        return framework.redirect("/new?page=2")

    return app
