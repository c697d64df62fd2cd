"""What the main process and a worker tell each other: lines of JSON over a pair of sockets."""

from __future__ import annotations

import contextlib
import json
import socket
import typing as t


class Channel:
    """One end of the pair.

    :param end: the socket.
    """

    def __init__(self, end: socket.socket) -> None:
        self.socket = end
        self._rest = b""

    def send(self, **message: t.Any) -> None:
        """Tell the other side something; nothing happens where it has ended."""
        with contextlib.suppress(OSError):
            self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[dict[str, t.Any]] | None:
        """Return what the other side has told, as soon as there is something; ``None`` when it has ended."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]
