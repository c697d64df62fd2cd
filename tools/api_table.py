"""Write the table of Flask's public names, ``tests/api/names.json``, from the Flask that is installed.

Run it with ``make api-table`` when the Flask version in ``constraints.txt`` moves; ``tests/api`` compares the table
with Flask, and Erlen with the table.

In the table a callable is its signature, a class its signature, its bases from other libraries and its members, and
everything else the word ``attribute``. A default value stands as itself when it is a plain constant, else as ``...``.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import textwrap
import typing as t
from importlib import metadata
from pathlib import Path
from types import ModuleType

TABLE = Path(__file__).parents[1] / "tests" / "api" / "names.json"

#: The modules of Flask whose names are its public API, without ``flask``.
MODULES = (
    "",
    *(".app", ".blueprints", ".cli", ".config", ".ctx", ".globals", ".helpers"),
    *(".json", ".json.provider", ".json.tag", ".logging", ".sessions", ".signals"),
    *(".templating", ".testing", ".typing", ".views", ".wrappers"),
)

ATTRIBUTE = "attribute"

Entry: t.TypeAlias = str | dict[str, t.Any]
Table: t.TypeAlias = dict[str, dict[str, Entry]]


def public(names: t.Iterable[str]) -> list[str]:
    """Return the names without a leading underscore, each once, sorted."""
    return sorted({name for name in names if not name.startswith("_")})


def names_of(module: ModuleType) -> list[str]:
    """Return the public names a module defines or exports by ``import x as x``."""

    def walk(body: list[ast.stmt]) -> t.Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield node.name
            elif isinstance(node, ast.Assign):
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                yield node.target.id
            elif isinstance(node, ast.ImportFrom):
                yield from (alias.name for alias in node.names if alias.asname == alias.name)
            elif isinstance(node, ast.Try) or (
                isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test)
            ):
                yield from walk(node.body + node.orelse)

    names = public(walk(ast.parse(inspect.getsource(module)).body))
    if module.__name__ == "flask.typing":
        return names
    # Elsewhere a type variable is part of an annotation, not of the API.
    return [name for name in names if not isinstance(getattr(module, name), t.TypeVar)]


def signature_of(function: t.Callable[..., t.Any]) -> str | None:
    """Return the parameters of a callable as they would stand in a ``def``, ``None`` where Python knows none."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    shown: list[str] = []
    for position, parameter in enumerate(parameters):
        before = parameters[position - 1].kind if position else None
        if before is parameter.POSITIONAL_ONLY and parameter.kind is not before:
            shown.append("/")
        if parameter.kind is parameter.KEYWORD_ONLY and before not in {
            parameter.KEYWORD_ONLY,
            parameter.VAR_POSITIONAL,
        }:
            shown.append("*")
        stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(parameter.kind.name, "")
        default = ""
        if parameter.default is not parameter.empty:
            plain = isinstance(parameter.default, str | int | float | bool | None)
            default = f"={parameter.default!r}" if plain else "=..."
        shown.append(f"{stars}{parameter.name}{default}")
    if parameters and parameters[-1].kind is inspect.Parameter.POSITIONAL_ONLY:
        shown.append("/")
    return f"({', '.join(shown)})"


def own_classes(cls: type) -> tuple[type, ...]:
    """Return the classes along the MRO that belong to the same distribution package as the class."""
    package = cls.__module__.partition(".")[0]
    return tuple(base for base in cls.__mro__ if base.__module__.partition(".")[0] == package)


def members_of(cls: type) -> list[str]:
    """Return the public attributes of a class and of its instances, as far as its own package defines them."""
    names: set[str] = set()
    for base in own_classes(cls):
        names.update(vars(base))
        names.update(inspect.get_annotations(base))
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.update([node.attr] if ast.unparse(node.value) == "self" else [])
    return public(names)


def describe_class(cls: type) -> dict[str, t.Any]:
    """Return the entry of a class."""
    own = own_classes(cls)
    makes_itself = any("__init__" in vars(base) or "__new__" in vars(base) for base in own)
    # Bases of bases, and classes that only serve typing, say nothing more.
    others = [base for base in cls.__mro__ if base not in own and base not in {object, t.Generic, t.Protocol}]
    nearest = [base for base in others if not any(base in other.__mro__[1:] for other in others)]
    return {
        "signature": signature_of(cls) if makes_itself else None,
        "bases": sorted(f"{base.__module__}.{base.__qualname__}" for base in nearest),
        "members": {name: describe_member(cls, name) for name in members_of(cls)},
    }


def describe_member(cls: type, name: str) -> str:
    """Return the entry of a member of a class: its signature with ``self``, or that it is an attribute."""
    member = getattr(cls, name, None)
    if not inspect.isroutine(member):
        return ATTRIBUTE
    return signature_of(member) or ATTRIBUTE


def describe(module: ModuleType, name: str) -> Entry:
    """Return the entry of a name of a module."""
    value = getattr(module, name)
    if inspect.isclass(value):
        return describe_class(value)
    if inspect.isfunction(value):
        return signature_of(value) or ATTRIBUTE
    return ATTRIBUTE


def describe_package(package: str) -> Table:
    """Return the table of a package that has the modules of Flask."""
    table: Table = {}
    for suffix in MODULES:
        module = importlib.import_module(package + suffix)
        table[module.__name__] = {name: describe(module, name) for name in names_of(module)}
    return table


def main() -> None:
    """Write the table and print how many names it has."""
    table = describe_package("flask")
    content = {"flask": metadata.version("flask"), "modules": table}
    TABLE.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    members = sum(
        len(entry["members"])
        for names in table.values()
        for entry in names.values()
        if isinstance(entry, dict)
    )
    print(f"{sum(map(len, table.values()))} names and {members} members of classes in {TABLE.name}")


if __name__ == "__main__":
    main()
