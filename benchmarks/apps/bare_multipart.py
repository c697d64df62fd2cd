"""What takes an upload apart where there is no framework: ``multipart``, which is fed piece by piece."""

from __future__ import annotations

import importlib
import typing as t

from ..data import uploaded

# python-multipart has a package of this name, which hands over to it where both are installed. Pyright reads that one.
_multipart: t.Any = importlib.import_module("multipart")


class Parts:
    """The parts of a form, in memory.

    :param content_type: the header, with the boundary.
    """

    def __init__(self, content_type: str) -> None:
        _, options = _multipart.parse_options_header(content_type)
        self._parser = _multipart.PushMultipartParser(options["boundary"])
        self._parts: dict[str, tuple[t.Any, list[bytes | bytearray]]] = {}
        self._pieces: list[bytes | bytearray] = []

    def feed(self, piece: bytes) -> None:
        """Take a piece of the body; an empty one is its end."""
        for event in self._parser.parse(piece):
            if isinstance(event, _multipart.MultipartSegment):
                self._pieces = []
                self._parts[event.name] = event, self._pieces
            elif event:
                self._pieces.append(event)

    def answer(self) -> bytes:
        """Return what is answered to the upload."""
        file, pieces = self._parts["file"]
        title = b"".join(self._parts["title"][1]).decode()
        return uploaded(title, file.filename or "", b"".join(pieces)).encode()
