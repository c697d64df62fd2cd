"""The same applications in each framework; each file has the same functions, one for each kind of case.

A function that a framework has no equivalent of is missing there, and the table says so.
"""

from __future__ import annotations

import importlib
import typing as t
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Subject:
    """One column of the table.

    :param module: the file in this folder.
    :param options: arguments of the framework's application class.
    :param distribution: whose version is shown.
    """

    title: str
    module: str
    distribution: str
    options: tuple[tuple[str, t.Any], ...] = ()

    def factory(self, name: str) -> t.Callable[..., t.Any] | None:
        """Return the function that makes the application of a case, ``None`` where the framework has no such thing."""
        module: ModuleType = importlib.import_module(f".{self.module}", __name__)
        make: t.Callable[..., t.Any] | None = getattr(module, name, None)
        return make


SUBJECTS: dict[str, Subject] = {
    "flask": Subject("Flask", "flask_like", "flask", (("framework", "flask"), ("name", "Flask"))),
    "erlen": Subject("Erlen", "flask_like", "erlen", (("framework", "erlen"), ("name", "Erlen"))),
    "erlen-flask": Subject(
        "Erlen, flask profile",
        "flask_like",
        "erlen",
        (("framework", "erlen"), ("name", "Erlen"), ("profile", "flask")),
    ),
    "falcon": Subject("Falcon", "falcon_apps", "falcon"),
    "bottle": Subject("Bottle", "bottle_apps", "bottle"),
}
