"""The chat example behind nginx and Apache: WebSockets and server-sent events, with the commands of the page."""

from __future__ import annotations

import http.client
import json
import typing as t
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

from . import page
from .fronts import KINDS, Front, missing
from .running import HOST, LIMIT, Running, Site, despite_others, free_port, lenient, variables

SECTION = "### WebSockets and events"
SERVERS = ("uvicorn", "granian", "hypercorn", "gunicorn")
CHAT = page.ROOT / "examples" / "chat"


@pytest.fixture(scope="module")
def chats() -> t.Iterator[dict[str, tuple[int, Running]]]:
    """Return the chats that were started, with their ports: each is, once, for both in front."""
    started: dict[str, tuple[int, Running]] = {}
    yield started
    for _, running in started.values():
        running.stop()


def serve(program: str, folder: Path) -> tuple[int, Running]:
    """Start the chat with a command of the page, and return its port as well."""
    port = free_port()
    words = [
        str(port) if word == "8000" else word.replace(page.PORT, f"127.0.0.1:{port}")
        for word in page.command(SECTION, program)
    ]
    running = Running(words, folder / "chat.txt", variables(folder), CHAT)
    running.wait_for(lambda: Site(port).get("/").status == 200)
    return port, running


@pytest.fixture(
    scope="module",
    params=[(kind, program) for program in SERVERS for kind in KINDS],
    ids=lambda pair: " + ".join(pair),
)
def front(
    request: pytest.FixtureRequest,
    place: t.Callable[[str], Path],
    chats: dict[str, tuple[int, Running]],
) -> t.Iterator[Front]:
    """Return a server in front of the chat."""
    kind, program = request.param
    if reason := missing(kind):
        pytest.skip(reason)
    if program not in chats:
        folder = place(f"chat-{program}")
        chats[program] = despite_others(lambda: serve(program, folder))
    port, _ = chats[program]
    made = Front(kind, place(f"{kind}-{program}"), port, CHAT / "chat" / "static")
    yield made
    made.stop()


def name_cookie(front: Front, name: str) -> str:
    """Choose a name, and return the cookie of the session that has it."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{HOST}"}
    answer = front.https.request("POST", "/name", f"name={name}", headers)
    assert answer.status == 303, answer.text
    return answer.headers["Set-Cookie"].partition(";")[0]


def dial(front: Front, cookie: str, origin: str = f"https://{HOST}") -> ClientConnection:
    """Open the WebSocket of a room."""
    return connect(
        f"wss://{HOST}/rooms/the-jetty",
        sock=front.https.connect_plainly(),
        ssl=lenient(),
        origin=t.cast("t.Any", origin),
        additional_headers={"Cookie": cookie},
        open_timeout=LIMIT,
        close_timeout=LIMIT,
        proxy=None,
    )


def next_event(socket: ClientConnection, name: str) -> dict[str, t.Any]:
    """Receive until an event of a name comes."""
    while True:
        event: dict[str, t.Any] = json.loads(socket.recv(LIMIT))
        if event["event"] == name:
            return event


def test_what_one_says_the_other_hears(front: Front) -> None:
    with dial(front, name_cookie(front, "Ada")) as ada, dial(front, name_cookie(front, "Bob")) as bob:
        next_event(ada, "welcome")
        next_event(bob, "welcome")
        ada.send(json.dumps({"text": "Hello through a proxy"}))
        said = next_event(bob, "message")
    assert (said["text"], said["by"]["name"]) == ("Hello through a proxy", "Ada")


def test_a_page_of_another_site_gets_no_websocket(front: Front) -> None:
    with pytest.raises(Exception, match="403"):
        dial(front, name_cookie(front, "Eve"), "https://other.example")


def test_events_arrive_when_they_happen(front: Front) -> None:
    connection = http.client.HTTPConnection(HOST, timeout=LIMIT)
    connection.sock = front.https.connect()
    try:
        connection.request("GET", "/counter", headers={"Host": HOST})
        response = connection.getresponse()
        assert response.status == 200
        first = people(response)
        with dial(front, name_cookie(front, "Ada")) as ada:
            next_event(ada, "welcome")
            # The answer has no end: what is read now has come through while it goes on.
            assert people(response) == first + 1
    finally:
        connection.close()


def people(response: http.client.HTTPResponse) -> int:
    """Read on to the next numbers, and return how many people there are."""
    while True:
        line = response.readline()
        assert line, "the stream has ended"
        if line.startswith(b"data:"):
            return int(json.loads(line[5:])["people"])
