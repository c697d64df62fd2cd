"""Published weaknesses whose tests have no place in the file of one module: debugger, servers, rules.

The others stand beside what they test; their names or docstrings have the number as well.
"""

# Views are registered by their decorators; nothing else mentions them.
# pyright: reportUnusedFunction=false
from __future__ import annotations

import ast
import base64
import gc
import io
import json
import logging
import os
import pickle
import re
import typing as t
from pathlib import Path

import pytest
import werkzeug.debug
from itsdangerous import TimestampSigner
from werkzeug.debug import DebuggedApplication
from werkzeug.test import Client

import erlen
from erlen import (
    Erlen,
    g,
    jsonify,
    make_response,
    render_template_string,
    request,
    send_from_directory,
    session,
    stream_with_context,
    url_for,
)
from erlen.testing import ErlenClient

PACKAGE = Path(erlen.__file__).parent

# -- Flask


@pytest.fixture
def touched(app: Erlen) -> ErlenClient:
    """Return a client of an application whose every view looks into the session."""
    app.config.update(SECRET_KEY="key", PROPAGATE_EXCEPTIONS=False)

    @app.route("/<kind>")
    def view(kind: str) -> t.Any:
        assert "user" not in session
        if kind == "stream":
            return (text for text in ("a", "b"))
        if kind == "crash":
            raise LookupError
        if kind == "unchanged":
            response = make_response("x")
            response.set_etag("tag")
            return response.make_conditional(request.environ)
        return {"text": "x", "json": {"a": 1}, "none": ("", 204)}[kind]

    return app.test_client()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("kind", "status"),
    [("text", 200), ("json", 200), ("stream", 200), ("none", 204), ("unchanged", 304), ("crash", 500)],
)
def test_cve_2026_27205_every_kind_of_response_varies_with_a_session_that_was_touched(
    touched: ErlenClient, kind: str, status: int, method: str
) -> None:
    response = touched.open(f"/{kind}", method=method, headers={"If-None-Match": '"tag"'})
    assert (response.status_code, response.headers.getlist("Vary")) == (status, ["Cookie"])
    response.close()


def test_cve_2026_27205_an_error_page_varies_with_the_session_when_a_hook_fails(touched: ErlenClient) -> None:
    """The page greets the user; the hook that fails comes before the one place that saves the session."""
    app = t.cast("Erlen", touched.application)

    @app.after_request
    def fail(response: t.Any) -> t.Any:
        raise LookupError

    @app.errorhandler(500)
    def show(error: Exception) -> str:
        return f"Sorry, {session.get('user')}"

    response = touched.get("/text")
    assert (response.text, response.headers.get("Vary")) == ("Sorry, None", "Cookie")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/unchanged", "/stream", "/crash", "/no/such", "/none"])
def test_cve_2023_30861_every_response_that_refreshes_a_session_varies(
    touched: ErlenClient, path: str, method: str
) -> None:
    with touched.session_transaction() as stored:
        stored.permanent = True
    response = touched.open(path, method=method, headers={"If-None-Match": '"tag"'})
    assert response.headers["Set-Cookie"].startswith("session=")
    assert response.headers["Vary"] == "Cookie"
    response.close()


# -- Werkzeug: the debugger


@pytest.fixture
def debugged(app: Erlen) -> DebuggedApplication:
    """Return an application in Werkzeug's debugger, as those have it who call ``run_simple`` themselves.

    That of ``erlen run --debug`` is another one: ``tests/debugger`` has these cases for it.
    """
    app.config.update(PROPAGATE_EXCEPTIONS=True)

    @app.route("/<text>")
    def crash(text: str) -> t.Any:
        raise LookupError(text)

    return DebuggedApplication(app, evalex=True)


def pin_answer(debugged: DebuggedApplication, pin: str) -> t.Any:
    query = {"__debugger__": "yes", "cmd": "pinauth", "pin": pin, "s": debugged.secret}
    response = Client(debugged).get("/", query_string=query, base_url="http://127.0.0.1")
    return json.loads(response.text)


def test_cve_2016_10516_the_debugger_escapes_what_an_exception_says(debugged: DebuggedApplication) -> None:
    response = Client(debugged).get("/<script>alert(1)<script>", base_url="http://127.0.0.1")
    assert response.status_code == 500
    # The page ends in a comment with the traceback as plain text, which cannot end that comment.
    page, _, comment = response.text.partition("<!--")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    assert comment.count("-->") == 1


