"""A view's return value becomes a response, and the response sends itself."""

from __future__ import annotations

import copy
import typing as t
from collections.abc import AsyncIterator
from http import HTTPStatus

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from werkzeug.datastructures import Headers
from werkzeug.exceptions import ImATeapot
from werkzeug.test import create_environ
from werkzeug.wrappers import Response as PlainResponse

from erlen import Erlen, Response
from erlen.pipeline.responses import ACCEPTED
from erlen.response import ResponseHeaders


class Sent(t.NamedTuple):
    """What a WSGI server got."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def send(application: t.Any, method: str = "GET", path: str = "/") -> Sent:
    """Call an application as a server does, without the checks of ``wsgiref.validate``: some answers are odd."""
    sent: list[t.Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
        sent[:] = [status, list(headers)]

    body = application(create_environ(path, method=method), start_response)
    try:
        return Sent(sent[0], sent[1], b"".join(body))
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()


def answer(value: t.Any, framework: t.Any = Erlen, **attributes: t.Any) -> Sent:
    """Return what a view's return value is sent as, with Flask's defaults."""
    options: dict[str, t.Any] = {"profile": "flask"} if issubclass(framework, Erlen) else {}
    app = framework("answering", **options)
    app.testing = True
    for name, attribute in attributes.items():
        setattr(app, name, attribute)
    app.add_url_rule("/", "view", value)
    return send(app)


def wsgi(environ: t.Any, start_response: t.Any) -> list[bytes]:
    start_response("202 Accepted", [("Content-Type", "text/x-wsgi"), ("X-Path", environ["PATH_INFO"])])
    return [b"from ", b"wsgi"]


def letters() -> t.Iterator[str]:
    yield "ä"
    yield "b"


class Mapping(dict[str, int]):
    """A dict of a class of its own."""


VALUES: dict[str, t.Callable[[], t.Any]] = {
    "str": lambda: "größe",
    "str of a subclass": lambda: Markup("<b>ä</b>"),
    "bytes": lambda: b"\xff",
    "bytearray": lambda: bytearray(b"array"),
    "dict": lambda: {"b": 1, "a": "ä"},
    "dict of a subclass": lambda: Mapping(a=1),
    "list": lambda: [1, "ä"],
    "iterator": lambda: iter(["a", "b"]),
    "generator": letters,
    "wsgi callable": lambda: wsgi,
    "plain response": lambda: PlainResponse("werkzeug", 203, mimetype="text/css"),
    "exception": lambda: ImATeapot("short"),
    "status int": lambda: ("text", 201),
    "status str": lambda: ("text", "201 Made"),
    "status digits": lambda: ("text", "201"),
    "status enum": lambda: ("text", HTTPStatus.CREATED),
    "status None": lambda: ("text", None),
    "headers dict": lambda: ("text", {"X-One": "1", "content-type": "text/plain"}),
    "headers of a dict of lists": lambda: ("text", {"X-One": ["1", "2"]}),
    "headers list": lambda: ("text", [("X-One", "1"), ("X-Two", "2")]),
    "headers tuple": lambda: ("text", (("X-One", "1"),)),
    "headers object": lambda: ("text", Headers([("X-One", "1"), ("X-One", "2")])),
    "status and headers": lambda: ("text", 201, {"X-One": "1"}),
    "status enum and headers": lambda: ({"a": 1}, HTTPStatus.ACCEPTED, [("X-One", "1")]),
    "bytes and length": lambda: (b"text", {"Content-Length": "4"}),
    "wsgi and status": lambda: (wsgi, 418, {"X-One": "1"}),
    "exception and status": lambda: (ImATeapot("short"), 400, {"X-One": "1"}),
    "generator and headers": lambda: (letters(), {"Content-Type": "text/plain"}),
    "no content": lambda: ("", 204),
}


@pytest.mark.parametrize("name", VALUES)
def test_documented_value_is_answered_as_in_flask(name: str) -> None:
    ours, flasks = answer(VALUES[name]), answer(VALUES[name], flask.Flask)
    assert ours.status == flasks.status
    assert sorted(ours.headers) == sorted(flasks.headers)
    assert ours.body == flasks.body


def test_response_of_the_application_s_class_is_sent_as_it_is() -> None:
    response = Response("own", 201)
    app = Erlen("answering")
    with app.test_request_context():
        assert app.make_response(response) is response


def test_response_of_another_class_becomes_the_application_s() -> None:
    app = Erlen("answering")
    with app.test_request_context():
        response = app.make_response(PlainResponse("plain", 201))
    assert type(response) is Response
    assert (response.status_code, response.data) == (201, b"plain")


def test_headers_of_a_tuple_replace_those_of_its_response() -> None:
    sent = answer(lambda: (Response("text", headers={"X-One": "1", "X-Two": "2"}), {"x-one": "3"}))
    assert ("X-Two", "2") in sent.headers
    assert [value for name, value in sent.headers if name.lower() == "x-one"] == ["3"]


# Values that are none of the documented kinds


def broken() -> str:
    return "no wsgi"


RETURNED_NONE = "The view for 'view' returned None: a 'return' is missing at the end of the function, or on one of its branches."


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            None,
            RETURNED_NONE,
        ),
        (
            (None, 200),
            RETURNED_NONE,
        ),
        (17, "The view for 'view' returned 17, of type int."),
        (1.5, "The view for 'view' returned 1.5, of type float."),
        (True, "The view for 'view' returned True, of type bool."),
        ({1}, "The view for 'view' returned {1}, of type set."),
        (("text",), "The view for 'view' returned a tuple of 1 items: ('text',)."),
        ((), "The view for 'view' returned a tuple of 0 items: ()."),
        (
            ("text", 200, {}, "more"),
            "The view for 'view' returned a tuple of 4 items: ('text', 200, {}, 'more').",
        ),
    ],
)
def test_other_value_is_explained(value: t.Any, expected: str) -> None:
    with pytest.raises(TypeError) as caught:
        answer(lambda: value)
    assert str(caught.value) == f"{expected} {ACCEPTED}"


def test_accepted_values_are_named() -> None:
    assert ACCEPTED == (
        "A view returns a str, bytes, a dict or list (sent as JSON), a Response, an iterator of str or bytes (plain or "
        "async), or a WSGI callable; or a tuple of one of these with a status, with headers, or with both: (body, status), "
        "(body, headers), (body, status, headers)."
    )


async def nobody_awaits() -> str:
    return "text"


def test_coroutine_is_explained() -> None:
    """And it is closed, so that nothing warns of it later."""
    with pytest.raises(TypeError) as caught:
        answer(lambda: nobody_awaits())
    assert str(caught.value).startswith(
        "The view for 'view' returned a coroutine that nobody has awaited: <coroutine object nobody_awaits at "
    )
    assert str(caught.value).endswith(
        "Write 'return await ...' in an 'async def' view; where a decorator has called an 'async def' function, make what "
        "it puts in its place 'async def' as well."
    )


def test_callable_that_is_no_wsgi_application_is_explained() -> None:
    with pytest.raises(TypeError) as caught:
        answer(lambda: broken)
    message = str(caught.value)
    assert message.startswith(
        f"The view for 'view' returned {broken!r}, a callable that does not behave as a WSGI"
    )
    assert "takes 0 positional arguments but 2 were given" in message
    assert message.endswith(ACCEPTED)
    assert isinstance(caught.value.__cause__, TypeError)


def test_async_generator_is_the_body_of_a_response() -> None:
    async def generate() -> AsyncIterator[str]:
        yield "a"
        yield "ü"

    assert answer(generate).body == "aü".encode()


def test_value_given_to_make_response_outside_a_view_names_the_call() -> None:
    app = Erlen("answering")
    with app.app_context(), pytest.raises(TypeError, match=r"^make_response\(\) returned None"):
        app.make_response(None)


# A response class of the application's


class Json(Response):
    default_mimetype = "application/json"


class Stamped(Response):
    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.headers["X-Stamp"] = "init"


class Shouting(Response):
    def set_data(self, value: bytes | str) -> None:
        super().set_data(value.upper())


class Signed(Response):
    def get_wsgi_headers(self, environ: t.Any) -> Headers:
        headers = super().get_wsgi_headers(environ)
        headers["X-Signed"] = environ["PATH_INFO"]
        return headers


class Css(Response):
    default_mimetype = "text/css"


class Untyped(Response):
    default_mimetype = None


class Created(Response):
    default_status = 201


class Streaming(Response):
    def iter_encoded(self) -> t.Iterator[bytes]:
        yield from (chunk[::-1] for chunk in super().iter_encoded())


class Wrapped(Response):
    def get_app_iter(self, environ: t.Any) -> t.Iterable[bytes]:
        return [b"<", *super().get_app_iter(environ), b">"]


class Answering(Response):
    def get_wsgi_response(self, environ: t.Any) -> t.Any:
        app_iter, _, headers = super().get_wsgi_response(environ)
        return app_iter, "299 Own", headers


class Called(Response):
    def __call__(self, environ: t.Any, start_response: t.Any) -> t.Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/x-called")])
        return [b"called"]


# Its mark is on the whole process; tests of other files are to go without.
Response.needs_environ = False


class Unlabelled(Response):
    automatically_set_content_length = False


class Closing(Response):
    closed: t.ClassVar[list[str]] = []

    def close(self) -> None:
        self.closed.append("closed")
        super().close()


CLASSES = [
    Json,
    Stamped,
    Shouting,
    Signed,
    Css,
    Untyped,
    Created,
    Streaming,
    Wrapped,
    Answering,
    Called,
    Closing,
    Unlabelled,
]


def _flask_class(cls: type[Response]) -> t.Any:
    """Return the same class, made of Flask's response."""
    changes = {name: value for name, value in vars(cls).items() if name not in {"__dict__", "__weakref__"}}
    base: t.Any = flask.Response
    made: t.Any = type(cls.__name__, (base,), {})
    for name, value in changes.items():
        # ``super()`` in a method is bound to the class it was written in.
        if callable(value):
            function: t.Any = value
            if function.__closure__:
                cell = type(function.__closure__[0])(made)
                value = type(function)(
                    function.__code__, function.__globals__, name, function.__defaults__, (cell,)
                )
        if name != "_sends_plainly":
            setattr(made, name, value)
    return made


