"""Bodies of requests: all at once and piece by piece, too large, and from clients that go away."""

from __future__ import annotations

import contextlib
import hashlib
import time
import typing as t

import pytest

from .servers import Server, new_key
from .wire import read_answer, read_until, reset, send_until_answered

MiB = 1024 * 1024

# Larger than what is kept in memory, smaller than the limit of the application (2 MiB).
LARGE = b"0123456789abcdef" * (3 * MiB // 2 // 16)

in_both_kinds = pytest.mark.parametrize("kind", ["plain", "async"])

# Servers that do otherwise than the rest, and what.
CONTINUES_AT_ONCE = {
    "hypercorn": "100 (Continue) is sent before the application is asked",
    "gunicorn-wsgi": "100 (Continue) is sent before the application is asked",
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def multipart(*parts: tuple[str, bytes]) -> bytes:
    """Return a multipart body of parts, each the text of its Content-Disposition and its content."""
    lines: list[bytes] = []
    for disposition, content in parts:
        lines += [b"--edge", f"Content-Disposition: form-data; {disposition}".encode(), b"", content]
    return b"\r\n".join([*lines, b"--edge--", b""])


MULTIPART = "multipart/form-data; boundary=edge"
URLENCODED = "application/x-www-form-urlencoded"


def chunks_of(data: bytes, size: int) -> t.Iterator[bytes]:
    """Yield a body in pieces, framed for ``Transfer-Encoding: chunked``, with its end."""
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


@in_both_kinds
def test_an_urlencoded_form_arrives(server: Server, kind: str) -> None:
    answer = server.post(f"/{kind}/form", b"a=1&b=%C3%A9+x&a=2", URLENCODED)
    assert answer.json == {"form": {"a": ["1", "2"], "b": ["\xe9 x"]}, "files": {}}


@in_both_kinds
def test_a_multipart_form_with_a_large_file_arrives(server: Server, kind: str) -> None:
    body = multipart(('name="title"', "gr\xfc\xdfe".encode()), ('name="file"; filename="large.bin"', LARGE))
    assert server.post(f"/{kind}/form", body, MULTIPART).json == {
        "form": {"title": ["gr\xfc\xdfe"]},
        "files": {"file": ["large.bin", sha256(LARGE)]},
    }


@in_both_kinds
def test_json_arrives(server: Server, kind: str) -> None:
    answer = server.post(f"/{kind}/json", '{"a": [1, "\xe9"]}'.encode(), "application/json")
    assert answer.json == {"json": {"a": [1, "\xe9"]}}
    assert server.post(f"/{kind}/json", b'{"a": [1,', "application/json").status == 400
    assert server.post(f"/{kind}/json", b"{}", "text/plain").status == 415


@in_both_kinds
@pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "small", "large"])
def test_a_body_arrives_as_it_was_sent(server: Server, kind: str, data: bytes) -> None:
    assert server.post(f"/{kind}/body", data).json == {"length": len(data), "sha256": sha256(data)}


@in_both_kinds
@pytest.mark.parametrize("data", [b"", b"x", LARGE], ids=["empty", "small", "large"])
def test_a_chunked_body_arrives_as_it_was_sent(server: Server, kind: str, data: bytes) -> None:
    pieces = (data[start : start + 100_000] for start in range(0, len(data), 100_000))
    answer = server.request("POST", f"/{kind}/body", pieces, encode_chunked=True)
    assert answer.json == {"length": len(data), "sha256": sha256(data)}


@in_both_kinds
def test_a_chunked_form_arrives(server: Server, kind: str) -> None:
    head = f"POST /{kind}/form HTTP/1.1\nContent-Type: {MULTIPART}\nTransfer-Encoding: chunked"
    with server.opened(head) as opened:
        body = multipart(('name="a"', b"1"), ('name="file"; filename="f"', b"content"))
        opened.sendall(b"".join(chunks_of(body, 7)))
        answer = read_answer(opened)
    assert answer is not None
    assert answer.json == {"form": {"a": ["1"]}, "files": {"file": ["f", sha256(b"content")]}}


