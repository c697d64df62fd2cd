"""The tables: what is compared in each, by which protocol, and how it is to be read."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace

from . import asgi, wsgi
from .apps import ASGI_SUBJECTS, POOL_SUBJECTS, WSGI_SUBJECTS, Subject
from .cases import ASGI_CASES, CASES, POOL_CASES, Case
from .runner import Prepare


@dataclass(frozen=True)
class Suite:
    """What one table compares.

    :param flag: the option of the command line that asks for it.
    :param reference: the subject that Erlen is set in relation to, beside the best of the others.
    :param own: Erlen.
    :param preparing: gives, for the time of a block, what makes a subject ready.
    :param notes: what stands below the table.
    """

    protocol: str
    flag: str
    cases: dict[str, Case]
    subjects: dict[str, Subject]
    reference: str
    own: str
    preparing: t.Callable[[], contextlib.AbstractContextManager[Prepare]]
    notes: tuple[str, ...]

    @property
    def key(self) -> str:
        """The name in the JSON."""
        return self.protocol.lower()

    def only(self, cases: list[str], subjects: list[str]) -> Suite | None:
        """Return the part that is asked for, with Erlen and the reference; ``None`` where nothing of it is here.

        :param cases: names of cases, none for all.
        :param subjects: names of subjects, none for all.
        """
        kept = {name: case for name, case in self.cases.items() if name in (cases or self.cases)}
        named = [name for name in self.subjects if name in (subjects or self.subjects)]
        if not kept or not named:
            return None
        asked = {self.reference, self.own, *named}
        columns = {name: one for name, one in self.subjects.items() if name in asked}
        return replace(self, cases=kept, subjects=columns)


_SAFE = "Erlen is measured with its defaults, the safe profile; the column beside it shows what that costs."
_BARE = (
    "bare callable: no framework and no routing, the least that any of them could take. Of templates and uploads",
    "it is the cost of the library, Jinja2 and multipart.",
)
_CHECKED = "Before a case was timed, all answers were checked; --answers shows them."

WSGI = Suite(
    "WSGI",
    "wsgi",
    CASES,
    WSGI_SUBJECTS,
    "flask",
    "erlen",
    wsgi.preparing,
    (_SAFE, *_BARE, _CHECKED),
)

ASGI = Suite(
    "ASGI",
    "asgi",
    ASGI_CASES,
    ASGI_SUBJECTS,
    "starlette",
    "erlen-async",
    asgi.preparing,
    ("The views are async.", _SAFE, *_BARE, _CHECKED),
)

POOL = Suite(
    "ASGI-pool",
    "asgi",
    POOL_CASES,
    POOL_SUBJECTS,
    "starlette-pool",
    "erlen-pool",
    asgi.preparing,
    (
        "The views are plain functions, which the framework runs in a thread pool: most of the figure is the way to",
        "another thread and back. In Starlette such a function cannot read a form.",
        _CHECKED,
    ),
)

SUITES = (WSGI, ASGI, POOL)
