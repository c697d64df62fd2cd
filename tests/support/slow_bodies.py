"""Bodies of requests that come when something has happened."""

from __future__ import annotations

import io
import typing as t


class SlowBody(io.BytesIO):
    """A body before which something happens."""

    def __init__(self, body: bytes, first: t.Callable[[], object]) -> None:
        super().__init__(body)
        self.first: t.Callable[[], object] | None = first

    def read(self, size: int | None = -1, /) -> bytes:
        self._begin()
        return super().read(size)

    def readinto(self, buffer: t.Any, /) -> int:
        self._begin()
        return super().readinto(buffer)

    def _begin(self) -> None:
        first, self.first = self.first, None
        if first is not None:
            first()
