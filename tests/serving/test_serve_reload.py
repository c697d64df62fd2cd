"""Stopping and reloading: what is asked is answered, and a broken version does not come to serve."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest

from .load import Load
from .running import APPLICATION, ASYNC_APPLICATION, Answer, Serving, eventually, write


@pytest.fixture(scope="module")
def reloading(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Serving]:
    """Return a server for tests that leave it as it was: two workers that serve."""
    folder = tmp_path_factory.mktemp("reloading")
    with Serving(write(folder), "--workers", "2") as running:
        yield running
        assert running.stop() == 0


APPLICATIONS = {"wsgi": APPLICATION, "asgi": ASYNC_APPLICATION}


PACKAGES = {"ab": "apache2-utils", "wrk": "wrk", "h2load": "nghttp2-client"}


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_no_request_is_lost_when_the_server_is_reloaded_under_load(tmp_path: Path, interface: str) -> None:
    write(tmp_path, APPLICATIONS[interface])
    with Serving(tmp_path, "--workers", "2") as server:
        assert f" over {interface.upper()} " in server.log()
        with Load(server.port, keeping=6, fresh=3) as load:
            for number in range(2):
                write(tmp_path, APPLICATIONS[interface].replace('"one"', f'"version {number}"'))
                server.reload()
                # The old ones have left: what comes from now on is of the new version.
                assert eventually(lambda: len(server.workers()) == 2)
                before = load.total
                assert eventually(lambda: load.total > before + 50)
        assert load.errors == {}
        # Each connection that was kept was closed by an answer that said so, at each reload.
        assert load.closed >= 6
        assert set(load.answers) == {"one", "version 0", "version 1"}
        assert server.stop() == 0
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("tool", ["ab", "wrk", "h2load"])
def test_a_load_generator_sees_no_failure_while_the_server_is_reloaded(reloading: Serving, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed: apt-get install {PACKAGES[tool]}")
    url = f"http://127.0.0.1:{reloading.port}/"
    commands = {
        # New connections, as it closes each.
        "ab": ["ab", "-q", "-r", "-t", "2", "-n", "1000000", "-c", "8", url],
        # Connections that are kept.
        "wrk": ["wrk", "-t1", "-c8", "-d2", url],
        # HTTP/2: connections with several requests at a time.
        "h2load": ["h2load", "-D2", "-c4", "-m4", url],
    }
    running = subprocess.Popen(commands[tool], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(0.3)
    reloading.reload()
    output = running.communicate(timeout=60)[0]
    assert running.returncode == 0, output
    if tool == "ab":
        assert "Failed requests:        0" in output
        assert "Non-2xx" not in output
    elif tool == "wrk":
        assert "Socket errors" not in output
        assert "Non-2xx" not in output
    else:
        assert " 0 failed, 0 errored, 0 timeout" in output


def test_a_reload_loads_modules_anew_that_the_application_imports(reloading: Serving) -> None:
    write(reloading.folder, "VERSION = 'of a module'", "texts.py")
    write(reloading.folder, APPLICATION + "\nfrom texts import VERSION\n")
    for text in ("of a module", "of a newer module"):
        write(reloading.folder, f"VERSION = {text!r}", "texts.py")
        reloading.reload()
        assert reloading.get("/").text == text


#: What a new version may break at, and what is said of it.
BROKEN = {
    "import erlen\n1 / 0  # on purpose\n": "ZeroDivisionError: division by zero",
    "from erlen import Erlen\napp = Erlen(__name__\n": "SyntaxError: ",
    "import os\nos._exit(7)\n": r"Error: Worker \d ended with exit code 7 while it loaded the application.",
    "from erlen import Erlen\napp = Erlen(__name__)\n"
    "@app.before_serving\ndef begin():\n    raise OSError('no database')\n": "OSError: no database",
    "import sys\nsys.exit('no configuration')\n": r"SystemExit\('no configuration'\)",
    "app = 1\n": "Error: No application in module 'app'",
}


def test_a_broken_version_is_refused_and_the_old_workers_go_on(reloading: Serving) -> None:
    write(reloading.folder)
    reloading.reload()
    assert eventually(lambda: len(reloading.workers()) == 2)
    workers = reloading.workers()
    for number, (text, message) in enumerate(BROKEN.items()):
        write(reloading.folder, text)
        before = len(reloading.log())
        reloading.tell(signal.SIGHUP)
        reloading.wait_for("Not reloaded: the workers that were there go on.", number + 1)
        assert len(re.findall(message, reloading.log()[before:])) == 1
        assert reloading.get("/").text == "one"
        assert eventually(lambda: reloading.workers() == workers)
    # Mended, it is taken.
    write(reloading.folder, APPLICATION.replace('"one"', '"two"'))
    reloading.reload()
    assert reloading.get("/").text == "two"


@pytest.mark.parametrize(
    ("interface", "number"), [("wsgi", signal.SIGTERM), ("asgi", signal.SIGINT)], ids=["SIGTERM", "Ctrl-C"]
)
def test_a_stop_answers_what_has_been_asked_and_ends_the_life_span(
    tmp_path: Path, interface: str, number: int
) -> None:
    write(tmp_path)
    answers: list[Answer] = []
    with Serving(tmp_path, "--interface", interface) as server:
        asking = threading.Thread(target=lambda: answers.append(server.get("/slow?seconds=1")))
        asking.start()
        eventually(lambda: _connections(server.port))
        time.sleep(0.2)
        # Ctrl-C goes to the whole group of a terminal.
        os.killpg(server.process.pid, number)
        assert server.ended() == 0
        asking.join()
        assert [answer.text for answer in answers] == ["slow"]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), 5)
    log = server.log()
    assert log.count("begins\n") == log.count("ends\n") == 1
    assert "Traceback" not in log


def _connections(port: int) -> bool:
    ends = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]]
    return any(int(local.split(":")[1], 16) == port and state == "01" for local, _, state in ends)


def test_a_request_that_takes_too_long_is_ended_with_a_message(tmp_path: Path) -> None:
    write(tmp_path)
    with Serving(tmp_path, "--timeout", "1") as server:
        made = socket.create_connection(("127.0.0.1", server.port), 20)
        made.sendall(b"GET /slow?seconds=600 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(0.3)
        assert server.stop() == 0
        assert made.recv(100) == b""
        made.close()
    assert "is killed: it has not ended within 1 seconds ('--timeout')" in server.log()


def test_a_kept_connection_gets_an_answer_that_closes_it_when_its_worker_leaves(reloading: Serving) -> None:
    write(reloading.folder)
    reloading.reload()
    with contextlib.closing(reloading.connection()) as connection:
        connection.request("GET", "/pid")
        first = connection.getresponse().read()
        reloading.reload()
        connection.request("GET", "/pid")
        response = connection.getresponse()
        assert response.headers["Connection"] == "close"
        # From the old worker, which has waited for this.
        assert response.read() == first
    assert reloading.get("/pid").body != first
    assert eventually(lambda: int(first) not in reloading.workers())


def test_a_worker_that_dies_is_replaced(reloading: Serving) -> None:
    assert eventually(lambda: len(reloading.workers()) == 2)
    first, second = reloading.workers()
    count = reloading.log().count(" serves in process ")
    os.kill(first, signal.SIGKILL)
    log = reloading.wait_for(" serves in process ", count + 1)
    assert "ended by itself, with signal 9 (SIGKILL). The next is started now" in log
    workers = reloading.workers()
    assert len(workers) == 2
    assert second in workers
    assert first not in workers


def test_workers_end_when_the_main_process_was_killed(tmp_path: Path) -> None:
    write(tmp_path)
    server = Serving(tmp_path)
    [worker] = server.workers()
    server.process.kill()
    server.process.wait()
    assert eventually(lambda: not Path(f"/proc/{worker}").exists() or "Z" in _state(worker))
    assert "ends\n" in server.log()


def test_a_request_does_not_keep_a_worker_for_ever_when_the_main_process_was_killed(tmp_path: Path) -> None:
    write(tmp_path)
    server = Serving(tmp_path, "--timeout", "1")
    [worker] = server.workers()
    with contextlib.closing(server.connection()) as connection:
        connection.request("GET", "/slow?seconds=600")
        # It has come to the worker when a later one was answered.
        assert server.get("/").text == "one"
        server.process.kill()
        server.process.wait()
        assert eventually(lambda: _state(worker) == "Z")
    with pytest.raises(ConnectionRefusedError):
        server.get("/")


def test_a_worker_that_has_died_is_replaced_after_a_reload_that_failed(tmp_path: Path) -> None:
    write(tmp_path)
    with Serving(tmp_path, "--workers", "2") as server:
        # New workers wait, and then fail.
        waits = "import pathlib, time\nprint('waits', flush=True)\nwhile not pathlib.Path('gate').exists():\n    time.sleep(0.02)\n"
        write(tmp_path, waits + "raise RuntimeError('broken')\n")
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_for("waits\n")
        server.tell(signal.SIGHUP)
        # The one in the place of that which has died, and those of the reload.
        server.wait_for("waits\n", 3)
        write(tmp_path)
        before = server.log().count(" serves in process ")
        (tmp_path / "gate").touch()
        server.wait_for("Not reloaded")
        server.wait_for(" serves in process ", before + 1)
        assert eventually(lambda: len(server.workers()) == 2)
        assert server.get("/").text == "one"


def test_the_time_to_stop_may_be_longer_than_the_system_waits_at_once(tmp_path: Path) -> None:
    write(tmp_path)
    server = Serving(tmp_path, "--timeout", "2000000000")
    assert server.stop() == 0
    assert "Traceback" not in server.log()


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_a_worker_is_replaced_after_so_many_requests_without_losing_one(tmp_path: Path) -> None:
    write(tmp_path)
    with Serving(tmp_path, "--max-requests", "200") as server:
        with Load(server.port, keeping=3, fresh=2) as load:
            server.wait_for("Worker 1 is replaced: it has answered 2", 2)
            server.wait_for(" serves in process ", 2)
        assert load.errors == {}
        assert server.stop() == 0


def test_the_end_of_a_life_span_that_fails_is_shown(tmp_path: Path) -> None:
    write(tmp_path, APPLICATION.replace('print("ends", flush=True)', 'raise OSError("the pool is lost")'))
    for interface in ("wsgi", "asgi"):
        with Serving(tmp_path, "--interface", interface) as server:
            assert server.stop() == 0
        assert "OSError: the pool is lost" in server.log()


def test_the_loop_of_a_stream_of_events_does_not_keep_a_worker(tmp_path: Path) -> None:
    write(
        tmp_path,
        """
