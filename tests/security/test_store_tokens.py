"""What every store has to do with tokens, passkeys, accounts somewhere else, attempts and the log."""

from __future__ import annotations

from datetime import timedelta

import pytest

from erlen.ext.security.keys import digest
from erlen.ext.security.store import Store
from records import MINUTE, NOW, a_passkey, a_session, a_token, a_user, an_event, an_identity


def test_a_token_is_kept_as_it_is(any_store: Store) -> None:
    ada = a_user(any_store)
    token = a_token(
        ada.uid,
        "s",
        name="build server",
        scopes=("read", "write"),
        data={"email": "ada@example.org", "deep": [1, None, {"a": "\0\ud800"}]},
        family="f",
        last_used_at=NOW,
    )
    any_store.add_token(token)
    assert any_store.token(digest("s"), "reset") == token
    assert any_store.token(digest("s"), "activate") is None
    assert any_store.token("s", "reset") is None
    assert any_store.tokens(ada.uid, "reset") == [token]


def test_a_token_may_be_nobodys(any_store: Store) -> None:
    token = a_token(None, "s", purpose="openid")
    any_store.add_token(token)
    assert any_store.use_token(digest("s"), "openid", NOW) is not None


def test_a_token_of_a_user_needs_the_user(any_store: Store) -> None:
    with pytest.raises(LookupError):
        any_store.add_token(a_token("nobody", "s"))
    assert any_store.token(digest("s"), "reset") is None


def test_a_token_counts_once(any_store: Store) -> None:
    """Reset token usable twice."""
    ada = a_user(any_store)
    any_store.add_token(a_token(ada.uid, "s", data={"a": 1}))
    assert any_store.use_token(digest("s"), "activate", NOW) is None
    used = any_store.use_token(digest("s"), "reset", NOW + MINUTE)
    assert used == a_token(ada.uid, "s", data={"a": 1}, used_at=NOW + MINUTE)
    assert any_store.use_token(digest("s"), "reset", NOW + MINUTE) is None
    # It is still there, so that a second use can be told from an unknown token.
    assert any_store.token(digest("s"), "reset") == used


def test_a_token_is_worth_nothing_from_the_moment_it_expires(any_store: Store) -> None:
    ada = a_user(any_store)
    any_store.add_token(a_token(ada.uid, "s", expires_at=NOW + MINUTE))
    any_store.add_token(a_token(ada.uid, "forever", expires_at=None))
    assert any_store.use_token(digest("s"), "reset", NOW + MINUTE) is None
    assert any_store.use_token(digest("s"), "reset", NOW + MINUTE - timedelta(microseconds=1)) is not None
    assert any_store.use_token(digest("forever"), "reset", NOW + timedelta(days=9999)) is not None


def test_tokens_of_a_purpose_come_newest_first(any_store: Store) -> None:
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    for number in range(3):
        any_store.add_token(a_token(ada.uid, str(number), purpose="api", created_at=NOW + number * MINUTE))
    any_store.add_token(a_token(ada.uid, "other"))
    any_store.add_token(a_token(eve.uid, "e", purpose="api"))
    any_store.note_token(digest("1"), NOW + 9 * MINUTE)
    any_store.note_token(digest("unknown"), NOW)
    listed = any_store.tokens(ada.uid, "api")
    assert [token.id for token in listed] == ["id-2", "id-1", "id-0"]
    assert [token.last_used_at for token in listed] == [None, NOW + 9 * MINUTE, None]


def test_a_token_is_ended_by_its_name_by_its_user_alone(any_store: Store) -> None:
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    any_store.add_token(a_token(ada.uid, "s", purpose="api"))
    assert not any_store.end_token(eve.uid, "id-s", "api")
    assert not any_store.end_token(ada.uid, "id-s", "reset")
    assert any_store.end_token(ada.uid, "id-s", "api")
    assert any_store.token(digest("s"), "api") is None


def test_tokens_end_by_purpose_and_by_family(any_store: Store) -> None:
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    for secret, purpose, family in (
        ("1", "reset", None),
        ("2", "activate", None),
        ("3", "refresh", "f"),
        ("4", "refresh", "g"),
        ("5", "api", None),
        ("6", "code", "f"),
    ):
        any_store.add_token(a_token(ada.uid, secret, purpose=purpose, family=family))
    any_store.add_token(a_token(eve.uid, "e", purpose="refresh", family="f"))
    assert any_store.end_tokens(ada.uid) == 0
    assert any_store.end_tokens(ada.uid, "reset", "activate", "unknown") == 2
    assert any_store.end_tokens(ada.uid, "refresh", family="f") == 1
    assert any_store.end_tokens(ada.uid, family="f") == 1
    assert any_store.end_tokens(ada.uid, "refresh") == 1
    assert len(any_store.tokens(ada.uid, "api")) == 1
    assert len(any_store.tokens(eve.uid, "refresh")) == 1


