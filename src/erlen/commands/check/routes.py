"""Checks of the URL map: rules that no request reaches, and rules that can only fail."""

from __future__ import annotations

import inspect
import secrets
import string
import typing as t
import uuid

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.routing.converters import (
    AnyConverter,
    FloatConverter,
    IntegerConverter,
    PathConverter,
    UnicodeConverter,
    UUIDConverter,
)

from ...cli.routes.foreign import foreign_variables, in_words, rule_meant
from ...views import MethodView, View
from .model import Finding, Subject
from .surroundings import place_of

# So many random paths of a rule are tried. One that another rule takes by chance is among them perhaps; all are not.
_TRIALS = 4

# Characters of a variable without limits.
_USUAL = 12


def shadowed(subject: Subject) -> t.Iterator[Finding]:
    """Find rules whose requests another rule answers, all of them.

    Werkzeug itself is asked: paths of the rule are made with random values, and matched against the whole map.
    """
    for rule in _answering_rules(subject):
        paths = _sample_paths(rule)
        methods = sorted((rule.methods or {"GET"}) - {"HEAD", "OPTIONS"})
        taken = [(method, other) for method in methods if (other := _taker(subject, rule, paths, method))]
        if not taken or len(taken) < len(methods):
            continue
        other = taken[0][1]
        views = subject.app.view_functions
        if other.endpoint == rule.endpoint:
            yield Finding(
                f"The rule {rule.rule!r} of {rule.endpoint!r} is registered twice; the second one is never used.",
                f"# Remove one of the two registrations of {rule.rule!r}.",
                "info",
            )
            continue
        yield Finding(
            f"No request reaches {rule.endpoint!r}{place_of(views.get(rule.endpoint), subject.folder)}: its rule "
            f"{rule.rule!r} ({', '.join(methods)}) is matched after {other.rule!r} of {other.endpoint!r}"
            f"{place_of(views.get(other.endpoint), subject.folder)}, which takes every path of it.",
            f"# Give one of the two another path or other methods, or remove\n# {rule.endpoint!r}.",
        )


def unmatchable(subject: Subject) -> t.Iterator[Finding]:
    """Find rules of subdomains that are not looked at."""
    app = subject.app
    if app.url_map.host_matching:
        return
    for rule in _answering_rules(subject):
        if rule.subdomain == app.url_map.default_subdomain or not rule.subdomain:
            continue
        if not app.subdomain_matching:
            fix = f"app = {type(app).__name__}(__name__, subdomain_matching=True)"
            yield Finding(
                f"No request reaches {rule.endpoint!r}: its rule {rule.rule!r} is for the subdomain "
                f"{rule.subdomain!r}, and subdomains are not matched.",
                f'{fix}\napp.config["SERVER_NAME"] = "example.com"',
            )
        elif subject.config["SERVER_NAME"] is None:
            yield Finding(
                f"No request reaches {rule.endpoint!r}: its rule {rule.rule!r} is for the subdomain "
                f"{rule.subdomain!r}, and without SERVER_NAME nothing says what it is a subdomain of.",
                'app.config["SERVER_NAME"] = "example.com"',
            )


def braces(subject: Subject) -> t.Iterator[Finding]:
    """Find rules with variables in another framework's spelling, ``{id}`` or ``:id``."""
    for rule in subject.app.url_map.iter_rules():
        foreign = [] if rule.build_only else foreign_variables(rule)
        if foreign:
            where = place_of(subject.app.view_functions.get(rule.endpoint), subject.folder)
            yield Finding(
                f"The rule {rule.rule!r} of {rule.endpoint!r}{where} takes that very text alone: {in_words(foreign)}.",
                f"# in place of {rule.rule!r}:\n{rule_meant(rule)!r}",
            )


def without_view(subject: Subject) -> t.Iterator[Finding]:
    """Find rules whose endpoint has no view: each request to them fails with 500."""
    for rule in _answering_rules(subject):
        if rule.endpoint not in subject.app.view_functions:
            yield Finding(
                f"The rule {rule.rule!r} names the endpoint {rule.endpoint!r}, and no view has that name: each request "
                f"to it ends in an error.",
                f"@app.endpoint({rule.endpoint!r})  # above the view that answers it",
            )