@pytest.mark.parametrize("value", ["text", {"a": 1}, [1]], ids=repr)
@pytest.mark.parametrize("cls", CLASSES)
def test_response_class_is_honoured_as_in_flask(cls: type[Response], value: t.Any) -> None:
    ours = answer(lambda: value, response_class=cls)
    flasks = answer(lambda: value, flask.Flask, response_class=_flask_class(cls))
    assert ours.status == flasks.status
    assert sorted(ours.headers) == sorted(flasks.headers)
    assert ours.body == flasks.body


def test_response_class_assigned_after_the_first_request_is_honoured() -> None:
    app = Erlen("answering")
    app.add_url_rule("/", "view", lambda: "text")
    assert send(app).body == b"text"
    app.response_class = Shouting
    assert send(app).body == b"TEXT"


@pytest.mark.parametrize("cls", [Json, Stamped, Shouting, Signed, Css])
def test_response_class_is_that_of_every_response(cls: type[Response]) -> None:
    app = Erlen("answering")
    app.response_class = cls
    app.testing = True
    seen: list[type[t.Any]] = []

    @app.after_request
    def after(response: t.Any) -> t.Any:
        seen.append(type(response))
        return response

    values: dict[str, t.Any] = {"/text": "text", "/json": {}, "/wsgi": wsgi, "/error": ImATeapot()}
    for path, value in values.items():
        app.add_url_rule(path, path, lambda value=value: value)
    for path in (*values, "/missing"):
        send(app, path=path)
    send(app, "OPTIONS", "/text")
    assert set(seen) == {cls}


