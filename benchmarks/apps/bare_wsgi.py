"""No framework: what the standard library needs for the same answers. Each knows one path alone: the floor.

A template is Jinja2's, an upload is taken apart by ``multipart``: there the figure is the library's own cost.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from urllib.parse import parse_qs

from ..cases import HTML, JSON, Environ
from ..data import (
    CHUNKS,
    HEADER,
    MESSAGE,
    PRODUCTS,
    QUERY,
    ROWS,
    STATIC,
    TEMPLATE,
    TEMPLATE_NAME,
    TEMPLATES,
)
from .bare_multipart import Parts

Application = t.Callable[[Environ, t.Any], t.Iterable[bytes]]
Answer = t.Callable[[Environ], str]


def _start(
    start_response: t.Any, kind: str, body: bytes, status: str = "200 OK", *more: t.Any
) -> list[bytes]:
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(body))), *more])
    return [body]


def _application(answer: Answer, kind: str = HTML) -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        return _start(start_response, kind, answer(environ).encode())

    return application


def plain() -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        if environ["PATH_INFO"] != "/":
            return _start(start_response, HTML, b"not found", "404 Not Found")
        return _start(start_response, HTML, b"Hello, World!")

    return application


def get_only() -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            return _start(start_response, HTML, b"no", "405 Method Not Allowed", ("Allow", "GET"))
        return _start(start_response, HTML, b"Hello, World!")

    return application


def head() -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        body = _start(start_response, HTML, b"Hello, World!")
        return [] if environ["REQUEST_METHOD"] == "HEAD" else body

    return application


def as_json() -> Application:
    return _application(lambda environ: json.dumps(MESSAGE), JSON)


def large_json() -> Application:
    return _application(lambda environ: json.dumps(PRODUCTS), JSON)


def parameter() -> Application:
    return _application(lambda environ: f"item {int(environ['PATH_INFO'].rpartition('/')[2]) + 1}")


def string_parameter() -> Application:
    return _application(lambda environ: f"hello {environ['PATH_INFO'].rpartition('/')[2]}")


def path_parameter() -> Application:
    return _application(lambda environ: f"file {environ['PATH_INFO'].removeprefix('/files/')}")


def query_and_header() -> Application:
    key = "HTTP_" + HEADER.upper().replace("-", "_")
    return _application(lambda environ: f"{parse_qs(environ['QUERY_STRING'])[QUERY][0]} by {environ[key]}")


def form() -> Application:
    def answer(environ: Environ) -> str:
        fields = parse_qs(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode())
        return f"{fields['name'][0]} {fields['mail'][0]} {len(fields['note'][0])}"

    return _application(answer)


def upload() -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        read, left = environ["wsgi.input"].read, int(environ["CONTENT_LENGTH"])
        parts = Parts(environ["CONTENT_TYPE"])
        while left:
            piece = read(min(left, 1 << 16))
            parts.feed(piece)
            left -= len(piece)
        parts.feed(b"")
        return _start(start_response, HTML, parts.answer())

    return application


def json_post() -> Application:
    def answer(environ: Environ) -> str:
        order = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        items = order["items"]
        return f"{order['customer']['name']} {len(items)} {sum(item['count'] for item in items)}"

    return _application(answer)


def template() -> Application:
    from jinja2 import Environment, FileSystemLoader  # here, so that the others run without it

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, auto_reload=False)
    return _application(lambda environ: environment.get_template(TEMPLATE_NAME).render(rows=ROWS))


def template_string() -> Application:
    from jinja2 import Environment  # here, so that the others run without it

    compiled = Environment(autoescape=True).from_string(TEMPLATE)
    return _application(lambda environ: compiled.render(rows=ROWS))


def redirect() -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        return _start(start_response, HTML, b"", "302 Found", ("Location", "/new?page=2"))

    return application


def stream() -> Application:
    def application(environ: Environ, start_response: t.Any) -> t.Iterable[bytes]:
        start_response("200 OK", [("Content-Type", HTML)])
        return iter(CHUNKS)

    return application


def static() -> Application:
    def application(environ: Environ, start_response: t.Any) -> list[bytes]:
        content = Path(STATIC, environ["PATH_INFO"].rpartition("/")[2]).read_bytes()
        return _start(start_response, "image/png", content)

    return application
