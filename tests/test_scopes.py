"""What ASGI says of a request, read as WSGI would say it (PEP 3333), also where a server says it badly."""

from __future__ import annotations

import io
import sys
import typing as t

import pytest

from asgi_calls import MISSING, answer, http_scope, on_a_loop
from asgi_validator import Message
from erlen import Erlen, Request, Response, request, scopes
from erlen.scopes import MalformedScope, fill_environ, key_of, path_info, problem_of
from erlen.testing.exchange import scope_of

UNKNOWN = "\N{REPLACEMENT CHARACTER}"


def environ_of(scope: Message) -> dict[str, t.Any]:
    environ = head_of(scope)
    fill_environ(environ, scope, io.BytesIO())
    return environ


def head_of(scope: Message) -> dict[str, t.Any]:
    return Request.of_scope(scope, receive_nothing).head


def has_body(scope: Message) -> bool:
    return Request.of_scope(scope, receive_nothing)._body is not None


async def receive_nothing() -> Message:
    raise AssertionError("nothing was to be received")


# The whole environment


def test_environment_says_what_the_scope_says() -> None:
    scope = http_scope("/shop/books?page=2", "POST", [(b"content-type", b"text/plain"), (b"x-name", b"Ada")])
    environ = environ_of(scope)
    assert environ.pop("wsgi.input").read() == b""
    assert environ.pop("wsgi.errors") is sys.stderr
    assert environ.pop("asgi.scope") is scope
    assert callable(environ.pop("wsgi.file_wrapper"))
    assert environ == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/shop/books",
        "QUERY_STRING": "page=2",
        "RAW_URI": "/shop/books?page=2",
        "REQUEST_URI": "/shop/books?page=2",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "CONTENT_TYPE": "text/plain",
        "HTTP_HOST": "localhost",
        "HTTP_X_NAME": "Ada",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


@pytest.mark.parametrize(
    ("raw_path", "query", "expected"),
    [
        (b"/a%2Fb+c", b"q=1", "/a%2Fb+c?q=1"),
        (b"/a%2Fb?q=1", b"q=1", "/a%2Fb?q=1"),
        (b"/a", b"", "/a"),
        (b"/\xc3\xa4", b"", "/\xc3\xa4"),
        (None, b"q=1", None),
        (b"", b"q=1", None),
    ],
)
def test_what_was_asked_for_is_there_as_it_was_sent(
    raw_path: bytes | None, query: bytes, expected: str | None
) -> None:
    """Servers that tell no raw path leave it out."""
    environ = environ_of(http_scope("/") | {"raw_path": raw_path, "query_string": query})
    assert environ.get("RAW_URI") == environ.get("REQUEST_URI") == expected


def test_head_agrees_with_the_environment() -> None:
    scope = http_scope("/a", "PUT", [(b"content-length", b"3"), (b"cookie", b"a=1"), (b"cookie", b"b=2")])
    head = head_of(scope)
    environ = environ_of(scope)
    assert head == {key: environ[key] for key in head}
    assert set(head) == {"REQUEST_METHOD", "PATH_INFO", "HTTP_HOST", "HTTP_COOKIE", "CONTENT_LENGTH"}


@pytest.mark.parametrize(
    "missing",
    [
        "asgi",
        "client",
        "extensions",
        "http_version",
        "method",
        "query_string",
        "raw_path",
        "root_path",
        "scheme",
        "server",
        "state",
    ],
)
def test_key_that_a_scope_need_not_have_is_missing(missing: str) -> None:
    environ = environ_of(http_scope("/path", **{missing: MISSING}))
    assert environ["REQUEST_METHOD"] == "GET"
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("", "/path", "")
    assert (environ["wsgi.url_scheme"], environ["SERVER_PROTOCOL"]) == ("http", "HTTP/1.1")
    assert environ["SERVER_PORT"] == "80"
    assert ("REMOTE_ADDR" in environ) is (missing != "client")


@on_a_loop
async def test_request_of_the_smallest_scope(app: Erlen) -> None:
    @app.get("/<name>")
    def index(name: str) -> t.Any:
        return [name, request.url, request.remote_addr, request.server, request.query_string.decode()]

    scope = {"type": "http", "path": "/Ada", "headers": []}
    call = await answer(app, scope=scope)
    assert call.json == ["Ada", "http://localhost/Ada", None, ["localhost", 80], ""]


# Path, root path


