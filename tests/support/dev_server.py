"""An ``erlen run`` in a process of its own, as a user starts it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

#: How many seconds anything may take: on a machine that does other things as well.
LIMIT = 30.0

APP = """
from erlen import Erlen

app = Erlen(__name__)

@app.lifespan
def span():
    print("begins", flush=True)
    yield
    print("ends", flush=True)

@app.get("/")
def index():
    return "first"
"""

CHAT = """
import asyncio
import time
from erlen import Erlen, EventStream, websocket

app = Erlen(__name__)

@app.lifespan
async def span():
    print("begins", flush=True)
    yield
    print("ends", flush=True)

@app.get("/")
async def index():
    return "first"

@app.websocket("/chat")
async def chat():
    async for message in websocket:
        await websocket.send("re: " + message)

@app.get("/events")
async def events():
    async def numbers():
        while True:
            yield "x"
            await asyncio.sleep(0.05)
    return EventStream(numbers())

@app.get("/pieces")
def pieces():
    def endless():
        while True:
            yield "piece"
            time.sleep(0.05)
    return endless()
"""


def environment(**variables: str) -> dict[str, str]:
    """Return the variables of this process, without those that would change what is tested."""
    prefixes = ("ERLEN_", "FLASK_", "WERKZEUG_", "WATCHFILES_", "NO_COLOR")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **variables}


def wait_for(found: t.Callable[[], t.Any], tell: t.Callable[[], str]) -> t.Any:
    """Wait until a function returns something that is true, and return that."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        if value := found():
            return value
        time.sleep(0.02)
    raise AssertionError(f"nothing happened in {LIMIT} s; the server wrote:\n{tell()}")


class DevServer:
    """A development server; its process group is ended with it.

    :param folder: where it is started.
    :param arguments: those of Python.
    :param variables: more of the environment.
    """

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.folder = folder
        self._log = folder / "server.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment(**variables),
                start_new_session=True,
            )

    def log(self) -> str:
        return self._log.read_text("utf-8")

    def wait_for_log(self, pattern: str, times: int = 1) -> re.Match[str]:
        """Wait until the server has written something."""

        def found() -> re.Match[str] | None:
            matches = list(re.finditer(pattern, self.log(), re.MULTILINE))
            return matches[times - 1] if len(matches) >= times else None

        return t.cast("re.Match[str]", wait_for(found, self.log))

    @property
    def port(self) -> int:
        return int(self.wait_for_log(r"Running on https?://[^/\n]*:(\d+)$")[1])

    def get(self, path: str = "/", connection: http.client.HTTPConnection | None = None) -> tuple[int, str]:
        """Ask once; a connection that is refused fails the test."""
        connection = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def wait_for_answer(self, status: int, text: str) -> None:
        """Ask until the answer is that one; requests that were cut off by a reload are asked again."""

        def answered() -> bool:
            try:
                answer = self.get()
            except ConnectionRefusedError:
                raise
            except (OSError, http.client.HTTPException):
                return False
            return answer[0] == status and text in answer[1]

        wait_for(answered, self.log)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, "utf-8")

    def interrupt(self, number: int = signal.SIGINT) -> int:
        """Send a signal to the first process alone, and return the exit code."""
        os.kill(self.process.pid, number)
        return self.process.wait(LIMIT)

    def press_control_c(self) -> int:
        """Send SIGINT to all processes, as a terminal does, and return the exit code."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(LIMIT)

    def processes(self) -> list[int]:
        """Return the processes of the group that are left."""
        found: list[int] = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                state, _, group = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(group) == self.process.pid and state != "Z":
                found.append(int(name))
        return found

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *details: object) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait(LIMIT)


def erlen_run(folder: Path, *options: str, app: str | None = None, **variables: str) -> DevServer:
    """Start ``erlen run`` on a free port."""
    named = () if app is None else ("--app", app)
    port = () if "--port" in options or "--host" in options else ("--port", "0")
    return DevServer(folder, "-m", "erlen", *named, "run", *options, *port, **variables)


def ended_run(folder: Path, *options: str, app: str | None = None, **variables: str) -> tuple[int, str]:
    """Start an ``erlen run`` that cannot serve, and return its exit code and what it wrote."""
    with erlen_run(folder, *options, app=app, **variables) as server:
        return server.process.wait(LIMIT), server.log()


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
