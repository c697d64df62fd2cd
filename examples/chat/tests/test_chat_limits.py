from __future__ import annotations

import asyncio

import pytest

from chat import words
from chat.hall import Hall, Visitor
from chat.limits import Limits, Pace
from erlen import Erlen


def test_a_pace_allows_a_burst_and_then_some_each_second() -> None:
    now = 100.0
    pace = Pace(3, 2, clock=lambda: now)
    assert [pace.allows() for _ in range(4)] == [True, True, True, False]
    now += 0.5
    assert [pace.allows() for _ in range(2)] == [True, False]
    now += 3600
    assert [pace.allows() for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(
    ("title", "address"),
    [
        ("Net loft", "net-loft"),
        ("  Ærø / Sund!", "ærø-sund"),
        ("潮だまり", "潮だまり"),
        ("ＡＢ１", "ab1"),
        ("_-_", ""),
    ],
)
def test_the_address_of_a_room(title: str, address: str) -> None:
    assert words.address_of(title) == address


def test_joiners_stay_in_messages() -> None:
    family = "👨\u200d👩\u200d👧"
    assert words.message({"text": family}, 10) == family


def test_empty_rooms_are_closed_and_standing_ones_stay() -> None:
    hall = Hall(Limits(empty_for=0))
    room = hall.open("Rock pools")
    with room.seat(Visitor("a", "Ada")):
        hall.tidy()
        assert "rock-pools" in hall.rooms
    hall.tidy()
    assert list(hall.rooms) == ["the-jetty", "lighthouse", "net-loft"]


def test_rooms_that_somebody_has_asked_for_are_kept_for_a_while() -> None:
    hall = Hall(Limits(empty_for=60))
    room = hall.open("Rock pools")
    room.used_at -= 50
    hall.tidy()
    assert hall.find("rock-pools") is room
    room.used_at -= 50
    hall.tidy()
    assert hall.find("rock-pools") is room
    room.used_at -= 70
    hall.tidy()
    assert hall.find("rock-pools") is None


async def test_tidying_begins_and_ends_with_serving(app: Erlen) -> None:
    hall = app.extensions["chat"] = Hall(Limits(empty_for=0, tidy_every=0))
    async with app.async_test_client():
        hall.open("Rock pools")
        while "rock-pools" in hall.rooms:
            await hall.change()
        assert any("tidy_for_ever" in repr(task) for task in asyncio.all_tasks())
    assert asyncio.all_tasks() == {asyncio.current_task()}
