"""Tokens: secrets kept as digests, one purpose each, used once; tokens of programs; refresh tokens that rotate."""

from __future__ import annotations

import binascii
import collections.abc as cabc
import re
import string
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from erlen.ext.security.errors import ConfigurationError, InvalidToken, TokenRefused
from erlen.ext.security.events import Events
from erlen.ext.security.keys import Keys, digest
from erlen.ext.security.kit import Kit
from erlen.ext.security.settings import Settings
from erlen.ext.security.tokens import API_TOKEN_LIMIT, TokenPair, Tokens, _sum_of
from erlen.ext.security.types import Client, Token, User
from erlen.ext.security.upkeep import purge
from memory_store import MemoryStore

if t.TYPE_CHECKING:
    from conftest import Clock

SCOPES = ("orders:read", "orders:write")
HOSTILE = [
    "",
    " ",
    "\x00",
    "\ud800",
    "é",
    "x" * 2**20,
    "erlen_",
    "erlen_" + "0" * 49,
    "a.b.c",
    "..",
    "\u202e",
]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, scopes=SCOPES)


def kit_with(settings: Settings, store: MemoryStore, clock: Clock, *keys: str) -> Kit:
    return Kit(
        settings=settings,
        store=store,
        keys=Keys(keys or ["key of these tests"]),
        events=Events(store, clock, None, lambda: Client(address="192.0.2.7", agent="Test")),
        clock=clock,
    )


@pytest.fixture
def kit(settings: Settings, store: MemoryStore, clock: Clock) -> Kit:
    return kit_with(settings, store, clock)


@pytest.fixture
def tokens(kit: Kit) -> Tokens:
    return Tokens(kit)


def user_in(store: MemoryStore, clock: Clock, name: str = "ada", **values: t.Any) -> User:
    email = f"{name}@example.test"
    return store.add_user(email=email, email_key=email, **{"activated_at": clock(), **values})


@pytest.fixture
def user(store: MemoryStore, clock: Clock) -> User:
    return user_in(store, clock)


def told(store: MemoryStore, name: str) -> list[dict[str, t.Any]]:
    return [dict(event.details) for event in store.events(name=name)]


# Of any purpose


def test_the_store_has_the_digest_of_a_secret_alone(tokens: Tokens, store: MemoryStore) -> None:
    """The advisories' line: a reset token stored unhashed."""
    secret, token = tokens.issue("reset", "u1", timedelta(hours=1), data={"why": "asked"}, prefix="e_")
    assert secret.startswith("e_")
    assert token.key == digest(secret)
    kept = store.token(token.key, "reset")
    assert kept == token
    assert secret not in repr(kept)
    assert token.id not in secret


def test_a_secret_works_once(tokens: Tokens) -> None:
    """The advisories' line: a reset token that can be used twice."""
    secret, token = tokens.issue("reset", "u1", timedelta(hours=1))
    assert tokens.look(secret, "reset") == token
    assert tokens.use(secret, "reset").uid == "u1"
    with pytest.raises(InvalidToken, match="does not work: it is not known here, was used, or is too old"):
        tokens.use(secret, "reset")
    with pytest.raises(InvalidToken):
        tokens.look(secret, "reset")


def test_of_several_who_use_a_secret_at_once_one_gets_it(tokens: Tokens) -> None:
    secret, _ = tokens.issue("reset", "u1", timedelta(hours=1))
    barrier = threading.Barrier(8)

    def use(_: int) -> bool:
        barrier.wait()
        try:
            tokens.use(secret, "reset")
        except InvalidToken:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(use, range(8))) == 1


def test_a_secret_is_good_for_its_purpose_alone(tokens: Tokens) -> None:
    secret, _ = tokens.issue("activate", "u1", timedelta(hours=1))
    for purpose in ["reset", "api", "refresh", "Activate", ""]:
        with pytest.raises(InvalidToken):
            tokens.use(secret, purpose)
    assert tokens.use(secret, "activate")


