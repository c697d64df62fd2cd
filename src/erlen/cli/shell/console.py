"""The shell of Python's own, with ``await``, completion and history."""

from __future__ import annotations

import code
import contextlib
import os
import sys
import typing as t
from pathlib import Path
from types import CodeType

from .running import COMPILER_FLAGS, run_code, show_error

_FILENAME = "<console>"


class Console(code.InteractiveConsole):
    """A prompt at which ``await`` works.

    What was awaited runs on the loop that a view would run on over WSGI. Tasks that it leaves there go on while the
    prompt waits.

    :param namespace: the names.
    """

    def __init__(self, namespace: dict[str, t.Any]) -> None:
        super().__init__(namespace, _FILENAME)
        self.compile.compiler.flags |= COMPILER_FLAGS
        self._namespace = namespace

    def runcode(self, code: CodeType) -> None:
        """Run what was entered, and show what it raises."""
        try:
            run_code(code, self._namespace)
        except SystemExit:
            raise
        except BaseException as error:  # The shell goes on, after Ctrl-C as well.
            if isinstance(error, KeyboardInterrupt):
                # Behind what the terminal shows of the keys.
                self.write("\n")
            show_error(error, _FILENAME)


def start_console(namespace: dict[str, t.Any], banner: str) -> None:
    """Start the shell, and return at its end.

    :param namespace: the names.
    :param banner: printed before the first prompt.
    """
    namespace.setdefault("__name__", "__console__")
    own_names = dict(namespace)
    _run_startup(namespace)
    # Those of the application count.
    namespace.update(own_names)
    _complete_names_of(namespace)
    Console(namespace).interact(banner=banner, exitmsg="")


def _run_startup(namespace: dict[str, t.Any]) -> None:
    """Execute the file named by PYTHONSTARTUP as plain 'python' does: an error in it is shown, and that is all."""
    name = os.environ.get("PYTHONSTARTUP", "")
    startup = Path(name)
    if not startup.is_file():
        if name:
            sys.stderr.write(f"PYTHONSTARTUP names {name!r}, which is no file.\n")
        return
    try:
        run_code(compile(startup.read_bytes(), name, "exec"), namespace)
    except Exception as error:
        show_error(error, name)


def _complete_names_of(namespace: dict[str, t.Any]) -> None:
    """Let the tab key complete the names of the shell, where Python has readline."""
    try:
        # Not every platform has them, and only the shell needs them.
        import readline
        from rlcompleter import Completer
    except ImportError:
        return
    # The hook sets up history and keys, and a completer for another namespace: it comes first.
    hook = getattr(sys, "__interactivehook__", None)
    if hook is not None:
        with _plain_prompt():
            hook()
    readline.set_completer(Completer(namespace).complete)


@contextlib.contextmanager
def _plain_prompt() -> t.Generator[None]:
    """Let the hook set up readline: from Python 3.13 on it sets up another prompt, which only plain 'python' has."""
    name = "PYTHON_BASIC_REPL"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
