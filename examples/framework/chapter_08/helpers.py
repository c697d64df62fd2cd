"""Functions that views call."""

from __future__ import annotations

import typing as t

from .ctx import current_context


def url_for(endpoint: str, /, **values: t.Any) -> str:
    """Return the URL of an endpoint of the active application."""
    return current_context().app.url_for(endpoint, **values)


def flash(message: str, category: str = "message") -> None:
    """Keep a message for the next page that shows messages."""
    session = current_context().session
    # A new list: the session notices what is set, and not what is appended to a list in it.
    session["_flashes"] = [*session.get("_flashes", []), [category, message]]


def get_flashed_messages(with_categories: bool = False) -> list[t.Any]:
    """Return the messages that were kept, and forget them when the request is over."""
    context = current_context()
    if context.flashes is None:
        context.flashes = [tuple(pair) for pair in context.session.pop("_flashes", [])]
    return list(context.flashes) if with_categories else [message for _, message in context.flashes]
