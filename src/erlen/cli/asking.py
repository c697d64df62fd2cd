"""Whether an application has a command of its own, found out in a process that is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import typing as t

import click

from .locate import ScriptInfo


def may_have_command(ctx: click.Context, name: str) -> bool:
    """Return whether the application of a context has a command; true as well where it cannot be asked from here.

    To be asked it has to be loaded, and what it starts then, a scheduler for example, is meant for the processes that
    serve it and not for the one that watches over them.

    :param ctx: Click's context, which names the application.
    :param name: the name of the command.
    """
    # A thread that holds a lock does not live in a copy of this process, and its lock is never released there.
    if not hasattr(os, "fork") or threading.enumerate() != [threading.main_thread()]:
        return True
    # What is left in them would be written by both.
    _flush()
    return _ask_apart(lambda: _has_command(ctx, name))


def _ask_apart(question: t.Callable[[], bool]) -> bool:
    """Return what a function returns in a copy of this process, which does not outlive it where a signal ends this one."""
    child = 0
    received: list[int] = []

    def end_both(number: int, frame: object) -> None:
        received.append(number)
        if child:
            _kill(child)

    handlers = {
        one: handler
        for one in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
        # 'nohup' ignores one, and a handler that is not Python's could not be put back.
        if (handler := signal.getsignal(one)) not in (signal.SIG_IGN, None)
    }
    for one in handlers:
        signal.signal(one, end_both)
    child = os.fork()
    if child == 0:
        answer = False
        try:
            _restore(handlers)
            answer = question()
            _flush()
        finally:
            # Without a word, whatever was raised: the command loads the application again, and says it better.
            os._exit(answer)
    if received:
        # It came before the copy was known.
        _kill(child)
    _, status = os.waitpid(child, 0)
    _restore(handlers)
    if received:
        signal.raise_signal(received[0])
    return os.waitstatus_to_exitcode(status) == 1


def _restore(handlers: dict[signal.Signals, t.Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _kill(child: int) -> None:
    # By a signal that nothing in an application answers otherwise: nobody waits for it any more.
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


def _has_command(ctx: click.Context, name: str) -> bool:
    # What comes in is for the command.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        return ctx.ensure_object(ScriptInfo).load_app().cli.get_command(ctx, name) is not None
    except EOFError:
        # It reads at its import, and can where the command runs.
        return True


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # They are None where the process was started without: erlen new >&-
        if stream is not None:
            stream.flush()
