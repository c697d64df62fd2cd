"""Signing in with an account elsewhere, by the pages: a provider of the test's own answers."""

from __future__ import annotations

import re
import typing as t
from html import unescape
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from account_pages import ADA, PASSWORD, Site
from erlen.ext.security.openid import OpenID, Provider
from openid_provider import LocalProvider

KEY = rsa.generate_private_key(65537, 2048)


@pytest.fixture
def local(clock: t.Any) -> LocalProvider:
    return LocalProvider(clock=lambda: clock().timestamp(), key=KEY)


@pytest.fixture
def site(clock: t.Any, local: LocalProvider) -> Site:
    site = Site(clock)
    provider = Provider(
        name="local",
        issuer=local.issuer,
        client_id=local.client_id,
        client_secret=local.client_secret,
        label="Local",
    )
    # Its client reaches the provider without a network.
    site.parts.openid = OpenID(site.parts.kit, site.parts.tokens, [provider], local.client())
    return site


def leave(site: Site, query: str = "") -> str:
    """Press the button, and return where the browser is sent."""
    answer = site.post(f"/account/openid/local{query}")
    assert answer.status_code == 200, answer.text
    found = re.search(r'href="(https://[^"]+)"', answer.text)
    assert found is not None
    url = unescape(found.group(1))
    assert answer.headers["Refresh"] == f"0; url={url}"
    return url


def come_back(site: Site, args: t.Mapping[str, str]) -> t.Any:
    return site.get("/account/openid/local/callback", query_string=args)


def test_somebody_new_whom_the_provider_knows_gets_an_account(site: Site, local: LocalProvider) -> None:
    assert "Continue with Local" in site.get("/account/login").text
    answer = come_back(site, local.visit(leave(site, "?next=/account/log")))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/log")
    account = site.fetch("/account/").get_json()
    assert account["email"] == site.store.users()[0].email
    with site.client.session_transaction() as kept:
        assert set(kept) == {"_account"}


def test_an_account_is_not_taken_over_by_its_address(site: Site, local: LocalProvider) -> None:
    """By issuer and subject alone, whatever address the provider says (ASVS 6.8.1)."""
    come_back(site, local.visit(leave(site)))
    email = site.store.users()[0].email
    site.send("/account/logout")
    site.store.delete_user(site.store.users()[0].uid)
    site.add(email)
    answer = come_back(site, local.visit(leave(site)))
    assert answer.status_code == 400
    assert "No account here is linked" in answer.text
    assert site.fetch("/account/").status_code == 401


def test_an_account_is_linked_by_who_is_logged_in_and_unlinked(site: Site, local: LocalProvider) -> None:
    site.add()
    site.log_in()
    answer = come_back(site, local.visit(leave(site, "?link=1")))
    assert answer.headers["Location"] == "/account/identities"
    [identity] = site.fetch("/account/identities").get_json()["identities"]
    site.send("/account/logout")
    assert come_back(site, local.visit(leave(site))).status_code == 303
    assert site.fetch("/account/").get_json()["email"] == ADA
    site.send("/account/reauthenticate", {"password": PASSWORD})
    answer = site.send(
        "/account/identities/remove", {"issuer": identity["issuer"], "subject": identity["subject"]}
    )
    assert answer.get_json() == {"status": "done"}


def test_the_only_way_in_is_not_forgotten(site: Site, local: LocalProvider) -> None:
    come_back(site, local.visit(leave(site)))
    [identity] = site.fetch("/account/identities").get_json()["identities"]
    body = {"issuer": identity["issuer"], "subject": identity["subject"]}
    assert site.send("/account/identities/remove", body).status_code == 409


def test_signing_in_elsewhere_is_one_factor(site: Site, local: LocalProvider) -> None:
    site.add()
    site.log_in()
    come_back(site, local.visit(leave(site, "?link=1")))
    site.set_up_totp()
    site.send("/account/logout")
    answer = come_back(site, local.visit(leave(site)))
    assert answer.headers["Location"] == "/account/verify"
    assert site.fetch("/account/").status_code == 401


def test_signing_in_elsewhere_makes_no_login_fresh(site: Site, clock: t.Any, local: LocalProvider) -> None:
    """'OAuth or WebAuthn re-authentication bypassing freshness'."""
    site.add()
    site.log_in()
    clock.forward(minutes=20)
    answer = site.post("/account/openid/local?link=1")
    assert answer.headers["Location"].startswith("/account/reauthenticate")
    assert site.send("/account/openid/local?link=1").status_code == 403
    # Nor where it was fresh when it began.
    site.send("/account/reauthenticate", {"password": PASSWORD})
    clock.forward(minutes=10)
    args = local.visit(leave(site, "?link=1"))
    clock.forward(minutes=6)
    assert come_back(site, args).status_code == 400
    assert list(site.store.identities(site.user().uid)) == []


def test_what_another_browser_has_begun_is_refused(site: Site, local: LocalProvider) -> None:
    args = local.visit(leave(site))
    site.client = site.app.test_client()
    answer = come_back(site, args)
    assert answer.status_code == 400
    assert "begun in another browser" in answer.text


def test_a_refusal_of_the_provider_is_told(site: Site) -> None:
    leave(site)
    answer = come_back(site, {"error": "access_denied", "error_description": "<b>evil</b>", "state": "x"})
    assert answer.status_code == 400
    assert "evil" not in answer.text


def test_nothing_but_the_providers_of_the_settings_is_asked(site: Site) -> None:
    assert site.post("/account/openid/evil").status_code == 404
    assert site.get("/account/openid/local").status_code == 405
    url = leave(site)
    assert urlsplit(url).netloc == urlsplit(site.parts.openid.providers[0].issuer).netloc
