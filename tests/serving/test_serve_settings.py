"""Settings: where they come from, which comes first, and what is wrong with them."""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import re
import socket
import typing as t
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from erlen.cli import cli
from erlen.commands.serve import settings as settings_module
from erlen.commands.serve.command import serve_command
from erlen.commands.serve.pid_file import PidFile
from erlen.commands.serve.settings import KEYS, Settings

from .running import free_port


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith(("ERLEN_", "FLASK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parsed(*arguments: str, **variables: str) -> Settings:
    """Return the settings that the command would serve with."""
    found: list[Settings] = []

    @click.command(cls=type(serve_command), params=serve_command.params)
    @click.pass_context
    def show(ctx: click.Context, /, **options: t.Any) -> None:
        from erlen.commands.serve.command import _settings

        found.append(_settings(ctx, options))

    result = CliRunner().invoke(show, arguments, env=variables, auto_envvar_prefix="ERLEN_SERVE")
    assert result.exit_code == 0, result.output
    return found[0]


def refused(*arguments: str, code: int = 2, **variables: str) -> str:
    """Return what is said of settings that are wrong, on one line."""
    result = CliRunner().invoke(cli, ["serve", *arguments], env=variables)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return re.sub(r"\s+", " ", result.output)


# Where they come from


def test_without_anything_the_defaults_count(folder: Path) -> None:
    assert parsed() == Settings()


def test_an_option_comes_before_a_variable_and_that_before_the_file_and_that_before_the_default(
    folder: Path,
) -> None:
    (folder / "pyproject.toml").write_text(
        "[tool.erlen.serve]\nport = 1001\nthreads = 1002\nbacklog = 1003\nhost = 'localhost'\n"
    )
    variables = {"ERLEN_SERVE_PORT": "2001", "ERLEN_SERVE_THREADS": "2002"}
    found = parsed("--port", "3001", **variables)
    assert (found.port, found.threads, found.backlog, found.timeout) == (3001, 2002, 1003, 30)


def test_a_file_that_was_named_is_read_in_place_of_the_project_s(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.erlen.serve]\nport = 1001\nthreads = 4\n")
    (folder / "server.toml").write_text("port = 1002\n")
    assert (parsed("--config", "server.toml").port, parsed("--config", "server.toml").threads) == (1002, None)
    assert parsed(ERLEN_SERVE_CONFIG="server.toml").port == 1002


def test_a_named_file_may_have_other_tables_beside_that_of_the_server(folder: Path) -> None:
    (folder / "deploy.toml").write_text("[database]\nport = 5432\n[serve]\nport = 1002\n")
    assert parsed("--config", "deploy.toml").port == 1002


def test_every_key_of_the_file_arrives(folder: Path) -> None:
    (folder / "public").mkdir()
    certificate(folder)
    (folder / "deploy").mkdir()
    (folder / "deploy" / "server.toml").write_text(
        """
        unix_socket = "app.sock"
        unix_mode = "660"
        interface = "asgi"
        workers = 3
        threads = 5
        http = 1
        websockets = false
        cert = "../cert.pem"
        key = "../key.pem"
        client_ca = "../cert.pem"
        trusted_proxy = ["10.0.0.0/8", "unix"]
        access_log = true
        access_log_format = "%(status)s"
        log_level = "warning"
        backlog = 7
        max_connections = 8
        max_requests = 9
        worker_lifetime = 10
        timeout = 11
        pid_file = "app.pid"
        [static]
        "/files/" = "../public"
        """
    )
    found = parsed("--config", "deploy/server.toml")
    assert found == Settings(
        unix_socket="deploy/app.sock",
        unix_mode=0o660,
        interface="asgi",
        workers=3,
        threads=5,
        http="1",
        websockets=False,
        cert="deploy/../cert.pem",
        key="deploy/../key.pem",
        client_ca="deploy/../cert.pem",
        static=[("/files", str(folder / "public"))],
        trusted_proxy=["10.0.0.0/8", "unix"],
        access_log=True,
        access_log_format="%(status)s",
        log_level="warning",
        backlog=7,
        max_connections=8,
        max_requests=9,
        worker_lifetime=10,
        timeout=11,
        pid_file="deploy/app.pid",
    )
    # And workers are handed them.
    assert Settings(**json.loads(json.dumps(found.__dict__))).timeout == 11


def test_variables_may_hold_several_values_and_switches(folder: Path) -> None:
    found = parsed(
        ERLEN_SERVE_TRUSTED_PROXY="10.0.0.1, 10.0.0.2 ::1",
        ERLEN_SERVE_ACCESS_LOG="1",
        ERLEN_SERVE_WEBSOCKETS="0",
    )
    assert found.trusted_proxy == ["10.0.0.1", "10.0.0.2", "::1"]
    assert found.access_log
    assert not found.websockets


def test_auto_is_one_worker_for_each_processor_that_may_be_used(folder: Path) -> None:
    assert parsed("--workers", "auto").workers == settings_module.cpu_count() >= 1


def test_each_option_has_its_key_and_its_field() -> None:
    options = {parameter.name for parameter in serve_command.params}
    assert options - {"config"} == set(KEYS) - {"key_password"}
    assert set(KEYS) == set(Settings.__dataclass_fields__)
    assert "--key-password" not in {name for one in serve_command.params for name in one.opts}


def test_the_password_of_the_key_is_not_shown() -> None:
    assert "hush" not in repr(Settings(key_password="hush"))


# What is wrong in a file


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "worker = 4",
            "'pyproject.toml' has 'worker' in [tool.erlen.serve], which is no setting. Did you mean 'workers'?",
        ),
        (
            "unix-socket = 'x'",
            "has 'unix-socket' in [tool.erlen.serve], which is no setting. Did you mean 'unix_socket'?",
        ),
        ("xyz = 4", "which is no setting. There are: access_log, access_log_format, backlog, cert,"),
        (
            "port = '8000'",
            "'port' in [tool.erlen.serve] of 'pyproject.toml' is '8000', and has to be a whole number.",
        ),
        (
            "port = true",
            "'port' in [tool.erlen.serve] of 'pyproject.toml' is True, and has to be a whole number.",
        ),
        ("access_log = 1", "is 1, and has to be true or false."),
        ("trusted_proxy = [1]", "is [1], and has to be a text or a list of texts."),
        ("static = '/a=b'", "is '/a=b', and has to be a list such as"),
        (
            "workers = 0",
            "'0' is neither a number from 1 on, nor 'auto'. It stands in 'pyproject.toml' as 'workers'.",
        ),
        ("port = 99999", "It stands in 'pyproject.toml' as 'port'."),
        ("port = ", "'pyproject.toml' is not valid TOML: "),
    ],
)
def test_a_mistake_in_the_file_names_the_key_and_the_file(folder: Path, content: str, message: str) -> None:
    (folder / "pyproject.toml").write_text(f"[tool.erlen.serve]\n{content}\n")
    assert message in refused()


