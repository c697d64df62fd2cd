"""The command line: ``python -m benchmarks.publishing`` measures everything, draws it and writes the page."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
from pathlib import Path

from . import charts, page
from .results import FOLDER, KINDS

#: The program of each kind, with its arguments.
PROGRAMS: dict[str, list[str]] = {
    "in-process": ["benchmarks", "--wsgi", "--asgi"],
    "servers": ["benchmarks.serving"],
    "database": ["benchmarks.database"],
    "startup": ["benchmarks.startup"],
    "memory": ["benchmarks.memory.idle"],
    "instructions": ["benchmarks.instructions"],
}


def main(arguments: list[str] | None = None) -> int:
    """Run the programs one after the other, then draw and write.

    :param arguments: the command line, that of the process by default.
    """
    options = make_parser().parse_args(arguments)
    try:
        failed = [kind for kind in options.only or KINDS if not measured(kind, options.rounds)]
    except KeyboardInterrupt:
        return 130
    if failed:
        print(
            f"\nNot measured, for the reasons above: {', '.join(failed)}. The figures that were there before stay.",
            file=sys.stderr,
        )
    code = charts.main() or page.main()
    return code or bool(failed)


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.publishing",
        description="Measure, write the figures to docs/benchmarks, draw the charts and write the page.",
    )
    parser.add_argument(
        "--only", action="append", choices=KINDS, help="measure this kind alone; may be repeated"
    )
    parser.add_argument("--rounds", type=int, help="rounds of each kind (default: what each takes by itself)")
    return parser


def measured(kind: str, rounds: int | None) -> bool:
    """Measure a kind, and say whether that went well; what is printed and why it fails is the program's own."""
    print(f"\n{' '.join(command(kind, rounds)[1:])}\n", flush=True)
    return not subprocess.run(command(kind, rounds), check=False, cwd=FOLDER.parents[1]).returncode


def file_of(kind: str) -> Path:
    """Return where the figures of a kind are kept, with the Python that runs."""
    minor = ".".join(platform.python_version_tuple()[:2])
    return FOLDER / f"{kind}-{minor}.json"


def command(kind: str, rounds: int | None) -> list[str]:
    """Return what measures a kind and writes its file.

    :param rounds: of each case; an instruction count needs none.
    """
    more = [] if rounds is None or kind == "instructions" else ["--rounds", str(rounds)]
    return [
        sys.executable,
        "-m",
        *PROGRAMS[kind],
        *more,
        "--json",
        file_of(kind).relative_to(FOLDER.parents[1]).as_posix(),
    ]


if __name__ == "__main__":
    sys.exit(main())
