"""What serves: Werkzeug's server or uvicorn, with and without TLS, and what is told of it."""

from __future__ import annotations

import http.client
import shutil
import socket
import ssl
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from werkzeug.serving import make_ssl_devcert

from dev_server import APP, CHAT, LIMIT, DevServer, ended_run, erlen_run

SERVERS = pytest.mark.parametrize("code", [APP, CHAT], ids=["WSGI", "ASGI"])

WHICH = """
@app.get("/which")
def which():
    from erlen import request
    return request.environ["SERVER_SOFTWARE"] if "SERVER_SOFTWARE" in request.environ else "ASGI"
"""


def told(server: DevServer) -> list[str]:
    """Return what the server says of itself."""
    server.wait_for_log("Press CTRL")
    return [line for line in server.log().splitlines() if line.startswith(" * ") or "CTRL" in line]


def test_the_banner_of_a_plain_application(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    with erlen_run(tmp_path, app="shop") as server:
        assert told(server) == [
            " * Serving Erlen app 'shop'",
            " * Debug mode: off",
            f" * Running on http://127.0.0.1:{server.port}",
            "Press CTRL+C to stop",
        ]
        assert "WARNING: This is a development server." in server.log()


def test_an_application_with_a_websocket_is_served_over_asgi(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(CHAT)
    with erlen_run(tmp_path) as server:
        assert " * Protocol: ASGI, because of the WebSocket '/chat'" in told(server)
        with connect(f"ws://127.0.0.1:{server.port}/chat", proxy=None) as websocket:
            websocket.send("hello")
            assert websocket.recv(LIMIT) == "re: hello"
        server.wait_for_log(r'^127\.0\.0\.1 - - \[.+\] "GET /chat HTTP/1\.1" 101 -$')
        assert server.get("/?q=1") == (200, "first")
        server.wait_for_log(r'^127\.0\.0\.1 - - \[.+\] "GET /\?q=1 HTTP/1\.1" 200 -$')


def hide_uvicorn(folder: Path) -> None:
    """Make it as if it was not installed, for a process that has the folder on its path: nothing of that name is found."""
    hide = "import sys\nfrom importlib.machinery import PathFinder\nfind = PathFinder.find_spec\n"
    hide += "PathFinder.find_spec = lambda name, *a: None if name == 'uvicorn' else find(name, *a)\n"
    (folder / "sitecustomize.py").write_text(hide)


def test_asgi_that_was_asked_for_and_cannot_be_had_ends_the_command(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(CHAT)
    hide_uvicorn(tmp_path)
    code, log = ended_run(tmp_path, "--interface", "asgi", PYTHONPATH=str(tmp_path))
    assert code == 2
    assert "'--interface asgi' needs uvicorn, which is not installed: pip install 'erlen[dev]'" in log


def test_without_uvicorn_it_is_said_what_does_not_work(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(CHAT)
    hide_uvicorn(tmp_path)
    with erlen_run(tmp_path, PYTHONPATH=str(tmp_path)) as server:
        [line] = [line for line in told(server) if "Protocol" in line]
        assert "WSGI. ASGI, because of the WebSocket '/chat', needs uvicorn: pip install 'erlen[dev]'" in line
        assert server.get() == (200, "first")
        with pytest.raises(InvalidStatus, match="426"):
            connect(f"ws://127.0.0.1:{server.port}/chat", proxy=None)


@pytest.mark.parametrize(("interface", "software"), [("wsgi", "Werkzeug/"), ("asgi", "ASGI")])
def test_the_protocol_can_be_chosen(tmp_path: Path, interface: str, software: str) -> None:
    (tmp_path / "app.py").write_text((CHAT if interface == "wsgi" else APP) + WHICH)
    with erlen_run(tmp_path, "--interface", interface) as server:
        assert software in server.get("/which")[1]


def test_plain_applications_have_the_socket_of_werkzeugs_server(tmp_path: Path) -> None:
    """Flask-Sock and others speak WebSockets over it."""
    view = '\n@app.get("/socket")\ndef socket():\n    from erlen import request\n    return type(request.environ["werkzeug.socket"]).__name__\n'
    (tmp_path / "app.py").write_text(APP + view)
    with erlen_run(tmp_path) as server:
        assert server.get("/socket") == (200, "socket")


def test_app_run_serves_websockets_too(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(CHAT + "\napp.run(port=0)\nprint('after', flush=True)\n")
    with DevServer(tmp_path, "shop.py") as server:
        with connect(f"ws://127.0.0.1:{server.port}/chat", proxy=None) as websocket:
            websocket.send("hello")
            assert websocket.recv(LIMIT) == "re: hello"
        assert server.interrupt() == 0
        # The script goes on, as after Flask's.
        assert server.log().splitlines()[-2:] == ["ends", "after"]


def test_as_flask_the_program_is_flask_run(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        APP.replace("from erlen import Erlen", "from flask import Flask as Erlen")
    )
    arguments = ("-m", "erlen.as_flask", "-m", "flask", "run", "--debug", "--no-debugger")
    with DevServer(tmp_path, *arguments, FLASK_RUN_PORT="0") as server:
        server.wait_for_answer(200, "first")
        server.write("app.py", APP.replace("first", "second"))
        server.wait_for_answer(200, "second")
        assert server.press_control_c() == 0, server.log()


def test_what_a_view_raises_is_shown_from_the_users_code_on(tmp_path: Path) -> None:
    fail = '\napp.config["PROPAGATE_EXCEPTIONS"] = True\n@app.get("/fail")\nasync def fail():\n    1 / 0\n'
    (tmp_path / "app.py").write_text(CHAT + fail)
    with erlen_run(tmp_path) as server:
        assert server.get("/fail")[0] == 500
        server.wait_for_log("ZeroDivisionError")
        assert server.log().count("Traceback") == 1


def test_names_in_a_path_do_not_move_the_cursor(tmp_path: Path) -> None:
    for code in (APP, CHAT):
        folder = tmp_path / str(len(code))
        folder.mkdir()
        (folder / "app.py").write_text(code)
        with erlen_run(folder) as server:
            server.get("/%1b[2Jcleared")
            server.wait_for_log('"GET /.*cleared HTTP/1.1" 40[04]')
            assert "\x1b" not in server.log()


# TLS


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return make_ssl_devcert(str(tmp_path_factory.mktemp("tls") / "own"), cn="localhost")


def ask(server: DevServer) -> tuple[int, str]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=LIMIT, context=context)
    return server.get(connection=connection)


@SERVERS
def test_a_certificate_and_its_key(tmp_path: Path, pair: tuple[str, str], code: str) -> None:
    (tmp_path / "app.py").write_text(code)
    with erlen_run(tmp_path, "--cert", pair[0], "--key", pair[1]) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as silent:
            # A client that does not begin keeps nobody waiting.
            assert ask(server) == (200, "first")
            silent.close()
        assert "https://127.0.0.1:" in server.log()


def test_a_certificate_made_for_the_moment_outlives_a_reload(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)

    def certificate() -> str:
        return ssl.get_server_certificate(("127.0.0.1", server.port))

    with erlen_run(tmp_path, "--cert", "adhoc", "--reload") as server:
        assert ask(server) == (200, "first")
        before = certificate()
        server.write("app.py", APP.replace("first", "second"))
        server.wait_for_log("^begins$", 2)
        assert ask(server) == (200, "second")
        assert certificate() == before


@SERVERS
def test_an_ssl_context_by_its_name(tmp_path: Path, pair: tuple[str, str], code: str) -> None:
    (tmp_path / "app.py").write_text(code)
    context = (
        f"import ssl\ncontext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\ncontext.load_cert_chain(*{pair!r})\n"
    )
    (tmp_path / "tls.py").write_text(context)
    with erlen_run(tmp_path, "--cert", "tls:context") as server:
        assert ask(server) == (200, "first")


def test_certificates_that_cannot_be_served_with(tmp_path: Path, pair: tuple[str, str]) -> None:
    cert, key = pair
    _, other_key = make_ssl_devcert(str(tmp_path / "other"), cn="localhost")
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "app.py").write_text("print('loaded')\n" + APP)
    locked = tmp_path / "locked.key"
    _lock(Path(key), locked)
    for files, message in [
        ((cert, other_key), "is not the key of the certificate"),
        (("empty.pem", key), "Both are files in PEM format"),
        ((key, cert), "Both are files in PEM format"),
        ((cert, str(locked)), "is protected by a password"),
    ]:
        code, log = ended_run(tmp_path, "--cert", files[0], "--key", files[1])
        assert code == 2, log
        assert message in log
        assert "loaded" not in log.replace("could not be loaded", "")
        assert "Traceback" not in log


def _lock(key: Path, locked: Path) -> None:
    from cryptography.hazmat.primitives import serialization

    made = serialization.load_pem_private_key(key.read_bytes(), None)
    locked.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )


def test_a_key_that_this_user_may_not_read(tmp_path: Path, pair: tuple[str, str]) -> None:
    shutil.copy(pair[1], tmp_path / "closed.key")
    (tmp_path / "closed.key").chmod(0)
    try:
        (tmp_path / "closed.key").read_bytes()
    except PermissionError:
        pass
    else:
        pytest.skip("this user may read every file")
    (tmp_path / "app.py").write_text(APP)
    code, log = ended_run(tmp_path, "--cert", pair[0], "--key", "closed.key")
    assert code == 2
    assert "closed.key' cannot be read: Permission denied" in log or "is not readable" in log


def test_app_run_tells_of_a_certificate_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP + "\napp.run(port=0, ssl_context=('nowhere.pem', 'nowhere.key'))\n")
    with DevServer(tmp_path, "shop.py") as server:
        assert server.process.wait(LIMIT) == 2
        assert "The certificate 'nowhere.pem' cannot be read: No such file or directory" in server.log()


def test_a_request_without_tls_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with erlen_run(tmp_path, "--cert", "adhoc") as server:
        with pytest.raises((OSError, http.client.HTTPException)):
            server.get()
        server.wait_for_log("A request without TLS came; this server is reached by https://")


def test_a_plain_application_loads_nothing_of_what_it_does_not_use(tmp_path: Path) -> None:
    heavy = {
        "uvicorn",
        "watchfiles",
        "anyio",
        "websockets",
        "cryptography",
        "werkzeug.debug",
        "erlen.development.asgi",
    }
    view = f'\n@app.get("/loaded")\ndef loaded():\n    import sys\n    return sorted({heavy!r} & sys.modules.keys())\n'
    (tmp_path / "app.py").write_text(APP + view)
    with erlen_run(tmp_path) as server:
        assert server.get("/loaded") == (200, "[]\n")
