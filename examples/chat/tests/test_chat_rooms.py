from __future__ import annotations

import contextlib
import typing as t

import pytest

from chat.hall import TOO_SLOW, Hall, Visitor
from erlen import Erlen
from erlen.testing import AsyncErlenClient, AsyncWebSocketSession, ErlenClient, WebSocketRejected
from erlen.websockets import WebSocketDisconnected

Visit: t.TypeAlias = t.Callable[..., t.AsyncContextManager[list[AsyncErlenClient]]]

JETTY = "/rooms/the-jetty"


async def heard(socket: AsyncWebSocketSession, kind: str) -> dict[str, t.Any]:
    """Return the next event, which has to be of a kind."""
    event: dict[str, t.Any] = await socket.receive_json()
    assert event["event"] == kind, event
    return event


async def end_of(socket: AsyncWebSocketSession) -> None:
    """Hear everything until the server closes."""
    with contextlib.suppress(WebSocketDisconnected):
        while True:
            await socket.receive()


async def test_two_people_talk(visit: Visit) -> None:
    async with (
        visit("Ada", "Ben") as [ada, ben],
        ada.websocket(JETTY) as to_ada,
        ben.websocket(JETTY) as to_ben,
    ):
        assert [person["name"] for person in (await heard(to_ada, "welcome"))["people"]] == ["Ada"]
        assert (await heard(to_ada, "joined"))["visitor"]["name"] == "Ben"
        assert [person["name"] for person in (await heard(to_ben, "welcome"))["people"]] == ["Ada", "Ben"]
        await to_ada.send_json({"text": "  Hello,\nBen "})
        for socket in (to_ada, to_ben):
            message = await heard(socket, "message")
            assert (message["text"], message["by"]["name"]) == ("Hello, Ben", "Ada")
        await to_ben.send_json({"text": "Hello, Ada"})
        assert (await heard(to_ada, "message"))["by"]["name"] == "Ben"
        await to_ben.close(1001)
        assert (await heard(to_ada, "left"))["visitor"]["name"] == "Ben"


async def test_rooms_are_apart(visit: Visit) -> None:
    async with (
        visit("Ada", "Ben") as [ada, ben],
        ada.websocket(JETTY) as to_ada,
        ben.websocket("/rooms/net-loft") as to_ben,
    ):
        await heard(to_ada, "welcome")
        await heard(to_ben, "welcome")
        await to_ada.send_json({"text": "from the jetty"})
        await to_ben.send_json({"text": "from the loft"})
        assert (await heard(to_ada, "message"))["text"] == "from the jetty"
        assert (await heard(to_ben, "message"))["text"] == "from the loft"


async def test_several_tabs_are_one_visitor(visit: Visit) -> None:
    async with visit("Ada", "Ben") as [ada, ben], ada.websocket(JETTY) as to_ada:
        await heard(to_ada, "welcome")
        async with ben.websocket(JETTY) as first, ben.websocket(JETTY) as second:
            await heard(to_ada, "joined")
            assert len((await heard(first, "welcome"))["people"]) == 2
            assert len((await heard(second, "welcome"))["people"]) == 2
            await first.send_json({"text": "to both"})
            assert (await heard(second, "message"))["text"] == "to both"
            assert (await heard(to_ada, "message"))["text"] == "to both"
        assert (await heard(to_ada, "left"))["visitor"]["name"] == "Ben"


async def test_who_enters_hears_what_was_said_last(visit: Visit, app: Erlen) -> None:
    hall: Hall = app.extensions["chat"]
    async with visit("Ada") as [ada]:
        for number in range(5):
            hall.say(hall.rooms["the-jetty"], Visitor("b", "Ben"), f"message {number}")
        async with ada.websocket(JETTY) as to_ada:
            messages = (await heard(to_ada, "welcome"))["messages"]
    assert [message["text"] for message in messages] == ["message 2", "message 3", "message 4"]
    assert len({message["id"] for message in messages}) == 3


