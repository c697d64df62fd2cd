"""The live counter of the front page, as server-sent events."""

from __future__ import annotations

import asyncio
import typing as t

from erlen import Blueprint, EventStream, ServerSentEvent, request
from erlen.typing import ResponseReturnValue

from .hall import Hall, current_hall

blueprint = Blueprint("counter", __name__)

#: Seconds between two events at least: a lively room is counted, not retold.
PAUSE = 0.25


@blueprint.get("/counter")
async def stream() -> ResponseReturnValue:
    """Send the numbers now, and whenever they have changed."""
    return EventStream(events(current_hall(), request.last_event_id), retry=3000)


async def events(hall: Hall, seen: str | None) -> t.AsyncIterator[ServerSentEvent]:
    """Yield the numbers as often as they change.

    :param seen: the id of the event that the page has seen last. Numbers that it shows already are not sent again.
    """
    while True:
        if hall.version == seen:
            await hall.change()
            continue
        seen = hall.version
        yield ServerSentEvent(hall.numbers(), event="numbers", id=seen)
        await asyncio.sleep(PAUSE)
