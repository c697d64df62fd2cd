"""What every part of the extension works with."""

from __future__ import annotations

import collections.abc as cabc
from dataclasses import dataclass
from datetime import UTC, datetime

from .events import Events
from .keys import Keys
from .settings import Settings
from .store import Store

__all__ = ["Kit", "utc_now"]


def utc_now() -> datetime:
    """Return the time, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """Settings, store, keys, log and clock of one application.

    :param settings: the settings.
    :param store: where everything is kept.
    :param keys: keys, derived from the application's own.
    :param events: the log.
    :param clock: returns the time, aware; tests have one of their own.
    """

    settings: Settings
    store: Store
    keys: Keys
    events: Events
    clock: cabc.Callable[[], datetime] = utc_now
