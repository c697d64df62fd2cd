"""What a check is, what it looks at, and what it returns."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from pathlib import Path

#: How bad a finding is: ``error`` for what is unsafe or broken, ``warning`` for what should be decided, ``info`` for
#: advice.
Severity: t.TypeAlias = t.Literal["error", "warning", "info"]

#: The severities, the worst first.
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")

#: The page of the documentation with a section for each check.
PAGE = "docs/checks.md"


@dataclass(frozen=True)
class Finding:
    """One thing that a check found.

    :param message: what was found, with the value, and what it leads to. A secret is never part of it.
    :param fix: the line or lines to write.
    :param severity: how bad it is, where it differs from the check's own severity.

    .. versionadded:: 0.1
    """

    message: str
    fix: str
    severity: Severity | None = None


class DoesNotApply(Exception):
    """Raised by a check that has nothing to look at; it counts neither as passed nor as failed.

    :param reason: why, for example ``"the application has no WebSockets"``.

    .. versionadded:: 0.1
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Subject:
    """What checks look at.

    :param app: the application, configured and never started. Checks only read it: they send no request, open no
        session and no database.
    :param folder: where the command was called, usually the top of the project.
    :param environ: the environment variables.
    :param broken_plugins: entry points whose checks could not be loaded, each with the reason.
    :param unknown_skips: ids that ``pyproject.toml`` skips and no check has.

    .. versionadded:: 0.1
    """

    app: t.Any
    folder: Path
    environ: t.Mapping[str, str]
    broken_plugins: t.Mapping[str, str] = field(default_factory=dict[str, str])
    unknown_skips: t.Sequence[str] = ()

    @property
    def config(self) -> t.Mapping[str, t.Any]:
        """The configuration of the application."""
        return t.cast("t.Mapping[str, t.Any]", self.app.config)


@dataclass(frozen=True)
class Check:
    """A question to the application.

    :param id: its name on the command line, in ``pyproject.toml`` and in the documentation.
    :param severity: how bad a finding is.
    :param title: what holds when nothing is found, a short sentence.
    :param find: yields the findings; raises :exc:`DoesNotApply` where it has nothing to look at.
    :param deploy: whether it is made with ``--deploy`` alone.
    :param page: where the documentation explains it; by default the section of ``docs/checks.md`` with its id.

    .. versionadded:: 0.1
    """

    id: str
    severity: Severity
    title: str
    find: t.Callable[[Subject], t.Iterable[Finding]]
    deploy: bool = False
    page: str = ""

    @property
    def link(self) -> str:
        """The page that explains this check."""
        return self.page or f"{PAGE}#{self.id}"
