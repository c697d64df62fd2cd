"""The view of a request: which function it is, and where that stands."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import linecache
import re
import types
import typing as t

from ..ctx import AppContext
from .source import OF_ANYBODY, is_library, short_path
from .values import type_name

# Lines of decorators above a function.
_DECORATORS = 100


@dataclasses.dataclass
class View:
    """The view of a request.

    :param name: its qualified name, with that of its module.
    :param code: its code, ``None`` for what is not written in Python.
    :param names: the globals of its module.
    :param line: that of its ``def``.
    """

    name: str
    code: types.CodeType | None = None
    names: dict[str, t.Any] = dataclasses.field(default_factory=dict[str, t.Any])
    line: int = 0

    @property
    def place(self) -> str:
        """Its name and where it stands."""
        return (
            self.name
            if self.code is None
            else f"{self.name}, {short_path(self.code.co_filename)}:{self.line}"
        )

    @property
    def is_own(self) -> bool:
        """Whether it is the user's own code."""
        if self.code is None or self.code.co_filename in OF_ANYBODY:
            return False
        return not is_library(self.code.co_filename)


def view_of(context: AppContext | None) -> View | None:
    """Return the view of a request, ``None`` where none has been found for it.

    :param context: the context of the request.
    """
    if context is None:
        return None
    try:
        request = context.request
        if request.endpoint is None:
            return None
        return _read(context.app.view_functions[request.endpoint], request.method)
    except Exception:  # Objects of somebody's own may raise anything when they are asked.
        return None


def _read(view: t.Any, method: str) -> View:
    function = _function(view, method)
    code = getattr(function, "__code__", None)
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type_name(type(function)))}"
    if not isinstance(code, types.CodeType):
        return View(name)
    names = getattr(function, "__globals__", {})
    return View(name, code, names, _line_of_def(code, names))


def _function(view: t.Any, method: str) -> t.Any:
    """Return what a view is beneath its decorators; of a class the method that answers the request."""
    plain = _unwrapped(view)
    found = getattr(view, "view_class", None) or getattr(plain, "view_class", None)
    if found is not None:
        for name in ("dispatch_request", method.lower(), "get" if method == "HEAD" else ""):
            function = _unwrapped(getattr(found, name, None))
            code = getattr(function, "__code__", None)
            # That of MethodView calls the others.
            if code is not None and not is_library(code.co_filename):
                return function
        return found
    if not hasattr(plain, "__code__") and not isinstance(plain, type):
        # An object that is called.
        called = _unwrapped(type(plain).__call__)
        return called if hasattr(called, "__code__") else plain
    return plain


def _unwrapped(function: t.Any) -> t.Any:
    function = inspect.unwrap(function)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(t.cast("t.Any", function).func)
    return function


def _line_of_def(code: types.CodeType, names: dict[str, t.Any]) -> int:
    """Return the line of a function's ``def``: that of its code is the one of its first decorator."""
    first = code.co_firstlineno
    begin = re.compile(rf"\s*(?:async\s+)?def\s+{re.escape(code.co_name)}\b")
    linecache.checkcache(code.co_filename)
    lines = linecache.getlines(code.co_filename, names)
    for number, line in enumerate(lines[first - 1 : first + _DECORATORS], first):
        if begin.match(line):
            return number
    return first


def last_line_of(code: types.CodeType) -> int:
    """Return the last line of a function in which something is done.

    :param code: its code.
    """
    inner = [last_line_of(one) for one in code.co_consts if isinstance(one, types.CodeType)]
    return max([code.co_firstlineno, *inner, *(line for _, _, line in code.co_lines() if line)])
