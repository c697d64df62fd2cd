"""Rates and locks: who is stopped, for how long, and who is not."""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from erlen.ext.security.errors import ConfigurationError, TooManyAttempts
from erlen.ext.security.events import Events
from erlen.ext.security.keys import Keys
from erlen.ext.security.kit import Kit
from erlen.ext.security.limits import Limits, network_of
from erlen.ext.security.rates import Memory
from erlen.ext.security.settings import Settings
from erlen.ext.security.types import Client
from memory_store import MemoryStore


class Movable(t.Protocol):
    """The fixture ``clock``."""

    def __call__(self) -> t.Any: ...

    def forward(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None: ...


SETTINGS = Settings(login_rate="3 per minute; 5 per hour", mail_rate="2 per hour", lock_after=3)


def kit_of(settings: Settings, store: MemoryStore, clock: Movable, key: str = "secret") -> Kit:
    events = Events(store, clock, None, Client)
    return Kit(settings=settings, store=store, keys=Keys([key]), events=events, clock=clock)


@pytest.fixture
def limits(store: MemoryStore, clock: Movable) -> Limits:
    return Limits(kit_of(SETTINGS, store, clock))


def wait(call: t.Callable[..., object], *arguments: t.Any) -> int:
    """Return for how many seconds a call is refused, 0 where it is not."""
    try:
        call(*arguments)
    except TooManyAttempts as refused:
        # Never 0 or a fraction: this is what `Retry-After` says.
        return refused.retry_after if type(refused.retry_after) is int and refused.retry_after > 0 else -1
    return 0


# Networks


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:0207", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        (None, "unknown"),
        ("", "unknown"),
        ("unix:", "unknown"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8:1:2::1]:4711", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::1]", "2001:db8:1:2::/64"),
        ("[::ffff:192.0.2.7]:1", "192.0.2.7"),
        ("192.0.2.7:", "unknown"),
        ("192.0.2.7, 192.0.2.8", "unknown"),
        ("\0", "unknown"),
        ("x" * 2**20, "unknown"),
    ],
)
def test_what_counts_is_the_network_of_a_customer(address: str | None, network: str) -> None:
    assert network_of(address) == network


# Rates


def test_a_rate_is_a_moving_window(limits: Limits, clock: Movable) -> None:
    for _ in range(3):
        assert wait(limits.hit, "login", "192.0.2.7") == 0
        clock.forward(seconds=10)
    # The first of them was 30 seconds ago.
    assert wait(limits.hit, "login", "192.0.2.7") == 30
    clock.forward(seconds=29.5)
    assert wait(limits.hit, "login", "192.0.2.7") == 1
    clock.forward(seconds=0.5)
    assert wait(limits.hit, "login", "192.0.2.7") == 0
    assert wait(limits.hit, "login", "192.0.2.7") == 10


def test_each_rate_of_a_setting_counts(limits: Limits, clock: Movable) -> None:
    for _ in range(5):
        assert wait(limits.hit, "login", "192.0.2.7") == 0
        clock.forward(minutes=2)
    assert wait(limits.hit, "login", "192.0.2.7") == 50 * 60


def test_others_are_not_stopped(limits: Limits) -> None:
    for _ in range(3):
        limits.hit("login", "192.0.2.7")
    assert wait(limits.hit, "login", "192.0.2.7") > 0
    assert wait(limits.hit, "login", "192.0.2.8") == 0
    assert wait(limits.hit, "mail", "192.0.2.7") == 0
    assert wait(limits.hit, "login", None) == 0


def test_port_that_a_proxy_hands_on_makes_nobody_another(limits: Limits) -> None:
    for port in range(3):
        limits.hit("login", f"192.0.2.7:{port}")
    assert wait(limits.hit, "login", "192.0.2.7:4") > 0
    assert wait(limits.hit, "login", "192.0.2.7") > 0


def test_addresses_of_one_network_count_together(limits: Limits) -> None:
    for last in "123":
        limits.hit("login", f"2001:db8:1:2::{last}")
    assert wait(limits.hit, "login", "2001:db8:1:2:ffff::1") > 0
    assert wait(limits.hit, "login", "2001:db8:1:3::1") == 0
    for _ in range(3):
        limits.hit("login", None)
    assert wait(limits.hit, "login", None) > 0


