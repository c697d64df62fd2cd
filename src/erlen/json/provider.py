"""JSON as a replaceable provider: ``app.json`` decides how the application reads and writes it."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from datetime import date
from weakref import proxy

from werkzeug.http import http_date

from ..lazy import decimal, uuid
from ..typing import Application

__all__ = ["DefaultJSONProvider", "JSONProvider"]

# Without a space after comma and colon, as responses and cookies are written.
COMPACT = (",", ":")


class JSONProvider:
    """What an application needs of a JSON library. Subclasses implement at least :meth:`dumps` and :meth:`loads`.

    Assign an instance to ``app.json``, or the class to ``json_provider_class`` of an application class.

    :param app: the application, kept as ``self._app`` without keeping it alive.
    """

    def __init__(self, app: Application) -> None:
        self._app: Application = proxy(app)

    def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        """Return a value as JSON text.

        :param obj: the value.
        :param kwargs: what the library takes.
        """
        raise NotImplementedError(_not_implemented(self, "dumps(self, obj, **kwargs) -> str"))

    def dump(self, obj: t.Any, fp: t.IO[str], **kwargs: t.Any) -> None:
        """Write a value as JSON text to a file.

        :param obj: the value.
        :param fp: a file opened for text, preferably as UTF-8.
        :param kwargs: what :meth:`dumps` takes.
        """
        fp.write(self.dumps(obj, **kwargs))

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        """Return the value of JSON text.

        :param s: the text, bytes as UTF-8.
        :param kwargs: what the library takes.
        :raises ValueError: when the text is not JSON.
        """
        raise NotImplementedError(_not_implemented(self, "loads(self, s, **kwargs)"))

    def load(self, fp: t.IO[t.AnyStr], **kwargs: t.Any) -> t.Any:
        """Return the value of the JSON text in a file.

        :param fp: a file opened for text or bytes.
        :param kwargs: what :meth:`loads` takes.
        """
        return self.loads(fp.read(), **kwargs)

    def _prepare_response_obj(self, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> t.Any:
        """Return the value that the arguments of :meth:`response` mean."""
        if kwargs:
            if args:
                raise TypeError(
                    f"A JSON response was given {len(args)} positional and {len(kwargs)} keyword arguments, which "
                    f"could be a list or an object. Pass one kind: jsonify(value), jsonify(a, b) or "
                    f"jsonify(name=value)."
                )
            return kwargs
        if len(args) == 1:
            return args[0]
        return args or None

    def response(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Return a response with JSON as its body.

        :param args: the value; several make a list, none makes ``null``.
        :param kwargs: the members of an object, instead of ``args``.
        """
        obj = self._prepare_response_obj(args, kwargs)
        return self._app.response_class(self.dumps(obj), mimetype="application/json")


def _not_implemented(provider: JSONProvider, signature: str) -> str:
    return (
        f"{type(provider).__name__!r} is used as a JSON provider and has no {signature.partition('(')[0]!r} of its "
        f"own. Add 'def {signature}' to it, or derive it from 'DefaultJSONProvider'."
    )


def _default(o: t.Any) -> t.Any:
    """Return what the JSON library can write instead of a value that it cannot.

    :raises TypeError: for a type nothing is known of.
    """
    if isinstance(o, date):
        return http_date(o)
    if isinstance(o, decimal.Decimal | uuid.UUID):
        return str(o)
    if dataclasses.is_dataclass(o) and not isinstance(o, type):
        return dataclasses.asdict(t.cast(t.Any, o))
    if hasattr(o, "__html__"):
        return str(t.cast(t.Any, o).__html__())
    raise TypeError(
        f"Object of type {type(o).__name__} is not JSON serializable. Convert {_short(o)} before it is returned, "
        f"or give the application's provider a 'default' that does: app.json.default = convert."
    )


