"""Codes of authenticator applications."""

from __future__ import annotations

import logging
import threading
import typing as t
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

import pyotp
import pytest
from pyotp.totp import TOTP

from erlen.ext.security.factors import Factors, Totp, TotpSetup
from erlen.ext.security.factors.totp import DRIFT_SECONDS, SETUP_LIFETIME, STEP_SECONDS
from erlen.ext.security.settings import Settings
from erlen.ext.security.tokens import Tokens
from erlen.ext.security.types import User
from memory_store import MemoryStore
from security_kit import Clock, add_user, kit_of, told


@pytest.fixture
def factors(settings: Settings, store: MemoryStore, clock: Clock) -> Factors:
    kit = kit_of(settings, store, clock)
    return Factors(kit, Tokens(kit))


@pytest.fixture
def totp(factors: Factors) -> Totp:
    return factors.totp


@pytest.fixture
def ada(store: MemoryStore) -> User:
    return add_user(store)


class Device:
    """What somebody holds in their hand: an authenticator application, whose clock may be wrong."""

    def __init__(self, setup: TotpSetup, clock: Clock) -> None:
        # From the URI, as the QR code has it.
        parsed = pyotp.parse_uri(setup.uri)
        assert isinstance(parsed, TOTP)
        self._generator, self._clock = parsed, clock

    def shows(self, *, ahead: float = 0) -> str:
        return self._generator.at(self._clock() + timedelta(seconds=ahead))


@pytest.fixture
def device(totp: Totp, ada: User, clock: Clock) -> Device:
    """An application that was set up a minute ago."""
    setup = totp.begin(ada)
    found = Device(setup, clock)
    assert totp.confirm(ada, setup.sealed, found.shows())
    clock.forward(minutes=1)
    return found


def to_start_of_step(clock: Clock) -> None:
    clock.forward(seconds=STEP_SECONDS - clock().timestamp() % STEP_SECONDS)


# Setting up


def test_a_code_counts_only_after_the_setup_was_confirmed_with_a_right_one(
    totp: Totp, ada: User, clock: Clock
) -> None:
    setup = totp.begin(ada)
    device = Device(setup, clock)
    assert not totp.is_on(ada)
    assert not totp.check(ada, device.shows())
    wrong = f"{(int(device.shows()) + 1) % 10**6:06}"
    assert not totp.confirm(ada, setup.sealed, wrong)
    assert not totp.is_on(ada)
    assert totp.confirm(ada, setup.sealed, device.shows())
    assert totp.is_on(ada)


def test_a_secret_has_160_bits_and_is_another_each_time(totp: Totp, ada: User) -> None:
    """ASVS 6.5.3, RFC 4226 section 4: R6."""
    secrets = {totp.begin(ada).secret for _ in range(5)}
    assert len(secrets) == 5
    for secret in secrets:
        assert len(secret) * 5 == 160
        assert set(secret) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def test_the_code_that_confirmed_a_setup_is_used_up(totp: Totp, ada: User, clock: Clock) -> None:
    setup = totp.begin(ada)
    device = Device(setup, clock)
    assert totp.confirm(ada, setup.sealed, device.shows())
    assert not totp.check(ada, device.shows())


def test_a_setup_is_of_no_use_to_another_user(
    totp: Totp, store: MemoryStore, ada: User, clock: Clock
) -> None:
    bob = add_user(store, "bob@example.com")
    setup = totp.begin(ada)
    assert not totp.confirm(bob, setup.sealed, Device(setup, clock).shows())
    assert totp.resume(bob, setup.sealed) is None
    assert not totp.is_on(bob)


def test_a_setup_ends_after_a_while(totp: Totp, ada: User, clock: Clock) -> None:
    setup = totp.begin(ada)
    clock.forward(seconds=SETUP_LIFETIME.total_seconds() - 1)
    assert totp.resume(ada, setup.sealed) == setup
    clock.forward(seconds=1)
    assert totp.resume(ada, setup.sealed) is None
    assert not totp.confirm(ada, setup.sealed, Device(setup, clock).shows())


