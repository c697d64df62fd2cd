"""A PostgreSQL of its own, in a temporary folder, for the time of a measurement."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

from ..serving.process import PATIENCE, pinned, uninterrupted
from ..serving.wrk import Failed

USER = "benchmark"

#: Where Debian and its kin put what is not on the path.
_DEBIAN = "/usr/lib/postgresql/*/bin"

MISSING = (
    "PostgreSQL is not measured, as {what} is not there. Install it: apt-get install postgresql "
    "(the service need not run), or name its folder with --postgresql-bin"
)

MISSING_DRIVER = (
    "PostgreSQL is not measured, as {name} is not installed. Install it with the others: "
    "pip install --editable '.[bench]'"
)


class Missing(Exception):
    """What is not installed here, and how to install it."""


class _Account(t.TypedDict, total=False):
    """As whom a program runs, as :class:`subprocess.Popen` takes it."""

    user: int
    group: int
    extra_groups: list[int]


def program(name: str, folder: str | None = None) -> str:
    """Return where a program of PostgreSQL's is.

    :param folder: where to look, the path and Debian's own places by default.
    :raises Missing: where it is not there.
    """
    places = [folder] if folder else [os.environ.get("PATH", ""), *sorted(glob.glob(_DEBIAN), reverse=True)]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise Missing(MISSING.format(what=f"the program {name}"))
    return found


def _account() -> _Account:
    """Return as whom it runs: as this user, but never as the one who may do everything, which it refuses."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    raise Failed("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody")


@contextlib.contextmanager
def running(folder: str | None = None) -> t.Generator[str]:
    """Start a PostgreSQL that listens on a socket in a temporary folder; yield how it is reached.

    :param folder: where its programs are.
    :raises Missing: where it is not installed.
    :raises Failed: where it does not start.
    """
    make, serve = program("initdb", folder), program("postgres", folder)
    account = _account()
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        if account:
            os.chown(place, account.get("user", -1), account.get("group", -1))
        data = str(Path(place, "data"))
        _run(
            [make, "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            place,
            account,
        )
        # It is in memory as a whole and never written to; the load's core is its own as well.
        line = [*pinned(1), serve, "-D", data, "-k", place, "-c", "listen_addresses=", "-c", "fsync=off"]
        log = Path(place, "log")
        with _started(line, place, log, account) as process:
            address = f"host={place} user={USER} dbname=postgres"
            _wait(process, address, log)
            yield address


@contextlib.contextmanager
def _started(
    line: list[str], place: str, log: Path, account: _Account
) -> t.Generator[subprocess.Popen[bytes]]:
    process: subprocess.Popen[bytes] | None = None
    try:
        with log.open("wb") as output, uninterrupted():
            process = subprocess.Popen(
                line,
                cwd=place,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                **account,
            )
        yield process
    finally:
        if process is not None:
            # A fast shut-down: connections are ended, nothing is waited for.
            process.send_signal(signal.SIGINT)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGQUIT)
                process.wait()


def _run(line: list[str], place: str, account: _Account) -> None:
    done = subprocess.run(
        line, cwd=place, capture_output=True, text=True, timeout=120, check=False, **account
    )
    if done.returncode:
        raise Failed(f"{line[0]} ended with {done.returncode}: {done.stderr.strip()[-400:]}")


def _wait(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    import psycopg  # here, so that SQLite is measured without it

    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            psycopg.connect(address).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                text = log.read_text(encoding="utf-8", errors="replace")
                raise Failed(f"PostgreSQL does not start: {text.strip()[-400:]}") from None
            time.sleep(0.05)
        else:
            return
