"""The front page: choosing a name, the rooms, and opening one."""

from __future__ import annotations

import secrets

from erlen import Blueprint, redirect, render_template, request, session, url_for
from erlen.typing import ResponseReturnValue

from . import words
from .hall import Visitor, current_hall

blueprint = Blueprint("pages", __name__)

UNPROCESSABLE_CONTENT = 422


@blueprint.get("/")
async def index() -> ResponseReturnValue:
    """Show the front page."""
    return front_page()


@blueprint.post("/name")
async def choose_name() -> ResponseReturnValue:
    """Keep a name in the session, and go on to the room that asked for it."""
    try:
        name = words.visitor_name(request.form.get("name", ""))
    except words.Refused as refused:
        return front_page(name_error=str(refused)), UNPROCESSABLE_CONTENT
    known = Visitor.of(session)
    session["visitor"] = {"id": known.id if known else secrets.token_urlsafe(9), "name": name}
    room = current_hall().rooms.get(request.form.get("room", ""))
    return redirect(url_for("rooms.show", address=room.address) if room else url_for("pages.index"), 303)


@blueprint.post("/rooms")
async def open_room() -> ResponseReturnValue:
    """Open a room, or enter it if it is there."""
    if Visitor.of(session) is None:
        return redirect(url_for("pages.index"), 303)
    try:
        room = current_hall().open(words.room_title(request.form.get("title", "")))
    except words.Refused as refused:
        return front_page(room_error=str(refused)), UNPROCESSABLE_CONTENT
    return redirect(url_for("rooms.show", address=room.address), 303)


def front_page(name_error: str = "", room_error: str = "") -> str:
    """Return the front page, with what has to be corrected."""
    hall = current_hall()
    return render_template(
        "front.html",
        numbers=hall.numbers(),
        visitor=Visitor.of(session),
        wanted=hall.rooms.get(request.values.get("room", "")),
        name_error=name_error,
        room_error=room_error,
        changing="rename" in request.args,
        limits=hall.limits,
        lengths={"name": words.NAME_LENGTH, "room": words.ROOM_LENGTH},
    )
