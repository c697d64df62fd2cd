"""Which function answers an exception."""

from __future__ import annotations

import typing as t

from werkzeug.exceptions import default_exceptions

Handler: t.TypeAlias = t.Callable[[t.Any], t.Any]


def key_of(what: type[Exception] | int) -> type[Exception]:
    """Return the class that a handler is registered for; a status code stands for the class that has it."""
    if not isinstance(what, int):
        return what
    if what not in default_exceptions:
        raise ValueError(
            f"No exception has the status {what}, so a handler for it would never be called. Handlers are for "
            f"exceptions: {', '.join(map(str, sorted(default_exceptions)))}, or a class."
        )
    return default_exceptions[what]


def find_handler(handlers: t.Mapping[type[Exception], Handler], error: Exception) -> Handler | None:
    """Return the handler of the nearest class of an exception: its own, then what it is derived from."""
    for cls in type(error).__mro__:
        if cls in handlers:
            return handlers[cls]
    return None
