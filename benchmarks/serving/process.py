"""A server process: started, asked whether it answers right, looked at, and ended by its id."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import typing as t
from pathlib import Path

from .wrk import Failed

ROOT = Path(__file__).parents[2]

#: Seconds a server may take until it answers, and until it ends.
PATIENCE = 30.0
_PAUSE = 0.02

#: Requests before the load.
WARMING = 200

#: What would change how a server, or what it serves, starts.
_PREFIXES = ("ERLEN_", "FLASK_", "QUART_", "GRANIAN_", "GUNICORN_", "UVICORN_", "BENCHMARK_")
_NAMES = {"WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS", "PYTHONDONTWRITEBYTECODE", "DJANGO_SETTINGS_MODULE"}


class Reply(t.NamedTuple):
    """One answer, read to its end."""

    status: int
    content_type: str
    body: bytes


def pinned(core: int) -> list[str]:
    """Return what in front of a command keeps it on a core; nothing where that cannot be."""
    if (os.cpu_count() or 1) < 2 or not shutil.which("taskset"):
        return []
    return ["taskset", "--cpu-list", str(core)]


def how_pinned() -> str:
    """Return a sentence about who runs where."""
    if pinned(0):
        return "The server has one core for itself (taskset), the load another."
    return "Server and load share all cores: taskset is not installed, or there is one core."


def environment(variables: t.Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a server: this one, without what sets servers or frameworks up.

    :param variables: what comes to it.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_PREFIXES) and name not in _NAMES
    }
    return {**kept, **variables}


def free_port() -> int:
    """Return a port nobody listens to."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextlib.contextmanager
def uninterrupted() -> t.Generator[None]:
    """Let Ctrl-C wait for the end of the block: in the middle of a start it would leave a process nobody knows of."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if heard:
        raise KeyboardInterrupt


class Process:
    """A server that runs for the time of the ``with`` block.

    :param command: makes the command line for a port.
    :param variables: of its environment.
    :param folder: where it runs.
    """

    def __init__(
        self,
        command: t.Callable[[int], list[str]],
        variables: t.Mapping[str, str],
        folder: Path = ROOT,
    ) -> None:
        self.port = free_port()
        self._command = command(self.port)
        self._variables = environment(variables)
        self._folder = folder

    def __enter__(self) -> t.Self:
        self._log = tempfile.TemporaryFile()
        try:
            with uninterrupted():
                # A session of its own: Ctrl-C is heard here alone, and what it starts ends with it.
                self._process = subprocess.Popen(
                    self._command,
                    cwd=self._folder,
                    env=self._variables,
                    stdin=subprocess.DEVNULL,
                    stdout=self._log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except KeyboardInterrupt:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        finally:
            self._log.close()

    @property
    def pid(self) -> int:
        """The process that was started; of most servers it is not the one that answers."""
        return self._process.pid

    def wait(self, path: str, headers: t.Iterable[tuple[str, str]] = ()) -> Reply:
        """Ask until there is an answer, and return it.

        :raises Failed: where the process ends, or takes too long.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.ask(path, headers)
            except (OSError, http.client.HTTPException):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"the server does not start:\n{self.log()}") from None
                time.sleep(_PAUSE)

    def ask(self, path: str, headers: t.Iterable[tuple[str, str]] = ()) -> Reply:
        """Send one request and read the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=dict(headers))
            answer = connection.getresponse()
            return Reply(answer.status, answer.getheader("content-type", "").lower(), answer.read())

    def warm(self, path: str, headers: t.Iterable[tuple[str, str]] = ()) -> None:
        """Send so many requests that everything has been used, and Python has specialised its code."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            for _ in range(WARMING):
                connection.request("GET", path, headers=dict(headers))
                connection.getresponse().read()

    def log(self) -> str:
        """Return the end of what the server has printed."""
        self._log.seek(0)
        return "\n".join(self._log.read().decode(errors="replace").splitlines()[-12:])

    def processes(self) -> list[int]:
        """Return the ids of all processes of this server; of the first alone where there is no ``/proc``."""
        found = [int(one.name) for one in Path("/proc").glob("[0-9]*") if _session(one) == self.pid]
        return sorted(found) or [self.pid]

    def processor_time(self) -> float | None:
        """Return the seconds that all its processes have spent on a core, ``None`` where that is not told."""
        spent = [_ticks(pid) for pid in self.processes()]
        known = [ticks for ticks in spent if ticks is not None]
        return sum(known) / os.sysconf("SC_CLK_TCK") if known else None


def _stat(place: Path) -> list[str] | None:
    # The name of the process is in brackets, and may have spaces in it.
    try:
        return (place / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _session(place: Path) -> int | None:
    fields = _stat(place)
    return int(fields[3]) if fields else None


def _ticks(pid: int) -> int | None:
    fields = _stat(Path("/proc", str(pid)))
    return int(fields[11]) + int(fields[12]) if fields else None
