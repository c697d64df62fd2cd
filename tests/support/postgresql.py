"""A PostgreSQL of its own for a test run, and schemas in it."""

from __future__ import annotations

import contextlib
import typing as t

import pytest


@contextlib.contextmanager
def server() -> t.Generator[str]:
    """Run a server for the time of the block; yield how its socket is reached. Skips where it cannot be."""
    for module, package in (("pwd", "a system with users as POSIX has them"), ("psycopg", "psycopg")):
        pytest.importorskip(module, reason=f"PostgreSQL is not tested here, as this is missing: {package}")
    from benchmarks.database import cluster

    try:
        for name in ("initdb", "postgres"):
            cluster.program(name)
    except cluster.Missing:
        pytest.skip(
            "PostgreSQL is not tested here, as initdb and postgres are missing: apt-get install postgresql"
        )
    with cluster.running() as address:
        yield address


def schema(address: str, name: str) -> str:
    """Make a schema and return the URL of what is in it, for plain and async engines alike.

    A database for each test would be a copy of 7 MB each time.
    """
    import psycopg
    from psycopg import sql

    with psycopg.connect(address) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    parts = dict(part.split("=", 1) for part in address.split())
    return (
        f"postgresql+psycopg://{parts['user']}@/postgres?host={parts['host']}&options=-csearch_path%3D{name}"
    )
