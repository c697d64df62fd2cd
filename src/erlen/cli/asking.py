"""Whether an application has a command of its own, found out in a process that is gone afterwards."""

from __future__ import annotations

import os
import sys
import threading

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
    if not hasattr(os, "fork") or threading.active_count() > 1:
        return True
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _answer(ctx, name)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 1


def _answer(ctx: click.Context, name: str) -> None:
    """End this process, with 1 for a command that is there."""
    found = False
    try:
        found = ctx.ensure_object(ScriptInfo).load_app().cli.get_command(ctx, name) is not None
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # An exit as well; the command loads it again, and says it better.
        pass
    finally:
        os._exit(found)
