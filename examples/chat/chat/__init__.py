"""A chat over WebSockets, with a live counter over server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t

from erlen import Erlen

from . import counter, errors, pages, rooms, settings
from .hall import Hall
from .limits import Limits

__all__ = ["app", "create_app"]


def create_app(config: t.Mapping[str, t.Any] | None = None, limits: Limits | None = None) -> Erlen:
    """Make the application.

    :param config: settings that win over the defaults and the environment; tests pass theirs here.
    :param limits: how much there may be of what.
    """
    app = Erlen(__name__, instance_relative_config=True)
    settings.load(app, config or {})
    app.extensions["chat"] = Hall(limits or Limits())
    app.before_serving(settings.settle_secret_key)
    app.lifespan(serving)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(rooms.blueprint)
    app.register_blueprint(counter.blueprint)
    errors.init_app(app)
    return app


async def serving(app: Erlen) -> t.AsyncIterator[None]:
    """Close empty rooms from time to time."""
    hall: Hall = app.extensions["chat"]
    tidying = asyncio.create_task(hall.tidy_for_ever())
    yield
    tidying.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await tidying


app = create_app()
