"""A pinboard with two doors: two processes that share sessions and events through Redis."""

from __future__ import annotations

import asyncio
import contextlib
import typing as t

from erlen import Erlen

from . import errors, health, pages, settings
from .board import Board
from .limits import Limit
from .sessions import RedisSessions

__all__ = ["create_app"]

#: Endpoints that look at no session, and need not wait for one.
WITHOUT_SESSION = ("static", "health.live", "health.ready", "pages.events")


def create_app(config: t.Mapping[str, t.Any] | None = None) -> Erlen:
    """Make the application.

    :param config: settings that win over the defaults and the environment; tests pass theirs here.
    """
    app = Erlen(__name__)
    settings.load(app, config or {})
    client = settings.plain_client(app.config["REDIS_URL"])
    app.extensions["redis"] = client
    app.session_interface = RedisSessions(client, without=WITHOUT_SESSION)
    app.lifespan(serving)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(health.blueprint)
    errors.init_app(app)
    return app


async def serving(app: Erlen) -> t.AsyncIterator[None]:
    """Listen to Redis while requests are served, and leave no connection behind."""
    client = settings.async_client(app.config["REDIS_URL"])
    board = app.extensions["board"] = Board(client)
    app.extensions["limit"] = Limit(client, app.config["NOTES_PER_MINUTE"])
    listening = asyncio.create_task(board.listen_for_ever())
    yield
    listening.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await listening
    await client.aclose()
    app.extensions["redis"].close()