def test_cve_2019_14806_the_pin_is_that_of_the_machine(
    debugged: DebuggedApplication, app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WERKZEUG_DEBUG_PIN", raising=False)
    monkeypatch.setattr(werkzeug.debug, "_machine_id", b"one container")
    pin = DebuggedApplication(app, evalex=True).pin
    monkeypatch.setattr(werkzeug.debug, "_machine_id", b"another container")
    assert DebuggedApplication(app, evalex=True).pin != pin


def test_werkzeug_no_pin_is_tried_after_ten_wrong_ones(debugged: DebuggedApplication) -> None:
    pin = t.cast("str", debugged.pin)
    failed: t.Any = t.cast("t.Any", debugged)._failed_pin_auth
    # Each wrong try would take up to five seconds.
    failed.value = 9
    assert pin_answer(debugged, pin) == {"auth": True, "exhausted": False}
    failed.value = 10
    assert pin_answer(debugged, pin) == {"auth": False, "exhausted": True}


def test_werkzeug_no_debugger_answers_unless_asked_for(app: Erlen, client: ErlenClient) -> None:
    assert app.debug is False
    for path in (
        "/console",
        "/__debugger__/",
        "/__debugger__/state",
        "/?__debugger__=yes&cmd=resource&f=debugger.js",
        "/?__debugger__=yes&cmd=printpin",
    ):
        assert client.get(path).status_code == 404


# -- Werkzeug: headers


def test_werkzeug_the_charset_of_one_parameter_does_not_leak_into_the_next(app: Erlen) -> None:
    """RFC 2231, section 4.1: each parameter names its own charset, at its beginning."""
    header = "text/plain; a*0*=iso-8859-1''%E4; b*0*=%C3%A4; c*=UTF-8''%C3%A4; d*0*=%C3%A4"
    with app.test_request_context("/", headers={"Content-Type": header}):
        assert request.mimetype_params == {"a": "ä", "b": "%C3%A4", "c": "ä", "d": "%C3%A4"}


@pytest.mark.parametrize(
    "length", [" 3", "3 ", "\t3", "\x0b3", "3\x0c", "\xa03", "3\x85", "+3", "3_0", "\xb3"]
)
def test_werkzeug_white_space_is_no_part_of_a_length(
    app: Erlen, client: ErlenClient, length: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Python's ``int()`` takes them all but the last: a proxy in front reads another length (request smuggling)."""
    app.add_url_rule("/", "index", lambda: request.get_data(), methods=["POST"])
    response = client.post("/", input_stream=io.BytesIO(b"abc"), environ_overrides={"CONTENT_LENGTH": length})
    assert response.status_code == 400
    assert caplog.records == []


# -- Starlette, Quart


@pytest.mark.parametrize(
    "path", ["../static_private/key.pem", "_private/key.pem", "./../static_private/key.pem", "..%2fstatic_private/key.pem"]
)  # fmt: skip
def test_cve_2023_29159_a_folder_whose_name_begins_alike_is_another(tmp_path: Path, path: str) -> None:
    """``commonprefix`` of ``static`` and ``static_private`` is ``static``."""
    for folder in ("static", "static_private"):
        (tmp_path / folder).mkdir()
    (tmp_path / "static_private" / "key.pem").write_text("secret")
    app = Erlen("erlen_test", root_path=str(tmp_path))
    app.add_url_rule("/files/<path:name>", "files", lambda name: send_from_directory("static", name))
    app.add_url_rule("/files<name>", "beside", lambda name: send_from_directory("static", f"../static{name}"))
    for prefix in ("/static/", "/static", "/files/", "/files"):
        assert app.test_client().get(prefix + path).status_code == 404


def test_quart_stream_with_context_keeps_g(app: Erlen, client: ErlenClient) -> None:
    @app.route("/")
    def index() -> t.Any:
        g.name = "kept"

        @stream_with_context
        def generate() -> t.Iterator[str]:
            yield g.name
            g.name = "changed"
            yield f" {g.name}"

        return generate()

    assert client.get("/").text == "kept changed"


# -- parsers and servers

PART = b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [(b"\r\n" * 100_000, b""), (b"\n" * 200_000, b""), (b"\r\n", b"\r\n" * 100_000), (b"", b"\n" * 200_000)],
)
def test_cve_2024_53981_line_breaks_around_a_form_are_skipped_and_not_logged(
    app: Erlen, client: ErlenClient, before: bytes, after: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    app.add_url_rule("/", "index", lambda: request.form["a"], methods=["POST"])
    with caplog.at_level(logging.DEBUG):
        response = client.post(
            "/", data=before + PART + b"--edge--" + after, content_type="multipart/form-data; boundary=edge"
        )
    assert (response.status_code, response.text) == (200, "x")
    assert caplog.records == []


@pytest.mark.parametrize(
    "name", ["../../evil.txt", "/evil.txt", "..\\evil.txt", "C:\\evil.txt", ".", "evil.txt\0"]
)
@pytest.mark.parametrize("size", [10, 600_000])
def test_cve_2026_24486_nothing_is_written_under_the_name_a_client_gave(
    app: Erlen, client: ErlenClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, size: int
) -> None:
    """The larger file is kept on disk while it is read, where the name of it would matter."""
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("tempfile.tempdir", str(folder))

    @app.route("/", methods=["POST"])
    def upload() -> t.Any:
        file = request.files["file"]
        written = [entry for _, folders, files in os.walk(tmp_path) for entry in (*folders, *files)]
        return {"size": len(file.read()), "written": sorted(written)}

    disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'.encode()
    body = b"--edge\r\n" + disposition + b"\r\n\r\n" + b"x" * size + b"\r\n--edge--"
    response = client.post("/", data=body, content_type="multipart/form-data; boundary=edge")
    assert response.get_json() == {"size": size, "written": ["a", "b"]}


PROXY_HEADERS = {
    "Forwarded": "for=6.6.6.6;host=evil.test;proto=https",
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Ssl": "on",
    "X-HTTP-Method-Override": "DELETE",
    "X-Original-URL": "/admin",
    "X-Real-IP": "6.6.6.6",
    "X-Rewrite-URL": "/admin",
}


def test_litestar_proxy_headers_are_not_believed(app: Erlen, client: ErlenClient) -> None:
    """``X-Forwarded-For`` defeats a rate limit, the others move URLs: a middleware has to be told whom to trust."""

    @app.route("/")
    def index() -> t.Any:
        return {
            "address": request.remote_addr,
            "method": request.method,
            "secure": request.is_secure,
            "url": request.url,
            "built": url_for("index", _external=True),
        }

    app.add_url_rule("/admin", "admin", lambda: "admin")
    assert client.get("/", headers=PROXY_HEADERS).get_json() == {
        "address": "127.0.0.1",
        "method": "GET",
        "secure": False,
        "url": "http://localhost/",
        "built": "http://localhost/",
    }


def test_litestar_what_the_framework_puts_into_a_page_needs_no_escaping(
    app: Erlen, client: ErlenClient
) -> None:
    """Its ``csrf_input`` was not escaped. Here it is the nonce, in a page and in a header."""
    app.config["CONTENT_SECURITY_POLICY"] = "script-src 'nonce-{nonce}'"
    app.add_url_rule("/", "index", lambda: render_template_string("{{ csp_nonce() }}"))
    nonces = {client.get("/").text for _ in range(50)}
    assert len(nonces) == 50
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", nonce) for nonce in nonces)


def unsigned(header: dict[str, str], payload: bytes) -> str:
    parts = [json.dumps(header).encode(), payload, b""]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def test_cve_2026_28802_cve_2024_37568_a_session_does_not_choose_how_it_is_verified(
    app: Erlen, client: ErlenClient
) -> None:
    """``alg: none`` and algorithm confusion: the application's algorithm and key verify, whatever a cookie says."""
    app.secret_key = "key"
    app.add_url_rule("/", "index", lambda: jsonify(sorted(session)))
    payload = b'{"user": "admin"}'
    text = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    stamp = "AAAAAA"
    forged = [
        unsigned({"alg": "none"}, payload),
        unsigned({"alg": "HS256", "typ": "JWT"}, payload),
        f"{text}.{stamp}.",
        f"{text}.{stamp}",
        f"{text}..",
        text,
        TimestampSigner("key", salt="cookie-session", key_derivation="none").sign(text).decode(),
        TimestampSigner("key", salt="other", key_derivation="hmac").sign(text).decode(),
        TimestampSigner("", salt="cookie-session", key_derivation="hmac").sign(text).decode(),
    ]
    for cookie in forged:
        client.set_cookie("session", cookie)
        assert client.get("/").get_json() == []
    right = TimestampSigner("key", salt="cookie-session", key_derivation="hmac").sign(text).decode()
    client.set_cookie("session", right)
    assert client.get("/").get_json() == ["user"]


@pytest.mark.parametrize(
    "host", ["localhost:80@evil.test", "localhost:@evil.test", "user@localhost", "@evil.test"]
)
def test_localhost_at_evil_is_no_host_and_no_origin(app: Erlen, client: ErlenClient, host: str) -> None:
    """``http://localhost:80@evil`` is a URL of ``evil``."""
    app.add_url_rule("/", "index", lambda: url_for("index", _external=True), methods=["GET", "POST"])
    assert client.get("/", headers={"Host": host}).status_code == 400
    assert client.post("/", headers={"Origin": f"http://{host}"}).status_code == 403
    app.config["TRUSTED_ORIGINS"] = [f"http://{host}"]
    with pytest.raises(ValueError, match="which is no origin"):
        client.post("/")


# -- the rules behind them

LONG = 100_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Accept", "a/b;q=0.1," * LONG),
        ("Accept", ";" * LONG),
        ("Accept-Language", "en-" * LONG),
        ("Authorization", 'Digest a="' + "\\" * LONG),
        ("Authorization", "Digest " + "a=" * LONG),
        ("Authorization", "Basic " + "A" * LONG),
        ("Cache-Control", 'a="' * LONG),
        ("Content-Type", 'a/b; a="' + '\\"' * LONG),
        ("Content-Type", "a/b;" + " " * LONG + "x"),
        ("Cookie", 'a="' + "\\" * LONG),
        ("Cookie", "a;" * LONG),
        ("Cookie", "session=" + "." * LONG),
        ("If-None-Match", '"a' * LONG),
        ("If-None-Match", '"a",' * LONG),
        ("Range", "bytes=" + "1-," * LONG),
        ("X-Forwarded-For", " ," * LONG),
    ],
)
def test_rule_headers_are_parsed_in_linear_time(
    app: Erlen, client: ErlenClient, name: str, value: str
) -> None:
    """With quadratic cost, these would keep a core busy for minutes."""
    app.secret_key = "key"

    @app.route("/")
    def index() -> str:
        read = (
            "accept_mimetypes accept_languages access_route authorization cache_control cookies if_none_match "
            "mimetype_params range"
        )
        for attribute in read.split():
            getattr(request, attribute)
        return f"{session.get('user')}"

    assert client.get("/", headers={name: value}).status_code in (200, 400)


