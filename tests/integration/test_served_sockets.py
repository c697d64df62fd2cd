"""WebSockets through the servers that have them."""

from __future__ import annotations

import contextlib
import json
import socket
import typing as t

import pytest
from websockets.exceptions import InvalidStatus

from .application import FLOOD_PIECE, MAX_MESSAGE
from .conftest import StartServer
from .servers import ASGI_KINDS, ON_THE_WAY, Kind, Server, eventually, new_key, settled
from .wire import LIMIT, close_code_in, dial, end_of, frame, handshake, read_until, reset

asgi_only = pytest.mark.parametrize(
    "server", [pytest.param(kind, id=kind.name) for kind in ASGI_KINDS], indirect=True
)


# Servers that do otherwise than the rest, and what.
CANNOT_REJECT = {"gunicorn-asgi": "a rejection is a 403 without anything of the response"}
NO_HEADERS_OF_ACCEPTANCE = {
    "granian-asgi": "headers of the acceptance are dropped, and with them what a handler puts into the session"
}
CLOSE_CODE_IS_LOST = {"hypercorn": "the handler is told 1006, however the client closes"}
CLOSE_REASON_IS_LOST = {
    "granian-asgi": "the handler is told the code alone",
    "gunicorn-asgi": "the handler is told the code alone",
}
NO_CODE_FOR_INVALID_TEXT = {
    "hypercorn": "the connection ends without a close",
    "granian-asgi": "the connection ends without a close",
}


def refusal_of(server: Server, path: str, **options: t.Any) -> t.Any:
    """Return the response that refuses a WebSocket."""
    with pytest.raises(InvalidStatus) as refused:
        dial(server.port, path, **options)
    return refused.value.response


def by_hand(server: Server, path: str) -> socket.socket:
    """Open a WebSocket whose frames are sent by hand."""
    opened = server.opened(f"GET {path} HTTP/1.1\n{handshake()}")
    assert read_until(opened, b"\r\n\r\n").startswith(b"HTTP/1.1 101")
    return opened


@asgi_only
def test_text_and_bytes_come_back(server: Server) -> None:
    with dial(server.port, "/ws/echo") as opened:
        for message in ("plain", "gr\xfc\xdfe \U0001f600", b"\0\xff", "", "x" * 60_000):
            opened.send(message)
            assert opened.recv(LIMIT) == message


@asgi_only
def test_a_message_in_fragments_comes_back_whole(server: Server) -> None:
    with dial(server.port, "/ws/echo") as opened:
        opened.send(["one ", "two ", "three"])
        assert opened.recv(LIMIT) == "one two three"


@asgi_only
def test_compression_of_the_server_is_nothing_the_application_sees(server: Server) -> None:
    with dial(server.port, "/ws/echo", compression="deflate") as opened:
        opened.send("x" * 10_000)
        assert opened.recv(LIMIT) == "x" * 10_000


@asgi_only
def test_json_comes_back(server: Server) -> None:
    with dial(server.port, "/ws/json") as opened:
        opened.send('{"a": [1, "\xe9"]}')
        assert json.loads(opened.recv(LIMIT)) == {"received": {"a": [1, "\xe9"]}}


@asgi_only
def test_text_that_cannot_be_sent_leaves_the_websocket_open(server: Server) -> None:
    with dial(server.port, "/ws/unpacked") as opened:
        for sent, received in (('"\\ud83d\\ude00"', "\U0001f600"), ('"\\ud800"', "refused"), ('"a"', "a")):
            opened.send(sent)
            assert opened.recv(LIMIT) == received


@asgi_only
def test_what_is_no_json_closes_with_1007(server: Server) -> None:
    with dial(server.port, "/ws/json") as opened:
        opened.send('{"a": ')
        assert end_of(opened) == (1007, "JSON expected")


@asgi_only
def test_the_handshake_is_a_request_with_all_that_belongs_to_it(server: Server) -> None:
    with dial(server.port, "/ws/rooms/7/caf%C3%A9?a=1", additional_headers={"Cookie": "b=2"}) as opened:
        told = json.loads(opened.recv(LIMIT))
        assert opened.response is not None
        headers = opened.response.headers
    root = f"ws://127.0.0.1:{server.port}"
    assert told == {
        "room": 7,
        "name": "caf\xe9",
        "visits": 1,
        "cookies": {"b": "2"},
        "args": {"a": "1"},
        "url": f"{root}/ws/rooms/7/caf\xe9?a=1",
        "built": f"{root}/ws/rooms/7/caf%C3%A9",
    }
    assert ("X-Room" in headers) == (server.kind.name not in NO_HEADERS_OF_ACCEPTANCE)
    assert "Content-Type" not in headers
    assert "Content-Length" not in headers