@pytest.mark.parametrize("sealed", ["", "x", "ä\0", "\ud800", "gAAAA" * 1000])
def test_a_setup_that_was_made_up_is_refused(totp: Totp, ada: User, sealed: str) -> None:
    assert totp.resume(ada, sealed) is None
    assert not totp.confirm(ada, sealed, "123456")


def test_what_is_stored_is_no_setup(totp: Totp, store: MemoryStore, ada: User, device: Device) -> None:
    stored = store.user(ada.uid)
    assert stored is not None and stored.totp_secret is not None
    assert not totp.confirm(ada, stored.totp_secret, device.shows())


def test_the_former_application_works_until_a_new_one_is_confirmed(
    totp: Totp, ada: User, device: Device, clock: Clock
) -> None:
    setup = totp.begin(ada)
    assert totp.check(ada, device.shows())
    clock.forward(minutes=1)
    new = Device(setup, clock)
    assert totp.confirm(ada, setup.sealed, new.shows())
    clock.forward(minutes=1)
    assert not totp.check(ada, device.shows())
    assert totp.check(ada, new.shows())


def test_of_two_setups_the_second_cannot_be_confirmed_after_the_first(
    totp: Totp, ada: User, clock: Clock
) -> None:
    one, other = totp.begin(ada), totp.begin(ada)
    assert totp.confirm(ada, one.sealed, Device(one, clock).shows())
    assert not totp.confirm(ada, other.sealed, Device(other, clock).shows())
    clock.forward(minutes=1)
    assert not totp.confirm(ada, one.sealed, Device(one, clock).shows()), "nor the first one twice"
    assert totp.check(ada, Device(one, clock).shows())


def test_the_uri_is_escaped(settings: Settings, store: MemoryStore, clock: Clock) -> None:
    named = replace(settings, site_name="Ham & Eggs: a/b?c#d %20")
    odd = add_user(store, "a&issuer=Bank?x#y%3A@example.com")
    kit = kit_of(named, store, clock)
    uri = Factors(kit, Tokens(kit)).totp.begin(odd).uri
    parts = urlsplit(uri)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("otpauth", "totp", "")
    assert parse_qs(parts.query).keys() == {"secret", "issuer"}
    assert parse_qs(parts.query)["issuer"] == ["Ham & Eggs: a/b?c#d %20"]
    issuer, _, name = parts.path.removeprefix("/").partition(":")
    assert unquote(issuer) == "Ham & Eggs: a/b?c#d %20"
    assert unquote(name) == "a&issuer=Bank?x#y%3A@example.com"


def test_the_uri_names_the_site(totp: Totp, ada: User) -> None:
    uri = totp.begin(ada).uri
    assert uri.startswith("otpauth://totp/example.test:ada%40example.com?secret=")


def test_the_qr_code_is_a_picture_with_a_label(totp: Totp, ada: User) -> None:
    root = ElementTree.fromstring(totp.begin(ada).qr_svg)
    assert root.tag == "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == "QR code for an authenticator application"
    assert root.get("viewBox"), "a page gives it its size"
    assert "style" not in root.attrib, "a strict Content-Security-Policy lets nothing through"
    colours = {path.get("fill") or path.get("stroke") for path in root}
    assert colours == {"#fff", "#000"}, "it reads on a dark page as well"


def test_a_setup_shows_no_secret_in_a_traceback(totp: Totp, ada: User) -> None:
    setup = totp.begin(ada)
    assert setup.secret not in repr(setup)
    assert setup.sealed not in repr(setup)


def test_nothing_of_the_secret_is_stored_readable(
    totp: Totp, store: MemoryStore, ada: User, clock: Clock
) -> None:
    setup = totp.begin(ada)
    assert setup.secret not in setup.sealed
    assert totp.confirm(ada, setup.sealed, Device(setup, clock).shows())
    stored = store.user(ada.uid)
    assert stored is not None and stored.totp_secret is not None
    assert setup.secret not in stored.totp_secret
    assert setup.secret not in repr(store.events())


# Checking


def test_a_code_is_right_once(totp: Totp, ada: User, device: Device) -> None:
    """Advisory: TOTP code accepted twice. ASVS 6.5.1."""
    code = device.shows()
    assert totp.check(ada, code)
    assert not totp.check(ada, code)


