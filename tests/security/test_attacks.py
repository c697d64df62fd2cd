"""Attacks on accounts that go from one part of the extension to the next."""

from __future__ import annotations

import re
import typing as t
from datetime import timedelta
from html import unescape

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from account_pages import ADA, JSON, PASSWORD, Site
from erlen.ext.security import auth_required, roles_required
from erlen.ext.security.errors import ConfigurationError
from erlen.ext.security.mail.mailer import NoMailer
from erlen.ext.security.openid import OpenID, Provider
from memory_store import MemoryStore
from openid_provider import LocalProvider

KEY = rsa.generate_private_key(65537, 2048)


@pytest.fixture
def site(clock: t.Any) -> Site:
    return Site(clock)


@pytest.fixture
def local(clock: t.Any) -> LocalProvider:
    return LocalProvider(clock=lambda: clock().timestamp(), key=KEY)


def with_provider(site: Site, local: LocalProvider) -> Site:
    """Let users of a site sign in with a provider of the test's own."""
    provider = Provider(
        name="local",
        issuer=local.issuer,
        client_id=local.client_id,
        client_secret=local.client_secret,
    )
    site.parts.openid = OpenID(site.parts.kit, site.parts.tokens, [provider], local.client())
    return site


def leave(site: Site, query: str = "") -> str:
    """Return where the browser is sent to sign in elsewhere."""
    answer = site.post(f"/account/openid/local{query}")
    found = re.search(r'href="(https://[^"]+)"', answer.text)
    assert found is not None, answer.text
    return unescape(found.group(1))


def come_back(site: Site, args: t.Mapping[str, str]) -> t.Any:
    return site.get("/account/openid/local/callback", query_string=args)


# Roles that ask for a second factor


@pytest.fixture
def club(clock: t.Any) -> Site:
    site = Site(clock, second_factor_roles=("admin",), scopes=())
    site.store.put_role("admin")

    @site.app.get("/admin")
    @auth_required("session", "token", "basic")
    @roles_required("admin")
    def admin() -> str:
        return "the whole club"

    site.add(roles=["admin"])
    return site


def test_role_that_asks_for_a_second_factor_is_of_no_use_without_one(club: Site) -> None:
    club.log_in()
    answer = club.get("/admin")
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/account/second-factor")
    answer = club.fetch("/admin")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "second_factor_required")
    club.set_up_totp()
    assert club.get("/admin").text == "the whole club"


def test_token_is_no_way_around_the_second_factor_of_a_role(club: Site) -> None:
    club.log_in()
    token = club.send("/account/tokens/new", {"name": "backup", "days": "7"}).get_json()["token"]
    bearer = {**JSON, "Authorization": f"Bearer {token}"}
    program = club.app.test_client()
    assert program.get("/admin", headers=bearer).get_json()["code"] == "second_factor_required"
    club.set_up_totp()
    assert program.get("/admin", headers=bearer).text == "the whole club"
    club.send("/account/second-factor/app/remove")
    assert program.get("/admin", headers=bearer).status_code == 403


# What is pending when the password changes


def test_change_of_address_that_was_asked_for_ends_with_the_password(site: Site) -> None:
    """Whoever had got in asks for another address, and confirms it after the owner has changed the password."""
    site.add()
    site.log_in()
    site.send("/account/email", {"email": "eve@example.com"})
    link = next(mail for mail in site.outbox.mails if mail.to == "eve@example.com").text
    path = re.search(r"https?://[^/\s]+(/account/\S+)", link)
    assert path is not None
    body = {"current": PASSWORD, "password": "another long sentence"}
    assert site.send("/account/password", body).status_code == 200
    eve = site.app.test_client()
    assert eve.post(unescape(path.group(1)), json={}, headers=JSON).status_code == 400
    assert site.user().email == ADA


# Freshness


def test_login_elsewhere_is_not_fresh_for_who_has_a_password(
    site: Site, clock: t.Any, local: LocalProvider
) -> None:
    """A browser that is left open is signed in at the provider as well: logging out and in again asks for nothing."""
    with_provider(site, local)
    site.add()
    site.log_in()
    come_back(site, local.visit(leave(site, "?link=1")))
    clock.forward(minutes=20)
    site.send("/account/logout")
    assert come_back(site, local.visit(leave(site))).status_code == 303
    assert site.fetch("/account/").status_code == 200
    answer = site.send("/account/email", {"email": "eve@example.com"})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "fresh_login_required")
    assert site.post("/account/openid/local?link=1").headers["Location"].startswith("/account/reauthenticate")
    site.send("/account/reauthenticate", {"password": PASSWORD})
    assert site.send("/account/email", {"email": "ada@example.org"}).status_code == 202


