"""Responses that go on: piece by piece, to slow clients, and to clients that go away."""

from __future__ import annotations

import contextlib
import json
import sys
import typing as t

import pytest

from .application import FLOOD_PIECE
from .servers import ON_THE_WAY, Server, eventually, new_key, settled
from .wire import read_answer, read_until, reset

MiB = 1024 * 1024

# Servers that do otherwise than the rest, and what.
CHUNKED_FOR_OLD_CLIENTS = {
    "uvicorn": "a stream is chunked for a client of HTTP/1.0 as well, which does not know that"
}

ENDS_FAILED_STREAMS = {
    "granian-wsgi": "a stream that failed is ended as if it were complete, so its client cannot tell"
}

# CVE-2024-12254, of asyncio: ``writelines`` takes whatever it is given.
HAS_UNBOUNDED_WRITELINES = (3, 12) <= sys.version_info < (3, 12, 9) or (3, 13) <= sys.version_info < (
    3,
    13,
    2,
)
HOLDS_NOTHING_BACK = {"gunicorn-asgi": "it streams with writelines"} if HAS_UNBOUNDED_WRITELINES else {}

in_both_kinds = pytest.mark.parametrize("kind", ["plain", "async"])
both_ways = pytest.mark.parametrize("how", ["close", "reset"])


# What the end of a stream leaves: a generator that waits is cancelled, one that is between two pieces is closed.
CLOSED = ["closed", "torn down"]
CANCELLED = ["closed", "torn down after CancelledError"]
RUN_OUT = ["has run out", "closed", "torn down"]


def leave(opened: t.Any, how: str) -> None:
    """Go away as a client that closes its connection, or as one that crashed."""
    if how == "reset":
        reset(opened)
    else:
        opened.close()


@in_both_kinds
@pytest.mark.parametrize("view", ["plain", "async"])
def test_pieces_arrive_as_they_are_made(server: Server, view: str, kind: str) -> None:
    """The generator waits after its first piece until the client, which has that piece, lets it go on."""
    key = new_key()
    with server.opened(f"GET /{view}/pieces/{kind}?key={key} HTTP/1.1") as opened:
        read_until(opened, f"first of {key}\n".encode())
        assert server.notes(key) == []
        server.open_gate(key)
        read_until(opened, b"more\n")


@in_both_kinds
@pytest.mark.parametrize("view", ["plain", "async"])
def test_a_stream_arrives_whole_and_is_torn_down_once(server: Server, view: str, kind: str) -> None:
    key = new_key()
    server.open_gate(key)
    with contextlib.closing(server.connection()) as connection:
        for _ in range(2):
            connection.request("GET", f"/{view}/short/{kind}?key={key}")
            response = connection.getresponse()
            assert response.read().decode() == f"first of {key}\n" + "more\n" * 10
    assert server.noted(key, "closed", "torn down") == ["closed", "torn down"] * 2


@in_both_kinds
@pytest.mark.parametrize("view", ["plain", "async"])
def test_a_connection_goes_on_after_a_stream(server: Server, view: str, kind: str) -> None:
    key = new_key()
    server.open_gate(key)
    with server.connect() as opened:
        for _ in range(3):
            opened.sendall(server.lines(f"GET /{view}/short/{kind}?key={key} HTTP/1.1"))
            read_until(opened, b"\r\n0\r\n\r\n")
        opened.sendall(server.lines(f"GET /{view}/quick HTTP/1.1"))
        assert read_until(opened, b"\r\n\r\nquick").startswith(b"HTTP/1.1 200")


@in_both_kinds
def test_lines_of_json_arrive(server: Server, kind: str) -> None:
    answer = server.get(f"/lines/{kind}")
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == [{"row": row} for row in range(3)]


@in_both_kinds
def test_a_stream_for_an_old_client_ends_with_its_connection(server: Server, kind: str) -> None:
    key = new_key()
    server.open_gate(key)
    with server.opened(f"GET /{kind}/short/{kind}?key={key} HTTP/1.0") as opened:
        answer = read_answer(opened)
    assert answer is not None
    chunked = answer.headers.get("Transfer-Encoding") == "chunked"
    assert chunked == (server.kind.name in CHUNKED_FOR_OLD_CLIENTS)
    assert answer.text == f"first of {key}\n" + "more\n" * 10