@pytest.mark.parametrize(
    ("root_path", "path", "script_name", "expected"),
    [
        ("", "/a", "", "/a"),
        ("/shop", "/shop/a", "/shop", "/a"),
        ("/shop/", "/shop/a", "/shop", "/a"),
        ("/shop", "/shop", "/shop", ""),
        ("/shop", "/shop/", "/shop", "/"),
        # What only begins with the same letters is another path.
        ("/shop", "/shopping", "/shop", "/shopping"),
        # Servers before version 3 of the specification do not repeat the root path.
        ("/shop", "/a", "/shop", "/a"),
        ("/", "/a", "", "/a"),
        ("/käse", "/käse/brot", "/kÃ¤se", "/brot"),
        ("/käse", "/käse/öl", "/kÃ¤se", "/Ã¶l"),
    ],
)
def test_root_path_becomes_the_script_name(
    root_path: str, path: str, script_name: str, expected: str
) -> None:
    environ = environ_of(http_scope(path, root_path=root_path, raw_path=MISSING))
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (script_name, expected)


def test_path_is_spelled_as_latin_1_of_its_utf_8() -> None:
    environ = environ_of(http_scope("/grüße/λ", raw_path=MISSING))
    assert environ["PATH_INFO"].encode("latin1").decode() == "/grüße/λ"


def test_path_with_bytes_that_are_no_utf_8_is_read_from_the_raw_path() -> None:
    scope = http_scope(f"/a/{UNKNOWN}", raw_path=b"/a/%ff")
    assert path_info(scope) == "/a/\xff"


def test_raw_path_with_a_root_path_and_a_query() -> None:
    scope = http_scope(f"/shop/{UNKNOWN}", raw_path=b"/shop/%ff?a=%fe", root_path="/shop")
    assert path_info(scope) == "/\xff"


def test_raw_path_is_not_needed_for_a_path_that_has_the_replacement_character_itself() -> None:
    scope = http_scope(f"/{UNKNOWN}", raw_path=f"/{UNKNOWN}".encode())
    assert path_info(scope).encode("latin1").decode() == f"/{UNKNOWN}"


@pytest.mark.parametrize("raw_path", [None, MISSING, b""])
def test_path_that_was_replaced_without_a_raw_path_stays_as_it_is(raw_path: t.Any) -> None:
    scope = http_scope(f"/{UNKNOWN}", raw_path=raw_path)
    assert path_info(scope).encode("latin1").decode() == f"/{UNKNOWN}"


@on_a_loop
async def test_path_that_is_no_utf_8_is_refused_as_over_wsgi(app: Erlen) -> None:
    app.add_url_rule("/<name>", "index", lambda name: name)
    call = await answer(app, scope=http_scope(f"/{UNKNOWN}", raw_path=b"/%ff"))
    assert call.status == 400 and "The path of this request is not UTF-8." in call.text
    app.config["REFUSE_MALFORMED_REQUESTS"] = False
    call = await answer(app, scope=http_scope(f"/{UNKNOWN}", raw_path=b"/%ff"))
    assert (call.status, call.text) == (200, UNKNOWN)


# Headers


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (b"host", "HTTP_HOST"),
        (b"x-forwarded-for", "HTTP_X_FORWARDED_FOR"),
        (b"content-type", "CONTENT_TYPE"),
        (b"content-length", "CONTENT_LENGTH"),
        (b"Content-Type", "CONTENT_TYPE"),
        (b"X-Name", "HTTP_X_NAME"),
        # It would become what 'x-real-ip' becomes, which a proxy sets.
        (b"x_real_ip", None),
        (b"content_length", None),
        (b"na me", None),
        (b"na\tme", None),
        (b"na\xefve", None),
        (b"na\x00me", None),
    ],
)
def test_name_of_a_header_as_a_key(name: bytes, key: str | None) -> None:
    assert key_of(name) == key


@pytest.mark.parametrize("first", [True, False])
def test_header_with_an_underscore_does_not_stand_in_for_another(first: bool) -> None:
    forged, real = (b"x_real_ip", b"6.6.6.6"), (b"x-real-ip", b"10.0.0.1")
    environ = environ_of(http_scope(headers=[forged, real] if first else [real, forged]))
    assert environ["HTTP_X_REAL_IP"] == "10.0.0.1"


def test_headers_of_one_name_are_joined() -> None:
    environ = environ_of(http_scope(headers=[(b"accept", b"text/html"), (b"accept", b"image/png")]))
    assert environ["HTTP_ACCEPT"] == "text/html,image/png"


