"""The short ways of the session's cookie, each beside the long one."""

from __future__ import annotations

import re
import typing as t

import flask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer
from werkzeug.sansio.http import parse_cookie
from werkzeug.test import EnvironBuilder

from erlen import Erlen, Request, Response, session
from erlen.ctx import context_var
from erlen.json.provider import DefaultJSONProvider
from erlen.sessions import SecureCookieSession, SecureCookieSessionInterface

KEY = "a key for tests"

SETTINGS: list[dict[str, t.Any]] = [
    {},
    {"SESSION_COOKIE_NAME": "other-ü"},
    {"SESSION_COOKIE_DOMAIN": ".example.org", "SESSION_COOKIE_PATH": "/p ü;"},
    {"APPLICATION_ROOT": "/root"},
    {"SESSION_COOKIE_HTTPONLY": False, "SESSION_COOKIE_SECURE": True},
    {"SESSION_COOKIE_SAMESITE": "strict"},
    {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_PARTITIONED": True},
    {"MAX_COOKIE_SIZE": 0},
]


def _serve(package: t.Any, app: t.Any, config: dict[str, t.Any]) -> t.Any:
    app.config.update(SECRET_KEY=KEY, **config)

    def view(kind: str) -> t.Any:
        package.session.permanent = kind.startswith("permanent")
        package.session["a"] = 1
        if kind.endswith("json"):
            return {"a": 1}
        return app.response_class("made") if kind.endswith("made") else "text"

    app.add_url_rule("/<kind>", "view", view)
    return app


@pytest.mark.parametrize("config", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", ["text", "json", "made", "permanent", "permanent json"])
def test_the_header_is_that_of_flask(config: dict[str, t.Any], kind: str) -> None:
    import erlen

    apps = (
        _serve(erlen, Erlen("t", root_path=".", profile="flask"), config),
        _serve(flask, flask.Flask("t", root_path="."), config),
    )
    headers: list[list[str]] = []
    # Twice: what is around the value was kept by the first.
    for app in (*apps, *apps):
        answer = app.test_client(use_cookies=False).get(f"/{kind}")
        name, value, rest = re.fullmatch("([^=]*)=([^;]*)(.*)", answer.headers["Set-Cookie"]).groups()  # type: ignore[union-attr]
        assert ("Expires" in rest) is kind.startswith("permanent")
        rest = re.sub(r"\d\d:\d\d:\d\d", "", rest)
        headers.append([name, value.partition(".")[0], rest, answer.headers["Vary"]])
    assert headers == [headers[0]] * 4


def test_a_changed_configuration_changes_the_next_cookie() -> None:
    app = _serve(__import__("erlen"), Erlen("t", root_path="."), {})
    client = app.test_client(use_cookies=False)
    assert "SameSite=Lax" in client.get("/text").headers["Set-Cookie"]
    app.config["SESSION_COOKIE_SAMESITE"] = "Strict"
    assert "SameSite=Strict" in client.get("/text").headers["Set-Cookie"]
    assert "Secure" in client.get("/text", base_url="https://localhost").headers["Set-Cookie"]
    assert "Secure" not in client.get("/text").headers["Set-Cookie"]


def test_a_domain_with_a_line_break_is_refused() -> None:
    app = _serve(__import__("erlen"), Erlen("t", root_path="."), {"SESSION_COOKIE_DOMAIN": "a\r\nb: c"})
    app.testing = True
    for _ in range(2):
        with pytest.raises(ValueError, match="newline"):
            app.test_client().get("/text")


def test_values_of_another_serializer_are_quoted() -> None:
    class Serializer(URLSafeTimedSerializer):
        def dumps(self, obj: t.Any, salt: str | bytes | None = None) -> str:
            return 'a b;"'

    class Interface(SecureCookieSessionInterface):
        def get_signing_serializer(self, app: t.Any) -> URLSafeTimedSerializer:
            return Serializer("key")

    app = _serve(__import__("erlen"), Erlen("t", root_path="."), {})
    app.session_interface = Interface()
    cookie = app.test_client().get("/text").headers["Set-Cookie"]
    assert cookie.startswith('session="a b\\073\\""; HttpOnly')


def test_a_response_class_that_sets_cookies_in_its_own_way_does() -> None:
    class Own(Response):
        def set_cookie(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().set_cookie(*args, **kwargs | {"path": "/own"})

    app = _serve(__import__("erlen"), Erlen("t", root_path="."), {})
    app.response_class = Own
    assert "Path=/own" in app.test_client().get("/text").headers["Set-Cookie"]


def test_a_session_that_is_saved_twice_varies_once() -> None:
    app: Erlen = _serve(__import__("erlen"), Erlen("t", root_path="."), {})

    @app.after_request
    def save(response: Response) -> Response:
        app.session_interface.save_session(t.cast(t.Any, app), context_var.get().open_session(), response)
        return response

    answer = app.test_client().get("/text")
    assert answer.headers.getlist("Vary") == ["Cookie"]
    assert len(answer.headers.getlist("Set-Cookie")) == 2


def test_a_hook_sees_and_may_change_the_headers() -> None:
    app: Erlen = _serve(__import__("erlen"), Erlen("t", root_path="."), {})

    def middleware(environ: t.Any, start_response: t.Any) -> t.Any:
        return inner(
            environ, lambda status, headers, info=None: start_response(status, [*headers, ("X", "1")], info)
        )

    inner: t.Any = app.wsgi_app
    app.wsgi_app = t.cast(t.Any, middleware)  # type: ignore[method-assign]

    @app.after_request
    def change(response: Response) -> Response:
        response.vary.add("Accept")
        return response

    answer = app.test_client().get("/text")
    assert answer.headers["Vary"] == "Accept, Cookie"
    assert answer.headers["X"] == "1"


# Reading.


def _request(header: str, cls: type[Request] = Request) -> Request:
    environ = EnvironBuilder().get_environ()
    environ["HTTP_COOKIE"] = header
    return cls(environ)


pieces = st.one_of(
    st.sampled_from(
        [
            "session=a.b-c_d",
            "xsession=1",
            "session",
            " session = x ",
            'q="a; session=evil"',
            "session=a b",
            "=",
            "a=b=c",
        ]
    ),
    st.text(alphabet='session=;" \tab\xfc', max_size=12),
)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(pieces, max_size=5),
    st.sampled_from(["; ", ";", " ; "]),
    st.sampled_from(["session", "s", "a=b", "a b", "x;s"]),
)
def test_the_first_cookie_is_the_one_that_parsing_all_finds(
    parts: list[str], separator: str, name: str
) -> None:
    header = separator.join(parts)
    assert _request(header)._first_cookie(name) == parse_cookie(header).get(name)


def test_the_first_cookie_is_found_without_parsing() -> None:
    """The short way is taken at all."""
    request = _request("a=1; session=x.y; b=2; session=z")
    assert request._first_cookie("session") == "x.y"
    assert request._first_cookie("nothing") is None
    assert "cookies" not in vars(request)


def test_cookies_of_a_request_class_of_its_own_are_asked() -> None:
    class Own(Request):
        @property
        def cookies(self) -> t.Any:
            return {"session": "own"}

    assert _request("session=x", Own)._first_cookie("session") == "own"


# Sessions that nobody touches.


def _untouched(contents: dict[str, t.Any] | str, **options: t.Any) -> tuple[bool, bool]:
    """Return whether a session that no view has touched was opened, and whether its cookie was set again."""
    app = Erlen("t", root_path=".")
    app.config.update(SECRET_KEY=KEY, **options)
    opened: list[bool] = []

    @app.teardown_request
    def look(error: BaseException | None) -> None:
        opened.append(context_var.get().session_is_open)

    app.add_url_rule("/", "index", lambda: "untouched")
    serializer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    cookie = contents if isinstance(contents, str) else serializer.dumps(contents)
    answer = app.test_client(use_cookies=False).get("/", headers={"Cookie": f"a=1; session={cookie}"})
    return opened[0], "Set-Cookie" in answer.headers


@pytest.mark.parametrize(
    ("contents", "options", "expected"),
    [
        ({"user": 1}, {}, (False, False)),
        ({}, {}, (False, False)),
        ({"user": 1, "_permanent": True}, {}, (True, True)),
        ({"user": 1, "_permanent": False}, {}, (True, False)),
        ({"user": 1, "_permanent": True}, {"SESSION_REFRESH_EACH_REQUEST": False}, (False, False)),
        ({"_permanent": True, "long": "x" * 500}, {}, (True, True)),
        ({"user": "a\\b"}, {}, (True, False)),
        ("forged", {}, (False, False)),
        ("e30.forged.forged", {}, (False, False)),
    ],
    ids=str,
)
def test_untouched_sessions_are_opened_where_they__may_be_permanent(
    contents: t.Any, options: dict[str, t.Any], expected: tuple[bool, bool]
) -> None:
    assert _untouched(contents, **options) == expected


def test_readers_of_ones_own_see_every_session() -> None:
    """Where something else decides what is in a cookie, the session is opened as ever."""

    class Provider(DefaultJSONProvider):
        def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
            return {"_permanent": True}

    class Interface(SecureCookieSessionInterface):
        def get_signing_serializer(self, app: t.Any) -> t.Any:
            return super().get_signing_serializer(app)

    app = Erlen("t", root_path=".")
    app.secret_key = KEY
    app.add_url_rule("/", "index", lambda: "untouched")
    interface = t.cast(SecureCookieSessionInterface, app.session_interface)
    cookie = t.cast(t.Any, interface.get_signing_serializer(t.cast(t.Any, app))).dumps({"a": 1})
    request = _request(f"session={cookie}")
    asked: t.Any = app
    assert not interface._may_be_permanent(asked, request)
    assert Interface()._may_be_permanent(asked, request)
    app.json = Provider(app)
    assert interface._may_be_permanent(asked, request)
    client = app.test_client(use_cookies=False)
    assert "Expires" in client.get("/", headers={"Cookie": f"session={cookie}"}).headers["Set-Cookie"]


def test_a_default_may_be_given_by_name() -> None:
    one = SecureCookieSession({"a": 1})
    assert one.get("b", default=2) == 2
    assert one.accessed
    with pytest.raises(KeyError):
        one["b"]


def test_what_is_told_of_changes_may_be_replaced() -> None:
    seen: list[t.Any] = []
    one = SecureCookieSession({"a": 1})
    one.on_update = seen.append
    one["b"] = 2
    assert seen == [one]
    one.on_update = None
    one["c"] = 3
    assert dict(one) == {"a": 1, "b": 2, "c": 3}


def test_sessions_of_applications_that_share_a_key_are_read_by_both() -> None:
    one, two = Erlen("t", root_path="."), Erlen("t", root_path=".")
    one.secret_key = two.secret_key = KEY
    one.add_url_rule("/", "index", lambda: f"{session.setdefault('a', 1)}")
    two.add_url_rule("/", "index", lambda: str(session["a"]))
    cookie = one.test_client().get("/").headers["Set-Cookie"].partition(";")[0]
    assert two.test_client(use_cookies=False).get("/", headers={"Cookie": cookie}).text == "1"


@pytest.mark.parametrize("hooked", [False, True])
@pytest.mark.parametrize(
    "spelled", ["session={}", "session ={}", "a=b; session\t= {}", "session_a=b; session={}"]
)
def test_untouched_permanent_session_is_refreshed_however_its_cookie_is_spelled(
    spelled: str, hooked: bool
) -> None:
    app = Erlen("t", root_path=".")
    app.secret_key = KEY
    app.add_url_rule("/", "index", lambda: "text")
    if hooked:
        app.before_request(lambda: None)
    serializer = SecureCookieSessionInterface().get_signing_serializer(t.cast(t.Any, app))
    assert serializer is not None

    def ask(cookie: str) -> str | None:
        # Twice: the first request of a process takes the general way.
        answers = [app.test_client(use_cookies=False).get("/", headers={"Cookie": cookie}) for _ in range(2)]
        return answers[-1].headers.get("Set-Cookie")

    kept = serializer.dumps({"_permanent": True, "a": 1})
    assert (ask(spelled.format(kept)) or "").startswith("session=")
    assert ask(spelled.format(serializer.dumps({"a": 1}))) is None
    assert ask("mysession_id=b") is None
