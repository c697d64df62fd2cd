"""JSON that keeps types JSON does not have, as the session's cookie needs it.

A value of such a type is written as an object with one key, its tag: ``(1, 2)`` as ``{" t": [1, 2]}``. The
format is Flask's, so that its cookies can be read and are read by it.
"""

from __future__ import annotations

import json
import typing as t
from base64 import b64decode, b64encode
from datetime import datetime
from operator import attrgetter
from uuid import UUID

from markupsafe import Markup
from werkzeug.http import http_date, parse_date

from ..ctx import context_var
from .provider import COMPACT, DefaultJSONProvider

__all__ = [
    "JSONTag",
    "PassDict",
    "PassList",
    "TagBytes",
    "TagDateTime",
    "TagDict",
    "TagMarkup",
    "TagTuple",
    "TagUUID",
    "TaggedJSONSerializer",
]

# Types no tag of ours applies to. Exact types: a subclass may be Markup.
_AS_THEY_ARE = frozenset({str, int, float, bool, type(None)})


class JSONTag:
    """How values of one type are written and read. Subclass it, and register the class with a serializer.

    :param serializer: the serializer that the tag is registered with.
    """

    __slots__ = ("serializer",)

    #: What marks the value in the JSON text. Empty for a tag that only converts on the way out.
    key: str = ""

    def __init__(self, serializer: TaggedJSONSerializer) -> None:
        self.serializer = serializer

    def check(self, value: t.Any) -> bool:
        """Return whether this tag is the one for a value."""
        raise NotImplementedError(f"{type(self).__name__!r} needs a method 'check(self, value) -> bool'.")

    def to_json(self, value: t.Any) -> t.Any:
        """Return what is written for a value: JSON types, which :meth:`tag` then marks."""
        raise NotImplementedError(f"{type(self).__name__!r} needs a method 'to_json(self, value)'.")

    def to_python(self, value: t.Any) -> t.Any:
        """Return the value of what was written for it."""
        raise NotImplementedError(f"{type(self).__name__!r} needs a method 'to_python(self, value)'.")

    def tag(self, value: t.Any) -> t.Any:
        """Return a value as it is written, marked with :attr:`key`."""
        return {self.key: self.to_json(value)}


class _TypeTag(JSONTag):
    """A tag for the instances of one class."""

    __slots__ = ()
    _of: t.ClassVar[type[t.Any]]
    #: What makes JSON of such a value, and the value of that JSON. ``Any``: not bound as methods.
    _write: t.ClassVar[t.Any]
    _read: t.ClassVar[t.Any]

    def check(self, value: t.Any) -> bool:
        """Return whether the value is an instance of the class."""
        return isinstance(value, self._of)

    def to_json(self, value: t.Any) -> t.Any:
        """Return what the value is written as."""
        return self._write(value)

    def to_python(self, value: t.Any) -> t.Any:
        """Return the value of what was written."""
        return self._read(value)


class TagDict(JSONTag):
    """A dict of one item that could be taken for a tagged value; two underscores tell it apart."""

    __slots__ = ()
    key = " di"

    def check(self, value: t.Any) -> bool:
        """Return whether the only key of a dict is a tag's."""
        items: t.Any = value
        return isinstance(value, dict) and len(items) == 1 and next(iter(items)) in self.serializer.tags

    def to_json(self, value: t.Any) -> t.Any:
        """Return the dict under a key that is no tag."""
        ((key, item),) = value.items()
        return {f"{key}__": self.serializer.tag(item)}

    def to_python(self, value: t.Any) -> t.Any:
        """Return the dict under its own key."""
        key, item = next(iter(value.items()))
        return {key[:-2]: item}


class PassDict(_TypeTag):
    """Any other dict: only its values are tagged."""

    __slots__ = ()
    _of = dict

    def to_json(self, value: t.Any) -> t.Any:
        """Return the dict with tagged values; keys can only be strings in JSON."""
        tag = self.serializer.tag
        return {key: tag(item) for key, item in value.items()}

    tag = to_json


class TagTuple(_TypeTag):
    """A tuple, as an array."""

    __slots__ = ()
    key = " t"
    _of = tuple

    def to_json(self, value: t.Any) -> t.Any:
        """Return a list of the tagged items."""
        return list(map(self.serializer.tag, value))

    def to_python(self, value: t.Any) -> t.Any:
        """Return a tuple of the items."""
        return tuple(value)


class PassList(_TypeTag):
    """A list: only its items are tagged."""

    __slots__ = ()
    _of = list

    def to_json(self, value: t.Any) -> t.Any:
        """Return a list of the tagged items."""
        return list(map(self.serializer.tag, value))

    tag = to_json


class TagBytes(_TypeTag):
    """Bytes, in base64 (RFC 4648, 4)."""

    __slots__ = ()
    key = " b"
    _of = bytes
    _read = staticmethod(b64decode)

    def to_json(self, value: t.Any) -> t.Any:
        """Return the base64 text."""
        return b64encode(value).decode("ascii")


class TagMarkup(_TypeTag):
    """What has ``__html__``, as the text that returns; read back as ``Markup``."""

    __slots__ = ()
    key = " m"
    # It was markup when it was written.
    _read = Markup

    def check(self, value: t.Any) -> bool:
        """Return whether the value has a method ``__html__``."""
        return callable(getattr(value, "__html__", None))

    def to_json(self, value: t.Any) -> t.Any:
        """Return the HTML."""
        return str(value.__html__())


