"""Sessions of users: a page for members, sign-in with a next page, remembering, fresh logins, sign-out, API keys."""

from __future__ import annotations

import typing as t
from pathlib import Path

from flask import Flask, redirect, request, url_for
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    fresh_login_required,
    login_required,
    login_user,
    logout_user,
    user_logged_in,
)

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Login"]


class User(UserMixin):
    def __init__(self, name: str) -> None:
        self.id = name


USERS = {name: User(name) for name in ("ada", "grace")}


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    manager = LoginManager(app)
    manager.login_view = "login"
    manager.refresh_view = "login"
    seen: list[str] = []

    @manager.user_loader
    def load_user(name: str) -> User | None:
        return USERS.get(name)

    @manager.request_loader
    def load_from_key(request: t.Any) -> User | None:
        return USERS.get(request.headers.get("X-Api-Key", ""))

    @user_logged_in.connect_via(app)
    def count(sender: Flask, user: User, **extra: t.Any) -> None:
        seen.append(user.id)

    @app.get("/")
    def home() -> str:
        return f"Hello, {current_user.id}" if current_user.is_authenticated else "Hello, whoever you are"

    @app.route("/login", methods=["GET", "POST"])
    def login() -> t.Any:
        if request.method == "GET":
            return "Who are you?"
        user = USERS.get(request.form["name"])
        if user is None:
            return "Unknown", 403
        login_user(user, remember="remember" in request.form)
        return redirect(request.args.get("next") or url_for("home"))

    @app.get("/members")
    @login_required
    def members() -> str:
        return f"Members only, {current_user.id}"

    @app.get("/account")
    @fresh_login_required
    def account() -> str:
        return f"The account of {current_user.id}"

    @app.post("/logout")
    @login_required
    def logout() -> t.Any:
        logout_user()
        return redirect(url_for("home"))

    @app.get("/seen")
    def what_was_seen() -> list[str]:
        return seen

    return app


def play(visitor: Visitor) -> None:
    assert visitor.get("/").text == "Hello, whoever you are"
    assert visitor.get("/members").location == "/login?next=%2Fmembers"
    assert visitor.post("/login", data={"name": "nobody"}).status_code == 403
    assert visitor.post("/login?next=/members", data={"name": "ada"}).location == "/members"
    assert visitor.get("/members").text == "Members only, ada"
    assert visitor.get("/account").text == "The account of ada"

    another = visitor.another()
    assert another.get("/members").status_code == 302
    another.post("/login", data={"name": "grace", "remember": "on"})
    assert another.get("/").text == "Hello, grace"
    # Only the cookie that remembers is left: signed in, and no longer fresh.
    another.client.delete_cookie("session")
    assert another.get("/members").text == "Members only, grace"
    assert another.get("/account").status_code == 302

    assert visitor.post("/logout").location == "/"
    assert visitor.get("/members").status_code == 302
    assert visitor.get("/members", headers={"X-Api-Key": "ada"}).text == "Members only, ada"
    assert visitor.get("/seen").json == ["ada", "grace"]
