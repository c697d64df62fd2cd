"""What `erlen serve` does as a process: what it says, how it starts and fails, and what it serves."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from .running import APPLICATION, ASYNC_APPLICATION, LIMIT, Serving, environment, eventually, free_port, write
from .test_serve_settings import certificate

# One server of each protocol for what needs nothing of its own: with static files, an access log and a trusted proxy.

FORMAT = '%(client)s "%(method)s %(target)s" %(status)s %(bytes)s "%(agent)s" %(header{X-Note})s %(worker)s'


@pytest.fixture(scope="module", params=["wsgi", "asgi"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Serving]:
    folder = tmp_path_factory.mktemp(request.param)
    write(folder, ASYNC_APPLICATION if request.param == "asgi" else APPLICATION)
    public = folder / "public"
    (public / "deep").mkdir(parents=True)
    (public / "page.html").write_text("<p>static</p>")
    (public / "deep" / "a b.txt").write_text("deep")
    (public / "deep" / "index.html").write_text("index")
    (folder / "secret.txt").write_text("secret")
    (folder / "public-not").mkdir()
    (folder / "public-not" / "secret.txt").write_text("secret")
    (public / "link.txt").symlink_to(folder / "secret.txt")
    (public / "link").symlink_to(folder)
    (public / "inside.html").symlink_to(public / "page.html")
    arguments = ["--static", "/files=public", "--static", "/files/deeper=public/deep"]
    arguments += ["--access-log", "--access-log-format", FORMAT, "--trusted-proxy", "127.0.0.1"]
    if request.param == "wsgi":
        # A trusted proxy alone is a reason for ASGI.
        arguments += ["--interface", "wsgi"]
    with Serving(folder, *arguments) as running:
        yield running
        assert running.stop() == 0
    assert "Traceback" not in running.log()
    assert "panicked" not in running.log()


def is_asgi(server: Serving) -> bool:
    return " over ASGI " in server.log()


def test_the_start_says_what_is_served_how_and_why(server: Serving) -> None:
    if is_asgi(server):
        reason = "over ASGI (because of the WebSocket '/chat')"
    else:
        reason = "over WSGI (as '--interface' says)"
    line = f" * Serving Erlen app 'app' {reason} on http://127.0.0.1:{server.port}, 1 worker\n"
    assert line in server.log()


def test_debug_mode_is_off(server: Serving) -> None:
    assert '"debug":false' in server.get("/seen").text
    assert "debug mode" not in server.log()


# Proxies


def test_headers_of_a_trusted_proxy_change_what_is_seen(server: Serving) -> None:
    headers = {
        "X-Forwarded-For": "6.6.6.6, 203.0.113.5",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "shop.example",
        "X-Forwarded-Prefix": "/shop",
    }
    answer = server.get("/seen/more", headers)
    assert '"client":"203.0.113.5"' in answer.text
    assert '"url":"https://shop.example/shop/seen/more"' in answer.text
    assert '"root":"/shop"' in answer.text
    assert eventually(lambda: '203.0.113.5 "GET /shop/seen/more" 200' in server.log())


def test_several_headers_of_one_name_are_one_list(server: Serving) -> None:
    answer = server.send(
        b"GET /seen HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n"
    )
    assert b'"client":"203.0.113.7"' in answer


def test_a_trusted_proxy_is_a_reason_for_asgi(tmp_path: Path) -> None:
    """Over WSGI the header of a client could take the place of the proxy's."""
    write(tmp_path, APPLICATION)
    with Serving(tmp_path, "--trusted-proxy", "127.0.0.1") as server:
        assert "over ASGI (as a proxy is trusted: WSGI does not tell 'X_Forwarded_For' from" in server.log()
        headers = {"X-Forwarded-For": "203.0.113.5", "X_Forwarded_For": "6.6.6.6"}
        assert '"client":"203.0.113.5"' in server.get("/seen", headers).text
        assert server.stop() == 0


def test_without_one_a_plain_application_is_served_over_wsgi(tmp_path: Path) -> None:
    write(tmp_path, APPLICATION)
    with Serving(tmp_path) as server:
        assert " over WSGI (it has nothing async) on " in server.log()
        assert server.stop() == 0


