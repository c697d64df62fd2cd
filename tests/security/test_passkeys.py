"""Passkeys, with an authenticator in software, through the real checks of webauthn."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from dataclasses import replace

import pytest

from authenticator import Authenticator, decoded, encoded
from erlen.ext.security.errors import ConfigurationError, SecurityError, WrongCredentials
from erlen.ext.security.factors import Factors, Passkeys
from erlen.ext.security.factors.passkeys import MOST, NAME_LENGTH, clean_name
from erlen.ext.security.settings import Settings
from erlen.ext.security.tokens import Tokens
from erlen.ext.security.types import Passkey, User
from memory_store import MemoryStore
from security_kit import Clock, add_user, kit_of, told


def factors_of(settings: Settings, store: MemoryStore, clock: Clock) -> Factors:
    kit = kit_of(settings, store, clock)
    return Factors(kit, Tokens(kit))


@pytest.fixture
def factors(settings: Settings, store: MemoryStore, clock: Clock) -> Factors:
    return factors_of(settings, store, clock)


@pytest.fixture
def passkeys(factors: Factors) -> Passkeys:
    return factors.passkeys


@pytest.fixture
def ada(store: MemoryStore) -> User:
    return add_user(store)


@pytest.fixture
def bob(store: MemoryStore) -> User:
    return add_user(store, "bob@example.com")


@pytest.fixture
def device() -> Authenticator:
    return Authenticator()


@pytest.fixture
def passkey(passkeys: Passkeys, ada: User, device: Authenticator) -> Passkey:
    """A passkey of Ada's on the device."""
    return passkeys.register(ada, device.create(passkeys.registration_options(ada)), "Laptop")


# Registration


def test_a_passkey_is_registered_and_logs_in(
    passkeys: Passkeys, store: MemoryStore, ada: User, device: Authenticator, passkey: Passkey, clock: Clock
) -> None:
    assert passkeys.all(ada) == [passkey]
    assert (passkey.name, passkey.uid, passkey.created_at) == ("Laptop", ada.uid, clock())
    assert passkey.transports == ("internal",), "of what browsers say, what is known"
    clock.forward(minutes=1)
    assert passkeys.login(device.get(passkeys.login_options())).uid == ada.uid
    used = store.passkey(passkey.credential_id)
    assert used is not None
    assert (used.sign_count, used.last_used_at) == (1, clock())


def test_a_passkey_is_a_second_factor(
    passkeys: Passkeys, factors: Factors, ada: User, device: Authenticator, passkey: Passkey
) -> None:
    assert factors.available(ada) == ["passkey"]
    options = passkeys.login_options(ada)
    assert options["allowCredentials"] == [
        {"id": passkey.credential_id, "type": "public-key", "transports": ["internal"]}
    ]
    assert passkeys.login(device.get(options), ada).uid == ada.uid


def test_a_device_that_synchronises_and_does_not_count_logs_in_again_and_again(
    passkeys: Passkeys, ada: User
) -> None:
    device = Authenticator(counts=False)
    kept = passkeys.register(ada, device.create(passkeys.registration_options(ada)), "")
    assert kept.backed_up
    assert kept.name == "Passkey 1"
    for _ in range(3):
        assert passkeys.login(device.get(passkeys.login_options())).uid == ada.uid


def test_registration_asks_for_verification_and_no_attestation(passkeys: Passkeys, ada: User) -> None:
    options = passkeys.registration_options(ada)
    assert options["authenticatorSelection"] == {
        "residentKey": "preferred",
        "requireResidentKey": False,
        "userVerification": "required",
    }
    assert options["attestation"] == "none"
    assert options["rp"] == {"id": "example.test", "name": "example.test"}
    assert options["user"] == {
        "id": encoded(ada.uid.encode()),
        "name": "ada@example.com",
        "displayName": "ada@example.com",
    }
    assert options["timeout"] == 300_000
    json.dumps(options)


def test_login_asks_for_verification(passkeys: Passkeys) -> None:
    assert passkeys.login_options()["userVerification"] == "required"


