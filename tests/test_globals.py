"""The proxies: what they stand for, inside and outside of a context."""

from __future__ import annotations

import copy
import typing as t

import pytest
from werkzeug.local import LocalProxy

import erlen
import erlen.globals
from erlen import Erlen, Request, current_app, g, request, session
from erlen.globals import app_ctx, request_ctx
from erlen.messages import NO_APP_CONTEXT, NO_REQUEST_CONTEXT
from erlen.sessions import SessionMixin

APPLICATION_PROXIES: dict[str, t.Any] = {"current_app": current_app, "g": g, "app_ctx": app_ctx}
REQUEST_PROXIES: dict[str, t.Any] = {"request": request, "session": session, "request_ctx": request_ctx}
PROXIES = APPLICATION_PROXIES | REQUEST_PROXIES


@pytest.mark.parametrize("name", PROXIES)
def test_proxy_is_werkzeugs(name: str) -> None:
    assert type.__instancecheck__(LocalProxy, PROXIES[name])


@pytest.mark.parametrize("name", ["current_app", "g", "request", "session"])
def test_proxy_of_the_package_is_that_of_the_module(name: str) -> None:
    assert getattr(erlen, name) is getattr(erlen.globals, name)


def test_proxies_stand_for_the_objects_of_the_context(app: Erlen) -> None:
    app.secret_key = "key"
    with app.test_request_context("/") as context:
        stood_for = {name: proxy._get_current_object() for name, proxy in PROXIES.items()}
        assert stood_for["current_app"] is app
        assert stood_for["app_ctx"] is context and stood_for["request_ctx"] is context
        assert stood_for["g"] is context.g
        assert stood_for["request"] is context.request
        assert stood_for["session"] is context.session


def test_proxies_pass_for_what_they_stand_for(app: Erlen) -> None:
    app.secret_key = "key"
    with app.test_request_context("/"):
        for name, cls in (("current_app", Erlen), ("request", Request), ("session", SessionMixin)):
            assert isinstance(PROXIES[name], cls)
        assert current_app == app and hash(current_app) == hash(app)
        assert "args" in dir(request)
        assert repr(current_app) == repr(app)


def test_proxies_set_and_delete_attributes(app: Erlen) -> None:
    with app.test_request_context("/") as context:
        request.extra = "value"  # type: ignore[attr-defined]
        g.extra = "value"
        assert context.request.extra == context.g.extra == "value"
        del g.extra
        assert "extra" not in context.g


def test_proxy_names_a_missing_attribute_of_its_object(app: Erlen) -> None:
    proxy: t.Any = current_app
    with app.app_context(), pytest.raises(AttributeError, match="'Erlen' object has no attribute 'nothing'"):
        proxy.nothing


def test_proxy_copied_is_a_copy_of_its_object(app: Erlen) -> None:
    app.secret_key = "key"
    with app.test_request_context("/"):
        session["name"] = ["value"]
        assert copy.copy(session)["name"] is session["name"]


@pytest.mark.parametrize("name", APPLICATION_PROXIES)
def test_application_proxy_outside_a_context_names_the_fix(name: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        PROXIES[name].anything
    assert str(caught.value) == NO_APP_CONTEXT


@pytest.mark.parametrize("name", REQUEST_PROXIES)
def test_request_proxy_outside_a_request_names_the_fix(app: Erlen, name: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        PROXIES[name].anything
    assert str(caught.value) == NO_REQUEST_CONTEXT
    with app.app_context(), pytest.raises(RuntimeError) as caught:
        PROXIES[name].anything
    assert str(caught.value) == NO_REQUEST_CONTEXT


@pytest.mark.parametrize("name", PROXIES)
def test_hasattr_outside_a_context_is_an_error_too(name: str) -> None:
    with pytest.raises(RuntimeError, match="Working outside of"):
        hasattr(PROXIES[name], "anything")


@pytest.mark.parametrize("name", PROXIES)
def test_setting_an_attribute_outside_a_context_is_an_error(name: str) -> None:
    with pytest.raises(RuntimeError, match="Working outside of"):
        PROXIES[name].anything = 1


@pytest.mark.parametrize("name", PROXIES)
def test_proxy_outside_a_context_is_false_and_shows_itself(name: str) -> None:
    assert not PROXIES[name]
    assert "unbound" in repr(PROXIES[name])


@pytest.mark.parametrize("name", REQUEST_PROXIES)
def test_request_proxy_in_an_application_context_shows_itself(app: Erlen, name: str) -> None:
    with app.app_context():
        assert not PROXIES[name]
        assert "unbound" in repr(PROXIES[name])


def test_request_without_a_session_key_has_a_session_that_is_false(app: Erlen) -> None:
    with app.test_request_context("/"):
        assert not session and len(session) == 0 and "name" not in session


def test_texts_do_not_name_a_fix_that_does_not_exist(app: Erlen) -> None:
    for call in ("app_context", "test_request_context"):
        assert f"app.{call}(" in NO_APP_CONTEXT + NO_REQUEST_CONTEXT
        assert callable(getattr(app, call))
    for name in ("copy_current_request_context", "stream_with_context"):
        assert name in NO_REQUEST_CONTEXT and callable(getattr(erlen, name))
