"""The end of a development server: whatever it does, it ends, and leaves nobody behind."""

from __future__ import annotations

import http.client
import os
import pty
import select
import signal
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import pytest
from websockets.sync.client import connect

from dev_server import APP, CHAT, LIMIT, DevServer, environment, erlen_run, wait_for

RELOADER = ("--debug", "--no-debugger")
OPTIONS = pytest.mark.parametrize("options", [(), RELOADER], ids=["plain", "reloader"])


def assert_all_is_over(server: DevServer, code: int) -> None:
    assert code == 0, server.log()
    assert "Traceback" not in server.log()
    assert "Aborted" not in server.log()
    wait_for(lambda: not server.processes(), server.log)


@pytest.mark.parametrize(
    ("code", "options", "ends"),
    [
        (APP, (), "control-c"),
        (APP, (), "SIGTERM"),
        (APP, RELOADER, "control-c"),
        (APP, RELOADER, "SIGINT"),
        (CHAT, (), "SIGTERM"),
        (CHAT, RELOADER, "control-c"),
        (CHAT, RELOADER, "SIGTERM"),
    ],
)
def test_while_serving(tmp_path: Path, code: str, options: tuple[str, ...], ends: str) -> None:
    (tmp_path / "app.py").write_text(code)
    with erlen_run(tmp_path, *options) as server:
        server.wait_for_answer(200, "first")
        ended = (
            server.press_control_c()
            if ends == "control-c"
            else server.interrupt(getattr(signal, ends, signal.SIGINT))
        )
        assert_all_is_over(server, ended)
        assert [line for line in server.log().splitlines() if line in {"begins", "ends"}] == [
            "begins",
            "ends",
        ]


@OPTIONS
def test_with_open_streams_and_websockets(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "app.py").write_text(CHAT)
    with erlen_run(tmp_path, *options) as server:
        streams: list[http.client.HTTPConnection] = []
        for path in ("/events", "/pieces"):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
            connection.request("GET", path)
            assert connection.getresponse().read(1)
            streams.append(connection)
        with connect(f"ws://127.0.0.1:{server.port}/chat", proxy=None) as websocket:
            websocket.send("hello")
            assert websocket.recv(LIMIT) == "re: hello"
            assert_all_is_over(server, server.press_control_c())
        assert "ends" in server.log().splitlines()
        for connection in streams:
            connection.close()


@OPTIONS
@pytest.mark.parametrize("kind", ["async", "plain"])
def test_with_a_view_that_does_not_return(tmp_path: Path, options: tuple[str, ...], kind: str) -> None:
    view = '\n@app.get("/stuck")\ndef stuck():\n    import time\n    print("stuck", flush=True)\n    time.sleep(600)\n'
    (tmp_path / "app.py").write_text((CHAT if kind == "async" else APP) + view)
    with erlen_run(tmp_path, *options) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT)
        connection.request("GET", "/stuck")
        server.wait_for_log("^stuck$")
        assert_all_is_over(server, server.press_control_c())
        connection.close()


@OPTIONS
def test_while_the_application_is_being_loaded(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "app.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(600)\n")
    with erlen_run(tmp_path, *options) as server:
        server.wait_for_log("^loading$")
        assert server.press_control_c() == 130
        assert "Traceback" not in server.log()
        wait_for(lambda: not server.processes(), server.log)


def test_at_any_moment_of_a_reload(tmp_path: Path) -> None:
    """The moments are spread over the time in which one process ends and the next one loads."""
    for number in range(4):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "app.py").write_text(APP)
        with erlen_run(folder, "--debug", "--no-debugger") as server:
            server.wait_for_answer(200, "first")
            server.write("app.py", APP.replace("first", "second"))
            server.wait_for_log("has changed")
            time.sleep(number * 0.1)
            assert server.press_control_c() in {0, 130}, server.log()
            assert "Traceback" not in server.log()
            wait_for(lambda: not server.processes(), server.log)