def test_a_secret_ends_at_its_time(tokens: Tokens, clock: Clock) -> None:
    secret, _ = tokens.issue("reset", "u1", timedelta(hours=1))
    for_ever, _ = tokens.issue("code", "u1", None)
    clock.forward(minutes=59, seconds=59)
    tokens.look(secret, "reset")
    clock.forward(seconds=1)
    for call in (tokens.look, tokens.use):
        with pytest.raises(InvalidToken):
            call(secret, "reset")
    clock.forward(days=4000)
    assert tokens.use(for_ever, "code")


@pytest.mark.parametrize("secret", HOSTILE)
def test_any_text_is_refused_as_a_secret(tokens: Tokens, secret: str) -> None:
    for call in (tokens.look, tokens.use):
        with pytest.raises(InvalidToken):
            call(secret, "reset")
    with pytest.raises(InvalidToken):
        tokens.refresh(secret)
    tokens.revoke_refresh(secret)
    assert tokens.authenticate(secret) is None


class CountingStore(MemoryStore):
    """Counts how often it is asked for a token."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def token(self, key: str, purpose: str) -> Token | None:
        self.asked += 1
        return super().token(key, purpose)


def test_a_bearer_of_a_mebibyte_is_refused_before_anything_is_computed(
    settings: Settings, clock: Clock
) -> None:
    store = CountingStore()
    tokens = Tokens(kit_with(settings, store, clock))
    secret, _ = tokens.create_api_token(user_in(store, clock), "ci", [])
    long = [secret + "0" * 2**20, "erlen_" + "a" * 4000, "e" * 2**20, "." * 2**20, "a." * 2**19]
    # The sum of the last is wrong: scanners and we need no store to know.
    mistyped = secret[:-1] + ("0" if secret[-1] != "0" else "1")
    assert [tokens.authenticate(bearer) for bearer in [*long, mistyped]] == [None] * 6
    assert store.asked == 0
    assert tokens.authenticate(secret) is not None
    assert store.asked == 1


# Of programs


def test_a_token_of_a_program_is_known_by_prefix_and_sum(tokens: Tokens, user: User) -> None:
    secret, token = tokens.create_api_token(user, "  backup  ", ["orders:read"])
    assert re.fullmatch(r"erlen_[0-9A-Za-z]{49}", secret)
    assert (token.name, token.scopes, token.purpose) == ("backup", ("orders:read",), "api")
    # 62 signs, 43 of them at random.
    assert len({tokens.create_api_token(user, "x", [])[0] for _ in range(20)}) == 20


def test_the_sum_of_a_token_is_the_one_of_the_documentation() -> None:
    """CRC32 in base 62, as digits, upper and lower case letters: what a tool that looks for secrets computes."""
    secret = "erlen_" + "a" * 43
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    number = binascii.crc32(secret.encode())
    found = ""
    while number:
        number, rest = divmod(number, 62)
        found = alphabet[rest] + found
    assert _sum_of(secret) == found.rjust(6, "0")


def test_a_token_of_a_program_tells_who_asks(tokens: Tokens, user: User) -> None:
    secret, _ = tokens.create_api_token(user, "backup", ["orders:read"])
    found = tokens.authenticate(secret)
    assert found is not None
    assert (found.user.uid, found.method, found.scopes) == (user.uid, "token", frozenset({"orders:read"}))
    assert found.record is None


def test_lists_and_events_do_not_have_the_secret(tokens: Tokens, store: MemoryStore, user: User) -> None:
    secret, token = tokens.create_api_token(user, "backup", ["orders:read"])
    tokens.authenticate(secret)
    tokens.revoke_api_token(user, token.id)
    pair = tokens.pair(user, SCOPES, ["password"])
    pair = tokens.refresh(pair.refresh_token)
    tokens.revoke_refresh(pair.refresh_token)
    seen = repr([tokens.api_tokens(user), tokens.families(user), store.events(), pair])
    for hidden in [secret, pair.access_token, pair.refresh_token, digest(secret)]:
        assert hidden not in seen
    assert [event.name for event in store.events()] == ["token_revoked", "token_created"] * 2


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "\n" * 3])
def test_a_name_that_is_none_is_refused(tokens: Tokens, user: User, name: str) -> None:
    with pytest.raises(TokenRefused, match="A token needs a name of 1 to 100 characters"):
        tokens.create_api_token(user, name, [])
    assert not tokens.api_tokens(user)


def test_a_name_is_cleaned(tokens: Tokens, user: User) -> None:
    assert tokens.create_api_token(user, "a\x1b[2J\u202eb", [])[1].name == "a\ufffd[2J\ufffdb"


@pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(seconds=-1), timedelta(days=90, seconds=1)])
def test_a_life_that_is_too_long_is_refused(tokens: Tokens, user: User, lifetime: timedelta) -> None:
    with pytest.raises(TokenRefused, match="lives for 90 days at most"):
        tokens.create_api_token(user, "x", [], lifetime)


def test_a_token_of_a_program_expires(tokens: Tokens, user: User, clock: Clock) -> None:
    short, _ = tokens.create_api_token(user, "short", [], timedelta(hours=1))
    long, _ = tokens.create_api_token(user, "long", [])
    clock.forward(hours=1)
    assert tokens.authenticate(short) is None
    clock.forward(days=89)
    assert tokens.authenticate(long) is not None
    clock.forward(days=1)
    assert tokens.authenticate(long) is None


@pytest.mark.parametrize("scope", ["admin", "", "orders:read orders:write", "ORDERS:READ", "\x00" * 500])
def test_a_scope_that_is_not_in_the_settings_is_refused(tokens: Tokens, user: User, scope: str) -> None:
    for make in (lambda: tokens.create_api_token(user, "x", [scope]), lambda: tokens.pair(user, [scope], [])):
        with pytest.raises(TokenRefused, match="There are: orders:read, orders:write") as caught:
            make()
        assert str(caught.value).isprintable()


@pytest.mark.parametrize("scope", ["two words", "", "späce", 'a"b', "a\\b", "a\nb"])
def test_settings_with_a_scope_that_cannot_be_are_refused(
    settings: Settings, store: MemoryStore, clock: Clock, scope: str
) -> None:
    with pytest.raises(ConfigurationError, match="SECURITY_SCOPES has .* one word of ASCII"):
        Tokens(kit_with(replace(settings, scopes=(scope,)), store, clock))


def test_scopes_and_addresses_that_fit_no_header_are_refused(
    settings: Settings, store: MemoryStore, clock: Clock
) -> None:
    scopes = tuple(f"scope-{number}" for number in range(200))
    with pytest.raises(ConfigurationError, match="SECURITY_SCOPES together have 1889"):
        Tokens(kit_with(replace(settings, scopes=scopes), store, clock))
    with pytest.raises(ConfigurationError, match="SECURITY_SITE_URL has 311"):
        Tokens(kit_with(replace(settings, site_url="https://" + "a" * 303), store, clock))


def test_a_scope_that_left_the_settings_permits_nothing(
    settings: Settings, store: MemoryStore, clock: Clock, tokens: Tokens, user: User
) -> None:
    secret, _ = tokens.create_api_token(user, "x", SCOPES)
    access = tokens.pair(user, SCOPES, []).access_token
    fewer = Tokens(kit_with(replace(settings, scopes=("orders:read",)), store, clock))
    none = Tokens(kit_with(replace(settings, scopes=()), store, clock))
    for bearer in [secret, access]:
        found = [one.authenticate(bearer) for one in (fewer, none)]
        assert [one and one.scopes for one in found] == [frozenset({"orders:read"}), frozenset()]


def test_without_scopes_in_the_settings_the_user_is_the_limit(
    settings: Settings, store: MemoryStore, clock: Clock, tokens: Tokens, user: User
) -> None:
    none = Tokens(kit_with(replace(settings, scopes=()), store, clock))
    secret, _ = none.create_api_token(user, "x", [])
    for bearer in [secret, none.pair(user, [], []).access_token]:
        found = none.authenticate(bearer)
        assert found is not None
        assert found.scopes is None
        # As soon as there are scopes, what has none permits nothing of them.
        limited = tokens.authenticate(bearer)
        assert limited is not None
        assert limited.scopes == frozenset()


def test_the_last_use_is_written_down_once_a_minute(tokens: Tokens, user: User, clock: Clock) -> None:
    secret, _ = tokens.create_api_token(user, "x", [])
    seen: list[t.Any] = []
    for _ in range(5):
        tokens.authenticate(secret)
        seen.append(tokens.api_tokens(user)[0].last_used_at)
        clock.forward(seconds=30)
    first = clock.now - timedelta(seconds=150)
    minute = timedelta(minutes=1)
    assert seen == [first, first, first + minute, first + minute, first + 2 * minute]


def test_a_revoked_token_ends_at_once_and_only_its_owner_can_do_that(
    tokens: Tokens, store: MemoryStore, user: User, clock: Clock
) -> None:
    secret, token = tokens.create_api_token(user, "x", [])
    other = user_in(store, clock, "eve")
    assert not tokens.revoke_api_token(other, token.id)
    assert not tokens.revoke_api_token(user, "0" * 32)
    assert tokens.authenticate(secret) is not None
    assert tokens.revoke_api_token(user, token.id)
    assert not tokens.revoke_api_token(user, token.id)
    assert tokens.authenticate(secret) is None
    assert told(store, "token_revoked") == [{"kind": "api", "id": token.id, "name": "x"}]


def test_a_refresh_token_is_not_revoked_as_one_of_a_program(tokens: Tokens, user: User) -> None:
    pair = tokens.pair(user, SCOPES, ["password"])
    family = tokens.families(user)[0]
    assert not tokens.revoke_api_token(user, family.id)
    assert tokens.refresh(pair.refresh_token)


def test_a_user_has_so_many_tokens_and_no_more(tokens: Tokens, user: User, clock: Clock) -> None:
    for number in range(API_TOKEN_LIMIT):
        tokens.create_api_token(user, str(number), [], timedelta(hours=1 if number < 2 else 5))
    with pytest.raises(TokenRefused, match="You have 50 tokens, which is the most. Revoke one"):
        tokens.create_api_token(user, "more", [])
    # What has expired makes room, and does not pile up.
    clock.forward(hours=1)
    tokens.create_api_token(user, "one", [])
    tokens.create_api_token(user, "two", [])
    assert len(tokens.api_tokens(user)) == API_TOKEN_LIMIT
    with pytest.raises(TokenRefused):
        tokens.create_api_token(user, "three", [])


# Accounts


def switched_off(store: MemoryStore, user: User, clock: Clock) -> None:
    store.change_user(user.uid, is_active=False)


def not_activated(store: MemoryStore, user: User, clock: Clock) -> None:
    store.change_user(user.uid, activated_at=None)


def deleted(store: MemoryStore, user: User, clock: Clock) -> None:
    store.delete_user(user.uid)


@pytest.mark.parametrize("change", [switched_off, not_activated, deleted])
def test_what_ends_an_account_ends_its_tokens_at_once(
    tokens: Tokens,
    store: MemoryStore,
    user: User,
    clock: Clock,
    change: cabc.Callable[[MemoryStore, User, Clock], None],
) -> None:
    secret, _ = tokens.create_api_token(user, "x", [])
    pair = tokens.pair(user, [], ["password"])
    assert tokens.authenticate(secret)
    assert tokens.authenticate(pair.access_token)
    change(store, user, clock)
    assert tokens.authenticate(secret) is None
    assert tokens.authenticate(pair.access_token) is None
    with pytest.raises(InvalidToken):
        tokens.refresh(pair.refresh_token)


def test_an_account_needs_no_activation_where_none_is_asked_for(
    settings: Settings, store: MemoryStore, clock: Clock
) -> None:
    user = user_in(store, clock, activated_at=None)
    tokens = Tokens(kit_with(replace(settings, activation_required=False), store, clock))
    assert tokens.authenticate(tokens.create_api_token(user, "x", [])[0])


def test_a_new_password_ends_access_and_refresh_tokens(
    tokens: Tokens, store: MemoryStore, user: User, clock: Clock
) -> None:
    """The advisories' line: sessions that survive a password change."""
    before = tokens.pair(user, [], ["password"])
    named, _ = tokens.create_api_token(user, "backup", [])
    clock.forward(seconds=0.25)
    store.change_user(user.uid, password_changed_at=clock())
    # In the same second, and not ended: the time of a token is not rounded for this.
    after = tokens.pair(user, [], ["password"])
    assert tokens.authenticate(before.access_token) is None
    assert tokens.authenticate(after.access_token)
    assert tokens.authenticate(named)
    with pytest.raises(InvalidToken):
        tokens.refresh(before.refresh_token)
    assert tokens.refresh(after.refresh_token)


