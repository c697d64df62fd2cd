"""A clock that tests move, and settings with which hashing is quick."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from erlen import Erlen
from erlen.ext.security.settings import Settings
from guarded import Guarded, guard
from memory_store import MemoryStore


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        self.now += timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def settings() -> Settings:
    return Settings(site_url="https://example.test", argon2_memory=7168, argon2_time=1)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def parts(app: Erlen, settings: Settings, clock: Clock) -> Guarded:
    return guard(app, settings, clock)