def test_a_table_that_is_none_is_refused(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.erlen]\nserve = 3\n")
    assert "'tool.erlen.serve' in 'pyproject.toml' is no table: write '[tool.erlen.serve]'" in refused()


def test_a_file_that_is_not_there_is_refused(folder: Path) -> None:
    assert "There is no file 'nowhere.toml', which '--config' names." in refused("--config", "nowhere.toml")
    assert "Could not read '.': " in refused("--config", ".")


def test_a_mistake_in_a_variable_names_it(folder: Path) -> None:
    assert "It comes from the variable ERLEN_SERVE_WORKERS." in refused(ERLEN_SERVE_WORKERS="none")


# What contradicts each other


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "0"], "'0' is neither a number from 1 on, nor 'auto'."),
        (["--workers", "-1"], "'-1' is neither a number from 1 on, nor 'auto'."),
        (["--workers", "²"], "'²' is neither a number from 1 on, nor 'auto'."),
        (["--unix-socket", "a", "--port", "1"], "'--unix-socket' and '--port' were both given"),
        (
            ["--unix-socket", "a", "--port", "1", "--host", "::1"],
            "'--unix-socket' and '--host' and '--port' were both",
        ),
        (
            ["--unix-mode", "660"],
            "'--unix-mode' sets the permissions of a Unix socket: add '--unix-socket PATH'.",
        ),
        (
            ["--unix-socket", "a", "--unix-mode", "999"],
            "'999' is no mode of a file, which is three digits such as 660.",
        ),
        (["--interface", "wsgi", "--websockets"], "WSGI has no WebSockets"),
        (["--http", "2", "--websockets"], "Granian speaks WebSockets over HTTP/1 only."),
        (["--static", "static"], "'static' is not 'PREFIX=FOLDER', such as '/static=static'."),
        (["--static", "static=."], "'static=.' has to begin with a path below the root"),
        (["--static", "/=."], "'/=.' has to begin with a path below the root"),
        (["--static", "/a=.", "--static", "/a/=.."], "'/a' is there twice"),
        (["--static", "/a=nowhere"], "there is no folder"),
        (["--trusted-proxy", "*"], "'*' would believe the headers of everybody"),
        (["--trusted-proxy", "10.0.0.1/8"], "The network is '10.0.0.0/8'."),
        (["--trusted-proxy", "proxy.example"], "Names of machines are not looked up."),
        (
            ["--access-log-format", "%(stats)s"],
            "'%(stats)s' is nothing that a line can have. There are %(client)s,",
        ),
        (["--access-log-format", "%s"], "'%s' is nothing that a line can have."),
        (["--access-log-format", "100%"], "'%' is nothing that a line can have."),
        (["--host", " "], "it is empty."),
        (["--unix-socket", ""], "'--unix-socket' is empty."),
        (["--backlog", "9999999999"], "is not in the range"),
        (["--max-connections", "9999999999"], "is not in the range"),
    ],
)
def test_settings_that_cannot_be_are_refused(folder: Path, arguments: list[str], message: str) -> None:
    assert message in refused(*arguments)