@pytest.mark.parametrize(
    ("sent", "notice"),
    [
        ('{"text": ""}', "There was nothing in that message."),
        ('{"text": " \\u0000 "}', "There was nothing in that message."),
        ('{"text": "\\ud800"}', "There was nothing in that message."),
        ('{"text": "123456789 123456789 1"}', "That is 21 characters long, and we have room for 20."),
        ('{"text": 1}', "That could not be read as a message, so it was left out."),
        ('["text"]', "That could not be read as a message, so it was left out."),
        ("{", "That could not be read as a message, so it was left out."),
        (b"\xff", "That could not be read as a message, so it was left out."),
    ],
)
async def test_what_cannot_be_taken_is_answered_with_a_notice(
    visit: Visit, sent: str | bytes, notice: str
) -> None:
    async with visit("Ada") as [ada], ada.websocket(JETTY) as to_ada:
        await heard(to_ada, "welcome")
        await to_ada.send(sent)
        assert (await heard(to_ada, "notice"))["text"] == notice
        await to_ada.send_json({"text": "And on it goes."})
        assert (await heard(to_ada, "message"))["text"] == "And on it goes."


async def test_who_talks_too_fast_is_asked_to_slow_down(visit: Visit) -> None:
    async with visit("Ada") as [ada], ada.websocket(JETTY) as to_ada:
        await heard(to_ada, "welcome")
        for number in range(3):
            await to_ada.send_json({"text": f"message {number}"})
        await heard(to_ada, "message")
        await heard(to_ada, "message")
        assert "One at a time, please." in (await heard(to_ada, "notice"))["text"]


async def test_a_message_far_too_large_ends_the_connection(visit: Visit) -> None:
    async with visit("Ada") as [ada], ada.websocket(JETTY) as to_ada:
        await heard(to_ada, "welcome")
        await to_ada.send("x" * 20_000)
        with pytest.raises(WebSocketDisconnected):
            await to_ada.receive()
        assert to_ada.close_code == 1009


async def test_who_does_not_keep_up_is_dropped_and_nobody_else(visit: Visit, app: Erlen) -> None:
    hall: Hall = app.extensions["chat"]
    room = hall.rooms["the-jetty"]
    async with visit("Ada") as [ada], ada.websocket(JETTY) as to_ada:
        await heard(to_ada, "welcome")
        with room.seat(Visitor("b", "Ben")) as quick:
            await heard(to_ada, "joined")
            # All at once, so that nothing of it can be sent meanwhile.
            for number in range(15):
                hall.say(room, quick.visitor, f"message {number}")
                quick.outbox.get_nowait()
            assert quick.farewell is None
            assert list(room.people) == ["b"]
        await end_of(to_ada)
        assert (to_ada.close_code, to_ada.close_reason) == (TOO_SLOW, "You were too far behind the others.")


async def test_everybody_is_told_when_the_server_stops(visit: Visit, app: Erlen) -> None:
    async with visit("Ada") as [ada], ada.websocket(JETTY) as to_ada:
        await heard(to_ada, "welcome")
        app.begin_to_stop()
        await end_of(to_ada)
        assert to_ada.close_code == 1012


async def test_a_handshake_without_a_name_is_refused(app: Erlen) -> None:
    async with app.async_test_client() as client:
        with pytest.raises(WebSocketRejected) as refused:
            async with client.websocket(JETTY):
                pass
    assert refused.value.response.status_code == 401
    assert "Choose a name" in refused.value.response.text


async def test_a_handshake_for_a_room_that_is_not_there_is_refused(visit: Visit) -> None:
    async with visit("Ada") as [ada]:
        with pytest.raises(WebSocketRejected) as refused:
            async with ada.websocket("/rooms/nowhere"):
                pass
    assert refused.value.response.status_code == 404


async def test_pages_of_other_sites_cannot_listen_here(visit: Visit) -> None:
    """Cross-site WebSocket hijacking, by the safe profile's defaults."""
    async with visit("Ada") as [ada]:
        with pytest.raises(WebSocketRejected) as refused:
            async with ada.websocket(JETTY, headers={"Origin": "https://elsewhere.example"}):
                pass
    assert refused.value.response.status_code == 403


def test_a_plain_test_can_talk_as_well(client: ErlenClient) -> None:
    client.post("/name", data={"name": "Ada"})
    with client.websocket(JETTY) as to_ada:
        assert to_ada.receive_json()["event"] == "welcome"
        to_ada.send_json({"text": "Hello"})
        assert to_ada.receive_json()["text"] == "Hello"
