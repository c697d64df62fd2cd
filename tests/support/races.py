"""Several threads that want the same at one time."""

from __future__ import annotations

import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

T = t.TypeVar("T")

AT_ONCE = 6


def at_once(work: t.Callable[[int], T], count: int = AT_ONCE) -> list[T]:
    """Call something in several threads that begin together."""
    gate = threading.Barrier(count)

    def one(number: int) -> T:
        gate.wait(30)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))
