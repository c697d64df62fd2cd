"""Reads Werkzeug's state machine for a map and mirrors it into nodes (see ``matcher.py``).

The order of states, rules and transitions is taken over as it stands there, so what the walk finds is what
Werkzeug would find; ``tests/test_routing.py`` compares both on generated maps and paths.
"""

from __future__ import annotations

import re
import typing as t

from werkzeug.routing import BaseConverter, IntegerConverter, Map, Rule
from werkzeug.routing.converters import DEFAULT_CONVERTERS

from .matcher import Leaf, Node, Routes, Segment


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
    return Routes(_node_of(domain, url_map), plain, url_map.merge_slashes)


def _expression_of(variable: str) -> str:
    """Return the expression that Werkzeug makes for a variable that is a whole segment."""
    rule = Rule(f"/{variable}", endpoint="endpoint")
    Map([rule])
    return t.cast(str, t.cast(t.Any, rule)._parts[-1].content)


# PERF: int parameter: expressions that a method of str answers as well, in a fifth of the time. A segment holds no
# slash, so that any text but the empty one is a value of ``<name>``; ``\d`` is what ``isdecimal`` accepts.
_PLAIN: dict[str, t.Callable[[str], bool]] = {
    _expression_of("<name>"): bool,
    _expression_of("<int:name>"): str.isdecimal,
}


def _node_of(state: t.Any, url_map: Map) -> Node:
    return Node(
        static={text: _node_of(child, url_map) for text, child in state.static.items()},
        dynamic=[_segment_of(part, child, url_map) for part, child in state.dynamic],
        leaves=[_leaf_of(rule, url_map) for rule in state.rules],
    )


def _segment_of(part: t.Any, state: t.Any, url_map: Map) -> Segment:
    expression = re.compile(part.content)
    ours = {
        int(name.removeprefix("__werkzeug_")): number
        for name, number in expression.groupindex.items()
        if name.startswith("__werkzeug_")
    }
    return Segment(
        accepts=None if part.final or part.suffixed else _PLAIN.get(part.content),
        find=expression.match,
        groups=tuple(ours[position] for position in sorted(ours)),
        final=part.final,
        suffixed=part.suffixed,
        node=_node_of(state, url_map),
    )


def _leaf_of(rule: Rule, url_map: Map) -> Leaf:
    variables: dict[str, BaseConverter] = t.cast(t.Any, rule)._converters
    defaults = dict(rule.defaults or {})
    converters = {name: _to_python(converter) for name, converter in variables.items()}
    quick, certain = None, _is_certain(rule, url_map)
    if len(converters) == 1 and not defaults and certain:
        ((name, to_python),) = converters.items()
        quick = (name, to_python or str)
    return Leaf(
        rule=rule,
        methods=None if rule.methods is None else frozenset(rule.methods),
        certain=certain,
        names=tuple(converters),
        converters=tuple(converters.values()),
        defaults=defaults,
        overlaps=not defaults.keys().isdisjoint(converters),
        quick=quick,
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