def test_a_challenge_is_long_and_another_each_time(passkeys: Passkeys) -> None:
    """ASVS 6.7.2: 64 bits at least."""
    challenges = [decoded(passkeys.login_options()["challenge"]) for _ in range(5)]
    assert len(set(challenges)) == 5
    assert all(len(decoded(challenge.decode())) * 8 >= 256 for challenge in challenges)


def test_challenges_are_not_stored_readable(passkeys: Passkeys, store: MemoryStore, ada: User) -> None:
    challenge = decoded(passkeys.registration_options(ada)["challenge"]).decode()
    assert challenge not in repr(store.tokens(ada.uid, "passkey-register"))


@pytest.mark.usefixtures("passkey")
def test_a_device_is_not_registered_twice(passkeys: Passkeys, ada: User, device: Authenticator) -> None:
    with pytest.raises(RuntimeError, match="InvalidStateError"):
        device.create(passkeys.registration_options(ada))


def test_a_passkey_of_somebody_else_is_not_taken_over(
    passkeys: Passkeys, ada: User, bob: User, device: Authenticator, passkey: Passkey
) -> None:
    answer = device.create(passkeys.registration_options(bob))
    # A device of the attacker's calls its key as Ada's device does.
    data = bytearray(decoded(answer["response"]["attestationObject"]))
    made, known = device.held[1].id, device.held[0].id
    forged = bytes(data).replace(made, known)
    answer["id"] = answer["rawId"] = encoded(known)
    answer["response"]["attestationObject"] = encoded(forged)
    with pytest.raises(SecurityError, match="registered already"):
        passkeys.register(bob, answer, "mine")
    assert passkeys.all(ada) == [passkey]
    assert passkeys.all(bob) == []


@pytest.mark.parametrize(("length", "kept"), [(1023, True), (1024, False), (40_000, False)])
def test_the_name_of_a_key_has_a_limit(
    passkeys: Passkeys, ada: User, device: Authenticator, length: int, kept: bool
) -> None:
    answer = device.create(passkeys.registration_options(ada), id_length=length)
    if kept:
        assert passkeys.register(ada, answer, "x").credential_id == answer["id"]
    else:
        with pytest.raises(SecurityError, match="could not be registered"):
            passkeys.register(ada, answer, "x")


def test_a_key_goes_by_the_name_that_its_device_has_given_it(
    passkeys: Passkeys, ada: User, device: Authenticator
) -> None:
    answer = device.create(passkeys.registration_options(ada))
    answer["id"] = answer["rawId"] = encoded(b"another")
    with pytest.raises(SecurityError, match="could not be registered"):
        passkeys.register(ada, answer, "x")


def test_there_is_a_limit_of_passkeys(passkeys: Passkeys, ada: User) -> None:
    for _ in range(MOST):
        passkeys.register(ada, Authenticator().create(passkeys.registration_options(ada)), "")
    with pytest.raises(SecurityError, match=f"There are {MOST} passkeys already"):
        passkeys.register(ada, Authenticator().create(passkeys.registration_options(ada)), "")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  My \t key\r\n ", "My key"),
        ("a\0b\x1b[31m", "a b [31m"),
        ("safe\u202eevil\u2066", "safeevil"),
        ("z\u200bw\ufeff", "zw"),
        ("line\u2028two", "line two"),
        ("\ud800x", "x"),
        ("<b>&", "<b>&"),
        ("Gerät 📱", "Gerät 📱"),
        ("x" * 2**20, "x" * NAME_LENGTH),
        ("\u202e", ""),
    ],
)
def test_names_are_cleaned(typed: str, kept: str) -> None:
    assert clean_name(typed) == kept


# What is refused


