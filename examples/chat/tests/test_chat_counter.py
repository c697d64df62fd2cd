from __future__ import annotations

import asyncio
import json
import typing as t

from erlen import Erlen
from erlen.testing import ErlenClient


def fields(piece: bytes) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in piece.decode().splitlines() if line)


def numbers(pieces: t.Iterator[bytes]) -> dict[str, t.Any]:
    event = fields(next(pieces))
    assert event["event"] == "numbers"
    return t.cast("dict[str, t.Any]", json.loads(event["data"]))


def test_the_counter_follows_people_and_messages(client: ErlenClient) -> None:
    client.post("/name", data={"name": "Ada"})
    with client.get("/counter", buffered=False) as stream:
        assert stream.mimetype == "text/event-stream"
        pieces = iter(stream.iter_encoded())
        assert fields(next(pieces)) == {"retry": "3000"}
        now = numbers(pieces)
        assert (now["people"], now["messages"], len(now["rooms"])) == (0, 0, 3)
        with client.websocket("/rooms/the-jetty") as to_ada:
            now = numbers(pieces)
            assert (now["people"], now["rooms"][0]["people"]) == (1, 1)
            to_ada.send_json({"text": "Hello"})
            assert numbers(pieces)["messages"] == 1
        assert numbers(pieces)["people"] == 0


def test_two_tabs_are_one_person(client: ErlenClient) -> None:
    client.post("/name", data={"name": "Ada"})
    with client.websocket("/rooms/the-jetty"), client.websocket("/rooms/net-loft"):
        assert '<dd id="people">1</dd>' in client.get("/").text


def test_a_page_that_reconnects_is_not_sent_what_it_shows(client: ErlenClient) -> None:
    with client.get("/counter", buffered=False) as stream:
        pieces = iter(stream.iter_encoded())
        next(pieces)
        seen = fields(next(pieces))["id"]
    client.post("/name", data={"name": "Ada"})
    with client.get("/counter", headers={"Last-Event-ID": seen}, buffered=False) as stream:
        pieces = iter(stream.iter_encoded())
        next(pieces)
        client.post("/rooms", data={"title": "Rock pools"})
        event = fields(next(pieces))
        assert event["id"] != seen
        assert "rock-pools" in event["data"]


def test_a_page_that_knew_an_earlier_process_is_sent_the_numbers(client: ErlenClient) -> None:
    with client.get("/counter", headers={"Last-Event-ID": "0badcafe-3"}, buffered=False) as stream:
        pieces = iter(stream.iter_encoded())
        next(pieces)
        assert numbers(pieces)["people"] == 0


async def test_the_counter_ends_when_the_server_stops(app: Erlen) -> None:
    async with app.async_test_client() as client:
        answer = asyncio.create_task(client.get("/counter"))
        async with asyncio.timeout(10):
            while not app.stop_callbacks:  # noqa: ASYNC110 - the application has no event for that
                await asyncio.sleep(0.001)
        app.begin_to_stop()
        assert (await answer).text.startswith("retry: 3000\n\n")
