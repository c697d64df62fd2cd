"""A Redis for all tests, emptied for each, and two servers."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
import redis

# The example is a folder to copy, not an installed distribution.
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from two_servers import Door, RedisServer, open_doors

Doors: t.TypeAlias = tuple[Door, Door]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def store(redis_server: RedisServer) -> t.Iterator[redis.Redis]:
    """A client for the test, of an empty Redis."""
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="module")
def doors_of_module(redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Doors]:
    with open_doors(redis_server.url, tmp_path_factory.mktemp("doors")) as doors:
        yield doors


@pytest.fixture
def doors(store: redis.Redis, doors_of_module: Doors) -> Doors:
    """Two servers, which the tests of a module share; Redis is empty."""
    return doors_of_module
