"""Attributes and modules that are made or loaded when they are first used."""

from __future__ import annotations

import typing as t
from types import ModuleType

__all__ = ["Lazy", "asyncio", "cached_property", "class_default"]

T = t.TypeVar("T")

_set = object.__setattr__


class Lazy(t.Generic[T]):
    """An attribute that a method makes when it is first read. Another value may be assigned, before or after.

    .. code-block:: python

        class Page:
            def _make_text(self) -> str: ...

            #: What the page says.
            text = Lazy(_make_text)

    :param make: the method.
    """

    def __init__(self, make: t.Callable[[t.Any], T]) -> None:
        self.make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type[t.Any], name: str) -> None:
        self.name = name

    @t.overload
    def __get__(self, instance: None, owner: type[t.Any] | None = None) -> t.Self: ...
    @t.overload
    def __get__(self, instance: t.Any, owner: type[t.Any] | None = None) -> T: ...
    def __get__(self, instance: t.Any, owner: type[t.Any] | None = None) -> T | t.Self:
        if instance is None:
            return self
        # From now on the instance's own dict answers, and this method is not called again.
        value = self.make(instance)
        # PERF: query and header: not through the instance's dict, which Python would have to make first, 0.2 us.
        _set(instance, self.name, value)
        return value

    if t.TYPE_CHECKING:
        # Only shown to type checkers. At run time the lack of it is what lets the instance's dict answer.
        def __set__(self, instance: t.Any, value: T) -> None: ...


if t.TYPE_CHECKING:
    from werkzeug.utils import cached_property
else:
    # PERF: query and header: Werkzeug's runs Python code for each look at what is there already.
    cached_property = Lazy


class _ClassDefault:
    def __init__(self, load: t.Callable[[], t.Any]) -> None:
        self.load = load

    def __get__(self, instance: t.Any, owner: type[t.Any] | None = None) -> t.Any:
        return self.load()


def class_default(load: t.Callable[[], T]) -> T:
    """Return the value of a class attribute that is looked up when it is read, on the class or an instance.

    A subclass or an instance that has a value of its own hides it.

    :param load: returns the value, such as a class of a module that is slow to load.
    """
    default: t.Any = _ClassDefault(load)
    return t.cast("T", default)


class LazyModule(ModuleType):
    """A module that is imported when something of it is first used.

    What was used is kept, so that it costs no more than it does in the module itself.

    :param name: the dotted name of the module.
    """

    def __getattr__(self, name: str) -> t.Any:
        # Slow: that is what this is for.
        from importlib import import_module

        value = vars(self)[name] = getattr(import_module(self.__name__), name)
        return value


if t.TYPE_CHECKING:
    import asyncio as asyncio
else:
    #: ``asyncio``, which takes as long to load as a third of Erlen, and which plain views over WSGI do without.
    asyncio = LazyModule("asyncio")