@asgi_only
def test_a_session_goes_on_from_requests_to_websockets_and_back(server: Server) -> None:
    cookie = server.get("/plain/visits").headers["Set-Cookie"].partition(";")[0]
    with dial(server.port, "/ws/rooms/7/x", additional_headers={"Cookie": cookie}) as opened:
        assert json.loads(opened.recv(LIMIT))["visits"] == 2
        assert opened.response is not None
        cookie = opened.response.headers.get("Set-Cookie", cookie).partition(";")[0]
    visits = 2 if server.kind.name in NO_HEADERS_OF_ACCEPTANCE else 3
    assert server.get("/plain/visits", {"Cookie": cookie}).json == {"visits": visits}


@asgi_only
def test_a_subprotocol_is_chosen(server: Server) -> None:
    with dial(server.port, "/ws/rooms/7/x", subprotocols=["first", "second"]) as opened:
        assert opened.subprotocol == "second"
    with dial(server.port, "/ws/rooms/7/x", subprotocols=["first"]) as opened:
        assert opened.subprotocol is None


@asgi_only
@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/ws/refused", 401, "you are not known here"),
        ("/ws/aborted", 404, "Not Found"),
        ("/ws/nowhere", 404, "Not Found"),
        ("/ws/rooms/seven/x", 404, "Not Found"),
        ("/ws/on-purpose/error-before", 500, "Internal Server Error"),
    ],
)
def test_a_refusal_is_an_ordinary_response(server: Server, path: str, status: int, text: str) -> None:
    response = refusal_of(server, path)
    if server.kind.name in CANNOT_REJECT:
        assert response.status_code == 403
        return
    assert response.status_code == status
    assert text in response.body.decode()
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@asgi_only
def test_the_headers_of_a_refusal_arrive(server: Server) -> None:
    response = refusal_of(server, "/ws/refused")
    if server.kind.name not in CANNOT_REJECT:
        assert response.headers["X-Why"] == "unknown"


@asgi_only
@pytest.mark.parametrize("kind", ["plain", "async", "file"])
def test_a_refusal_may_be_a_stream(server: Server, kind: str) -> None:
    response = refusal_of(server, f"/ws/refused/{kind}")
    assert response.status_code == 403
    if server.kind.name not in CANNOT_REJECT:
        assert response.body == b"not for you"
        assert response.headers["Content-Length"] == "11"


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in ASGI_KINDS])
def test_middleware_around_wsgi_app_sees_websockets(kind: Kind, start_server: StartServer) -> None:
    server = start_server(kind, "proxied")
    headers = {
        "X-Forwarded-For": "9.9.9.9",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "public.example",
    }
    origin = "https://public.example"
    with dial(server.port, "/ws", additional_headers=headers, origin=origin) as opened:
        opened.send("hello")
        assert json.loads(opened.recv(LIMIT)) == ["hello", "wss://public.example/ws", True, "9.9.9.9"]
    assert refusal_of(server, "/ws", additional_headers=headers, origin="http://other").status_code == 403
    response = refusal_of(server, "/ws?refused")
    if kind.name not in CANNOT_REJECT:
        assert (response.status_code, response.body) == (401, b"refused")
        assert response.headers["X-Why"] == "guard"
    assert server.problems() == []
    # What middleware raises is the server's to answer, as for any request.
    assert refusal_of(server, "/ws?on-purpose").status_code >= 400


@asgi_only
def test_a_close_before_the_acceptance_is_403(server: Server) -> None:
    assert refusal_of(server, "/ws/unaccepted").status_code == 403


@asgi_only
def test_a_page_of_another_site_is_refused(server: Server) -> None:
    assert refusal_of(server, "/ws/echo", origin="https://evil.example").status_code == 403
    with dial(server.port, "/ws/echo", origin=f"http://127.0.0.1:{server.port}") as opened:
        opened.send("own")
        assert opened.recv(LIMIT) == "own"


@asgi_only
def test_the_handler_closes_with_a_code_and_a_reason(server: Server) -> None:
    with dial(server.port, "/ws/closing") as opened:
        assert end_of(opened) == (4001, "enough")


@asgi_only
def test_a_handler_that_returns_closes_with_1000(server: Server) -> None:
    with dial(server.port, "/ws/rooms/7/x") as opened:
        assert end_of(opened) == (1000, "")


