"""The way to the rows: one driver and the same queries for all that are compared."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import typing as t

from ..serving.servers import THREADS
from .tables import FORTUNES, WORLD, some_id

#: What a page shows of one row of ``world``.
World = dict[str, int]

#: Connections to PostgreSQL: one for each thread over WSGI, as many over ASGI.
CONNECTIONS = THREADS

_ONE_SQLITE, _ONE_POSTGRESQL = WORLD.format(mark="?"), WORLD.format(mark="%s")


class Source(t.Protocol):
    """Rows for plain views."""

    def worlds(self, count: int) -> list[World]:
        """Ask for rows, each with a query of its own."""
        ...

    def fortunes(self) -> list[tuple[int, str]]:
        """Ask for all fortunes."""
        ...


class AsyncSource(t.Protocol):
    """Rows for async views."""

    async def worlds(self, count: int) -> list[World]:
        """Ask for rows, each with a query of its own."""
        ...

    async def fortunes(self) -> list[tuple[int, str]]:
        """Ask for all fortunes."""
        ...


class Sqlite:
    """SQLite with the standard library: a connection for each thread.

    :param file: the database.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._local = threading.local()

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            # Read only: nobody has to wait for a lock.
            connection = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)
            self._local.connection = connection
        return connection

    def close(self) -> None:
        """Close the connection of this thread; a server lets the end of its process do that."""
        self._connection().close()
        del self._local.connection

    def worlds(self, count: int) -> list[World]:
        execute = self._connection().execute
        rows = [execute(_ONE_SQLITE, (some_id(),)).fetchone() for _ in range(count)]
        return [{"id": row[0], "randomNumber": row[1]} for row in rows]

    def fortunes(self) -> list[tuple[int, str]]:
        return self._connection().execute(FORTUNES).fetchall()


class AsyncSqlite:
    """The same for async views. SQLite answers in the process, so there is nothing to wait for.

    :param file: the database.
    """

    def __init__(self, file: str) -> None:
        self._plain = Sqlite(file)
        self.close = self._plain.close

    async def worlds(self, count: int) -> list[World]:
        return self._plain.worlds(count)

    async def fortunes(self) -> list[tuple[int, str]]:
        return self._plain.fortunes()


class Postgresql:
    """PostgreSQL with psycopg and its pool.

    :param address: how the database is reached.
    """

    def __init__(self, address: str) -> None:
        from psycopg_pool import ConnectionPool  # here, so that SQLite is measured without it

        self._pool = ConnectionPool(
            address, min_size=CONNECTIONS, max_size=CONNECTIONS, kwargs={"autocommit": True}, open=False
        )
        self._lock = threading.Lock()
        self._open = False

    def _opened(self) -> t.Any:
        if not self._open:
            # Not at import: a server may fork in between. The lock: of the first requests one opens it.
            with self._lock:
                self._pool.open()
                self._open = True
        return self._pool

    def worlds(self, count: int) -> list[World]:
        with self._opened().connection() as connection:
            rows = [connection.execute(_ONE_POSTGRESQL, (some_id(),)).fetchone() for _ in range(count)]
        return [{"id": row[0], "randomNumber": row[1]} for row in rows]

    def fortunes(self) -> list[tuple[int, str]]:
        with self._opened().connection() as connection:
            rows: list[tuple[int, str]] = connection.execute(FORTUNES).fetchall()
        return rows


class AsyncPostgresql:
    """The same for async views.

    :param address: how the database is reached.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._pool: t.Any = None
        self._lock = asyncio.Lock()

    async def _opened(self) -> t.Any:
        if self._pool is None:
            # The pool belongs to the loop that runs now. The lock: of the first requests one opens it.
            async with self._lock:
                if self._pool is None:
                    self._pool = await self._open()
        return self._pool

    async def _open(self) -> t.Any:
        from psycopg_pool import AsyncConnectionPool  # here, so that SQLite is measured without it

        pool = AsyncConnectionPool(
            self._address, min_size=CONNECTIONS, max_size=CONNECTIONS, kwargs={"autocommit": True}, open=False
        )
        await pool.open()
        return pool

    async def worlds(self, count: int) -> list[World]:
        async with (await self._opened()).connection() as connection:
            rows = [
                await (await connection.execute(_ONE_POSTGRESQL, (some_id(),))).fetchone()
                for _ in range(count)
            ]
        return [{"id": row[0], "randomNumber": row[1]} for row in rows]

    async def fortunes(self) -> list[tuple[int, str]]:
        async with (await self._opened()).connection() as connection:
            rows: list[tuple[int, str]] = await (await connection.execute(FORTUNES)).fetchall()
        return rows


def plain_source(engine: str, address: str) -> Source:
    """Return where plain views get their rows from."""
    return Sqlite(address) if engine == "sqlite" else Postgresql(address)


def async_source(engine: str, address: str) -> AsyncSource:
    """Return where async views get their rows from."""
    return AsyncSqlite(address) if engine == "sqlite" else AsyncPostgresql(address)
