"""Who is thrown out while a request is on its way gets nothing of it that outlives that."""

from __future__ import annotations

import json
import typing as t

import pytest

from account_pages import ADA, PASSWORD, Site
from erlen.ext.security import current_user, signals
from erlen.ext.security.mail import Mail, Outbox
from erlen.ext.security.types import SessionRecord, Token
from kept_sessions import KeptSessions
from memory_store import MemoryStore
from slow_bodies import SlowBody

TOKEN = {"name": "x", "days": "7"}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("/account/tokens/new", TOKEN),
        ("/account/token", {}),
        ("/account/second-factor/codes", {}),
        ("/account/email", {"email": "eve@example.com"}),
        ("/account/delete", {}),
    ],
)
@pytest.mark.parametrize("is_asked_before", [False, True])
def test_body_that_is_held_back_is_no_way_to_stay(
    path: str, values: t.Any, is_asked_before: bool, clock: t.Any
) -> None:
    """Over WSGI a body is read by the view, when it comes; over ASGI it is there before."""
    site = Site(clock)
    if is_asked_before:
        site.app.before_request(lambda: str(current_user.email) and None)
    user = site.add()
    site.log_in()

    def throw_out() -> None:
        with site.app.app_context():
            site.parts.accounts.set_password(user, "another long sentence")

    body = SlowBody(json.dumps(values).encode(), throw_out)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body.getvalue()))}
    answer = site.client.post(path, input_stream=body, headers=headers)
    assert answer.status_code == 401, answer.text
    assert site.user().email == ADA
    assert not [one for kind in ("api", "refresh", "email") for one in site.store.tokens(user.uid, kind)]


class EndingMeanwhile(MemoryStore):
    """A store in which the sessions of a user end at the moment in which a token is made."""

    def add_token(self, token: Token) -> None:
        super().add_token(token)
        if token.purpose in {"api", "refresh"}:
            self.end_sessions(str(token.uid))


@pytest.mark.parametrize(("path", "values"), [("/account/tokens/new", TOKEN), ("/account/token", {})])
def test_token_does_not_outlive_the_login_that_ends_meanwhile(path: str, values: t.Any, clock: t.Any) -> None:
    site = Site(clock, store=EndingMeanwhile())
    user = site.add()
    site.log_in()
    answer = site.send(path, values)
    assert (answer.status_code, answer.get_json()["detail"]) == (400, "Your login has ended. Sign in again.")
    assert not [one for kind in ("api", "refresh") for one in site.store.tokens(user.uid, kind)]


class SwitchedOffMeanwhile(MemoryStore):
    """A store in which an account is switched off while a session of it begins."""

    is_attacked = True

    def add_session(self, record: SessionRecord, limit: int) -> None:
        if self.is_attacked:
            self.change_user(record.uid, is_active=False)
            self.end_sessions(record.uid)
        super().add_session(record, limit)


def test_session_that_begins_while_the_account_is_switched_off_does_not_wait_for_its_return(
    clock: t.Any,
) -> None:
    site = Site(clock, store=SwitchedOffMeanwhile())
    user = site.add()
    answer = site.send("/account/login", {"email": ADA, "password": PASSWORD})
    assert answer.status_code == 400
    assert site.store.sessions(user.uid) == []
    site.store.is_attacked = False
    with site.app.app_context():
        site.parts.accounts.set_active(user, True)
    assert site.fetch("/account/").status_code == 401
    site.log_in()


class DeletedMeanwhile(MemoryStore):
    """A store in which an account is deleted while a session of it begins."""

    def add_session(self, record: SessionRecord, limit: int) -> None:
        self.delete_user(record.uid)
        super().add_session(record, limit)


def test_login_of_an_account_that_is_deleted_meanwhile_is_refused(clock: t.Any) -> None:
    site = Site(clock, store=DeletedMeanwhile())
    site.add()
    answer = site.send("/account/login", {"email": ADA, "password": PASSWORD})
    assert (answer.status_code, answer.get_json()["detail"]) == (400, "These credentials are not right.")


class Broken(MemoryStore):
    """A store that cannot note a login, as a column is missing."""

    def note_login(self, uid: str, at: t.Any, address: str | None) -> None:
        raise KeyError("last_login_at")


class Unknowing(KeptSessions):
    """Does not expect a session that it does not hold."""

    def regenerate(self, session: t.Any) -> None:
        del self.held[session.sid]


@pytest.mark.parametrize("broken", ["store", "interface"])
def test_mistake_of_others_is_not_taken_for_wrong_credentials(broken: str, clock: t.Any) -> None:
    site = Site(clock, store=Broken() if broken == "store" else None)
    if broken == "interface":
        site.app.session_interface = Unknowing()
    site.app.config["PROPAGATE_EXCEPTIONS"] = True
    site.add()
    with pytest.raises(KeyError):
        site.send("/account/login", {"email": ADA, "password": PASSWORD})


class ResetMeanwhile(MemoryStore):
    """A store in which a password is replaced while the link to a new address is used."""

    def use_token(self, key: str, purpose: str, at: t.Any) -> Token | None:
        found = super().use_token(key, purpose, at)
        if found is not None and purpose == "email":
            self.change_user(str(found.uid), password_hash=None, password_changed_at=at)
        return found


def test_address_is_not_changed_beside_a_new_password(clock: t.Any) -> None:
    """Whoever is thrown out by it would get a recovery mail at the address that they have asked for."""
    site = Site(clock, store=ResetMeanwhile())
    site.add()
    site.log_in()
    site.send("/account/email", {"email": "eve@example.com"})
    (link,) = [number for number, mail in enumerate(site.outbox.mails) if mail.to == "eve@example.com"]
    clock.forward(minutes=1)
    assert site.send(site.link(link)).status_code == 400
    assert site.user().email == ADA


@pytest.mark.parametrize("ends_by", ["reset", "switching off"])
def test_change_of_address_is_not_mailed_to_who_was_thrown_out_meanwhile(ends_by: str, clock: t.Any) -> None:
    """Mails go out after the answer, and later still where many wait."""
    site = Site(clock)
    user = site.add()
    site.log_in()
    clock.forward(minutes=1)

    def throw_out(*_: t.Any, **__: t.Any) -> None:
        if ends_by == "reset":
            site.parts.accounts.set_password(user, "another long sentence")
        else:
            site.parts.accounts.set_active(user, False)

    with signals.email_change_asked.connected_to(throw_out, sender=site.app):
        assert site.send("/account/email", {"email": "eve@example.com"}).status_code == 202
    assert [mail.to for mail in site.outbox.mails if mail.to != ADA] == []
    assert not site.store.tokens(user.uid, "email")


class Slow(Outbox):
    """A mailer that takes so long for the first mail that something happens before the second one."""

    first: t.Callable[[], object] | None = None

    def send(self, mail: Mail) -> None:
        super().send(mail)
        first, self.first = self.first, None
        if first is not None:
            first()


def test_change_of_address_that_is_mailed_after_a_reset_is_of_no_use(clock: t.Any) -> None:
    """The owner is written to first, which may take seconds."""
    mailer = Slow()
    site = Site(clock, mailer=mailer)
    user = site.add()
    site.log_in()
    clock.forward(minutes=1)
    mailer.first = lambda: site.parts.accounts.set_password(user, "another long sentence")
    site.send("/account/email", {"email": "eve@example.com"})
    (mail,) = mailer.to("eve@example.com")
    link = mail.text.partition("/account/email/")[2].split()[0]
    assert site.send(f"/account/email/{link}").status_code == 400
    assert site.user().email == ADA