import asyncio
from erlen import Erlen, EventStream
app = Erlen(__name__)
@app.get("/events")
async def events():
    async def generate():
        while True:
            yield {"data": "tick"}
            await asyncio.sleep(0.1)
    return EventStream(generate())
""",
    )
    with Serving(tmp_path) as server, contextlib.closing(server.connection()) as connection:
        connection.request("GET", "/events")
        response = connection.getresponse()
        assert response.readline()
        assert server.stop() == 0
        assert "killed" not in server.log()
        # Whole: the stream was ended, and not cut off.
        response.read()


@pytest.mark.parametrize("interface", ["asgi", "wsgi"])
def test_workers_end_quietly_and_do_what_was_registered_for_the_end(tmp_path: Path, interface: str) -> None:
    """Granian's threads outlive the interpreter for a moment, and Rust aborts a process whose thread Python ends by force."""
    ending = "import atexit, threading\natexit.register(lambda: os.write(1, b'at exit\\n'))\n"
    ending += "threading.Thread(target=lambda: (threading.main_thread().join(), os.write(1, b'waited for\\n'))).start()\n"
    write(tmp_path, APPLICATION + ending + "print('not written by anybody else', end='')\n")
    with Serving(
        tmp_path, "--workers", "2", "--interface", interface, variables={"PYTHONUNBUFFERED": ""}
    ) as server:
        for _ in range(3):
            server.reload()
            assert server.get("/").status == 200
    log = server.log()
    assert "panic" not in log
    assert (log.count("at exit"), log.count("waited for")) == (8, 8)
    assert log.count("not written by anybody else") == 8


def test_a_worker_whose_end_fails_ends_all_the_same(tmp_path: Path) -> None:
    failing = "import atexit, sys\natexit.register(lambda: 1 / 0)\nsys.stdout.close()\n"
    write(
        tmp_path,
        failing
        + APPLICATION.replace('print("begins", flush=True)', "pass").replace(
            'print("ends", flush=True)', "pass"
        ),
    )
    with Serving(tmp_path) as server:
        assert server.get("/").status == 200
        assert server.stop() == 0
    assert "ZeroDivisionError" in server.log()
