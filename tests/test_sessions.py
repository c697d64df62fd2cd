from __future__ import annotations

import hashlib
import http.cookies
import threading
import typing as t
import uuid
import warnings
import zlib
from datetime import UTC, datetime, timedelta

import flask
import flask.sessions
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from itsdangerous import BadSignature, TimestampSigner, URLSafeTimedSerializer
from markupsafe import Markup

from erlen import Erlen, session
from erlen.sessions import (
    NullSession,
    SecureCookieSession,
    SecureCookieSessionInterface,
    SessionInterface,
    SessionMixin,
    SessionTooLarge,
)
from erlen.testing import ErlenClient

KEY = "a key for tests"
VALUES: dict[str, t.Any] = {
    "tuple": (1, (2, "ü")),
    "bytes": b"\x00\xff",
    "markup": Markup("<b>"),
    "uuid": uuid.UUID(int=7),
    "time": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "like a tag": {" t": [1], "x": {" di": {" b": 1}}, "y": {" t": 2}},
    "plain": [None, True, 1.5, {"a": []}],
}


def our_app(**config: t.Any) -> Erlen:
    app = Erlen("erlen_test", root_path=".")
    app.config.update(SECRET_KEY=KEY, TESTING=True, **config)
    return app


def their_app(**config: t.Any) -> flask.Flask:
    app = flask.Flask("erlen_test", root_path=".")
    app.config.update(SECRET_KEY=KEY, **config)
    return app


def serializer_of(app: Erlen) -> URLSafeTimedSerializer:
    serializer = SecureCookieSessionInterface().get_signing_serializer(t.cast(t.Any, app))
    assert serializer is not None
    return serializer


def their_serializer(app: flask.Flask) -> URLSafeTimedSerializer:
    serializer = flask.sessions.SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer is not None
    return serializer


def opened(app: Erlen, cookie: str) -> t.Any:
    with app.test_request_context(headers={"Cookie": f"session={cookie}"}) as context:
        return context.session


def reply(app: Erlen, touch: t.Callable[[t.Any], object], cookie: str = "", **environ: t.Any) -> t.Any:
    """Return the response to a request in which a view does something with the session."""
    app.view_functions.pop("view", None)

    def view() -> str:
        touch(session)
        return "done"

    if not any(rule.endpoint == "view" for rule in app.url_map.iter_rules()):
        app.add_url_rule("/", "view", view)
    app.view_functions["view"] = view
    headers = {"Cookie": f"session={cookie}"} if cookie else {}
    return app.test_client(use_cookies=False).get("/", headers=headers, **environ)


def set_cookie_of(response: t.Any) -> http.cookies.Morsel[str]:
    cookies = http.cookies.SimpleCookie(response.headers["Set-Cookie"])
    return cookies["session"]


# The contents, and what is noticed about them.


READS: dict[str, t.Callable[[t.Any], object]] = {
    "getitem": lambda session: session["a"],
    "get": lambda session: session.get("missing"),
    "in": lambda session: "a" in session,
    "not in": lambda session: "missing" not in session,
    "len": len,
    "bool": bool,
    "iteration": list,
    "reversed": lambda session: list(reversed(session)),
    "keys": lambda session: session.keys(),
    "values": lambda session: session.values(),
    "items": lambda session: session.items(),
    "copy": lambda session: session.copy(),
    "dict()": dict,
    "**": lambda session: {**session},
    "|": lambda session: session | {},
    "reversed |": lambda session: {} | session,
    "==": lambda session: session == {},
    "!=": lambda session: session != {},
    "repr": repr,
    "permanent": lambda session: session.permanent,
    "setdefault of a key that is there": lambda session: session.setdefault("a", 2),
    "pop of a missing key": lambda session: session.pop("missing", None),
}
WRITES: dict[str, t.Callable[[t.Any], object]] = {
    "setitem": lambda session: session.__setitem__("a", 2),
    "delitem": lambda session: session.__delitem__("a"),
    "clear": lambda session: session.clear(),
    "pop": lambda session: session.pop("a"),
    "popitem": lambda session: session.popitem(),
    "setdefault": lambda session: session.setdefault("b", 2),
    "update": lambda session: session.update(b=2),
    "ior": lambda session: session.__ior__({"b": 2}),
    "permanent": lambda session: setattr(session, "permanent", True),
}


