"""Multipart forms (RFC 7578): Werkzeug's decoder, and a short way for what is in the middle of a file."""

from __future__ import annotations

import re
import typing as t
from copy import copy
from io import BytesIO
from tempfile import SpooledTemporaryFile

from werkzeug import formparser
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData, State

#: How many bytes of a file are kept in memory.
FILE_IN_MEMORY = 1024 * 1024


class UploadedFile(SpooledTemporaryFile[bytes]):
    """A file of a form: in memory, and from :data:`FILE_IN_MEMORY` bytes on in a temporary file.

    PERF: 1 MiB upload: a file in memory that grows with each write is moved several times; here the pieces are put
    together once, and reading them all copies nothing.
    """

    def __init__(self) -> None:
        super().__init__(max_size=FILE_IN_MEMORY, mode="rb+")
        self._pieces: list[bytes | memoryview] = []
        self._size = 0

    def receive(self, piece: bytes | memoryview) -> None:
        """Add a piece, before anything else is done with this file.

        :param piece: the next bytes, which do not change any more.
        """
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > FILE_IN_MEMORY:
            self.rollover()
            for kept in self._pieces:
                self.write(kept)
            self._pieces.clear()

    def complete(self) -> None:
        """Make this a file of what was received, read from its beginning."""
        if self._pieces:
            # There is no public way to give it a file in memory that has something in it already.
            self._file = BytesIO(b"".join(self._pieces))
            self._pieces.clear()
        self.seek(0)


class Delimiter:
    """Finds a boundary with the line breaks around it, as a pattern of Werkzeug's decoder does.

    :param boundary: the boundary, without the hyphens before it.
    :param needs_break: whether a line break has to stand before it.
    """

    def __init__(self, boundary: bytes, needs_break: bool) -> None:
        self._text = b"--" + boundary
        self._needs_break = needs_break

    def search(self, data: bytes | bytearray, position: int = 0) -> FoundDelimiter | None:
        """Return the first place where the boundary stands.

        :param data: the bytes to search.
        :param position: where to begin.
        """
        found = position - 1
        while (found := data.find(self._text, found + 1)) >= 0:
            before = data[max(position, found - 2) : found]
            size = 2 if before == b"\r\n" else int(before[-1:] in (b"\r", b"\n"))
            after = _AFTER_BOUNDARY.match(data, found + len(self._text))
            if after is not None and (size or not self._needs_break):
                return FoundDelimiter(found - size, after)
        return None


class FoundDelimiter:
    """The place of a boundary, with the methods of a match.

    :param start: where the line break before it begins.
    :param after: what has matched behind it.
    """

    def __init__(self, start: int, after: re.Match[bytes]) -> None:
        self._start = start
        self.end = after.end
        self.group = after.group

    def start(self) -> int:
        """Return where the line break before the boundary begins, or the boundary where there is none."""
        return self._start


_LINE_BREAK = b"(?:\r\n|\n|\r)"
# The end of the last boundary, or of the line of another one.
_AFTER_BOUNDARY = re.compile(rb"(--[^\S\n\r]*%s?|[^\S\n\r]*%s)" % (_LINE_BREAK, _LINE_BREAK))

# A decoder that has got nothing yet, and whether its patterns are those that are known here. Where another version of
# Werkzeug has others, it makes them.
_FRESH = MultipartDecoder(b"x")
_KNOWN_PATTERNS = {
    "preamble_re": _LINE_BREAK + b"?--x" + _AFTER_BOUNDARY.pattern,
    "boundary_re": _LINE_BREAK + b"--x" + _AFTER_BOUNDARY.pattern,
}
KNOWS_PATTERNS: bool = {
    name: value.pattern for name, value in vars(_FRESH).items() if isinstance(value, re.Pattern)
} == _KNOWN_PATTERNS


def new_decoder(boundary: bytes, max_form_memory_size: int | None, max_parts: int | None) -> MultipartDecoder:
    """Return a decoder of Werkzeug's for one form.

    PERF: its constructor compiles two patterns of the boundary, which is another one in each request of a browser: 200 us.

    :param boundary: what separates the parts.
    :param max_form_memory_size: the largest field in bytes, ``None`` for any size.
    :param max_parts: the largest number of parts, ``None`` for any number.
    """
    if not KNOWS_PATTERNS:
        return MultipartDecoder(boundary, max_form_memory_size, max_parts=max_parts)
    decoder: t.Any = copy(_FRESH)
    decoder.buffer, decoder.boundary = bytearray(), boundary
    decoder.max_form_memory_size, decoder.max_parts = max_form_memory_size, max_parts
    decoder.preamble_re = Delimiter(boundary, needs_break=False)
    decoder.boundary_re = Delimiter(boundary, needs_break=True)
    return t.cast(MultipartDecoder, decoder)


