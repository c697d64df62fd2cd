"""The application as ASGI servers call it: entry point, responses, what others put around it and return from it."""

from __future__ import annotations

import asyncio
import inspect
import io
import sys
import threading
import typing as t
from collections import Counter
from pathlib import Path

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as WerkzeugResponse

from asgi_calls import Call, answer, http_scope, on_a_loop
from erlen import (
    Erlen,
    Request,
    Response,
    abort,
    g,
    has_app_context,
    redirect,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
    wrappers,
)
from erlen import headers as header_module
from erlen.ctx import RequestContext
from erlen.response import KNOWN_LENGTHS, LENGTHS
from erlen.testing import ErlenClient

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BODY = {"type": "http.response.body"}


def on_the_loop(seen: list[bool]) -> t.Callable[[], None]:
    """Return a function that notes whether it runs on this very thread."""
    own = threading.get_ident()
    return lambda: seen.append(threading.get_ident() == own)


def streamed(body: t.Any, status: int = 200) -> Response:
    """Return a response with a body of any kind; the constructor's annotation knows none that is async."""
    return Response(body, status)


# The entry point


@on_a_loop
async def test_answer_is_a_start_and_a_body(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: "text")
    call = await answer(app)
    assert call.sent == [
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [
                (b"content-type", b"text/html; charset=utf-8"),
                (b"content-length", b"4"),
                (b"x-content-type-options", b"nosniff"),
                (b"referrer-policy", b"strict-origin-when-cross-origin"),
            ],
        },
        {"type": "http.response.body", "body": b"text"},
    ]


@pytest.mark.parametrize("is_async", [True, False])
@on_a_loop
async def test_both_kinds_of_views_are_answered_alike(app: Erlen, is_async: bool) -> None:
    def plain(name: str) -> t.Any:
        return {"name": name, "query": request.args.to_dict(), "url": url_for("index", name="x")}, 201

    async def asynchronous(name: str) -> t.Any:
        return plain(name)

    app.add_url_rule("/<name>", "index", asynchronous if is_async else plain)
    call = await answer(app, "/Ada?a=1&b=%20")
    assert (call.status, call.json) == (201, {"name": "Ada", "query": {"a": "1", "b": " "}, "url": "/x"})


@on_a_loop
async def test_asgi_is_what_the_application_calls(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: "text")
    assert (await answer(app.asgi)).sent == (await answer(app)).sent


def test_application_is_taken_for_a_coroutine_function_where_servers_look(app: Erlen) -> None:
    """uvicorn looks at ``__call__`` with ``asyncio``, hypercorn with ``inspect``."""
    assert inspect.iscoroutinefunction(app.asgi)
    if sys.version_info < (3, 14):
        # Deprecated from then on.
        assert t.cast("t.Any", asyncio).iscoroutinefunction(app.__call__)
    if sys.version_info >= (3, 12):
        assert inspect.iscoroutinefunction(app.__call__)
    assert not inspect.iscoroutinefunction(app.wsgi_app)


@on_a_loop
async def test_call_with_two_arguments_is_one_over_wsgi(app: Erlen, validated: t.Any) -> None:
    app.add_url_rule("/", "index", lambda: str("asgi.scope" in request.environ))
    started: list[str] = []
    environ = app.test_request_context("/").request.environ
    body = validated(app)(dict(environ), lambda status, headers, exc_info=None: started.append(status))
    assert b"".join(body) == b"False"
    assert started == ["200 OK"]
    body.close()
    assert (await answer(app)).text == "True"


@on_a_loop
async def test_one_application_answers_both_protocols_at_the_same_time(app: Erlen) -> None:
    meet = threading.Barrier(2)

    @app.get("/")
    def index() -> str:
        meet.wait(60)
        return f"{request.environ['SERVER_PROTOCOL']}{'asgi.scope' in request.environ}"

    over_wsgi = asyncio.create_task(asyncio.to_thread(lambda: app.test_client(protocol="wsgi").get("/").text))
    over_asgi = await answer(app)
    assert (await over_wsgi, over_asgi.text) == ("HTTP/1.1False", "HTTP/1.1True")


@on_a_loop
async def test_not_found_needs_no_thread(app: Erlen) -> None:
    call = await answer(app, "/nowhere")
    assert call.status == 404
    assert "threads" not in vars(app) or not app.threads._executors


@on_a_loop
async def test_first_request_freezes_and_later_changes_thaw(app: Erlen) -> None:
    assert (await answer(app)).status == 404
    app.view_functions["index"] = lambda: "late"
    app.url_map.add(app.url_rule_class("/", endpoint="index"))
    assert (await answer(app)).text == "late"

    async def asynchronous() -> str:
        return "later"

    app.view_functions["index"] = asynchronous
    assert (await answer(app)).text == "later"


