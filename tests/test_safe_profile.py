"""The defaults of the safe profile, and how each is switched off (D8)."""

# Views are registered by their decorators; nothing else mentions them.
# pyright: reportUnusedFunction=false
from __future__ import annotations

import logging
import random
import re
import string
import typing as t

import pytest

from erlen import (
    Blueprint,
    Erlen,
    cross_origin_exempt,
    make_response,
    render_template_string,
    request,
    session,
)
from erlen.profiles import DEFAULTS
from erlen.views import MethodView

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
SAFE = ("GET", "HEAD", "OPTIONS")
HTTPS = {"base_url": "https://localhost"}
MEBIBYTE = 1024 * 1024


def make_app(profile: t.Literal["safe", "flask"] | None = None, **config: t.Any) -> Erlen:
    """Return an application with a few views, by default with the profile an application starts with."""
    app = Erlen("erlen_safe", root_path=".", profile=profile)
    app.config.update(SECRET_KEY="key", **config)

    @app.route("/", methods=["GET", *UNSAFE])
    def index() -> str:
        return "index"

    @app.route("/body", methods=["POST"])
    def body() -> str:
        return str(len(request.get_data()))

    @app.route("/form", methods=["POST"])
    def form() -> dict[str, str]:
        return {name: str(len(value)) for name, value in request.form.items()}

    @app.route("/session/<int:size>")
    def fill(size: int) -> str:
        session["value"] = "".join(random.Random(1).choices(string.ascii_letters, k=size))
        return "filled"

    @app.route("/exempt", methods=["GET", "POST"])
    @cross_origin_exempt
    def exempt() -> str:
        return "exempt"

    @app.route("/own-headers")
    def own_headers() -> t.Any:
        return "own", {"X-Content-Type-Options": "own", "Referrer-Policy": "no-referrer"}

    @app.route("/own-policy")
    def own_policy() -> t.Any:
        return "own", {"Content-Security-Policy": "default-src 'none'"}

    @app.route("/nonce")
    def nonce() -> str:
        return render_template_string("<script nonce='{{ csp_nonce() }}'></script>{{ csp_nonce() }}")

    @app.route("/fail")
    def fail() -> str:
        raise LookupError("fail")

    return app


# The profile as a whole


def test_safe_is_the_default() -> None:
    assert make_app().profile == "safe"
    assert make_app().config["MAX_CONTENT_LENGTH"] == 16 * MEBIBYTE


def test_a_profile_is_its_dict_of_defaults() -> None:
    for profile in ("safe", "flask"):
        app = Erlen("erlen_safe", root_path=".", profile=t.cast(t.Any, profile))
        assert {name: app.config[name] for name in DEFAULTS[profile]} == DEFAULTS[profile]


def test_the_flask_profile_has_flasks_defaults() -> None:
    flask: t.Any = pytest.importorskip("flask")
    expected = dict(flask.Flask("erlen_safe", root_path=".").config)
    config = Erlen("erlen_safe", root_path=".", profile="flask").config
    assert {name: config[name] for name in expected} == expected


def test_the_flask_profile_adds_nothing_to_an_answer() -> None:
    response = make_app("flask").test_client().get("/")
    assert sorted(name.title() for name in response.headers.keys()) == ["Content-Length", "Content-Type"]


