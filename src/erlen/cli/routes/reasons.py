"""Why the other rules do not answer."""

from __future__ import annotations

import re
import typing as t

from werkzeug.routing import Rule

from ...typing import Application
from .foreign import foreign_variables, in_words, takes_as_meant
from .matching import Answer
from .shapes import Shape

#: How many other rules are named at most.
LIMIT = 8

# How many rules are proposed for a path that is near none.
_PROPOSALS = 3
_ALIKE = 0.7

# What each kind of reason weighs: the nearest rules come first.
_WEIGHTS = {"order": 0, "redirect": 0, "similar": 9, "prefix": 4, "case": 3, "converter": 2}


class Reason(t.NamedTuple):
    """One thing that keeps a rule from answering.

    :param kind: in one word.
    :param message: in a sentence.
    """

    kind: str
    message: str


class Other(t.NamedTuple):
    """A rule that does not answer, and is near.

    :param rule: the rule.
    :param reasons: all that is in the way.
    """

    rule: Rule
    reasons: list[Reason]


def others(application: Application, answer: Answer) -> list[Other]:
    """Return the rules that nearly answer, the nearest first.

    :param application: the application.
    :param answer: what answers.
    """
    if answer.adapter is None:
        return []
    shapes = [Shape(rule) for rule in application.url_map.iter_rules()]
    judge = _Judge(application, answer, shapes)
    found = [
        Other(shape.rule, reasons)
        for shape in shapes
        if shape.rule is not answer.rule and (reasons := judge.reasons(shape))
    ]
    if not found and answer.rule is None:
        found = judge.proposals()
    # The order of the map among those that are equally near.
    found.sort(key=lambda other: sum(_WEIGHTS.get(reason.kind, 1) for reason in other.reasons))
    return found


