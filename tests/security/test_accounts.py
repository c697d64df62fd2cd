"""Registration, activation, recovery, changes of password and address, deletion, administrators."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import threading
import typing as t
from datetime import timedelta
from functools import partial

import pytest

from account_site import OTHER, PASSWORD, CountingPasswords, LateOutbox, MovedClock, RecordingStore, Site
from erlen.ext.security.accounts import RESERVED
from erlen.ext.security.errors import (
    ConfigurationError,
    EmailTaken,
    InvalidEmail,
    InvalidToken,
    SecurityError,
    TooManyAttempts,
    WeakPassword,
    WrongCredentials,
)
from erlen.ext.security.mail import Mail
from erlen.ext.security.settings import Settings
from erlen.ext.security.types import User
from memory_store import MemoryStore

ADA, EVE, NEW = "ada@example.com", "eve@example.com", "new@example.com"
THIRD = "yet another long sentence"

ODD_SECRETS = ["", "x", "\0", "\ud800", "\u202e", "x" * 1_048_576]
ODD_EMAILS = [
    "",
    "ada",
    "ada@example",
    "a\0da@example.com",
    "a\u202eda@example.com",
    "\ud800@x.com",
    "x" * 1_048_576,
    "аda@example.com",
]


@pytest.fixture
def site(settings: Settings, store: MemoryStore, clock: MovedClock) -> Site:
    return Site(settings, store, clock)


@pytest.fixture
def ada(site: Site) -> User:
    return site.add(ADA)


def register(site: Site, email: str = ADA, password: str = PASSWORD, **values: t.Any) -> None:
    site.call(lambda: site.accounts.register(email, password, **values))


def recover(site: Site, email: str = ADA) -> str:
    site.call(lambda: site.accounts.ask_recovery(email))
    return site.token(email, "reset")


def log_in(site: Site, browser: t.Any = None, email: str = ADA, password: str = PASSWORD) -> t.Any:
    browser = browser or site.browser()
    assert site.call(lambda: site.logins.with_password(email, password), browser).done
    return browser


def activate(site: Site, secret: str, password: str | None = PASSWORD, **values: t.Any) -> User:
    return site.call(lambda: site.accounts.activate(secret, password), **values)


def can_log_in(site: Site, email: str = ADA, password: str = PASSWORD) -> bool:
    try:
        return site.call(lambda: site.logins.with_password(email, password)).done
    except WrongCredentials:
        return False


def at_once(*functions: cabc.Callable[[], object]) -> list[str]:
    """Call functions on a thread each, and return what came of them, sorted."""
    together, results = threading.Barrier(len(functions)), list[str]()

    def run(function: cabc.Callable[[], object]) -> None:
        together.wait()
        try:
            function()
            results.append("done")
        except SecurityError as error:
            results.append(type(error).__name__)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(results)


def state_of(user: User) -> tuple[t.Any, ...]:
    return (
        user.uid,
        user.email,
        user.password_hash,
        user.password_changed_at,
        user.activated_at,
        user.login_count,
    )


# Registration


def test_an_account_begins_with_a_mail(site: Site) -> None:
    register(site, " Ada@Example.com ", name="Ada")
    user = site.store.user_by_email(ADA)
    assert user is not None
    assert (user.email, user.activated_at, user.name) == ("Ada@example.com", None, "Ada")
    assert (user.password_hash or "").startswith("$argon2id$")
    assert not can_log_in(site)
    assert activate(site, site.token("Ada@example.com", "activate")).email_key == ADA
    assert can_log_in(site)
    assert site.told("registered", "activated") == ["registered", "activated"]


def test_a_known_address_hears_of_it_by_mail_alone(site: Site, ada: User) -> None:
    before = state_of(site.again(ada))
    register(site, ADA, OTHER, name="Mallory")
    assert site.subjects() == ["You already have an account at shop"]
    assert state_of(site.again(ada)) == before
    assert can_log_in(site)
    assert site.told("registered") == ["registered"]  # as it was made


def test_registering_costs_the_same_for_known_and_unknown_addresses(
    settings: Settings, store: MemoryStore, clock: MovedClock
) -> None:
    """User enumeration through messages, status or time: hashing, looks at the store and writes, and what waits for mails."""
    settings = dataclasses.replace(settings, mail_sender="shop@example.com")
    recording, passwords, outbox = RecordingStore(store), CountingPasswords(settings), LateOutbox()
    site = Site(settings, recording, clock, passwords=passwords, mailer=outbox)
    site.add("known@example.com")
    site.add("unactivated@example.com", activated=False)
    site.accounts.set_active(site.add("inactive@example.com"), active=False)
    seen: set[tuple[t.Any, ...]] = set()
    for email in (
        "unknown@example.com",
        "known@example.com",
        "unactivated@example.com",
        "inactive@example.com",
    ):
        before = passwords.work
        calls = recording.during(partial(register, site, email))
        # An account is added or changed, or a row is written that means nothing.
        writes = {"add_user", "change_user_if", "count_attempt"}
        seen.add((*("write" if one in writes else one for one in calls), passwords.work - before))
    assert seen == {("user_by_email", "write", 1)}
    site.app.stop_serving()
    subjects = [
        "Confirm your address for shop",
        "You already have an account at shop",
        "Confirm your address for shop",
    ]
    assert [mail.subject for mail in outbox.mails] == subjects
    assert [mail.to.partition("@")[0] for mail in outbox.mails] == ["unknown", "known", "unactivated"]
    assert site.told("registered") == ["registered"] * 4


@pytest.mark.parametrize("ask", ["send_activation", "ask_recovery"])
def test_asking_for_a_mail_looks_for_no_account_before_the_answer(
    settings: Settings, store: MemoryStore, clock: MovedClock, ask: str
) -> None:
    """User enumeration through messages, status or time."""
    settings = dataclasses.replace(settings, mail_sender="shop@example.com")
    recording, outbox = RecordingStore(store), LateOutbox()
    site = Site(settings, recording, clock, mailer=outbox)
    site.add(ADA, activated=False)
    for email in (ADA, "nobody@example.com"):
        assert recording.during(partial(site.call, partial(getattr(site.accounts, ask), email))) == []
    site.app.stop_serving()
    assert [mail.to for mail in outbox.mails] == [ADA]


@pytest.mark.parametrize("email", ODD_EMAILS)
@pytest.mark.parametrize("ask", ["register", "send_activation", "ask_recovery", "ask_email_change"])
def test_what_is_no_address_is_refused(site: Site, ada: User, ask: str, email: str) -> None:
    calls: dict[str, cabc.Callable[[], object]] = {
        "register": lambda: site.accounts.register(email, PASSWORD),
        "send_activation": lambda: site.accounts.send_activation(email),
        "ask_recovery": lambda: site.accounts.ask_recovery(email),
        "ask_email_change": lambda: site.accounts.ask_email_change(ada, email),
    }
    with pytest.raises(InvalidEmail):
        site.call(calls[ask])
    assert site.outbox.mails == []


@pytest.mark.parametrize("password", ["short", "password1234", ADA, "x" * 1_048_576, ""])
def test_a_weak_password_is_refused_wherever_one_is_chosen(site: Site, ada: User, password: str) -> None:
    """ASVS 6.2.1, 6.2.4."""
    secret, browser = recover(site), log_in(site)
    ways: list[cabc.Callable[[], object]] = [
        lambda: site.accounts.register("new@example.com", password),
        lambda: site.accounts.reset(secret, password),
        lambda: site.accounts.change_password(ada, PASSWORD, password),
        lambda: site.accounts.set_password(ada, password),
        lambda: site.accounts.create("other@example.com", password),
    ]
    for way in ways:
        with pytest.raises(WeakPassword):
            site.call(way, browser)
    assert can_log_in(site)
    # The link was not used up by it.
    assert site.call(lambda: site.accounts.reset(secret, OTHER)).email == ADA


# Python itself refuses a second address.
@pytest.mark.parametrize("name", sorted(RESERVED - {"email"}))
def test_no_form_sets_what_the_extension_keeps(site: Site, name: str) -> None:
    """Mass assignment: an application that passes on everything a request has sent."""
    with pytest.raises(TypeError, match=f"called with {name}, which visitors may not choose"):
        register(site, **t.cast("t.Any", {name: True}))


def test_registration_can_be_closed(settings: Settings, store: MemoryStore, clock: MovedClock) -> None:
    site = Site(dataclasses.replace(settings, registration=False), store, clock)
    with pytest.raises(SecurityError, match="Visitors cannot make accounts here"):
        register(site)
    assert store.users() == []


def test_two_registrations_at_once_make_one_account(site: Site) -> None:
    assert at_once(lambda: register(site), lambda: register(site, password=OTHER)) == ["done", "done"]
    assert len(site.store.users()) == 1
    links = [mail.text.partition("activate?token=")[2].split()[0] for mail in site.outbox.mails]
    assert links
    results = at_once(
        *(partial(activate, site, secret, password) for secret in links for password in (PASSWORD, OTHER))
    )
    assert results.count("done") == 1
    assert can_log_in(site) != can_log_in(site, password=OTHER)


def test_who_pushes_the_button_twice_has_an_account(site: Site) -> None:
    register(site)
    register(site)
    activate(site, site.token(path="activate"))
    assert can_log_in(site)


def test_the_last_registration_of_an_address_counts(site: Site) -> None:
    """A stranger registers an address before its owner does, and waits for them to confirm the stranger's password."""
    register(site, password=OTHER)
    strangers = site.token(path="activate")
    register(site)
    with pytest.raises(InvalidToken):
        activate(site, strangers)
    activate(site, site.token(path="activate"))
    assert can_log_in(site)
    assert not can_log_in(site, password=OTHER)


