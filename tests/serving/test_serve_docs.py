"""The page about serving says what is so."""

from __future__ import annotations

import re
import tomllib
import typing as t
from pathlib import Path

import pytest
from click import Option

from erlen.commands.serve.access import FIELDS
from erlen.commands.serve.command import serve_command
from erlen.commands.serve.settings import KEYS, Settings, read_file

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text("utf-8")


def rows(columns: int) -> list[list[str]]:
    """Return the cells of all rows of tables with so many columns, below the headings."""
    found = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("|")
    ]
    return [cells for cells in found if len(cells) == columns and "`" in "".join(cells)]


SETTINGS = rows(5)
OPTIONS = {one.name: one for one in serve_command.params if isinstance(one, Option)}


def test_the_table_has_each_setting_once_in_the_order_of_the_help() -> None:
    documented = [re.findall(r"--[\w-]+|-\w\b", cells[0]) for cells in SETTINGS if cells[0]]
    assert documented == [
        sorted([*one.opts, *one.secondary_opts], key=lambda name: not name.startswith("--"))
        for one in OPTIONS.values()
    ]


def _written(value: t.Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None or value == [] else str(value)


@pytest.mark.parametrize("cells", SETTINGS, ids=lambda cells: cells[4].strip("`"))
def test_a_row_has_the_variable_the_key_and_the_default(cells: list[str]) -> None:
    default, key, variable = (cell.strip("`") for cell in cells[2:5])
    name = variable.removeprefix("ERLEN_SERVE_").lower()
    if name == "config":
        assert key == ""
        return
    assert key == name
    assert key in KEYS
    assert default == _written(getattr(Settings(), name))
    assert (name in OPTIONS) is (cells[0] != "")


def test_each_key_has_its_row() -> None:
    assert {cells[3].strip("`") for cells in SETTINGS} - {""} == set(KEYS)


def test_the_fields_of_the_access_log_are_those_that_are_there() -> None:
    documented = dict(cells for cells in rows(2) if cells[0].startswith("`%("))
    header = documented.pop("`%(header{Name})s`")
    assert "that header" in header
    assert documented == {f"`%({name})s`": meaning for name, meaning in FIELDS.items()}


def test_the_example_of_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.partition("```toml\n")[2].partition("```")[0]
    assert tomllib.loads(text)["tool"]["erlen"]["serve"]["workers"] == "auto"
    (tmp_path / "pyproject.toml").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    found, name = read_file(None)
    assert name == "pyproject.toml"
    assert found["static"] == ["/static=shop/static"]
    assert found["unix_socket"] == "/run/shop/shop.sock"