@pytest.mark.parametrize(
    "changes",
    [
        {"seen": {"origin": "https://example.test.evil.test"}},
        {"seen": {"origin": "https://sub.example.test"}},
        {"seen": {"origin": "https://example.test:8443"}},
        {"seen": {"origin": "http://example.test"}},
        {"seen": {"origin": None}},
        {"seen": {"origin": ["https://example.test"]}},
        {"seen": {"crossOrigin": True}},
        {"seen": {"type": "webauthn.get"}},
        {"seen": {"type": 1}},
        {"seen": {"challenge": encoded(b"another challenge")}},
        {"seen": {"challenge": ""}},
        {"seen": {"challenge": None}},
        {"seen": {"challenge": encoded(b"\xff\xfe")}},
        {"rp_id": "evil.test"},
    ],
    ids=lambda changes: json.dumps(changes),
)
def test_a_registration_that_is_not_right_is_refused(
    passkeys: Passkeys, ada: User, device: Authenticator, changes: dict[str, t.Any]
) -> None:
    answer = device.create(passkeys.registration_options(ada), **changes)
    with pytest.raises(SecurityError, match="could not be registered"):
        passkeys.register(ada, answer, "x")
    assert passkeys.all(ada) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"seen": {"origin": "https://evil.test"}},
        {"seen": {"origin": "http://example.test"}},
        {"seen": {"origin": {}}},
        {"seen": {"crossOrigin": True}},
        {"seen": {"type": "webauthn.create"}},
        {"seen": {"challenge": encoded(b"another challenge")}},
        {"rp_id": "evil.test"},
    ],
    ids=lambda changes: json.dumps(changes),
)
@pytest.mark.usefixtures("passkey")
def test_a_login_that_is_not_right_is_refused(
    passkeys: Passkeys, device: Authenticator, changes: dict[str, t.Any]
) -> None:
    with pytest.raises(WrongCredentials):
        passkeys.login(device.get(passkeys.login_options(), **changes))
    again = passkeys.login(device.get(passkeys.login_options()))
    assert again.is_active, "the passkey is as good as before"


def test_a_device_that_does_not_verify_its_user_is_refused(
    passkeys: Passkeys, ada: User, device: Authenticator
) -> None:
    device.verifies = False
    with pytest.raises(SecurityError):
        passkeys.register(ada, device.create(passkeys.registration_options(ada)), "x")
    device.verifies = True
    passkeys.register(ada, device.create(passkeys.registration_options(ada)), "x")
    device.verifies = False
    with pytest.raises(WrongCredentials):
        passkeys.login(device.get(passkeys.login_options(ada)), ada)


@pytest.mark.usefixtures("passkey")
@pytest.mark.parametrize("part", ["signature", "authenticatorData", "clientDataJSON"])
def test_what_was_changed_after_it_was_signed_is_refused(
    passkeys: Passkeys, device: Authenticator, part: str
) -> None:
    answer = device.get(passkeys.login_options())
    data = bytearray(decoded(answer["response"][part]))
    if part == "clientDataJSON":
        # Another order of the same members is another text.
        data = bytearray(json.dumps(dict(reversed(json.loads(data).items()))).encode())
    else:
        data[-1] ^= 1
    answer["response"][part] = encoded(bytes(data))
    with pytest.raises(WrongCredentials):
        passkeys.login(answer)


@pytest.mark.usefixtures("passkey")
def test_an_answer_counts_once(passkeys: Passkeys, device: Authenticator) -> None:
    """A replay: the challenge is used up by the first of two."""
    device.counts = False
    answer = device.get(passkeys.login_options(), count=0)
    assert passkeys.login(answer).is_active
    with pytest.raises(WrongCredentials):
        passkeys.login(answer)


def test_a_registration_counts_once(passkeys: Passkeys, ada: User, device: Authenticator) -> None:
    answer = device.create(passkeys.registration_options(ada))
    kept = passkeys.register(ada, answer, "x")
    passkeys.remove(ada, kept.credential_id)
    with pytest.raises(SecurityError):
        passkeys.register(ada, answer, "x")


@pytest.mark.usefixtures("passkey")
def test_a_challenge_expires(passkeys: Passkeys, ada: User, device: Authenticator, clock: Clock) -> None:
    login, registration = passkeys.login_options(), passkeys.registration_options(ada)
    clock.forward(minutes=5, seconds=1)
    with pytest.raises(WrongCredentials):
        passkeys.login(device.get(login))
    with pytest.raises(SecurityError):
        passkeys.register(ada, Authenticator().create(registration), "x")