def test_a_check_counts_nothing(limits: Limits) -> None:
    for _ in range(10):
        limits.check("login", "192.0.2.7")
    for _ in range(3):
        limits.hit("login", "192.0.2.7")
    assert wait(limits.check, "login", "192.0.2.7") == wait(limits.hit, "login", "192.0.2.7") == 60


def test_what_is_refused_uses_up_nobody_elses_rate(limits: Limits, clock: Movable) -> None:
    """A network that may not send mails any more could not keep the owner of an address from having one."""
    limits.hit("mail", "192.0.2.7", "a@example.com")
    limits.hit("mail", "192.0.2.7", "b@example.com")
    for _ in range(10):
        assert wait(limits.hit, "mail", "192.0.2.7", "ada@example.com") > 0
    assert wait(limits.hit, "mail", "192.0.2.8", "ada@example.com") == 0
    # Nor does it count for itself.
    clock.forward(hours=1)
    assert wait(limits.hit, "mail", "192.0.2.7", "ada@example.com") == 0


def test_a_key_that_is_named_twice_counts_once(limits: Limits) -> None:
    for _ in range(3):
        limits.hit("login", "192.0.2.7", "::ffff:192.0.2.7")
    assert wait(limits.hit, "login", "192.0.2.7") > 0


def test_of_many_at_once_as_many_pass_as_the_rate_says(store: MemoryStore, clock: Movable) -> None:
    limits = Limits(kit_of(dataclasses.replace(SETTINGS, login_rate="7 per minute"), store, clock))
    with ThreadPoolExecutor(16) as threads:
        waits = list(threads.map(lambda _: wait(limits.hit, "login", "192.0.2.7"), range(200)))
    assert waits.count(0) == 7


def test_memory_is_bounded_and_the_oldest_go_first(clock: Movable) -> None:
    memory = Memory(clock, most=100)
    assert memory.acquire_entry("first", 1, 60)
    assert memory.acquire_entry("second", 2, 60)
    for number in range(98):
        memory.acquire_entry(str(number), 1, 60)
    assert not memory.acquire_entry("first", 1, 60)
    assert memory.acquire_entry("second", 2, 60)
    memory.acquire_entry("one more", 1, 60)
    assert memory.get_moving_window("first", 1, 60)[1] == 0
    assert memory.get_moving_window("second", 2, 60)[1] == 2


def test_any_text_is_a_key(limits: Limits) -> None:
    for key in ("", "\0", "\ud800", "x" * 2**20, "a\0b"):
        assert wait(limits.hit, "api", key) == 0


@pytest.mark.parametrize(
    "rate", ["", "often", "20", "20 per fortnight", "0 per minute", "-1 per minute", "20 per minute; x"]
)
def test_a_rate_that_is_none_is_a_mistake_of_the_settings(
    store: MemoryStore, clock: Movable, rate: str
) -> None:
    with pytest.raises(
        ConfigurationError, match="SECURITY_MAIL_RATE is .* which is no rate. Write it as in '20 per minute"
    ):
        Limits(kit_of(dataclasses.replace(SETTINGS, mail_rate=rate), store, clock))


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redus://:secret@localhost", "a URL of 'redus', of which no storage"),
        ("redis://:secret@localhost:port", "pip install redis"),
        ("async+memory://", "cannot count moving windows"),
        ("localhost:6379", "is a URL of 'localhost'"),
        ("", "is a URL of ''"),
    ],
)
def test_a_storage_that_is_of_no_use_is_a_mistake_of_the_settings(
    store: MemoryStore, clock: Movable, url: str, text: str
) -> None:
    with pytest.raises(ConfigurationError, match="SECURITY_RATE_STORAGE") as refused:
        Limits(kit_of(dataclasses.replace(SETTINGS, rate_storage=url), store, clock))
    assert text in str(refused.value)
    assert "secret" not in str(refused.value)


