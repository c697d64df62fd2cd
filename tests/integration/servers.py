"""Servers as subprocesses: how each is started, what it is known to do in its own way, and what talks to it."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
import typing as t
import uuid
from pathlib import Path

import erlen

from .wire import LIMIT, Answer

FOLDER = Path(__file__).parent

#: Seconds a server has to start, and to stop.
START_LIMIT = 30.0
STOP_LIMIT = 20.0

#: What variables begin with that would change what is tested.
SETTINGS = (
    "ERLEN_",
    "UVICORN_",
    "GRANIAN_",
    "GUNICORN_",
    "HYPERCORN_",
    "WEB_CONCURRENCY",
    "FORWARDED_ALLOW_IPS",
)

#: Bytes that may be on their way to a client that does not read: in the buffers of the server and of the system.
ON_THE_WAY = 24 * 1024 * 1024

T = t.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A server in one of its ways to call an application.

    :param name: the id of its tests.
    :param module: what ``python -m`` runs.
    :param protocol: ``"asgi"`` or ``"wsgi"``.
    :param options: the arguments in front of the application; ``{port}`` stands for the port.
    :param application: how the application is named; ``{name}`` stands for the attribute.
    :param prefix_options: the arguments with which it serves the application below ``{prefix}``.
    :param prefix_variables: environment variables that do the same.
    :param strips_prefix: whether it expects a proxy in front that takes the prefix off the path.
    :param exit_code: with what it ends after SIGTERM.
    :param known_errors: expressions for errors in its log that are its own, and none of the application's.
    """

    name: str
    module: str
    protocol: str
    options: str
    application: str = "application:{name}"
    prefix_options: str = ""
    prefix_variables: t.Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    strips_prefix: bool = False
    exit_code: int = 0
    known_errors: tuple[str, ...] = ()

    @property
    def is_asgi(self) -> bool:
        return self.protocol == "asgi"

    @property
    def is_missing(self) -> bool:
        return importlib.util.find_spec(self.module) is None


KINDS = [
    Kind(
        "uvicorn",
        "uvicorn",
        "asgi",
        "--port {port} --timeout-graceful-shutdown 10",
        prefix_options="--root-path {prefix}",
        strips_prefix=True,
        # It raises the signal once more when it is done.
        exit_code=-signal.SIGTERM,
        # It logs text of a client that is no UTF-8 with a traceback.
        known_errors=("(?s)websockets_sansio_impl.*UnicodeDecodeError",),
    ),
    Kind(
        "hypercorn",
        "hypercorn",
        "asgi",
        "--bind 127.0.0.1:{port} --graceful-timeout 10 --keep-alive 1 --access-logfile -",
        "asgi:application:{name}",
        prefix_options="--root-path {prefix}",
    ),
    Kind(
        "granian-asgi",
        "granian",
        "asgi",
        "--interface asgi --port {port} --workers-kill-timeout 10 --access-log",
        prefix_options="--url-path-prefix {prefix}",
    ),
    Kind(
        "gunicorn-asgi",
        "gunicorn",
        "asgi",
        "--worker-class asgi --bind 127.0.0.1:{port} --graceful-timeout 10 --access-logfile - --no-control-socket",
        prefix_options="--root-path {prefix}",
        # A length of more digits than Python reads.
        known_errors=(r"(?s)gunicorn.asgi.*Exceeds the limit \(4300 digits\)",),
    ),
    Kind(
        "granian-wsgi",
        "granian",
        "wsgi",
        "--interface wsgi --port {port} --blocking-threads 24 --workers-kill-timeout 10 --access-log",
        prefix_options="--url-path-prefix {prefix}",
    ),
    Kind(
        "gunicorn-wsgi",
        "gunicorn",
        "wsgi",
        "--worker-class gthread --threads 24 --bind 127.0.0.1:{port} --graceful-timeout 10 --access-logfile - "
        "--no-control-socket",
        prefix_variables={"SCRIPT_NAME": "{prefix}"},
    ),
]

ASGI_KINDS = [kind for kind in KINDS if kind.is_asgi]


def eventually(ask: t.Callable[[], T], limit: float = LIMIT) -> T:
    """Ask again and again until the answer is true, and return the last one.

    :param ask: what is asked.
    :param limit: the seconds after which the answer is taken as it is.
    """
    end = time.monotonic() + limit
    while not (answer := ask()) and time.monotonic() < end:
        time.sleep(0.02)
    return answer


def settled(ask: t.Callable[[], int]) -> int:
    """Ask again and again until the answer stays what it is for a while, and return it."""
    end, last, same = time.monotonic() + LIMIT, -1, 0
    while same < 5 and time.monotonic() < end:
        answer = ask()
        same = same + 1 if answer == last else 0
        last = answer
        time.sleep(0.05)
    return last


def new_key() -> str:
    """Return a key that no other test has."""
    return uuid.uuid4().hex[:12]


class NoStart(Exception):
    """A server ended, or did not answer, when it was started."""

    def __init__(self, server: Server) -> None:
        super().__init__(
            f"{server.kind.name} ended with {server.process.returncode} before it answered.\n{server.log()}"
        )
        self.server = server


