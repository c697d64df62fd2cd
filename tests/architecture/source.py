"""What the tests of this folder share: the files of the package, and how to read them."""

from __future__ import annotations

import ast
import dataclasses
import typing as t
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "erlen"

Definition: t.TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclasses.dataclass(frozen=True)
class Module:
    """One file of the package.

    :param name: dotted, without ``erlen.``; the package itself is ``""``.
    """

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()


def modules(folder: Path = PACKAGE) -> list[Module]:
    """Return every Python file below a folder."""
    found: list[Module] = []
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        text = path.read_text(encoding="utf-8")
        found.append(Module(".".join(parts), path, text, ast.parse(text, str(path))))
    return found


def definitions(tree: ast.AST) -> t.Iterator[Definition]:
    """Yield every function and class, however deep."""
    for node in ast.walk(tree):
        if isinstance(node, Definition):
            yield node


def lines_of_code(node: ast.Module | Definition, text: str) -> int:
    """Count the lines that hold code: no blank ones, no comments, no docstrings."""
    first, last = 1, len(text.splitlines())
    if not isinstance(node, ast.Module):
        first, last = node.lineno, node.end_lineno or node.lineno
    strings: set[int] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Module | Definition) and ast.get_docstring(inner, clean=False) is not None:
            docstring = inner.body[0]
            strings.update(range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1))
    numbered = enumerate(text.splitlines()[first - 1 : last], first)
    return sum(
        1
        for number, line in numbered
        if number not in strings and line.strip() and not line.lstrip().startswith("#")
    )
