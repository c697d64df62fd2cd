from __future__ import annotations

import base64
import json
import typing as t
from datetime import UTC, datetime

import pytest
from werkzeug.test import Client

import erlen
from chapter_07 import Config, Sapling, session
from chapter_07.sessions import Session
from framework_support import CHAPTERS, ask, chapter, new_app
from solutions.chapter_07 import KeptSessions

SESSIONS = [number for number in CHAPTERS if number >= 7]


def build(framework: t.Any) -> t.Any:
    app = new_app(framework)
    app.config["SECRET_KEY"] = "key of the tests"

    @app.route("/set/<name>/<value>")
    def put(name: str, value: str) -> str:
        framework.session[name] = value
        return "set"

    @app.route("/get")
    def get() -> dict[str, t.Any]:
        return dict(framework.session)

    @app.route("/clear")
    def clear() -> str:
        framework.session.clear()
        return "clear"

    @app.route("/flash")
    def flash() -> str:
        framework.flash("saved")
        framework.flash("full", "warning")
        return "flashed"

    @app.route("/messages")
    def messages() -> list[t.Any]:
        return [framework.get_flashed_messages(with_categories=True), framework.get_flashed_messages()]

    @app.route("/idle")
    def idle() -> str:
        return "idle"

    return app


@pytest.mark.parametrize("number", SESSIONS)
@pytest.mark.parametrize("writes_first", [True, False])
def test_a_cookie_of_one_is_a_session_of_the_other(number: int, writes_first: bool) -> None:
    apps = [build(chapter(number)), build(erlen)]
    writer, reader = apps if writes_first else apps[::-1]
    cookie = Client(writer).get("/set/user/ada").headers["Set-Cookie"].partition(";")[0]
    assert ask(reader, "/get", headers={"Cookie": cookie}).json == {"user": "ada"}


@pytest.mark.parametrize("number", SESSIONS)
def test_the_cookie_has_the_attributes_that_erlen_gives_it(number: int) -> None:
    def attributes(app: t.Any) -> set[str]:
        return set(Client(app).get("/set/a/b").headers["Set-Cookie"].split("; ")[1:])

    assert (
        attributes(build(chapter(number)))
        == attributes(build(erlen))
        == {"HttpOnly", "Path=/", "SameSite=Lax"}
    )


@pytest.mark.parametrize("number", SESSIONS)
def test_messages_are_shown_once_as_in_erlen(number: int) -> None:
    answers = [list[t.Any](), list[t.Any]()]
    for app, said in zip([build(chapter(number)), build(erlen)], answers, strict=True):
        client = Client(app)
        client.get("/flash")
        said += [client.get("/messages").json for _ in range(2)]
    assert (
        answers[0]
        == answers[1]
        == [[[["message", "saved"], ["warning", "full"]], ["saved", "full"]], [[], []]]
    )


def test_a_cookie_that_was_changed_is_an_empty_session() -> None:
    client = Client(build(chapter(7)))
    client.get("/set/user/eve")
    cookie = client.get_cookie("session")
    assert cookie is not None
    _, behind = cookie.value.split(".", 1)
    forged = base64.urlsafe_b64encode(json.dumps({"user": "root"}).encode()).decode().rstrip("=")
    client.set_cookie("session", f"{forged}.{behind}")
    assert client.get("/get").json == {}


def test_a_cookie_can_be_read_without_the_key() -> None:
    client = Client(build(chapter(7)))
    client.get("/set/user/ada")
    cookie = client.get_cookie("session")
    assert cookie is not None
    text = cookie.value.split(".")[0]
    assert json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) == {"user": "ada"}


def test_a_cookie_that_is_too_old_is_an_empty_session() -> None:
    app = build(chapter(7))
    client = Client(app)
    client.get("/set/user/ada")
    app.config["SESSION_LIFETIME"] = -1
    assert client.get("/get").json == {}


def test_an_emptied_session_takes_its_cookie_away() -> None:
    client = Client(build(chapter(7)))
    client.get("/set/user/ada")
    client.get("/clear")
    assert client.get_cookie("session") is None


def test_a_page_that_looked_at_the_session_varies_with_the_cookie_and_no_other_does() -> None:
    app = build(chapter(7))
    assert ask(app, "/set/a/b").headers["Vary"] == "Cookie"
    assert ask(app, "/messages").headers["Vary"] == "Cookie"
    assert "Vary" not in ask(app, "/idle").headers


def test_without_a_key_writing_says_what_to_do() -> None:
    with Sapling("framework_example").test_request_context():
        assert session.get("user") is None
        with pytest.raises(RuntimeError, match="has no SECRET_KEY"):
            session["user"] = "ada"


def test_a_session_does_not_notice_what_happens_inside_of_a_value() -> None:
    one = Session(cart=[])
    one["cart"].append("rope")
    assert (one.accessed, one.modified) == (True, False)


def test_variables_of_the_environment_are_json_or_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {
        "TESTING": "true",
        "LIMIT": "7",
        "TITLE": "a title",
        "DAY": str(datetime.now(UTC)),
    }.items():
        monkeypatch.setenv(f"SAPLING_{name}", text)
    config = Config()
    config.from_prefixed_env()
    assert (config["TESTING"], config["LIMIT"], config["TITLE"]) == (True, 7, "a title")
    assert isinstance(config["DAY"], str)


def test_settings_of_a_class_are_those_in_capitals() -> None:
    class Testing:
        TESTING = True
        helper = "no setting"

    config = Config()
    config.from_object(Testing)
    assert config == {"TESTING": True}


def test_the_limit_of_a_body_is_a_setting() -> None:
    app = Sapling("framework_example")
    app.config["MAX_CONTENT_LENGTH"] = 10
    app.route("/", endpoint="size")(lambda: f"{len(chapter(7).request.get_data())}")
    assert ask(app, "/", "POST", data=b"x" * 11).status_code in {405, 413}
    app.route("/size", methods=["POST"], endpoint="post")(lambda: f"{len(chapter(7).request.get_data())}")
    assert ask(app, "/size", "POST", data=b"x" * 10).text == "10"
    assert ask(app, "/size", "POST", data=b"x" * 11).status_code == 413


def test_sessions_can_be_kept_on_the_server() -> None:
    app = build(chapter(7))
    app.session_interface = kept = KeptSessions()
    client = Client(app)
    client.get("/set/user/ada")
    first = client.get_cookie("session")
    assert client.get("/get").json == {"user": "ada"}
    client.get("/set/role/admin")
    assert client.get_cookie("session") != first
    kept.kept.clear()
    assert client.get("/get").json == {}


def test_a_copied_cookie_of_a_kept_session_is_worth_nothing_after_a_logout() -> None:
    app = build(chapter(7))
    app.session_interface = kept = KeptSessions()
    client, thief = Client(app), Client(app)
    client.get("/set/user/ada")
    copied = client.get_cookie("session")
    assert copied is not None
    thief.set_cookie("session", copied.value)
    assert thief.get("/get").json == {"user": "ada"}
    client.get("/clear")
    assert (client.get_cookie("session"), kept.kept) == (None, {})
    assert thief.get("/get").json == {}
