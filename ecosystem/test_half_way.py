"""Extensions of Flask work with an application that is an ``Erlen`` already."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_an_application_of_erlen_with_extensions_of_flask(tmp_path: Path) -> None:
    file = Path(__file__).parent / "half_way" / "application.py"
    ended = subprocess.run(
        [sys.executable, "-m", "erlen.as_flask", str(file)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout == "done\n", ended.stderr
