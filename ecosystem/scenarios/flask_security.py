"""Members of a club: registration with a mail, roles, sessions, tokens and Basic, freshness, new passwords, JSON."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from flask import Flask, g, render_template_string
from flask_mailman import Mail
from flask_security import (
    RoleMixin,
    Security,
    SQLAlchemyUserDatastore,
    UserMixin,
    auth_required,
    current_user,
    hash_password,
    http_auth_required,
    password_changed,
    password_reset,
    permissions_required,
    roles_required,
    user_authenticated,
    user_confirmed,
    user_failed_authn,
    user_registered,
)
from flask_security.models import fsqla_v3
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Security", "Flask-SQLAlchemy", "Flask-Mailman", "email-validator", "argon2-cffi"]

HOME = """
{%- for kind, message in get_flashed_messages(with_categories=true) %}[{{ kind }}] {{ message }}
{% endfor -%}
{% if current_user.is_authenticated %}Hello, {{ current_user.email }}{% else %}Hello{% endif %}"""


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="only for this scenario",
        SECURITY_PASSWORD_SALT="also",
        SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS={
            "argon2__time_cost": 1,
            "argon2__memory_cost": 1024,
        },  # in a blink
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'members.db'}",
        MAIL_BACKEND="locmem",
        MAIL_DEFAULT_SENDER="club@example.org",
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False},  # that would ask the network
        SECURITY_REGISTERABLE=True,
        SECURITY_CONFIRMABLE=True,
        SECURITY_RECOVERABLE=True,
        SECURITY_CHANGEABLE=True,
        SECURITY_TRACKABLE=True,
        # Who comes with a session has to show that the page that sends is ours; who has a key, a password or
        # nothing has not.
        WTF_CSRF_CHECK_DEFAULT=False,
        SECURITY_CSRF_PROTECT_MECHANISMS=["session"],
        SECURITY_CSRF_IGNORE_UNAUTH_ENDPOINTS=True,
        SECURITY_CSRF_COOKIE_NAME="club-csrf",
        SECURITY_API_ENABLED_METHODS=["session", "token", "basic"],
    )
    CSRFProtect(app)
    Mail(app)
    db = SQLAlchemy(app)
    fsqla_v3.FsModels.set_db_info(db)

    class Role(db.Model, fsqla_v3.FsRoleMixin, RoleMixin):
        pass

    class User(db.Model, fsqla_v3.FsUserMixin, UserMixin):
        pass

    datastore = SQLAlchemyUserDatastore(db, User, Role)
    security = Security(app, datastore)
    with app.app_context():
        db.create_all()
        datastore.create_role(name="board", permissions={"minutes-read"})
        datastore.create_user(
            email="grace@example.org",
            password=hash_password("a compiler for people"),
            roles=["board"],
            confirmed_at=security.datetime_factory(),
        )
        db.session.commit()

    signals: list[str] = []
    for signal in (
        user_registered,
        user_confirmed,
        user_authenticated,
        user_failed_authn,
        password_changed,
        password_reset,
    ):

        def remember(sender: Flask, user: t.Any, signal: t.Any = signal, **extra: t.Any) -> None:
            signals.append(f"{signal.name} {user.email}")

        signal.connect(remember, app, weak=False)
    app.extensions["signals seen"] = signals

    @app.get("/")
    def home() -> str:
        return render_template_string(HOME)

    @app.get("/members")
    @auth_required()
    def members() -> dict[str, t.Any]:
        return {"you": current_user.email, "by": g.fs_authn_via, "times": current_user.login_count}

    @app.get("/board")
    @auth_required("session", "token")
    @roles_required("board")
    def board() -> str:
        return "What the board sees"

    @app.get("/minutes")
    @auth_required("token", "basic")
    @permissions_required("minutes-read")
    def minutes() -> str:
        return f"The minutes, {current_user.email}"

    @app.get("/feed")
    @http_auth_required("Feed")
    def feed() -> str:
        return f"The feed of {current_user.email}"

    @app.post("/motions")
    @auth_required("session", "token")
    def motion() -> str:
        return "Noted"

    @app.get("/account")
    @auth_required(within=30, grace=0)
    def account() -> str:
        return "Your account"

    return app


def token_of(page: t.Any) -> str:
    found = re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


AS_JSON = {"Accept": "application/json"}


class Letters:
    """What the application has mailed."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.read = 0

    def next(self) -> str:
        """Note the next letter; return the path of the link in it, if there is one."""
        letter = self.visitor.app.extensions["mailman"].outbox[self.read]
        self.read += 1
        parts = {"text": letter.body, "html": letter.alternatives[0][0]}
        self.visitor.note(f"a letter: {letter.subject}", [letter.from_email, letter.to, parts])
        link = re.search(r"http://localhost(/\S+)", letter.body)
        return link[1] if link else ""


def play(visitor: Visitor) -> None:
    letters = Letters(visitor)
    ada_in_a_browser(visitor, letters)
    ada_forgets(visitor.another(), letters)
    grace_has_a_program(visitor)
    visitor.note("signals", visitor.app.extensions["signals seen"])