def test_login_elsewhere_is_fresh_for_who_has_nothing_else(site: Site, local: LocalProvider) -> None:
    with_provider(site, local)
    come_back(site, local.visit(leave(site)))
    assert site.send("/account/email", {"email": "ada@example.org"}).status_code == 202


def test_login_of_the_future_is_not_fresh(site: Site, clock: t.Any) -> None:
    """The clock went wrong, and was put right: nobody knows how long ago the login was."""
    site.add()
    site.log_in()
    clock.forward(hours=-2)
    assert site.fetch("/account/").status_code == 200
    assert site.send("/account/email", {"email": "eve@example.com"}).status_code == 401


# A process that dies between two steps


class Died(BaseException):
    """The process is gone."""


class Dying(MemoryStore):
    """A store whose process dies when a user was changed."""

    is_last = False

    def change_user(self, uid: str, **values: t.Any) -> bool:
        changed = super().change_user(uid, **values)
        if self.is_last:
            raise Died
        return changed


def test_sessions_are_ended_before_the_password_is_another_one(clock: t.Any) -> None:
    """Otherwise a process that dies between the two leaves a thief logged in, after a reset that looks done."""
    store = Dying()
    site = Site(clock, store=store)
    site.add()
    site.log_in()
    thief = site.client
    token = site.send("/account/tokens/new", {"name": "x", "days": "7"}).get_json()["token"]
    site.client = site.app.test_client()
    site.send("/account/recover", {"email": ADA})
    link, former = site.link(), site.user().password_hash
    store.is_last = True
    with pytest.raises(Died):
        site.send(link, {"password": "another long sentence"})
    store.is_last = False
    assert site.user().password_hash != former
    assert thief.get("/account/", headers=JSON).status_code == 401
    with site.app.app_context():
        assert site.parts.tokens.authenticate(token) is None


class Failing(MemoryStore):
    """A store that is away once a password was changed."""

    is_away = False

    def change_user_if(self, uid: str, expected: t.Mapping[str, t.Any], **values: t.Any) -> bool:
        changed = super().change_user_if(uid, expected, **values)
        self.is_away = self.is_away or "password_changed_at" in values
        return changed

    def end_sessions(self, uid: str, *, but: str | None = None) -> int:
        if self.is_away:
            raise OSError("The store is away.")
        return super().end_sessions(uid, but=but)


def test_sessions_of_the_former_password_end_also_where_the_store_fails(clock: t.Any) -> None:
    site = Site(clock, store=Failing())
    site.app.config["PROPAGATE_EXCEPTIONS"] = False
    site.add()
    site.log_in()
    site.send("/account/email", {"email": "eve@example.com"})
    thief, site.client = site.client, site.app.test_client()
    clock.forward(minutes=5)
    site.log_in()
    body = {"current": PASSWORD, "password": "another long sentence"}
    assert site.send("/account/password", body).status_code == 500
    assert thief.get("/account/", headers=JSON).status_code == 401
    assert not site.store.tokens(site.user().uid, "email")


def test_clock_that_is_put_back_keeps_nobody_out_who_logs_in(site: Site, clock: t.Any) -> None:
    site.add()
    site.log_in()
    body = {"current": PASSWORD, "password": "another long sentence"}
    assert site.send("/account/password", body).status_code == 200
    clock.forward(hours=-5)
    site.client = site.app.test_client()
    site.send("/account/login", {"email": ADA, "password": "another long sentence"})
    assert site.fetch("/account/").status_code == 200


# What stays of somebody who had got in


