"""Short bodies are read at once. Whatever is asked of a request, in whatever order: the answer is that of the general way."""

from __future__ import annotations

import io
import json
import typing as t

import flask
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import FormDataParser
from werkzeug.test import EnvironBuilder

from erlen import Erlen, Request
from erlen import request as erlen_request
from erlen.bodies import BodyStream, UnreadBody
from erlen.received import SHORT

URLENCODED = "application/x-www-form-urlencoded"


class General(Request):
    """A request that has a say in how it is read, and uses it for nothing."""

    def make_form_data_parser(self) -> FormDataParser:
        return super().make_form_data_parser()

    @property
    def is_json(self) -> bool:
        return super().is_json


def make_app(**config: t.Any) -> Erlen:
    app = Erlen("short", root_path=".")
    app.config.update(config)
    app.freeze()
    return app


CONFIGS: list[dict[str, t.Any]] = [
    {},
    {"REFUSE_MALFORMED_REQUESTS": False},
    {"MAX_CONTENT_LENGTH": 20},
    {"MAX_CONTENT_LENGTH": None},
    {"MAX_FORM_MEMORY_SIZE": 12, "MAX_FORM_PARTS": 2},
    {"MAX_FORM_MEMORY_SIZE": 12, "MAX_FORM_PARTS": 2, "REFUSE_MALFORMED_REQUESTS": False},
    {"DEBUG": True},
]
APPS = [make_app(**config) for config in CONFIGS]

ASKED: dict[str, t.Callable[[Request], t.Any]] = {
    "form": lambda request: list(request.form.lists()),
    "files": lambda request: list(request.files.lists()),
    "values": lambda request: list(request.values.lists()),
    "data": lambda request: request.data,
    "get_data": lambda request: request.get_data(),
    "get_data without keeping": lambda request: request.get_data(cache=False),
    "text": lambda request: request.get_data(as_text=True),
    "json": lambda request: request.json,
    "json silently": lambda request: request.get_json(silent=True),
    "json by force": lambda request: request.get_json(force=True),
    "json without keeping": lambda request: request.get_json(cache=False),
    "some of the stream": lambda request: request.stream.read(3),
    "the stream": lambda request: request.stream.read(),
    "a line": lambda request: request.stream.readline(),
    "a header": lambda request: request.headers.get("Content-Type"),
    "type": lambda request: (request.mimetype, request.content_length),
    "a larger limit": lambda request: setattr(request, "max_content_length", 60),
    "a smaller limit": lambda request: setattr(request, "max_content_length", 5),
    "fewer fields": lambda request: setattr(request, "max_form_parts", 1),
    "a shorter form": lambda request: setattr(request, "max_form_memory_size", 8),
    "another type": lambda request: request.environ.update(CONTENT_TYPE="text/plain"),
    "another type in other headers": lambda request: setattr(
        request, "headers", Headers({"Content-Type": URLENCODED})
    ),
    "another stream": lambda request: request.environ.update({"wsgi.input": io.BytesIO(b"a=other" * 9)}),
    "another environment": lambda request: setattr(
        request,
        "environ",
        {
            **request.environ,
            "wsgi.input": io.BytesIO(b'{"b": 2}'),
            "CONTENT_LENGTH": "8",
            "CONTENT_TYPE": "x/y",
        },
    ),
    "an environment": lambda request: request.environ["REQUEST_METHOD"],
    "another parser": lambda request: setattr(request, "form_data_parser_class", FormDataParser),
}


def outcomes(request: Request, asked: list[str]) -> list[t.Any]:
    found: list[t.Any] = []
    for name in asked:
        try:
            found.append((name, ASKED[name](request)))
        except HTTPException as error:
            found.append((name, type(error), error.get_description()))
        except (UnicodeDecodeError, OSError) as error:
            found.append((name, type(error)))
    return found


