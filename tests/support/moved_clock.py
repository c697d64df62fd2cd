"""What tests know of the clock that they move, which is a fixture."""

from __future__ import annotations

import typing as t
from datetime import datetime


class Clock(t.Protocol):
    """A clock that stands still until a test moves it."""

    now: datetime

    def __call__(self) -> datetime:
        """Return the time."""
        ...

    def forward(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> None:
        """Move the clock."""
        ...
