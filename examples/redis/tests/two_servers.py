"""A real Redis, two real servers, and what talks to them. Whatever is waited for has a bound."""

from __future__ import annotations

import contextlib
import http.client
import http.cookies
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path
from urllib.parse import urlencode

import pytest

EXAMPLE = Path(__file__).parents[1]

#: Seconds after which something that has to happen has not happened.
LIMIT = 30.0

T = t.TypeVar("T")


def eventually(ask: t.Callable[[], T]) -> T:
    """Ask again and again until the answer is true, and return the last one."""
    end = time.monotonic() + LIMIT
    while not (answer := ask()) and time.monotonic() < end:
        time.sleep(0.02)
    return answer


class RedisServer:
    """A Redis with a folder of its own, which can go away and come back with what it had.

    It listens at a socket of the file system: a port could be somebody else's by the time it comes back.
    """

    def __init__(self, folder: Path) -> None:
        path = shutil.which("redis-server") or shutil.which("valkey-server")
        if path is None:
            pytest.skip("there is neither redis-server nor valkey-server: install one of them")
        # The path of a socket may have about a hundred characters, and that of a test's folder can be longer.
        self._room = Path(tempfile.mkdtemp(prefix="doors-"))
        self._socket = str(self._room / "redis.sock")
        self.url = f"unix://{self._socket}"
        files = [
            "--dir",
            str(folder),
            "--logfile",
            str(folder / "redis-log.txt"),
            "--appendonly",
            "yes",
            "--save",
            "",
        ]
        self._command = [path, "--port", "0", "--unixsocket", self._socket, *files]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._room.mkdir(0o700, exist_ok=True)
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
        assert eventually(self._answers), "Redis did not start"

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """Stop it, and wait until it has gone."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(LIMIT)
            self._process = None
        shutil.rmtree(self._room, ignore_errors=True)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as made:
            made.settimeout(1)
            made.connect(self._socket)
            made.sendall(b"PING\r\n")
            return made.recv(7) == b"+PONG\r\n"
        return False


class Answer(t.NamedTuple):
    """A whole response."""

    status: int
    headers: http.client.HTTPMessage
    text: str


class Door:
    """One server: ``erlen serve`` as a process of its own.

    :param name: what it is called on the page.
    :param redis: the URL of Redis.
    :param folder: where its output goes.
    :param variables: more environment variables.
    """

    def __init__(self, name: str, redis: str, folder: Path, **variables: str) -> None:
        self.name = name
        self._log = folder / f"{name}-log.txt"
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("ERLEN_", "DOORS_"))
        }
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "erlen", "--app", "doors:create_app", "serve", "--port", "0"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=EXAMPLE,
                env={**environment, "DOORS_NAME": name, "DOORS_REDIS_URL": redis, **variables},
                start_new_session=True,
            )
        self.port = 0

    def wait(self) -> None:
        """Wait until it serves."""
        found = eventually(lambda: re.search(r" on http://127\.0\.0\.1:(\d+), ", self.log()))
        assert found, self.log()
        self.port = int(found[1])

    def log(self) -> str:
        """Return the output so far."""
        return self._log.read_text("utf-8", "replace")

    def stop(self) -> int:
        """Stop it, and return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(LIMIT)
        finally:
            self.process.kill()


@contextlib.contextmanager
def open_doors(redis: str, folder: Path, **variables: str) -> t.Generator[tuple[Door, Door]]:
    """Start two servers, and stop them at the end of the block, where the test has not."""
    west, east = (Door(name, redis, folder, **variables) for name in ("west", "east"))
    try:
        for door in (west, east):
            door.wait()
            # It serves before it hears Redis.
            with Page(door) as page:
                while not page.next("line").data["connected"]:
                    pass
        yield west, east
    finally:
        for door in (west, east):
            if door.process.poll() is None:
                door.stop()


class Visitor:
    """A browser, as far as cookies: what one door sets is sent to the other, as both have one host."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    def get(self, door: Door, path: str) -> Answer:
        """Load a page."""
        return self._send(door, "GET", path, None)

    def post(self, door: Door, path: str, **form: str) -> Answer:
        """Send a form."""
        return self._send(door, "POST", path, urlencode(form))

    def _send(self, door: Door, method: str, path: str, body: str | None) -> Answer:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", door.port, timeout=LIMIT)
        ) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            for line in response.headers.get_all("Set-Cookie", []):
                for name, morsel in http.cookies.SimpleCookie(line).items():
                    self.cookies[name] = morsel.value
                    if morsel["max-age"] == "0":
                        del self.cookies[name]
            return Answer(response.status, response.headers, response.read().decode())


class Event(t.NamedTuple):
    """A server-sent event."""

    kind: str
    data: t.Any
    id: str


class Page:
    """A page that is open at a door, and hears the events. Use it in a ``with`` block.

    :param seen: the id of the last event that it had before it came back.
    """

    def __init__(self, door: Door, seen: str = "") -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", door.port, timeout=LIMIT)
        self._connection.request("GET", "/events", headers={"Last-Event-ID": seen} if seen else {})
        self._response = self._connection.getresponse()
        assert self._response.headers["Content-Type"] == "text/event-stream; charset=utf-8"

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._response.close()
        self._connection.close()

    def next(self, kind: str) -> Event:
        """Return the next event, which has to be of a kind."""
        fields: dict[str, str] = {}
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            line = self._response.readline().decode().rstrip("\n")
            name, _, value = line.partition(": ")
            if name and value:
                fields[name] = value
            elif not line and "data" in fields:
                event = Event(fields["event"], json.loads(fields["data"]), fields.get("id", ""))
                assert event.kind == kind, event
                return event
        raise AssertionError(f"no event {kind!r} has come")

    def ends(self) -> bool:
        """Read to the end of the stream, and return whether it has one."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            if not self._response.readline():
                return True
        return False
