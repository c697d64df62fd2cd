"""Where a worker process begins.

It is a process of its own from its first instruction on, and not a copy of one, so it has no code of the application that is
older than itself. It imports little before it knows whether ``import flask`` is to be Erlen.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import socket
import sys
import threading
import typing as t

from .channel import Channel
from .task import Task


def main(descriptor: int) -> int:
    """Serve as the main process says, and return the exit code.

    :param descriptor: the number of the socket to the main process.
    """
    os.set_inheritable(descriptor, False)
    channel = Channel(socket.socket(fileno=descriptor))
    messages: list[dict[str, t.Any]] | None = []
    while messages == []:
        messages = channel.receive()
    if messages is None:
        return 1
    task = Task.read(messages[0])
    os.set_inheritable(task.listener, False)
    sys.path[:] = task.path
    sys.argv[:] = task.arguments
    if task.as_flask:
        # It acts on the process, and only this one is asked to.
        importlib.import_module("erlen.as_flask")
    # After the line above, which has to come before everything that it acts on.
    from .worker import serve

    return serve(task, channel)


def end(code: int) -> t.NoReturn:
    """End the process as Python does, up to where the interpreter takes itself apart.

    A thread of Granian's may want the interpreter for a moment longer. Until 3.13 Python ends such a thread by force, which
    Rust takes for an error of its own: the process aborts, and prints a traceback that nobody can do anything about.

    :param code: the exit code.
    """
    # These two have no public names. Threads of the application are waited for, and what it has registered is called.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        # One that is closed, or was never there, has nothing to write.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(code)
