"""bpython as the shell."""

from __future__ import annotations

import asyncio
import sys
import typing as t
from contextvars import Context, copy_context
from types import CodeType

from bpython import args as arguments
from bpython import translations
from bpython.curtsies import FullCurtsiesRepl
from bpython.curtsiesfrontend.coderunner import SystemExitFromCodeRunner
from bpython.curtsiesfrontend.interpreter import Interp

from .running import COMPILER_FLAGS, run_code


class Loop:
    """The loop for what is awaited. It runs in the thread of the prompt, and only meanwhile.

    bpython shows what is printed by switching greenlets, which no other thread can do: so none may run the loop while
    the prompt waits.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()

    def run(self, coroutine: t.Coroutine[t.Any, t.Any, t.Any]) -> t.Any:
        """Run a coroutine to its end; Ctrl-C cancels it."""
        task = self._loop.create_task(coroutine)
        try:
            return self._loop.run_until_complete(task)
        except BaseException:
            if not task.done():
                task.cancel()
                self._loop.run_until_complete(asyncio.wait({task}))
            raise

    def close(self) -> None:
        """Cancel what is left on the loop, and close it."""
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


class Interpreter(Interp):  # type: ignore[misc]
    """The part of bpython that runs code.

    :param locals: the names.
    :param context: the context variables to run it in: bpython runs it in a greenlet, which begins without any.
    :param loop: the loop for what it awaits.
    """

    def __init__(
        self,
        locals: dict[str, t.Any] | None = None,
        context: Context | None = None,
        loop: Loop | None = None,
    ) -> None:
        super().__init__(locals)
        self.compile.compiler.flags |= COMPILER_FLAGS
        self._context = context or copy_context()
        self._loop = loop or Loop()

    def runcode(self, code: CodeType) -> None:
        """Run what was entered, and show what it raises."""
        try:
            self._context.run(run_code, code, self.locals, self._loop.run)
        except SystemExit:
            raise
        except BaseException as error:  # The shell goes on, after Ctrl-C as well.
            trace = error.__traceback__
            # bpython leaves out the first frame of what it shows: here that before the user's code.
            while trace is not None and trace.tb_next is not None and not _is_entered(trace.tb_next):
                trace = trace.tb_next
            error.__traceback__ = trace
            self.showtraceback()


def _is_entered(trace: t.Any) -> bool:
    return bool(trace.tb_frame.f_code.co_filename.startswith("<bpython-input-"))


def start_bpython(namespace: dict[str, t.Any], banner: str, loop: Loop) -> None:
    """Start bpython with the user's own configuration, and return at its end.

    :param namespace: the names.
    :param banner: printed before the first prompt.
    :param loop: the loop for what is awaited.
    """
    namespace.setdefault("__name__", "__console__")
    translations.init()
    config, _, _ = arguments.parse([])
    sys.stdout.write(f"{banner}\n")
    interpreter = Interpreter(namespace, copy_context(), loop)
    repl = FullCurtsiesRepl(config, namespace, None, interpreter)
    t.cast(t.Any, interpreter).write = repl.send_to_stdouterr
    try:
        with repl.input_generator, repl.window as window, repl:
            repl.height, repl.width = window.t.height, window.t.width
            repl.mainloop(True)
    except SystemExitFromCodeRunner as error:
        # What the code gave to exit() stands in there as one tuple.
        (given,) = error.args
        raise SystemExit(*given) from None
