"""Builds the URLs of common rules, without what Werkzeug's ``MapAdapter.build`` decides anew for each URL.

Only what is certain is built here; everything else (host matching, variables in a subdomain, WebSockets, values that no
rule fits ...) is left to Werkzeug, which builds the URL or raises its error.
``tests/test_building.py`` compares both on generated rules and values.
"""

from __future__ import annotations

import re
import string
import typing as t
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, quote_plus

from werkzeug.routing import BaseConverter, IntegerConverter, Map, MapAdapter, Rule

from .matcher import Undecided

Values: t.TypeAlias = t.Mapping[str, t.Any]
Write: t.TypeAlias = t.Callable[[t.Any], str]


@dataclass(slots=True, eq=False, repr=False)
class Builder:
    """What the URL of an endpoint with one rule is made of.

    :param domain: the subdomain of the rule.
    :param methods: the methods it answers, ``None`` for all.
    :param first: the path up to the first variable, quoted, without slashes in front.
    :param variables: for each variable its name, what writes its value, and the quoted text behind it.
    :param defaults: values that the rule adds, and that no other value may contradict.
    :param names: the names that do not go into the query.
    :param in_query: quotes a name or a value of the query.
    """

    domain: str
    methods: t.AbstractSet[str] | None
    first: str
    variables: tuple[tuple[str, Write, str], ...]
    defaults: dict[str, t.Any]
    names: frozenset[str]
    in_query: Write

    def path(self, values: Values, method: str | None, own_method: str) -> str | None:
        """Return the path with its query, without slashes in front; ``None`` where the values are not of this rule.

        :param values: the values; those that are ``None`` count as missing.
        :param method: the method the rule has to answer, ``None`` for any.
        :param own_method: the method of the request.
        :raises Undecided: for values that Werkzeug has to look at.
        """
        if method is not None and self.methods is not None and method not in self.methods:
            return None
        path = self.first
        try:
            for name, write, behind in self.variables:
                value = values.get(name)
                if value is None:
                    return None
                path = f"{path}{write(value)}{behind}"
        except Exception as error:
            # Which error it is, or whether another rule fits, is Werkzeug's to say.
            raise Undecided from error
        if path[:1] == "/":
            path = path.lstrip("/")
        if not self.defaults:
            return path if len(values) == len(self.variables) else path + self._query(values)
        for name, default in self.defaults.items():
            value = values.get(name)
            if value is not None and default != value:
                return None
        return path + self._query(values)

    def _query(self, values: Values) -> str:
        query, mark, quoted = "", "?", self.in_query
        for name, value in values.items():
            if value is None or name in self.names:
                continue
            if type(name) is not str:
                raise Undecided
            shown = name if name.isidentifier() and name.isascii() else quoted(name)
            kind = type(value)
            for one in value if kind is list or kind is tuple else (value,):
                if type(one) in _WRITTEN_AS_TEXT:
                    query = f"{query}{mark}{shown}={quoted(one)}"
                    mark = "&"
                elif one is not None:
                    raise Undecided
        return query


#: What goes into a query as the text that ``str`` makes of it. Others are Werkzeug's: bytes, and other collections.
_WRITTEN_AS_TEXT = frozenset({str, int, float, bool})


@dataclass(slots=True, eq=False, repr=False)
class SeveralBuilders:
    """What the URLs of an endpoint with several rules are made of.

    :param domain: the subdomain of all of them.
    :param builders: their builders, in the order in which Werkzeug tries them.
    """

    domain: str
    builders: tuple[Builder, ...]

    def path(self, values: Values, method: str | None, own_method: str) -> str | None:
        """Return what :meth:`Builder.path` returns for the first rule that fits."""
        # Werkzeug looks first for a rule of the request's own method; for one of any other it is asked.
        wanted = own_method if method is None else method
        for builder in self.builders:
            path = builder.path(values, wanted, own_method)
            if path is not None:
                return path
        return None


class Builders(dict[str, "Builder | SeveralBuilders | None"]):
    """The builders of a map by endpoint, ``None`` for what Werkzeug has to build.

    Each is made when a URL of its endpoint is first asked for. Threads share them: the dict grows by the endpoints of the
    map, by whichever thread comes first.

    :param url_map: the map; rules added later need another object.
    """

    def __init__(self, url_map: Map) -> None:
        super().__init__()
        self.map = url_map

    def __missing__(self, endpoint: str) -> Builder | SeveralBuilders | None:
        try:
            rules = list(self.map.iter_rules(endpoint))
        except KeyError:
            # Not kept: a name that no rule has may come with a request.
            return None
        made = [_builder_of(rule, self.map) for rule in rules]
        builders = tuple(builder for builder in made if builder is not None)
        builder: Builder | SeveralBuilders | None = None
        if len(rules) == len(builders) == 1:
            builder = builders[0]
        elif len(builders) == len(rules) and len({builder.domain for builder in builders}) == 1:
            builder = SeveralBuilders(builders[0].domain, builders)
        self[endpoint] = builder
        return builder

    def relative(
        self, endpoint: str, values: Values, mount: tuple[str, str, str], method: str | None
    ) -> str | None:
        """Return a URL without scheme and host, ``None`` where Werkzeug has to be asked.

        :param endpoint: the name of the endpoint.
        :param values: the values; those that are ``None`` count as missing.
        :param mount: the path that the application is mounted at, with a slash at its end; the subdomain and the
            method of the request.
        :param method: the method the rule has to answer, ``None`` for any.
        """
        builder = self[endpoint]
        before, domain, own_method = mount
        if builder is None or builder.domain != domain:
            return None
        try:
            path = builder.path(values, method, own_method)
        except Undecided:
            return None
        return None if path is None else before + path

    def absolute(
        self, endpoint: str, values: Values, adapter: MapAdapter, method: str | None, scheme: str | None
    ) -> str | None:
        """Return a URL with scheme and host, ``None`` where Werkzeug has to be asked.

        :param endpoint: the name of the endpoint.
        :param values: the values; those that are ``None`` count as missing.
        :param adapter: an adapter for which :meth:`knows` is true.
        :param method: the method the rule has to answer, ``None`` for any.
        :param scheme: the scheme, ``None`` for the adapter's.
        """
        builder = self[endpoint]
        if builder is None:
            return None
        before = f"//{adapter.get_host(builder.domain)}{adapter.script_name[:-1]}/"
        scheme = adapter.url_scheme if scheme is None else scheme
        if scheme:
            before = ("https:" if scheme in {"https", "wss"} else "http:") + before
        return self.relative(endpoint, values, (before, builder.domain, adapter.default_method), method)

    def knows(self, adapter: t.Any) -> bool:
        """Return whether an adapter is one of the map, and builds as Werkzeug's do."""
        return type(adapter) is MapAdapter and adapter.map is self.map and "build" not in vars(adapter)


