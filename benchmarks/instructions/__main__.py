"""The command line: ``python -m benchmarks.instructions``."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import typing as t
from pathlib import Path

from ..suites import SUITES
from . import guard
from .callgrind import ROOT, Counted, Unavailable, build, count, versions
from .child import SUBJECTS

FILE = ROOT / "benchmarks" / "instructions.json"

#: What continuous integration watches over, by protocol.
GUARDED = {"WSGI": ("plaintext", "int parameter", "query and header", "form POST"), "ASGI": ("plaintext",)}


def main(arguments: list[str] | None = None) -> int:
    """Count, and compare or print.

    :param arguments: the command line, that of the process by default.
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.write and (options.case or options.wsgi != options.asgi):
        parser.error(
            "--write writes the figures of all guarded cases, so leave out --case, --wsgi and --asgi"
        )
    cases = chosen(options)
    if not cases:
        parser.error(
            f"no such case among those asked for: {', '.join(options.case)}; --guard has five of them only"
        )
    try:
        return guarded(cases, options) if options.guard or options.write else printed(cases, options)
    except (Unavailable, guard.Unreadable) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instructions",
        description="How many instructions a request takes in Erlen, by valgrind's callgrind.",
    )
    parser.add_argument("--wsgi", action="store_true", help="over WSGI alone")
    parser.add_argument("--asgi", action="store_true", help="over ASGI alone")
    names = list(dict.fromkeys(name for suite in SUITES for name in suite.cases))
    parser.add_argument(
        "--case", action="append", default=[], choices=names, help="this case alone; may be repeated"
    )
    parser.add_argument(
        "--repeat", type=int, default=1, metavar="N", help="count N times and show the spread"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE as well")
    parser.add_argument(
        "--guard",
        action="store_true",
        help=f"compare the guarded cases with {FILE.name}; more than {100 * guard.LIMIT:.0f} %% growth fails",
    )
    parser.add_argument("--write", action="store_true", help=f"write the guarded cases to {FILE.name}")
    parser.add_argument("--file", type=Path, default=FILE, help=argparse.SUPPRESS)
    return parser


def chosen(options: argparse.Namespace) -> list[Counted]:
    """Return the cases that are asked for, all or the guarded ones by default."""
    both = options.wsgi == options.asgi
    found: list[Counted] = []
    for suite in SUITES:
        # Views that run in a thread pool: what they take depends on when which thread comes to its turn.
        if suite.protocol not in SUBJECTS:
            continue
        if not both and not getattr(options, suite.protocol.lower()):
            continue
        every = GUARDED[suite.protocol] if options.guard or options.write else tuple(suite.cases)
        found += [
            Counted(suite.protocol, name, suite.cases[name])
            for name in every
            if not options.case or name in options.case
        ]
    return found


def accept_command() -> str:
    """Return the command that writes the figures with the Python that runs."""
    if Path(sys.prefix) == ROOT / ".venv":
        return "make bench-guard ARGS=--write"
    try:
        python = Path(sys.executable).relative_to(ROOT).as_posix()
    except ValueError:
        python = sys.executable
    return f"{python} -m benchmarks.instructions --write"


def guarded(cases: list[Counted], options: argparse.Namespace) -> int:
    """Compare with the committed figures, and write them where that is asked for."""
    committed = guard.read(options.file)
    calibration, counts = count(cases)
    now = guard.Figures(build(), versions(), calibration, counts)
    whole = not options.case and options.wsgi == options.asgi
    verdict = guard.compare(committed.get(now.key), now, accept_command(), whole=whole)
    print(f"{heading(now)}\n")
    print(f"{'':<28}{'committed':>12}{'now':>12}")
    for line in verdict.lines:
        before = "none" if line.before is None else f"{line.before:,}"
        change = "" if line.before is None else f"{line.growth:+.1%}"
        print(f"{line.label:<28}{before:>12}{line.now:>12,}{change:>10}")
    print()
    if options.write:
        guard.write(options.file, now)
        print(f"Written to {options.file.name}, as the figures of {now.key}.")
        return 0
    for text in [*verdict.notes, *verdict.failures]:
        print(text, file=sys.stderr)
    if not verdict.failures:
        print("Nothing has grown beyond what is allowed.")
    return 1 if verdict.failures else 0


def heading(figures: guard.Figures) -> str:
    """Return what the figures are of."""
    of = figures.build
    return (
        f"Instructions a request, {of['python']} ({of['compiler']}), valgrind {of['valgrind']}; "
        f"calibration {figures.calibration:,}"
    )


def printed(cases: list[Counted], options: argparse.Namespace) -> int:
    """Count as often as asked for, print a table and write the JSON."""
    runs = [count(cases) for _ in range(max(1, options.repeat))]
    now = guard.Figures(build(), versions(), *runs[0])
    print(f"{heading(now)}\n")
    rows: dict[str, list[int]] = {
        "calibration": [calibration for calibration, _ in runs],
        **{case.label: [counts[case.label].instructions for _, counts in runs] for case in cases},
    }
    for label, figures in rows.items():
        middle = round(statistics.median(figures))
        spread = f"±{(max(figures) - min(figures)) / middle:.2%}" if options.repeat > 1 else ""
        print(f"{label:<28}{middle:>14,}{spread:>10}")
    if options.json:
        write_json(options.json, now)
    return 0


def write_json(file: Path, figures: guard.Figures) -> None:
    """Write the figures with what they are of."""
    tables: dict[str, dict[str, t.Any]] = {}
    for label, one in figures.cases.items():
        protocol, _, case = label.partition(" ")
        tables.setdefault(protocol.lower(), {})[case] = {"erlen": one.instructions}
    content = {
        "kind": "instructions",
        "unit": "instructions",
        "python": figures.build["python"],
        "build": figures.build,
        "versions": figures.versions,
        "calibration": figures.calibration,
        "tables": tables,
    }
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
