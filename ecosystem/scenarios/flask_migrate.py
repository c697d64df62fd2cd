"""A table that grows a column: `db init`, `migrate`, `upgrade`, `downgrade` and what they refuse, with rows in it."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

from click.testing import CliRunner
from flask import Flask, jsonify, request
from flask.cli import cli
from flask_migrate import Migrate
from flask_migrate import upgrade as upgrade_the_database
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.exc import OperationalError

if t.TYPE_CHECKING:
    from alembic.config import Config

    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Migrate"]

VARIES = ((r"Create Date: [\d-]+ [\d:.]+", "Create Date: <date>"),)


def make_app(folder: Path, grown: bool = False) -> Flask:
    """Make the application: as it was at first, or as it is today, with a model that has grown."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{folder}/notes.db"
    db = SQLAlchemy(app)
    migrate = Migrate(app, db, directory=Path(folder, "migrations"))

    class Note(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        text = db.Column(db.String(80 if grown else 20), nullable=False)
        if grown:
            stars = db.Column(db.Integer, nullable=False, server_default="0", index=True)

    @migrate.configure
    def print_where_click_listens(config: Config) -> Config:
        # Alembic holds on to the standard output that was there when it was imported.
        config.stdout = sys.stdout
        return config

    @app.errorhandler(OperationalError)
    def no_such_thing(error: OperationalError) -> t.Any:
        return jsonify(error=str(error.orig)), 503

    @app.route("/notes", methods=["GET", "POST"])
    def notes() -> t.Any:
        if request.method == "POST":
            db.session.add(Note(**request.json))
            db.session.commit()
            return "", 204
        columns = [column.name for column in Note.__table__.columns]
        return jsonify(
            [
                {name: getattr(note, name) for name in columns}
                for note in db.session.query(Note).order_by(Note.id)
            ]
        )

    @app.post("/upgrade")
    def upgrade_from_a_view() -> t.Any:
        """Bring the database up to date, without a command."""
        try:
            upgrade_the_database(directory=request.args.get("directory"))
        except SystemExit as end:
            # The library's functions end as its commands do.
            return jsonify(error="The database could not be upgraded", code=end.code), 500
        return "", 204

    return app


class Command:
    """The `flask` command, with an application that it makes itself."""

    def __init__(self, visitor: Visitor, factory: str) -> None:
        self.visitor = visitor
        self.factory = factory

    def __call__(self, *args: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["--app", self.factory, *args], prog_name="flask")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.visitor.note(f"$ flask {' '.join(args)}", [result.exit_code, result.output])
        return result.exit_code, result.output


def play(visitor: Visitor) -> None:
    folder = visitor.folder
    migrations = folder / "migrations"
    versions = migrations / "versions"

    # The application as it was at first.
    assert visitor.get("/notes").json == {"error": "no such table: note"}
    assert "Perform database migrations." in visitor.run("--help")
    assert "Error: Path doesn't exist" in visitor.run("db", "current")

    assert "Generating <folder>" in visitor.run("db", "init").replace(str(folder), "<folder>")
    assert sorted(path.name for path in migrations.iterdir() if path.name != "__pycache__") == [
        "README",
        "alembic.ini",
        "env.py",
        "script.py.mako",
        "versions",
    ]
    assert "already exists and is not empty" in visitor.run("db", "init")
    assert "Detected added table 'note'" in visitor.run("db", "migrate", "-m", "notes", "--rev-id", "a1")
    visitor.note("the first migration", (versions / "a1_notes.py").read_text())
    assert "CREATE TABLE note" in visitor.run("db", "upgrade", "--sql")
    assert "Running upgrade  -> a1, notes" in visitor.run("db", "upgrade")
    assert visitor.post("/notes", json={"text": "Buy a kettle"}).status_code == 204
    assert visitor.get("/notes").json == [{"id": 1, "text": "Buy a kettle"}]
    assert "a1 (head)" in visitor.run("db", "current")
    assert "No changes in schema detected." in visitor.run("db", "migrate", "-m", "nothing")

    # The application of today is found, made and asked by `flask` itself.
    flask = Command(visitor, f"{__name__}:make_app({str(folder)!r}, True)")
    today = type(visitor)(make_app(folder, grown=True), visitor.protocol, folder, visitor.transcript)
    assert today.get("/notes").json == {"error": "no such column: note.stars"}
    code, output = flask("db", "check")
    assert code == 1
    assert "New upgrade operations detected" in output
    code, output = flask("db", "migrate", "-m", "Stars and more room", "--rev-id", "b2")
    assert "Detected added column 'note.stars'" in output
    assert "Detected type change from VARCHAR(length=20) to String(length=80)" in output
    visitor.note(
        "the second migration", (versions / "b2_stars_and_more_room.py").read_text().split("# ###", 1)[1]
    )
    assert "a1 -> b2 (head), Stars and more room" in flask("db", "history", "--indicate-current")[1]
    assert "Parent: a1" in flask("db", "show", "b2")[1]
    assert "Can't locate revision identified by 'zz'" in flask("db", "upgrade", "zz")[1]

    assert today.post("/upgrade").status_code == 204
    assert "b2 (head)" in flask("db", "current")[1]
    assert today.post("/notes", json={"text": "Descale the kettle", "stars": 4}).status_code == 204
    assert [note["stars"] for note in today.get("/notes").json] == [0, 4]
    assert today.post("/upgrade?directory=nowhere").json["code"] == 1

    assert "Running downgrade b2 -> a1" in flask("db", "downgrade")[1]
    assert [note["text"] for note in visitor.get("/notes").json] == ["Buy a kettle", "Descale the kettle"]
    assert flask("db", "stamp", "b2")[0] == 0
    assert flask("db", "heads") == (0, "b2 (head)\n")
    assert "a1 -> b2 (head)" in flask("db", "--directory", str(migrations), "history")[1]