# Refresh tokens


def test_a_refresh_token_is_replaced_with_each_use(
    tokens: Tokens, store: MemoryStore, user: User, clock: Clock
) -> None:
    pair = first = tokens.pair(user, SCOPES, ["password", "totp"])
    for _ in range(5):
        clock.forward(minutes=10)
        assert tokens.authenticate(pair.access_token) is None
        following = tokens.refresh(pair.refresh_token)
        assert {following.refresh_token, following.access_token}.isdisjoint(
            [pair.refresh_token, pair.access_token]
        )
        pair = following
        assert tokens.authenticate(pair.access_token)
    # The family, and its last token: what was replaced takes no room.
    assert len(store.tokens(user.uid, "refresh")) == 2
    (family,) = tokens.families(user)
    assert family.last_used_at == clock()
    assert family.data == {"methods": ["password", "totp"]}
    assert first.scopes == pair.scopes == SCOPES
    assert pair.expires_in == 600


def test_a_refresh_token_that_is_shown_again_ends_its_family(
    tokens: Tokens, store: MemoryStore, user: User, clock: Clock
) -> None:
    """RFC 9700, section 4.14.2: of thief and owner one comes second, and both lose it."""
    stolen = tokens.pair(user, SCOPES, ["password"])
    other = tokens.pair(user, SCOPES, ["password"])
    pair = stolen
    for _ in range(3):
        clock.forward(minutes=1)
        pair = tokens.refresh(pair.refresh_token)
    with pytest.raises(InvalidToken):
        tokens.refresh(stolen.refresh_token)
    assert tokens.authenticate(pair.access_token) is None
    for again in [pair, stolen, pair]:
        with pytest.raises(InvalidToken):
            tokens.refresh(again.refresh_token)
    # Told once, with no secret, and of that family alone.
    (event,) = store.events(name="refresh_reused")
    assert (event.uid, event.address) == (user.uid, "192.0.2.7")
    assert set(event.details) == {"id"}
    assert tokens.authenticate(other.access_token)
    assert tokens.refresh(other.refresh_token)


