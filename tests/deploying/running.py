"""Programs as processes, and a client that speaks to them as a browser would."""

from __future__ import annotations

import contextlib
import grp
import http.client
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from .page import EXAMPLE, ROOT

#: Seconds within which a program has to answer, and to end.
LIMIT = 60.0

#: The name that the files of the example are written for.
HOST = "signup.example.com"

#: What variables begin with that would change what is tested.
SETTINGS = (
    "ERLEN_",
    "SIGNUP_",
    "CHAT_",
    "UVICORN_",
    "GRANIAN_",
    "GUNICORN_",
    "HYPERCORN_",
    "WEB_CONCURRENCY",
    "FORWARDED_ALLOW_IPS",
    "NOTIFY_SOCKET",
    "LISTEN_",
)

#: Programs of this environment come before those of the machine.
SCRIPTS = Path(sys.executable).parent


def folder() -> t.Iterator[Path]:
    """Yield a folder that others may enter, as a server in front runs as another user; it is removed afterwards."""
    # Of pytest's own the path may be too long for a socket.
    made = Path(tempfile.mkdtemp(prefix="erlen-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def group_of_nobody() -> str:
    """Return the group of the user nobody, which differs between systems."""
    return grp.getgrgid(pwd.getpwnam("nobody").pw_gid).gr_name


def free_port() -> int:
    """Return a port that nobody listens on."""
    [port] = free_ports(1)
    return port


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, each another one.

    :param count: how many.
    """
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


T = t.TypeVar("T")


def despite_others(start: t.Callable[[], T]) -> T:
    """Start something on free ports, again where another process has taken one of them meanwhile.

    :param start: chooses the ports, starts, and waits for an answer.
    """
    for _ in range(2):
        try:
            return start()
        except NoAnswer as error:
            if "in use" not in str(error):
                raise
    return start()


def variables(state: Path, **more: str) -> dict[str, str]:
    """Return the environment in which the example is served.

    :param state: the folder for the database and the key.
    :param more: what is set besides.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    return {
        **kept,
        "PATH": f"{SCRIPTS}{os.pathsep}{kept.get('PATH', '')}",
        "PYTHONPATH": os.pathsep.join(
            map(str, [ROOT / "src", EXAMPLE, ROOT / "examples" / "chat", Path(__file__).parent])
        ),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SIGNUP_HOSTS": HOST,
        "SIGNUP_PROXIES": "1",
        "SIGNUP_INSTANCE": str(state),
        "CHAT_SECRET_KEY": "a key of the tests, which keeps nothing",
        **more,
    }


class NoAnswer(Exception):
    """A program ended, or did not answer, when it was started."""


class Running:
    """A program that runs.

    :param command: its words.
    :param log: where its output goes.
    :param environment: its environment.
    :param cwd: where it is started.
    """

    def __init__(
        self, command: t.Sequence[str], log: Path, environment: t.Mapping[str, str], cwd: Path = EXAMPLE
    ) -> None:
        self.command = list(command)
        self.log_path = log
        program = shutil.which(command[0], path=environment["PATH"]) or command[0]
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [program, *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                env=environment,
                # A group of its own, so that its workers do not outlive it if it has to be killed.
                start_new_session=True,
                # As in signup.service: a socket is for the group alone, which is that of the server in front.
                umask=0o007,
                group=group_of_nobody() if os.geteuid() == 0 else None,
            )

    def wait_for(self, is_ready: t.Callable[[], object]) -> None:
        """Wait until the program answers.

        :param is_ready: what is asked; it may raise what a connection raises.
        :raises NoAnswer: when it ends before, or takes too long.
        """
        end = time.monotonic() + LIMIT
        while self.process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if is_ready():
                    return
            time.sleep(0.05)
        code = self.process.poll()
        self.stop()
        raise NoAnswer(f"{self.command} did not answer (exit code {code}):\n{self.log()}")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait, and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            try:
                self.process.wait(LIMIT)
            except subprocess.TimeoutExpired:
                with self.log_path.open("a", encoding="utf-8") as log:
                    log.write(f"(killed: it had not ended {LIMIT} s after {number.name})\n")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def log(self) -> str:
        """Return the output so far."""
        return self.log_path.read_text(encoding="utf-8", errors="replace")


class Answer(t.NamedTuple):
    """A whole response."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def lenient() -> ssl.SSLContext:
    """Return what a client needs that takes any certificate: those of the tests are signed by nobody."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Site:
    """An address that requests are sent to.

    :param port: the port on this machine.
    :param is_tls: whether TLS is spoken there.
    :param path: a Unix socket in place of the port.
    """

    def __init__(self, port: int = 0, *, is_tls: bool = False, path: Path | None = None) -> None:
        self.port = port
        self.is_tls = is_tls
        self.path = path

    def connect(self, host: str = HOST, protocols: t.Sequence[str] = ("http/1.1",)) -> socket.socket:
        """Return a connection, with the handshake of TLS behind it."""
        if self.path is None:
            made = socket.create_connection(("127.0.0.1", self.port), LIMIT)
        else:
            made = socket.socket(socket.AF_UNIX)
        try:
            made.settimeout(LIMIT)
            if self.path is not None:
                made.connect(str(self.path))
            if not self.is_tls:
                return made
            context = lenient()
            context.set_alpn_protocols(list(protocols))
            return context.wrap_socket(made, server_hostname=host)
        except BaseException:
            made.close()
            raise

    def connect_plainly(self) -> socket.socket:
        """Return a connection to the port, on which nothing was sent."""
        return socket.create_connection(("127.0.0.1", self.port), LIMIT)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: t.Mapping[str, str] | None = None,
        host: str = HOST,
    ) -> Answer:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection(host, timeout=LIMIT)
        with contextlib.closing(connection):
            connection.sock = self.connect(host)
            connection.request(method, path, body, {"Host": host, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def get(self, path: str, headers: t.Mapping[str, str] | None = None, host: str = HOST) -> Answer:
        """Send a GET."""
        return self.request("GET", path, None, headers, host)

    def sign_up(
        self, mail: str, origin: str = f"https://{HOST}", headers: t.Mapping[str, str] | None = None
    ) -> Answer:
        """Send the form, as a browser does that knows no Fetch Metadata."""
        given = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin, **(headers or {})}
        return self.request("POST", "/", f"name=Ada&email={mail.replace('@', '%40')}", given)
