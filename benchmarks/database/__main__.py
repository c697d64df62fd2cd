"""The command line: ``python -m benchmarks.database``."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import sys
import tempfile
import typing as t
from pathlib import Path

from .. import machine
from ..serving import tables
from ..serving.__main__ import add_load, how, told
from ..serving.process import how_pinned
from ..serving.rounds import measure
from ..serving.servers import SERVERS, Server
from ..serving.wrk import Failed, Load
from . import cluster
from .tables import fill_postgresql, fill_sqlite
from .targets import BARE, CASES, SUBJECTS, target

ENGINES = ("sqlite", "postgresql")

#: Granian over both protocols: the servers are compared elsewhere.
GRANIAN = [server for server in SERVERS.values() if server.module == "granian"]

#: What one round takes beside its load.
_START = 1.5

NOTES = (
    "All subjects use the same driver and the same queries: sqlite3 of the standard library, psycopg with a pool of 8.",
    "Templates are Jinja2's; rows are looked up by random ids; the answers are compared with what the tables hold.",
    "PostgreSQL runs on the core of the load. Over ASGI SQLite is asked on the loop, as it answers in the process.",
    "of bare: in relation to a callable that asks the same and has no framework; by core: of the server's own time.",
)


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for and print the tables.

    :param arguments: the command line, that of the process by default.
    """
    options = make_parser().parse_args(arguments)
    servers = [server for server in GRANIAN if server.protocol in (options.protocol or SUBJECTS)]
    print(introduction(servers, options))
    found: machine.Tables = {}
    try:
        for engine in options.engine or ENGINES:
            try:
                with database(engine, options) as address:
                    one_engine(engine, address, servers, options, found)
            except cluster.Missing as error:
                print(f"\n{error}")
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
        machine.write_json(options.json, "database", found, versions(), how(options))
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.database",
        description="Pages from a database, behind Granian, by the rules of TechEmpower.",
    )
    parser.add_argument("--engine", action="append", choices=ENGINES, help="this database alone")
    parser.add_argument("--protocol", action="append", choices=list(SUBJECTS), help="this protocol alone")
    parser.add_argument(
        "--case", action="append", choices=list(CASES), help="this case alone; may be repeated"
    )
    names = dict.fromkeys(name for subjects in SUBJECTS.values() for name in subjects)
    parser.add_argument(
        "--subject",
        action="append",
        choices=list(names),
        help="this one beside the bare callable; may be repeated",
    )
    parser.add_argument("--postgresql-bin", metavar="FOLDER", help="where the programs of PostgreSQL are")
    add_load(parser)
    return parser


@contextlib.contextmanager
def database(engine: str, options: argparse.Namespace) -> t.Generator[str]:
    """Make a database with its rows, for the time of the block; yield how it is reached.

    :raises Missing: where what it needs is not installed.
    """
    if engine == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "benchmark.sqlite3")
            fill_sqlite(file)
            yield str(file)
        return
    for name in ("psycopg", "psycopg_pool"):
        if importlib.util.find_spec(name) is None:
            raise cluster.Missing(cluster.MISSING_DRIVER.format(name=name))
    with cluster.running(options.postgresql_bin) as address:
        fill_postgresql(address)
        yield address


def one_engine(
    engine: str, address: str, servers: t.Iterable[Server], options: argparse.Namespace, found: machine.Tables
) -> None:
    """Measure all that is asked for with one database, and keep the figures in ``found``.

    :raises Failed: where a subject does not answer as it has to, or errors are counted.
    """
    load = Load(options.seconds, options.connections)
    for server in servers:
        subjects = SUBJECTS[server.protocol]
        names = [name for name in subjects if name in (*(options.subject or subjects), BARE)]
        for case in options.case or CASES:
            served = {name: target(server.protocol, name, case, engine, address) for name in names}
            figures = measure(server, served, load, options.rounds, told)
            told("")
            titles = {name: one.title for name, one in served.items()}
            tables.print_table(f"{engine}, {server.heading}: {case}", figures, titles, BARE)
            found.setdefault(f"{engine}-{server.name}", {})[case] = figures


def introduction(servers: list[Server], options: argparse.Namespace) -> str:
    """Return what is going to be done, and about how long that takes."""
    subjects = sum(
        len([name for name in SUBJECTS[one.protocol] if name in (*(options.subject or [name]), BARE)])
        for one in servers
    )
    count = subjects * len(options.case or CASES) * len(options.engine or ENGINES) * options.rounds
    minutes = count * (options.seconds + _START) / 60
    return (
        f"{machine.python()}, {options.rounds} interleaved rounds of {options.seconds} s, "
        f"{options.connections} connections from wrk on localhost; about {max(1, round(minutes))} min"
    )


def versions() -> dict[str, str]:
    """Return the versions of what takes part."""
    frameworks = [one.distribution for subjects in SUBJECTS.values() for one in subjects.values()]
    return machine.versions([*frameworks, "granian", "jinja2", "psycopg", "psycopg-pool"])


if __name__ == "__main__":
    sys.exit(main())
