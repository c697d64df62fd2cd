"""What is asked, and what has to be answered."""

from __future__ import annotations

import io
import json
import sys
import typing as t
from dataclasses import dataclass

from . import data

Environ = dict[str, t.Any]
Scope = dict[str, t.Any]

HTML, JSON = "text/html; charset=utf-8", "application/json"


@dataclass(frozen=True)
class Case:
    """One request and the answer that every subject has to give to it.

    :param factory: the name of the function in each module of ``apps`` that makes the application.
    :param size: an argument of that function, the number of routes.
    :param content_type: ``None`` where each framework may take its own.
    :param body: the exact body, or ``None`` where each framework writes its own page.
    :param required: headers that the answer has to have beside its content type, with their values; ``None`` where
        the value is each framework's own.
    :param login: the path of a request before this one, whose cookies are sent with it.
    :param again: the path of a request after this one, which sends the cookies of its answer back, and the body that
        shows what they hold.
    :param chunked: whether the length of the body is not known when it starts.
    :param validators: whether the request says what version of the page is known, as a browser does that has it.
    """

    factory: str
    path: str
    status: int = 200
    content_type: str | None = HTML
    body: bytes | None = None
    size: int | None = None
    method: str = "GET"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    sent: bytes = b""
    required: tuple[tuple[str, str | None], ...] = ()
    login: str | None = None
    again: tuple[str, bytes] | None = None
    chunked: bool = False
    validators: bool = False


