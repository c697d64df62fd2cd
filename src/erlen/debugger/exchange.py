"""What the wrapper and what answers in it have in common."""

from __future__ import annotations

import sys
import typing as t

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: Below it are the debugger's own addresses. All others are the application's.
PREFIX = "/__debugger__/"

#: The most bytes that are received for one of them.
LARGEST = 256 * 1024


class Answer(t.NamedTuple):
    """A response.

    :param status: code and reason.
    :param headers: names and values.
    :param body: the whole body.
    """

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def write_error(environ: WSGIEnvironment, text: str) -> None:
    """Write to the error stream of the server.

    :param environ: the request.
    :param text: whole lines.
    """
    stream = environ.get("wsgi.errors") or sys.stderr
    # A lone surrogate has no form that can be written.
    stream.write(text.encode("utf-8", "backslashreplace").decode())
    stream.flush()
