"""Who is compared, what is asked, and what has to be answered."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass

from ..serving.process import Reply
from ..serving.targets import Target
from ..serving.wrk import Failed
from .tables import WORLDS, number_of, page

APP = "benchmarks.database.served:app"
PROTOCOL, ENGINE, ADDRESS = "BENCHMARK_PROTOCOL", "BENCHMARK_ENGINE", "BENCHMARK_DATABASE"
NAME = "BENCHMARK_SUBJECT"

MANY = 20


@dataclass(frozen=True)
class Subject:
    """One line of a table.

    :param factory: the function in ``wsgi_apps`` or ``asgi_apps``.
    :param distribution: whose version is shown.
    """

    title: str
    factory: str
    distribution: str | None = None
    arguments: tuple[str, ...] = ()


BARE = "bare"

SUBJECTS: dict[str, dict[str, Subject]] = {
    "wsgi": {
        "flask": Subject("Flask", "flask_like", "flask", ("flask:Flask",)),
        "erlen": Subject("Erlen", "flask_like", "erlen", ("erlen:Erlen",)),
        "falcon": Subject("Falcon", "falcon", "falcon"),
        "bottle": Subject("Bottle", "bottle", "bottle"),
        BARE: Subject("bare callable", "bare"),
    },
    "asgi": {
        "starlette": Subject("Starlette", "starlette", "starlette"),
        "erlen": Subject("Erlen", "flask_like", "erlen", ("erlen:Erlen",)),
        "fastapi": Subject("FastAPI", "fastapi", "fastapi"),
        "litestar": Subject("Litestar", "litestar", "litestar"),
        "blacksheep": Subject("BlackSheep", "blacksheep", "blacksheep"),
        "falcon": Subject("Falcon", "falcon", "falcon"),
        "quart": Subject("Quart", "flask_like", "quart", ("quart:Quart",)),
        BARE: Subject("bare callable", "bare"),
    },
}


def _check_one(title: str, reply: Reply) -> None:
    _check_worlds(title, [_read(title, reply)], 1)


def _check_many(title: str, reply: Reply) -> None:
    _check_worlds(title, _read(title, reply), MANY)


def _read(title: str, reply: Reply) -> t.Any:
    if reply.status != 200 or reply.content_type.partition(";")[0] != "application/json":
        raise Failed(f"{title} answers {reply.status} as {reply.content_type!r}: {reply.body[:200]!r}")
    return json.loads(reply.body)


def _check_worlds(title: str, rows: t.Any, count: int) -> None:
    if not isinstance(rows, list) or len(rows) != count:
        raise Failed(f"{title} answers {str(rows)[:200]}, not {count} rows")
    for row in rows:
        one = row["id"]
        if row != {"id": one, "randomNumber": number_of(one)} or not 1 <= one <= WORLDS:
            raise Failed(f"{title} answers {row}, which the table does not have")


def _check_fortunes(title: str, reply: Reply) -> None:
    if reply.status != 200 or reply.content_type != "text/html; charset=utf-8":
        raise Failed(f"{title} answers {reply.status} as {reply.content_type!r}: {reply.body[:200]!r}")
    if reply.body.decode() != page():
        raise Failed(f"{title} answers another page than the rows make: {reply.body[:400]!r}")


CASES: dict[str, tuple[str, t.Callable[[str, Reply], None]]] = {
    "one query": ("/db", _check_one),
    f"{MANY} queries": (f"/queries?queries={MANY}", _check_many),
    "fortunes": ("/fortunes", _check_fortunes),
}


def target(protocol: str, name: str, case: str, engine: str, address: str) -> Target:
    """Return a subject with a case.

    :param engine: ``sqlite`` or ``postgresql``.
    :param address: the file, or how PostgreSQL is reached.
    """
    subject = SUBJECTS[protocol][name]
    path, check = CASES[case]

    def checked(reply: Reply) -> None:
        check(subject.title, reply)

    variables = {PROTOCOL: protocol, NAME: name, ENGINE: engine, ADDRESS: address}
    return Target(subject.title, APP, variables, path, (), checked)
