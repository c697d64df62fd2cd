"""A room: its page, and the WebSocket behind the same address."""

from __future__ import annotations

import asyncio
import typing as t

from erlen import (
    Blueprint,
    abort,
    g,
    nonblocking,
    redirect,
    render_template,
    request,
    session,
    url_for,
    websocket,
)
from erlen.typing import ResponseReturnValue
from erlen.websockets import UnexpectedData

from . import words
from .hall import TOO_SLOW, Room, Seat, Visitor, current_hall, event
from .limits import Pace

blueprint = Blueprint("rooms", __name__, url_prefix="/rooms")

#: Seconds of silence after which a page hears that we are still here. Proxies cut silent connections off after 60.
SILENCE = 25

#: Seconds that a page may take for one event.
PATIENCE = 20


@blueprint.url_value_preprocessor
@nonblocking
def find_room(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
    """Give the views a room in place of its address."""
    g.room = current_hall().find((values or {}).pop("address"))


@blueprint.before_request
@nonblocking
def let_in() -> ResponseReturnValue | None:
    """Let nobody in without a name. This runs before the handshake of a WebSocket as it runs before a page."""
    room: Room | None = g.room
    if room is None:
        abort(404)
    g.visitor = Visitor.of(session)
    if g.visitor is not None:
        return None
    if request.is_websocket:
        return "Choose a name on the front page first.", 401
    return redirect(url_for("pages.index", room=room.address))


@blueprint.get("/<address>")
async def show() -> ResponseReturnValue:
    """Show the page of a room."""
    return render_template("room.html", room=g.room, visitor=g.visitor, limits=current_hall().limits)


@blueprint.websocket("/<address>")
async def talk() -> None:
    """Let a page listen and talk until it goes, or is asked to go."""
    await websocket.accept()
    room: Room = g.room
    with room.seat(g.visitor) as seat:
        await until_one_ends(listen(room, seat), deliver(seat))
    if seat.farewell is not None:
        await websocket.close(*seat.farewell)


async def listen(room: Room, seat: Seat) -> None:
    """Take what the page sends, and answer what cannot be taken with a notice."""
    hall = current_hall()
    pace = Pace(hall.limits.burst, hall.limits.per_second)
    while True:
        try:
            text = words.message(await websocket.receive_json(), hall.limits.message_length)
        except UnexpectedData:
            seat.give(event("notice", text="That could not be read as a message, so it was left out."))
        except words.Refused as refused:
            seat.give(event("notice", text=str(refused)))
        else:
            if pace.allows():
                hall.say(room, seat.visitor, text)
            else:
                seat.give(event("notice", text="One at a time, please. Try that again in a moment."))


async def deliver(seat: Seat) -> None:
    """Send the page what happens, at its own pace, until it is asked to go."""
    while seat.farewell is None:
        try:
            async with asyncio.timeout(SILENCE):
                next_event = await seat.outbox.get()
        except TimeoutError:
            next_event = event("still-here")
        try:
            async with asyncio.timeout(PATIENCE):
                await websocket.send(next_event)
        except TimeoutError:
            seat.end(TOO_SLOW, "You took too long to listen.")


async def until_one_ends(*coroutines: t.Coroutine[t.Any, t.Any, t.Any]) -> None:
    """Run coroutines side by side until one ends; cancel the others, and raise what it has raised."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