def test_the_flask_profile_refuses_no_origin() -> None:
    client = make_app("flask").test_client()
    assert client.post("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_an_unknown_profile_is_explained() -> None:
    with pytest.raises(ValueError, match="profile='safe' or profile='flask'"):
        make_app(t.cast(t.Any, "unsafe"))


def test_two_applications_keep_their_own_profile() -> None:
    safe, flask = make_app(), make_app("flask")
    safe.config["TRUSTED_ORIGINS"].append("https://one.test")
    assert make_app().config["TRUSTED_ORIGINS"] == []
    assert "Referrer-Policy" in safe.test_client().get("/").headers
    assert "Referrer-Policy" not in flask.test_client().get("/").headers


# Bodies


def test_a_body_of_the_limit_is_read() -> None:
    client = make_app().test_client()
    assert client.post("/body", data=b"x" * 16 * MEBIBYTE).text == str(16 * MEBIBYTE)


def test_a_larger_body_is_413() -> None:
    client = make_app().test_client()
    assert client.post("/body", data=b"x" * (16 * MEBIBYTE + 1)).status_code == 413


def test_the_body_limit_is_one_value() -> None:
    assert make_app(MAX_CONTENT_LENGTH=4).test_client().post("/body", data=b"12345").status_code == 413
    assert make_app(MAX_CONTENT_LENGTH=None).test_client().post("/body", data=b"12345").text == "5"


def test_a_larger_urlencoded_form_is_413() -> None:
    """CVE-2026-54283: form limits hold for urlencoded bodies as well."""
    client = make_app(MAX_CONTENT_LENGTH=100).test_client()
    assert client.post("/form", data={"a": "x" * 90}).json == {"a": "90"}
    assert client.post("/form", data={"a": "x" * 101}).status_code == 413


def test_the_memory_limit_holds_for_urlencoded_forms() -> None:
    """CVE-2026-54283, and Werkzeug's urlencoded body that escapes the form memory limit."""
    client = make_app(MAX_FORM_MEMORY_SIZE=500).test_client()
    assert client.post("/form", data={"a": "x" * 400}).json == {"a": "400"}
    assert client.post("/form", data={"a": "x" * 501}).status_code == 413


def test_the_memory_limit_holds_for_multipart_forms() -> None:
    """CVE-2024-49767: form memory limit misapplied."""
    client = make_app(MAX_FORM_MEMORY_SIZE=500).test_client()
    kind = "multipart/form-data"
    assert client.post("/form", data={"a": "x" * 100}, content_type=kind).json == {"a": "100"}
    assert client.post("/form", data={"a": "x" * 501}, content_type=kind).status_code == 413


# Session cookies


def session_cookie(app: Erlen, **options: t.Any) -> str:
    return app.test_client().get("/session/1", **options).headers["Set-Cookie"]


def test_the_session_cookie_is_httponly_and_lax() -> None:
    attributes = session_cookie(make_app()).split("; ")[1:]
    assert attributes == ["HttpOnly", "Path=/", "SameSite=Lax"]


def test_the_session_cookie_is_secure_over_https() -> None:
    assert "Secure" in session_cookie(make_app(), **HTTPS).split("; ")
    assert "Secure" not in session_cookie(make_app()).split("; ")


@pytest.mark.parametrize("value", [True, False])
def test_secure_may_be_set(value: bool) -> None:
    app = make_app(SESSION_COOKIE_SECURE=value)
    for options in ({}, HTTPS):
        assert ("Secure" in session_cookie(app, **options).split("; ")) is value


def test_httponly_and_samesite_are_one_value_each() -> None:
    cookie = session_cookie(make_app(SESSION_COOKIE_HTTPONLY=False, SESSION_COOKIE_SAMESITE=None))
    assert cookie.split("; ")[1:] == ["Path=/"]


def test_the_flask_profile_has_flasks_session_cookie() -> None:
    assert session_cookie(make_app("flask"), **HTTPS).split("; ")[1:] == ["HttpOnly", "Path=/"]


def test_a_session_too_large_for_a_cookie_is_an_error() -> None:
    """Flask issue 3080: a cookie over 4093 bytes is dropped by the browser without a word."""
    app = make_app(PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(Exception, match=r"(?s)session.*4093") as caught:
        app.test_client().get("/session/6000")
    assert "SESSION_COOKIE_OVERFLOW" in str(caught.value)


def test_a_session_too_large_is_answered_with_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()
    with caplog.at_level(logging.ERROR):
        assert app.test_client().get("/session/6000").status_code == 500
    assert "/session/6000" in caplog.text
    assert app.test_client().get("/session/10").status_code == 200


def test_session_overflow_may_be_a_warning() -> None:
    app = make_app(SESSION_COOKIE_OVERFLOW="warn")
    with pytest.warns(UserWarning, match="4093"):
        assert app.test_client().get("/session/6000").status_code == 200


# Requests from other origins


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("site", ["cross-site", "same-site", "nonsense"])
def test_an_unsafe_request_from_another_origin_is_refused(method: str, site: str) -> None:
    response = make_app().test_client().open("/", method=method, headers={"Sec-Fetch-Site": site})
    assert response.status_code == 403
    assert "TRUSTED_ORIGINS" in response.text


@pytest.mark.parametrize("method", UNSAFE)
@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_an_unsafe_request_of_the_same_origin_passes(method: str, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Origin": "https://not-looked-at.test"}
    assert make_app().test_client().open("/", method=method, headers=headers).status_code == 200


@pytest.mark.parametrize("method", SAFE)
def test_a_safe_request_passes_from_anywhere(method: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}
    assert make_app().test_client().open("/", method=method, headers=headers).status_code == 200


def test_a_request_with_neither_header_passes() -> None:
    assert make_app().test_client().post("/").status_code == 200


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost", "localhost"),
        ("https://shop.test", "shop.test"),
        ("https://shop.test", "shop.test:443"),
        ("http://shop.test:80", "shop.test"),
        ("http://shop.test", "shop.test:80"),
        ("http://shop.test:8080", "shop.test:8080"),
        ("https://SHOP.test", "shop.test"),
        ("https://shop.test", "SHOP.test"),
        ("http://[::1]:5000", "[::1]:5000"),
    ],
)
def test_without_fetch_metadata_the_origin_is_compared_with_the_host(origin: str, host: str) -> None:
    headers = {"Origin": origin, "Host": host}
    assert make_app().test_client().post("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.test", "shop.test"),
        ("null", "shop.test"),
        ("null", "null"),
        ("", "shop.test"),
        ("shop.test", "shop.test"),
        ("https://shop.test.evil.test", "shop.test"),
        ("https://evil.test/shop.test", "shop.test"),
        ("https://shop.test@evil.test", "shop.test"),
        ("https://sub.shop.test", "shop.test"),
        ("http://shop.test:8080", "shop.test"),
        ("http://shop.test:443", "shop.test"),
        ("https://shop.test:80", "shop.test"),
        ("https://shop.test https://evil.test", "shop.test"),
    ],
)
def test_an_origin_that_is_not_the_host_is_refused(origin: str, host: str) -> None:
    headers = {"Origin": origin, "Host": host}
    assert make_app().test_client().post("/", headers=headers).status_code == 403


