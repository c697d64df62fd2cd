"""Two servers, one Redis: what is made at one is there at the other."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest
import redis

from two_servers import EXAMPLE, LIMIT, Door, Page, RedisServer, Visitor, eventually, open_doors

pytestmark = pytest.mark.servers

Doors: t.TypeAlias = tuple[Door, Door]


def test_a_session_of_one_door_is_known_at_the_other_until_it_ends_there(doors: Doors) -> None:
    west, east = doors
    ada = Visitor()
    assert ada.post(west, "/sign-in", name="Ada").status == 303
    page = ada.get(east, "/").text
    assert "A note from <bdi>Ada</bdi>" in page
    assert "You came in by the west door." in page
    assert "You are at the <strong>east</strong> door" in page
    assert "Your name" in Visitor().get(east, "/").text
    kept = dict(ada.cookies)
    assert ada.post(east, "/sign-out").status == 303
    assert ada.cookies == {}
    # The cookie of before is worth nothing at the first door either.
    ada.cookies = kept
    assert "Your name" in ada.get(west, "/").text


def test_a_note_of_one_door_reaches_a_page_that_is_open_at_the_other(doors: Doors) -> None:
    west, east = doors
    ada = Visitor()
    ada.post(west, "/sign-in", name="Ada")
    with Page(west) as at_west, Page(east) as at_east:
        for page in (at_west, at_east):
            assert page.next("line").data == {"connected": True}
        ada.post(west, "/notes", text="The <tide> is out")
        heard = [page.next("note") for page in (at_west, at_east)]
    assert heard[0] == heard[1]
    assert (heard[0].data["by"], heard[0].data["text"], heard[0].data["door"]) == (
        "Ada",
        "The <tide> is out",
        "west",
    )
    assert heard[0].id == heard[0].data["id"]
    assert "The &lt;tide&gt; is out" in Visitor().get(east, "/").text


def test_a_page_that_comes_back_at_the_other_door_gets_what_it_has_missed(doors: Doors) -> None:
    west, east = doors
    ada = Visitor()
    ada.post(west, "/sign-in", name="Ada")
    with Page(west) as page:
        page.next("line")
        ada.post(west, "/notes", text="first")
        seen = page.next("note").id
    ada.post(west, "/notes", text="second")
    ada.post(east, "/notes", text="third")
    with Page(east, seen) as page:
        assert [page.next("note").data["text"] for _ in range(2)] == ["second", "third"]


def test_all_pages_hear_all_notes_in_one_order_whatever_door_they_came_by(doors: Doors) -> None:
    visitors = [Visitor(), Visitor()]
    for visitor, door in zip(visitors, doors, strict=True):
        visitor.post(door, "/sign-in", name=door.name)
    with Page(doors[0]) as at_west, Page(doors[1]) as at_east, ThreadPoolExecutor(4) as threads:
        pages = (at_west, at_east)
        for page in pages:
            page.next("line")
        for number in range(16):
            threads.submit(visitors[number % 2].post, doors[number % 2], "/notes", text=str(number))
        orders = [[page.next("note").data["text"] for _ in range(16)] for page in pages]
    assert orders[0] == orders[1]
    assert sorted(map(int, orders[0])) == list(range(16))


def test_both_doors_count_for_one_limit(doors: Doors) -> None:
    ada = Visitor()
    ada.post(doors[0], "/sign-in", name="Ada")
    # A minute may end among them, and another one begin.
    answers = [ada.post(doors[number % 2], "/notes", text="again") for number in range(60)]
    refused = [answer for answer in answers if answer.status == 429]
    assert 20 <= len(refused) <= 40
    assert all(0 < int(answer.headers["Retry-After"]) <= 60 for answer in refused)
    assert "That were many notes." in refused[0].text


def test_a_stop_ends_the_pages_and_closes_every_connection(
    redis_server: RedisServer, store: redis.Redis, tmp_path: Path
) -> None:
    before = store.client_list()
    with (
        open_doors(redis_server.url, tmp_path) as doors,
        Page(doors[0]) as at_west,
        Page(doors[0]) as also_at_west,
        Page(doors[1]) as at_east,
    ):
        pages = (at_west, also_at_west, at_east)
        for page in pages:
            page.next("line")
            Visitor().get(doors[0], "/")
        # One for each server that is told to stop here, however many pages are open.
        listening = [one for one in store.client_list() if one["sub"] != "0"]
        assert len(listening) == len([one for one in before if one["sub"] != "0"]) + 2
        assert [door.stop() for door in doors] == [0, 0]
        assert all(page.ends() for page in pages)
    # Those of the test, and of other servers, are left.
    assert eventually(lambda: len(store.client_list()) == len(before))
    for door in doors:
        assert "Traceback" not in door.log()
        assert "never closed" not in door.log()


def test_pages_that_go_away_leave_nothing_behind(doors: Doors, store: redis.Redis) -> None:
    west = doors[0]

    def open_and_leave() -> None:
        with Page(west) as page:
            page.next("line")

    open_and_leave()
    before = len(store.client_list())
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: open_and_leave(), range(40)))
    # Each page asked Redis nothing, as it had nothing to catch up with.
    assert len(store.client_list()) <= before
    assert "Traceback" not in west.log()


def test_one_command_starts_it_all_and_ends_it_all(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith(("DOORS_", "ERLEN_"))
    }
    with log.open("wb") as output:
        command = subprocess.Popen(
            [sys.executable, "-m", "doors"],
            cwd=EXAMPLE,
            env={**variables, "PORT": "0", "TMPDIR": str(tmp_path)},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        assert eventually(lambda: log.read_text("utf-8").count(" * Serving Erlen app ") == 2), log.read_text(
            "utf-8"
        )
        ports = re.findall(r"on http://127\.0\.0\.1:(\d+), ", log.read_text("utf-8"))
        for port in ports:
            with urlopen(f"http://127.0.0.1:{port}/", timeout=LIMIT) as response:
                assert response.status == 200
    finally:
        # Not SIGINT, which is ignored in what a shell has started in the background.
        command.terminate()
        assert command.wait(LIMIT) == 0
    # The folder of Redis has gone as well.
    assert list(tmp_path.iterdir()) == [log]
