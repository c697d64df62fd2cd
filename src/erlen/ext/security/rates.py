"""How often something may be done in a time: moving windows, counted in memory or by a storage of ``limits``."""

from __future__ import annotations

import collections.abc as cabc
import logging
import math
import threading
import typing as t
from collections import OrderedDict, deque
from datetime import datetime, timedelta

from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError as StorageRefusedError
from limits.errors import StorageError
from limits.storage import storage_from_string

from .errors import ConfigurationError
from .settings import PREFIX

_log = logging.getLogger(__name__)

_Answer = t.TypeVar("_Answer")

#: After a storage has failed it is left alone for so long, so that not every request waits for it.
RETRY_AFTER = timedelta(seconds=30)

#: Seconds that a storage has for an answer.
PATIENCE = 1.0


class Windows(t.Protocol):
    """What ``limits`` calls support of moving windows; its storages have more methods."""

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count, unless the limit is reached; return whether it was not."""
        ...

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the oldest of what is counted was, and how many there are."""
        ...


class Memory:
    """Windows in the memory of this process.

    The storage that ``limits`` has for this starts a thread after a hit, which goes through all keys, and tells the time by itself.

    :param clock: returns the time.
    :param most: how many keys are kept; those that were not used for longest are dropped first.
    """

    def __init__(self, clock: cabc.Callable[[], datetime], most: int = 100_000) -> None:
        self._clock, self._most = clock, most
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count, unless the limit is reached; return whether it was not.

        :param key: what is counted.
        :param limit: how many there may be.
        :param expiry: in how many seconds.
        :param amount: how many are added.
        """
        now = self._clock().timestamp()
        with self._lock:
            hits = self._recent(key, now - expiry)
            if len(hits) + amount > limit:
                return False
            hits.extend([now] * amount)
            self._hits[key] = hits
            self._hits.move_to_end(key)
            while len(self._hits) > self._most:
                self._hits.popitem(last=False)
            return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Return when the oldest of what is counted was, and how many there are.

        :param key: what is counted.
        :param limit: how many there may be.
        :param expiry: in how many seconds.
        """
        now = self._clock().timestamp()
        with self._lock:
            hits = self._recent(key, now - expiry)
            return (hits[0], len(hits)) if hits else (now, 0)

    def _recent(self, key: str, start: float) -> deque[float]:
        hits = self._hits.get(key)
        if hits is None:
            return deque()
        while hits and hits[0] <= start:
            hits.popleft()
        return hits


class Rates:
    """Counts against rates. Where the storage fails this process counts on by itself: nobody is locked out, and nothing is open.

    :param storage: its URL; ``memory://`` for the memory of this process.
    :param clock: returns the time.
    :raises ConfigurationError: for a storage that is unknown, or that cannot do it.
    """

    def __init__(self, storage: str, clock: cabc.Callable[[], datetime]) -> None:
        self._clock = clock
        self._memory = Memory(clock)
        self._storage: Windows = self._memory if storage.startswith("memory:") else _storage(storage)
        self._away_until: datetime | None = None

    def hit(self, rates: cabc.Sequence[RateLimitItem], keys: cabc.Sequence[str]) -> int:
        """Count under each key, unless one of them has reached a rate; return in how many seconds it has not, or 0.

        :param rates: the rates.
        :param keys: what is counted; names nobody.
        """
        if wait := self.wait(rates, keys):
            # A refused attempt counts for nobody: it would use up what the other keys may do.
            return wait
        refused = False
        for key in keys:
            for rate in rates:
                refused |= not self._ask(_acquire, rate, key)
        # Somebody else was faster.
        return max(1, self.wait(rates, keys)) if refused else 0

    def wait(self, rates: cabc.Sequence[RateLimitItem], keys: cabc.Sequence[str]) -> int:
        """Return in how many seconds none of the keys has reached a rate, 0 for now.

        :param rates: the rates.
        :param keys: what is counted.
        """
        now = self._clock().timestamp()
        longest = 0
        for key in keys:
            for rate in rates:
                start, count = self._ask(_window, rate, key)
                if count >= rate.amount:
                    left = math.ceil(start + rate.get_expiry() - now)
                    # A storage has a clock of its own.
                    longest = max(longest, min(max(left, 1), rate.get_expiry()))
        return longest

    def _ask(
        self, question: cabc.Callable[[Windows, RateLimitItem, str], _Answer], rate: RateLimitItem, key: str
    ) -> _Answer:
        if self._away_until is None or self._clock() >= self._away_until:
            try:
                answer = question(self._storage, rate, key)
            except StorageError as error:
                self._away_until = self._clock() + RETRY_AFTER
                _log.warning(
                    "The storage of rates (%sRATE_STORAGE) does not answer (%s). Until it does, this process counts by itself.",
                    PREFIX,
                    type(error.storage_error).__name__,
                )
            else:
                self._away_until = None
                return answer
        return question(self._memory, rate, key)


def _acquire(storage: Windows, rate: RateLimitItem, key: str) -> bool:
    return storage.acquire_entry(rate.key_for(key), rate.amount, rate.get_expiry())


def _window(storage: Windows, rate: RateLimitItem, key: str) -> tuple[float, int]:
    return storage.get_moving_window(rate.key_for(key), rate.amount, rate.get_expiry())


def parsed(name: str, rate: str) -> list[RateLimitItem]:
    """Return the rates that a setting has.

    :param name: of the setting.
    :param rate: its value.
    :raises ConfigurationError: for a text that is no rate.
    """
    try:
        rates = parse_many(rate)
    except ValueError:
        rates = []
    if not rates or any(one.amount < 1 for one in rates):
        raise ConfigurationError(
            f"{PREFIX}{name.upper()} is {rate!r}, which is no rate. Write it as in '20 per minute; 200 per hour'."
        )
    return rates


def _storage(url: str) -> Windows:
    # Never the whole URL in a message: it may have a password.
    scheme = url.partition(":")[0]
    is_redis = scheme.startswith(("redis", "valkey"))
    options: dict[str, t.Any] = (
        {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE} if is_redis else {}
    )
    try:
        storage = storage_from_string(url, wrap_exceptions=True, **options)
    except (StorageRefusedError, ValueError):
        client = "valkey" if scheme.startswith("valkey") else "redis"
        hint = f" Where it is not installed: pip install {client}" if is_redis else ""
        raise ConfigurationError(
            f"{PREFIX}RATE_STORAGE is a URL of {scheme!r}, of which no storage of the library 'limits' could be made. Take 'memory://', or "
            f"Redis with its Python package, as in 'redis://localhost:6379'.{hint}"
        ) from None
    if not hasattr(storage, "acquire_entry") or scheme.startswith("async"):
        raise ConfigurationError(
            f"{PREFIX}RATE_STORAGE is a URL of {scheme!r}, which cannot count moving windows. Take Redis, as in 'redis://localhost:6379'."
        )
    return t.cast(Windows, storage)
