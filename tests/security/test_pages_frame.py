"""What all pages have in common: headers, the frame, errors, templates of the application."""

from __future__ import annotations

import typing as t

import pytest

from account_pages import ADA, HTML, JSON, PASSWORD, Site
from erlen.ext.security.api import ROUTES, Route


@pytest.fixture
def site(clock: t.Any) -> Site:
    site = Site(clock)
    site.add()
    return site


OPEN = ["login", "register", "activate", "recover", "logout"]
CLOSED = [
    route.rule.strip("/")
    for route in ROUTES
    if route.needs != "nobody" and route.page and "<" not in route.rule
]


@pytest.mark.parametrize("path", OPEN)
def test_pages_for_visitors_have_the_headers_of_security(site: Site, path: str) -> None:
    answer = site.get(f"/account/{path}")
    assert answer.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "script-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_pages_of_users_are_kept_by_no_cache(site: Site) -> None:
    """ASVS 14.3.2, and the rule of `Vary` on any touch of the session."""
    site.log_in()
    for path in CLOSED:
        answer = site.get(f"/account/{path}")
        assert answer.status_code == 200, path
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Cookie" in answer.headers["Vary"]


def test_pages_of_users_lead_visitors_to_the_login_and_back(site: Site) -> None:
    for path in CLOSED:
        answer = site.get(f"/account/{path}", follow_redirects=False)
        assert answer.status_code in {302, 303}, path
        assert answer.headers["Location"].startswith("/account/login?next=")


def address_of(route: Route) -> str:
    return "/account" + route.rule.replace("<id>", "x").replace("<token>", "x").replace("<name>", "x")


POSTS = [route for route in ROUTES if route.post is not None]


def test_nothing_is_changed_for_visitors(site: Site) -> None:
    for route in POSTS:
        if route.needs != "nobody":
            answer = site.send(address_of(route), {})
            assert answer.status_code == 401, route.endpoint
            assert answer.mimetype == "application/problem+json"
            assert "WWW-Authenticate" in answer.headers


def test_what_is_sensitive_asks_for_a_fresh_login(site: Site, clock: t.Any) -> None:
    """ASVS 7.5.1 and 7.5.3."""
    site.log_in()
    clock.forward(minutes=16)
    for route in POSTS:
        if route.needs == "fresh":
            answer = site.send(address_of(route), {})
            assert answer.status_code == 401, route.endpoint
            assert answer.get_json()["code"] == "fresh_login_required"
            if route.page:
                shown = site.get(address_of(route))
                assert shown.headers["Location"].startswith("/account/reauthenticate?next=")


def test_what_changes_something_is_done_by_post_alone(site: Site) -> None:
    site.log_in()
    before = dict(site.user().__dict__)
    for route in POSTS:
        answer = site.get(address_of(route))
        assert answer.status_code in ({200, 302, 303, 400, 404} if route.page else {405, 200}), route.endpoint
        assert dict(site.user().__dict__) == before
        assert len(site.parts.sessions.all_of(site.user().uid)) == 1


def test_forms_of_other_sites_are_refused(site: Site) -> None:
    """CSRF: by the core's check, which all of these addresses are under."""
    site.log_in()
    for route in POSTS:
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.test"}):
            data = {"email": ADA, "password": PASSWORD}
            answer = site.client.post(address_of(route), data=data, headers={**HTML, **headers})
            assert answer.status_code == 403, route.endpoint


def test_a_form_of_an_old_browser_needs_the_token_of_the_page(site: Site) -> None:
    import re

    data = {"email": ADA, "password": PASSWORD}
    assert site.client.post("/account/login", data=data, headers=HTML).status_code == 403
    found = re.search(r'name="csrf_token" value="([^"]+)"', site.get("/account/login").text)
    assert found is not None
    answer = site.client.post("/account/login", data={**data, "csrf_token": found.group(1)}, headers=HTML)
    assert answer.status_code == 303


def test_form_action_names_the_origins_that_next_may_lead_to(clock: t.Any) -> None:
    site = Site(clock, redirect_origins=("https://shop.example.test",))
    policy = site.get("/account/login").headers["Content-Security-Policy"]
    assert "form-action 'self' https://shop.example.test;" in policy


def test_no_page_has_anything_inline(site: Site) -> None:
    site.log_in()
    pages = [site.get(f"/account/{path}").text for path in CLOSED]
    site.send("/account/logout")
    pages += [site.get(f"/account/{path}").text for path in OPEN]
    for page in pages:
        assert "<style" not in page
        assert " style=" not in page
        assert "onclick" not in page
        assert page.count("<script") == page.count("<script src=")


