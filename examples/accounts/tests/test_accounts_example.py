"""The walk of the README: register, activate, log in, second factor, token, role, recovery."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from pyotp.totp import TOTP

from accounts_example import create_app
from erlen import Erlen
from erlen.ext.security.mail import Outbox

PASSWORD = "a boat with three masts"
HTML = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
JSON = {"Accept": "application/json"}


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


@pytest.fixture
def app(tmp_path: Path, outbox: Outbox) -> t.Iterator[Erlen]:
    config = {
        "TESTING": True,
        "SECRET_KEY": "test",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'club.sqlite'}",
        "SECURITY_ARGON2_MEMORY": 7168,
        "SECURITY_ARGON2_TIME": 1,
    }
    app = create_app(config, outbox)
    yield app
    app.extensions["database"].dispose()


def link_of(outbox: Outbox) -> str:
    found = re.search(r"https?://[^/\s]+(/account/\S+)", outbox.mails[-1].text)
    assert found is not None
    return found.group(1)


def test_the_walk(app: Erlen, outbox: Outbox) -> None:
    client: t.Any = app.test_client()
    assert "Become a member" in client.get("/").text
    assert client.get("/members", headers=HTML).headers["Location"] == "/account/login?next=/members"

    data = {"email": "ada@example.com", "password": PASSWORD}
    assert client.post("/account/register", data=data, headers=HTML).status_code == 303
    assert client.post("/account/login", data=data, headers=HTML).status_code == 400
    assert client.post(link_of(outbox), headers=HTML).status_code == 422
    assert client.post(link_of(outbox), data={"password": PASSWORD}, headers=HTML).status_code == 303
    assert client.post("/account/login", data=data, headers=HTML).headers["Location"] == "/members"
    assert "Tides" in client.get("/members").text
    assert client.get("/admin", headers=HTML).status_code == 403

    setup = client.get("/account/second-factor/app", headers=JSON).get_json()
    code = TOTP(setup["secret"]).now()
    made = client.post(
        "/account/second-factor/app", json={"sealed": setup["sealed"], "code": code}, headers=JSON
    )
    codes = made.get_json()["codes"]

    token = client.post(
        "/account/tokens/new", json={"name": "backup", "scopes": ["profile:read"], "days": "7"}, headers=JSON
    ).get_json()["token"]
    program = app.test_client()
    assert program.get("/api/me").status_code == 401
    shown: t.Any = program.get("/api/me", headers={"Authorization": f"Bearer {token}"}).get_json()
    assert shown == {"email": "ada@example.com", "roles": []}

    granted = app.test_cli_runner().invoke(args=["security", "roles", "grant", "ada@example.com", "admin"])
    assert granted.exit_code == 0, granted.output
    assert "ada@example.com" in client.get("/admin").text

    client.post("/account/logout", headers=HTML)
    client.post("/account/recover", data={"email": "ada@example.com"}, headers=HTML)
    link = link_of(outbox)
    assert client.post(link, data={"password": "another boat, with two"}, headers=HTML).status_code == 303
    data["password"] = "another boat, with two"
    assert client.post("/account/login", data=data, headers=HTML).headers["Location"] == "/account/verify"
    answer = client.post("/account/verify", data={"kind": "code", "code": codes[0]}, headers=HTML)
    assert answer.headers["Location"] == "/members"
    assert client.get("/admin").status_code == 200


def test_a_token_without_the_scope_is_refused(app: Erlen, outbox: Outbox) -> None:
    client: t.Any = app.test_client()
    data = {"email": "ada@example.com", "password": PASSWORD}
    client.post("/account/register", json=data, headers=JSON)
    client.post(link_of(outbox), json={"password": PASSWORD}, headers=JSON)
    client.post("/account/login", json=data, headers=JSON)
    body = {"name": "other", "scopes": ["profile:write"], "days": "7"}
    token = client.post("/account/tokens/new", json=body, headers=JSON).get_json()["token"]
    answer = app.test_client().get("/api/me", headers={"Authorization": f"Bearer {token}", **JSON})
    assert answer.status_code == 403


def test_the_pages_stand_in_the_frame_of_the_extension(app: Erlen) -> None:
    shown = app.test_client().get("/account/login", headers=HTML).text
    assert "The Harbour Club" in shown