def certificate(folder: Path, password: bytes | None = None, name: str = "") -> None:
    """Write a certificate for this machine, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / f"{name}key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption(),
        )
    )


def test_a_certificate_that_cannot_be_used_is_refused(folder: Path) -> None:
    certificate(folder)
    certificate(folder, b"hush", "secret-")
    (folder / "text.pem").write_text("no certificate")
    assert "A certificate needs its key: add '--key FILE'." in refused("--cert", "cert.pem")
    assert "needs a certificate: add '--cert FILE --key FILE'." in refused("--key", "key.pem")
    assert "'--cert nowhere.pem' cannot be read: No such file" in refused(
        "--cert", "nowhere.pem", "--key", "key.pem"
    )
    both = ["--cert", "cert.pem", "--key"]
    assert "the key has to belong to the certificate" in refused("--cert", "text.pem", "--key", "key.pem")
    assert "the key has to belong to the certificate" in refused(*both, "text.pem")
    assert "is encrypted: put its password into the variable" in refused(*both, "secret-key.pem")
    encrypted = ["--cert", "secret-cert.pem", "--key", "secret-key.pem"]
    assert "a password has to be the right one" in refused(*encrypted, ERLEN_SERVE_KEY_PASSWORD="wrong")
    assert "which is not encrypted. Leave it out." in refused(
        *both, "key.pem", ERLEN_SERVE_KEY_PASSWORD="hush"
    )
    assert "'--client-ca nowhere' cannot be read" in refused(*both, "key.pem", "--client-ca", "nowhere")
    assert parsed(*encrypted, ERLEN_SERVE_KEY_PASSWORD="hush").key_password == "hush"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read and listen everywhere"
)
def test_what_only_root_may_is_refused_with_advice(folder: Path) -> None:
    certificate(folder)
    (folder / "key.pem").chmod(0)
    assert "'--key key.pem' cannot be read: Permission denied" in refused(
        "--cert", "cert.pem", "--key", "key.pem"
    )
    assert "ports below 1024 are for root" in refused("--port", "1", code=1)


# Where it listens


def test_a_port_that_is_in_use_is_refused_with_another_one(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        message = refused("--port", str(port), code=1)
    assert f"Port {port} of 127.0.0.1 is in use by another program." in message
    assert f"'--port {port + 1}'" in message


def test_an_address_that_is_not_of_this_machine_is_refused(folder: Path) -> None:
    assert "'--host 192.0.2.1' is no address of this machine." in refused("--host", "192.0.2.1", code=1)
    assert "'--host no-such-name.invalid' is no address" in refused("--host", "no-such-name.invalid", code=1)


def test_the_path_of_a_socket_is_left_alone_when_something_else_is_there(folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    assert "'notes.txt' exists and is no socket. It was left alone" in refused(
        "--unix-socket", "notes.txt", code=1
    )
    assert (folder / "notes.txt").read_text() == "mine"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind("used.sock")
        other.listen()
        assert "Another program listens at the Unix socket 'used.sock'." in refused(
            "--unix-socket", "used.sock", code=1
        )
        assert (folder / "used.sock").exists()
    assert "The folder has to exist" in refused("--unix-socket", "no/folder.sock", code=1)
    assert "the path is too long for a socket" in refused("--unix-socket", "x" * 200, code=1)


def test_a_process_file_of_a_server_that_runs_is_left_alone(folder: Path) -> None:
    port = str(free_port())
    (folder / "pid").write_text(str(os.getppid()))
    assert f"'--pid-file pid' names process {os.getppid()}, which runs." in refused(
        "--pid-file", "pid", "--port", port, code=1
    )
    assert "Could not write '--pid-file no/folder'" in refused(
        "--pid-file", "no/folder", "--port", port, code=1
    )


@pytest.mark.parametrize("content", ["import this\n", "\ufeff12", "\u0661", "1" * 200])
def test_a_process_file_that_is_something_else_is_left_alone(folder: Path, content: str) -> None:
    (folder / "notes.txt").write_text(content, "utf-8")
    assert "'--pid-file notes.txt' exists, and holds something else" in refused(
        "--pid-file", "notes.txt", "--port", "0", code=1
    )
    assert (folder / "notes.txt").read_text("utf-8") == content


@pytest.mark.parametrize("content", ["", "\n", "99999999999\n"])
def test_a_process_file_of_a_process_that_cannot_be_is_replaced(folder: Path, content: str) -> None:
    (folder / "pid").write_text(content)
    process_file = PidFile("pid")
    process_file.write()
    assert (folder / "pid").read_text() == f"{os.getpid()}\n"
    process_file.remove()
    assert not (folder / "pid").exists()
