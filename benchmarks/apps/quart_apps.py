"""Quart with async views: Erlen's, but for the form."""

from __future__ import annotations

import typing as t

from .flask_like.making import make_app
from .flask_like_async import as_json, parameter, plain, query_and_header, waiting

__all__ = ["as_json", "form", "parameter", "plain", "query_and_header", "waiting"]


def form(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    async def post() -> str:
        fields = await framework.request.form
        return f"{fields['name']} {fields['mail']} {len(fields['note'])}"

    app.add_url_rule("/form", "form", post, methods=["POST"])
    return app
