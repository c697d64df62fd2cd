"""Files on their way to a client: what is sent of one, and the headers that tell of it.

:func:`describe` has the common file, by its path, with what a browser asks for: as a whole, a range of it, or only whether
it has changed. The bytes sent are those of :func:`werkzeug.utils.send_file`, which has everything else;
``tests/test_send_file.py`` compares both.
"""

from __future__ import annotations

import mimetypes
import os
import re
import stat
import typing as t
from functools import lru_cache
from time import time
from zlib import adler32

from werkzeug.http import http_date, is_resource_modified
from werkzeug.utils import get_content_type
from werkzeug.wsgi import FileWrapper

from .scopes import FILE_PIECE, FilePieces

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: How many bytes of a file are sent as a whole.
WHOLE = 65536

#: How many bytes of a larger one are read at a time under WSGI, where no hop to another thread stands between two of them.
PIECE = 65536

#: How many seconds are remembered in the form that headers have.
KNOWN_DATES = 256

# Whether files are opened by descriptors, and opening one never waits for another process.
_OPENS_AT_ONCE = os.name == "posix"
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)

# Names that a header needs no quotation marks for (RFC 9110, section 5.6.2), and that are no URLs.
_is_plain_name = re.compile(r"[A-Za-z0-9._~+-]+").fullmatch

# Where headers stand.
_LENGTH, _TAG = 2, -3

_one_range = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})").fullmatch

# PERF: static file: 5 us for each of two dates, one of which is now. Modification times are few.
_date = lru_cache(KNOWN_DATES)(http_date)


class FileBody(FileWrapper):
    """The body of a response that is a file or a part of one.

    :param path: where the file is.
    :param descriptor: the file, opened; this closes it.
    :param start: the first byte that is sent.
    :param length: how many bytes are sent.
    :param piece: how many of them are read at a time.
    """

    # PERF: static file: a file object costs 6 us, and what is sent as a whole needs none.
    _file: t.IO[bytes] | None = None

    def __init__(self, path: str, descriptor: int, start: int, length: int, piece: int) -> None:
        self.path = path
        self.buffer_size = piece
        self._descriptor: int | None = descriptor
        self._start = start
        self._left = length

    @property
    def file(self) -> t.IO[bytes]:  # type: ignore[override]
        """The file, opened for reading, at the first byte that is sent."""
        if self._file is None:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is None:
                raise ValueError(f"The file {self.path!r} was sent and closed already.")
            self._file = open(self.path, "rb", opener=lambda *_: descriptor)  # noqa: SIM115 - closed with the response
            self._file.seek(self._start)
        return self._file

    def take(self) -> bytes | None:
        """Return everything and close the file, if that is not much; ``None`` where it is to be iterated over."""
        if self._descriptor is None or self._left > WHOLE:
            return None
        try:
            data = os.pread(self._descriptor, self._left, self._start)
            while 0 < len(data) < self._left and (
                more := os.pread(self._descriptor, self._left - len(data), self._start + len(data))
            ):
                data += more
        finally:
            self.close()
        return data

    def __next__(self) -> bytes:
        data = self.file.read(min(self.buffer_size, self._left))
        self._left -= len(data)
        if data:
            return data
        raise StopIteration

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
        elif self._file is not None:
            self._file.close()

    def __del__(self) -> None:
        if self._descriptor is not None:
            self.close()


class Described(t.NamedTuple):
    """What is sent for a file.

    :param status: 200, 206 or 304.
    :param headers: the headers, clean and with the length.
    :param body: the body, which holds the opened file.
    """

    status: int
    headers: list[tuple[str, str]]
    body: FileBody


