"""The headers of a request by their names, read where the server has put them."""

from __future__ import annotations

import typing as t

from werkzeug.datastructures import EnvironHeaders

from .scopes import add_headers

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: How many names are remembered. An application asks for few; where it asks for what a client names, there is no room.
KNOWN_NAMES = 256


class _Keys(dict[t.Any, str]):
    """The keys under which an environment has headers (PEP 3333), by the names an application asks for.

    PERF: query and header: a look-up in place of making the key, 0.2 us.
    """

    def __missing__(self, name: t.Any) -> str:
        key: str = name.upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        if len(self) < KNOWN_NAMES:
            self[name] = key
        return key


class _Names(dict[t.Any, bytes]):
    """The names under which a scope has headers, by those an application asks for."""

    def __missing__(self, name: t.Any) -> bytes:
        # As an environment has only one spelling for both, a name with underscores finds that with hyphens.
        field: bytes = name.lower().replace("_", "-").encode("ascii")
        if len(self) < KNOWN_NAMES:
            self[name] = field
        return field


_keys = _Keys()
_names = _Names()


class RequestHeaders(EnvironHeaders):
    """The headers of a request over WSGI, a view on its environment that cannot be changed.

    :param environ: the environment.
    """

    # Nothing is kept here, so all share it.
    _list: t.ClassVar[list[t.Any]] = []  # type: ignore[misc]

    def __getitem__(self, key: str) -> str:  # type: ignore[override]
        if type(key) is not str:
            return super().__getitem__(key)
        value: str = self.environ[_keys[key]]
        return value

    def _get_key(self, key: str) -> str:
        # What Werkzeug's methods ask.
        return super()._get_key(key) if type(key) is not str else self[key]


class ScopeHeaders(RequestHeaders):
    """The headers of a request over ASGI, read off the scope as long as the request has no environment."""

    # The head of the request, which becomes its environment; the headers by their names; those as an environment has them. The
    # request itself is not held, as it holds these.
    _head: dict[str, t.Any]
    _fields: dict[bytes, bytes]
    _own: dict[str, t.Any] | None = None

    @property
    def environ(self) -> WSGIEnvironment:  # type: ignore[override]
        """The environment of the request, or of its headers alone while nothing has asked for that."""
        if "wsgi.version" in self._head:
            return self._head
        if self._own is None:
            self._own = {}
            add_headers(self._own, self._fields.items())
        return self._own

    def __getitem__(self, key: str) -> str:  # type: ignore[override]
        if type(key) is str and "wsgi.version" not in self._head:
            # PERF: async query and header: making the environment takes 5 us.
            try:
                field = self._fields.get(_names[key])
            except UnicodeEncodeError:
                field = None
            if field is not None:
                return field.decode("latin1")
            if key.isascii() and all(map(bytes.islower, self._fields)):
                # It is in none of the spellings that a name can have.
                raise KeyError(_keys[key])
        return super().__getitem__(key)