@pytest.mark.parametrize("name", READS)
def test_every_read_is_an_access(name: str) -> None:
    """CVE-2026-27205."""
    session = SecureCookieSession({"a": 1})
    assert (session.accessed, session.modified) == (False, False)
    READS[name](session)
    assert (session.accessed, session.modified) == (True, False)


@pytest.mark.parametrize("name", WRITES)
def test_every_write_is_a_modification_and_an_access(name: str) -> None:
    session = SecureCookieSession({"a": 1})
    WRITES[name](session)
    assert (session.accessed, session.modified) == (True, True)


def test_a_change_inside_of_a_value_has_to_be_told(app: Erlen) -> None:
    session = SecureCookieSession({"a": []})
    session["a"].append(1)
    assert not session.modified


def test_permanent_is_kept_in_the_session() -> None:
    session = SecureCookieSession()
    assert session.permanent is False
    session.permanent = True
    assert session.permanent is True
    assert session == {"_permanent": True}
    assert not session.new


@pytest.mark.parametrize("name", [name for name in WRITES if name != "ior"])
def test_a_null_session_reads_as_empty_and_explains_writes(name: str) -> None:
    null = NullSession()
    assert null.get("a") is None
    assert len(null) == 0
    with pytest.raises(RuntimeError, match=r"no secret key.*app\.secret_key = .*secrets\.token_hex\(\)"):
        WRITES[name](null)


def test_without_a_secret_key_the_session_is_a_null_session(app: Erlen) -> None:
    assert app.secret_key is None
    with app.test_request_context() as context:
        assert type(context.session) is NullSession
    assert reply(app, lambda session: session.get("a")).status_code == 200


# The cookie is Flask's.


def test_a_cookie_of_flask_opens_here() -> None:
    assert opened(our_app(), their_serializer(their_app()).dumps(VALUES)) == VALUES


def test_a_cookie_of_ours_opens_in_flask() -> None:
    assert their_serializer(their_app()).loads(serializer_of(our_app()).dumps(VALUES)) == VALUES


@given(st.dictionaries(st.text(), st.text() | st.binary() | st.lists(st.integers())))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_generated_cookies_open_on_both_sides(value: dict[str, t.Any]) -> None:
    ours, theirs = serializer_of(our_app()), their_serializer(their_app())
    assert theirs.loads(ours.dumps(value)) == value
    assert ours.loads(theirs.dumps(value), max_age=100) == value


@pytest.mark.parametrize("derivation", ["hmac", "concat", "django-concat", "none"])
@pytest.mark.parametrize("digest", [hashlib.sha1, hashlib.sha256, hashlib.blake2b])
def test_signatures_are_those_of_itsdangerous(derivation: str, digest: t.Any) -> None:
    class Interface(SecureCookieSessionInterface):
        salt = "pepper"
        key_derivation = derivation
        digest_method = staticmethod(digest)

    ours = Interface().get_signing_serializer(t.cast(t.Any, our_app()))
    assert ours is not None
    theirs = URLSafeTimedSerializer(
        KEY,
        salt="pepper",
        serializer=Interface.serializer,
        signer_kwargs={"key_derivation": derivation, "digest_method": digest},
    )
    assert theirs.loads(ours.dumps(VALUES)) == VALUES
    assert ours.loads(theirs.dumps(VALUES), max_age=100) == VALUES
    assert ours.loads(theirs.dumps(VALUES, salt="x"), salt="x") == VALUES
    assert ours.loads(theirs.dumps(1), return_timestamp=True)[0] == 1