BODIES = {
    "raw": ("application/octet-stream", b"x" * 5_000),
    "text": ("text/plain", b"x" * 5_000),
    "json": ("application/json", b"[1]" + b" " * 5_000),
    "urlencoded": ("application/x-www-form-urlencoded", b"a=" + b"x" * 5_000),
    "multipart": ("multipart/form-data; boundary=edge", PART.replace(b"x", b"x" * 5_000) + b"--edge--"),
    "file": (
        "multipart/form-data; boundary=edge",
        PART.replace(b'"a"', b'"a"; filename="f"').replace(b"x\r", b"x" * 5_000 + b"\r") + b"--edge--",
    ),
}


@pytest.fixture
def limited(app: Erlen) -> ErlenClient:
    """Return a client of an application that takes a thousand bytes and answers with how many it got."""
    app.config["MAX_CONTENT_LENGTH"] = 1_000

    @app.route("/", methods=["POST"])
    def index() -> str:
        if request.mimetype == "application/json":
            return f"{request.get_json()}"
        if "form" in request.mimetype:
            return f"{len(request.form)} {len(request.files)}"
        return f"{len(request.get_data())}"

    return app.test_client()


@pytest.mark.parametrize("kind", BODIES)
def test_rule_every_kind_of_body_is_limited(limited: ErlenClient, kind: str) -> None:
    content_type, body = BODIES[kind]
    assert limited.post("/", data=body, content_type=content_type).status_code == 413


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    "kind",
    BODIES,
)
def test_rule_every_kind_of_body_is_limited_whose_length_nobody_told(limited: ErlenClient, kind: str) -> None:
    """A chunked body, as a server hands it on that marks its end: to cut it off would be to misread it."""
    content_type, body = BODIES[kind]
    response = limited.post(
        "/",
        input_stream=io.BytesIO(body),
        content_type=content_type,
        environ_overrides={"CONTENT_LENGTH": "", "wsgi.input_terminated": True},
    )
    assert response.status_code == 413
    # The parser leaves a file it was in the middle of to the garbage collector.
    gc.collect()


