"""Errors in the look of the site."""

from __future__ import annotations

import typing as t

from werkzeug.exceptions import HTTPException

from erlen import Erlen, Response, render_template
from erlen.typing import ResponseReturnValue

_TEXTS: dict[int, tuple[str, str]] = {
    403: ("Not from over there", "This request came from another site, so nothing was done."),
    404: (
        "Nobody about",
        "There is no such page. If it was a room, it was empty for a while and has been closed.",
    ),
    500: ("We ran aground", "That was our mistake, not yours, and it is on record. Please try again later."),
}


def init_app(app: Erlen) -> None:
    """Show every HTTP error, and what fails unexpectedly, as a page."""
    app.register_error_handler(HTTPException, show)


def show(error: HTTPException) -> ResponseReturnValue:
    """Turn an error into a page; the status and the headers that belong to it stay."""
    if error.response is not None:
        return t.cast(Response, error.response)
    code = error.code or 500
    title, text = _TEXTS.get(code, (error.name, error.description or ""))
    response = t.cast(Response, error.get_response())
    response.data = render_template("error.html", code=code, title=title, text=text)
    response.content_type = "text/html; charset=utf-8"
    return response
