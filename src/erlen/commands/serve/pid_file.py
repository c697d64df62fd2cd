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

        :raises click.ClickException: where it cannot be written, or names another process that runs.
        """
        if self._path is None:
            return
        other = self._number()
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
        if self._path is not None and self._number() == os.getpid():
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _number(self) -> int | None:
        try:
            text = (self._path or Path()).read_text("ascii").strip()
        except (OSError, ValueError):
            return None
        return int(text) if text.isdigit() and len(text) < 12 else None


def _runs(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # It belongs to somebody else.
        return True
    return True
