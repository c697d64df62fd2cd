"""How much there may be of what, and how fast."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What the chat takes, and what it keeps in memory."""

    #: Rooms, those that are always there included.
    rooms: int = 20
    #: Messages that a room remembers.
    history: int = 50
    #: Characters of a message.
    message_length: int = 500
    #: Messages that one page may send at once, and then each second.
    burst: int = 5
    per_second: float = 1.5
    #: Events that wait for one slow page.
    outbox: int = 200
    #: Seconds that an empty room is kept, and seconds between two looks.
    empty_for: float = 600
    tidy_every: float = 30


class Pace:
    """A bucket of tokens: as many as the burst to begin with, refilled steadily.

    :param burst: what the bucket holds.
    :param per_second: what comes back.
    :param clock: returns seconds; tests have their own.
    """

    def __init__(self, burst: int, per_second: float, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._per_second = per_second
        self._clock = clock
        self._tokens = float(burst)
        self._filled_at = clock()

    def allows(self) -> bool:
        """Take a token, and return whether there was one."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
