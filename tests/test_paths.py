from __future__ import annotations

import importlib
import os
import sys
import types
import typing as t
import zipfile
from pathlib import Path

import click
import flask.helpers
import pytest
from flask.sansio import scaffold

from erlen import Erlen
from erlen.paths import default_instance_path, find_package, get_root_path


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Path]:
    """Yield a folder on the import path; what tests import from it is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if str(tmp_path) in file or name.startswith("paths_"):
            del sys.modules[name]


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    importlib.invalidate_caches()


@pytest.mark.parametrize("imported", [False, True])
def test_root_path_of_a_module_is_its_folder(importable: Path, imported: bool) -> None:
    write(importable / "paths_module.py")
    if imported:
        importlib.import_module("paths_module")
    assert get_root_path("paths_module") == str(importable)


@pytest.mark.parametrize("imported", [False, True])
def test_root_path_of_a_package_is_the_package(importable: Path, imported: bool) -> None:
    write(importable / "paths_package" / "__init__.py")
    write(importable / "paths_package" / "inner.py")
    if imported:
        importlib.import_module("paths_package.inner")
    assert get_root_path("paths_package") == str(importable / "paths_package")
    assert get_root_path("paths_package.inner") == str(importable / "paths_package")


@pytest.mark.parametrize("name", ["paths_nothing", "paths_nothing.below"])
def test_root_path_of_what_cannot_be_found_is_the_current_folder(name: str) -> None:
    assert get_root_path(name) == os.getcwd()


def test_root_path_of_an_interactive_main_is_the_current_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
    assert get_root_path("__main__") == os.getcwd()


def test_root_path_in_a_zip_file(importable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = importable / "code.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("paths_zipped/__init__.py", "")
    monkeypatch.syspath_prepend(str(archive))
    assert get_root_path("paths_zipped") == str(archive / "paths_zipped")
    assert find_package("paths_zipped") == (None, str(archive))


def test_root_path_of_a_namespace_package_is_explained(importable: Path) -> None:
    write(importable / "paths_namespace" / "inner.py")
    with pytest.raises(RuntimeError) as raised:
        get_root_path("paths_namespace")
    text = str(raised.value)
    assert "it is a namespace package, which may lie in several folders" in text
    assert repr(str(importable / "paths_namespace")) in text
    assert "Erlen('paths_namespace', root_path='/path/to/folder')" in text
    assert "add an '__init__.py'" in text


def test_root_path_of_a_module_without_a_file_is_explained() -> None:
    with pytest.raises(RuntimeError, match=r"module 'sys': its loader gives no file name.*root_path="):
        get_root_path("sys")


def test_root_path_of_a_module_in_a_namespace_package(importable: Path) -> None:
    write(importable / "paths_namespace" / "inner.py")
    assert get_root_path("paths_namespace.inner") == str(importable / "paths_namespace")
    assert find_package("paths_namespace.inner") == (None, str(importable))


def test_a_namespace_package_in_several_folders(importable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(importable / "one" / "paths_split" / "first.py")
    write(importable / "two" / "paths_split" / "second.py")
    monkeypatch.syspath_prepend(str(importable / "two"))
    monkeypatch.syspath_prepend(str(importable / "one"))
    assert find_package("paths_split.second") == (None, str(importable / "two"))


def test_an_installed_package_has_a_prefix() -> None:
    prefix, folder = find_package("click")
    assert prefix == os.path.abspath(sys.prefix)
    assert folder == str(Path(click.__file__).parent.parent)
    assert default_instance_path("click") == os.path.join(str(prefix), "var", "click-instance")


@pytest.mark.parametrize(
    ("inner", "prefix"),
    [("lib/python3.11/site-packages", ""), ("Lib/site-packages", ""), ("x/site-packages", "x")],
)
def test_site_packages_outside_of_the_prefix(
    importable: Path, monkeypatch: pytest.MonkeyPatch, inner: str, prefix: str
) -> None:
    write(importable / inner / "paths_installed.py")
    monkeypatch.syspath_prepend(str(importable / inner))
    assert find_package("paths_installed") == (str(importable / prefix), str(importable / inner))


def test_the_instance_folder_of_a_checkout_is_beside_it(importable: Path) -> None:
    write(importable / "paths_package" / "__init__.py")
    assert default_instance_path("paths_package") == str(importable / "instance")
    assert Erlen("paths_package").instance_path == str(importable / "instance")


@pytest.mark.parametrize("name", ["json", "json.encoder", "werkzeug.routing", "paths_nothing", "flask"])
def test_paths_are_those_of_flask(name: str) -> None:
    assert get_root_path(name) == flask.helpers.get_root_path(name)
    assert find_package(name) == scaffold.find_package(name)