@pytest.mark.parametrize(
    "path", ["/admin", "//admin", "///admin", "/%61dmin", "/./admin", "/x/../admin", "/admin;x", "/admin%2f", "/ADMIN"]
)  # fmt: skip
def test_rule_the_path_that_is_routed_is_the_path_that_is_authorised(
    app: Erlen, client: ErlenClient, path: str
) -> None:
    """A hook that guards ``request.path == "/admin"`` guards each way to that view."""

    @app.before_request
    def guard() -> t.Any:
        return ("guarded", 403) if request.path == "/admin" else None

    app.add_url_rule("/admin", "admin", lambda: "reached")
    # Werkzeug's client would take a path with two slashes for a host.
    response = client.open("/", environ_overrides={"PATH_INFO": path.replace("%61", "a").replace("%2f", "/")})
    assert response.text != "reached"
    assert response.status_code in (403, 404)


@pytest.mark.parametrize(
    ("host", "url"),
    [("a.test:8080", "http://a.test:8080/"), ("[::1]:8080", "http://[::1]:8080/"), ("a.test:80", "http://a.test/")],
)  # fmt: skip
def test_rule_an_authority_is_built_of_its_parts(
    app: Erlen, client: ErlenClient, host: str, url: str
) -> None:
    app.add_url_rule("/", "index", lambda: jsonify(request.url, url_for("index", _external=True)))
    assert client.get("/", headers={"Host": host}).get_json() == [url, url]


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.test.evil.test",
        "https://evilapp.test",
        "https://app.test@evil.test",
        "https://evil.test/app.test",
        "https://evil.test#https://app.test",
        "https://app.test:8443",
        "https://app.test.",
        "https://app.test/",
        "https://app.test, https://evil.test",
        "http://app.test",
        "https://sub.app.test",
        "https://appXtest",
        "null",
        "",
    ],
)
def test_rule_an_origin_is_checked_as_a_whole_against_the_list(
    app: Erlen, client: ErlenClient, origin: str
) -> None:
    app.config["TRUSTED_ORIGINS"] = ["https://app.test"]
    app.add_url_rule("/", "index", lambda: "reached", methods=["POST"])
    for more in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        assert client.post("/", headers={"Origin": origin, **more}).status_code == 403
    assert client.post("/", headers={"Origin": "https://app.test"}).status_code == 200


def test_rule_no_pickle_anywhere_in_the_package() -> None:
    found: list[str] = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [f"{node.module}"]
            found += [
                f"{path.name}: {name}"
                for name in names
                if name in {"pickle", "marshal", "shelve", "dill", "yaml"}
            ]
    assert found == []


class Bomb:
    """Writes down that it was unpickled."""

    def __reduce__(self) -> t.Any:
        return os.putenv, ("ERLEN_TEST_BOMB", "unpickled")


def test_rule_a_signed_pickle_is_no_session(app: Erlen, client: ErlenClient) -> None:
    """Somebody who has the key can sign anything, and shall not run code with it."""
    app.secret_key = "key"
    app.add_url_rule("/", "index", lambda: jsonify(sorted(session)))
    assert app.session_interface.pickle_based is False
    text = base64.urlsafe_b64encode(pickle.dumps(Bomb())).rstrip(b"=")
    cookie = TimestampSigner("key", salt="cookie-session", key_derivation="hmac").sign(text).decode()
    client.set_cookie("session", cookie)
    assert client.get("/").get_json() == []