# A storage elsewhere


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_where_the_storage_is_gone_the_process_counts_by_itself(
    store: MemoryStore, clock: Movable, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("redis", reason="there is no client of Redis: pip install redis")
    url = f"redis://:hunter2@127.0.0.1:{free_port()}"
    limits = Limits(kit_of(dataclasses.replace(SETTINGS, rate_storage=url), store, clock))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert wait(limits.hit, "login", "192.0.2.7") == 0
        assert wait(limits.hit, "login", "192.0.2.7") == 60
        assert len(caplog.records) == 1
        # Half a minute later it is asked again.
        clock.forward(seconds=30)
        assert wait(limits.hit, "login", "192.0.2.7") == 30
    assert len(caplog.records) == 2
    assert "this process counts by itself" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.fixture
def redis_url(tmp_path: Path) -> t.Iterator[str]:
    pytest.importorskip("redis", reason="there is no client of Redis: pip install redis")
    path = shutil.which("redis-server") or shutil.which("valkey-server")
    if path is None:
        pytest.skip("there is neither redis-server nor valkey-server: install one of them")
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    process = subprocess.Popen([path, *options], stdout=subprocess.DEVNULL, env=dict(os.environ))
    try:
        end = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < end:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        else:
            pytest.fail(f"{path} did not start; it ended with {process.poll()}")
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def test_processes_share_what_redis_counts(
    redis_url: str, store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    settings = dataclasses.replace(SETTINGS, rate_storage=redis_url, login_rate="7 per hour")
    from erlen.ext.security.kit import utc_now

    one, other = (Limits(kit_of(settings, store, t.cast(Movable, utc_now))) for _ in range(2))
    with ThreadPoolExecutor(8) as threads:
        calls = [(one, other)[number % 2] for number in range(40)]
        waits = list(threads.map(lambda limits: wait(limits.hit, "login", "192.0.2.7"), calls))
    assert waits.count(0) == 7
    assert 3500 < wait(other.check, "login", "192.0.2.7") <= 3600
    assert wait(other.hit, "login", "192.0.2.8") == 0
    assert caplog.records == []
    # What is stored there names nobody.
    import redis

    client = redis.Redis.from_url(redis_url, decode_responses=True)
    keys = t.cast("list[str]", client.keys())
    client.close()
    assert len(keys) == 2
    assert "192.0.2" not in "".join(keys)


# Locks

ADA = "ada@example.com"
HOME, STRANGER = "192.0.2.7", "198.51.100.9"


def fail(limits: Limits, key: str, address: str | None, times: int = 1) -> bool:
    """Fail some times as a client would, that waits where it has to; return whether the last one locked."""
    locked = False
    for _ in range(times):
        limits.check_lock(key, address)
        locked = limits.note_failure(key, address)
    return locked


def test_an_account_is_locked_for_who_failed_and_for_nobody_else(limits: Limits) -> None:
    """Account lock inverted: the lock was on who had not failed."""
    assert not fail(limits, ADA, STRANGER, 2)
    limits.check_lock(ADA, STRANGER)
    assert fail(limits, ADA, STRANGER)
    assert wait(limits.check_lock, ADA, STRANGER) == 30
    limits.check_lock(ADA, HOME)
    limits.check_lock(ADA, None)
    limits.check_lock("eve@example.com", STRANGER)


def test_a_lock_ends_and_the_next_one_is_twice_as_long(limits: Limits, clock: Movable) -> None:
    fail(limits, ADA, STRANGER, 3)
    for seconds in (30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600):
        assert wait(limits.check_lock, ADA, STRANGER) == seconds
        clock.forward(seconds=seconds - 0.5)
        assert wait(limits.check_lock, ADA, STRANGER) == 1
        clock.forward(seconds=0.5)
        assert fail(limits, ADA, STRANGER)


def test_to_knock_on_a_lock_does_not_make_it_longer(limits: Limits, clock: Movable) -> None:
    fail(limits, ADA, STRANGER, 3)
    for _ in range(29):
        clock.forward(seconds=1)
        assert wait(limits.check_lock, ADA, STRANGER) > 0
    clock.forward(seconds=1)
    limits.check_lock(ADA, STRANGER)


def test_a_login_forgets_the_failures_of_its_own_network(limits: Limits) -> None:
    fail(limits, ADA, HOME, 2)
    fail(limits, ADA, STRANGER, 3)
    limits.forget(ADA, HOME)
    assert not fail(limits, ADA, HOME, 2)
    # That the owner is in does not let the stranger try again.
    assert wait(limits.check_lock, ADA, STRANGER) == 30


def test_failures_of_long_ago_do_not_count(limits: Limits, clock: Movable) -> None:
    fail(limits, ADA, HOME, 2)
    clock.forward(days=1, seconds=1)
    assert not fail(limits, ADA, HOME, 2)


def test_from_one_network_a_stranger_never_locks_out_the_owner(store: MemoryStore, clock: Movable) -> None:
    """The account as a whole locks at ten times as many, and a network that has to wait does not get so far in a day."""
    limits = Limits(kit_of(Settings(), store, clock))
    for _ in range(200):
        clock.forward(seconds=wait(limits.check_lock, ADA, STRANGER))
        limits.note_failure(ADA, STRANGER)
        limits.check_lock(ADA, HOME)


def test_many_networks_together_lock_an_account(limits: Limits, clock: Movable) -> None:
    for number in range(15):
        assert fail(limits, ADA, f"198.51.100.{number}", 2) is (number == 14)
    assert wait(limits.check_lock, ADA, "203.0.113.1") == 30
    assert wait(limits.check_lock, ADA, HOME) == 30
    limits.check_lock("eve@example.com", "203.0.113.1")
    clock.forward(seconds=30)
    assert fail(limits, ADA, "203.0.113.1")
    assert wait(limits.check_lock, ADA, HOME) == 60


def test_where_the_owner_logged_in_lately_many_networks_do_not_lock_them_out(
    limits: Limits, clock: Movable
) -> None:
    limits.forget(ADA, HOME)
    clock.forward(days=29)
    for number in range(15):
        fail(limits, ADA, f"198.51.100.{number}", 2)
    assert wait(limits.check_lock, ADA, STRANGER) == 30
    limits.check_lock(ADA, HOME)
    # Failures there count as ever.
    assert fail(limits, ADA, HOME, 3)
    assert wait(limits.check_lock, ADA, HOME) == 30
    clock.forward(days=2)
    for number in range(15):
        limits.note_failure(ADA, f"198.51.100.{number}")
        limits.note_failure(ADA, f"198.51.100.{number}")
    assert wait(limits.check_lock, ADA, HOME) > 0


def test_accounts_that_do_not_exist_lock_as_others_do(limits: Limits) -> None:
    """User enumeration: nothing here asks the store for users."""
    assert fail(limits, "nobody@example.com", STRANGER, 3)
    assert wait(limits.check_lock, "nobody@example.com", STRANGER) == 30


def test_of_failures_at_once_each_counts(store: MemoryStore, clock: Movable) -> None:
    limits = Limits(kit_of(dataclasses.replace(SETTINGS, lock_after=50), store, clock))
    with ThreadPoolExecutor(8) as threads:
        locked = list(threads.map(lambda _: limits.note_failure(ADA, STRANGER), range(60)))
    assert locked.count(True) == 11


def test_the_store_has_no_addresses(store: MemoryStore, clock: Movable) -> None:
    seen: list[str] = []

    class Watched(MemoryStore):
        def count_attempt(self, key: str, at: t.Any, window_start: t.Any) -> int:
            seen.append(key)
            return super().count_attempt(key, at, window_start)

    limits = Limits(kit_of(SETTINGS, Watched(), clock))
    limits.note_failure(ADA, HOME)
    limits.forget(ADA, HOME)
    other = Limits(kit_of(SETTINGS, Watched(), clock, key="another secret"))
    other.note_failure(ADA, HOME)
    # Keys have 64 digits and cannot be made by who reads them, as they depend on the application's secret.
    assert len(seen) == len(set(seen)) == 5
    assert {len(key) for key in seen} == {64}
    assert not any("ada" in key or "192" in key.split() for key in seen)


def test_locks_of_any_length_are_no_error(store: MemoryStore, clock: Movable) -> None:
    settings = dataclasses.replace(
        SETTINGS, lock_time=timedelta(days=3650), lock_max=timedelta(days=3650), lock_after=1
    )
    limits = Limits(kit_of(settings, store, clock))
    for _ in range(100):
        limits.note_failure(ADA, HOME)
    assert wait(limits.check_lock, ADA, HOME) == 3650 * 24 * 3600


def test_any_text_is_an_address(limits: Limits) -> None:
    for text in ("", "\0", "\ud800", "x" * 2**20):
        limits.check_lock(text, text)
        limits.note_failure(text, text)
        limits.forget(text, text)


def test_without_the_client_of_redis_the_message_names_it() -> None:
    """In a process that cannot import it, as where it is not installed."""
    code = """
        import sys
        sys.modules["redis"] = None
        from erlen.ext.security.rates import Rates
        try:
            Rates("redis://localhost", None)
        except Exception as error:
            print(type(error).__name__, error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("ConfigurationError SECURITY_RATE_STORAGE")
    assert "pip install redis" in done.stdout
