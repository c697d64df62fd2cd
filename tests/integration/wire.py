"""What goes over a connection, byte by byte where a client would not send or show it: HTTP and WebSockets."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import http.client
import json
import os
import select
import socket
import struct
import typing as t

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

#: Seconds after which something that has to happen has not happened.
LIMIT = 20.0


@dataclasses.dataclass(frozen=True)
class Answer:
    """A whole response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> t.Any:
        return json.loads(self.body)


def read_answer(made: socket.socket, method: str = "GET") -> Answer | None:
    """Read one response from a socket, ``None`` where the connection was closed without one."""
    response = http.client.HTTPResponse(made, method=method)
    try:
        response.begin()
        return Answer(response.status, response.headers, response.read())
    except (http.client.BadStatusLine, http.client.IncompleteRead, ConnectionError):
        return None
    finally:
        response.close()


def read_until(made: socket.socket, expected: bytes) -> bytes:
    """Read from a socket until something has come, and return all that has."""
    data = b""
    while expected not in data:
        piece = made.recv(65536)
        assert piece, f"the connection was closed before {expected!r} came, after {data!r}"
        data += piece
    return data


def send_until_answered(made: socket.socket, pieces: t.Iterable[bytes]) -> int:
    """Send pieces until the other side answers or closes, and return how many bytes were sent."""
    sent = 0
    for piece in pieces:
        rest = memoryview(piece)
        while rest:
            readable, writable, _ = select.select([made], [made], [], LIMIT)
            assert readable or writable, f"neither an answer nor room for more after {sent} bytes"
            if readable:
                return sent
            try:
                done = made.send(rest[:16384])
            except ConnectionError:
                return sent
            sent, rest = sent + done, rest[done:]
    return sent


def reset(made: socket.socket) -> None:
    """Close a connection as a client does that crashed: with RST, not with FIN."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    made.close()


# WebSockets


def dial(port: int, path: str, **options: t.Any) -> ClientConnection:
    """Open a WebSocket."""
    options = {"open_timeout": LIMIT, "close_timeout": LIMIT, "compression": None, "proxy": None} | options
    return connect(f"ws://127.0.0.1:{port}{path}", **options)


def end_of(opened: ClientConnection) -> tuple[int, str]:
    """Receive until the server closes, and return the code and the reason of that."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            opened.recv(LIMIT)
    assert opened.close_code is not None
    return opened.close_code, opened.close_reason or ""


def handshake() -> str:
    """Return the lines of a handshake, for those who send frames that a client would not."""
    key = base64.b64encode(os.urandom(16)).decode()
    return f"Upgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Key: {key}\nSec-WebSocket-Version: 13"


def frame(opcode: int, payload: bytes) -> bytes:
    """Return a frame of a client, masked with zeros (RFC 6455, section 5.2)."""
    assert len(payload) < 126
    return struct.pack("!BB4s", 0x80 | opcode, 0x80 | len(payload), b"\0\0\0\0") + payload


def close_code_in(opened: socket.socket) -> int | None:
    """Read until a frame closes, and return its code; ``None`` where the connection ends without one."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while piece := opened.recv(65536):
            data += piece
            if data[0] == 0x88 and len(data) >= 4:
                code: int = struct.unpack("!H", data[2:4])[0]
                return code
    return None