@asgi_only
def test_the_handler_learns_how_the_client_closed(server: Server) -> None:
    key = new_key()
    with dial(server.port, f"/ws/noted?key={key}") as opened:
        opened.send("hello")
        assert opened.recv(LIMIT) == "noted"
        opened.close(4002, "had enough")
    end = "ended 4002 had enough"
    if server.kind.name in CLOSE_CODE_IS_LOST:
        end = "ended 1006"
    elif server.kind.name in CLOSE_REASON_IS_LOST:
        end = "ended 4002"
    assert server.ended(key) == ["received 5", end, "torn down"]


@asgi_only
def test_messages_that_wait_are_handled_before_the_end(server: Server) -> None:
    key = new_key()
    with dial(server.port, f"/ws/noted?key={key}") as opened:
        for _ in range(50):
            opened.send("hello")
        for _ in range(50):
            opened.recv(LIMIT)
    assert server.ended(key)[:50] == ["received 5"] * 50


@asgi_only
def test_a_client_that_vanishes_ends_its_handler(server: Server) -> None:
    key = new_key()
    opened = by_hand(server, f"/ws/noted?key={key}")
    opened.sendall(frame(1, b"hello"))
    assert server.noted(key, "received 5") == ["received 5"]
    reset(opened)
    notes = server.ended(key)
    assert notes[0] == "received 5"
    assert notes[1] in {"ended 1005", "ended 1006"}
    assert notes[2:] == ["torn down"]


@asgi_only
def test_a_client_that_vanishes_cancels_a_handler_that_never_receives(server: Server) -> None:
    key = new_key()
    opened = by_hand(server, f"/ws/silent?key={key}")
    assert server.noted(key, "began") == ["began"]
    reset(opened)
    assert server.ended(key) == ["began", "cancelled", "torn down after CancelledError"]


@asgi_only
def test_the_server_pushes_many_messages(server: Server) -> None:
    with dial(server.port, "/ws/push") as opened:
        assert [opened.recv(LIMIT) for _ in range(100)] == [f"message {number}" for number in range(100)]
        assert end_of(opened) == (1000, "")


@asgi_only
def test_a_client_that_does_not_read_holds_its_handler_back(server: Server) -> None:
    key = new_key()
    with by_hand(server, f"/ws/flood?key={key}") as opened:
        assert 0 < settled(lambda: server.count(key)) * FLOOD_PIECE <= ON_THE_WAY
        server.open_gate(key)
        reset(opened)
    assert server.ended(key)[0] == "closed"


@asgi_only
def test_a_message_over_the_limit_closes_with_1009(server: Server) -> None:
    key = new_key()
    with dial(server.port, f"/ws/noted?key={key}") as opened:
        opened.send("x" * MAX_MESSAGE)
        assert opened.recv(LIMIT) == "noted"
        opened.send("x" * (MAX_MESSAGE + 1))
        assert end_of(opened)[0] == 1009
    assert server.ended(key)[1].startswith("ended 1009")


@asgi_only
def test_text_that_is_no_utf_8_is_refused(server: Server) -> None:
    key = new_key()
    with by_hand(server, f"/ws/noted?key={key}") as opened:
        opened.sendall(frame(1, b"\xff\xfe"))
        assert close_code_in(opened) == (None if server.kind.name in NO_CODE_FOR_INVALID_TEXT else 1007)
    assert server.ended(key)[-1] == "torn down"


@asgi_only
def test_a_frame_without_a_mask_is_refused(server: Server) -> None:
    with by_hand(server, "/ws/echo") as opened:
        opened.sendall(b"\x81\x05hello")
        assert close_code_in(opened) in {1002, None}


@asgi_only
def test_an_error_of_the_handler_closes_with_1011_and_is_logged(server: Server) -> None:
    line = "Exception on /ws/on-purpose/error"
    before = server.log().count(line)
    with dial(server.port, "/ws/on-purpose/error") as opened:
        assert end_of(opened) == (1011, "Internal Server Error")
    assert eventually(lambda: server.log().count(line) - before) == 1


@asgi_only
def test_many_websockets_are_open_at_the_same_time(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(dial(server.port, "/ws/echo")) for _ in range(30)]
        for number, one in enumerate(opened):
            one.send(str(number))
        assert [one.recv(LIMIT) for one in opened] == [str(number) for number in range(30)]


def test_an_ordinary_request_to_a_websocket_is_426(server: Server) -> None:
    assert server.get("/ws/echo").status == 426


def test_over_wsgi_a_websocket_is_426_and_the_answer_says_what_to_do(server: Server) -> None:
    if server.kind.is_asgi:
        with dial(server.port, "/ws/echo") as opened:
            opened.send("hello")
            assert opened.recv(LIMIT) == "hello"
        return
    response = refusal_of(server, "/ws/echo")
    assert response.status_code == 426
    assert "--interface asgi" in response.body.decode()
