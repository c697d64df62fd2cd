"""The tests of ``served_answers.py``, in a process of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from source import ROOT

TESTS = Path(__file__).with_name("served_answers.py")


def test_what_is_served_answers_alike() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    # One for each case and protocol at least, or they were not found.
    assert passed is not None
    assert int(passed[1]) >= 20, done.stdout
    assert "skipped" not in done.stdout
