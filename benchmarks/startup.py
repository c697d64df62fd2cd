"""What a start costs: ``python -m benchmarks.startup``; of development servers alone, ``python -m benchmarks --startup``."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from . import imports, machine
from .figures import Figure, quartiles

#: Where the answers of both have to be the same.
ANSWER = b"hello"

_APPLICATION = """
from {package} import {name}

app = {name}(__name__)


@app.get("/")
def index():
    return "hello"
"""

# How many seconds one start may take, and how long to wait between two attempts to connect.
_LIMIT, _PAUSE = 60.0, 0.002

_NOTES = (
    "From before the import of the package, in a new process: to its end, to the end of the import of the class of",
    "applications (some packages load nothing before), to the end of the first answer of an application with one view.",
    "core: what of it the process has spent on a core; other programs change that least.",
    "Compiled modules are there and files are warm; over ASGI asyncio is imported before the clock starts.",
)


class Start(t.NamedTuple):
    """One way to start a server.

    :param package: the framework.
    :param options: of its command.
    """

    package: str
    options: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What is typed."""
        return " ".join([self.package, "run", *self.options])


#: Each beside the one it is set in relation to.
PAIRS = (
    (Start("erlen"), Start("flask")),
    (Start("erlen", ("--debug",)), Start("flask", ("--debug",))),
)


def measure(rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of each start, in interleaved rounds.

    :param rounds: how many.
    """
    starts = [start for pair in PAIRS for start in pair]
    figures: dict[str, list[float]] = {start.title: [] for start in starts}
    with tempfile.TemporaryDirectory() as folder:
        folders = {package: _write(Path(folder), package) for package in ("erlen", "flask")}
        for start in starts:
            # What is compiled at the first start is there from now on.
            _milliseconds(start, folders[start.package])
        for number in range(rounds):
            turn = number % len(starts)
            for start in starts[turn:] + starts[:turn]:
                figures[start.title].append(_milliseconds(start, folders[start.package]))
    return figures


def _write(folder: Path, package: str) -> Path:
    place = folder / package
    place.mkdir()
    text = _APPLICATION.format(package=package, name=package.capitalize())
    (place / "app.py").write_text(text, encoding="utf-8")
    return place


def _milliseconds(start: Start, folder: Path) -> float:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("ERLEN_", "FLASK_"))}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", start.package, "run", *start.options, "--port", str(port)]
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return (_first_answer(process, port) - began) * 1000
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _first_answer(process: subprocess.Popen[bytes], port: int) -> float:
    deadline = time.perf_counter() + _LIMIT
    while time.perf_counter() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LIMIT)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            body = answer.read()
            now = time.perf_counter()
        except OSError:
            time.sleep(_PAUSE)
            continue
        finally:
            connection.close()
        if answer.status != 200 or body != ANSWER:
            raise RuntimeError(f"{process.args!r} answered {answer.status} {body!r}")
        return now
    raise RuntimeError(f"{process.args!r} did not answer; its exit code is {process.poll()}")


def print_table(figures: dict[str, list[float]]) -> None:
    """Print the figures.

    :param figures: those of :func:`measure`.
    """
    print(f"{'':<24}{'milliseconds':>20}{'beside the other':>22}")
    for one, other in PAIRS:
        reference = statistics.median(figures[other.title])
        for start in (one, other):
            values = figures[start.title]
            median = statistics.median(values)
            ratio = "" if start is other else f"{median / reference:.2f}x"
            print(f"{start.title:<24}{f'{median:.0f} ±{quartiles(values):.0f}':>20}{ratio:>22}")


def main(arguments: list[str] | None = None) -> int:
    """Measure imports, first requests and development servers, and print the tables.

    :param arguments: the command line, that of the process by default.
    """
    options = make_parser().parse_args(arguments)
    names = [name for name in imports.FRAMEWORKS if name in (options.subject or imports.FRAMEWORKS)]
    print(f"Start in a new process, {machine.python()}, {options.rounds} interleaved rounds\n")
    try:
        found: machine.Tables = {"import": imports.measure(names, options.rounds)}
        imports.print_table(found["import"])
        if not options.no_servers:
            print("\nFrom the start of the development server to its first answer\n")
            figures = measure(options.rounds)
            print_table(figures)
            found["development server"] = {
                "first answer": {name: Figure(tuple(values), "ms") for name, values in figures.items()}
            }
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("", *_NOTES, machine.sentence(), sep="\n")
    if options.json:
        versions = machine.versions(one.package for one in imports.FRAMEWORKS.values())
        machine.write_json(options.json, "startup", found, versions, {"rounds": options.rounds})
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description="What a start costs.")
    parser.add_argument("--rounds", type=int, default=15, help="of each (default: 15)")
    parser.add_argument(
        "--subject",
        action="append",
        choices=list(imports.FRAMEWORKS),
        help="import this alone; may be repeated",
    )
    parser.add_argument("--no-servers", action="store_true", help="leave the development servers out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of all rounds to FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