def test_each_page_is_made_for_screen_readers(site: Site) -> None:
    """One heading of the first rank, a language, a title, a label for each field."""
    import re

    site.log_in()
    pages = {path: site.get(f"/account/{path}").text for path in CLOSED}
    site.send("/account/logout")
    pages |= {path: site.get(f"/account/{path}").text for path in OPEN}
    for path, page in pages.items():
        assert page.count("<h1") == 1, path
        assert '<html lang="en">' in page
        assert re.search(r"<title>[^<]+ · [^<]+</title>", page), path
        for tag in re.findall(r"<input [^>]+>", page):
            if 'type="hidden"' not in tag and " hidden" not in tag:
                found = re.search(r' id="([^"]+)"', tag)
                assert found is not None, tag
                assert f'for="{found.group(1)}"' in page, tag


def test_the_style_sheet_and_the_script_may_be_kept(site: Site) -> None:
    for name, kind in (("security.css", "text/css"), ("passkeys.js", "text/javascript")):
        answer = site.get(f"/account/static/{name}")
        assert answer.status_code == 200
        assert answer.mimetype == kind
        assert answer.headers.get("Cache-Control") != "no-store"


def test_an_unknown_address_is_answered_in_the_way_of_the_client(site: Site) -> None:
    site.log_in()
    shown = site.post("/account/sessions/nothing/revoke")
    assert shown.status_code == 404
    assert "<h1>Not Found</h1>" in shown.text
    told = site.send("/account/sessions/nothing/revoke")
    assert told.status_code == 404
    assert told.mimetype == "application/problem+json"
    assert told.get_json()["code"] == "not_found"


def test_templates_of_the_application_replace_ours(site: Site, tmp_path: t.Any) -> None:
    folder = tmp_path / "security"
    folder.mkdir()
    (tmp_path / "layout.html").write_text("<body class=shop>{% block main %}{% endblock %}", encoding="utf-8")
    (folder / "base.html").write_text(
        "{% extends 'layout.html' %}{% block main %}<div class='security'>{% block content %}{% endblock %}</div>"
        "{% endblock %}",
        encoding="utf-8",
    )
    (folder / "recover.html").write_text("only this", encoding="utf-8")
    site.app.template_folder = str(tmp_path)
    shown = site.get("/account/login").text
    assert shown.startswith("<body class=shop><div class='security'>")
    assert "<h1>Sign in</h1>" in shown
    assert site.get("/account/recover").text == "only this"
    # Pages of an account have blocks inside of `content`, whose names are none that a layout has.
    site.log_in()
    shown = site.get("/account/").text
    assert shown.startswith("<body class=shop><div class='security'>")
    assert 'aria-label="Account"' in shown
    assert "<h1>Your account</h1>" in shown


def test_who_is_not_let_in_gets_a_page_in_the_same_frame(site: Site) -> None:
    from erlen.ext.security.access import roles_required

    @site.app.get("/admin")
    @roles_required("admin")
    def admin() -> str:
        return "for administrators"

    site.log_in()
    answer = site.get("/admin")
    assert answer.status_code == 403
    assert "security.css" in answer.text
    assert "<h1>" in answer.text


def test_texts_are_translated_where_the_application_translates(site: Site) -> None:
    def translated(text: str, **values: t.Any) -> str:
        return f"[{text % values}]" if values else f"[{text}]"

    site.app.jinja_env.globals["_"] = translated
    shown = site.get("/account/login").text
    assert "<h1>[Sign in]</h1>" in shown
    assert "[E-mail address]" in shown


def test_errors_with_texts_of_visitors_are_not_looked_up(site: Site) -> None:
    """A catalogue may take '%' for its own, and what it returns for markup."""
    site.app.jinja_env.globals["_"] = lambda text, **values: __import__("markupsafe").Markup(text) % values
    answer = site.post("/account/register", {"email": "<b>100%s</b>@", "password": PASSWORD})
    assert answer.status_code == 422
    assert "<b>100" not in answer.text


def test_a_program_that_says_nothing_gets_json(site: Site) -> None:
    answer = site.client.post("/account/login", json={"email": ADA, "password": "wrong"})
    assert answer.mimetype == "application/problem+json"
    assert site.client.get("/account/openapi.json", headers=JSON).status_code == 200
