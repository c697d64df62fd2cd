"""The board of one process, on the event loop of the test, with a real Redis."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import typing as t
from pathlib import Path

import pytest
import redis
from redis.exceptions import RedisError

from doors import board as module
from doors import create_app, settings
from doors.board import WAITING, Board
from erlen import Erlen, ServerSentEvent
from two_servers import LIMIT, RedisServer

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def until(condition: t.Callable[[], object]) -> None:
    """Wait until a condition holds."""
    for _ in range(int(LIMIT * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("what was waited for did not happen")


@contextlib.asynccontextmanager
async def served(app: Erlen) -> t.AsyncGenerator[Board]:
    """Begin the life span, and wait until Redis is heard."""
    async with app.async_test_client():
        board: Board = app.extensions["board"]
        await until(lambda: board.is_connected)
        yield board


def following(board: Board, seen: str = "") -> t.AsyncGenerator[ServerSentEvent]:
    """Return the events of a page, which the test has to close."""
    return t.cast("t.AsyncGenerator[ServerSentEvent]", board.follow(seen))


async def told(events: t.AsyncIterator[ServerSentEvent]) -> t.Any:
    """Return what the next event says."""
    async with asyncio.timeout(LIMIT):
        return (await anext(events)).data


@pytest.fixture
def app(redis_server: RedisServer, store: redis.Redis) -> Erlen:
    return create_app({"TESTING": True, "REDIS_URL": redis_server.url})


async def test_the_end_of_serving_closes_every_connection(app: Erlen, store: redis.Redis) -> None:
    before = len(store.client_list())
    async with served(app) as board:
        await board.pin("Ada", "Hello", "west")
        async with app.async_test_client() as client:
            client.set_cookie("session", "x" * 43)
            assert (await client.get("/")).status_code == 200
        assert len(store.client_list()) > before
    await until(lambda: len(store.client_list()) == before)


async def test_a_page_that_is_too_slow_is_sent_away_and_nobody_else(app: Erlen) -> None:
    async with served(app) as board:
        slow, quick = following(board), following(board)
        for events in (slow, quick):
            assert await told(events) == {"connected": True}
        for number in range(WAITING + 1):
            await board.pin("Ada", str(number), "west")
            assert (await told(quick))["text"] == str(number)
        # What had come until then, and the end.
        async with asyncio.timeout(LIMIT):
            assert len([event async for event in slow]) == WAITING - 1
        await quick.aclose()


async def test_notes_of_the_time_without_a_line_are_caught_up_with(app: Erlen, store: redis.Redis) -> None:
    async with served(app) as board:
        events = following(board)
        assert await told(events) == {"connected": True}
        # Cut, and pinned by another process before this one has noticed.
        store.client_kill_filter(_type="pubsub")
        store.xadd("doors:notes", {"note": '{"by": "Ben", "text": "missed", "door": "east", "at": 1}'})
        # Whether the client of Redis has told of the cut or not.
        heard = [await told(events)]
        while "text" not in heard[-1]:
            heard.append(await told(events))
        assert heard[-1]["text"] == "missed"
        await board.pin("Ada", "and on", "west")
        while "text" not in (news := await told(events)):
            pass
        assert news["text"] == "and on"
        await events.aclose()


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"by": "Ben"}', '{"by": "Ben", "text": "of", "door": "east", "at": 1, "new": 2}']
)
async def test_a_note_of_another_version_ends_nothing(app: Erlen, store: redis.Redis, text: str) -> None:
    async with served(app) as board, contextlib.aclosing(following(board)) as events:
        assert await told(events) == {"connected": True}
        id = t.cast("str", store.xadd("doors:notes", {"note": text}))
        store.publish("doors:notes", f"{id} {text}")
        await board.pin("Ada", "and on", "west")
        heard = [await told(events)]
        while heard[-1]["text"] != "and on":
            heard.append(await told(events))
        assert [note["text"] for note in heard] == (["of", "and on"] if "new" in text else ["and on"])
        assert len(await board.newest()) == len(heard)


async def test_a_page_that_comes_back_while_redis_is_away_misses_nothing(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    app = create_app({"TESTING": True, "REDIS_URL": server.url})
    try:
        async with served(app) as board:
            seen = await board.pin("Ada", "seen", "west")
            await board.pin("Ada", "missed", "west")
            # This process has heard of it, the page has not.
            async with contextlib.aclosing(following(board, seen)) as events:
                assert (await told(events))["text"] == "missed"
            server.stop()
            await until(lambda: not board.is_connected)
            async with contextlib.aclosing(following(board, seen)) as events:
                assert await told(events) == {"connected": False}
                server.start()
                assert (await told(events))["text"] == "missed"
                assert await told(events) == {"connected": True}
    finally:
        server.stop()


async def test_a_note_that_redis_has_taken_late_is_pinned_once(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    app = create_app({"TESTING": True, "REDIS_URL": server.url})
    try:
        async with served(app) as board:
            # The connection and the script are there by now, so the next note is sent at once.
            await board.pin("Ada", "first", "west")
            os.kill(server.pid, signal.SIGSTOP)
            try:
                pinning = asyncio.create_task(board.pin("Ada", "late", "west"))
                # A client that sends it again has begun to by then, and Redis wakes up with both.
                await asyncio.wait({pinning}, timeout=1.5)
            finally:
                os.kill(server.pid, signal.SIGCONT)
            with pytest.raises(RedisError):
                await pinning
            await board.pin("Ada", "next", "west")
            assert [note.text for note in await board.newest()] == ["next", "late", "first"]
    finally:
        server.stop()


async def test_more_requests_than_connections_wait_for_one(
    redis_server: RedisServer, store: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One of the two listens.
    monkeypatch.setitem(settings.CLIENT, "max_connections", 2)
    monkeypatch.setattr(settings, "WAIT", LIMIT)
    app = create_app({"TESTING": True, "REDIS_URL": redis_server.url})
    async with served(app), app.async_test_client() as client:
        answers = await asyncio.gather(*(client.get("/") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_redis_that_says_nothing_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE", 0.2)
    server = RedisServer(tmp_path)
    server.start()
    app = create_app({"TESTING": True, "REDIS_URL": server.url})
    try:
        async with served(app) as board, contextlib.aclosing(following(board)) as events:
            assert await told(events) == {"connected": True}
            os.kill(server.pid, signal.SIGSTOP)
            try:
                # Its connections are open, and nothing comes.
                assert await told(events) == {"connected": False}
            finally:
                os.kill(server.pid, signal.SIGCONT)
            assert await told(events) == {"connected": True}
    finally:
        server.stop()


@pytest.mark.parametrize("seen", ["", "x", "1", "-", "1-1; DROP", "9" * 30 + "-1"])
async def test_an_id_that_is_none_is_no_error(app: Erlen, seen: str) -> None:
    async with served(app) as board:
        await board.pin("Ada", "before", "west")
        async with contextlib.aclosing(following(board, seen)) as events:
            assert await told(events) == {"connected": True}
