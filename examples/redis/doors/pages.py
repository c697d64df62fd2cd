"""The page, signing in and out, and the events."""

from __future__ import annotations

import typing as t
import unicodedata

from erlen import (
    Blueprint,
    EventStream,
    arender_template,
    current_app,
    redirect,
    request,
    session,
    url_for,
)
from erlen.typing import ResponseReturnValue

from .board import current_board
from .limits import Limit
from .sessions import RedisSessions

blueprint = Blueprint("pages", __name__)

NAME_LENGTH, NOTE_LENGTH = 24, 240

UNPROCESSABLE_CONTENT, TOO_MANY = 422, 429


@blueprint.get("/")
async def index() -> ResponseReturnValue:
    """Show the board."""
    return await board_page()


@blueprint.post("/sign-in")
async def sign_in() -> ResponseReturnValue:
    """Take a name, under a new id of the session."""
    name = line(request.form.get("name", ""))
    if not 0 < len(name) <= NAME_LENGTH:
        return await board_page(f"A name has 1 to {NAME_LENGTH} letters."), UNPROCESSABLE_CONTENT
    t.cast("RedisSessions", current_app.session_interface).regenerate(session)
    session["name"] = name
    session["came_by"] = current_app.config["NAME"]
    return redirect(url_for("pages.index"), 303)


@blueprint.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End the session, here and at every other process."""
    session.clear()
    return redirect(url_for("pages.index"), 303)


@blueprint.post("/notes")
async def pin() -> ResponseReturnValue:
    """Put a note on the board."""
    if "name" not in session:
        return redirect(url_for("pages.index"), 303)
    text = line(request.form.get("text", ""))
    if not 0 < len(text) <= NOTE_LENGTH:
        return await board_page(f"A note has 1 to {NOTE_LENGTH} letters."), UNPROCESSABLE_CONTENT
    limit: Limit = current_app.extensions["limit"]
    if wait := await limit.hit(request.remote_addr or ""):
        page = await board_page(f"That were many notes. The next one is welcome in {wait} seconds.")
        return page, TOO_MANY, {"Retry-After": str(wait)}
    await current_board().pin(session["name"], text, current_app.config["NAME"])
    return redirect(url_for("pages.index"), 303)


@blueprint.get("/events")
async def events() -> ResponseReturnValue:
    """Send the notes that come after the last one that the page has."""
    seen = request.last_event_id or request.args.get("after", "")
    return EventStream(current_board().follow(seen), retry=2000)


async def board_page(problem: str = "") -> str:
    """Return the page, with what has to be corrected."""
    notes = await current_board().newest()
    return await arender_template(
        "board.html",
        notes=notes,
        last=notes[0].id if notes else "0-0",
        door=current_app.config["NAME"],
        visitor=session.get("name"),
        came_by=session.get("came_by"),
        problem=problem,
        longest={"name": NAME_LENGTH, "note": NOTE_LENGTH},
    )


def line(text: str) -> str:
    """Return a text as one line, without what nobody sees."""
    seen = "".join(one for one in " ".join(text.split()) if unicodedata.category(one)[0] != "C")
    return seen.strip()
