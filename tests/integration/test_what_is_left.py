"""What is there after all the other tests: no task, no thread and no context that was not there before.

It stands behind them in the alphabet, as tests run in that order for each server.
"""

from __future__ import annotations

import contextlib
import json
import typing as t

import pytest

from .servers import Server, eventually

# Threads that stay: the main one, those of the server, the workers of ASGI, the loop in the background, and those that wait
# ten seconds for more work.
KEPT_THREADS = {"MainThread", "erlen-worker_N", "erlen-background", "erlen-spawned"}
THREADS_OF_SERVERS = {
    "granian-asgi": {"Dummy-N"},
    "granian-wsgi": {"Dummy-N"},
    "gunicorn-wsgi": {"ThreadPoolExecutor-N_N"},
}


@pytest.fixture
def left(server: Server) -> t.Iterator[t.Callable[[], t.Any]]:
    """Return what asks; over one connection, as each that was closed may have tasks for a while."""
    with contextlib.closing(server.connection()) as connection:

        def ask() -> t.Any:
            connection.request("GET", "/left")
            return json.loads(connection.getresponse().read())

        yield ask


def test_no_task_is_left(server: Server, left: t.Callable[[], t.Any]) -> None:
    before = server.before["tasks"]

    def more() -> dict[str, int]:
        return {name: count for name, count in left()["tasks"].items() if count > before.get(name, 0)}

    eventually(lambda: not more())
    assert more() == {}


def test_no_thread_is_left(server: Server, left: t.Callable[[], t.Any]) -> None:
    allowed = KEPT_THREADS | THREADS_OF_SERVERS.get(server.kind.name, set())
    eventually(lambda: set(left()["threads"]) <= allowed)
    threads = left()["threads"]
    assert set(threads) <= allowed
    assert threads.get("erlen-worker_N", 0) <= 40


def test_no_context_is_left(server: Server, left: t.Callable[[], t.Any]) -> None:
    for _ in range(30):
        assert left()["context_below"] is None
        assert server.get("/left/plain").json["context_below"] is None


def test_nothing_but_what_tests_provoked_was_logged(server: Server) -> None:
    assert server.problems() == []
