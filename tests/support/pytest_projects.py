"""Small projects with tests of their own, on which pytest runs as it does for the users of Erlen's plugin."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import textwrap
import typing as t
from pathlib import Path

import erlen

#: Seconds after which a run that hangs is given up. Nothing that works comes near it.
LIMIT = 120.0

# Variables that would change what is tested.
_SETTINGS = ("ERLEN_", "FLASK_", "PYTEST_", "COLUMNS")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run of pytest has shown."""

    code: int
    text: str

    @property
    def counts(self) -> dict[str, int]:
        """How many tests have had which result, as the last line says."""
        lines = [line for line in self.text.splitlines() if re.search(r" in [\d.]+s", line)]
        found = re.findall(r"(\d+) (passed|failed|errors?|skipped|warnings?)", lines[-1]) if lines else []
        return {word.rstrip("s") if word != "passed" else word: int(number) for number, word in found}


class Project:
    """A folder with an application and tests.

    :param folder: where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # The root folder of pytest, whatever lies above.
        self.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")

    def write(self, name: str, text: str) -> None:
        """Write a file."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    def configure(self, *lines: str) -> None:
        """Write the configuration of pytest."""
        self.write("pytest.ini", "\n".join(["[pytest]", "filterwarnings = error", *lines, ""]))

    def run(
        self,
        *arguments: str,
        plugins: t.Sequence[str] = (),
        folder: str = ".",
        variables: t.Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run pytest with Erlen's plugin, and with others by name; the others that are installed are left out.

        :param arguments: the arguments of pytest.
        :param plugins: the modules of other plugins.
        :param folder: where it runs, below that of the project.
        :param variables: environment variables.
        """
        loaded = ["-p", "erlen.testing.plugin"] + [part for one in plugins for part in ("-p", one)]
        return self.python(
            "-m",
            "pytest",
            *loaded,
            *arguments,
            folder=folder,
            variables={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **(variables or {})},
        )

    def python(
        self, *arguments: str, folder: str = ".", variables: t.Mapping[str, str] | None = None
    ) -> Outcome:
        """Run Python in the folder of the project."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith(_SETTINGS)}
        source = str(Path(erlen.__file__).parents[1])
        path = os.pathsep.join([str(self.folder), source])
        process = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder / folder,
            env={**environment, "PYTHONPATH": path, "NO_COLOR": "1", "COLUMNS": "200", **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT,
            check=False,
        )
        return Outcome(process.returncode, process.stdout.decode(errors="replace"))