# Methods and statuses


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
)
@on_a_loop
async def test_methods(app: Erlen, method: str) -> None:
    app.add_url_rule("/", "index", lambda: request.method, methods=[method], provide_automatic_options=False)
    call = await answer(app, method=method)
    assert (call.status, call.text) == (200, "" if method == "HEAD" else method)
    other = await answer(app, method="GET" if method not in {"GET", "HEAD"} else "POST")
    assert other.status == 405 and method in other.headers[b"allow"].decode()


@on_a_loop
async def test_method_in_small_letters_is_read_in_capitals(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: request.method)
    assert (await answer(app, method="get")).text == "GET"


@on_a_loop
async def test_options_are_answered_automatically(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: "text", methods=["GET", "PUT"])
    call = await answer(app, method="OPTIONS")
    assert set(call.headers[b"allow"].split(b", ")) == {b"GET", b"HEAD", b"OPTIONS", b"PUT"}


@pytest.mark.parametrize("kind", ["text", "bytes", "stream", "async stream", "file", "list"])
@on_a_loop
async def test_head_has_the_headers_and_no_body(app: Erlen, kind: str, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("text")
    closed: list[str] = []

    def pieces() -> t.Iterator[str]:
        try:
            yield "text"
        finally:
            closed.append("plain")

    async def apieces() -> t.AsyncIterator[str]:
        yield "text"

    @app.get("/")
    async def index() -> t.Any:
        made: dict[str, t.Callable[[], t.Any]] = {
            "text": lambda: "text",
            "bytes": lambda: b"text",
            "stream": pieces,
            "async stream": apieces,
            "file": lambda: send_file(tmp_path / "file.txt", mimetype="text/html"),
            "list": lambda: Response(["te", "xt"]),
        }
        return made[kind](), {"X-Name": "Ada"}

    full, head = await answer(app), await answer(app, method="HEAD")
    assert full.text == "text" and head.text == ""
    assert head.is_complete and head.status == 200 and head.headers[b"x-name"] == b"Ada"
    skipped = {b"date"}
    assert {k: v for k, v in head.headers.items() if k not in skipped} == {
        k: v for k, v in full.headers.items() if k not in skipped
    }


@pytest.mark.parametrize("status", [204, 304, 100, 199])
@pytest.mark.parametrize("kind", ["text", "stream", "async stream"])
@on_a_loop
async def test_status_without_a_body(app: Erlen, status: int, kind: str) -> None:
    async def apieces() -> t.AsyncIterator[str]:
        yield "text"

    @app.get("/")
    async def index() -> t.Any:
        made: dict[str, t.Any] = {"text": "text", "stream": iter(["text"]), "async stream": apieces()}
        return made[kind], status

    call = await answer(app)
    assert (call.status, call.text, call.is_complete) == (status, "", True)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@on_a_loop
async def test_async_body_that_a_hook_has_looked_at_is_not_sent_where_there_is_none(
    app: Erlen, method: str
) -> None:
    async def apieces() -> t.AsyncIterator[str]:
        yield "text"

    @app.get("/")
    async def index() -> t.Any:
        return streamed(apieces(), 200 if method == "HEAD" else 304)

    @app.after_request
    def look(response: Response) -> Response:
        response.iter_encoded()
        return response

    assert (await answer(app, method=method)).pieces == []


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (200, 200),
        (201, 201),
        (418, 418),
        (599, 599),
        (299, 299),
        ("404 Nothing Here", 404),
        ("999 Odd", 999),
        ("200 ok", 200),
    ],
)
@on_a_loop
async def test_status_codes(app: Erlen, status: int | str, code: int) -> None:
    app.add_url_rule("/", "index", lambda: t.cast("t.Any", ("text", status)))
    assert (await answer(app)).status == code


@on_a_loop
async def test_redirect_and_abort(app: Erlen) -> None:
    app.add_url_rule("/redirect", "redirect", lambda: redirect("/käse"))
    app.add_url_rule("/abort", "abort", lambda: abort(403))
    app.add_url_rule("/folder/", "folder", lambda: "text")
    call = await answer(app, "/redirect")
    assert (call.status, call.headers[b"location"]) == (302, b"/k%C3%A4se")
    assert (await answer(app, "/abort")).status == 403
    call = await answer(app, "/folder?a=b")
    assert (call.status, call.headers[b"location"]) == (308, b"http://localhost/folder/?a=b")


# Headers of responses


