"""Compiled routes: a tree of dicts with a level for each segment of a path.

They find what :class:`Router` would find, and leave to it whatever is no plain match: errors, redirects, values that are
none.
"""

from __future__ import annotations

import re
import typing as t

from .routing import CONVERTERS, Converter, Rule

Match: t.TypeAlias = tuple[Rule, dict[str, t.Any]]

PATH = CONVERTERS["path"]
ACCEPTS = {converter: re.compile(converter.pattern).fullmatch for converter in CONVERTERS.values()}


class Undecided(Exception):
    """Raised inside, where only :class:`Router` knows the answer."""


class Node:
    """What may follow a slash, and the rules that end before it."""

    def __init__(self) -> None:
        self.static: dict[str, Node] = {}
        self.variable: dict[Converter, Node] = {}
        self.rules: list[Rule] = []


class Routes:
    """The rules of a router. Nothing changes them, so threads share them without a lock.

    :param rules: the rules, in the order in which the router tries them. So each dict is in that order as well.
    """

    def __init__(self, rules: t.Sequence[Rule]) -> None:
        self._root = Node()
        # Whole paths without variables: such a rule is always tried before those with variables.
        self._whole: dict[str, list[Rule]] = {}
        self.is_complete = all(
            segment.converter is not PATH for rule in rules for segment in rule.segments[:-1]
        )
        for rule in rules:
            self._add(rule)

    def _add(self, rule: Rule) -> None:
        node = self._root
        for segment in rule.segments:
            if segment.converter is None:
                node = node.static.setdefault(segment.text, Node())
            else:
                node = node.variable.setdefault(segment.converter, Node())
        node.rules.append(rule)
        if not rule.converters:
            self._whole.setdefault(rule.path, []).append(rule)

    def find(self, path: str, method: str) -> Match | None:
        """Return the rule of a request and its values, or ``None`` where the router has to be asked."""
        if not self.is_complete:
            return None
        for rule in self._whole.get(path, ()):
            if method in rule.methods:
                return rule, {}
        try:
            return walk(self._root, path.split("/"), 1, [], method)
        except (Undecided, ValueError):
            return None


def walk(node: Node, parts: list[str], index: int, texts: list[str], method: str) -> Match | None:
    """Return the first rule below a node that the rest of a path leads to.

    :param node: where the walk has come to.
    :param parts: the whole path.
    :param index: where its rest begins.
    :param texts: what the variables before it have taken.
    :param method: the HTTP method.
    """
    if index == len(parts):
        if "" in node.static and not node.rules:
            # The slash at the end is missing, and the router will say so.
            raise Undecided
        return match_of(node, texts, method)
    part = parts[index]
    if part in node.static:
        found = walk(node.static[part], parts, index + 1, texts, method)
        if found is not None:
            return found
    for converter, child in node.variable.items():
        rest = "/".join(parts[index:]) if converter is PATH else part
        if ACCEPTS[converter](rest):
            after = len(parts) if converter is PATH else index + 1
            found = walk(child, parts, after, [*texts, rest], method)
            if found is not None:
                return found
    return None


def match_of(node: Node, texts: list[str], method: str) -> Match | None:
    """Return the first rule of a node that answers a method, with its values."""
    for rule in node.rules:
        if method in rule.methods:
            converters = rule.converters.items()
            return rule, {
                name: one.to_python(text) for (name, one), text in zip(converters, texts, strict=True)
            }
    if node.rules:
        raise Undecided
    return None
