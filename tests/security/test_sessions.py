"""Sessions of users: what makes one, what it is worth, and what ends it."""

from __future__ import annotations

import typing as t
from datetime import timedelta

import pytest
from itsdangerous import URLSafeTimedSerializer

from erlen import Erlen, request, session
from erlen.ext.security.errors import SecurityError
from erlen.ext.security.keys import digest
from erlen.ext.security.sessions import KEY, client_of_request
from erlen.ext.security.settings import Settings
from erlen.testing import ErlenClient
from guarded import Guarded, guard
from kept_sessions import AsyncKeptSessions, KeptSessions, StuckSessions

pytestmark = pytest.mark.protocol("wsgi", "asgi")


def who(client: ErlenClient) -> str:
    return client.get("/who").text


def secret_of(client: ErlenClient) -> str:
    with client.session_transaction() as held:
        return t.cast("str", held[KEY])


def put(client: ErlenClient, value: t.Any) -> None:
    with client.session_transaction() as held:
        held[KEY] = value


def test_login_lasts_until_logout(client: ErlenClient, parts: Guarded) -> None:
    assert who(client) == "nobody"
    client.get("/enter/ada")
    assert who(client) == "ada"
    client.get("/leave")
    assert who(client) == "nobody"
    assert not parts.store.sessions("ada")


def test_visitor_gets_no_session(client: ErlenClient, parts: Guarded) -> None:
    """A session made for anonymous users: there is none, no cookie, and nothing is asked of the store."""
    response = client.get("/who")
    assert "Set-Cookie" not in response.headers
    assert "Cookie" in response.headers["Vary"]
    assert "Cache-Control" not in response.headers
    assert parts.store.asked == []


