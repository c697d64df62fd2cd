"""``flask.Flask``: Flask's defaults, and what Flask 2.3 and 3.0 removed."""

from __future__ import annotations

import inspect
import json
import threading
import typing as t
from abc import ABC, abstractmethod
from datetime import date
from pathlib import Path

import flask
import flask.views
import pytest
from flask import current_app, jsonify, request, session
from werkzeug.datastructures import ImmutableDict

from erlen import Blueprint, Erlen
from erlen.compat.application import Flask
from erlen.json.provider import DefaultJSONProvider
from erlen.profiles import defaults_of


@pytest.fixture
def app() -> Flask:
    return Flask("as_flask")


def removed(name: str, instead: str) -> t.Any:
    return pytest.warns(DeprecationWarning, match=f"{name}' was removed in Flask 2.3; .* Use [\"']{instead}")


def test_this_is_the_class_that_flask_shows() -> None:
    """The type checkers know Flask's own class under that name."""
    assert flask.Flask is t.cast("t.Any", Flask)
    assert flask.Blueprint is t.cast("t.Any", Blueprint)


def test_the_defaults_are_flasks(app: Flask) -> None:
    assert dict(app.config) == defaults_of("flask")
    assert Flask.default_config == defaults_of("flask")


def test_lists_of_the_defaults_are_not_shared(app: Flask) -> None:
    app.config["TRUSTED_ORIGINS"].append("https://example.org")
    assert Flask("another").config["TRUSTED_ORIGINS"] == []


def test_a_subclass_may_have_other_defaults() -> None:
    class Own(Flask):
        default_config = ImmutableDict({**Flask.default_config, "OWN": 1})

    assert Own("own").config["OWN"] == 1
    assert Own("own").config["MAX_CONTENT_LENGTH"] is None


