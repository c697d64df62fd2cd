"""The list of all routes."""

from __future__ import annotations

import json
import typing as t

import click
from werkzeug.routing import Rule

from ...typing import Application
from .describe import methods_of, notes_of, rule_as_json, view_in_words, view_of
from .tables import echo_table


def show_routes(
    application: Application, *, sort: str, all_methods: bool, verbose: bool, as_json: bool
) -> None:
    """Print the routes of an application.

    :param application: the application.
    :param sort: the column to sort by; ``"match"`` is the order in which rules are tried.
    :param all_methods: name HEAD and OPTIONS as well.
    :param verbose: name the views.
    :param as_json: print JSON.
    """
    rules: list[Rule] = list(application.url_map.iter_rules())
    keys: dict[str, t.Callable[[Rule], t.Any]] = {
        "endpoint": lambda rule: str(rule.endpoint),
        "methods": lambda rule: sorted(rule.methods or ()),
        "domain": lambda rule: rule.host or rule.subdomain or "",
        "rule": lambda rule: rule.rule,
        "view": lambda rule: view_of(application, rule.endpoint) or ("", "", 0),
    }
    if sort in keys:
        rules.sort(key=keys[sort])
    else:
        rules = _in_order_of_trial(application, rules)
    if as_json:
        routes = [rule_as_json(application, rule) for rule in rules]
        click.echo(json.dumps({"routes": routes}, indent=2))
    elif rules:
        columns = _columns(application, rules, all_methods=all_methods)
        echo_table(columns, _views(application, rules) if verbose else None)
    else:
        click.echo("No routes were registered.")


def _in_order_of_trial(application: Application, rules: list[Rule]) -> list[Rule]:
    """Return rules as Werkzeug's matcher comes to them; behind them those that it never tries, which only build URLs."""
    tried: list[Rule] = []

    def walk(state: t.Any) -> None:
        tried.extend(state.rules)
        for following in state.static.values():
            walk(following)
        for _, following in state.dynamic:
            walk(following)

    # Iterating over the rules has sorted them. A map of somebody's own need not have this.
    root = getattr(getattr(application.url_map, "_matcher", None), "_root", None)
    if root is not None:
        walk(root)
    known = set(map(id, tried))
    return tried + [rule for rule in rules if id(rule) not in known]


def _columns(application: Application, rules: list[Rule], *, all_methods: bool) -> dict[str, list[str]]:
    columns = {
        "Endpoint": [str(rule.endpoint) for rule in rules],
        "Methods": [methods_of(rule, every=all_methods) for rule in rules],
    }
    matches_hosts = application.url_map.host_matching
    domains = [(rule.host if matches_hosts else rule.subdomain) or "" for rule in rules]
    if any(domains):
        columns["Host" if matches_hosts else "Subdomain"] = domains
    columns["Rule"] = [rule.rule for rule in rules]
    notes = [notes_of(rule) for rule in rules]
    if any(notes):
        columns["Notes"] = notes
    return columns


def _views(application: Application, rules: list[Rule]) -> dict[str, list[str]]:
    views = [view_of(application, rule.endpoint) for rule in rules]
    # These need none.
    lacks = ["" if rule.build_only or rule.redirect_to is not None else "none registered" for rule in rules]
    cells = [
        (lack, "") if view is None else view_in_words(application, rule.endpoint, view)
        for rule, view, lack in zip(rules, views, lacks, strict=True)
    ]
    return {"View": [name for name, _ in cells], "File": [place for _, place in cells]}
