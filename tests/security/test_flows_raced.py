"""Whole flows that several clients want at one time, over both protocols and on databases: one gets what they want."""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import contextlib
import re
import typing as t
from html import unescape

import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.orm import sessionmaker

import stores
from account_pages import ADA, JSON, PASSWORD, Site
from erlen.ext.security.sqlalchemy import SQLAlchemyStore
from races import at_once

AT_ONCE = 8
NEW = "another long sentence"

Bodies: t.TypeAlias = cabc.Sequence[cabc.Mapping[str, t.Any]]


@pytest.fixture(scope="module")
def with_wal(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[stores.Opened]:
    """Return a store in a file of SQLite as applications have it: readers do not wait for who writes."""
    engine = create_engine(f"sqlite:///{tmp_path_factory.mktemp('raced') / 'shop.db'}")
    event.listen(engine, "connect", stores.pragmas("foreign_keys = ON", "journal_mode = WAL"))
    stores.Base.metadata.create_all(engine)

    def empty() -> None:
        with engine.begin() as connection:
            for table in reversed(stores.Base.metadata.sorted_tables):
                connection.execute(table.delete())

    with contextlib.closing(SQLAlchemyStore(sessionmaker(engine), stores.MODELS)) as store:
        yield stores.Opened(store, empty)
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, clock: t.Any) -> Site:
    if request.param == "sqlite":
        opened = request.getfixturevalue("with_wal")
    else:
        opened = request.getfixturevalue("opened_store")("postgresql")
    opened.empty()
    return Site(clock, store=opened.store, lock_after=100)


