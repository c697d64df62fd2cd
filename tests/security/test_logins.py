"""Logging in: what is refused and how it looks, second steps, fresh logins."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import threading
import typing as t

import pyotp
import pytest
from werkzeug.security import generate_password_hash

from account_site import OTHER, PASSWORD, CountingPasswords, RecordingStore, Site
from erlen.ext.security.errors import InvalidToken, SecurityError, TooManyAttempts, WrongCredentials
from erlen.ext.security.logins import Step
from erlen.ext.security.settings import Settings
from erlen.ext.security.types import Authentication, User
from memory_store import MemoryStore

if t.TYPE_CHECKING:
    from conftest import Clock as MovedClock


ADA = "ada@example.com"


@pytest.fixture
def site(settings: Settings, store: MemoryStore, clock: MovedClock) -> Site:
    return Site(settings, store, clock)


def log_in(
    site: Site, browser: t.Any = None, password: str = PASSWORD, email: str = ADA, **values: t.Any
) -> Step:
    return site.call(lambda: site.logins.with_password(email, password, **values), browser)


def refused(site: Site, *args: t.Any, **values: t.Any) -> str:
    with pytest.raises(SecurityError) as error:
        log_in(site, *args, **values)
    return f"{type(error.value).__name__}: {error.value}"


class Authenticator:
    """An authenticator application."""

    def __init__(self, site: Site, user: User, clock: MovedClock) -> None:
        setup = site.factors.totp.begin(user)
        self.totp, self.clock = pyotp.TOTP(setup.secret), clock
        assert site.factors.totp.confirm(user, setup.sealed, self.code())
        clock.forward(seconds=60)

    def code(self) -> str:
        return self.totp.at(self.clock())

    def wrong(self) -> str:
        return f"{(int(self.code()) + 500_000) % 1_000_000:06}"


@pytest.fixture
def ada(site: Site) -> User:
    return site.add(ADA)


@pytest.fixture
def app_of_ada(site: Site, ada: User, clock: MovedClock) -> Authenticator:
    return Authenticator(site, ada, clock)


def second(
    site: Site, step: Step, kind: t.Any, answer: t.Any, browser: t.Any = None, *, address: str = "192.0.2.1"
) -> Step:
    return site.call(
        lambda: site.logins.with_factor(step.pending or "", kind, answer), browser, address=address
    )


# One step


def test_a_user_logs_in(site: Site, ada: User) -> None:
    browser = site.browser()
    step = log_in(site, browser)
    assert (step.done, step.user.uid, step.pending, step.must_set_up) == (True, ada.uid, None, False)
    assert site.logged_in(browser) == ADA
    assert site.again(ada).login_count == 1


@pytest.mark.parametrize("email", ["ADA@example.com", " ada@EXAMPLE.com ", "Ada@Example.Com"])
def test_an_address_is_known_in_all_its_spellings(site: Site, ada: User, email: str) -> None:
    assert log_in(site, email=email).user.uid == ada.uid


@pytest.mark.parametrize("password", [PASSWORD.upper(), PASSWORD + " ", PASSWORD[:-1], ""])
def test_a_password_is_compared_as_it_is(site: Site, ada: User, password: str) -> None:
    """ASVS 6.2.8: no trimming, no cutting, no change of case."""
    assert refused(site, password=password).startswith("WrongCredentials")


@pytest.mark.parametrize("remember", [True, False, "no", 1])
def test_only_true_remembers(site: Site, ada: User, remember: t.Any) -> None:
    """A remember token set by accident."""
    log_in(site, remember=remember)
    (record,) = site.store.sessions(ada.uid)
    assert record.remember is (remember is True)


# Nothing tells who has an account


def states(site: Site) -> dict[str, tuple[str, str]]:
    """Return address and password of every kind of account that may not log in."""
    site.add("known@example.com")
    site.accounts.set_active(site.add("inactive@example.com"), active=False)
    site.add("new@example.com", activated=False)
    site.add("passwordless@example.com", None)
    return {
        "unknown": ("nobody@example.com", PASSWORD),
        "wrong": ("known@example.com", OTHER),
        "inactive": ("inactive@example.com", PASSWORD),
        "inactive and wrong": ("inactive@example.com", OTHER),
        "not activated": ("new@example.com", PASSWORD),
        "not activated and wrong": ("new@example.com", OTHER),
        "without a password": ("passwordless@example.com", PASSWORD),
        "too long": ("known@example.com", "x" * 1_048_576),
    }


def test_every_refusal_says_the_same_and_does_the_same(
    settings: Settings, store: MemoryStore, clock: MovedClock
) -> None:
    """Timing on login reveals accounts; user enumeration through messages, status or time."""
    recording = RecordingStore(store)
    passwords = CountingPasswords(settings)
    site = Site(settings, recording, clock, passwords=passwords)
    seen: dict[str, tuple[tuple[str, ...], int]] = {}
    for name, (email, password) in states(site).items():
        before = passwords.work
        # Both ways in.
        calls = [
            *recording.during(lambda: log_in(site, email=email, password=password)),
            *recording.during(lambda: site.call(lambda: site.logins.check_password(email, password))),
        ]
        # One is written for the user, or for nobody; each is one row.
        renamed = ["write one row" if one in {"note_failure", "count_attempt"} else one for one in calls]
        seen[name] = tuple(renamed), passwords.work - before
    assert len(set(seen.values())) == 1, seen
    calls_made, work = seen["unknown"]
    assert work == 2
    assert "WrongCredentials: These credentials are not right." in calls_made
    assert calls_made.count("write one row") == 6


def test_refusals_are_told_with_their_reason_in_the_log_alone(site: Site) -> None:
    for email, password in states(site).values():
        refused(site, email=email, password=password)
    reasons = [event.details["reason"] for event in reversed(site.store.events(name="login_failed"))]
    assert reasons == [
        "address",
        "password",
        "state",
        "password",
        "state",
        "password",
        "password",
        "password",
    ]


@pytest.mark.parametrize(
    "email",
    [
        "",
        "ada",
        "ada@example.com\0",
        "ada@example.com\n",
        "a\u202eda@example.com",
        "\ud800@example.com",
        "x" * 1_048_576,
        "аda@example.com",
    ],
)
def test_what_is_no_address_is_refused_as_an_unknown_one(site: Site, ada: User, email: str) -> None:
    if email.strip() == ADA:
        assert log_in(site, email=email).done
    else:
        assert refused(site, email=email) == "WrongCredentials: These credentials are not right."


@pytest.mark.parametrize("password", ["\0", "\ud800", "\u202e" * 40, PASSWORD + "\0", "x" * 1_048_576])
def test_odd_passwords_are_wrong_ones(site: Site, ada: User, password: str) -> None:
    assert refused(site, password=password).startswith("WrongCredentials")


@pytest.mark.parametrize("email", [ADA, "nobody@example.com"])
def test_known_and_unknown_addresses_lock_alike(site: Site, ada: User, clock: MovedClock, email: str) -> None:
    answers = [refused(site, email=email, password=OTHER) for _ in range(7)]
    assert answers[:5] == ["WrongCredentials: These credentials are not right."] * 5
    assert answers[5:] == ["TooManyAttempts: Too many attempts. Try again in 30 seconds."] * 2
    # Nor does the right password show while it is locked.
    assert refused(site, email=email) == answers[-1]
    assert site.told("login_locked") == ["login_locked"]
    clock.forward(seconds=31)
    if email == ADA:
        # The account was locked, not shut; 'account lock inverted'.
        assert log_in(site).done
        assert site.again(ada).failed_count == 0
    else:
        assert refused(site, email=email).startswith("WrongCredentials")


def test_one_network_may_try_so_often(site: Site, ada: User) -> None:
    """Passwords tried over many accounts: ASVS 6.3.1."""
    for number in range(20):
        refused(site, email=f"user{number}@example.com")
    assert refused(site).startswith("TooManyAttempts")


# Hashes


def test_a_foreign_hash_is_replaced_at_login(site: Site, ada: User) -> None:
    site.store.change_user(ada.uid, password_hash=generate_password_hash(PASSWORD, "pbkdf2:sha256:1000"))
    changed_at = site.again(ada).password_changed_at
    assert log_in(site).done
    stored = site.again(ada)
    assert (stored.password_hash or "").startswith("$argon2id$")
    assert stored.password_changed_at == changed_at
    assert site.told("password_upgraded") == ["password_upgraded"]
    assert log_in(site).done
    assert site.told("password_upgraded") == ["password_upgraded"]


def test_a_wrong_password_replaces_no_hash(site: Site, ada: User) -> None:
    old = generate_password_hash(PASSWORD, "pbkdf2:sha256:1000")
    site.store.change_user(ada.uid, password_hash=old)
    refused(site, password=OTHER)
    assert site.again(ada).password_hash == old


class MeanwhilePasswords(CountingPasswords):
    """Somebody does something while a password is compared."""

    meanwhile: cabc.Callable[[], object] | None = None

    def verify(self, password: str, stored: str | None) -> t.Any:
        verdict = super().verify(password, stored)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return verdict


def test_an_upgrade_does_not_undo_a_change_of_the_password(
    settings: Settings, store: MemoryStore, clock: MovedClock
) -> None:
    passwords = MeanwhilePasswords(settings)
    site = Site(settings, store, clock, passwords=passwords)
    ada, browser = site.add(ADA), site.browser()
    site.store.change_user(ada.uid, password_hash=generate_password_hash(PASSWORD, "pbkdf2:sha256:1000"))

    def change() -> None:
        clock.forward(seconds=1)
        site.accounts.set_password(ada, OTHER)

    passwords.meanwhile = change
    # Nor does the login with the password of before, which was being looked at, leave a session behind.
    assert refused(site, browser).startswith("WrongCredentials")
    assert site.logged_in(browser) is None
    assert site.store.sessions(ada.uid) == []
    assert log_in(site, password=OTHER).done


def test_a_second_step_does_not_outlive_the_password_of_the_first(
    settings: Settings, store: MemoryStore, clock: MovedClock
) -> None:
    passwords = MeanwhilePasswords(settings)
    site = Site(settings, store, clock, passwords=passwords)
    ada = site.add(ADA)
    authenticator = Authenticator(site, ada, clock)

    def change() -> None:
        clock.forward(seconds=1)
        site.accounts.set_password(ada, OTHER)

    passwords.meanwhile = change
    step = log_in(site)
    with pytest.raises(InvalidToken):
        second(site, step, "totp", authenticator.code())


# Two steps


def test_a_second_factor_is_asked_for(site: Site, app_of_ada: Authenticator) -> None:
    browser = site.browser()
    step = log_in(site, browser, remember=True)
    assert (step.done, step.factors) == (False, ("totp",))
    assert site.logged_in(browser) is None
    done = second(site, step, "totp", app_of_ada.code(), browser)
    assert done.done
    assert site.logged_in(browser) == ADA
    (record,) = site.store.sessions(done.user.uid)
    assert (record.methods, record.remember) == (("password", "totp"), True)


def test_a_recovery_code_does_in_place_of_it_once(site: Site, ada: User, app_of_ada: Authenticator) -> None:
    codes = site.factors.codes.make(ada)
    step = log_in(site)
    assert set(step.factors) == {"totp", "code"}
    assert second(site, step, "code", codes[0]).done
    with pytest.raises(WrongCredentials):
        second(site, log_in(site), "code", codes[0])


def test_a_code_counts_once(site: Site, app_of_ada: Authenticator) -> None:
    """TOTP code accepted twice."""
    code = app_of_ada.code()
    first, other = log_in(site), log_in(site)
    assert second(site, first, "totp", code).done
    with pytest.raises(WrongCredentials):
        second(site, other, "totp", code)


def test_a_first_step_is_finished_once(
    site: Site, ada: User, app_of_ada: Authenticator, clock: MovedClock
) -> None:
    codes = site.factors.codes.make(ada)
    step = log_in(site)
    assert second(site, step, "totp", app_of_ada.code()).done
    with pytest.raises(InvalidToken):
        second(site, step, "code", codes[0])


def test_of_two_who_finish_one_login_at_once_one_gets_in(
    site: Site, ada: User, app_of_ada: Authenticator
) -> None:
    codes = site.factors.codes.make(ada)
    step = log_in(site)
    together, results = threading.Barrier(2), list[str]()

    def finish(code: str) -> None:
        together.wait()
        try:
            results.append("done" if second(site, step, "code", code).done else "pending")
        except SecurityError as error:
            results.append(type(error).__name__)

    threads = [threading.Thread(target=finish, args=(code,)) for code in codes[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["InvalidToken", "done"]
    assert len(site.store.sessions(ada.uid)) == 1


def test_a_second_step_has_its_time(site: Site, app_of_ada: Authenticator, clock: MovedClock) -> None:
    step = log_in(site)
    clock.forward(minutes=5)
    with pytest.raises(InvalidToken):
        second(site, step, "totp", app_of_ada.code())


def test_a_second_step_has_so_many_tries(site: Site, app_of_ada: Authenticator) -> None:
    step = log_in(site)
    # From many networks, so that no lock is what stops it.
    for number in range(5):
        with pytest.raises(WrongCredentials):
            second(site, step, "totp", app_of_ada.wrong(), address=f"198.51.100.{number}")
    for address in ("198.51.100.9", "198.51.100.10"):
        with pytest.raises(InvalidToken):
            second(site, step, "totp", app_of_ada.code(), address=address)


def test_wrong_codes_lock_the_account_although_the_password_is_known(
    site: Site, app_of_ada: Authenticator
) -> None:
    """A right password must not begin the counting anew, or codes could be guessed without an end."""
    for _ in range(5):
        step = log_in(site)
        with pytest.raises(WrongCredentials):
            second(site, step, "totp", app_of_ada.wrong())
    assert refused(site).startswith("TooManyAttempts")
    assert site.told("second_factor_failed", "login_locked") == ["second_factor_failed"] * 4 + [
        "login_locked"
    ]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("totp", None),
        ("totp", 123456),
        ("totp", ["123456"]),
        ("totp", {"code": "123456"}),
        ("totp", ""),
        ("totp", "\0"),
        ("totp", "٣" * 6),
        ("totp", "9" * 1_048_576),
        ("code", True),
        ("code", "x" * 1_048_576),
        ("passkey", "text"),
        ("passkey", {}),
        ("passkey", {"id": 1}),
        ("password", PASSWORD),
        ("openid", ""),
        ("", ""),
        (None, None),
        (["totp"], "123456"),
    ],
)
def test_no_odd_answer_is_a_second_factor(
    site: Site, app_of_ada: Authenticator, kind: t.Any, answer: t.Any
) -> None:
    """A non-string JSON field answered with 500."""
    with pytest.raises(WrongCredentials):
        second(site, log_in(site), kind, answer)


@pytest.mark.parametrize("secret", ["", "x", "\0", "\ud800", "x" * 1_048_576])
def test_no_odd_secret_is_a_first_step(site: Site, app_of_ada: Authenticator, secret: str) -> None:
    with pytest.raises(InvalidToken):
        site.call(lambda: site.logins.with_factor(secret, "totp", app_of_ada.code()))


def test_a_token_of_another_purpose_is_no_first_step(
    site: Site, ada: User, app_of_ada: Authenticator
) -> None:
    site.call(lambda: site.accounts.ask_recovery(ADA))
    reset, (api, _) = site.token(path="reset"), site.tokens.create_api_token(ada, "script", ())
    for secret in (reset, api):
        with pytest.raises(InvalidToken):
            site.call(lambda: site.logins.with_factor(secret, "totp", app_of_ada.code()))


def test_a_user_who_is_switched_off_between_the_steps_does_not_get_in(
    site: Site, ada: User, app_of_ada: Authenticator
) -> None:
    step = log_in(site)
    # As another process does it, without ending anything.
    site.store.change_user(ada.uid, is_active=False)
    with pytest.raises(InvalidToken):
        second(site, step, "totp", app_of_ada.code())
    assert site.store.sessions(ada.uid) == []


def test_switching_a_user_off_ends_what_was_pending(site: Site, ada: User, app_of_ada: Authenticator) -> None:
    step = log_in(site)
    site.accounts.set_active(ada, active=False)
    site.accounts.set_active(ada, active=True)
    with pytest.raises(InvalidToken):
        second(site, step, "totp", app_of_ada.code())


# No way around the second step


def test_another_sites_word_is_a_first_step(site: Site, ada: User, app_of_ada: Authenticator) -> None:
    browser = site.browser()
    step = site.call(lambda: site.logins.with_identity(ada), browser)
    assert not step.done
    assert site.logged_in(browser) is None
    assert second(site, step, "totp", app_of_ada.code(), browser).done
    (record,) = site.store.sessions(ada.uid)
    assert record.methods == ("openid", "totp")


def test_http_basic_is_no_way_around_a_second_factor(
    site: Site, ada: User, app_of_ada: Authenticator
) -> None:
    with pytest.raises(WrongCredentials, match=r"^These credentials are not right\.$"):
        site.call(lambda: site.logins.check_password(ADA, PASSWORD))


def test_a_reset_is_no_way_around_a_second_factor(site: Site, app_of_ada: Authenticator) -> None:
    """Password reset that bypasses the second factor."""
    browser = site.browser()
    site.call(lambda: site.accounts.ask_recovery(ADA), browser)
    secret = site.token(path="reset")
    site.call(lambda: site.accounts.reset(secret, OTHER), browser)
    assert site.logged_in(browser) is None
    step = log_in(site, browser, password=OTHER)
    assert (step.done, site.logged_in(browser)) == (False, None)


def test_remembering_is_no_way_around_a_second_factor(site: Site, app_of_ada: Authenticator) -> None:
    browser = site.browser()
    step = log_in(site, browser, remember=True)
    assert second(site, step, "totp", app_of_ada.code(), browser).done
    assert not log_in(site, browser, remember=True).done


def test_a_role_that_asks_for_a_second_factor_says_so_after_the_login(
    settings: Settings, store: MemoryStore, clock: MovedClock
) -> None:
    site = Site(dataclasses.replace(settings, second_factor_roles=("admin",)), store, clock)
    site.store.put_role("admin")
    ada = site.accounts.create(ADA, PASSWORD, roles=["admin"])
    step = log_in(site)
    assert (step.done, step.must_set_up) == (True, True)
    with pytest.raises(WrongCredentials):
        site.call(lambda: site.logins.check_password(ADA, PASSWORD))
    authenticator = Authenticator(site, ada, clock)
    finished = second(site, log_in(site), "totp", authenticator.code())
    assert (finished.done, finished.must_set_up) == (True, False)


@pytest.mark.parametrize("state", ["inactive", "not activated"])
def test_no_way_in_is_open_for_an_account_that_may_not_be_used(site: Site, state: str) -> None:
    user = site.add(ADA, activated=state != "not activated")
    if state == "inactive":
        site.accounts.set_active(user, active=False)
    user = site.again(user)
    ways: list[cabc.Callable[[], object]] = [
        lambda: site.logins.with_password(ADA, PASSWORD),
        lambda: site.logins.check_password(ADA, PASSWORD),
        lambda: site.logins.with_identity(user),
    ]
    for way in ways:
        with pytest.raises(WrongCredentials, match=r"^These credentials are not right\.$"):
            site.call(way)
    assert site.store.sessions(user.uid) == []


@pytest.mark.parametrize(
    "credential", [{}, {"id": "x"}, {"id": 5, "response": []}, {"response": {"clientDataJSON": "x"}}]
)
def test_what_is_no_passkey_is_refused_with_the_one_text(site: Site, credential: t.Any) -> None:
    with pytest.raises(WrongCredentials, match=r"^These credentials are not right\.$"):
        site.call(lambda: site.logins.with_passkey(credential))
    assert site.told("login_failed") == ["login_failed"]


# HTTP Basic


def test_a_program_may_ask_often_with_the_right_password(site: Site, ada: User) -> None:
    for _ in range(25):
        assert site.call(lambda: site.logins.check_password(ADA, PASSWORD)).uid == ada.uid


def test_a_right_password_forgets_wrong_ones_of_a_program(site: Site, ada: User) -> None:
    for _ in range(3):
        for _ in range(3):
            with pytest.raises(WrongCredentials):
                site.call(lambda: site.logins.check_password(ADA, OTHER))
        site.call(lambda: site.logins.check_password(ADA, PASSWORD))
    assert site.again(ada).failed_count == 0


def test_http_basic_locks_as_logins_do(site: Site, ada: User) -> None:
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            site.call(lambda: site.logins.check_password(ADA, OTHER))
    with pytest.raises(TooManyAttempts):
        site.call(lambda: site.logins.check_password(ADA, PASSWORD))


# Once more


def logged_in(site: Site, clock: MovedClock, **values: t.Any) -> t.Any:
    browser = site.browser()
    log_in(site, browser, **values)
    clock.forward(hours=1)
    assert not site.call(site.sessions.is_fresh, browser)
    return browser


def test_a_password_makes_a_session_fresh_under_a_new_secret(
    site: Site, ada: User, clock: MovedClock
) -> None:
    browser = logged_in(site, clock)
    before = site.store.sessions(ada.uid)[0].key
    site.call(lambda: site.logins.reauthenticate(ada, password=PASSWORD), browser)
    assert site.call(site.sessions.is_fresh, browser)
    (record,) = site.store.sessions(ada.uid)
    assert record.key != before


def test_a_code_makes_a_session_fresh(site: Site, ada: User, clock: MovedClock) -> None:
    browser = logged_in(site, clock)
    authenticator = Authenticator(site, ada, clock)
    site.call(lambda: site.logins.reauthenticate(ada, totp=authenticator.code()), browser)
    assert site.call(site.sessions.is_fresh, browser)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"password": OTHER},
        {"password": ""},
        {"totp": "123456"},
        {"passkey": {}},
        {"password": PASSWORD, "totp": "123456"},
    ],
)
def test_what_does_not_fit_makes_no_session_fresh(
    site: Site, ada: User, clock: MovedClock, given: dict[str, t.Any]
) -> None:
    """OAuth or WebAuthn re-authentication bypassing freshness."""
    browser = logged_in(site, clock)
    with pytest.raises(WrongCredentials):
        site.call(lambda: site.logins.reauthenticate(ada, **given), browser)
    assert not site.call(site.sessions.is_fresh, browser)


def test_another_sites_word_makes_no_session_fresh(site: Site, ada: User) -> None:
    """There is no way to say it: OAuth re-authentication bypassing freshness."""
    with pytest.raises(TypeError):
        t.cast("t.Any", site.logins.reauthenticate)(ada, identity=ada)
    with pytest.raises(TypeError):
        t.cast("t.Any", site.logins.reauthenticate)(ada, openid="x")


def test_wrong_passwords_of_who_is_logged_in_lock_as_others(site: Site, ada: User, clock: MovedClock) -> None:
    """ASVS 6.3.1: who has taken over a session cannot guess the password there."""
    browser = logged_in(site, clock)
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            site.call(lambda: site.logins.reauthenticate(ada, password=OTHER), browser)
    with pytest.raises(TooManyAttempts):
        site.call(lambda: site.logins.reauthenticate(ada, password=PASSWORD), browser)


def test_somebody_elses_password_makes_no_session_fresh(site: Site, ada: User, clock: MovedClock) -> None:
    eve, browser = site.add("eve@example.com", OTHER), logged_in(site, clock)
    with pytest.raises(WrongCredentials):
        site.call(lambda: site.logins.reauthenticate(eve, password=OTHER), browser)
    assert not site.call(site.sessions.is_fresh, browser)
    with pytest.raises(WrongCredentials):
        site.call(lambda: site.logins.reauthenticate(ada, password=PASSWORD))
    assert isinstance(site.call(site.sessions.current, browser), Authentication)
