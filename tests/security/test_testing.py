"""Users and logins for the tests of applications."""

from __future__ import annotations

import asyncio
import typing as t

import pytest

from erlen import Erlen
from erlen.ext.security import (
    Security,
    Settings,
    current_user,
    fresh_login_required,
    login_required,
    roles_required,
)
from erlen.ext.security.testing import add_user, login
from memory_store import MemoryStore


@pytest.fixture
def app() -> Erlen:
    app = Erlen(__name__)
    app.secret_key = "test"
    app.testing = True
    Security(app, store=MemoryStore(), settings=Settings(argon2_memory=7168, argon2_time=1))

    @app.get("/me")
    @login_required
    def me() -> str:
        return str(current_user.email)

    @app.post("/me")
    @login_required
    def change() -> str:
        return "changed"

    @app.get("/admin")
    @roles_required("admin")
    def admin() -> str:
        return "admin"

    @app.get("/sensitive")
    @fresh_login_required
    def sensitive() -> str:
        return "sensitive"

    return app


def test_a_client_is_logged_in(app: Erlen) -> None:
    client: t.Any = app.test_client()
    assert client.get("/me").status_code == 401
    record = login(client, add_user(app, "ada@example.com"))
    assert client.get("/me").text == "ada@example.com"
    assert client.get("/sensitive").text == "sensitive"
    assert client.get("/admin").status_code == 403
    shown = client.get("/account/sessions", headers={"Accept": "application/json"}).get_json()
    assert [one["id"] for one in shown["sessions"]] == [record.id]
    other: t.Any = app.test_client()
    assert other.get("/me").status_code == 401


def test_forms_are_sent_as_by_a_page_of_the_site(app: Erlen) -> None:
    client: t.Any = app.test_client()
    login(client, add_user(app, "ada@example.com"))
    assert client.post("/me", data={"name": "Ada"}).text == "changed"
    assert client.post("/me", data={}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_a_client_is_logged_in_by_an_address_of_any_spelling(app: Erlen) -> None:
    add_user(app, "ada@example.com", roles=["admin"])
    client: t.Any = app.test_client()
    login(client, "Ada@Example.com")
    assert client.get("/admin").text == "admin"


def test_an_address_without_an_account_is_an_error_that_says_what_to_do(app: Erlen) -> None:
    with pytest.raises(LookupError, match=r"add_user\(app, 'ada@example.com'\)"):
        login(app.test_client(), "ada@example.com")


def test_a_login_that_is_not_fresh_is_asked_again(app: Erlen) -> None:
    client: t.Any = app.test_client()
    login(client, add_user(app, "ada@example.com"), fresh=False)
    assert client.get("/me").status_code == 200
    assert client.get("/sensitive").status_code == 401


def test_an_async_client_is_logged_in(app: Erlen) -> None:
    async def ask() -> str:
        client: t.Any = app.async_test_client()
        login(client, add_user(app, "ada@example.com"))
        assert (await client.post("/me", data={})).status_code == 200
        return str((await client.get("/me")).text)

    assert asyncio.run(ask()) == "ada@example.com"


def test_a_user_with_a_password_logs_in_on_the_page(app: Erlen) -> None:
    user = add_user(app, "ada@example.com", "a boat with three masts", roles=["admin", "editor"])
    assert user.activated_at is not None
    assert {role.name for role in user.roles} == {"admin", "editor"}
    client: t.Any = app.test_client()
    sent = {"email": "ada@example.com", "password": "a boat with three masts"}
    answer = client.post("/account/login", json=sent, headers={"Accept": "application/json"})
    assert answer.get_json()["status"] == "logged_in"
