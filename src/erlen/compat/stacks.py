"""The stacks of contexts that Flask had until 2.2, and its variable for requests, on Erlen's one context variable."""

from __future__ import annotations

import typing as t
from contextvars import Token

from ..ctx import AppContext, context_var
from ..globals import current_app
from ..messages import NO_APP_CONTEXT, NO_REQUEST_CONTEXT

_missing: t.Any = object()


class AppContextVar:
    """What Flask 2.2 to 3.1 has as ``flask.globals._cv_app``: the context variable of the application context."""

    name = "erlen.context"

    def _find(self) -> AppContext | None:
        context = context_var.get(None)
        return None if context is None else context.lender or context

    def get(self, default: t.Any = _missing) -> t.Any:
        """Return the active context.

        :param default: returned where there is none; without it :exc:`LookupError` is raised.
        """
        context = self._find()
        if context is not None:
            return context
        if default is _missing:
            raise LookupError(self)
        return default

    def set(self, value: AppContext) -> Token[AppContext]:
        """Make a context the active one; :meth:`reset` takes the token that is returned."""
        return context_var.set(value)

    def reset(self, token: Token[AppContext]) -> None:
        """Make the context before :meth:`set` the active one again."""
        context_var.reset(token)


class RequestContextVar(AppContextVar):
    """What Flask 2.2 to 3.1 has as ``flask.globals._cv_request``: the active context, where there is a request."""

    def _find(self) -> AppContext | None:
        context = context_var.get(None)
        return context if context is not None and context.has_request else None


#: See :class:`AppContextVar`.
app_context_var = AppContextVar()
#: See :class:`RequestContextVar`.
request_context_var = RequestContextVar()


class ContextStack:
    """A stack of contexts as Flask had until 2.2: ``top`` is the active one.

    :param only_requests: whether contexts without a request do not count.
    """

    def __init__(self, only_requests: bool) -> None:
        self._only_requests = only_requests

    @property
    def top(self) -> t.Any:
        """The active context, ``None`` where there is none. Any attribute may be set on it."""
        return (request_context_var if self._only_requests else app_context_var).get(None)

    def push(self, context: AppContext) -> None:
        """Make a context the active one.

        :param context: what ``app.app_context()`` or ``app.test_request_context()`` returns.
        """
        context.push()

    def pop(self) -> t.Any:
        """End the active context and return it, ``None`` where there is none."""
        context = context_var.get(None)
        if context is None or (self._only_requests and not context.has_request):
            return None
        context.pop()
        return context


_request_ctx_stack = ContextStack(only_requests=True)
_app_ctx_stack = ContextStack(only_requests=False)


def _lookup_req_object(name: str) -> t.Any:
    """Return an attribute of the request's context.

    :param name: the attribute, ``"request"`` or ``"session"``.
    """
    context = request_context_var.get(None)
    if context is None:
        raise RuntimeError(NO_REQUEST_CONTEXT)
    return getattr(context, name)


def _lookup_app_object(name: str) -> t.Any:
    """Return an attribute of the active context.

    :param name: the attribute, ``"g"`` for one.
    """
    context = context_var.get(None)
    if context is None:
        raise RuntimeError(NO_APP_CONTEXT)
    return getattr(context, name)


def _find_app() -> t.Any:
    """Return the active application."""
    return t.cast("t.Any", current_app)._get_current_object()
