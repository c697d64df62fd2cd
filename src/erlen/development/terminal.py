"""What the development server writes: its messages, and a line for each request, the same for both servers."""

from __future__ import annotations

import logging
import os
import sys
import time
import typing as t

import click
from werkzeug.urls import uri_to_iri

# Kept under this name: applications that want silence set the level of this logger.
_logger = logging.getLogger("werkzeug")

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()

# A path may hold anything, also what would move the cursor.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {ord("\\"): "\\\\"}


def say(message: str, level: int = logging.INFO) -> None:
    """Write a line through the logger 'werkzeug', as its server does.

    :param message: the line.
    :param level: its level.
    """
    if _logger.level == logging.NOTSET:
        _logger.setLevel(logging.INFO)
    if not _logger.hasHandlers():
        _logger.addHandler(logging.StreamHandler())
    # Not a format: an address of IPv6 may hold a percent sign.
    _logger.log(level, "%s", message)


def styled(text: str, **style: t.Any) -> str:
    """Return a text in colours, where the terminal shows any.

    :param text: the text.
    :param style: as for :func:`click.style`.
    """
    return click.style(text, **style) if _has_colours() else text


def _has_colours() -> bool:
    stream = sys.stderr
    if "NO_COLOR" in os.environ or not (stream is not None and stream.isatty()):
        return False
    return os.environ.get("TERM") != "dumb"


def say_request(
    address: str, method: str, path: str, protocol: str, status: int | str, size: object = "-"
) -> None:
    """Write the line of a request.

    :param address: of the client.
    :param path: as it was sent, with the query.
    :param protocol: for example ``HTTP/1.1``.
    """
    line = f"{method} {uri_to_iri(path)} {protocol}".translate(_ESCAPES)
    say(f'{address} - - [{_now()}] "{styled(line, **_style_of(str(status)))}" {status} {size}')


def _now() -> str:
    # Not by strftime(): its names of months are those of the locale.
    now = time.localtime()
    return f"{now.tm_mday:02}/{_MONTHS[now.tm_mon - 1]}/{now.tm_year} {time.strftime('%H:%M:%S', now)}"


def _style_of(status: str) -> dict[str, t.Any]:
    if status == "200":
        return {}
    if status == "304":
        return {"fg": "cyan"}
    if status == "404":
        return {"fg": "yellow"}
    styles: dict[str, dict[str, t.Any]] = {
        "1": {"bold": True},
        "2": {},
        "3": {"fg": "green"},
        "4": {"fg": "red", "bold": True},
    }
    return styles.get(status[:1], {"fg": "magenta", "bold": True})