@pytest.mark.parametrize("strangers_place", ["before", "after", "alone"])
def test_owner_s_click_activates_no_password_of_a_stranger(site: Site, strangers_place: str) -> None:
    """Account pre-hijacking: the owner reads a mail that a stranger's registration has sent, and follows its link."""
    passwords = {"before": (OTHER, PASSWORD), "after": (PASSWORD, OTHER), "alone": (OTHER,)}[strangers_place]
    links: list[str] = []
    for password in passwords:
        register(site, password=password)
        links.append(site.token(path="activate"))
    # The owner tries whatever mail there is, with the password they know.
    opened = 0
    for secret in links:
        try:
            activate(site, secret, PASSWORD)
            opened += 1
        except (InvalidToken, WrongCredentials):
            pass
    assert opened == (strangers_place == "before")
    assert not can_log_in(site, password=OTHER)
    if not opened:
        with pytest.raises(
            WrongCredentials, match="or ask for a recovery mail, which activates the account as well"
        ):
            activate(site, links[-1], PASSWORD)
        site.call(lambda: site.accounts.reset(recover(site), PASSWORD))
    assert can_log_in(site)
    assert not can_log_in(site, password=OTHER)
    for secret in links:
        with pytest.raises(InvalidToken):
            activate(site, secret, OTHER)