def _short(value: t.Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class _KeptEncoder(json.JSONEncoder):
    """An encoder that makes the C part of its work once.

    PERF: json: the base class makes it anew for each value, with what notices a value that holds itself: 1.4 us.
    Here such a value runs into the limit of recursion, and the base class then says what is wrong with it.
    """

    def __init__(self, **settings: t.Any) -> None:
        super().__init__(**settings)
        # Not public, and missing in other implementations than CPython: then the base class does it all.
        make: t.Any = getattr(json.encoder, "c_make_encoder", None)
        quote = json.encoder.encode_basestring_ascii if self.ensure_ascii else json.encoder.encode_basestring
        self._pieces: t.Any = make and make(
            None,
            self.default,
            quote,
            None,
            self.key_separator,
            self.item_separator,
            self.sort_keys,
            self.skipkeys,
            self.allow_nan,
        )

    def writer(self) -> t.Callable[[t.Any], str]:
        """Return a function that writes a value as JSON text with a line break at its end."""
        pieces, join = self._pieces, "".join
        if pieces is None:
            return lambda o: self.encode(o) + "\n"

        def write(o: t.Any) -> str:
            try:
                # PERF: json: without the calls of encode and dumps, 0.4 us.
                return join(pieces(o, 0)) + "\n"
            except RecursionError:
                return self.encode(o) + "\n"

        return write

    def encode(self, o: t.Any) -> str:
        """Return a value as JSON text."""
        if self._pieces is not None:
            try:
                return "".join(self._pieces(o, 0))
            except RecursionError:
                pass
        return super().encode(o)


_METHODS = frozenset({"dumps", "text_of", "response"})
_SETTINGS = _METHODS | {"compact", "default", "ensure_ascii", "mimetype", "sort_keys"}


class DefaultJSONProvider(JSONProvider):
    """The standard library's :mod:`json`, for some types more.

    Dates are written as in HTTP headers (RFC 9110), ``Decimal`` and ``UUID`` as strings, dataclasses as objects,
    and what has ``__html__`` (``Markup``) as that string. The settings may be assigned on an instance at any time,
    on a class before its first response.
    """

    #: Makes something writable of a value the library refuses, or raises :exc:`TypeError`.
    default: t.Callable[[t.Any], t.Any] = staticmethod(_default)

    #: Whether characters beyond ASCII are escaped: larger, but readable in any encoding.
    ensure_ascii: bool = True

    #: Whether the keys of objects are sorted: equal values make equal bytes, and caches work. Off, keys of
    #: several types may be mixed.
    sort_keys: bool = True

    #: Whether responses have neither spaces nor line breaks; ``None`` for all but debug mode.
    compact: bool | None = None

    #: The content type of responses.
    mimetype: str = "application/json"

    _spaced: tuple[t.Any, _KeptEncoder] = (None, _KeptEncoder())
    _dense: tuple[t.Any, _KeptEncoder] = (None, _KeptEncoder())

    def __setattr__(self, name: str, value: t.Any) -> None:
        object.__setattr__(self, name, value)
        if name in _SETTINGS:
            # What the application froze of this provider is no longer right.
            self._app._thaw()

    def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        """Return a value as JSON text.

        :param obj: the value.
        :param kwargs: what :func:`json.dumps` takes; they come before the settings of this object.
        """
        if not kwargs:
            return self._encoder(None).encode(obj)
        if len(kwargs) == 1 and kwargs.get("separators") == COMPACT:
            return self._encoder(COMPACT).encode(obj)
        options: dict[str, t.Any] = {
            "default": self.default,
            "ensure_ascii": self.ensure_ascii,
            "sort_keys": self.sort_keys,
        }
        return json.dumps(obj, **(options | kwargs))

    def _encoder(self, separators: tuple[str, str] | None) -> _KeptEncoder:
        # PERF: json: an encoder a call costs 2 us more than keeping one. Each is stored together with the settings
        # it was made of in one tuple, which threads read and replace as a whole.
        settings = (self.default, self.ensure_ascii, self.sort_keys)
        made_of, encoder = self._spaced if separators is None else self._dense
        if made_of != settings:
            encoder = self._new_encoder(separators)
            if separators is None:
                self._spaced = settings, encoder
            else:
                self._dense = settings, encoder
        return encoder

    def _new_encoder(self, separators: tuple[str, str] | None) -> _KeptEncoder:
        return _KeptEncoder(
            default=self.default,
            ensure_ascii=self.ensure_ascii,
            sort_keys=self.sort_keys,
            separators=separators,
        )

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        """Return the value of JSON text.

        :param s: the text; bytes are UTF-8, UTF-16 or UTF-32, whatever a header says (RFC 8259, 8.1).
        :param kwargs: what :func:`json.loads` takes.
        :raises ValueError: when the text is not JSON, or nested more deeply than the interpreter can follow.
        """
        try:
            return json.loads(s, **kwargs)
        except RecursionError:
            raise ValueError(
                "The JSON text nests arrays and objects more deeply than can be read. Send a flatter structure."
            ) from None

    def text_of(self, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> str:
        """Return the body of :meth:`response` for the same arguments.

        :param args: the positional arguments.
        :param kwargs: the keyword arguments.
        """
        obj = args[0] if len(args) == 1 and not kwargs else self._prepare_response_obj(args, kwargs)
        compact = self.compact
        if compact is None:
            compact = not self._app.debug
        if not compact:
            return self.dumps(obj, indent=2) + "\n"
        return self.dumps(obj, separators=COMPACT) + "\n"

    def text_writer(self) -> t.Callable[[t.Any], str]:
        """Return a function that makes the body of a response of one value, by the settings as they are now.

        The application keeps it until a setting is assigned.
        """
        cls = type(self)
        is_plain = cls.dumps is DefaultJSONProvider.dumps and cls.text_of is DefaultJSONProvider.text_of
        compact = not self._app.debug if self.compact is None else self.compact
        if not (is_plain and compact) or not vars(self).keys().isdisjoint(_METHODS):
            return lambda obj: self.text_of((obj,), {})
        return self._encoder(COMPACT).writer()

    def response(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Return a response with JSON as its body, indented in debug mode unless :attr:`compact` says otherwise.

        :param args: the value; several make a list, none makes ``null``.
        :param kwargs: the members of an object, instead of ``args``.
        """
        return self._app.text_response(self.text_of(args, kwargs), self.mimetype)
