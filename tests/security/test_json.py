"""The same flows as JSON, and values of wrong types at every address."""

from __future__ import annotations

import sys
import typing as t

import pytest

from account_pages import ADA, JSON, PASSWORD, Site
from erlen.ext.security.api import ROUTES, Route


@pytest.fixture
def site(clock: t.Any) -> Site:
    site = Site(clock)
    site.add()
    return site


def test_a_login_and_its_second_step(site: Site, clock: t.Any) -> None:
    answer = site.send("/account/login?next=/account/", {"email": ADA, "password": PASSWORD})
    assert answer.get_json() == {"status": "logged_in", "next": "/account/", "must_set_up": False}
    secret, _ = site.set_up_totp()
    assert site.send("/account/logout").get_json() == {"status": "done"}
    clock.forward(minutes=1)
    step = site.send("/account/login", {"email": ADA, "password": PASSWORD}).get_json()
    assert step["status"] == "second_factor"
    assert step["factors"] == ["totp", "code"]
    wrong = site.send("/account/verify", {"kind": "totp", "code": "000000", "pending": step["pending"]})
    assert wrong.status_code == 400
    answer = site.send(
        "/account/verify", {"kind": "totp", "code": site.code(secret), "pending": step["pending"]}
    )
    assert answer.get_json()["status"] == "logged_in"
    assert site.fetch("/account/").get_json()["email"] == ADA


def test_what_the_first_step_answers_is_worth_nothing_else(site: Site) -> None:
    site.log_in()
    site.set_up_totp()
    site.send("/account/logout")
    pending = site.send("/account/login", {"email": ADA, "password": PASSWORD}).get_json()["pending"]
    for path in ("activate", "reset", "email"):
        assert (
            site.send(
                f"/account/{path}/{pending}", {"password": PASSWORD} if path == "reset" else {}
            ).status_code
            == 400
        )
    answer = site.client.get("/account/", headers={**JSON, "Authorization": f"Bearer {pending}"})
    assert answer.status_code == 401


def test_errors_are_problems_with_their_fields(site: Site) -> None:
    answer = site.send("/account/register", {"email": 1, "password": "short", "admin": True})
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    told = answer.get_json()
    assert told["status"] == 422
    assert told["code"] == "invalid_fields"
    assert set(told["errors"]) == {"email", "admin"}


def test_a_weak_password_is_told_why(site: Site) -> None:
    answer = site.send("/account/register", {"email": "new@example.com", "password": "short"})
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]) == ["password"]


VALUES: list[t.Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    [],
    ["x"],
    {},
    {"x": 1},
    "\0",
    "\ud800",
    "x" * 10_000,
    "\u202e",
]
POSTS = [route for route in ROUTES if route.post is not None and route.post.form is not None]


@pytest.mark.parametrize(
    "route",
    [one for one in POSTS if one.post and one.post.form and one.post.form.fields],
    ids=lambda one: one.endpoint,
)
def test_values_of_wrong_types_are_never_an_error_of_the_server(site: Site, route: Route) -> None:
    """'a non-string JSON field answered with 500'."""
    assert route.post is not None
    assert route.post.form is not None
    site.log_in()
    path = "/account" + route.rule.replace("<token>", "x").replace("<id>", "x")
    right: dict[str, t.Any] = {
        name: _right(one.kind, one.choices) for name, one in route.post.form.fields.items()
    }
    for name in route.post.form.fields:
        for value in VALUES:
            answer = site.send(path, {**right, name: value})
            assert answer.status_code < 500, (name, value, answer.text)
            if not isinstance(value, str | None | type(_right(route.post.form.fields[name].kind, ()))):
                assert answer.status_code in {401, 422}, (name, value, answer.text)
            # A reset or a login that went through.
            if site.fetch("/account/").status_code != 200:
                site.log_in()


def _right(kind: str, choices: t.Any) -> t.Any:
    kinds: dict[str, t.Any] = {"checkbox": False, "choices": [], "object": {}, "email": "new@example.com"}
    return kinds.get(kind, choices[0][0] if choices else "text")


@pytest.mark.parametrize("body", ["{", "[]", '"x"', "[" * 50_000, "\xff"])
def test_bodies_that_are_no_object_are_refused(site: Site, body: str) -> None:
    site.log_in()
    for route in POSTS:
        path = "/account" + route.rule.replace("<token>", "x").replace("<id>", "x").replace("<name>", "x")
        answer = site.client.post(
            path, data=body.encode("latin1"), content_type="application/json", headers=JSON
        )
        assert answer.status_code in {400, 404}, (route.endpoint, answer.text)
        assert answer.mimetype == "application/problem+json"