def test_a_registration_that_comes_while_another_is_activated_is_not_activated_with_it(
    settings: Settings, store: MemoryStore, clock: MovedClock
) -> None:
    class Between(CountingPasswords):
        between: cabc.Callable[[], object] | None = None

        def verify(self, password: str, stored: str | None) -> t.Any:
            verdict = super().verify(password, stored)
            between, self.between = self.between, None
            if between is not None:
                between()
            return verdict

    passwords = Between(settings)
    site = Site(settings, store, clock, passwords=passwords)
    register(site)
    secret = site.token(path="activate")
    passwords.between = lambda: register(site, password=OTHER)
    with pytest.raises(InvalidToken):
        activate(site, secret)
    assert not can_log_in(site, password=OTHER)
    # Its own mail counts, for who knows its password.
    assert activate(site, site.token(path="activate"), OTHER).activated_at is not None


def test_a_registration_takes_over_no_account_that_was_used_or_has_roles(
    settings: Settings, store: MemoryStore, clock: MovedClock
) -> None:
    store.put_role("admin")
    open_site = Site(dataclasses.replace(settings, activation_required=False), store, clock)
    register(open_site, EVE)
    log_in(open_site, email=EVE)
    site = Site(settings, store, clock)
    site.accounts.create(ADA, PASSWORD, activated=False, roles=["admin"])
    before = [state_of(user) for user in store.users()]
    for email in (ADA, EVE):
        register(site, email, OTHER)
        assert site.subjects(email) == ["You already have an account at shop"]
    assert [state_of(user) for user in store.users()] == before


def test_so_many_mails_may_be_asked_for(site: Site, ada: User) -> None:
    for number in range(5):
        site.call(lambda: site.accounts.ask_recovery(ADA), address=f"198.51.100.{number}")
    # One address may have so many, from wherever they are asked for, ...
    with pytest.raises(TooManyAttempts):
        site.call(lambda: site.accounts.ask_recovery(ADA), address="198.51.100.100")
    # ... known or not, ...
    for number in range(5):
        site.call(lambda: site.accounts.ask_recovery("nobody@example.com"), address=f"198.51.100.{number}")
    with pytest.raises(TooManyAttempts):
        site.call(lambda: site.accounts.ask_recovery("nobody@example.com"), address="198.51.100.100")
    # ... and one network may ask for so many, for whichever addresses.
    for number in range(5):
        site.call(partial(site.accounts.ask_recovery, f"user{number}@example.com"))
    with pytest.raises(TooManyAttempts):
        site.call(lambda: site.accounts.ask_recovery("user9@example.com"))
    assert len(site.outbox.mails) == 5


