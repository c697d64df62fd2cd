"""A worker process as the main process sees it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from .channel import Channel
from .task import Task


class Worker:
    """A worker process.

    :param task: what it is to do.
    :param generation: which start or reload it belongs to.
    """

    def __init__(self, task: Task, generation: int) -> None:
        self.number = task.number
        self.generation = generation
        self.began = time.monotonic()
        #: Whether it has loaded the application, and whether it answers requests.
        self.has_loaded = False
        self.is_ready = False
        #: When it is killed if it has not ended.
        self.deadline: float | None = None
        #: What it has said of the application, and of why it could not start.
        self.said: dict[str, t.Any] = {}
        self.failure: dict[str, t.Any] | None = None
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603 (Python, and code of this package)
                _command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno(), task.listener],
                # Ctrl-C on a terminal is for the main process, which tells the workers.
                process_group=0,
            )
        self.channel = Channel(ours)
        # Small enough for the buffer of the socket, so nobody has to wait.
        self.channel.send(**dataclasses.asdict(task))
        ours.setblocking(False)

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self.process.pid

    def go(self) -> None:
        """Let it answer requests."""
        self.channel.send(event="go")

    def leave(self, seconds: float) -> None:
        """Let it go when its clients have gone; others have taken its place.

        :param seconds: after which it is killed.
        """
        self.channel.send(event="leave")
        self._ends_within(seconds)

    def stop(self, seconds: float) -> None:
        """Let it go when it has answered what it was asked.

        :param seconds: after which it is killed.
        """
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        self._ends_within(seconds)

    def _ends_within(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        self.deadline = deadline if self.deadline is None else min(self.deadline, deadline)

    def kill(self) -> None:
        """End it at once."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def ended(self) -> str | None:
        """Return how it has ended, ``None`` while it has not."""
        code = self.process.poll()
        if code is None:
            return None
        if code >= 0:
            return f"exit code {code}"
        try:
            return f"signal {-code} ({signal.Signals(-code).name})"
        except ValueError:
            return f"signal {-code}"


def _command(descriptor: int) -> list[str]:
    # With the options that the main process was started with, such as '-X dev' and '-W error'. Without the folder in which it
    # was started on the path, where a file may have the name of one of Python's modules: the worker is told the whole path.
    options = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    safe = [] if "-P" in options or "-I" in options else ["-P"]
    folder = str(Path(__file__).parents[3])
    code = f"import sys; sys.path.append({folder!r}); from erlen.commands.serve.entry import end, main; end(main({descriptor}))"
    return [sys.executable, *options, *safe, "-c", code]


def environment_of_workers() -> None:
    """Take out of the environment what workers need not have."""
    # An application, and a page that shows its environment, need not know the password.
    for name in [name for name in os.environ if name.endswith("_SERVE_KEY_PASSWORD")]:
        del os.environ[name]
