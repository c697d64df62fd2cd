"""The application's logger."""

from __future__ import annotations

import logging
import sys
import typing as t

from werkzeug.local import LocalProxy

from .ctx import context_var
from .typing import Application

__all__ = ["create_logger", "default_handler", "has_level_handler", "wsgi_errors_stream"]

# Line breaks for terminals and log viewers: the control characters, and Unicode's separators of lines and paragraphs.
_UNPRINTABLE = {
    code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
    for code in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
}


def _errors_stream() -> t.Any:
    context = context_var.get(None)
    if context is not None and context.has_request:
        stream = context.request.environ.get("wsgi.errors")
        if stream is not None:
            return stream
    return sys.stderr


#: The error stream of the WSGI server while a request is handled (PEP 3333), :data:`sys.stderr` else. Found anew each
#: time it is used, so a handler may keep it.
wsgi_errors_stream: t.TextIO = t.cast(t.TextIO, LocalProxy(_errors_stream))

#: What an application logs to when nobody has configured logging: :data:`wsgi_errors_stream`, with time and module.
default_handler = logging.StreamHandler(wsgi_errors_stream)
default_handler.setFormatter(logging.Formatter("[%(asctime)s] %(levelname)s in %(module)s: %(message)s"))


def has_level_handler(logger: logging.Logger) -> bool:
    """Return whether a handler of a logger, or of one it passes its records on to, takes the logger's level.

    :param logger: the logger.
    """
    level = logger.getEffectiveLevel()
    current: logging.Logger | None = logger
    while current is not None:
        if any(handler.level <= level for handler in current.handlers):
            return True
        current = current.parent if current.propagate else None
    return False


def create_logger(app: Application) -> logging.Logger:
    """Return the logger of an application's name.

    In debug mode its level is ``DEBUG`` unless it has one. It gets :data:`default_handler` unless some handler would
    already receive its records.

    :param app: the application.
    """
    logger = logging.getLogger(app.name)
    if logger.level == logging.NOTSET and app.debug:
        logger.setLevel(logging.DEBUG)
    configured = has_level_handler(logger)
    if not configured:
        logger.addHandler(default_handler)
    return logger


def printable(text: str) -> str:
    r"""Return text with control characters escaped, so that what a client sent cannot forge lines of a log.

    ``"/a\nERROR"`` becomes ``"/a\\nERROR"``. Backslashes are doubled, so that the escapes cannot be forged either.

    :param text: for example the path of a request.
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return text.replace("\\", "\\\\").translate(_UNPRINTABLE | {10: "\\n", 13: "\\r", 9: "\\t"})
