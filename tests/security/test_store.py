"""What every store has to do with users and roles; see ``any_store`` in conftest.py for the stores there are."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest

from erlen.ext.security.errors import EmailTaken
from erlen.ext.security.store import Store
from records import MINUTE, NOW, a_session, a_user, an_event, everything_of

# What comes from clients and no database has an equal of.
ODD = ["\0", "a\0b", "\ud800", "\udfff\ud800", "\u202e", "", " ", "'", '"', "%", "_", "\\", "x" * 2**20, "ß" * 5000]


def test_a_new_user_has_what_the_protocol_says(any_store: Store) -> None:
    user = any_store.add_user(email="Ada@Example.com", email_key="ada@example.com", password_hash="h", created_at=NOW)
    assert len(user.uid) == 32
    assert (user.email, user.email_key, user.password_hash) == ("Ada@Example.com", "ada@example.com", "h")
    assert user.created_at == NOW
    assert user.created_at.utcoffset() == timedelta(0)
    assert user.is_active is True
    assert user.is_authenticated
    assert (user.activated_at, user.password_changed_at, user.current_login_at, user.last_failed_at) == (None,) * 4
    assert (user.login_count, user.failed_count, user.totp_secret, user.totp_last_step) == (0, 0, None, 0)
    assert list(user.roles) == []
    assert not user.has_role("admin")


def test_a_user_is_found_by_uid_and_by_address(any_store: Store) -> None:
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    for found, meant in (
        (any_store.user(ada.uid), ada),
        (any_store.user_by_email("ada@example.com"), ada),
        (any_store.user(eve.uid), eve),
        (any_store.user_by_email("eve@example.com"), eve),
    ):
        assert found is not None
        assert found.uid == meant.uid
    assert any_store.user("nobody") is None
    assert any_store.user_by_email("ADA@example.com") is None


def test_an_address_has_one_user(any_store: Store) -> None:
    a_user(any_store)
    with pytest.raises(EmailTaken):
        a_user(any_store)
    eve = a_user(any_store, "eve")
    with pytest.raises(EmailTaken):
        any_store.change_user(eve.uid, email="ada@example.com", email_key="ada@example.com", is_active=False)
    found = any_store.user(eve.uid)
    assert found is not None
    assert (found.email, found.is_active) == ("eve@example.com", True)
    assert any_store.change_user(eve.uid, email="EVE@example.com", email_key="eve@example.com")
    assert len(any_store.users()) == 2


def test_attributes_of_a_user_are_changed(any_store: Store) -> None:
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    assert any_store.change_user(ada.uid, password_hash="new", password_changed_at=NOW, is_active=False)
    assert any_store.change_user(ada.uid)
    assert not any_store.change_user("nobody", is_active=False)
    assert not any_store.change_user("nobody")
    found, other = any_store.user(ada.uid), any_store.user(eve.uid)
    assert found is not None
    assert other is not None
    assert (found.password_hash, found.password_changed_at, found.is_active) == ("new", NOW, False)
    assert (other.password_hash, other.is_active) == (None, True)


@pytest.mark.parametrize("values", [{"pasword_hash": "x"}, {"uid": "x"}, {"roles": []}])
def test_what_is_no_attribute_is_not_changed_silently(any_store: Store, values: dict[str, t.Any]) -> None:
    ada = a_user(any_store)
    with pytest.raises(TypeError):
        any_store.change_user(ada.uid, **values)


def test_a_change_on_condition_is_made_if_the_condition_holds(any_store: Store) -> None:
    ada = a_user(any_store, password_hash="old")
    change = any_store.change_user_if
    assert not change(ada.uid, {"password_hash": "other"}, password_hash="new")
    assert not change(ada.uid, {"password_hash": None}, password_hash="new")
    assert not change("nobody", {"password_hash": "old"}, password_hash="new")
    assert change(ada.uid, {"password_hash": "old", "activated_at": None}, password_hash="new", activated_at=NOW)
    assert not change(ada.uid, {"password_hash": "old"}, password_hash="newer")
    assert change(ada.uid, {"activated_at": NOW}, password_hash=None)
    assert change(ada.uid, {"password_hash": None}, email="a@b", email_key="a@b")
    assert any_store.user_by_email("a@b") is not None


def test_users_come_in_the_order_of_their_addresses(any_store: Store) -> None:
    for name in ("eve", "ada", "bob"):
        a_user(any_store, name)
    names = ["ada@example.com", "bob@example.com", "eve@example.com"]
    assert [user.email_key for user in any_store.users()] == names
    assert [user.email_key for user in any_store.users(limit=2)] == names[:2]
    assert [user.email_key for user in any_store.users(limit=2, offset=2)] == names[2:]
    assert any_store.users(limit=0) == []
    assert any_store.users(limit=-1) == []
    assert len(any_store.users(limit=10**30, offset=-(10**30))) == 3
    assert any_store.users(offset=10**30) == []


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ada", ["a_a@example.com", "ada@example.com"][1:]),
        ("ADA", ["ada@example.com"]),
        ("a_a", ["a_a@example.com"]),
        ("%", ["per%cent@example.com"]),
        ("/", ["s/ash@example.com"]),
        ("example.com", ["a_a@example.com", "ada@example.com", "per%cent@example.com", "s/ash@example.com"]),
        ("nobody", []),
        ("ada\0", []),
        ("\ud800", []),
        ("a" * 2**20, []),
        ("' OR 1=1 --", []),
    ],
)
def test_a_search_takes_every_character_for_itself(any_store: Store, search: str, found: list[str]) -> None:
    for name in ("ada", "a_a", "per%cent", "s/ash"):
        a_user(any_store, name)
    assert [user.email_key for user in any_store.users(search)] == found


def test_users_of_a_list_have_their_roles(any_store: Store) -> None:
    any_store.put_role("admin", permissions=["all"])
    any_store.put_role("baker", permissions=["bread"])
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    for user, role in ((ada, "baker"), (ada, "admin"), (eve, "baker")):
        any_store.grant(user.uid, role)
    listed = any_store.users("example.com")
    assert [[role.name for role in user.roles] for user in listed] == [["admin", "baker"], ["baker"]]
    assert listed[0].has_permission("all")
    assert not listed[1].has_permission("all")


def test_a_login_keeps_the_one_before(any_store: Store) -> None:
    ada = a_user(any_store)
    any_store.note_failure(ada.uid, NOW)
    any_store.note_failure(ada.uid, NOW + MINUTE)
    found = any_store.user(ada.uid)
    assert found is not None
    assert (found.failed_count, found.last_failed_at) == (2, NOW + MINUTE)
    any_store.note_login(ada.uid, NOW, "192.0.2.1")
    any_store.note_login(ada.uid, NOW + MINUTE, None)
    any_store.note_login(ada.uid, NOW + 2 * MINUTE, "2001:db8::1")
    any_store.note_login("nobody", NOW, None)
    any_store.note_failure("nobody", NOW)
    found = any_store.user(ada.uid)
    assert found is not None
    assert (found.current_login_at, found.current_login_address) == (NOW + 2 * MINUTE, "2001:db8::1")
    assert (found.last_login_at, found.last_login_address) == (NOW + MINUTE, None)
    assert (found.login_count, found.failed_count, found.last_failed_at) == (3, 0, NOW + MINUTE)


def test_a_time_step_counts_once_and_none_before_it(any_store: Store) -> None:
    """TOTP code accepted twice."""
    ada = a_user(any_store)
    steps = (5, 5, 4, 6, 2**40, 6)
    assert [any_store.take_totp_step(ada.uid, step) for step in steps] == [True, False, False, True, True, False]
    assert not any_store.take_totp_step("nobody", 5)


def test_roles_are_added_and_changed(any_store: Store) -> None:
    assert any_store.role("admin") is None
    role = any_store.put_role("admin", "does all", {"b", "a"})
    assert (role.name, role.description, list(role.permissions)) == ("admin", "does all", ["a", "b"])
    any_store.put_role("baker", permissions=iter(["bread"]))
    changed = any_store.put_role("admin", permissions=["c", "c"])
    found = any_store.role("admin")
    assert found is not None
    for one in (changed, found):
        assert (one.description, list(one.permissions)) == ("", ["c"])
    assert [role.name for role in any_store.roles()] == ["admin", "baker"]


def test_one_text_is_no_list_of_permissions(any_store: Store) -> None:
    with pytest.raises(TypeError):
        any_store.put_role("admin", permissions="all")


def test_roles_are_given_and_taken(any_store: Store) -> None:
    ada = a_user(any_store)
    any_store.put_role("admin", permissions=["all"])
    assert any_store.grant(ada.uid, "admin")
    assert not any_store.grant(ada.uid, "admin")
    found = any_store.user_by_email("ada@example.com")
    assert found is not None
    assert found.has_role("admin")
    assert found.has_permission("all")
    assert any_store.withdraw(ada.uid, "admin")
    assert not any_store.withdraw(ada.uid, "admin")
    found = any_store.user(ada.uid)
    assert found is not None
    assert list(found.roles) == []


def test_only_what_is_there_is_given(any_store: Store) -> None:
    ada = a_user(any_store)
    any_store.put_role("admin")
    for uid, role in (("nobody", "admin"), (ada.uid, "nothing"), ("nobody", "nothing")):
        with pytest.raises(LookupError):
            any_store.grant(uid, role)
    assert not any_store.withdraw("nobody", "admin")


def test_nobody_has_a_role_that_was_deleted_and_made_again(any_store: Store) -> None:
    ada = a_user(any_store)
    any_store.put_role("admin", permissions=["all"])
    any_store.grant(ada.uid, "admin")
    assert any_store.delete_role("admin")
    assert not any_store.delete_role("admin")
    any_store.put_role("admin", permissions=["all"])
    found = any_store.user(ada.uid)
    assert found is not None
    assert not found.has_permission("all")


def test_of_a_deleted_user_the_log_alone_is_left(any_store: Store) -> None:
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    everything_of(any_store, ada.uid, "a")
    everything_of(any_store, eve.uid, "e")
    assert any_store.delete_user(ada.uid)
    assert not any_store.delete_user(ada.uid)
    assert any_store.user(ada.uid) is None
    for left in (
        any_store.sessions(ada.uid),
        any_store.tokens(ada.uid, "reset"),
        any_store.passkeys(ada.uid),
        any_store.identities(ada.uid),
    ):
        assert list(left) == []
    assert any_store.passkey("cred-a") is None
    assert any_store.identity("https://id.example", "sub-a") is None
    assert len(any_store.events(ada.uid)) == 1
    # Somebody else's are as they were.
    other = any_store.user(eve.uid)
    assert other is not None
    assert other.has_role("admin")
    for kept in (any_store.sessions(eve.uid), any_store.tokens(eve.uid, "reset"), any_store.passkeys(eve.uid)):
        assert len(kept) == 1
    # Nor has somebody who comes later with that address, even with that uid.
    again = a_user(any_store, uid=ada.uid)
    found = any_store.user(again.uid)
    assert found is not None
    assert list(found.roles) == []
    assert list(any_store.sessions(again.uid)) == []


def test_nothing_is_found_by_text_that_is_odd(any_store: Store) -> None:
    ada = a_user(any_store)
    everything_of(any_store, ada.uid, "a")
    for text in ODD:
        nothing_is_found(any_store, ada.uid, text)


def nothing_is_found(any_store: Store, uid: str, text: str) -> None:
    assert any_store.user(text) is None
    assert any_store.user_by_email(text) is None
    assert any_store.role(text) is None
    assert any_store.session(text) is None
    assert any_store.token(text, "reset") is None
    assert any_store.use_token(text, text, NOW) is None
    assert any_store.passkey(text) is None
    assert any_store.identity(text, text) is None
    assert not any_store.end_session_by_id(uid, text)
    assert not any_store.end_token(uid, text, "reset")
    assert not any_store.delete_passkey(uid, text)
    assert not any_store.delete_identity(uid, "https://id.example", text)
    assert not any_store.withdraw(uid, text)
    assert list(any_store.events(text)) == []
    assert len(any_store.sessions(uid)) == 1


@pytest.mark.parametrize("text", ["a\0b", "\ud800b", "\u202e", "x" * 2**17])
def test_text_of_clients_is_kept_without_an_error(any_store: Store, text: str) -> None:
    ada = a_user(any_store)
    any_store.add_session(a_session(ada.uid, "s", agent=text, address=text), 5)
    any_store.add_event(an_event("login_failed", agent=text, details={"text": text}))
    any_store.note_login(ada.uid, NOW, text)
    assert any_store.count_attempt(text, NOW, NOW) == 1
    assert any_store.attempts(text, NOW) == (1, NOW)
    assert len(any_store.sessions(ada.uid)) == 1
    assert any_store.events()[0].details == {"text": text}
