"""``erlen serve`` as a subprocess, and what talks to it."""

from __future__ import annotations

import contextlib
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

import erlen

#: Seconds after which something that has to happen has not happened.
LIMIT = 60.0

#: What variables begin with that would change what is tested.
SETTINGS = ("ERLEN_", "FLASK_", "GRANIAN_", "NOTIFY_SOCKET", "COVERAGE")

T = t.TypeVar("T")

#: An application for most tests: what it is called with, and when it begins and ends.
APPLICATION = """\
import os, sys, time
from erlen import Erlen, Response, request

app = Erlen(__name__)
VERSION = "one"

@app.get("/")
def index():
    return VERSION

@app.get("/pid")
def pid():
    return str(os.getpid())

@app.route("/seen", methods=["GET", "POST"])
@app.route("/seen/<path:rest>")
def seen(rest=""):
    return {
        "client": request.remote_addr, "scheme": request.scheme, "host": request.host,
        "root": request.root_path, "path": request.path, "url": request.url, "protocol": request.environ["SERVER_PROTOCOL"],
        "debug": app.debug, "secret": os.environ.get("ERLEN_SERVE_KEY_PASSWORD"), "argv": sys.argv,
    }

@app.get("/slow")
def slow():
    time.sleep(float(request.args["seconds"]))
    return "slow"

@app.get("/pieces")
def pieces():
    def generate():
        for number in range(3):
            yield f"{number}\\n"
    return Response(generate())

@app.lifespan
def life():
    print("begins", flush=True)
    yield
    print("ends", flush=True)
"""

#: The same with something that needs ASGI.
ASYNC_APPLICATION = (
    APPLICATION
    + """
from erlen import websocket

@app.get("/async")
async def asynchronous():
    return "async"

@app.websocket("/chat")
async def chat():
    await websocket.send("welcome")
    async for message in websocket:
        await websocket.send(message)
"""
)


def eventually(ask: t.Callable[[], T], limit: float = LIMIT) -> T:
    """Ask again and again until the answer is true, and return the last one."""
    end = time.monotonic() + limit
    while not (answer := ask()) and time.monotonic() < end:
        time.sleep(0.02)
    return answer


def environment(**variables: str) -> dict[str, str]:
    """Return the variables of a clean environment, and these."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)},
        "PYTHONPATH": str(Path(erlen.__file__).parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        **variables,
    }


class Answer(t.NamedTuple):
    """A whole response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Serving:
    """A server that runs.

    :param folder: where it runs, and where its output goes.
    :param arguments: those of ``erlen serve``; a free port is added.
    :param before: the arguments in front of ``serve``.
    :param variables: environment variables.
    :param command: what is run in place of ``python -m erlen``.
    :param waits: wait until it serves.
    """

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        before: t.Sequence[str] = (),
        variables: t.Mapping[str, str] | None = None,
        command: t.Sequence[str] = ("-m", "erlen"),
        waits: bool = True,
    ) -> None:
        self.folder = folder
        self.log_path = folder / "serve-output.txt"
        where = () if "--unix-socket" in arguments or "--port" in arguments else ("--port", "0")
        with self.log_path.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command, *before, "serve", *where, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment(**(variables or {})),
                start_new_session=True,
            )
        self.port = 0
        if waits:
            self.wait_for(" * Serving ")
            found = re.search(r" on https?://\S+:(\d+), ", self.log())
            self.port = int(found[1]) if found else 0

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def log(self) -> str:
        """Return the output so far."""
        return self.log_path.read_text("utf-8", "replace")

    def wait_for(self, text: str, times: int = 1) -> str:
        """Wait until a text stands in the output, and return that."""
        eventually(lambda: self.log().count(text) >= times or self.process.poll() is not None)
        # What it wrote before it ended.
        assert self.log().count(text) >= times, f"{text!r} is not in the output:\n{self.log()}"
        return self.log()

    def tell(self, number: int) -> None:
        """Send a signal to the main process."""
        self.process.send_signal(number)

    def reload(self) -> None:
        """Reload, and wait until new workers serve."""
        count = self.log().count("Reloaded: ")
        self.tell(signal.SIGHUP)
        self.wait_for("Reloaded: ", count + 1)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended, and return its exit code."""
        try:
            return self.process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            # Its workers end when it has gone.
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not end:\n{self.log()}") from None

    def workers(self) -> list[int]:
        """Return the processes of the workers."""
        try:
            text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text("ascii")
        except FileNotFoundError:
            return []
        return [int(number) for number in text.split()]

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection to it."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)

    def get(self, path: str, headers: t.Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """Send one request on a connection of its own."""
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, headers=dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def send(self, data: bytes) -> bytes:
        """Send bytes on a connection of its own, which the server closes, and return all that comes back."""
        with socket.create_connection(("127.0.0.1", self.port), LIMIT) as made:
            made.sendall(data)
            return b"".join(iter(lambda: made.recv(65536), b""))


def write(folder: Path, text: str = APPLICATION, name: str = "app.py") -> Path:
    """Write a file of an application, and return the folder."""
    (folder / name).write_text(text, "utf-8")
    return folder


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
