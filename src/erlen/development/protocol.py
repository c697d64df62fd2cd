"""Which protocol an application is served over, and what is said of that."""

from __future__ import annotations

import typing as t
from importlib.util import find_spec

import click

from ..pipeline.loops import in_a_loop

_INSTALL = "pip install 'erlen[dev]'"


class Choice(t.NamedTuple):
    """The decision, and a line that tells of it where it is not the plain case."""

    is_asgi: bool
    line: str | None


def choose(app: t.Any, interface: str, command: str) -> Choice:
    """Decide.

    :param app: the application.
    :param interface: ``"wsgi"``, ``"asgi"``, or ``"auto"``, which asks the application.
    :param command: what the user has typed.
    :raises click.UsageError: when ASGI was asked for, and cannot be had.
    """
    if interface == "wsgi":
        return Choice(False, None)
    reason = app.asgi_reason() if interface == "auto" and hasattr(app, "asgi_reason") else None
    if interface == "auto" and (reason is None or in_a_loop()):
        # Inside of a loop, as in a notebook, uvicorn could not run its own.
        return Choice(False, None)
    asked = "asked for" if reason is None else f"because of {reason}"
    if find_spec("uvicorn") is None:
        if interface == "asgi":
            raise click.UsageError(f"'--interface asgi' needs uvicorn, which is not installed: {_INSTALL}")
        return Choice(False, _without_uvicorn(asked))
    line = f"Protocol: ASGI, {asked}"
    if find_spec("websockets") is None and find_spec("wsproto") is None:
        line += f". WebSockets do not work: {_INSTALL}"
    return Choice(True, line)


def _without_uvicorn(asked: str) -> str:
    return (
        f"Protocol: WSGI. ASGI, {asked}, needs uvicorn: {_INSTALL}. Until then WebSockets are answered with 426, and"
        " async views run one at a time in each thread"
    )
