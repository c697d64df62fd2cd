"""Corners of the safe profile and of the answering side that an attacker or a slip would find."""

from __future__ import annotations

import io

import pytest
from itsdangerous import URLSafeTimedSerializer

from erlen import Blueprint, Erlen, Request, Response, cross_origin_exempt, request, session
from erlen.pipeline.safety import MAX_HOST_LENGTH, is_host, origin_of
from erlen.sessions import SecureCookieSessionInterface
from erlen.testing import ErlenClient

CROSS_SITE = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.test"}


def test_hosts_trusted_by_the_request_class_are_checked(app: Erlen) -> None:
    class Careful(Request):
        trusted_hosts = ["localhost"]

    app.request_class = Careful
    app.add_url_rule("/", "index", lambda: "index")
    client = app.test_client()
    assert client.get("/").status_code == 200
    assert client.get("/", base_url="http://evil.test").status_code == 400


def test_an_exempt_rule_that_a_hook_replaces_does_not_exempt_the_view(
    app: Erlen, client: ErlenClient
) -> None:
    app.add_url_rule("/hook", "hook", cross_origin_exempt(lambda: "hook"), methods=["POST"])
    app.add_url_rule("/protected", "protected", lambda: "protected", methods=["POST"])

    @app.before_request
    def rewrite() -> None:
        if request.headers.get("X-Rewrite"):
            request.url_rule = next(app.url_map.iter_rules("protected"))

    assert client.post("/hook", headers=CROSS_SITE).text == "hook"
    assert client.post("/hook", headers={**CROSS_SITE, "X-Rewrite": "1"}).status_code == 403


@pytest.mark.parametrize(
    "wrong", [Blueprint("exempt", "exempt", root_path="."), Erlen("exempt", root_path=".").run, "view"]
)
def test_exempting_what_is_no_view_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="is neither a view function nor a View class"):
        cross_origin_exempt(wrong)  # type: ignore[type-var]


def test_an_origin_taken_out_of_the_list_is_out_at_once(app: Erlen, client: ErlenClient) -> None:
    app.config["TRUSTED_ORIGINS"] = ["https://evil.test"]
    app.add_url_rule("/", "index", lambda: "index", methods=["POST"])
    assert client.post("/", headers=CROSS_SITE).status_code == 200
    app.config["TRUSTED_ORIGINS"].remove("https://evil.test")
    assert client.post("/", headers=CROSS_SITE).status_code == 403


@pytest.mark.parametrize(
    "text",
    ["https://*.example.com", "https://a#x", "https://a b", "https://[::1", "https://a:99999", "a.test", ""],
)
def test_a_trusted_origin_that_never_matches_is_explained(text: str) -> None:
    with pytest.raises(
        ValueError, match=r"TRUSTED_ORIGINS has .*, which is no origin\. .* There are no wildcards"
    ):
        origin_of(text)


def test_a_trusted_origin_may_be_international(app: Erlen, client: ErlenClient) -> None:
    assert origin_of("https://bücher.example:443/") == "https://xn--bcher-kva.example"


def test_a_host_is_limited_in_length() -> None:
    assert is_host("a" * (MAX_HOST_LENGTH - 6) + ":65535")
    assert not is_host("a" * (MAX_HOST_LENGTH + 1))


@pytest.mark.parametrize("key", ["REFERRER_POLICY", "CONTENT_TYPE_OPTIONS", "CONTENT_SECURITY_POLICY"])
def test_a_setting_that_no_header_can_have_is_explained(app: Erlen, key: str) -> None:
    app.config[key] = "one\r\ntwo"
    with pytest.raises(ValueError, match=r"is set to 'one\\r\\ntwo', which no header can have"):
        app.test_client().get("/")


def test_a_directive_without_sources_stands_alone(app: Erlen, client: ErlenClient) -> None:
    app.config["CONTENT_SECURITY_POLICY"] = {"default-src": "'self'", "upgrade-insecure-requests": True}
    policy = client.get("/").headers["Content-Security-Policy"]
    assert policy == "default-src 'self'; upgrade-insecure-requests"


def test_a_response_sent_twice_gets_a_nonce_each_time(app: Erlen, client: ErlenClient) -> None:
    app.config["CONTENT_SECURITY_POLICY"] = "script-src 'nonce-{nonce}'"
    kept = Response("kept")
    app.add_url_rule("/", "index", lambda: kept)
    first, second = (client.get("/").headers["Content-Security-Policy"] for _ in range(2))
    assert first != second


def test_an_empty_fallback_key_verifies_nothing(app: Erlen, client: ErlenClient) -> None:
    app.config.update(SECRET_KEY="key", SECRET_KEY_FALLBACKS=["", "old"])
    app.add_url_rule("/", "index", lambda: str(session.get("admin")))
    interface = SecureCookieSessionInterface()
    forged = URLSafeTimedSerializer(
        "",
        salt=interface.salt,
        serializer=interface.serializer,
        signer_kwargs={"key_derivation": "hmac", "digest_method": interface.digest_method},
    ).dumps({"admin": 1})
    client.set_cookie("session", str(forged))
    assert client.get("/").text == "None"


def test_a_mimetype_with_a_line_break_is_refused(app: Erlen) -> None:
    with pytest.raises(ValueError, match="which no header can have"):
        app.text_response("text", "text/html\r\nX-Evil: 1")


def test_a_body_over_the_limit_is_told_which_setting(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: str(len(request.get_data())), methods=["POST"])
    app.config["MAX_CONTENT_LENGTH"] = 10
    response = client.post("/", data=b"x" * 11)
    assert response.status_code == 413
    assert "larger than the 10 bytes that are accepted (MAX_CONTENT_LENGTH)" in response.text


@pytest.mark.parametrize(("size", "status"), [(10, 200), (11, 413)])
def test_a_body_without_a_length_is_limited_to_the_byte(app: Erlen, size: int, status: int) -> None:
    app.add_url_rule("/", "index", lambda: str(len(request.get_data())), methods=["POST"])
    app.config["MAX_CONTENT_LENGTH"] = 10
    builder = {"wsgi.input": io.BytesIO(b"x" * size), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    assert app.test_client().post("/", environ_overrides=builder).status_code == status


def test_an_after_request_function_that_returns_nothing_is_named(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: "index")

    @app.after_request
    def forgetful(response: Response) -> Response:
        return None  # type: ignore[return-value]

    with pytest.raises(
        TypeError, match=r"'.*forgetful' in module .* returned None.* End it with 'return response'"
    ):
        client.get("/")


def test_a_view_whose_parameters_do_not_fit_its_rule_is_explained(app: Erlen, client: ErlenClient) -> None:
    @app.get("/users/<int:number>")
    def user(user_id: int) -> str:
        return str(user_id)

    with pytest.raises(TypeError) as caught:
        client.get("/users/1")
    (note,) = caught.value.__notes__
    assert note == (
        "The rule '/users/<int:number>' of the endpoint 'user' calls its view with number: the names in the rule and the "
        "parameters of the view have to agree."
    )


def test_a_type_error_inside_a_view_gets_no_such_note(app: Erlen, client: ErlenClient) -> None:
    @app.get("/")
    def index() -> str:
        return len(1)  # type: ignore[arg-type, return-value]

    with pytest.raises(TypeError) as caught:
        client.get("/")
    assert not hasattr(caught.value, "__notes__")
