"""One run of wrk: what it is asked for, and what it says."""

from __future__ import annotations

import re
import shutil
import subprocess
import typing as t
from dataclasses import dataclass

PROGRAM = "wrk"

#: What every request brings beside ``Host`` and what its case asks for; as the load of TechEmpower's plaintext test.
HEADERS = (
    ("Accept", "text/plain,text/html;q=0.9,application/xhtml+xml;q=0.9,application/xml;q=0.8,*/*;q=0.7"),
    ("Connection", "keep-alive"),
)

MISSING = (
    "wrk is not installed; it makes the load. Install it with the system's packages: apt-get install wrk"
)

_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class Failed(Exception):
    """There are no figures, or they would mean nothing."""


@dataclass(frozen=True)
class Load:
    """How much is asked.

    :param seconds: how long one round takes.
    :param connections: how many are open at a time, each with one request on its way.
    """

    seconds: float = 1.0
    connections: int = 32

    @property
    def whole_seconds(self) -> int:
        """What wrk takes: whole seconds, one at least."""
        return max(1, round(self.seconds))


@dataclass(frozen=True)
class Result:
    """What wrk says of one run.

    :param rps: requests a second.
    :param p99: milliseconds within which 99 of 100 requests were answered.
    :param errors: what did not work, as wrk words it; empty is what is wanted.
    """

    requests: int
    rps: float
    p99: float
    errors: tuple[str, ...] = ()


def command(load: Load, port: int, path: str, headers: t.Iterable[tuple[str, str]] = ()) -> list[str]:
    """Return the command line of one run: one thread, on localhost."""
    lines = [part for name, value in (*HEADERS, *headers) for part in ("-H", f"{name}: {value}")]
    return [
        PROGRAM,
        "--threads=1",
        f"--connections={load.connections}",
        f"--duration={load.whole_seconds}s",
        "--timeout=10s",
        "--latency",
        *lines,
        f"http://127.0.0.1:{port}{path}",
    ]


def run(line: list[str], load: Load) -> Result:
    """Run wrk once.

    :param line: that of :func:`command`, with what pins it in front.
    :raises Failed: where it is not installed, ends with an error, does not end, or counts errors.
    """
    if not shutil.which(PROGRAM):
        raise Failed(MISSING)
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, timeout=load.whole_seconds + 30, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"wrk did not end within {load.whole_seconds + 30} seconds: {' '.join(line)}") from None
    if done.returncode:
        raise Failed(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-400:]}")
    result = parse(done.stdout)
    if result.errors:
        raise Failed("; ".join(result.errors))
    return result


def parse(text: str) -> Result:
    """Read what wrk prints.

    :raises Failed: where that is not the report of a run.
    """
    rps = re.search(r"^Requests/sec:\s+([\d.]+)", text, re.MULTILINE)
    requests = re.search(r"^\s*(\d+) requests in ", text, re.MULTILINE)
    p99 = re.search(r"^\s*99%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.MULTILINE)
    if rps is None or requests is None or p99 is None:
        raise Failed(f"this is not what wrk prints with --latency: {text[-400:]!r}")
    return Result(
        int(requests[1]), float(rps[1]), float(p99[1]) * _MILLISECONDS[p99[2]], tuple(_errors(text))
    )


def _errors(text: str) -> t.Iterator[str]:
    sockets = re.search(r"Socket errors: (.+)", text)
    if sockets and any(int(number) for number in re.findall(r"\d+", sockets[1])):
        yield f"wrk counts socket errors: {sockets[1].strip()}"
    others = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    if others and int(others[1]):
        yield f"wrk counts {others[1]} answers that are neither 2xx nor 3xx"