@on_a_loop
async def test_names_are_sent_in_small_letters_and_values_as_latin_1(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: ("text", {"X-Name": "café", "ETag": '"a"'}))
    headers = (await answer(app)).headers
    assert headers[b"x-name"] == b"caf\xe9" and headers[b"etag"] == b'"a"'


@on_a_loop
async def test_headers_of_one_name_are_sent_each(app: Erlen) -> None:
    app.secret_key = "key"

    @app.get("/")
    def index() -> Response:
        session["name"] = "Ada"
        response = Response("text")
        response.set_cookie("a", "1")
        response.headers.add("Link", "</a>; rel=next")
        response.headers.add("Link", "</b>; rel=prev")
        return response

    names = Counter(name for name, _ in (await answer(app)).sent[0]["headers"])
    assert (names[b"set-cookie"], names[b"link"]) == (2, 2)


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize("kind", ["whole", "stream", "async stream"])
@pytest.mark.parametrize(
    ("header", "value"),
    [("X-Name", "Łódź"), ("X-Name", "\N{PILE OF POO}"), ("X-Näme", "a"), ("X-\N{PILE OF POO}", "a")],
)
@on_a_loop
async def test_header_that_cannot_be_sent(
    app: Erlen, header: str, value: str, kind: str, is_async: bool
) -> None:
    told: list[str] = []

    def pieces() -> t.Iterator[str]:
        yield "never asked for"

    async def apieces() -> t.AsyncIterator[str]:
        yield "never asked for"

    def plain() -> Response:
        made: dict[str, t.Any] = {"whole": "text", "stream": pieces(), "async stream": apieces()}
        response = Response(stream_with_context(made[kind]) if kind != "whole" else made[kind])
        if kind != "whole":
            response.call_on_close(lambda: told.append("closed"))
        response.headers[header] = value
        return response

    async def asynchronous() -> Response:
        return plain()

    app.add_url_rule("/", "index", asynchronous if is_async else plain)
    app.teardown_request(lambda exc: told.append("torn down"))
    call = Call(app)
    with pytest.raises(ValueError) as caught:
        await call.run()
    assert str(caught.value) == (
        f"The header {header!r} of this response is {value!r}, which cannot be sent: names are ASCII, and values Latin-1 "
        f"(RFC 9110, section 5.5). Encode the value, for example with urllib.parse.quote()."
    )
    assert call.sent == []
    assert told == ["torn down"] if kind == "whole" else sorted(told) == ["closed", "torn down"]


@on_a_loop
async def test_header_with_a_line_break_is_refused_where_it_is_set(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: ("text", {"X-Name": "a\r\nSet-Cookie: b=c"}))
    call = Call(app)
    with pytest.raises(ValueError, match="newline"):
        await call.run()
    assert call.sent == []


@on_a_loop
async def test_cookies_are_not_remembered_among_the_headers(app: Erlen) -> None:
    @app.get("/<value>")
    def index(value: str) -> Response:
        response = Response("text")
        response.set_cookie("secret", value)
        response.headers["X-Open"] = value
        return response

    await answer(app, "/token")
    assert ("X-Open", "token") in header_module.ENCODED
    assert not [pair for pair in header_module.ENCODED if pair[0] == "Set-Cookie"]


@on_a_loop
async def test_headers_are_remembered_up_to_a_number_of_them(app: Erlen) -> None:
    app.add_url_rule("/<value>", "index", lambda value: ("text", {"X-Value": value}))
    for number in range(header_module.KNOWN_HEADERS + 10):
        await answer(app, f"/{number}")
        assert len(header_module.ENCODED) <= header_module.KNOWN_HEADERS
    assert (await answer(app, "/last")).headers[b"x-value"] == b"last"


@on_a_loop
async def test_long_headers_are_not_remembered(app: Erlen) -> None:
    value = "v" * header_module.KNOWN_LENGTH
    app.add_url_rule("/", "index", lambda: ("text", {"X-Value": value}))
    assert (await answer(app)).headers[b"x-value"] == value.encode()
    assert ("X-Value", value) not in header_module.ENCODED


@on_a_loop
async def test_hosts_and_lengths_are_remembered_up_to_a_number_of_them(app: Erlen) -> None:
    app.config["REFUSE_MALFORMED_REQUESTS"] = False
    app.add_url_rule("/<int:size>", "index", lambda size: f"{request.host} {'a' * size}")

    async def ask(host: str, size: int) -> str:
        scope = http_scope(f"/{size}") | {"headers": [(b"host", host.encode())]}
        sent = await answer(app, scope=scope)
        assert sent.headers[b"content-length"] == str(len(sent.text)).encode()
        return sent.text

    for number in range(wrappers.KNOWN_HOSTS + 10):
        assert await ask(f"host-{number}.example", number) == f"host-{number}.example {'a' * number}"
    long = "a" * 300
    assert await ask(long, 1) == f"{long} a"
    assert len(await ask("host", KNOWN_LENGTHS)) > KNOWN_LENGTHS
    assert len(wrappers._hosts) <= wrappers.KNOWN_HOSTS and long.encode() not in wrappers._hosts
    assert max(LENGTHS) < KNOWN_LENGTHS


