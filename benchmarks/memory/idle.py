"""What an idle worker holds, and what an open WebSocket adds: ``python -m benchmarks.memory.idle``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import typing as t
from pathlib import Path

from .. import machine
from ..figures import Figure, turns
from ..serving.wrk import Failed
from . import sockets
from .workers import IDLE, SOCKETS, SUBJECTS, Memory, answered, memory_of_worker, serving

WEBSOCKETS = SOCKETS.name

NOTES = (
    "One worker that has answered one request, in a new process each round. private: what it has for itself;",
    "PSS: with its share of what others have as well (libraries, pages of the process it was forked from).",
    "A WebSocket has echoed one message and stays open, on uvicorn with websockets, without compression.",
)


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for and print the tables.

    :param arguments: the command line, that of the process by default.
    """
    options = make_parser().parse_args(arguments)
    print(f"{machine.python()}, {options.rounds} interleaved rounds")
    found: machine.Tables = {}
    try:
        for name in options.table or (*IDLE, WEBSOCKETS):
            server = IDLE.get(name, SOCKETS)
            if server.missing:
                print(f"\n{name}: not measured, as {server.missing} is not installed.")
            elif name == WEBSOCKETS:
                found[name] = {f"{options.sockets} open": dict(socket_table(options))}
            else:
                found[name] = {"idle worker": dict(idle_table(name, options))}
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print("", *NOTES, machine.sentence(), sep="\n")
    if options.json:
        more = {"rounds": options.rounds, "sockets": options.sockets}
        machine.write_json(options.json, "memory", found, versions(), more)
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory.idle", description="What idle workers and open WebSockets hold."
    )
    parser.add_argument("--table", action="append", choices=[*IDLE, WEBSOCKETS], help="this one alone")
    names = dict.fromkeys(name for subjects in SUBJECTS.values() for name in subjects)
    parser.add_argument(
        "--subject", action="append", choices=list(names), help="this one alone; may be repeated"
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each (default: 3)")
    parser.add_argument("--sockets", type=int, default=1000, help="that are opened (default: 1000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of all rounds to FILE")
    return parser


def _names(protocol: str, options: argparse.Namespace) -> list[str]:
    return [name for name in SUBJECTS[protocol] if name in (options.subject or SUBJECTS[protocol])]


def idle_table(name: str, options: argparse.Namespace) -> t.Iterator[tuple[str, Figure]]:
    """Measure the workers of one server, print them, and yield the figures.

    :raises Failed: where one does not answer.
    """
    server = IDLE[name]
    subjects = SUBJECTS[server.protocol]
    found: dict[str, list[Memory]] = {one: [] for one in _names(server.protocol, options)}
    for _, one in turns(list(found), options.rounds):
        with tempfile.TemporaryDirectory() as folder, serving(server, subjects[one], Path(folder)) as process:
            answered(process, subjects[one])
            found[one].append(memory_of_worker(process))
    title = f"{server.title}, {server.protocol.upper()}: MiB"
    print(f"\n{title:<26}{'private':>16}{'PSS':>12}{'RSS':>12}")
    for one, values in found.items():
        private, proportional, resident = (
            tuple(getattr(value, kind) for value in values)
            for kind in ("private", "proportional", "resident")
        )
        figure = Figure(private, "MiB", {"pss_mib": proportional, "rss_mib": resident})
        shown = f"{figure.median:.1f} ±{figure.spread:.1f}"
        pss, rss = figure.median_of("pss_mib") or 0, figure.median_of("rss_mib") or 0
        print(f"{subjects[one].title:<26}{shown:>16}{pss:>12.1f}{rss:>12.1f}", flush=True)
        yield one, figure


def socket_table(options: argparse.Namespace) -> t.Iterator[tuple[str, Figure]]:
    """Measure WebSockets that stay open, print them, and yield the figures.

    :raises Failed: where they do not open.
    """
    found: dict[str, list[float]] = {one: [] for one in _names("asgi", options)}
    for _, one in turns(list(found), options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            found[one].append(sockets.measure(one, options.sockets, Path(folder)))
    title = f"{options.sockets:,} idle WebSockets"
    print(f"\n{title:<26}{'KiB for each':>16}{'MiB for all':>12}")
    for one, values in found.items():
        figure = Figure(tuple(values), "KiB")
        shown, total = f"{figure.median:.1f} ±{figure.spread:.1f}", figure.median * options.sockets / 1024
        print(f"{SUBJECTS['asgi'][one].title:<26}{shown:>16}{total:>12.1f}", flush=True)
        yield one, figure


def versions() -> dict[str, str]:
    """Return the versions of what takes part."""
    frameworks = [one.distribution for subjects in SUBJECTS.values() for one in subjects.values()]
    return machine.versions([*frameworks, *(one.module for one in (*IDLE.values(), SOCKETS)), "websockets"])


if __name__ == "__main__":
    sys.exit(main())
