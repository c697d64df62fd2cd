"""Waiting for what another task or thread does, with a bound."""

from __future__ import annotations

import asyncio
import typing as t


async def until(condition: t.Callable[[], object], seconds: float = 20) -> None:
    """Wait until a condition holds.

    :raises AssertionError: when it does not after a while.
    """
    for _ in range(int(seconds * 1000)):
        if condition():
            return
        await asyncio.sleep(0.001)
    raise AssertionError("what was waited for did not happen")
