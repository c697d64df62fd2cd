"""No framework: what the standard library needs for the same answers. Each knows one path alone: the floor."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import parse_qs

from ..cases import Environ
from ..data import HEADER, QUERY

Application = t.Callable[[Environ, t.Any], list[bytes]]

HTML, JSON = "text/html; charset=utf-8", "application/json"


def _answer(start_response: t.Any, kind: str, body: bytes, status: str = "200 OK") -> list[bytes]:
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]


def plain() -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        if environ["PATH_INFO"] != "/":
            return _answer(start_response, HTML, b"not found", "404 Not Found")
        return _answer(start_response, HTML, b"Hello, World!")

    return application


def as_json() -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        body = json.dumps({"message": "Hello, World!", "n": [1, 2, 3]})
        return _answer(start_response, JSON, body.encode())

    return application


def parameter() -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        number = int(environ["PATH_INFO"].rpartition("/")[2])
        return _answer(start_response, HTML, f"item {number + 1}".encode())

    return application


def query_and_header() -> Application:
    key = "HTTP_" + HEADER.upper().replace("-", "_")

    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        query = parse_qs(environ["QUERY_STRING"])
        return _answer(start_response, HTML, f"{query[QUERY][0]} by {environ[key]}".encode())

    return application


def form() -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        sent = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        fields = parse_qs(sent.decode())
        body = f"{fields['name'][0]} {fields['mail'][0]} {len(fields['note'][0])}"
        return _answer(start_response, HTML, body.encode())

    return application
