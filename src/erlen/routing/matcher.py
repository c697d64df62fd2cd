"""The nodes of compiled routes and the walk over them."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from werkzeug.routing import Rule
from werkzeug.routing.converters import ValidationError

Match: t.TypeAlias = tuple[Rule, dict[str, t.Any]]


@dataclass(slots=True)
class Leaf:
    """A rule at the node where its path ends.

    :param rule: Werkzeug's rule.
    :param methods: the methods it answers, ``None`` for all.
    :param certain: whether a match of this rule needs nothing further from Werkzeug (redirects, aliases ...).
    :param names: the names of the path's variables, in the order of the path.
    :param converters: ``to_python`` of each variable, ``None`` where it would return the text itself.
    :param defaults: values that the rule adds.
    """

    rule: Rule
    methods: t.AbstractSet[str] | None
    certain: bool
    names: tuple[str, ...]
    converters: tuple[t.Callable[[str], t.Any] | None, ...]
    defaults: dict[str, t.Any]

    def match(self, texts: list[str]) -> Match | None:
        """Return the rule and the converted values, or ``None`` when Werkzeug has to decide."""
        if not self.certain:
            return None
        values: dict[str, t.Any] = {}
        try:
            for name, to_python, text in zip(self.names, self.converters, texts, strict=False):
                values[name] = text if to_python is None else to_python(text)
        except ValidationError:
            return None
        if self.defaults:
            values.update(self.defaults)
        return self.rule, values


@dataclass(slots=True)
class Segment:
    """What a variable part of a path accepts.

    :param find: ``fullmatch``-like search of the part's expression; ``None`` for a text that is not empty.
    :param groups: the numbers of the groups that hold the values.
    :param final: whether the part takes all that is left of the path.
    :param suffixed: whether the expression may end in the slash of the path, as its last group.
    :param node: where the walk goes on.
    """

    find: t.Callable[[str], t.Any] | None
    groups: tuple[int, ...]
    final: bool
    suffixed: bool
    node: Node


@dataclass(slots=True)
class Node:
    """One state of the walk: the segments that may follow, and the rules that end here."""

    static: dict[str, Node] = field(default_factory=dict["str", "Node"])
    dynamic: list[Segment] = field(default_factory=list[Segment])
    leaves: list[Leaf] = field(default_factory=list[Leaf])


class _Undecided(Exception):  # noqa: N818 - not an error: the walk has met something that Werkzeug has to decide
    pass


class Routes:
    """Compiled routes. Immutable once built, so threads share it without a lock.

    :param root: the node before the first slash.
    """

    def __init__(self, root: Node) -> None:
        self._root = root
        #: PERF: plaintext: whole paths without variables, one look-up instead of one a segment. Werkzeug
        #: tries static parts first at every level, so such a path always wins when its method fits.
        self._whole: dict[str, list[Leaf]] = {}
        self._collect(root.static.get(""), "")

    def _collect(self, node: Node | None, path: str) -> None:
        if node is None:
            return
        if path and node.leaves:
            self._whole[path] = node.leaves
        for text, child in node.static.items():
            self._collect(child, f"{path}/{text}")

    def match(self, path: str, method: str) -> Match | None:
        """Return the rule and the values for a path, or ``None`` when Werkzeug has to decide.

        :param path: the decoded path below the application's root, beginning with one slash.
        :param method: the request method, in upper case.
        """
        leaves = self._whole.get(path)
        if leaves is not None:
            for leaf in leaves:
                if leaf.methods is None or method in leaf.methods:
                    return leaf.match([])
            return None
        if path[:2] == "//":
            return None
        try:
            return _walk(self._root, path.split("/"), 0, [], method)
        except _Undecided:
            return None


def _walk(node: Node, parts: list[str], index: int, texts: list[str], method: str) -> Match | None:
    """Follow a path from a node; the order of trials is that of Werkzeug's matcher."""
    if index == len(parts):
        return _end(node, texts, method)
    part = parts[index]
    if node.static and (child := node.static.get(part)) is not None:
        found = _walk(child, parts, index + 1, texts, method)
        if found is not None:
            return found
    for segment in node.dynamic:
        if segment.find is None:
            if not part:
                continue
            # PERF: int parameter, 5,000 routes: the common case, a whole segment, needs neither expression nor
            # groups.
            found = _walk(segment.node, parts, index + 1, [*texts, part], method)
        else:
            found = _follow(segment, parts, index, texts, method)
        if found is not None:
            return found
    if not part and index == len(parts) - 1 and node.leaves:
        # A slash at the end, and rules here that may or may not mind it.
        raise _Undecided
    return None


def _follow(segment: Segment, parts: list[str], index: int, texts: list[str], method: str) -> Match | None:
    assert segment.find is not None
    if segment.final:
        text, following = "/".join(parts[index:]), len(parts)
    else:
        text, following = parts[index], index + 1
    found = segment.find(text)
    if found is None:
        return None
    if segment.suffixed and found.groups()[-1] == "/":
        raise _Undecided
    values = [found.group(number) for number in segment.groups]
    return _walk(segment.node, parts, following, texts + values, method)


def _end(node: Node, texts: list[str], method: str) -> Match | None:
    for leaf in node.leaves:
        if leaf.methods is None or method in leaf.methods:
            found = leaf.match(texts)
            if found is None:
                raise _Undecided
            return found
    if "" in node.static:
        # The same path with a slash may exist: Werkzeug redirects, or answers it.
        raise _Undecided
    return None
