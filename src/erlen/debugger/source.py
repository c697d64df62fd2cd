"""Source around a line, in pieces: what is code of which kind, and what of it failed."""

from __future__ import annotations

import io
import itertools
import keyword
import linecache
import os
import re
import site
import sysconfig
import tokenize
import typing as t
from pathlib import Path

#: Lines shown before and after the one that failed.
AROUND = 5

#: Lines of a whole function that are shown.
FARTHEST = 40

#: A longer line is cut, and a longer file is shown without colours.
WIDEST = 400
_LONGEST_FILE = 3000

# Those with a prefix, in the versions of Python that have tokens for their parts.
_PARTS = [f"{kind}STRING_{part}" for kind in "FT" for part in ("START", "MIDDLE", "END")]
_STRINGS = frozenset({tokenize.STRING, *(getattr(tokenize, name, -1) for name in _PARTS)})

# Line and column at which it begins, and those behind its end; columns in characters.
Range: t.TypeAlias = tuple[int, int, int, int]
Span: t.TypeAlias = tuple[int, int, str]

#: What all code is called that ``exec`` was given as text. If there are lines for it, they are those of some other code.
OF_ANYBODY = frozenset({"<string>", "<stdin>"})


class Piece(t.NamedTuple):
    """A piece of a line.

    :param text: the piece.
    :param kind: of which kind of code it is: ``"keyword"``, ``"string"``, ``"comment"``, ``"number"``, or empty.
    :param is_marked: whether it is what failed.
    """

    text: str
    kind: str
    is_marked: bool


class Line(t.NamedTuple):
    """A line of source.

    :param number: from 1.
    :param pieces: what it consists of.
    :param is_current: whether it is the one that failed.
    """

    number: int
    pieces: list[Piece]
    is_current: bool

    @property
    def text(self) -> str:
        """The line."""
        return "".join(piece.text for piece in self.pieces)


class Sources:
    """The source that one page shows; each file is read once.

    :param mask: takes secrets out of a piece.
    """

    def __init__(self, mask: t.Callable[[str], str]) -> None:
        self._mask = mask
        self._spans: dict[str, dict[int, list[Span]]] = {}
        self._made: dict[str, list[str]] = {}
        self._checked: set[str] = set()

    def add(self, filename: str, text: str) -> None:
        """Make source known that is in no file.

        :param filename: the name that stands for it in a traceback.
        :param text: the source.
        """
        self._made[filename] = text.splitlines(keepends=True)

    def lines_of(self, filename: str, names: dict[str, t.Any] | None = None) -> list[str]:
        """Return all lines of a file, none where there is no source.

        :param filename: as the traceback has it.
        :param names: the globals of its module, by which source in an archive is found.
        """
        if filename in self._made:
            return self._made[filename]
        if filename in OF_ANYBODY:
            return []
        try:
            if filename not in self._checked:
                # It may have been changed since another page.
                self._checked.add(filename)
                linecache.checkcache(filename)
            return linecache.getlines(filename, names)
        except Exception:  # A loader of somebody's own may raise anything.
            return []

    def around(
        self,
        filename: str,
        number: int,
        marked: Range | None,
        names: dict[str, t.Any] | None,
        *,
        has_colours: bool,
        until: int = 0,
    ) -> list[Line]:
        """Return the lines around one, without the indentation that they have in common.

        :param filename: the file.
        :param number: the line that failed.
        :param marked: what of it failed.
        :param names: the globals of its module.
        :param has_colours: whether it is Python, and its kinds of code are told apart.
        :param until: a line up to which they are shown at least, if it is not far.
        """
        lines = self.lines_of(filename, names)
        if not 1 <= number <= len(lines):
            return []
        last_marked = number if marked is None else min(marked[2], number + 2 * AROUND)
        until = min(until, number + FARTHEST)
        first, last = (
            max(number - AROUND, 1),
            min(max(number + AROUND, last_marked + AROUND, until), len(lines)),
        )
        shown = {at: lines[at - 1].rstrip("\r\n\f ")[:WIDEST] for at in range(first, last + 1)}
        spans = self._spans_of(filename, lines) if has_colours else {}
        indents = [len(text) - len(text.lstrip(" ")) for text in shown.values() if text.strip()]
        cut = min(indents, default=0)
        return [
            Line(at, self._pieces(text, cut, spans.get(at, []), _on_line(marked, at, text)), at == number)
            for at, text in shown.items()
        ]

    def _pieces(self, text: str, cut: int, spans: list[Span], marked: tuple[int, int]) -> list[Piece]:
        bounds = sorted({cut, len(text), *marked, *(at for span in spans for at in span[:2])})
        pieces: list[Piece] = []
        for begin, end in itertools.pairwise(bounds):
            if begin >= cut and end <= len(text):
                kind = next((kind for first, behind, kind in spans if first <= begin < behind), "")
                pieces.append(Piece(self._mask(text[begin:end]), kind, marked[0] <= begin < marked[1]))
        return pieces

    def _spans_of(self, filename: str, lines: list[str]) -> dict[int, list[Span]]:
        spans = self._spans.get(filename)
        if spans is None:
            spans = self._spans[filename] = {} if len(lines) > _LONGEST_FILE else _coloured(lines)
        return spans


