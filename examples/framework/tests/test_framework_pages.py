"""What the chapters say of code, here and in Erlen, is so."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from framework_support import CHAPTERS

ROOT = Path(__file__).parents[3]
FOLDER = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "framework"

#: A file, and names in it: `app.py`: `Sapling.route`, `Sapling.url_for`.
NAMED = re.compile(r"`([\w/]+\.py)`(?:: ((?:`[\w.]+`(?:, )?)+))?")


def names_in(file: Path) -> set[str]:
    """Return the names that a module defines, those of its classes with the class in front."""
    found: set[str] = set()

    def add(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                add(node.body, f"{prefix}{node.name}.")
            if isinstance(node, ast.Assign):
                found.update(prefix + one.id for one in node.targets if isinstance(one, ast.Name))
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found.add(prefix + node.target.id)

    add(ast.parse(file.read_text(encoding="utf-8")).body, "")
    return found


def inherited(chapter: Path, name: str) -> bool:
    """Return whether a method stands in a class that the one named here is derived from."""
    method = name.partition(".")[2]
    return bool(method) and any(
        one.endswith(f".{method}") for file in chapter.glob("*.py") for one in names_in(file)
    )


def rows(page: Path) -> list[tuple[str, str]]:
    """Return the first two cells of the table 'In Erlen'."""
    section = page.read_text(encoding="utf-8").partition("\n## In Erlen\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [(line.split("|")[1], line.split("|")[2]) for line in lines]


def missing(cell: str, *folders: Path) -> list[str]:
    """Return what a cell names and none of the folders has."""
    found = NAMED.findall(cell)
    wanted = [(file, name) for file, names in found for name in re.findall(r"`([\w.]+)`", names) or [""]]
    if not wanted:
        return [cell]
    files = {file: next((one / file for one in folders if (one / file).exists()), None) for file, _ in wanted}
    return [
        f"{file}: {name}"
        for file, name in wanted
        if (path := files[file]) is None
        or (
            name
            and name not in names_in(path)
            and not (path.parent.parent == FOLDER and inherited(path.parent, name))
        )
    ]


@pytest.mark.parametrize("number", CHAPTERS)
def test_what_a_chapter_names_is_there(number: int) -> None:
    page = PAGES / f"chapter-{number:02}.md"
    table = rows(page)
    assert len(table) >= 3
    here = FOLDER / f"chapter_{number:02}"
    assert [name for ours, _ in table for name in missing(ours, here, FOLDER)] == []
    assert [name for _, theirs in table for name in missing(theirs, ROOT)] == []


def test_a_name_that_is_not_there_is_noticed() -> None:
    assert missing("`src/erlen/app.py`: `Erlen.no_such_method`", ROOT) == [
        "src/erlen/app.py: Erlen.no_such_method"
    ]
    assert missing("`src/erlen/no_such_file.py`: `Erlen`", ROOT) == ["src/erlen/no_such_file.py: Erlen"]
    assert missing("nothing in code", ROOT) == ["nothing in code"]


def lines_of_code(file: Path) -> int:
    """Count the lines that are not blank, no comment and no docstring."""
    text = file.read_text(encoding="utf-8")
    strings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            strings.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    numbered = enumerate(text.splitlines(), 1)
    return sum(
        1 for number, line in numbered if number not in strings and line.strip() and line.lstrip()[0] != "#"
    )


def test_the_table_has_the_lines_of_each_chapter() -> None:
    text = (PAGES / "index.md").read_text(encoding="utf-8")
    said = [int(count) for count in re.findall(r"\]\(chapter-\d\d\.md\) \| (\d+) \|", text)]
    came = [sum(map(lines_of_code, (FOLDER / f"chapter_{number:02}").glob("*.py"))) for number in CHAPTERS]
    assert said == came


@pytest.mark.parametrize("number", CHAPTERS)
def test_exercises_with_a_solution_have_it_and_the_solution_is_tested(number: int) -> None:
    page = (PAGES / f"chapter-{number:02}.md").read_text(encoding="utf-8")
    file = FOLDER / "solutions" / f"chapter_{number:02}.py"
    assert (f"`solutions/chapter_{number:02}.py`" in page) == file.exists()
    tests = (FOLDER / "tests" / f"test_framework_chapter_{number:02}.py").read_text(encoding="utf-8")
    assert ("from solutions" in tests) == file.exists()


#: A row of the table 'All that changed'.
CHANGED = re.compile(r"^\| `(\w+\.py)` \| (new|changed) \| ", re.MULTILINE)


def modules(number: int) -> dict[str, bytes]:
    """Return the modules of a chapter; not the names it exports, which are others in each."""
    files = (FOLDER / f"chapter_{number:02}").glob("*.py")
    return {file.name: file.read_bytes() for file in files if file.name != "__init__.py"}


@pytest.mark.parametrize("number", CHAPTERS[1:])
def test_a_module_that_the_text_does_not_name_is_that_of_the_chapter_before(number: int) -> None:
    page = (PAGES / f"chapter-{number:02}.md").read_text(encoding="utf-8")
    here, before = modules(number), modules(number - 1)
    assert before.keys() <= here.keys()
    came = {
        name: "new" if name not in before else "changed"
        for name, text in here.items()
        if text != before.get(name)
    }
    assert dict(CHANGED.findall(page)) == came
    assert [name for name in came if f"examples/framework/chapter_{number:02}/{name}\n" not in page] == []


@pytest.mark.parametrize("number", CHAPTERS)
def test_what_a_package_exports_is_all_that_its_own_module_does(number: int) -> None:
    tree = ast.parse((FOLDER / f"chapter_{number:02}" / "__init__.py").read_text(encoding="utf-8"))
    assert {type(node) for node in tree.body[1:]} == {ast.ImportFrom}