# The fast way to make a response

OWN = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer")]


@given(text=st.text(st.characters(codec="utf-8")), kind=st.sampled_from(["text/html", "text/plain"]))
def test_response_of_bytes_is_what_the_constructor_makes(text: str, kind: str) -> None:
    slow: t.Any = Response(text, mimetype=kind)
    slow.headers.extend(OWN)
    fast = Response.of_bytes(text.encode(), ("Content-Type", slow.content_type), list(OWN))
    assert list(fast.headers) == list(slow.headers)
    assert (fast.status, fast.status_code, fast.mimetype) == (slow.status, slow.status_code, slow.mimetype)
    assert (fast.response, fast.data) == (slow.response, slow.data)
    assert fast.direct_passthrough == slow.direct_passthrough
    assert send(fast) == send(slow)
    assert send(fast, "HEAD") == send(slow, "HEAD")
    # Every attribute of the one is there for the other.
    missing = {name for name in vars(slow) if not hasattr(fast, name)}
    assert missing == set()


@given(st.text())
def test_text_of_a_view_is_sent_as_by_the_constructor(text: str) -> None:
    app = Erlen("answering", profile="flask")
    with app.test_request_context():
        try:
            slow: t.Any = Response(text)
        except UnicodeEncodeError:
            # A lone surrogate.
            with pytest.raises(UnicodeEncodeError):
                app.make_response(text)
        else:
            assert send(app.make_response(text)) == send(slow)


