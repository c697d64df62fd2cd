"""What stands around an application: middleware, hooks of extensions, and the source of its functions."""

from __future__ import annotations

import inspect
import typing as t
from pathlib import Path

from .model import Subject

# The attributes under which middleware keeps what it wraps.
_INNER = ("app", "wsgi_app", "application", "_app", "__wrapped__")

# More layers than anybody has; a wrapper that names itself must not go on for ever.
_DEEPEST = 50


def middleware(subject: Subject) -> list[t.Any]:
    """Return the objects around ``app.wsgi_app`` and ``app.asgi``, the outermost first.

    A plain function hides what it wraps: it is the last of its chain.

    :param subject: what is looked at.
    """
    found: list[t.Any] = []
    for name in ("wsgi_app", "asgi"):
        layer = vars(subject.app).get(name)
        for _ in range(_DEEPEST):
            if layer is None or getattr(layer, "__self__", None) is subject.app or layer is subject.app:
                break
            found.append(layer)
            layer = _inside(layer)
    return found


def _inside(layer: t.Any) -> t.Any:
    attributes = getattr(layer, "__dict__", {})
    return next((attributes[name] for name in _INNER if callable(attributes.get(name))), None)


def class_name(value: t.Any) -> str:
    """Return the full name of a value's class.

    :param value: any object.
    """
    return f"{type(value).__module__}.{type(value).__qualname__}"


def is_a(value: t.Any, *names: str) -> bool:
    """Return whether a value's class, or a base of it, has one of these full names; nothing is imported for it.

    :param value: any object.
    :param names: such as ``"werkzeug.middleware.proxy_fix.ProxyFix"``.
    """
    return any(f"{one.__module__}.{one.__qualname__}" in names for one in type(value).__mro__)


def hooks_of(subject: Subject, package: str) -> list[t.Any]:
    """Return the functions of a package that run before or after each request.

    :param subject: what is looked at.
    :param package: its top module, such as ``"flask_talisman"``.
    """
    registries = (subject.app.before_request_funcs, subject.app.after_request_funcs)
    functions = [function for registry in registries for function in registry.get(None, ())]
    return [one for one in functions if str(getattr(one, "__module__", "")).partition(".")[0] == package]


def place_of(function: t.Any, folder: Path) -> str:
    """Return file and line of a function, in brackets, for a message; nothing where they are not known.

    :param function: a view, possibly decorated.
    :param folder: what the path is shown relative to.
    """
    target: t.Any = getattr(function, "view_class", None) or inspect.unwrap(function)
    try:
        file = Path(inspect.getsourcefile(target) or "")
        line = (
            target.__code__.co_firstlineno
            if hasattr(target, "__code__")
            else inspect.getsourcelines(target)[1]
        )
    except (OSError, TypeError):
        return ""
    return f" ({relative(file, folder)}:{line})"


def relative(path: Path, folder: Path) -> str:
    """Return a path as it is read best: relative to a folder it is in, else whole.

    :param path: the path.
    :param folder: the folder.
    """
    path, folder = path.resolve(), folder.resolve()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
