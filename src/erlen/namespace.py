"""The namespace behind ``g``."""

from __future__ import annotations

import typing as t

_sentinel: t.Any = object()


class Namespace:
    """What is behind ``g``: any attribute, with the methods of a dict."""

    def __getattr__(self, name: str) -> t.Any:
        raise AttributeError(f"'g' has no attribute {name!r}: nothing has set it in this context.")

    def __setattr__(self, name: str, value: t.Any) -> None:
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self.__dict__[name]
        except KeyError:
            raise AttributeError(f"'g' has no attribute {name!r} to delete.") from None

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """Return an attribute, or the default when nothing has set it."""
        return self.__dict__.get(name, default)

    def pop(self, name: str, default: t.Any = _sentinel) -> t.Any:
        """Remove an attribute and return it.

        :param default: returned when nothing has set the attribute; without it :exc:`KeyError` is raised.
        """
        if default is _sentinel:
            return self.__dict__.pop(name)
        return self.__dict__.pop(name, default)

    def setdefault(self, name: str, default: t.Any = None) -> t.Any:
        """Return an attribute, and set it to the default first when nothing has set it."""
        return self.__dict__.setdefault(name, default)

    def __contains__(self, item: str) -> bool:
        return item in self.__dict__

    def __iter__(self) -> t.Iterator[str]:
        return iter(self.__dict__)
