"""The page shows the files of the example as they are, and those that no server in front reads do what they say."""

from __future__ import annotations

import fnmatch
import http.client
import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from erlen.cli.program import LAZY_COMMANDS

from . import page
from .running import HOST, LIMIT, SCRIPTS, Running, Site, despite_others, free_port, variables

#: The files that the page shows, each with the language of its block.
SHOWN = {
    "gunicorn.conf.py": "python",
    "uwsgi.ini": "ini",
    "nginx.conf": "nginx",
    "apache.conf": "apacheconf",
    "signup.service": "ini",
    "signup-gunicorn.socket": "ini",
    "Containerfile": "dockerfile",
    "compose.yaml": "yaml",
}
LINKED = {"signup-gunicorn.service", "Containerfile.dockerignore", "healthy.py"}


def file(name: str) -> str:
    return (page.FILES / name).read_text(encoding="utf-8")


def test_every_file_is_shown_or_linked() -> None:
    assert {path.name for path in page.FILES.iterdir() if path.is_file()} == set(SHOWN) | LINKED
    assert [name for name in LINKED if f"(../examples/signup/deploy/{name})" not in page.text()] == []


@pytest.mark.parametrize(("name", "language"), SHOWN.items())
def test_a_file_is_shown_as_it_is(name: str, language: str) -> None:
    assert file(name) in page.blocks(language)


def test_the_application_is_shown_as_it_is() -> None:
    [shown] = page.blocks("python", page.section("## The application"))
    assert shown in (page.EXAMPLE / "wsgi.py").read_text(encoding="utf-8")


def test_each_limit_of_a_body_is_that_of_the_application() -> None:
    settings = (page.EXAMPLE / "signup" / "settings.py").read_text(encoding="utf-8")
    assert '"MAX_CONTENT_LENGTH": 64 * 1024,' in settings
    assert "client_max_body_size 64k;" in file("nginx.conf")
    assert "%{HTTP:Content-Length} -gt 65536" in file("apache.conf")
    assert "--max-request-body-size=65537" in page.text()


# systemd


def settings_of(unit: str) -> list[str]:
    """Return the lines of a unit, without comments."""
    return [line for line in file(unit).splitlines() if line and not line.startswith("#")]


def test_the_unit_of_gunicorn_differs_by_the_lines_that_the_page_shows() -> None:
    [*_, shown] = page.blocks("ini", page.section("## systemd"))
    base, other = settings_of("signup.service"), settings_of("signup-gunicorn.service")
    assert sorted(set(other) - set(base)) == sorted(shown.splitlines())
    assert {line.partition("=")[0] for line in set(base) - set(other)} == {
        "Group",
        "UMask",
        "ExecStart",
        "RuntimeDirectory",
        "RuntimeDirectoryMode",
    }


@pytest.mark.parametrize(
    "units", [("signup.service",), ("signup-gunicorn.service", "signup-gunicorn.socket")], ids=lambda u: u[0]
)
def test_systemd_takes_the_units(units: tuple[str, ...], tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    for unit in units:
        text = file(unit)
        if unit.endswith(".service"):
            # It looks whether the program is there.
            text = page.replaced(text, (r"ExecStart=\S+", f"ExecStart={sys.executable}"))
        (tmp_path / unit).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / unit) for unit in units)],
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    # Of units of the machine it may complain as well.
    assert [line for line in done.stderr.splitlines() if "signup" in line] == []
    assert done.returncode == 0 or "signup" not in done.stderr


def started_by(unit: str) -> list[str]:
    """Return the command of a unit, with the program as it is found here."""
    [line] = [line for line in settings_of(unit) if line.startswith("ExecStart=")]
    program, *words = shlex.split(line.removeprefix("ExecStart="))
    return [Path(program).name, *words]


def test_gunicorn_takes_the_socket_of_systemd(place: t.Callable[[str], Path]) -> None:
    program = shutil.which("systemd-socket-activate")
    if program is None:
        pytest.skip("systemd-socket-activate is not installed")
    folder = place("activated")
    path = folder / "signup.sock"
    environment = variables(folder)
    passed = [word for name in environment for word in ("-E", name)]
    gunicorn, *words = started_by("signup-gunicorn.service")
    running = Running(
        [program, *passed, "-l", str(path), str(SCRIPTS / gunicorn), *words], folder / "out.txt", environment
    )
    try:
        running.wait_for(lambda: Site(path=path).get("/").status == 200)
        assert f"unix:{path}" in running.log()
    finally:
        assert running.stop() == 0, running.log()


