"""The request: lazily made, and nevertheless Werkzeug's; its limits, its JSON, its end."""

from __future__ import annotations

import io
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.test import create_environ
from werkzeug.wrappers import Request as PlainRequest

from erlen import Blueprint, Erlen, Request, request
from erlen.testing import ErlenClient
from erlen.wrappers import split_blueprint_path

ATTRIBUTES = (
    "method scheme server root_path path query_string remote_addr full_path is_secure url base_url root_url host_url "
    "host url_root script_root access_route args cookies user_agent referrer content_type content_length "
    "content_encoding mimetype mimetype_params accept_mimetypes accept_languages if_none_match if_modified_since range "
    "cache_control date origin is_json authorization max_forwards pragma remote_user shallow input_stream stream data "
    "form files values is_multithread is_run_once want_form_data_parsed access_control_request_method"
).split()

# Text as PEP 3333 has it in an environ: bytes as latin-1.
native = st.text(st.characters(max_codepoint=0xFF), max_size=12)
unicode = st.text(st.characters(codec="utf-8"), max_size=8).map(lambda text: text.encode().decode("latin1"))
paths = st.one_of(native, unicode, unicode.map(lambda text: f"/{text}"), st.just("//evil/x"), st.just(""))
hosts = st.sampled_from(
    ["localhost", "example.org:8080", "[::1]:5000", "xn--mnchen-3ya.test", "a b", "", "x:80", "ü"]
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "HTTP_HOST": hosts,
        "HTTP_COOKIE": native,
        "HTTP_USER_AGENT": native,
        "HTTP_ACCEPT": st.sampled_from(["text/html;q=0.5, */*", "", "a;q=x", "application/json"]),
        "HTTP_ACCEPT_LANGUAGE": native,
        "HTTP_X_FORWARDED_FOR": st.sampled_from(["1.2.3.4, 5.6.7.8", ""]),
        "HTTP_IF_NONE_MATCH": st.sampled_from(['"a", W/"b"', "*", "broken"]),
        "HTTP_IF_MODIFIED_SINCE": native,
        "HTTP_RANGE": st.sampled_from(["bytes=0-1", "bytes=-0", "x"]),
        "HTTP_DATE": native,
        "HTTP_REFERER": native,
        "HTTP_MAX_FORWARDS": st.sampled_from(["1", "x"]),
        "HTTP_AUTHORIZATION": st.sampled_from(["Basic YTpi", "Bearer x", "Digest a=b", "Basic", ""]),
        "CONTENT_TYPE": st.sampled_from(["", "text/plain; charset=latin-1", "application/json", "x"]),
        "CONTENT_LENGTH": st.sampled_from(["", "3", "03", "0", "x"]),
        "REMOTE_ADDR": native,
        "REMOTE_USER": native,
        "QUERY_STRING": st.one_of(
            native, st.sampled_from(["a=1&a=2&b", "a=%ff&%C3%BC=%E2", "&&=&a==", "+=+"])
        ),
        "SCRIPT_NAME": paths,
        "SERVER_NAME": hosts,
        "SERVER_PORT": st.sampled_from(["80", "443", "5000", "", "unix"]),
        "wsgi.url_scheme": st.sampled_from(["http", "https", "ws"]),
        "REQUEST_METHOD": st.sampled_from(["GET", "get", "POST", "Größe"]),
        "PATH_INFO": paths,
        "wsgi.multithread": st.booleans(),
        "wsgi.run_once": st.booleans(),
    },
)


def _read(request: PlainRequest, name: str) -> t.Any:
    try:
        value = getattr(request, name)
        if name in {"stream", "input_stream"}:
            return value.read()
        # Some values (a user agent, a range) are only equal to themselves.
        return value if isinstance(value, str | bytes | tuple | dict | None) else str(value)
    except Exception as error:
        return type(error)


def _environ(more: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"wsgi.input": io.BytesIO(b"abc"), "REQUEST_METHOD": "GET", "wsgi.version": (1, 0), **more}


@given(headers, st.permutations(ATTRIBUTES))
def test_attributes_are_those_of_werkzeug_in_whatever_order_they_are_read(
    environ: dict[str, t.Any], names: list[str]
) -> None:
    ours, theirs = Request(_environ(environ)), PlainRequest(_environ(environ))
    for name in names:
        assert _read(ours, name) == _read(theirs, name), name
    assert list(ours.headers) == list(theirs.headers)


