"""Whatever JSON a client sends to an address of accounts, the server has an answer for it; and what else a request can have."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from account_pages import ADA, HTML, JSON, PASSWORD, Site
from erlen.ext.security.api import ROUTES, Route

POSTS = [route for route in ROUTES if route.post is not None and route.post.form is not None]

TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [ADA, PASSWORD, "\0", "\ud800", "\u202e", "x" * 5000, "login", "totp", "code", "passkey"]
    ),
)
VALUES: st.SearchStrategy[t.Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=5,
)
#: What a credential of a passkey has, with anything in it.
CREDENTIALS = st.fixed_dictionaries(
    {},
    optional={
        "id": VALUES,
        "rawId": VALUES,
        "type": st.one_of(st.just("public-key"), VALUES),
        "response": st.dictionaries(
            st.sampled_from(["clientDataJSON", "authenticatorData", "signature", "userHandle", "transports"]),
            VALUES,
            max_size=5,
        ),
    },
)


@pytest.fixture
def site(clock: t.Any) -> Site:
    site = Site(clock, password_min_length=8)
    site.add()
    return site


@pytest.mark.parametrize("route", POSTS, ids=lambda one: one.endpoint)
def test_no_json_is_an_error_of_the_server(site: Site, route: Route) -> None:
    """'a non-string JSON field answered with 500'."""
    assert route.post is not None
    assert route.post.form is not None
    fields = list(route.post.form.fields)
    path = "/account" + route.rule.replace("<token>", "x").replace("<id>", "x").replace("<name>", "x")
    bodies = st.dictionaries(
        st.sampled_from([*fields, "more"]), st.one_of(VALUES, CREDENTIALS), max_size=len(fields) + 1
    )

    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(bodies)
    def sent(body: dict[str, t.Any]) -> None:
        answer = site.send(path, body)
        assert answer.status_code < 500, (body, answer.text)

    site.log_in()
    sent()


@pytest.mark.parametrize(
    "host", ["", "a b", "[::1", "evil.example:99999", "\u00e9.example", "a@b", "x" * 3000]
)
def test_no_host_is_an_error_of_the_server(site: Site, host: str) -> None:
    answer = site.client.get(
        "/account/login?next=https://evil.example/",
        headers={**HTML, "Host": host.encode("utf-8").decode("latin1")},
    )
    assert answer.status_code in {200, 400}
    assert 'href="https://evil' not in answer.text


@pytest.mark.parametrize("path", ["/account/login", "/account/register"])
@pytest.mark.parametrize("kind", ["json", "form"])
def test_password_of_a_mebibyte_is_refused_without_any_work(site: Site, path: str, kind: str) -> None:
    body = {"email": "new@example.com", "password": "x" * 1024 * 1024}
    answer = site.send(path, body) if kind == "json" else site.post(path, body)
    assert answer.status_code in {413, 422}
    assert len(answer.get_data()) < 100_000
    assert not site.outbox.mails


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://localhost.evil.example"},
        {},
    ],
)
@pytest.mark.parametrize("path", ["/account/login", "/account/logout"])
def test_nobody_is_logged_in_or_out_by_another_site(site: Site, path: str, headers: dict[str, str]) -> None:
    """Login CSRF, logout CSRF; of a frame without an origin, of a neighbour, and of a browser that says nothing."""
    if path == "/account/logout":
        site.log_in()
    answer = site.client.post(path, data={"email": ADA, "password": PASSWORD}, headers={**HTML, **headers})
    assert answer.status_code == 403
    assert site.fetch("/account/").status_code == (200 if path == "/account/logout" else 401)


def test_another_address_in_a_header_counts_for_nothing(clock: t.Any) -> None:
    """'X-Forwarded-For defeats the rate limit'."""
    site = Site(clock, login_rate="3 per minute")
    for number in range(5):
        forwarded = {**JSON, "X-Forwarded-For": f"203.0.113.{number}", "Forwarded": f"for=203.0.113.{number}"}
        body = {"email": ADA, "password": "a wrong password"}
        answer = site.client.post("/account/login", json=body, headers=forwarded)
        assert answer.status_code == (400 if number < 3 else 429)
    assert {event.address for event in site.store.events()} == {"127.0.0.1"}
