"""The files that environment variables are read from."""

from __future__ import annotations

import os
from pathlib import Path

import click

from .. import variables


def _default_files() -> list[str]:
    return [*(f".{prefix.lower()}env" for prefix in variables.prefixes), ".env"]


def load_dotenv(path: str | os.PathLike[str] | None = None, load_defaults: bool = True) -> bool:
    """Set environment variables from env files.

    A variable that is set already keeps its value. Among the files ``path`` wins over ``.env``, and that over
    ``.erlenenv`` (after ``erlen.as_flask`` also ``.flaskenv``); these are looked for here and in the folders above.

    :param path: one more file to read.
    :param load_defaults: read ``.erlenenv`` and ``.env``.
    :return: whether any variable was found. ``False`` as well, with a hint on standard error when there are
        files to read, if python-dotenv is not installed.
    """
    try:
        # Optional dependency.
        import dotenv
    except ImportError:
        _hint_at_dotenv(path, load_defaults)
        return False

    try:
        files = [dotenv.find_dotenv(name, usecwd=True) for name in _default_files()] if load_defaults else []
    except FileNotFoundError:
        # The folder we are in was deleted.
        files = []
    if path is not None:
        files.append(os.fspath(path))
    values: dict[str, str | None] = {}
    for file in files:
        if Path(file).is_file():
            values.update(dotenv.dotenv_values(file, encoding="utf-8"))
    for name, value in values.items():
        if value is not None:
            os.environ.setdefault(name, value)
    return bool(values)


def _hint_at_dotenv(path: str | os.PathLike[str] | None, load_defaults: bool) -> None:
    candidates = [
        *(_default_files() if load_defaults else ()),
        *([] if path is None else [os.fspath(path)]),
    ]
    present = [file for file in candidates if Path(file).is_file()]
    if present:
        click.secho(
            f" * Not read: {', '.join(present)}. To read env files: pip install python-dotenv",
            fg="yellow",
            err=True,
        )
