"""A clock that tests move, and settings with which hashing is quick."""

from __future__ import annotations

import contextlib
import functools
import typing as t
from datetime import UTC, datetime, timedelta

import pytest

import postgresql as support
import stores
from erlen import Erlen
from erlen.ext.security.settings import Settings
from erlen.ext.security.store import Store
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


@pytest.fixture(scope="session")
def postgresql() -> t.Iterator[str]:
    """Start a PostgreSQL for all tests that ask for one; they are skipped where it cannot be."""
    with support.server() as address:
        yield address


@pytest.fixture(scope="session")
def opened_store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[t.Callable[[str], stores.Opened]]:
    """Return what opens a store once, when it is first asked for."""
    with contextlib.ExitStack() as leave:
        folder = tmp_path_factory.mktemp("stores")

        @functools.cache
        def opened(kind: str) -> stores.Opened:
            return stores.opened(kind, folder, lambda: request.getfixturevalue("postgresql"), leave)

        yield opened


@pytest.fixture(params=stores.KINDS)
def any_store(request: pytest.FixtureRequest, opened_store: t.Callable[[str], stores.Opened]) -> Store:
    """Return each of the stores, empty: what is tested with it holds for every implementation of the protocol."""
    opened = opened_store(request.param)
    opened.empty()
    return opened.store
