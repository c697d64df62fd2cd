"""What every store has to do with sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from erlen.ext.security.keys import digest
from erlen.ext.security.store import Store
from records import MINUTE, NOW, a_session, a_user


def test_a_session_comes_with_its_user_and_their_roles(any_store: Store) -> None:
    ada = a_user(any_store)
    for role in ("baker", "admin"):
        any_store.put_role(role, permissions=[role.upper()])
        any_store.grant(ada.uid, role)
    record = a_session(ada.uid, "s", remember=True, address="192.0.2.1", agent="Browser/1")
    any_store.add_session(record, 5)
    found = any_store.session(digest("s"))
    assert found is not None
    assert found[0] == record
    assert found[1].uid == ada.uid
    assert [role.name for role in found[1].roles] == ["admin", "baker"]
    assert found[1].has_permission("BAKER")
    assert any_store.session(digest("other")) is None
    # The name in lists is no secret, and opens nothing.
    assert any_store.session("id-s") is None


def test_a_session_is_returned_whatever_its_state(any_store: Store) -> None:
    ada = a_user(any_store, is_active=False)
    record = a_session(ada.uid, "s", expires_at=NOW - timedelta(days=1))
    any_store.add_session(record, 5)
    found = any_store.session(digest("s"))
    assert found is not None
    assert (found[0], found[1].is_active) == (record, False)


def test_a_session_needs_a_user(any_store: Store) -> None:
    with pytest.raises(LookupError):
        any_store.add_session(a_session("nobody", "s"), 5)
    assert any_store.session(digest("s")) is None


def test_the_oldest_sessions_end_when_there_are_too_many(any_store: Store) -> None:
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    any_store.add_session(a_session(eve.uid, "e", created_at=NOW - timedelta(days=3)), 1)
    for number in range(5):
        at = NOW + number * MINUTE
        any_store.add_session(a_session(ada.uid, str(number), created_at=at, last_seen_at=at), 3)
    assert [record.id for record in any_store.sessions(ada.uid)] == ["id-4", "id-3", "id-2"]
    # The new one is left, also where its time is that of an old one, or before it.
    any_store.add_session(a_session(ada.uid, "new", created_at=NOW), 1)
    assert [record.id for record in any_store.sessions(ada.uid)] == ["id-new"]
    any_store.add_session(a_session(ada.uid, "newer", created_at=NOW), 1)
    assert [record.id for record in any_store.sessions(ada.uid)] == ["id-newer"]
    assert len(any_store.sessions(eve.uid)) == 1


def test_values_of_a_session_are_changed(any_store: Store) -> None:
    ada = a_user(any_store)
    any_store.add_session(a_session(ada.uid, "s"), 5)
    any_store.add_session(a_session(ada.uid, "other"), 5)
    assert any_store.change_session(digest("s"), last_seen_at=NOW + MINUTE, methods=("password", "passkey"))
    assert not any_store.change_session(digest("unknown"), last_seen_at=NOW)
    found = any_store.session(digest("s"))
    assert found is not None
    assert (found[0].last_seen_at, found[0].methods) == (NOW + MINUTE, ("password", "passkey"))
    assert [record.id for record in any_store.sessions(ada.uid)] == ["id-s", "id-other"]
    with pytest.raises(TypeError):
        any_store.change_session(digest("s"), last_seen=NOW)


def test_with_a_new_key_the_old_one_is_worth_nothing(any_store: Store) -> None:
    """Session fixation: what was known before a login or a change of rights opens nothing after it."""
    ada = a_user(any_store)
    any_store.add_session(a_session(ada.uid, "old"), 5)
    assert any_store.change_session(digest("old"), key=digest("new"), authenticated_at=NOW + MINUTE)
    assert any_store.session(digest("old")) is None
    assert not any_store.change_session(digest("old"), key=digest("newer"))
    assert not any_store.end_session(digest("old"))
    found = any_store.session(digest("new"))
    assert found is not None
    assert (found[0].id, found[0].authenticated_at) == ("id-old", NOW + MINUTE)
    assert len(any_store.sessions(ada.uid)) == 1


def test_a_session_ends(any_store: Store) -> None:
    ada = a_user(any_store)
    any_store.add_session(a_session(ada.uid, "s"), 5)
    assert any_store.end_session(digest("s"))
    assert not any_store.end_session(digest("s"))
    assert any_store.session(digest("s")) is None


def test_a_session_is_ended_by_its_name_by_its_user_alone(any_store: Store) -> None:
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    any_store.add_session(a_session(ada.uid, "s"), 5)
    assert not any_store.end_session_by_id(eve.uid, "id-s")
    assert any_store.session(digest("s")) is not None
    assert any_store.end_session_by_id(ada.uid, "id-s")
    assert any_store.session(digest("s")) is None


def test_the_sessions_of_a_user_end_together(any_store: Store) -> None:
    """Sessions that survive a password change."""
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    any_store.add_session(a_session(eve.uid, "e"), 5)
    for secret in "abc":
        any_store.add_session(a_session(ada.uid, secret), 5)
    assert any_store.end_sessions(ada.uid, but=digest("b")) == 2
    assert [record.id for record in any_store.sessions(ada.uid)] == ["id-b"]
    # The key of somebody else's keeps nothing.
    assert any_store.end_sessions(ada.uid, but=digest("e")) == 1
    assert any_store.end_sessions(ada.uid) == 0
    assert len(any_store.sessions(eve.uid)) == 1
