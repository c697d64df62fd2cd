"""The fixtures of Erlen's plugin for pytest. They load Erlen when a test asks for one."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from ..typing import Application
    from .asynchronous import AsyncErlenClient
    from .client import ErlenClient, ErlenCliRunner
    from .live import LiveServer

#: Those that are there for everybody, unless another plugin has one of that name.
NAMES = ("app", "client", "async_client", "runner", "live_server")

#: Those that come along.
HELPERS = ("_erlen_config",)


@pytest.fixture
def app(request: pytest.FixtureRequest) -> t.Iterator[Application]:
    """Return the application, found as the command line finds it, with TESTING on.

    It is named by the option 'erlen_app' of pytest's configuration, for example "shop:create_app('test')", else by the
    variable ERLEN_APP, else it is in 'wsgi.py' or 'app.py' in the root folder of pytest. A factory is called for each
    test. An application of a module is one object for all tests: its configuration is put back after each, nothing else.

    Define a fixture of this name in conftest.py for anything else.
    """
    __tracebackhide__ = True
    # Start-up cost: this module is loaded by each run of pytest; so below.
    from .provided import found_application, kept_configuration

    app = found_application(request.config)
    with kept_configuration(app):
        app.testing = True
        yield app


@pytest.fixture
def client(app: Application) -> t.Iterator[ErlenClient]:
    """Return a test client of the application; its life span begins before the test and ends after it.

    No context stays active after a request. To look at 'request', 'session' or 'g' then, open a block in the test:
    'with client: ...'.
    """
    # Start-up cost.
    from .provided import begun_client

    with begun_client(app) as client:
        yield client


@pytest.fixture
def async_client(app: Application, request: pytest.FixtureRequest) -> t.Iterator[AsyncErlenClient]:
    """Return a test client whose calls are awaited, for async tests run by anyio or pytest-asyncio.

    The life span of the application begins and ends around the test function, on its event loop. In a plain test that
    runs a loop itself, write 'async with async_client: ...' for that.
    """
    # Start-up cost.
    from .provided import begun_async_client

    with begun_async_client(app, request.node) as client:
        yield client


@pytest.fixture
def runner(app: Application) -> ErlenCliRunner:
    """Return a runner for the commands of the application: runner.invoke(args=["make-tables"])."""
    return t.cast("ErlenCliRunner", t.cast(t.Any, app).test_cli_runner())


@pytest.fixture
def live_server(app: Application, request: pytest.FixtureRequest) -> t.Iterator[LiveServer]:
    """Return a server that serves the application on a free port of 127.0.0.1, in a thread, while the test runs.

    It has 'url', 'host', 'port' and 'url_for(endpoint, ...)'. It speaks ASGI, with uvicorn, where the application has
    WebSockets or async views, else WSGI; the option 'erlen_interface' of pytest's configuration decides otherwise. What
    views raise, and no error handler answers, is raised at the end of the test.
    """
    # Start-up cost.
    from .live import LiveServer

    with LiveServer(app, interface=request.config.getini("erlen_interface")) as server:
        yield server


@pytest.fixture(autouse=True)
def _erlen_config(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """Set what the marker 'erlen_config' says, for one test."""
    markers = list(request.node.iter_markers("erlen_config"))
    if not markers:
        yield
        return
    # Start-up cost: only for tests that have the marker.
    from .provided import kept_configuration, marked_configuration

    values = marked_configuration(markers)
    app = request.getfixturevalue("app")
    with kept_configuration(app):
        app.config.update(values)
        yield
