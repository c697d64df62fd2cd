from __future__ import annotations

import threading
import typing as t

import pytest
from werkzeug.test import Client

from dispatching import by_path
from dispatching.board import create_board
from dispatching.by_subdomain import BySubdomain
from dispatching.front import create_front
from erlen import Erlen

BOARDS = {
    "north": {"TITLE": "North pier", "SECRET_KEY": "key of the north"},
    "south": {"TITLE": "South pier", "SECRET_KEY": "key of the south"},
}


class Counting:
    """Makes boards, and counts them."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self, config: t.Mapping[str, t.Any]) -> Erlen:
        self.made.append(config["TITLE"])
        return create_board(config)


@pytest.fixture
def create() -> Counting:
    return Counting()


@pytest.fixture
def dispatcher(create: Counting) -> BySubdomain:
    return BySubdomain("boards.example", create, BOARDS, create_front({"all": "/"}))


@pytest.fixture
def by_prefix() -> Client:
    return Client(by_path.create_site({f"/{name}": config for name, config in BOARDS.items()}))


def at(dispatcher: BySubdomain, host: str) -> tuple[int, str]:
    response = Client(dispatcher).get("/", headers={"Host": host})
    return response.status_code, response.text


def test_a_prefix_leads_to_its_instance(by_prefix: Client) -> None:
    assert "<h1>North pier</h1>" in by_prefix.get("/north/").text
    assert "<h1>South pier</h1>" in by_prefix.get("/south/").text


def test_no_prefix_leads_to_the_other_application(by_prefix: Client) -> None:
    assert by_prefix.get("/").json == {"North pier": "/north/", "South pier": "/south/"}


def test_a_prefix_that_only_begins_alike_is_not_taken(by_prefix: Client) -> None:
    assert by_prefix.get("/northern/").status_code == 404


def test_urls_are_built_with_the_prefix(by_prefix: Client) -> None:
    assert 'action="/north/"' in by_prefix.get("/north/").text
    assert by_prefix.post("/north/", data={"notice": "Lost: one boot"}).location == "/north/"


def test_instances_keep_their_data_apart(by_prefix: Client) -> None:
    by_prefix.post("/north/", data={"notice": "Lost: one boot"})
    assert "Lost: one boot" in by_prefix.get("/north/").text
    assert "Lost: one boot" not in by_prefix.get("/south/").text


def test_instances_keep_their_sessions_apart(by_prefix: Client) -> None:
    by_prefix.post("/north/", data={"notice": "Lost: one boot"})
    assert "You have pinned 1 here." in by_prefix.get("/north/").text
    assert "You have pinned 0 here." in by_prefix.get("/south/").text


def test_the_session_cookie_belongs_to_the_prefix(by_prefix: Client) -> None:
    response = by_prefix.post("/north/", data={"notice": "Lost: one boot"})
    assert "Path=/north" in response.headers["Set-Cookie"]


def test_a_session_of_one_instance_does_not_open_at_another(by_prefix: Client) -> None:
    by_prefix.post("/north/", data={"notice": "Lost: one boot"})
    cookie = by_prefix.get_cookie("session", path="/north")
    assert cookie is not None
    stolen = by_prefix.get("/south/", headers={"Cookie": f"session={cookie.value}"})
    assert "You have pinned 0 here." in stolen.text


def test_a_subdomain_leads_to_its_instance(dispatcher: BySubdomain) -> None:
    assert "<h1>North pier</h1>" in at(dispatcher, "north.boards.example")[1]
    assert "<h1>South pier</h1>" in at(dispatcher, "SOUTH.Boards.Example.:8080")[1]


def test_the_domain_itself_leads_to_the_other_application(dispatcher: BySubdomain) -> None:
    assert at(dispatcher, "boards.example")[1].strip() == '{"all":"/"}'


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("west.boards.example", 404),
        ("a.north.boards.example", 421),
        ("north.boards.example.evil.example", 421),
        ("north.evil.example", 421),
        ("evilboards.example", 421),
        (".boards.example", 404),
        ("[::1]", 421),
        ("north.boards.example/@evil", 400),
        ("north boards.example", 400),
    ],
)
def test_other_hosts_make_no_instance(
    dispatcher: BySubdomain, create: Counting, host: str, status: int
) -> None:
    """CVE-2026-48710 and its like: what is made of a Host header is made of its checked parts."""
    assert at(dispatcher, host)[0] == status
    assert create.made == []


def test_an_instance_is_made_once_when_it_is_first_needed(dispatcher: BySubdomain, create: Counting) -> None:
    assert create.made == []
    for _ in range(3):
        at(dispatcher, "north.boards.example")
    assert create.made == ["North pier"]


def test_first_requests_at_the_same_time_make_one_instance(dispatcher: BySubdomain, create: Counting) -> None:
    start = threading.Barrier(8)
    got: list[object] = []

    def ask() -> None:
        start.wait()
        got.append(dispatcher.instance("north"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert create.made == ["North pier"]
    assert len(set(map(id, got))) == 1


def test_the_instance_idle_longest_makes_room(create: Counting) -> None:
    tenants = {name: {"TITLE": name, "SECRET_KEY": name} for name in ("a", "b", "c")}
    dispatcher = BySubdomain("boards.example", create, tenants, create_front({}), limit=2)
    for name in ("a", "b", "a", "c", "a", "b"):
        dispatcher.instance(name)
    assert create.made == ["a", "b", "c", "b"]


def test_an_instance_that_could_not_be_made_is_tried_again() -> None:
    missing = ["no disk"]

    def create(config: t.Mapping[str, t.Any]) -> Erlen:
        if missing:
            raise OSError(missing.pop())
        return create_board(config)

    dispatcher = BySubdomain("boards.example", create, BOARDS, create_front({}))
    with pytest.raises(OSError, match="no disk"):
        dispatcher.instance("north")
    assert at(dispatcher, "north.boards.example")[0] == 200


def test_no_room_for_any_instance_is_an_error(create: Counting) -> None:
    with pytest.raises(ValueError, match="Pass limit=1 or more"):
        BySubdomain("boards.example", create, BOARDS, create_front({}), limit=0)


def test_instances_share_no_configuration(dispatcher: BySubdomain) -> None:
    north, south = (t.cast(Erlen, dispatcher.instance(name)) for name in ("north", "south"))
    north.config["TITLE"] = "changed"
    north.add_template_global(str.upper, "leak")
    assert south.config["TITLE"] == "South pier"
    assert "leak" not in south.jinja_env.globals
    assert north.url_map is not south.url_map
