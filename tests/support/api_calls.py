"""Whether a name of ours takes the calls that Flask's takes."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import typing as t

import erlen
from api_table import ATTRIBUTE, members_of, signature_of


class Parameters(t.NamedTuple):
    """The parameters of a signature, sorted by how a call may pass them."""

    positional: list[str]
    positional_only: int
    keyword_only: list[str]
    defaults: dict[str, str]
    takes_any_positional: bool
    takes_any_keyword: bool

    @property
    def keywords(self) -> set[str]:
        return {*self.positional[self.positional_only :], *self.keyword_only}


def parse(signature: str) -> Parameters:
    definition = ast.parse(f"def function{signature}: ...").body[0]
    assert isinstance(definition, ast.FunctionDef)
    arguments = definition.args
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    first_default = len(positional) - len(arguments.defaults)
    defaults = {
        name: ast.unparse(default)
        for name, default in zip(positional[first_default:], arguments.defaults, strict=True)
    }
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            defaults[argument.arg] = ast.unparse(default)
    return Parameters(
        positional,
        len(arguments.posonlyargs),
        [argument.arg for argument in arguments.kwonlyargs],
        defaults,
        arguments.vararg is not None,
        arguments.kwarg is not None,
    )


def refused_calls(theirs: Parameters, ours: Parameters) -> t.Iterator[str]:
    """Yield what a call that ``theirs`` accepts may do and ``ours`` does not allow."""
    if theirs.takes_any_positional and not ours.takes_any_positional:
        yield "does not take any number of arguments"
    if theirs.takes_any_keyword and not ours.takes_any_keyword:
        yield "does not take any keyword argument"
    for position, name in enumerate(theirs.positional):
        if position >= len(ours.positional):
            if not ours.takes_any_positional:
                yield f"does not take {name!r} as argument {position + 1}"
        elif position >= theirs.positional_only and ours.positional[position] != name:
            yield f"argument {position + 1} is {ours.positional[position]!r}, not {name!r}"
    for name in sorted(theirs.keywords - ours.keywords):
        if not ours.takes_any_keyword:
            yield f"does not take the keyword {name!r}"
    required = {*ours.positional, *ours.keyword_only} - ours.defaults.keys()
    given = {*theirs.positional, *theirs.keyword_only} - theirs.defaults.keys()
    positions = {ours.positional[i] for i in range(min(theirs.positional_only, len(ours.positional)))}
    for name in sorted(required - given - positions):
        yield f"requires {name!r}"
    for name, default in theirs.defaults.items():
        own = ours.defaults.get(name, default)
        if own != default and "..." not in {own, default}:
            yield f"the default of {name!r} is {own}, not {default}"


def call_problems(theirs: str, value: t.Any) -> list[str]:
    ours = signature_of(value) if callable(value) else None
    if ours is None:
        return [f"cannot be called as {theirs}"]
    return list(refused_calls(parse(theirs), parse(ours)))


def live_attributes() -> dict[str, set[str]]:
    """Return what instances have that no class shows, for the classes that collect their attributes in steps."""
    app = erlen.Erlen("attributes")
    return {"Flask": set(dir(app)), "Blueprint": set(dir(erlen.Blueprint("attributes", "attributes")))}


def class_problems(name: str, entry: dict[str, t.Any], cls: type) -> dict[str, list[str]]:
    problems: dict[str, list[str]] = {}
    if not inspect.isclass(cls):
        return {"": ["is not a class"]}
    if entry["signature"] is not None:
        problems[""] = call_problems(entry["signature"], cls)
    bases = [t.cast("type", pkgutil.resolve_name(base)) for base in entry["bases"]]
    problems.setdefault("", []).extend(f"is no {base}" for base in bases if not issubclass(cls, base))
    attributes = {*members_of(cls), *dir(cls), *live_attributes().get(name, ())}
    for member, signature in entry["members"].items():
        if member not in attributes:
            problems[f".{member}"] = ["is missing"]
        elif signature != ATTRIBUTE:
            problems[f".{member}"] = call_problems(signature, getattr(cls, member, None))
    return problems
