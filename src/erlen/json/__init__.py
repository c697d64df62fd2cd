"""JSON as the active application reads and writes it, and as :mod:`json` does where there is none."""

from __future__ import annotations

import json as _json
import typing as t

from ..ctx import context_var, current_context
from .provider import DefaultJSONProvider

__all__ = ["dump", "dumps", "jsonify", "load", "loads"]


def dumps(obj: t.Any, **kwargs: t.Any) -> str:
    """Return a value as JSON text, by ``app.json`` where an application is active.

    :param obj: the value.
    :param kwargs: what the provider's ``dumps`` takes.
    """
    context = context_var.get(None)
    if context is not None:
        return t.cast(str, context.app.json.dumps(obj, **kwargs))
    kwargs.setdefault("default", DefaultJSONProvider.default)
    return _json.dumps(obj, **kwargs)


def dump(obj: t.Any, fp: t.IO[str], **kwargs: t.Any) -> None:
    """Write a value as JSON text to a file, by ``app.json`` where an application is active.

    :param obj: the value.
    :param fp: a file opened for text, preferably as UTF-8.
    :param kwargs: what the provider's ``dump`` takes.
    """
    context = context_var.get(None)
    if context is not None:
        context.app.json.dump(obj, fp, **kwargs)
    else:
        kwargs.setdefault("default", DefaultJSONProvider.default)
        _json.dump(obj, fp, **kwargs)


def loads(s: str | bytes, **kwargs: t.Any) -> t.Any:
    """Return the value of JSON text, by ``app.json`` where an application is active.

    :param s: the text, bytes as UTF-8.
    :param kwargs: what the provider's ``loads`` takes.
    """
    context = context_var.get(None)
    return _json.loads(s, **kwargs) if context is None else context.app.json.loads(s, **kwargs)


def load(fp: t.IO[t.AnyStr], **kwargs: t.Any) -> t.Any:
    """Return the value of the JSON text in a file, by ``app.json`` where an application is active.

    :param fp: a file opened for text or bytes.
    :param kwargs: what the provider's ``load`` takes.
    """
    context = context_var.get(None)
    return _json.load(fp, **kwargs) if context is None else context.app.json.load(fp, **kwargs)


def jsonify(*args: t.Any, **kwargs: t.Any) -> t.Any:
    """Return a response with JSON as its body. Needs an active application.

    A view may return a dict or a list instead.

    :param args: the value; several make a list, none makes ``null``.
    :param kwargs: the members of an object, instead of ``args``.
    """
    return current_context().app.json.response(*args, **kwargs)