def test_a_trusted_origin_passes() -> None:
    app = make_app(TRUSTED_ORIGINS=["https://Partner.test:443/", "http://localhost:3000"])
    client = app.test_client()
    for origin in ("https://partner.test", "http://localhost:3000"):
        for headers in ({"Origin": origin}, {"Origin": origin, "Sec-Fetch-Site": "cross-site"}):
            assert client.post("/", headers=headers).status_code == 200
    for origin in ("http://partner.test", "http://localhost:3001", "https://a.partner.test"):
        assert client.post("/", headers={"Origin": origin, "Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["partner.test", "https://partner.test/path", "https://", "*", "https://a@b.test"]
)
def test_a_trusted_origin_that_is_none_is_explained(origin: str) -> None:
    app = make_app(TRUSTED_ORIGINS=[origin], PROPAGATE_EXCEPTIONS=True)
    with pytest.raises(ValueError, match=r"TRUSTED_ORIGINS.*https://app\.example\.com"):
        app.test_client().post("/")


def test_trusted_origins_may_grow_after_a_request() -> None:
    app = make_app()
    headers = {"Origin": "https://late.test"}
    assert app.test_client().post("/", headers=headers).status_code == 403
    app.config["TRUSTED_ORIGINS"] = ["https://late.test"]
    assert app.test_client().post("/", headers=headers).status_code == 200


def test_an_exempt_view_takes_requests_from_anywhere() -> None:
    client = make_app().test_client()
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}
    assert client.post("/exempt", headers=headers).text == "exempt"
    assert client.post("/", headers=headers).status_code == 403


def test_a_view_class_may_be_exempt() -> None:
    app = make_app()

    @cross_origin_exempt
    class Hook(MethodView):
        def post(self) -> str:
            return "hook"

    app.add_url_rule("/hook", view_func=Hook.as_view("hook"))
    assert app.test_client().post("/hook", headers={"Sec-Fetch-Site": "cross-site"}).text == "hook"


def test_an_async_view_may_be_exempt() -> None:
    app = make_app()

    @app.post("/async")
    @cross_origin_exempt
    async def hook() -> str:
        return "hook"

    assert app.test_client().post("/async", headers={"Sec-Fetch-Site": "cross-site"}).text == "hook"


