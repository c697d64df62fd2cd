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


def find_handler(
    handlers: t.Mapping[str | None, t.Mapping[type[Exception], Handler]],
    error: Exception,
    owners: t.Sequence[str | None],
) -> Handler | None:
    """Return the handler of an exception: the blueprint's before the application's, the nearest class first.

    :param handlers: the handlers by owner, ``None`` for the application.
    :param error: the exception.
    :param owners: whose handlers are meant, the innermost last.
    """
    for owner in reversed(owners):
        for cls in type(error).__mro__:
            if owner in handlers and cls in handlers[owner]:
                return handlers[owner][cls]
    return None
