"""Where an application lives."""

from __future__ import annotations

import os
import sys


def root_path_of(import_name: str) -> str:
    """Return the folder of a module or package; the working directory for what has no file.

    :param import_name: its name, ``__name__`` in the file that makes the application.
    """
    file = getattr(sys.modules.get(import_name), "__file__", None)
    return os.path.dirname(os.path.abspath(file)) if file else os.getcwd()
