"""As ``bare_wsgi``, with the headers that Erlen's safe profile sends: the same bytes leave the server."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import parse_qs

from ..cases import CASES, Environ

Application = t.Callable[[Environ, t.Any], list[bytes]]

HEADERS = (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "strict-origin-when-cross-origin"))
HTML, JSON = "text/html; charset=utf-8", "application/json"


def _application(answer: t.Callable[[Environ], bytes], kind: str = HTML) -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        body = answer(environ)
        start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body))), *HEADERS])
        return [body]

    return application


def plain() -> Application:
    return _application(lambda environ: b"Hello, World!")


def as_json() -> Application:
    return _application(
        lambda environ: json.dumps({"message": "Hello, World!", "n": [1, 2, 3]}).encode(), JSON
    )


def parameter() -> Application:
    return _application(lambda environ: f"item {int(environ['PATH_INFO'].rpartition('/')[2]) + 1}".encode())


def query_and_header() -> Application:
    case = CASES["query and header"]
    key, name = "HTTP_" + case.headers[0][0].upper().replace("-", "_"), case.query.partition("=")[0]

    def answer(environ: Environ) -> bytes:
        query = parse_qs(environ["QUERY_STRING"])
        return f"{query[name][0]} by {environ[key]}".encode()

    return _application(answer)