def test_of_several_who_refresh_at_once_one_gets_a_pair(
    tokens: Tokens, store: MemoryStore, user: User
) -> None:
    secret = tokens.pair(user, SCOPES, ["password"]).refresh_token
    barrier = threading.Barrier(8)

    def refresh(_: int) -> TokenPair | None:
        barrier.wait()
        try:
            return tokens.refresh(secret)
        except InvalidToken:
            return None

    with ThreadPoolExecutor(8) as threads:
        (pair,) = filter(None, threads.map(refresh, range(8)))
    # The others have shown a used one, and nobody knows who is the thief.
    assert tokens.authenticate(pair.access_token) is None
    with pytest.raises(InvalidToken):
        tokens.refresh(pair.refresh_token)
    assert store.events(name="refresh_reused")


class Interrupted(MemoryStore):
    """Ends the family between the moments at which a token is used and the next one is added."""

    def use_token(self, key: str, purpose: str, at: t.Any) -> Token | None:
        used = super().use_token(key, purpose, at)
        if used is not None and used.uid is not None:
            self.end_tokens(used.uid, "refresh", family=used.family)
        return used


def test_a_family_that_ends_during_a_refresh_stays_ended(settings: Settings, clock: Clock) -> None:
    store = Interrupted()
    tokens = Tokens(kit_with(settings, store, clock))
    pair = tokens.refresh(tokens.pair(user_in(store, clock), SCOPES, ["password"]).refresh_token)
    assert tokens.authenticate(pair.access_token) is None
    with pytest.raises(InvalidToken):
        tokens.refresh(pair.refresh_token)


