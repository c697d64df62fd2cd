"""Code that has an ``await`` outside of functions, compiled and run."""

from __future__ import annotations

import ast
import inspect
import linecache
import sys
import traceback
import typing as t
from types import CodeType

from ...pipeline.bridge import run_coroutine

#: Lets the compiler accept ``await`` outside of functions.
COMPILER_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

#: Runs a coroutine to its end and returns its result.
Runner: t.TypeAlias = t.Callable[[t.Coroutine[t.Any, t.Any, t.Any]], t.Any]


def run_code(code: CodeType, namespace: dict[str, t.Any], run: Runner = run_coroutine) -> None:
    """Run compiled code in a namespace.

    :param code: compiled with :data:`COMPILER_FLAGS`.
    :param namespace: its globals.
    :param run: what runs code that awaits something.
    """
    # The user's own code, at the user's own prompt.
    result = eval(code, namespace)  # noqa: S307
    if code.co_flags & inspect.CO_COROUTINE:
        run(result)


def run_source(source: str, filename: str, namespace: dict[str, t.Any]) -> int:
    """Run code as ``python -c`` does, with ``await`` where one likes, and return the exit code.

    An exception is shown from the code on. :exc:`SystemExit` passes.

    :param source: the code.
    :param filename: how tracebacks name it.
    :param namespace: its globals.
    """
    # So that tracebacks show the lines.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    try:
        run_code(compile(source, filename, "exec", COMPILER_FLAGS), namespace)
    except KeyboardInterrupt:
        # What shells report for a program that was ended by SIGINT.
        return 130
    except Exception as error:
        show_error(error, filename)
        return 1
    return 0


def show_error(error: BaseException, filename: str) -> None:
    """Print a traceback that begins in the user's code, as Python does for an error that nobody has caught.

    :param error: the exception; its traceback is cut.
    :param filename: what the code was compiled as. A traceback without it is all of Erlen's, and not shown.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    error.__traceback__ = trace
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    if sys.excepthook is sys.__excepthook__ and sys.version_info < (3, 13):
        # Python's own hook reads lines from files alone there, and those of this code are in none.
        traceback.print_exception(error)
    else:
        sys.excepthook(type(error), error, trace)
