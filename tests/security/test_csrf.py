"""Forms that only our own pages can send: what the core leaves over."""

from __future__ import annotations

import re
import typing as t

import pytest

from erlen import Erlen, cross_origin_exempt, render_template_string
from erlen.ext.security import auth_required, check_csrf, csrf_field, csrf_token, login_required
from erlen.testing import ErlenClient
from guarded import ADA, Guarded

pytestmark = pytest.mark.protocol("wsgi", "asgi")


@pytest.fixture
def forms(app: Erlen, parts: Guarded) -> Guarded:
    app.add_url_rule(
        "/form", "form", lambda: render_template_string("<form>{{ field() }}</form>", field=csrf_field)
    )
    app.add_url_rule("/token", "token", csrf_token)

    @app.post("/visit")
    def visit() -> str:
        check_csrf()
        return "done"

    @app.route("/change", methods=["POST", "PUT"])
    @login_required
    def change() -> str:
        return "done"

    @app.post("/async")
    @login_required
    async def asynchronous() -> str:
        return "done"

    @app.post("/any")
    @auth_required("session", "token", "basic")
    def any_way() -> str:
        return "done"

    @app.post("/exempt")
    @cross_origin_exempt
    @login_required
    def exempt() -> str:
        return "done"

    parts.tokens.known["good"] = ("ada", None)
    return parts


def token_of(client: ErlenClient) -> str:
    found = re.search(r'<input type="hidden" name="csrf_token" value="([\w=-]+)">', client.get("/form").text)
    assert found is not None
    return found[1]


def test_form_of_an_old_browser_needs_its_token(client: ErlenClient, forms: Guarded) -> None:
    client.get("/enter/ada")
    for path in ("/change", "/async"):
        response = client.post(path, data={"a": "1"})
        assert (response.status_code, response.get_json()["code"]) == (403, "csrf")
        assert client.post(path, data={"a": "1", "csrf_token": token_of(client)}).text == "done"
        assert client.post(path, headers={"X-CSRF-Token": token_of(client)}).text == "done"


def test_form_of_a_visitor_is_bound_to_a_cookie(app: Erlen, client: ErlenClient, forms: Guarded) -> None:
    """Login CSRF: nobody is logged in to another account by a page of another site."""
    assert client.post("/visit", data={}).status_code == 403
    token = token_of(client)
    cookie = client.get_cookie("security_form")
    assert cookie is not None
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert client.get_cookie("session") is None
    assert client.post("/visit", data={"csrf_token": token}).text == "done"
    # The token of a form that an attacker has got for themselves.
    other = app.test_client()
    token_of(other)
    assert other.post("/visit", data={"csrf_token": token}).status_code == 403
    assert app.test_client().post("/visit", data={"csrf_token": token}).status_code == 403


def test_cookie_of_visitors_is_of_this_very_host_over_https(client: ErlenClient, forms: Guarded) -> None:
    response = client.get("/form", base_url="https://localhost")
    assert response.headers["Set-Cookie"].startswith("__Host-security_form=")
    assert "Secure" in response.headers["Set-Cookie"]
    assert "no-store" in response.headers["Cache-Control"]


def test_page_without_a_form_makes_no_cookie(client: ErlenClient, forms: Guarded) -> None:
    assert "Set-Cookie" not in client.get("/who").headers


def test_token_of_one_session_is_worth_nothing_in_another(
    app: Erlen, client: ErlenClient, forms: Guarded
) -> None:
    other = app.test_client()
    visitors = token_of(client)
    for one in (client, other):
        one.get("/enter/ada")
    first = token_of(client)
    assert other.post("/change", data={"csrf_token": first}).status_code == 403
    assert client.post("/change", data={"csrf_token": visitors}).status_code == 403
    client.get("/renew")
    assert client.post("/change", data={"csrf_token": first}).status_code == 403


