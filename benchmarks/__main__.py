"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from . import report
from .apps import SUBJECTS
from .cases import CASES
from .runner import Unequal, measure


def main(arguments: list[str] | None = None) -> int:
    """Run the cases that are asked for and print the table.

    :param arguments: the command line, that of the process by default.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="What a request costs, in process."
    )
    parser.add_argument("--rounds", type=int, default=15, help="rounds of each case (default: 15)")
    parser.add_argument(
        "--case", action="append", choices=list(CASES), help="run this case alone; may be repeated"
    )
    parser.add_argument(
        "--subject", action="append", choices=list(SUBJECTS), help="compare this one with Flask alone"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE as well")
    options = parser.parse_args(arguments)
    cases = {name: CASES[name] for name in options.case or CASES}
    subjects = {
        name: SUBJECTS[name]
        for name in SUBJECTS
        if not options.subject or name in ("flask", *options.subject)
    }
    results = report.Results(options.rounds)
    report.heading(results, subjects)
    for name, case in cases.items():
        try:
            results.cases[name] = measure(case, subjects, options.rounds)
        except Unequal as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        report.line(name, results.cases[name], subjects)
    report.footing()
    if options.json:
        report.write_json(options.json, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
