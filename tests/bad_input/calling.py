"""Requests at WSGI level; anything may stand in the environ."""

from __future__ import annotations

import io
import sys
import typing as t
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from erlen import Erlen

URLENCODED = {"CONTENT_TYPE": "application/x-www-form-urlencoded"}
MULTIPART = {"CONTENT_TYPE": "multipart/form-data; boundary=edge"}
JSON = {"CONTENT_TYPE": "application/json"}

Environ = dict[str, t.Any]


@dataclass(frozen=True)
class Sent:
    """An answer, reduced to what the tests look at."""

    status: int
    headers: list[tuple[str, str]]
    body: str


class Caller:
    """Sends requests to one application at WSGI level; anything may stand in the environ."""

    def __init__(self, app: Erlen, validated: t.Callable[[t.Any], t.Any]) -> None:
        self.app = app
        self._call = validated(app)

    def __call__(self, path: str = "/", body: bytes = b"", method: str = "", /, **changes: t.Any) -> Sent:
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
            started.append((status, headers))
            return lambda data: None  # pyright: ignore[reportUnknownLambdaType]

        result = self._call(make_environ(path, body, method, changes), start_response)
        try:
            content = b"".join(result)
        finally:
            result.close()
        assert len(started) == 1
        status, headers = started[0]
        return Sent(int(status[:3]), headers, content.decode())


def make_environ(path: str, body: bytes, method: str, changes: Environ) -> Environ:
    path, _, query = path.partition("?")
    environ: Environ = {
        "REQUEST_METHOD": method or ("POST" if body else "GET"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if body:
        environ["CONTENT_LENGTH"] = str(len(body))
    environ.update(changes)
    return {name: value for name, value in environ.items() if value is not None}


def refused(answer: Sent, status: int = 400) -> None:
    assert answer.status == status, answer
    assert answer.body.startswith("<!doctype html>")
    assert "<p>" in answer.body