def test_names_with_an_underscore_do_not_count_over_asgi(server: Serving) -> None:
    if is_asgi(server):
        headers = {"X-Forwarded-For": "203.0.113.5", "X_Forwarded_For": "6.6.6.6"}
        assert '"client":"203.0.113.5"' in server.get("/seen", headers).text


# Files


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/files/page.html", b"<p>static</p>"),
        ("/files/deep/a%20b.txt", b"deep"),
        ("/files/deeper/a%20b.txt", b"deep"),
        ("/files/inside.html", b"<p>static</p>"),
        ("/files/deep/../page.html", b"<p>static</p>"),
    ],
)
def test_files_below_a_folder_are_served(server: Serving, path: str, expected: bytes) -> None:
    answer = server.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert expected in answer


@pytest.mark.parametrize(
    "path",
    [
        "/files/../secret.txt",
        "/files/%2e%2e/secret.txt",
        "/files/..%2fsecret.txt",
        "/files/%2e%2e%2fsecret.txt",
        "/files/deep/../../secret.txt",
        "/files/deep/..%2f..%2fsecret.txt",
        "/files//../secret.txt",
        "/files/%252e%252e/secret.txt",
        "/files/..%252fsecret.txt",
        "/files/..%5csecret.txt",
        "/files/..\\secret.txt",
        "/files/.%00./secret.txt",
        "/files/page.html%00.txt",
        "/files/page.html/../../secret.txt",
        "/files//etc/passwd",
        "/files/%2fetc/passwd",
        "/files/link.txt",
        "/files/link/secret.txt",
        "/files/link/public-not/secret.txt",
        "/files-not/secret.txt",
        "/files/../public-not/secret.txt",
        "/files/%c0%ae%c0%ae/secret.txt",
        "/files/deep",
        "/files/deep/",
        "/files",
        "/files/",
        "/files/nothing.txt",
        "/" + "files/../" * 200 + "secret.txt",
    ],
)
def test_nothing_outside_of_a_folder_is_served_and_no_list_of_it(server: Serving, path: str) -> None:
    """Sanic CVE-2017-16762 ``..%2f``; Starlette CVE-2023-29159: folders whose name begins alike."""
    answer = server.send(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert re.match(rb"HTTP/1.1 (404|400|308) ", answer), answer[:200]
    assert b"secret" not in answer.partition(b"\r\n\r\n")[2]
    assert b"root:" not in answer


def test_an_absolute_target_leads_no_further(server: Serving) -> None:
    answer = server.send(b"GET http://a/files/../secret.txt HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404")


# Requests that are written down


def test_each_request_has_a_line(server: Serving) -> None:
    server.get("/?a=1&b=%20", {"User-Agent": "tester", "X-Note": "noted"})
    assert eventually(lambda: '127.0.0.1 "GET /?a=1&b=%20" 200 3 "tester" noted 1\n' in server.log())
    server.get("/pieces", {"User-Agent": "tester"})
    assert eventually(lambda: '127.0.0.1 "GET /pieces" 200 6 "tester" - 1\n' in server.log())
    server.get("/nothing")
    assert eventually(lambda: '"GET /nothing" 404 ' in server.log())


def test_a_client_cannot_write_lines_of_its_own_into_the_log(server: Serving) -> None:
    """Flask-CORS CVE-2024-1681: log injection."""
    before = len(server.log())
    server.get("/x%0d%0a127.0.0.1%20%22GET%20/forged%22%20200%1b%5b2J%22", {"X-Note": '\\"'})
    assert eventually(lambda: "/x" in server.log()[before:])
    [line] = [line for line in server.log()[before:].split("\n") if "/x" in line]
    assert line.isascii()
    assert line.isprintable()
    assert r'"GET /x\x0d\x0a127.0.0.1 \x22GET /forged\x22 200\x1b[2J\x22" 400 ' in line
    assert r"\x5c\x22" in line


def test_websockets_are_served_and_written_down(server: Serving) -> None:
    if not is_asgi(server):
        pytest.skip("WSGI has no WebSockets")
    with connect(f"ws://127.0.0.1:{server.port}/chat", proxy=None) as opened:
        assert opened.recv() == "welcome"
        opened.send("echo")
        assert opened.recv() == "echo"
    assert eventually(lambda: '"GET /chat" 101 0 ' in server.log())
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{server.port}/nowhere", proxy=None)
    length = len(refused.value.response.body or b"")
    assert length
    assert eventually(lambda: f'"GET /nowhere" 404 {length} ' in server.log())


def test_what_a_process_is_started_with_reaches_the_application(server: Serving) -> None:
    assert '"--static"' in server.get("/seen").text


# The protocol


def test_the_protocol_may_be_chosen(tmp_path: Path) -> None:
    write(tmp_path, ASYNC_APPLICATION)
    with Serving(tmp_path, "--interface", "wsgi") as server:
        assert "over WSGI (as '--interface' says)" in server.log()
        assert "warning: WSGI has no WebSockets: the WebSocket '/chat' is not served" in server.log()
        assert server.get("/async").text == "async"


def test_over_asgi_the_threads_are_those_of_the_application(tmp_path: Path) -> None:
    text = ASYNC_APPLICATION.replace("return VERSION", "return str(app.config['THREAD_POOL_SIZE'])")
    write(tmp_path, text)
    with Serving(tmp_path, "--threads", "3", variables={"ERLEN_SERVE_THREAD": "4"}) as server:
        assert server.get("/").text == "3"
        assert (
            "warning: The variable ERLEN_SERVE_THREAD is no setting. Did you mean ERLEN_SERVE_THREADS?"
            in server.log()
        )


def test_the_main_process_does_not_load_the_application(tmp_path: Path) -> None:
    # In one piece: what two processes print at once would stand in between otherwise.
    write(tmp_path, APPLICATION + "\nos.write(1, b'loaded in %d\\n' % os.getpid())\n")
    with Serving(tmp_path, "--workers", "2") as server:
        loaded = {int(number) for number in re.findall(r"loaded in (\d+)", server.log())}
        assert loaded == set(server.workers())
        assert " on http://127.0.0.1:" in server.log()
        assert ", 2 workers\n" in server.log()


# The application that is served


def test_factories_with_arguments_in_other_folders_are_found(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    write(
        tmp_path / "shop",
        "from erlen import Erlen\ndef make(text, *, times):\n    app = Erlen(__name__)\n"
        "    app.get('/')(lambda: text * times)\n    return app\n",
        "store.py",
    )
    # A file with the name of a module of Python's does no harm where the command is started.
    write(tmp_path, "raise OSError", "socket.py")
    name = "shop/store.py:make('ab', times=2)"
    command = ("-P", "-m", "erlen")
    with Serving(tmp_path, before=["--app", name], command=command) as server:
        assert server.get("/").text == "abab"
        assert f" * Serving Erlen app {name!r} over WSGI" in server.log()


def test_a_program_with_a_factory_of_its_own_serves_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        "from erlen import Erlen\nfrom erlen.cli import ErlenGroup\n"
        "def create_app():\n    app = Erlen(__name__)\n    app.get('/')(lambda: 'own')\n    return app\n"
        "cli = ErlenGroup(create_app=create_app)\n",
        "program.py",
    )
    with Serving(tmp_path, command=["-c", "import program; program.cli()"]) as server:
        assert server.get("/").text == "own"


FLASK = """
from flask import Flask, request
app = Flask(__name__)
@app.get("/")
def index():
    return type(app).__module__ + " " + Flask.__mro__[1].__module__
"""


@pytest.mark.parametrize("command", ["erlen", "flask"])
def test_an_application_of_flask_is_served(tmp_path: Path, command: str) -> None:
    write(tmp_path, FLASK)
    variables = {"ERLEN_AS_FLASK": "1", "FLASK_SERVE_WORKERS": "2", "ERLEN_SERVE_TIMEOUT": "7"}
    module = f"import erlen.as_flask; from {command}.cli import main; main()"
    with Serving(tmp_path, command=["-c", module], variables=variables) as server:
        assert server.get("/").text.startswith("erlen.")
        assert ", 2 workers" in server.log()


def test_as_flask_the_main_process_does_not_keep_the_application(tmp_path: Path) -> None:
    # What runs on in the process that has loaded it, as a scheduler that a factory starts.
    write(
        tmp_path,
        "import os, threading, time\n"
        "from flask import Flask\n"
        "app = Flask(__name__)\n"
        "def run():\n"
        "    while True:\n"
        "        time.sleep(0.05)\n"
        "        print(f'alive in {os.getpid()}.', flush=True)\n"
        "threading.Thread(target=run, daemon=True).start()\n",
    )
    with Serving(tmp_path, variables={"ERLEN_AS_FLASK": "1"}, command=["-c", AS_FLASK]) as server:
        server.wait_for("alive in", 5)
        alive = set(re.findall(r"alive in (\d+)\.", server.log()))
        assert alive, server.log()
        assert str(server.process.pid) not in alive


AS_FLASK = "import erlen.as_flask; from erlen.cli import main; main()"


def test_as_flask_a_command_of_the_application_comes_first(tmp_path: Path) -> None:
    own = "@app.cli.command('serve')\n@click.option('--port')\ndef serve(port):\n    print('its own')\n"
    write(tmp_path, f"import click\n{FLASK}\n{own}")
    server = Serving(tmp_path, variables={"ERLEN_AS_FLASK": "1"}, command=["-c", AS_FLASK], waits=False)
    assert server.ended() == 0
    assert server.log() == "its own\n"


# What does not start


def failed(folder: Path, *arguments: str, code: int, before: t.Sequence[str] = (), **variables: str) -> str:
    server = Serving(folder, *arguments, before=before, variables=variables, waits=False)
    assert server.ended() == code, server.log()
    return server.log()


def test_a_broken_application_is_shown_once_with_the_user_s_own_traceback(tmp_path: Path) -> None:
    write(tmp_path, "import texts\n")
    write(tmp_path, "def text():\n    return missing\ntext()\n", "texts.py")
    log = failed(tmp_path, "--workers", "3", code=1)
    assert log.count("Traceback (most recent call last):") == 1
    assert log.startswith(f'Traceback (most recent call last):\n  File "{tmp_path / "app.py"}", line 1')
    assert log.rstrip().endswith("NameError: name 'missing' is not defined")
    assert "erlen" not in log.replace(str(tmp_path), "")


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_a_life_span_that_does_not_begin_is_shown_once(tmp_path: Path, interface: str) -> None:
    write(tmp_path, APPLICATION.replace('print("begins", flush=True)', "raise OSError('no database')"))
    log = failed(tmp_path, "--workers", "2", "--interface", interface, code=1)
    assert log.count("Traceback (most recent call last):") == log.count("OSError: no database") == 1


def test_an_application_that_is_not_there_is_a_mistake_of_usage(tmp_path: Path) -> None:
    assert "Error: No application was named, and neither 'wsgi.py' nor 'app.py'" in failed(tmp_path, code=2)
    write(tmp_path)
    assert "has no 'nothing'" in failed(tmp_path, before=["--app", "app:nothing"], code=2)


def test_without_granian_the_command_says_how_to_install_it(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "granian").mkdir()
    write(
        tmp_path / "granian",
        "raise ModuleNotFoundError(\"No module named 'granian'\", name='granian')",
        "__init__.py",
    )
    log = failed(tmp_path, code=1)
    assert log == (
        "Error: 'erlen serve' serves with Granian, which is not installed. Install it with: pip install 'erlen[serve]'\n"
    )


def test_a_stop_while_the_application_is_loaded_is_quiet(tmp_path: Path) -> None:
    write(tmp_path, "import time\nprint('loading', flush=True)\ntime.sleep(600)\n")
    server = Serving(tmp_path, waits=False)
    server.wait_for("loading")
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.ended() == 0
    assert "Traceback" not in server.log()


# Debug mode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_is_heard_as_soon_as_the_number_of_the_process_is_known(tmp_path: Path, number: int) -> None:
    """It is sent when the file appears, before a worker was started; more than once, as that is a race."""
    write(tmp_path)
    for _ in range(3):
        with Serving(tmp_path, "--unix-socket", "socket", "--pid-file", "pid", waits=False) as server:
            while not (tmp_path / "pid").exists() and server.process.poll() is None:
                time.sleep(0.0002)
            server.tell(number)
            if number == signal.SIGHUP:
                server.wait_for(" * Serving ")
                server.tell(signal.SIGTERM)
            assert server.ended() == 0, server.log()
            assert not (tmp_path / "socket").exists()
            assert not (tmp_path / "pid").exists()


def test_debug_mode_is_there_when_told_with_a_warning_and_without_debugger(tmp_path: Path) -> None:
    write(tmp_path, APPLICATION.replace("return VERSION", "1 / 0  # on purpose"))
    with Serving(tmp_path, before=["--debug"]) as server:
        assert " * WARNING: debug mode is on." in server.log()
        assert '"debug": true' in server.get("/seen").text
        answer = server.get("/")
        assert answer.status == 500
        assert "ZeroDivisionError" not in answer.text


# Unix sockets


class _OverUnix:
    def __init__(self, path: Path) -> None:
        self.path = path

    def get(self, path: str, *headers: str) -> str:
        with socket.socket(socket.AF_UNIX) as made:
            made.settimeout(LIMIT)
            made.connect(str(self.path))
            lines = [f"GET {path} HTTP/1.1", "Host: a", "Connection: close", *headers, "", ""]
            made.sendall("\r\n".join(lines).encode())
            return b"".join(iter(lambda: made.recv(65536), b"")).decode()


@pytest.mark.parametrize("interface", ["wsgi", "asgi"])
def test_a_unix_socket_has_its_permissions_and_goes_with_the_server(tmp_path: Path, interface: str) -> None:
    write(tmp_path)
    path = tmp_path / "app.sock"
    # Of a server that has ended without removing it.
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    arguments = ["--unix-socket", "app.sock", "--unix-mode", "606", "--interface", interface]
    with Serving(tmp_path, *arguments, "--trusted-proxy", "unix", "--access-log") as server:
        assert " on unix:app.sock, 1 worker" in server.log()
        assert stat.S_IMODE(path.stat().st_mode) == 0o606
        client = _OverUnix(path)
        assert client.get("/").endswith("one")
        assert '"client":"203.0.113.5"' in client.get("/seen", "X-Forwarded-For: 203.0.113.5")
        write(tmp_path, APPLICATION.replace('"one"', '"two"'))
        server.reload()
        assert client.get("/").endswith("two")
        assert server.stop() == 0
    assert not path.exists()
    assert "203.0.113.5 - [" in server.log()


# TLS and HTTP/2


def _over_http2(port: int, context: ssl.SSLContext | None) -> dict[bytes, bytes]:
    """Return the headers, and below ``b""`` the body, of one answer over HTTP/2."""
    found: dict[bytes, bytes] = {b"": b""}
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
    with contextlib.ExitStack() as stack:
        made = stack.enter_context(socket.create_connection(("127.0.0.1", port), LIMIT))
        if context is not None:
            made = stack.enter_context(context.wrap_socket(made, server_hostname="localhost"))
            assert made.selected_alpn_protocol() == "h2"
        connection.initiate_connection()
        names = {":method": "GET", ":path": "/seen", ":scheme": "https", ":authority": "shop.example"}
        connection.send_headers(1, list(names.items()), end_stream=True)
        made.sendall(connection.data_to_send())
        while data := made.recv(65536):
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    found |= dict(event.headers)
                elif isinstance(event, h2.events.DataReceived):
                    found[b""] += event.data or b""
                elif isinstance(event, h2.events.StreamEnded):
                    return found
            made.sendall(connection.data_to_send())
    raise AssertionError(found)


def test_https_is_served_with_an_encrypted_key_over_both_versions(tmp_path: Path) -> None:
    write(tmp_path)
    certificate(tmp_path, b"hush")
    variables = {"ERLEN_SERVE_KEY_PASSWORD": "hush"}
    with Serving(tmp_path, "--cert", "cert.pem", "--key", "key.pem", variables=variables) as server:
        assert f" on https://127.0.0.1:{server.port}, " in server.log()
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        context.set_alpn_protocols(["h2", "http/1.1"])
        answer = _over_http2(server.port, context)
        assert answer[b":status"] == b"200"
        assert b'"url":"https://shop.example/seen"' in answer[b""]
        assert b'"protocol":"HTTP/2"' in answer[b""]
        # The application, and a page that shows the environment, do not know the password.
        assert b'"secret":null' in answer[b""]
        # A new certificate is taken with a reload; one that cannot be used is refused.
        certificate(tmp_path, b"hush")
        server.reload()
        renewed = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        with (
            socket.create_connection(("127.0.0.1", server.port), LIMIT) as plain,
            contextlib.closing(renewed.wrap_socket(plain, server_hostname="localhost")) as made,
        ):
            made.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert made.recv(65536).startswith(b"HTTP/1.1 200")
        (tmp_path / "cert.pem").write_text("nonsense")
        server.tell(signal.SIGHUP)
        server.wait_for("Not reloaded")
        assert "Error: The certificate 'cert.pem' with the key 'key.pem' cannot be used" in server.log()
    assert "hush" not in server.log()


def test_clients_without_a_certificate_are_sent_away_where_one_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path)
    certificate(tmp_path)
    certificate(tmp_path, name="client-")
    arguments = ["--cert", "cert.pem", "--key", "key.pem", "--client-ca", "client-cert.pem"]
    with Serving(tmp_path, *arguments) as server:
        for has_one in (False, True):
            context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
            if has_one:
                context.load_cert_chain(str(tmp_path / "client-cert.pem"), str(tmp_path / "client-key.pem"))
            answer = b""
            with (
                socket.create_connection(("127.0.0.1", server.port), LIMIT) as plain,
                contextlib.suppress(ssl.SSLError, ConnectionError),
            ):
                with context.wrap_socket(plain, server_hostname="localhost") as made:
                    made.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    answer = made.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200") is has_one