def test_unsafe_requests_of_other_sites_pass_as_in_flask(app: Flask) -> None:
    app.add_url_rule("/", view_func=lambda: "changed", methods=["POST"])
    response = app.test_client().post("/", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.text == "changed"
    assert "X-Content-Type-Options" not in response.headers


def test_nothing_counts_as_replaced(app: Flask) -> None:
    """Else every request would go the long way."""
    assert app.freeze().finishes_plainly
    assert not app.freeze()._overridden


def test_a_subclass_that_replaces_a_phase_is_noticed() -> None:
    class Own(Flask):
        def preprocess_request(self) -> t.Any:
            return "from the subclass"

    app = Own("own")
    app.add_url_rule("/", view_func=lambda: "view")
    assert app.test_client().get("/").text == "from the subclass"


def test_native_applications_are_instances() -> None:
    """Extensions ask before they take an application."""
    assert isinstance(Erlen("native"), Flask)
    assert issubclass(Erlen, Flask)


def test_what_is_no_application_is_no_instance() -> None:
    assert not isinstance(object(), Flask)
    assert not issubclass(Blueprint, Flask)


def test_an_application_is_no_instance_of_a_subclass() -> None:
    class Own(Flask):
        pass

    assert not isinstance(Erlen("native"), Own)
    assert not isinstance(Flask("plain"), Own)
    assert isinstance(Own("own"), Own)
    assert isinstance(Own("own"), Flask)


def test_the_proxy_of_an_application_is_an_instance(app: Flask) -> None:
    with app.app_context():
        assert isinstance(current_app, Flask)


def test_it_may_be_mixed_with_abstract_classes() -> None:
    class Base(ABC):
        @abstractmethod
        def needed(self) -> int: ...

    class Own(Flask, Base):
        def needed(self) -> int:
            return 1

    assert Own("own").needed() == 1


def test_before_first_request_runs_once_and_first(app: Flask) -> None:
    calls: list[str] = []

    @app.before_request
    def each_time() -> None:
        calls.append("before")

    with removed("app.before_first_request", "app.before_serving"):

        @app.before_first_request
        def once() -> None:
            calls.append(f"first {request.path}")

    app.add_url_rule("/<name>", view_func=lambda name: name)
    assert not app.got_first_request
    app.test_client().get("/a")
    app.test_client().get("/b")
    assert calls == ["first /a", "before", "before"]
    assert app.got_first_request


def test_before_first_request_of_a_blueprint(app: Flask) -> None:
    blueprint = Blueprint("part", __name__)
    calls: list[int] = []
    with removed("blueprint.before_app_first_request", "app.before_serving"):
        t.cast("t.Any", blueprint).before_app_first_request(lambda: calls.append(1))
    app.register_blueprint(blueprint)
    app.add_url_rule("/", view_func=lambda: "index")
    app.test_client().get("/")
    app.test_client().get("/")
    assert calls == [1]


def test_before_first_request_that_raises_runs_again(app: Flask) -> None:
    outcomes = iter([OSError("no database yet"), None])
    seen: list[str] = []

    def connect() -> None:
        outcome = next(outcomes)
        if outcome is not None:
            raise outcome
        seen.append("connected")

    with pytest.warns(DeprecationWarning):
        app.before_first_request(connect)
    app.add_url_rule("/", view_func=lambda: "index")
    assert app.test_client().get("/").status_code == 500
    assert app.test_client().get("/").text == "index"
    assert app.test_client().get("/").text == "index"
    assert seen == ["connected"]


def test_requests_wait_for_the_first_one(app: Flask) -> None:
    begun, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    def prepare() -> None:
        begun.set()
        go_on.wait(5)
        order.append("prepared")

    with pytest.warns(DeprecationWarning):
        app.before_first_request(prepare)

    @app.get("/")
    def index() -> str:
        order.append("view")
        return "index"

    threads = [threading.Thread(target=lambda: app.test_client().get("/")) for _ in range(2)]
    for thread in threads:
        thread.start()
        begun.wait(5)
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert order == ["prepared", "view", "view"]


class Dates(json.JSONEncoder):
    def default(self, o: t.Any) -> t.Any:
        return o.isoformat() if isinstance(o, date) else super().default(o)


def test_json_encoder_writes_responses(app: Flask) -> None:
    with removed("app.json_encoder", "app.json"):
        app.json_encoder = Dates
    app.add_url_rule("/list", view_func=lambda: [date(2024, 5, 1)])
    app.add_url_rule("/call", "call", view_func=lambda: jsonify(day=date(2024, 5, 1)))
    assert app.test_client().get("/list").json == ["2024-05-01"]
    assert app.test_client().get("/call").text == '{"day":"2024-05-01"}\n'
    assert app.json_encoder is Dates


def test_json_encoder_of_a_subclass() -> None:
    with pytest.warns(DeprecationWarning):

        class Own(Flask):
            json_encoder = Dates

    app = Own("own")
    app.add_url_rule("/", view_func=lambda: {"b": date(2024, 5, 1), "a": 1})
    assert app.test_client().get("/").text == '{"a":1,"b":"2024-05-01"}\n'


def test_json_encoder_of_flask_writes_what_the_provider_writes(app: Flask) -> None:
    with pytest.warns(DeprecationWarning):
        from flask.json import JSONEncoder  # type: ignore[attr-defined]

    class Own(JSONEncoder):  # type: ignore[misc]
        def default(self, o: t.Any) -> t.Any:
            return "a set" if isinstance(o, set) else super().default(o)

    with pytest.warns(DeprecationWarning):
        app.json_encoder = Own
    app.add_url_rule("/", view_func=lambda: [set(), date(2024, 5, 1)])
    assert app.test_client().get("/").json == ["a set", "Wed, 01 May 2024 00:00:00 GMT"]


def test_json_decoder_reads_requests(app: Flask) -> None:
    class Upper(json.JSONDecoder):
        def decode(self, s: str, **kwargs: t.Any) -> t.Any:  # type: ignore[override]
            return super().decode(s.upper())

    with removed("app.json_decoder", "app.json"):
        app.json_decoder = Upper
    app.add_url_rule("/", view_func=lambda: request.get_json(), methods=["POST"])
    assert app.test_client().post("/", json={"a": 1}).json == {"A": 1}


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("propagate_exceptions", "PROPAGATE_EXCEPTIONS"),
        ("send_file_max_age_default", "SEND_FILE_MAX_AGE_DEFAULT"),
        ("session_cookie_name", "SESSION_COOKIE_NAME"),
        ("templates_auto_reload", "TEMPLATES_AUTO_RELOAD"),
        ("use_x_sendfile", "USE_X_SENDFILE"),
        ("preserve_context_on_exception", "PRESERVE_CONTEXT_ON_EXCEPTION"),
    ],
)
def test_an_attribute_that_was_a_key(app: Flask, name: str, key: str) -> None:
    with removed(f"app.{name}", "app.config"):
        assert getattr(app, name) == app.config.get(key)
    with pytest.warns(DeprecationWarning):
        setattr(app, name, "value")
    assert app.config[key] == "value"