@pytest.fixture(params=["wsgi", "asgi"])
def over(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def race(site: Site, over: str, path: str, bodies: Bodies, *, cookie: str = "") -> list[t.Any]:
    """Send several bodies to one address at the same time, and return the answers. None may be an error of the server."""
    headers = {**JSON, **({"Cookie": cookie} if cookie else {})}

    def one(number: int) -> t.Any:
        client = site.app.test_client(use_cookies=False)
        return client.post(path, json=bodies[number], headers=headers)

    async def all_of_them() -> list[t.Any]:
        client = site.app.async_test_client(use_cookies=False)
        return await asyncio.gather(*(client.post(path, json=body, headers=headers) for body in bodies))

    answers = at_once(one, len(bodies)) if over == "wsgi" else asyncio.run(all_of_them())
    assert all(answer.status_code < 500 for answer in answers), [answer.text for answer in answers]
    return answers


def one_wins(answers: cabc.Sequence[t.Any]) -> int:
    """Return the number of the one whose request went through. The others were told clearly that theirs did not."""
    won = [number for number, answer in enumerate(answers) if answer.status_code < 300]
    assert len(won) == 1, [answer.text for answer in answers]
    for number, answer in enumerate(answers):
        if number != won[0]:
            assert answer.status_code in {400, 401, 429}, answer.text
            assert answer.mimetype == "application/problem+json"
            assert answer.get_json()["detail"]
    return won[0]


def cookie_of(site: Site) -> str:
    """Return the cookie of the browser as a header has it."""
    cookie = site.client.get_cookie("session")
    assert cookie is not None
    return f"session={cookie.value}"


def links(site: Site, path: str, to: str = ADA) -> list[str]:
    """Return the paths of the links in all mails to somebody that lead to an address."""
    texts = "\n".join(mail.text for mail in site.outbox.mails if mail.to == to)
    return [unescape(one) for one in re.findall(rf"https?://[^/\s]+(/account/{path}/\S+)", texts)]


def told(site: Site, name: str) -> int:
    return len(site.store.events(name=name))


def test_one_activates_an_account(site: Site, over: str) -> None:
    site.send("/account/register", {"email": ADA, "password": PASSWORD})
    [link] = links(site, "activate")
    one_wins(race(site, over, link, [{"password": PASSWORD}] * AT_ONCE))
    assert told(site, "activated") == 1
    site.log_in()


def test_one_resets_a_password(site: Site, over: str) -> None:
    site.add()
    site.log_in()
    site.send("/account/recover", {"email": ADA})
    [link] = links(site, "reset")
    won = one_wins(race(site, over, link, [{"password": f"{NEW} {one}"} for one in range(AT_ONCE)]))
    assert told(site, "password_reset") == 1
    assert site.fetch("/account/").status_code == 401
    for number in range(AT_ONCE):
        answer = site.send("/account/login", {"email": ADA, "password": f"{NEW} {number}"})
        assert answer.status_code == (200 if number == won else 400)


def test_one_gets_in_by_a_second_step(site: Site, over: str, clock: t.Any) -> None:
    site.add()
    site.log_in()
    secret, _ = site.set_up_totp()
    site.send("/account/logout")
    clock.forward(minutes=1)
    pending = site.send("/account/login", {"email": ADA, "password": PASSWORD}).get_json()["pending"]
    body = {"kind": "totp", "code": site.code(secret), "pending": pending}
    answers = race(site, over, "/account/verify", [body] * AT_ONCE)
    won = one_wins(answers)
    assert [number for number, one in enumerate(answers) if "Set-Cookie" in one.headers] == [won]
    assert len(site.store.sessions(site.user().uid)) == 1


def test_nobody_keeps_what_one_refresh_token_gave_to_several(site: Site, over: str) -> None:
    """A refresh token that is shown again was copied, so the pair that one of them gets ends as well."""
    site.add()
    site.log_in()
    pair = site.send("/account/token", {"scopes": ["read"]}).get_json()
    body = {"refresh_token": pair["refresh_token"]}
    answers = race(site, over, "/account/token/refresh", [body] * AT_ONCE)
    for answer in answers:
        assert answer.status_code in {200, 400}
    given = [answer.get_json() for answer in answers if answer.status_code == 200]
    assert len(given) <= 1
    for one in (pair, *given):
        bearer = {**JSON, "Authorization": f"Bearer {one['access_token']}"}
        assert site.parts.tokens.authenticate(bearer["Authorization"].removeprefix("Bearer ")) is None
        again = site.send("/account/token/refresh", {"refresh_token": one["refresh_token"]})
        assert again.status_code == 400
    assert told(site, "refresh_reused") == 1


def test_one_changes_an_address(site: Site, over: str) -> None:
    site.add()
    site.log_in()
    site.send("/account/email", {"email": "new@example.com"})
    # The address so far has one as well, to object.
    [link] = links(site, "email", to="new@example.com")
    one_wins(race(site, over, link, [{}] * AT_ONCE))
    assert told(site, "email_changed") == 1
    assert site.store.user_by_email(ADA) is None
    assert site.user("new@example.com").uid


def test_one_address_is_registered_once_and_one_password_counts(site: Site, over: str) -> None:
    passwords = [f"{NEW} {number}" for number in range(AT_ONCE)]
    bodies = [{"email": ADA, "password": one} for one in passwords]
    answers = race(site, over, "/account/register", bodies)
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, answers[0].text)}
    assert len(site.store.users()) == 1
    stored = site.user().password_hash
    [password] = [one for one in passwords if site.parts.passwords.verify(one, stored).matches]
    bodies = [{"password": password}]
    opened = [link for link in links(site, "activate") if site.send(link, bodies[0]).status_code == 200]
    assert len(opened) == 1, "its mail has a link that works, and no other mail has"
    assert site.send("/account/login", {"email": ADA, "password": password}).status_code == 200


def test_one_changes_a_password(site: Site, over: str) -> None:
    site.add()
    site.log_in()
    bodies = [{"current": PASSWORD, "password": f"{NEW} {one}"} for one in range(AT_ONCE)]
    answers = race(site, over, "/account/password", bodies, cookie=cookie_of(site))
    won = one_wins(answers)
    assert told(site, "password_changed") == 1
    assert [
        number for number, one in enumerate(answers) if "session=" in one.headers.get("Set-Cookie", "")
    ] == [won]
    [cookie] = [one.partition(";")[0] for one in answers[won].headers.getlist("Set-Cookie")]
    client = site.app.test_client(use_cookies=False)
    assert client.get("/account/", headers={**JSON, "Cookie": cookie}).status_code == 200
    assert len(site.store.sessions(site.user().uid)) == 1
    for number in range(AT_ONCE):
        answer = site.send("/account/login", {"email": ADA, "password": f"{NEW} {number}"})
        assert answer.status_code == (200 if number == won else 400)
