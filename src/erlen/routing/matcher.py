"""The nodes of compiled routes and the walk over them."""

from __future__ import annotations

import typing as t

from werkzeug.routing import Rule

# Plain classes, without dataclasses: those compile the source of each method when this module is loaded.

Match: t.TypeAlias = tuple[Rule, dict[str, t.Any]]


class Leaf:
    """A rule at the node where its path ends.

    :param rule: Werkzeug's rule.
    :param methods: the methods it answers, ``None`` for all.
    :param certain: whether a match of this rule needs nothing further from Werkzeug (redirects, aliases ...).
    :param names: the names of the path's variables, in the order of the path.
    :param converters: ``to_python`` of each variable, ``None`` where it would return the text itself.
    :param defaults: values that the rule adds.
    :param overlaps: whether one of them has the name of a variable.
    :param quick: name and ``to_python`` of the only variable, where there are no defaults and the rule is certain.
    """

    __slots__ = ("certain", "converters", "defaults", "methods", "names", "overlaps", "quick", "rule")

    def __init__(
        self,
        rule: Rule,
        methods: t.AbstractSet[str] | None,
        certain: bool,
        names: tuple[str, ...],
        converters: tuple[t.Callable[[str], t.Any] | None, ...],
        defaults: dict[str, t.Any],
        overlaps: bool,
        quick: tuple[str, t.Callable[[str], t.Any]] | None,
    ) -> None:
        self.rule = rule
        self.methods = methods
        self.certain = certain
        self.names = names
        self.converters = converters
        self.defaults = defaults
        self.overlaps = overlaps
        self.quick = quick

    def match_single(self, text: str) -> Match | None:
        """Return what :meth:`match` returns for a path with one variable.

        PERF: int parameter: without a list and a loop, 0.2 us.
        """
        if self.quick is None:
            return self.match([text])
        name, to_python = self.quick
        try:
            return self.rule, {name: to_python(text)}
        except ValueError:
            return None

    def match(self, texts: list[str]) -> Match | None:
        """Return the rule and the converted values, or ``None`` when Werkzeug has to decide."""
        if not self.certain:
            return None
        try:
            values = self.defaults.copy()
            for name, converter, text in zip(self.names, self.converters, texts, strict=True):
                values[name] = text if converter is None else converter(text)
        except ValueError:
            # ValidationError is one; what any other means is Werkzeug's to say.
            return None
        if self.overlaps:
            values.update(self.defaults)
        return self.rule, values


class Segment:
    """What a variable part of a path accepts.

    :param accepts: for a variable that is one whole segment: whether a text between two slashes is a value of it.
        ``None`` for all others, which ``find`` looks into.
    :param find: the ``match`` method of the part's expression.
    :param groups: the numbers of the groups that hold the values.
    :param final: whether the part takes all that is left of the path.
    :param suffixed: whether the expression may end in the slash of the path, as its last group.
    :param node: where the walk goes on.
    """

    __slots__ = ("accepts", "final", "find", "groups", "node", "suffixed")

    def __init__(
        self,
        accepts: t.Callable[[str], bool] | None,
        find: t.Callable[[str], t.Any],
        groups: tuple[int, ...],
        final: bool,
        suffixed: bool,
        node: Node,
    ) -> None:
        self.accepts = accepts
        self.find = find
        self.groups = groups
        self.final = final
        self.suffixed = suffixed
        self.node = node

    def match_rest(self, parts: list[str], index: int, texts: list[str], method: str) -> Match | None:
        """Return the match for a path all the rest of which is this part, ``None`` where the walk has to say.

        PERF: path parameter, static file: 1.5 us.

        :param parts: the whole path.
        :param index: where this part begins.
        :param texts: the values of the variables before it.
        :param method: the request method, in upper case.
        """
        found = self.find("/".join(parts[index:])) if self.final and not self.suffixed else None
        if found is not None:
            for leaf in self.node.leaves:
                if leaf.methods is None or method in leaf.methods:
                    return leaf.match([*texts, *map(found.group, self.groups)])
        return None


class Single(t.NamedTuple):
    """The rule for paths that end in one variable.

    :param accepts: whether a text is a value of it.
    :param rule: the rule.
    :param name: the name of the variable.
    :param to_python: makes its value of the text; may raise :exc:`ValueError`.
    """

    accepts: t.Callable[[str], bool]
    rule: Rule
    name: str
    to_python: t.Callable[[str], t.Any]


