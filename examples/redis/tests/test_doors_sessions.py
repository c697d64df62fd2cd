"""The session interface, with an application of a few lines and a real Redis."""

from __future__ import annotations

import json
import typing as t
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from redis.exceptions import RedisError

from doors.errors import init_app
from doors.sessions import RedisSessions, SessionTooLarge
from doors.settings import plain_client
from erlen import Erlen, session
from erlen import request as current_request
from erlen.testing import ErlenClient


def application(client: redis.Redis, **options: t.Any) -> Erlen:
    """Return an application whose sessions are in Redis."""
    # The name of the example, whose templates the page of an error is made of.
    app = Erlen("doors")
    app.config["NAME"] = "west"
    app.add_url_rule("/", "pages.index", lambda: "")
    interface = app.session_interface = RedisSessions(client, **options)

    @app.get("/set/<value>")
    def set_value(value: str) -> str:
        session["value"] = value
        return "set"

    @app.get("/get")
    async def get_value() -> str:
        return str(session.get("value", "nothing"))

    @app.get("/quiet")
    def quiet() -> str:
        return "quiet"

    @app.get("/log-in")
    def log_in() -> str:
        interface.regenerate(session)
        session["user"] = "Ada"
        return "in"

    @app.get("/log-out")
    def log_out() -> str:
        session.clear()
        return "out"

    @app.get("/slow/<meanwhile>")
    def slow(meanwhile: str) -> str:
        session["value"] = "late"
        # In another window of the same browser.
        other = app.test_client()
        other.set_cookie("session", current_request.cookies["session"])
        other.get(f"/{meanwhile}")
        return "done"

    return app


@pytest.fixture(params=["wsgi", "asgi"])
def protocol(request: pytest.FixtureRequest) -> str:
    return t.cast("str", request.param)


@pytest.fixture
def client(store: redis.Redis, protocol: str) -> t.Iterator[ErlenClient]:
    with application(store).test_client(protocol=protocol) as client:
        yield client


def cookie_of(client: ErlenClient) -> str:
    """Return what the cookie holds."""
    cookie = client.get_cookie("session")
    assert cookie is not None
    return cookie.value


def test_the_cookie_has_a_random_id_and_redis_has_neither_that_nor_pickle(
    client: ErlenClient, store: redis.Redis
) -> None:
    response = client.get("/set/one")
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert response.headers["Vary"] == "Cookie"
    assert len(cookie_of(client)) == 43
    [key] = t.cast("list[str]", store.keys())
    assert cookie_of(client) not in key
    record = json.loads(t.cast("str", store.get(key)))
    assert record["values"] == {"value": "one"}
    assert client.get("/get").text == "one"


def test_values_come_back_as_they_were(store: redis.Redis) -> None:
    client = application(store).test_client()
    values = {"at": datetime(2026, 1, 31, 12, tzinfo=UTC), "pair": (1, 2), "bytes": b"\0", "text": "ä"}
    with client.session_transaction() as saved:
        saved.update(values)
    with client.session_transaction() as saved:
        assert dict(saved) == values


def test_who_has_no_session_costs_redis_nothing(client: ErlenClient, store: redis.Redis) -> None:
    assert client.get("/quiet").headers.get("Set-Cookie") is None
    assert client.get("/get").headers.get("Set-Cookie") is None
    assert store.keys() == []


def test_an_id_that_somebody_made_up_is_never_taken_over(client: ErlenClient, store: redis.Redis) -> None:
    """Session fixation: the attacker knows the id before the visitor logs in."""
    for planted in ("x" * 43, "short", "../" * 20):
        client.set_cookie("session", planted)
        client.get("/set/one")
        assert cookie_of(client) != planted


def test_a_login_has_a_new_id_and_the_old_one_is_worth_nothing(
    client: ErlenClient, store: redis.Redis
) -> None:
    client.get("/set/one")
    former = cookie_of(client)
    client.get("/log-in")
    assert cookie_of(client) != former
    assert client.get("/get").text == "one"
    assert len(t.cast("list[str]", store.keys())) == 1
    client.set_cookie("session", former)
    assert client.get("/get").text == "nothing"


def test_a_logout_deletes_the_session(client: ErlenClient, store: redis.Redis) -> None:
    client.get("/log-in")
    assert "session=;" in client.get("/log-out").headers["Set-Cookie"]
    assert store.keys() == []


def test_a_slow_request_does_not_bring_back_what_was_ended(store: redis.Redis) -> None:
    client = application(store).test_client()
    client.get("/log-in")
    client.get("/slow/log-out")
    assert store.keys() == []


def test_a_slow_request_leaves_the_cookie_of_a_login_in_another_window_alone(store: redis.Redis) -> None:
    client = application(store).test_client()
    client.get("/set/one")
    response = client.get("/slow/log-in")
    # The browser has the cookie of the login by now, which this answer must not take away.
    assert "Set-Cookie" not in response.headers
    [key] = t.cast("list[str]", store.keys())
    assert json.loads(t.cast("str", store.get(key)))["values"] == {"value": "one", "user": "Ada"}


def test_use_puts_off_the_end_and_silence_does_not(store: redis.Redis) -> None:
    client = application(store, idle=timedelta(seconds=100)).test_client()
    client.get("/set/one")
    [key] = t.cast("list[str]", store.keys())
    store.expire(key, 5)
    client.get("/get")
    assert 90 < store.ttl(key) <= 100
    # As if nobody had come for so long.
    store.delete(key)
    assert client.get("/get").text == "nothing"


def test_a_session_ends_in_any_case(store: redis.Redis) -> None:
    client = application(store, longest=timedelta(days=1)).test_client()
    client.get("/set/one")
    [key] = t.cast("list[str]", store.keys())
    record = json.loads(t.cast("str", store.get(key)))
    record["began_at"] -= 24 * 3600 + 1
    store.set(key, json.dumps(record))
    assert client.get("/get").text == "nothing"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"values": 1}', '{"values": {}}', "\x80\x04N."])
def test_what_cannot_be_read_is_an_empty_session(store: redis.Redis, text: str) -> None:
    client = application(store).test_client()
    client.get("/set/one")
    [key] = t.cast("list[str]", store.keys())
    store.set(key, text)
    assert client.get("/get").text == "nothing"


def test_a_session_that_is_too_large_is_an_error(store: redis.Redis) -> None:
    app = application(store, size=200)
    app.testing = True
    with pytest.raises(SessionTooLarge, match="and 200 are allowed"):
        app.test_client().get(f"/set/{'x' * 200}")


def test_without_redis_only_what_touches_the_session_fails(
    tmp_path: Path, protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    with plain_client(f"unix://{tmp_path}/nobody") as nobody:
        app = application(nobody)
        init_app(app)
        client = app.test_client(protocol=protocol)
        client.set_cookie("session", "x" * 43)
        assert client.get("/quiet").status_code == 200
        for path in ("/get", "/set/one", "/log-in", "/log-out"):
            assert client.get(path).status_code == 503, path
        # Redis is lost between opening and saving: there was nothing to open.
        client.delete_cookie("session")
        response = client.get("/set/one")
        assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
        assert "Set-Cookie" not in response.headers
    # The answer is not saved once more, to fail once more.
    assert [record.message for record in caplog.records if record.exc_info] == ["Exception on /set/one [GET]"]


def test_an_error_of_redis_names_itself(tmp_path: Path) -> None:
    with plain_client(f"unix://{tmp_path}/nobody") as nobody:
        app = application(nobody)
        app.testing = True
        client = app.test_client()
        client.set_cookie("session", "x" * 43)
        with pytest.raises(RedisError, match="No such file"):
            client.get("/get")
