"""The contexts under the names that Flask gave them from 0.9 to 3.1."""

from __future__ import annotations

import typing as t
import warnings

import flask
import flask.globals
import pytest
from flask import Flask

Any = t.Any


@pytest.fixture
def app() -> Flask:
    return Flask("stacks")


@pytest.fixture
def stacks() -> t.Iterator[tuple[Any, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield t.cast("Any", flask)._app_ctx_stack, t.cast("Any", flask)._request_ctx_stack


def test_outside_of_contexts(stacks: tuple[Any, Any]) -> None:
    apps, requests = stacks
    assert apps.top is None
    assert requests.top is None
    assert requests.pop() is None
    # As extensions choose between the two.
    assert (apps or requests) is apps


def test_top_without_a_request(app: Flask, stacks: tuple[Any, Any]) -> None:
    apps, requests = stacks
    with app.app_context() as context:
        assert apps.top is context
        assert requests.top is None
        setattr(apps.top, "connection", "kept")
        assert vars(context)["connection"] == "kept"


def test_top_in_a_request(app: Flask, stacks: tuple[Any, Any]) -> None:
    apps, requests = stacks
    app.secret_key = "of the test"
    with app.test_request_context("/path") as context:
        assert apps.top is context
        assert requests.top is context
        assert requests.top.request.path == "/path"
        assert requests.top.app is app
        assert requests.top.url_adapter is not None
        requests.top.session["a"] = 1
        assert flask.session["a"] == 1


def test_push_and_pop(app: Flask, stacks: tuple[Any, Any]) -> None:
    apps, requests = stacks
    context = app.test_request_context("/")
    requests.push(context)
    assert flask.request.path == "/"
    assert requests.pop() is context
    assert apps.top is None


def test_the_variable_of_the_application(app: Flask) -> None:
    variable = flask.globals._cv_app
    assert variable.get(None) is None
    with app.app_context() as context:
        assert variable.get() is context


def test_the_variable_of_the_request(app: Flask) -> None:
    variable = flask.globals._cv_request
    assert variable.get(None) is None
    with app.app_context():
        assert variable.get("none") == "none"
        with pytest.raises(LookupError):
            variable.get()
    with app.test_request_context("/") as context:
        assert variable.get() is context
        other = app.test_request_context("/other")
        token = variable.set(other)
        assert variable.get() is other
        variable.reset(token)
        assert variable.get() is context


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_look_ups_of_flask_0_and_1(app: Flask) -> None:
    names: Any = flask.globals
    for function, arguments in (
        (names._lookup_req_object, ("request",)),
        (names._lookup_app_object, ("g",)),
        (names._find_app, ()),
    ):
        with pytest.raises(RuntimeError, match="Working outside of"):
            function(*arguments)
    with app.test_request_context("/"):
        assert names._find_app() is app
        assert names._lookup_req_object("request") is t.cast("Any", flask.request)._get_current_object()
        assert names._lookup_app_object("g") is t.cast("Any", flask.g)._get_current_object()
