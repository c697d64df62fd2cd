"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import sys
import typing as t
from pathlib import Path

from . import compared, machine, report, startup
from .answers import Unequal
from .runner import Timing, measure
from .suites import SUITES, WSGI, Suite


def main(arguments: list[str] | None = None) -> int:
    """Run the cases that are asked for and print the tables.

    :param arguments: the command line, that of the process by default.
    """
    words = sys.argv[1:] if arguments is None else arguments
    if "--instructions" in words:
        # Another program with options of its own, which needs valgrind.
        from .instructions.__main__ import main as count

        return count([word for word in words if word != "--instructions"])
    parser = make_parser()
    options = parser.parse_args(words)
    if options.startup:
        print(
            f"Start of the development server to its first answer, {machine.python()}, {options.rounds} rounds\n"
        )
        startup.print_table(startup.measure(options.rounds))
        return 0
    asked = [suite for suite in SUITES if getattr(options, suite.flag)] or [WSGI]
    parts = [suite.only(options.case, options.subject) for suite in asked]
    suites = [suite for suite in parts if suite is not None]
    if not suites:
        parser.error(
            "no table has what --case and --subject ask for; --asgi shows that over ASGI, --wsgi --asgi both"
        )
    tables: dict[str, tuple[Suite, report.Figures]] = {}
    for suite in suites:
        try:
            if options.answers:
                compared.print_answers(suite)
                continue
            report.heading(suite, options.rounds)
            tables[suite.key] = suite, report.print_table(suite, measured(suite, options.rounds))
        except Unequal as error:
            print(error, file=sys.stderr)
            return 1
        report.footing(suite)
    if options.json and tables:
        report.write_json(options.json, options.rounds, tables)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="What a request costs, in process."
    )
    parser.add_argument(
        "--wsgi", action="store_true", help="the table over WSGI; so it is without --asgi, too"
    )
    parser.add_argument("--asgi", action="store_true", help="the table over ASGI; with --wsgi both")
    parser.add_argument(
        "--startup",
        action="store_true",
        help="how long development servers take to their first answer instead",
    )
    parser.add_argument(
        "--instructions",
        action="store_true",
        help="count the instructions of a request in Erlen instead; --instructions --help has its options",
    )
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each case (default: 15)")
    cases = list(dict.fromkeys(name for suite in SUITES for name in suite.cases))
    parser.add_argument(
        "--case", action="append", default=[], choices=cases, help="run this case alone; may be repeated"
    )
    subjects = list(dict.fromkeys(name for suite in SUITES for name in suite.subjects))
    parser.add_argument(
        "--subject",
        action="append",
        default=[],
        choices=subjects,
        help="compare Erlen and Flask with this one alone, over ASGI Erlen and Starlette; may be repeated",
    )
    parser.add_argument(
        "--answers", action="store_true", help="show what is compared, the answers, and measure nothing"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE as well")
    return parser


def measured(suite: Suite, rounds: int) -> t.Iterator[tuple[str, dict[str, Timing | None]]]:
    """Measure the cases of a table one after the other.

    :raises Unequal: where a subject does not answer as the case says.
    """
    with suite.preparing() as prepare:
        for name, case in suite.cases.items():
            try:
                yield name, measure(case, suite.subjects, rounds, prepare)
            except Unequal as error:
                raise Unequal(f"{name}: {error}") from error


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