class Server:
    """A server that runs.

    :param kind: which.
    :param folder: where its output goes.
    :param name: the attribute of ``application.py`` it serves.
    :param prefix: the path below which it serves.
    :raises NoStart: when it does not begin to answer.
    """

    def __init__(self, kind: Kind, folder: Path, name: str = "app", prefix: str = "") -> None:
        self.kind = kind
        self.prefix = prefix
        self.notes_path = folder / "notes.txt"
        self.log_path = folder / "output.txt"
        self._name = name
        #: What ``/left`` has said before anything else was asked.
        self.before: t.Any = None
        for attempt in range(3):
            self._start()
            if self._gets_ready():
                return
            self.stop()
            # Another process may have taken the port since it was found free.
            if attempt == 2 or "in use" not in self.log():
                raise NoStart(self)

    def _start(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        names = {"port": self.port, "prefix": self.prefix, "name": self._name}
        options = self.kind.options + (f" {self.kind.prefix_options}" if self.prefix else "")
        command = [sys.executable, "-m", self.kind.module, *options.format(**names).split()]
        variables = self.kind.prefix_variables if self.prefix else {}
        with self.log_path.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, self.kind.application.format(**names)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=FOLDER,
                # A group of its own, so that its workers do not outlive it if it has to be killed.
                start_new_session=True,
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)},
                    "PYTHONPATH": str(Path(erlen.__file__).parent.parent),
                    "PYTHONUNBUFFERED": "1",
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "ERLEN_TEST_NOTES": str(self.notes_path),
                    **{key: value.format(**names) for key, value in variables.items()},
                },
            )

    def _gets_ready(self) -> bool:
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                # Any answer will do: where requests start the application, it may have failed.
                if self.get(f"{self.path_prefix}/ready").status in {200, 500}:
                    return True
            time.sleep(0.05)
        return False

    @property
    def path_prefix(self) -> str:
        """What paths begin with in requests to this server."""
        return "" if self.kind.strips_prefix else self.prefix

    def stop(self) -> int:
        """Tell the server to end, wait, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                with self.log_path.open("a", encoding="utf-8") as log:
                    log.write(f"(killed: it had not ended {STOP_LIMIT} s after SIGTERM)\n")
                # With its workers, which are of its group.
                os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def log(self) -> str:
        """Return the output of the server so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def problems(self) -> list[str]:
        """Return what the output holds of errors that no test has provoked."""
        return problems(self.log(), self.kind.known_errors)

    def life(self) -> list[str]:
        """Return what the application has written to the file that outlives it."""
        return (
            self.notes_path.read_text(encoding="utf-8").split("\n")[:-1] if self.notes_path.exists() else []
        )

    # Requests

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection on which requests are sent."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)

    def request(
        self,
        method: str,
        path: str,
        body: t.Any = None,
        headers: t.Mapping[str, str] | None = None,
        **options: t.Any,
    ) -> Answer:
        """Send one request on a connection of its own."""
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body, dict(headers or {}), **options)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def get(self, path: str, headers: t.Mapping[str, str] | None = None) -> Answer:
        """Send a GET."""
        return self.request("GET", path, None, headers)

    def post(self, path: str, body: t.Any = b"", content_type: str = "text/plain") -> Answer:
        """Send a POST."""
        return self.request("POST", path, body, {"Content-Type": content_type})

    def connect(self, receive_buffer: int = 0) -> socket.socket:
        """Return a socket that is connected to the server."""
        made = socket.socket()
        made.settimeout(LIMIT)
        if receive_buffer:
            # Before it connects, as the window is agreed upon then.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        made.connect(("127.0.0.1", self.port))
        return made

    def opened(self, text: str, receive_buffer: int = 0) -> socket.socket:
        """Return a socket on which the lines of a request have been sent; ``Host`` is added."""
        made = self.connect(receive_buffer)
        made.sendall(self.lines(text))
        return made

    def lines(self, text: str) -> bytes:
        """Return the lines of a request as they are sent, with ``Host`` and the empty line."""
        first, *rest = text.strip().splitlines()
        return "\r\n".join([first, f"Host: 127.0.0.1:{self.port}", *rest, "", ""]).encode("latin1")

    # What happens in the application

    def notes(self, key: str) -> list[str]:
        """Return what was noted under a key."""
        return t.cast("list[str]", self.get(f"/notes/{key}").json["notes"])

    def count(self, key: str) -> int:
        """Return how often was counted under a key."""
        return t.cast(int, self.get(f"/notes/{key}").json["count"])

    def noted(self, key: str, *expected: str) -> list[str]:
        """Wait until all of this was noted under a key, and return all that was."""
        eventually(lambda: set(expected) <= set(self.notes(key)))
        return self.notes(key)

    def ended(self, key: str) -> list[str]:
        """Wait until the request of a key was torn down, and return all that was noted."""
        eventually(lambda: any(note.startswith("torn down") for note in self.notes(key)))
        return self.notes(key)

    def open_gate(self, key: str) -> None:
        """Let go on what waits under a key."""
        assert self.post(f"/gates/{key}").status == 200


# What stands in a log

_WORDS = r"Exception|never retrieved|was never awaited|\(killed:"
_TRACE = r".*Traceback \(most recent call last\).*\n(?:[ \t].*\n|\n)*.*"
# A traceback with the line that announces it, or a line that speaks of an error alone.
_BLOCK = re.compile(rf"^(?:.*(?:{_WORDS}).*\n\s*)?{_TRACE}|^.*(?:{_WORDS}).*", re.MULTILINE)
_PURPOSE = re.compile("on.purpose", re.IGNORECASE)


def problems(log: str, known: t.Iterable[str] = ()) -> list[str]:
    """Return what a log holds of errors that no test has provoked.

    :param log: the log.
    :param known: expressions for what is the server's own.
    """
    found = [match.group() for match in _BLOCK.finditer(log)]
    return [
        text
        for text in found
        if not _PURPOSE.search(text) and not any(re.search(expression, text) for expression in known)
    ]
