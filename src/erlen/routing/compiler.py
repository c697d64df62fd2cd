"""Reads Werkzeug's state machine for a map and mirrors it into nodes (see ``matcher.py``).

The order of states, rules and transitions is taken over as it stands there, so what the walk finds is what
Werkzeug would find; ``tests/test_routing.py`` compares both on generated maps and paths.
"""

from __future__ import annotations

import re
import typing as t
from functools import cache

from werkzeug.routing import BaseConverter, IntegerConverter, Map, Rule
from werkzeug.routing.converters import DEFAULT_CONVERTERS

from .matcher import Leaf, Node, Routes, Segment

T = t.TypeVar("T")


def compile_routes(url_map: Map) -> Routes | None:
    """Compile a map, or return ``None`` where every request has to be matched by Werkzeug.

    :param url_map: the map; rules added later need another compilation.
    """
    if url_map.host_matching:
        return None
    url_map.update()
    # The state machine is not part of Werkzeug's public API: where a release keeps it elsewhere, its own matcher
    # answers everything.
    root = getattr(getattr(url_map, "_matcher", None), "_root", None)
    domain = getattr(root, "static", {}).get(url_map.default_subdomain)
    if domain is None:
        return None
    converters = [
        converter for rule in url_map.iter_rules() for converter in t.cast(t.Any, rule)._converters.values()
    ]
    plain = all(type(converter) in DEFAULT_CONVERTERS.values() for converter in converters)
    return Routes(_Compiler(url_map).node_of(domain), plain)


def _expression_of(variable: str) -> str:
    """Return the expression that Werkzeug makes for a variable that is a whole segment."""
    rule = Rule(f"/{variable}", endpoint="endpoint")
    Map([rule])
    return t.cast(str, t.cast(t.Any, rule)._parts[-1].content)


# PERF: int parameter: expressions that a method of str answers as well, in a fifth of the time. A segment holds no
# slash, so that any text but the empty one is a value of ``<name>``; ``\d`` is what ``isdecimal`` accepts.
@cache
def _plain() -> dict[str, t.Callable[[str], bool]]:
    return {_expression_of("<name>"): bool, _expression_of("<int:name>"): str.isdecimal}


# What most nodes and leaves have, once. Nobody changes them.
_NOTHING: dict[str, t.Any] = {}


class _Compiler:
    """Makes the nodes of a map.

    PERF: 5,000 routes: what is equal in many of them is one object: 0.6 KB a route instead of 1.5.

    :param url_map: the map.
    """

    def __init__(self, url_map: Map) -> None:
        self._map = url_map
        self._kept: dict[t.Any, t.Any] = {}

    def _one(self, value: T) -> T:
        """Return the first of equal values."""
        return t.cast("T", self._kept.setdefault(value, value))

    def node_of(self, state: t.Any) -> Node:
        """Return the node for a state, with all that follow it."""
        static = {text: self.node_of(child) for text, child in state.static.items()}
        return Node(
            static=static or _NOTHING,
            dynamic=tuple(self._segment_of(part, child) for part, child in state.dynamic),
            leaves=tuple(self._leaf_of(rule) for rule in state.rules),
        )

    def _segment_of(self, part: t.Any, state: t.Any) -> Segment:
        find, groups = self._expression(part.content)
        return Segment(
            accepts=None if part.final or part.suffixed else _plain().get(part.content),
            find=find,
            groups=groups,
            final=part.final,
            suffixed=part.suffixed,
            node=self.node_of(state),
        )

    def _expression(self, content: str) -> tuple[t.Callable[[str], t.Any], tuple[int, ...]]:
        """Return what matches an expression, and the numbers of its groups that are values."""
        known = self._kept.get(content)
        if known is None:
            expression = re.compile(content)
            ours = {
                int(name.removeprefix("__werkzeug_")): number
                for name, number in expression.groupindex.items()
                if name.startswith("__werkzeug_")
            }
            groups = tuple(ours[position] for position in sorted(ours))
            known = self._kept[content] = expression.match, groups
        return t.cast("tuple[t.Callable[[str], t.Any], tuple[int, ...]]", known)

    def _leaf_of(self, rule: Rule) -> Leaf:
        variables: dict[str, BaseConverter] = t.cast(t.Any, rule)._converters
        defaults = dict(rule.defaults) if rule.defaults else _NOTHING
        converters = {name: _to_python(converter) for name, converter in variables.items()}
        # What others have made may not be hashable.
        are_ours = all(one is None or one is int for one in converters.values())
        quick, certain = None, _is_certain(rule, self._map)
        if len(converters) == 1 and not defaults and certain:
            ((name, to_python),) = converters.items()
            quick = (name, to_python or str)
        return Leaf(
            rule=rule,
            methods=None if rule.methods is None else self._one(frozenset(rule.methods)),
            certain=certain,
            names=self._one(tuple(converters)),
            converters=self._one(tuple(converters.values())) if are_ours else tuple(converters.values()),
            defaults=defaults,
            overlaps=not defaults.keys().isdisjoint(converters),
            quick=self._one(quick) if are_ours else quick,
        )


def _to_python(converter: t.Any) -> t.Callable[[str], t.Any] | None:
    if type(converter).to_python is BaseConverter.to_python:
        return None
    options = (converter.fixed_digits, converter.min, converter.max) if _is_integer(converter) else None
    if options == (0, None, None):
        # Nothing is left of it to check.
        return int
    return t.cast("t.Callable[[str], t.Any]", converter.to_python)


def _is_integer(converter: t.Any) -> bool:
    return type(converter) is IntegerConverter


def _is_certain(rule: Rule, url_map: Map) -> bool:
    """Return whether nothing follows a match of this rule: no redirect, no alias, no WebSocket."""
    if rule.websocket or rule.redirect_to is not None:
        return False
    if not url_map.redirect_defaults:
        return True
    if rule.alias:
        return False
    for other in url_map.iter_rules(rule.endpoint):
        if other is rule:
            break
        if other.provides_defaults_for(rule):
            return False
    return True