@pytest.mark.usefixtures("passkey")
def test_a_challenge_is_for_one_purpose(passkeys: Passkeys, ada: User, device: Authenticator) -> None:
    registration, login = passkeys.registration_options(ada), passkeys.login_options(ada)
    with pytest.raises(WrongCredentials):
        passkeys.login(device.get({**login, "challenge": registration["challenge"]}), ada)
    with pytest.raises(SecurityError):
        passkeys.register(ada, Authenticator().create({**registration, "challenge": login["challenge"]}), "x")


@pytest.mark.usefixtures("passkey")
def test_a_challenge_is_for_one_user(passkeys: Passkeys, ada: User, bob: User, device: Authenticator) -> None:
    theirs = Authenticator()
    passkeys.register(bob, theirs.create(passkeys.registration_options(bob)), "x")
    with pytest.raises(WrongCredentials):
        passkeys.login(theirs.get({**passkeys.login_options(ada), "allowCredentials": []}), bob)
    with pytest.raises(WrongCredentials):
        passkeys.login(device.get(passkeys.login_options()), ada)
    with pytest.raises(WrongCredentials):
        passkeys.login(device.get({**passkeys.login_options(ada), "allowCredentials": []}))
    with pytest.raises(SecurityError):
        passkeys.register(bob, Authenticator().create(passkeys.registration_options(ada)), "x")


@pytest.mark.usefixtures("passkey")
def test_the_passkey_of_another_user_is_no_second_factor(
    passkeys: Passkeys, bob: User, device: Authenticator
) -> None:
    with pytest.raises(WrongCredentials):
        passkeys.login(device.get({**passkeys.login_options(bob), "allowCredentials": []}), bob)


@pytest.mark.usefixtures("passkey")
def test_a_device_that_names_another_user_is_refused(
    passkeys: Passkeys, bob: User, device: Authenticator
) -> None:
    answer = device.get(passkeys.login_options())
    answer["response"]["userHandle"] = encoded(bob.uid.encode())
    with pytest.raises(WrongCredentials):
        passkeys.login(answer)


@pytest.mark.usefixtures("passkey")
def test_a_login_without_a_user_needs_the_device_to_name_one(
    passkeys: Passkeys, device: Authenticator
) -> None:
    answer = device.get(passkeys.login_options())
    del answer["response"]["userHandle"]
    with pytest.raises(WrongCredentials):
        passkeys.login(answer)


