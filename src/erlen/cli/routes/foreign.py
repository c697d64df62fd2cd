"""Variables as other frameworks write them, ``{id}`` or ``:id``, which are plain text in a rule."""

from __future__ import annotations

import re
import typing as t

from werkzeug.routing import Rule

from .shapes import Piece, Shape

_BRACES = re.compile(r"\{(?P<name>[^\W\d][\w-]*)(?::(?P<kind>[^{}]+))?\}")
_COLON = re.compile(r":(?P<name>[^\W\d]\w*)")

# Kinds that have a converter of another name here, or of the same.
_KINDS = {
    "str": "", "string": "", "int": "int:", "float": "float:", "uuid": "uuid:", "path": "path:",
}  # fmt: skip


class Foreign(t.NamedTuple):
    """A variable in another framework's spelling.

    :param written: as it stands in the rule, ``"{id}"``.
    :param meant: as it has to be written, ``"<id>"``.
    """

    written: str
    meant: str

    @property
    def as_number(self) -> str | None:
        """The spelling for a whole number, where nothing was said of the kind."""
        bare = ":" not in self.meant and ":" not in self.written.lstrip(":")
        return f"<int:{self.meant[1:]}" if bare else None


def foreign_variables(rule: Rule) -> list[Foreign]:
    """Return the variables of a rule that are plain text, for they are written as elsewhere.

    :param rule: a rule of a map.
    """
    return [one for one in _parted(Shape(rule).pieces) if isinstance(one, Foreign)]


def rule_meant(rule: Rule) -> str:
    """Return a rule with its variables as they have to be written.

    :param rule: a rule of a map.
    """
    text = rule.rule
    for one in foreign_variables(rule):
        own = re.escape(one.written)
        own = f"(?<=/){own}(?=/|$)" if one.written.startswith(":") else own
        # What stands in a variable's own brackets stays.
        parts = re.split(f"(<[^<>]*>|{own})", text)
        text = "".join(one.meant if part == one.written else part for part in parts)
    return text


def takes_as_meant(shape: Shape, path: str) -> bool:
    """Return whether a path would be that of a rule, if its foreign variables were variables.

    :param shape: the rule.
    :param path: the path.
    """
    expression = ""
    for one in _parted(shape.pieces):
        if isinstance(one, Foreign):
            expression += ".+" if one.meant.startswith("<path:") else "[^/]+"
        else:
            is_variable, text = one
            expression += ".+" if is_variable else re.escape(text)
    return re.fullmatch(f"{expression.removesuffix('/')}/?", path) is not None


def in_words(found: t.Sequence[Foreign]) -> str:
    """Return what is wrong and how it is written here.

    :param found: the variables, at least one.
    """
    written = " and ".join(repr(one.written) for one in found)
    meant = " and ".join(repr(one.meant) for one in found)
    number = found[0].as_number if len(found) == 1 else None
    verb = "is" if len(found) == 1 else "are"
    return f"{written} {verb} literal in this rule; write {meant}" + (
        f", or {number!r} for a number" if number else ""
    )


def _parted(pieces: t.Sequence[Piece]) -> t.Iterator[Piece | Foreign]:
    """Divide the fixed texts of a rule at foreign variables."""
    around = [(False, "/"), *pieces, (False, "/")]
    for before, (is_variable, text), after in zip(around, pieces, around[2:], strict=False):
        # A colon elsewhere than at the beginning of a whole segment is the text of many an address.
        alone = before == (False, "/") == after
        if is_variable:
            yield is_variable, text
        elif alone and (found := _COLON.fullmatch(text)):
            yield Foreign(text, f"<{found['name']}>")
        else:
            yield from _divided(text)


def _divided(text: str) -> t.Iterator[Piece | Foreign]:
    end = 0
    for found in _BRACES.finditer(text):
        if found.start() > end:
            yield False, text[end : found.start()]
        kind = _KINDS.get((found["kind"] or "").strip(), "")
        yield Foreign(found[0], f"<{kind}{found['name'].replace('-', '_')}>")
        end = found.end()
    if end < len(text):
        yield False, text[end:]
