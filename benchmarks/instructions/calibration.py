"""A fixed piece of work without Erlen: by it one build of Python is told from another.

The same source takes a tenth fewer instructions where the compiler had a profile, and a little more or less with each
micro version. What this loop takes says by how much, and the figures of the cases are set in relation to it. It holds
what a request is made of: calls, attributes, dicts, text and bytes, a pattern, a context variable, a generator.
No exception: what a traceback costs depends on the micro version and on the length of the function.

Whoever changes what is done here has to write all committed figures anew.
"""

from __future__ import annotations

import contextvars
import io
import re
import time
import typing as t

_CURRENT: contextvars.ContextVar[_Request] = contextvars.ContextVar("current")
_NUMBER = re.compile(r"/items/(\d+)")
_ROUTES: dict[str, tuple[str, ...]] = {f"/part{number}": ("GET", "HEAD") for number in range(20)}


class _Request:
    def __init__(self, path: str, fields: dict[str, str]) -> None:
        self.path = path
        self.fields = fields
        self.headers: list[tuple[str, str]] = []

    @property
    def name(self) -> str:
        return self.fields.get("name", "nobody")

    def add(self, name: str, value: object, *, replaced: bool = False) -> None:
        if replaced:
            self.headers = [pair for pair in self.headers if pair[0] != name]
        self.headers.append((name.lower(), str(value)))


def _find(path: str) -> int:
    if path in _ROUTES:
        return 0
    match = _NUMBER.fullmatch(path)
    return -1 if match is None else int(match[1])


def _parts(text: str) -> t.Iterator[tuple[str, str]]:
    for part in text.split("&"):
        name, _, value = part.partition("=")
        yield name, value.replace("+", " ")


def _answer(request: _Request, number: int) -> t.Iterator[str]:
    yield f"item {number}"
    yield f" of {request.name}"


def _one(environ: dict[str, t.Any]) -> int:
    request = _Request(environ["PATH_INFO"], dict(_parts(environ["QUERY_STRING"])))
    token = _CURRENT.set(request)
    try:
        number = _find(_CURRENT.get().path)
        body = "".join(_answer(request, number)).encode()
        for name, value in environ.items():
            if name.startswith("HTTP_"):
                request.add(name[5:].replace("_", "-").title(), value)
        request.add("Content-Type", "text/html; charset=utf-8", replaced=True)
        request.add("Content-Length", len(body), replaced=True)
        stream = io.BytesIO(body)
        head = "\r\n".join([f"{name}: {value}" for name, value in request.headers]).encode("latin-1")
        return len(head) + len(stream.read())
    finally:
        _CURRENT.reset(token)


class Calibration:
    """The loop, with the interface of a subject that is ready to run."""

    loops = 1

    def time_loops(self) -> float:
        """Return the seconds that ``loops`` rounds took."""
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/items/42",
            "QUERY_STRING": "name=Ann+Lee&page=2",
            "HTTP_HOST": "127.0.0.1:8000",
            "HTTP_ACCEPT": "text/html,*/*;q=0.8",
            "HTTP_ACCEPT_LANGUAGE": "en",
            "HTTP_CONNECTION": "keep-alive",
        }
        copy = environ.copy
        began = time.perf_counter()
        for _ in range(self.loops):
            _one(copy())
        return time.perf_counter() - began
