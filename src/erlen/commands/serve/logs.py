"""How the server writes what it does: one line for each thing, with the time and the process."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time

import click

#: What the server says of itself. What an application logs is its own business.
logger = logging.getLogger("erlen.serve")

LEVELS = ("debug", "info", "warning", "error", "critical")


def say(text: str, color: str | None = None) -> None:
    """Print a text to standard error; a terminal that is gone is no reason to stop.

    :param text: what is printed.
    :param color: of the text, on a terminal.
    """
    with contextlib.suppress(OSError):
        click.echo(text if color is None else click.style(text, fg=color), err=True)


def let_go_of_streams() -> None:
    """Flush what was printed; what cannot be, as the terminal is gone, is no failure of the process."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Python flushes once more at its end, and would end with 120.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class _Formatter(logging.Formatter):
    """``2026-01-31 12:00:00 +0100 [worker 1, 4321] warning: text``."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._who = f"[{name}, {os.getpid()}]"

    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(record.created))
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{when} {self._who} {record.levelname.lower()}: {text}"


def configure(name: str, level: str) -> None:
    """Let the server's loggers write: what it does to standard error, requests to standard output.

    A logger that somebody has given a handler before keeps it.

    :param name: of this process.
    :param level: one of :data:`LEVELS`.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    own = logging.StreamHandler(sys.stderr)
    own.setFormatter(_Formatter(name))
    _give(logger, own, number)
    # Granian tells each start and stop of its own, as this does. It is heard where everything is.
    _give(
        logging.getLogger("_granian"),
        own,
        number if number <= logging.DEBUG else max(number, logging.WARNING),
    )
    _give(logging.getLogger("erlen.access"), logging.StreamHandler(sys.stdout), logging.INFO)


def _give(target: logging.Logger, handler: logging.Handler, level: int) -> None:
    target.setLevel(level)
    target.propagate = False
    if not target.handlers:
        target.addHandler(handler)
