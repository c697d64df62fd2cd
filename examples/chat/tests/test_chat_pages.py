from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from chat import create_app
from chat.hall import Hall
from erlen import Erlen
from erlen.testing import ErlenClient


def test_the_front_page_asks_for_a_name_and_lists_the_rooms(client: ErlenClient) -> None:
    page = client.get("/").text
    assert 'name="name"' in page
    assert 'href="/rooms/the-jetty"' in page
    assert "Net loft" in page


def test_who_has_a_name_is_greeted_and_may_open_a_room(client: ErlenClient) -> None:
    page = client.post("/name", data={"name": "  Ada  Lovelace "}, follow_redirects=True).text
    assert "Good to see you, <bdi>Ada Lovelace</bdi>." in page
    assert 'name="title"' in page


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "Please tell us what to call you."),
        ("\x00 \x1f", "Please tell us what to call you."),
        ("!!!", "Please use at least one letter or digit."),
        ("x" * 25, "That is 25 characters long, and we have room for 24."),
    ],
)
def test_a_name_is_refused_with_a_reason(client: ErlenClient, name: str, message: str) -> None:
    response = client.post("/name", data={"name": name})
    assert response.status_code == 422
    assert message in response.text
    assert 'aria-invalid="true"' in response.text
    assert client.get_cookie("session") is None


def test_a_room_sends_visitors_without_a_name_to_the_front_page_and_gets_them_back(
    client: ErlenClient,
) -> None:
    response = client.get("/rooms/net-loft")
    assert (response.status_code, response.location) == (302, "/?room=net-loft")
    assert "Before you enter <bdi>Net loft</bdi>" in client.get("/?room=net-loft").text
    response = client.post("/name", data={"name": "Ada", "room": "net-loft"})
    assert (response.status_code, response.location) == (303, "/rooms/net-loft")
    assert "You are <bdi>Ada</bdi>" in client.get("/rooms/net-loft").text


@pytest.mark.parametrize("room", ["nowhere", "//elsewhere.example"])
def test_a_name_leads_to_rooms_that_are_there_alone(client: ErlenClient, room: str) -> None:
    assert client.post("/name", data={"name": "Ada", "room": room}).location == "/"


def test_another_name_belongs_to_the_same_visitor(client: ErlenClient) -> None:
    ids: set[str] = set()
    for name in ("Ada", "Augusta"):
        client.post("/name", data={"name": name})
        with client.session_transaction() as session:
            assert session["visitor"]["name"] == name
            ids.add(session["visitor"]["id"])
    assert len(ids) == 1


def test_a_visitor_opens_a_room(client: ErlenClient) -> None:
    client.post("/name", data={"name": "Ada"})
    response = client.post("/rooms", data={"title": "Rock Pools!"})
    assert (response.status_code, response.location) == (303, "/rooms/rock-pools")
    assert "<h1><bdi>Rock Pools!</bdi></h1>" in client.get("/rooms/rock-pools").text
    assert client.post("/rooms", data={"title": "rock  pools"}).location == "/rooms/rock-pools"


def test_a_visitor_without_a_name_opens_no_room(app: Erlen, client: ErlenClient) -> None:
    hall: Hall = app.extensions["chat"]
    assert client.post("/rooms", data={"title": "Rock pools"}).location == "/"
    assert "rock-pools" not in hall.rooms


def test_there_are_no_more_rooms_than_the_limit(client: ErlenClient) -> None:
    client.post("/name", data={"name": "Ada"})
    assert client.post("/rooms", data={"title": "fourth"}).status_code == 303
    response = client.post("/rooms", data={"title": "fifth"})
    assert response.status_code == 422
    assert "All 4 rooms are taken." in response.text
    assert 'value="fifth"' in response.text


def test_markup_in_names_is_text(client: ErlenClient) -> None:
    """Stored XSS."""
    page = client.post("/name", data={"name": "<b onclick=x>"}, follow_redirects=True).text
    assert "<b onclick" not in page
    page = client.post("/rooms", data={"title": '"><script>x'}, follow_redirects=True).text
    assert "<script>x" not in page


def test_a_room_that_is_not_there(client: ErlenClient) -> None:
    response = client.get("/rooms/nowhere")
    assert response.status_code == 404
    assert "Nobody about" in response.text


def test_other_sites_cannot_post_here(client: ErlenClient) -> None:
    """CSRF, by the safe profile's defaults."""
    response = client.post("/name", data={"name": "Ada"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403
    assert "Not from over there" in response.text


def test_pages_need_nothing_inline_and_nothing_from_elsewhere(client: ErlenClient) -> None:
    client.post("/name", data={"name": "Ada"})
    for path in ("/", "/rooms/the-jetty"):
        response = client.get(path)
        assert "unsafe" not in response.headers["Content-Security-Policy"]
        for forbidden in ("<style", "<script>", " style=", " onclick=", "https://"):
            assert forbidden not in response.text


@pytest.mark.parametrize("name", ["site.css", "front.js", "room.js", "favicon.svg"])
def test_static_files_are_served(client: ErlenClient, name: str) -> None:
    with client.get(f"/static/{name}") as response:
        assert response.status_code == 200


def test_a_secret_key_is_made_once_and_kept(tmp_path: Path) -> None:
    keys: list[t.Any] = []
    for _ in range(2):
        app = create_app({"TESTING": True, "SECRET_KEY": None})
        app.instance_path = str(tmp_path / "instance")
        with app.test_client() as client:
            client.post("/name", data={"name": "Ada"})
        keys.append(app.secret_key)
    assert keys[0] == keys[1] == (tmp_path / "instance" / "secret-key.txt").read_text()
    assert len(keys[0]) > 40
