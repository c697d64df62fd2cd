"""Functions that views call."""

from __future__ import annotations

import typing as t

from .ctx import current_context


def url_for(endpoint: str, /, **values: t.Any) -> str:
    """Return the URL of an endpoint of the active application."""
    return current_context().app.url_for(endpoint, **values)
