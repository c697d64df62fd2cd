"""The thread and the loop that a store of async sessions has, and transactions that are begun again."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import typing as t
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from sqlalchemy import create_engine, exc, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session, sessionmaker

import stores
from erlen.ext.security.sqlalchemy import SQLAlchemyStore
from records import a_user

NAME = "erlen-security-store"


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == NAME]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "own.db"
    engine = create_engine(f"sqlite:///{file}")
    stores.Base.metadata.create_all(engine)
    engine.dispose()
    return file


@pytest.fixture
def store(file: Path) -> t.Iterator[SQLAlchemyStore]:
    factory = async_sessionmaker(create_async_engine(f"sqlite+aiosqlite:///{file}"))
    store = SQLAlchemyStore(factory, stores.MODELS)
    yield store
    store.close()


def test_the_thread_is_started_when_it_is_needed_and_ends_with_the_store(store: SQLAlchemyStore) -> None:
    before = len(threads())
    store.close()
    assert len(threads()) == before
    a_user(store)
    store.users()
    assert len(threads()) == before + 1
    store.close()
    store.close()
    assert len(threads()) == before
    assert len(store.users()) == 1
    assert len(threads()) == before + 1


def test_a_loop_that_runs_may_ask_the_store(store: SQLAlchemyStore) -> None:
    """It waits for the answer, which comes from another loop, so that nothing waits for itself."""

    async def view() -> str:
        return a_user(store).email

    assert asyncio.run(view()) == "ada@example.com"


def test_what_goes_wrong_is_raised_where_it_was_asked(store: SQLAlchemyStore) -> None:
    with pytest.raises(LookupError, match="There is no user with the uid 'nobody'"):
        store.grant("nobody", "admin")
    with pytest.raises(TypeError):
        store.change_user("nobody", nothing=1)


def test_who_waits_hears_when_the_store_is_closed(store: SQLAlchemyStore) -> None:
    loop = store._async[1]  # type: ignore[index] # pyright: ignore[reportOptionalSubscript]
    begun, heard = threading.Event(), list[str]()

    async def forever() -> None:
        begun.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            loop.run(forever())
        except CancelledError:
            heard.append("cancelled")

    thread = threading.Thread(target=wait)
    thread.start()
    assert begun.wait(30)
    store.close()
    thread.join(30)
    assert heard == ["cancelled"]


def script(file: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """Run lines in a process of their own, in which ``store`` is one with async sessions."""
    head = f"""
import os, sys
import stores
from erlen.ext.security.sqlalchemy import SQLAlchemyStore
from records import a_user
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
store = SQLAlchemyStore(async_sessionmaker(create_async_engine("sqlite+aiosqlite:///{file}")), stores.MODELS)
"""
    return subprocess.run(
        [sys.executable, "-c", head + "\n".join(lines)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_a_process_ends_also_where_the_store_was_not_closed(file: Path) -> None:
    done = script(file, "a_user(store)", "print(len(store.users()))")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_process_that_was_forked_has_a_loop_and_connections_of_its_own(file: Path) -> None:
    done = script(
        file,
        "a_user(store)",
        "pid = os.fork()",
        "a_user(store, 'child' if pid == 0 else 'parent')",
        "if pid == 0:",
        "    os._exit(0)",
        "assert os.waitpid(pid, 0)[1] == 0",
        "print([user.email for user in store.users()])",
        "store.close()",
    )
    names = "['ada@example.com', 'child@example.com', 'parent@example.com']\n"
    assert (done.returncode, done.stdout) == (0, names), done.stderr


def holding(file: Path, seconds: float) -> tuple[sqlite3.Connection, threading.Timer]:
    """Hold the lock of a file of SQLite's for some time."""
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(seconds, connection.execute, ["COMMIT"])
    timer.start()
    return connection, timer


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+aiosqlite"])
def test_a_transaction_is_begun_again_where_sqlite_is_locked(file: Path, driver: str) -> None:
    """The driver itself does not wait at all here, so that the first try fails."""
    url = f"{driver}:///{file}?timeout=0"
    factory = (
        async_sessionmaker(create_async_engine(url)) if "aio" in driver else sessionmaker(create_engine(url))
    )
    store = SQLAlchemyStore(factory, stores.MODELS)
    store.users()
    connection, timer = holding(file, 0.2)
    with pytest.raises(sqlite3.OperationalError), sqlite3.connect(file, timeout=0) as other:
        other.execute("DELETE FROM users")
    other.close()
    a_user(store)
    timer.join()
    connection.close()
    assert len(store.users()) == 1
    store.close()
    if "aio" not in driver:
        factory.kw["bind"].dispose()


def test_other_errors_of_the_database_are_not_tried_again(file: Path) -> None:
    engine = create_engine(f"sqlite:///{file}")
    store = SQLAlchemyStore(sessionmaker(engine), stores.MODELS)
    tries: list[int] = []

    def work(session: Session) -> None:
        tries.append(1)
        session.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(exc.OperationalError, match="nowhere"):
        store._read(work)
    assert len(tries) == 1
    engine.dispose()
