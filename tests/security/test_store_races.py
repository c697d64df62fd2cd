"""Requests that want the same at one time: exactly one of them gets it, in every store."""

from __future__ import annotations

from erlen.ext.security.errors import EmailTaken
from erlen.ext.security.keys import digest
from erlen.ext.security.store import Store
from races import AT_ONCE, at_once
from records import NOW, a_passkey, a_session, a_token, a_user, an_identity

ROUNDS = 3


def test_one_gets_a_token(any_store: Store) -> None:
    ada = a_user(any_store)
    for number in range(ROUNDS):
        secret = digest(f"s{number}")
        any_store.add_token(a_token(ada.uid, f"s{number}"))
        got = at_once(lambda _, secret=secret: any_store.use_token(secret, "reset", NOW))
        assert sum(token is not None for token in got) == 1


def test_one_takes_a_time_step(any_store: Store) -> None:
    """TOTP code accepted twice."""
    ada = a_user(any_store)
    for step in range(1, ROUNDS + 1):
        assert sorted(at_once(lambda _, step=step: any_store.take_totp_step(ada.uid, step)))[-2:] == [False, True]


def test_one_registers_an_address(any_store: Store) -> None:
    def register(number: int, name: str) -> str | None:
        try:
            return a_user(any_store, name).uid
        except EmailTaken:
            return None

    for number in range(ROUNDS):
        uids = at_once(lambda one, name=f"ada{number}": register(one, name))
        assert sum(uid is not None for uid in uids) == 1
        found = any_store.user_by_email(f"ada{number}@example.com")
        assert found is not None
        assert found.uid in uids


def test_one_changes_to_an_address(any_store: Store) -> None:
    users = [a_user(any_store, f"user{number}") for number in range(AT_ONCE)]

    def change(number: int) -> bool:
        try:
            return any_store.change_user(users[number].uid, email="new@example.com", email_key="new@example.com")
        except EmailTaken:
            return False

    assert sum(at_once(change)) == 1


def test_one_rotates_a_session(any_store: Store) -> None:
    ada = a_user(any_store)
    for number in range(ROUNDS):
        key = digest(f"s{number}")
        any_store.add_session(a_session(ada.uid, f"s{number}"), 50)
        won = at_once(lambda one, key=key: any_store.change_session(key, key=digest(f"{key}{one}")))
        assert sum(won) == 1
        assert any_store.session(key) is None
        assert any_store.session(digest(f"{key}{won.index(True)}")) is not None


def test_one_changes_a_user_on_a_condition(any_store: Store) -> None:
    ada = a_user(any_store, password_hash="old")
    won = at_once(
        lambda one: any_store.change_user_if(ada.uid, {"password_hash": "old"}, password_hash=f"new{one}")
    )
    assert sum(won) == 1
    found = any_store.user(ada.uid)
    assert found is not None
    assert found.password_hash == f"new{won.index(True)}"


def test_one_notes_the_count_of_a_passkey(any_store: Store) -> None:
    ada = a_user(any_store)
    any_store.add_passkey(a_passkey(ada.uid, "c", sign_count=1))
    assert sum(at_once(lambda one: any_store.note_passkey("c", 1, 2 + one, NOW))) == 1


def test_one_adds_a_passkey_and_an_account_somewhere_else(any_store: Store) -> None:
    users = [a_user(any_store, f"user{number}") for number in range(AT_ONCE)]
    assert sum(at_once(lambda one: any_store.add_passkey(a_passkey(users[one].uid, "c")))) == 1
    assert sum(at_once(lambda one: any_store.add_identity(an_identity(users[one].uid, "1")))) == 1


def test_one_gives_a_role(any_store: Store) -> None:
    ada = a_user(any_store)
    any_store.put_role("admin")
    assert sum(at_once(lambda _: any_store.grant(ada.uid, "admin"))) == 1
    assert sum(at_once(lambda _: any_store.withdraw(ada.uid, "admin"))) == 1


def test_a_role_is_added_by_several(any_store: Store) -> None:
    for number in range(ROUNDS):
        name = f"role{number}"
        roles = at_once(lambda one, name=name: any_store.put_role(name, permissions=[f"p{one}"]))
        assert {role.name for role in roles} == {name}
    assert len(any_store.roles()) == ROUNDS


def test_no_two_attempts_have_one_number(any_store: Store) -> None:
    """A lock after five attempts cannot be passed by making them at once, from the first one on."""
    for number in range(ROUNDS):
        key = f"ada{number}"
        counts = at_once(lambda _, key=key: any_store.count_attempt(key, NOW, NOW))
        assert sorted(counts) == list(range(1, AT_ONCE + 1))


def test_no_login_and_no_failure_is_lost(any_store: Store) -> None:
    ada = a_user(any_store)
    at_once(lambda _: any_store.note_failure(ada.uid, NOW))
    found = any_store.user(ada.uid)
    assert found is not None
    assert found.failed_count == AT_ONCE
    at_once(lambda _: any_store.note_login(ada.uid, NOW, None))
    found = any_store.user(ada.uid)
    assert found is not None
    assert found.login_count == AT_ONCE


def test_several_logins_at_once_keep_to_the_limit(any_store: Store) -> None:
    ada = a_user(any_store)
    at_once(lambda one: any_store.add_session(a_session(ada.uid, str(one)), 2))
    assert len(any_store.sessions(ada.uid)) == 2


def test_nothing_is_left_of_a_user_who_logs_in_while_they_are_deleted(any_store: Store) -> None:
    def one(number: int, uid: str) -> bool:
        if number == 0:
            return any_store.delete_user(uid)
        try:
            any_store.add_session(a_session(uid, f"{uid}{number}"), 50)
            any_store.add_token(a_token(uid, f"{uid}{number}"))
            any_store.add_passkey(a_passkey(uid, f"{uid}{number}"))
        except LookupError:
            return False
        return True

    for number in range(ROUNDS):
        uid = a_user(any_store, f"ada{number}").uid
        assert at_once(lambda which, uid=uid: one(which, uid))[0]
        assert list(any_store.sessions(uid)) == []
        assert list(any_store.tokens(uid, "reset")) == []
        assert list(any_store.passkeys(uid)) == []


def test_one_deletes_a_user(any_store: Store) -> None:
    uid = a_user(any_store).uid
    assert sum(at_once(lambda _: any_store.delete_user(uid))) == 1
