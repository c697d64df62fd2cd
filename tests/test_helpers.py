"""The functions views call: environment, responses, redirects, aborts, flashed messages."""

from __future__ import annotations

import typing as t

import flask
import pytest
import werkzeug.exceptions
import werkzeug.wrappers
from jinja2 import DictLoader
from werkzeug.routing import BuildError

import erlen.paths
import erlen.streams
from erlen import Erlen, helpers, signals
from erlen.helpers import (
    abort,
    flash,
    get_debug_flag,
    get_flashed_messages,
    get_load_dotenv,
    get_template_attribute,
    make_response,
    redirect,
    url_for,
)

ON = ["1", "true", "yes", "on", "anything", " "]
OFF = ["0", "false", "False", "NO"]


@pytest.fixture
def app(app: Erlen) -> Erlen:
    app.secret_key = "a key for tests"
    return app


@pytest.mark.parametrize(
    ("value", "expected"), [(value, True) for value in ON] + [(value, False) for value in [*OFF, ""]]
)
def test_erlen_debug_is_read_as_flask_reads_its_own(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: bool
) -> None:
    monkeypatch.setenv("ERLEN_DEBUG", value)
    monkeypatch.setenv("FLASK_DEBUG", value)
    assert get_debug_flag() is expected
    assert flask.helpers.get_debug_flag() is expected


def test_flask_debug_alone_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ERLEN_DEBUG", raising=False)
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert get_debug_flag() is False


@pytest.mark.parametrize(
    ("value", "expected"), [(value, False) for value in ON] + [(value, True) for value in OFF]
)
def test_erlen_skip_dotenv_is_read_as_flask_reads_its_own(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: bool
) -> None:
    monkeypatch.setenv("ERLEN_SKIP_DOTENV", value)
    monkeypatch.setenv("FLASK_SKIP_DOTENV", value)
    assert get_load_dotenv() is expected
    assert flask.helpers.get_load_dotenv() is expected


@pytest.mark.parametrize("default", [True, False])
def test_without_erlen_skip_dotenv_the_default_counts(monkeypatch: pytest.MonkeyPatch, default: bool) -> None:
    monkeypatch.setenv("ERLEN_SKIP_DOTENV", "")
    assert get_load_dotenv(default) is default


def test_functions_of_other_modules_are_the_same_here() -> None:
    assert helpers.stream_with_context is erlen.streams.stream_with_context
    assert helpers.get_root_path is erlen.paths.get_root_path


def test_make_response_takes_what_a_view_may_return(app: Erlen) -> None:
    with app.test_request_context("/"):
        assert make_response().get_data() == b""
        assert make_response("text").get_data() == b"text"
        assert make_response(("text", 201)).status_code == 201
        response = make_response("text", 202, {"X-Own": "1"})
        assert (response.get_data(), response.status_code, response.headers["X-Own"]) == (b"text", 202, "1")
        assert make_response(response) is response


def test_url_for_outside_a_context_says_so() -> None:
    with pytest.raises(RuntimeError, match="Working outside of application context"):
        url_for("index")


def test_url_for_calls_the_method_of_the_application() -> None:
    class Own(Erlen):
        def url_for(self, /, endpoint: str, **values: t.Any) -> str:
            return f"own {endpoint} {sorted(values.items())!r}"

    with Own("own").app_context():
        assert url_for("index", a=1).startswith("own index [('_anchor', None),")


def test_redirect_outside_a_context() -> None:
    response = redirect("/elsewhere", 303)
    assert (response.status_code, response.headers["Location"]) == (303, "/elsewhere")
    assert type(response) is werkzeug.wrappers.Response


def test_redirect_uses_the_response_class_of_the_application(app: Erlen) -> None:
    class Own(app.response_class):  # type: ignore[misc, name-defined]
        pass

    app.response_class = Own
    with app.app_context():
        assert type(redirect("/")) is Own
        assert type(redirect("/", Response=werkzeug.wrappers.Response)) is werkzeug.wrappers.Response


def test_redirect_calls_the_method_of_the_application() -> None:
    class Own(Erlen):
        def redirect(self, location: str, code: int = 302) -> t.Any:
            return super().redirect(f"/own{location}", code=code)

    with Own("own").app_context():
        response = redirect("/x", 307)
    assert (response.status_code, response.headers["Location"]) == (307, "/own/x")


def test_the_page_of_a_redirect_escapes_the_location() -> None:
    assert b"<script>" not in redirect("/?<script>").get_data()


def test_abort_outside_a_context_raises_werkzeug_s_exceptions() -> None:
    with pytest.raises(werkzeug.exceptions.NotFound, match="gone fishing"):
        abort(404, "gone fishing")
    with pytest.raises(LookupError):
        abort(999)