@pytest.mark.parametrize("count", [7, 6, 0])
@pytest.mark.usefixtures("passkey")
def test_a_device_that_counts_backwards_is_refused_and_told(
    passkeys: Passkeys,
    store: MemoryStore,
    device: Authenticator,
    count: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    passkeys.login(device.get(passkeys.login_options(), count=7))
    with pytest.raises(WrongCredentials):
        passkeys.login(device.get(passkeys.login_options(), count=count))
    assert told(store, "second_factor_failed") == [
        ("second_factor_failed", {"factor": "passkey", "reason": "sign_count", "label": "Laptop"})
    ]
    assert "there may be a copy of it" in caplog.text


@pytest.mark.usefixtures("passkey")
def test_a_count_that_nobody_has_signed_tells_nothing(
    passkeys: Passkeys, store: MemoryStore, device: Authenticator
) -> None:
    passkeys.login(device.get(passkeys.login_options(), count=7))
    answer = device.get(passkeys.login_options(), count=3)
    answer["response"]["signature"] = encoded(b"\x30\x06\x02\x01\x01\x02\x01\x01")
    with pytest.raises(WrongCredentials):
        passkeys.login(answer)
    assert told(store, "second_factor_failed") == []


def test_an_unknown_passkey_is_refused_with_the_same_text(
    passkeys: Passkeys, ada: User, device: Authenticator, passkey: Passkey
) -> None:
    stranger = Authenticator()
    options = passkeys.registration_options(ada)
    stranger.create({**options, "excludeCredentials": []})
    with pytest.raises(WrongCredentials) as unknown:
        passkeys.login(stranger.get(passkeys.login_options()))
    with pytest.raises(WrongCredentials) as known:
        passkeys.login(device.get(passkeys.login_options(), seen={"origin": "https://evil.test"}))
    assert str(unknown.value) == str(known.value)


def test_an_account_that_was_switched_off_is_refused(
    passkeys: Passkeys, store: MemoryStore, ada: User, device: Authenticator, passkey: Passkey
) -> None:
    store.change_user(ada.uid, is_active=False)
    with pytest.raises(WrongCredentials):
        passkeys.login(device.get(passkeys.login_options()))


def test_the_options_of_a_login_tell_nothing_about_accounts(
    passkeys: Passkeys, ada: User, passkey: Passkey
) -> None:
    options = passkeys.login_options()
    assert options["allowCredentials"] == []
    assert passkey.credential_id not in json.dumps(options)
    assert options.keys() == passkeys.login_options(ada).keys()


@pytest.mark.parametrize(
    "credential",
    [
        {},
        {"response": None},
        {"response": {}},
        {"response": "x"},
        {"id": 1, "rawId": [], "type": {}, "response": {"clientDataJSON": 1}},
        {"id": "a", "rawId": "a", "type": "public-key", "response": {"clientDataJSON": "e30"}},
        {"id": "a", "rawId": "a", "type": "public-key", "response": {"clientDataJSON": "!"}},
        {"id": "a", "rawId": "a", "type": "public-key", "response": {"clientDataJSON": "\ud800"}},
        {"id": "a", "rawId": "a", "type": "public-key", "response": {"clientDataJSON": "A" * 2**20}},
        {
            "id": "a",
            "rawId": "a",
            "type": "public-key",
            "response": {"clientDataJSON": encoded(b"[" * 30_000)},
        },
    ],
    ids=range(10),
)
def test_what_is_no_credential_is_refused(
    passkeys: Passkeys, ada: User, credential: dict[str, t.Any]
) -> None:
    with pytest.raises(WrongCredentials):
        passkeys.login(credential)
    with pytest.raises(SecurityError, match="could not be registered"):
        passkeys.register(ada, credential, "x")


@pytest.mark.usefixtures("passkey")
@pytest.mark.parametrize("part", ["authenticatorData", "signature", "userHandle"])
@pytest.mark.parametrize("value", [None, 1, "", "AA", "!", [], encoded(b"\xff" * 5000)], ids=range(7))
def test_a_part_of_another_kind_is_refused(
    passkeys: Passkeys, device: Authenticator, part: str, value: object
) -> None:
    answer = device.get(passkeys.login_options())
    answer["response"][part] = value
    with pytest.raises(WrongCredentials):
        passkeys.login(answer)


@pytest.mark.parametrize(
    "value", ["", "AA", "!", encoded(b"\x9f" * 40_000), encoded(b"\xa1\x00")], ids=range(5)
)
def test_an_attestation_that_cannot_be_read_is_refused(
    passkeys: Passkeys, ada: User, device: Authenticator, value: str
) -> None:
    answer = device.create(passkeys.registration_options(ada))
    answer["response"]["attestationObject"] = value
    with pytest.raises(SecurityError, match="could not be registered"):
        passkeys.register(ada, answer, "x")


# Where the site is


@pytest.mark.parametrize("port", ["", ":5000", ":65535"])
def test_without_a_site_passkeys_are_for_localhost(
    settings: Settings, store: MemoryStore, ada: User, clock: Clock, port: str
) -> None:
    passkeys = factors_of(replace(settings, site_url=None), store, clock).passkeys
    device = Authenticator(origin=f"http://localhost{port}")
    options = passkeys.registration_options(ada)
    assert options["rp"]["id"] == "localhost"
    passkeys.register(ada, device.create(options), "x")
    assert passkeys.login(device.get(passkeys.login_options())).uid == ada.uid


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.test",
        "http://localhost.evil.test",
        "http://localhost:80@evil.test",
        "http://localhost:5000/",
        "http://evil.test/?http://localhost",
        "http://localhost:5000\n",
    ],
)
def test_without_a_site_nothing_but_localhost_is_taken(
    settings: Settings, store: MemoryStore, ada: User, clock: Clock, origin: str
) -> None:
    """`http://localhost:80@evil`, and a site that a request's Host header has named."""
    passkeys = factors_of(replace(settings, site_url=None), store, clock).passkeys
    with pytest.raises(SecurityError, match="could not be registered"):
        passkeys.register(ada, Authenticator(origin=origin).create(passkeys.registration_options(ada)), "x")


