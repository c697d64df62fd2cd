"""How one rule and one URL fit together, looked at part by part.

Werkzeug's matcher says which rule answers, and of the others only that they do not. Here each rule is held against
the URL alone, so that it can be said what keeps it from answering.
"""

from __future__ import annotations

import re
import typing as t
from difflib import SequenceMatcher
from functools import cached_property

from werkzeug.routing import (
    AnyConverter,
    BaseConverter,
    FloatConverter,
    IntegerConverter,
    Rule,
    UUIDConverter,
)

from .describe import converter_name, converters_of

#: One piece of a rule: whether it is a variable, and its text or its name.
Piece: t.TypeAlias = tuple[bool, str]

_KINDS: dict[type[BaseConverter], str] = {
    IntegerConverter: "a whole number",
    FloatConverter: "a number with a decimal point",
    UUIDConverter: "a UUID",
}


class Shape:
    """A rule of a map, taken apart.

    :param rule: the rule.
    """

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._converters = converters_of(rule)
        # Not part of Werkzeug's public API: without it nothing is said about the parts.
        trace: list[Piece] = list(getattr(rule, "_trace", ()))
        middle = trace.index((False, "|")) if (False, "|") in trace else len(trace)
        self._domain, self.pieces = trace[:middle], trace[middle + 1 :]

    def takes_domain(self, domain: str) -> bool:
        """Return whether the rule is for a host or a subdomain."""
        return _pattern(self._domain, self._converters, strict=True).fullmatch(domain) is not None

    @cached_property
    def strict(self) -> re.Pattern[str]:
        """The paths whose variables have the patterns of their converters."""
        return _pattern(self.pieces, self._converters, strict=True)

    @cached_property
    def lenient(self) -> re.Pattern[str]:
        """The paths with anything as values."""
        return _pattern(self.pieces, self._converters, strict=False)

    def takes(self, path: str) -> bool:
        """Return whether a path has the form of the rule, with anything as values."""
        return bool(self.strict.fullmatch(path) or self.lenient.fullmatch(path))

    def refusals(self, path: str) -> list[str]:
        """Return which values of a path their converters refuse, and what they take.

        :param path: one that :meth:`takes` takes.
        """
        found = self.strict.fullmatch(path)
        if found is not None:
            texts = self._texts(found)
            return [
                self._refusal(name, text) for name, text in texts.items() if not self._converts(name, text)
            ]
        loose = self.lenient.fullmatch(path)
        texts = {} if loose is None else self._texts(loose)
        refused = [
            self._refusal(name, text)
            for name, text in texts.items()
            if not re.fullmatch(self._converters[name].regex, text) or not self._converts(name, text)
        ]
        return refused or [f"{path!r} cannot be divided as {self.rule.rule!r} asks"]

    def _texts(self, found: re.Match[str]) -> dict[str, str]:
        names = [text for is_variable, text in self.pieces if is_variable]
        return {name: found[f"v{number}"] for number, name in enumerate(names)}

    def _converts(self, name: str, text: str) -> bool:
        try:
            self._converters[name].to_python(text)
        except ValueError:
            return False
        return True

    def _refusal(self, name: str, text: str) -> str:
        converter, kind = self._converters[name], converter_name(self.rule, name)
        variable = name if kind == "string" else f"{kind}:{name}"
        if isinstance(converter, AnyConverter):
            items = ", ".join(map(repr, sorted(converter.items)))
            return f"{text!r} is none of {items} for <{variable}>"
        if re.fullmatch(converter.regex, text):
            return f"{text!r} is refused by the converter of <{variable}>{_limits(converter)}"
        described = _KINDS.get(type(converter))
        if described is not None:
            signed = text[:1] == "-" and not getattr(converter, "signed", True)
            return f"{text!r} is not {described} for <{variable}>" + (
                ", which takes no sign" if signed else ""
            )
        return f"{text!r} does not have the pattern {converter.regex} of <{variable}>"

    def resembles(self, path: str) -> float:
        """Return how much a path is like those of the rule, from 0 to 1, piece by piece between slashes."""
        parts, own = path.strip("/").split("/"), self._segments()
        if len(parts) != len(own):
            return 0.0
        ratios = [
            (1.0 if re.fullmatch(pattern, part) else 0.5)
            if text is None
            else SequenceMatcher(None, text.lower(), part.lower()).ratio()
            for part, (text, pattern) in zip(parts, own, strict=True)
        ]
        fixed = [ratio for ratio, (text, _) in zip(ratios, own, strict=True) if text is not None]
        return 0.0 if min(fixed, default=0.0) < 0.6 else sum(ratios) / len(ratios)

    def ends_as(self, path: str) -> bool:
        """Return whether a path is that of this rule without fixed text in front, a blueprint's prefix for example."""
        for number in range(1, len(self.pieces)):
            if self.pieces[number - 1][0]:
                break
            rest = self.pieces[number:]
            # A rest of variables alone is the end of nearly everything.
            has_text = any(not is_variable and text != "/" for is_variable, text in rest)
            if rest[0] == (False, "/") and has_text:
                pattern = _pattern(rest, self._converters, strict=True)
                if pattern.fullmatch(path):
                    return True
        return False

    def _segments(self) -> list[tuple[str | None, str]]:
        """Return each segment's text, ``None`` if there is a variable in it, and its pattern."""
        segments: list[list[Piece]] = [[]]
        for is_variable, text in self.pieces:
            if not is_variable and text == "/":
                segments.append([])
            else:
                segments[-1].append((is_variable, text))
        return [
            (
                None if any(variable for variable, _ in segment) else "".join(text for _, text in segment),
                _pattern(segment, self._converters, strict=True).pattern,
            )
            for segment in segments
            if segment
        ] or [("", "")]

    def why_before(self, other: Shape) -> str:
        """Return why this rule is tried before another one that takes the same path."""
        for piece, other_piece in zip(self._domain + self.pieces, other._domain + other.pieces, strict=False):
            (is_variable, text), (other_is_variable, other_text) = piece, other_piece
            if piece == other_piece:
                continue
            if not is_variable and other_is_variable:
                return f"the fixed text {text!r} comes before a variable"
            if not (is_variable and other_is_variable):
                return "it is more specific"
            if self._converters[text].weight != other._converters[other_text].weight:
                kinds = converter_name(self.rule, text), converter_name(other.rule, other_text)
                return f"{kinds[0]!r} comes before {kinds[1]!r}"
        return "it was registered before"


def _pattern(
    pieces: t.Sequence[Piece], converters: t.Mapping[str, BaseConverter], *, strict: bool
) -> re.Pattern[str]:
    number, expression, takes_slashes = 0, "", False
    for position, (is_variable, text) in enumerate(pieces, 1):
        if not is_variable:
            # As Werkzeug: of several slashes behind a value that may hold some, none is the slash of the rule.
            ends = text == "/" and position == len(pieces) and takes_slashes
            expression += "(?<!/)/" if ends else re.escape(text)
            continue
        converter = converters[text]
        takes_slashes |= not converter.part_isolating
        inner = converter.regex if strict else ("[^/]+" if converter.part_isolating else ".+")
        expression += f"(?P<v{number}>{inner})"
        number += 1
    return re.compile(expression)


def _limits(converter: t.Any) -> str:
    names = ("min", "max", "fixed_digits")
    given = [f"{name}={getattr(converter, name)}" for name in names if getattr(converter, name, None)]
    return f": {', '.join(given)}" if given else ""