def test_what_cannot_be_sent_fails_for_known_and_unknown_addresses_alike(
    store: MemoryStore, clock: MovedClock
) -> None:
    """A page that answers 500 for known addresses alone would tell who they are."""
    site = Site(Settings(argon2_memory=7168, argon2_time=1, mail_rate="100 per hour"), store, clock)
    site.add(ADA)
    site.app.testing = False
    texts: set[str] = set()
    for email in (ADA, "nobody@example.com"):
        for ask in (
            site.accounts.ask_recovery,
            site.accounts.send_activation,
            lambda one: site.accounts.register(one, PASSWORD),
        ):
            with pytest.raises(ConfigurationError) as error:
                site.call(partial(ask, email))
            texts.add(str(error.value))
    assert len(texts) == 1
    assert "SECURITY_SITE_URL" in texts.pop()


# Activation


def test_an_activation_counts_once_and_has_its_time(site: Site, clock: MovedClock) -> None:
    register(site)
    secret = site.token(path="activate")
    assert activate(site, secret).activated_at == clock()
    with pytest.raises(InvalidToken):
        activate(site, secret)
    register(site, EVE)
    clock.forward(days=3)
    with pytest.raises(InvalidToken):
        activate(site, site.token(EVE, "activate"))


def test_a_wrong_password_does_not_use_up_the_link_and_counts_as_in_a_login(
    settings: Settings, store: MemoryStore, clock: MovedClock
) -> None:
    """ASVS 6.3.1: the link is no way to guess a password at leisure."""
    passwords = CountingPasswords(settings)
    site = Site(settings, store, clock, passwords=passwords)
    register(site)
    secret = site.token(path="activate")
    with pytest.raises(WrongCredentials, match="recovery mail"):
        activate(site, secret, None)
    for password in (OTHER, "", "x" * 1_048_576, "\0", "\ud800"):
        before = passwords.work
        with pytest.raises(WrongCredentials, match="recovery mail"):
            activate(site, secret, password)
        assert passwords.work == before + 1
    user = site.store.user_by_email(ADA)
    assert user is not None
    assert (user.failed_count, user.activated_at) == (5, None)
    # Locked, for the right password and for logins as well.
    for attempt in (lambda: activate(site, secret), lambda: can_log_in(site)):
        before = passwords.work
        with pytest.raises(TooManyAttempts):
            attempt()
        assert passwords.work == before
    clock.forward(minutes=1)
    assert activate(site, secret).activated_at == clock()


def test_an_account_without_a_password_is_activated_by_the_link_alone(site: Site) -> None:
    """Administrators make such ones. Those that another site's word makes are activated from the beginning."""
    user = site.add(password=None, activated=False)
    site.call(lambda: site.accounts.send_activation(ADA))
    secret = site.token(path="activate")
    assert activate(site, secret, None).activated_at is not None
    # Nobody gets in by that: a password comes with a recovery mail.
    assert site.again(user).password_hash is None
    assert not can_log_in(site)


def test_a_registration_ends_the_link_of_an_account_without_a_password(site: Site) -> None:
    site.add(password=None, activated=False)
    site.call(lambda: site.accounts.send_activation(ADA))
    secret = site.token(path="activate")
    register(site, password=OTHER)
    for password in (None, PASSWORD, OTHER):
        with pytest.raises(InvalidToken):
            activate(site, secret, password)
    with pytest.raises(WrongCredentials):
        activate(site, site.token(path="activate"), None)


def test_a_new_activation_mail_ends_the_one_before(site: Site) -> None:
    register(site)
    first = site.token(path="activate")
    site.call(lambda: site.accounts.send_activation(ADA))
    assert site.token(path="activate") != first
    with pytest.raises(InvalidToken):
        activate(site, first)


def test_only_who_needs_it_gets_an_activation_mail(site: Site, ada: User) -> None:
    site.accounts.set_active(site.add(EVE, activated=False), active=False)
    for email in (ADA, EVE, "nobody@example.com"):
        site.call(partial(site.accounts.send_activation, email))
    assert site.outbox.mails == []


def test_an_account_that_is_switched_off_is_not_activated(site: Site) -> None:
    register(site)
    secret, user = site.token(path="activate"), site.store.user_by_email(ADA)
    assert user is not None
    # As another process does it, without ending anything.
    site.store.change_user(user.uid, is_active=False)
    with pytest.raises(InvalidToken):
        activate(site, secret)
    assert site.again(user).activated_at is None


# Recovery


def test_a_password_is_reset(site: Site, ada: User, clock: MovedClock) -> None:
    secret = recover(site)
    clock.forward(minutes=10)
    user = site.call(lambda: site.accounts.reset(secret, OTHER))
    assert user.password_changed_at == clock()
    assert can_log_in(site, password=OTHER)
    assert not can_log_in(site)
    assert site.subjects() == ["Choose a new password for shop", "Your password for shop was changed"]
    assert site.told("recovery_asked", "password_reset") == ["recovery_asked", "password_reset"]