def test_a_passkey_is_kept_as_it_is(any_store: Store) -> None:
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    # As long as WebAuthn permits, and a count of 32 bits.
    passkey = a_passkey(
        ada.uid, "c" * 1364, sign_count=2**32 - 1, transports=("usb", "nfc"), backed_up=True, last_used_at=NOW
    )
    assert any_store.add_passkey(passkey)
    assert not any_store.add_passkey(a_passkey(eve.uid, "c" * 1364))
    later = a_passkey(ada.uid, "b", created_at=NOW + MINUTE)
    assert any_store.add_passkey(later)
    assert any_store.passkey("c" * 1364) == passkey
    assert any_store.passkeys(ada.uid) == [passkey, later]
    assert any_store.passkeys(eve.uid) == []
    with pytest.raises(LookupError):
        any_store.add_passkey(a_passkey("nobody", "d"))


def test_the_count_of_a_passkey_is_compared(any_store: Store) -> None:
    ada = a_user(any_store)
    any_store.add_passkey(a_passkey(ada.uid, "c", sign_count=4))
    assert any_store.note_passkey("c", 4, 7, NOW)
    assert not any_store.note_passkey("c", 4, 8, NOW)
    assert not any_store.note_passkey("unknown", 0, 1, NOW)
    assert any_store.passkey("c") == a_passkey(ada.uid, "c", sign_count=7, last_used_at=NOW)


def test_a_passkey_is_deleted_by_its_user_alone(any_store: Store) -> None:
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    any_store.add_passkey(a_passkey(ada.uid, "c"))
    assert not any_store.delete_passkey(eve.uid, "c")
    assert any_store.delete_passkey(ada.uid, "c")
    assert any_store.passkey("c") is None


def test_an_account_somewhere_else_belongs_to_one_user(any_store: Store) -> None:
    ada, eve = a_user(any_store), a_user(any_store, "eve")
    identity = an_identity(ada.uid, "1")
    assert any_store.add_identity(identity)
    assert not any_store.add_identity(an_identity(eve.uid, "1"))
    assert any_store.add_identity(an_identity(eve.uid, "1", issuer="https://other.example"))
    assert any_store.identity("https://id.example", "1") == identity
    assert any_store.identity("1", "https://id.example") is None
    assert any_store.identities(ada.uid) == [identity]
    assert not any_store.delete_identity(eve.uid, "https://id.example", "1")
    assert any_store.delete_identity(ada.uid, "https://id.example", "1")
    assert any_store.identity("https://id.example", "1") is None
    with pytest.raises(LookupError):
        any_store.add_identity(an_identity("nobody", "2"))


def test_attempts_are_counted_since_the_start_of_the_window(any_store: Store) -> None:
    count = any_store.count_attempt
    assert any_store.attempts("ada", NOW) == (0, None)
    assert [count("ada", NOW + number * MINUTE, NOW) for number in range(4)] == [1, 2, 3, 4]
    assert count("eve", NOW, NOW) == 1
    assert any_store.attempts("ada", NOW + 2 * MINUTE) == (2, NOW + 3 * MINUTE)
    assert any_store.attempts("ada", NOW + 4 * MINUTE) == (0, None)
    assert count("ada", NOW + 4 * MINUTE, NOW + 3 * MINUTE) == 2
    any_store.forget_attempts("ada")
    any_store.forget_attempts("unknown")
    assert any_store.attempts("ada", NOW) == (0, None)
    assert any_store.attempts("eve", NOW) == (1, NOW)


def test_the_log_comes_newest_first(any_store: Store) -> None:
    first = an_event("logged_in", "u1", address="192.0.2.1", agent="B", details={"methods": ["password"]})
    second = an_event("logged_out", "u1")
    earlier = an_event("logged_in", "u2", at=NOW - MINUTE)
    nobody = an_event("login_failed", at=NOW + MINUTE)
    for event in (first, second, earlier, nobody):
        any_store.add_event(event)
    assert any_store.events() == [nobody, second, first, earlier]
    assert any_store.events("u1") == [second, first]
    assert any_store.events(name="logged_in") == [first, earlier]
    assert any_store.events("u1", name="logged_in") == [first]
    assert any_store.events(limit=2) == [nobody, second]
    assert any_store.events(limit=-1) == []


def test_what_has_expired_is_cleared_away(any_store: Store) -> None:
    ada = a_user(any_store)
    for secret, expires_at in (("gone", NOW), ("left", NOW + MINUTE)):
        any_store.add_session(a_session(ada.uid, secret, expires_at=expires_at), 5)
        any_store.add_token(a_token(ada.uid, secret, expires_at=expires_at))
    any_store.add_token(a_token(ada.uid, "forever", expires_at=None))
    any_store.count_attempt("old", NOW - timedelta(days=8), NOW)
    any_store.count_attempt("new", NOW - timedelta(days=1), NOW)
    any_store.add_event(an_event("logged_in", at=NOW - timedelta(days=200)))
    any_store.add_event(an_event("logged_in", at=NOW - timedelta(days=100)))
    assert any_store.purge(NOW, NOW - timedelta(days=180)) == 4
    assert any_store.purge(NOW, NOW - timedelta(days=180)) == 0
    assert [record.id for record in any_store.sessions(ada.uid)] == ["id-left"]
    assert {token.id for token in any_store.tokens(ada.uid, "reset")} == {"id-left", "id-forever"}
    assert any_store.attempts("new", NOW - timedelta(days=30)) == (1, NOW - timedelta(days=1))
    assert any_store.attempts("old", NOW - timedelta(days=30)) == (0, None)
    assert len(any_store.events()) == 1