# Kinds of bodies


@pytest.mark.parametrize("is_async", [True, False])
@pytest.mark.parametrize(
    "body",
    [
        b"text",
        bytearray(b"text"),
        "text",
        [b"te", b"xt"],
        [bytearray(b"text")],
        (b"te", "xt"),
        ["t", b"", "ext"],
    ],
    ids=repr,
)
@on_a_loop
async def test_whole_bodies(app: Erlen, body: t.Any, is_async: bool) -> None:
    def plain() -> Response:
        return Response(body)

    async def asynchronous() -> Response:
        return Response(body)

    app.add_url_rule("/", "index", asynchronous if is_async else plain)
    call = await answer(app)
    assert call.text == "text" and len(call.sent) == 2


@on_a_loop
async def test_view_that_returns_a_bytearray(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: t.cast("t.Any", bytearray(b"text")))
    assert (await answer(app)).text == "text"


@pytest.mark.parametrize(
    "pieces", [["te", "xt"], [b"te", b"xt"], [bytearray(b"te"), b"xt"], ["", "text", ""], []]
)
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_streams(app: Erlen, kind: str, pieces: list[t.Any]) -> None:
    async def agenerate() -> t.AsyncIterator[t.Any]:
        for piece in pieces:
            yield piece

    app.add_url_rule("/", "index", lambda: streamed(iter(pieces) if kind == "plain" else agenerate()))
    call = await answer(app)
    expected = [piece.encode() if isinstance(piece, str) else bytes(piece) for piece in pieces]
    assert call.pieces == [piece for piece in expected if piece]
    assert b"content-length" not in call.headers and call.is_complete


@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_piece_that_is_no_bytes_ends_the_stream_with_an_error(app: Erlen, kind: str) -> None:
    """Bytes that Python makes of a number are as many zeros."""
    closed: list[bool] = []

    def generate() -> t.Iterator[t.Any]:
        try:
            yield b"a"
            yield 7
        finally:
            closed.append(True)

    async def agenerate() -> t.AsyncIterator[t.Any]:
        try:
            yield b"a"
            yield 7
        finally:
            closed.append(True)

    app.add_url_rule("/", "index", lambda: streamed(generate() if kind == "plain" else agenerate()))
    call = Call(app)
    with pytest.raises(TypeError, match="bytes"):
        await call.run()
    assert call.pieces == [b"a"] and not call.is_complete and closed == [True]


@on_a_loop
async def test_file(app: Erlen, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4096
    (tmp_path / "file.bin").write_bytes(data)
    app.add_url_rule("/", "index", lambda: send_file(tmp_path / "file.bin", conditional=True))
    call = await answer(app)
    assert b"".join(call.pieces) == data and call.headers[b"content-length"] == str(len(data)).encode()
    # A hop to a thread for each piece of 8 KiB would cost more than the file.
    assert max(map(len, call.pieces)) == 256 * 1024
    call = await answer(app, headers=[(b"range", b"bytes=256-511")])
    assert (call.status, b"".join(call.pieces)) == (206, bytes(range(256)))


@on_a_loop
async def test_static_file(app: Erlen) -> None:
    app = Erlen("static", root_path=str(Path(__file__).parent), static_folder="support")
    call = await answer(app, "/support/asgi_calls.py")
    assert (
        call.status == 200 and call.text == (Path(__file__).parent / "support" / "asgi_calls.py").read_text()
    )


@on_a_loop
async def test_file_that_a_view_opened_is_closed(app: Erlen) -> None:
    files: list[t.IO[bytes]] = []

    @app.get("/")
    async def index() -> Response:
        files.append(io.BytesIO(b"text"))
        return send_file(files[0], mimetype="text/plain")

    assert (await answer(app)).text == "text"
    assert files[0].closed


@on_a_loop
async def test_call_on_close_runs_when_the_body_was_sent(app: Erlen) -> None:
    calls: list[Call] = []
    log: list[bool] = []

    @app.get("/")
    async def index() -> Response:
        response = Response("text")
        response.call_on_close(lambda: log.append(calls[0].is_complete))
        return response

    calls.append(Call(app))
    await calls[0].run()
    assert calls[0].text == "text" and log == [True]


# Middleware for ASGI


@on_a_loop
async def test_middleware_around_asgi(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: request.headers["X-Added"])
    inner = app.asgi

    async def middleware(scope: t.Any, receive: t.Any, send: t.Any) -> None:
        scope = dict(scope, headers=[*scope["headers"], (b"x-added", b"by middleware")])

        async def send_more(message: t.Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"x-sent", b"yes"))
            await send(message)

        await inner(scope, receive, send_more)

    app.asgi = middleware  # type: ignore[method-assign]
    call = await answer(app)
    assert (call.text, call.headers[b"x-sent"]) == ("by middleware", b"yes")
    # It has changed what it was given, and nothing that is remembered.
    assert [name for name, _ in (await answer(app)).sent[0]["headers"]].count(b"x-sent") == 1


