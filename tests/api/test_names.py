"""Every public name of Flask is here, under the same module, and takes the same calls."""

from __future__ import annotations

import importlib
import json
import tomllib
import typing as t
from importlib import metadata
from pathlib import Path

import pytest

from api_calls import call_problems, class_problems, parse, refused_calls
from api_table import ATTRIBUTE, TABLE, Entry, Table, describe_package

HERE = Path(__file__).parent
CONTENT: dict[str, t.Any] = json.loads(TABLE.read_text(encoding="utf-8"))
NAMES: Table = CONTENT["modules"]
DIFFERENCES: dict[str, str] = {
    entry["name"]: entry["reason"]
    for entry in tomllib.loads((HERE / "differences.toml").read_text(encoding="utf-8")).get("difference", [])
}


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