def test_each_page_has_another_token(client: ErlenClient, forms: Guarded) -> None:
    """CVE-2013-3587 (BREACH): what is compressed beside a chosen text is never the same twice."""
    client.get("/enter/ada")
    assert client.get("/token").text != client.get("/token").text


@pytest.mark.parametrize("token", ["", "x", "é", "AAAA", "A" * 64, "A" * 1_000, "\0", "=" * 9])
def test_made_up_token_is_refused(client: ErlenClient, forms: Guarded, token: str) -> None:
    client.get("/enter/ada")
    assert client.post("/change", data={"csrf_token": token}).status_code == 403


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "none"}]
)
def test_browser_that_says_where_it_is_needs_no_token(
    client: ErlenClient, forms: Guarded, headers: dict[str, str]
) -> None:
    client.get("/enter/ada")
    assert client.post("/change", data={}, headers=headers).text == "done"
    assert client.post("/visit", data={}, headers=headers).text == "done"


def test_an_empty_header_says_nothing(client: ErlenClient, forms: Guarded) -> None:
    client.get("/enter/ada")
    assert client.post("/change", data={}, headers={"Sec-Fetch-Site": ""}).status_code == 403
    answer = client.post("/change", data={"csrf_token": token_of(client)}, headers={"Sec-Fetch-Site": ""})
    assert answer.text == "done"


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}],
)
def test_other_origins_are_refused_whatever_they_send(
    app: Erlen, client: ErlenClient, forms: Guarded, headers: dict[str, str]
) -> None:
    client.get("/enter/ada")
    token = token_of(client)
    for path in ("/change", "/any", "/visit"):
        assert client.post(path, data={"csrf_token": token}, headers=headers).status_code == 403


def test_without_the_core_each_form_needs_a_token(app: Erlen, client: ErlenClient, forms: Guarded) -> None:
    """The defaults of Flask have no cross-origin protection."""
    app.config["CROSS_ORIGIN_PROTECTION"] = False
    client.get("/enter/ada")
    own = {"Sec-Fetch-Site": "same-origin"}
    assert client.post("/change", data={}, headers=own).status_code == 403
    assert client.post("/change", data={"csrf_token": token_of(client)}, headers=own).text == "done"
    # No form, and nothing that another site could send without being asked for leave.
    assert client.put("/change", json={}).text == "done"
    for kind in ("text/plain", "application/octet-stream", None):
        assert client.post("/change", data=b"{}", content_type=kind).status_code == 403


def test_view_that_is_exempt_from_the_core_needs_a_token_for_sessions(
    client: ErlenClient, forms: Guarded
) -> None:
    client.get("/enter/ada")
    assert client.post("/exempt", data={}, headers={"Origin": "https://evil.example"}).status_code == 403
    assert client.post("/exempt", data={"csrf_token": token_of(client)}).text == "done"


def test_token_and_password_need_no_form(app: Erlen, client: ErlenClient, forms: Guarded) -> None:
    for shown in ("Bearer good", ADA):
        assert client.post("/any", data={}, headers={"Authorization": shown}).text == "done"
    app.config["CROSS_ORIGIN_PROTECTION"] = False
    assert client.post("/any", data={}, headers={"Authorization": "Bearer good"}).text == "done"
    # A browser that knows a password sends it along with forms of other sites.
    headers = {"Authorization": ADA, "Origin": "https://evil.example"}
    assert client.post("/any", data={}, headers=headers).status_code == 403
    assert (
        client.post(
            "/any", data={}, headers={"Authorization": ADA, "Sec-Fetch-Site": "cross-site"}
        ).status_code
        == 403
    )
    assert client.post("/any", data={}, headers={"Authorization": ADA}).text == "done"


def test_field_is_escaped_html(app: Erlen, parts: Guarded) -> None:
    """Litestar: an unescaped ``csrf_input``."""
    with app.test_request_context():
        field: t.Any = csrf_field()
        assert re.fullmatch(r'<input type="hidden" name="csrf_token" value="[\w=-]+">', field.__html__())