@on_a_loop
async def test_middleware_around_asgi_may_answer_itself(app: Erlen) -> None:
    async def middleware(scope: t.Any, receive: t.Any, send: t.Any) -> None:
        await send({"type": "http.response.start", "status": 503, "headers": []})
        await send({"type": "http.response.body", "body": b"closed"})

    app.asgi = middleware  # type: ignore[method-assign]
    call = await answer(app)
    assert (call.status, call.text) == (503, "closed")


def test_middleware_around_asgi_is_in_the_way_of_the_test_client(app: Erlen) -> None:
    seen: list[str] = []
    app.add_url_rule("/", "index", lambda: "text")
    inner = app.asgi

    async def middleware(scope: t.Any, receive: t.Any, send: t.Any) -> None:
        seen.append(scope["path"])
        await inner(scope, receive, send)

    app.asgi = middleware  # type: ignore[method-assign]
    assert app.test_client(protocol="asgi").get("/").text == "text"
    assert app.test_client(protocol="wsgi").get("/").text == "text"
    assert seen == ["/"]


# Middleware for WSGI


@pytest.mark.parametrize("is_async", [True, False])
@on_a_loop
async def test_proxy_fix(app: Erlen, is_async: bool) -> None:
    def plain() -> t.Any:
        return [request.remote_addr, request.url, url_for("index", _external=True), request.is_secure]

    async def asynchronous() -> t.Any:
        await asyncio.sleep(0)
        return plain()

    app.add_url_rule("/a", "index", asynchronous if is_async else plain)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign, assignment]
    headers = [
        (b"x-forwarded-for", b"10.0.0.7"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"example.com"),
        (b"x-forwarded-prefix", b"/shop"),
    ]
    call = await answer(app, "/a", headers=headers)
    assert call.json == ["10.0.0.7", "https://example.com/shop/a", "https://example.com/shop/a", True]


@on_a_loop
async def test_proxy_fix_and_a_form(app: Erlen) -> None:
    @app.post("/")
    async def index() -> t.Any:
        return request.form.to_dict()

    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign, assignment]
    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    assert (await answer(app, body=[b"a=1&", b"b=2"], headers=headers)).json == {"a": "1", "b": "2"}


@on_a_loop
async def test_application_inside_another(app: Erlen) -> None:
    other = Erlen("other", root_path=".")

    @other.get("/page")
    async def page() -> t.Any:
        await asyncio.sleep(0)
        return [request.root_path, request.path]

    app.add_url_rule("/page", "page", lambda: [request.root_path, request.path])
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/other": other})  # type: ignore[method-assign, assignment]
    assert (await answer(app, "/page")).json == ["", "/page"]
    assert (await answer(app, "/other/page")).json == ["/other", "/page"]


