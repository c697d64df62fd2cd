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
)
from .messages import NO_APP_CONTEXT, NO_REQUEST_CONTEXT, NO_WEBSOCKET
from .wrappers import Request

if t.TYPE_CHECKING:
    from .sessions import SessionMixin
    from .websockets import WebSocket

T = t.TypeVar("T")


class ContextProxy(LocalProxy[T]):
    """A proxy with a direct way to attributes."""

    __slots__ = ()

    # PERF: query and header: an attribute of LocalProxy takes 1.0 us, this 0.4.
    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._get_current_object(), name)


app_ctx = t.cast(AppContext, ContextProxy(current_app_context))
request_ctx = t.cast(RequestContext, ContextProxy(current_request_context))

current_app = t.cast(Erlen, ContextProxy(context_var, "app", unbound_message=NO_APP_CONTEXT))
g = t.cast(_AppCtxGlobals, ContextProxy(context_var, "g", unbound_message=NO_APP_CONTEXT))
request = t.cast(Request, ContextProxy(context_var, "request", unbound_message=NO_REQUEST_CONTEXT))
websocket = t.cast("WebSocket", ContextProxy(context_var, "websocket", unbound_message=NO_WEBSOCKET))
session = t.cast("SessionMixin", ContextProxy(context_var, "session", unbound_message=NO_REQUEST_CONTEXT))
