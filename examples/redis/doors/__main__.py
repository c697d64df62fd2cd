"""Start the example: a Redis of its own unless ``DOORS_REDIS_URL`` names one, and two servers beside each other."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DOORS = ("west", "east")


def main() -> None:
    """Serve at two ports until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    first = int(os.environ.get("PORT", "5000"))
    with contextlib.ExitStack() as running:
        url = os.environ.get("DOORS_REDIS_URL") or own_redis(running)
        # With PORT=0 each takes a free one, and prints it.
        servers = [start(running, name, first and first + number, url) for number, name in enumerate(DOORS)]
        with contextlib.suppress(KeyboardInterrupt):
            # Where one ends, the other has to as well.
            while all(server.poll() is None for server in servers):
                time.sleep(0.2)


def own_redis(running: contextlib.ExitStack) -> str:
    """Start a Redis with a folder and a socket of its own, and return its URL."""
    path = shutil.which("redis-server") or shutil.which("valkey-server")
    if path is None:
        sys.exit("There is no redis-server: install it, or name one that runs in DOORS_REDIS_URL.")
    folder = running.enter_context(tempfile.TemporaryDirectory(prefix="doors-"))
    files = ["--dir", folder, "--logfile", f"{folder}/log.txt", "--unixsocket", f"{folder}/redis.sock"]
    until_the_end(running, [path, "--port", "0", *files, "--save", ""], {})
    return f"unix://{folder}/redis.sock"


def start(running: contextlib.ExitStack, name: str, port: int, url: str) -> subprocess.Popen[bytes]:
    """Start one server."""
    command = [sys.executable, "-m", "erlen", "--app", "doors:create_app", "serve", "--port", str(port)]
    return until_the_end(running, command, {"DOORS_NAME": name, "DOORS_REDIS_URL": url})


def until_the_end(
    running: contextlib.ExitStack, command: list[str], variables: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start a program that is stopped, and waited for, when the block ends."""
    process = subprocess.Popen(  # noqa: S603 (the words of the command are ours)
        command,
        cwd=Path(__file__).parents[1],
        env={**os.environ, **variables},
        # Ctrl-C goes to this program alone, which stops the others in order.
        start_new_session=True,
    )
    running.callback(process.wait)
    running.callback(process.terminate)
    return process


if __name__ == "__main__":
    main()
