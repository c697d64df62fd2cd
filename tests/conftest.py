"""Fixtures for all tests, and the checks every test goes through.

Tests of behaviour run twice, once over WSGI and once over ASGI. Each call of a test client of Erlen's passes
``wsgiref.validate`` (PEP 3333), or the same for ASGI (``asgi_validator.py``). No test may leave a context pushed, or a task
on a loop.
"""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import gc
import inspect
import logging
import os
import re
import signal
import time
import typing as t
from pathlib import Path
from wsgiref.validate import IteratorWrapper, validator

import hypothesis
import pytest
import werkzeug.test

from asgi_validator import call_validated
from erlen import Erlen, signals
from erlen.ctx import context_var
from erlen.pipeline import loops
from erlen.testing import ErlenClient, ErlenCliRunner, exchange

# A shell without job control lets what it runs in the background ignore Ctrl-C, and processes inherit that. Tests press it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Time is never asserted. In continuous integration the same examples are tried each time; elsewhere new ones.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.load_profile("ci" if "CI" in os.environ else "here")

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

# What the validator looks at in the environ is what the test has put there, not what the application under test
# has made. Tests send malformed values on purpose, so it is shown these in their place.
_WELL_FORMED = {
    "REQUEST_METHOD": "GET",
    "CONTENT_LENGTH": "0",
    "PATH_INFO": "/",
    "SCRIPT_NAME": "",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "wsgi.url_scheme": "http",
}


# The validator complains of a body dropped unclosed in ``__del__``; in a cycle the collector may run that before
# anything that could mark the body as closed.
delattr(IteratorWrapper, "__del__")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Keep the garbage collector from going through all tests, a million objects, whenever one of them calls it: 0.7 s."""
    gc.collect()
    gc.freeze()


class _Body:
    """The body the validator returned; dropping it unclosed is no error.

    To close it is the server's duty, and Werkzeug's test client leaves that to the test.
    """

    def __init__(self, body: t.Any) -> None:
        self._body = body

    def __iter__(self) -> t.Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return t.cast("bytes", next(self._body))

    def close(self) -> None:
        self._body.close()


def validated(application: WSGIApplication) -> WSGIApplication:
    """Wrap a WSGI application in ``wsgiref.validate``, with three rules relaxed.

    - The environ may be malformed, see above.
    - A body that is marked with ``wsgi.input_terminated`` may be read without a size: that mark is the
      server's promise that the end can be found.
    - A 204 or 304 may have a Content-Type. RFC 9110 allows it, and Flask's answers have it.
    """

    def checked(environ: WSGIEnvironment, start_response: t.Any) -> cabc.Iterable[bytes]:
        sent: list[t.Any] = []

        def application_checked(wrapped: WSGIEnvironment, start_checked: t.Any) -> cabc.Iterable[bytes]:
            environ["wsgi.errors"] = wrapped["wsgi.errors"]
            if not environ.get("wsgi.input_terminated"):
                environ["wsgi.input"] = wrapped["wsgi.input"]

            def start(status: str, headers: t.Any, exc_info: t.Any = None) -> t.Any:
                sent[:] = [headers]
                if status[:3] in {"204", "304"} and type(headers) is list:
                    shown = t.cast("list[tuple[str, str]]", headers)
                    headers = [item for item in shown if item[0].lower() != "content-type"]
                return (
                    start_checked(status, headers, exc_info) if exc_info else start_checked(status, headers)
                )

            return application(environ, start)

        def start_outside(status: str, headers: t.Any, exc_info: t.Any = None) -> t.Any:
            return start_response(status, sent[0], exc_info)

        return _Body(validator(application_checked)(environ | _WELL_FORMED, start_outside))

    return checked


# Files whose tests are about behaviour that has to be the same on both protocols.
BEHAVIOUR = frozenset(
    f"test_{name}"
    for name in (
        "advisories app async_pipeline blueprints bodies bridge ctx dispatch errors eventstream explain "
        "extension_mechanics forms globals headers helpers isolation json lifecycle logging responses "
        "routing_behaviour safe_profile safety_details scaffold send_file sessions signals steps streaming "
        "template_engines templating testing unicode urls views wrappers"
    ).split()
)


def _mentions(function: t.Any, word: str, seen: set[t.Any] | None = None) -> bool:
    """Return whether a function, or one of its file that it calls, names something."""
    seen = set() if seen is None else seen
    function = inspect.unwrap(function)
    code: t.Any = getattr(function, "__code__", None)
    if code is None or code in seen:
        return False
    seen.add(code)
    if word in inspect.getsource(function):
        return True
    others = [function.__globals__.get(name) for name in code.co_names]
    return any(
        _mentions(one, word, seen)
        for one in others
        if getattr(one, "__module__", None) == function.__module__
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let tests of behaviour that use a client run over both protocols."""
    marker = metafunc.definition.get_closest_marker("protocol")
    if marker is not None:
        protocols: t.Sequence[str] = marker.args
    else:
        module, fixtures = (
            t.cast("t.Any", metafunc.module).__name__.rpartition(".")[2],
            set(metafunc.fixturenames),
        )
        both = module in BEHAVIOUR and (
            fixtures & {"client", "send"} or _mentions(metafunc.function, "client")
        )
        protocols = ("wsgi", "asgi") if both else ("wsgi",)
    if "protocol" in metafunc.fixturenames:
        # Without the suffix where there is one: most tests say nothing about protocols.
        ids = protocols if len(protocols) > 1 or marker else [pytest.HIDDEN_PARAM]
        metafunc.parametrize("protocol", protocols, ids=ids, indirect=True)


