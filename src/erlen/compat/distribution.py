"""The distribution 'Flask' that :mod:`importlib.metadata` finds in a process with ``erlen.as_flask``."""

from __future__ import annotations

import os
from importlib.metadata import Distribution
from pathlib import Path

from .names import VERSION

_FILES = {
    "METADATA": f"Metadata-Version: 2.1\nName: Flask\nVersion: {VERSION}\nSummary: Erlen, in the place of Flask\n",
    "entry_points.txt": "[console_scripts]\nflask = flask.cli:main\n",
    "top_level.txt": "flask\n",
}


class FlaskDistribution(Distribution):
    """What extensions ask for Flask's version, whatever Flask is installed, if any."""

    def read_text(self, filename: str | os.PathLike[str]) -> str | None:
        """Return the text of a metadata file, ``None`` for one that is not there.

        :param filename: its name.
        """
        return _FILES.get(os.fspath(filename))

    def locate_file(self, path: str | os.PathLike[str]) -> Path:
        """Return where a file of the distribution would be.

        :param path: relative to where packages are installed.
        """
        return Path(__file__).parents[2] / path
