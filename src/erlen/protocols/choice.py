"""Which of the two protocols a server should speak with an application."""

from __future__ import annotations

import inspect
import typing as t

from ..pipeline.bridge import is_async, spelled_async


def asgi_reason(app: t.Any) -> str | None:
    """Return what of an application is better served over ASGI, ``None`` where nothing is.

    A WebSocket needs ASGI. Other async functions run over WSGI as well, each request with a hop to a loop; over ASGI
    they share the server's loop.

    :param app: the application.
    """
    for rule in app.url_map.iter_rules():
        if rule.websocket:
            return f"the WebSocket {rule.rule!r}"
    if (app.plan or app.freeze()).answers_plainly:
        # Every request goes through the plain spelling, which WSGI has without a hop.
        return None
    for endpoint, view in app.view_functions.items():
        if is_async(view) or spelled_async(view):
            return f"the async view {endpoint!r}"
    for function in _hooks(app):
        if is_async(function) or inspect.isasyncgenfunction(inspect.unwrap(function)):
            return f"the async function {getattr(function, '__qualname__', repr(function))!r}"
    return None


def _hooks(app: t.Any) -> t.Iterator[t.Any]:
    for name in (
        "lifespan_funcs",
        "before_serving_funcs",
        "after_serving_funcs",
        "teardown_appcontext_funcs",
    ):
        yield from getattr(app, name)
    for name in (
        "before_request_funcs",
        "after_request_funcs",
        "teardown_request_funcs",
        "url_value_preprocessors",
    ):
        for functions in getattr(app, name).values():
            yield from functions
