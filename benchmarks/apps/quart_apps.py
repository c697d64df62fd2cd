"""Quart with async views: Erlen's, but for what Quart awaits: a body, a template, a message."""

from __future__ import annotations

import typing as t

from ..data import KEY, ROWS, TEMPLATE, TEMPLATE_NAME, uploaded
from .flask_like.making import make_app
from .flask_like_async import (
    after_this_request,
    as_json,
    error_handler,
    get_only,
    head,
    hooks,
    large_json,
    parameter,
    path_parameter,
    plain,
    query_and_header,
    redirect,
    routes,
    session,
    static,
    static_304,
    static_range,
    stream,
    string_parameter,
    url_for,
    waiting,
)

__all__ = [
    "after_this_request",
    "as_json",
    "error_handler",
    "flash",
    "form",
    "get_only",
    "head",
    "hooks",
    "json_post",
    "large_json",
    "parameter",
    "path_parameter",
    "plain",
    "query_and_header",
    "redirect",
    "routes",
    "session",
    "static",
    "static_304",
    "static_range",
    "stream",
    "string_parameter",
    "template",
    "template_string",
    "upload",
    "url_for",
    "waiting",
]


def form(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.post("/form")
    async def post() -> str:
        fields = await framework.request.form
        return f"{fields['name']} {fields['mail']} {len(fields['note'])}"

    return app


def upload(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.post("/upload")
    async def post() -> str:
        fields, files = await framework.request.form, await framework.request.files
        return uploaded(fields["title"], files["file"].filename, files["file"].read())

    return app


def json_post(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.post("/orders")
    async def post() -> str:
        order = await framework.request.get_json()
        items = order["items"]
        return f"{order['customer']['name']} {len(items)} {sum(item['count'] for item in items)}"

    return app


def template(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.get("/rows")
    async def rows() -> t.Any:
        return await framework.render_template(TEMPLATE_NAME, rows=ROWS)

    return app


def template_string(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.get("/rows")
    async def rows() -> t.Any:
        return await framework.render_template_string(TEMPLATE, rows=ROWS)

    return app


def flash(**options: t.Any) -> t.Any:
    framework, app = make_app(options)
    app.config["SECRET_KEY"] = KEY

    @app.get("/flash")
    async def add() -> str:
        await framework.flash("saved")
        return "flashed"

    @app.get("/messages")
    async def messages() -> str:
        shown = " ".join(framework.get_flashed_messages())
        await framework.flash("saved")
        return shown

    return app
