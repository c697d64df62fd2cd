"""What takes an upload apart where there is no framework: ``multipart``, which is fed piece by piece."""

from __future__ import annotations

import typing as t

from multipart import MultipartSegment, PushMultipartParser, parse_options_header

from ..data import uploaded


class Parts:
    """The parts of a form, in memory.

    :param content_type: the header, with the boundary.
    """

    def __init__(self, content_type: str) -> None:
        _, options = parse_options_header(content_type)
        self._parser = PushMultipartParser(options["boundary"])
        self._parts: dict[str, tuple[MultipartSegment, list[bytes | bytearray]]] = {}
        self._pieces: list[bytes | bytearray] = []

    def feed(self, piece: bytes) -> None:
        """Take a piece of the body; an empty one is its end."""
        for event in t.cast("t.Iterable[t.Any]", self._parser.parse(piece)):
            if isinstance(event, MultipartSegment):
                self._pieces = []
                self._parts[event.name] = event, self._pieces
            elif event:
                self._pieces.append(event)

    def answer(self) -> bytes:
        """Return what is answered to the upload."""
        file, pieces = self._parts["file"]
        title = b"".join(self._parts["title"][1]).decode()
        return uploaded(title, file.filename or "", b"".join(pieces)).encode()