def test_two_fast_responses_share_nothing() -> None:
    app = Erlen("answering")
    with app.test_request_context():
        one, two = app.make_response("one"), app.make_response("two")
        one.headers["X-Own"] = "1"
        one.headers.remove("Referrer-Policy")
        one.call_on_close(lambda: None)
        one.status_code = 404
        assert "X-Own" not in two.headers
        assert "Referrer-Policy" in two.headers
        assert send(two).status == "200 OK"
        assert "Referrer-Policy" in app.make_response("three").headers


def test_repr_of_a_fast_response() -> None:
    app = Erlen("answering")
    with app.test_request_context():
        assert repr(app.make_response("four")) == "<Response 4 bytes [200 OK]>"


# The short way to send one, beside the general way of Werkzeug's

Change: t.TypeAlias = "t.Callable[[t.Any], object]"


def _iterated(response: t.Any) -> None:
    response.response = iter([b"it", b"er"])


def _set(name: str, value: t.Any, response: t.Any) -> None:
    setattr(response, name, value)


def _assign(name: str, value: t.Any) -> Change:
    # A copy each time: what is assigned may be changed in place afterwards.
    return lambda response: _set(name, copy.deepcopy(value), response)


def _corrected(response: t.Any) -> None:
    response.headers["Location"] = "next"
    response.autocorrect_location_header = True


def _unlabelled(response: t.Any) -> None:
    response.automatically_set_content_length = False
    response.headers.remove("Content-Length")


def _header(name: str, value: str) -> Change:
    return lambda response: response.headers.__setitem__(name, value)