@pytest.mark.parametrize(
    ("url", "origin", "rp_id"),
    [
        ("https://example.test:443/", "https://example.test", "example.test"),
        ("https://EXAMPLE.test:8443/app", "https://example.test:8443", "example.test"),
        ("http://localhost:5000", "http://localhost:5000", "localhost"),
    ],
)
def test_the_site_is_what_the_setting_says(
    settings: Settings, store: MemoryStore, ada: User, clock: Clock, url: str, origin: str, rp_id: str
) -> None:
    passkeys = factors_of(replace(settings, site_url=url), store, clock).passkeys
    options = passkeys.registration_options(ada)
    assert options["rp"]["id"] == rp_id
    assert passkeys.register(ada, Authenticator(origin=origin).create(options), "x").name == "x"


@pytest.mark.parametrize(
    "url", ["", "example.test", "https://", "ftp://example.test", "https://x:y", "https://münchen.test"]
)
def test_a_setting_that_is_no_site_is_named(
    settings: Settings, store: MemoryStore, clock: Clock, url: str
) -> None:
    passkeys = factors_of(replace(settings, site_url=url), store, clock).passkeys
    with pytest.raises(ConfigurationError, match="SECURITY_SITE_URL is"):
        passkeys.login_options()


# Removing, events, the package


def test_passkeys_are_removed_by_their_owner_alone(
    passkeys: Passkeys, factors: Factors, store: MemoryStore, ada: User, bob: User, passkey: Passkey
) -> None:
    factors.codes.make(ada)
    assert not passkeys.remove(bob, passkey.credential_id)
    assert not passkeys.remove(ada, "another")
    assert factors.available(ada) == ["passkey", "code"]
    assert passkeys.remove(ada, passkey.credential_id)
    assert factors.available(ada) == []
    assert factors.codes.left(ada) == 0
    assert told(store, "factor_added", "factor_removed") == [
        ("factor_added", {"factor": "passkey", "label": "Laptop"}),
        ("factor_removed", {"factor": "passkey", "label": "Laptop"}),
    ]


@pytest.mark.usefixtures("passkey")
def test_a_removed_passkey_logs_nobody_in(
    passkeys: Passkeys, ada: User, device: Authenticator, passkey: Passkey
) -> None:
    options = passkeys.login_options()
    passkeys.remove(ada, passkey.credential_id)
    with pytest.raises(WrongCredentials):
        passkeys.login(device.get(options))


def test_all_factors_of_a_user_are_removed(factors: Factors, ada: User, passkey: Passkey) -> None:
    assert factors.remove_all(ada)
    assert factors.available(ada) == []


def test_the_package_is_named_where_it_is_missing(
    passkeys: Passkeys, factors: Factors, ada: User, passkey: Passkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert passkeys.is_supported
    # What Python makes of a package that is not there.
    monkeypatch.setitem(sys.modules, "webauthn", t.cast("t.Any", None))
    assert not passkeys.is_supported
    calls: list[t.Callable[[], object]] = [
        passkeys.login_options,
        lambda: passkeys.login({}),
        lambda: passkeys.registration_options(ada),
        lambda: passkeys.register(ada, {}, ""),
    ]
    for call in calls:
        with pytest.raises(ConfigurationError, match=r"pip install 'erlen\[passkeys\]'"):
            call()
    assert factors.available(ada) == ["passkey"], "a password alone is not enough for that"


def test_what_few_requests_need_is_not_loaded_at_the_start() -> None:
    program = (
        "import sys, erlen.ext.security.factors, erlen.ext.security.openid;"
        "print(sorted({'webauthn', 'cbor2', 'segno', 'httpx'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
