"""The table, and the figures as JSON."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from .apps import Subject
from .runner import Timing

WIDTH = 24
FIRST = 22


@dataclass
class Results:
    """All figures of one run."""

    rounds: int
    cases: dict[str, dict[str, Timing | None]] = field(default_factory=dict[str, dict[str, Timing | None]])


def heading(results: Results, subjects: dict[str, Subject]) -> None:
    """Print what is compared, and the head of the table."""
    print(
        f"{platform.python_implementation()} {platform.python_version()}, {results.rounds} interleaved rounds"
    )
    print(
        "microseconds a request ± distance of the quartiles, in brackets how many times cheaper than Flask\n"
    )
    titles = [_title(subject) for subject in subjects.values()]
    print(" " * FIRST + "".join(f"{title:>{WIDTH}}" for title in titles))


def _title(subject: Subject) -> str:
    version = importlib.metadata.version(subject.distribution)
    return subject.title if "," in subject.title else f"{subject.title} {version}"


def line(name: str, timings: dict[str, Timing | None], subjects: dict[str, Subject]) -> None:
    """Print one case."""
    flask = timings.get("flask")
    cells = [_cell(timings[one], flask, reference=one == "flask") for one in subjects]
    print(f"{name:<{FIRST}}" + "".join(f"{cell:>{WIDTH}}" for cell in cells), flush=True)


def _cell(timing: Timing | None, flask: Timing | None, *, reference: bool) -> str:
    if timing is None:
        return "has none"
    shown = f"{timing.median:.1f} ±{timing.spread:.1f}"
    if flask is None or reference:
        return f"{shown}        "
    return f"{shown} ({flask.median / timing.median:4.1f}x)"


def footing() -> None:
    """Print what the words of the table mean."""
    print(
        "\nErlen is measured with its defaults, the safe profile; the column beside it shows what that costs."
    )
    print("has none: the framework itself has no sessions. Before a case is timed, all answers were checked.")


def write_json(file: Path, results: Results) -> None:
    """Write all figures to a file."""
    cases: dict[str, t.Any] = {
        name: {
            subject: None
            if one is None
            else {"median": one.median, "spread": one.spread, "rounds": one.rounds}
            for subject, one in timings.items()
        }
        for name, timings in results.cases.items()
    }
    python = f"{platform.python_implementation()} {platform.python_version()}"
    content = {"python": python, "unit": "microseconds", "rounds": results.rounds, "cases": cases}
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
