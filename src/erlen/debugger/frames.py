"""The frames of a traceback as data: where each stands, its source, its local variables."""

from __future__ import annotations

import dataclasses
import itertools
import types
import typing as t

from .source import Line, Range, Sources, is_library, short_path
from .values import Job
from .viewed import View, last_line_of

#: Frames of one traceback that are shown, the first and the last ones; and how many variables of one.
FIRST, LAST = 30, 50
VARIABLES = 80

# How many frames of a recursion may come again and again, and how often they are shown as they are.
_PERIOD = 6
_TIMES = 3

# No source that is in no file has more lines.
_LAST_LINE = 100_000


@dataclasses.dataclass
class Frame:
    """One frame of a traceback, or the place of a mistake in source that is no Python.

    :param filename: as Python has it.
    :param line: the number of the line.
    :param function: the function's qualified name.
    :param module: the name of its module.
    :param is_library: whether this is no code of the user's own.
    """

    filename: str
    line: int
    function: str
    module: str
    is_library: bool
    lines: list[Line]
    variables: list[Job]
    #: In which code is run; ``None`` where there is none.
    frame: types.FrameType | None = None
    #: Its number on the page.
    number: int = 0
    is_open: bool = False
    marked: Range | None = None

    @property
    def path(self) -> str:
        """The path of the file, shortened for reading."""
        return short_path(self.filename)

    @property
    def package(self) -> str:
        """The first part of the module's name."""
        return self.module.partition(".")[0]

    @property
    def current_line(self) -> str:
        """The line that failed, empty where there is no source."""
        return next((line.text.strip() for line in self.lines if line.is_current), "")


@dataclasses.dataclass
class Gap:
    """Frames that are not shown.

    :param text: which, and how many.
    """

    text: str


# What a module or every template defines, and nobody looks for.
_DEFINED = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, type)

Entry: t.TypeAlias = Frame | Gap
Step: t.TypeAlias = tuple[types.FrameType, int, int]


def frames_of(trace: types.TracebackType | None, sources: Sources) -> list[Entry]:
    """Return the frames of a traceback, in the order of their calls, without the debugger's own.

    :param trace: the traceback.
    :param sources: what reads the source.
    """
    steps: list[Step] = []
    while trace is not None:
        steps.append((trace.tb_frame, trace.tb_lineno, trace.tb_lasti))
        trace = trace.tb_next
    while steps and str(steps[0][0].f_globals.get("__name__")).startswith("erlen.debugger."):
        del steps[0]
    entries: list[Entry] = []
    for step in _shortened(steps):
        if isinstance(step, str):
            entries.append(Gap(step))
            continue
        _find_template_source(step[0], sources)
        entries.append(_frame_of(*step, sources))
    return entries


def syntax_error_frame(error: SyntaxError, sources: Sources) -> Frame | None:
    """Return the place that a syntax error names, ``None`` where it names none.

    :param error: the exception.
    :param sources: what reads the source.
    """
    if not isinstance(error.filename, str) or not isinstance(error.lineno, int):
        return None
    filename, number = error.filename, error.lineno
    # They are what the parser found, or what somebody has made up.
    offset, last, end = (
        value if isinstance(value, int) else None
        for value in (error.offset, error.end_lineno, error.end_offset)
    )
    if not sources.lines_of(filename) and isinstance(error.text, str) and number < _LAST_LINE:
        sources.add(filename, "\n" * (number - 1) + error.text)
    begin = max((offset or 1) - 1, 0)
    end = end - 1 if end and end > 0 else begin + 1
    last = last or number
    marked = (number, begin, last, end if last > number else max(end, begin + 1))
    lines = sources.around(filename, number, marked, None, has_colours=True)
    return Frame(
        filename,
        number,
        "the source itself",
        "",
        is_library(filename),
        lines,
        [],
        marked=marked,
        is_open=True,
    )


def view_frame(view: View, sources: Sources) -> Frame | None:
    """Return the place of a view, ``None`` where it is no code of the user's own, or has no source.

    It has no variables and no console: nothing of it runs any more.

    :param view: the view.
    :param sources: what reads the source.
    """
    code = view.code
    if code is None or not view.is_own:
        return None
    lines = sources.around(
        code.co_filename, view.line, None, view.names, has_colours=True, until=last_line_of(code)
    )
    if not lines:
        return None
    module = str(view.names.get("__name__", ""))
    return Frame(code.co_filename, view.line, code.co_qualname, module, False, lines, [], is_open=True)


