"""Files and functions stay small; the complexity of functions is ruff's to judge (C901)."""

from __future__ import annotations

import ast

from source import ROOT, definitions, lines_of_code, modules

FILE_LIMIT = 400
FUNCTION_LIMIT = 40

MODULES = [
    module
    for folder in ("src/erlen", "examples", "tools", "benchmarks")
    for module in modules(ROOT / folder)
    if "tests" not in module.path.parts and not any(part.startswith(".") for part in module.path.parts)
]


def test_files_are_small() -> None:
    sizes = {str(module): lines_of_code(module.tree, module.text) for module in MODULES}
    large = {name: size for name, size in sizes.items() if size > FILE_LIMIT}
    assert not large, f"over {FILE_LIMIT} lines of code; find the second thing each of these does: {large}"


def test_functions_are_small() -> None:
    large: dict[str, int] = {}
    for module in MODULES:
        for node in definitions(module.tree):
            if isinstance(node, ast.ClassDef):
                continue
            size = lines_of_code(node, module.text)
            if size > FUNCTION_LIMIT:
                large[f"{module}:{node.lineno} {node.name}"] = size
    assert not large, (
        f"over {FUNCTION_LIMIT} lines of code; find the second thing each of these does: {large}"
    )
