"""Forms and queries, read strictly: what does not decode is refused instead of guessed at.

Werkzeug's parser answers a form that it cannot read with an empty one, and limits multipart forms alone. With
``REFUSE_MALFORMED_REQUESTS`` the parser here refuses both with a 4xx.
"""

from __future__ import annotations

import re
import typing as t
from binascii import a2b_qp
from urllib.parse import parse_qsl

from werkzeug.datastructures import ImmutableMultiDict, MultiDict
from werkzeug.exceptions import BadRequest, BadRequestKeyError, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from .multipart import MultiPartParser

# How many bytes of a multipart form are read at once, and how many at least, as Werkzeug does.
# PERF: 1 MiB upload: a piece costs 2 us, however large it is.
_PIECE, _LEAST_PIECE = 256 * 1024, 64 * 1024

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class FoundAtOnce(ImmutableMultiDict[str, str]):
    """Werkzeug's class, in which a value is found in one step.

    PERF: form POST: 0.1 us for each field.
    """

    def __getitem__(self, key: str) -> str:
        try:
            return _values_of(self, key)[0]
        except (KeyError, IndexError):
            raise BadRequestKeyError(key) from None

    def __reduce_ex__(self, protocol: t.SupportsIndex) -> t.Any:
        # Whoever reads it elsewhere may not have Erlen.
        return ImmutableMultiDict, (list(self.items(multi=True)),)


_values_of: t.Callable[[t.Any, str], list[str]] = dict.__getitem__
_new: t.Callable[[t.Any], t.Any] = dict.__new__
_keep: t.Callable[[t.Any, str, list[str]], list[str]] = dict.setdefault
# What is seen of it is Werkzeug's.
FoundAtOnce.__name__ = FoundAtOnce.__qualname__ = ImmutableMultiDict.__name__


def storage_at_once(cls: t.Any, text: str, most: int | None = None) -> t.Any:
    """Return URL-encoded text as a multi-dict, ``None`` where :func:`storage_of` has to look at it.

    PERF: query and header, form POST: :func:`~urllib.parse.parse_qsl` looks for escapes in each name and value with
    several calls, 2 us for two pairs, each escape costs it 1 us more, and the constructor of the multi-dict 1 us.

    :param cls: the class of the multi-dict.
    :param text: the text as it was sent, UTF-8.
    :param most: the largest number of pairs.
    """
    kind, escaped = FoundAtOnce if cls is ImmutableMultiDict else cls, "%" in text
    # The constructors of these make a dict of lists of the pairs, and nothing else.
    if (kind is not FoundAtOnce and kind is not MultiDict) or (escaped and _BAD_ESCAPE.search(text)):
        return None
    if "+" in text:
        text = text.replace("+", " ")
    pairs = text.split("&")
    if most is not None and len(pairs) > most:
        return None
    storage = _new(kind)
    for pair in pairs:
        if pair:
            name, _, value = pair.partition("=")
            if escaped:
                try:
                    if "%" in name:
                        name = _unescaped(name)
                    if "%" in value:
                        value = _unescaped(value)
                except ValueError:
                    return None
            values = [value]
            if (known := _keep(storage, name, values)) is not values:
                known.append(value)
    return storage


def storage_of(cls: t.Any, text: str, where: str, strict: bool) -> t.Any:
    """Return URL-encoded text as a multi-dict.

    :param cls: the class of the multi-dict.
    :param text: the text as it was sent, UTF-8.
    :param where: what the text is, for the message.
    :param strict: whether percent escapes that stand for no UTF-8 text are refused; otherwise they are kept as they came.
    :raises BadRequest: for such escapes.
    """
    if (storage := storage_at_once(cls, text)) is not None:
        return storage
    if strict:
        return cls(parse_pairs(text, where))
    return cls(parse_qsl(text, keep_blank_values=True, errors="werkzeug.url_quote"))


def _unescaped(text: str) -> str:
    """Return ASCII text whose escapes are well formed without them; raise :exc:`ValueError` for other text."""
    # An escape of quoted-printable (RFC 2045, section 6.7) is '=' and the same two digits, and C code reads it.
    return a2b_qp(text.replace("=", "=3D").replace("%", "=")).decode()


def parse_pairs(text: str, where: str) -> list[tuple[str, str]]:
    """Return the names and values of URL-encoded text (WHATWG URL, ``application/x-www-form-urlencoded``).

    :param text: the text as it was sent, UTF-8.
    :param where: what the text is, for the message.
    :raises BadRequest: for percent escapes that stand for no UTF-8 text.
    """
    if _BAD_ESCAPE.search(text):
        raise BadRequest(f"The {where} of this request has a '%' that no two hexadecimal digits follow.")
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeError:
        raise BadRequest(f"The {where} of this request is not UTF-8.") from None


class FormParser(FormDataParser):
    """Werkzeug's parser; with :attr:`strict` set, one that refuses what it cannot read."""

    #: Whether a malformed form is refused, and the limits hold for urlencoded forms too.
    strict = False

    def parse(
        self,
        stream: t.IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> t.Any:
        """Return the stream, the fields and the files of a form.

        :param stream: the body.
        :param mimetype: its type; one that is no form gives no fields and no files.
        :param content_length: its length in bytes, where that is known.
        :param options: the parameters of the type.
        :raises BadRequest: for a form that cannot be read, when :attr:`strict`.
        """
        if not self.strict:
            return super().parse(stream, mimetype, content_length, options)
        self.silent = False
        try:
            stream, fields, files = super().parse(stream, mimetype, content_length, options)
            if None in fields or None in files:
                raise ValueError("a part has no name")
        except (ValueError, KeyError) as error:
            raise BadRequest(f"The {mimetype} body of this request cannot be read.") from error
        return stream, fields, files

    def _parse_multipart(
        self, stream: t.IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> t.Any:
        # Non-ASCII characters in it are a ValueError as well.
        boundary = options.get("boundary", "").encode("ascii")
        if not boundary:
            raise ValueError("the boundary is missing")
        limit = self.max_form_memory_size
        parser = MultiPartParser(
            self.stream_factory,
            limit,
            self.cls,
            # The parser refuses a piece that is larger than a field may be.
            buffer_size=_PIECE if limit is None else max(_LEAST_PIECE, min(_PIECE, limit // 2)),
            max_form_parts=self.max_form_parts,
        )
        fields, files = parser.parse(stream, boundary, content_length)
        return stream, fields, files

    def _parse_urlencoded(
        self, stream: t.IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> t.Any:
        if not self.strict:
            return super()._parse_urlencoded(stream, mimetype, content_length, options)
        body = self._read_limited(stream)
        if self.max_form_parts is not None and body.count(b"&") >= self.max_form_parts:
            raise RequestEntityTooLarge(
                f"This form has more than {self.max_form_parts} fields (MAX_FORM_PARTS)."
            )
        return stream, storage_of(self.cls, body.decode(), "form", strict=True), self.cls()

    def _read_limited(self, stream: t.IO[bytes]) -> bytes:
        limit = self.max_form_memory_size
        if limit is None:
            return stream.read()
        pieces: list[bytes] = []
        left = limit + 1
        while left > 0 and (piece := stream.read(min(left, 65_536))):
            pieces.append(piece)
            left -= len(piece)
        if left <= 0:
            raise RequestEntityTooLarge(f"This form is larger than {limit} bytes (MAX_FORM_MEMORY_SIZE).")
        return b"".join(pieces)
