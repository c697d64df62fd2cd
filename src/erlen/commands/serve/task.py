"""What the main process tells a worker to do."""

from __future__ import annotations

import dataclasses
import typing as t

from .settings import Settings


@dataclasses.dataclass(frozen=True)
class Task:
    """What a worker is told to do.

    :param settings: the settings of the server.
    :param number: the number of the worker.
    :param listener: the number of the socket that listens.
    :param app_import_path: how the user named the application.
    :param factory: the place of a function that makes it, where a program of the user's own has one.
    :param set_debug_flag: set ``app.debug`` as the command line says.
    :param path: where Python looks for modules.
    :param arguments: the arguments of the main process.
    :param as_flask: ``import flask`` is Erlen.
    """

    settings: Settings
    number: int
    listener: int
    app_import_path: str | None
    factory: str | None
    set_debug_flag: bool
    path: list[str]
    arguments: list[str]
    as_flask: bool

    @classmethod
    def read(cls, message: dict[str, t.Any]) -> Task:
        """Return the task that a message of the main process holds."""
        values: dict[str, t.Any] = {**message, "settings": Settings(**message["settings"])}
        return cls(**values)
