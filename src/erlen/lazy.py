"""Attributes and modules that are made or loaded when they are first used."""

from __future__ import annotations

import typing as t
from types import ModuleType

T = t.TypeVar("T")

_set = object.__setattr__


def kept(instance: t.Any, name: str, value: t.Any) -> t.Any:
    """Keep the value of an attribute that a subclass has in its own way, and asks for with ``super()``.

    :param instance: what has the attribute, and cannot be assigned it.
    :param name: the attribute.
    :param value: what was made now.
    :return: what was made first.
    """
    return instance.__dict__.setdefault(name, value)


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
        try:
            _set(instance, self.name, value)
        except AttributeError:
            return t.cast("T", kept(instance, self.name, value))
        return value

    if t.TYPE_CHECKING:
        # Only shown to type checkers. At run time the lack of it is what lets the instance's dict answer.
        def __set__(self, instance: t.Any, value: T) -> None: ...


if t.TYPE_CHECKING:
    from werkzeug.utils import cached_property as cached_property
else:
    # PERF: query and header: Werkzeug's runs Python code for each look at what is there already.
    cached_property = Lazy


class ClassDefault:
    """What :func:`class_default` and :func:`kept_default` put on a class."""

    def __init__(self, load: t.Callable[[], t.Any], keeps: bool) -> None:
        self.load = load
        self.keeps = keeps

    def __set_name__(self, owner: type[t.Any], name: str) -> None:
        self.owner, self.name = owner, name

    def __get__(self, instance: t.Any, owner: type[t.Any] | None = None) -> t.Any:
        value = self.load()
        if self.keeps and vars(self.owner).get(self.name) is self:
            setattr(self.owner, self.name, value)
        return value


def class_default(load: t.Callable[[], T]) -> T:
    """Return the value of a class attribute that is looked up when it is read, on the class or an instance.

    A subclass or an instance that has a value of its own hides it.

    :param load: returns the value, such as a class of a module that is slow to load.
    """
    default: t.Any = ClassDefault(load, keeps=False)
    return t.cast("T", default)


def kept_default(load: t.Callable[[], T]) -> T:
    """Return the value of a class attribute that is looked up when it is first read, and is the attribute from then on.

    :param load: returns the value, the same one each time, as several threads may read it first.
    """
    default: t.Any = ClassDefault(load, keeps=True)
    return t.cast("T", default)


def is_untouched(cls: type[t.Any], name: str) -> bool:
    """Return whether an attribute of a class is a default that nobody has read yet, nor hidden by another value.

    :param cls: the class.
    :param name: the attribute.
    """
    for one in cls.__mro__:
        if name in vars(one):
            return isinstance(vars(one)[name], ClassDefault)
    return False


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


# Modules that plain views over WSGI do without. To load them takes half as long as to load Erlen, most of that asyncio.
if t.TYPE_CHECKING:
    import asyncio as asyncio
    import decimal as decimal
    import pathlib as pathlib
    import queue as queue
    import signal as signal
    import uuid as uuid
    from concurrent import futures as futures
else:
    asyncio = LazyModule("asyncio")
    decimal = LazyModule("decimal")
    futures = LazyModule("concurrent.futures")
    pathlib = LazyModule("pathlib")
    queue = LazyModule("queue")
    signal = LazyModule("signal")
    uuid = LazyModule("uuid")
