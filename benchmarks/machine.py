"""What a measurement was made on, and the JSON in which it is kept."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import os
import platform
import sys
import typing as t
from pathlib import Path

from .figures import Figure

#: The tables of one measurement: of each table, of each case, of each subject.
Tables = dict[str, dict[str, dict[str, Figure]]]


def python() -> str:
    """Return which Python this is."""
    return f"{platform.python_implementation()} {platform.python_version()}"


def describe() -> dict[str, t.Any]:
    """Return what the figures depend on beside the programs: processor, cores, memory, system."""
    return {
        "processor": _line_of("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count() or 1,
        "memory_mib": _memory(),
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "load_average": _load(),
    }


def sentence() -> str:
    """Return the machine as a line below a table."""
    machine = describe()
    memory = machine["memory_mib"]
    load = machine["load_average"]
    parts = [
        machine["processor"],
        f"{machine['cores']} cores",
        *([f"{memory / 1024:.0f} GiB"] if memory else []),
        machine["system"],
        *([f"load average {load:.1f}"] if load is not None else []),
    ]
    return ", ".join(parts)


def versions(distributions: t.Iterable[str | None]) -> dict[str, str]:
    """Return the installed versions.

    :param distributions: names of packages; what is not installed is left out.
    """
    found: dict[str, str] = {}
    for name in sorted({name for name in distributions if name}):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write_json(
    file: Path, kind: str, tables: Tables, versions: dict[str, str], options: dict[str, t.Any]
) -> None:
    """Write the figures of all rounds, with what they were measured on.

    :param kind: ``servers``, ``database``, ``startup`` or ``memory``.
    :param versions: of what took part.
    :param options: how it was measured: rounds, seconds, connections.
    """
    content = {
        "kind": kind,
        "python": python(),
        "machine": describe(),
        "versions": versions,
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "options": options,
        "tables": {
            table: {
                case: {name: one.as_json() for name, one in figures.items()}
                for case, figures in cases.items()
            }
            for table, cases in tables.items()
        },
    }
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _line_of(file: str, name: str) -> str | None:
    try:
        lines = Path(file).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), None)


def _memory() -> int | None:
    if sys.platform == "win32":
        return None
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1024**2
    except (OSError, ValueError):
        return None


def _load() -> float | None:
    if sys.platform == "win32":
        return None
    return round(os.getloadavg()[0], 2)
