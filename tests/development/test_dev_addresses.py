"""Where a development server listens, and what it says when that does not work."""

from __future__ import annotations

import errno
import os
import re
import socket
import sys
from pathlib import Path

import pytest

from dev_server import APP, DevServer, ended_run, erlen_run, free_port

LOADS = "print('loaded', flush=True)\n" + APP


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(LOADS)
    return tmp_path


@pytest.mark.parametrize("options", [(), ("--debug",)])
def test_a_port_in_use_is_told_of_before_anything_is_loaded(folder: Path, options: tuple[str, ...]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, log = ended_run(folder, "--port", str(port), *options)
    assert code == 1
    assert f"Error: Port {port} is in use on 127.0.0.1, by " in log
    assert re.search(r"use another port: 'python -m erlen run --port \d+', or port 0", log), log
    if sys.platform == "linux":
        assert f"by process {os.getpid()} (" in log
    assert "loaded" not in log
    assert "Traceback" not in log


def test_app_run_tells_of_it_in_its_own_words(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (tmp_path / "shop.py").write_text(APP + f"\napp.run(port={port})\n")
        with DevServer(tmp_path, "shop.py") as server:
            assert server.process.wait(30) == 1
            assert f"Port {port} is in use" in server.log()
            assert "app.run(port=" in server.log()


def test_a_free_port_is_told_and_kept_over_reloads(folder: Path) -> None:
    with erlen_run(folder, "--reload") as server:
        port = server.port
        assert port != 0
        server.wait_for_answer(200, "first")
        server.write("app.py", LOADS.replace("first", "second"))
        server.wait_for_answer(200, "second")
        assert server.port == port


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("name.invalid", "The name 'name.invalid' has no address of this machine"),
        ("192.0.2.1", "'192.0.2.1' (192.0.2.1) is no address of this machine"),
        ("unix:///nowhere/at/all.sock", "cannot be made: No such file or directory"),
        ("unix://app.py", "is there already, and is no socket"),
    ],
)
def test_an_address_that_cannot_be_listened_on(folder: Path, host: str, message: str) -> None:
    code, log = ended_run(folder, "--host", host, "--port", "0")
    assert code == 1
    assert message in log
    assert "loaded" not in log
    assert (folder / "app.py").exists()


def test_a_port_that_only_the_administrator_may_use(folder: Path) -> None:
    with socket.socket() as attempt:
        try:
            attempt.bind(("127.0.0.1", 81))
        except OSError as error:
            if error.errno != errno.EACCES:
                pytest.skip("another program listens there")
        else:
            pytest.skip("this user may use every port")
    code, log = ended_run(folder, "--port", "81")
    assert code == 1
    assert "Port 81 of 127.0.0.1 may not be used" in log
    assert "run --port 8000'" in log


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_ipv6(folder: Path, host: str) -> None:
    try:
        with socket.socket(socket.AF_INET6) as attempt:
            attempt.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with erlen_run(folder, "--host", host, "--port", "0") as server:
        port = int(server.wait_for_log(r"Running on http://\[::1\]:(\d+)$")[1])
        with socket.create_connection(("::1", port)) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_all_addresses_are_listed(folder: Path) -> None:
    with erlen_run(folder, "--host", "0.0.0.0", "--port", str(free_port())) as server:
        server.wait_for_log(r"^ \* Running on all addresses \(0\.0\.0\.0\)$")
        server.wait_for_log(r"^ \* Running on http://127\.0\.0\.1:\d+$")
        server.wait_for_log(r"^ \* Running on http://[\d.]+:\d+$", 2)


@pytest.mark.parametrize("asgi", [False, True])
def test_a_unix_socket(folder: Path, asgi: bool) -> None:
    path = folder / "s"
    options = ("--interface", "asgi") if asgi else ()
    with erlen_run(folder, "--host", f"unix://{path}", *options) as server:
        server.wait_for_log(f"Running on unix://{path}")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        code, log = ended_run_beside(folder, f"unix://{path}")
        assert code == 1
        assert "A program listens on the Unix socket" in log
        assert server.interrupt() == 0
        assert not path.exists()


def ended_run_beside(folder: Path, host: str) -> tuple[int, str]:
    other = folder / "other"
    other.mkdir()
    (other / "app.py").write_text(APP)
    return ended_run(other, "--host", host)


def test_a_unix_socket_that_was_left_over_is_taken(folder: Path) -> None:
    path = folder / "s"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with erlen_run(folder, "--host", f"unix://{path}") as server:
        server.wait_for_log(f"Running on unix://{path}")


@pytest.mark.parametrize("value", ["nobody", "10.0.0.1/8"])
def test_clients_of_the_debugger_are_addresses(folder: Path, value: str) -> None:
    code, log = ended_run(folder, "--debug", "--debugger-clients", f"127.0.0.1,{value}")
    assert code == 2
    assert f"'{value}' is neither an address nor a network" in log
