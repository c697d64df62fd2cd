"""The other side of the socket: bodies of any size, of which one block is in memory at a time."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import time
import typing as t

#: What bodies consist of; the same in each run, and nothing that compresses.
BLOCK = random.Random(0).randbytes(64 * 1024)

BOUNDARY = "a boundary of the benchmark"


def blocks(size: int) -> t.Iterator[bytes]:
    """Produce a body.

    :param size: its length in bytes.
    """
    whole, rest = divmod(size, len(BLOCK))
    for _ in range(whole):
        yield BLOCK
    if rest:
        yield BLOCK[:rest]


class Failed(Exception):
    """The server does not answer, or answers something else than it should."""


class Client:
    """One connection to the server.

    :param seconds: what it may take altogether.
    """

    def __init__(self, port: int, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)

    def process(self) -> dict[str, int]:
        """Return the id of the process that answers, and the peak of its memory in bytes."""
        answer: dict[str, int] = json.loads(self._ask("GET", "/process").read())
        return answer

    def upload(self, path: str, size: int) -> None:
        """Send a body as it is."""
        kind = "application/octet-stream"
        self._expect_size(self._ask("POST", path, blocks(size), size, kind), size)

    def upload_form(self, path: str, size: int) -> None:
        """Send a body as the file ``file`` of a form."""
        head = (
            f"--{BOUNDARY}\r\n"
            'Content-Disposition: form-data; name="file"; filename="file.bin"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{BOUNDARY}--\r\n".encode()

        def body() -> t.Iterator[bytes]:
            yield head
            yield from blocks(size)
            yield tail

        kind = f'multipart/form-data; boundary="{BOUNDARY}"'
        length = len(head) + size + len(tail)
        self._expect_size(self._ask("POST", path, body(), length, kind), size)

    def download(self, path: str, size: int) -> None:
        """Fetch a body, and forget it."""
        response = self._ask("GET", f"{path}/{size}")
        buffer, received = bytearray(len(BLOCK)), 0
        while count := response.readinto(buffer):
            received += count
            self._check_time()
        if received != size:
            raise Failed(f"{received} bytes came, not {size}")

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _ask(
        self, method: str, path: str, body: t.Iterator[bytes] | None = None, length: int = 0, kind: str = ""
    ) -> http.client.HTTPResponse:
        headers = {} if body is None else {"Content-Length": str(length), "Content-Type": kind}
        sent = None if body is None else self._timed(body)
        # A server that refuses a body may close before all of it is sent; what it says comes with the response.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._connection.request(method, path, sent, headers)
        response = self._connection.getresponse()
        if response.status != 200:
            raise Failed(f"{response.status} {response.reason}: {response.read(200)!r}")
        return response

    def _timed(self, body: t.Iterator[bytes]) -> t.Iterator[bytes]:
        for block in body:
            self._check_time()
            yield block

    def _check_time(self) -> None:
        if time.monotonic() > self._deadline:
            raise Failed("it takes too long")

    def _expect_size(self, response: http.client.HTTPResponse, size: int) -> None:
        answer = response.read(200).decode(errors="replace")
        if answer != str(size):
            raise Failed(f"the server received {answer} bytes, not {size}")