@in_both_kinds
def test_a_stream_that_fails_is_cut_off(server: Server, kind: str) -> None:
    """Its status has been sent already: what is left is to end the connection without the end of the body."""
    before = server.log().count("Traceback")
    with server.opened(f"GET /{kind}/pieces/on-purpose/{kind} HTTP/1.1") as opened:
        data = read_until(opened, b"first\n")
        with contextlib.suppress(ConnectionError):
            while not data.endswith(b"0\r\n\r\n") and (piece := opened.recv(65536)):
                data += piece
    assert data.endswith(b"0\r\n\r\n") == (server.kind.name in ENDS_FAILED_STREAMS)
    assert eventually(lambda: server.log().count("Traceback") > before)
    assert server.get(f"/{kind}/quick").text == "quick"


@both_ways
@in_both_kinds
@pytest.mark.parametrize("view", ["plain", "async"])
def test_a_client_that_goes_away_ends_a_stream(server: Server, view: str, kind: str, how: str) -> None:
    key = new_key()
    with server.opened(f"GET /{view}/pieces/{kind}?key={key} HTTP/1.1") as opened:
        read_until(opened, b"first")
        server.open_gate(key)
        read_until(opened, b"more\n")
        leave(opened, how)
    assert server.ended(key) in (CLOSED, CANCELLED)


@both_ways
def test_a_client_that_goes_away_cancels_an_async_generator_that_waits(server: Server, how: str) -> None:
    """Over WSGI nobody is told of it: there the next piece shows that the client is gone."""
    key = new_key()
    with server.opened(f"GET /async/pieces/async?key={key} HTTP/1.1") as opened:
        read_until(opened, b"first")
        leave(opened, how)
    if not server.kind.is_asgi:
        server.open_gate(key)
    assert server.ended(key) in (CLOSED, CANCELLED)


@both_ways
def test_a_plain_generator_that_waits_ends_when_it_goes_on(server: Server, how: str) -> None:
    key = new_key()
    with server.opened(f"GET /plain/pieces/plain?key={key} HTTP/1.1") as opened:
        read_until(opened, b"first")
        leave(opened, how)
    server.open_gate(key)
    assert server.ended(key) in (CLOSED, CANCELLED)


@in_both_kinds
def test_a_client_that_goes_away_before_the_first_piece_ends_a_stream(server: Server, kind: str) -> None:
    keys = [new_key() for _ in range(5)]
    for key in keys:
        reset(server.opened(f"GET /{kind}/pieces/{kind}?key={key} HTTP/1.1"))
        server.open_gate(key)
    for key in keys:
        # The request may not even have been begun.
        eventually(lambda: not server.notes(key) or "torn down" in server.notes(key)[-1], 2)
        assert server.notes(key) in ([], CLOSED, CANCELLED, CLOSED[1:], CANCELLED[1:])


