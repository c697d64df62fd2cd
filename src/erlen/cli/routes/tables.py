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

# Where a text may go on in the next line: before a slash, and behind a space.
_BREAKS = re.compile(r"(?=/)|(?<= )")


def echo_table(columns: dict[str, list[str]], details: dict[str, list[str]] | None = None) -> None:
    """Print a table. On a terminal it is as wide as that at most, and in colours where Rich is installed.

    :param columns: the cells of each column, by its title.
    :param details: more columns. Where they do not fit, they are in a line below each row.
    """
    is_terminal, room = sys.stdout.isatty(), shutil.get_terminal_size().columns
    whole = {**columns, **(details or {})}
    below = [""] * len(next(iter(columns.values())))
    if is_terminal and details and _width(_natural(whole)) > room:
        below = ["  ".join(filter(None, cells)) for cells in zip(*details.values(), strict=True)]
        whole = columns
    widths = _natural(whole)
    if is_terminal:
        widths = fitting(list(whole), widths, room)
    rows = [
        [wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
        for row in zip(*whole.values(), strict=True)
    ]
    if not (is_terminal and _echo_with_rich(list(whole), rows, widths, below)):
        _echo_plain(list(whole), rows, widths, below)


def _natural(columns: dict[str, list[str]]) -> list[int]:
    return [max(map(len, (title, *column))) for title, column in columns.items()]


def _width(widths: t.Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def fitting(titles: t.Sequence[str], natural: t.Sequence[int], room: int) -> list[int]:
    """Return how wide columns are made to fit: the widest gives first.

    :param titles: the titles; no column is narrower than its own.
    :param natural: the widths that need no wrapping.
    :param room: the width of the terminal.
    """
    widths = list(natural)
    least = [min(width, max(len(title), _NARROWEST)) for title, width in zip(titles, natural, strict=True)]
    while _width(widths) > room:
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


def _echo_plain(titles: list[str], rows: list[list[list[str]]], widths: list[int], below: list[str]) -> None:
    head = [[[title] for title in titles], [["-" * width] for width in widths]]
    for row, detail in zip([*head, *rows], ["", "", *below], strict=True):
        for number in range(max(len(cell) for cell in row)):
            parts = [
                (cell[number] if number < len(cell) else "").ljust(width)
                for cell, width in zip(row, widths, strict=True)
            ]
            click.echo((" " * _GAP).join(parts).rstrip())
        if detail:
            click.echo(f"    {detail}")


def _echo_with_rich(
    titles: list[str], rows: list[list[list[str]]], widths: list[int], below: list[str]
) -> bool:
    try:
        # Optional dependency.
        from rich.console import Console
        from rich.text import Text
    except ImportError:
        return False
    # As wide as it has to be, where the narrowest columns do not fit either.
    console = Console(width=max(_width(widths), shutil.get_terminal_size().columns), highlight=False)
    gap = Text(" " * _GAP)
    head = gap.join(Text(title.ljust(width), "bold") for title, width in zip(titles, widths, strict=True))
    stroke = "\u2500" if console.encoding.startswith("utf") else "-"
    console.print(head, Text(stroke * _width(widths), "dim"), sep="\n")
    for row, detail in zip(rows, below, strict=True):
        for number in range(max(len(cell) for cell in row)):
            line = [
                _styled(Text(cell[number] if number < len(cell) else ""), title, width)
                for title, cell, width in zip(titles, row, widths, strict=True)
            ]
            console.print(gap.join(line))
        if detail:
            console.print(Text(f"    {detail}", "dim"), soft_wrap=True)
    return True


def _styled(cell: t.Any, title: str, width: int) -> t.Any:
    if title == "Rule":
        cell.highlight_regex(r"<[^>]*>?|^[^<]*>", "cyan")
    elif title in _FAINT:
        cell.stylize("dim")
    cell.align("left", width)
    return cell


_FAINT = {"View", "File", "Notes"}
