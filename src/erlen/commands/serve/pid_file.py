"""The file with the number of the main process."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import click


class PidFile:
    """The file with the number of this process.

    :param path: where it is, ``None`` for nowhere.
    """

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)

    def write(self) -> None:
        """Write it.

        :raises click.ClickException: where it cannot be written, names another process that runs, or is another kind of file.
        """
        if self._path is None:
            return
        text = self._text()
        other = _number(text)
        if other is None and text:
            raise click.ClickException(
                f"'--pid-file {self._path}' exists, and holds something else than the number of a process. It was left alone:"
                " choose another path, or remove it."
            )
        if other is not None and other != os.getpid() and _runs(other):
            raise click.ClickException(
                f"'--pid-file {self._path}' names process {other}, which runs. Stop that one; if it is another program,"
                " which has got the number since, remove the file."
            )
        try:
            self._path.write_text(f"{os.getpid()}\n", "ascii")
        except OSError as error:
            raise click.ClickException(
                f"Could not write '--pid-file {self._path}': {error.strerror}. The folder has to exist, and the user that"
                " runs the server has to be allowed to write there."
            ) from None

    def remove(self) -> None:
        """Remove it, if it is that of this process."""
        if self._path is not None and _number(self._text()) == os.getpid():
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _text(self) -> str:
        try:
            with (self._path or Path()).open(encoding="latin1") as file:
                # Longer is no number of a process.
                return file.read(100).strip()
        except OSError:
            return ""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except (ProcessLookupError, OverflowError):
        # None has a number that is so great.
        return False
    except OSError:
        # It belongs to somebody else.
        return True
    return True