def test_a_refresh_token_that_is_not_used_expires_and_nobody_is_accused(
    tokens: Tokens, store: MemoryStore, user: User, clock: Clock
) -> None:
    pair = tokens.pair(user, SCOPES, ["password"])
    clock.forward(days=30)
    assert not tokens.families(user)
    for _ in range(2):
        with pytest.raises(InvalidToken):
            tokens.refresh(pair.refresh_token)
        clock.forward(seconds=1)
        store.purge(clock(), clock())
    assert not store.events(name="refresh_reused")


def test_a_family_ends_at_its_time_however_often_it_is_refreshed(
    tokens: Tokens, user: User, clock: Clock
) -> None:
    pair = tokens.pair(user, SCOPES, ["password"])
    for _ in range(4):
        clock.forward(days=22)
        pair = tokens.refresh(pair.refresh_token)
    clock.forward(days=1, hours=23, minutes=58)
    pair = tokens.refresh(pair.refresh_token)
    assert pair.expires_in == 120
    clock.forward(minutes=2)
    assert tokens.authenticate(pair.access_token) is None
    with pytest.raises(InvalidToken):
        tokens.refresh(pair.refresh_token)


def test_scopes_never_widen_at_a_refresh(tokens: Tokens, user: User) -> None:
    pair = tokens.pair(user, ["orders:read"], ["password"])
    with pytest.raises(
        TokenRefused, match="'orders:write' is no scope that may be had here. There are: orders:read."
    ):
        tokens.refresh(pair.refresh_token, ["orders:read", "orders:write"])
    # Which did not cost the refresh token.
    pair = tokens.refresh(pair.refresh_token, [])
    found = tokens.authenticate(pair.access_token)
    assert found is not None
    assert found.scopes == frozenset()
    # Fewer count for one access token alone (RFC 6749, section 6).
    assert tokens.refresh(pair.refresh_token).scopes == ("orders:read",)


