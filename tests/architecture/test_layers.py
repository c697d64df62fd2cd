"""The import graph of the package has the layers that stand as a comment in ``src/erlen/__init__.py``."""

from __future__ import annotations

import ast
import itertools
import re
import typing as t

from source import PACKAGE, Module, modules

MODULES = modules()
NAMES = {module.name for module in MODULES}

# The package itself collects the public names, and `python -m erlen` starts the command line: above everything.
ABOVE_ALL = {"", "__main__"}


def listed_layers() -> dict[str, int]:
    """Read the layer of each listed module, the lowest being 0."""
    comment = (PACKAGE / "__init__.py").read_text(encoding="utf-8").partition("# layers:\n")[2]
    lines = itertools.takewhile(lambda line: line.startswith("#   "), comment.splitlines())
    return {name: layer for layer, line in enumerate(lines) for name in line.strip("# ").split()}


LAYERS = listed_layers()


def unit_of(name: str) -> str | None:
    """Return the entry of the list a module belongs to: its own name, or its nearest listed package."""
    while name and name not in LAYERS:
        name = name.rpartition(".")[0]
    return name or None


def imports_of(module: Module) -> t.Iterator[tuple[str, int]]:
    """Yield the modules of the package a file imports, with the line; ``TYPE_CHECKING`` and functions included."""
    own_package = module.name if module.is_package else module.name.rpartition(".")[0]
    for node in ast.walk(module.tree):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                parts = ["erlen", *own_package.split(".")] if own_package else ["erlen"]
                parts = parts[: len(parts) - node.level + 1]
                source = ".".join([*parts, *([source] if source else [])])
            # `from .json import tag` imports the module `json.tag`, and `json` on the way.
            submodules = {alias.name for alias in node.names if f"{source}.{alias.name}"[6:] in NAMES}
            targets = [f"{source}.{name}" for name in submodules]
            if len(submodules) < len(node.names):
                targets.append(source)
        else:
            continue
        for target in targets:
            if target == "erlen" or target.startswith("erlen."):
                yield target[6:], node.lineno


# What extensions may import (D9): the package itself, and what its documentation names.
PUBLIC = {"", "cli", "commands.check", "sessions", "signals", "testing", "typing", "views"}


def test_every_module_has_a_layer() -> None:
    missing = [
        str(module)
        for module in MODULES
        # A package that only holds others needs no place of its own.
        if module.name not in ABOVE_ALL | PLAIN_PACKAGES and not unit_of(module.name)
    ]
    assert not missing, f"give these a place in the list of layers in src/erlen/__init__.py: {missing}"


PLAIN_PACKAGES = {module.name for module in MODULES if module.is_package and not list(imports_of(module))}


def test_every_layer_has_a_module() -> None:
    assert not sorted(LAYERS.keys() - NAMES), "the list of layers names modules that are not there"


def test_each_file_imports_from_lower_layers_only() -> None:
    wrong: list[str] = []
    for module in MODULES:
        if module.name in ABOVE_ALL:
            continue
        unit = unit_of(module.name)
        for target, line in imports_of(module):
            target_unit = unit_of(target)
            if unit is None or target_unit == unit or (unit == "ext" and target in PUBLIC):
                continue
            if unit == "ext":
                wrong.append(f"{module}:{line} imports erlen.{target}, which is not public (D9)")
                continue
            if target_unit is None or LAYERS[target_unit] >= LAYERS[unit]:
                wrong.append(f"{module}:{line} imports {target or 'erlen'}, which is not below {unit}")
    assert not wrong, "\n".join(wrong)


def loaded_by(module: Module) -> t.Iterator[str]:
    """Yield what an import of the module loads: what it names, and the packages these are in."""
    for target, _ in imports_of(module):
        while target:
            yield target
            target = target.rpartition(".")[0]
            # A module's own packages are being loaded already.
            if f"{module.name}.".startswith(f"{target}."):
                break


def test_there_is_no_cycle() -> None:
    graph = {module.name: set(loaded_by(module)) & NAMES - {""} for module in MODULES}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"import cycle: {' -> '.join([*path[path.index(name) :], name])}"
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*path, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_core_does_not_import_the_proxies() -> None:
    """D10: core code is given the context; the proxies live above the application class."""
    below_app = {name for name, layer in LAYERS.items() if layer <= LAYERS["app"]}
    wrong = [
        f"{module}:{line}"
        for module in MODULES
        if unit_of(module.name) in below_app
        for target, line in imports_of(module)
        if target == "globals"
    ]
    assert not wrong


def test_extensions_touch_nothing_private() -> None:
    """D9: no name with an underscore of an object that is not the extension's own."""
    own = re.compile(r"(self|cls|other|super\(\))(\.|$)")
    wrong = [
        f"{module}:{node.lineno} {ast.unparse(node)}"
        for module in MODULES
        if unit_of(module.name) == "ext"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and re.match(r"_[^_]", node.attr)
        and not own.match(ast.unparse(node.value))
    ]
    assert not wrong, "\n".join(wrong)


def test_an_import_inside_a_function_says_why() -> None:
    """Imports inside functions are for start-up cost and optional dependencies; a comment gives the reason."""
    wrong: set[str] = set()
    for module in MODULES:
        lines = module.text.splitlines()
        for function in ast.walk(module.tree):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    above = itertools.dropwhile(
                        lambda line: bool(re.match(r"\s*(import|from|try:)\b|\s*try:", line)),
                        reversed(lines[: node.lineno - 1]),
                    )
                    explained = "#" in lines[node.lineno - 1] or next(above, "").lstrip().startswith("#")
                    if not explained:
                        wrong.add(f"{module}:{node.lineno} {lines[node.lineno - 1].strip()}")
    assert not wrong, "write the reason as a comment on the line above:\n" + "\n".join(sorted(wrong))


def test_the_documentation_lists_the_same_layers() -> None:
    text = (PACKAGE.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    cells = [
        line.split("|")[2] for line in text.splitlines() if line.startswith("| ") and line.count("|") == 4
    ]
    documented = [name for cell in cells for name in re.findall(r"`([\w.]+)`", cell)]
    assert sorted(documented) == sorted(LAYERS)
    assert [LAYERS[name] for name in documented] == sorted(LAYERS.values())
