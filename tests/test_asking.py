"""As Flask, ``erlen new`` and ``erlen serve`` ask the application for a command of that name, in a process that ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest

AS_FLASK = "import erlen.as_flask; from erlen.cli import main; main()"
PRINTS_NUMBER = "import os; print('loaded in', os.getpid(), flush=True)\n"
OWN_COMMAND = """
from flask import Flask
app = Flask(__name__)
@app.cli.command("new")
def new():
    print("its own")
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a copy of a process is made by 'fork'")

Start: t.TypeAlias = "t.Callable[..., subprocess.Popen[str]]"


@pytest.fixture
def start(tmp_path: Path) -> t.Iterator[Start]:
    """Start ``erlen new`` beside an application, as Flask."""
    with contextlib.ExitStack() as started:

        def begin(module: str, *arguments: str, before: str = "", through: t.Sequence[str] = ()) -> t.Any:
            (tmp_path / "app.py").write_text(module)
            kept = {
                name: value for name, value in os.environ.items() if not name.startswith(("ERLEN_", "FLASK_"))
            }
            process = started.enter_context(
                subprocess.Popen(
                    [*through, sys.executable, "-c", f"{before}\n{AS_FLASK}", "new", *arguments],
                    env=kept,
                    cwd=tmp_path,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            )
            started.callback(process.kill)
            return process

        yield begin


def ended(process: subprocess.Popen[str], words: str = "") -> tuple[int, str, str]:
    output, errors = process.communicate(words, timeout=60)
    return process.returncode, output, errors


def numbers(output: str) -> list[int]:
    return [int(line.split()[-1]) for line in output.splitlines() if line.startswith("loaded in")]


def test_another_process_is_asked_first(start: Start) -> None:
    process = start(PRINTS_NUMBER + OWN_COMMAND)
    code, output, errors = ended(process)
    assert (code, errors) == (0, "")
    asked, own = numbers(output)
    assert own == process.pid != asked
    assert output.endswith("its own\n")


@pytest.mark.parametrize(
    "before",
    [
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "import os; del os.fork",
    ],
)
def test_where_no_copy_can_be_made_the_process_itself_loads_it(start: Start, before: str) -> None:
    process = start(PRINTS_NUMBER + OWN_COMMAND, before=before)
    assert ended(process) == (0, f"loaded in {process.pid}\nits own\n", "")


@pytest.mark.parametrize("descriptor", [0, 1, 2])
def test_a_process_without_standard_streams(start: Start, descriptor: int) -> None:
    sign = "<" if descriptor == 0 else ">"
    closed = ("sh", "-c", f'exec "$@" {descriptor}{sign}&-', "sh")
    process = start("from flask import Flask\napp = Flask(__name__)\n", "--help", through=closed)
    code, output, errors = ended(process)
    assert (code, errors) == (0, "")
    assert descriptor == 1 or "Usage:" in output


@pytest.mark.parametrize("reads", ["sys.stdin.read().strip()", "input()"])
def test_what_comes_in_is_left_to_the_command(start: Start, reads: str) -> None:
    process = start(f"import sys\nWORDS = {reads}\n{OWN_COMMAND}    print(WORDS)\n")
    assert ended(process, "some words\n") == (0, "its own\nsome words\n", "")


def is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


# It answers no signal but one.
SLEEPS = f"""
import signal, time
for one in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(one, signal.SIG_IGN)
{PRINTS_NUMBER}
time.sleep(30)
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGHUP, -signal.SIGHUP), (signal.SIGINT, 1)],
)
def test_a_signal_ends_both_processes(start: Start, number: signal.Signals, code: int) -> None:
    process = start(SLEEPS)
    assert process.stdout is not None
    (asked,) = numbers(process.stdout.readline())
    try:
        assert asked != process.pid
        process.send_signal(number)
        assert process.wait(10) == code
        assert not is_alive(asked)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(asked, signal.SIGKILL)


def test_a_signal_that_is_ignored_ends_none(start: Start, tmp_path: Path) -> None:
    waits = "import pathlib, time\nwhile not pathlib.Path('go').exists(): time.sleep(0.01)\n"
    ignores = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    process = start(PRINTS_NUMBER + waits + OWN_COMMAND, before=ignores)
    assert process.stdout is not None
    (asked,) = numbers(process.stdout.readline())
    process.send_signal(signal.SIGHUP)
    time.sleep(0.1)
    assert is_alive(asked)
    (tmp_path / "go").touch()
    assert ended(process)[:2] == (0, f"loaded in {process.pid}\nits own\n")
