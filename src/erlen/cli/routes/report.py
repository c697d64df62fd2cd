"""What ``erlen routes --match`` prints."""

from __future__ import annotations

import json
import typing as t
from urllib.parse import urlsplit

import click
from werkzeug.routing import Rule

from ...typing import Application
from .describe import blueprint_of, methods_of, plain, rule_as_json, view_in_words, view_of
from .matching import Answer, ask
from .reasons import LIMIT, Other, others
from .tables import echo_table

_WIDTH = 11


def show_match(application: Application, url: str, method: str, *, websocket: bool, as_json: bool) -> int:
    """Print what answers a URL, and why other rules do not; return the exit code.

    :param application: the application.
    :param url: a path or a whole URL.
    :param method: in upper case.
    :param websocket: whether the handshake of a WebSocket is asked for.
    :param as_json: print JSON.
    :return: 0 when a rule answers, with its view or with a redirect; else 1.
    :raises click.BadParameter: for what is no URL.
    """
    answer = ask(application, url, method, websocket=websocket)
    near = others(application, answer)
    there = _follow(application, answer)
    if as_json:
        click.echo(json.dumps(_as_json(application, answer, near, there), indent=2))
    else:
        _echo(application, answer, near, there)
    return 0 if answer.status in {"matched", "redirect"} else 1


def _follow(application: Application, answer: Answer) -> Answer | None:
    """Return what is found where a redirect leads, if that is of this application."""
    if answer.location is None or urlsplit(answer.location).netloc != urlsplit(answer.url).netloc:
        return None
    return ask(application, answer.location, answer.method, websocket=answer.websocket)


def _echo(application: Application, answer: Answer, near: list[Other], there: Answer | None) -> None:
    asked = "WebSocket" if answer.websocket else answer.method
    click.echo(f"{asked} {answer.url}")
    if answer.rule is not None and answer.error is None:
        _echo_rule(application, answer, answer.rule)
    else:
        click.secho(_refusal(answer), fg="yellow" if answer.location else "red", bold=True)
        if there is not None and there.rule is not None:
            click.echo(f"There {there.rule.endpoint!r} answers, by the rule {there.rule.rule!r}.")
    for hint in answer.hints:
        click.echo(hint)
    if not near:
        if answer.status == "not_found":
            click.echo("No rule is near. 'erlen routes' lists all of them.")
        return
    click.echo(f"\n{_heading(answer, near)}\n")
    shown = near[:LIMIT]
    columns = {"Rule": [other.rule.rule for other in shown]}
    domains = [other.rule.host or other.rule.subdomain or "" for other in shown]
    if any(domains):
        columns["Host" if application.url_map.host_matching else "Subdomain"] = domains
    columns["Endpoint"] = [str(other.rule.endpoint) for other in shown]
    columns["Why"] = ["; ".join(reason.message for reason in other.reasons) for other in shown]
    echo_table(columns)
    if len(near) > LIMIT:
        click.echo(f"\n{len(near) - LIMIT} more are near; '--json' has all of them.")


def _heading(answer: Answer, near: list[Other]) -> str:
    if answer.location is not None:
        return "Why:"
    kinds = {reason.kind for other in near for reason in other.reasons}
    if kinds <= {"similar", "prefix", "case"}:
        return "Was one of these meant?"
    return "Why others do not answer:" if answer.rule is not None else "The nearest rules:"


def _echo_rule(application: Application, answer: Answer, rule: Rule) -> None:
    view = view_of(application, rule.endpoint, answer.method)
    lines = {"Rule": rule.rule, "Methods": methods_of(rule, every=True), "Endpoint": str(rule.endpoint)}
    if (blueprint := blueprint_of(application, rule)) is not None:
        lines["Blueprint"] = blueprint
    name, place = ("none is registered for this endpoint: a request fails", "")
    if view is not None:
        name, place = view_in_words(application, rule.endpoint, view)
    lines["View"] = name
    if place:
        lines["File"] = place
    if answer.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
        lines["View"] = "not called: OPTIONS is answered by the application itself"
    if answer.values:
        lines["Arguments"] = ", ".join(
            f"{name}={value!r} ({type(value).__name__})" for name, value in answer.values.items()
        )
    for title, text in lines.items():
        click.echo(f"  {title.ljust(_WIDTH)}{click.style(text, bold=title == 'Endpoint')}")


def _refusal(answer: Answer) -> str:
    """Return the response in a sentence."""
    error = answer.error
    assert error is not None
    if answer.location is not None:
        return f"{error.code} {error.name}, to {answer.location}"
    text = f"{error.code} {error.name}"
    if answer.allowed_methods:
        return f"{text}. Allowed: {', '.join(answer.allowed_methods)}."
    if answer.status == "websocket_mismatch":
        return (
            f"{text}. This address speaks HTTP, and no WebSocket."
            if answer.websocket
            else f"{text}. This address speaks WebSocket: ask with '--websocket'."
        )
    return text if answer.status == "not_found" else f"{text}. {error.description}"


def _as_json(
    application: Application, answer: Answer, near: list[Other], there: Answer | None
) -> dict[str, t.Any]:
    rule = answer.rule
    return {
        "method": answer.method,
        "url": answer.url,
        "websocket": answer.websocket,
        "status": answer.status,
        "code": None if answer.error is None else answer.error.code,
        "route": None if rule is None else rule_as_json(application, rule, answer.method),
        "arguments": {
            name: {"value": plain(value), "type": type(value).__name__}
            for name, value in answer.values.items()
        },
        "allowed_methods": answer.allowed_methods,
        "location": answer.location,
        "location_endpoint": None if there is None or there.rule is None else str(there.rule.endpoint),
        "hints": answer.hints,
        "others": [
            {
                "route": rule_as_json(application, other.rule),
                "reasons": [reason._asdict() for reason in other.reasons],
            }
            for other in near
        ],
    }