class TagUUID(_TypeTag):
    """A UUID, as 32 hexadecimal digits."""

    __slots__ = ()
    key = " u"
    _of = UUID
    _write = attrgetter("hex")
    _read = UUID


class TagDateTime(_TypeTag):
    """A point in time, as in HTTP headers (RFC 9110, 5.6.7): whole seconds, UTC."""

    __slots__ = ()
    key = " d"
    _of = datetime
    _write = staticmethod(http_date)
    _read = staticmethod(parse_date)


_OUR_TAGS: tuple[type[JSONTag], ...] = (
    TagDict, PassDict, TagTuple, PassList, TagBytes, TagMarkup, TagUUID, TagDateTime,
)  # fmt: skip


class TaggedJSONSerializer:
    """Write and read JSON with tags for types that JSON does not have.

    Beside JSON's own types: tuples, bytes, ``Markup``, ``UUID`` and ``datetime``. ``register`` adds others.
    """

    __slots__ = ("_decoder", "_ours", "order", "tags")

    #: The tags each new serializer starts with, in the order they are tried.
    default_tags: t.ClassVar[list[type[JSONTag]]] = list(_OUR_TAGS)

    def __init__(self) -> None:
        #: The tags by key, for reading.
        self.tags: dict[str, JSONTag] = {}
        #: The tags in the order they are tried, for writing.
        self.order: list[JSONTag] = []
        for tag_class in self.default_tags:
            self.register(tag_class)
        # While only the tags of this file are in ``order`` (a user may put others there), plain values need no
        # look at any of them.
        self._ours = list(self.order) if tuple(self.default_tags) == _OUR_TAGS else None
        self._decoder = json.JSONDecoder(object_hook=self.untag)

    def register(self, tag_class: type[JSONTag], force: bool = False, index: int | None = None) -> None:
        """Add a tag.

        :param tag_class: the tag.
        :param force: whether it may replace another of the same key.
        :param index: where it is tried; at the end by default. A tag for a subclass of ``dict``, say, has to
            stand before the one for dicts: ``index=0``.
        :raises KeyError: when the key is taken and ``force`` is not set.
        """
        tag = tag_class(self)
        key = tag.key
        if key:
            if not force and key in self.tags:
                raise KeyError(
                    f"The tag {key!r} of {tag_class.__name__!r} is taken by {type(self.tags[key]).__name__!r}. "
                    f"Choose another key, or replace it: register({tag_class.__name__}, force=True)."
                )
            self.tags[key] = tag
        self.order.insert(len(self.order) if index is None else index, tag)

    def tag(self, value: t.Any) -> t.Any:
        """Return a value as it is written: JSON types alone, others marked with their tags."""
        if self.order == self._ours:
            # PERF: session: asking eight tags about each string and number costs 3 us a value.
            kind: t.Any = type(value)
            if kind in _AS_THEY_ARE:
                return value
            if kind is dict and (len(value) != 1 or next(iter(value)) not in self.tags):
                return {
                    key: item if type(item) in _AS_THEY_ARE else self.tag(item) for key, item in value.items()
                }
            if kind is list:
                return [item if type(item) in _AS_THEY_ARE else self.tag(item) for item in value]
        for tag in self.order:
            if tag.check(value):
                return tag.tag(value)
        return value

    def untag(self, value: dict[str, t.Any]) -> t.Any:
        """Return the value of a marked dict whose own value is untagged already, any other dict as it is."""
        if len(value) == 1:
            ((key, item),) = value.items()
            tag = self.tags.get(key)
            if tag is not None:
                return tag.to_python(item)
        return value

    def _untag_scan(self, value: t.Any) -> t.Any:
        """Return a value with all marked dicts in it replaced, the inner ones first."""
        items: t.Any = value
        if isinstance(value, dict):
            return self.untag({key: self._untag_scan(item) for key, item in items.items()})
        if isinstance(value, list):
            return [self._untag_scan(item) for item in items]
        return value

    def _reads_plainly(self, provider: t.Any) -> bool:
        """Return whether a dict without tags reads as the text shows it.

        :param provider: the JSON provider of the application.
        """
        loads = getattr(provider.loads, "__func__", None)
        return loads is DefaultJSONProvider.loads and self.order == self._ours

    def dumps(self, value: t.Any) -> str:
        """Return a value as compact JSON text with tags, by the JSON provider of the active application."""
        tagged = self.tag(value)
        context = context_var.get(None)
        if context is None:
            return json.dumps(tagged, default=DefaultJSONProvider.default, separators=COMPACT)
        return t.cast(str, context.app.json.dumps(tagged, separators=COMPACT))

    def loads(self, value: str) -> t.Any:
        """Return the value of JSON text with tags."""
        context = context_var.get(None)
        if context is not None:
            loads = context.app.json.loads
            if getattr(loads, "__func__", None) is not DefaultJSONProvider.loads:
                return self._untag_scan(loads(value))
        # PERF: session: untagging while the text is read saves a second walk through the value; what is written by
        # :meth:`dumps` has no space around it, which ``decode`` looks for, 0.4 us.
        try:
            read, end = self._decoder.raw_decode(value)
        except ValueError:
            read, end = None, -1
        if end == len(value):
            return read
        return self._decoder.decode(value)