def test_attributes_are_made_when_they_are_read_and_kept() -> None:
    made = Request(create_environ("/path?a=1"))
    assert not {"path", "headers", "args", "url", "scheme"} & set(vars(made))
    assert made.headers is made.headers
    assert made.args is made.args
    assert "path" not in vars(made)


def test_attributes_may_be_assigned() -> None:
    made = Request(create_environ("/path"))
    made.path, made.scheme = "/other", "https"
    assert made.url == "https://localhost/other"
    t.cast("t.Any", made).anything = 1


def test_request_is_stored_in_its_environ_unless_told_otherwise() -> None:
    environ = create_environ()
    assert Request(environ).environ["werkzeug.request"] is environ["werkzeug.request"]
    for options in ({"populate_request": False}, {"shallow": True}):
        environ = create_environ()
        Request(environ, **options)
        assert "werkzeug.request" not in environ


def test_shallow_request_refuses_to_read_its_body() -> None:
    made = Request(create_environ(method="POST", data={"a": "1"}), shallow=True)
    with pytest.raises(RuntimeError, match="shallow"):
        _ = made.form


def test_request_without_an_application_has_werkzeug_s_limits() -> None:
    ours, theirs = Request(create_environ()), PlainRequest(create_environ())
    for name in ("max_content_length", "max_form_memory_size", "max_form_parts"):
        assert getattr(ours, name) == getattr(theirs, name)


# Limits


@pytest.mark.parametrize(
    ("attribute", "key"),
    [
        ("max_content_length", "MAX_CONTENT_LENGTH"),
        ("max_form_memory_size", "MAX_FORM_MEMORY_SIZE"),
        ("max_form_parts", "MAX_FORM_PARTS"),
    ],
)
def test_limit_is_that_of_the_configuration_until_a_request_sets_its_own(
    app: Erlen, attribute: str, key: str
) -> None:
    app.config[key] = 7
    with app.test_request_context() as one, app.test_request_context() as two:
        setattr(one.request, attribute, 3)
        assert getattr(one.request, attribute) == 3
        assert getattr(two.request, attribute) == 7
        app.config[key] = None
        assert getattr(two.request, attribute) is None
        setattr(one.request, attribute, 0)
        assert getattr(one.request, attribute) == 0


def test_request_lifts_the_limit_of_its_body(app: Erlen, client: ErlenClient) -> None:
    app.config["MAX_CONTENT_LENGTH"] = 3

    @app.before_request
    def lift() -> None:
        if request.path == "/large":
            request.max_content_length = 10

    for path in ("/small", "/large"):
        app.add_url_rule(path, path, lambda: request.get_data(), methods=["POST"])
    assert client.post("/large", data=b"12345").data == b"12345"
    assert client.post("/large", data=b"1" * 11).status_code == 413
    assert client.post("/small", data=b"12345").status_code == 413


@pytest.mark.parametrize(
    ("key", "data", "expected"),
    [
        (
            "MAX_FORM_PARTS",
            {"a": "1", "b": "2", "c": "3"},
            "This form has more than 2 fields (MAX_FORM_PARTS).",
        ),
        ("MAX_FORM_MEMORY_SIZE", {"abc": "1"}, "This form is larger than 2 bytes (MAX_FORM_MEMORY_SIZE)."),
    ],
)
def test_413_names_the_limit_of_a_form(
    app: Erlen, client: ErlenClient, key: str, data: dict[str, str], expected: str
) -> None:
    app.config[key] = 2
    app.register_error_handler(413, lambda error: (error.description, 413))
    app.add_url_rule("/", "index", lambda: request.form.to_dict(), methods=["POST"])
    response = client.post("/", data=data)
    assert (response.status_code, response.text) == (413, expected)


# JSON


def test_body_that_is_no_json_is_a_400_that_quotes_nothing(app: Erlen, client: ErlenClient) -> None:
    app.register_error_handler(400, lambda error: (f"{error.description} {error.__cause__!r}", 400))
    app.add_url_rule("/", "index", lambda: request.json, methods=["POST"])
    response = client.post("/", data='{"secret": ', content_type="application/json")
    assert response.status_code == 400
    assert response.text.startswith(
        "The body of this request is not the JSON that its content type announces. JSON"
    )