class _Judge:
    def __init__(self, application: Application, answer: Answer, shapes: list[Shape]) -> None:
        assert answer.adapter is not None
        self._application = application
        self._answer = answer
        self._shapes = shapes
        self._matches_hosts: bool = application.url_map.host_matching
        adapter = answer.adapter
        self._domain = adapter.server_name if self._matches_hosts else adapter.subdomain or ""
        self._path = answer.path

    def reasons(self, shape: Shape) -> list[Reason]:
        """Return what keeps a rule from answering; nothing for rules that are far from it."""
        of_path = self._of_path(shape)
        if of_path is None:
            return []
        reasons = [*of_path, *self._of_request(shape.rule), *self._of_domain(shape)]
        return reasons or [self._of_order(shape)]

    def _of_path(self, shape: Shape) -> list[Reason] | None:
        """Return what is wrong with the path; ``None`` where it is another one altogether."""
        found = self._of_spelling(shape, self._path)
        merged = re.sub("/{2,}", "/", self._path)
        # A path with slashes in a row that a converter refuses is redirected to the one without, if that has the pattern.
        only_refused = found and {reason.kind for reason in found} == {"converter"}
        is_redirected = only_refused and shape.rule.merge_slashes and shape.strict.fullmatch(merged)
        if merged == self._path or (found is not None and not is_redirected):
            return self._of_likeness(shape) if found is None else found
        found = self._of_spelling(shape, merged)
        if found is None:
            return self._of_likeness(shape)
        text = f"has single slashes, {merged!r}" + (
            "" if shape.rule.merge_slashes else " (merge_slashes is off)"
        )
        return [Reason("merged_slashes", text), *found]

    def _of_spelling(self, shape: Shape, path: str) -> list[Reason] | None:
        with_slash, bare = f"{path}/", path.removesuffix("/")
        # Without strict slashes a rule takes both.
        other = with_slash if shape.rule.rule.endswith("/") else bare
        for form in (path,) if shape.rule.strict_slashes else (path, other):
            if shape.takes(form):
                return self._refusals(shape, form)
        if shape.takes(with_slash):
            return [Reason("slash", f"ends with a slash, {with_slash!r}"), *self._refusals(shape, with_slash)]
        if shape.takes(bare):
            return [Reason("slash", f"has no slash at its end, {bare!r}"), *self._refusals(shape, bare)]
        return None

    @staticmethod
    def _refusals(shape: Shape, path: str) -> list[Reason]:
        return [Reason("converter", text) for text in shape.refusals(path)]

    def _of_likeness(self, shape: Shape) -> list[Reason] | None:
        foreign = foreign_variables(shape.rule)
        if foreign and takes_as_meant(shape, self._path):
            return [Reason("literal", in_words(foreign))]
        if self._answer.rule is not None or self._path == "/":
            return None
        if re.compile(shape.strict.pattern, re.IGNORECASE).fullmatch(self._path):
            return [Reason("case", "differs in upper and lower case")]
        first = shape.pieces[:2]
        # A rule that takes anything is like everything.
        if len(first) < 2 or first[1][0]:
            return None
        if prefix := re.fullmatch(f"(?P<prefix>(?:/[^/]+)+?){shape.strict.pattern}", self._path):
            return [Reason("prefix", f"answers without {prefix['prefix']!r} in front")]
        return None

    def _of_request(self, rule: Rule) -> t.Iterator[Reason]:
        answer = self._answer
        if rule.build_only:
            yield Reason("build_only", "only builds URLs (build_only)")
        if bool(rule.websocket) != answer.websocket:
            kind = "is a WebSocket, asked was an ordinary request" if rule.websocket else "is no WebSocket"
            yield Reason("websocket", kind)
        if rule.methods is not None and answer.method not in rule.methods:
            yield Reason("method", f"answers {', '.join(sorted(rule.methods))}, not {answer.method}")

    def _of_domain(self, shape: Shape) -> t.Iterator[Reason]:
        rule = shape.rule
        if shape.takes_domain(self._domain):
            return
        if self._matches_hosts:
            wanted = f"is for the host {rule.host!r}" if rule.host else "names no host, and each rule has to"
            yield Reason("host", f"{wanted}; asked was {self._domain!r}")
        elif rule.subdomain and not self._application.subdomain_matching:
            yield Reason(
                "subdomain",
                f"is for the subdomain {rule.subdomain!r}, and the application is made without subdomain_matching=True",
            )
        else:
            wanted = f"is for the subdomain {rule.subdomain!r}" if rule.subdomain else "is for no subdomain"
            asked = repr(self._domain) if self._domain else "no subdomain"
            yield Reason("subdomain", f"{wanted}; asked was {asked}")

    def _of_order(self, shape: Shape) -> Reason:
        """Return why a rule does not answer that has nothing against it."""
        answer = self._answer
        if answer.rule is not None:
            first = next(one for one in self._shapes if one.rule is answer.rule)
            return Reason("order", f"fits as well; {_named(first)} is tried first: {first.why_before(shape)}")
        if answer.location is not None:
            return Reason("redirect", self._of_redirect(shape.rule))
        # Werkzeug gives up at a value that a converter refuses although it has the pattern.
        for one in self._shapes:
            if one is not shape and one.strict.fullmatch(self._path) and one.refusals(self._path):
                return Reason(
                    "order",
                    f"fits; {_named(one)} is tried first, and when its converter refuses the value nothing else is tried",
                )
        return Reason("order", "fits by itself")

    def _of_redirect(self, rule: Rule) -> str:
        if rule.redirect_to is not None:
            return "redirects by its redirect_to"
        if rule.alias:
            return "is an alias, and redirects to the rule that it is one of"
        for one in self._application.url_map.iter_rules(rule.endpoint):
            if one is not rule and one.provides_defaults_for(rule):
                return f"redirects: {one.rule!r} has such values as its defaults"
        return "fits as well, and a redirect is tried first"

    def proposals(self) -> list[Other]:
        """Return rules whose paths look like the one asked for."""
        # Those that are the path with more in front: a blueprint's prefix was forgotten.
        ends = [
            Other(one.rule, [Reason("prefix", "has more in front")])
            for one in self._shapes
            if one.ends_as(self._path)
        ]
        rated = [(shape.resembles(self._path), shape.rule) for shape in self._shapes]
        best = sorted((pair for pair in rated if pair[0] >= _ALIKE), key=lambda pair: -pair[0])
        alike = [Other(rule, [Reason("similar", "looks like it")]) for _, rule in best]
        return [*ends, *alike][:_PROPOSALS]


def _named(shape: Shape) -> str:
    domain = shape.rule.host or shape.rule.subdomain
    return repr(shape.rule.rule) + (f" of {domain!r}" if domain else "")