def test_a_reset_counts_once_and_has_its_time(site: Site, ada: User, clock: MovedClock) -> None:
    """Reset token usable twice."""
    secret = recover(site)
    site.call(lambda: site.accounts.reset(secret, OTHER))
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.reset(secret, THIRD))
    late = recover(site)
    clock.forward(hours=1)
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.reset(late, THIRD))
    assert can_log_in(site, password=OTHER)


def test_of_two_resets_at_once_one_counts(site: Site, ada: User) -> None:
    secret = recover(site)
    ways = [partial(site.call, partial(site.accounts.reset, secret, password)) for password in (OTHER, THIRD)]
    assert at_once(*ways) == ["InvalidToken", "done"]
    assert can_log_in(site, password=OTHER) != can_log_in(site, password=THIRD)


def test_no_secret_of_a_mail_is_stored(site: Site, ada: User) -> None:
    """Reset token stored unhashed."""
    register(site, EVE)
    site.call(lambda: site.accounts.ask_email_change(ada, NEW))
    secrets = [
        recover(site),
        site.token(EVE, "activate"),
        site.token(NEW, "confirm_email"),
        site.token(ADA, "object_email"),
    ]
    stored = repr(vars(site.store))
    assert not any(secret in stored for secret in secrets)


def test_a_new_recovery_mail_ends_the_one_before(site: Site, ada: User) -> None:
    first = recover(site)
    recover(site)
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.reset(first, OTHER))


def everything(site: Site, user: User) -> dict[str, cabc.Callable[[], bool]]:
    """Return ways in that a user has, each with whether it is open."""
    browser = log_in(site, email=user.email)
    api, _ = site.tokens.create_api_token(user, "script", ())
    pair = site.tokens.pair(user, (), ["password"])

    def refreshes() -> bool:
        try:
            site.tokens.refresh(pair.refresh_token)
        except InvalidToken:
            return False
        return True

    return {
        "session": lambda: site.logged_in(browser) is not None,
        "api": lambda: site.tokens.authenticate(api) is not None,
        "access": lambda: site.tokens.authenticate(pair.access_token) is not None,
        "refresh": refreshes,
    }


def still_open(ways: dict[str, cabc.Callable[[], bool]]) -> set[str]:
    return {name for name, is_open in ways.items() if is_open()}


def test_a_reset_ends_sessions_and_tokens(site: Site, ada: User, clock: MovedClock) -> None:
    ways, secret = everything(site, ada), recover(site)
    clock.forward(seconds=1)
    site.call(lambda: site.accounts.reset(secret, OTHER))
    assert still_open(ways) == set()


def test_a_reset_logs_nobody_in(site: Site, ada: User) -> None:
    browser, secret = site.browser(), recover(site)
    site.call(lambda: site.accounts.reset(secret, OTHER), browser)
    assert site.logged_in(browser) is None


def test_a_reset_confirms_the_address(site: Site) -> None:
    register(site)
    secret = recover(site)
    activation = site.token(path="activate")
    assert site.call(lambda: site.accounts.reset(secret, OTHER)).activated_at is not None
    assert can_log_in(site, password=OTHER)
    with pytest.raises(InvalidToken):
        activate(site, activation)


def test_a_reset_ends_a_lock(site: Site, ada: User) -> None:
    """ASVS 6.1.1: a stranger who guesses does not keep the owner out."""
    for _ in range(5):
        assert not can_log_in(site, password=OTHER)
    with pytest.raises(TooManyAttempts):
        can_log_in(site)
    secret = recover(site)
    site.call(lambda: site.accounts.reset(secret, THIRD))
    assert can_log_in(site, password=THIRD)


def test_a_reset_leaves_the_lock_of_an_account_with_a_second_factor(
    site: Site, ada: User, clock: MovedClock
) -> None:
    """Or whoever reads the mails could guess codes anew after each reset."""
    site.store.change_user(ada.uid, totp_secret=site.kit.keys.seal("JBSWY3DPEHPK3PXP", "totp"))
    for _ in range(5):
        assert not can_log_in(site, password=OTHER)
    secret = recover(site)
    site.call(lambda: site.accounts.reset(secret, THIRD))
    with pytest.raises(TooManyAttempts):
        can_log_in(site, password=THIRD)


def test_an_account_without_a_password_gets_one_by_mail(site: Site) -> None:
    site.add(ADA, None)
    secret = recover(site)
    site.call(lambda: site.accounts.reset(secret, OTHER))
    assert can_log_in(site, password=OTHER)


