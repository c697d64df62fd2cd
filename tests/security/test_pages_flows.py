"""The pages as a browser without scripts uses them: forms, redirects, what is seen."""

from __future__ import annotations

import re
import typing as t

import pytest

from account_pages import ADA, HTML, PASSWORD, Site
from erlen import session
from kept_sessions import KeptSessions, StuckSessions

NEW = "quite another password"


@pytest.fixture
def site(clock: t.Any) -> Site:
    return Site(clock)


def test_somebody_registers_activates_and_logs_in(site: Site) -> None:
    answer = site.post("/account/register", {"email": ADA, "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/register?sent=1")
    assert "Look into your mail" in site.get(answer.headers["Location"]).text
    link = site.link()
    # Programs that look at mails follow links as well.
    assert "Activate account" in site.get(link).text
    assert site.user().activated_at is None
    answer = site.post(link, {"password": PASSWORD})
    assert answer.headers["Location"] == "/account/login?notice=activated"
    assert "Your account is activated" in site.get(answer.headers["Location"]).text
    answer = site.post("/account/login?next=/account/sessions", {"email": ADA, "password": PASSWORD})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/sessions")
    assert "This device" in site.get("/account/sessions").text


def test_the_page_of_an_activation_asks_for_the_password_of_the_registration(site: Site) -> None:
    site.post("/account/register", {"email": ADA, "password": PASSWORD})
    link = site.link()
    shown = site.get(link).text
    (field,) = re.findall(r'<input id="password"[^>]*>', shown)
    assert 'autocomplete="current-password"' in field
    assert "required" in field
    assert shown.count("<button") == 1
    assert shown.index(field) < shown.index("<button")
    for data, status, told in (
        ({}, 422, "Fill in this field."),
        ({"password": NEW}, 400, "or ask for a recovery mail, which activates the account as well."),
    ):
        answer = site.post(link, data)
        assert (answer.status_code, told in answer.text) == (status, True)
        assert site.send(link, data).status_code == status
    assert site.user().activated_at is None
    assert NEW not in answer.text
    assert site.send(link, {"password": PASSWORD}).get_json() == {"status": "done"}
    assert site.user().activated_at is not None


def test_the_page_of_an_activation_says_when_it_may_be_tried_again(site: Site) -> None:
    site.post("/account/register", {"email": ADA, "password": PASSWORD})
    answers = [site.post(site.link(), {"password": NEW}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [400] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert site.send(site.link(), {"password": PASSWORD}).status_code == 429


def test_the_page_of_an_activation_asks_for_nothing_where_there_is_no_password(site: Site) -> None:
    with site.app.app_context():
        site.parts.accounts.create(ADA, None, activated=False)
    site.post("/account/activate", {"email": ADA})
    shown = site.get(site.link()).text
    assert "Activate account" in shown
    assert 'name="password"' not in shown
    assert site.post(site.link()).headers["Location"] == "/account/login?notice=activated"


def test_a_link_of_a_registration_that_counts_no_more_is_told_at_once(site: Site) -> None:
    site.post("/account/register", {"email": ADA, "password": PASSWORD})
    site.post("/account/register", {"email": ADA, "password": NEW})
    for answer in (site.get(site.link(0)), site.post(site.link(0), {"password": PASSWORD})):
        assert (answer.status_code, "This link does not work" in answer.text) == (400, True)


def test_a_link_works_once(site: Site) -> None:
    site.post("/account/register", {"email": ADA, "password": PASSWORD})
    link = site.link()
    site.post(link, {"password": PASSWORD})
    for answer in (site.get(link), site.post(link, {"password": PASSWORD}), site.post(link)):
        assert answer.status_code == 400
        assert "This link does not work" in answer.text


@pytest.mark.parametrize("path", ["register", "recover", "activate"])
def test_what_is_answered_tells_nobody_whether_there_is_an_account(clock: t.Any, path: str) -> None:
    """'user enumeration through messages, status or time' (ASVS 6.3.8)."""
    answers: list[t.Any] = []
    for known in (True, False):
        site = Site(clock)
        if known:
            site.add()
        answer = site.post(f"/account/{path}", {"email": ADA, "password": PASSWORD})
        shown = site.get(answer.headers["Location"])
        told = site.send(
            f"/account/{path}", {"email": ADA, **({"password": PASSWORD} if path == "register" else {})}
        )
        answers.append(
            (answer.status_code, answer.headers["Location"], shown.text, told.status_code, told.data)
        )
    assert answers[0] == answers[1]


def test_a_login_fails_in_one_way_for_all_reasons(site: Site) -> None:
    """'user enumeration through messages, status or time' (ASVS 6.3.8)."""
    site.add()
    site.add("off@example.com")
    site.parts.store.change_user(site.user("off@example.com").uid, is_active=False)
    site.add("new@example.com", activated=False)
    tried = [
        (ADA, "wrong password here"),
        ("nobody@example.com", PASSWORD),
        ("off@example.com", PASSWORD),
        ("new@example.com", PASSWORD),
    ]
    answers = [site.post("/account/login", {"email": email, "password": word}) for email, word in tried]
    pages = {
        re.sub(r'value="[^"]*"', "", answer.text).replace(email, "")
        for answer, (email, _) in zip(answers, tried, strict=True)
    }
    assert {answer.status_code for answer in answers} == {400}
    assert len(pages) == 1
    assert 'role="alert"' in pages.pop()


def test_passwords_are_not_in_the_page_that_refuses_them(site: Site) -> None:
    site.add()
    for path, data in [
        ("login", {"email": ADA, "password": "a secret that is wrong"}),
        ("register", {"email": "no address", "password": "a secret that is wrong"}),
    ]:
        answer = site.post(f"/account/{path}", data)
        assert answer.status_code in {400, 422}
        assert "a secret that is wrong" not in answer.text
        assert data["email"] in answer.text


def test_what_is_wrong_is_said_beside_the_field_and_above_the_form(site: Site) -> None:
    answer = site.post("/account/register", {"email": ADA, "password": "short"})
    assert answer.status_code == 422
    assert 'aria-invalid="true" aria-describedby="password-error password-hint"' in answer.text
    assert 'id="password-error"' in answer.text
    assert 'href="#password"' in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.test/",
        "//evil.test",
        "///evil.test",
        "\\\\evil.test",
        "/\\evil.test",
        "https://localhost.evil.test",
        "http://localhost:80@evil.test",
        "javascript:alert(1)",
        "/\t/evil.test",
        "https:evil.test",
    ],
)
def test_a_login_leads_to_no_other_site(site: Site, target: str) -> None:
    r"""CVE-2021-32618, CVE-2023-49438: open redirect through `\`, `///` and subdomains."""
    site.add()
    data = {"email": ADA, "password": PASSWORD}
    answer = site.client.post(
        "/account/login",
        query_string={"next": target},
        data=data,
        headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"},
    )
    assert answer.headers["Location"] == "/"
    # Nor for somebody who is logged in already.
    shown = site.client.get("/account/login", query_string={"next": target}, headers={"Accept": "text/html"})
    assert shown.headers["Location"] == "/"


@pytest.mark.parametrize("accept", ["application/json", "text/html", "*/*"])
def test_asking_for_the_login_page_gives_away_no_token(site: Site, accept: str) -> None:
    """CVE-2021-21241: GET on login leaked the token of who was logged in, to be read through another site."""
    site.add()
    site.log_in()
    answer = site.client.get("/account/login", headers={"Accept": accept})
    secret = _secret_of(site)
    assert secret not in answer.text
    assert "token" not in re.sub(r'name="csrf_token" value="[^"]*"', "", answer.text)


def _secret_of(site: Site) -> str:
    with site.client.session_transaction() as kept:
        return str(kept["_account"])


def test_visitors_get_no_session(site: Site) -> None:
    """'a session made for anonymous users'."""
    site.add()
    for path in ("login", "register", "recover", "activate", "logout"):
        site.get(f"/account/{path}")
    site.post("/account/login", {"email": ADA, "password": "wrong password here"})
    site.post("/account/recover", {"email": ADA})
    with site.client.session_transaction() as kept:
        assert not kept


def test_remembering_is_asked_for(site: Site) -> None:
    """'A remember token set by accident'."""
    site.add()
    data = {"email": ADA, "password": PASSWORD}
    site.post("/account/login", data)
    [record] = site.parts.sessions.all_of(site.user().uid)
    assert record.remember is False
    site.post("/account/login", {**data, "remember": "yes"})
    [record] = site.parts.sessions.all_of(site.user().uid)
    assert record.remember is True


# The second factor


def test_a_second_factor_is_asked_for(site: Site, clock: t.Any) -> None:
    site.add()
    site.log_in()
    secret, codes = site.set_up_totp()
    site.post("/account/logout")
    clock.forward(minutes=1)
    answer = site.post("/account/login?next=/account/log", {"email": ADA, "password": PASSWORD})
    assert answer.headers["Location"] == "/account/verify?next=/account/log"
    assert site.get("/account/").status_code in {302, 303}
    page = site.get(answer.headers["Location"])
    assert 'autocomplete="one-time-code"' in page.text
    assert 'inputmode="numeric"' in page.text
    wrong = site.post("/account/verify?next=/account/log", {"kind": "totp", "code": "000000"})
    assert wrong.status_code == 400
    done = site.post("/account/verify?next=/account/log", {"kind": "totp", "code": site.code(secret)})
    assert done.headers["Location"] == "/account/log"
    assert site.get("/account/").status_code == 200
    with site.client.session_transaction() as kept:
        assert set(kept) == {"_account"}
    assert len(codes) == 10


def test_the_first_step_gives_a_session_kept_on_the_server_another_id(site: Site, clock: t.Any) -> None:
    """Session fixation: whoever has planted the id would have a second step without the password."""

    @site.app.get("/cart")
    def cart() -> str:
        session["cart"] = ["tea"]
        return ""

    site.add()
    site.log_in()
    secret, _ = site.set_up_totp()
    site.client, attacker = site.app.test_client(), site.app.test_client()
    interface = site.app.session_interface = KeptSessions()
    attacker.get("/cart")
    (planted,) = interface.held
    site.client.set_cookie("sid", planted)
    clock.forward(minutes=1)
    site.post("/account/login", {"email": ADA, "password": PASSWORD})
    assert attacker.get("/account/verify", headers=HTML).status_code == 303
    assert site.post("/account/verify", {"kind": "totp", "code": site.code(secret)}).status_code == 303
    assert site.get("/account/").status_code == 200


def test_the_first_step_without_another_id_is_none(site: Site) -> None:
    site.add()
    site.log_in()
    site.set_up_totp()
    site.client, attacker = site.app.test_client(), site.app.test_client()
    site.app.config["PROPAGATE_EXCEPTIONS"] = False
    interface = site.app.session_interface = StuckSessions()
    interface.held["planted"] = {"cart": ["tea"]}
    for client in (site.client, attacker):
        client.set_cookie("sid", "planted")
    interface.is_stuck = True
    assert site.post("/account/login", {"email": ADA, "password": PASSWORD}).status_code == 500
    assert attacker.get("/account/verify", headers=HTML).status_code == 303


def test_a_recovery_code_stands_in_and_works_once(site: Site) -> None:
    site.add()
    site.log_in()
    _, codes = site.set_up_totp()
    for expected in (303, 400):
        site.post("/account/logout")
        site.post("/account/login", {"email": ADA, "password": PASSWORD})
        assert "Recovery code" in site.get("/account/verify?kind=code").text
        assert site.post("/account/verify", {"kind": "code", "code": codes[0]}).status_code == expected


def test_too_many_wrong_codes_end_the_login(site: Site, clock: t.Any) -> None:
    site.add()
    site.log_in()
    secret, _ = site.set_up_totp()
    site.post("/account/logout")
    site.post("/account/login", {"email": ADA, "password": PASSWORD})
    statuses = [
        site.post("/account/verify", {"kind": "totp", "code": f"{number:06}"}).status_code
        for number in range(6)
    ]
    assert 429 in statuses or statuses[-1] == 400
    clock.forward(minutes=6)
    answer = site.post("/account/verify", {"kind": "totp", "code": site.code(secret)})
    assert answer.headers["Location"].startswith("/account/login")
    assert site.get("/account/").status_code in {302, 303}


def test_the_second_step_begins_with_the_first(site: Site) -> None:
    answer = site.get("/account/verify")
    assert answer.headers["Location"] == "/account/login?notice=expired"
    assert site.post("/account/verify", {"kind": "totp", "code": "123456"}).status_code == 303


def test_an_authenticator_app_is_set_up_on_the_page(site: Site) -> None:
    site.add()
    site.log_in()
    page = site.get("/account/second-factor/app").text
    assert "<svg" in page
    sealed = re.search(r'name="sealed" value="([^"]+)"', page)
    groups = re.search(r'class="mono secret">((<span>[A-Z2-7]{1,4}</span>)+)<', page)
    assert sealed is not None
    assert groups is not None
    secret = re.sub("<.*?>", "", groups.group(1))
    wrong = site.post("/account/second-factor/app", {"sealed": sealed.group(1), "code": "000000"})
    assert wrong.status_code == 422
    # It is in the app already.
    assert groups.group(1) in wrong.text
    done = site.post("/account/second-factor/app", {"sealed": sealed.group(1), "code": site.code(secret)})
    assert done.status_code == 201
    assert done.text.count("<li>") >= 10
    assert site.parts.factors.totp.is_on(site.user())
    assert "10 left" in site.get("/account/second-factor").text
    site.post("/account/second-factor/app/remove")
    assert not site.parts.factors.available(site.user())


def test_a_role_may_ask_for_a_second_factor(clock: t.Any) -> None:
    site = Site(clock, second_factor_roles=("admin",))
    site.store.put_role("admin")
    site.add(roles=("admin",))
    answer = site.post("/account/login?next=/", {"email": ADA, "password": PASSWORD})
    assert answer.headers["Location"] == "/account/second-factor"
    assert "Your role asks" in site.get("/account/second-factor").text


# Recovery and changes


def test_a_password_is_reset_and_the_second_factor_stays(site: Site, clock: t.Any) -> None:
    """'Password reset that bypasses the second factor' (ASVS 6.4.3)."""
    site.add()
    site.log_in()
    site.set_up_totp()
    other = site.app.test_client()
    site.post("/account/logout")
    site.post("/account/recover", {"email": ADA})
    link = site.link()
    page = site.get(link)
    assert 'autocomplete="new-password"' in page.text
    weak = site.post(link, {"password": "short"})
    assert weak.status_code == 422
    answer = site.post(link, {"password": NEW})
    assert answer.headers["Location"] == "/account/login?notice=reset"
    assert site.get("/account/").status_code in {302, 303}
    assert site.get(link).status_code == 400
    answer = site.post("/account/login", {"email": ADA, "password": NEW})
    assert answer.headers["Location"] == "/account/verify"
    assert other.get("/account/").status_code == 401


def test_a_password_is_changed_and_other_sessions_end(site: Site) -> None:
    """'sessions that survive a password change' (ASVS 7.4.3, 6.2.3)."""
    site.add()
    other = Site.__new__(Site)
    other.__dict__.update(site.__dict__, client=site.app.test_client())
    other.log_in()
    site.log_in()
    wrong = site.post("/account/password", {"current": "not the password", "password": NEW})
    assert wrong.status_code == 400
    missing = site.post("/account/password", {"current": "", "password": NEW})
    assert missing.status_code == 422
    answer = site.post("/account/password", {"current": PASSWORD, "password": NEW})
    assert answer.headers["Location"] == "/account/"
    assert "Your password is changed" in site.get("/account/").text
    assert other.get("/account/").status_code in {302, 303}


def test_an_address_is_changed_when_both_are_told(site: Site) -> None:
    site.add()
    site.log_in()
    answer = site.post("/account/email", {"email": "lovelace@example.com"})
    assert answer.headers["Location"] == "/account/email?sent=1"
    assert {mail.to for mail in site.outbox.mails} == {ADA, "lovelace@example.com"}
    number = next(n for n, mail in enumerate(site.outbox.mails) if mail.to == "lovelace@example.com")
    link = site.link(number)
    assert "lovelace@example.com" in site.get(link).text
    assert site.user().email == ADA
    site.post(link)
    assert site.user("lovelace@example.com").email == "lovelace@example.com"


def test_who_did_not_ask_for_another_address_keeps_theirs(site: Site) -> None:
    site.add()
    site.log_in()
    site.post("/account/email", {"email": "thief@example.com"})
    number = next(n for n, mail in enumerate(site.outbox.mails) if mail.to == ADA)
    link = site.link(number)
    assert "It was not me" in site.get(link).text
    answer = site.post(link)
    assert answer.headers["Location"] == "/account/login?notice=kept"
    assert site.user().email == ADA
    assert site.get("/account/").status_code in {302, 303}


def test_sessions_are_listed_and_ended(site: Site) -> None:
    """ASVS 7.5.2."""
    site.add()
    other = site.app.test_client()
    other.post("/account/login", json={"email": ADA, "password": PASSWORD}, headers={"User-Agent": "curl/8"})
    site.log_in()
    page = site.get("/account/sessions").text
    assert "curl" in page
    found = re.search(r'action="(/account/sessions/[^"]+/revoke)"', page)
    assert found is not None
    answer = site.post(found.group(1))
    assert answer.headers["Location"] == "/account/sessions"
    assert other.get("/account/").status_code == 401
    assert "That device is signed out." in site.get("/account/sessions").text


def test_programs_are_listed_beside_the_sessions_and_end_with_them(site: Site) -> None:
    """ASVS 7.5.2: logins of programs are sessions, too."""
    site.add()
    site.log_in()
    assert "Programs" not in site.get("/account/sessions").text
    first = site.send("/account/token", {"scopes": []}).get_json()["refresh_token"]
    found = re.search(
        r'action="(/account/sessions/programs/[^"]+/revoke)"', site.get("/account/sessions").text
    )
    assert found is not None
    assert site.post(found.group(1)).headers["Location"] == "/account/sessions"
    assert "That program is signed out." in site.get("/account/sessions").text
    assert site.send("/account/token/refresh", {"refresh_token": first}).status_code == 400

    second = site.send("/account/token", {"scopes": []}).get_json()["refresh_token"]
    assert "all other devices and programs" in site.get("/account/sessions").text
    assert site.send("/account/sessions/revoke", {}).get_json() == {"status": "done", "count": 1}
    assert site.send("/account/token/refresh", {"refresh_token": second}).status_code == 400
    assert site.get("/account/").status_code == 200


def test_a_token_is_shown_once_and_revoked(site: Site) -> None:
    site.add()
    site.log_in()
    page = site.get("/account/tokens/new").text
    assert 'value="read"' in page
    made = site.post("/account/tokens/new", {"name": "backup", "scopes": ["read"], "days": "30"})
    assert made.status_code == 201
    secret = re.search(r'value="(erlen_[^"]+)"', made.text)
    assert secret is not None
    listed = site.get("/account/tokens").text
    assert "backup" in listed
    assert secret.group(1) not in listed
    found = re.search(r'action="(/account/tokens/[^"]+/revoke)"', listed)
    assert found is not None
    site.post(found.group(1))
    assert site.parts.tokens.authenticate(secret.group(1)) is None


def test_the_log_has_what_happened(site: Site) -> None:
    site.add()
    site.post("/account/login", {"email": ADA, "password": "wrong password here"})
    site.log_in()
    page = site.get("/account/log").text
    assert "You signed in" in page
    assert "Somebody tried to sign in and failed" in page


def test_an_account_is_deleted_after_asking(site: Site) -> None:
    site.add()
    site.log_in()
    assert "This cannot be undone" in site.get("/account/delete").text
    answer = site.post("/account/delete")
    assert answer.headers["Location"] == "/account/login?notice=deleted"
    assert site.store.user_by_email(ADA) is None


def test_logging_out_is_done_by_post(site: Site) -> None:
    site.add()
    site.log_in()
    assert "Sign out?" in site.get("/account/logout").text
    assert site.get("/account/").status_code == 200
    answer = site.post("/account/logout")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert site.get("/account/").status_code in {302, 303}


def test_who_one_is_is_shown_again_for_what_is_sensitive(site: Site, clock: t.Any) -> None:
    site.add()
    site.log_in()
    clock.forward(minutes=20)
    answer = site.get("/account/password")
    assert answer.headers["Location"] == "/account/reauthenticate?next=/account/password"
    page = site.get(answer.headers["Location"])
    assert "current-password" in page.text
    assert site.post(answer.headers["Location"], {"password": "wrong password here"}).status_code == 400
    assert site.post(answer.headers["Location"], {}).status_code == 422
    done = site.post(answer.headers["Location"], {"password": PASSWORD})
    assert done.headers["Location"] == "/account/password"
    assert site.get("/account/password").status_code == 200


def test_registration_may_be_closed(clock: t.Any) -> None:
    site = Site(clock, registration=False)
    for answer in (site.get("/account/register"), site.post("/account/register", {"email": ADA})):
        assert answer.status_code == 404
    assert "Create an account" not in site.get("/account/login").text


@pytest.mark.parametrize(
    "email",
    [
        "ada@example.com\0",
        "ada@example.com\u202emoc.elpmaxe",
        "аda@example.com",
        "@",
        "a" * 300 + "@example.com",
    ],
)
def test_what_is_no_address_is_refused(site: Site, email: str) -> None:
    """NUL, bidi characters, homoglyphs."""
    assert site.post("/account/register", {"email": email, "password": PASSWORD}).status_code == 422
    assert site.outbox.mails == []


def test_a_megabyte_of_password_is_refused(site: Site) -> None:
    site.add()
    answer = site.send("/account/login", {"email": ADA, "password": "x" * 2**20})
    assert answer.status_code == 422
    answer = site.post("/account/login", {"email": ADA, "password": "x" * 2**20})
    assert answer.status_code == 413


def test_too_many_attempts_are_told_when_to_come_back(clock: t.Any) -> None:
    site = Site(clock, login_rate="2 per minute")
    data = {"email": ADA, "password": "wrong password here"}
    answers = [site.post("/account/login", data) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert "Too many attempts" in answers[-1].text
