from __future__ import annotations

import subprocess
import sys
import typing as t
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import erlen
from chapter_10 import Sapling, current_app, session
from chapter_10.cli import locate_app, main
from framework_support import CHAPTERS, chapter, new_app

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