class Short(io.BytesIO):
    """A stream that returns less than it is asked for."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(5, size or 0) if size and size > 0 else size)


class Failing(io.BytesIO):
    """A stream whose connection breaks after a few bytes, which are lost when more was asked for."""

    def read(self, size: int | None = -1) -> bytes:
        if size is None or not 0 <= size <= 4 - self.tell():
            self.seek(4)
            raise OSError("the connection is broken")
        return super().read(size)

    def readline(self, size: int | None = -1) -> bytes:
        return self.read(size)


class Terminated(io.BytesIO):
    """A stream of which the server says that it ends where the body ends."""


class ShortTerminated(Short, Terminated):
    """Such a stream that returns less than it is asked for."""


class FailingTerminated(Terminated):
    """Such a stream whose connection breaks after a few bytes."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._most(size))

    def readline(self, size: int | None = -1) -> bytes:
        return super().readline(self._most(size))

    def _most(self, size: int | None) -> int:
        left = 4 - self.tell()
        if left <= 0:
            raise OSError("the connection is broken")
        return left if size is None or size < 0 else min(size, left)


def over_wsgi(cls: type[Request], app: Erlen, headers: dict[str, str], body: bytes, stream: t.Any) -> Request:
    environ = EnvironBuilder("/", method="POST").get_environ()
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        environ.pop(name, None)
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT") else f"HTTP_{key}"] = value
    environ["wsgi.input"] = stream(body)
    if "Transfer-Encoding" in headers or isinstance(environ["wsgi.input"], Terminated):
        environ["wsgi.input_terminated"] = True
    request = cls(environ)
    request._application = app
    return request


def over_asgi(cls: type[Request], app: Erlen, headers: dict[str, str], body: bytes, stream: t.Any) -> Request:
    async def receive() -> t.Any:
        raise AssertionError("the body has come")

    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "http_version": "1.1", "headers": pairs}
    request = cls.of_scope(scope, receive, app)
    if request._body is not None:
        assert request._body.take_in({"type": "http.request", "body": body, "more_body": False})
    return request


forms = st.lists(
    st.sampled_from(["a", "b=1", "=", "&", "+", "%20", "%C3%A4", "%zz", "%ff", "ä", "\n"]), max_size=8
).map(lambda parts: "&".join(parts).encode())
texts = st.sampled_from(
    [b"", b"{}", b'{"a": [1, "\xc3\xa4"]}', b"[1", b"\xff", b" null ", b"[" * 30, "1".encode("utf-16"), b"NaN"]
)  # fmt: skip
types = st.sampled_from(
    [
        *(URLENCODED, f"{URLENCODED.upper()} ; charset=latin1", "application/json", "application/json;x=y"),
        *("application/problem+json", "text/plain", "multipart/form-data; boundary=b", "", ";"),
    ]
)
lengths = st.sampled_from(["own"] * 6 + ["", "0", "3", "-1", "x", "²", "99", "9999999"])


