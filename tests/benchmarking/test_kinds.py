"""Each measurement runs once, as short as it can be: its figures are there, and nothing of it is left."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from benchmarks import startup
from benchmarks.database import __main__ as database
from benchmarks.database import cluster
from benchmarks.memory import idle
from benchmarks.memory.sockets import allow_files
from benchmarks.serving import __main__ as serving
from benchmarks.serving import targets
from benchmarks.serving.process import ROOT
from benchmarks.serving.rounds import one_round
from benchmarks.serving.servers import SERVERS
from benchmarks.serving.targets import Target
from benchmarks.serving.wrk import PROGRAM, Failed, Load

pytestmark = pytest.mark.servers

needs_wrk = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="wrk is not installed")
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/smaps_rollup").exists(), reason="the system has no /proc/PID/smaps_rollup"
)

SHORT = ["--rounds", "1", "--seconds", "1", "--connections", "4"]


def needs(*modules: str) -> pytest.MarkDecorator:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


def content_of(file: Path, kind: str) -> dict[str, t.Any]:
    content: dict[str, t.Any] = json.loads(file.read_text(encoding="utf-8"))
    assert content["kind"] == kind
    return content


@needs_wrk
@pytest.mark.parametrize("name", list(SERVERS))
def test_requests_behind_a_server_are_measured(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = SERVERS[name]
    if server.missing:
        pytest.skip(f"not installed: {server.missing}")
    subject = {"granian-wsgi": "erlen", "granian-asgi": "erlen-async"}.get(name, targets.BARE)
    file = tmp_path / "servers.json"
    options = ["--server", name, "--case", "plaintext", "--subject", subject, "--json", str(file)]
    assert serving.main([*options, *SHORT]) == 0
    shown = capsys.readouterr().out
    assert server.heading in shown
    assert max(map(len, shown.splitlines())) <= 120
    figures = content_of(file, "servers")["tables"][name]["plaintext"]
    assert sorted(figures) == sorted({subject, targets.BARE, targets.SAFE_BARE})
    for figure in figures.values():
        assert figure["median"] > 0
        assert figure["p99_ms"]["median"] > 0
        assert figure["requests"]["rounds"][0] > 1


@needs_wrk
@needs("granian")
def test_a_wrong_answer_ends_the_measurement_before_the_load() -> None:
    right = targets.target("wsgi", "bare", "plaintext")
    wrong = Target(
        right.title, right.app, right.variables, "/nowhere", (), targets.target("wsgi", "bare", "json").check
    )
    with pytest.raises(Failed, match="bare callable answers 404, not 200: b'not found'"):
        one_round(SERVERS["granian-wsgi"], wrong, Load())


@needs("granian")
def test_a_server_that_does_not_start_is_told_with_what_it_says() -> None:
    right = targets.target("wsgi", "bare", "plaintext")
    broken = Target(right.title, "benchmarks.serving.nothing:app", right.variables, "/", (), right.check)
    with pytest.raises(Failed, match=r"(?s)the server does not start:.*benchmarks.serving.nothing"):
        one_round(SERVERS["granian-wsgi"], broken, Load())


@needs_wrk
@needs("granian")
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system has no /proc")
def test_ctrl_c_ends_the_measurement_quietly_and_leaves_no_server() -> None:
    options = ["--server", "granian-wsgi", "--case", "plaintext", "--seconds", "30", "--json", os.devnull]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.serving", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    end = time.monotonic() + 30
    while not (children := children_of(process.pid)) and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    shown, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in shown + errors
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(one) for one in text.split()]


def programs_of_postgresql() -> str | None:
    try:
        return cluster.program("postgres") and cluster.program("initdb")
    except cluster.Missing:
        return None


@needs_wrk
@needs("granian", "psycopg", "psycopg_pool")
@pytest.mark.parametrize(
    ("engine", "options", "subjects"),
    [
        ("sqlite", ["--protocol", "wsgi", "--subject", "erlen"], ["bare", "erlen"]),
        ("postgresql", ["--subject", "bare"], ["bare"]),
    ],
)
def test_pages_from_a_database_are_measured(
    engine: str, options: list[str], subjects: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if engine == "postgresql" and not programs_of_postgresql():
        pytest.skip("not installed: PostgreSQL")
    file = tmp_path / "database.json"
    asked = ["--engine", engine, "--case", "20 queries", "--json", str(file)]
    assert database.main([*asked, *options, *SHORT]) == 0, capsys.readouterr()
    protocols = ["wsgi"] if "wsgi" in options else ["asgi", "wsgi"]
    tables = content_of(file, "database")["tables"]
    assert sorted(tables) == [f"{engine}-granian-{protocol}" for protocol in protocols]
    for table in tables.values():
        assert sorted(table["20 queries"]) == subjects
        assert all(figure["median"] > 0 for figure in table["20 queries"].values())


def test_without_postgresql_its_table_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert database.main(["--engine", "postgresql", "--postgresql-bin", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "PostgreSQL is not measured, as" in shown
    assert "Install it" in shown


@needs("psycopg")
def test_postgresql_is_gone_after_the_measurement() -> None:
    if not programs_of_postgresql():
        pytest.skip("not installed: PostgreSQL")
    import psycopg

    with cluster.running() as address:
        place = Path(address.partition("=")[2].partition(" ")[0])
        with psycopg.connect(address) as connection:
            row = connection.execute("SELECT pg_postmaster_start_time(), current_user").fetchone()
            assert row is not None
            assert row[1] == cluster.USER
        pid = int((place / "data" / "postmaster.pid").read_text(encoding="ascii").split()[0])
    assert not place.exists()
    assert not Path(f"/proc/{pid}").exists()


@needs_proc
@needs("granian", "uvicorn", "httptools", "websockets")
def test_idle_workers_and_open_websockets_are_measured(tmp_path: Path) -> None:
    file = tmp_path / "memory.json"
    options = ["--table", "granian-asgi", "--table", "websockets", "--sockets", "20", "--rounds", "1"]
    assert idle.main([*options, "--json", str(file)]) == 0
    tables = content_of(file, "memory")["tables"]
    workers, open_ones = tables["granian-asgi"]["idle worker"], tables["websockets"]["20 open"]
    assert sorted(workers) == sorted(open_ones) == ["bare", "erlen", "fastapi", "quart"]
    for figure in workers.values():
        assert 1 < figure["median"] <= figure["pss_mib"]["median"] <= figure["rss_mib"]["median"]
    assert all(figure["unit"] == "KiB" and figure["rounds"] for figure in open_ones.values())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_more_files_than_the_system_allows_are_refused_with_the_way_out() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        pytest.skip("the system allows any number of open files")
    with pytest.raises(Failed, match=f"the system allows {hard}: ulimit -Hn {hard + 1}, or --sockets"):
        allow_files(hard + 1)


def test_starts_are_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "startup.json"
    options = [
        "--rounds",
        "1",
        "--no-servers",
        "--subject",
        "erlen",
        "--subject",
        "erlen-async",
        "--json",
        str(file),
    ]
    assert startup.main(options) == 0
    assert "first request" in capsys.readouterr().out
    spans = content_of(file, "startup")["tables"]["import"]
    assert list(spans) == ["import", "class", "first request"]
    for name in ("erlen", "erlen-async"):
        times = [spans[span][name]["median"] for span in spans]
        assert times == sorted(times)
        assert times[0] > 0