def test_nobody_is_written_to_at_addresses_without_an_account(site: Site) -> None:
    site.accounts.set_active(site.add(EVE), active=False)
    for email in (EVE, "nobody@example.com"):
        site.call(partial(site.accounts.ask_recovery, email))
    assert site.outbox.mails == []


def test_a_mail_goes_to_the_address_of_the_account(site: Site) -> None:
    """CVE-2019-19844: two addresses that are one to us may be two mailboxes."""
    site.add("Ada@example.com")
    site.call(lambda: site.accounts.ask_recovery("ADA@EXAMPLE.COM"))
    assert [mail.to for mail in site.outbox.mails] == ["Ada@example.com"]


@pytest.mark.parametrize("secret", ODD_SECRETS)
@pytest.mark.parametrize("use", ["activate", "reset", "change_email", "object_to_email_change"])
def test_no_odd_secret_does_anything(site: Site, ada: User, use: str, secret: str) -> None:
    args = (secret, OTHER) if use in {"activate", "reset"} else (secret,)
    with pytest.raises(InvalidToken):
        site.call(lambda: getattr(site.accounts, use)(*args))


def test_a_secret_is_good_for_one_purpose(site: Site, ada: User) -> None:
    register(site, EVE)
    site.call(lambda: site.accounts.ask_email_change(ada, NEW))
    secrets = {
        "reset": recover(site),
        "activate": site.token(EVE, "activate"),
        "change_email": site.token(NEW, "confirm_email"),
        "object_to_email_change": site.token(ADA, "object_email"),
    }
    for purpose, secret in secrets.items():
        for use in secrets.keys() - {purpose}:
            args = (secret, OTHER) if use in {"activate", "reset"} else (secret,)
            with pytest.raises(InvalidToken):
                site.call(partial(getattr(site.accounts, use), *args))


# Changing the password


def test_a_change_of_the_password_ends_other_sessions_and_refresh_tokens(
    site: Site, ada: User, clock: MovedClock
) -> None:
    """Sessions that survive a password change; ASVS 6.2.2, 6.2.3, 7.4.3."""
    ways, browser = everything(site, ada), log_in(site)
    (own,) = [one.key for one in site.store.sessions(ada.uid)][:1]
    secret = recover(site)
    clock.forward(seconds=1)
    site.call(lambda: site.accounts.change_password(ada, PASSWORD, OTHER), browser)
    assert site.logged_in(browser) == ADA
    (record,) = site.store.sessions(ada.uid)
    assert record.key != own
    # Tokens that the user has named and keeps a list of go on.
    assert still_open(ways) == {"api"}
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.reset(secret, THIRD))
    assert site.subjects()[-1] == "Your password for shop was changed"
    assert can_log_in(site, password=OTHER)


@pytest.mark.parametrize("current", [OTHER, "", None])
def test_the_password_so_far_is_asked_for(site: Site, ada: User, current: str | None) -> None:
    browser = log_in(site)
    with pytest.raises(WrongCredentials):
        site.call(lambda: site.accounts.change_password(ada, current, THIRD), browser)
    assert can_log_in(site)


def test_the_password_so_far_cannot_be_guessed_there(site: Site, ada: User) -> None:
    browser = log_in(site)
    for _ in range(5):
        with pytest.raises(WrongCredentials):
            site.call(lambda: site.accounts.change_password(ada, OTHER, THIRD), browser)
    with pytest.raises(TooManyAttempts):
        site.call(lambda: site.accounts.change_password(ada, PASSWORD, THIRD), browser)


def test_who_has_no_password_can_set_one(site: Site) -> None:
    ada, browser = site.add(ADA, None), site.browser()
    site.call(lambda: site.logins.with_identity(ada), browser)
    site.call(lambda: site.accounts.change_password(ada, None, OTHER), browser)
    assert can_log_in(site, password=OTHER)


def test_of_two_changes_at_once_one_counts(site: Site, ada: User) -> None:
    browsers = [log_in(site), log_in(site)]
    ways = [
        partial(site.call, partial(site.accounts.change_password, ada, PASSWORD, password), browser)
        for browser, password in zip(browsers, (OTHER, THIRD), strict=True)
    ]
    assert "done" in at_once(*ways)
    assert can_log_in(site, password=OTHER) != can_log_in(site, password=THIRD)


def test_a_foreign_hash_does_not_stop_a_change(site: Site, ada: User) -> None:
    from werkzeug.security import generate_password_hash

    site.store.change_user(ada.uid, password_hash=generate_password_hash(PASSWORD, "pbkdf2:sha256:1000"))
    user = site.again(ada)
    site.call(lambda: site.accounts.change_password(user, PASSWORD, OTHER))
    assert can_log_in(site, password=OTHER)


# Changing the address


