"""Plain callables that servers take for coroutine functions, as what they return over ASGI is a coroutine."""

from __future__ import annotations

import inspect
import sys
import typing as t
import weakref

from .lazy import asyncio


def mark_as_coroutine_function(cls: t.Any) -> None:
    """Let ``inspect`` and ``asyncio`` take the plain ``__call__`` of a class for a coroutine function.

    Until Python 3.12 the mark was one of asyncio's; :func:`mark_instance` sets that.

    :param cls: the class.
    """
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(cls.__call__)


def mark_instance(instance: t.Any, cls: t.Any) -> None:
    """Set asyncio's own mark, in a Python that has no other, as soon as asyncio is loaded.

    :param instance: whose ``__call__`` servers will look at.
    :param cls: the class whose ``__call__`` was to be marked. A subclass may have another.
    """
    if sys.version_info >= (3, 12):
        return
    if "asyncio" in sys.modules:
        cls.__call__._is_coroutine = t.cast(t.Any, asyncio.coroutines)._is_coroutine
    elif type(instance).__call__ is cls.__call__:
        # Only who asks for the attribute gets this one: a call takes that of the class.
        vars(instance)["__call__"] = _MarkedCall(instance)


class _MarkedCall:
    """The ``__call__`` of an instance that was made before asyncio was loaded; who looks for the mark has loaded it."""

    def __init__(self, instance: t.Any) -> None:
        # Weak: the instance holds this.
        self._instance = weakref.ref(instance)

    def __call__(self, *args: t.Any) -> t.Any:
        instance = self._instance()
        assert instance is not None
        return type(instance).__call__(instance, *args)

    @property
    def _is_coroutine(self) -> t.Any:
        return t.cast(t.Any, asyncio.coroutines)._is_coroutine