def test_while_the_error_of_an_application_is_served(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("x = = 1\n")
    with erlen_run(tmp_path, "--debug", "--no-debugger") as server:
        server.wait_for_answer(500, "could not be loaded")
        assert_all_is_over(server, server.press_control_c())


def test_the_serving_process_ends_with_a_reloader_that_was_killed(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with erlen_run(tmp_path, "--debug", "--no-debugger") as server:
        server.wait_for_answer(200, "first")
        assert server.interrupt(signal.SIGKILL) == -signal.SIGKILL
        wait_for(lambda: not server.processes(), server.log)
        assert "ends" in server.log().splitlines()


def test_a_life_span_that_does_not_end_is_left_when_the_reloader_was_killed(tmp_path: Path) -> None:
    endless = APP.replace(
        'print("ends", flush=True)', 'print("ends", flush=True)\n    import time\n    time.sleep(600)'
    )
    (tmp_path / "app.py").write_text(endless)
    with erlen_run(tmp_path, "--debug", "--no-debugger") as server:
        server.wait_for_answer(200, "first")
        os.kill(server.process.pid, signal.SIGTERM)
        server.wait_for_log("^ends$")
        assert server.interrupt(signal.SIGKILL) == -signal.SIGKILL
        wait_for(lambda: not server.processes(), server.log)


@OPTIONS
def test_a_hang_up_ends_the_life_span_and_removes_the_certificate(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "app.py").write_text(CHAT)
    made = tmp_path / "made"
    made.mkdir()
    with erlen_run(tmp_path, "--cert", "adhoc", *options, TMPDIR=str(made)) as server:
        server.wait_for_log("Press CTRL")
        assert list(made.glob("erlen-certificate-*"))
        server.interrupt(signal.SIGHUP)
        wait_for(lambda: not server.processes(), server.log)
        assert "ends" in server.log().splitlines()
        assert not list(made.iterdir())


def test_a_serving_process_that_crashes_is_told_of(tmp_path: Path) -> None:
    crash = '\n@app.get("/crash")\ndef crash():\n    import os, signal\n    os.kill(os.getpid(), signal.SIGSEGV)\n'
    (tmp_path / "app.py").write_text(APP + crash)
    with erlen_run(tmp_path, "--debug", "--no-debugger") as server:
        with pytest.raises((OSError, http.client.HTTPException)):
            server.get("/crash")
        assert server.process.wait(LIMIT) == 128 + signal.SIGSEGV
        assert "was ended by the signal SIGSEGV" in server.log()


class Typist:
    """An ``erlen run`` on a terminal of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.terminal, other = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "erlen", "run", "--port", "0", *arguments],
            stdin=other,
            stdout=other,
            stderr=other,
            cwd=folder,
            env=environment(TERM="xterm"),
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(other)
        self.output = ""

    def wait_for(self, text: str) -> None:
        def found() -> bool:
            while select.select([self.terminal], [], [], 0)[0]:
                try:
                    self.output += os.read(self.terminal, 4096).decode()
                except OSError:
                    break
            return text in self.output

        wait_for(found, lambda: self.output)

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *details: object) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(LIMIT)
        os.close(self.terminal)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize("kind", ["def", "async def"])
@pytest.mark.parametrize("options", [("--no-reload",), ("--reload", "--no-debugger")])
def test_a_breakpoint_in_a_view_has_the_terminal(tmp_path: Path, kind: str, options: tuple[str, ...]) -> None:
    view = (
        f'\n@app.get("/stop")\n{kind} stop():\n    answer = "before"\n    breakpoint()\n    return answer\n'
    )
    (tmp_path / "app.py").write_text(APP + view)
    with Typist(tmp_path, *options) as server:
        server.wait_for("Press CTRL+C")
        assert "\x1b[" in server.output
        port = int(server.output.partition("Running on http://127.0.0.1:")[2].split()[0])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
        connection.request("GET", "/stop")
        server.wait_for("(Pdb)")
        server.type("answer = 'typed' + ' here'\n")
        time.sleep(0.2)
        server.type("c\n")
        assert connection.getresponse().read() == b"typed here"
        connection.close()
        server.type("\x03")
        assert server.process.wait(LIMIT) == 0
        assert "Traceback" not in server.output


def test_without_a_terminal_there_are_no_control_codes(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(CHAT)
    with erlen_run(tmp_path) as server:
        server.wait_for_answer(200, "first")
        assert server.get("/nowhere")[0] == 404
        server.wait_for_log('"GET /nowhere HTTP/1.1" 404 -')
        assert "\x1b" not in server.log()
