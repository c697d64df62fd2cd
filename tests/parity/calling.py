"""Requests at WSGI level, and the part of an answer that can be compared."""

from __future__ import annotations

import io
import json
import typing as t
from dataclasses import dataclass, field, replace
from http.cookies import SimpleCookie
from urllib.parse import unquote_to_bytes

from itsdangerous import URLSafeTimedSerializer

from erlen.testing.exchange import over_asgi

if t.TYPE_CHECKING:
    from erlen import Erlen

#: Headers that hold the time of the call.
DATE_LIKE = frozenset({"date", "expires"})


@dataclass(frozen=True)
class Case:
    """One request. The target is as on the wire, percent-encoded, with its query."""

    app: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    environ: tuple[tuple[str, t.Any], ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"{self.app}: {self.method} {self.target}{note}"


@dataclass(frozen=True)
class Answer:
    """What came back, without what differs from call to call."""

    status: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    raised: str = ""
    trace: tuple[str, ...] = ()
    cookies: dict[str, str] = field(default_factory=dict[str, str], compare=False)

    def without_reason(self) -> Answer:
        """Return the answer as ASGI can send it, with the number of the status alone."""
        return replace(self, status=self.status[:3])

    def __str__(self) -> str:
        lines = [self.status, *(f"{name}: {value}" for name, value in self.headers), repr(self.body)]
        return "\n".join([*lines, f"raised: {self.raised}", *self.trace])


def make_environ(case: Case) -> dict[str, t.Any]:
    """Return the environ a WSGI server hands on for a case."""
    path, _, query = case.target.partition("?")
    environ: dict[str, t.Any] = {
        "REQUEST_METHOD": case.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(case.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if case.body:
        environ["CONTENT_LENGTH"] = str(len(case.body))
    for name, value in case.headers:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    environ.update(case.environ)
    return {key: value for key, value in environ.items() if value is not None}


def call(app: Erlen, case: Case, protocol: str = "wsgi") -> Answer:
    """Send a case to an application, read the whole answer, close it, and say what was seen."""
    called: t.Any = over_asgi(app) if protocol == "asgi" else app
    trace: list[str] = app.extensions["parity"]
    trace.clear()
    started: list[tuple[str, list[tuple[str, str]]]] = []
    body: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
        started.append((status, headers))
        return body.append

    raised = ""
    try:
        result = called(make_environ(case), start_response)
        try:
            body.extend(result)
        finally:
            if hasattr(result, "close"):
                result.close()
    except Exception as error:
        raised = _kind_of(error)
    status, headers = started[-1] if started else ("", [])
    return Answer(
        status,
        # ASGI has the names in lower case.
        tuple(sorted((name.lower(), _comparable(name, value)) for name, value in headers)),
        b"".join(body),
        raised,
        tuple(trace),
        _cookies(headers),
    )


def _kind_of(error: BaseException) -> str:
    """Name the public classes of an exception: its own text is each framework's own wording."""
    public = [cls for cls in type(error).__mro__ if not cls.__module__.startswith(("flask", "erlen"))]
    return " ".join(cls.__name__ for cls in public if cls is not object)


def _comparable(name: str, value: str) -> str:
    lowered = name.lower()
    if lowered in DATE_LIKE:
        return "..."
    if lowered == "set-cookie":
        return _comparable_cookie(value)
    if lowered == "allow":
        # The methods come out of a set.
        return ", ".join(sorted(value.split(", ")))
    return value


def _comparable_cookie(value: str) -> str:
    """Replace the signature of a session by what is signed, and the time a cookie expires by dots."""
    first, *attributes = value.split("; ")
    name, _, content = first.partition("=")
    if content.count(".") >= 2:
        content = json.dumps(_unsigned(content), sort_keys=False)
    shown = ["Expires=..." if one.startswith("Expires=") else one for one in attributes]
    return "; ".join([f"{name}={content}", *shown])


def _unsigned(content: str) -> t.Any:
    return URLSafeTimedSerializer("any").loads_unsafe(content)[1]


def _cookies(headers: list[tuple[str, str]]) -> dict[str, str]:
    """Return what a browser would keep: a cookie that expires at once is ``""``."""
    jar: dict[str, str] = {}
    for name, value in headers:
        if name.lower() == "set-cookie":
            for key, morsel in SimpleCookie(value).items():
                jar[key] = "" if morsel["max-age"] == "0" else morsel.value
    return jar
