"""An exception as data: its text, its notes, its frames, what it came of, and what is in it."""

from __future__ import annotations

import dataclasses
import itertools
import traceback
import types
import typing as t

from jinja2 import TemplateSyntaxError

from .frames import FIRST, LAST, Entry, Frame, frames_of, syntax_error_frame, view_frame
from .masking import Mask
from .source import Sources, is_library
from .values import LONGEST_TEXT, Printer, print_all, safe_text, type_name
from .viewed import View

#: Exceptions of one page, and of one group.
MOST = 40
MOST_IN_GROUP = 15

# Characters of a local variable that is looked for elsewhere.
_LEAST = 8

CAUSE = "cause"
CONTEXT = "context"


@dataclasses.dataclass
class Problem:
    """An exception.

    :param type: the name of its class.
    :param message: its text.
    :param notes: what ``add_note`` has added.
    :param entries: its frames in the order of their calls.
    """

    type: str
    message: str
    notes: list[str]
    entries: list[Entry]
    #: The exceptions in a group, and how many of them are not shown.
    members: list[Problem] = dataclasses.field(default_factory=list["Problem"])
    left_out: int = 0
    #: What it came of, and how: :data:`CAUSE` (``raise ... from``) or :data:`CONTEXT`.
    origin: Problem | None = None
    relation: str = ""
    #: The view of the request, where no frame is of the user's own code: it has returned, or could not be called.
    view: Frame | None = None

    @property
    def frames(self) -> list[Frame]:
        """Its frames that are shown."""
        return [entry for entry in self.entries if isinstance(entry, Frame)]

    @property
    def blamed(self) -> Frame | None:
        """The frame in which the user's own code failed, else the view, else the last frame."""
        if self.view is not None:
            return self.view
        frames = self.frames
        return next(
            (frame for frame in reversed(frames) if not frame.is_library), frames[-1] if frames else None
        )

    @property
    def is_in_own_code(self) -> bool:
        """Whether a frame of it, or of what is in it, is the user's own code."""
        return any(not frame.is_library for frame in self.frames) or any(
            member.is_in_own_code for member in self.members
        )

    def walk(self) -> t.Iterator[Problem]:
        """Yield this exception, those in it, and what they came of."""
        yield self
        for member in self.members:
            yield from member.walk()
        if self.origin is not None:
            yield from self.origin.walk()


