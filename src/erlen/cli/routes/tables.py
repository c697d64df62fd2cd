"""Tables on the terminal and through pipes."""

from __future__ import annotations

import re
import shutil
import sys
import typing as t

import click

#: No column is made narrower than this to fit.
_NARROWEST = 12

_GAP = 2

# Where a text may go on in the next line: behind these.
_BREAKS = re.compile(r"(?<=[/,.:;> _-])")


def echo_table(columns: dict[str, list[str]]) -> None:
    """Print a table. On a terminal it is as wide as that at most, and in colours where Rich is installed.

    :param columns: the cells of each column, by its title.
    """
    titles, cells = list(columns), list(columns.values())
    natural = [max(map(len, (title, *column))) for title, column in columns.items()]
    is_terminal = sys.stdout.isatty()
    widths = fitting(titles, natural, shutil.get_terminal_size().columns) if is_terminal else natural
    rows = [
        [wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for row in zip(*cells, strict=True)
    ]
    if not (is_terminal and _echo_with_rich(titles, rows, widths)):
        _echo_plain(titles, rows, widths)


def fitting(titles: t.Sequence[str], natural: t.Sequence[int], room: int) -> list[int]:
    """Return how wide columns are made to fit: the widest gives first.

    :param titles: the titles; no column is narrower than its own.
    :param natural: the widths that need no wrapping.
    :param room: the width of the terminal.
    """
    widths = list(natural)
    least = [min(width, max(len(title), _NARROWEST)) for title, width in zip(titles, natural, strict=True)]
    while sum(widths) + _GAP * (len(widths) - 1) > room:
        spare = [width - smallest for width, smallest in zip(widths, least, strict=True)]
        if not any(spare):
            break
        widest = max((width, number) for number, width in enumerate(widths) if spare[number])[1]
        widths[widest] -= 1
    return widths


def wrapped(text: str, width: int) -> list[str]:
    """Return the lines of a cell, none of them longer than its column.

    :param text: the cell.
    :param width: the width of the column.
    """
    lines = [""]
    for piece in _BREAKS.split(text):
        if len(lines[-1]) + len(piece.rstrip()) > width and lines[-1]:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]


def _echo_plain(titles: list[str], rows: list[list[list[str]]], widths: list[int]) -> None:
    rules = ["-" * width for width in widths]
    for row in ([[title] for title in titles], [[rule] for rule in rules], *rows):
        for number in range(max(len(cell) for cell in row)):
            parts = [
                (cell[number] if number < len(cell) else "").ljust(width)
                for cell, width in zip(row, widths, strict=True)
            ]
            click.echo((" " * _GAP).join(parts).rstrip())


def _echo_with_rich(titles: list[str], rows: list[list[list[str]]], widths: list[int]) -> bool:
    try:
        # Optional dependency.
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        return False
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
    for title, width in zip(titles, widths, strict=True):
        table.add_column(title, width=width, no_wrap=True)
    for row in rows:
        cells = [Text("\n".join(lines)) for lines in row]
        for title, cell in zip(titles, cells, strict=True):
            if title == "Rule":
                cell.highlight_regex(r"<[^>]*>", "cyan")
            elif title in _FAINT:
                cell.stylize("dim")
        table.add_row(*cells)
    # As wide as it has to be, where the narrowest columns do not fit either.
    Console(width=max(sum(widths) + (_GAP + 1) * len(widths), shutil.get_terminal_size().columns)).print(
        table
    )
    return True


_FAINT = {"View", "Notes"}
