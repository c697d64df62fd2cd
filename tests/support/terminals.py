"""Programs on a terminal: what a person types, sees and interrupts."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

# The program gets a controlling terminal, so that Ctrl-C is a signal. A function to be called after the fork would do the
# same, and Python warns of those where there are threads.
_LAUNCH = """\
import fcntl, os, struct, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(sys.argv[1]), 0, 0))
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""

# Sequences of ECMA-48, the only ones that the shells send.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\].*?(?:\x07|\x1b\\)|P.*?\x1b\\|[ -/]+[0-~]|[0-OQ-Z\\^-~])", re.DOTALL
)

CTRL_D = "\x04"


class Terminal:
    """A Python program on a terminal of its own.

    :param arguments: those of Python.
    :param environment: the variables it sees.
    :param columns: the width of the terminal.
    """

    def __init__(self, *arguments: str, environment: t.Mapping[str, str], columns: int = 100) -> None:
        # Not on every system, and only here.
        import pty

        self._end, end = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LAUNCH, str(columns), *arguments],
            stdin=end, stdout=end, stderr=end, start_new_session=True, cwd=Path.cwd(),
            env={**environment, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
        )  # fmt: skip
        os.close(end)
        self._raw = b""
        self._answered = self._seen = 0

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *details: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._end)

    @property
    def raw(self) -> str:
        """Everything that was shown, with its sequences."""
        return self._raw.decode(errors="replace")

    @property
    def text(self) -> str:
        """Everything that was shown, in the order in which it was, lines that were shown anew included."""
        return _ESCAPES.sub("", self.raw).replace("\r\n", "\n")

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._end, text.encode())

    def interrupt(self, pattern: str, attempts: int = 15) -> None:
        """Send the signal of Ctrl-C, again if need be, until something is shown.

        The key as such would make the terminal discard what is on its way at that moment, what the program shows included.
        A signal that comes just before readline begins to wait is not noticed before the next one: so is Python.

        :param pattern: an expression for what is shown.
        """
        for _ in range(attempts):
            os.kill(self._process.pid, signal.SIGINT)
            try:
                self.until(pattern, 2)
            except AssertionError:
                continue
            return
        raise AssertionError(f"{pattern!r} was not shown. Shown was:\n{self.text}")

    def enter(self, line: str) -> None:
        """Type a line."""
        self.type(f"{line}\r")

    def until(self, pattern: str, limit: float = 30) -> str:
        """Wait until something is shown behind what was waited for before, and return what comes up to it.

        :param pattern: an expression.
        :param limit: seconds after which this fails.
        """
        expression = re.compile(pattern)
        while True:
            text = self.text
            found = expression.search(text, self._seen)
            if found is not None:
                before, self._seen = text[self._seen : found.end()], found.end()
                return before
            if not self._read(limit):
                raise AssertionError(f"{pattern!r} was not shown. Shown was:\n{text}")

    def ends(self, limit: float = 30) -> int:
        """Wait for the end of the program, and return its exit code."""
        while self._read(limit):
            pass
        return self._process.wait(limit)

    def _read(self, limit: float) -> bool:
        if not select.select([self._end], [], [], limit)[0]:
            return False
        try:
            piece = os.read(self._end, 65536)
        except OSError:
            # Linux, where nobody has the other end open any more.
            return False
        self._raw += piece
        # A program that asks where the cursor is waits for the answer.
        while (asked := self._raw.find(b"\x1b[6n", self._answered)) != -1:
            self._answered = asked + 1
            self.type("\x1b[10;1R")
        return bool(piece)