def ask(site: Site, user: User, email: str = NEW) -> str:
    site.call(lambda: site.accounts.ask_email_change(user, email))
    return site.token(email, "confirm_email")


def test_an_address_is_changed_from_the_new_one(site: Site, ada: User) -> None:
    secret = ask(site, ada)
    assert site.again(ada).email == ADA
    user = site.call(lambda: site.accounts.change_email(secret))
    assert (user.email, user.email_key) == (NEW, NEW)
    assert can_log_in(site, NEW)
    assert not can_log_in(site)
    # ASVS 6.3.7
    assert site.subjects() == ["Your address at shop is about to change", "Your address at shop was changed"]
    assert all(NEW in mail.text for mail in site.outbox.to(ADA))
    assert site.told("email_change_asked", "email_changed") == ["email_change_asked", "email_changed"]


def test_a_change_of_address_asked_for_before_an_update_is_of_no_use(site: Site, ada: User) -> None:
    """Its token does not say of which password it is."""
    data = {"email": NEW, "email_key": NEW, "from": ada.email_key}
    secret, _ = site.tokens.issue("email", ada.uid, timedelta(hours=1), data=data)
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.change_email(secret))
    assert site.again(ada).email == ADA


def test_a_change_of_address_counts_once_and_has_its_time(site: Site, ada: User, clock: MovedClock) -> None:
    secret = ask(site, ada)
    site.call(lambda: site.accounts.change_email(secret))
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.change_email(secret))
    late = ask(site, site.again(ada), EVE)
    clock.forward(hours=24)
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.change_email(late))


def test_a_second_wish_ends_the_first(site: Site, ada: User) -> None:
    first = ask(site, ada)
    ask(site, ada, EVE)
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.change_email(first))


def test_an_address_that_is_taken_is_not_told(site: Site, ada: User) -> None:
    site.add(EVE)
    site.call(lambda: site.accounts.ask_email_change(ada, EVE))
    assert site.subjects(EVE) == ["You already have an account at shop"]
    # The owner of the account sees the same as for any other address.
    assert site.subjects(ADA) == ["Your address at shop is about to change"]


def test_two_users_who_change_to_one_address_at_once_do_not_both_get_it(site: Site, ada: User) -> None:
    eve = site.add(EVE)
    for_ada, for_eve = ask(site, ada), ask(site, eve)
    assert at_once(
        lambda: site.call(lambda: site.accounts.change_email(for_ada)),
        lambda: site.call(lambda: site.accounts.change_email(for_eve)),
    ) == ["InvalidToken", "done"]
    assert sorted(user.email for user in site.store.users()) in ([ADA, NEW], [EVE, NEW])


def test_another_spelling_of_the_own_address_is_fine(site: Site, ada: User) -> None:
    secret = ask(site, ada, "Ada@example.com")
    assert site.call(lambda: site.accounts.change_email(secret)).email == "Ada@example.com"


def test_links_to_the_old_address_are_worth_nothing_after_a_change(site: Site, ada: User) -> None:
    """Who has lost a mailbox changes the address; a recovery mail in it must not get the account."""
    change = ask(site, ada)
    reset = recover(site)
    site.call(lambda: site.accounts.change_email(change))
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.reset(reset, OTHER))


def test_the_owner_objects_before_a_change(site: Site, ada: User, clock: MovedClock) -> None:
    ways, confirm = everything(site, ada), ask(site, ada)
    clock.forward(seconds=1)
    user = site.call(lambda: site.accounts.object_to_email_change(site.token(ADA, "object_email")))
    assert (user.email, user.password_hash) == (ADA, None)
    assert still_open(ways) == set()
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.change_email(confirm))
    assert not can_log_in(site)
    # The way back is in the mail.
    site.call(lambda: site.accounts.reset(site.token(ADA, "reset"), OTHER))
    assert can_log_in(site, password=OTHER)


@pytest.mark.parametrize("mail", [0, 1])
def test_the_owner_objects_after_a_change_and_a_reset(
    site: Site, ada: User, clock: MovedClock, mail: int
) -> None:
    """Who has taken over a session changes the address, and then the password by a mail to it."""
    confirm = ask(site, ada)
    site.call(lambda: site.accounts.change_email(confirm))
    site.call(lambda: site.accounts.reset(recover(site, NEW), OTHER))
    clock.forward(days=6)
    object_links = [one.text.partition("object_email?token=")[2].split()[0] for one in site.outbox.to(ADA)]
    site.call(lambda: site.accounts.object_to_email_change(object_links[mail]))
    assert site.again(ada).email == ADA
    assert not can_log_in(site, NEW, OTHER)
    assert not can_log_in(site, ADA, OTHER)
    site.call(lambda: site.accounts.reset(site.token(ADA, "reset"), THIRD))
    assert can_log_in(site, password=THIRD)


