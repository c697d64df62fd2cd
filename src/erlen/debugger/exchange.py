"""What the wrapper and what answers in it have in common."""

from __future__ import annotations

import sys
import typing as t
from http import HTTPStatus

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Below it are the debugger's own addresses. All others are the application's.
PREFIX = "/__debugger__/"

#: The most bytes that are received for one of them.
LARGEST = 256 * 1024

#: Characters that a terminal obeys, without the tabulator and the end of a line.
CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (9, 10)}


class Answer(t.NamedTuple):
    """A response.

    :param status: code and reason.
    :param headers: names and values.
    :param body: the whole body.
    """

    status: str
    headers: list[tuple[str, str]]
    body: bytes


# Sent with everything.
_HEADERS = [
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]


def answer_of(
    environ: WSGIEnvironment, status: HTTPStatus, body: bytes, headers: list[tuple[str, str]]
) -> Answer:
    """Return a response, with what is sent with every one of them.

    :param environ: the request; for ``HEAD`` there is no body.
    :param status: its code.
    :param body: its body.
    :param headers: its own headers.
    """
    headers = [*headers, *_HEADERS, ("Content-Length", str(len(body)))]
    if environ.get("REQUEST_METHOD") == "HEAD":
        body = b""
    return Answer(f"{status.value} {status.phrase.upper()}", headers, body)


def bare_answer(environ: WSGIEnvironment) -> Answer:
    """Return what is answered where nothing may be shown, or can be.

    :param environ: the request.
    """
    headers = [("Content-Type", "text/plain; charset=utf-8")]
    return answer_of(environ, HTTPStatus.INTERNAL_SERVER_ERROR, b"Internal Server Error\n", headers)


def write_error(environ: WSGIEnvironment, text: str) -> None:
    """Write to the error stream of the server.

    :param environ: the request.
    :param text: whole lines.
    """
    stream = environ.get("wsgi.errors") or sys.stderr
    # A lone surrogate has no form that can be written. What a client has sent may stand in a message, and must not move the
    # cursor of the terminal.
    stream.write(text.encode("utf-8", "backslashreplace").decode().translate(CONTROLS))
    stream.flush()