class Reader:
    """Makes data of exceptions.

    :param mask: takes secrets out of their texts.
    """

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._sources = Sources(mask.known)
        self._seen: set[int] = set()

    def read(self, error: BaseException, view: View | None = None) -> Problem:
        """Return an exception as data, with its frames numbered and their variables printed.

        :param error: the exception.
        :param view: the view of the request, which is shown where no frame is of the user's own code.
        """
        problem = self._read(error)
        assert problem is not None
        if view is not None and not problem.is_in_own_code:
            problem.view = view_frame(view, self._sources)
        # The view has 0.
        number = 0
        wanted: list[Frame] = []
        for one in problem.walk():
            blamed = one.blamed
            for frame in reversed(one.frames):
                number += 1
                frame.number = number
                frame.is_open = frame.is_open or not frame.is_library or frame is blamed
                wanted.append(frame)
        # Those that are read first are printed first.
        wanted.sort(key=lambda frame: frame.is_library)
        print_all([job for frame in wanted for job in frame.variables], Printer(self._mask))
        return problem

    def _read(self, error: BaseException) -> Problem | None:
        if id(error) in self._seen or len(self._seen) >= MOST:
            return None
        self._seen.add(id(error))
        entries = frames_of(error.__traceback__, self._sources)
        if isinstance(error, SyntaxError) and (place := syntax_error_frame(error, self._sources)) is not None:
            entries.append(place)
        if isinstance(error, TemplateSyntaxError) and error.source and not error.filename:
            self._sources.add("<unknown>", error.source)
            entries = frames_of(error.__traceback__, self._sources)
        self._learn(entries)
        try:
            notes = getattr(error, "__notes__", None)
        except Exception:  # A property of somebody's own.
            notes = None
        problem = Problem(
            type_name(type(error)),
            self._mask(self._message(error)),
            [self._mask(safe_text(note.__str__)) for note in notes]
            if isinstance(notes, list | tuple)
            else [],
            entries,
        )
        self._read_members(problem, error)
        if error.__cause__ is not None:
            problem.origin, problem.relation = self._read(error.__cause__), CAUSE
        elif error.__context__ is not None and not error.__suppress_context__:
            problem.origin, problem.relation = self._read(error.__context__), CONTEXT
        return problem

    def _learn(self, entries: list[Entry]) -> None:
        """Tell the mask of the secrets among the local variables of the user's own code, which messages may quote."""
        for frame in entries:
            if isinstance(frame, Frame) and not frame.is_library:
                for job in frame.variables:
                    # A short one is a word, as the tokens of a parser are.
                    if job.is_hidden and type(job.value) in (str, bytes) and len(job.value) >= _LEAST:
                        self._mask.add(job.value)

    def _message(self, error: BaseException) -> str:
        if isinstance(error, TemplateSyntaxError):
            return safe_text(lambda: error.message)
        if isinstance(error, SyntaxError):
            return safe_text(lambda: error.msg)
        if isinstance(error, NameError | AttributeError | ImportError):
            # It says what was meant, perhaps.
            return safe_text(
                lambda: traceback.TracebackException(
                    type(error), error, error.__traceback__, limit=1, lookup_lines=False, compact=True
                )
            )
        return safe_text(error.__str__)

    def _read_members(self, problem: Problem, error: BaseException) -> None:
        if not isinstance(error, BaseExceptionGroup):
            return
        members = t.cast("BaseExceptionGroup[BaseException]", error).exceptions
        read = [self._read(member) for member in members[:MOST_IN_GROUP]]
        problem.members = [member for member in read if member is not None]
        problem.left_out = len(members) - len(problem.members)


def own_part(trace: types.TracebackType | None) -> types.TracebackType | None:
    """Return a traceback from the first frame of the user's own code on, ``None`` where there is none.

    :param trace: the traceback; it is not changed.
    """
    while trace is not None and is_library(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def as_text(error: BaseException, *, has_frames: bool = True) -> str:
    """Return an exception as Python prints it, beginning in the user's own code.

    :param error: the exception.
    :param has_frames: whether its frames are part of it, else only their number is.
    """
    own = own_part(error.__traceback__)
    # A syntax error has a place of its own, and what is in a group has frames.
    has_place = isinstance(error, SyntaxError | BaseExceptionGroup)
    trace = own or (None if has_place or not has_frames else error.__traceback__)
    try:
        pieces = list(traceback.TracebackException(type(error), error, trace, compact=True).format())
    except BaseException as failure:  # Notes and texts are users' code.
        what = f"{type_name(type(error))}, whose text could not be printed: {type_name(type(failure))}\n"
        pieces = [
            "Traceback (most recent call last):\n",
            *traceback.format_tb(trace or error.__traceback__),
            what,
        ]
    # A message may be the whole body of a response; of it no more is shown than on the page.
    cut = (
        piece if len(piece) <= LONGEST_TEXT else f"{piece[:LONGEST_TEXT]} ... ({len(piece)} characters)\n"
        for piece in pieces
    )
    text = "".join(_shortened(list(cut)))
    if has_frames:
        return text
    count = sum(1 for _ in traceback.walk_tb(error.__traceback__))
    return f"{text}[{count} frames, all of libraries, are not shown. JSON and the terminal have them.]\n"


def _shortened(pieces: list[str]) -> t.Iterator[str]:
    """Leave out frames in the middle of a long traceback: Python leaves out those of the simplest recursions alone."""
    for is_frame, group in itertools.groupby(pieces, key=_is_frame):
        run = list(group)
        if is_frame and len(run) > FIRST + LAST:
            run[FIRST:-LAST] = [f"  [{len(run) - FIRST - LAST} frames between are not shown]\n"]
        yield from run


def _is_frame(piece: str) -> bool:
    # Those in a group stand behind a line.
    return piece.lstrip(" |+-").startswith('File "') and ", line " in piece
