"""Requests as no correct client sends them: refused or dropped, and the next one is answered."""

from __future__ import annotations

import contextlib

import pytest

from .servers import Server
from .wire import Answer, read_answer

HOST = "Host: 127.0.0.1"
QUICK = "GET /async/quick HTTP/1.1"
BODY = f"POST /async/body HTTP/1.1\r\n{HOST}"
CHUNKS = f"{BODY}\r\nTransfer-Encoding: chunked\r\n"

MALFORMED = {
    "no version": f"GET /async/quick\r\n{HOST}\r\n\r\n",
    "another version": f"GET /async/quick HTTP/3.7\r\n{HOST}\r\n\r\n",
    "no number as version": f"GET /async/quick HTTP/x\r\n{HOST}\r\n\r\n",
    "no method": f"/async/quick HTTP/1.1\r\n{HOST}\r\n\r\n",
    "a method with spaces": f"G E T /async/quick HTTP/1.1\r\n{HOST}\r\n\r\n",
    "a method with a control character": f"G\x01T /async/quick HTTP/1.1\r\n{HOST}\r\n\r\n",
    "a space in the path": f"GET /async/quick x HTTP/1.1\r\n{HOST}\r\n\r\n",
    "a NUL in the path": f"GET /async/qu\0ick HTTP/1.1\r\n{HOST}\r\n\r\n",
    "a path without a slash": f"GET async/quick HTTP/1.1\r\n{HOST}\r\n\r\n",
    "another protocol": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10 + "\r\n\r\n",
    "a header without a colon": f"{QUICK}\r\n{HOST}\r\nNothing\r\n\r\n",
    "a header without a name": f"{QUICK}\r\n{HOST}\r\n: value\r\n\r\n",
    "a space before the colon": f"{QUICK}\r\n{HOST}\r\nContent-Length : 5\r\n\r\nhello",
    "a space in the name of a header": f"{QUICK}\r\n{HOST}\r\nX Y: 1\r\n\r\n",
    "a NUL in a header": f"{QUICK}\r\n{HOST}\r\nX-Y: a\0b\r\n\r\n",
    "a bare CR in a header": f"{QUICK}\r\n{HOST}\r\nX-Y: a\rX-Z: b\r\n\r\n",
    "a header on two lines": f"{QUICK}\r\n{HOST}\r\nX-Y: a\r\n b\r\n\r\n",
    "two different lengths": f"{BODY}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "two lengths in one header": f"{BODY}\r\nContent-Length: 5, 6\r\n\r\nhello",
    "a negative length": f"{BODY}\r\nContent-Length: -1\r\n\r\nhello",
    "a length with a sign": f"{BODY}\r\nContent-Length: +5\r\n\r\nhello",
    "a length in hex": f"{BODY}\r\nContent-Length: 0x5\r\n\r\nhello",
    "a length with an underscore": f"{BODY}\r\nContent-Length: 0_5\r\n\r\nhello",
    "a length in other digits": f"{BODY}\r\nContent-Length: \xb2\r\n\r\nhello",
    "an endless length": f"{BODY}\r\nContent-Length: {'9' * 5000}\r\n\r\nhello",
    "a length and chunks": f"{BODY}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": f"{BODY}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a coding after chunked": f"{BODY}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a chunk of a negative size": f"{CHUNKS}\r\n-5\r\nhello\r\n0\r\n\r\n",
    "a chunk without a size": f"{CHUNKS}\r\nfive\r\nhello\r\n0\r\n\r\n",
    "a chunk longer than its size": f"{CHUNKS}\r\n2\r\nhello\r\n0\r\n\r\n",
    "no host": f"{QUICK}\r\n\r\n",
    "two hosts": f"{QUICK}\r\n{HOST}\r\nHost: evil.example\r\n\r\n",
    "a host with a path": f"{QUICK}\r\nHost: evil.example/x\r\n\r\n",
    "a host with a user": f"{QUICK}\r\nHost: a@evil.example\r\n\r\n",
    "a host with a space": f"{QUICK}\r\nHost: evil .example\r\n\r\n",
    "a host with a port that is none": f"{QUICK}\r\nHost: evil.example:x\r\n\r\n",
    "a host of other characters": f"{QUICK}\r\nHost: \xe9vil.example\r\n\r\n",
    "a host with a backslash": f"{QUICK}\r\nHost: a\\evil.example\r\n\r\n",
    "an endless header": f"{QUICK}\r\n{HOST}\r\nX-Y: {'x' * 2_000_000}\r\n\r\n",
    "an endless path": f"GET /{'x' * 2_000_000} HTTP/1.1\r\n{HOST}\r\n\r\n",
    "many headers": f"{QUICK}\r\n{HOST}\r\n{''.join(f'X-{number}: 1{chr(13)}{chr(10)}' for number in range(20_000))}\r\n",
}

