"""A PostgreSQL of its own for a test run, and databases in it."""

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
        pytest.skip("PostgreSQL is not tested here, as initdb and postgres are missing: apt-get install postgresql")
    with cluster.running() as address:
        yield address


def database(address: str, name: str) -> str:
    """Make a database and return its URL, for plain and async engines alike."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    parts = dict(part.split("=", 1) for part in address.split())
    return f"postgresql+psycopg://{parts['user']}@/{name}?host={parts['host']}"
