"""The kit of the parts of accounts, over the store in memory, with the events that were told."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from datetime import datetime

from erlen.ext.security.events import Events
from erlen.ext.security.keys import Keys
from erlen.ext.security.kit import Kit
from erlen.ext.security.settings import Settings
from erlen.ext.security.types import Client, User
from memory_store import MemoryStore


class Clock(t.Protocol):
    """The clock of ``tests/security/conftest.py``."""

    def __call__(self) -> datetime: ...

    def forward(
        self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0
    ) -> None: ...


def kit_of(
    settings: Settings,
    store: MemoryStore,
    clock: cabc.Callable[[], datetime],
    secret_keys: cabc.Sequence[str] = ("a key of the tests",),
) -> Kit:
    """Return a kit; with the same store and other keys it is the application after a new start."""
    events = Events(store, clock, "the application", lambda: Client(address="192.0.2.1", agent="tests"))
    return Kit(settings=settings, store=store, keys=Keys(secret_keys), events=events, clock=clock)


def add_user(store: MemoryStore, email: str = "ada@example.com", **values: t.Any) -> User:
    """Return a new user."""
    return store.add_user(email=email, email_key=email, **values)


def told(store: MemoryStore, *names: str) -> list[tuple[str, dict[str, t.Any]]]:
    """Return the events of some names, or all, the oldest first."""
    found = reversed(store.events(limit=1000))
    return [(event.name, dict(event.details)) for event in found if event.name in names or not names]