class Node:
    """One state of the walk: the segments that may follow, and the rules that end here."""

    __slots__ = ("dynamic", "leaves", "static")

    def __init__(
        self,
        static: dict[str, Node] | None = None,
        dynamic: t.Sequence[Segment] = (),
        leaves: t.Sequence[Leaf] = (),
    ) -> None:
        self.static: dict[str, Node] = {} if static is None else static
        self.dynamic = dynamic
        self.leaves = leaves


class Undecided(Exception):
    """Raised where a path needs Werkzeug: another method, a slash too many or too few, a redirect."""


class Routes:
    """Compiled routes. Immutable once built, so threads share it without a lock.

    :param root: the node before the first slash.
    :param converts_plainly: whether all converters are Werkzeug's, which need nothing but the text.
    """

    def __init__(self, root: Node, converts_plainly: bool = False) -> None:
        self.converts_plainly = converts_plainly
        self._root = root
        # Every path begins with a slash, so its first part is always empty.
        self._start = None if root.dynamic else root.static.get("")
        # PERF: plaintext: whole paths without variables, one look-up instead of one a segment. Werkzeug tries
        # static parts first at every level, so such a path always wins when its method fits.
        self._whole: dict[str, t.Sequence[Leaf]] = {}
        # PERF: int parameter: nodes with variables, by the path before the slash in front of them.
        self._variable: dict[str, Node] = {}
        self._collect(root.static.get(""), "")

    def _collect(self, node: Node | None, path: str) -> None:
        if node is None:
            return
        if path and node.leaves:
            self._whole[path] = node.leaves
        if node.dynamic:
            self._variable[path] = node
        for text, child in node.static.items():
            self._collect(child, f"{path}/{text}")

    def singles(self) -> frozenset[str]:
        """Return the paths behind which, after a slash, nothing can stand but one variable, a whole segment."""
        return frozenset(
            before
            for before, node in self._variable.items()
            if not node.static and len(node.dynamic) == 1 and node.dynamic[0].accepts is not None
        )

    def single(self, before: str, method: str) -> Single | None:
        """Return what answers a method behind one of :meth:`singles`, ``None`` where the whole path decides."""
        segment = self._variable[before].dynamic[0]
        for leaf in segment.node.leaves:
            if leaf.methods is None or method in leaf.methods:
                if leaf.quick is None or segment.accepts is None:
                    break
                return Single(segment.accepts, leaf.rule, *leaf.quick)
        return None

    def is_whole(self, path: str) -> bool:
        """Return whether some rule has a path without variables."""
        return path in self._whole

    def match(self, path: str, method: str) -> Match | None:
        """Return the rule and the values for a path, ``None`` when no rule of any method has it.

        :param path: the decoded path below the application's root.
        :param method: the request method, in upper case.
        :raises Undecided: when Werkzeug has to decide.
        """
        leaves = self._whole.get(path)
        if leaves is not None:
            for leaf in leaves:
                if leaf.methods is None or method in leaf.methods:
                    if leaf.certain:
                        return leaf.rule, leaf.defaults.copy()
                    break
            raise Undecided
        # PERF: int parameter: a path that only ends in a variable. As in _straight, this is what the walk would find.
        before, _, text = path.rpartition("/")
        node = self._variable.get(before)
        if node is not None and text not in node.static:
            for segment in node.dynamic:
                if segment.accepts is None:
                    break
                if segment.accepts(text):
                    for leaf in segment.node.leaves:
                        if leaf.methods is None or method in leaf.methods:
                            return leaf.match_single(text) or self._any(path, method)
                    break
        return self._any(path, method)

    def allowed(self, path: str, method: str) -> list[str]:
        """Return the methods of the rules that have a path, where none of them has this method; empty where none has it.

        They are sorted, as the order of a set differs from process to process.

        PERF: 405: 25 us sooner than Werkzeug's matcher.

        :param path: the decoded path below the application's root.
        :param method: the request method, in upper case.
        :raises Undecided: when Werkzeug has to decide.
        """
        if "//" in path or path[:1] != "/":
            raise Undecided
        collected: list[set[str]] = []
        _collect_methods(self._root, path.split("/"), 0, method, collected)
        return sorted(set().union(*collected))

    def _any(self, path: str, method: str) -> Match | None:
        if "//" in path or path[:1] != "/":
            raise Undecided
        first = path.split("/", 2)[1]
        if first and self._start is not None and not self._start.dynamic and first not in self._start.static:
            # PERF: 404: no rule begins like this, 2 us.
            return None
        return self._straight(path, method) or _walk(self._root, path.split("/"), 0, [], method)

    def _straight(self, path: str, method: str) -> Match | None:
        """Follow a path without ever turning back; ``None`` where that leads nowhere.

        PERF: int parameter, 5,000 routes: this takes at each node what the walk would try first, so what it finds is
        what the walk would find first, in a third of the time.
        """
        node = self._start
        if node is None:
            return None
        texts: list[str] = []
        parts = path[1:].split("/")
        for index, part in enumerate(parts):
            child = node.static.get(part)
            if child is None:
                for segment in node.dynamic:
                    if segment.accepts is None:
                        return segment.match_rest(parts, index, texts, method)
                    if segment.accepts(part):
                        texts.append(part)
                        child = segment.node
                        break
                else:
                    return None
            node = child
        for leaf in node.leaves:
            if leaf.methods is None or method in leaf.methods:
                return leaf.match_single(texts[0]) if len(texts) == 1 else leaf.match(texts)
        return None