def ada_in_a_browser(visitor: Visitor, letters: Letters) -> None:
    # Registration is done with the link that comes by mail.
    refused = visitor.get("/members")
    assert refused.location == "/login?next=/members"
    assert "You must sign in to view this resource." in visitor.get("/register").text
    ada = {"email": "ada@example.org"}
    password = "the first program"
    short = visitor.post("/register", data={**ada, "password": "short", "password_confirm": "shirt"})
    assert "Password must be at least 8 characters" in short.text
    assert "Passwords do not match" in short.text
    registered = visitor.post("/register", data={**ada, "password": password, "password_confirm": password})
    assert registered.location == "/"
    link = letters.next()
    early = visitor.post("/login", data={**ada, "password": password})
    assert "Email requires confirmation." in early.text
    assert visitor.get(f"{link}x").location == "/confirm"
    assert visitor.get(link).location == "/login"

    wrong = visitor.post("/login", data={**ada, "password": "the last program"})
    assert "Thank you. Your email has been confirmed." in wrong.text
    assert "Invalid password" in wrong.text
    assert visitor.post("/login?next=/members", data={**ada, "password": password}).location == "/members"
    assert visitor.get("/members").json == {"you": "ada@example.org", "by": "session", "times": 1}
    assert visitor.get("/board").status_code == 403
    visitor.run("roles", "add", "ada@example.org", "board")
    assert visitor.get("/board").text == "What the board sees"
    assert visitor.get("/minutes", headers=AS_JSON).status_code == 401  # a session is not enough there

    # What changes something needs the token of the form; scripts have it in a cookie.
    assert visitor.post("/motions").status_code == 400
    cookie = visitor.client.get_cookie("club-csrf")
    assert visitor.post("/motions", headers={"X-XSRF-Token": cookie.value}).text == "Noted"

    # Signed in an hour ago: not fresh enough for the account.
    assert visitor.get("/account").text == "Your account"
    with visitor.client.session_transaction() as session:
        session["fs_paa"] -= 60 * 60
    stale = visitor.get("/account", headers=AS_JSON)
    assert (stale.status_code, stale.json["response"]["reauth_required"]) == (401, True)
    verified = visitor.post("/verify?next=/account", data={"csrf_token": cookie.value, "password": password})
    assert verified.location == "/account"
    assert visitor.get("/").text == "[info] Reauthentication successful\nHello, ada@example.org"

    changed = {
        "password": password,
        "new_password": "the second program",
        "csrf_token": token_of(visitor.get("/change")),
    }
    unlike = visitor.post("/change", data={**changed, "new_password_confirm": password})
    assert "Passwords do not match" in unlike.text
    another = visitor.another()
    in_json = {"email": "ada@example.org", "password": password}
    login = another.post("/login?include_auth_token", json=in_json)
    old_key = {"Authentication-Token": login.json["response"]["user"]["authentication_token"]}
    assert another.another().get("/members", headers=old_key).json["by"] == "token"
    done = visitor.post("/change", data={**changed, "new_password_confirm": changed["new_password"]})
    assert done.location == "/"
    letters.next()
    # Sessions and tokens from before are worth nothing now, but for that of who changed it.
    assert another.get("/members", headers=AS_JSON).status_code == 401
    assert visitor.another().get("/members", headers={**old_key, **AS_JSON}).status_code == 401
    assert visitor.get("/members").json["times"] == 3
    assert visitor.post("/logout").location == "/"
    assert visitor.get("/").text.endswith("Hello")


def ada_forgets(visitor: Visitor, letters: Letters) -> None:
    unknown = visitor.post("/reset", data={"email": "nobody@example.org"})
    assert "Specified user does not exist" in unknown.text
    visitor.post("/reset", data={"email": "ada@example.org"})
    link = letters.next()
    new = {"password": "the third program", "password_confirm": "the third program"}
    assert "Reset password" in visitor.get(link).text
    assert visitor.post(link, data=new).location == "/login"
    letters.next()
    assert visitor.get(link).location == "/reset"  # a link works once


def grace_has_a_program(visitor: Visitor) -> None:
    key = {**AS_JSON, "Authentication-Token": "nonsense"}
    script = visitor.another()
    assert script.get("/members", headers=key).json["response"]["errors"] == [
        "You must sign in to view this resource."
    ]
    who = {"email": "grace@example.org", "password": "a compiler for people"}
    failed = script.post("/login", json={**who, "password": "a guess"})
    assert failed.json["response"]["field_errors"] == {"password": ["Invalid password"]}
    assert script.get("/login", headers=AS_JSON).json["response"]["identity_attributes"] == ["email"]
    login = script.post("/login?include_auth_token", json=who)
    key = {"Authentication-Token": login.json["response"]["user"]["authentication_token"]}
    script = visitor.another()
    assert script.post("/motions", headers=key).text == "Noted"
    assert script.get("/minutes", headers=key).text == "The minutes, grace@example.org"
    assert script.get("/minutes", auth=tuple(who.values())).text == "The minutes, grace@example.org"
    assert script.get("/feed", auth=("grace@example.org", "no")).www_authenticate.realm == "Feed"
    assert script.get("/feed", auth=tuple(who.values())).text == "The feed of grace@example.org"

    visitor.run("users", "deactivate", "grace@example.org")
    assert script.get("/minutes", headers={**key, **AS_JSON}).status_code == 401
    assert script.post("/login", json=who).json["response"]["field_errors"] == {
        "email": ["Account is disabled."]
    }
    assert "User created successfully." in visitor.run(
        "users", "create", "joan@example.org", "--active", input="clarke and hut 8\nclarke and hut 8\n"
    )