def describe(
    path: str,
    environ: WSGIEnvironment,
    max_age: t.Any = None,
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
) -> Described | None:
    """Open a file and return what is sent for it, or ``None`` for what Werkzeug has to answer.

    :param path: where the file is.
    :param environ: the environment of the request.
    :param mimetype: the media type, ``None`` for that of the name.
    :param as_attachment: whether the browser shall store the file.
    :param download_name: the name it is stored under, ``None`` for the path's.
    :param max_age: seconds it may be cached, ``None`` for nothing said, or what returns that for the path.
    :raises FileNotFoundError: where there is no such file.
    """
    name = path.rpartition("/")[2] if download_name is None else download_name
    if (
        not (_OPENS_AT_ONCE and path.isascii() and _is_plain_name(name))
        or environ["REQUEST_METHOD"] not in {"GET", "HEAD"}
        or environ.get("wsgi.file_wrapper", FilePieces) is not FilePieces
        or "HTTP_IF_MATCH" in environ
        or "HTTP_IF_RANGE" in environ
    ):
        return None
    if callable(max_age):
        max_age = max_age(path)
    mimetype = _type_of(name) if mimetype is None else mimetype
    if not mimetype or "\n" in mimetype or "\r" in mimetype or not (max_age is None or type(max_age) is int):
        return None
    content_type = get_content_type(mimetype, "utf-8")
    opened = _open(path)
    if opened is None:
        return None
    descriptor, size, modified = opened
    disposition = f"{'attachment' if as_attachment else 'inline'}; filename={name}"
    headers = [("Content-Disposition", disposition), ("Content-Type", content_type)]
    headers += _told_of(path, size, modified, max_age)
    found = _part_of(environ, headers, size) if "HTTP_RANGE" in environ else _whole_of(environ, headers, size)
    if found is None:
        os.close(descriptor)
        return None
    status, start, length = found
    piece = FILE_PIECE if "wsgi.file_wrapper" in environ else PIECE
    return Described(status, headers, FileBody(path, descriptor, start, length, piece))


def _told_of(path: str, size: int, modified: float, max_age: int | None) -> list[tuple[str, str]]:
    """Return the headers that say how large and how old a file is, and how long it may be kept."""
    return [
        ("Content-Length", str(size)),
        ("Last-Modified", _date(modified)),
        *_caching(max_age),
        ("ETag", f'"{modified}-{size}-{adler32(path.encode()) & 0xFFFFFFFF}"'),
        ("Date", _date(int(time()))),
        ("Accept-Ranges", "bytes"),
    ]


def _open(path: str) -> tuple[int, int, float] | None:
    """Open a file and return its descriptor, size and modification time; ``None`` for what is no file, or cannot be read.

    PERF: static file: with one look at the path in place of three, 10 us.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise
    except (OSError, ValueError):
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        return None
    return descriptor, status.st_size, status.st_mtime


def _type_of(name: str) -> str | None:
    """Return what :func:`mimetypes.guess_type` says for a plain name; ``None`` where it has to be asked.

    PERF: static file: 4 us.
    """
    if not mimetypes.inited:
        mimetypes.init()
    stem, dot, extension = name.rpartition(".")
    extension = dot + extension
    if (
        not stem.strip(".")
        or extension != extension.lower()
        or extension in mimetypes.suffix_map
        or extension in mimetypes.encodings_map
    ):
        return None
    return mimetypes.types_map.get(extension)


def _caching(max_age: int | None) -> list[tuple[str, str]]:
    if max_age is None:
        return [("Cache-Control", "no-cache")]
    kind = "public" if max_age > 0 else "no-cache"
    return [("Cache-Control", f"{kind}, max-age={max_age}"), ("Expires", _date(int(time() + max_age)))]


def _part_of(
    environ: WSGIEnvironment, headers: list[tuple[str, str]], size: int
) -> tuple[int, int, int] | None:
    """Return status, first byte and length for a range, and change the headers; ``None`` for an unusual one."""
    asked = _one_range(environ["HTTP_RANGE"])
    if asked is None:
        return None
    start, stop = int(asked[1]), min(int(asked[2]) + 1, size) if asked[2] else size
    if start >= stop:
        return None
    headers[_LENGTH] = ("Content-Length", str(stop - start))
    headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{size}"))
    return 206, start, stop - start


def _whole_of(environ: WSGIEnvironment, headers: list[tuple[str, str]], size: int) -> tuple[int, int, int]:
    """Return status, first byte and length for a whole file: 304 where the client has it already."""
    tag, modified = headers[_TAG][1], headers[_LENGTH + 1][1]
    known, since = environ.get("HTTP_IF_NONE_MATCH"), environ.get("HTTP_IF_MODIFIED_SINCE")
    if not known and not since:
        return 200, 0, size
    # PERF: static file, 304: what browsers send is what they were sent; reading it would give the same, 15 us later.
    is_known = known == tag or (not known and since == modified)
    if is_known or not is_resource_modified(environ, tag, last_modified=modified):
        return 304, 0, size
    return 200, 0, size