def test_large_contents_are_compressed() -> None:
    value = {"a": "x" * 5000}
    cookie = serializer_of(our_app()).dumps(value)
    assert len(cookie) < 200
    assert opened(our_app(), cookie) == value


# Keys.


def test_the_first_key_signs_and_fallbacks_only_verify() -> None:
    """CVE-2025-47278."""
    app = our_app(SECRET_KEY_FALLBACKS=["older", "oldest"])
    cookie = set_cookie_of(reply(app, lambda session: session.update(a=1))).value
    assert opened(our_app(), cookie) == {"a": 1}
    for old in ("older", "oldest"):
        stale = our_app(SECRET_KEY_FALLBACKS=None)
        stale.secret_key = old
        assert opened(stale, cookie) == {}
        assert opened(app, serializer_of(stale).dumps({"b": 2})) == {"b": 2}


def test_a_key_that_was_removed_no_longer_verifies() -> None:
    app = our_app(SECRET_KEY_FALLBACKS=["older"])
    stale = our_app()
    stale.secret_key = "older"
    cookie = serializer_of(stale).dumps({"a": 1})
    assert opened(app, cookie) == {"a": 1}
    app.config["SECRET_KEY_FALLBACKS"].clear()
    assert opened(app, cookie) == {}


def test_fallbacks_that_are_one_string_are_explained() -> None:
    with pytest.raises(TypeError, match=r"SECRET_KEY_FALLBACKS = \[old_key\]"):
        serializer_of(our_app(SECRET_KEY_FALLBACKS="older"))


@pytest.mark.parametrize("key", [b"bytes", "schlüssel"])
def test_keys_of_bytes_and_text(key: str | bytes) -> None:
    app, theirs = our_app(), their_app()
    app.secret_key = theirs.secret_key = key
    assert opened(app, their_serializer(theirs).dumps({"a": 1})) == {"a": 1}


def test_the_serializer_is_kept_while_nothing_changes() -> None:
    app = our_app()
    first = serializer_of(app)
    assert serializer_of(app) is first
    app.secret_key = "another"
    assert serializer_of(app) is not first


def test_applications_do_not_share_serializers() -> None:
    one, two = our_app(), our_app()
    two.secret_key = "another"
    assert serializer_of(one) is not serializer_of(two)
    assert opened(two, serializer_of(one).dumps({"a": 1})) == {}


def test_interfaces_of_one_application_do_not_mix() -> None:
    class Interface(SecureCookieSessionInterface):
        salt = "pepper"

    app = our_app()
    cookie = serializer_of(app).dumps({"a": 1})
    app.session_interface = Interface()
    assert opened(app, cookie) == {}


def test_threads_share_a_serializer() -> None:
    app = our_app()
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for _ in range(50):
                app_serializer = serializer_of(app)
                assert app_serializer.loads(app_serializer.dumps({"n": number}), max_age=9) == {"n": number}
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


# Cookies that are not ours.


def signed(payload: bytes, when: int | None = None) -> str:
    """Return a cookie with a right signature and any payload."""

    class Signer(TimestampSigner):
        def get_timestamp(self) -> int:
            return super().get_timestamp() if when is None else when

    signer = Signer(KEY, salt="cookie-session", key_derivation="hmac")
    return signer.sign(payload).decode()


def untimed() -> str:
    """Return a cookie with a right signature, whose time is not base64."""
    signer = TimestampSigner(KEY, salt="cookie-session", key_derivation="hmac")
    return b".".join((b"e30", b"A", signer.get_signature(b"e30.A"))).decode()