def test_cookies_in_pieces_are_joined_as_cookies() -> None:
    """RFC 9113, section 8.2.3."""
    headers = [(b"cookie", b"a=1"), (b"accept", b"*/*"), (b"cookie", b"b=2"), (b"cookie", b"c=3")]
    scope = http_scope(headers=headers)
    assert environ_of(scope)["HTTP_COOKIE"] == "a=1; b=2; c=3"
    assert head_of(scope)["HTTP_COOKIE"] == "a=1; b=2; c=3"


@on_a_loop
async def test_cookies_in_pieces_are_read(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: dict(request.cookies))
    call = await answer(app, headers=[(b"cookie", b"a=1"), (b"cookie", b"b=2")], http_version="2")
    assert call.json == {"a": "1", "b": "2"}


def test_bytes_of_a_value_are_characters_of_latin_1() -> None:
    environ = environ_of(http_scope(headers=[(b"x-name", b"caf\xe9 \xff\x80")]))
    assert environ["HTTP_X_NAME"] == "café \xff\x80"


@on_a_loop
async def test_headers_with_bad_bytes_leave_the_others_readable(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: sorted(request.headers.keys()))
    headers = [(b"na\xefve", b"a"), (b"", b"b"), (b"a b", b"c"), (b"x-\x00", b"d"), (b"x-good", b"\xff\x00")]
    call = await answer(app, headers=headers)
    assert call.status == 200 and "X-Good" in call.json
    assert (await answer(app)).json == ["Host"]


@pytest.mark.parametrize("values", [(b"a", b"b"), (b"localhost", b"localhost")])
@on_a_loop
async def test_two_hosts_are_refused(app: Erlen, values: tuple[bytes, ...]) -> None:
    app.add_url_rule("/", "index", lambda: "text")
    call = await answer(app, scope=http_scope() | {"headers": [(b"host", value) for value in values]})
    assert call.status == 400


@pytest.mark.parametrize("lengths", [(b"5", b"5"), (b"5", b"6"), (b"+5",), (b"-5",), (b" 5",), (b"\xb2",)])
@on_a_loop
async def test_lengths_that_are_none_are_refused(app: Erlen, lengths: tuple[bytes, ...]) -> None:
    app.add_url_rule("/", "index", lambda: "text", methods=["POST"])
    call = await answer(app, method="POST", headers=[(b"content-length", length) for length in lengths])
    assert call.status == 400


def test_names_are_remembered_up_to_a_number_of_them() -> None:
    for number in range(2 * scopes._KNOWN_NAMES):
        environ_of(http_scope(headers=[(b"x-%d" % number, b"")]))
        assert len(scopes._KEYS) <= scopes._KNOWN_NAMES
    assert environ_of(http_scope(headers=[(b"x-unknown", b"1")]))["HTTP_X_UNKNOWN"] == "1"
    # Those that somebody has made up keep no others out.
    assert scopes._KEYS[b"x-unknown"] == "HTTP_X_UNKNOWN"
    assert environ_of(http_scope(headers=[(b"content-type", b"a/b")]))["CONTENT_TYPE"] == "a/b"


def test_long_names_are_not_remembered() -> None:
    name = b"x" * (scopes.KNOWN_LENGTH + 1)
    assert environ_of(http_scope(headers=[(name, b"1")]))[f"HTTP_{name.decode().upper()}"] == "1"
    assert name not in scopes._KEYS


# Whether there is a body


@pytest.mark.parametrize(
    ("method", "headers", "version", "expected"),
    [
        ("GET", [], "1.1", False),
        ("POST", [], "1.1", False),
        ("POST", [(b"content-length", b"0")], "1.1", False),
        ("POST", [(b"content-length", b"1")], "1.1", True),
        ("GET", [(b"content-length", b"1")], "1.1", True),
        ("POST", [(b"transfer-encoding", b"chunked")], "1.1", True),
        ("GET", [(b"transfer-encoding", b"chunked")], "1.1", True),
        # HTTP/2 and 3 end a stream instead.
        ("POST", [], "2", True),
        ("POST", [], "3", True),
        ("GET", [], "2", False),
        ("HEAD", [], "3", False),
        ("DELETE", [], "2", True),
        ("POST", [(b"content-length", b"0")], "2", False),
        ("POST", [], "1.0", False),
    ],
)
def test_whether_a_request_has_a_body(method: str, headers: t.Any, version: str, expected: bool) -> None:
    assert has_body(http_scope("/", method, headers, http_version=version)) is expected