def test_who_has_taken_an_account_cannot_object_in_turn(site: Site, ada: User, clock: MovedClock) -> None:
    site.call(lambda: site.accounts.change_email(ask(site, ada)))
    owners = site.token(ADA, "object_email")
    clock.forward(minutes=1)
    # The thief changes once more, so that an objection leads back to an address of theirs.
    site.call(lambda: site.accounts.change_email(ask(site, site.again(ada), EVE)))
    thiefs = site.token(NEW, "object_email")
    site.call(lambda: site.accounts.object_to_email_change(owners))
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.object_to_email_change(thiefs))
    assert site.again(ada).email == ADA


def test_an_objection_counts_once_and_has_its_time(site: Site, ada: User, clock: MovedClock) -> None:
    ask(site, ada)
    secret = site.token(ADA, "object_email")
    site.call(lambda: site.accounts.object_to_email_change(secret))
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.object_to_email_change(secret))
    ask(site, site.again(ada))
    late = site.token(ADA, "object_email")
    clock.forward(days=7)
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.object_to_email_change(late))


def test_an_objection_takes_no_address_from_somebody_else(site: Site, ada: User) -> None:
    site.call(lambda: site.accounts.change_email(ask(site, ada)))
    secret = site.token(ADA, "object_email")
    somebody = site.add(ADA)
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.object_to_email_change(secret))
    assert site.again(somebody).email == ADA
    assert site.again(ada).email == NEW


class Broken:
    """A mailer whose server is not there."""

    is_immediate = True

    def send(self, mail: Mail) -> None:
        raise ConnectionRefusedError("nobody there")


def test_no_change_goes_out_where_the_owner_cannot_be_told(
    settings: Settings, store: MemoryStore, clock: MovedClock
) -> None:
    site = Site(settings, store, clock, mailer=Broken())
    ada = site.add(ADA)
    with pytest.raises(ConnectionRefusedError):
        site.call(lambda: site.accounts.ask_email_change(ada, NEW))
    assert store.tokens(ada.uid, "email") == []


# The end


def test_an_account_is_deleted_with_what_is_its(site: Site, ada: User) -> None:
    ways, browser = everything(site, ada), log_in(site)
    site.call(lambda: site.accounts.delete(ada), browser)
    assert site.store.user(ada.uid) is None
    assert still_open(ways) == set()
    assert site.logged_in(browser) is None
    assert site.subjects() == ["Your account at shop was deleted"]
    assert site.told("account_deleted") == ["account_deleted"]
    site.call(lambda: site.accounts.delete(ada))
    assert site.told("account_deleted") == ["account_deleted"]


def test_a_deleted_account_leaves_no_link_behind(site: Site, ada: User) -> None:
    secret = recover(site)
    site.accounts.delete(ada)
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.reset(secret, OTHER))


# Administrators


def test_an_administrator_makes_an_account(site: Site, clock: MovedClock) -> None:
    site.store.put_role("editor")
    user = site.accounts.create("Ada@Example.com", PASSWORD, roles=["editor"])
    assert (user.email_key, user.activated_at, user.has_role("editor")) == (ADA, clock(), True)
    assert can_log_in(site)
    assert site.told("registered", "role_granted") == ["registered", "role_granted"]
    assert site.outbox.mails == []
    with pytest.raises(EmailTaken):
        site.accounts.create(ADA)
    with pytest.raises(LookupError, match=r"There is no role 'root'\. There are: editor\."):
        site.accounts.create(EVE, roles=["editor", "root"])
    assert len(site.store.users()) == 1


def test_switching_an_account_off_ends_sessions_and_tokens_at_once(site: Site, ada: User) -> None:
    """ASVS 7.4.2."""
    ways, secret = everything(site, ada), recover(site)
    site.accounts.set_active(ada, active=False)
    assert still_open(ways) == set()
    site.accounts.set_active(ada, active=True)
    assert still_open(ways) <= {"access"}
    with pytest.raises(InvalidToken):
        site.call(lambda: site.accounts.reset(secret, OTHER))
    assert can_log_in(site)
    assert site.told("account_activated", "account_deactivated") == [
        "account_deactivated",
        "account_activated",
    ]


def test_a_password_set_by_an_administrator_ends_sessions_and_tokens(
    site: Site, ada: User, clock: MovedClock
) -> None:
    ways = everything(site, ada)
    clock.forward(seconds=1)
    site.accounts.set_password(ada, OTHER)
    assert still_open(ways) == set()
    assert can_log_in(site, password=OTHER)
    assert site.subjects() == ["Your password for shop was changed"]
