"""Both ways to call the phases of a request: Flask 3.1's, and the next release's, which passes the context first.

``app.preprocess_request()`` and ``app.preprocess_request(ctx)`` mean the same, and so do overrides of a subclass:
``def preprocess_request(self)`` and ``def preprocess_request(self, ctx)``.
"""

from __future__ import annotations

import inspect
import typing as t
from functools import wraps

from ..ctx import AppContext, context_var

Method: t.TypeAlias = t.Callable[..., t.Any]

#: The methods that take the context first in the next Flask.
STYLED = (
    "dispatch_request",
    "do_teardown_appcontext",
    "do_teardown_request",
    "finalize_request",
    "full_dispatch_request",
    "handle_exception",
    "handle_http_exception",
    "handle_user_exception",
    "log_exception",
    "make_default_options_response",
    "preprocess_request",
    "process_response",
    "update_template_context",
)


def takes_context(function: Method, *, bound: bool = False) -> bool:
    """Return whether a function is written for the next Flask: its first parameter is ``ctx``, or an ``AppContext``.

    :param function: the function.
    :param bound: whether it has no ``self``.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    parameters = parameters[0 if bound else 1 :]
    if not parameters or parameters[0].kind not in {
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    }:
        return False
    first = parameters[0]
    if first.annotation is inspect.Parameter.empty:
        return first.name == "ctx"
    if isinstance(first.annotation, str):
        return first.annotation.strip("\"'").rpartition(".")[2] == "AppContext"
    return isinstance(first.annotation, type) and issubclass(first.annotation, AppContext)


def _call_within(context: AppContext, function: t.Callable[[], t.Any]) -> t.Any:
    """Call a function with a context active, which it nearly always is."""
    if context_var.get(None) is context:
        return function()
    token = context_var.set(context)
    try:
        return function()
    finally:
        context_var.reset(token)


def _split(args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> tuple[AppContext | None, tuple[t.Any, ...]]:
    if args and isinstance(args[0], AppContext):
        return args[0], args[1:]
    return kwargs.pop("ctx", None), args


def without_context(function: Method) -> Method:
    """Let a method that is called without the context be called with it as well.

    :param function: a method in Flask 3.1's style.
    """

    @wraps(function)
    def method(self: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        # PERF: plaintext: nearly all calls are the pipeline's own, which pass no context.
        if not args and not kwargs:
            return function(self)
        context, args = _split(args, kwargs)
        if context is None:
            return function(self, *args, **kwargs)
        return _call_within(context, lambda: function(self, *args, **kwargs))

    return method


def with_context(function: Method) -> Method:
    """Let a method that takes the context first be called without it.

    :param function: a method in the next Flask's style.
    """

    @wraps(function)
    def method(self: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        context, args = _split(args, kwargs)
        if context is None:
            return function(self, context_var.get(), *args, **kwargs)
        return _call_within(context, lambda: function(self, context, *args, **kwargs))

    return method


def assigned(function: t.Any) -> t.Any:
    """Return what is to be called for a function that was assigned on an application, in either style.

    :param function: the function, without ``self``.
    """
    if not callable(function) or not takes_context(function, bound=True):
        return function

    @wraps(function)
    def phase(*args: t.Any, **kwargs: t.Any) -> t.Any:
        context, args = _split(args, kwargs)
        return function(context or context_var.get(), *args, **kwargs)

    return phase


def accept_both(cls: type[t.Any], stock: t.Collection[type]) -> None:
    """Let the phases that a class overrides, itself or through a mixin, be called in both styles.

    :param cls: the class; wrapped functions are set on it.
    :param stock: the classes whose methods accept both already.
    """
    for name in STYLED:
        owner = next(one for one in cls.__mro__ if name in vars(one))
        function = vars(owner)[name]
        if owner in stock or not inspect.isfunction(function) or hasattr(function, "accepts_both_styles"):
            continue
        method: t.Any = (with_context if takes_context(function) else without_context)(function)
        method.accepts_both_styles = True
        setattr(cls, name, method)
