"""What is posted: a form, a file, JSON."""

from __future__ import annotations

import typing as t

from ...data import uploaded
from .making import make_app


def form(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.post("/form")
    def post() -> str:
        fields = framework.request.form
        return f"{fields['name']} {fields['mail']} {len(fields['note'])}"

    return app


def upload(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.post("/upload")
    def post() -> str:
        file = framework.request.files["file"]
        return uploaded(framework.request.form["title"], file.filename, file.read())

    return app


def json_post(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.post("/orders")
    def post() -> str:
        order = framework.request.get_json()
        items = order["items"]
        return f"{order['customer']['name']} {len(items)} {sum(item['count'] for item in items)}"

    return app