def test_objection_unlinks_accounts_elsewhere(site: Site, local: LocalProvider) -> None:
    """Whoever asked for another address may have linked an account of their own, which would let them in again."""
    with_provider(site, local)
    site.add()
    site.log_in()
    come_back(site, local.visit(leave(site, "?link=1")))
    site.send("/account/email", {"email": "eve@example.com"})
    link = next(mail.text for mail in reversed(site.outbox.mails) if "/email/keep/" in mail.text)
    path = re.search(r"https?://[^/\s]+(/account/email/keep/\S+)", link)
    assert path is not None
    site.client = site.app.test_client()
    assert site.send(unescape(path.group(1))).status_code == 200
    come_back(site, local.visit(leave(site)))
    assert site.fetch("/account/").get_json()["email"] != ADA


def test_first_proof_of_an_address_unlinks_accounts_elsewhere(clock: t.Any, local: LocalProvider) -> None:
    """Where accounts are used before the address is confirmed, anybody may have made this one, and left a way in."""
    site = with_provider(Site(clock, activation_required=False), local)
    site.send("/account/register", {"email": ADA, "password": PASSWORD})
    site.log_in()
    come_back(site, local.visit(leave(site, "?link=1")))
    site.client = site.app.test_client()
    site.send("/account/recover", {"email": ADA})
    assert site.send(site.link(), {"password": "another long sentence"}).status_code == 200
    come_back(site, local.visit(leave(site)))
    assert site.fetch("/account/").get_json()["email"] != ADA


def test_second_factor_of_a_confirmed_address_outlives_a_reset(site: Site, local: LocalProvider) -> None:
    """'Password reset that bypasses the second factor'."""
    with_provider(site, local)
    site.add()
    site.log_in()
    come_back(site, local.visit(leave(site, "?link=1")))
    site.set_up_totp()
    site.client = site.app.test_client()
    site.send("/account/recover", {"email": ADA})
    site.send(site.link(), {"password": "another long sentence"})
    answer = site.send("/account/login", {"email": ADA, "password": "another long sentence"})
    assert answer.get_json()["status"] == "second_factor"


# Signing in elsewhere


def test_link_from_elsewhere_ends_no_login_that_has_begun(site: Site, local: LocalProvider) -> None:
    """A picture on another page may ask for the address to come back to."""
    with_provider(site, local)
    args = local.visit(leave(site))
    assert come_back(site, {"state": "made up", "code": "x"}).status_code == 400
    assert come_back(site, args).status_code == 303


def test_what_a_login_elsewhere_was_begun_with_does_not_stay_in_the_session(
    site: Site, local: LocalProvider
) -> None:
    with_provider(site, local)
    args = local.visit(leave(site))
    assert come_back(site, {"state": args["state"], "error": "access_denied"}).status_code == 400
    with site.client.session_transaction() as kept:
        assert not kept


def test_logins_elsewhere_are_counted(clock: t.Any, local: LocalProvider) -> None:
    """Each one writes to the store, and may have the provider asked."""
    site = with_provider(Site(clock, login_rate="3 per minute"), local)
    statuses = [site.send("/account/openid/local").status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 429, 429]
    assert site.post("/account/openid/local").status_code == 429


def test_log_says_that_an_account_came_from_elsewhere(site: Site, local: LocalProvider) -> None:
    with_provider(site, local)
    come_back(site, local.visit(leave(site)))
    [event] = site.store.events(name="registered")
    assert event.details["by"] == local.issuer


# A bad day


def test_setting_that_is_missing_is_told_to_nobody_but_the_log(clock: t.Any) -> None:
    site = Site(clock, mailer=NoMailer())
    site.app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = site.send("/account/recover", {"email": ADA})
    assert answer.status_code == 500
    assert "SECURITY_" not in answer.text


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"redirect_origins": ("example.com",)}, "SECURITY_REDIRECT_ORIGINS"),
        ({"redirect_origins": ("*",)}, "SECURITY_REDIRECT_ORIGINS"),
        ({"password_min_length": 300}, "SECURITY_PASSWORD_MIN_LENGTH is 300"),
        ({"session_lifetime": timedelta(days=999_999_999)}, "3653 days at most"),
        ({"site_name": "The\nClub"}, "one line"),
        ({"argon2_memory": 1048577}, "SECURITY_ARGON2_MEMORY is 1048577. It has to be 1048576 or less"),
        ({"argon2_time": 101}, "SECURITY_ARGON2_TIME is 101"),
    ],
)
def test_settings_that_cannot_work_are_told_at_the_start(
    clock: t.Any, values: dict[str, t.Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        Site(clock, **values)
