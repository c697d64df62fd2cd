"""The files of ``erlen.ext.security`` import only from those that docs/architecture.md lists above them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "erlen" / "ext" / "security"


def layers() -> list[str]:
    """Return the modules and packages in the order of the page."""
    section = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("\n## Accounts\n")[2]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("|")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row[1])]


def imports_of(path: Path) -> set[str]:
    """Return the modules and packages of the extension that a file imports from."""
    package = path.relative_to(PACKAGE).parts[:-1]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            names = [part for part in base if part][:1] or [alias.name for alias in node.names]
            found.update(names)
    return found


def test_the_page_has_every_module_once() -> None:
    there = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in PACKAGE.rglob("*.py")}
    assert sorted(layers()) == sorted(there - {"__init__"})


def test_a_file_imports_only_from_above() -> None:
    place = {name: number for number, name in enumerate(layers())}
    wrong: list[str] = []
    for path in PACKAGE.rglob("*.py"):
        own = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if own != "__init__":
            above = {name for name in place if place[name] <= place[own]}
            wrong += [f"{path.name} imports {name}" for name in sorted(imports_of(path) - above)]
    assert wrong == []