CHANGES: dict[str, Change] = {
    "nothing": lambda response: None,
    "header": _header("X-Own", "größe"),
    "header in lower case": _header("x-content-type-options", "own"),
    "header of int": lambda response: response.headers.__setitem__("X-Int", 7),
    "header twice": lambda response: response.headers.add("Referrer-Policy", "origin"),
    "location": _header("Location", "/pfad/größe?a=ü b"),
    "location in lower case": _header("location", "/pfad/größe"),
    "location through the attribute": _assign("location", "größe"),
    "content location": _header("content-Location", "/größe"),
    "corrected location": _corrected,
    "no content length": lambda response: response.headers.remove("Content-Length"),
    "no content length, deleted": lambda response: response.headers.__delitem__("content-length"),
    "no content length, popped": lambda response: response.headers.pop("CONTENT-LENGTH"),
    "no content type": lambda response: response.headers.pop("Content-Type"),
    "other content length": _header("Content-Length", "2"),
    "no headers": lambda response: response.headers.clear(),
    "last header popped": lambda response: response.headers.popitem(),
    "header by number": lambda response: response.headers.__setitem__(0, ("Content-Type", "text/css")),
    "headers updated": lambda response: response.headers.update({"X-One": ["1", "2"]}),
    "headers in place": lambda response: response.headers.__ior__({"X-One": "1"}),
    "headers extended": lambda response: response.headers.extend([("Location", "/ü")]),
    "headers set": lambda response: response.headers.set("Location", "/ü", option="x"),
    "headers by list": lambda response: response.headers.setlist("Location", ["/ü"]),
    "headers by default": lambda response: response.headers.setdefault("Location", "/ü"),
    "headers listed by default": lambda response: response.headers.setlistdefault("Location", ["/ü"]),
    "header added by parts": lambda response: response.headers.add_header("Location", "/ü"),
    "headers replaced": lambda response: setattr(response, "headers", Headers([("X-New", "1")])),
    "cookie": lambda response: response.set_cookie("name", "wert ü", httponly=True),
    "two cookies": lambda response: [response.set_cookie(name, "1") for name in "ab"],
    "cookie deleted": lambda response: response.delete_cookie("name"),
    "vary": lambda response: response.vary.add("Cookie"),
    "cache control": _assign("cache_control.max_age", 1),
    "mimetype": _assign("mimetype", "text/plain"),
    "content type": _assign("content_type", "text/plain; charset=latin-1"),
    "etag": lambda response: response.add_etag(),
    "status code": _assign("status_code", 404),
    "status code as a reason": _assign("status", "200 Fine"),
    "status without a body": _assign("status_code", 204),
    "status unchanged": _assign("status_code", 304),
    "status informational": _assign("status_code", 100),
    "status unknown": _assign("status_code", 799),
    "data": _assign("data", "größer"),
    "data of bytes": _assign("data", b"\x00"),
    "no data": _assign("data", ""),
    "set data": lambda response: response.set_data("größer"),
    "response of bytes": _assign("response", [b"direct"]),
    "response of text": _assign("response", ["größe"]),
    "response of two": _assign("response", [b"a", b"b"]),
    "response of none": _assign("response", []),
    "response of a tuple": _assign("response", (b"tuple",)),
    "response of bytearray": _assign("response", [bytearray(b"array")]),
    "response of an iterator": _iterated,
    "response appended to": lambda response: response.response.append(b" more"),
    "response changed in place": lambda response: response.response.__setitem__(0, b"other"),
    "stream written to": lambda response: response.stream.write(b" more"),
    "frozen": lambda response: response.freeze(),
    "direct passthrough": _assign("direct_passthrough", True),
    "made a sequence": lambda response: response.make_sequence(),
    "content range": lambda response: response.content_range.set(0, 2, 4),
    "no automatic length": _unlabelled,
}


def _both(text: str = "größe") -> tuple[t.Any, t.Any]:
    """Return the same response made the fast way, and by Werkzeug's class."""
    fast = Response.of_bytes(text.encode(), ("Content-Type", "text/html; charset=utf-8"), list(OWN))
    general = PlainResponse(text, mimetype="text/html")
    general.autocorrect_location_header = False
    general.headers.extend(OWN)
    return fast, general


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("name", CHANGES)
def test_changed_response_is_sent_as_by_werkzeug(name: str, method: str) -> None:
    sent: list[Sent] = []
    for response in _both():
        CHANGES[name](response)
        sent.append(send(response, method))
    assert sent[0] == sent[1]


@given(st.lists(st.sampled_from(sorted(set(CHANGES) - {"response of an iterator"})), max_size=4))
def test_several_changes_are_sent_as_by_werkzeug(names: list[str]) -> None:
    results: list[t.Any] = []
    for response in _both():
        try:
            for name in names:
                CHANGES[name](response)
            results.append(send(response))
        except Exception as error:
            results.append(repr(error))
    assert results[0] == results[1]


# What the constructor makes, beside the constructor of Werkzeug's class

