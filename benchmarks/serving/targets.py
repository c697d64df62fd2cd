"""What is served and asked for: the applications of the in-process suite, one case at a time."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..apps import ASGI_SUBJECTS, WSGI_SUBJECTS, Subject
from ..cases import CASES, Case
from .process import Reply
from .wrk import Failed

#: The application that a server is pointed at, and the variables that say which one it is.
APP = "benchmarks.serving.served:app"
PROTOCOL, SUBJECT, CASE = "BENCHMARK_PROTOCOL", "BENCHMARK_SUBJECT", "BENCHMARK_CASE"

CASE_NAMES = ("plaintext", "json", "int parameter", "query and header")

#: The subject that the others are set in relation to.
BARE = "bare"

#: No framework either, but with the headers that Erlen's safe profile sends.
SAFE_BARE = "bare-safe"

# Other settings of a framework are told apart in process; here each stands once, as it is by default.
_VARIANTS = {
    "erlen-flask",
    "erlen-as-flask",
    "erlen-async-flask",
    "starlette-pool",
    "fastapi-pool",
    "erlen-pool",
}


def subjects(protocol: str) -> dict[str, Subject]:
    """Return what is compared over a protocol, the bare callables last."""
    table = WSGI_SUBJECTS if protocol == "wsgi" else ASGI_SUBJECTS
    kept = {name: one for name, one in table.items() if name not in {*_VARIANTS, BARE}}
    safe = Subject("bare, Erlen's headers", f"safe_bare_{protocol}")
    return {**kept, SAFE_BARE: safe, BARE: table[BARE]}


@dataclass(frozen=True)
class Target:
    """One line of a table: what is started, what is asked, and whether the answer is right.

    :param app: the application as ``module:name``.
    :param variables: the environment in which it is imported.
    :param path: what is asked for, with the query.
    :param check: raises :exc:`Failed` for an answer that is not the case's.
    """

    title: str
    app: str
    variables: t.Mapping[str, str]
    path: str
    headers: tuple[tuple[str, str], ...]
    check: t.Callable[[Reply], None]


def target(protocol: str, name: str, case_name: str) -> Target:
    """Return a subject with a case."""
    case, subject = CASES[case_name], subjects(protocol)[name]

    def check(reply: Reply) -> None:
        compare(case, subject.title, reply)

    return Target(
        subject.title,
        APP,
        {PROTOCOL: protocol, SUBJECT: name, CASE: case_name},
        f"{case.path}?{case.query}" if case.query else case.path,
        case.headers,
        check,
    )


def compare(case: Case, title: str, reply: Reply) -> None:
    """Raise :exc:`Failed` where status, content type or body are not those of the case."""
    if reply.status != case.status:
        raise Failed(f"{title} answers {reply.status}, not {case.status}: {reply.body[:200]!r}")
    if case.content_type is not None and reply.content_type != case.content_type:
        raise Failed(
            f"{title} answers with the content type {reply.content_type!r}, not {case.content_type!r}"
        )
    if case.body is not None and _normal(case, reply.body) != _normal(case, case.body):
        raise Failed(f"{title} answers {reply.body[:200]!r}, not {case.body[:200]!r}")


def _normal(case: Case, body: bytes) -> t.Any:
    # Of JSON what it says: separators and a last line break are free.
    return json.loads(body) if case.content_type == "application/json" else body
