"""Sessions kept on the server, in a database and in files: two browsers, a new id at sign-in, expiry, cleaning up."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta
from pathlib import Path

from cachelib import FileSystemCache
from flask import Flask, current_app, flash, get_flashed_messages, jsonify, session
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Session", "cachelib", "Flask-SQLAlchemy"]

# The random id, in the cookie.
VARIES = [(r"(?<=session=)[\w-]{43}", "<id>")]


def make_shop(**config: t.Any) -> Flask:
    app = Flask(__name__)
    app.config.update(PERMANENT_SESSION_LIFETIME=timedelta(hours=1), **config)

    @app.get("/")
    def home() -> str:
        return "nobody asked who you are"

    @app.get("/basket")
    def basket() -> t.Any:
        return jsonify(
            basket=session.get("basket", []), user=session.get("user"), said=get_flashed_messages()
        )

    @app.post("/basket/<thing>")
    def put(thing: str) -> t.Any:
        session.setdefault("basket", []).append(thing)
        # What lies within is not watched.
        session.modified = True
        flash(f"{thing} is in the basket")
        return "", 204

    @app.post("/login/<name>")
    def login(name: str) -> t.Any:
        session["user"] = name
        session["since"] = datetime(2024, 2, 29, 12, 30)
        # Who knew the id before must not be signed in with it now.
        current_app.session_interface.regenerate(session)
        return jsonify(permanent=session.permanent, kind=session.__class__.__name__)

    @app.get("/since")
    def since() -> t.Any:
        return jsonify(str(session["since"]) if "since" in session else None)

    @app.post("/short")
    def short() -> t.Any:
        session.permanent = False
        return "", 204

    @app.post("/logout")
    def logout() -> t.Any:
        session.clear()
        return "", 204

    return app


def make_app(folder: Path) -> Flask:
    db = SQLAlchemy()
    app = make_shop(
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/shop.db",
        SESSION_TYPE="sqlalchemy",
        SESSION_SQLALCHEMY=db,
    )
    db.init_app(app)
    Session(app)

    @app.cli.command("rows")
    def rows() -> None:
        """Show what the database has: how long each session is valid, and its size."""
        for data, expiry in db.session.execute(text("SELECT data, expiry FROM sessions ORDER BY id")):
            left = (datetime.fromisoformat(expiry) - datetime.utcnow()).total_seconds()
            print(f"{len(data)} bytes, valid for {round(left / 60)} minutes")

    @app.cli.command("age")
    def age() -> None:
        """Let two hours go by."""
        for identity, expiry in db.session.execute(text("SELECT id, expiry FROM sessions")).all():
            earlier = datetime.fromisoformat(expiry) - timedelta(hours=2)
            db.session.execute(
                text("UPDATE sessions SET expiry = :expiry WHERE id = :id"),
                {"id": identity, "expiry": earlier.isoformat(" ")},
            )
        db.session.commit()

    return app


def make_small_app(folder: Path) -> Flask:
    app = make_shop(
        SESSION_TYPE="cachelib", SESSION_CACHELIB=FileSystemCache(str(folder / "sessions"), mode=0o600)
    )
    app.config.update(SESSION_PERMANENT=False, SESSION_COOKIE_SAMESITE="Strict", SESSION_KEY_PREFIX="shop:")
    Session(app)
    return app


def cookie_of(visitor: Visitor) -> str | None:
    cookie = visitor.client.get_cookie("session")
    return cookie and cookie.value


def play_in_database(visitor: Visitor) -> None:
    # Who does not touch the session gets no cookie.
    assert "Set-Cookie" not in visitor.get("/").headers
    looked = visitor.get("/basket")
    assert "Set-Cookie" not in looked.headers
    assert looked.headers["Vary"] == "Cookie"

    first = visitor.post("/basket/tea").headers["Set-Cookie"]
    assert "Expires=" in first
    assert "HttpOnly" in first
    id_before = cookie_of(visitor)
    assert visitor.post("/basket/salt").status_code == 204
    assert cookie_of(visitor) == id_before
    assert visitor.get("/basket").json == {
        "basket": ["tea", "salt"],
        "user": None,
        "said": ["tea is in the basket", "salt is in the basket"],
    }
    assert visitor.get("/basket").json["said"] == []

    # Another browser has a basket of its own.
    other = visitor.another()
    assert other.get("/basket").json["basket"] == []
    other.post("/basket/rice")
    assert other.get("/basket").json["basket"] == ["rice"]

    assert visitor.post("/login/ada").json == {"permanent": True, "kind": "SqlAlchemySession"}
    assert cookie_of(visitor) != id_before
    assert visitor.get("/basket").json["user"] == "ada"
    # The id from before opens nothing.
    thief = visitor.another()
    thief.client.set_cookie("session", t.cast(str, id_before))
    assert thief.get("/basket").json == {"basket": [], "user": None, "said": []}
    # msgpack has the type of a date as text.
    assert visitor.get("/since").json == "2024-02-29T12:30:00"
    assert len(visitor.run("rows").splitlines()) == 2

    visitor.post("/logout")
    assert cookie_of(visitor) is None
    assert visitor.get("/basket").json["user"] is None
    assert visitor.run("rows").count("valid for 60 minutes") == 1

    other.post("/short")
    assert "Expires" not in other.post("/basket/oats").headers["Set-Cookie"]
    visitor.run("age")
    # Too old: a new session, with a new id.
    assert other.get("/basket").json["basket"] == []
    other.post("/basket/corn")
    visitor.run("age")
    assert visitor.run("rows").count("valid for -60 minutes") == 1
    visitor.run("session_cleanup")
    assert visitor.run("rows") == ""


def play_in_files(visitor: Visitor) -> None:
    assert "Set-Cookie" not in visitor.get("/").headers
    cookie = visitor.post("/basket/tea").headers["Set-Cookie"]
    assert "SameSite=Strict" in cookie
    assert "Expires" not in cookie
    id_before = cookie_of(visitor)
    assert visitor.post("/login/grace").json == {"permanent": False, "kind": "CacheLibSession"}
    assert cookie_of(visitor) != id_before
    # Here objects stay what they are.
    assert visitor.get("/since").json == "2024-02-29 12:30:00"
    assert visitor.get("/basket").json["user"] == "grace"
    visitor.note("files", len(list((visitor.folder / "sessions").iterdir())))
    # Another process, so to speak, knows the session; it is in the files.
    later = type(visitor)(
        make_small_app(visitor.folder), visitor.protocol, visitor.folder, visitor.transcript, VARIES
    )
    later.client.set_cookie("session", t.cast(str, cookie_of(visitor)))
    assert later.get("/basket").json["user"] == "grace"
    visitor.post("/logout")
    assert later.get("/basket").json["user"] is None


def play(visitor: Visitor) -> None:
    play_in_database(visitor)
    small = make_small_app(visitor.folder)
    play_in_files(type(visitor)(small, visitor.protocol, visitor.folder, visitor.transcript, VARIES))