_BODIES: t.Any = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8"), max_size=5),
    st.binary(max_size=5),
    st.binary(max_size=5).map(bytearray),
    st.just(Markup("<b>")),
    st.lists(st.sampled_from(["a", b"b", "ä", bytearray(b"c")]), max_size=3),
    st.lists(st.sampled_from(["a", b"b"]), max_size=3).map(tuple),
)
_STATUSES: t.Any = st.one_of(
    st.none(),
    st.sampled_from([100, 200, 201, 204, 206, 302, 304, 404, 418, 599, 799, 0, True, HTTPStatus.ACCEPTED]),
    st.sampled_from(["200 OK", "201 Made", "404", "Reason alone", "", " 299  Spaces "]),
)
_NAMES = st.sampled_from(
    [
        "X-One",
        "x-one",
        "Content-Type",
        "content-type",
        "Content-Length",
        "content-length",
        "Location",
        "location",
        "Content-Location",
        "Set-Cookie",
        "Expires",
        "Allow",
        "X-Content-Type-Options",
    ]
)
_HEADER_VALUES: t.Any = st.sampled_from(
    [
        "1",
        "a/b",
        "/next",
        "//host/x",
        "/a?",
        "/a?b=c",
        "/ä",
        "/a b",
        "https://Example.com/x",
        "a\r\nb",
        "a\nb",
        "",
        7,
    ]
)
_HEADERS: t.Any = st.one_of(
    st.none(),
    st.dictionaries(_NAMES, _HEADER_VALUES, max_size=3),
    st.lists(st.tuples(_NAMES, _HEADER_VALUES), max_size=3),
    st.dictionaries(_NAMES, st.lists(_HEADER_VALUES, max_size=2), max_size=2),
    st.lists(st.tuples(_NAMES, st.just("1")), max_size=3).map(Headers),
)
_ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "response": _BODIES,
        "status": _STATUSES,
        "headers": _HEADERS,
        "mimetype": st.sampled_from([None, "text/css", "application/json", "image/svg+xml", "", "a\nb"]),
        "content_type": st.sampled_from([None, "text/x; charset=latin1", "application/json", "", "a\nb"]),
        "direct_passthrough": st.booleans(),
    },
)


class _General(PlainResponse):
    default_mimetype = "text/html"
    autocorrect_location_header = False


def _outcome(cls: t.Any, arguments: dict[str, t.Any], method: str) -> t.Any:
    """Return what a response made of arguments is sent as, or the error that it raised on the way."""
    try:
        response = cls(**copy.deepcopy(arguments))
        made = response.status, response.status_code, list(response.headers), response.response
        return made, response.direct_passthrough, send(response, method), list(response.headers)
    except Exception as error:
        return type(error), str(error)


@given(arguments=_ARGUMENTS, method=st.sampled_from(["GET", "HEAD", "POST"]))
def test_constructor_makes_and_sends_what_werkzeug_s_does(arguments: dict[str, t.Any], method: str) -> None:
    assert _outcome(Response, arguments, method) == _outcome(_General, arguments, method)


@given(arguments=_ARGUMENTS, names=st.lists(st.sampled_from(sorted(set(CHANGES))), max_size=2))
def test_constructed_response_is_changed_as_werkzeug_s(arguments: dict[str, t.Any], names: list[str]) -> None:
    results: list[t.Any] = []
    for cls in (Response, _General):
        try:
            response: t.Any = cls(**copy.deepcopy(arguments))
            for name in names:
                CHANGES[name](response)
            results.append(send(response))
        except Exception as error:
            results.append((type(error), str(error)))
    assert results[0] == results[1]


def _value(text: str) -> str:
    return f"/{text}"


@given(st.one_of(st.text(max_size=12).map(_value), st.text("/?#:%@[]!$&'();=a.-~ ", max_size=12).map(_value)))
def test_location_is_sent_as_by_werkzeug(location: str) -> None:
    results: list[t.Any] = []
    for cls in (Response, _General):
        try:
            results.append(send(cls("moved", 302, {"Location": location})))
        except Exception as error:
            results.append((type(error), str(error)))
    assert results[0] == results[1]


@pytest.mark.parametrize("cls", CLASSES)
def test_constructor_of_a_subclass_makes_what_werkzeug_s_does(cls: type[Response]) -> None:
    given: list[tuple[t.Any, ...]] = [
        ("text", 201, {"X-One": "1"}),
        (b"bytes",),
        (["a", "b"], "299 Own"),
        (None, 204),
        (),
    ]
    for arguments in given:
        ours, flasks = cls(*arguments), _flask_class(cls)(*arguments)
        assert (ours.status, list(ours.headers), ours.response) == (
            flasks.status,
            list(flasks.headers),
            flasks.response,
        )
        assert send(ours) == send(flasks)


def test_class_between_response_and_werkzeug_s_has_its_say() -> None:
    class Between(PlainResponse):
        def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().__init__(*args, **kwargs)
            self.headers["X-Between"] = "1"

        def get_app_iter(self, environ: t.Any) -> t.Iterable[bytes]:
            return [b"between"]

    class Own(Response, Between):
        pass

    sent = send(Own("text"))
    assert ("X-Between", "1") in sent.headers
    assert sent.body == b"between"


