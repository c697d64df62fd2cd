"""Compare the public names of the package with what the pages of ``docs/api`` show.

A module is public when it has ``__all__``, and its public names are those in there. Members of a class are public without an
underscore, as far as classes of this package define them. With the folder of a built site as its argument, this looks at the
site's inventory instead of the pages.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
import re
import sys
import typing as t
from pathlib import Path
from types import ModuleType

import api_table
import erlen

PAGES = Path(__file__).parents[1] / "docs" / "api"

#: They act on the process that imports them, or hold the names of ``erlen`` itself.
SKIPPED = {"erlen.__main__", "erlen.as_flask", "erlen.public"}

_DIRECTIVE = re.compile(
    r"^\.\. (?:auto|py:)(?P<kind>\w+):: (?P<path>[\w.]+).*\n(?P<options>(?:   :.*\n)*)", re.MULTILINE
)
_PARAMETER = re.compile(r"^\s*:param (\w+):", re.MULTILINE)
_MISSING = object()


@functools.cache
def members_of(cls: t.Any) -> list[str]:
    """Return the public members of a class, as far as this package defines them.

    :param cls: the class.
    """
    return api_table.members_of(cls)


def public_modules() -> dict[str, ModuleType]:
    """Return the public modules by their names."""
    names = ["erlen", *(one.name for one in pkgutil.walk_packages(erlen.__path__, "erlen."))]
    modules = {name: importlib.import_module(name) for name in names if name not in SKIPPED}
    return {name: module for name, module in modules.items() if hasattr(module, "__all__")}


def resolve(path: str) -> t.Any:
    """Return what a dotted path stands for.

    :param path: a module, a name of one, or a member of a class.
    :raises LookupError: where there is none.
    """
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: t.Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for position, part in enumerate(parts[length:], length):
            found = inspect.getattr_static(value, part, _MISSING)
            if found is _MISSING and isinstance(value, ModuleType):
                found = getattr(value, part, _MISSING)
            if found is _MISSING:
                if position == len(parts) - 1 and _is_of_instances(value, part):
                    return None
                raise LookupError(path)
            value = found
        return value
    raise LookupError(path)


def _is_of_instances(cls: t.Any, name: str) -> bool:
    return isinstance(cls, type) and (name in members_of(cls) or name in _comments(cls))


def shown_by_pages(folder: Path = PAGES) -> set[str]:
    """Return the dotted paths that the pages of a folder show.

    :param folder: it and all folders in it.
    """
    shown: set[str] = set()
    for page in sorted(folder.rglob("*.md")):
        for found in _DIRECTIVE.finditer(page.read_text(encoding="utf-8")):
            shown.add(found["path"])
            if found["kind"] in {"class", "exception"}:
                shown.update(f"{found['path']}.{name}" for name in _members_shown(found))
    return shown


def _members_shown(directive: re.Match[str]) -> list[str]:
    wanted = re.search(r"(?<=   ):members:(.*)", directive["options"])
    if wanted is None or ":no-members:" in directive["options"]:
        return []
    if wanted[1].strip():
        return [name.strip() for name in wanted[1].split(",")]
    cls: t.Any = resolve(directive["path"])
    inherits = ":inherited-members:" in directive["options"]
    everything = ":undoc-members:" in directive["options"]
    excluded = re.search(r":exclude-members:(.*)", directive["options"])
    left_out = {name.strip() for name in excluded[1].split(",")} if excluded else set[str]()
    return [
        name
        for name in members_of(cls)
        if name not in left_out
        and (everything or _is_documented(cls, name))
        and (inherits or _is_own(cls, name))
    ]


def _is_own(cls: type, name: str) -> bool:
    return name in vars(cls) or name in inspect.get_annotations(cls) or name in _comments(cls)


def _is_documented(cls: type, name: str) -> bool:
    if any(name in _comments(base) for base in cls.__mro__):
        return True
    value: t.Any = inspect.getattr_static(cls, name, None)
    value = getattr(value, "__func__", value)
    if inspect.isroutine(value) or isinstance(value, property):
        return bool(inspect.getdoc(value)) and not _is_said_elsewhere(cls, name, value.__doc__)
    return "__doc__" in getattr(value, "__dict__", ())


def _is_said_elsewhere(cls: type, name: str, text: str | None) -> bool:
    """Return whether a docstring is one of another package, which a wrapper has carried along."""
    others = (base for base in cls.__mro__ if not base.__module__.startswith("erlen"))
    return any(text == getattr(base, name).__doc__ for base in others if hasattr(base, name))


@functools.cache
def _comments(cls: type) -> set[str]:
    """Return the attributes of a class that a comment above them documents, or a string below them."""
    # Sphinx is there where the site is built or tested alone.
    from sphinx.pycode import ModuleAnalyzer

    if not cls.__module__.startswith("erlen"):
        return set()
    analyzer = ModuleAnalyzer.for_module(cls.__module__)
    analyzer.analyze()
    return {name for owner, name in analyzer.attr_docs if owner == cls.__qualname__}


def shown_by_site(site: Path) -> set[str]:
    """Return the dotted paths that the inventory of a built site has.

    :param site: the folder with ``objects.inv``.
    """
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="").data
    return {name for kind, entries in inventory.items() if kind.startswith("py:") for name in entries}


def missing_from(shown: set[str]) -> list[str]:
    """Return the public names, and the members of classes among them, that are not shown.

    :param shown: dotted paths.
    """
    by_name: dict[str, list[t.Any]] = {}
    for path in shown:
        by_name.setdefault(path.rpartition(".")[2], []).append(path)
    missing: list[str] = []
    done: set[type] = set()
    for module_name, module in public_modules().items():
        for name in module.__all__:
            path, value = f"{module_name}.{name}", getattr(module, name)
            if isinstance(value, ModuleType):
                continue
            if path not in shown and not any(resolve(one) is value for one in by_name.get(name, ())):
                missing.append(path)
            if inspect.isclass(value) and value.__module__.startswith("erlen") and value not in done:
                done.add(value)
                missing += [
                    f"{path}.{member}"
                    for member in members_of(t.cast("t.Any", value))
                    if not _is_shown(value, member, by_name.get(member, ()))
                ]
    return missing


def _is_shown(cls: type, member: str, paths: t.Iterable[str]) -> bool:
    if any(member in _PARAMETER.findall(base.__doc__ or "") for base in cls.__mro__):
        return True
    # What overrides a name of another package is that package's to document, unless ours has something to say.
    others = [base for base in cls.__mro__ if not base.__module__.startswith("erlen")]
    if not _is_documented(cls, member) and any(hasattr(base, member) for base in others):
        return True
    owners: list[t.Any] = [resolve(path.rpartition(".")[0]) for path in paths]
    return any(inspect.isclass(owner) and (owner in cls.__mro__ or cls in owner.__mro__) for owner in owners)


def unknown_of(shown: set[str]) -> list[str]:
    """Return what is shown and is not there, or is nobody else's business.

    :param shown: dotted paths.
    """
    unknown: list[str] = []
    for path in sorted(shown):
        try:
            resolve(path)
        except LookupError:
            unknown.append(path)
    return unknown


def main(arguments: list[str]) -> int:
    """Print what is missing and what is unknown, and return the exit code."""
    shown = shown_by_site(Path(arguments[0])) if arguments else shown_by_pages()
    problems = [f"{name} is public, and no page shows it" for name in missing_from(shown)]
    problems += [f"{name} is shown, and there is no such name" for name in unknown_of(shown)]
    print("\n".join(problems) or f"{len(shown)} names are shown, and none is missing.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
