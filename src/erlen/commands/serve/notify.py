"""What systemd is told of the state of the server, where it has started it as ``Type=notify`` or ``notify-reload``."""

from __future__ import annotations

import contextlib
import os
import socket


def send(*lines: str) -> None:
    """Tell systemd something (sd_notify(3)); nothing happens elsewhere.

    :param lines: such as ``READY=1``.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        # A name that begins with '@' is one of Linux's abstract ones.
        made.sendto("\n".join(lines).encode(), "\0" + path[1:] if path[0] == "@" else path)