def test_a_view_of_a_blueprint_is_protected_and_may_be_exempt() -> None:
    app, blueprint = make_app(), Blueprint("hooks", "erlen_safe")

    @blueprint.post("/protected")
    def protected() -> str:
        return "protected"

    @blueprint.post("/open")
    @cross_origin_exempt
    def unprotected() -> str:
        return "open"

    app.register_blueprint(blueprint)
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert app.test_client().post("/protected", headers=headers).status_code == 403
    assert app.test_client().post("/open", headers=headers).text == "open"


def test_cross_origin_protection_is_one_value() -> None:
    client = make_app(CROSS_ORIGIN_PROTECTION=False).test_client()
    assert client.post("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_a_refused_request_runs_no_hook_and_no_view_and_has_a_handler() -> None:
    app, seen = make_app(), list[str]()

    @app.before_request
    def before() -> None:
        seen.append("before")

    @app.errorhandler(403)
    def refused(error: Exception) -> t.Any:
        return "handled", 403

    response = app.test_client().post("/", headers={"Sec-Fetch-Site": "cross-site"})
    assert (response.text, seen) == ("handled", [])


def test_a_refusal_is_no_crash(caplog: pytest.LogCaptureFixture) -> None:
    make_app().test_client().post("/", headers={"Sec-Fetch-Site": "cross-site"})
    assert caplog.records == []


def test_an_unknown_path_stays_404_for_other_origins() -> None:
    response = make_app().test_client().post("/nowhere", headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code in (403, 404)


# Headers


@pytest.mark.parametrize("path", ["/", "/nowhere", "/own-policy", "/fail", "/session/1"])
def test_every_answer_has_the_default_headers(path: str) -> None:
    headers = make_app().test_client().get(path).headers
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert headers.getlist("Referrer-Policy") == ["strict-origin-when-cross-origin"]


def test_static_files_have_the_default_headers(tmp_path: t.Any) -> None:
    (tmp_path / "upload.txt").write_text("<script>")
    app = Erlen("erlen_safe", root_path=".", static_folder=str(tmp_path))
    with app.test_client().get("/static/upload.txt") as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_automatic_answers_have_the_default_headers() -> None:
    client = make_app().test_client()
    assert client.options("/").headers["X-Content-Type-Options"] == "nosniff"
    assert client.head("/").headers["X-Content-Type-Options"] == "nosniff"
    assert client.post("/own-headers").headers["X-Content-Type-Options"] == "nosniff"


def test_a_view_sets_its_own() -> None:
    headers = make_app().test_client().get("/own-headers").headers
    assert headers.getlist("X-Content-Type-Options") == ["own"]
    assert headers.getlist("Referrer-Policy") == ["no-referrer"]


def test_an_after_request_hook_sets_its_own() -> None:
    app = make_app()

    @app.after_request
    def own(response: t.Any) -> t.Any:
        response.headers["Referrer-Policy"] = "origin"
        return response

    assert app.test_client().get("/").headers.getlist("Referrer-Policy") == ["origin"]


def test_each_header_is_one_value() -> None:
    headers = make_app(CONTENT_TYPE_OPTIONS=None).test_client().get("/").headers
    assert "X-Content-Type-Options" not in headers
    assert "Referrer-Policy" in headers
    headers = make_app(REFERRER_POLICY="same-origin").test_client().get("/").headers
    assert headers["Referrer-Policy"] == "same-origin"
    headers = make_app(REFERRER_POLICY=None).test_client().get("/").headers
    assert "Referrer-Policy" not in headers


def test_a_header_changes_with_the_configuration() -> None:
    app = make_app()
    app.test_client().get("/")
    app.config["REFERRER_POLICY"] = "origin"
    assert app.test_client().get("/").headers["Referrer-Policy"] == "origin"


def test_a_shared_response_object_is_not_filled_twice() -> None:
    app = make_app()
    with app.test_request_context():
        shared = make_response("shared")
    app.add_url_rule("/shared", "shared", lambda: shared)
    app.test_client().get("/shared")
    headers = app.test_client().get("/shared").headers
    assert headers.getlist("X-Content-Type-Options") == ["nosniff"]


# Content-Security-Policy


def test_there_is_no_policy_by_default() -> None:
    headers = make_app().test_client().get("/").headers
    assert "Content-Security-Policy" not in headers
    assert "Content-Security-Policy-Report-Only" not in headers


def test_a_policy_is_a_text() -> None:
    headers = make_app(CONTENT_SECURITY_POLICY="default-src 'self'").test_client().get("/").headers
    assert headers["Content-Security-Policy"] == "default-src 'self'"


def test_a_policy_is_a_dict() -> None:
    policy = {"default-src": "'self'", "img-src": ["'self'", "data:"], "upgrade-insecure-requests": ""}
    headers = make_app(CONTENT_SECURITY_POLICY=policy).test_client().get("/").headers
    expected = "default-src 'self'; img-src 'self' data:; upgrade-insecure-requests"
    assert headers["Content-Security-Policy"] == expected


@pytest.mark.parametrize(
    "policy",
    ["script-src 'self' 'nonce-{nonce}'", {"script-src": ["'self'", "'nonce-{nonce}'"]}],
    ids=["text", "dict"],
)
def test_templates_and_policy_share_a_nonce(policy: t.Any) -> None:
    response = make_app(CONTENT_SECURITY_POLICY=policy).test_client().get("/nonce")
    found = re.fullmatch(r"<script nonce='([\w-]{22,})'></script>(.*)", response.text)
    assert found is not None
    assert found[1] == found[2]
    assert response.headers["Content-Security-Policy"] == f"script-src 'self' 'nonce-{found[1]}'"


def test_each_request_has_a_nonce_of_its_own() -> None:
    client = make_app(CONTENT_SECURITY_POLICY="script-src 'nonce-{nonce}'").test_client()
    assert len({client.get("/").headers["Content-Security-Policy"] for _ in range(5)}) == 5


def test_a_view_sets_its_own_policy() -> None:
    client = make_app(CONTENT_SECURITY_POLICY="default-src 'self'").test_client()
    assert client.get("/own-policy").headers.getlist("Content-Security-Policy") == ["default-src 'none'"]


def test_error_pages_have_the_policy() -> None:
    client = make_app(CONTENT_SECURITY_POLICY="default-src 'self'").test_client()
    for path in ("/nowhere", "/fail"):
        assert client.get(path).headers["Content-Security-Policy"] == "default-src 'self'"


def test_a_policy_may_only_report() -> None:
    headers = (
        make_app(CONTENT_SECURITY_POLICY_REPORT_ONLY="default-src 'self'").test_client().get("/").headers
    )
    assert headers["Content-Security-Policy-Report-Only"] == "default-src 'self'"
    assert "Content-Security-Policy" not in headers


# Host names


def test_any_host_is_answered_by_default() -> None:
    assert make_app().test_client().get("/", headers={"Host": "any.test"}).status_code == 200


@pytest.mark.parametrize("host", ["good.test", "good.test:8080", "a.sub.test", "sub.test"])
def test_a_trusted_host_is_answered(host: str) -> None:
    app = make_app(TRUSTED_HOSTS=["good.test", ".sub.test"])
    assert app.test_client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.test", "good.test.evil.test", "xgood.test", "goodxtest", "xsub.test"])
def test_another_host_is_400(host: str, caplog: pytest.LogCaptureFixture) -> None:
    """Litestar CVE-2026-25479: the dot of an allowed host stands for a dot."""
    app = make_app(TRUSTED_HOSTS=["good.test", ".sub.test"])
    assert app.test_client().get("/", headers={"Host": host}).status_code == 400
    assert app.test_client().get("/nowhere", headers={"Host": host}).status_code == 400
    assert caplog.records == []


def test_a_forwarded_host_is_not_believed() -> None:
    """Litestar: X-Forwarded-Host trusted. Proxy headers are off until a middleware is configured."""
    app = make_app(TRUSTED_HOSTS=["good.test"])
    headers = {"Host": "evil.test", "X-Forwarded-Host": "good.test"}
    assert app.test_client().get("/", headers=headers).status_code == 400


# Malformed requests


def test_malformed_requests_are_one_value() -> None:
    assert make_app().test_client().get("/", headers={"Host": "a b"}).status_code == 400
    app = make_app(REFUSE_MALFORMED_REQUESTS=False)
    assert app.test_client().get("/?a=%zz").status_code == 200
