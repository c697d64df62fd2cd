"""The parts of ``docs/benchmarks/README.md`` that hold figures, made of the JSON files beside it; a test compares the two.

``python -m benchmarks.publishing.page`` writes them.
"""

from __future__ import annotations

import re
import sys
import typing as t
from pathlib import Path

from .charts import charts, table_title, value
from .overview import overviews
from .results import FOLDER, Bar, Results, Table, behind, best_peer, ratio, read_all, shown

PAGE = "README.md"

_PART = re.compile(
    r"(<!-- begin: ([\w-]+), by benchmarks/publishing -->\n)(.*?)(<!-- end: \2 -->)", re.DOTALL
)

_NOT_YET = "*Not measured yet.*"

#: From what on Erlen counts as slower than a peer: less than that is the noise of two runs.
NOISE = 1.03

_UNITS = {"microseconds": "µs", "instructions": "instructions"}

_MORE = {
    "p99_ms": "p99, ms",
    "processor_us": "core, µs",
    "core_ms": "core, ms",
    "pss_mib": "PSS",
    "rss_mib": "RSS",
}


def written(text: str, results: list[Results]) -> str:
    """Return the page with its parts made anew.

    :param text: the page.
    """

    def part(match: re.Match[str]) -> str:
        begin, name, _, end = match.groups()
        return f"{begin}\n{_PARTS[name](results).strip() or _NOT_YET}\n\n{end}"

    return _PART.sub(part, text)


def _machine(results: list[Results]) -> str:
    rows = [
        [
            f"[{one.file}]({one.file})",
            one.python,
            one.date or "-",
            _hardware(one),
            ", ".join(f"{name} {value}" for name, value in one.how.items() if name != "pinning") or "-",
        ]
        for one in results
    ]
    if not rows:
        return ""
    versions = {name: version for one in results for name, version in one.versions.items()}
    lines = _markdown(["file", "Python", "date", "machine", "how"], rows)
    busy = [one.file for one in results if _is_busy(one)]
    if busy:
        lines += (
            "\n\n**Other programs ran on the machine at the same time**, as its load says, more than it has cores: "
            f"figures scatter, those of a few rounds most.\nSo it was with {', '.join(busy)}."
        )
    listed = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    return f"{lines}\n\nVersions: {listed}." if versions else lines


def _is_busy(one: Results) -> bool:
    load, cores = one.machine.get("load_average"), one.machine.get("cores")
    return load is not None and cores is not None and load > cores


def _hardware(one: Results) -> str:
    machine = one.machine
    memory, load = machine.get("memory_mib"), machine.get("load_average")
    parts = [
        machine.get("processor"),
        f"{machine['cores']} cores" if "cores" in machine else None,
        f"{memory / 1024:.0f} GiB" if memory else None,
        machine.get("os") or machine.get("system"),
        f"load {load}" if load is not None else None,
    ]
    return ", ".join(str(part) for part in parts if part) or "-"


def _behind(results: list[Results]) -> str:
    """Return where a framework is better than Erlen, the farthest first."""
    found: list[tuple[float, str]] = []
    compared = 0
    for one in results:
        for table in one.tables.values():
            for case in table.cases:
                times = behind(table, case)
                peer = best_peer(table, case)
                own = table.cases[case].get(table.own or "")
                if times is None or peer is None or own is None:
                    continue
                compared += 1
                if times > NOISE:
                    found.append((times, _behind_row(one, table, case, own, peer, times)))
    if not compared:
        return ""
    if not found:
        return (
            f"In none of the {compared} lines a framework is better than Erlen by more than {NOISE - 1:.0%}."
        )
    lines = [row for _, row in sorted(found, reverse=True)]
    head = "| case | of | Python | Erlen | best peer | times |\n|---|---|---|--:|--:|--:|"
    return (
        f"In {len(found)} of {compared} lines a framework is better than Erlen by more than {NOISE - 1:.0%}, "
        "the farthest first:\n\n" + "\n".join([head, *lines])
    )


def _behind_row(one: Results, table: Table, case: str, own: Bar, peer: Bar, times: float) -> str:
    where = f"{one.kind}, {table_title(table)}"
    return f"| {case} | {where} | {one.short} | {value(own)} | {peer.title} {value(peer)} | {times:.2f} |"


