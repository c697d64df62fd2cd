"""Where a worker process begins.

It is a process of its own from its first instruction on, and not a copy of one, so it has no code of the application that is
older than itself. It imports little before it knows whether ``import flask`` is to be Erlen.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
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
