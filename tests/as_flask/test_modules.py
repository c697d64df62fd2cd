"""Flask's modules and names are there, and are Erlen's."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import pickle
import pkgutil
import sys
import typing as t
import warnings
from importlib import metadata
from pathlib import Path

import flask
import pytest

import erlen
import erlen.app
from api_calls import call_problems, class_problems
from api_table import ATTRIBUTE, TABLE, Table
from erlen.compat.names import KEPT_AS_THEY_ARE, MODULES, NAMES, REMOVED_MODULES, VERSION, Name

FLASKS: Table = json.loads(TABLE.read_text(encoding="utf-8"))["modules"]


@pytest.mark.parametrize("module_name", sorted(FLASKS))
def test_every_public_name_takes_the_calls_that_flasks_takes(module_name: str) -> None:
    module = importlib.import_module(module_name)
    problems: dict[str, t.Any] = {}
    for name, entry in FLASKS[module_name].items():
        value = getattr(module, name)
        if isinstance(entry, dict):
            problems |= {
                f"{name}{key}": found for key, found in class_problems(name, entry, value).items() if found
            }
        elif entry != ATTRIBUTE and (found := call_problems(entry, value)):
            problems[name] = found
    # The one place where a text is read in another encoding, see docs/differences.md.
    problems.pop("Flask.open_resource", None)
    problems.pop("Config.from_prefixed_env", None)
    assert not problems


def test_a_module_is_that_of_erlen() -> None:
    import flask.app
    import flask.json.provider
    import flask.sansio.scaffold

    assert flask.app is sys.modules["erlen.app"]
    assert flask.json.provider is sys.modules["erlen.json.provider"]
    assert flask.sansio.scaffold is sys.modules["erlen.scaffold"]
    assert erlen.app.__spec__ is not None
    assert erlen.app.__spec__.name == "erlen.app"


@pytest.mark.parametrize("module_name", sorted({*FLASKS, *MODULES} - REMOVED_MODULES.keys() - {"flask"}))
def test_every_module_is_the_same_object_as_erlens(module_name: str) -> None:
    own = MODULES.get(module_name) or module_name.replace("flask", "erlen", 1)
    assert importlib.import_module(module_name) is importlib.import_module(own)


def test_what_is_replaced_in_one_is_replaced_in_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flask.helpers.get_debug_flag", lambda: "replaced")
    from erlen.helpers import get_debug_flag

    assert get_debug_flag() == t.cast("t.Any", "replaced")


def test_the_objects_are_the_same() -> None:
    assert flask.request is t.cast("t.Any", erlen.request)
    assert flask.Blueprint is t.cast("t.Any", erlen.Blueprint)
    assert flask.template_rendered is erlen.template_rendered
    assert issubclass(flask.Flask, erlen.Erlen)


def test_types_are_no_strings() -> None:
    """Extensions make other types of them: Flask-Admin ``RouteCallable | None``."""
    module: t.Any = importlib.import_module("flask.typing")
    for name in FLASKS["flask.typing"]:
        if not name.startswith("T_"):
            assert type(None) in t.get_args(getattr(module, name) | None)


def test_submodules_are_attributes_of_the_package() -> None:
    assert t.cast("t.Any", flask).cli is sys.modules["erlen.cli"]
    assert t.cast("t.Any", flask).sansio.app is sys.modules["erlen.app"]


ROWS = [pytest.param(row, id=f"{row.module}.{row.name}") for row in NAMES]


@pytest.mark.parametrize("row", ROWS)
def test_a_name_of_the_table_is_there(row: Name) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module = importlib.import_module(row.module)
        caught.clear()
        value = getattr(module, row.name)
    assert value is not None
    assert row.needed_by
    if not row.removed:
        assert not caught
        return
    assert [one.category for one in caught] == [DeprecationWarning]
    assert caught[0].filename == __file__
    assert str(caught[0].message) == (
        f"'{row.module}.{row.name}' was removed in Flask {row.removed}; 'erlen.as_flask' still has it. "
        f"Use {row.instead!r} instead."
    )


@pytest.mark.parametrize("row", ROWS)
def test_a_name_of_the_table_is_none_that_erlens_module_has_itself(row: Name) -> None:
    """Such a row would have no effect."""
    own = MODULES.get(row.module) or row.module.replace("flask", "erlen", 1)
    spec = None if row.module in {"flask", "flask._compat"} else importlib.util.find_spec(own)
    if spec is None or spec.origin is None:
        return
    body = ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body
    names = {
        alias.asname or alias.name
        for node in body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    names |= {node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert row.name not in names


@pytest.mark.parametrize("name", KEPT_AS_THEY_ARE)
def test_a_private_attribute_that_somebody_needs_is_there(name: str) -> None:
    parts = name.split(".")
    found: t.Any = importlib.import_module(".".join(parts[:2]))
    for part in parts[2:-1]:
        found = getattr(found, part)
    # Some are there on instances alone.
    owner = found("kept") if parts[2] == "Flask" else found
    assert hasattr(owner, parts[-1])


def test_a_removed_module_warns() -> None:
    sys.modules.pop("flask.scaffold", None)
    with pytest.warns(
        DeprecationWarning, match="'flask.scaffold' was removed in Flask 3.0; .* 'flask.sansio.scaffold'"
    ) as caught:
        import flask.scaffold  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]
    assert caught[0].filename == __file__
    assert flask.scaffold is sys.modules["erlen.scaffold"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("flask.ext.login", "removed 'flask.ext'"), ("flask.elsewhere", "Flask 3.1.3 has no such module")],
)
def test_a_module_that_is_not_there_is_not_looked_for_elsewhere(name: str, reason: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=reason):
        importlib.import_module(name)


def test_a_name_that_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'flask' has no attribute 'nowhere'"):
        t.cast("t.Any", flask).nowhere
    with pytest.raises(ImportError):
        exec("from flask.globals import nowhere")


def test_the_version_is_flasks() -> None:
    assert metadata.version("flask") == VERSION
    assert metadata.version("Flask") == VERSION
    assert metadata.distribution("flask").metadata["Name"] == "Flask"
    assert t.cast("t.Any", flask).__version__ == VERSION


def test_who_lists_distributions_sees_what_is_installed() -> None:
    """Pip does, and would take Flask for installed."""
    finders = [type(one) for one in metadata.distributions() if one.metadata["Name"].lower() == "flask"]
    assert finders == [metadata.PathDistribution]
    assert [*metadata.distributions(name="flask", path=[])] == []


def test_a_star_import_has_the_application_class() -> None:
    namespace: dict[str, t.Any] = {}
    exec("from flask import *", namespace)
    assert namespace["Flask"] is flask.Flask
    assert {"Flask", "request", "url_for"} <= set(dir(flask))
    assert "Markup" not in dir(flask)
    assert "_cv_app" in dir(importlib.import_module("flask.globals"))


def test_other_distributions_are_found_as_ever() -> None:
    assert metadata.version("werkzeug")
    with pytest.raises(metadata.PackageNotFoundError):
        metadata.version("flask-nowhere")


def test_classes_can_be_pickled_by_reference() -> None:
    assert pickle.loads(pickle.dumps(flask.Flask)) is flask.Flask


def test_the_package_has_a_file_and_a_path() -> None:
    """Tools look for them: freezers, error trackers."""
    assert flask.__file__ == erlen.__file__
    assert [info.name for info in pkgutil.iter_modules(flask.__path__)] == []
