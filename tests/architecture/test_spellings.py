"""D3: the plain and the async spelling of the pipeline are the same syntax tree, so that they cannot drift apart."""

from __future__ import annotations

import ast
import itertools
import typing as t

import pytest

from source import modules

#: The files that have phases in both spellings. The second stands directly below the first.
FILES = {"ctx", "pipeline.dispatch", "protocols.wsgi", "teardown"}

#: Names whose async spelling is another one than theirs with an ``a`` in front.
RENAMED = {"ensure_async": "ensure_sync", "__aenter__": "__enter__", "__aexit__": "__exit__"}

Function: t.TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


def plain_name(name: str) -> str:
    """Return the name without the ``a`` of the async spelling, which stands after the underscore of a private one."""
    underscores = len(name) - len(name.lstrip("_"))
    return RENAMED.get(name) or name[:underscores] + name[underscores + 1 :]


def bodies(tree: ast.Module) -> t.Iterator[list[ast.stmt]]:
    yield tree.body
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.body


def pairs() -> dict[str, tuple[Function, Function]]:
    """Return every async function of the files, with the function above it."""
    found: dict[str, tuple[Function, Function]] = {}
    for module in modules():
        if module.name in FILES:
            for body in bodies(module.tree):
                for above, below in itertools.pairwise(body):
                    if isinstance(below, ast.AsyncFunctionDef):
                        assert isinstance(above, ast.FunctionDef), f"{module}:{below.lineno} {below.name}"
                        found[f"{module.name}.{below.name}"] = (above, below)
    return found


PAIRS = pairs()

#: Every name that has an async spelling: those of the pairs, and what steps and plans hold in both.
SPELLED = {below.name for _, below in PAIRS.values()} | {
    "aview", "astraight", "apreprocessors", "abefore", "aafter", "ateardown", "ateardown_appcontext",
    "_aanswer_with", "abegin_serving", "amake_response", "ensure_async", "atell", "aclose_body", "apause",
}  # fmt: skip


class Plain(ast.NodeTransformer):
    """Takes ``async``, ``await`` and the prefix of names away."""

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return t.cast(ast.AST, self.visit(node.value))

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        plain = ast.FunctionDef(**dict(ast.iter_fields(node)))
        plain.name = plain_name(node.name)
        return self.generic_visit(plain)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self.generic_visit(ast.For(**dict(ast.iter_fields(node))))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return self.generic_visit(ast.With(**dict(ast.iter_fields(node))))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if node.attr in SPELLED:
            node.attr = plain_name(node.attr)
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in SPELLED:
            node.id = plain_name(node.id)
        return node


class Bare(ast.NodeTransformer):
    """Takes docstrings and annotations away: what is awaited has another type than what is returned."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node


def tree_of(function: Function) -> str:
    copied = ast.parse(ast.unparse(function))
    return ast.dump(Bare().visit(Plain().visit(copied)), indent=1)


def test_the_pipeline_has_both_spellings() -> None:
    names = {name.rpartition(".")[2] for name in PAIRS}
    assert {
        "afull_dispatch_request", "apreprocess_request", "adispatch_request", "afinalize_request",
        "aprocess_response", "ahandle_user_exception", "ahandle_http_exception", "ahandle_exception",
        "ado_teardown_request", "ado_teardown_appcontext", "awsgi_app", "apush", "apop", "arelease",
    } <= names  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_both_spellings_are_the_same_tree(name: str) -> None:
    above, below = PAIRS[name]
    assert plain_name(below.name) == above.name, (
        f"{below.name} does not stand directly below its plain spelling"
    )
    assert tree_of(below) == tree_of(above)


@pytest.mark.parametrize(
    "changed",
    [
        "async def aphase(self): return await self.aother(1)",
        "async def aphase(self): return self.other(1, 2)",
        "async def aphase(self):\n    if True:\n        return await self.aopen_session(1)",
    ],
)
def test_a_difference_is_seen(changed: str) -> None:
    plain = ast.parse("def phase(self): return self.open_session(1)").body[0]
    other = ast.parse(changed).body[0]
    assert isinstance(plain, ast.FunctionDef) and isinstance(other, ast.AsyncFunctionDef)
    assert tree_of(plain) != tree_of(other)
