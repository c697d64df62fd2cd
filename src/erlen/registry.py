"""Dicts and lists that tell their owner when they change.

An application freezes what it knows at its first request (see ``pipeline/steps.py``). Extensions nevertheless
reach into ``app.view_functions`` or ``app.before_request_funcs`` later. These containers behave like the
built-in ones and call ``changed()`` after each mutation, so that the owner can drop what it froze.
"""

from __future__ import annotations

import typing as t
from collections import defaultdict

K = t.TypeVar("K")
V = t.TypeVar("V")
C = t.TypeVar("C", bound=type[t.Any])

_LIST_MUTATORS = (
    "__setitem__ __delitem__ __iadd__ __imul__ append clear extend insert pop remove reverse sort".split()
)
_DICT_MUTATORS = "__setitem__ __delitem__ __ior__ clear pop popitem setdefault update".split()


def _telling(method: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    def mutate(self: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        try:
            return method(self, *args, **kwargs)
        finally:
            if (changed := self.changed) is not None:
                changed()

    mutate.__name__ = method.__name__
    mutate.__doc__ = method.__doc__
    return mutate


def tells_of(mutators: t.Iterable[str]) -> t.Callable[[C], C]:
    """Decorate a container class so that the named methods call ``self.changed()`` after they ran.

    :param mutators: names of the methods that change the container.
    """

    def decorate(cls: C) -> C:
        for name in mutators:
            setattr(cls, name, _telling(getattr(cls, name)))
        return cls

    return decorate


@tells_of(_LIST_MUTATORS)
class TellingList(list[V]):
    """A list that calls ``changed()`` after each mutation."""

    changed: t.Callable[[], object] | None = None


@tells_of(_DICT_MUTATORS)
class TellingDict(dict[K, V]):
    """A dict that calls ``changed()`` after each mutation."""

    changed: t.Callable[[], object] | None = None


@tells_of(_DICT_MUTATORS)
class HookRegistry(defaultdict[K, V]):
    """A ``defaultdict`` of containers, all of which tell when they change.

    Plain lists and dicts that are put in are stored as their telling counterparts.

    :param make: what makes the container of a missing key: :class:`TellingList` or :class:`TellingDict`, or a
        function that returns another registry.
    """

    changed: t.Callable[[], object] | None = None

    def __init__(self, make: t.Callable[[], t.Any]) -> None:
        super().__init__(make)

    def __missing__(self, key: K) -> V:
        assert self.default_factory is not None
        self[key] = self.default_factory()
        return self[key]

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, t.cast(V, self._adopt(value)))

    def setdefault(self, key: K, default: t.Any = None) -> V:
        """Return the container of a key, and store the default there when the key is missing."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Set several keys, as :meth:`dict.update` does."""
        # The one of ``dict`` stores values without ``__setitem__``.
        given: dict[t.Any, V] = dict(*args, **kwargs)
        for key, value in given.items():
            self[key] = value

    def __ior__(self, value: t.Any, /) -> t.Self:  # type: ignore[override, misc]
        self.update(value)
        return self

    def listen(self, changed: t.Callable[[], object]) -> t.Self:
        """Call ``changed`` after each mutation of this registry and of everything in it."""
        self.changed = changed
        for key, value in list(self.items()):
            dict.__setitem__(self, key, self._adopt(value))
        return self

    def _adopt(self, value: t.Any) -> t.Any:
        if type(value) is list:
            value = TellingList(value)
        elif type(value) is dict:
            value = TellingDict(value)
        if isinstance(value, HookRegistry):
            if self.changed is not None:
                value.listen(self._tell)
        elif isinstance(value, TellingList | TellingDict):
            value.changed = self._tell
        return value

    def _tell(self) -> None:
        if self.changed is not None:
            self.changed()
