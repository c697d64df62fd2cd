"""The two tables: what is compared in each, by which protocol, and how it is to be read."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace

from . import asgi, wsgi
from .apps import ASGI_SUBJECTS, WSGI_SUBJECTS, Subject
from .cases import ASGI_CASES, CASES, Case
from .runner import Prepare

_BARE = "bare callable: no framework and no routing, the least that any of them could take."
_CHECKED = "Before a case was timed, all answers were checked."


@dataclass(frozen=True)
class Suite:
    """What one table compares.

    :param reference: the subject that the others are set in relation to.
    :param down: which of the two has a line each; the other has a column each.
    :param preparing: gives, for the time of a block, what makes a subject ready.
    :param notes: what stands below the table.
    """

    protocol: str
    cases: dict[str, Case]
    subjects: dict[str, Subject]
    reference: str
    down: t.Literal["cases", "subjects"]
    preparing: t.Callable[[], contextlib.AbstractContextManager[Prepare]]
    notes: tuple[str, ...]

    def only(self, cases: list[str], subjects: list[str]) -> Suite | None:
        """Return the part that is asked for, with the reference; ``None`` where nothing of it is here.

        :param cases: names of cases, none for all.
        :param subjects: names of subjects, none for all.
        """
        kept = {name: case for name, case in self.cases.items() if name in (cases or self.cases)}
        named = [name for name in self.subjects if name in (subjects or self.subjects)]
        if not kept or not named:
            return None
        columns = {name: one for name, one in self.subjects.items() if name in (self.reference, *named)}
        return replace(self, cases=kept, subjects=columns)


WSGI = Suite(
    "WSGI",
    CASES,
    WSGI_SUBJECTS,
    "flask",
    "cases",
    lambda: contextlib.nullcontext(wsgi.prepare),
    (
        "Erlen is measured with its defaults, the safe profile; the column beside it shows what that costs.",
        _BARE,
        f"has none: the framework itself has no such thing. {_CHECKED}",
    ),
)

ASGI = Suite(
    "ASGI",
    ASGI_CASES,
    ASGI_SUBJECTS,
    "starlette",
    "subjects",
    asgi.preparing,
    (
        "The views are async; pool: they are plain functions, which the framework runs in a thread pool.",
        "Erlen is measured with its defaults, the safe profile; flask profile shows what that costs.",
        _BARE,
        f"has none: a plain view does not wait, and in Starlette it cannot read a form. {_CHECKED}",
    ),
)

SUITES = (WSGI, ASGI)
