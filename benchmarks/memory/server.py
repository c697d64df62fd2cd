"""One server process, and the memory of the process in it that answers."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from .client import Client, Failed

#: The arguments of ``python -m`` for each server: one worker, and no line a request.
SERVERS: dict[str, t.Callable[[str, int], list[str]]] = {
    "uvicorn": lambda app, port: (
        ["uvicorn", app, "--host=127.0.0.1", f"--port={port}", "--workers=1", "--log-level=warning"]
    ),
    "granian": lambda app, port: (
        ["granian", app, "--interface=asgi", "--host=127.0.0.1", f"--port={port}", "--workers=1"]
    ),
    "hypercorn": lambda app, port: ["hypercorn", app, f"--bind=127.0.0.1:{port}", "--workers=1"],
}

#: Seconds a server may take until it answers, and until it ends.
PATIENCE = 20.0

ROOT = Path(__file__).parents[2]


class Server:
    """A server that runs for the time of the ``with`` block.

    :param name: which of :data:`SERVERS`.
    :param app: the application as ``module:name``.
    """

    def __init__(self, name: str, app: str) -> None:
        self.port = _free_port()
        self.pid = 0
        self._command = [sys.executable, "-m", *SERVERS[name](app, self.port)]

    def __enter__(self) -> t.Self:
        self._log = tempfile.TemporaryFile()
        # A group of its own: what it starts ends with it, and nothing else does.
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._log.close()

    def reset_peak(self) -> None:
        """Have the peak begin anew at what is in use now, where the system can do that."""
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")

    def peak(self) -> float:
        """Return the most memory that was resident, in MiB."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        except OSError:
            return self._ask_process()["peak"] / 1024**2
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024

    def log(self) -> str:
        """Return the end of what the server has printed."""
        self._log.seek(0)
        return "\n".join(self._log.read().decode(errors="replace").splitlines()[-4:])

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.pid = self._ask_process()["pid"]
                return
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise Failed(f"the server does not start:\n{self.log()}")
                time.sleep(0.05)

    def _ask_process(self) -> dict[str, int]:
        with contextlib.closing(Client(self.port, PATIENCE)) as client:
            return client.process()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