@on_a_loop
async def test_middleware_for_wsgi_runs_on_a_worker_thread(app: Erlen) -> None:
    seen: list[bool] = []
    look = on_the_loop(seen)
    inner = app.wsgi_app

    def middleware(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        look()
        return inner(environ, start_response)

    @app.get("/")
    async def index() -> str:
        look()
        return "text"

    app.wsgi_app = middleware  # type: ignore[method-assign, assignment]
    assert (await answer(app)).text == "text"
    # The async view runs on the server's loop all the same.
    assert seen == [False, True]


def wrapped(app: Erlen, application: WSGIApplication) -> Erlen:
    """Put a WSGI application in the place of an application's own."""
    app.wsgi_app = application  # type: ignore[method-assign, assignment]
    return app


class Body:
    """The body of a WSGI application, which tells when it is closed."""

    def __init__(self, *pieces: t.Any) -> None:
        self._pieces = iter(pieces)
        self.is_closed = False

    def __iter__(self) -> t.Iterator[t.Any]:
        return self

    def __next__(self) -> t.Any:
        piece = next(self._pieces)
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def close(self) -> None:
        self.is_closed = True


@on_a_loop
async def test_wsgi_application_that_returns_a_list(app: Erlen) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        start_response("202 Accepted", [("X-Name", "Ada")])
        return [environ["PATH_INFO"].encode(), b"!"]

    call = await answer(wrapped(app, application), "/path")
    assert (call.status, call.headers, call.text) == (202, {b"x-name": b"Ada"}, "/path!")


@on_a_loop
async def test_wsgi_application_that_starts_its_response_when_it_is_asked_for_the_body(app: Erlen) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterator[bytes]:
        start_response("203 Lazy", [("X-Name", "Ada")])
        yield b"a"
        yield b"b"

    call = await answer(wrapped(app, application))
    assert (call.status, call.headers, call.pieces) == (203, {b"x-name": b"Ada"}, [b"a", b"b"])


@on_a_loop
async def test_wsgi_application_that_starts_lazily_and_has_no_body(app: Erlen) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterator[bytes]:
        start_response("204 No Content", [])
        yield from ()

    call = await answer(wrapped(app, application))
    assert (call.status, call.pieces, call.is_complete) == (204, [], True)


@pytest.mark.parametrize("where", ["in the call", "in the first piece"])
@on_a_loop
async def test_wsgi_application_that_uses_write(app: Erlen, where: str) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        write = start_response("200 OK", [])
        write(b"a")
        write(b"b")
        return [b"c", b"d"]

    def lazy(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterator[bytes]:
        yield from application(environ, start_response)

    call = await answer(wrapped(app, application if where == "in the call" else lazy))
    assert (call.text, call.is_complete) == ("abcd", True)


@on_a_loop
async def test_wsgi_application_that_replaces_its_response_before_it_is_sent(app: Erlen) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        start_response("200 OK", [("X-Name", "Ada")])
        try:
            raise LookupError
        except LookupError:
            start_response("500 Sorry", [], sys.exc_info())
        return [b"sorry"]

    call = await answer(wrapped(app, application))
    assert (call.status, call.headers, call.text) == (500, {}, "sorry")


@on_a_loop
async def test_wsgi_application_that_replaces_its_response_too_late(app: Erlen) -> None:
    """PEP 3333: with ``exc_info`` the server raises that exception."""
    error = LookupError("in the middle")

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        try:
            raise error
        except LookupError:
            start_response("500 Sorry", [], sys.exc_info())
        yield b"sorry"

    call = Call(wrapped(app, application))
    with pytest.raises(LookupError) as caught:
        await call.run()
    assert caught.value is error
    assert (call.status, call.text, call.is_complete) == (200, "a", False)


@on_a_loop
async def test_wsgi_application_that_starts_a_second_response_too_late(app: Erlen) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        start_response("404 Gone", [])
        yield b"b"

    with pytest.raises(RuntimeError) as caught:
        await answer(wrapped(app, application))
    assert str(caught.value) == (
        "A WSGI application started a response with '404 Gone' when the one with '200 OK' was being sent already. Call "
        "'start_response' once, before the first piece of the body."
    )


@pytest.mark.parametrize("pieces", [(), (b"a",), (b"", b"a")])
@on_a_loop
async def test_wsgi_application_that_never_starts_its_response(app: Erlen, pieces: tuple[bytes, ...]) -> None:
    body = Body(*pieces)

    def silent(environ: WSGIEnvironment, start_response: StartResponse) -> t.Any:
        return body

    call = Call(wrapped(app, silent))
    with pytest.raises(RuntimeError) as caught:
        await call.run()
    assert str(caught.value) == (
        f"The WSGI application {silent!r} returned a body without a response: it has not called 'start_response'. Call it "
        f"before the first piece of the body."
    )
    assert call.sent == [] and body.is_closed


@on_a_loop
async def test_wsgi_application_whose_lazy_start_fails_is_closed(app: Erlen) -> None:
    body = Body(LookupError("first"))
    call = Call(wrapped(app, lambda environ, start_response: body))
    with pytest.raises(LookupError, match="first"):
        await call.run()
    assert call.sent == [] and body.is_closed


@on_a_loop
async def test_wsgi_application_that_fails_in_the_middle_is_closed(app: Erlen) -> None:
    body = Body(b"a", LookupError("second"))

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Any:
        start_response("200 OK", [])
        return body

    call = Call(wrapped(app, application))
    with pytest.raises(LookupError, match="second"):
        await call.run()
    assert (call.text, call.is_complete, body.is_closed) == ("a", False, True)


@pytest.mark.parametrize("body", [b"text", "text", [5], ["text"], (5, 6)], ids=repr)
@on_a_loop
async def test_wsgi_application_whose_body_is_not_made_of_bytes(app: Erlen, body: t.Any) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Any:
        start_response("200 OK", [])
        return body

    with pytest.raises(TypeError, match="bytes"):
        await answer(wrapped(app, application))


@on_a_loop
async def test_wsgi_application_is_given_an_environment_that_wsgi_allows(
    app: Erlen, validated: t.Any
) -> None:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        environ["wsgi.errors"].flush()
        body = (
            environ["wsgi.input"].read(3) + environ["wsgi.input"].readline(2) + environ["wsgi.input"].read(9)
        )
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    call = await answer(wrapped(app, validated(application)), body=b"abcde\nfgh")
    assert call.text == "abcde\nfgh"


# What views return


@pytest.mark.parametrize("is_async", [True, False])
@on_a_loop
async def test_view_that_returns_another_wsgi_application(app: Erlen, is_async: bool) -> None:
    def other(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        start_response("207 Other", [("X-Path", environ["PATH_INFO"]), ("Content-Type", "text/plain")])
        return [b"read: ", environ["wsgi.input"].read()]

    def plain() -> t.Any:
        return other

    async def asynchronous() -> t.Any:
        return other

    app.add_url_rule("/a", "index", asynchronous if is_async else plain, methods=["POST"])
    call = await answer(app, "/a", body=b"body")
    assert (call.status, call.headers[b"x-path"], call.text) == (207, b"/a", "read: body")


@pytest.mark.parametrize("is_async", [True, False])
@on_a_loop
async def test_wsgi_application_that_a_view_returns_runs_off_the_loop(app: Erlen, is_async: bool) -> None:
    """It is plain code, and may wait for anything."""
    seen: list[bool] = []
    look = on_the_loop(seen)

    def other(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        look()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"other"]

    def plain() -> t.Any:
        return other

    async def asynchronous() -> t.Any:
        return other

    app.add_url_rule("/", "index", asynchronous if is_async else plain)
    assert (await answer(app)).text == "other"
    assert seen == [False]


@pytest.mark.parametrize("is_async", [True, False])
@on_a_loop
async def test_view_that_returns_a_response_of_werkzeug(app: Erlen, is_async: bool) -> None:
    def plain() -> t.Any:
        return WerkzeugResponse("text", 201)

    async def asynchronous() -> t.Any:
        return plain()

    app.add_url_rule("/", "index", asynchronous if is_async else plain)
    call = await answer(app)
    assert (call.status, call.text) == (201, "text")


# Classes of one's own


@pytest.mark.parametrize("is_async", [True, False])
@on_a_loop
async def test_request_class_with_a_constructor(app: Erlen, is_async: bool) -> None:
    class Own(Request):
        def __init__(self, environ: WSGIEnvironment, *args: t.Any, **kwargs: t.Any) -> None:
            super().__init__(environ, *args, **kwargs)
            self.seen = f"{environ['PATH_INFO']} {environ['HTTP_X_NAME']} {environ['REMOTE_ADDR']}"

    def plain() -> t.Any:
        return [t.cast("t.Any", request).seen, request.get_data(as_text=True), request.scope is not None]

    async def asynchronous() -> t.Any:
        return plain()

    app.request_class = Own
    app.add_url_rule("/a", "index", asynchronous if is_async else plain, methods=["POST"])
    call = await answer(app, "/a", body=[b"in ", b"pieces"], headers=[(b"x-name", b"Ada")])
    assert call.json == ["/a Ada 127.0.0.1", "in pieces", True]


@on_a_loop
async def test_request_class_whose_constructor_fails(app: Erlen) -> None:
    class Own(Request):
        def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().__init__(*args, **kwargs)
            if self.headers.get("X-Name") == "fail":
                raise LookupError("in the constructor")

    app.request_class = Own
    app.add_url_rule("/", "index", lambda: "text")
    call = Call(app, headers=[(b"x-name", b"fail")])
    with pytest.raises(LookupError, match="in the constructor"):
        await call.run()
    assert call.sent == [] and (await answer(app)).text == "text"


@on_a_loop
async def test_request_class_without_a_constructor(app: Erlen) -> None:
    class Own(Request):
        @property
        def shouted(self) -> str:
            return self.path.upper()

    app.request_class = Own
    app.add_url_rule("/path", "index", lambda: t.cast("t.Any", request).shouted)
    assert (await answer(app, "/path")).text == "/PATH"


@pytest.mark.parametrize("is_async", [True, False])
@on_a_loop
async def test_response_class_with_a_call_of_its_own(
    app: Erlen, monkeypatch: pytest.MonkeyPatch, is_async: bool
) -> None:
    # The class marks the process; other tests are to go without the mark.
    monkeypatch.setattr(Response, "needs_environ", Response.needs_environ)

    class Own(Response):
        def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
            self.headers["X-Query"] = environ["QUERY_STRING"]
            return super().__call__(environ, start_response)

    def plain() -> str:
        return "text"

    async def asynchronous() -> str:
        return "text"

    app.response_class = Own
    app.add_url_rule("/", "index", asynchronous if is_async else plain)
    call = await answer(app, "/?a=b")
    assert (call.text, call.headers[b"x-query"]) == ("text", b"a=b")


@pytest.mark.parametrize("is_async", [True, False])
@on_a_loop
async def test_response_class_that_changes_headers_by_the_environment(app: Erlen, is_async: bool) -> None:
    class Own(Response):
        def get_wsgi_headers(self, environ: WSGIEnvironment) -> t.Any:
            headers = super().get_wsgi_headers(environ)
            headers["X-Query"] = environ["QUERY_STRING"]
            return headers

    def plain() -> str:
        return "text"

    async def asynchronous() -> str:
        return "text"

    app.response_class = Own
    app.add_url_rule("/", "index", asynchronous if is_async else plain)
    assert (await answer(app, "/?a=b")).headers[b"x-query"] == b"a=b"


@pytest.mark.parametrize("where", ["subclass", "instance"])
@pytest.mark.parametrize("is_async", [True, False])
@on_a_loop
async def test_request_context_replaced(where: str, is_async: bool) -> None:
    class OwnContext(RequestContext):
        def match_request(self) -> None:
            super().match_request()
            self.g.matched = self.request.endpoint

    class Own(Erlen):
        def request_context(self, environ: WSGIEnvironment) -> RequestContext:
            return OwnContext(self, environ)

    app = Own("own", root_path=".") if where == "subclass" else Erlen("own", root_path=".")
    if where == "instance":
        app.request_context = lambda environ: OwnContext(app, environ)  # type: ignore[method-assign]

    def plain() -> t.Any:
        return [g.matched, request.headers["X-Name"], request.get_data(as_text=True)]

    async def asynchronous() -> t.Any:
        await asyncio.sleep(0)
        return plain()

    app.add_url_rule("/", "index", asynchronous if is_async else plain, methods=["POST"])
    call = await answer(app, body=[b"bo", b"dy"], headers=[(b"x-name", b"Ada")])
    assert call.json == ["index", "Ada", "body"]


@on_a_loop
async def test_request_context_that_fails(app: Erlen) -> None:
    def fail(environ: t.Any) -> t.Any:
        raise LookupError("no context")

    app.request_context = fail  # type: ignore[method-assign]
    call = Call(app, body=b"body")
    with pytest.raises(LookupError, match="no context"):
        await call.run()
    assert call.sent == [] and not has_app_context()


@on_a_loop
async def test_matching_that_fails_is_answered_inside_the_pipeline(app: Erlen) -> None:
    told: list[str] = []

    def fail(request: t.Any) -> t.Any:
        raise LookupError("no adapter")

    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.logger.disabled = True
    app.create_url_adapter = fail  # type: ignore[method-assign]
    app.teardown_request(lambda exc: told.append(type(exc).__name__))
    assert (await answer(app)).status == 500
    assert told == ["LookupError"]


# Test clients


@pytest.mark.protocol("wsgi", "asgi")
def test_client_sends_the_same_over_both_protocols(app: Erlen, client: ErlenClient) -> None:
    @app.route("/<name>", methods=["GET", "POST"])
    async def index(name: str) -> t.Any:
        response = Response(f"{name} {request.args['a']} {request.get_data(as_text=True)}", 203)
        response.set_cookie("seen", "yes")
        response.headers["X-Cookie"] = request.cookies.get("seen", "")
        return response

    response = client.post("/Käse?a=ö", data="body", content_type="text/plain")
    assert (response.status_code, response.text) == (203, "Käse ö body")
    assert client.get("/b?a=c").headers["X-Cookie"] == "yes"


@on_a_loop
async def test_async_client_runs_on_the_loop_of_the_test(app: Erlen) -> None:
    loops: list[t.Any] = []

    @app.get("/")
    async def index() -> str:
        loops.append(asyncio.get_running_loop())
        return request.args["name"]

    async with app.async_test_client() as client:
        response = await client.get("/?name=Ada")
        assert response.text == "Ada" and request.args["name"] == "Ada"
    assert loops == [asyncio.get_running_loop()] and not has_app_context()


@on_a_loop
async def test_scope_with_a_mapping_for_state_is_answered(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: t.cast("t.Any", request.scope)["state"]["pool"])
    assert (await answer(app, scope=http_scope(state={"pool": "open"}))).text == "open"
