"""Errors in the look of the page, and what is said while Redis cannot be reached."""

from __future__ import annotations

import typing as t

from redis.exceptions import RedisError
from werkzeug.exceptions import HTTPException, InternalServerError, ServiceUnavailable

from erlen import Erlen, Response, current_app, render_template
from erlen.typing import ResponseReturnValue

_TEXTS: dict[int, tuple[str, str]] = {
    403: ("Not from over there", "This request came from another site, so nothing was done."),
    404: ("No such door", "There is no page at this address."),
    500: ("Something broke", "That was our mistake, and it is on record. Please try again later."),
    503: (
        "Both doors are shut",
        "The board cannot be reached at the moment. It is tried again all the time.",
    ),
}


def init_app(app: Erlen) -> None:
    """Show every HTTP error as a page, and a lost Redis as 503."""
    app.register_error_handler(HTTPException, show)
    app.register_error_handler(RedisError, lost)


def lost(error: RedisError) -> ResponseReturnValue:
    """Say that Redis cannot be reached: that is over soon, and trying again helps."""
    current_app.logger.error("Redis failed: %s", error)
    return show(ServiceUnavailable(retry_after=5))


def show(error: HTTPException) -> ResponseReturnValue:
    """Turn an error into a page; the status and the headers that belong to it stay."""
    # Saving the session comes after the view, where an error is a 500 with its cause.
    if isinstance(error, InternalServerError) and isinstance(error.original_exception, RedisError):
        return lost(error.original_exception)
    if error.response is not None:
        return t.cast(Response, error.response)
    code = error.code or 500
    title, text = _TEXTS.get(code, (error.name, error.description or ""))
    response = t.cast(Response, error.get_response())
    # The session is not asked for: it may be what failed.
    response.data = render_template(
        "error.html", code=code, title=title, text=text, door=current_app.config["NAME"]
    )
    response.content_type = "text/html; charset=utf-8"
    return response
