"""Counting with callgrind: a process for each case, some at a time, with nothing in it that differs from run to run."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import typing as t
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ..cases import Case
from .child import CALIBRATION

ROOT = Path(__file__).parents[2]

#: Requests before the counting, and of the two runs whose difference is the figure: start-up falls out.
LENGTHS = (100, 100, 300)

#: The same for cases with a large body, of which each request takes millions.
LENGTHS_OF_LARGE = (10, 10, 30)

_LARGE = 65_536

#: Without valgrind, for the list of the functions that are called.
_TRACED = (20, 5, 10)

#: What a request is answered with beside Erlen itself.
LIBRARIES = ("blinker", "click", "itsdangerous", "jinja2", "markupsafe", "werkzeug")

# Of what a build was configured with: without the options that name a place.
_OPTIMISING = re.compile(r"--(?:enable|with)-(?:optimizations|lto|pgo|experimental-jit|pydebug)(?:=\w+)?")


class Unavailable(Exception):
    """Nothing can be counted here; the text says why and what to do."""


@dataclass(frozen=True)
class Count:
    """What one request takes.

    :param instructions: of the processor, as many as callgrind sees.
    :param calls: functions that are called, with how often; empty where nobody has asked.
    """

    instructions: int
    calls: dict[str, int]


class Counted(t.NamedTuple):
    """A case of a protocol, as it is asked for."""

    protocol: str
    name: str
    case: Case

    @property
    def label(self) -> str:
        return f"{self.protocol} {self.name}"


def valgrind() -> str:
    """Return the program.

    :raises Unavailable: where it is not installed.
    """
    found = shutil.which("valgrind")
    if found is None:
        raise Unavailable(
            "valgrind is not installed, so no instructions can be counted. Install it and call this again: "
            "'apt-get install valgrind' on Debian, 'dnf install valgrind' on Fedora."
        )
    return found


def build() -> dict[str, str]:
    """Return what the figures depend on beside the source: the build of Python, the processor, the version of valgrind."""
    configured = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    level = re.findall(r"-O\w+", str(sysconfig.get_config_var("PY_CFLAGS") or ""))
    version = subprocess.run([valgrind(), "--version"], capture_output=True, text=True, check=True)
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": platform.python_compiler(),
        "options": " ".join([*level[-1:], *_OPTIMISING.findall(configured)]),
        "machine": platform.machine(),
        "valgrind": version.stdout.strip().removeprefix("valgrind-"),
    }


def versions() -> dict[str, str]:
    """Return the versions of the libraries that Erlen answers with."""
    return {name: metadata.version(name) for name in LIBRARIES}


def count(cases: list[Counted], jobs: int | None = None) -> tuple[int, dict[str, Count]]:
    """Return the instructions of the calibration, and of one request of each case.

    :param jobs: how many processes at a time, by default one for each processor.
    :raises Unavailable: where valgrind is not there, or cannot run this Python.
    """
    program = valgrind()
    try:
        return asyncio.run(_count(program, cases, jobs or os.cpu_count() or 1))
    except ExceptionGroup as group:
        # The first to fail has ended the others.
        raise group.exceptions[0] from None


async def _count(program: str, cases: list[Counted], jobs: int) -> tuple[int, dict[str, Count]]:
    free = asyncio.Semaphore(jobs)

    async def one(counted: Counted) -> Count:
        async with free:
            # First, as it leaves the compiled modules behind: start-up is then short, and the same each time.
            calls = await _calls(counted)
            lengths = LENGTHS_OF_LARGE if len(counted.case.sent) > _LARGE else LENGTHS
            return Count(await _instructions(program, (counted.protocol, counted.name), lengths), calls)

    async def calibration() -> int:
        async with free:
            return await _instructions(program, (CALIBRATION, ""), LENGTHS)

    async with asyncio.TaskGroup() as group:
        first = group.create_task(calibration())
        tasks = {counted.label: group.create_task(one(counted)) for counted in cases}
    return first.result(), {label: task.result() for label, task in tasks.items()}


async def _calls(counted: Counted) -> dict[str, int]:
    command = _child("calls", (counted.protocol, counted.name), _TRACED)
    read: dict[str, int] = json.loads(await _run(command, _environ()))
    return read


async def _instructions(program: str, what: tuple[str, str], lengths: tuple[int, ...]) -> int:
    with tempfile.TemporaryDirectory(prefix="callgrind-") as folder:
        written = Path(folder, "out")
        options = ["--tool=callgrind", "--dump-before=getsid", f"--callgrind-out-file={written}"]
        # Valgrind places everything itself, so the addresses are the same each time, without 'setarch -R'. What is left
        # is where Python keeps what: a new file beside a module, or another path of the tree, and two names share a
        # slot of its method cache or no longer do: up to 2 %.
        environ = _environ() | {"PYTHONDONTWRITEBYTECODE": "1"}
        await _run([program, *options, *_child("count", what, lengths)], environ)
        # The first file is the start-up and what warms up, to the first mark.
        parts = [_total(written.with_name(f"out.{number}")) for number in (2, 3)]
    few, many = lengths[1:]
    return round((parts[1] - parts[0]) / (many - few))


def _total(file: Path) -> int:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise Unavailable(
            "callgrind has not seen the marks that this process sets by calling 'getsid' of the C library, so it has "
            f"counted nothing that can be told apart: there is no {file.name}. Is {sys.executable!r} linked statically, "
            "or made for another processor?"
        ) from error
    [total] = re.findall(r"^totals: (\d+)", text, re.MULTILINE)
    return int(total)


def _child(what: str, asked: tuple[str, str], lengths: tuple[int, ...]) -> list[str]:
    numbers = [str(number) for number in lengths]
    return [sys.executable, "-m", "benchmarks.instructions.child", what, *asked, *numbers]


def _environ() -> dict[str, str]:
    """Return a whole environment: its size alone would move the stack, and names decide where text lies."""
    fixed = {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
    }
    # Where the interpreter is found, its libraries and Erlen.
    kept = ("PYTHONPATH", "LD_LIBRARY_PATH")
    return fixed | {name: os.environ[name] for name in kept if name in os.environ}


async def _run(command: list[str], environ: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        printed, told = await process.communicate()
    finally:
        # Also when another one has failed, or somebody does not want to wait any longer.
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        last = "\n".join(told.decode(errors="replace").splitlines()[-15:])
        raise Unavailable(f"{' '.join(command)!r} ended with exit code {process.returncode}:\n{last}")
    return printed.decode()
