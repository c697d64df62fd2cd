"""Streams, and files of the static folder."""

from __future__ import annotations

import typing as t

from ...data import CHUNKS
from ..flask_like.making import make_app


def stream(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    @app.get("/stream")
    async def chunks() -> t.AsyncIterator[bytes]:
        for chunk in CHUNKS:
            yield chunk

    return app


def static(**options: t.Any) -> t.Any:
    _, app = make_app(options)
    return app


static_304 = static_range = static
