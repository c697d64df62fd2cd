"""The process that starts the serving one, and starts it again when files have changed.

It holds the socket meanwhile, so that connections wait instead of being refused, and does not load the application.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import typing as t
from dataclasses import dataclass

from .ending import signals_of_end
from .settings import Certificate
from .terminal import say

if t.TYPE_CHECKING:
    import subprocess

#: With this exit code the serving process asks to be started again; it is Werkzeug's.
AGAIN = 3

#: The same, before it has said under which address it serves.
AGAIN_UNSAID = 4

# What the serving process is told. Not ``ERLEN_...``, which applications read into their configuration.
_VARIABLE = "_ERLEN_RELOADER"


@dataclass
class Handed:
    """What the serving process gets from the one that has started it.

    :param listener: the socket.
    :param secret: that of the debugger, so that a browser stays unlocked over reloads.
    :param certificate: the pair of files that was made, if one was.
    :param first: whether nothing has been said yet.
    :param parent: the number of that process.
    """

    listener: socket.socket
    secret: str
    certificate: Certificate
    first: bool
    parent: int


def take_over() -> Handed | None:
    """Return what was handed over, in a serving process that the reloader has started; ``None`` in any other."""
    text = os.environ.pop(_VARIABLE, None)
    if text is None:
        return None
    told = json.loads(text)
    listener = socket.socket(fileno=told["listener"])
    # Processes that the application starts must not keep it.
    listener.set_inheritable(False)
    certificate = told["certificate"]
    return Handed(
        listener,
        told["secret"],
        None if certificate is None else tuple(certificate),
        told["first"],
        told["parent"],
    )


def hear_interrupts() -> None:
    """Let Ctrl-C through, which the reloader has held back until somebody here handles it."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def supervise(listener: socket.socket, secret: str, certificate: Certificate, holds_interrupts: bool) -> int:
    """Start serving processes one after the other, and return the exit code of the last one.

    :param listener: the socket.
    :param secret: for the debugger.
    :param certificate: what was named, made into files where it was ``"adhoc"``.
    :param holds_interrupts: the serving process calls :func:`hear_interrupts`.
    """
    supervisor = Supervisor(listener, secret, certificate, holds_interrupts)
    handlers = {number: signal.signal(number, supervisor.hear) for number in signals_of_end()}
    terminal = Terminal()
    try:
        while True:
            code = supervisor.run_once()
            # Who was at a prompt of the debugger may have left the terminal without echo.
            terminal.restore()
            if code not in {AGAIN, AGAIN_UNSAID} or supervisor.heard:
                return supervisor.exit_code(code)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


class Supervisor:
    """The serving process of the moment, and what was heard of an end."""

    def __init__(
        self, listener: socket.socket, secret: str, certificate: Certificate, holds_interrupts: bool
    ) -> None:
        self._listener = listener
        self._holds_interrupts = holds_interrupts and hasattr(signal, "pthread_sigmask")
        self._told: dict[str, t.Any] = {
            "listener": listener.fileno(),
            "secret": secret,
            "certificate": certificate if isinstance(certificate, tuple | list) else None,
            "first": True,
            "parent": os.getpid(),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.heard: list[int] = []

    def run_once(self) -> int:
        """Start one process, and wait for its end."""
        # Not for the process that serves.
        import subprocess

        # By these two, Werkzeug and extensions know that they are in a process of a reloader.
        variables = {"WERKZEUG_RUN_MAIN": "true", "WERKZEUG_SERVER_FD": str(self._listener.fileno())}
        environ = {**os.environ, **variables, _VARIABLE: json.dumps(self._told)}
        self._listener.set_inheritable(True)
        if self._holds_interrupts:
            # The new process inherits it: Ctrl-C before it can handle that shows no traceback of an import.
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what this process was started with
                [sys.executable, *sys.orig_argv[1:]], env=environ, close_fds=False
            )
        finally:
            if self._holds_interrupts:
                hear_interrupts()
        if self.heard:
            # It came while there was no process to tell.
            self._process.terminate()
        code = self._process.wait()
        if code != AGAIN_UNSAID:
            self._told["first"] = False
        return code

    def hear(self, number: int, frame: object) -> None:
        """End the serving process when this one is told to end; the second time at once."""
        self.heard.append(number)
        process = self._process
        if process is None or process.returncode is not None:
            return
        if self.heard.count(signal.SIGINT) > 1:
            process.kill()
        elif os.name == "posix":
            # On a terminal it has heard of Ctrl-C by itself; who sends a signal to this process alone means both.
            process.terminate()

    def exit_code(self, code: int) -> int:
        """Return the code to end with."""
        if self.heard:
            return 0 if code in {0, AGAIN, AGAIN_UNSAID} else 128 + self.heard[0]
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
            say(f"The process that serves the application was ended by the signal {name}.")
            return 128 - code
        return code


class Terminal:
    """The modes of the terminal, to be set again."""

    def __init__(self) -> None:
        self._modes: t.Any = None
        try:
            # Not on every platform.
            import termios
        except ImportError:
            return
        self._termios = termios
        try:
            self._modes = termios.tcgetattr(sys.stdin)
        except (termios.error, OSError, ValueError, AttributeError):
            # It is a file, or closed.
            return

    def restore(self) -> None:
        """Set the modes that the terminal had."""
        if self._modes is None:
            return
        try:
            if self._termios.tcgetattr(sys.stdin) != self._modes:
                self._termios.tcsetattr(sys.stdin, self._termios.TCSADRAIN, self._modes)
        except (self._termios.error, OSError, ValueError):
            return
