"""What holds for every file of the repository, and for what is built from it."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
import typing as t
from importlib import metadata, resources
from pathlib import Path

import pytest

from source import ROOT, modules

SKIPPED_FOLDERS = {"__pycache__", "build", "dist", "instance", "node_modules"}
# Files that exist on one machine alone, and dot-folders other than this one, belong to no one's clone.
KEPT_DOT_FOLDER = ".ci"
# In a worktree this is a file, with the path of the clone it belongs to.
GIT = ".git"

# Put together from pieces, so that this file does not hold what it looks for.
REGISTRY_ADDRESSES = re.compile(
    "|".join(
        re.escape(name + "." + domain)
        for name, domain in [
            ("pypi", "org"),
            ("pythonhosted", "org"),
            ("npmjs", "org"),
            ("npmjs", "com"),
            ("yarnpkg", "com"),
            ("proxy.golang", "org"),
            ("crates", "io"),
        ]
    )
    + "|--"
    + "(extra-)?index-url|--"
    + "find-links"
)
MACHINE_PATHS = re.compile(
    r"(?<![\w.<>/:*-])/(?:" + "|".join(["root", r"home/\w+", r"Users/\w+", "work", "opt", "tmp"]) + r")/\w"
)


def repository_files() -> t.Iterator[Path]:
    """Yield the text files a clone holds."""
    pending = [ROOT]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            if path.is_dir():
                hidden = path.name.startswith(".") and path.name != KEPT_DOT_FOLDER
                if not hidden and path.name not in SKIPPED_FOLDERS and not path.name.endswith(".egg-info"):
                    pending.append(path)
            elif path.name != GIT and path.suffix not in {
                ".pyc",
                ".png",
                ".jpg",
                ".ico",
                ".webp",
                ".woff2",
                ".so",
                ".sqlite",
                ".db",
                ".gz",
            }:
                yield path


def places_of(pattern: re.Pattern[str]) -> list[str]:
    found: list[str] = []
    for path in repository_files():
        lines = path.read_text(encoding="utf-8").splitlines()
        name = path.relative_to(ROOT).as_posix()
        found += [
            f"{name}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(lines, 1)
            if pattern.search(line)
        ]
    return found


def test_no_file_names_a_package_registry() -> None:
    assert not places_of(REGISTRY_ADDRESSES)


def test_no_file_names_a_path_of_one_machine() -> None:
    paths = [str(path) for path in (ROOT, Path.home()) if len(path.parts) > 2]
    local = re.compile(
        "|".join([MACHINE_PATHS.pattern, *(rf"(?<!\w){re.escape(path)}(?!\w)" for path in paths)])
    )
    assert not places_of(local)


def test_constraints_are_names_and_versions_alone() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []


def requirement_names(requirements: t.Iterable[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", entry)[0].lower().replace("_", "-") for entry in requirements}


def test_every_dependency_is_pinned_and_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = requirement_names(
        [
            *project["build-system"]["requires"],
            *project["project"]["dependencies"],
            *(entry for extra in project["project"]["optional-dependencies"].values() for entry in extra),
        ]
    ) - {"erlen"}
    pinned = requirement_names((ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines())
    # The build backend is installed by pip on its own, into a place of its own.
    assert sorted(needed - pinned - {"hatchling"}) == []
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    assert sorted(name for name in needed if f"`{name}`" not in reasons) == []


def test_the_package_is_typed() -> None:
    assert resources.files("erlen").joinpath("py.typed").is_file()


def test_the_command_is_installed() -> None:
    commands = metadata.entry_points(group="console_scripts", name="erlen")
    assert [callable(command.load()) for command in commands] == [True]


# 'as_flask' acts on the process that imports it.
@pytest.mark.parametrize("name", sorted(m.name for m in modules() if m.name not in {"__main__", "as_flask"}))
def test_what_a_module_exports_is_there(name: str) -> None:
    module = importlib.import_module(f"erlen.{name}" if name else "erlen")
    for exported in getattr(module, "__all__", ()):
        assert hasattr(module, exported)


def test_the_package_exports_every_name_it_imports() -> None:
    """``erlen`` itself holds no names but public ones."""
    [package] = [module for module in modules() if module.name == "public"]
    imported = {
        alias.asname or alias.name
        for node in package.tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    assert imported
    assert {name for name in imported if name.startswith("_")} == set()


def test_the_version_has_its_entry_in_the_change_log() -> None:
    version = metadata.version("erlen").partition(".dev")[0]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
