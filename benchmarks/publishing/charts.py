"""The charts: ``python -m benchmarks.publishing.charts`` draws them from the JSON files in ``docs/benchmarks``."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from pathlib import Path

from . import overview
from .canvas import Canvas, Missing
from .results import FOLDER, Bar, Results, Table, read_all, shown

#: How many cases stand in one chart.
PANELS = 6

# In points, as everything here.
_ROW, _TITLE, _GAP = 12.5, 15.0, 8.0
_LABELS, _BARS = 97.0, 110.0

#: Where rounds lie farther apart than that beyond the longest bar, the line ends there.
_SPREAD_SHOWN = 1.2

_UNITS = {"microseconds": "µs", "requests/s": "/s", "instructions": "instructions"}

_WHAT = {
    "in-process": "Microseconds a request, in process",
    "servers": "Requests a second behind a server",
    "database": "Requests a second from a database",
    "startup": "Milliseconds from the start of a process",
    "memory": "Memory of a process",
}


@dataclass(frozen=True)
class Panel:
    """One case: a line for each subject, the best first."""

    title: str
    bars: list[Bar]


@dataclass(frozen=True)
class Chart:
    """One picture.

    :param alternative: what it shows, for those who do not see it.
    """

    name: str
    title: str
    note: str
    alternative: str
    panels: list[Panel]

    @property
    def file(self) -> str:
        return f"{self.name}.svg"


def charts(results: list[Results]) -> list[Chart]:
    """Return the charts with bars: those of the newest Python of each kind."""
    newest: dict[str, Results] = {}
    for one in results:
        newest.setdefault(one.kind, one)
    return [
        chart
        for one in newest.values()
        if one.kind in _WHAT
        for table in one.tables.values()
        for chart in _charts_of(one, table)
    ]


def _charts_of(one: Results, table: Table) -> list[Chart]:
    panels = [Panel(case, ordered(table, case)) for case in table.cases]
    # Charts of about the same length, as they stand beside each other.
    count = -(-len(panels) // PANELS)
    ends = [round(len(panels) * number / count) for number in range(count + 1)]
    parts = [panels[start:end] for start, end in itertools.pairwise(ends)]
    found: list[Chart] = []
    for number, part in enumerate(parts, 1):
        name = f"{one.kind}-{table.name.replace(' ', '-')}" + (f"-{number}" if len(parts) > 1 else "")
        better = "longer is better" if table.more_is_better else "shorter is better"
        note = f"{one.python} · {table_title(table)} · {better}"
        cases = ", ".join(panel.title for panel in part)
        alternative = f"{_WHAT[one.kind]}, {table_title(table)}: {cases}. The figures are in the tables."
        found.append(Chart(name, _WHAT[one.kind], note, alternative, part))
    return found


def table_title(table: Table) -> str:
    """Return how a table is called where people read it."""
    words = {
        "wsgi": "WSGI",
        "asgi": "ASGI",
        "pool": "plain views",
        "sqlite": "SQLite",
        "postgresql": "PostgreSQL",
    }
    names = {"uvicorn": "uvicorn", "gunicorn": "gunicorn", "granian": "Granian", "websockets": "WebSockets"}
    text = " ".join((words | names).get(part, part) for part in table.name.replace("-", " ").split())
    return text[:1].upper() + text[1:] if table.kind in {"startup", "memory"} else text


def ordered(table: Table, case: str) -> list[Bar]:
    """Return the figures of a case, the best first."""
    bars = [bar for bar in table.cases[case].values() if bar is not None]
    return sorted(bars, key=lambda bar: bar.median, reverse=table.more_is_better)


def height(chart: Chart) -> float:
    """Return how high a chart is."""
    return 40 + sum(_TITLE + _ROW * len(panel.bars) + _GAP for panel in chart.panels)


def draw(chart: Chart, file: Path) -> None:
    """Write a chart as SVG.

    :raises Missing: where the library for charts is not installed.
    """
    canvas = Canvas(height(chart))
    top = canvas.heading(chart.title, chart.note)
    for panel in chart.panels:
        canvas.text(0, top + _TITLE / 2, panel.title, size=9.5, bold=True)
        top += _TITLE
        highest = max(bar.median for bar in panel.bars)
        most = min(max(bar.median + bar.spread / 2 for bar in panel.bars), _SPREAD_SHOWN * highest)
        for bar in panel.bars:
            _draw_bar(canvas, bar, top, most)
            top += _ROW
        top += _GAP
    canvas.save(file)


def _draw_bar(canvas: Canvas, bar: Bar, top: float, most: float) -> None:
    middle = top + _ROW / 2
    own = bar.role == "own"
    canvas.text(_LABELS - 4, middle, bar.title, size=9, align="right", bold=own, soft=bar.role == "floor")
    scale = _BARS / most if most else 0
    canvas.bar(_LABELS, top + 2, max(0.8, bar.median * scale), _ROW - 4, bar.role)
    start, end = max(0.0, bar.median - bar.spread / 2), min(most, bar.median + bar.spread / 2)
    if (end - start) * scale > 1.5:
        canvas.line(_LABELS + start * scale, _LABELS + end * scale, middle)
    canvas.text(_LABELS + end * scale + 4, middle, value(bar), size=9, bold=own, soft=not own)


def value(bar: Bar) -> str:
    """Return what stands at the end of a bar."""
    return f"{shown(bar.median)} {_UNITS.get(bar.unit, bar.unit)}".replace(" /s", "/s")


def draw_all(folder: Path = FOLDER) -> list[str]:
    """Draw everything that the files of a folder hold, and return the names of the pictures.

    Pictures of earlier runs that nothing is drawn for any more go.

    :raises Missing: where the library for charts is not installed.
    """
    results = read_all(folder)
    wanted = charts(results)
    for chart in wanted:
        draw(chart, folder / chart.file)
    names = [chart.file for chart in wanted]
    for heat in (*overview.overviews(results), *overview.summaries(results)):
        overview.draw(heat, folder / heat.file)
        names.append(heat.file)
    for file in folder.glob("*.svg"):
        if file.name not in names:
            file.unlink()
    return names


def main() -> int:
    """Draw all charts."""
    try:
        names = draw_all()
    except (Missing, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    where = FOLDER.relative_to(FOLDER.parents[1]).as_posix()
    print(f"{len(names)} charts in {where}, of the figures in it." if names else f"No figures in {where}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
