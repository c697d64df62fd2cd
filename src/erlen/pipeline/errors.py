"""Which handler answers an exception."""

from __future__ import annotations

import typing as t

from werkzeug.exceptions import HTTPException


def find_error_handler(
    spec: t.Mapping[str | None, t.Mapping[int | None, t.Mapping[type[Exception], t.Any]]],
    error: Exception,
    blueprints: t.Sequence[str],
) -> t.Callable[[t.Any], t.Any] | None:
    """Return the handler registered for an exception, or ``None``.

    A handler for the status code comes before one for a class, a blueprint's before the application's, and the
    nearest class along the exception's MRO first.

    :param spec: handlers as in ``app.error_handler_spec``: blueprint name, then code, then class.
    :param error: the exception.
    :param blueprints: the names of the blueprints of the request, the innermost first.
    """
    code = error.code if isinstance(error, HTTPException) else None
    for wanted in (None,) if code is None else (code, None):
        for owner in (*blueprints, None):
            handlers = spec.get(owner, {}).get(wanted)
            if not handlers:
                continue
            for cls in type(error).__mro__:
                if (handler := handlers.get(cls)) is not None:
                    return t.cast("t.Callable[[t.Any], t.Any]", handler)
    return None