def test_abort_asks_the_aborter_of_the_application(app: Erlen) -> None:
    class Teapot(werkzeug.exceptions.HTTPException):
        code = 799

    app.aborter.mapping[799] = Teapot
    with app.app_context(), pytest.raises(Teapot):
        abort(799)


def test_abort_with_a_response_sends_it(app: Erlen) -> None:
    @app.route("/")
    def index() -> str:
        abort(make_response("stop", 418))

    response = app.test_client().get("/")
    assert (response.status_code, response.text) == (418, "stop")


def test_get_template_attribute_returns_a_macro(app: Erlen) -> None:
    macros = "{% macro hello(name) %}Hello {{ name }}{% endmacro %}"
    app.jinja_env.loader = DictLoader({"macros.html": macros})
    with app.app_context():
        assert get_template_attribute("macros.html", "hello")("Ada") == "Hello Ada"
        with pytest.raises(AttributeError):
            get_template_attribute("macros.html", "nothing")


def test_flashed_messages_are_shown_once_and_the_same_all_through_a_request(app: Erlen) -> None:
    @app.route("/flash")
    def add() -> str:
        flash("first")
        flash("second", "error")
        flash("dritte ü <b>", "info")
        return ""

    @app.route("/show")
    def show() -> dict[str, t.Any]:
        return {
            "all": get_flashed_messages(),
            "pairs": get_flashed_messages(with_categories=True),
            "errors": get_flashed_messages(category_filter=["error"]),
            "two": get_flashed_messages(True, ["message", "info"]),
            "none": get_flashed_messages(category_filter=["other"]),
        }

    client = app.test_client()
    client.get("/flash")
    assert client.get("/show").get_json() == {
        "all": ["first", "second", "dritte ü <b>"],
        "pairs": [["message", "first"], ["error", "second"], ["info", "dritte ü <b>"]],
        "errors": ["second"],
        "two": [["message", "first"], ["info", "dritte ü <b>"]],
        "none": [],
    }
    assert client.get("/show").get_json()["all"] == []


def _flash_one() -> str:
    flash("one more")
    return ""


def test_messages_stay_until_a_page_shows_them(app: Erlen) -> None:
    app.add_url_rule("/flash", "add", _flash_one)
    app.add_url_rule("/other", "other", lambda: "")
    app.add_url_rule("/show", "show", get_flashed_messages)
    client = app.test_client()
    client.get("/flash")
    client.get("/flash")
    client.get("/other")
    assert client.get("/show").get_json() == ["one more", "one more"]


def test_messages_flashed_before_the_same_page_are_shown_on_it(app: Erlen) -> None:
    with app.test_request_context("/"):
        flash("now")
        assert get_flashed_messages() == ["now"]


def test_what_get_flashed_messages_returns_can_be_changed_without_harm(app: Erlen) -> None:
    with app.test_request_context("/"):
        flash("kept")
        get_flashed_messages(with_categories=True).clear()
        get_flashed_messages().clear()
        assert get_flashed_messages() == ["kept"]


def test_messages_are_kept_in_the_session_as_flask_keeps_them(app: Erlen) -> None:
    theirs = flask.Flask("theirs")
    theirs.secret_key = "a key for tests"
    with theirs.test_request_context("/"):
        flask.flash("text", "error")
        expected = flask.session["_flashes"]
    with app.test_request_context("/") as context:
        flash("text", "error")
        assert context.session["_flashes"] == expected == [("error", "text")]


def test_a_second_message_marks_the_session_as_modified(app: Erlen) -> None:
    app.add_url_rule("/flash", "add", _flash_one)
    client = app.test_client()
    client.get("/flash")
    assert "Set-Cookie" in client.get("/flash").headers


def test_message_flashed_is_sent(app: Erlen) -> None:
    seen: list[tuple[t.Any, str, str]] = []

    def note(sender: t.Any, message: str, category: str, **extra: t.Any) -> None:
        seen.append((sender, message, category))

    with signals.message_flashed.connected_to(note, app), app.test_request_context("/"):
        flash("text", "error")
    assert seen == [(app, "text", "error")]


def test_flash_without_a_secret_key_names_the_key() -> None:
    with Erlen("keyless").test_request_context("/"), pytest.raises(RuntimeError, match="secret_key"):
        flash("text")


def test_flash_outside_a_request_says_so(app: Erlen) -> None:
    with app.app_context():
        for call in (lambda: flash("text"), get_flashed_messages):
            with pytest.raises(RuntimeError, match="Working outside of request context"):
                call()


def test_build_errors_reach_the_view(app: Erlen) -> None:
    with app.test_request_context("/"), pytest.raises(BuildError, match="Did you mean 'static' instead"):
        url_for("statik")