def test_body_of_another_type_is_a_415(app: Erlen, client: ErlenClient) -> None:
    """FastAPI CVE-2021-32677."""
    app.add_url_rule("/", "index", lambda: request.json, methods=["POST"])
    assert client.post("/", data="{}", content_type="text/plain").status_code == 415


def test_silent_json_is_none(app: Erlen) -> None:
    with app.test_request_context("/", method="POST", data="{", content_type="application/json"):
        assert request.get_json(silent=True) is None
    with app.test_request_context("/", method="POST", data="{}", content_type="text/plain"):
        assert request.get_json(silent=True) is None
        assert request.get_json(force=True) == {}


@pytest.mark.parametrize(
    "kind", ["application/json", "application/problem+json; charset=utf-8", "APPLICATION/JSON"]
)
def test_json_types(app: Erlen, kind: str) -> None:
    with app.test_request_context("/", method="POST", data='{"a": "ü"}'.encode(), content_type=kind):
        assert request.json == {"a": "ü"}


def test_json_failure_may_be_answered_by_a_subclass() -> None:
    class Lenient(Request):
        def on_json_loading_failed(self, e: ValueError | None) -> t.Any:
            return {"failed": type(e).__name__}

    class App(Erlen):
        request_class = Lenient

    app = App("lenient")
    app.add_url_rule("/", "index", lambda: request.json, methods=["POST"])
    client = app.test_client()
    assert client.post("/", data="{", content_type="application/json").json == {"failed": "JSONDecodeError"}
    assert client.post("/", data="{").json == {"failed": "NoneType"}


# What matched


def test_endpoint_and_blueprints_of_a_request(app: Erlen, client: ErlenClient) -> None:
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)

    def show() -> list[t.Any]:
        return [request.endpoint, request.blueprint, request.blueprints, request.view_args]

    app.add_url_rule("/", "show", show)
    outer.add_url_rule("/outer/<int:number>", "show", lambda number: show())
    inner.add_url_rule("/inner", "show", show)
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    assert client.get("/").json == ["show", None, [], {}]
    assert client.get("/outer/7").json == ["outer.show", "outer", ["outer"], {"number": 7}]
    assert client.get("/inner").json == ["outer.inner.show", "outer.inner", ["outer.inner", "outer"], {}]


def test_request_that_matches_nothing_has_the_exception(app: Erlen) -> None:
    with app.test_request_context("/missing"):
        assert (request.endpoint, request.blueprint, request.blueprints) == (None, None, [])
        assert (request.url_rule, request.view_args) == (None, None)
        assert t.cast("HTTPException", request.routing_exception).code == 404


def test_blueprint_path_from_the_inside_out() -> None:
    assert split_blueprint_path("a.b.c") == ["a.b.c", "a.b", "a"]
    assert split_blueprint_path("a") == ["a"]


# A request class of the application's


def test_request_class_is_honoured(app: Erlen, client: ErlenClient) -> None:
    class Own(Request):
        def __init__(self, environ: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
            super().__init__(environ, *args, **kwargs)
            self.made_by = "init"

        @property
        def path(self) -> str:  # type: ignore[override]
            return "/own"

        def on_json_loading_failed(self, e: ValueError | None) -> t.Any:
            return "failed"

    app.add_url_rule("/", "index", lambda: [t.cast("t.Any", request).made_by, request.path, request.json])
    assert client.get("/missing").status_code == 404
    app.request_class = Own
    assert client.get("/").json == ["init", "/own", "failed"]


def test_request_class_with_its_own_storages_and_limits(app: Erlen) -> None:
    class Listing(Request):
        parameter_storage_class = t.cast("t.Any", dict)
        max_content_length = 5  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride]

    app.request_class = Listing
    app.add_url_rule(
        "/", "index", lambda: request.get_data() or [type(request.args).__name__], methods=["GET", "POST"]
    )
    client = app.test_client()
    assert client.get("/?a=1").json == ["dict"]
    assert client.post("/", data=b"123456").status_code == 413


# The end of a request


