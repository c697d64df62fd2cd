"""Every public name of Flask is here, under the same module, and takes the same calls."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pkgutil
import tomllib
import typing as t
from importlib import metadata
from pathlib import Path

import pytest

import erlen
from api_table import ATTRIBUTE, TABLE, Entry, Table, describe_package, members_of, signature_of

HERE = Path(__file__).parent
CONTENT: dict[str, t.Any] = json.loads(TABLE.read_text(encoding="utf-8"))
NAMES: Table = CONTENT["modules"]
DIFFERENCES: dict[str, str] = {
    entry["name"]: entry["reason"]
    for entry in tomllib.loads((HERE / "differences.toml").read_text(encoding="utf-8")).get("difference", [])
}


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


def problems_of(module_name: str) -> dict[str, list[str]]:
    """Return what is wrong with each name of a module, by the name it has in Flask."""
    own_module = importlib.import_module("erlen" + module_name[len("flask") :])
    found: dict[str, list[str]] = {}
    for name, entry in NAMES[module_name].items():
        own_name = "Erlen" if name == "Flask" else name
        if not hasattr(own_module, own_name):
            found[f"{module_name}.{name}"] = ["is missing"]
            continue
        value = getattr(own_module, own_name)
        if isinstance(entry, dict):
            for member, problems in class_problems(name, entry, value).items():
                found[f"{module_name}.{name}{member}"] = problems
        elif entry != ATTRIBUTE:
            found[f"{module_name}.{name}"] = call_problems(entry, value)
    return {name: problems for name, problems in found.items() if problems}


def test_the_table_is_what_flask_has() -> None:
    """When this fails, a newer Flask is installed: run `make api-table` and look at the difference."""
    assert metadata.version("flask") == CONTENT["flask"]
    assert describe_package("flask") == NAMES


@pytest.mark.parametrize("module_name", sorted(NAMES))
def test_every_name_of(module_name: str) -> None:
    problems = {name: found for name, found in problems_of(module_name).items() if name not in DIFFERENCES}
    assert not problems, "\n".join(f"{name}: {'; '.join(found)}" for name, found in problems.items())


def test_the_listed_differences_are_differences() -> None:
    different = {name for module_name in NAMES for name in problems_of(module_name)}
    assert sorted(DIFFERENCES.keys() - different) == []
    assert all(reason.strip() for reason in DIFFERENCES.values())


@pytest.mark.parametrize(
    ("theirs", "ours", "problem"),
    [
        ("(a, b=None)", "(a, b=None, c=1)", ""),
        ("(a, b=None)", "(a, b=None, *, c=1)", ""),
        ("(a, b=None)", "(*args, **kwargs)", ""),
        ("(a, /)", "(b, /)", ""),
        ("(a, *, b)", "(a, b)", ""),
        ("(a, b=None)", "(a)", "does not take 'b' as argument 2"),
        ("(a, b)", "(b, a)", "argument 1 is 'b', not 'a'"),
        ("(a)", "(a, b)", "requires 'b'"),
        ("(a=None)", "(a)", "requires 'a'"),
        ("(a=None)", "(a=1)", "the default of 'a' is 1, not None"),
        ("(a)", "(a, /)", "does not take the keyword 'a'"),
        ("(**options)", "()", "does not take any keyword argument"),
        ("(*args)", "()", "does not take any number of arguments"),
    ],
)
def test_signatures_are_compared_by_the_calls_they_take(theirs: str, ours: str, problem: str) -> None:
    assert [*refused_calls(parse(theirs), parse(ours)), ""][0] == problem


def test_an_entry_is_a_signature_a_class_or_an_attribute() -> None:
    entries: list[Entry] = [entry for names in NAMES.values() for entry in names.values()]
    assert all(isinstance(entry, dict) or entry == ATTRIBUTE or parse(entry) for entry in entries)
