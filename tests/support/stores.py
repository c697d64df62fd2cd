"""The stores that the suite of the protocol is run with. Another one is one more entry of ``KINDS``."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import typing as t
from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

import postgresql
from erlen.ext.security.sqlalchemy import SQLAlchemyStore, UserMixin, make_models
from erlen.ext.security.store import Store
from memory_store import MemoryStore


class Base(DeclarativeBase):
    pass


class User(UserMixin, Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)


MODELS = make_models(Base, User)

#: Those with a database.
DATABASES = ("sqlite", "sqlite-async", "postgresql", "postgresql-async")
KINDS = ("memory", *DATABASES)


@dataclasses.dataclass
class Opened:
    """A store that is used by many tests, and how it becomes empty."""

    store: Store
    empty: cabc.Callable[[], None]


def pragmas(*lines: str) -> cabc.Callable[[t.Any, t.Any], None]:
    """Return what sets a connection of SQLite up. Tests need nothing that outlives a crash of the machine."""

    def connected(connection: t.Any, record: t.Any) -> None:
        for line in ("synchronous = OFF", *lines):
            connection.execute(f"PRAGMA {line}")

    return connected


def opened(
    kind: str, folder: Path, address: cabc.Callable[[], str], leave: contextlib.ExitStack
) -> Opened:
    """Return a store with its tables.

    :param kind: one of ``KINDS``.
    :param folder: for files.
    :param address: starts a PostgreSQL when it is asked where it is.
    :param leave: what has to be closed is put there.
    """
    if kind == "memory":
        memory = MemoryStore()
        return Opened(memory, memory.empty)
    engine_name, _, is_async = kind.partition("-")
    if engine_name == "sqlite":
        plain = f"sqlite:///{folder / kind}.db"
        url = plain.replace("sqlite:", "sqlite+aiosqlite:") if is_async else plain
    else:
        plain = url = postgresql.database(address(), kind)
    engine = create_engine(plain)
    leave.callback(engine.dispose)
    async_engine = create_async_engine(url) if is_async else None
    if engine_name == "sqlite":
        # Two ways to set SQLite up: as it comes, without foreign keys, and as many applications have it.
        setup = pragmas("foreign_keys = ON", "journal_mode = WAL") if async_engine else pragmas()
        event.listen(async_engine.sync_engine if async_engine else engine, "connect", setup)
    Base.metadata.create_all(engine)
    factory = async_sessionmaker(async_engine) if async_engine else sessionmaker(engine)
    store = SQLAlchemyStore(factory, MODELS)
    leave.callback(store.close)

    def empty() -> None:
        with engine.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())

    return Opened(store, empty)
