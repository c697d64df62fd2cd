"""The page about ASVS and published weaknesses: it has every requirement once, and every test that it names is there."""

from __future__ import annotations

import ast
import functools
import re
import typing as t
from pathlib import Path

import pytest

from account_pages import ADA, PASSWORD, Site
from erlen.ext.security import forms
from erlen.ext.security.api import ROUTES

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "accounts-asvs.md").read_text(encoding="utf-8")

# How many requirements of levels 1 and 2 each section has; they come before those of level 3.
SECTIONS = {
    section: int(count)
    for section, _, count in (
        one.partition(":")
        for one in (
            "6.1:3 6.2:12 6.3:4 6.4:4 6.5:5 6.6:3 6.8:4 7.1:3 7.2:4 7.3:2 7.4:5 7.5:2 7.6:2 "
            "8.1:2 8.2:3 8.3:1 8.4:1 9.1:3 9.2:4"
        ).split()
    )
}


@functools.cache
def names_in(name: str) -> frozenset[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse((TESTS / name).read_text(encoding="utf-8"))
    functions = ast.FunctionDef, ast.AsyncFunctionDef
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, functions))


def named() -> list[tuple[str, str]]:
    """Return file and name of each test that the page names."""
    return re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE)


def test_each_requirement_has_one_line() -> None:
    rows = re.findall(r"^\| (\d\.\d\.\d+) \| ([12]) \|", PAGE, re.MULTILINE)
    expected = [
        f"{section}.{number}" for section, count in SECTIONS.items() for number in range(1, count + 1)
    ]
    assert [number for number, _ in rows] == expected


def test_each_line_has_a_test_or_a_reason() -> None:
    for line in re.findall(r"^\| (?!requirement|weakness|-|#).*\|$", PAGE, re.MULTILINE):
        *_, how, shown = (cell.strip() for cell in line.strip("|").split(" | "))
        assert how, line
        assert "::" in shown or shown.startswith(("not ", "the application", "documented: [")), line


def test_each_named_test_is_there() -> None:
    found = named()
    assert len(found) > 100
    assert [f"{file}::{name}" for file, name in found if name not in names_in(file)] == []


# What no other file shows


@pytest.fixture
def site(clock: t.Any) -> Site:
    return Site(clock)


def test_a_password_is_good_for_years(site: Site, clock: t.Any) -> None:
    """ASVS 6.2.10: nobody has to change a password because it is old."""
    site.add()
    clock.forward(days=3650)
    site.log_in()
    assert site.get("/account/").status_code == 200


def test_nobody_is_there_to_begin_with(site: Site) -> None:
    """ASVS 6.3.2: no default accounts, and no roles that somebody could have."""
    assert (list(site.store.users()), list(site.store.roles())) == ([], [])


def test_nobody_is_asked_a_secret_question() -> None:
    """ASVS 6.4.2: neither hints nor questions, in any form."""
    assert list(forms.REGISTER.fields) == ["email", "password"]
    assert list(forms.ADDRESS.fields) == ["email"]
    assert list(forms.RESET.fields) == ["password"]
    asked = [route.post.form for route in ROUTES if route.post is not None and route.post.form is not None]
    assert not {name for form in asked for name in form.fields} & {"hint", "question", "answer"}


def test_each_page_of_the_account_has_a_button_to_sign_out(site: Site) -> None:
    """ASVS 7.4.4."""
    site.add()
    site.log_in()
    paths = [
        route.rule for route in ROUTES if route.page and route.needs != "nobody" and "<" not in route.rule
    ]
    # The page that asks once more who one is has one thing to do, and its way back.
    for path in sorted(set(paths) - {"/reauthenticate"}):
        page = site.get(f"/account{path}")
        assert page.status_code == 200, path
        assert 'action="/account/logout"' in page.text, path


def test_the_sessions_of_everybody_are_ended_by_a_loop(site: Site) -> None:
    """ASVS 7.4.5, as the guide says it."""
    for email in (ADA, "eve@example.com"):
        site.add(email)
        site.client = site.app.test_client()
        site.log_in(email)
    ended = [site.parts.sessions.revoke_all(user) for user in site.store.users()]
    assert ended == [1, 1]
    assert site.fetch("/account/").status_code == 401


def test_asking_for_pages_begins_no_session(site: Site) -> None:
    """ASVS 7.6.2: a session begins with something that a user does, also where a provider has one of theirs."""
    user = site.add()
    for route in ROUTES:
        site.get(f"/account{re.sub('<[^>]+>', 'x', route.rule)}")
    assert list(site.store.sessions(user.uid)) == []
    assert "GET" not in next(route.methods for route in ROUTES if route.endpoint == "openid_start")


def test_pages_and_mails_never_say_a_password(site: Site) -> None:
    """ASVS 6.4.1: nobody is sent a password, and no link is one."""
    site.post("/account/register", {"email": ADA, "password": PASSWORD})
    shown = [site.get(site.link()), site.post(site.link(), {"password": PASSWORD + "x"})]
    assert all(PASSWORD not in answer.text for answer in shown)
    assert site.post(site.link(), {"password": PASSWORD}).status_code == 303
    site.post("/account/recover", {"email": ADA})
    assert len(site.outbox.mails) == 2
    assert all(PASSWORD not in mail.text + mail.html for mail in site.outbox.mails)


def test_headers_of_proxies_that_nobody_named_lead_around_no_limit(clock: t.Any) -> None:
    """Litestar: X-Forwarded-For defeats the rate limit."""
    site = Site(clock, login_rate="3 per minute")
    answers: list[int] = []
    for number in range(4):
        headers = {"Accept": "application/json"}
        for name in ("X-Forwarded-For", "X-Real-IP", "Forwarded", "CF-Connecting-IP"):
            headers[name] = f"for=192.0.2.{number}" if name == "Forwarded" else f"192.0.2.{number}"
        values = {"email": f"user{number}@example.com", "password": PASSWORD}
        answers.append(site.client.post("/account/login", json=values, headers=headers).status_code)
    assert answers == [400, 400, 400, 429]