def test_env(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with removed("app.env", "app.debug"):
        assert app.env == "production"
    monkeypatch.setenv("FLASK_DEBUG", "1")
    with pytest.warns(DeprecationWarning):
        assert app.env == "development"
    monkeypatch.setenv("FLASK_ENV", "staging")
    with pytest.warns(DeprecationWarning):
        assert app.env == "staging"


def test_debug_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert Flask("debugged").debug
    monkeypatch.setenv("ERLEN_DEBUG", "0")
    assert not Flask("debugged").debug


def test_configuration_from_variables(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_SECRET_KEY", '"flasks"')
    monkeypatch.setenv("FLASK_MAIL__PORT", "25")
    monkeypatch.setenv("ERLEN_MAIL__PORT", "26")
    app.config.from_prefixed_env()
    assert app.config["SECRET_KEY"] == "flasks"
    assert app.config["MAIL"] == {"PORT": 26}
    assert Flask("other").config.from_prefixed_env("OTHER")
    assert Flask("other").config["SECRET_KEY"] is None


def test_sessions_as_in_flask(app: Flask) -> None:
    app.secret_key = "of the test"
    app.add_url_rule("/", view_func=lambda: str(session.setdefault("seen", 1)))
    cookie = app.test_client().get("/").headers["Set-Cookie"]
    assert cookie.endswith("; HttpOnly; Path=/")


def test_a_request_made_by_hand_has_the_limits_of_the_active_application(app: Flask) -> None:
    app.config.update(MAX_CONTENT_LENGTH=100, MAX_FORM_MEMORY_SIZE=50, MAX_FORM_PARTS=3)
    made = flask.Request({})
    assert (made.max_content_length, made.max_form_memory_size, made.max_form_parts) == (None, 500_000, 1_000)
    with app.app_context():
        assert (made.max_content_length, made.max_form_memory_size, made.max_form_parts) == (100, 50, 3)


def test_views_of_static_files_have_the_names_by_which_they_are_exempted(tmp_path: Path) -> None:
    """Of Flask-WTF's protection, in pgAdmin."""
    app = Flask("named", static_folder=str(tmp_path))
    blueprint = Blueprint("part", __name__, static_folder=str(tmp_path), url_prefix="/part")
    app.register_blueprint(blueprint)
    names = [f"{view.__module__}.{view.__name__}" for view in app.view_functions.values()]
    assert names == ["flask.app.<lambda>", "flask.blueprints.send_static_file"]


def test_templates_have_no_nonce_that_no_policy_names(app: Flask) -> None:
    """Templates use that of Flask-Talisman if it is defined."""
    source = "{{ 'a nonce' if csp_nonce is defined }}"
    with app.test_request_context():
        assert flask.render_template_string(source) == ""
    other = Flask("other")
    other.config["CONTENT_SECURITY_POLICY"] = {"script-src": "'self'"}
    with other.test_request_context():
        assert flask.render_template_string(source) == "a nonce"


def test_a_class_as_a_view_does_not_keep_an_application_from_starting(app: Flask) -> None:
    class Leftover(flask.views.View):
        pass

    with pytest.warns(UserWarning, match="A class is made a view by 'as_view'"):
        app.add_url_rule("/leftover", view_func=t.cast("t.Any", Leftover))
    app.add_url_rule("/", view_func=lambda: "index")
    assert app.test_client().get("/").text == "index"
    assert app.test_client().get("/leftover").status_code == 500


def test_braces_in_a_rule_do_not_keep_an_application_from_starting(app: Flask) -> None:
    with pytest.warns(UserWarning, match=r"A variable part has angle brackets: '/<name>'"):
        app.add_url_rule("/{name}", view_func=lambda name: name)
    assert app.test_client().get("/Ada").status_code == 404


def test_before_first_request_may_send_a_request(app: Flask) -> None:
    answers: list[str] = []

    def warm_up() -> None:
        answers.append(app.test_client().get("/").text)

    with pytest.warns(DeprecationWarning):
        app.before_first_request(warm_up)
    app.add_url_rule("/", view_func=lambda: "index")
    assert app.test_client().get("/").text == "index"
    assert answers == ["index"]


def test_before_app_first_request_on_an_application_that_lacks_it() -> None:
    blueprint: t.Any = Blueprint("part", __name__)
    with pytest.warns(DeprecationWarning):
        blueprint.before_app_first_request(lambda: None)
    with pytest.raises(TypeError, match="only 'flask.Flask' of 'erlen.as_flask' still has it"):
        Erlen("native").register_blueprint(blueprint)


def test_anything_may_be_assigned_to_env(app: Flask) -> None:
    setattr(app, "env", {"of": "a library"})
    assert app.env == {"of": "a library"}


def test_a_provider_of_the_application_comes_before_an_encoder() -> None:
    """An application for Flask 2.1 and for Flask 3 has both."""

    class Own(DefaultJSONProvider):
        pass

    with pytest.warns(DeprecationWarning, match=r"'Both\.json_encoder' was removed in Flask 2\.3") as caught:

        class Both(Flask):
            json_encoder = Dates
            json_provider_class = Own

    assert caught[0].filename == __file__
    assert type(Both("both").json) is Own
    app = Flask("assigned")
    app.json = Own(app)
    with pytest.warns(DeprecationWarning):
        app.json_encoder = Dates
    assert type(app.json) is Own
    assert app.json_encoder is Dates


@pytest.mark.parametrize("name", ["json_encoder", "env", "session_cookie_name"])
def test_warnings_point_at_the_line_of_the_user(app: Flask, name: str) -> None:
    with pytest.warns(DeprecationWarning) as caught:
        if name != "env":
            setattr(app, name, Dates)
        if name != "json_encoder":
            getattr(app, name)
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.filterwarnings("error::DeprecationWarning")
def test_where_warnings_are_errors_it_is_as_in_flask(app: Flask) -> None:
    """What is gone is gone, and what may be assigned may be assigned."""
    for name in ("env", "session_cookie_name"):
        assert not hasattr(app, name)
    app.json_encoder = Dates
    app.session_cookie_name = "own"
    assert not hasattr(flask, "Markup")
    with pytest.raises(ImportError):
        exec("from flask import _app_ctx_stack")


def test_it_may_be_mixed_with_a_protocol() -> None:
    @t.runtime_checkable
    class Named(t.Protocol):
        def named(self) -> str: ...

    class Own(Flask, Named):
        def named(self) -> str:
            return "own"

    assert Own("own").named() == "own"


def test_the_signature_is_that_of_flask() -> None:
    assert next(iter(inspect.signature(Flask).parameters)) == "import_name"
