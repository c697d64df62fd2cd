"""What the development server says of itself when it starts."""

from __future__ import annotations

import socket
import typing as t

import click
from werkzeug.serving import get_interface_ip

from .terminal import say, styled

if t.TYPE_CHECKING:
    from .settings import Settings


# Everywhere, and what of that a browser on this machine can open.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - the user has asked for it


def say_where(settings: Settings, listener: socket.socket, protocol: str | None) -> None:
    """Say what serves, and under which addresses.

    :param settings: what was asked for.
    :param listener: the socket.
    :param protocol: a line about the protocol, if there is something to say of it.
    """
    say(
        styled(
            "WARNING: This is a development server. In production, use a server that is made for it.",
            fg="red",
            bold=True,
        )
    )
    if protocol is not None:
        say(f" * {protocol}")
    for line in _addresses(settings, listener):
        say(f" * {line}")


def say_the_rest(unlock_url: str | None) -> None:
    """Say how to unlock the debugger, and how to end.

    :param unlock_url: the link, if there is one.
    """
    if unlock_url is not None:
        # Not through a logger: whoever has the link may run code here.
        click.echo(f" * Debugger: {unlock_url}", err=True)
    say(styled("Press CTRL+C to stop", fg="yellow"))


def base_url(settings: Settings, listener: socket.socket) -> str | None:
    """Return the address for a browser on this machine; ``None`` for a Unix socket."""
    if listener.family not in {socket.AF_INET, socket.AF_INET6}:
        return None
    host, port = settings.host, listener.getsockname()[1]
    return _url(settings, _EVERYWHERE.get(host, host), port)


def _addresses(settings: Settings, listener: socket.socket) -> t.Iterator[str]:
    url = base_url(settings, listener)
    if url is None:
        yield f"Running on {settings.host}"
        return
    if settings.host in _EVERYWHERE:
        yield f"Running on all addresses ({settings.host})"
        yield f"Running on {url}"
        interface = get_interface_ip(listener.family)
        yield f"Running on {_url(settings, interface, listener.getsockname()[1])}"
    else:
        yield f"Running on {url}"


def _url(settings: Settings, host: str, port: int) -> str:
    scheme = "http" if settings.certificate is None else "https"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
