"""Sessions of users: sign-in with a next page, remembering, fresh logins, stolen cookies, sign-out, keys, its client."""

from __future__ import annotations

import typing as t
from pathlib import Path

from flask import Blueprint, Flask, redirect, render_template_string, request, url_for
from flask_login import (
    FlaskLoginClient,
    LoginManager,
    UserMixin,
    confirm_login,
    current_user,
    fresh_login_required,
    login_fresh,
    login_required,
    login_user,
    logout_user,
    session_protected,
    user_logged_in,
    user_logged_out,
    user_unauthorized,
)

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Login"]


class User(UserMixin):
    def __init__(self, name: str, is_active: bool = True) -> None:
        self.id = name
        self._is_active = is_active

    @property
    def is_active(self) -> bool:
        return self._is_active


USERS = {name: User(name) for name in ("ada", "grace")} | {"charles": User("charles", is_active=False)}


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    app.test_client_class = FlaskLoginClient
    manager = LoginManager(app)
    manager.login_view = "login"
    manager.refresh_view = "login"
    manager.blueprint_login_views = {"desk": "desk.login"}
    seen: list[str] = []

    @manager.user_loader
    def load_user(name: str) -> User | None:
        return USERS.get(name)

    @manager.request_loader
    def load_from_key(request: t.Any) -> User | None:
        return USERS.get(request.headers.get("X-Api-Key", ""))

    for signal in (user_logged_in, user_logged_out, user_unauthorized, session_protected):

        @signal.connect_via(app)
        def note(sender: Flask, user: User | None = None, name: str = signal.name, **extra: t.Any) -> None:
            seen.append(f"{name} {user.id}" if user else f"{name} {request.path}")

    @app.get("/")
    def home() -> str:
        return render_template_string(
            "{% for message in get_flashed_messages() %}{{ message }} {% endfor %}"
            "Hello, {{ current_user.id if current_user.is_authenticated else 'whoever you are' }}"
        )

    @app.route("/login", methods=["GET", "POST"])
    def login() -> t.Any:
        if request.method == "GET":
            return "Who are you?"
        user = USERS.get(request.form["name"])
        if user is None:
            return "Unknown", 403
        if not login_user(user, remember="remember" in request.form):
            return "Not any more", 403
        return redirect(request.args.get("next") or url_for("home"))

    @app.get("/members")
    @login_required
    def members() -> str:
        return f"Members only, {current_user.id}"

    @app.get("/account")
    @fresh_login_required
    def account() -> str:
        return f"The account of {current_user.id}"

    @app.post("/confirm")
    @login_required
    def confirm() -> str:
        confirm_login()
        return "It is you" if login_fresh() else "Is it?"

    @app.post("/logout")
    @login_required
    def logout() -> t.Any:
        logout_user()
        return redirect(url_for("home"))

    @app.get("/seen")
    def what_was_seen() -> list[str]:
        return seen

    desk = Blueprint("desk", __name__, url_prefix="/desk")

    @desk.get("/login", endpoint="login")
    def staff_login() -> str:
        return "Staff?"

    @desk.before_request
    def only_staff() -> t.Any:
        return (
            None
            if current_user.is_authenticated or request.endpoint == "desk.login"
            else manager.unauthorized()
        )

    @desk.get("/")
    def papers() -> str:
        return "Papers"

    app.register_blueprint(desk)
    return app


def play(visitor: Visitor) -> None:
    assert visitor.get("/").text == "Hello, whoever you are"
    assert visitor.get("/members").location == "/login?next=%2Fmembers"
    assert visitor.post("/login", data={"name": "nobody"}).status_code == 403
    assert visitor.post("/login", data={"name": "charles"}).text == "Not any more"
    assert visitor.post("/login?next=/members", data={"name": "ada"}).location == "/members"
    assert visitor.get("/members").text == "Members only, ada"
    assert visitor.get("/account").text == "The account of ada"

    another = visitor.another()
    assert another.get("/members").status_code == 302
    another.post("/login", data={"name": "grace", "remember": "on"})
    assert another.get("/").text == "Please log in to access this page. Hello, grace"
    # Only the cookie that remembers is left: signed in, and no longer fresh.
    another.client.delete_cookie("session")
    assert another.get("/members").text == "Members only, grace"
    assert another.get("/account").status_code == 302
    assert another.post("/confirm").text == "It is you"
    assert another.get("/account").text == "The account of grace"
    # The cookie comes from somewhere else: no longer fresh.
    assert another.get("/account", headers={"User-Agent": "another browser"}).status_code == 302

    tester = visitor.another(user=USERS["grace"], fresh_login=False)
    assert tester.get("/members").text == "Members only, grace"
    assert tester.get("/account").status_code == 302
    assert tester.get("/desk/").text == "Papers"
    assert visitor.another().get("/desk/").location == "/desk/login?next=%2Fdesk%2F"

    assert visitor.post("/logout").location == "/"
    assert visitor.get("/members").status_code == 302
    assert visitor.get("/members", headers={"X-Api-Key": "ada"}).text == "Members only, ada"
    seen = visitor.get("/seen").json
    # Sessions without a mark of the browser, or with that of another.
    assert seen.count("session-protected /account") == 3
    assert [signal for signal in seen if not signal.startswith("session-protected")] == [
        "unauthorized /members",
        "logged-in ada",
        "unauthorized /members",
        "logged-in grace",
        "unauthorized /desk/",
        "logged-out ada",
        "unauthorized /members",
    ]