@pytest.mark.parametrize("version", ["2", "3"])
@on_a_loop
async def test_body_of_http_2_without_a_length(app: Erlen, version: str) -> None:
    app.add_url_rule("/", "index", lambda: request.get_data(), methods=["POST"])
    scope = http_scope("/", "POST", http_version=version)
    call = await answer(app, scope=scope, body=[b"first ", b"second"])
    assert (call.status, call.text) == (200, "first second")


@on_a_loop
async def test_body_of_http_2_without_a_length_has_a_limit(app: Erlen) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 5
    app.add_url_rule("/", "index", lambda: request.get_data(), methods=["POST"])
    scope = http_scope("/", "POST", http_version="2")
    assert (await answer(app, scope=scope, body=[b"123", b"456"])).status == 413


# Server, client


@pytest.mark.parametrize(
    ("server", "scheme", "name", "port"),
    [
        (("example.com", 8000), "http", "example.com", "8000"),
        (["example.com", 8000], "http", "example.com", "8000"),
        (None, "http", "localhost", "80"),
        (None, "https", "localhost", "443"),
        (None, "wss", "localhost", "443"),
        (("/run/app.sock", None), "http", "/run/app.sock", "80"),
        (("/run/app.sock", None), "https", "/run/app.sock", "443"),
    ],
)
def test_server(server: t.Any, scheme: str, name: str, port: str) -> None:
    environ = environ_of(http_scope(server=server, scheme=scheme))
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, port)
    assert environ["wsgi.url_scheme"] == scheme


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (("10.0.0.7", 4321), ("10.0.0.7", "4321")),
        (["::1", 4321], ("::1", "4321")),
        (None, (None, None)),
        (MISSING, (None, None)),
        # The client of a Unix socket.
        (("", None), ("", None)),
        (("unix", 0), ("unix", "0")),
    ],
)
def test_client(client: t.Any, expected: t.Any) -> None:
    environ = environ_of(http_scope(client=client))
    assert (environ.get("REMOTE_ADDR"), environ.get("REMOTE_PORT")) == expected


@on_a_loop
async def test_request_over_a_unix_socket(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: [request.host, request.remote_addr, request.url])
    call = await answer(app, server=("/run/app.sock", None), client=None)
    assert call.json == ["localhost", None, "http://localhost/"]


# The scope itself


@on_a_loop
async def test_request_has_its_scope(app: Erlen) -> None:
    @app.get("/")
    def index() -> t.Any:
        scope = request.scope
        assert scope is not None and request.environ["asgi.scope"] is scope
        return scope["extra"]

    assert (await answer(app, extra="from the server")).text == "from the server"


@pytest.mark.protocol("wsgi")
def test_request_over_wsgi_has_no_scope(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: str(request.scope))
    assert app.test_client().get("/").text == "None"


@on_a_loop
async def test_scope_is_left_as_it_was(app: Erlen) -> None:
    app.add_url_rule("/a", "index", lambda: str(request.environ["PATH_INFO"]))
    scope = http_scope("/shop/a?b=c", headers=[(b"x-a", b"1")], root_path="/shop")
    copy = {key: list(value) if isinstance(value, list) else value for key, value in scope.items()}
    assert (await answer(app, scope=scope)).text == "/a"
    assert scope == copy


# Malformed scopes

