"""The proxies that stand for whatever is active: the application, the request, the session, ``g``.

They are for applications and extensions. Erlen's own layers below take the context instead.
"""

from __future__ import annotations

import typing as t

from werkzeug.local import LocalProxy

from .app import Erlen
from .ctx import (
    AppContext,
    RequestContext,
    _AppCtxGlobals,
    context_var,
    current_app_context,
    current_request_context,
    shows_another,
)
from .messages import NO_APP_CONTEXT, NO_REQUEST_CONTEXT, NO_WEBSOCKET
from .wrappers import Request

if t.TYPE_CHECKING:
    from .sessions import SessionMixin
    from .websockets import WebSocket

__all__ = ["app_ctx", "current_app", "g", "request", "request_ctx", "session", "websocket"]

T = t.TypeVar("T")


# What a proxy answers itself, or hands on in a way of its own: the methods with underscores.
_OWN = frozenset(dir(LocalProxy))


class ContextProxy(LocalProxy[T]):
    """A proxy with a direct way to attributes."""

    __slots__ = ()

    # PERF: query and header: Python 3.11 looks for an attribute first and writes an error message, before it calls __getattr__:
    # 0.9 us, this 0.3. An attribute that is missing is looked for twice: Python calls LocalProxy's __getattr__ then.
    def __getattribute__(self, name: str) -> t.Any:
        if name in _OWN:
            return _own(self, name)
        return getattr(_current(self)(), name)


_own = object.__getattribute__
_active = context_var.get
_current: t.Any = LocalProxy.__dict__["_get_current_object"].__get__


class RequestProxy(ContextProxy[T]):
    """The proxy of the request, which reads the context itself."""

    __slots__ = ()

    # PERF: query and header: without the two calls that find the request, 0.2 us.
    def __getattribute__(self, name: str) -> t.Any:
        if name in _OWN:
            return _own(self, name)
        context = _active(None)
        if context is None:
            raise RuntimeError(NO_REQUEST_CONTEXT)
        request = context._made
        if request is None or shows_another:
            request = context.request if shows_another else context._make_request()
            if request is None:
                raise RuntimeError(NO_REQUEST_CONTEXT)
        return getattr(request, name)


app_ctx = t.cast(AppContext, ContextProxy(current_app_context))
request_ctx = t.cast(RequestContext, ContextProxy(current_request_context))

current_app = t.cast(Erlen, ContextProxy(context_var, "app", unbound_message=NO_APP_CONTEXT))
g = t.cast(_AppCtxGlobals, ContextProxy(context_var, "g", unbound_message=NO_APP_CONTEXT))
request = t.cast(Request, RequestProxy(context_var, "request", unbound_message=NO_REQUEST_CONTEXT))
websocket = t.cast("WebSocket", ContextProxy(context_var, "websocket", unbound_message=NO_WEBSOCKET))
session = t.cast("SessionMixin", ContextProxy(context_var, "session", unbound_message=NO_REQUEST_CONTEXT))