class MultiPartParser(formparser.MultiPartParser):
    """Werkzeug's parser, which spares its decoder the bytes that no boundary is in.

    PERF: 1 MiB upload: the decoder moves each piece of a file through its buffer, which makes six copies of it.
    """

    #: How many bytes are searched for the beginning of a file.
    head_size = 4096

    def parse(
        self, stream: t.IO[bytes], boundary: bytes, content_length: int | None
    ) -> tuple[MultiDict[str, str], MultiDict[str, FileStorage]]:
        """Return the fields and the files of a form.

        :param stream: the body.
        :param boundary: what separates its parts.
        :param content_length: its length in bytes, where that is known.
        :raises RequestEntityTooLarge: for a form that exceeds a limit.
        :raises ValueError: for one that cannot be read.
        """
        decoder = new_decoder(boundary, self.max_form_memory_size, self.max_form_parts)
        parts = _Parts(self, content_length)
        try:
            while data := stream.read(self.buffer_size):
                limit = self.max_form_memory_size
                if limit is None or len(decoder.buffer) + len(data) <= limit:
                    data = self._without_files(decoder, data, parts)
                # For what is over the limit, it raises the 413.
                if data:
                    decoder.receive_data(data)
                    parts.take_from(decoder)
            decoder.receive_data(None)
            parts.take_from(decoder)
        except BaseException:
            parts.close()
            raise
        return self.cls(parts.fields), self.cls(parts.files)

    def _without_files(self, decoder: MultipartDecoder, data: bytes, parts: _Parts) -> bytes:
        """Take what can be taken of a piece without the decoder, and return the rest."""
        if parts.file is None and len(data) > self.head_size:
            # What is in front of a file is short. The decoder gets it alone. An empty part may have no line break but
            # that of its headers, which the boundary behind it needs.
            end = data.rfind(b"\r\n\r\n", 0, self.head_size) + 4
            if end < 4 or data.startswith(b"-", end):
                return data
            decoder.receive_data(data[:end])
            parts.take_from(decoder)
            data = data[end:]
        if parts.file is None or decoder.state is not State.DATA:
            return data
        middle, data = _split(decoder, data)
        parts.write(middle)
        return data


class _Parts:
    """The parts of a form that have come, and the one that is coming.

    :param parser: the parser, which has the limits and the places for files.
    :param content_length: the length of the whole body.
    """

    def __init__(self, parser: MultiPartParser, content_length: int | None) -> None:
        self.fields: list[tuple[str, str]] = []
        self.files: list[tuple[str, FileStorage]] = []
        #: The file that is coming, ``None`` for a field.
        self.file: t.IO[bytes] | None = None
        self._parser = parser
        self._content_length = content_length
        self._part: t.Any = None
        self._pieces: list[bytes] = []
        self._size = 0

    def close(self) -> None:
        """Close the files of a form that nobody gets."""
        for file in (self.file, *(file.stream for _, file in self.files)):
            if type(file) is UploadedFile:
                file.close()

    def take_from(self, decoder: MultipartDecoder) -> None:
        """Take what a decoder makes of the bytes it has.

        :param decoder: the decoder.
        """
        event = decoder.next_event()
        while not isinstance(event, Epilogue | NeedData):
            self._take(event)
            event = decoder.next_event()

    def write(self, pieces: t.Iterable[bytes | memoryview]) -> None:
        """Write to the file that is coming.

        :param pieces: what comes next of it.
        """
        file: t.Any = self.file
        for piece in pieces:
            if type(file) is UploadedFile:
                file.receive(piece)
            else:
                # What somebody else has made may not know what a view is.
                file.write(bytes(piece))

    def _take(self, event: Event) -> None:
        if isinstance(event, Data):
            if self.file is not None:
                self.write((event.data,))
            else:
                self._add(event.data)
            if not event.more_data:
                self._finish()
        elif isinstance(event, File):
            self._part, self.file = event, self._parser.start_file_streaming(event, self._content_length)
        elif isinstance(event, Field):
            self._part, self.file, self._pieces, self._size = event, None, [], 0

    def _add(self, data: bytes) -> None:
        limit = self._parser.max_form_memory_size
        self._size += len(data)
        if limit is not None and self._size > limit:
            raise RequestEntityTooLarge
        self._pieces.append(data)

    def _finish(self) -> None:
        part, file = self._part, self.file
        if file is None:
            charset = self._parser.get_part_charset(part.headers)
            self.fields.append((part.name, b"".join(self._pieces).decode(charset, "replace")))
            return
        if type(file) is UploadedFile:
            file.complete()
        else:
            file.seek(0)
        self.files.append((part.name, FileStorage(file, part.filename, part.name, headers=part.headers)))
        self.file = None


def _split(decoder: MultipartDecoder, data: bytes) -> tuple[tuple[bytes | memoryview, ...], bytes]:
    """Return what of a piece belongs to a file in any case, and the rest, which the decoder has to look at.

    :param decoder: the decoder, in the middle of a file. The end of the piece that may begin a boundary is put into its
        buffer, as if it had got the piece.
    :param data: the piece.
    """
    before, delimiter = decoder.buffer, b"--" + decoder.boundary
    # With the line break before it.
    length = len(delimiter) + 2
    if len(data) < length or delimiter in before + data[:length]:
        return (), data
    found = data.find(delimiter)
    if found >= 0:
        middle = bytes(before), memoryview(data)[: found - 2]
        before.clear()
        return middle, data[found - 2 :]
    # A boundary may have begun with the last line break, if that is near enough to the end.
    end = data[-length:]
    breaks = [place for place in (end.rfind(b"\n"), end.rfind(b"\r")) if place >= 0]
    cut = len(data) - length + min(breaks, default=length)
    pieces = bytes(before), memoryview(data)[:cut]
    before[:] = data[cut:]
    return pieces, b""
