"""Code run in a frame, as at Python's own prompt."""

from __future__ import annotations

import ast
import builtins
import codeop
import contextlib
import sys
import threading
import traceback
import types
import typing as t
from contextvars import ContextVar

from ..ctx import AppContext, context_var

#: The most characters of output that one piece of code may have.
LONGEST = 100_000

_NAME = "<console>"


class _Output:
    """Collects what one piece of code writes."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, console: Console) -> None:
        self.console = console
        self._pieces: list[str] = []
        self._length = 0

    def write(self, text: t.Any) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        room = LONGEST - self._length
        if room > 0:
            self._pieces.append(text[:room])
        self._length += len(text)
        return len(text)

    def flush(self) -> None:
        """Do nothing, as what is written is there already."""

    def isatty(self) -> bool:
        return False

    def text(self) -> str:
        more = self._length - LONGEST
        return "".join(self._pieces) + (f"\n... {more} more characters\n" if more > 0 else "")


#: The output of the code that runs here. Threads that it starts have none, and write where the process writes.
_output: ContextVar[_Output | None] = ContextVar("erlen.debugger.output", default=None)


class _Stream:
    """Stands in for a stream of ``sys`` while code runs: that code writes into its output, all others where they did."""

    def __init__(self, stream: t.Any) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> t.Any:
        return getattr(_output.get() or self.stream, name)


class _Redirection:
    """Puts the streams in place while at least one piece of code runs."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._running = 0
        self._streams: dict[str, t.Any] = {}

    @contextlib.contextmanager
    def to(self, output: _Output) -> t.Generator[None, None, None]:
        with self._changing:
            self._running += 1
            if self._running == 1:
                self._streams = {
                    "stdout": _Stream(sys.stdout),
                    "stderr": _Stream(sys.stderr),
                    "displayhook": _displayhook(sys.displayhook),
                }
                self._originals = {name: getattr(sys, name) for name in self._streams}
                for name, stream in self._streams.items():
                    setattr(sys, name, stream)
        token = _output.set(output)
        try:
            yield
        finally:
            _output.reset(token)
            with self._changing:
                self._running -= 1
                if not self._running:
                    for name, stream in self._streams.items():
                        # Somebody may have put another one there meanwhile.
                        if getattr(sys, name) is stream:
                            setattr(sys, name, self._originals[name])


def _displayhook(original: t.Callable[[object], object]) -> t.Callable[[object], None]:
    def display(value: object) -> None:
        output = _output.get()
        if output is None:
            original(value)
        elif value is not None:
            # Not into builtins, where others find their gettext under this name.
            output.console.names["_"] = value
            output.write(f"{value!r}\n")

    return display


_redirection = _Redirection()


class _Names(dict[str, t.Any]):
    """The local variables of a frame, and behind them the globals as they are now.

    One mapping for both, so that functions and comprehensions typed at the prompt see the frame's variables.
    """

    def __init__(self, frame: types.FrameType) -> None:
        super().__init__(frame.f_locals)
        self._globals = frame.f_globals
        self["__builtins__"] = frame.f_globals.get("__builtins__", builtins)

    def __missing__(self, name: str) -> t.Any:
        return self._globals[name]


class Result(t.NamedTuple):
    """What came of a piece of code.

    :param output: what it has written.
    :param is_incomplete: whether it was not run, as more lines belong to it.
    """

    output: str
    is_incomplete: bool


class Console:
    """A prompt in a frame.

    :param frame: the frame.
    :param context: the context of the request, which is active while code runs; ``None`` for none.
    """

    def __init__(self, frame: types.FrameType, context: AppContext | None) -> None:
        self._globals = frame.f_globals
        is_module = frame.f_code.co_name == "<module>" or frame.f_locals is frame.f_globals
        #: What the code sees, and what it assigns to.
        self.names: dict[str, t.Any] = frame.f_globals if is_module else _Names(frame)
        self._context = context
        # Remembers what it has imported from __future__.
        self._compile = codeop.CommandCompiler()
        self._running = threading.Lock()

    def run(self, source: str) -> Result:
        """Run code.

        :param source: one statement of any number of lines, or several that are complete.
        """
        output = _Output(self)
        try:
            code = self._codes(source)
        except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
            return Result("".join(traceback.format_exception_only(error)), is_incomplete=False)
        if code is None:
            return Result("", is_incomplete=True)
        with self._running, _redirection.to(output), self._active_context():
            for one in code:
                if not self._exec(one, output):
                    break
            self._write_globals(source)
        return Result(output.text(), is_incomplete=False)

    def _codes(self, source: str) -> list[types.CodeType] | None:
        """Compile code, one part for each statement; ``None`` for code that is incomplete."""
        try:
            code = self._compile(source, _NAME, "single")
        except SyntaxError:
            statements = ast.parse(source, _NAME).body
            if len(statements) < 2:
                raise
            # Several that were pasted at once; the prompt of Python takes one.
            flags = self._compile.compiler.flags
            return [compile(ast.Interactive([one]), _NAME, "single", flags) for one in statements]
        return None if code is None else [code]

    def _exec(self, code: types.CodeType, output: _Output) -> bool:
        try:
            exec(code, self.names)  # noqa: S102 (what a console is for)
        except BaseException as error:  # Whatever it is, sys.exit() included, it must not reach the server.
            trace = error.__traceback__
            # The first frame is this one.
            shown = None if trace is None else trace.tb_next
            try:
                lines = traceback.format_exception(type(error), error, shown)
            except Exception as failure:
                lines = [
                    f"{type(error).__name__}, whose traceback could not be printed: {type(failure).__name__}\n"
                ]
            output.write("".join(lines))
            return False
        return True

    def _write_globals(self, source: str) -> None:
        """Bring what the code has declared as ``global`` into the module."""
        if self.names is self._globals:
            return
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Global):
                for name in node.names:
                    if name in self.names:
                        self._globals[name] = self.names.pop(name)

    @contextlib.contextmanager
    def _active_context(self) -> t.Generator[None, None, None]:
        if self._context is None:
            yield
            return
        # Not pushed: it has been torn down, and a pop would do so again.
        token = context_var.set(self._context)
        try:
            yield
        finally:
            context_var.reset(token)
