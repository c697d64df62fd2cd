from __future__ import annotations

import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path
from urllib.request import urlopen

import click
import pytest
from click.testing import CliRunner

import erlen
from chapter_10 import Sapling, current_app, g, request, session
from chapter_10.cli import locate_app, main
from framework_support import CHAPTERS, chapter, new_app
from solutions.chapter_10 import KeepingClient

FRAMEWORKS = [*(chapter(number) for number in CHAPTERS if number >= 10), erlen]


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda one: one.__name__)
def test_the_session_can_be_read_and_written_between_requests(framework: t.Any) -> None:
    app = new_app(framework)
    app.config["SECRET_KEY"] = "key of the tests"
    app.add_url_rule("/", "index", lambda: {"user": framework.session.pop("user", None)})
    client = app.test_client()
    with client.session_transaction() as opened:
        opened["user"] = "ada"
    assert client.get("/").json == {"user": "ada"}
    with client.session_transaction() as opened:
        assert dict(opened) == {}


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda one: one.__name__)
def test_a_command_of_the_application_has_its_context(framework: t.Any) -> None:
    app = new_app(framework)

    @app.cli.command("name")
    @click.option("--times", default=1)
    def name(times: int) -> None:
        click.echo(f"{framework.current_app.config['TITLE']} " * times)

    app.config["TITLE"] = "Wharf"
    result = app.test_cli_runner().invoke(args=["name", "--times", "2"])
    assert (result.exit_code, result.output) == (0, "Wharf Wharf \n")


@pytest.fixture
def app() -> Sapling:
    app = Sapling("framework_example")
    app.route("/shop/<int:number>", endpoint="shop")(lambda number: "shop")
    app.route("/", methods=["POST"], endpoint="index")(lambda: "index")
    return app


def test_routes_are_listed_in_the_order_in_which_they_are_tried(app: Sapling) -> None:
    lines = app.test_cli_runner().invoke(args=["routes"]).output.splitlines()
    assert [line.split() for line in lines] == [
        ["index", "OPTIONS,", "POST", "/"],
        ["shop", "GET,", "HEAD,", "OPTIONS", "/shop/<int:number>"],
    ]


def test_the_help_lists_commands_of_both(app: Sapling) -> None:
    app.cli.command("seed")(lambda: None)
    output = app.test_cli_runner().invoke(args=["--help"]).output
    assert all(name in output for name in ("routes", "run", "seed"))


WHARF = """
from chapter_10 import Sapling

made = app = Sapling(__name__)
made.route("/found", endpoint="found")(lambda: "")

def create():
    return made
"""


@pytest.mark.parametrize("place", ["wharf:made", "wharf:create", "wharf"])
def test_an_application_is_found_by_its_place(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wharf.py").write_text(WHARF)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert locate_app(place).url_for("found") == "/found"
    del sys.modules["wharf"]


def test_the_program_is_a_module(tmp_path: Path) -> None:
    (tmp_path / "wharf.py").write_text(WHARF)
    folder = str(Path(__file__).parents[1])
    command = [sys.executable, "-m", "chapter_10", "--app", "wharf", "routes"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": folder}, capture_output=True, text=True, check=False
    )
    assert done.stdout.split()[-1] == "/found", done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seed"], "Name one: --app module:name"),
        (["--app", "json:app", "seed"], "Name what it has: --app json:NAME"),
    ],
)
def test_messages_say_what_to_do(arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAPLING_APP", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, message in result.output) == (2, True)


def test_nothing_is_active_after_a_transaction(app: Sapling) -> None:
    app.config["SECRET_KEY"] = "key of the tests"
    with app.test_client().session_transaction():
        assert current_app.config["SECRET_KEY"]
    with pytest.raises(RuntimeError):
        session["a"]


def test_a_client_keeps_its_last_request_within_its_block() -> None:
    app, ends = Sapling("framework_example"), list[str]()
    app.config.update(SECRET_KEY="key of the tests", TESTING=True)

    @app.route("/<name>")
    def index(name: str) -> str:
        session["user"] = g.user = name
        return f"{1 / len(name.removeprefix('broken'))}"

    @app.teardown_appcontext
    def end(failure: BaseException | None) -> None:
        ends.append(g.user)

    client = KeepingClient(app)
    with client:
        client.get("/ada")
        assert (request.path, session["user"], g.user, ends) == ("/ada", "ada", "ada", [])
        client.get("/bob")
        assert (session["user"], ends) == ("bob", ["ada"])
        with pytest.raises(ZeroDivisionError):
            client.get("/broken")
        assert (g.user, ends) == ("broken", ["ada", "bob"])
    assert ends == ["ada", "bob", "broken"]
    client.get("/eve")
    assert ends[3:] == ["eve"]
    with pytest.raises(RuntimeError):
        _ = request.path


SERVED = """
import sys
if sys.argv[1] == "Werkzeug":
    sys.modules["uvicorn"] = None  # As where it is not installed.
from chapter_11 import Sapling
from chapter_11.cli import ScriptInfo
from solutions.chapter_10 import run

app = Sapling(__name__)
app.route("/", endpoint="index")(lambda: "served")
run(["--port", sys.argv[2]], obj=ScriptInfo(app=app))
"""


def answer_of(url: str) -> tuple[bytes, str]:
    """Return what a server answers that may be about to start."""
    for _ in range(200):
        try:
            with urlopen(url) as response:
                return response.read(), response.headers["Server"].partition("/")[0]
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


@pytest.mark.parametrize("server", ["uvicorn", "Werkzeug"])
def test_an_application_is_served_over_asgi_where_that_is_installed(server: str) -> None:
    if server == "uvicorn":
        pytest.importorskip("uvicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", SERVED, server, str(port)]
    with subprocess.Popen(command, env={"PYTHONPATH": folder}, stderr=subprocess.DEVNULL) as process:
        try:
            assert answer_of(f"http://127.0.0.1:{port}/") == (b"served", server)
        finally:
            process.terminate()