class Counting(Request):
    """Counts its ends."""

    closed: t.ClassVar[list[str]] = []

    def close(self) -> None:
        self.closed.append(self.path)
        super().close()


def _property_of(name: str) -> t.Any:
    def ask(self: t.Any) -> t.Any:
        return getattr(super(self.__class__, self), name)

    return property(ask)


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]
)
@pytest.mark.parametrize(
    "name",
    "args form files cookies values headers url base_url root_url host_url path scheme authorization".split(),
)
def test_property_of_a_subclass_may_ask_for_what_it_overrides(
    app: Erlen, name: str, content_type: str
) -> None:
    app.freeze()
    own: t.Any = type("Own", (Request,), {name: _property_of(name)})
    multipart = b'--b\r\nContent-Disposition: form-data; name="b"\r\n\r\n2\r\n--b--\r\n'

    def make(cls: type[Request]) -> Request:
        data = multipart if content_type.startswith("m") else b"b=2"
        sent = {"Cookie": "c=3", "Authorization": "Bearer d"}
        environ = create_environ("/?a=1", method="POST", data=data, content_type=content_type, headers=sent)
        made = cls(environ)
        made._application = app
        return made

    one, plain = make(own), make(Request)
    for _ in range(2):
        assert str(getattr(one, name)) == str(getattr(plain, name))
    if name != "values":
        assert getattr(one, name) is getattr(one, name)
    assert (one.args["a"], one.form["b"], one.cookies["c"]) == ("1", "2", "3")


def test_subclass_may_refuse_attributes_that_are_kept() -> None:
    class Frozen(Request):
        def __setattr__(self, name: str, value: object) -> None:
            if name in {"args", "headers", "form"}:
                raise TypeError(f"{name} is not set")
            super().__setattr__(name, value)

    own = Frozen(create_environ("/?a=1", headers={"X-Name": "name"}, method="POST", data={"b": "2"}))
    for _ in range(2):
        assert own.args["a"] == "1" and own.headers["X-Name"] == "name" and own.form["b"] == "2"
    assert own.args is own.args


def test_overridden_close_is_called_at_the_end_of_each_request(app: Erlen, client: ErlenClient) -> None:
    Counting.closed.clear()
    app.request_class = Counting
    app.add_url_rule("/", "index", lambda: "index")
    client.get("/")
    client.get("/missing")
    with app.test_request_context("/context"):
        assert Counting.closed == ["/", "/missing"]
    assert Counting.closed == ["/", "/missing", "/context"]


def test_close_that_raises_leaves_no_context(app: Erlen, client: ErlenClient) -> None:
    class Failing(Request):
        def close(self) -> None:
            raise LookupError("close")

    app.request_class = Failing
    app.add_url_rule("/", "index", lambda: "index")
    with pytest.raises(LookupError, match="close"):
        client.get("/")


def test_large_upload_is_spooled_to_a_file_and_closed(app: Erlen, client: ErlenClient) -> None:
    kept: list[FileStorage] = []

    @app.post("/")
    def upload() -> dict[str, t.Any]:
        file = request.files["file"]
        kept.append(file)
        # A temporary file has a number, memory has none.
        return {"number": file.stream.fileno() > 2, "name": file.filename, "size": len(file.read())}

    size = 600_000
    head = '--b\r\nContent-Disposition: form-data; name="file"; filename="größe.bin"\r\n\r\n'
    # Written out: Werkzeug's client would leave a temporary file of its own open.
    body = head.encode() + b"x" * size + b"\r\n--b--\r\n"
    response = client.post("/", data=body, content_type="multipart/form-data; boundary=b")
    assert response.json == {"number": True, "name": "größe.bin", "size": size}
    assert kept[0].stream.closed


def test_upload_of_a_failed_view_is_closed(app: Erlen, client: ErlenClient) -> None:
    kept: list[FileStorage] = []

    @app.post("/")
    def upload() -> str:
        kept.append(request.files["file"])
        raise LookupError

    with pytest.raises(LookupError):
        client.post("/", data={"file": (io.BytesIO(b"x"), "name")})
    assert kept[0].stream.closed


def test_form_in_another_storage_is_read(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: [request.form["a"], request.values["b"]], methods=["POST"])
    assert client.post("/?b=2", data={"a": "größe"}).json == ["größe", "2"]


