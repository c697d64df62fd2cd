"""A namespace that is Flask or Erlen, for code that is written once for both."""

from __future__ import annotations

import importlib
import typing as t
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from erlen import Blueprint, Erlen


@dataclass(frozen=True)
class Framework:
    """One of the two frameworks; attributes are those of its package.

    Applications and blueprints are annotated as Erlen's: the scenario also shows that code written for Flask
    passes the type checkers with Erlen's types.
    """

    name: str
    class_name: str
    options: dict[str, t.Any] = field(default_factory=dict[str, t.Any])

    def application(self, import_name: str, **options: t.Any) -> Erlen:
        return t.cast("Erlen", getattr(self, self.class_name)(import_name, **options, **self.options))

    def blueprint(self, name: str, **options: t.Any) -> Blueprint:
        return t.cast("Blueprint", self.Blueprint(name, __name__, **options))

    def module(self, name: str) -> t.Any:
        return importlib.import_module(f"{self.name}.{name}")

    def __getattr__(self, name: str) -> t.Any:
        return getattr(importlib.import_module(self.name), name)


FLASK = Framework("flask", "Flask")
ERLEN = Framework("erlen", "Erlen", {"profile": "flask"})
