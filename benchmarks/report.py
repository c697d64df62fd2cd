"""The tables, and the figures as JSON."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
import typing as t
from pathlib import Path

from .apps import Subject
from .runner import Timing
from .suites import Suite

WIDTH = 23
FIRST = 24

#: The figures of a table: of each case, of each subject.
Figures = dict[str, dict[str, Timing | None]]


def heading(suite: Suite, rounds: int) -> None:
    """Print what is compared."""
    reference = suite.subjects[suite.reference].title
    print(f"{suite.protocol}, {python()}, {rounds} interleaved rounds")
    print(
        "microseconds a request ± distance of the quartiles, "
        f"in brackets how many times cheaper than {reference}\n"
    )


def row(label: str, cells: t.Iterable[str]) -> None:
    """Print one line of a table."""
    print(f"{label:<{FIRST}}" + "".join(f"{cell:>{WIDTH}}" for cell in cells), flush=True)


def title(subject: Subject) -> str:
    """Return how a subject is called, with the version where that is not said beside it."""
    if subject.distribution is None or "," in subject.title:
        return subject.title
    return f"{subject.title} {importlib.metadata.version(subject.distribution)}"


def cell(suite: Suite, timings: dict[str, Timing | None], name: str) -> str:
    """Return a subject's figure for a case, and its relation to the reference."""
    one, reference = timings[name], timings[suite.reference]
    if one is None:
        return "has none"
    shown = f"{one.median:.1f} ±{one.spread:.1f}"
    if reference is None or name == suite.reference:
        return f"{shown}        "
    times = reference.median / one.median
    return f"{shown} ({times:4.1f}x)" if times >= 1 else f"{shown} ({times:.2f}x)"


def print_table(suite: Suite, measured: t.Iterable[tuple[str, dict[str, Timing | None]]]) -> Figures:
    """Print a table and return its figures.

    :param measured: the cases with their figures, as they come.
    """
    return (_cases_down if suite.down == "cases" else _subjects_down)(suite, measured)


def _cases_down(suite: Suite, measured: t.Iterable[tuple[str, dict[str, Timing | None]]]) -> Figures:
    row("", [title(subject) for subject in suite.subjects.values()])
    figures: Figures = {}
    for case, timings in measured:
        figures[case] = timings
        row(case, [cell(suite, timings, name) for name in suite.subjects])
    return figures


def _subjects_down(suite: Suite, measured: t.Iterable[tuple[str, dict[str, Timing | None]]]) -> Figures:
    figures: Figures = {}
    for case, timings in measured:
        figures[case] = timings
        # The first line is complete only with the last case.
        print(f"measured: {case}", file=sys.stderr, flush=True)
    row("", figures)
    for name, subject in suite.subjects.items():
        row(title(subject), [cell(suite, timings, name) for timings in figures.values()])
    return figures


def footing(suite: Suite) -> None:
    """Print what the words of the table mean."""
    print("", *suite.notes, "", sep="\n")


def python() -> str:
    """Return which Python this is."""
    return f"{platform.python_implementation()} {platform.python_version()}"


def write_json(file: Path, rounds: int, tables: dict[str, Figures]) -> None:
    """Write all figures of all tables to a file."""
    content: dict[str, t.Any] = {"python": python(), "unit": "microseconds", "rounds": rounds}
    for protocol, figures in tables.items():
        content[protocol.lower()] = {
            case: {
                subject: None
                if one is None
                else {"median": one.median, "spread": one.spread, "rounds": one.rounds}
                for subject, one in timings.items()
            }
            for case, timings in figures.items()
        }
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
