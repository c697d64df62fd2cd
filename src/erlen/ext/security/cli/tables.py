"""Tables on the terminal, as wide as that at most, and through pipes, as wide as they are."""

from __future__ import annotations

import collections.abc as cabc
import shutil
import sys
import unicodedata

import click

from ..events import clean_text

_GAP = 2

_INDENT = 4

#: No column is made narrower than this to fit.
_NARROWEST = 8


def echo_table(
    titles: cabc.Sequence[str],
    rows: cabc.Sequence[cabc.Sequence[str]],
    below: cabc.Sequence[str] | None = None,
) -> None:
    """Print a table.

    :param titles: the titles of its columns.
    :param rows: its cells. What a terminal would take for a command in them is replaced.
    :param below: what stands in a line of its own below each row, where it is not empty.
    """
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    cells = [[clean_text(cell, 1000) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(titles, *cells, strict=True)]
    widths = _fitting(widths, room)
    _echo_row([[title] for title in titles], widths, bold=True)
    click.echo((" " * _GAP).join("-" * width for width in widths))
    for row, detail in zip(cells, below or [""] * len(cells), strict=True):
        _echo_row([_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)], widths)
        if detail:
            for line in _wrapped(clean_text(detail, 2000), max(room - _INDENT, _NARROWEST)):
                click.secho(" " * _INDENT + line, dim=True)


def echo_pairs(pairs: cabc.Mapping[str, str]) -> None:
    """Print names and values below each other.

    :param pairs: the values by their names.
    """
    names = max(map(len, pairs)) + _GAP
    room = shutil.get_terminal_size().columns - names if sys.stdout.isatty() else sys.maxsize
    for name, value in pairs.items():
        for number, line in enumerate(_wrapped(clean_text(value, 1000), max(room, _NARROWEST))):
            click.echo(("" if number else name).ljust(names) + line)


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    # Both of these are two columns wide, combining characters none.
    wide = sum(unicodedata.east_asian_width(one) in {"W", "F"} for one in text)
    return len(text) + wide - sum(unicodedata.combining(one) != 0 for one in text)


def _fitting(natural: list[int], room: int) -> list[int]:
    widths = list(natural)
    while sum(widths) + _GAP * (len(widths) - 1) > room and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    return widths


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if _width(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for one in word:
            if _width(lines[-1] + one) > width:
                lines.append("")
            lines[-1] += one
    return lines


def _echo_row(
    cells: cabc.Sequence[list[str]], widths: cabc.Sequence[int], *, bold: bool | None = None
) -> None:
    for number in range(max(map(len, cells))):
        parts = [
            part + " " * (width - _width(part))
            for lines, width in zip(cells, widths, strict=True)
            for part in [lines[number] if number < len(lines) else ""]
        ]
        click.secho((" " * _GAP).join(parts).rstrip(), bold=bold)