GOOD = serializer_of(our_app()).dumps({"a": 1})
FOREIGN = {
    "empty parts": "..",
    "no parts": "x",
    "no signature": GOOD.rpartition(".")[0],
    "changed signature": GOOD[:-4] + "AAAA",
    "changed contents": "eyJhIjoyfQ" + GOOD[GOOD.index(".") :],
    "signature of one character": GOOD.rpartition(".")[0] + ".A",
    "beyond ASCII": "ü" + GOOD,
    "a list": signed(b"WzFd"),
    "a number": signed(b"MQ"),
    "not JSON": signed(b"eA"),
    "not base64": signed(b"A"),
    "not compressed": signed(b".eA"),
    "a tag of the wrong type": signed(b"eyIgdSI6MX0"),
    "too old": signed(b"e30", 0),
    "from the future": signed(b"e30", 2**40),
    "time beyond the calendar": signed(b"e30", 2**60),
    "no time": untimed(),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_cookie_that_does_not_verify_is_a_fresh_session(name: str) -> None:
    app = our_app()
    response = reply(app, lambda session: session.setdefault("seen", len(session)), FOREIGN[name])
    assert response.status_code == 200
    assert serializer_of(app).loads(set_cookie_of(response).value) == {"seen": 0}


@given(st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0")))
def test_any_cookie_opens_a_session(cookie: str) -> None:
    assert opened(our_app(), cookie) == {}


def test_a_compressed_payload_is_not_unpacked_before_its_signature_is_checked() -> None:
    bomb = zlib.compress(b"0" * 50_000_000)
    serializer = serializer_of(our_app())
    signer = TimestampSigner("another key", salt="cookie-session", key_derivation="hmac")
    cookie = signer.sign(b"." + __import__("base64").urlsafe_b64encode(bomb).rstrip(b"="))
    with pytest.raises(BadSignature):
        serializer.loads(cookie, max_age=100)


def test_an_expired_cookie_is_a_fresh_session() -> None:
    app = our_app(PERMANENT_SESSION_LIFETIME=timedelta(seconds=60))
    now = int(datetime.now(UTC).timestamp())
    assert opened(app, signed(b"eyJhIjoxfQ", now - 50)) == {"a": 1}
    assert opened(app, signed(b"eyJhIjoxfQ", now - 70)) == {}


# Saving.


@pytest.mark.parametrize("name", READS)
def test_a_response_varies_with_the_cookie_when_the_session_was_read(name: str) -> None:
    """CVE-2026-27205."""
    response = reply(our_app(), READS[name], GOOD)
    assert response.headers.getlist("Vary") == ["Cookie"]
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("profile", ["safe", "flask"])
def test_a_response_varies_when_a_permanent_session_is_refreshed(profile: str) -> None:
    """CVE-2023-30861."""
    app = Erlen("erlen_test", root_path=".", profile=profile)
    app.secret_key = KEY
    app.add_url_rule("/", "view", lambda: "untouched")
    cookie = serializer_of(app).dumps({"_permanent": True})
    response = app.test_client(use_cookies=False).get("/", headers={"Cookie": f"session={cookie}"})
    assert response.headers.getlist("Vary") == ["Cookie"]
    assert set_cookie_of(response)["expires"]


def test_a_permanent_session_is_not_refreshed_when_told_so() -> None:
    app = our_app(SESSION_REFRESH_EACH_REQUEST=False)
    cookie = serializer_of(app).dumps({"_permanent": True})
    response = reply(app, lambda session: None, cookie)
    assert "Set-Cookie" not in response.headers


def test_a_session_that_is_not_touched_leaves_no_trace() -> None:
    app = our_app()
    app.add_url_rule("/", "view", lambda: "untouched")
    response = app.test_client(use_cookies=False).get("/", headers={"Cookie": f"session={GOOD}"})
    assert "Vary" not in response.headers
    assert "Set-Cookie" not in response.headers


def test_vary_is_added_to_what_a_view_set() -> None:
    app = our_app()

    @app.get("/<path:value>")
    def view(value: str) -> t.Any:
        session["a"] = 1
        return "", {"Vary": value}

    client = app.test_client()
    assert client.get("/Accept").headers["Vary"] == "Accept, Cookie"
    assert client.get("/cookie").headers["Vary"] == "cookie"


def test_an_emptied_session_deletes_the_cookie() -> None:
    app = our_app(
        SESSION_COOKIE_PATH="/x", SESSION_COOKIE_DOMAIN="example.org", SESSION_COOKIE_PARTITIONED=True
    )
    response = reply(app, lambda session: session.clear(), GOOD)
    parts = response.headers["Set-Cookie"].split("; ")
    assert parts[0] == "session="
    assert {"Max-Age=0", "Path=/x", "Domain=example.org", "Partitioned", "HttpOnly"} <= set(parts)
    assert response.headers["Vary"] == "Cookie"


SETTINGS: list[dict[str, t.Any]] = [
    {},
    {"SESSION_COOKIE_NAME": "other"},
    {"SESSION_COOKIE_DOMAIN": "example.org", "SESSION_COOKIE_PATH": "/p"},
    {"APPLICATION_ROOT": "/root"},
    {"SESSION_COOKIE_HTTPONLY": False, "SESSION_COOKIE_SECURE": True},
    {"SESSION_COOKIE_SAMESITE": "Strict"},
    {"SESSION_COOKIE_SAMESITE": "None", "SESSION_COOKIE_PARTITIONED": True},
]


@pytest.mark.parametrize("config", SETTINGS, ids=str)
@pytest.mark.parametrize("permanent", [False, True])
def test_attributes_of_the_cookie_are_those_of_flask(config: dict[str, t.Any], permanent: bool) -> None:
    ours, theirs = Erlen("erlen_test", root_path=".", profile="flask"), their_app(**config)
    ours.config.update(SECRET_KEY=KEY, **config)

    def attributes(app: t.Any, interface: t.Any, new_session: t.Any) -> list[str]:
        new_session.permanent = permanent
        response = app.response_class()
        with app.test_request_context():
            interface.save_session(app, new_session, response)
        name, *attributes = response.headers["Set-Cookie"].split("; ")
        return [name.partition("=")[0], *[part.partition(" ")[0] for part in attributes]]

    assert attributes(ours, ours.session_interface, SecureCookieSession()) == attributes(
        theirs, theirs.session_interface, flask.sessions.SecureCookieSession()
    )


@pytest.mark.parametrize(("url", "secure"), [("http://localhost", False), ("https://localhost", True)])
def test_the_cookie_of_an_https_request_is_secure(url: str, secure: bool) -> None:
    response = reply(our_app(), lambda session: session.update(a=1), base_url=url)
    assert ("; Secure" in response.headers["Set-Cookie"]) is secure
    assert "SameSite=Lax" in response.headers["Set-Cookie"]


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_without_a_request_the_scheme_of_the_configuration_decides(scheme: str, secure: bool) -> None:
    app = our_app(PREFERRED_URL_SCHEME=scheme)
    assert app.session_interface.get_cookie_secure(t.cast(t.Any, app)) is secure


# A session that does not fit.


def saved(app: Erlen, contents: dict[str, t.Any]) -> t.Any:
    response = app.response_class()
    new_session = SecureCookieSession()
    new_session.update(contents)
    with app.test_request_context():
        app.session_interface.save_session(t.cast(t.Any, app), new_session, response)
    return response


#: Does not compress.
LARGE = {"small": 1, "token": "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(150))}


def test_a_session_that_does_not_fit_is_an_error_that_says_what_to_do() -> None:
    """Flask's issue 3080."""
    with pytest.raises(SessionTooLarge) as raised:
        saved(our_app(), LARGE)
    error = raised.value
    assert error.limit == 4093
    assert error.size > 4093
    text = str(error)
    assert f"it takes {error.size} bytes, browsers keep 4093 (MAX_COOKIE_SIZE)" in text
    assert "Its largest values are 'token', 'small'." in text
    assert "session_interface" in text


def test_a_session_that_does_not_fit_is_a_500_for_the_client() -> None:
    app = our_app(PROPAGATE_EXCEPTIONS=False)
    response = reply(app, lambda session: session.update(LARGE))
    assert response.status_code == 500
    assert "Set-Cookie" not in response.headers


def test_the_size_is_that_of_the_whole_cookie() -> None:
    response = saved(our_app(), {"token": t.cast(str, LARGE["token"])[:3000]})
    size = len(response.headers["Set-Cookie"])
    contents = {"token": t.cast(str, LARGE["token"])[:3000]}
    assert len(saved(our_app(MAX_COOKIE_SIZE=size), contents).headers["Set-Cookie"]) == size
    with pytest.raises(SessionTooLarge):
        saved(our_app(MAX_COOKIE_SIZE=size - 1), contents)


def test_a_warning_as_in_flask_when_told_so() -> None:
    with pytest.warns(UserWarning, match="too large"):
        response = saved(our_app(SESSION_COOKIE_OVERFLOW="warn"), LARGE)
    assert "Set-Cookie" in response.headers


def test_no_limit() -> None:
    with warnings.catch_warnings():
        assert "Set-Cookie" in saved(our_app(MAX_COOKIE_SIZE=0), LARGE).headers


# Interfaces.


class MemoryInterface(SessionInterface):
    """Keeps the session on the server, as extensions do."""

    def __init__(self) -> None:
        self.contents: dict[str, t.Any] = {}
        self.saved = 0

    def open_session(self, app: t.Any, request: t.Any) -> SecureCookieSession:
        return SecureCookieSession(self.contents)

    def save_session(self, app: t.Any, session: SessionMixin, response: t.Any) -> None:
        self.saved += 1
        self.contents = dict(session)
        response.headers["X-Saved"] = str(session.modified)


def test_another_interface_takes_over() -> None:
    app = our_app()
    interface = app.session_interface = MemoryInterface()
    assert reply(app, lambda session: session.update(a=1)).headers["X-Saved"] == "True"
    assert reply(app, lambda session: session["a"]).headers["X-Saved"] == "False"
    assert interface.contents == {"a": 1}


def test_another_interface_saves_each_request() -> None:
    app = our_app()
    interface = app.session_interface = MemoryInterface()
    app.add_url_rule("/", "view", lambda: "untouched")
    app.test_client().get("/")
    assert interface.saved == 1


def test_the_base_class_explains_what_to_implement(app: Erlen) -> None:
    interface = SessionInterface()
    with pytest.raises(NotImplementedError, match=r"'def open_session\(self, app, request\)'"):
        interface.open_session(t.cast(t.Any, app), None)
    with pytest.raises(NotImplementedError, match=r"'SessionInterface' .* no 'save_session'"):
        interface.save_session(t.cast(t.Any, app), SecureCookieSession(), None)


def test_null_sessions_are_known(app: Erlen) -> None:
    interface = SessionInterface()
    assert interface.is_null_session(interface.make_null_session(t.cast(t.Any, app)))
    assert not interface.is_null_session(SecureCookieSession())
    assert interface.pickle_based is False


def test_a_session_class_of_ones_own() -> None:
    class MySession(SecureCookieSession):
        pass

    class Interface(SecureCookieSessionInterface):
        session_class = MySession

    app = our_app()
    app.session_interface = Interface()
    assert type(opened(app, GOOD)) is MySession
    assert "Set-Cookie" in reply(app, lambda session: session.update(a=1)).headers


def test_a_client_keeps_its_session(client: ErlenClient, app: Erlen) -> None:
    app.secret_key = KEY

    @app.get("/")
    def view() -> str:
        session["n"] = session.get("n", 0) + 1
        return str(session["n"])

    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("key", "fallbacks", "named"), [(5, [], "SECRET_KEY"), ("key", [7], "SECRET_KEY_FALLBACKS")]
)
def test_a_secret_key_that_is_a_number_is_named_with_the_cause(
    app: Erlen, key: t.Any, fallbacks: list[t.Any], named: str
) -> None:
    app.config.update(SECRET_KEY=key, SECRET_KEY_FALLBACKS=fallbacks)

    with pytest.raises(
        TypeError, match=rf"^{named} holds a key of type int; keys are str or bytes\..*quote it there"
    ):
        SecureCookieSessionInterface().get_signing_serializer(app)