def _overviews(results: list[Results]) -> str:
    return "\n".join(f"![{one.alternative}]({one.file})" for one in overviews(results))


def _kind(kind: str) -> t.Callable[[list[Results]], str]:
    def part(results: list[Results]) -> str:
        pictures = [chart for chart in charts(results) if chart.name.startswith(f"{kind}-")]
        lines = [f"![{chart.alternative}]({chart.file})" for chart in pictures]
        tables = [
            f"**{_caption(one, table)}**\n\n{_table(table)}"
            for one in results
            if one.kind == kind
            for table in one.tables.values()
        ]
        return "\n\n".join([*(["\n".join(lines)] if lines else []), *tables])

    return part


def _caption(one: Results, table: Table) -> str:
    units = dict.fromkeys(bar.unit for bar in table.subjects.values())
    unit = ", ".join(_UNITS.get(unit, unit) for unit in units)
    return f"{table_title(table)}, {one.python}, {unit}"


def _table(table: Table) -> str:
    if any(bar.more for bar in table.subjects.values()):
        return _with_more(table)
    subjects = table.subjects
    related = table.own is not None and table.reference in subjects
    heads = ["", *(bar.title for bar in subjects.values())]
    if related:
        heads += [f"{subjects[table.reference].title} ÷ Erlen", "Erlen ÷ best peer"]
    rows: list[list[str]] = []
    for case, bars in table.cases.items():
        best = best_peer(table, case)
        cells = [_cell(bars.get(name), marked=best is not None and best.subject == name) for name in subjects]
        if related:
            cells += [_times(ratio(table, case, table.own or "")), _times(behind(table, case))]
        rows.append([case, *cells])
    return _markdown(heads, rows)


def _with_more(table: Table) -> str:
    """Return a table in which each subject has a line in each case, for its other figures."""
    extra = [name for name in _MORE if any(name in bar.more for bar in table.subjects.values())]
    unit = next(iter(table.subjects.values())).unit
    reference = table.subjects[table.reference].title if table.reference else "reference"
    rows: list[list[str]] = []
    for case, bars in table.cases.items():
        present = sorted(
            (bar for bar in bars.values() if bar is not None),
            key=lambda bar: bar.median,
            reverse=table.more_is_better,
        )
        for place, bar in enumerate(present):
            title = f"**{bar.title}**" if bar.role == "own" else bar.title
            more = [shown(bar.more[name]) if name in bar.more else "-" for name in extra]
            relation = _of_reference(table, case, bar)
            spread = f"±{bar.spread / bar.median:.0%}" if bar.median else ""
            rows.append([case if place == 0 else "", title, f"{shown(bar.median)} {spread}", relation, *more])
    return _markdown(["", "", unit, f"÷ {reference}", *(_MORE[name] for name in extra)], rows, left=2)


def _of_reference(table: Table, case: str, bar: Bar) -> str:
    reference = table.cases[case].get(table.reference)
    return f"{bar.median / reference.median:.2f}" if reference is not None and reference.median else "-"


def _cell(bar: Bar | None, *, marked: bool) -> str:
    if bar is None:
        return "-"
    return f"**{shown(bar.median)}**" if marked else shown(bar.median)


def _times(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _markdown(heads: list[str], rows: list[list[str]], left: int = 1) -> str:
    numbers = rows and all(re.match(r"[\d*-]", cell) for row in rows for cell in row[left:])
    ruler = ["---"] * left + (["--:"] if numbers else ["---"]) * (len(heads) - left)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [heads, ruler, *rows])


_PARTS: dict[str, t.Callable[[list[Results]], str]] = {
    "machine": _machine,
    "behind": _behind,
    "overview": _overviews,
    **{
        name: _kind(name)
        for name in ("in-process", "servers", "database", "startup", "memory", "instructions")
    },
}


def main(folder: Path = FOLDER) -> int:
    """Write the page anew."""
    page = folder / PAGE
    try:
        text = written(page.read_text(encoding="utf-8"), read_all(folder))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    page.write_text(text, encoding="utf-8")
    print(f"{page.relative_to(folder.parents[1]).as_posix()} has the figures of the files beside it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
