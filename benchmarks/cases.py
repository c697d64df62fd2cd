"""What is asked, and what has to be answered."""

from __future__ import annotations

import base64
import io
import json
import sys
import typing as t
from dataclasses import dataclass

Environ = dict[str, t.Any]
Scope = dict[str, t.Any]

#: Rows of the template case.
ROWS = [{"name": f"Name {number} <b>", "price": number * 1.25} for number in range(12)]

#: Names of the query and header case.
QUERY, HEADER = "q", "X-Name"


@dataclass(frozen=True)
class Case:
    """One request and the answer that every subject has to give to it.

    :param factory: the name of the function in each file of ``apps`` that makes the application.
    :param size: an argument of that function, the number of routes.
    :param body: the exact body, or ``None`` where each framework writes its own page or cookie format, and the
        subjects of one kind are compared with each other instead.
    :param login: the path of the request whose cookies are sent with this one.
    """

    factory: str
    path: str
    status: int = 200
    content_type: str | None = "text/html; charset=utf-8"
    body: bytes | None = None
    size: int | None = None
    method: str = "GET"
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    sent: bytes = b""
    login: str | None = None
    sets_cookie: bool = False


FORM = b"name=Ann&mail=ann%40example.org&note=" + b"x" * 40
RENDERED = "".join(
    f"<li>{row['name']}: {row['price']}</li>".replace("<b>", "&lt;b&gt;") for row in ROWS
)  # fmt: skip

CASES: dict[str, Case] = {
    "plaintext": Case("plain", "/", body=b"Hello, World!"),
    "json": Case(
        "as_json", "/json", content_type="application/json", body=b'{"message":"Hello, World!","n":[1,2,3]}\n'
    ),
    "int parameter": Case("parameter", "/items/42", body=b"item 43"),
    "query and header": Case(
        "query_and_header",
        "/search",
        body=b"erlen by tester",
        query="q=erlen&page=2",
        headers=((HEADER, "tester"),),
    ),
    **{
        f"last of {size:,} routes": Case("routes", f"/part{size - 1}/7/end", body=b"end 7", size=size)
        for size in (10, 100, 5_000)
    },
    "form POST": Case(
        "form",
        "/form",
        method="POST",
        headers=(("Content-Type", "application/x-www-form-urlencoded"),),
        sent=FORM,
        body=b"Ann ann@example.org 40",
    ),
    "template of 12 rows": Case("template", "/rows", body=f"<ul>{RENDERED}</ul>".encode()),
    "session read": Case("session", "/session", body=b"ann 2", login="/login"),
    "session write": Case("session", "/login", body=b"written", sets_cookie=True),
    "404": Case("plain", "/nowhere", status=404, content_type=None),
}


#: What ASGI is measured by: those of the cases above that touch what differs there, and one that only it can have.
ASGI_CASES: dict[str, Case] = {
    **{name: CASES[name] for name in ("plaintext", "json", "int parameter", "query and header", "form POST")},
    "view that waits": Case("waiting", "/", body=b"Hello, World!"),
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


def headers_of(case: Case, cookies: str = "") -> list[tuple[str, str]]:
    """Return the headers a browser sends for a case.

    :param cookies: the ``Cookie`` header.
    """
    headers = [*BROWSER, *case.headers]
    if case.sent:
        headers.append(("Content-Length", str(len(case.sent))))
        # A browser says where a form comes from; the safe profile looks at it.
        headers += [("Sec-Fetch-Site", "same-origin"), ("Origin", f"http://{ADDRESS}:{PORT}")]
    if cookies:
        headers.append(("Cookie", cookies))
    return headers


def environ_of(case: Case, cookies: str = "", *, path: str | None = None) -> Environ:
    """Return the environ a WSGI server hands on for a case, without the stream of its body.

    :param cookies: the ``Cookie`` header.
    :param path: another path than the case's.
    """
    environ: Environ = {
        "REQUEST_METHOD": "GET" if path else case.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path or case.path,
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
    for name, value in headers_of(case, cookies):
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value
    return environ


def scope_of(case: Case) -> Scope:
    """Return the scope an ASGI server hands on for a case."""
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
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers_of(case)],
        "client": (ADDRESS, CLIENT_PORT),
        "server": (ADDRESS, PORT),
    }


def session_content(cookie: str) -> t.Any:
    """Return what a signed session cookie of Flask's format holds."""
    content = cookie.partition(".")[0]
    return json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