def test_after_a_code_no_older_one_counts(totp: Totp, ada: User, device: Device, clock: Clock) -> None:
    to_start_of_step(clock)
    former = device.shows(ahead=-1)
    assert totp.check(ada, device.shows())
    assert not totp.check(ada, former)


def test_of_many_who_show_one_code_at_once_one_gets_in(totp: Totp, ada: User, device: Device) -> None:
    code, answers = device.shows(), list[bool]()
    gate = threading.Barrier(8)

    def show() -> None:
        gate.wait()
        answers.append(totp.check(ada, code))

    threads = [threading.Thread(target=show) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 7 + [True]


@pytest.mark.parametrize(
    ("after", "taken"),
    [
        (0, True),
        (STEP_SECONDS - 1, True),
        (STEP_SECONDS, True),
        (STEP_SECONDS + DRIFT_SECONDS - 1, True),
        (STEP_SECONDS + DRIFT_SECONDS, False),
        (2 * STEP_SECONDS - 1, False),
        (2 * STEP_SECONDS, False),
        (3 * STEP_SECONDS, False),
    ],
)
def test_a_code_is_good_for_30_seconds_and_the_drift(
    totp: Totp, ada: User, device: Device, clock: Clock, after: int, taken: bool
) -> None:
    """Advisory: TOTP window over 30 s. ASVS 6.5.5; RFC 6238 section 5.2."""
    assert STEP_SECONDS == 30 and DRIFT_SECONDS <= 5
    to_start_of_step(clock)
    code = device.shows()
    clock.forward(seconds=after)
    assert totp.check(ada, code) is taken


@pytest.mark.parametrize("ahead", [1, DRIFT_SECONDS, STEP_SECONDS, 10 * STEP_SECONDS])
def test_a_code_of_the_future_is_never_taken(
    totp: Totp, ada: User, device: Device, clock: Clock, ahead: int
) -> None:
    to_start_of_step(clock)
    clock.forward(seconds=STEP_SECONDS - 1)
    code = device.shows(ahead=ahead)
    assert not totp.check(ada, code)
    clock.forward(seconds=ahead)
    assert totp.check(ada, code), "in its time it is right"


@pytest.mark.parametrize(
    "shape",
    [
        lambda code: f" {code[:3]} {code[3:]}\n",
        lambda code: f"{code[:3]}-{code[3:]}",
        lambda code: f"{code[:3]}\u00a0{code[3:]}",
        lambda code: "".join(chr(0xFF10 + int(digit)) for digit in code),
        lambda code: "".join(chr(0x0660 + int(digit)) for digit in code),
    ],
    ids=["blanks", "hyphen", "no-break space", "full-width digits", "Arabic digits"],
)
def test_a_code_may_be_typed_as_people_type(
    totp: Totp, ada: User, device: Device, shape: t.Callable[[str], str]
) -> None:
    assert totp.check(ada, shape(device.shows()))


@pytest.mark.parametrize(
    "code",
    [
        "",
        " ",
        "12345",
        "1234567",
        "12345x",
        "+12345",
        "1_2345",
        "0x1234",
        "1e0000",
        "\0" * 6,
        "\ud800" * 6,
        "²²²²²²",
        "Ⅵ⑥６６６６",
        "\u202e123456",
        "1" * 2**20,
    ],
)
def test_what_is_no_code_is_refused(totp: Totp, ada: User, device: Device, code: str) -> None:
    assert not totp.check(ada, code)
    assert totp.check(ada, device.shows()), "and uses nothing up"


def test_a_right_code_with_a_megabyte_of_blanks_is_refused(totp: Totp, ada: User, device: Device) -> None:
    assert not totp.check(ada, device.shows() + " " * 2**20)


def test_a_code_starts_with_zeros_where_it_does(totp: Totp, ada: User, device: Device, clock: Clock) -> None:
    for _ in range(200):
        if device.shows().startswith("0"):
            break
        clock.forward(seconds=STEP_SECONDS)
    code = device.shows()
    assert code.startswith("0")
    assert not totp.check(ada, code.lstrip("0"))
    assert totp.check(ada, code)


def test_the_code_of_another_user_is_refused(
    totp: Totp, store: MemoryStore, device: Device, clock: Clock
) -> None:
    bob = add_user(store, "bob@example.com")
    setup = totp.begin(bob)
    assert totp.confirm(bob, setup.sealed, Device(setup, clock).shows())
    clock.forward(minutes=1)
    assert not totp.check(bob, device.shows())


def test_a_secret_that_was_copied_to_another_row_lets_nobody_in(
    totp: Totp, store: MemoryStore, ada: User, device: Device, caplog: pytest.LogCaptureFixture
) -> None:
    stored = store.user(ada.uid)
    assert stored is not None
    bob = add_user(store, "bob@example.com", totp_secret=stored.totp_secret)
    assert not totp.check(bob, device.shows())
    assert "cannot be read" in caplog.text


# Keys


def restarted(settings: Settings, store: MemoryStore, clock: Clock, *secret_keys: str) -> Totp:
    kit = kit_of(settings, store, clock, secret_keys)
    return Factors(kit, Tokens(kit)).totp


def test_the_secret_key_may_be_changed_with_the_former_one_as_fallback(
    settings: Settings, store: MemoryStore, ada: User, device: Device, clock: Clock
) -> None:
    later = restarted(settings, store, clock, "a newer key", "a key of the tests")
    assert later.check(ada, device.shows())
    clock.forward(minutes=1)
    last = restarted(settings, store, clock, "a newer key")
    assert last.check(ada, device.shows()), "a login in between has sealed the secret with the new key"


def test_a_secret_whose_key_is_gone_lets_nobody_in_and_is_logged(
    settings: Settings,
    store: MemoryStore,
    ada: User,
    device: Device,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    later = restarted(settings, store, clock, "another key")
    with caplog.at_level(logging.ERROR):
        assert not later.check(ada, device.shows())
    assert later.is_on(ada), "the factor is asked for all the same"
    assert "SECRET_KEY_FALLBACKS" in caplog.text
    assert ada.uid in caplog.text
    assert device.shows() not in caplog.text


# Which factors there are


def test_removing_the_codes_ends_them(
    factors: Factors, store: MemoryStore, ada: User, device: Device
) -> None:
    assert factors.totp.remove(ada)
    assert not factors.totp.is_on(ada)
    assert not factors.totp.check(ada, device.shows())
    assert not factors.totp.remove(ada), "there is nothing left"
    assert told(store, "factor_added", "factor_removed") == [
        ("factor_added", {"factor": "totp", "replaced": False}),
        ("factor_removed", {"factor": "totp"}),
    ]


def test_recovery_codes_are_a_factor_beside_another_one_alone(
    factors: Factors, ada: User, clock: Clock
) -> None:
    factors.codes.make(ada)
    assert factors.available(ada) == []
    setup = factors.totp.begin(ada)
    assert factors.totp.confirm(ada, setup.sealed, Device(setup, clock).shows())
    assert factors.available(ada) == ["totp", "code"]
    factors.totp.remove(ada)
    assert factors.available(ada) == []
    assert factors.codes.left(ada) == 0, "codes from before do not come back with the next factor"


@pytest.mark.usefixtures("device")
def test_an_application_without_codes_is_one_factor(factors: Factors, ada: User) -> None:
    assert factors.available(ada) == ["totp"]


def test_some_roles_have_to_set_up_a_factor(
    settings: Settings, store: MemoryStore, ada: User, clock: Clock
) -> None:
    kit = kit_of(replace(settings, second_factor_roles=("admin",)), store, clock)
    factors = Factors(kit, Tokens(kit))
    store.put_role("admin")
    store.put_role("reader")
    store.grant(ada.uid, "reader")

    def stored() -> User:
        found = store.user(ada.uid)
        assert found is not None
        return found

    assert not factors.must_set_up(stored())
    store.grant(ada.uid, "admin")
    assert factors.must_set_up(stored())
    setup = factors.totp.begin(ada)
    assert factors.totp.confirm(ada, setup.sealed, Device(setup, clock).shows())
    assert not factors.must_set_up(stored())


@pytest.mark.usefixtures("device")
def test_an_administrator_removes_all_factors(factors: Factors, ada: User) -> None:
    factors.codes.make(ada)
    assert factors.remove_all(ada)
    assert factors.available(ada) == []
    assert factors.codes.left(ada) == 0
    assert not factors.remove_all(ada)
