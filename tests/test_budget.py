"""What one warm request runs, counted in Python functions and their files (``docs/architecture.md``).

A test of time would fail on a busy machine; this one does not, and shows what was added.
"""

from __future__ import annotations

import gc
import io
import sys
import typing as t
from urllib.parse import unquote_to_bytes

import pytest

from erlen import Erlen, session

#: Functions and files of one request. The application's view and ``start_response`` count as well.
BUDGETS: dict[str, tuple[int, int]] = {
    "/": (30, 9),
    "/json": (32, 10),
    "/number/7": (32, 9),
    "/user/gr%C3%B6%C3%9Fe": (32, 11),
    "/shop/": (32, 9),
}


@pytest.fixture(scope="module")
def measured() -> Erlen:
    """An application of a few views, in the safe profile."""
    app = Erlen("budget")
    app.secret_key = "key"
    app.add_url_rule("/", "index", lambda: "Hello")
    app.add_url_rule("/json", "json", lambda: {"message": "Hello", "number": 1})
    app.add_url_rule("/number/<int:number>", "number", lambda number: f"{number}")
    app.add_url_rule("/user/<name>", "user", lambda name: f"{name}")
    app.add_url_rule("/shop/", "shop", lambda: "shop")
    app.add_url_rule("/session", "session", lambda: session.get("user", "nobody"))
    return app


def _environ(path: str) -> dict[str, t.Any]:
    """Return what a server hands on for a browser's request."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin1"),
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "HTTP_USER_AGENT": "Mozilla/5.0",
        "HTTP_ACCEPT": "*/*",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def _start_response(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
    assert status == "200 OK"


def calls_of(app: Erlen, path: str) -> list[tuple[str, str]]:
    """Return file and name of each Python function that a warm request calls, in order."""
    for _ in range(2):
        b"".join(app(_environ(path), _start_response))
    environ, calls = _environ(path), list[tuple[str, str]]()

    def profile(frame: t.Any, event: str, argument: t.Any) -> None:
        if event == "call":
            calls.append((frame.f_code.co_filename, frame.f_code.co_qualname))

    before = sys.getprofile()
    # The end of what other tests have left is not part of this request.
    gc.disable()
    sys.setprofile(profile)
    try:
        body = app(environ, _start_response)
    finally:
        sys.setprofile(before)
        gc.enable()
    assert b"".join(body)
    return calls


@pytest.mark.parametrize("path", BUDGETS)
def test_warm_request_keeps_its_budget(measured: Erlen, path: str) -> None:
    functions, files = BUDGETS[path]
    calls = calls_of(measured, path)
    listed = "\n".join(f"{file.rpartition('/')[2]}: {name}" for file, name in calls)
    assert len(set(calls)) <= functions, listed
    assert len({file for file, _ in calls}) <= files, listed


@pytest.mark.parametrize("path", BUDGETS)
def test_warm_request_calls_no_function_twice(measured: Erlen, path: str) -> None:
    calls = calls_of(measured, path)
    assert sorted(calls) == sorted(set(calls))


@pytest.mark.parametrize("path", ["/", "/json", "/number/7"])
def test_warm_request_calls_nothing_of_werkzeug_jinja_or_blinker(measured: Erlen, path: str) -> None:
    foreign = [
        file
        for file, _ in calls_of(measured, path)
        if any(f"/{name}/" in file for name in ("werkzeug", "jinja2", "blinker"))
    ]
    assert foreign == []


def test_number_of_routes_costs_nothing(measured: Erlen) -> None:
    large = Erlen("large")
    for number in range(500):
        large.add_url_rule(f"/section{number}/<int:number>", f"e{number}", lambda number: f"{number}")
    large.add_url_rule("/number/<int:number>", "number", lambda number: f"{number}")
    assert len(calls_of(large, "/number/7")) == len(calls_of(measured, "/number/7"))


def test_session_that_is_not_touched_costs_nothing(measured: Erlen) -> None:
    unsigned = Erlen("unsigned")
    unsigned.add_url_rule("/", "index", lambda: "Hello")
    assert len(calls_of(measured, "/")) == len(calls_of(unsigned, "/"))
    assert len(calls_of(measured, "/session")) > len(calls_of(measured, "/"))


def test_safe_profile_costs_no_function(measured: Erlen) -> None:
    plain = Erlen("plain", profile="flask")
    plain.add_url_rule("/", "index", lambda: "Hello")
    assert len(calls_of(measured, "/")) == len(calls_of(plain, "/"))
