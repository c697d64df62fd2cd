"""Where an import name lives on disk: the root path, the installation it belongs to, the instance folder."""

from __future__ import annotations

import os
import sys
import typing as t
from importlib.machinery import ModuleSpec
from importlib.util import find_spec


def _spec_of(import_name: str) -> ModuleSpec | None:
    try:
        return find_spec(import_name)
    except (ImportError, ValueError):
        # No such parent package; or a module such as ``__main__`` that was made without a spec.
        return None


def _file_of(spec: ModuleSpec) -> str | None:
    if spec.has_location:
        return spec.origin
    # A loader that knows the file but did not say so in the spec.
    get_filename: t.Any = getattr(spec.loader, "get_filename", None)
    if get_filename is None:
        return None
    try:
        return t.cast("str | None", get_filename(spec.name))
    except ImportError:
        return None


def get_root_path(import_name: str) -> str:
    """Return the folder of a module or package, the current folder when nothing of that name can be found.

    :param import_name: the module's dotted name.
    :raises RuntimeError: for a module that is not a file: built in, or a namespace package.
    """
    file: str | None = getattr(sys.modules.get(import_name), "__file__", None)
    if file is None:
        spec = _spec_of(import_name)
        if spec is None:
            # The interactive shell, "python -c", a notebook.
            return os.getcwd()
        file = _file_of(spec)
        if file is None:
            raise RuntimeError(_no_root_path(import_name, spec))
    return os.path.dirname(os.path.abspath(file))


def _no_root_path(import_name: str, spec: ModuleSpec) -> str:
    if spec.submodule_search_locations is None:
        cause, fix = "its loader gives no file name", ""
    else:
        folders = ", ".join(repr(folder) for folder in spec.submodule_search_locations)
        cause = f"it is a namespace package, which may lie in several folders (here: {folders})"
        fix = " or, if it is meant to be a plain package, add an '__init__.py'"
    return (
        f"No root path can be found for the module {import_name!r}: {cause}. Templates, static files and the "
        f"instance folder start at the root path: pass the folder, as in "
        f"Erlen({import_name!r}, root_path='/path/to/folder'){fix}."
    )


def _is_inside(path: str, folder: str) -> bool:
    # As pathlib has it, which is slow to load.
    path, folder = (os.path.normcase(os.path.abspath(one)) for one in (path, folder))
    return path == folder or path.startswith(os.path.join(folder, ""))


def _container_of(import_name: str) -> str:
    """Return the folder on the import path, or the archive, that holds the top level of an import name."""
    top_level = import_name.partition(".")[0]
    spec = _spec_of(top_level)
    if spec is None:
        return os.getcwd()
    locations = list(spec.submodule_search_locations or ())
    if spec.origin in {None, "namespace"} and locations:
        # A namespace package: the one of its folders that holds the module asked for.
        found = _spec_of(import_name)
        inner = None if found is None else _file_of(found)
        holding = [folder for folder in locations if inner is not None and _is_inside(inner, folder)]
        return os.path.dirname((holding or locations)[0])
    if locations:
        return os.path.dirname(locations[0])
    file = _file_of(spec)
    return "" if file is None else os.path.dirname(os.path.abspath(file))


def find_package(import_name: str) -> tuple[str | None, str]:
    """Return the prefix a package is installed in, and the folder it is imported from.

    The prefix is ``None`` for a package that is not installed, such as a checkout. In a virtual environment
    it is that environment's folder.

    :param import_name: the dotted name of the package or of a module in it.
    """
    folder = os.path.abspath(_container_of(import_name))
    prefix = os.path.abspath(sys.prefix)
    if _is_inside(folder, prefix):
        return prefix, folder
    parent, name = os.path.split(folder)
    if name.lower() != "site-packages":
        return None, folder
    # Installed outside of the running prefix: a user's site, or another installation on the path.
    grandparent, parent_name = os.path.split(parent)
    if parent_name.lower() == "lib":
        return grandparent, folder  # Windows: prefix\Lib\site-packages
    if os.path.basename(grandparent).lower() == "lib":
        return os.path.dirname(grandparent), folder  # elsewhere: prefix/lib/pythonX.Y/site-packages
    return parent, folder


def default_instance_path(import_name: str) -> str:
    """Return where the instance folder of an application is looked for when none was given.

    Beside the package or module in a checkout, ``var/<name>-instance`` below the prefix when installed.

    :param import_name: the application's import name.
    """
    prefix, folder = find_package(import_name)
    if prefix is None:
        return os.path.join(folder, "instance")
    return os.path.join(prefix, "var", f"{import_name}-instance")
