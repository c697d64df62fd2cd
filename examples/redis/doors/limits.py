"""A limit that all processes count together."""

from __future__ import annotations

import hashlib
import time

from redis.asyncio import Redis


class Limit:
    """So many calls in each window of time, for each name.

    :param client: a client of Redis for async code.
    :param calls: how many.
    :param seconds: how long a window is.
    """

    def __init__(self, client: Redis, calls: int, seconds: int = 60) -> None:
        self._client = client
        self._calls = calls
        self._seconds = seconds

    async def hit(self, name: str) -> int:
        """Count a call, and return 0, or after how many seconds the next one is allowed."""
        now = int(time.time())
        digest = hashlib.sha256(name.encode()).hexdigest()[:32]
        key = f"doors:limit:{digest}:{now // self._seconds}"
        # One step, so that no counter is left without an end when this process dies in between.
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.incr(key)
            pipe.expire(key, self._seconds)
            count, _ = await pipe.execute()
        return 0 if count <= self._calls else self._seconds - now % self._seconds