# What servers answer otherwise: the status, and what they do. None of it is for an application to mend.
ANSWERED = {
    ("uvicorn", "no version"): (200, "takes it for HTTP/0.9"),
    ("uvicorn", "no host"): (200, "does not ask for a Host"),
    ("uvicorn", "an endless header"): (200, "has no limit for headers"),
    ("uvicorn", "many headers"): (200, "has no limit for headers"),
    ("hypercorn", "another version"): (200, "takes any version"),
    ("hypercorn", "a path without a slash"): (200, "takes any path"),
    ("hypercorn", "a header on two lines"): (200, "joins the lines, as RFC 9112 (section 5.2) allows"),
    ("hypercorn", "a length and chunks"): (200, "forgets the length, as RFC 9112 (section 6.3) allows"),
    ("granian-asgi", "a length and chunks"): (200, "forgets the length, as RFC 9112 (section 6.3) allows"),
    ("granian-asgi", "a chunk of a negative size"): (500, "says that the client has gone, and then answers"),
    ("granian-asgi", "a chunk without a size"): (500, "says that the client has gone, and then answers"),
    ("granian-asgi", "a chunk longer than its size"): (
        500,
        "says that the client has gone, and then answers",
    ),
    ("granian-wsgi", "a length and chunks"): (200, "forgets the length, as RFC 9112 (section 6.3) allows"),
    ("granian-wsgi", "a chunk of a negative size"): (200, "ends the body where it is malformed"),
    ("granian-wsgi", "a chunk without a size"): (200, "ends the body where it is malformed"),
    ("granian-wsgi", "a chunk longer than its size"): (200, "ends the body where it is malformed"),
    ("gunicorn-asgi", "no host"): (200, "does not ask for a Host"),
    ("gunicorn-wsgi", "no host"): (200, "does not ask for a Host"),
}


def send(server: Server, data: str) -> Answer | None:
    """Send characters as bytes, and return the response, ``None`` where the connection is closed without one."""
    with server.connect() as opened:
        with contextlib.suppress(ConnectionError):
            opened.sendall(data.encode("latin1"))
        return read_answer(opened)


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_request_is_refused_and_the_next_one_answered(server: Server, name: str) -> None:
    answer = send(server, MALFORMED[name])
    expected = ANSWERED.get((server.kind.name, name))
    if expected is not None:
        assert answer is not None
        assert answer.status == expected[0]
    elif answer is not None:
        assert 400 <= answer.status < 500 or answer.status == 501
    assert server.get("/plain/quick").text == "quick"


def test_empty_lines_before_a_request_are_passed_over_or_refused(server: Server) -> None:
    """RFC 9112, section 2.2."""
    answer = send(server, f"\r\n\r\n{QUICK}\r\n{HOST}\r\nConnection: close\r\n\r\n")
    assert answer is None or answer.status == 400 or answer.text == "quick"


def test_a_request_for_the_server_as_a_whole_is_no_error(server: Server) -> None:
    """RFC 9112, section 3.2.4."""
    answer = send(server, f"OPTIONS * HTTP/1.1\r\n{HOST}\r\nConnection: close\r\n\r\n")
    assert answer is not None
    assert answer.status in {200, 400, 404, 405}


def test_what_follows_a_body_with_two_framings_is_a_request_of_its_own_or_nothing(server: Server) -> None:
    """Of a length and chunks the chunks count, and what follows them is not part of the body."""
    data = (
        MALFORMED["a length and chunks"] + f"GET /notes/after HTTP/1.1\r\n{HOST}\r\nConnection: close\r\n\r\n"
    )
    answer = send(server, data)
    if answer is not None and answer.status == 200:
        assert answer.json["length"] == 0


def test_a_request_that_is_never_finished_keeps_nobody_waiting(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            opened = stack.enter_context(server.connect())
            opened.sendall(f"{QUICK}\r\nX-Y: ".encode())
        assert server.get("/plain/quick").text == "quick"
        assert server.get("/async/quick").text == "quick"
