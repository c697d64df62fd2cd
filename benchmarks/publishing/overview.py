"""One picture of all cases in process: how many times cheaper than the reference each framework is, as numbers on colours."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from .canvas import WIDTH, Canvas
from .results import Results, Table, ratio

_ROW, _HEAD, _LABELS = 13.5, 30.0, 99.0

#: From what on a colour is at its fullest.
_FULL = 16.0

#: The cases of the small picture: what most requests are, those where others are better among them.
_SUMMARY = (
    "plaintext", "json", "int parameter", "query and header", "form POST", "template of 12 rows", "session write",
    "url_for x 10", "error handler", "static file",
)  # fmt: skip

_BETTER, _WORSE = (9, 105, 218), (207, 84, 34)

_SHORT = {
    "bare callable": "bare",
    "BlackSheep": "Black-\nSheep",
    "FastAPI": "Fast-\nAPI",
    "Litestar": "Lite-\nstar",
    "Pyramid": "Pyra-\nmid",
    "Starlette": "Star-\nlette",
}


@dataclass(frozen=True)
class Overview:
    """One picture.

    :param alternative: what it shows, for those who do not see it.
    """

    name: str
    note: str
    alternative: str
    table: Table

    @property
    def file(self) -> str:
        return f"{self.name}.svg"

    @property
    def columns(self) -> list[str]:
        """The subjects: Erlen first, the reference and other settings of a framework left out."""
        subjects = self.table.subjects
        own = [name for name, bar in subjects.items() if bar.role == "own"]
        return own + [name for name, bar in subjects.items() if bar.role in {"peer", "floor"}]

    @property
    def reference(self) -> str:
        return self.table.subjects[self.table.reference].title


def overviews(results: list[Results]) -> list[Overview]:
    """Return the pictures: one for each table in process of each Python."""
    return [
        Overview(
            f"overview-{table.name}-{one.short}",
            f"{one.python} · {table.name.upper()} · in process",
            f"How many times cheaper than {table.subjects[table.reference].title} each framework is, {table.name.upper()}, "
            f"{one.python}. The figures are in the tables.",
            table,
        )
        for one in results
        if one.kind == "in-process"
        for table in one.tables.values()
        if len(table.cases) > 1 and table.reference and table.name in {"wsgi", "asgi"}
    ]


def summaries(results: list[Results]) -> list[Overview]:
    """Return the pictures of a few cases: one for each table in process, of the newest Python."""
    newest: dict[str, Overview] = {}
    for one in overviews(results):
        newest.setdefault(one.table.name, one)
    return [
        replace(
            one,
            name=f"summary-{name}",
            table=replace(
                one.table, cases={case: one.table.cases[case] for case in _SUMMARY if case in one.table.cases}
            ),
        )
        for name, one in newest.items()
        if set(_SUMMARY) <= set(one.table.cases)
    ]


def colour(value: float) -> tuple[float, float, float]:
    """Return the colour of a ratio: white at 1, one way and the other by its logarithm."""
    strength = min(1.0, abs(math.log(value)) / math.log(_FULL)) * 0.85
    towards = _BETTER if value >= 1 else _WORSE
    red, green, blue = ((255 + (part - 255) * strength) / 255 for part in towards)
    return red, green, blue


def ink(value: float) -> str:
    """Return black or white, whichever has more contrast on the colour of a ratio."""
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour(value)]
    luminance = sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
    # Of WCAG: to white that is 1.05 by what the colour has, to black what it has by 0.05.
    return "#ffffff" if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.05 else "#000000"


def cell_text(value: float) -> str:
    """Return a ratio as it stands in its cell."""
    return f"{value:.0f}" if value >= 20 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def draw(overview: Overview, file: Path) -> None:
    """Write the picture as SVG.

    :raises Missing: where the library for charts is not installed.
    """
    table, columns = overview.table, overview.columns
    width = (WIDTH - _LABELS) / max(1, len(columns))
    canvas = Canvas(34 + _HEAD + _ROW * len(table.cases))
    top = canvas.heading(f"Times cheaper than {overview.reference}", overview.note)
    for place, name in enumerate(columns):
        bar = table.subjects[name]
        lines = _SHORT.get(bar.title, bar.title).split("\n")
        for number, line in enumerate(lines):
            y = top + _HEAD - 7 - 10 * (len(lines) - 1 - number)
            canvas.text(
                _LABELS + (place + 0.5) * width,
                y,
                line,
                size=min(7.8, width * 0.3),
                align="center",
                bold=bar.role == "own",
            )
    top += _HEAD
    for case in table.cases:
        canvas.text(0, top + _ROW / 2, case, size=8.3)
        for place, name in enumerate(columns):
            x, value = _LABELS + place * width, ratio(table, case, name)
            if value is None:
                canvas.text(x + width / 2, top + _ROW / 2, "-", size=8.3, align="center", soft=True)
                continue
            canvas.cell(x + 0.5, top + 0.5, width - 1, _ROW - 1, colour(value))
            bold = table.subjects[name].role == "own"
            text = cell_text(value)
            canvas.text(
                x + width / 2, top + _ROW / 2, text, size=8.3, align="center", bold=bold, colour=ink(value)
            )
        top += _ROW
    canvas.save(file)
