"""Rules: from a path to an endpoint and its values, and back."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from werkzeug.exceptions import MethodNotAllowed, NotFound


class Converter(t.NamedTuple):
    """What a variable of a rule accepts.

    :param weight: variables with a smaller one are tried first; a segment without a variable weighs nothing.
    :param pattern: the regular expression of its text.
    :param to_python: makes its value of the text.
    """

    weight: int
    pattern: str
    to_python: t.Callable[[str], t.Any]


CONVERTERS = {
    "int": Converter(1, r"\d+", int),
    "string": Converter(2, r"[^/]+", str),
    "path": Converter(3, r"[^/].*", str),
}

VARIABLE = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>")


class Segment(t.NamedTuple):
    """What stands between two slashes of a rule: a text, or a variable with its converter."""

    text: str
    converter: Converter | None

    @property
    def weight(self) -> tuple[int, str]:
        """What decides which of two segments is tried first."""
        return (0, self.text) if self.converter is None else (self.converter.weight, "")


@dataclass(eq=False)
class Rule:
    """A path, with variables, and where it leads.

    :param path: such as ``/shop/<int:number>``.
    :param endpoint: the name of what answers.
    :param methods: the HTTP methods it answers; HEAD comes with GET.
    :param automatic_options: whether the application answers OPTIONS itself.
    """

    path: str
    endpoint: str
    methods: t.AbstractSet[str]
    automatic_options: bool = False

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise ValueError(
                f"The rule {self.path!r} does not begin with a slash. Write {'/' + self.path!r}."
            )
        self.segments = [segment_of(text, self.path) for text in self.path.split("/")[1:]]
        self.converters = {part.text: part.converter for part in self.segments if part.converter is not None}
        self.expression = re.compile("".join(f"/{expression_of(part)}" for part in self.segments))
        self.weight = [part.weight for part in self.segments]

    def values_of(self, path: str) -> dict[str, t.Any] | None:
        """Return the values of the variables in a path, ``None`` where it is not of this rule."""
        found = self.expression.fullmatch(path)
        if found is None:
            return None
        try:
            return {name: one.to_python(found[name]) for name, one in self.converters.items()}
        except ValueError:
            # The text looks like a value and is none: a number of 5,000 digits.
            return None

    def lacks_slash(self, path: str) -> bool:
        """Return whether a path would be of this rule with a slash behind it."""
        return self.path.endswith("/") and self.values_of(path + "/") is not None

    def build(self, values: t.Mapping[str, t.Any]) -> str:
        """Return the path with values in the places of the variables, the others as query."""
        parts = [quote(str(values[part.text] if part.converter else part.text)) for part in self.segments]
        query = {name: value for name, value in values.items() if name not in self.converters}
        # One slash: an address that begins with two is on another site, and a value may begin with one.
        return "/" + "/".join(parts).lstrip("/") + ("?" + urlencode(query) if query else "")


def segment_of(text: str, path: str) -> Segment:
    """Return a segment of a rule as it is written in its path."""
    found = VARIABLE.fullmatch(text)
    if found is None:
        if "<" in text:
            raise ValueError(
                f"The rule {path!r} has the segment {text!r}, which is neither a text nor one variable. Write a "
                f"variable as a whole segment: '/<name>' or '/<int:name>'."
            )
        return Segment(text, None)
    name = found["converter"] or "string"
    if name not in CONVERTERS:
        raise LookupError(
            f"The rule {path!r} asks for the converter {name!r}. There are: {', '.join(CONVERTERS)}."
        )
    return Segment(found["name"], CONVERTERS[name])


def expression_of(segment: Segment) -> str:
    """Return the regular expression of a segment, a variable as a group of its name."""
    if segment.converter is None:
        return re.escape(segment.text)
    return f"(?P<{segment.text}>{segment.converter.pattern})"


class SlashMissing(Exception):
    """A path is that of a rule but for the slash at its end."""


class BuildError(LookupError):
    """No rule of an endpoint takes the values it was given."""


class Router:
    """The rules of an application."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        """Add a rule. Whichever was added first, segments without a variable come before those with one."""
        self.rules.append(rule)
        self.rules.sort(key=lambda one: one.weight)

    def match(self, path: str, method: str) -> tuple[Rule, dict[str, t.Any]]:
        """Return the rule of a request and its values.

        :raises NotFound: where no rule has this path.
        :raises MethodNotAllowed: where the rules that have it answer other methods.
        :raises SlashMissing: where a rule has this path with a slash behind it.
        """
        allowed: set[str] = set()
        for rule in self.rules:
            values = rule.values_of(path)
            if values is not None:
                if method in rule.methods:
                    return rule, values
                allowed |= rule.methods
            elif method in rule.methods and rule.lacks_slash(path):
                raise SlashMissing(path)
        if allowed:
            raise MethodNotAllowed(sorted(allowed))
        raise NotFound

    def allowed(self, path: str) -> list[str]:
        """Return the methods that the rules of a path answer."""
        return sorted(
            set[str]().union(*(rule.methods for rule in self.rules if rule.values_of(path) is not None))
        )

    def build(self, endpoint: str, values: t.Mapping[str, t.Any]) -> str:
        """Return the URL of an endpoint.

        :raises BuildError: where no rule has this endpoint and takes these values.
        """
        rules = [rule for rule in self.rules if rule.endpoint == endpoint]
        for rule in rules:
            if rule.converters.keys() <= values.keys():
                return rule.build(values)
        if rules:
            missing = ", ".join(sorted(rules[0].converters.keys() - values.keys()))
            raise BuildError(f"The URL of {endpoint!r} needs a value for: {missing}.")
        known = ", ".join(sorted({rule.endpoint for rule in self.rules}))
        raise BuildError(f"No rule leads to {endpoint!r}. There are: {known}.")
