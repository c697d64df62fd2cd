"""``docs/walkthrough.md`` is what happens: played from its first block to its last."""

from __future__ import annotations

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from recordings import Recording, blocks_of

PAGE = Path(__file__).parents[1] / "docs" / "walkthrough.md"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed, which the recording types")
@pytest.mark.skipif(os.name != "posix", reason="the recording is one of a POSIX shell")
def test_the_recording_is_what_happens(tmp_path: Path) -> None:
    run, serve = free_port(), free_port()
    environ = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ERLEN_RUN_PORT": str(run),
        "ERLEN_SERVE_PORT": str(serve),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "80",
    }
    recording = Recording(tmp_path, environ, {5000: run, 8000: serve})
    try:
        for block in blocks_of(PAGE):
            said, came = recording.play(block)
            assert came == said, f"the block in line {block.line} of {PAGE.name}"
    finally:
        recording.close()
