"""Which handler answers an exception."""

from __future__ import annotations

import typing as t

from werkzeug.exceptions import HTTPException

Handler: t.TypeAlias = t.Callable[[t.Any], t.Any]

#: How many results of looking for a handler are remembered, and how many handlers in the forms in which they are called.
KNOWN_HANDLERS = 256


class ErrorHandlers:
    """Which handler answers an exception, remembered: classes, codes and blueprints of an application are few.

    A plan has one of these, so what it knows is dropped when a handler is registered. Threads share it: each change is a
    single dict operation, and what is stored is the same whichever thread does it.

    PERF: error handler, 404: looking along the MRO and at whether the handler is async costs 4 us.

    :param app: the application, for its ``ensure_sync`` and ``ensure_async``.
    """

    def __init__(self, app: t.Any) -> None:
        self._app = app
        self._found: dict[t.Hashable, Handler | None] = {}
        self._forms: dict[int, tuple[Handler, Handler, Handler]] = {}

    def find(self, spec: t.Any, error: Exception, blueprints: t.Sequence[str]) -> Handler | None:
        """Return what :func:`find_error_handler` returns."""
        code = error.code if isinstance(error, HTTPException) else None
        key = type(error), code, *blueprints
        try:
            return self._found[key]
        except KeyError:
            handler = find_error_handler(spec, error, blueprints)
            if len(self._found) < KNOWN_HANDLERS:
                self._found[key] = handler
            return handler

    def forms(self, handler: Handler) -> tuple[Handler, Handler, Handler]:
        """Return a handler as it is, as a plain function, and as an async one.

        :param handler: the handler.
        """
        forms = self._forms.get(id(handler))
        if forms is None:
            # The handler itself as well, so that no other object gets its id.
            forms = handler, self._app.ensure_sync(handler), self._app.ensure_async(handler)
            if len(self._forms) < KNOWN_HANDLERS:
                self._forms[id(handler)] = forms
        return forms


def find_error_handler(
    spec: t.Mapping[str | None, t.Mapping[int | None, t.Mapping[type[Exception], t.Any]]],
    error: Exception,
    blueprints: t.Sequence[str],
) -> Handler | None:
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
                    return t.cast(Handler, handler)
    return None
