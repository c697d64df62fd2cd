"""Every public module, class, function, method and property of the package has a docstring."""

from __future__ import annotations

import ast
import typing as t

from source import Definition, Module, modules

MODULES = modules()


def is_public(name: str) -> bool:
    return not name.startswith("_")


def decorators_of(node: Definition) -> set[str]:
    return {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}


def public_definitions(
    body: list[ast.stmt], prefix: str = "", *, protocol: bool = False
) -> t.Iterator[tuple[str, Definition]]:
    """Yield the public functions and classes of a body, those in ``if`` and ``try`` included."""
    for node in body:
        if isinstance(node, ast.If | ast.Try):
            yield from public_definitions(node.body + node.orelse, prefix, protocol=protocol)
        if not isinstance(node, Definition) or not is_public(node.name):
            continue
        # Overloads and setters are documented by the function they belong to, the methods of a protocol by
        # the class that fulfils it.
        if decorators_of(node) & {"overload", "setter", "deleter", "override"} or protocol:
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            is_protocol = any("Protocol" in ast.unparse(base) for base in node.bases)
            yield from public_definitions(node.body, f"{prefix}{node.name}.", protocol=is_protocol)


def undocumented(module: Module) -> t.Iterator[str]:
    if ast.get_docstring(module.tree) is None:
        yield f"{module}: the module"
    for name, node in public_definitions(module.tree.body):
        if ast.get_docstring(node) is None:
            yield f"{module}:{node.lineno} {name}"


def test_every_public_name_has_a_docstring() -> None:
    missing = [entry for module in MODULES for entry in undocumented(module)]
    assert not missing, "\n".join(missing)


def test_docstrings_begin_with_one_sentence() -> None:
    wrong: list[str] = []
    for module in MODULES:
        for name, node in public_definitions(module.tree.body):
            first_line = (ast.get_docstring(node) or ".").splitlines()[0]
            if not first_line.endswith((".", ":", "?", "!")):
                wrong.append(f"{module}:{node.lineno} {name}: {first_line}")
    assert not wrong, "the first line is a whole sentence:\n" + "\n".join(wrong)