def _walk(node: Node, parts: list[str], index: int, texts: list[str], method: str) -> Match | None:
    """Follow a path from a node; the order of trials is that of Werkzeug's matcher."""
    if index == len(parts):
        return _end(node, texts, method)
    part = parts[index]
    if (child := node.static.get(part)) is not None:
        found = _walk(child, parts, index + 1, texts, method)
        if found is not None:
            return found
    for segment in node.dynamic:
        found = _follow(segment, parts, index, texts, method)
        if found is not None:
            return found
    if not part and index == len(parts) - 1 and node.leaves:
        # A slash at the end, and rules here that may or may not mind it.
        raise Undecided
    return None


def _follow(segment: Segment, parts: list[str], index: int, texts: list[str], method: str) -> Match | None:
    if segment.accepts is not None:
        if not segment.accepts(parts[index]):
            return None
        return _walk(segment.node, parts, index + 1, [*texts, parts[index]], method)
    if segment.final:
        text, following = "/".join(parts[index:]), len(parts)
    else:
        text, following = parts[index], index + 1
    found = segment.find(text)
    if found is None:
        return None
    if segment.suffixed and found.groups()[-1] == "/":
        raise Undecided
    values = [found.group(number) for number in segment.groups]
    return _walk(segment.node, parts, following, texts + values, method)


def _end(node: Node, texts: list[str], method: str) -> Match | None:
    for leaf in node.leaves:
        if leaf.methods is None or method in leaf.methods:
            found = leaf.match(texts)
            if found is None:
                break
            return found
    if node.leaves or "" in node.static:
        # A rule for another method, a value that its converter refuses, or the same path with a slash.
        raise Undecided
    return None


def _collect_methods(node: Node, parts: list[str], index: int, method: str, methods: list[set[str]]) -> None:
    """Add the methods of each rule that a path leads to from a node, in the order of Werkzeug's matcher."""
    if index == len(parts):
        _add_methods(node, method, methods)
        return
    part = parts[index]
    if (child := node.static.get(part)) is not None:
        _collect_methods(child, parts, index + 1, method, methods)
    for segment in node.dynamic:
        if segment.accepts is not None:
            if segment.accepts(part):
                _collect_methods(segment.node, parts, index + 1, method, methods)
            continue
        found = segment.find("/".join(parts[index:]) if segment.final else part)
        if found is not None:
            if segment.suffixed and found.groups()[-1] == "/":
                raise Undecided
            following = len(parts) if segment.final else index + 1
            _collect_methods(segment.node, parts, following, method, methods)
    if not part and index == len(parts) - 1 and node.leaves:
        raise Undecided


def _add_methods(node: Node, method: str, methods: list[set[str]]) -> None:
    for leaf in node.leaves:
        if leaf.rule.websocket or leaf.rule.methods is None or method in leaf.rule.methods:
            raise Undecided
        methods.append(leaf.rule.methods)
    if "" in node.static and any(
        leaf.rule.methods is None or method in leaf.rule.methods for leaf in node.static[""].leaves
    ):
        # The same path with a slash.
        raise Undecided
