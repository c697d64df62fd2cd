"""Tracebacks as their readers want them: beginning in their own code."""

from __future__ import annotations

import typing as t


def own_traceback(error: BaseException) -> BaseException:
    """Cut the frames of the import system, of the command line and of Erlen off the front of a traceback.

    What is left begins in the user's code. A traceback that never gets there stays whole.

    :param error: the exception; it is changed in place and returned.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").split(".")[0] in _MACHINERY:
        trace = trace.tb_next
    # A syntax error has no frame of the user's: its message holds the place. Nor has a group, but what is in it.
    if trace is not None or isinstance(error, SyntaxError | BaseExceptionGroup):
        error.__traceback__ = trace
    if isinstance(error, BaseExceptionGroup):
        for one in t.cast("BaseExceptionGroup[BaseException]", error).exceptions:
            own_traceback(one)
    return error


_MACHINERY = {
    "__main__",
    "asyncio",
    "concurrent",
    "contextlib",
    "runpy",
    "importlib",
    "_frozen_importlib",
    "_frozen_importlib_external",
    "click",
    "erlen",
}
