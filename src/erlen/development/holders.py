"""Which process listens on a port: as far as Linux tells, of the user's own processes."""

from __future__ import annotations

import contextlib
import os
import typing as t

_LISTENS = "0A"


def holder_of_port(port: int, proc: str = "/proc") -> str | None:
    """Return the process that listens on a port, as ``process 42 (python app.py)``, ``None`` where that is not known.

    :param port: the number.
    :param proc: where the system shows its processes.
    """
    sockets = {f"socket:[{inode}]" for inode in _inodes(port, proc)}
    if not sockets:
        return None
    with contextlib.suppress(OSError):
        for process in filter(str.isdigit, os.listdir(proc)):
            if _holds(f"{proc}/{process}/fd", sockets):
                name = _name_of(f"{proc}/{process}/cmdline")
                return f"process {process}" + (f" ({name})" if name else "")
    return None


def _inodes(port: int, proc: str) -> t.Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            with open(f"{proc}/net/{table}", encoding="ascii") as lines:
                for fields in map(str.split, lines):
                    if (
                        len(fields) > 9
                        and fields[3] == _LISTENS
                        and int(fields[1].rpartition(":")[2], 16) == port
                    ):
                        yield fields[9]
        except (OSError, ValueError):
            continue


def _holds(folder: str, sockets: set[str]) -> bool:
    try:
        files = os.listdir(folder)
    except OSError:
        # A process of another user, or one that has just ended.
        return False
    for file in files:
        with contextlib.suppress(OSError):
            if os.readlink(f"{folder}/{file}") in sockets:
                return True
    return False


def _name_of(file: str) -> str:
    try:
        with open(file, "rb") as content:
            words = content.read(400).decode(errors="replace").split("\0")
    except OSError:
        return ""
    words[0] = os.path.basename(words[0])
    name = " ".join(words).strip()
    return "".join(letter if letter.isprintable() else "?" for letter in name[:80])