@in_both_kinds
def test_a_slow_client_holds_a_stream_back(server: Server, kind: str) -> None:
    key = new_key()
    memory = server.get("/memory").json["resident"]
    with server.opened(f"GET /flood/{kind}?key={key} HTTP/1.1", receive_buffer=65536) as opened:
        opened.recv(1000)
        made = settled(lambda: server.count(key))
        if server.kind.name in HOLDS_NOTHING_BACK:
            assert server.ended(key) == RUN_OUT
            return
        assert 0 < made * FLOOD_PIECE <= ON_THE_WAY
        assert server.get("/memory").json["resident"] - memory < 2 * ON_THE_WAY
        # It goes on as soon as the client reads.
        for _ in range(64 * MiB // 65536):
            opened.recv(65536)
        assert eventually(lambda: server.count(key) > made)
        server.open_gate(key)
    assert server.ended(key) in (CLOSED, CANCELLED)


@both_ways
@in_both_kinds
def test_a_slow_client_that_goes_away_ends_a_stream(server: Server, kind: str, how: str) -> None:
    key = new_key()
    with server.opened(f"GET /flood/{kind}?key={key} HTTP/1.1", receive_buffer=65536) as opened:
        opened.recv(1000)
        settled(lambda: server.count(key))
        server.open_gate(key)
        leave(opened, how)
    assert server.ended(key) in ([RUN_OUT] if server.kind.name in HOLDS_NOTHING_BACK else [CLOSED, CANCELLED])


# Views that wait


@both_ways
def test_a_client_that_goes_away_cancels_an_async_view(server: Server, how: str) -> None:
    """Over WSGI nobody is told of it: the view runs to its end."""
    key = new_key()
    with server.opened(f"GET /async/wait?key={key} HTTP/1.1") as opened:
        assert server.noted(key, "began") == ["began"]
        leave(opened, how)
    if server.kind.is_asgi:
        assert server.noted(key, "cancelled", "torn down after CancelledError") == [
            "began",
            "cancelled",
            "torn down after CancelledError",
        ]
    else:
        server.open_gate(key)
        assert server.noted(key, "torn down") == ["began", "torn down"]


@both_ways
def test_a_client_that_goes_away_does_not_stop_a_plain_view(server: Server, how: str) -> None:
    key = new_key()
    with server.opened(f"GET /plain/wait?key={key} HTTP/1.1") as opened:
        assert server.noted(key, "began") == ["began"]
        leave(opened, how)
    server.open_gate(key)
    assert server.noted(key, "torn down") == ["began", "torn down"]


# Server-sent events


@in_both_kinds
def test_events_arrive_with_comments_in_their_silence(server: Server, kind: str) -> None:
    key = new_key()
    with contextlib.closing(server.connection()) as connection:
        connection.request("GET", f"/events/{kind}?key={key}", headers={"Last-Event-ID": "41"})
        response = connection.getresponse()
        data = b""
        while b": keep-alive\n\n" not in data:
            data += response.read1()
        server.open_gate(key)
        data += response.read()
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert [event for event in data.decode().split("\n\n") if event != ": keep-alive"] == [
        "retry: 3000",
        'event: count\nid: 42\ndata: {"count": 42}',
        "data: two\ndata: lines",
        "data: after the gate",
        "",
    ]
    assert server.ended(key) in (CLOSED, CANCELLED)


@both_ways
@in_both_kinds
def test_a_client_that_goes_away_ends_its_events(server: Server, kind: str, how: str) -> None:
    """The comments show over WSGI as well that it has gone; a plain generator ends when it gives its next event."""
    key = new_key()
    with server.opened(f"GET /events/{kind}?key={key} HTTP/1.1") as opened:
        read_until(opened, b"lines")
        leave(opened, how)
    if kind == "plain":
        server.open_gate(key)
    assert server.ended(key) in (CLOSED, CANCELLED)


# A body that nobody reads, of which something may always come


UNREAD = "Content-Length: 99999999\nContent-Type: text/plain"


@both_ways
@in_both_kinds
def test_a_client_that_goes_away_in_the_middle_of_a_refused_body_ends_a_stream(
    server: Server, kind: str, how: str
) -> None:
    key = new_key()
    with server.opened(f"GET /{kind}/pieces/{kind}?key={key} HTTP/1.1\n{UNREAD}") as opened:
        opened.sendall(b"x" * 1000)
        read_until(opened, b"first")
        server.open_gate(key)
        read_until(opened, b"more\n")
        leave(opened, how)
    assert server.ended(key) in (CLOSED, CANCELLED)


def test_a_client_that_goes_away_in_the_middle_of_a_refused_body_ends_its_events(server: Server) -> None:
    key = new_key()
    with server.opened(f"GET /events/async?key={key} HTTP/1.1\n{UNREAD}") as opened:
        opened.sendall(b"x" * 1000)
        read_until(opened, b"lines")
    assert server.ended(key) in (CLOSED, CANCELLED)