def unanswered(subject: Subject) -> t.Iterator[Finding]:
    """Find class-based views that have no method for what their rule accepts."""
    for rule in _answering_rules(subject):
        view = subject.app.view_functions.get(rule.endpoint)
        cls = getattr(view, "view_class", None)
        if not (inspect.isclass(cls) and issubclass(cls, View)):
            continue
        where = place_of(view, subject.folder)
        if cls.dispatch_request is View.dispatch_request:
            yield Finding(
                f"The class {cls.__name__}{where} answers {rule.rule!r} and has no 'dispatch_request': each request "
                f"ends in an error.",
                "def dispatch_request(self, ...): ...",
            )
        elif cls.dispatch_request is MethodView.dispatch_request:
            accepted = {method.lower() for method in rule.methods or ()} - {"options", "head"}
            for missing in sorted(name for name in accepted if not hasattr(cls, name)):
                yield Finding(
                    f"The rule {rule.rule!r} accepts {missing.upper()}, and the class {cls.__name__}{where} has no "
                    f"method of that name: such a request ends in an error.",
                    f"def {missing}(self, ...): ...",
                )


def _answering_rules(subject: Subject) -> t.Iterator[Rule]:
    for rule in subject.app.url_map.iter_rules():
        if not rule.build_only and rule.redirect_to is None:
            yield rule


def _taker(subject: Subject, rule: Rule, paths: list[str], method: str) -> Rule | None:
    """Return the rule that answers all paths of a rule in its place, ``None`` where there is none."""
    url_map = subject.app.url_map
    if url_map.host_matching:
        adapter = url_map.bind(rule.host or "localhost")
    else:
        adapter = url_map.bind("localhost", subdomain=rule.subdomain)
    found: list[Rule] = []
    for path in paths:
        try:
            answering, _ = adapter.match(path, method, return_rule=True, websocket=rule.websocket)
        except HTTPException:
            # A redirect, or a value that a converter refuses: nobody else has taken it.
            return None
        if answering is rule or (found and answering is not found[0]):
            return None
        found.append(answering)
    # Only now, as it costs a map: whether these are paths of the rule at all.
    return found[0] if found and _takes_alone(url_map, rule, paths, method) else None


def _takes_alone(url_map: t.Any, rule: Rule, paths: list[str], method: str) -> bool:
    alone = Map([rule.empty()], host_matching=url_map.host_matching, converters=url_map.converters)
    adapter = (
        alone.bind(rule.host or "localhost")
        if url_map.host_matching
        else alone.bind("localhost", subdomain=rule.subdomain)
    )
    try:
        return all(adapter.match(path, method, websocket=rule.websocket) for path in paths)
    except HTTPException:
        return False


def _sample_paths(rule: Rule) -> list[str]:
    """Return paths that a rule is for; none where a converter is not Werkzeug's own, or the host has variables."""
    if "<" in (rule.subdomain or "") + (rule.host or ""):
        return []
    converters: dict[str, t.Any] = t.cast(t.Any, rule)._converters
    if any(type(converter) not in _SAMPLES for converter in converters.values()):
        return []
    paths: list[str] = []
    items = [len(getattr(converter, "items", ())) for converter in converters.values()]
    for number in range(max(_TRIALS, *items) if items else 1):
        values = {name: _SAMPLES[type(one)](one, number) for name, one in converters.items()}
        texts = [values[text] if is_variable else text for is_variable, text in t.cast(t.Any, rule)._trace]
        # Before the first bar stands the host or subdomain.
        paths.append("".join(texts).partition("|")[2])
    return paths


def _letters(count: int) -> str:
    return "".join(secrets.choice(string.ascii_letters) for _ in range(count))


def _text(converter: t.Any, number: int) -> str:
    # Its limits stand in its expression alone: '.{2}' or '.{1,}' or '.{1,5}'.
    limits = converter.regex.partition("{")[2].partition("}")[0].split(",")
    wanted = max(int(limits[0] or 1), _USUAL)
    return _letters(min(wanted, int(limits[-1])) if limits[-1] else wanted)


def _path(converter: t.Any, number: int) -> str:
    return "/".join(_letters(_USUAL) for _ in range(number + 1))


def _item(converter: t.Any, number: int) -> str:
    items: list[str] = sorted(converter.items)
    return items[number % len(items)]


def _whole_number(converter: t.Any, number: int) -> str:
    lowest = 0 if converter.min is None else converter.min
    highest = lowest + 1_000_000 if converter.max is None else converter.max
    value = int(lowest) + secrets.randbelow(max(int(highest - lowest), 0) + 1)
    return str(value).zfill(getattr(converter, "fixed_digits", 0))


# How a random text is made that a converter accepts; classes derived from these may accept anything.
_SAMPLES: dict[type, t.Callable[[t.Any, int], str]] = {
    UnicodeConverter: _text,
    PathConverter: _path,
    AnyConverter: _item,
    UUIDConverter: lambda converter, number: str(uuid.uuid4()),
    IntegerConverter: _whole_number,
    FloatConverter: lambda converter, number: f"{_whole_number(converter, number)}.0",
}
