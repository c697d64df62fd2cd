"""Scenarios in processes of their own: one on Flask, one on Erlen for each protocol."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from table import constant

HERE = Path(__file__).parent
SCENARIOS = HERE / "scenarios"

#: Seconds after which a scenario counts as stuck.
LIMIT = 240


@dataclass(frozen=True)
class Playing:
    """One scenario on its way.

    :param name: the scenario's.
    :param framework: ``"flask"`` or ``"erlen"``.
    :param process: what plays it.
    :param folder: where its transcript will be.
    """

    name: str
    framework: str
    process: subprocess.Popen[str]
    folder: Path

    @cached_property
    def output(self) -> str:
        """What the scenario printed; it has ended when this has been read."""
        try:
            output, _ = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            output, _ = self.process.communicate()
            raise AssertionError(f"{self.name} on {self.framework} did not end:\n{output}") from None
        return output

    def transcript(self) -> list[dict[str, t.Any]]:
        """Wait for the end, and return what the visitor noted.

        :raises AssertionError: when the scenario failed; the message has what it printed.
        """
        output = self.output
        assert self.process.returncode == 0, f"{self.name} on {self.framework} failed:\n{output}"
        content = json.loads((self.folder / "transcript.json").read_text(encoding="utf-8"))
        assert content["framework"] == self.framework, "the scenario ran on the wrong framework"
        transcript: list[dict[str, t.Any]] = content["transcript"]
        assert transcript, "the scenario asked for nothing"
        return transcript


def interpreter(name: str) -> str:
    """Return the Python that plays a scenario: this one, or that of the environment the scenario names.

    :param name: the scenario's.
    :raises AssertionError: when that environment has not been made.
    """
    environment = constant(name, "ENVIRONMENT")
    if environment is None:
        return sys.executable
    python = Path(f"{sys.prefix}-{environment}", "bin", "python")
    assert python.exists(), f"{name} needs {python}, which is not there: `make test-applications` makes it"
    return str(python)


def start(name: str, framework: str, protocol: str, folder: Path, *, with_warnings: bool = False) -> Playing:
    """Begin to play a scenario.

    :param name: its file's, without the ending.
    :param framework: ``"flask"`` or ``"erlen"``.
    :param protocol: ``"wsgi"``, or on Erlen ``"asgi"``.
    :param folder: an empty folder.
    :param with_warnings: whether it prints what is deprecated.
    """
    as_flask = ["-m", "erlen.as_flask"] if framework == "erlen" else []
    command = [
        interpreter(name),
        *as_flask,
        str(HERE / "playing.py"),
        str(SCENARIOS / f"{name}.py"),
        protocol,
    ]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "ERLEN_"))
    }
    environment["PYTHONHASHSEED"] = "0"
    if with_warnings:
        environment["PYTHONWARNINGS"] = "default::DeprecationWarning"
    process = subprocess.Popen(
        [*command, str(folder)],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Playing(name, framework, process, folder)
