"""Put a project in its place: whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import signal
import threading
import typing as t
from dataclasses import dataclass
from pathlib import Path

# An empty folder may have been prepared: these are in no template.
_PREPARED = frozenset({".git", ".venv", "venv"})

_FIXES = {
    errno.EACCES: "You may not write there. Choose another place with '--folder'.",
    errno.EPERM: "Nobody may make folders there. Choose another place with '--folder'.",
    errno.EROFS: "Nothing can be written there. Choose another place with '--folder'.",
    errno.ENOSPC: "Make room on the disk, or choose another place with '--folder'.",
    errno.ENAMETOOLONG: "Choose a shorter path with '--folder'.",
}


class PlaceError(Exception):
    """A project cannot be put there; the message says why. Nothing was changed."""


@dataclass(frozen=True)
class ProjectFile:
    """A file of a project.

    :param path: relative to the project, with slashes.
    :param content: what is in it.
    :param is_secret: only its owner may read it.
    """

    path: str
    content: bytes
    is_secret: bool = False


def check_place(folder: Path) -> None:
    """Refuse a place that is taken.

    :param folder: where the project shall be: a folder that is not there yet, or an empty one.
    :raises PlaceError: for anything else.
    """
    shown = os.fspath(folder)
    # A link to the folder somebody stands in is no link to them.
    if os.path.islink(folder):
        raise PlaceError(
            f"{shown!r} is a symbolic link, which is left as it is. Choose another place with '--folder'."
        )
    if not os.path.lexists(folder):
        _check_parent(folder)
        return
    if not os.path.isdir(folder):
        raise PlaceError(
            f"{shown!r} is there already and is no folder. Choose another place with '--folder'."
        )
    try:
        entries = sorted(set(os.listdir(folder)) - _PREPARED)
    except OSError as error:
        raise _failure(folder, error) from None
    if entries:
        listed = ", ".join(map(repr, entries[:3])) + (" ..." if len(entries) > 3 else "")
        raise PlaceError(
            f"The folder {shown!r} is there already and is not empty ({listed}). Nothing was changed. Choose"
            " another name, or another place with '--folder'."
        )


def _check_parent(folder: Path) -> None:
    parent = folder.parent
    if os.path.isdir(parent):
        return
    shown = os.fspath(parent)
    if os.path.lexists(parent):
        raise PlaceError(
            f"{shown!r} is no folder, so nothing can be made in it. Choose another place with '--folder'."
        )
    raise PlaceError(f"The folder {shown!r} is not there. Make it first: mkdir -p {shown}")


def make_project(files: t.Iterable[ProjectFile], folder: Path) -> int:
    """Make a project. When anything fails, or somebody stops it, nothing is left behind.

    The files are written to a folder of another name, which is then renamed.

    :param files: the files; each is written as it comes.
    :param folder: where the project shall be, see :func:`check_place`.
    :return: the number of files.
    :raises PlaceError: when it cannot be written.
    """
    is_there = os.path.isdir(folder)
    # Inside a folder that is there: the one above it may be a file system of its own, or nobody's to write to.
    draft = (folder if is_there else folder.parent) / f".erlen-new-{secrets.token_hex(6)}"
    count = 0
    try:
        draft.mkdir()
        for file in files:
            _write(draft, file)
            count += 1
        with _undisturbed():
            if is_there:
                _move_up(draft)
            else:
                draft.rename(folder)
    except BaseException as error:
        with _undisturbed():
            shutil.rmtree(draft, ignore_errors=True)
        if isinstance(error, OSError):
            raise _failure(folder, error) from None
        raise
    return count


def _write(folder: Path, file: ProjectFile) -> None:
    path = folder / file.path
    path.parent.mkdir(parents=True, exist_ok=True)
    # Other names for the flags are Windows' own.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags, 0o600 if file.is_secret else 0o666), "wb") as opened:
        opened.write(file.content)


def _move_up(draft: Path) -> None:
    """Move what is in a folder into the one above it, all or nothing, and remove the folder."""
    moved: list[str] = []
    try:
        for name in sorted(os.listdir(draft)):
            (draft / name).rename(draft.parent / name)
            moved.append(name)
        draft.rmdir()
    except OSError:
        for name in moved:
            (draft.parent / name).rename(draft / name)
        raise


@contextlib.contextmanager
def _undisturbed() -> t.Generator[None]:
    """Let no Ctrl-C come between: what is done here takes no time, and half of it would be left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _failure(folder: Path, error: OSError) -> PlaceError:
    reason = error.strerror or str(error)
    fix = _FIXES.get(error.errno or 0, "Choose another place with '--folder'.")
    return PlaceError(f"Could not make {os.fspath(folder)!r}: {reason}. {fix}")
