"""IPython as the shell."""

from __future__ import annotations

import typing as t

import IPython
from traitlets.config import Config

from ...pipeline.bridge import run_coroutine


def start_ipython(namespace: dict[str, t.Any], banner: str) -> None:
    """Start IPython with the user's own profile, and return at its end.

    :param namespace: the names.
    :param banner: printed behind that of IPython, which names the version of Python.
    """
    config = Config()
    config.TerminalInteractiveShell.banner2 = banner
    # A view over WSGI runs on the same loop, and tasks on it go on while the prompt waits.
    config.InteractiveShell.loop_runner = _run
    IPython.start_ipython(argv=[], user_ns=namespace, config=config)


def _run(coroutine: t.Coroutine[t.Any, t.Any, t.Any]) -> t.Any:
    try:
        return run_coroutine(coroutine)
    except KeyboardInterrupt:
        # One that begins here: IPython shows all frames, and those of the loop say nothing.
        raise KeyboardInterrupt from None
