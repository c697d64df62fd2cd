"""The socket that all workers of a server share: made before any of them, and open until the server has stopped."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import typing as t
from pathlib import Path

import click

from .settings import Settings


class NoSocket(click.ClickException):
    """The server cannot listen where it was told to; the message says why, and what to do."""


def listen(settings: Settings) -> socket.socket:
    """Return a socket that listens at the address of the settings.

    :param settings: the settings.
    :raises NoSocket: when that is not possible.
    """
    made = (
        _listen_at_path(settings, settings.unix_socket) if settings.unix_socket else _listen_at_port(settings)
    )
    # Granian's threads wait for many things at once.
    made.setblocking(False)
    return made


def _listen_at_port(settings: Settings) -> socket.socket:
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise NoSocket(
            f"'--host {host}' is no address of this machine: {error}. '127.0.0.1' is reached from this machine only,"
            " '0.0.0.0' from everywhere."
        ) from None
    # A name such as 'localhost' may stand for addresses of both versions; clients try IPv4 in any case.
    family, kind, protocol, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Inherited by connections: a small answer does not wait for the client's acknowledgement.
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if family == socket.AF_INET6:
            # '::' is everything, IPv4 as well, whatever the system's own default is.
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind(address)
        made.listen(settings.backlog)
    except OSError as error:
        made.close()
        raise NoSocket(_why_no_port(error, host, port)) from None
    return made


def _why_no_port(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is in use by another program. Stop that one, or choose another port, for example"
            f" '--port {port + 1 if port < 65535 else 8000}'."
        )
    if error.errno == errno.EACCES:
        return (
            f"Not allowed to listen at port {port}: ports below 1024 are for root. Choose another one, for example '--port"
            " 8000', behind a proxy; or let systemd allow it with 'AmbientCapabilities=CAP_NET_BIND_SERVICE'."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"'--host {host}' is no address of this machine. '0.0.0.0' takes all of them."
    return f"Could not listen at port {port} of {host}: {error.strerror or error}."


def _listen_at_path(settings: Settings, path: str) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise NoSocket("This system has no Unix sockets: take '--host' and '--port'.")
    _make_room(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.bind(path)
        if settings.unix_mode is not None:
            # Before it listens, so nobody connects with other permissions.
            Path(path).chmod(settings.unix_mode)
        made.listen(settings.backlog)
    except OSError as error:
        made.close()
        why = (
            "the path is too long for a socket, about 100 bytes"
            if "too long" in str(error)
            else error.strerror
        )
        raise NoSocket(
            f"Could not make the Unix socket {path!r}: {why}. The folder has to exist, and the user that runs the server has"
            " to be allowed to write there."
        ) from None
    return made


def _make_room(path: str) -> None:
    """Remove the socket of a server that has ended without doing so."""
    try:
        mode = Path(path).lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise NoSocket(f"Could not look at the Unix socket {path!r}: {error.strerror}.") from None
    if not stat.S_ISSOCK(mode):
        raise NoSocket(
            f"{path!r} exists and is no socket. It was left alone: choose another path, or remove it."
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(2)
        try:
            asking.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            # Nobody listens any more.
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()
            return
        except OSError as error:
            raise NoSocket(f"Another program may listen at {path!r}: {error.strerror or error}.") from None
    raise NoSocket(f"Another program listens at the Unix socket {path!r}. Stop it, or choose another path.")


class SocketFile:
    """The file of a Unix socket, to be removed by the server that has made it.

    :param path: its path, ``None`` for a socket that has none.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._identity = self._look()

    def _look(self) -> tuple[int, int] | None:
        try:
            found = Path(self._path or "").lstat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def remove(self) -> None:
        """Remove the file, unless another server has put its own there."""
        if self._path is not None and self._identity is not None and self._look() == self._identity:
            with contextlib.suppress(OSError):
                Path(self._path).unlink()


def url_of(settings: Settings, listener: socket.socket) -> str:
    """Return the address of a server as people write it."""
    if settings.unix_socket is not None:
        return f"unix:{settings.unix_socket}"
    host, port = listener.getsockname()[:2]
    return f"{'https' if settings.cert else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


# Connections


def open_connections(listener: socket.socket) -> int:
    """Return how many connections this process holds that have come through a listening socket.

    :param listener: the socket.
    """
    family, name = listener.family, _place(listener)
    return sum(_is_connection(int(entry), family, name) for entry in os.listdir("/dev/fd"))


def _place(of: socket.socket) -> t.Any:
    """Return what the address of a listening socket and those of its connections have in common."""
    name = of.getsockname()
    return name if isinstance(name, str | bytes) else name[1]


def _is_connection(descriptor: int, family: int, place: t.Any) -> bool:
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return False
        copied = os.dup(descriptor)
    except OSError:
        # Closed meanwhile.
        return False
    try:
        with socket.socket(fileno=copied) as one:
            if one.family != family or one.type != socket.SOCK_STREAM or _place(one) != place:
                return False
            one.getpeername()
            return True
    except OSError:
        return False


def silent_listener(of: socket.socket) -> socket.socket:
    """Return a listening socket that nobody connects to.

    :param of: the socket whose place it can take: it is one of the same family, as Granian asks for its address.
    """
    made = socket.socket(of.family, socket.SOCK_STREAM)
    if of.family == getattr(socket, "AF_UNIX", None):
        # Slow to import, and for the end of a worker only.
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            made.bind(str(Path(folder) / "nobody"))
    else:
        # A port that nobody knows.
        made.bind(("::1" if of.family == socket.AF_INET6 else "127.0.0.1", 0))
    made.listen(1)
    made.setblocking(False)
    return made