def test_missing_key_is_a_400(app: Erlen) -> None:
    with app.test_request_context(), pytest.raises(BadRequest):
        request.args["missing"]


def test_headers_over_asgi_stand_in_the_order_of_the_scope_also_in_the_environment() -> None:
    pairs = [
        (b"x-a", b"1"),
        (b"content-type", b"text/plain"),
        (b"host", b"localhost"),
        (b"content-length", b"2"),
    ]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": pairs}
    one = Request.of_scope(scope, t.cast(t.Any, None))
    before = list(one.headers)
    assert one.environ["HTTP_X_A"] == "1"
    assert (
        list(one.headers)
        == before
        == [("X-A", "1"), ("Content-Type", "text/plain"), ("Host", "localhost"), ("Content-Length", "2")]
    )


def test_query_is_the_one_that_was_read_first(app: Erlen, client: ErlenClient) -> None:
    @app.get("/read")
    def read() -> str:
        first = request.query_string.decode()
        request.environ["QUERY_STRING"] = "name=other"
        return f"{first} {request.args['name']}"

    assert client.get("/read?name=first").text == "name=first first"


def test_query_that_was_assigned_is_read(app: Erlen, client: ErlenClient) -> None:
    @app.get("/assigned")
    def assigned() -> str:
        request.query_string = b"name=assigned"
        return request.args["name"]

    assert client.get("/assigned?name=first").text == "assigned"


def test_query_and_environment_of_a_subclass_are_read(app: Erlen, client: ErlenClient) -> None:
    class Asked(Request):
        @property  # type: ignore[misc]
        def query_string(self) -> bytes:  # type: ignore[override]
            return b"name=own"

    class Surrounded(Request):
        @property  # type: ignore[misc]
        def environ(self) -> dict[str, t.Any]:  # type: ignore[override]
            return {**super().environ, "QUERY_STRING": "name=own", "HTTP_X_NAME": "own"}

    @app.get("/own")
    def own() -> str:
        return f"{request.args['name']} {request.headers.get('X-Name', 'none')}"

    app.request_class = Asked
    assert client.get("/own?name=first").text == "own none"
    app.request_class = Surrounded
    assert client.get("/own?name=first").text == "own own"


def test_subclass_with_a_constructor_knows_its_application(
    app: Erlen, client: ErlenClient, protocol: str
) -> None:
    class Made(Request):
        def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
            super().__init__(*args, **kwargs)
            self.known = self._application is app, self.scope is not None

    app.request_class = Made

    @app.get("/made")
    def made() -> str:
        made = t.cast(Made, request)
        is_asgi = protocol == "asgi"
        assert made.known == (is_asgi, is_asgi)
        assert made._application is app
        assert (made.scope is not None) is is_asgi
        return f"{made.args['name']} {made.headers['X-Name']}"

    assert client.get("/made?name=first", headers={"X-Name": "header"}).text == "first header"


def test_query_that_a_constructor_sets_first_is_read(app: Erlen, client: ErlenClient) -> None:
    """One query has one meaning, wherever it is read."""

    class Told(Request):
        def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
            self.query_string = b"name=told"
            super().__init__(*args, **kwargs)

    app.request_class = Told
    app.add_url_rule("/told", "told", lambda: f"{request.args['name']} {request.url}")
    assert client.get("/told?name=first").text == "told http://localhost/told?name=told"


def test_constructor_may_do_without_that_of_the_request(app: Erlen, client: ErlenClient) -> None:
    class Bare(Request):
        _fields = ("name", "mail")  # type: ignore[assignment]

        def __init__(self, environ: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
            self.environ, self.head, self.method = environ, environ, environ["REQUEST_METHOD"]

    app.request_class = Bare
    app.add_url_rule("/bare", "bare", lambda: f"{request.args['name']} {request.headers['X-Name']}")
    assert client.get("/bare?name=first", headers={"X-Name": "header"}).text == "first header"
    assert Bare._fields == ("name", "mail")


def test_request_made_by_hand_belongs_to_no_application() -> None:
    one = Request(create_environ("/?name=value"))
    assert (one._application, one.scope, one.args["name"]) == (None, None, "value")