@pytest.fixture(autouse=True)
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the protocol that test clients use in this test."""
    monkeypatch.setattr(ErlenClient, "default_protocol", request.param)
    return t.cast(str, request.param)


_run_wsgi_app = werkzeug.test.run_wsgi_app


def _run_validated(app: WSGIApplication, environ: WSGIEnvironment, buffered: bool = False) -> t.Any:
    # Parity tests ask Flask for the right answer; whether Flask keeps to PEP 3333 is not the question.
    application_class: type[t.Any] = type(app)
    is_flask = any(base.__module__.partition(".")[0] == "flask" for base in application_class.__mro__)
    # What stands before the application there is the test client's own; the application is validated behind it.
    is_over_asgi = getattr(app, "__module__", None) == exchange.__name__
    return _run_wsgi_app(app if is_flask or is_over_asgi else validated(app), environ, buffered)


# Every test client calls its application through this function of Werkzeug's.
werkzeug.test.run_wsgi_app = _run_validated

# And every one that speaks ASGI through this one.
exchange.call = call_validated


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let ``-k CVE`` find tests by the numbers in their docstrings as well, and ``-m servers`` what starts them."""
    for item in items:
        if item.path.parent.name in SERVERS:
            item.add_marker("servers")
        text = getattr(getattr(item, "function", None), "__doc__", None) or ""
        item.extra_keyword_matches.update(re.findall(r"CVE-\d+-\d+", text))


# Folders of tests that start whole servers, and take minutes.
SERVERS = frozenset({"deploying", "development", "serving"})


@pytest.fixture(name="validated")
def validated_fixture() -> t.Callable[[WSGIApplication], WSGIApplication]:
    """Return the wrapper, for tests that call an application without a test client."""
    return validated


@pytest.fixture(autouse=True)
def environment_is_kept() -> t.Iterator[None]:
    """Put the environment of the process back: commands that run in it set variables for the processes they start."""
    before = dict(os.environ)
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(autouse=True)
def no_context_is_left(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """Fail a test that leaves a context pushed, and pop it so that the next test is not blamed."""
    yield
    left: list[str] = []
    while (context := context_var.get(None)) is not None:
        left.append(repr(context))
        context.pop(None)
    if left and request.node.get_closest_marker("leaks_context") is None:
        pytest.fail(f"the test left contexts pushed, innermost first: {', '.join(left)}")


@pytest.fixture(autouse=True)
def no_task_is_left(request: pytest.FixtureRequest) -> t.Iterator[None]:
    """Fail a test after which something still runs on the loop of the test client."""
    yield
    loop = loops._background.running
    if loop is None:
        return
    # What was told to end needs a moment of the other thread.
    left = asyncio.all_tasks(loop)
    for _ in range(200):
        left = asyncio.all_tasks(loop)
        if not left:
            return
        time.sleep(0.005)
    loop.call_soon_threadsafe(lambda: [task.cancel() for task in left])
    pytest.fail(f"the test left tasks running: {left}")


@pytest.fixture(autouse=True)
def no_receiver_is_left(request: pytest.FixtureRequest) -> None:
    """Disconnect what earlier tests have connected to a signal: signals belong to the process, not to an application.

    The scenario of the parity tests listens as long as it is asked.
    """
    if "parity" not in request.path.parts:
        for signal in signals._signals.values():
            signal._clear_state()


@pytest.fixture
def app() -> Erlen:
    """Return a fresh application with the safe profile, in testing mode; its root path is the tests folder."""
    # The loggers are those of the process, and another test may have silenced this one.
    logging.getLogger("erlen_test").disabled = False
    app = Erlen("erlen_test", root_path=str(Path(__file__).parent))
    app.config.update(TESTING=True)
    return app


@pytest.fixture
def client(app: Erlen) -> ErlenClient:
    """Return a test client of ``app``."""
    return app.test_client()


@pytest.fixture
def runner(app: Erlen) -> ErlenCliRunner:
    """Return a runner for the commands of ``app``."""
    return app.test_cli_runner()
