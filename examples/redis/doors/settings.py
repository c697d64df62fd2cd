"""The configuration, and the two clients of Redis."""

from __future__ import annotations

import typing as t

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError
from redis.retry import Retry

from erlen import Erlen

DEFAULTS: dict[str, t.Any] = {
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    # What this process is called on the page.
    "NAME": "west",
    "NOTES_PER_MINUTE": 20,
    # A short note.
    "MAX_CONTENT_LENGTH": 16 * 1024,
    "CONTENT_SECURITY_POLICY": {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    },
}

#: A request that needs Redis fails soon where it is not there, rather than waiting with a thread in its hand: one second for
#: a connection and for an answer. A connection that has died while it was idle is replaced once, without a pause. A command
#: that was not answered in time is not sent again: Redis may have it, and would pin a note twice.
CLIENT: dict[str, t.Any] = {
    "decode_responses": True,
    "socket_connect_timeout": 1.0,
    "socket_timeout": 1.0,
    "max_connections": 100,
}

#: Seconds that a request of async code waits for one of these connections.
WAIT = 1.0


def load(app: Erlen, config: t.Mapping[str, t.Any]) -> None:
    """Fill the configuration: defaults, then variables that begin with ``DOORS_``, then the argument."""
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env("DOORS")
    app.config.from_mapping(config)


def plain_client(url: str) -> redis.Redis:
    """Return a client for plain code; it connects when it is first used, and threads may share it."""
    retry = Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))
    return redis.Redis.from_url(url, retry=retry, **CLIENT)


def async_client(url: str) -> redis.asyncio.Redis:
    """Return a client for async code. It belongs to the event loop on which it is first used."""
    retry = AsyncRetry(NoBackoff(), 1, supported_errors=(ConnectionError,))
    # Where more requests than connections come, they wait; the other kind of pool refuses them at once.
    pool = redis.asyncio.BlockingConnectionPool.from_url(url, retry=retry, timeout=WAIT, **CLIENT)
    return redis.asyncio.Redis.from_pool(pool)