def _builder_of(rule: Rule, url_map: Map) -> Builder | None:
    """Return the builder of a rule, ``None`` for one that Werkzeug has to build."""
    special = url_map.host_matching or url_map.sort_parameters or rule.websocket
    # What a rule consists of is not part of Werkzeug's public API: where a release keeps it elsewhere, it builds all
    # URLs itself. The first "|" ends the domain.
    trace: list[tuple[bool, str]] = list(getattr(rule, "_trace", ()))
    if special or not _is_built_plainly(type(rule)) or (False, "|") not in trace:
        return None
    end = trace.index((False, "|"))
    if any(is_variable for is_variable, _ in trace[:end]):
        return None
    quoting = _quoting()
    converters: dict[str, BaseConverter] = t.cast(t.Any, rule)._converters
    defaults = dict(rule.defaults or {})
    texts, variables = [""], list[tuple[str, Write]]()
    for is_variable, text in trace[end + 1 :]:
        if not is_variable:
            texts[-1] += quoting.in_rules(text)
        elif text in defaults:
            texts[-1] += converters[text].to_url(defaults[text])
        else:
            variables.append((text, _writes(converters[text], quoting)))
            texts.append("")
    return Builder(
        domain="".join(quoting.in_rules(text) for _, text in trace[:end]),
        methods=None if rule.methods is None else frozenset(rule.methods),
        first=texts[0].lstrip("/"),
        variables=tuple((*variable, behind) for variable, behind in zip(variables, texts[1:], strict=True)),
        defaults=defaults,
        names=frozenset({*defaults, *(name for name, _ in variables)}),
        in_query=quoting.in_queries,
    )


def _is_built_plainly(cls: type[Rule]) -> bool:
    """Return whether nothing that builds the URLs of a rule is the class's own."""
    names = (
        "_compile_builder",
        "_encode_query_vars",
        "build",
        "build_compare_key",
        "compile",
        "suitable_for",
    )
    return all(getattr(cls, name, None) is getattr(Rule, name, None) for name in names)


def _writes(converter: BaseConverter, quoting: Quoting) -> Write:
    """Return what makes the text of a variable's value, as the converter does."""
    to_url = converter.to_url
    if type(converter).to_url is BaseConverter.to_url:
        return quoting.in_values
    if type(converter) is IntegerConverter and not converter.fixed_digits:
        return lambda value: str(value) if type(value) is int else to_url(value)
    return to_url


class Quoting(t.NamedTuple):
    """What makes text fit for each part of a URL, as Werkzeug does."""

    in_rules: Write
    in_values: Write
    in_queries: Write


@cache
def _quoting() -> Quoting:
    """Return the functions that quote; which characters need none is asked of Werkzeug, as its releases differ."""
    marks = string.punctuation
    bound = Map([Rule(f"/{marks.replace('<', '')}", endpoint="rule")]).bind("localhost")
    return Quoting(
        _quotes(quote, bound.build("rule")),
        _quotes(quote, BaseConverter(bound.map).to_url(marks)),
        _quotes(quote_plus, bound.encode_query_args({"marks": marks}).removeprefix("marks=")),
    )


def _quotes(how: t.Callable[[bytes, str], str], answer: str) -> Write:
    safe = re.sub("%[0-9A-F]{2}", "", answer)
    # PERF: url_for x 10: most values need no quoting, and to find that out by quoting them costs four times as much.
    is_safe = re.compile(f"[A-Za-z0-9{re.escape(safe + '_.-~')}]*").fullmatch
    quoted = _Quoted(how, safe)

    def write(value: t.Any) -> str:
        text = value if type(value) is str else str(value)
        # PERF: url_for x 10: quote itself looks at its arguments for twice as long as it quotes a short text.
        if text.isascii() and (text.isalnum() or is_safe(text)):
            return text
        return "".join([quoted[byte] for byte in text.encode()])

    return write


class _Quoted(dict[int, str]):
    """Each byte as it is written, quoted once.

    :param how: the function of the standard library.
    :param safe: the characters it leaves alone.
    """

    def __init__(self, how: t.Callable[[bytes, str], str], safe: str) -> None:
        super().__init__()
        self._how = how
        self._safe = safe

    def __missing__(self, byte: int) -> str:
        written = self[byte] = self._how(bytes([byte]), self._safe)
        return written
