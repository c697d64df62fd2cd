"""The socket that the development server listens on: bound first, so that it is known early whether that works."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import sys
import typing as t

import click
from werkzeug import serving

from .settings import with_option

_UNIX = "unix://"


class CannotListen(click.ClickException):
    """There is no listening on this address; the message says why, and what to do. The exit code is 1."""


def listen(host: str, port: int, command: str) -> socket.socket:
    """Return a socket that listens.

    :param host: an address, a name, or ``unix://path``.
    :param port: 0 takes a free one.
    :param command: what the user has typed, for the message.
    :raises CannotListen: with the reason.
    """
    if host.startswith(_UNIX):
        return _listen_on_path(os.path.abspath(host.removeprefix(_UNIX)))
    family = serving.select_address_family(host, port)
    try:
        address: t.Any = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
    except (socket.gaierror, UnicodeError) as error:
        raise CannotListen(
            f"The name {host!r} has no address of this machine: {getattr(error, 'strerror', None) or error}. Is it"
            f" spelled right? '{with_option(command, 'host', '127.0.0.1')}' serves this machine alone, the host 0.0.0.0 every network"
            " it is in."
        ) from None
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        _bind(listener, address)
    except OSError as error:
        listener.close()
        raise CannotListen(_explain(error, host, address, family, command)) from None
    return listener


@contextlib.contextmanager
def listening(host: str, port: int, command: str) -> t.Generator[socket.socket]:
    """Listen for the time of a block, with the arguments of :func:`listen`; the file of a Unix socket is gone after it."""
    with listen(host, port, command) as listener:
        try:
            yield listener
        finally:
            if host.startswith(_UNIX):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.abspath(host.removeprefix(_UNIX)))


def plain_host(host: str) -> str:
    """Return an address without the brackets that it has in a URL."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _bind(listener: socket.socket, address: t.Any) -> None:
    if os.name == "posix":
        # Connections of a server that has just ended do not block its port. Elsewhere the option means something else.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(serving.LISTEN_QUEUE)


def _explain(error: OSError, host: str, address: t.Any, family: int, command: str) -> str:
    port = address[1]
    where = f"Port {port}"
    match error.errno:
        case errno.EADDRINUSE:
            return _taken(host, address, family, command)
        case errno.EACCES | errno.EPERM:
            return (
                f"{where} of {host} may not be used: {error.strerror}. Ports below 1024 belong to the administrator on most"
                f" systems. Use another one: '{with_option(command, 'port', 8000)}'."
            )
        case errno.EADDRNOTAVAIL:
            return (
                f"{host!r} ({address[0]}) is no address of this machine. '{with_option(command, 'host', '127.0.0.1')}' serves this"
                " machine alone, the host 0.0.0.0 every network it is in."
            )
        case _:
            return f"{where} of {host} cannot be listened on: {error.strerror or error}. Another one: '{with_option(command, 'port', port + 1)}'."


def _taken(host: str, address: t.Any, family: int, command: str) -> str:
    # Only for this message.
    from .holders import holder_of_port

    port = address[1]
    holder = holder_of_port(port)
    lines = [f"Port {port} is in use on {host}, by {holder or 'another program'}."]
    if holder is None and sys.platform == "darwin" and port == 5000:
        lines.append(
            "On macOS that may be the AirPlay receiver (System Settings, General, AirDrop & Handoff)."
        )
    free = _next_free(address, family)
    lines.append(
        f"Stop it, or use another port: '{with_option(command, 'port', free)}', or port 0 for any that is free."
        if free is not None
        else f"Stop it, or take any port that is free: '{with_option(command, 'port', 0)}'."
    )
    return " ".join(lines)


def _next_free(address: t.Any, family: int) -> int | None:
    for port in range(address[1] + 1, min(address[1] + 20, 65536)):
        with socket.socket(family, socket.SOCK_STREAM) as attempt:
            try:
                _bind(attempt, (address[0], port, *address[2:]))
            except OSError:
                continue
            return port
    return None


def _listen_on_path(path: str) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise CannotListen("This system has no Unix sockets. Use the host 127.0.0.1.")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_left_over(path)
        listener.bind(path)
        listener.listen(serving.LISTEN_QUEUE)
    except CannotListen:
        listener.close()
        raise
    except OSError as error:
        listener.close()
        reason = error.strerror or error
        raise CannotListen(
            f"The Unix socket {path!r} cannot be made: {reason}. Name a path in a folder that you may write to, no"
            " longer than about 100 characters: unix:///tmp/name.sock."
        ) from None
    return listener


def _remove_left_over(path: str) -> None:
    """Remove a socket that nobody listens on any more."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"{path!r} is there already, and is no socket. Name another path, or remove it.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        try:
            attempt.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise CannotListen(
        f"A program listens on the Unix socket {path!r} already. Stop it, or name another path."
    )