def _sent(kind: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", kind),)


_REQUESTS: dict[str, Case] = {
    "plaintext": Case("plain", "/", body=b"Hello, World!"),
    "json": Case("as_json", "/json", content_type=JSON, body=json.dumps(data.MESSAGE).encode()),
    "json 200 objects": Case(
        "large_json", "/products", content_type=JSON, body=json.dumps(data.PRODUCTS).encode()
    ),
    "int parameter": Case("parameter", "/items/42", body=b"item 43"),
    "string parameter": Case("string_parameter", "/hello/ann", body=b"hello ann"),
    "path parameter": Case("path_parameter", "/files/2024/may/report.txt", body=b"file 2024/may/report.txt"),
    "query and header": Case(
        "query_and_header",
        "/search",
        body=b"erlen by tester",
        query="q=erlen&page=2",
        headers=((data.HEADER, "tester"),),
    ),
}

_ROUTES: dict[str, Case] = {
    f"{which} of {size:,} routes": Case("routes", f"/part{number}/7/end", body=b"end 7", size=size)
    for size in (10, 100, 1_000, 5_000)
    for which, number in (("first", 0), ("last", size - 1))
}

_BODIES: dict[str, Case] = {
    "form POST": Case(
        "form",
        "/form",
        method="POST",
        headers=_sent("application/x-www-form-urlencoded"),
        sent=data.FORM,
        body=b"Ann ann@example.org 40",
    ),
    "upload 1 MiB": Case(
        "upload",
        "/upload",
        method="POST",
        headers=_sent(f"multipart/form-data; boundary={data.BOUNDARY}"),
        sent=data.MULTIPART,
        body=data.uploaded("holiday", "holiday.zip", data.UPLOAD).encode(),
    ),
    "JSON POST": Case(
        "json_post",
        "/orders",
        method="POST",
        headers=_sent(JSON),
        sent=json.dumps(data.ORDER).encode(),
        body=b"Ann 3 6",
    ),
}

_PAGES: dict[str, Case] = {
    "template of 12 rows": Case("template", "/rows", body=data.RENDERED.encode()),
    "template from a string": Case("template_string", "/rows", body=data.RENDERED.encode()),
    "session untouched": Case("session", "/untouched", body=b"Hello, World!", login="/login"),
    "session read": Case("session", "/session", body=b"ann 2", login="/login"),
    "session write": Case("session", "/login", body=b"written", again=("/session", b"ann 2")),
    "url_for x 10": Case(
        "url_for", "/urls", body="\n".join(f"/items/{number}" for number in data.NUMBERS).encode()
    ),
    "hooks": Case(
        "hooks",
        "/outer/inner/page",
        body=b"app outer inner",
        required=tuple((name.lower(), "1") for name in data.LEVEL_HEADERS),
    ),
    "error handler": Case("error_handler", "/order", status=409, body=b"trouble: sold out"),
    "404": Case("plain", "/nowhere", status=404, content_type=None),
    "405": Case("get_only", "/", method="POST", status=405, content_type=None, required=(("allow", None),)),
    "HEAD": Case("head", "/", method="HEAD", body=b""),
    "redirect": Case(
        "redirect", "/old", status=302, content_type=None, required=(("location", "/new?page=2"),)
    ),
}

_FILES: dict[str, Case] = {
    "stream of 100 chunks": Case("stream", "/stream", body=b"".join(data.CHUNKS), chunked=True),
    "static file": Case("static", "/static/picture.png", content_type="image/png", body=data.PICTURE),
    "static file 304": Case(
        "static_304", "/static/picture.png", status=304, content_type=None, body=b"", validators=True
    ),
    "static file range": Case(
        "static_range",
        "/static/picture.png",
        status=206,
        content_type="image/png",
        body=data.PICTURE[1000:2000],
        headers=(("Range", "bytes=1000-1999"),),
        required=(("content-range", f"bytes 1000-1999/{len(data.PICTURE)}"),),
    ),
    "after_this_request": Case(
        "after_this_request", "/", body=b"Hello, World!", required=((data.AFTER_HEADER.lower(), "1"),)
    ),
    "flash": Case("flash", "/messages", body=b"saved", login="/flash", again=("/messages", b"saved")),
}

CASES: dict[str, Case] = {**_REQUESTS, **_ROUTES, **_BODIES, **_PAGES, **_FILES}

#: Over ASGI the same, and one that only it can have.
ASGI_CASES: dict[str, Case] = {**CASES, "view that waits": Case("waiting", "/", body=b"Hello, World!")}

#: Of plain functions in a thread pool, those that show the way there and back.
POOL_CASES: dict[str, Case] = {
    name: CASES[name] for name in ("plaintext", "json", "int parameter", "query and header", "form POST")
}

ADDRESS, PORT = "127.0.0.1", 8000
CLIENT_PORT = 50_000

#: What a browser sends with each request.
BROWSER = (
    ("Host", f"{ADDRESS}:{PORT}"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
)


def at(case: Case, path: str) -> Case:
    """Return the request for another page of the same application: a plain GET."""
    return Case(case.factory, path, size=case.size)


def headers_of(case: Case, more: t.Iterable[tuple[str, str]] = ()) -> list[tuple[str, str]]:
    """Return the headers a browser sends for a case.

    :param more: what it has learned from an answer before.
    """
    headers = [*BROWSER, *case.headers]
    if case.method == "POST":
        headers.append(("Content-Length", str(len(case.sent))))
        # A browser says where a form comes from; the safe profile looks at it.
        headers += [("Sec-Fetch-Site", "same-origin"), ("Origin", f"http://{ADDRESS}:{PORT}")]
    return [*headers, *more]


def environ_of(case: Case, more: t.Iterable[tuple[str, str]] = ()) -> Environ:
    """Return the environ a WSGI server hands on for a case, without the stream of its body.

    :param more: headers that are sent as well.
    """
    environ: Environ = {
        "REQUEST_METHOD": case.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": case.path,
        "QUERY_STRING": case.query,
        "SERVER_NAME": ADDRESS,
        "SERVER_PORT": str(PORT),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": ADDRESS,
        "REMOTE_PORT": str(CLIENT_PORT),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input": io.BytesIO(),
    }
    for name, value in headers_of(case, more):
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
    return environ


def scope_of(case: Case, more: t.Iterable[tuple[str, str]] = ()) -> Scope:
    """Return the scope an ASGI server hands on for a case.

    :param more: headers that are sent as well.
    """
    headers = [(name.lower().encode(), value.encode()) for name, value in headers_of(case, more)]
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": case.method,
        "scheme": "http",
        "path": case.path,
        "raw_path": case.path.encode(),
        "query_string": case.query.encode(),
        "root_path": "",
        "headers": headers,
        "client": (ADDRESS, CLIENT_PORT),
        "server": (ADDRESS, PORT),
    }
