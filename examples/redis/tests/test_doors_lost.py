"""Redis goes away and comes back, under two servers that run on."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from two_servers import Door, Page, RedisServer, Visitor, eventually

pytestmark = pytest.mark.servers


@pytest.fixture
def own_redis(tmp_path: Path) -> t.Iterator[RedisServer]:
    """A Redis that this test may stop."""
    server = RedisServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def west(own_redis: RedisServer, tmp_path: Path) -> t.Iterator[Door]:
    door = Door("west", own_redis.url, tmp_path)
    door.wait()
    yield door
    if door.process.poll() is None:
        door.stop()


def test_a_lost_redis_is_a_503_and_comes_back(own_redis: RedisServer, west: Door) -> None:
    own_redis.start()
    assert eventually(lambda: Visitor().get(west, "/health/ready").status == 200)
    ada = Visitor()
    ada.post(west, "/sign-in", name="Ada")
    with Page(west) as page:
        while not page.next("line").data["connected"]:
            pass
        ada.post(west, "/notes", text="before")
        page.next("note")

        own_redis.stop()
        assert page.next("line").data == {"connected": False}
        for answer in (ada.get(west, "/"), ada.post(west, "/notes", text="lost")):
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "5"
            assert "Both doors are shut" in answer.text
        # A login that cannot be stored does not look like one, and nobody is logged out by this.
        assert ada.post(west, "/sign-in", name="Ben").status == 503
        assert list(ada.cookies) == ["session"]
        assert Visitor().get(west, "/health/ready").status == 503
        # What needs no Redis goes on.
        assert Visitor().get(west, "/health/live").status == 200
        assert Visitor().get(west, "/static/site.css").status == 200
        assert Visitor().get(west, "/nowhere").status == 404

        own_redis.start()
        assert page.next("line").data == {"connected": True}
        assert "A note from <bdi>Ada</bdi>" in ada.get(west, "/").text
        assert ada.post(west, "/notes", text="after").status == 303
        assert page.next("note").data["text"] == "after"
    assert "Redis cannot be reached, and is asked again" in west.log()
    assert west.stop() == 0
    assert "Traceback" not in west.log()


def test_a_server_starts_without_redis_and_serves_when_it_comes(own_redis: RedisServer, west: Door) -> None:
    assert Visitor().get(west, "/").status == 503
    with Page(west) as page:
        assert page.next("line").data == {"connected": False}
        own_redis.start()
        assert page.next("line").data == {"connected": True}
    assert Visitor().get(west, "/").status == 200


def test_a_server_stops_while_redis_is_away(own_redis: RedisServer, west: Door) -> None:
    own_redis.start()
    assert eventually(lambda: Visitor().get(west, "/health/ready").status == 200)
    own_redis.stop()
    assert west.stop() == 0
    assert "Traceback" not in west.log()