@pytest.mark.parametrize("unit", ["signup.service", "signup-gunicorn.service"])
def test_systemd_is_told_when_the_server_is_ready(unit: str, place: t.Callable[[str], Path]) -> None:
    command = started_by(unit)
    if command[0] == "erlen" and "serve" not in LAZY_COMMANDS:
        pytest.skip("erlen has no command 'serve'")
    folder = place(f"notified-{unit}")
    command = [word.replace("/run/signup/signup.sock", str(folder / "signup.sock")) for word in command]
    if command[0] == "gunicorn":
        command[-1:] = ["--bind", f"unix:{folder / 'signup.sock'}", command[-1]]
    assert "Type=notify" in settings_of(unit)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(folder / "told.sock"))
        told.settimeout(LIMIT)
        running = Running(
            command, folder / "out.txt", variables(folder, NOTIFY_SOCKET=str(folder / "told.sock"))
        )
        try:
            assert b"READY=1" in told.recv(4096).splitlines()
            assert Site(path=folder / "signup.sock").get("/").status == 200
        finally:
            assert running.stop() == 0, running.log()


# The image


def instructions(name: str) -> list[str]:
    """Return the instructions of the Containerfile of a name."""
    lines = re.sub(r"\\\n\s*", "", file("Containerfile")).splitlines()
    return [line.partition(" ")[2] for line in lines if line.startswith(f"{name} ")]


def ignored(path: str) -> bool:
    """Return whether a file is kept out of the image: the last line that fits it, or a folder of it, decides."""
    parts = path.split("/")
    above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    verdict = False
    for line in file("Containerfile.dockerignore").splitlines():
        if line and not line.startswith("#"):
            pattern = line.removeprefix("!")
            patterns = [pattern, pattern.removeprefix("**/")]
            if any(fnmatch.fnmatchcase(one, each) for one in above for each in patterns) or (
                pattern.startswith("**/") and pattern[3:] in parts
            ):
                verdict = not line.startswith("!")
    return verdict


def test_what_the_image_needs_is_there_and_gets_in() -> None:
    sources = [
        word for line in instructions("COPY") if not line.startswith("--from") for word in line.split()[:-1]
    ]
    assert "src" in sources
    for source in sources:
        path = page.ROOT / source
        inside = (
            [path]
            if path.is_file()
            else [one for one in path.rglob("*.py") if "__pycache__" not in one.parts]
        )
        assert inside
        assert [one for one in inside if ignored(one.relative_to(page.ROOT).as_posix())] == []


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".env",
        "examples/signup/instance/secret-key.txt",
        "examples/signup/signup/instance/secret-key.txt",
        "examples/signup/deploy/signup.env",
        "src/erlen/__pycache__/app.cpython-313.pyc",
        "tests/conftest.py",
    ],
)
def test_what_has_no_business_in_the_image_does_not_get_in(path: str) -> None:
    assert ignored(path)


def test_the_image_is_not_run_by_root() -> None:
    assert instructions("USER") == ["10001"]


def test_the_command_of_the_image_serves_and_its_health_check_notices_when_it_does_not(
    place: t.Callable[[str], Path],
) -> None:
    if "serve" not in LAZY_COMMANDS:
        pytest.skip("erlen has no command 'serve'")
    folder = place("contained")
    command: list[str]
    check: list[str]
    [command] = [json.loads(line) for line in instructions("CMD")]
    [check] = [json.loads(line[line.index("[") :]) for line in instructions("HEALTHCHECK")]
    assert "0.0.0.0" in command

    def start() -> tuple[int, Running]:
        port = free_port()
        words = [{"8000": str(port), "0.0.0.0": "127.0.0.1"}.get(word, word) for word in command]
        running = Running(words, folder / "out.txt", variables(folder))
        running.wait_for(lambda: Site(port).get("/").status == 200)
        return port, running

    port, running = despite_others(start)
    try:
        assert healthy(check, port, folder).returncode == 0
    finally:
        assert running.stop(signal.SIGTERM) == 0
    done = healthy(check, port, folder)
    assert (done.returncode, done.stderr.startswith("no answer: ")) == (1, True)


def test_the_health_check_notices_an_error(place: t.Callable[[str], Path]) -> None:
    folder = place("unhealthy")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = subprocess.Popen(
            [sys.executable, str(page.FILES / "healthy.py")],
            env=variables(folder, PORT=str(listening.getsockname()[1])),
            stderr=subprocess.PIPE,
            text=True,
        )
        listening.settimeout(LIMIT)
        connection, _ = listening.accept()
        with connection:
            asked = connection.recv(4096)
            connection.sendall(b"HTTP/1.1 500 Failed\r\nContent-Length: 0\r\n\r\n")
        _, error = done.communicate(timeout=LIMIT)
    assert f"Host: {HOST}".encode() in asked
    assert (done.returncode, error) == (1, f"answered with {int(http.client.INTERNAL_SERVER_ERROR)}\n")


def healthy(check: list[str], port: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the health check of the image."""
    assert check == ["python", "healthy.py"]
    return subprocess.run(
        [sys.executable, str(page.FILES / "healthy.py")],
        env=variables(folder, PORT=str(port)),
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