def test_scopes_that_left_the_settings_leave_a_family(
    settings: Settings, store: MemoryStore, clock: Clock, tokens: Tokens, user: User
) -> None:
    pair = tokens.pair(user, SCOPES, ["password"])
    fewer = Tokens(kit_with(replace(settings, scopes=("orders:write",)), store, clock))
    assert fewer.refresh(pair.refresh_token).scopes == ("orders:write",)


def test_logging_a_program_out_ends_its_access_token_too(
    tokens: Tokens, store: MemoryStore, user: User
) -> None:
    first = tokens.pair(user, SCOPES, ["password"])
    other = tokens.pair(user, SCOPES, ["password"])
    # An old one will do: whoever has it could only do worse.
    pair = tokens.refresh(first.refresh_token)
    tokens.revoke_refresh(first.refresh_token)
    tokens.revoke_refresh(first.refresh_token)
    assert tokens.authenticate(pair.access_token) is None
    with pytest.raises(InvalidToken):
        tokens.refresh(pair.refresh_token)
    assert tokens.authenticate(other.access_token)
    assert [one["kind"] for one in told(store, "token_revoked")] == ["refresh"]


def test_logins_of_programs_are_listed_and_ended(
    tokens: Tokens, store: MemoryStore, user: User, clock: Clock
) -> None:
    pairs: list[TokenPair] = []
    for method in ["password", "passkey", "openid"]:
        clock.forward(minutes=1)
        pairs.append(tokens.pair(user, SCOPES, [method]))
    newest, middle, _ = tokens.families(user)
    assert newest.data["methods"] == ["openid"]
    other = user_in(store, clock, "eve")
    assert not tokens.revoke_family(other, middle.id)
    assert tokens.revoke_family(user, middle.id)
    assert not tokens.revoke_family(user, middle.id)
    assert [tokens.authenticate(pair.access_token) is None for pair in pairs] == [False, True, False]
    assert tokens.revoke_families(user) == 2
    assert tokens.revoke_families(user) == 0
    assert not any(tokens.authenticate(pair.access_token) for pair in pairs)
    assert told(store, "token_revoked") == [
        {"kind": "refresh", "count": 2},
        {"kind": "refresh", "id": middle.id},
    ]


