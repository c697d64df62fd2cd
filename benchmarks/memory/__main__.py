"""The command line: ``python -m benchmarks.memory``."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import importlib.metadata
import sys
import time
import typing as t
from dataclasses import dataclass

from ..machine import python
from .client import BLOCK, Client, Failed
from .server import SERVERS, Server

MIB = 1024**2

#: What the application takes; the bodies of forms are a little longer than the file in them.
LARGEST = 2047

#: What moves a body of a size, and the path it asks for.
Case = tuple[t.Callable[[Client, str, int], None], str]

CASES: dict[str, Case] = {
    "upload, plain view": (Client.upload, "/upload/plain"),
    "upload, async for": (Client.upload, "/upload/async"),
    "upload, form": (Client.upload_form, "/upload/form"),
    "download, generator": (Client.download, "/download/plain"),
    "download, async generator": (Client.download, "/download/async"),
}


@dataclass(frozen=True)
class Figures:
    """The peak of resident memory before and after a body, in MiB, and MiB a second."""

    before: float
    after: float
    speed: float


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for and print the table.

    :param arguments: the command line, that of the process by default.
    """
    options = make_parser().parse_args(arguments)
    version = importlib.metadata.version(options.server)
    print(f"{options.server} {version}, {python()}, one worker, bodies of {options.size:,} MiB")
    print("peak of resident memory in MiB\n")
    print(f"{'':<28}{'before':>10}{'after':>10}{'difference':>12}{'MiB/s':>10}")
    failures = 0
    for name in options.case or CASES:
        try:
            one = measure(CASES[name], options)
        except (Failed, OSError, http.client.HTTPException) as error:
            print(f"{name:<28}  {type(error).__name__}: {error}", flush=True)
            failures += 1
        else:
            difference = one.after - one.before
            print(
                f"{name:<28}{one.before:>10.1f}{one.after:>10.1f}{difference:>+12.1f}{one.speed:>10.0f}",
                flush=True,
            )
    print("\nEach line has a server process of its own, which answered one small request of the kind before.")
    return 1 if failures else 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory", description="What a large body costs in memory, behind a server."
    )
    parser.add_argument(
        "--size", type=_size, default=1024, metavar="MIB", help="of each body (default: 1024)"
    )
    parser.add_argument("--server", choices=list(SERVERS), default="uvicorn", help="(default: uvicorn)")
    parser.add_argument(
        "--case", action="append", choices=list(CASES), help="measure this alone; may be repeated"
    )
    parser.add_argument(
        "--timeout", type=float, default=300, metavar="SECONDS", help="for each body (default: 300)"
    )
    parser.add_argument(
        "--app",
        default="benchmarks.memory.app:app",
        metavar="MODULE:NAME",
        help="another application with the same routes",
    )
    return parser


def _size(text: str) -> int:
    size = int(text)
    if not 1 <= size <= LARGEST:
        raise argparse.ArgumentTypeError(
            f"{size} is not between 1 and {LARGEST}, which is what the app takes"
        )
    return size


def measure(case: Case, options: argparse.Namespace) -> Figures:
    """Move one body, and look at the server's memory before and after.

    :raises Failed: where the body did not arrive, or not in time.
    """
    move, path = case
    with Server(options.server, options.app) as server:
        with contextlib.closing(Client(server.port, options.timeout)) as client:
            # The first request loads what is loaded late; one block fills no buffer.
            move(client, path, len(BLOCK))
            server.reset_peak()
            before = server.peak()
            began = time.monotonic()
            move(client, path, options.size * MIB)
            seconds = time.monotonic() - began
        return Figures(before, server.peak(), options.size / seconds)


if __name__ == "__main__":
    sys.exit(main())