def _on_line(marked: Range | None, number: int, text: str) -> tuple[int, int]:
    """Return the columns of a line that are marked, an empty range for none."""
    if marked is None or not marked[0] <= number <= marked[2]:
        return 0, 0
    begin = marked[1] if number == marked[0] else len(text) - len(text.lstrip())
    end = marked[3] if number == marked[2] else len(text)
    # The whole line is marked as the one that failed already.
    if marked[0] == marked[2] and not text[:begin].strip() and not text[end:].strip():
        return 0, 0
    return begin, end


def _coloured(lines: list[str]) -> dict[int, list[Span]]:
    spans: dict[int, list[Span]] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO("".join(lines)).readline):
            kind = _kind(token)
            if not kind:
                continue
            (first, begin), (last, end) = token.start, token.end
            for number in range(first, last + 1):
                from_column = begin if number == first else 0
                to_column = end if number == last else len(lines[number - 1])
                spans.setdefault(number, []).append((from_column, to_column, kind))
    except (tokenize.TokenError, SyntaxError, IndexError):
        # Source with a mistake in it has colours as far as it is understood.
        pass
    return spans


def _kind(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.COMMENT:
        return "comment"
    if token.type in _STRINGS:
        return "string"
    if token.type == tokenize.NUMBER:
        return "number"
    if token.type == tokenize.NAME and keyword.iskeyword(token.string):
        return "keyword"
    return ""


def _folders() -> set[str]:
    paths = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    paths |= set(getattr(site, "getsitepackages", list[str])())
    # Erlen's own, also where it is not installed but on the path.
    paths.add(str(Path(__file__).parents[1]))
    return {os.path.normcase(os.path.abspath(path)) + os.sep for path in paths if path}


_library = _folders()
_packages = re.compile(r"(^|[\\/])(site|dist)-packages[\\/]")


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:  # The working folder may be gone: removed, or replaced by another checkout.
        return path or os.sep


def is_library(filename: str) -> bool:
    """Return whether a file is no code of the user's own: Python's, that of an installed package, or Erlen's.

    :param filename: as a traceback has it.
    """
    if filename.startswith("<frozen ") or _packages.search(filename):
        return True
    path = os.path.normcase(_absolute(filename))
    return any(path.startswith(folder) for folder in _library)


def short_path(filename: str) -> str:
    """Return the path of a file as it is best read: from the working folder, or from where packages are.

    :param filename: as a traceback has it.
    """
    if filename.startswith("<"):
        return filename
    path = _absolute(filename)
    found = _packages.search(path)
    if found:
        return path[found.end() :]
    for folder in (_absolute("") + os.sep, *sorted(_library, key=len, reverse=True)):
        if os.path.normcase(path).startswith(os.path.normcase(folder)):
            above = os.path.basename(folder.rstrip(os.sep)) + os.sep
            return path[len(folder) :] if folder not in _library else above + path[len(folder) :]
    return path