@in_both_kinds
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_in_many_small_pieces_arrives(server: Server, kind: str, framing: str) -> None:
    data = b"abc" * 10
    length = "Transfer-Encoding: chunked" if framing == "chunked" else f"Content-Length: {len(data)}"
    pieces = (
        chunks_of(data, 3) if framing == "chunked" else (data[at : at + 3] for at in range(0, len(data), 3))
    )
    with server.opened(f"POST /{kind}/body HTTP/1.1\n{length}") as opened:
        for piece in pieces:
            opened.sendall(piece)
            time.sleep(0.005)
        answer = read_answer(opened)
    assert answer is not None
    assert answer.json == {"length": len(data), "sha256": sha256(data)}


@in_both_kinds
def test_a_connection_goes_on_after_a_body_that_nobody_read(server: Server, kind: str) -> None:
    """What is left of the body must not be taken for the next request, whether the connection is kept or not."""
    with server.opened(f"PUT /{kind}/echo/1/x HTTP/1.1\nContent-Length: 40") as opened:
        opened.sendall(b"GET /left HTTP/1.1\r\nHost: a\r\n\r\n".ljust(40))
        answer = read_answer(opened)
        assert answer is not None
        assert answer.json["method"] == "PUT"
        with contextlib.suppress(ConnectionError):
            opened.sendall(server.lines(f"GET /{kind}/quick HTTP/1.1"))
        answer = read_answer(opened)
    assert answer is None or answer.text == "quick"


