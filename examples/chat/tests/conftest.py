"""The application with limits that tests reach, and a way to write async tests."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
import typing as t
from pathlib import Path

import pytest

# The example is a folder to copy, not an installed distribution.
sys.path.insert(0, str(Path(__file__).parents[1]))

from chat import create_app
from chat.limits import Limits
from erlen import Erlen
from erlen.testing import AsyncErlenClient, ErlenClient

LIMITS = Limits(rooms=4, history=3, message_length=20, burst=2, per_second=0.001, outbox=10, empty_for=0)

Visit: t.TypeAlias = t.Callable[..., contextlib.AbstractAsyncContextManager[list[AsyncErlenClient]]]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture
def app() -> Erlen:
    return create_app({"TESTING": True, "SECRET_KEY": "test"}, LIMITS)


@pytest.fixture
def client(app: Erlen) -> t.Iterator[ErlenClient]:
    """A plain client over ASGI, so that its WebSockets and its requests meet on one loop."""
    with app.test_client(protocol="asgi") as client:
        yield client


@pytest.fixture
def visit(app: Erlen) -> Visit:
    """What makes a client for each name, while the application is served: ``async with visit("Ada") as [ada]``."""

    @contextlib.asynccontextmanager
    async def visit(*names: str) -> t.AsyncGenerator[list[AsyncErlenClient]]:
        async with app.async_test_client():
            clients = [app.async_test_client() for _ in names]
            for client, name in zip(clients, names, strict=True):
                await client.post("/name", data={"name": name})
            yield clients

    return visit
