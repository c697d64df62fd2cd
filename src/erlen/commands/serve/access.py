"""The access log: one line for each request, whatever clients have put into it."""

from __future__ import annotations

import datetime as dt
import logging
import re
import time
import typing as t

#: How a line looks unless something else was said.
DEFAULT_FORMAT = '%(client)s - [%(time)s] "%(method)s %(target)s %(protocol)s" %(status)s %(bytes)s %(ms)s'

#: What a line may have, and ``%(header{Name})s`` for a header of the request.
FIELDS = {
    "client": "the address of the client, as named proxies tell it",
    "time": "when the request came, with the zone",
    "method": "the method",
    "path": "the path, decoded",
    "query": "the query, without question mark",
    "target": "path and query as one",
    "protocol": "`HTTP/1.1`, `HTTP/2`",
    "scheme": "`http` or `https`, `ws` or `wss`",
    "host": "the header `Host`",
    "status": "the status; `-` where there was no answer",
    "bytes": "the length of the body in bytes",
    "ms": "how long it took until the last byte was handed over, in milliseconds",
    "agent": "the header `User-Agent`",
    "referer": "the header `Referer`",
    "worker": "the number of the worker",
}

_FIELD = re.compile(r"%\((?:header\{([A-Za-z0-9-]+)\}|([^)]*))\)s|%(.)?")

# What would end a line, move the cursor of a terminal, or end a text in quotes.
_UNSAFE = re.compile(r'[^\x20-\x7e]|["\\]')

logger = logging.getLogger("erlen.access")


class BadFormat(ValueError):
    """The format of the access log cannot be used; the message says why."""


def check_format(text: str) -> None:
    """Raise for a format that cannot be used.

    :param text: the format.
    :raises BadFormat: with what is wrong.
    """
    for match in _FIELD.finditer(text):
        header, field, other = match.groups()
        if header is None and field not in FIELDS and other != "%":
            raise BadFormat(
                f"{match.group()!r} is nothing that a line can have. There are"
                f" {', '.join(f'%({name})s' for name in FIELDS)}, and '%(header{{Name}})s' for a header; '%%' is a percent sign."
            )


def escape(text: str) -> str:
    r"""Return a text of a client as it may stand in a log: as ``\x0a`` where it would be more than a text in a line."""
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    number = ord(match.group())
    return (
        rf"\x{number:02x}" if number < 256 else rf"\u{number:04x}" if number < 65536 else rf"\U{number:08x}"
    )


class _Line(dict[str, t.Any]):
    """The fields of one line; a header is asked for when the format has it."""

    header: t.Callable[[str], str | None]

    def __missing__(self, key: str) -> str:
        name = {"agent": "User-Agent", "referer": "Referer", "host": "Host"}.get(key) or key[7:-1]
        value = self.header(name)
        return "-" if value is None else escape(value)


class AccessLog:
    """Writes a line for each request, to the logger ``erlen.access``.

    :param text: the format.
    :param worker: the number of this worker.
    """

    def __init__(self, text: str | None, worker: int) -> None:
        self._format = text or DEFAULT_FORMAT
        self._worker = worker

    def _write(self, line: _Line, began: float, status: t.Any, length: int) -> None:
        now = dt.datetime.now().astimezone() - dt.timedelta(seconds=time.perf_counter() - began)
        query = line["query"]
        line |= {
            "time": now.strftime("%Y-%m-%d %H:%M:%S %z"),
            "status": status or "-",
            "bytes": length,
            "ms": f"{(time.perf_counter() - began) * 1000:.1f}",
            "worker": self._worker,
            "target": f"{line['path']}?{query}" if query else line["path"],
        }
        logger.info("%s", self._format % line)

    def around_wsgi(self, app: t.Any) -> t.Any:
        """Return a WSGI application whose requests are written down."""

        def logged(environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
            request = _WSGIRequest(self, environ)

            def start(status: str, headers: t.Any, exc_info: t.Any = None) -> t.Any:
                request.status = status[:3]
                return start_response(status, headers, exc_info)

            try:
                body = app(environ, start)
            except BaseException:
                request.status = "500"
                request.end()
                raise
            if isinstance(body, list):
                # Whole, and what Granian sends in one piece.
                pieces = t.cast("list[bytes]", body)
                request.length = sum(map(len, pieces))
                request.end()
                return pieces
            return _LoggedBody(body, request)

        return logged

    def around_asgi(self, app: t.Any) -> t.Any:
        """Return an ASGI application whose requests are written down."""

        async def logged(scope: t.Any, receive: t.Any, send: t.Any) -> None:
            if scope["type"] == "lifespan":
                await app(scope, receive, send)
                return
            began, status, length = time.perf_counter(), 0, 0

            async def send_logged(message: t.Any) -> None:
                nonlocal status, length
                kind = message["type"]
                if kind in {"http.response.start", "websocket.http.response.start"}:
                    status = message["status"]
                elif kind == "websocket.accept":
                    status = 101
                elif kind in {"http.response.body", "websocket.http.response.body"}:
                    length += len(message.get("body", b""))
                await send(message)

            try:
                await app(scope, receive, send_logged)
            finally:
                self._write(_line_of_scope(scope), began, status, length)

        return logged

    def end_wsgi(self, environ: dict[str, t.Any], began: float, status: str, length: int) -> None:
        """Write the line of a request over WSGI."""
        get = environ.get
        line = _Line(
            client=escape(get("REMOTE_ADDR") or "-"),
            method=escape(get("REQUEST_METHOD", "-")),
            path=escape(get("SCRIPT_NAME", "") + get("PATH_INFO", "")),
            query=escape(get("QUERY_STRING", "")),
            protocol=escape(get("SERVER_PROTOCOL", "-")),
            scheme=get("wsgi.url_scheme", "-"),
        )
        line.header = lambda name: get(_key_of(name))
        self._write(line, began, status, length)


class _WSGIRequest:
    def __init__(self, log: AccessLog, environ: dict[str, t.Any]) -> None:
        self._log = log
        self._environ = environ
        self._began = time.perf_counter()
        self.status = ""
        self.length = 0

    def end(self) -> None:
        self._log.end_wsgi(self._environ, self._began, self.status, self.length)


class _LoggedBody:
    """A body that is counted, and whose end is written down."""

    def __init__(self, body: t.Iterable[bytes], request: _WSGIRequest) -> None:
        self._body = body
        self._pieces = iter(body)
        self._request: _WSGIRequest | None = request

    def __iter__(self) -> t.Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        piece = next(self._pieces)
        if self._request is not None:
            self._request.length += len(piece)
        return piece

    def close(self) -> None:
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            request, self._request = self._request, None
            if request is not None:
                request.end()


def _key_of(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


def _line_of_scope(scope: t.Any) -> _Line:
    client = scope.get("client")
    line = _Line(
        client=escape(client[0] if client and client[0] else "-"),
        method=escape(scope.get("method", "GET")),
        path=escape(scope["path"]),
        query=escape(scope.get("query_string", b"").decode("latin1")),
        protocol=f"HTTP/{escape(scope.get('http_version', '-'))}",
        scheme=escape(scope.get("scheme", "-")),
    )

    def header(name: str) -> str | None:
        wanted = name.lower().encode("ascii")
        return next((value.decode("latin1") for key, value in scope["headers"] if key == wanted), None)

    line.header = header
    return line