@settings(max_examples=200)
@given(
    st.sampled_from([over_wsgi, over_asgi]),
    st.sampled_from(APPS),
    types,
    lengths,
    st.one_of(forms, texts, st.binary(max_size=30)),
    st.lists(st.sampled_from(sorted(ASKED)), min_size=1, max_size=5),
    st.sampled_from([io.BytesIO, Short, Failing, Terminated, ShortTerminated, FailingTerminated]),
    st.booleans(),
)
@example(over_wsgi, APPS[0], URLENCODED, "own", b"a=1", ["form", "the stream", "get_data"], Short, False)
@example(over_asgi, APPS[0], URLENCODED, "own", b"a=1", ["form", "the stream", "get_data"], io.BytesIO, False)
@example(over_wsgi, APPS[0], "application/json", "own", b"{}", ["json", "form", "data"], io.BytesIO, False)
@example(over_wsgi, APPS[0], URLENCODED, "own", b"", ["form", "a line"], io.BytesIO, False)
@example(
    over_wsgi, APPS[0], "application/json", "99", b"", ["json", "a larger limit", "a line"], Short, False
)
@example(over_wsgi, APPS[0], URLENCODED, "own", b"a=1", ["form", "the stream", "get_data"], Terminated, False)
@example(over_wsgi, APPS[0], URLENCODED, "3", b"a=1&b=2\nc", ["form", "a line"], ShortTerminated, False)
@example(over_wsgi, APPS[0], "application/json", "3", b"[1, 2, 3]", ["json", "data"], Terminated, False)
@example(over_wsgi, APPS[0], "application/json", "99", b"[1, 2, 3]", ["json", "data"], Terminated, False)
@example(over_asgi, APPS[0], URLENCODED, "own", b"a=1", ["another stream", "form"], io.BytesIO, False)
@example(over_wsgi, APPS[0], URLENCODED, "own", b"a=1&b=2", ["form", "form", "the stream"], Failing, False)
@example(
    over_wsgi, APPS[0], URLENCODED, "own", b"a=1&b=2", ["form", "another stream", "form"], Failing, False
)
@example(
    over_wsgi,
    APPS[0],
    "application/json",
    "own",
    b"[1, 2]",
    ["json", "a smaller limit", "data"],
    Failing,
    False,
)
def test_answers_are_those_of_the_general_way(
    make: t.Any,
    app: Erlen,
    content_type: str,
    length: str,
    body: bytes,
    asked: list[str],
    stream: t.Any,
    chunked: bool,
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    if length:
        # Over ASGI the server has counted: it gives as much as was announced.
        is_own = length == "own" or make is over_asgi
        headers["Content-Length"] = str(len(body)) if is_own else length
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
    # The general way remembers the type it has read by; a type that is changed later is seen by the short one.
    asked = sorted(asked, key=lambda name: not name.startswith("another type"))
    expected = outcomes(make(General, app, headers, body, stream), asked)
    assert outcomes(make(Request, app, headers, body, stream), asked) == expected


def test_general_way_is_another_one() -> None:
    assert Request._parses_plainly
    assert Request._loads_plainly
    assert not General._parses_plainly
    assert not General._loads_plainly


@pytest.mark.parametrize(
    "name",
    (
        "_get_stream_for_parsing make_form_data_parser mimetype max_form_parts want_form_data_parsed "
        "form_data_parser_class stream max_content_length environ shallow"
    ).split(),
)
def test_class_that_replaces_something_of_forms_is_asked(name: str) -> None:
    replaced: t.Any = type("Own", (Request,), {name: None})
    assert not replaced._parses_plainly


@pytest.mark.parametrize(
    "name",
    ["is_json", "get_data", "mimetype", "stream", "max_content_length", "environ", "_parse_content_type"],
)
def test_class_that_replaces_something_of_json_is_asked(name: str) -> None:
    replaced: t.Any = type("Own", (Request,), {name: None})
    assert not replaced._loads_plainly


def test_class_that_replaces_something_else_is_read_plainly() -> None:
    class Own(Request):
        def on_json_loading_failed(self, e: ValueError | None) -> t.Any:
            return {"failed": True}

    app = make_app()
    assert Own._parses_plainly
    assert Own._loads_plainly
    request = over_wsgi(
        Own, app, {"Content-Type": "application/json", "Content-Length": "1"}, b"[", io.BytesIO
    )
    assert request.json == {"failed": True}
    assert request.get_data() == b"["


@pytest.mark.parametrize("size", [SHORT - 1, SHORT, SHORT + 1])
@pytest.mark.parametrize("make", [over_wsgi, over_asgi])
def test_bodies_around_the_size_that_is_short(make: t.Any, size: int) -> None:
    app = make_app()
    value = "x" * (size - 2)
    headers = {"Content-Type": URLENCODED, "Content-Length": str(size)}
    assert make(Request, app, headers, f"a={value}".encode(), io.BytesIO).form.to_dict() == {"a": value}
    headers["Content-Type"] = "application/json"
    assert make(Request, app, headers, json.dumps(value).encode(), io.BytesIO).json == value


def test_no_more_is_read_than_was_announced() -> None:
    stream = io.BytesIO(b"a=1&b=2POST / HTTP/1.1")
    headers = {"Content-Type": URLENCODED, "Content-Length": "7"}
    request = over_wsgi(Request, make_app(), headers, b"", lambda _: stream)
    assert request.form.to_dict() == {"a": "1", "b": "2"}
    assert request.stream.read() == b""
    assert request.get_data() == b""
    assert stream.read() == b"POST / HTTP/1.1"


def test_limit_that_is_set_later_counts() -> None:
    app = make_app()
    headers = {"Content-Type": URLENCODED, "Content-Length": "7"}
    assert over_wsgi(Request, app, headers, b"a=1&b=2", io.BytesIO).form["b"] == "2"
    app.config["MAX_FORM_PARTS"] = 1
    with pytest.raises(HTTPException, match="more than 1 fields"):
        _ = over_wsgi(Request, app, headers, b"a=1&b=2", io.BytesIO).form
    app.config["MAX_CONTENT_LENGTH"] = 6
    with pytest.raises(HTTPException, match="larger than the 6 bytes"):
        _ = over_wsgi(Request, app, headers, b"a=1&b=2", io.BytesIO).form


@pytest.mark.parametrize("is_terminated", [False, True])
@pytest.mark.parametrize(
    ("content_type", "body", "other"),
    [(URLENCODED, b"a=first", b"a=other one"), ("application/json", b'["first"]', b'["other one"]')],
)
def test_request_with_another_environment_is_that_of_flask(
    content_type: str, body: bytes, other: bytes, is_terminated: bool
) -> None:
    def answer(app: t.Any, request: t.Any) -> t.Any:
        def replace() -> None:
            request.environ = {
                **request.environ,
                **EnvironBuilder("/other?q=2", method="PUT", base_url="http://other.example/x").get_environ(),
                "wsgi.input": io.BytesIO(other),
                "CONTENT_LENGTH": str(len(other)),
                "CONTENT_TYPE": "text/plain",
                "REMOTE_ADDR": "10.0.0.2",
                "HTTP_COOKIE": "name=other",
                "HTTP_AUTHORIZATION": "Bearer other",
                "HTTP_X_NAME": "other",
            }

        def index() -> t.Any:
            return {
                "body": request.form if content_type == URLENCODED else request.get_json(),
                "request": f"{request.method} {request.url} {request.args} {request.remote_addr} {request.server} "
                f"{request.mimetype} {request.content_length} {request.cookies} {request.authorization} "
                f"{request.headers.get('X-Name')} {request.environ['PATH_INFO']} {request.full_path}",
            }

        app.before_request(replace)
        app.add_url_rule("/", "index", index, methods=["POST"])
        builder = EnvironBuilder(
            "/?q=1",
            method="POST",
            input_stream=io.BytesIO(body),
            content_length=len(body),
            content_type=content_type,
            headers=[("Cookie", "name=first"), ("Authorization", "Bearer first"), ("X-Name", "first")],
            environ_overrides={"wsgi.input_terminated": True} if is_terminated else {},
        )
        return app.test_client().open(builder).json

    expected = answer(flask.Flask("other", root_path="."), flask.request)
    assert "other one" in str(expected["body"])
    assert answer(Erlen("other", root_path="."), erlen_request) == expected


@given(st.binary(max_size=12), st.binary(max_size=12), st.lists(st.tuples(st.booleans(), st.integers(-1, 9))))
def test_body_that_is_read_once_more_is_read_as_one(
    data: bytes, rest: bytes, calls: list[tuple[bool, int]]
) -> None:
    parts, whole = UnreadBody(data, BodyStream(io.BytesIO(rest))), io.BytesIO(data + rest)
    for by_lines, size in calls:
        if by_lines:
            assert parts.readline(size) == whole.readline(size)
        else:
            piece = parts.read(size)
            # It may return less than it is asked for, and nothing at the end alone.
            assert piece == whole.read(len(piece))
            assert piece or not size or not whole.read(1)
            assert size >= 0 or not whole.read(1)
    assert parts.read() == whole.read()


def test_terminated_body_is_not_read_beyond_its_limits() -> None:
    app = make_app()
    app.config["MAX_CONTENT_LENGTH"] = 1000
    headers = {"Content-Type": URLENCODED, "Content-Length": "7"}
    stream = Terminated(b"a=1&b=2" + b"&c=3" * 1000)
    with pytest.raises(HTTPException, match="larger than"):
        _ = over_wsgi(Request, app, headers, b"", lambda _: stream).form
    assert stream.tell() < 2000
