"""The registry of extensions and applications in the documentation, made of the scenarios and the pins.

    python ecosystem/table.py

writes it into the page; a test compares the two. What it says of a scenario is what ``test_scenarios.py`` shows.
"""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

HERE = Path(__file__).parent
ENVIRONMENTS = HERE / "environments"
PAGE = HERE.parent / "docs" / "extensions" / "registry.md"
BEGIN, END = "<!-- the table, by ecosystem/table.py -->", "<!-- its end -->"


def names() -> list[str]:
    """Return the names of all scenarios."""
    return sorted(path.stem for path in (HERE / "scenarios").glob("*.py") if not path.stem.startswith("_"))


def constant(name: str, wanted: str, default: t.Any = None) -> t.Any:
    """Return a constant of a scenario without importing it: that would import Flask.

    :param name: the scenario's.
    :param wanted: the constant's, ``"__doc__"`` for the docstring.
    :param default: returned when the scenario has none.
    """
    tree = ast.parse((HERE / "scenarios" / f"{name}.py").read_text(encoding="utf-8"))
    if wanted == "__doc__":
        return ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(one) for one in node.targets] == [wanted]:
            return ast.literal_eval(node.value)
    return default


def versions(name: str) -> dict[str, str]:
    """Return the pinned version of each distribution, by its name in lower case with hyphens.

    :param name: the scenario's; some have an environment of their own.
    """
    environment = constant(name, "ENVIRONMENT")
    file = ENVIRONMENTS / f"{environment}.txt" if environment else HERE / "constraints.txt"
    lines = file.read_text(encoding="utf-8").splitlines()
    pins = [line.split("==") for line in lines if "==" in line]
    return {normalized(name): version for name, version in pins}


def normalized(name: str) -> str:
    """Return a distribution's name as it is compared.

    :param name: the name, however it is written.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def row(name: str) -> str:
    """Return the line of one scenario.

    :param name: the scenario's.
    """
    distribution = constant(name, "DISTRIBUTIONS")[0]
    version = versions(name)[normalized(distribution)]
    removed = constant(name, "REMOVED_FROM_FLASK")
    over_asgi = "asgi" in constant(name, "PROTOCOLS", ["wsgi", "asgi"])
    played = constant(name, "__doc__").splitlines()[0]
    if removed:
        needs = ", ".join(f"`{one}`" for one in removed)
        return f"| {distribution} | {version} | {played} | {needs} | works |"
    reason = "same" if over_asgi else constant(name, "NOT_ON_ASGI")
    return f"| {distribution} | {version} | {played} | same | {reason} |"


def tables() -> str:
    """Return the tables as Markdown."""

    def of(title: str, head: str, chosen: list[str]) -> str:
        rows = sorted((row(name) for name in chosen), key=str.lower)
        return "\n".join([f"## {title}\n", head, "|---|---|---|---|---|", *rows])

    old = [name for name in names() if constant(name, "REMOVED_FROM_FLASK")]
    applications = [name for name in names() if constant(name, "APPLICATION")]
    extensions = [name for name in names() if name not in {*old, *applications}]
    return "\n\n".join(
        [
            of("Extensions", "| extension | version | what is played | WSGI | ASGI |", extensions),
            of(
                "Whole applications", "| application | version | what is played | WSGI | ASGI |", applications
            ),
            of(
                "Releases that cannot be used with Flask 3.1, as they need what it has removed",
                "| extension | version | what is played | needs | on Erlen |",
                old,
            ),
        ]
    )


def written() -> str:
    """Return the page with the tables as they should be."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(written(), encoding="utf-8")
