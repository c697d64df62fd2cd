"""The command line: ``python -m benchmarks.serving``."""

from __future__ import annotations

import argparse
import sys
import typing as t
from pathlib import Path

from .. import machine
from . import tables, targets
from .process import how_pinned
from .rounds import measure
from .servers import SERVERS, Server
from .wrk import Failed, Load

#: What one round takes beside its load: the start of a server, and its end.
_START = 1.3

NOTES = (
    "Each round has a new server process, whose answers are checked before and after the load; wrk counted no error.",
    "of bare: requests a second in relation to those of a callable without a framework on the same server.",
    "core us/request: what the server's processes spent on a core; by core: its relation to that of the callable.",
    "Where other programs run beside this one, that is the figure that holds.",
)


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for and print the tables.

    :param arguments: the command line, that of the process by default.
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    servers = [SERVERS[name] for name in options.server or SERVERS]
    parts = [(server, case) for server in servers for case in cases_of(server, options)]
    print(introduction(parts, options))
    found: machine.Tables = {}
    try:
        for server, case in parts:
            if server.missing:
                print(f"\n{server.name}: not measured, as {server.missing} is not installed.")
                continue
            found.setdefault(server.name, {})[case] = dict(one_table(server, case, options))
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(
        "", how_pinned(), *(f"{one.title}, {one.protocol.upper()}: {one.note}" for one in servers), sep="\n"
    )
    print(*NOTES, machine.sentence(), sep="\n")
    if options.json:
        machine.write_json(options.json, "servers", found, versions(), how(options))
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving", description="Requests a second behind real servers."
    )
    parser.add_argument(
        "--server", action="append", choices=list(SERVERS), help="this one alone; may be repeated"
    )
    parser.add_argument(
        "--case",
        action="append",
        choices=targets.CASE_NAMES,
        help="this case alone, on each server; may be repeated (default: all on Granian, plaintext on the others)",
    )
    names = dict.fromkeys(name for protocol in ("wsgi", "asgi") for name in targets.subjects(protocol))
    parser.add_argument(
        "--subject",
        action="append",
        choices=list(names),
        help="this one beside the bare callables; may be repeated",
    )
    add_load(parser)
    return parser


def add_load(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how much is measured."""
    parser.add_argument("--seconds", type=_count(60), default=1, help="of load in each round (default: 1)")
    parser.add_argument("--rounds", type=_count(99), default=3, help="of each subject and case (default: 3)")
    parser.add_argument(
        "--connections", type=_count(512), default=32, help="that are open at a time (default: 32)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of all rounds to FILE")


def _count(most: int) -> t.Callable[[str], int]:
    def count(text: str) -> int:
        number = int(text)
        if not 1 <= number <= most:
            raise argparse.ArgumentTypeError(f"{number} is not between 1 and {most}")
        return number

    return count


def cases_of(server: Server, options: argparse.Namespace) -> t.Sequence[str]:
    """Return the cases of a server: plaintext alone on those that stand beside Granian, unless others are named."""
    named: list[str] | None = options.case
    return named or (targets.CASE_NAMES if server.module == "granian" else targets.CASE_NAMES[:1])


def names_of(server: Server, options: argparse.Namespace) -> list[str]:
    """Return the subjects of a server that are asked for, with the bare callables."""
    names = list(targets.subjects(server.protocol))
    asked = [*(options.subject or names), targets.SAFE_BARE, targets.BARE]
    return [name for name in names if name in asked]


def one_table(server: Server, case: str, options: argparse.Namespace) -> t.Iterator[tuple[str, t.Any]]:
    """Measure one case on one server, print it, and yield the figures.

    :raises Failed: where a subject does not answer as the case says, or errors are counted.
    """
    served = {name: targets.target(server.protocol, name, case) for name in names_of(server, options)}
    load = Load(options.seconds, options.connections)
    figures = measure(server, served, load, options.rounds, told)
    told("")
    titles = {name: one.title for name, one in served.items()}
    tables.print_table(f"{server.heading}: {case}", figures, titles, targets.BARE)
    yield from figures.items()


def told(text: str) -> None:
    """Say what is measured now, where somebody looks on; the next such line takes its place."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text[:100]}", end="", file=sys.stderr, flush=True)


def introduction(parts: list[tuple[Server, str]], options: argparse.Namespace) -> str:
    """Return what is going to be done, and about how long that takes."""
    count = sum(len(names_of(server, options)) for server, _ in parts) * options.rounds
    minutes = count * (options.seconds + _START) / 60
    return (
        f"{machine.python()}, {options.rounds} interleaved rounds of {options.seconds} s, "
        f"{options.connections} connections from wrk on localhost; about {max(1, round(minutes))} min"
    )


def how(options: argparse.Namespace) -> dict[str, t.Any]:
    """Return what the load was, for the JSON."""
    return {
        "rounds": options.rounds,
        "seconds": options.seconds,
        "connections": options.connections,
        "pinning": how_pinned(),
    }


def versions() -> dict[str, str]:
    """Return the versions of servers and frameworks."""
    return machine.versions(
        [server.module for server in SERVERS.values()]
        + [one.distribution for protocol in ("wsgi", "asgi") for one in targets.subjects(protocol).values()]
    )


if __name__ == "__main__":
    sys.exit(main())