def test_a_token_for_programs_is_made_and_used(site: Site) -> None:
    site.log_in()
    made = site.send("/account/tokens/new", {"name": "backup", "scopes": ["read"], "days": "7"})
    assert made.status_code == 201
    listed = site.fetch("/account/tokens").get_json()["tokens"]
    assert [one["name"] for one in listed] == ["backup"]
    assert "token" not in listed[0]
    found = site.parts.tokens.authenticate(made.get_json()["token"])
    assert found is not None
    assert found.scopes == frozenset({"read"})


def test_a_token_for_programs_opens_no_page_of_the_account(site: Site) -> None:
    """It could make itself another one, or add a passkey."""
    site.log_in()
    made = site.send("/account/tokens/new", {"name": "backup", "scopes": ["read"], "days": "7"}).get_json()
    client = site.app.test_client()
    for route in ROUTES:
        if route.needs != "nobody" and route.get is not None:
            headers = {**JSON, "Authorization": f"Bearer {made['token']}"}
            assert client.get(f"/account{route.rule}", headers=headers).status_code == 401, route.endpoint


def test_a_session_is_exchanged_for_a_pair_which_rotates(site: Site) -> None:
    site.log_in()
    pair = site.send("/account/token", {"scopes": ["read"]}).get_json()
    assert pair["token_type"] == "Bearer"
    assert pair["scope"] == "read"
    client = site.app.test_client()
    renewed = client.post("/account/token/refresh", json={"refresh_token": pair["refresh_token"]}).get_json()
    assert renewed["refresh_token"] != pair["refresh_token"]
    # A copy was used: everything of its kind ends.
    reused = client.post("/account/token/refresh", json={"refresh_token": pair["refresh_token"]})
    assert reused.status_code == 400
    assert (
        client.post("/account/token/refresh", json={"refresh_token": renewed["refresh_token"]}).status_code
        == 400
    )


def test_a_refresh_token_is_revoked_and_an_unknown_one_is_no_error(site: Site) -> None:
    site.log_in()
    pair = site.send("/account/token", {}).get_json()
    for secret in (pair["refresh_token"], "unknown"):
        assert site.send("/account/token/revoke", {"refresh_token": secret}).get_json() == {"status": "done"}
    assert site.send("/account/token/refresh", {"refresh_token": pair["refresh_token"]}).status_code == 400


def test_a_pair_is_no_way_around_the_second_factor(site: Site) -> None:
    site.log_in()
    site.set_up_totp()
    site.send("/account/logout")
    site.send("/account/login", {"email": ADA, "password": PASSWORD})
    assert site.send("/account/token", {}).status_code == 401


def test_sessions_tokens_and_passkeys_of_others_are_not_found(site: Site) -> None:
    """ASVS 8.2.2: by whose they are, not by guessing an id."""
    site.add("eve@example.com")
    site.log_in("eve@example.com")
    [theirs] = site.fetch("/account/sessions").get_json()["sessions"]
    token = site.send("/account/tokens/new", {"name": "x", "days": "7"}).get_json()
    site.send("/account/logout")
    site.log_in("eve@example.com")
    eve = site.client
    site.client = site.app.test_client()
    site.log_in()
    assert site.send(f"/account/sessions/{theirs['id']}/revoke").status_code == 404
    assert site.send(f"/account/tokens/{token['id']}/revoke").status_code == 404
    assert eve.get("/account/", headers=JSON).status_code == 200


def test_no_secret_is_in_what_is_listed(site: Site) -> None:
    site.log_in()
    site.set_up_totp()
    user = site.user()
    for path in ("", "sessions", "tokens", "second-factor", "passkeys", "log", "identities"):
        text = site.fetch(f"/account/{path}").text
        assert user.totp_secret is not None
        assert user.password_hash is not None
        for secret in (user.totp_secret, user.password_hash, user.uid, "$argon2"):
            assert secret not in text, path
        assert all(record.key not in text for record in site.parts.sessions.all_of(user.uid))


def test_what_is_done_out_of_order_is_answered_with_a_problem(site: Site) -> None:
    site.log_in()
    assert site.send("/account/second-factor/codes").status_code == 409
    assert site.send("/account/second-factor/app/remove").status_code == 404
    assert site.send("/account/passkeys/x/remove").status_code == 404
    assert site.send("/account/openid/nobody").status_code == 404


def test_without_the_package_for_passkeys_the_site_has_none(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Python makes of a package that is not there.
    monkeypatch.setitem(sys.modules, "webauthn", t.cast("t.Any", None))
    paths = ["/account/login/passkey/options", "/account/login/passkey"]
    site.log_in()
    paths += ["/account/passkeys/options", "/account/passkeys"]
    rules = {str(rule) for rule in site.app.url_map.iter_rules()}
    assert rules >= set(paths)
    for path in paths:
        answer = site.send(path, {} if path.endswith("options") else {"credential": {"id": "x"}})
        assert answer.status_code == 404, path
        assert answer.get_json()["detail"] == "This site has no passkeys."
    assert site.fetch("/account/passkeys").get_json() == {"passkeys": []}