MALFORMED: list[tuple[dict[str, t.Any], str]] = [
    ({"path": MISSING}, "it has no 'path', which is a str"),
    ({"path": None}, "its 'path' is None, not a str"),
    ({"path": b"/"}, "its 'path' is b'/', not a str"),
    ({"path": 5}, "its 'path' is 5, not a str"),
    ({"method": 5}, "its 'method' is 5, not a str in capitals"),
    ({"method": b"GET"}, "its 'method' is b'GET', not a str in capitals"),
    ({"method": None}, "its 'method' is None, not a str in capitals"),
    ({"headers": MISSING}, "it has no 'headers', which is a list of pairs of bytes"),
    ({"headers": None}, "its 'headers' is None, not a list of pairs of bytes"),
    (
        {"headers": [("host", "localhost")]},
        "its 'headers' is [('host', 'localhost')], not a list of pairs of bytes",
    ),
    ({"headers": [(b"host", "localhost")]}, "not a list of pairs of bytes"),
    ({"headers": [("x-name", b"a")]}, "not a list of pairs of bytes"),
    ({"headers": [(b"host",)]}, "not a list of pairs of bytes"),
    ({"headers": [(b"host", b"a", b"b")]}, "not a list of pairs of bytes"),
    ({"headers": [5]}, "not a list of pairs of bytes"),
    (
        {"headers": {"host": "localhost"}},
        "its 'headers' is {'host': 'localhost'}, not a list of pairs of bytes",
    ),
    ({"query_string": "a=1"}, "its 'query_string' is 'a=1', not bytes"),
    ({"query_string": None}, "its 'query_string' is None, not bytes"),
    ({"root_path": None}, "its 'root_path' is None, not a str"),
    ({"root_path": b"/shop"}, "its 'root_path' is b'/shop', not a str"),
    ({"path": f"/{UNKNOWN}", "raw_path": "/%ff"}, "its 'raw_path' is '/%ff', not bytes or None"),
    ({"client": "127.0.0.1"}, "its 'client' is '127.0.0.1', not a pair of address and port, or None"),
    ({"client": ("127.0.0.1",)}, "its 'client' is ('127.0.0.1',), not a pair of address and port, or None"),
    ({"client": 5}, "its 'client' is 5, not a pair of address and port, or None"),
    ({"server": "localhost"}, "its 'server' is 'localhost', not a pair of host and port, or None"),
    ({"server": ("localhost",)}, "its 'server' is ('localhost',), not a pair of host and port, or None"),
    ({"http_version": 2, "method": "POST"}, "its 'http_version' is 2, not a str"),
]


@pytest.mark.parametrize(("changes", "problem"), MALFORMED, ids=[f"{one[0]}" for one in MALFORMED])
@on_a_loop
async def test_malformed_scope(app: Erlen, changes: dict[str, t.Any], problem: str) -> None:
    # It looks at everything that the scope says.
    app.before_request(lambda: str(request.environ))
    scope = {key: value for key, value in (http_scope() | changes).items() if value is not MISSING}
    with pytest.raises(MalformedScope) as caught:
        await answer(app, scope=scope)
    text = str(caught.value)
    assert text.startswith(
        "The server called the application with a scope that is no ASGI 3 scope of a request: "
    )
    assert problem in text
    assert "The likely cause is middleware that has changed it." in text


@on_a_loop
async def test_malformed_scope_does_no_harm_to_the_next_request(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: request.environ["PATH_INFO"])
    for changes, _ in MALFORMED:
        scope = {key: value for key, value in (http_scope() | changes).items() if value is not MISSING}
        with pytest.raises(MalformedScope):
            await answer(app, scope=scope)
        assert (await answer(app)).text == "/"


@pytest.fixture
def lazy_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let environments be made when they are asked for, whatever classes of responses other tests have made."""
    monkeypatch.setattr(Response, "needs_environ", False)


@pytest.mark.usefixtures("lazy_environ")
@on_a_loop
async def test_malformed_key_that_nobody_looks_at_does_no_harm(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: "text")
    assert (await answer(app, query_string="a=1")).text == "text"


@pytest.mark.usefixtures("lazy_environ")
@on_a_loop
async def test_malformed_key_that_a_view_looks_at_is_told_to_the_server(app: Erlen) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    told: list[str] = []
    app.teardown_request(lambda exc: told.append(type(exc).__name__))
    app.add_url_rule("/", "index", lambda: request.args["a"])
    with pytest.raises(MalformedScope, match="its 'query_string' is 'a=1', not bytes"):
        await answer(app, query_string="a=1")
    assert told == ["MalformedScope"]


def test_scope_of_the_test_client_is_well_formed(app: Erlen) -> None:
    environ = app.test_request_context("/grüße?a=b", method="POST", data={"a": "b"}).request.environ
    assert problem_of(scope_of(environ)) is None
    assert problem_of(http_scope()) is None


@pytest.mark.parametrize("kind", ["lifespan.startup", "webtransport", "", None, 5])
@on_a_loop
async def test_scope_of_an_unknown_type(app: Erlen, kind: t.Any) -> None:
    with pytest.raises(MalformedScope) as caught:
        await answer(app, scope={"type": kind})
    assert str(caught.value) == (
        f"The server called the application with a scope of the type {kind!r}. Erlen answers 'http', 'websocket' and "
        f"'lifespan'."
    )


@on_a_loop
async def test_scope_without_a_type(app: Erlen) -> None:
    with pytest.raises(MalformedScope, match="a scope of the type None"):
        await answer(app, scope={})