def _shortened(steps: list[Step]) -> t.Iterator[Step | str]:
    """Leave out what comes again and again, and what is too many all the same."""
    shown: list[Step | str] = []
    at = 0
    while at < len(steps):
        period, times = _repeated(steps, at)
        if times > _TIMES:
            what = "The call above is" if period == 1 else f"The {period} calls above are"
            shown.append(f"{what} the last of {times} in a row")
            at += period * times
            shown += steps[at - period : at]
        else:
            shown.append(steps[at])
            at += 1
    if len(shown) > FIRST + LAST:
        count = len(shown) - FIRST - LAST
        shown[FIRST:-LAST] = [f"{count} frames between are not shown"]
    yield from shown


def _repeated(steps: list[Step], at: int) -> tuple[int, int]:
    """Return how many frames come again from here on, and how often."""

    def key(index: int) -> tuple[t.Any, int]:
        return steps[index][0].f_code, steps[index][1]

    for period in range(1, _PERIOD + 1):
        end = at + period
        while end < len(steps) and key(end) == key(end - period):
            end += 1
        if (times := (end - at) // period) > _TIMES:
            return period, times
    return 1, 1


def _find_template_source(frame: types.FrameType, sources: Sources) -> None:
    # A template that was made of a string stands in no file. Jinja puts a frame with its line behind this one.
    if frame.f_code.co_name.endswith("_template_string"):
        source = frame.f_locals.get("source")
        if isinstance(source, str):
            sources.add("<template>", source)


def _frame_of(frame: types.FrameType, line: int, instruction: int, sources: Sources) -> Frame:
    code, names = frame.f_code, frame.f_globals
    # Jinja's frames stand for lines of a template, and their columns for nothing.
    is_template = "__jinja_exception__" in names
    marked = None if is_template else _position(code, instruction, line, sources, names)
    module = names.get("__name__", "")
    # Colours cost a walk through the whole file.
    library = is_library(code.co_filename)
    return Frame(
        code.co_filename,
        line,
        code.co_name if is_template else code.co_qualname,
        module if isinstance(module, str) and not is_template else "",
        library,
        sources.around(code.co_filename, line, marked, names, has_colours=not is_template and not library),
        _variables_of(frame),
        frame,
        marked=marked,
    )


def _position(
    code: types.CodeType, instruction: int, line: int, sources: Sources, names: dict[str, t.Any]
) -> Range | None:
    """Return what of the source an instruction belongs to (PEP 657), in characters."""
    if instruction < 0:
        return None
    first, last, begin, end = next(
        itertools.islice(code.co_positions(), instruction // 2, None), (None, None, None, None)
    )
    if first is None or last is None or begin is None or end is None or first > line or last < line:
        return None
    lines = sources.lines_of(code.co_filename, names)
    if last > len(lines):
        return None

    def characters(number: int, column: int) -> int:
        return len(lines[number - 1].encode("utf-8", "surrogateescape")[:column].decode("utf-8", "replace"))

    return first, characters(first, begin), last, characters(last, end)


def _variables_of(frame: types.FrameType) -> list[Job]:
    try:
        names: dict[t.Any, t.Any] = dict(frame.f_locals)
    except Exception:  # The body of a class may have a mapping of its metaclass's.
        return []
    is_template = "__jinja_exception__" in frame.f_globals
    if is_template:
        # What was passed to the template stands behind what every template has.
        names = dict(reversed(names.items()))
    is_module = frame.f_locals is frame.f_globals or frame.f_code.co_name == "<module>"
    jobs: list[Job] = []
    for name, value in names.items():
        # Those with a dot are the interpreter's. Of a module most names are what it imports and defines. In the dict that
        # exec() was given a key may be anything.
        if not isinstance(name, str) or name.startswith("."):
            continue
        if (is_module or is_template) and (name.startswith("__") or type(value) in _DEFINED):
            continue
        jobs.append(Job(name, value))
    return jobs[:VARIABLES]