def test_a_user_has_so_many_logins_of_programs_and_the_oldest_end(
    settings: Settings, store: MemoryStore, clock: Clock, user: User
) -> None:
    tokens = Tokens(kit_with(replace(settings, session_limit=2), store, clock))
    pairs: list[TokenPair] = []
    for _ in range(4):
        clock.forward(minutes=1)
        pairs.append(tokens.pair(user, SCOPES, ["password"]))
    assert [tokens.authenticate(pair.access_token) is not None for pair in pairs] == [
        False,
        False,
        True,
        True,
    ]


def test_no_text_that_others_know_is_a_refresh_token(
    tokens: Tokens, store: MemoryStore, kit: Kit, user: User
) -> None:
    tokens.pair(user, SCOPES, ["password"])
    for record in store.tokens(user.uid, "refresh"):
        for text in [record.key, record.id, f"family:{record.id}"]:
            with pytest.raises(InvalidToken):
                tokens.refresh(text)
    assert len(tokens.families(user)) == 1


def test_the_keys_of_the_application_make_no_refresh_token_that_works(
    tokens: Tokens, kit: Kit, store: MemoryStore, user: User, clock: Clock
) -> None:
    tokens.pair(user, SCOPES, ["password"])
    (family,) = tokens.families(user)
    forged = kit.keys.seal(f"{family.id} {clock().timestamp() + 999} {'x' * 43}", "refresh-token")
    with pytest.raises(InvalidToken):
        tokens.refresh(forged)


def test_a_refresh_token_outlives_a_change_of_the_secret_key(
    settings: Settings, store: MemoryStore, clock: Clock, user: User
) -> None:
    old = Tokens(kit_with(settings, store, clock, "old key"))
    both = Tokens(kit_with(settings, store, clock, "new key", "old key"))
    new = Tokens(kit_with(settings, store, clock, "new key"))
    pair = both.refresh(old.pair(user, SCOPES, ["password"]).refresh_token)
    assert new.refresh(pair.refresh_token)


# Upkeep


def test_what_has_expired_is_purged_and_the_rest_stays(
    tokens: Tokens, kit: Kit, store: MemoryStore, user: User, clock: Clock
) -> None:
    tokens.issue("reset", user.uid, timedelta(hours=1))
    tokens.create_api_token(user, "short", [], timedelta(days=1))
    kept, _ = tokens.create_api_token(user, "long", [], timedelta(days=80))
    pair = tokens.pair(user, SCOPES, ["password"])
    pair = tokens.refresh(pair.refresh_token)
    clock.forward(days=1)
    assert purge(kit) == 2
    assert purge(kit) == 0
    assert tokens.authenticate(kept)
    assert tokens.refresh(pair.refresh_token)
    assert len(store.events()) == 3
    clock.forward(days=180)
    # Long gone: two tokens, a family with the last of its own, and three events.
    assert purge(kit) == 6
    assert not store.events()