def test_response_calls_what_waits_for_its_close() -> None:
    closed: list[str] = []
    for response in _both():
        response.call_on_close(lambda: closed.append("closed"))
        assert send(response).body == "größe".encode()
    assert closed == ["closed", "closed"]


def test_response_of_a_view_calls_what_waits_for_its_close() -> None:
    app, closed = Erlen("answering"), list[str]()

    @app.after_request
    def after(response: Response) -> Response:
        response.call_on_close(lambda: closed.append("closed"))
        return response

    app.add_url_rule("/", "view", lambda: "text")
    assert send(app).body == b"text"
    assert closed == ["closed"]


def test_response_may_be_sent_several_times() -> None:
    for response in _both():
        first, second = send(response), send(response)
        response.headers["X-Third"] = "1"
        assert first == second
        assert send(response).headers == [*first.headers, ("X-Third", "1")]


def test_response_that_a_view_returns_each_time_gains_nothing() -> None:
    app = Erlen("answering")
    response = Response("shared")
    app.add_url_rule("/", "view", lambda: response)
    first = send(app)
    assert send(app) == first
    assert [name for name, _ in first.headers].count("X-Content-Type-Options") == 1


@pytest.mark.parametrize("change", ["nothing", "header", "location", "status code"])
def test_list_of_headers_belongs_to_the_server(change: str) -> None:
    """PEP 3333: the server may change the list it is given."""
    fast, _ = _both()
    CHANGES[change](fast)
    before = list(fast.headers)

    def start_response(status: str, headers: list[t.Any], exc_info: t.Any = None) -> t.Any:
        headers.append(("Server", "test"))
        del headers[0]

    fast(create_environ(), start_response)
    assert list(fast.headers) == before


def test_list_of_headers_is_not_shared_by_requests() -> None:
    app = Erlen("answering")
    app.add_url_rule("/", "view", lambda: "text")
    app.add_url_rule("/json", "json", lambda: {"a": 1})
    lists: list[list[t.Any]] = []

    def start_response(status: str, headers: list[t.Any], exc_info: t.Any = None) -> t.Any:
        lists.append(list(headers))
        headers.clear()

    for path in ("/", "/json", "/", "/json"):
        app(create_environ(path), start_response)
    assert lists[:2] == lists[2:]
    assert all(len(headers) == 4 for headers in lists)


def test_copy_of_the_headers_belongs_to_whoever_made_it() -> None:
    app = Erlen("answering")
    with app.test_request_context():
        for response in (app.make_response("text"), Response("text")):
            before = list(response.headers)
            copied = response.headers.copy()
            copied["X-Own"] = "1"
            merged = response.headers | {"X-Other": "2"}
            assert (copied["X-Own"], merged["X-Other"]) == ("1", "2")
            assert list(response.headers) == before


def test_missing_headers_are_added_and_others_stay() -> None:
    headers = ResponseHeaders([("A", "1")])
    headers.add_missing([("a", "2"), ("B", "3")])
    assert list(headers) == [("A", "1"), ("B", "3")]


def test_headers_refuse_line_breaks() -> None:
    """Bottle CVE-2016-9964."""
    app = Erlen("answering")
    with app.test_request_context():
        response = app.make_response("text")
        with pytest.raises(ValueError, match="newline"):
            response.headers["X-Own"] = "a\r\nSet-Cookie: b=c"


def test_max_cookie_size_is_that_of_the_application() -> None:
    app = Erlen("answering")
    app.config["MAX_COOKIE_SIZE"] = 100
    assert Response().max_cookie_size == 4093
    with app.app_context():
        assert Response().max_cookie_size == 100
        with pytest.warns(UserWarning, match="too large"):
            Response().set_cookie("name", "x" * 200)


def test_json_of_a_response_is_read_and_written() -> None:
    response = Response('{"a": 1}', mimetype="application/json")
    assert (response.is_json, response.json, response.get_json()) == (True, {"a": 1}, {"a": 1})