def test_http_2_without_tls_is_for_clients_that_know_it(tmp_path: Path) -> None:
    write(tmp_path)
    with Serving(tmp_path, "--http", "2") as server:
        assert _over_http2(server.port, None)[b":status"] == b"200"


# Those who have started it


def test_systemd_is_told_of_each_state_and_a_file_has_the_number_of_the_process(tmp_path: Path) -> None:
    write(tmp_path)
    # Of a process that has ended: there is no such number.
    (tmp_path / "pid").write_text("4194305\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(tmp_path / "notify"))
        heard.settimeout(LIMIT)
        with Serving(
            tmp_path, "--pid-file", "pid", variables={"NOTIFY_SOCKET": str(tmp_path / "notify")}
        ) as server:
            assert heard.recv(100) == b"READY=1"
            number = int((tmp_path / "pid").read_text())
            assert number == server.process.pid
            os.kill(number, signal.SIGHUP)
            assert heard.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert heard.recv(100) == b"READY=1"
            server.stop()
            assert heard.recv(100) == b"STOPPING=1"
    assert not (tmp_path / "pid").exists()


# On a terminal


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals")
def test_a_terminal_that_is_closed_ends_the_server(tmp_path: Path) -> None:
    import pty

    write(tmp_path)
    port = free_port()
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "erlen", "serve", "--port", str(port), "--pid-file", "pid"],
        stdin=follower,
        stdout=follower,
        stderr=follower,
        cwd=tmp_path,
        env=environment(),
        start_new_session=True,
    )
    os.close(follower)
    assert eventually(lambda: (tmp_path / "pid").exists() and _answers(port))
    os.close(leader)
    process.send_signal(signal.SIGHUP)
    assert process.wait(LIMIT) == 0


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as made:
        made.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return made.recv(100).startswith(b"HTTP/1.1 200")
    time.sleep(0.05)
    return False
