"""What Flask has removed in 2.0 to 3.0 and extensions still use; the table in ``names.py`` says who."""

from __future__ import annotations

import json
import typing as t
from datetime import timedelta

from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join as join_safely

from ..helpers import get_debug_flag
from ..json import dumps
from ..json.provider import DefaultJSONProvider
from ..variables import get_variable

#: What ``signals_available`` and ``json_available`` have been for years.
TRUE = True

# Of ``flask._compat``, which told Python 2 from 3.
text_type = str
string_types = (str,)
integer_types = (int,)


def iteritems(mapping: t.Mapping[t.Any, t.Any]) -> t.Iterator[tuple[t.Any, t.Any]]:
    """Return an iterator over the items of a mapping."""
    return iter(mapping.items())


def iterkeys(mapping: t.Mapping[t.Any, t.Any]) -> t.Iterator[t.Any]:
    """Return an iterator over the keys of a mapping."""
    return iter(mapping.keys())


def itervalues(mapping: t.Mapping[t.Any, t.Any]) -> t.Iterator[t.Any]:
    """Return an iterator over the values of a mapping."""
    return iter(mapping.values())


def reraise(cls: type[BaseException], value: BaseException, traceback: t.Any = None) -> t.NoReturn:
    """Raise an exception with another traceback.

    :param cls: ignored.
    :param value: the exception.
    :param traceback: its traceback.
    """
    raise value.with_traceback(traceback or value.__traceback__)


def with_metaclass(meta: type, *bases: type) -> type:
    """Return a class of a metaclass, to be derived from.

    :param meta: the metaclass.
    :param bases: its base classes.
    """
    made: type = meta("with_metaclass", bases, {})
    return made


def get_env() -> str:
    """Return ``ERLEN_ENV`` or ``FLASK_ENV``; without them ``"development"`` in debug mode, else ``"production"``."""
    return get_variable("ENV") or ("development" if get_debug_flag() else "production")


def total_seconds(value: timedelta) -> int:
    """Return the whole seconds of a duration.

    :param value: the duration.
    """
    return int(value.total_seconds())


def safe_join(directory: str, *pathnames: str) -> str:
    """Return a path below a folder. Werkzeug's function of this name returns ``None`` where this one raises.

    :param directory: the folder.
    :param pathnames: paths relative to it, which are not trusted.
    :raises werkzeug.exceptions.NotFound: for a path that would lead out of the folder.
    """
    path = join_safely(directory, *pathnames)
    if path is None:
        raise NotFound
    return path


def htmlsafe_dumps(obj: t.Any, **kwargs: t.Any) -> t.Any:
    """Return JSON that may stand in a script element.

    :param obj: what to write.
    :param kwargs: for :func:`erlen.json.dumps`.
    """
    # Slow to load, and hardly ever called.
    from jinja2.utils import htmlsafe_json_dumps

    return htmlsafe_json_dumps(obj, dumps=dumps, **kwargs)


class JSONEncoder(json.JSONEncoder):
    """An encoder of dates, decimals, UUIDs, dataclasses and markup, as :class:`DefaultJSONProvider` writes them."""

    def default(self, o: t.Any) -> t.Any:
        """Return what is written for an object that JSON has no type for.

        :param o: the object.
        """
        return DefaultJSONProvider.default(o)


class JSONDecoder(json.JSONDecoder):
    """The standard library's decoder."""


class JSONMixin:
    """What request and response have themselves by now."""