def test_request_asks_the_store_once(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.get("/often")
    def often() -> str:
        return str({parts.sessions.current() is not None for _ in range(5)})

    client.get("/enter/ada")
    parts.store.asked.clear()
    assert client.get("/often").text == "{True}"
    assert parts.store.asked == ["session"]


def test_answer_for_a_user_is_kept_by_no_cache(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.get("/own")
    def own() -> t.Any:
        parts.sessions.current()
        return "own", {"Cache-Control": "private, max-age=60"}

    client.get("/enter/ada")
    response = client.get("/who")
    assert response.headers["Cache-Control"] == "no-store, private"
    assert "Cookie" in response.headers["Vary"]
    assert client.get("/own").headers["Cache-Control"] == "private, max-age=60"


def test_cookie_has_a_secret_and_the_store_its_digest(client: ErlenClient, parts: Guarded) -> None:
    client.get("/enter/ada")
    with client.session_transaction() as held:
        assert list(held) == [KEY]
    secret = secret_of(client)
    assert len(secret) >= 43
    assert [record.key for record in parts.store.sessions("ada")] == [digest(secret)]
    assert secret not in repr(parts.store.sessions("ada")) + repr(parts.store.events())


def test_former_secret_is_worth_nothing_after_login(client: ErlenClient, parts: Guarded) -> None:
    """Session fixation: what the browser had before a login, whoever put it there, is not what it has after."""
    put(client, "chosen by somebody else")
    client.get("/enter/ada")
    assert secret_of(client) != "chosen by somebody else"
    first = secret_of(client)
    client.get("/enter/ada")
    assert secret_of(client) != first
    put(client, first)
    assert who(client) == "nobody"
    assert len(parts.store.sessions("ada")) == 1


@pytest.mark.parametrize("kind", [KeptSessions, AsyncKeptSessions])
@pytest.mark.parametrize("before", ["/cart", "/enter/eve", "/enter/ada"])
def test_login_gives_a_session_kept_on_the_server_another_id(
    before: str, kind: type[KeptSessions], app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    """Session fixation, where ids of sessions may be planted: that of a visitor, of an attacker's own login, of a former one."""

    @app.get("/cart")
    def cart() -> str:
        session["cart"] = ["tea"]
        return ""

    interface = app.session_interface = kind()
    attacker = app.test_client()
    attacker.get(before)
    (planted,) = interface.held
    client.set_cookie("sid", planted)
    client.get("/enter/ada")
    assert who(client) == "ada"
    assert who(attacker) == "nobody"
    assert planted not in interface.held


def test_login_without_another_id_is_none(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    """The session is saved with the error, under the id that may have been planted."""

    @app.get("/cart")
    def cart() -> str:
        session["cart"] = ["tea"]
        return ""

    app.config["PROPAGATE_EXCEPTIONS"] = False
    interface = app.session_interface = StuckSessions()
    attacker = app.test_client()
    attacker.get("/cart")
    client.set_cookie("sid", *interface.held)
    interface.is_stuck = True
    assert client.get("/enter/ada").status_code == 500
    assert [who(client), who(attacker)] == ["nobody", "nobody"]


def test_logout_ends_a_session_kept_on_the_server(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    interface = app.session_interface = KeptSessions()
    client.get("/enter/ada")
    (sid,) = interface.held
    client.get("/leave")
    assert interface.held == {}
    client.set_cookie("sid", sid)
    assert who(client) == "nobody"


def test_logout_gives_a_session_kept_on_the_server_another_id(
    app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    """What is put into it after that, such as a message, is nothing for who has read the id."""

    @app.after_request
    def say_goodbye(response: t.Any) -> t.Any:
        if request.path == "/leave":
            session["message"] = "Goodbye."
        return response

    interface = app.session_interface = KeptSessions()
    client.get("/enter/ada")
    (sid,) = interface.held
    client.get("/leave")
    assert list(interface.held.values()) == [{"message": "Goodbye."}]
    assert sid not in interface.held


def test_what_a_visitor_had_in_the_session_is_kept_by_login(
    app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    @app.get("/cart")
    def cart() -> str:
        return str(session.get("cart"))

    with client.session_transaction() as held:
        held["cart"] = ["tea"]
    client.get("/enter/ada")
    assert client.get("/cart").text == "['tea']"
    # But not what another user had.
    client.get("/enter/eve")
    assert client.get("/cart").text == "None"
    assert not parts.store.sessions("ada")


def test_logout_leaves_nothing_for_the_next_at_this_browser(client: ErlenClient, parts: Guarded) -> None:
    client.get("/enter/ada")
    with client.session_transaction() as held:
        held["draft"] = "mine"
    client.get("/leave")
    assert client.get_cookie("session") is None


@pytest.mark.parametrize("value", ["", "x", "\0", "é" * 3000, 7, None, True, ["a"], {"a": 1}])
def test_made_up_secret_is_nobody(client: ErlenClient, parts: Guarded, value: t.Any) -> None:
    """Session id reused on a storage miss: what is not in the store is no session, and login makes another secret."""
    put(client, value)
    assert who(client) == "nobody"
    client.get("/enter/ada")
    assert secret_of(client) != value
    assert who(client) == "ada"


def test_digest_of_the_store_logs_nobody_in(client: ErlenClient, parts: Guarded) -> None:
    client.get("/enter/ada")
    put(client, parts.store.sessions("ada")[0].key)
    assert who(client) == "nobody"


def test_replayed_cookie_is_nobody_after_logout(client: ErlenClient, parts: Guarded) -> None:
    client.get("/enter/ada")
    cookie = client.get_cookie("session")
    assert cookie is not None
    client.get("/leave")
    client.set_cookie("session", cookie.value)
    assert who(client) == "nobody"


def test_changed_cookie_is_nobody(client: ErlenClient, parts: Guarded) -> None:
    client.get("/enter/ada")
    cookie = client.get_cookie("session")
    assert cookie is not None
    client.set_cookie("session", ("A" if cookie.value[0] != "A" else "B") + cookie.value[1:])
    assert who(client) == "nobody"


def test_cookie_of_another_key_is_nobody(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    client.get("/enter/ada")
    secret = secret_of(client)
    signer = URLSafeTimedSerializer(
        "another key", salt="cookie-session", signer_kwargs={"key_derivation": "hmac"}
    )
    client.set_cookie("session", signer.dumps({KEY: secret}))
    assert who(client) == "nobody"


def test_session_outlives_a_change_of_the_key_that_keeps_the_former(
    app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    client.get("/enter/ada")
    app.config["SECRET_KEY_FALLBACKS"], app.secret_key = [app.secret_key], "a newer key"
    assert who(client) == "ada"


def test_session_ends_by_idling(client: ErlenClient, parts: Guarded, clock: t.Any) -> None:
    client.get("/enter/ada")
    for _ in range(3):
        clock.forward(hours=11)
        assert who(client) == "ada"
    clock.forward(hours=12)
    assert who(client) == "nobody"
    # It is gone, so that a longer time in the settings does not wake it up.
    assert not parts.store.sessions("ada")


def test_session_ends_after_its_lifetime(client: ErlenClient, parts: Guarded, clock: t.Any) -> None:
    client.get("/enter/ada")
    for _ in range(16):
        clock.forward(hours=10)
        assert who(client) == "ada"
    clock.forward(hours=8)
    assert who(client) == "nobody"


def test_renewing_does_not_lengthen_a_session(client: ErlenClient, parts: Guarded, clock: t.Any) -> None:
    client.get("/enter/ada")
    for _ in range(16):
        clock.forward(hours=10)
        assert client.get("/renew").status_code == 200
    clock.forward(hours=8)
    assert who(client) == "nobody"


def test_remembered_session_does_not_idle(client: ErlenClient, parts: Guarded, clock: t.Any) -> None:
    client.get("/remember/ada")
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert cookie.expires is not None
    clock.forward(days=29)
    assert who(client) == "ada"
    clock.forward(days=1)
    assert who(client) == "nobody"


def test_nobody_is_remembered_by_accident(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    """A remember token set by accident: a cookie that was permanent before the login ends with the browser after it."""
    with client.session_transaction() as held:
        held.permanent = True
        held["language"] = "de"
    client.get("/enter/ada")
    cookie = client.get_cookie("session")
    assert cookie is not None
    assert cookie.expires is None
    assert not parts.store.sessions("ada")[0].remember


def test_when_it_was_seen_is_written_once_a_minute(client: ErlenClient, parts: Guarded, clock: t.Any) -> None:
    client.get("/enter/ada")
    parts.store.asked.clear()
    for _ in range(10):
        clock.forward(seconds=20)
        client.get("/who")
    assert parts.store.asked.count("session") == 10
    assert parts.store.asked.count("change_session") == 3
    assert parts.store.sessions("ada")[0].last_seen_at == clock.now - timedelta(seconds=20)


def test_short_idling_time_is_counted_right(app: Erlen, client: ErlenClient, clock: t.Any) -> None:
    parts = guard(app, Settings(session_idle=timedelta(seconds=30)), clock)
    client.get("/enter/ada")
    for _ in range(5):
        clock.forward(seconds=20)
        assert who(client) == "ada"
    clock.forward(seconds=30)
    assert who(client) == "nobody"
    assert not parts.store.sessions("ada")


def test_switched_off_account_is_nobody_at_once(client: ErlenClient, parts: Guarded) -> None:
    client.get("/enter/ada")
    parts.store.change_user("ada", is_active=False)
    assert who(client) == "nobody"
    parts.store.change_user("ada", is_active=True, activated_at=None)
    assert who(client) == "nobody"


def test_account_that_needs_no_activation_is_used_without(
    app: Erlen, client: ErlenClient, clock: t.Any
) -> None:
    parts = guard(app, Settings(activation_required=False), clock)
    parts.store.change_user("ada", activated_at=None)
    client.get("/enter/ada")
    assert who(client) == "ada"


def test_deleted_account_is_nobody(client: ErlenClient, parts: Guarded) -> None:
    client.get("/enter/ada")
    parts.store.delete_user("ada")
    assert who(client) == "nobody"


def test_renewing_changes_the_secret_and_notes_the_method(
    client: ErlenClient, parts: Guarded, clock: t.Any
) -> None:
    client.get("/enter/ada")
    before, first = parts.store.sessions("ada")[0], secret_of(client)
    clock.forward(minutes=20)
    client.get("/renew")
    after = parts.store.sessions("ada")[0]
    assert (after.id, after.created_at, after.expires_at) == (before.id, before.created_at, before.expires_at)
    assert after.methods == ("password", "totp")
    assert after.authenticated_at == clock.now
    assert secret_of(client) != first
    put(client, first)
    assert who(client) == "nobody"


def test_only_a_session_can_be_renewed(app: Erlen, parts: Guarded) -> None:
    with app.test_request_context(), pytest.raises(SecurityError, match="Nobody is logged in"):
        parts.sessions.renew(["password"])


def test_one_of_two_renewals_wins(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.get("/twice")
    def twice() -> str:
        found = parts.sessions.current()
        assert found is not None
        assert found.record is not None
        # Another request was quicker.
        parts.store.change_session(found.record.key, key="another")
        with pytest.raises(SecurityError, match="has ended"):
            parts.sessions.renew(["password"])
        return "refused"

    client.get("/enter/ada")
    assert client.get("/twice").text == "refused"


def test_logout_ends_a_session_that_another_tab_renews_meanwhile(
    app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    @app.get("/leave/late")
    def leave_late() -> str:
        found = parts.sessions.current()
        assert found is not None
        assert found.record is not None
        parts.store.change_session(found.record.key, key=digest("of the other tab"))
        parts.sessions.end()
        return "out"

    client.get("/enter/ada")
    assert client.get("/leave/late").text == "out"
    put(client, "of the other tab")
    assert who(client) == "nobody"


def test_freshness_ends(app: Erlen, client: ErlenClient, parts: Guarded, clock: t.Any) -> None:
    @app.get("/fresh")
    def fresh() -> str:
        return str(parts.sessions.is_fresh())

    assert client.get("/fresh").text == "False"
    client.get("/enter/ada")
    clock.forward(minutes=14, seconds=59)
    assert client.get("/fresh").text == "True"
    clock.forward(seconds=1)
    assert client.get("/fresh").text == "False"
    client.get("/renew")
    assert client.get("/fresh").text == "True"


def test_login_is_counted_and_told(client: ErlenClient, parts: Guarded, clock: t.Any) -> None:
    client.get("/enter/ada", headers={"User-Agent": "Browser\0" + "x" * 500})
    user, record = parts.store.user("ada"), parts.store.sessions("ada")[0]
    assert user is not None
    assert (user.login_count, user.current_login_at, user.current_login_address) == (
        1,
        clock.now,
        "127.0.0.1",
    )
    assert record.address == "127.0.0.1"
    assert record.agent.startswith("Browserx")
    assert len(record.agent) == 256
    client.get("/leave")
    assert [event.name for event in parts.store.events("ada")] == ["logged_out", "logged_in"]


def test_user_lists_and_revokes_sessions(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    others = [app.test_client(), app.test_client()]
    for one in (client, *others):
        one.get("/enter/ada")
    listed = parts.sessions.all(parts.ada)
    assert len(listed) == 3
    other = next(one for one in listed if one.key == digest(secret_of(others[0])))
    with app.test_request_context():
        assert parts.sessions.revoke(parts.ada, other.id)
        assert not parts.sessions.revoke(parts.ada, other.id)
        assert not parts.sessions.revoke(parts.eve, listed[0].id)
    assert [who(one) for one in (client, *others)] == ["ada", "nobody", "ada"]


def test_revoking_the_others_keeps_this_one(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.get("/others")
    def others() -> str:
        return str(parts.sessions.revoke_others(parts.ada))

    @app.get("/all")
    def all() -> str:
        count = parts.sessions.revoke_all(parts.ada)
        return f"{count} {parts.sessions.current()}"

    second = app.test_client()
    client.get("/enter/ada")
    second.get("/enter/ada")
    assert client.get("/others").text == "1"
    assert (who(client), who(second)) == ("ada", "nobody")
    assert client.get("/all").text == "1 None"
    assert who(client) == "nobody"


def test_oldest_sessions_end_where_there_are_too_many(app: Erlen, client: ErlenClient, clock: t.Any) -> None:
    parts = guard(app, Settings(session_limit=2), clock)
    clients = [app.test_client() for _ in range(3)]
    for one in clients:
        one.get("/enter/ada")
        clock.forward(seconds=1)
    assert [who(one) for one in clients] == ["nobody", "ada", "ada"]
    assert len(parts.sessions.all(parts.ada)) == 2


def test_emptied_session_is_nobody_within_the_request(
    app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    @app.get("/empty")
    def empty() -> str:
        before = parts.sessions.current()
        session.clear()
        return f"{before is not None} {parts.sessions.current()}"

    client.get("/enter/ada")
    assert client.get("/empty").text == "True None"


def test_requests_within_one_application_context_are_told_apart(
    app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    client.get("/enter/ada")
    with app.app_context():
        assert who(client) == "ada"
        assert who(app.test_client()) == "nobody"


def test_applications_of_one_process_know_their_own_users_alone(
    app: Erlen, client: ErlenClient, parts: Guarded, settings: Settings, clock: t.Any
) -> None:
    other = Erlen("other")
    guard(other, settings, clock)
    client.get("/enter/ada")
    cookie = client.get_cookie("session")
    assert cookie is not None
    stranger = other.test_client()
    # The same key signs both, so the cookie is sound; its session is not in the other's store.
    stranger.set_cookie("session", cookie.value)
    assert stranger.get("/who").text == "nobody"


def test_async_view_finds_the_user(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.get("/async")
    async def index() -> str:
        found = await app.ensure_async(parts.sessions.current)()
        return "nobody" if found is None else found.user.uid

    client.get("/enter/ada")
    response = client.get("/async")
    assert response.text == "ada"
    assert response.headers["Cache-Control"] == "no-store, private"


def test_outside_of_requests_there_is_nobody(app: Erlen, parts: Guarded) -> None:
    assert parts.sessions.current() is None
    assert client_of_request().address is None


def test_client_is_where_the_request_came_from(app: Erlen) -> None:
    with app.test_request_context(headers={"User-Agent": "x"}, environ_base={"REMOTE_ADDR": "192.0.2.1"}):
        assert (client_of_request().address, client_of_request().agent) == ("192.0.2.1", "x")