@in_both_kinds
@pytest.mark.parametrize("path", ["body", "streamed?key=expect"])
def test_a_client_may_wait_for_100_continue(server: Server, kind: str, path: str) -> None:
    head = f"POST /{kind}/{path} HTTP/1.1\nContent-Length: 5\nExpect: 100-continue"
    with server.opened(head) as opened:
        assert read_until(opened, b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        opened.sendall(b"hello")
        answer = read_answer(opened)
    assert answer is not None
    assert answer.json == {"length": 5, "sha256": sha256(b"hello")}


@in_both_kinds
def test_a_body_that_is_too_large_is_not_asked_for(server: Server, kind: str) -> None:
    head = f"POST /{kind}/body HTTP/1.1\nContent-Length: {100 * MiB}\nExpect: 100-continue"
    with server.opened(head) as opened:
        start = read_until(opened, b"\r\n\r\n")
        if server.kind.name in CONTINUES_AT_ONCE:
            assert start.startswith(b"HTTP/1.1 100 ")
            start = start.partition(b"\r\n\r\n")[2] or read_until(opened, b"\r\n\r\n")
    assert start.startswith(b"HTTP/1.1 413 ")


@in_both_kinds
@pytest.mark.parametrize("path", ["body", "form", "json"])
def test_a_body_whose_length_is_too_large_is_413_before_it_has_come(
    server: Server, kind: str, path: str
) -> None:
    types = {"body": "text/plain", "form": URLENCODED, "json": "application/json"}
    head = f"POST /{kind}/{path} HTTP/1.1\nContent-Length: {100 * MiB}\nContent-Type: {types[path]}"
    with server.opened(head) as opened:
        opened.sendall(b"x" * 10_000)
        assert read_until(opened, b"\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    assert server.get(f"/{kind}/quick").text == "quick"


@in_both_kinds
@pytest.mark.parametrize("path", ["body", "form", "streamed?key=chunked"])
def test_a_chunked_body_that_is_too_large_is_413_before_it_has_come(
    server: Server, kind: str, path: str
) -> None:
    head = f"POST /{kind}/{path} HTTP/1.1\nTransfer-Encoding: chunked\nContent-Type: {MULTIPART}"
    start = multipart(('name="f"; filename="f"', b"")).removesuffix(b"--edge--\r\n")
    piece = b"10000\r\n%s\r\n" % (b"x" * 65536)
    with server.opened(head) as opened:
        opened.sendall(b"%x\r\n%s\r\n" % (len(start), start))
        # 64 MiB: it has to be refused long before.
        sent = send_until_answered(opened, (piece for _ in range(1024)))
        assert read_until(opened, b"\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    assert sent < 32 * MiB
    assert server.get(f"/{kind}/quick").text == "quick"


@in_both_kinds
def test_a_field_that_is_too_large_is_413(server: Server, kind: str) -> None:
    assert server.post(f"/{kind}/form", b"a=" + b"x" * 600_000, URLENCODED).status == 413
    assert server.post(f"/{kind}/form", multipart(('name="a"', b"x" * 600_000)), MULTIPART).status == 413


@in_both_kinds
def test_a_view_reads_a_body_as_it_comes(server: Server, kind: str) -> None:
    key = new_key()
    head = f"POST /{kind}/streamed?key={key} HTTP/1.1\nContent-Length: 10"
    with server.opened(head) as opened:
        # The view begins, and has the first piece, before there is a second.
        assert server.noted(key, "began") == ["began"]
        opened.sendall(b"first")
        if kind == "async" and server.kind.is_asgi:
            assert server.noted(key, "received") == ["began", "received"]
        opened.sendall(b"later")
        answer = read_answer(opened)
    assert answer is not None
    assert answer.json == {"length": 10, "sha256": sha256(b"firstlater")}


@in_both_kinds
def test_a_view_reads_a_large_body_as_it_comes(server: Server, kind: str) -> None:
    answer = server.post(f"/{kind}/streamed?key=large", LARGE)
    assert answer.json == {"length": len(LARGE), "sha256": sha256(LARGE)}


@in_both_kinds
def test_a_view_does_not_begin_before_its_body_has_come(server: Server, kind: str) -> None:
    """Under WSGI it begins at once and waits in the first access to the body, on a thread of the server."""
    with server.opened(f"POST /{kind}/body HTTP/1.1\nContent-Length: 10") as opened:
        opened.sendall(b"first")
        assert server.get(f"/{kind}/quick").text == "quick"
        opened.sendall(b"later")
        answer = read_answer(opened)
    assert answer is not None
    assert answer.json == {"length": 10, "sha256": sha256(b"firstlater")}


@in_both_kinds
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_client_that_goes_away_in_the_middle_of_a_stream_ends_its_view(
    server: Server, kind: str, how: str, framing: str
) -> None:
    key = new_key()
    length = "Transfer-Encoding: chunked" if framing == "chunked" else "Content-Length: 1000000"
    with server.opened(f"POST /{kind}/streamed?key={key} HTTP/1.1\n{length}") as opened:
        # More than the 256 KiB that an async view waits for where a plain stream is all there is.
        piece = b"x" * 300_000
        opened.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if framing == "chunked" else piece)
        assert "received" in server.noted(key, "received")
        if how == "reset":
            reset(opened)
    assert server.ended(key) == ["began", "received", "torn down"]
    assert server.get(f"/{kind}/quick").text == "quick"


@in_both_kinds
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("path", ["body", "form"])
def test_a_client_that_goes_away_in_the_middle_of_a_body_harms_nobody(
    server: Server, kind: str, how: str, path: str
) -> None:
    key = new_key()
    head = f"POST /{kind}/{path}?key={key} HTTP/1.1\nContent-Length: 100000\nContent-Type: {URLENCODED}"
    with server.opened(head) as opened:
        opened.sendall(b"a=" + b"x" * 5000)
        if how == "reset":
            reset(opened)
    # Under ASGI the request is not begun, so there is nothing to tear down.
    if not server.kind.is_asgi:
        assert server.noted(key, "torn down") == ["torn down"]
    assert server.get(f"/{kind}/quick").text == "quick"
    assert server.notes(key) in ([], ["torn down"])
