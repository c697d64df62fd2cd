"""The tables, and the figures as JSON."""

from __future__ import annotations

import datetime as dt
import json
import platform
import sys
import typing as t
from pathlib import Path

from . import machine
from .apps import Subject
from .clock import COUNTED
from .machine import python
from .runner import Timing
from .suites import Suite
from .versions import compiled_parts, version

#: Width of the first column, of each subject's, and of each ratio: nine subjects and two ratios make 110.
FIRST, WIDTH, RATIO = 24, 8, 7

#: Names of frameworks that are longer than a column, and how they are broken.
BROKEN = {"Starlette": ("Star-", "lette"), "BlackSheep": ("Black-", "Sheep"), "Litestar": ("Lite-", "star")}

#: The figures of a table: of each case, of each subject.
Figures = dict[str, dict[str, Timing | None]]

#: Figures that come case by case.
Measured = t.Iterable[tuple[str, dict[str, Timing | None]]]


def heading(suite: Suite, rounds: int) -> None:
    """Print what is compared."""
    reference, own = suite.subjects[suite.reference].title, suite.subjects[suite.own].title
    print(f"{suite.protocol}, {python()}, {rounds} interleaved rounds, fewer where a request takes long")
    print(
        f"microseconds of {COUNTED} a request, the median; {reference} : {own} says how many times cheaper\n"
        f"{own} is, {own} : best how it stands to the cheapest other framework, which is marked *\n"
    )


def print_table(suite: Suite, measured: Measured) -> Figures:
    """Print a table, then how far its rounds lie apart, and return its figures.

    :param measured: the cases with their figures, as they come.
    """
    _titles(suite, ratios=True)
    figures: Figures = {}
    for case, timings in measured:
        figures[case] = timings
        peer = best(suite, timings)
        cells = [_microseconds(timings[name], marked=name == peer) for name in suite.subjects]
        _row(case, cells, _ratios(suite, timings))
    print("\nDistance of the quartiles, in per cent of the median\n")
    _titles(suite, ratios=False)
    for case, timings in figures.items():
        _row(case, [_spread(timings[name]) for name in suite.subjects])
    return figures


def best(suite: Suite, timings: dict[str, Timing | None]) -> str | None:
    """Return which of the other frameworks is the cheapest, ``None`` where none has the case."""
    medians = {
        name: one.median for name, one in timings.items() if one is not None and suite.subjects[name].is_peer
    }
    return min(medians, key=medians.__getitem__, default=None)


def _titles(suite: Suite, *, ratios: bool) -> None:
    reference, own = suite.subjects[suite.reference].title, suite.subjects[suite.own].title
    columns = [_title(subject) for subject in suite.subjects.values()]
    more = [(*BROKEN.get(reference, ("", reference)), f": {own}"), ("", own, ": best")] if ratios else []
    for line in range(3):
        _row("", [f"{column[line]} " for column in columns], [column[line] for column in more])


def _title(subject: Subject) -> tuple[str, str, str]:
    """Return the three lines above a column."""
    name, _, kind = subject.title.partition(", ")
    if kind:
        first, _, second = kind.replace("as_flask mode", "as Flask").partition(" ")
        return name, first, second
    if subject.distribution is None:
        return "", "", name.partition(" ")[0]
    first, second = BROKEN.get(name, ("", name))
    return first, second, version(subject.distribution) or ""


def _row(label: str, cells: t.Iterable[str], ratios: t.Iterable[str] = ()) -> None:
    line = [
        f"{label:<{FIRST}}",
        *(f"{cell:>{WIDTH}}" for cell in cells),
        *(f"{one:>{RATIO}}" for one in ratios),
    ]
    print("".join(line).rstrip(), flush=True)


def _microseconds(one: Timing | None, *, marked: bool) -> str:
    if one is None:
        return "- "
    digits = 2 if one.median < 10 else 1 if one.median < 1000 else 0
    return f"{one.median:.{digits}f}{'*' if marked else ' '}"


def _spread(one: Timing | None) -> str:
    return "- " if one is None else f"{100 * one.spread / one.median:.0f} "


def _ratios(suite: Suite, timings: dict[str, Timing | None]) -> tuple[str, str]:
    """Return how many times cheaper than the reference Erlen is, and its cost as a part of the best one's."""
    own, reference, peer = timings[suite.own], timings[suite.reference], best(suite, timings)
    if own is None:
        return "-", "-"
    to_reference = "-" if reference is None else f"{reference.median / own.median:.1f}x"
    cheapest = None if peer is None else timings[peer]
    return to_reference, "-" if cheapest is None else f"{own.median / cheapest.median:.2f}"


def footing(suite: Suite) -> None:
    """Print what the words of the table mean, what of the frameworks is compiled, and the machine."""
    print("", "-: the framework itself has no such thing.", *suite.notes, sep="\n")
    parts = {
        subject.title: len(compiled_parts(subject.distribution))
        for subject in suite.subjects.values()
        if subject.is_peer
    }
    named = [f"{number} modules of {title}" for title, number in parts.items() if number]
    print(f"Compiled: {', '.join(named) or 'none of them'}.", f"{machine.sentence()}.", "", sep="\n")


def write_json(file: Path, rounds: int, tables: dict[str, tuple[Suite, Figures]]) -> None:
    """Write all figures of all tables to a file, with what they were measured on.

    :param tables: by the name of each in the file.
    """
    suites = [suite for suite, _ in tables.values()]
    content: dict[str, t.Any] = {
        "python": python(),
        "unit": "microseconds",
        "clock": COUNTED,
        "rounds": rounds,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": {**machine.describe(), "os": _system()},
        "versions": machine.versions(
            ["jinja2", "werkzeug", *(one.distribution for suite in suites for one in suite.subjects.values())]
        ),
        "subjects": {suite.key: _subjects(suite) for suite in suites},
    }
    for key, (_, figures) in tables.items():
        content[key] = {
            case: {
                subject: None
                if one is None
                else {"median": one.median, "spread": one.spread, "rounds": one.rounds}
                for subject, one in timings.items()
            }
            for case, timings in figures.items()
        }
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _subjects(suite: Suite) -> dict[str, t.Any]:
    return {
        name: {
            "title": subject.title,
            "version": version(subject.distribution),
            "compiled": compiled_parts(subject.distribution),
            "role": _role(suite, name),
        }
        for name, subject in suite.subjects.items()
    }


def _role(suite: Suite, name: str) -> str:
    if name == suite.own:
        return "own"
    if name == suite.reference:
        return "reference"
    subject = suite.subjects[name]
    return "peer" if subject.is_peer else "floor" if subject.distribution is None else "variant"


def _system() -> str:
    """Return the name of the operating system, of Linux that of the distribution."""
    if sys.platform == "linux":
        try:
            return platform.freedesktop_os_release()["PRETTY_NAME"]
        except (OSError, KeyError):
            pass
    return platform.platform(terse=True)
