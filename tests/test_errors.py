"""Which handler answers an exception, what reaches the log, and what debug mode explains."""

from __future__ import annotations

import logging
import typing as t

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import (
    BadRequest,
    BadRequestKeyError,
    Forbidden,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestedRangeNotSatisfiable,
    TooManyRequests,
    Unauthorized,
    default_exceptions,
)
from werkzeug.test import create_environ
from werkzeug.wrappers import Response as PlainResponse

from erlen import Blueprint, Erlen, Response, abort, request
from erlen.pipeline.errors import KNOWN_HANDLERS, find_error_handler
from erlen.teardown import raise_all
from erlen.testing import ErlenClient


class Base(Exception):
    """A class with subclasses."""


class Derived(Base):
    """A subclass."""


class Mixed(Derived, LookupError):
    """A class of two families."""


class Payment(Forbidden):
    """A subclass of an HTTP exception, with the code of its base."""


class Odd(HTTPException):
    """An HTTP exception without a code."""


def raising(app: Erlen | Blueprint, error: t.Any, rule: str = "/") -> None:
    """Add a view that raises."""

    def view() -> t.NoReturn:
        raise error

    app.add_url_rule(rule, "raising", view)


def text(label: str, status: int = 400) -> t.Callable[[t.Any], t.Any]:
    """Return an error handler that answers with its label."""
    return lambda error: (label, status)


def _noting(seen: list[t.Any], answer: t.Any) -> t.Callable[[t.Any], t.Any]:
    """Return an error handler that writes down what it was given."""

    def handler(error: t.Any) -> t.Any:
        seen.append(error)
        return answer

    return handler


@pytest.mark.parametrize(
    ("handlers", "error", "expected"),
    [
        ([403, Forbidden, HTTPException], Forbidden, "Forbidden"),
        ([403], Forbidden, "403"),
        ([403], Payment, "403"),
        ([403, Payment], Payment, "Payment"),
        ([HTTPException, 403], Payment, "403"),
        ([HTTPException], NotFound, "HTTPException"),
        ([Exception], NotFound, "Exception"),
        ([Exception, 404], NotFound, "404"),
        ([HTTPException, Exception], NotFound, "HTTPException"),
        ([Base, Derived], Derived, "Derived"),
        ([Base], Derived, "Base"),
        ([Base, Exception], Derived, "Base"),
        ([LookupError, Base], Mixed, "Base"),
        ([LookupError], Mixed, "LookupError"),
        ([400], BadRequestKeyError, "400"),
        ([KeyError], BadRequestKeyError, "KeyError"),
        ([Odd], Odd, None),
    ],
)
def test_nearest_handler_answers_as_in_flask(
    handlers: list[t.Any], error: t.Any, expected: str | None
) -> None:
    for framework in (Erlen, flask.Flask):
        app: t.Any = framework("errors")
        for handled in handlers:
            name = handled if isinstance(handled, int) else handled.__name__
            app.register_error_handler(handled, text(str(name)))
        raising(app, error())
        if expected is not None:
            assert app.test_client().get("/").text == expected


def test_blueprint_comes_before_the_application_and_the_inner_before_the_outer(app: Erlen) -> None:
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    for target, label in ((app, "app"), (outer, "outer"), (inner, "inner")):
        target.register_error_handler(Base, text(label))
        raising(target, Derived(), f"/{label}")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    client = app.test_client()
    assert [client.get(f"/{label}").text for label in ("app", "outer", "inner")] == ["app", "outer", "inner"]


def test_class_of_the_blueprint_comes_before_a_nearer_class_of_the_application(app: Erlen) -> None:
    blueprint = Blueprint("shop", __name__)
    blueprint.register_error_handler(Exception, text("blueprint"))
    app.register_error_handler(Derived, text("app"))
    raising(blueprint, Derived())
    app.register_blueprint(blueprint)
    assert app.test_client().get("/").text == "blueprint"


def test_code_of_the_application_comes_before_a_class_of_the_blueprint(app: Erlen) -> None:
    blueprint = Blueprint("shop", __name__)
    blueprint.register_error_handler(Exception, text("blueprint"))
    app.register_error_handler(403, text("app"))
    raising(blueprint, Forbidden())
    app.register_blueprint(blueprint)
    assert app.test_client().get("/").text == "app"


def test_handler_of_a_blueprint_for_404_is_for_its_views_alone(app: Erlen, client: ErlenClient) -> None:
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")
    blueprint.register_error_handler(404, text("blueprint", 404))
    raising(blueprint, NotFound(), "/view")
    app.register_blueprint(blueprint)
    assert client.get("/shop/view").text == "blueprint"
    assert "Not Found" in client.get("/shop/missing").text


def test_handler_is_given_the_exception(app: Erlen, client: ErlenClient) -> None:
    error = Derived("text")
    seen: list[Exception] = []
    app.register_error_handler(Base, _noting(seen, "handled"))
    raising(app, error)
    assert client.get("/").text == "handled"
    assert seen == [error]


def test_handler_may_be_async(app: Erlen, client: ErlenClient) -> None:
    @app.errorhandler(Base)
    async def handler(error: Base) -> tuple[str, int]:
        return "handled", 418

    raising(app, Base())
    assert client.get("/").status_code == 418


def test_handler_that_raises_leads_to_the_handler_for_500(app: Erlen, client: ErlenClient) -> None:
    def failing(error: Exception) -> t.NoReturn:
        raise LookupError("handler") from error

    app.testing = False
    app.register_error_handler(Base, failing)
    app.register_error_handler(
        500, lambda error: f"{error.original_exception!r} of {error.original_exception.__cause__!r}"
    )
    raising(app, Base("view"))
    assert client.get("/").text == "LookupError('handler') of Base('view')"


def test_handler_for_500_that_raises_is_an_error_of_the_server(app: Erlen, client: ErlenClient) -> None:
    def failing(error: Exception) -> t.NoReturn:
        raise LookupError("handler")

    app.testing = False
    app.register_error_handler(500, failing)
    raising(app, Base())
    with pytest.raises(LookupError, match="handler"):
        client.get("/")
    app.view_functions["raising"] = lambda: "well again"
    assert client.get("/").text == "well again"


@pytest.mark.parametrize("registered", [500, InternalServerError])
def test_handler_for_500_gets_the_original_exception(
    app: Erlen, client: ErlenClient, registered: t.Any
) -> None:
    app.testing = False
    error = Base("view")
    seen: list[t.Any] = []
    app.register_error_handler(registered, _noting(seen, ("handled", 500)))
    raising(app, error)
    assert client.get("/").text == "handled"
    assert isinstance(seen[0], InternalServerError)
    assert seen[0].original_exception is error


def test_handler_for_exception_is_given_the_exception_itself(app: Erlen, client: ErlenClient) -> None:
    app.testing = False
    app.register_error_handler(Exception, lambda error: repr(error))
    raising(app, Base("view"))
    assert client.get("/").text == "Base('view')"


def test_aborted_500_has_no_original_exception(app: Erlen, client: ErlenClient) -> None:
    app.register_error_handler(500, lambda error: repr(error.original_exception))
    raising(app, InternalServerError())
    assert client.get("/").text == "None"


def test_error_that_nothing_handles_is_a_500_that_says_nothing(app: Erlen, client: ErlenClient) -> None:
    app.testing = False
    raising(app, Base("a secret"))
    response = client.get("/")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_error_that_nothing_handles_is_logged_with_its_traceback(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.testing = False
    error = Base("view")
    raising(app, error)
    client.get("/")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("erlen_test", logging.ERROR)
    assert record.getMessage() == "Exception on / [GET]"
    assert record.exc_info is not None
    assert record.exc_info[1] is error


def test_error_that_is_handled_is_not_logged(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.testing = False
    app.register_error_handler(Base, text("handled"))
    raising(app, Base())
    client.get("/")
    client.get("/missing")
    assert caplog.records == []


def test_line_breaks_in_a_path_forge_no_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Flask-CORS CVE-2024-1681 is of this kind."""
    app = Erlen("forging", profile="flask")

    @app.before_request
    def failing() -> t.NoReturn:
        raise Base

    app.test_client().get("/a%0D%0AERROR%20in%20app:%20forged%E2%80%A8%1B[31m")
    assert caplog.records[0].getMessage() == r"Exception on /a\r\nERROR in app: forged\u2028\x1b[31m [GET]"


def test_the_line_of_an_exception_names_the_module_that_it_names_in_flask(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/")
    def failing() -> t.NoReturn:
        raise Base

    app.config["PROPAGATE_EXCEPTIONS"] = False
    client.get("/")
    (record,) = caplog.records
    assert (record.module, record.funcName) == ("app", "log_exception")


@given(st.text(max_size=20))
def test_no_path_makes_two_lines_of_the_log(path: str) -> None:
    app, seen = Erlen("forging generated lines", profile="flask"), list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    app.logger.handlers[:] = [handler]
    app.logger.propagate = False
    with app.test_request_context(environ_overrides={"PATH_INFO": f"/xx{path}".encode().decode("latin1")}):
        app.log_exception((None, None, None))
    assert len(seen[0].splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "propagates"),
    [
        ({}, False),
        ({"TESTING": True}, True),
        ({"DEBUG": True}, True),
        ({"PROPAGATE_EXCEPTIONS": True}, True),
        ({"TESTING": True, "DEBUG": True, "PROPAGATE_EXCEPTIONS": False}, False),
    ],
)
def test_propagate_exceptions(settings: dict[str, t.Any], propagates: bool) -> None:
    app = Erlen("propagating")
    app.config.update(settings)
    raising(app, Base("view"))
    if propagates:
        with pytest.raises(Base, match="view"):
            app.test_client().get("/")
    else:
        assert app.test_client().get("/").status_code == 500


@pytest.mark.parametrize(
    ("settings", "raised"),
    [
        ({}, ()),
        ({"DEBUG": True}, ("/key",)),
        ({"TRAP_BAD_REQUEST_ERRORS": True}, ("/key", "/bad")),
        ({"DEBUG": True, "TRAP_BAD_REQUEST_ERRORS": False}, ()),
        ({"TRAP_HTTP_EXCEPTIONS": True}, ("/key", "/bad", "/gone", "/missing")),
    ],
)
def test_trapped_errors_are_raised(settings: dict[str, t.Any], raised: tuple[str, ...]) -> None:
    for framework in (Erlen, flask.Flask):
        app: t.Any = framework("trapping")
        app.config.update(settings, TESTING=True)
        app.add_url_rule(
            "/key", "key", lambda: (request if framework is Erlen else flask.request).form["name"]
        )
        app.add_url_rule("/bad", "bad", lambda: abort(400))
        app.add_url_rule("/gone", "gone", lambda: abort(410))
        seen: list[str] = []
        for path in ("/key", "/bad", "/gone", "/missing"):
            try:
                assert 400 <= app.test_client().get(path).status_code < 500
            except HTTPException:
                seen.append(path)
        assert tuple(seen) == raised


def test_trapped_errors_have_handlers_nevertheless(app: Erlen, client: ErlenClient) -> None:
    app.config["TRAP_HTTP_EXCEPTIONS"] = True
    app.register_error_handler(404, text("handled", 404))
    assert client.get("/missing").text == "handled"


def test_missing_key_is_named_in_debug_mode_alone(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: request.args["name"])
    app.config["TRAP_BAD_REQUEST_ERRORS"] = False
    assert "name" not in client.get("/").text
    app.debug = True
    assert "KeyError: &#39;name&#39;" in client.get("/").text


def test_http_exception_is_its_own_response(app: Erlen, client: ErlenClient) -> None:
    raising(app, Forbidden("größe <b>"))
    response = client.get("/")
    assert response.status_code == 403
    assert "größe &lt;b&gt;" in response.text


def test_http_exception_may_be_returned(app: Erlen, client: ErlenClient) -> None:
    app.register_error_handler(403, text("handled"))
    app.add_url_rule("/", "index", lambda: t.cast("t.Any", Forbidden("returned")))
    response = client.get("/")
    assert response.status_code == 403
    # What is returned is an answer and no error: no handler is asked.
    assert "returned" in response.text


@pytest.mark.parametrize("make", [Response, PlainResponse])
def test_abort_with_a_response_sends_it(app: Erlen, client: ErlenClient, make: t.Any) -> None:
    app.register_error_handler(HTTPException, text("handled"))
    app.add_url_rule("/", "index", lambda: abort(make("aborted", 409, {"X-Own": "1"})))
    response = client.get("/")
    assert (response.status_code, response.text, response.headers["X-Own"]) == (409, "aborted", "1")


def test_exception_without_a_code_is_answered_with_its_response(app: Erlen, client: ErlenClient) -> None:
    raising(app, Odd(response=PlainResponse("proxied", 299)))
    response = client.get("/")
    assert (response.status_code, response.text) == (299, "proxied")


def test_redirect_of_routing_asks_no_handler(app: Erlen, client: ErlenClient) -> None:
    app.register_error_handler(HTTPException, text("handled"))
    app.add_url_rule("/folder/", "folder", lambda: "folder")
    assert client.get("/folder", follow_redirects=True).text == "folder"


def test_errors_of_a_view_that_are_no_exception_pass_through(app: Erlen, client: ErlenClient) -> None:
    app.testing = False
    app.register_error_handler(Exception, text("handled"))
    ended: list[BaseException | None] = []
    app.teardown_request(ended.append)
    raising(app, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        client.get("/")
    assert isinstance(ended[0], KeyboardInterrupt)


def test_form_without_enctype_is_explained_in_debug_mode(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: request.files["photo"].filename or "", methods=["POST"])
    app.debug = True
    with pytest.raises(KeyError, match="multipart/form-data"):
        client.post("/", data={"photo": "name.png"})
    app.debug = False
    assert client.post("/", data={"photo": "name.png"}).status_code == 400


def test_redirect_that_would_lose_a_form_is_explained_in_debug_mode(app: Erlen, client: ErlenClient) -> None:
    @app.before_request
    def older_code() -> None:
        error = request.routing_exception
        if error is not None:
            error.code = 301

    app.add_url_rule("/new/", "new", lambda: "new", methods=["POST"])
    assert client.post("/new").status_code == 301
    app.debug = True
    with pytest.raises(AssertionError, match="http://localhost/new/"):
        client.post("/new")


def test_bad_json_is_explained_in_debug_mode_alone(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: request.get_json(), methods=["POST"])
    app.config["TRAP_BAD_REQUEST_ERRORS"] = False
    options: t.Any = {"data": "{broken", "content_type": "application/json"}
    assert "broken" not in client.post("/", **options).text
    assert "Expecting" not in client.post("/", **options).text
    app.debug = True
    assert "Expecting property name" in client.post("/", **options).text


def test_find_error_handler_reads_a_registry_of_plain_dicts() -> None:
    handler = text("plain")
    spec: t.Any = {None: {None: {Base: handler}}}
    assert find_error_handler(spec, Derived(), ["unknown"]) is handler
    assert find_error_handler(spec, BadRequest(), []) is None


def test_nothing_collected_raises_nothing() -> None:
    raise_all([], "testing")


def test_several_errors_are_raised_as_a_group() -> None:
    errors: tuple[BaseException, ...] = (KeyError("a"), KeyboardInterrupt())
    with pytest.raises(BaseExceptionGroup, match="2 callbacks raised while testing") as caught:
        raise_all([*errors], "testing")
    assert caught.value.exceptions == caught.value.args[1] == errors


# The page of an HTTP exception, beside the one that Werkzeug makes of it


class _OwnBody(Forbidden):
    def get_body(self, environ: t.Any = None, scope: t.Any = None) -> str:
        return f"own {self.code}"


class _OwnDescription(Forbidden):
    def get_description(self, environ: t.Any = None, scope: t.Any = None) -> str:
        return f"<b>{environ['PATH_INFO']}</b>"


class _OwnHeaders(Forbidden):
    def get_headers(self, environ: t.Any = None, scope: t.Any = None) -> list[tuple[str, str]]:
        return [("X-Content-Type-Options", "own"), ("X-Path", environ["PATH_INFO"]), ("Location", "/ä")]


class _OwnResponse(Forbidden):
    def get_response(self, environ: t.Any = None, scope: t.Any = None) -> t.Any:
        return PlainResponse("own response", 499)


class _OwnName(Forbidden):
    @property
    def name(self) -> str:
        return "Nobody <may>"


class _OwnCode(HTTPException):
    code = 499
    description = "a code without a phrase"


_ASSIGNED = Forbidden()
t.cast(t.Any, _ASSIGNED).get_body = lambda *_: "assigned"

_PAGES: list[HTTPException] = [
    *(cls() for cls in default_exceptions.values()),
    MethodNotAllowed(valid_methods=["GET", "PUT"]),
    TooManyRequests(retry_after=7),
    RequestedRangeNotSatisfiable(length=10),
    Unauthorized(www_authenticate=WWWAuthenticate("basic", {"realm": "ä"})),
    BadRequestKeyError("key"),
    Forbidden(Markup("<b>marked</b>\nline")),
    Forbidden(response=PlainResponse("given", 410)),
    _ASSIGNED,
    *(cls() for cls in (_OwnBody, _OwnDescription, _OwnHeaders, _OwnResponse, _OwnName, _OwnCode)),
]


def _sent(response: t.Any) -> tuple[str, list[tuple[str, str]], bytes]:
    sent: list[t.Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
        sent[:] = [status, headers]

    body = b"".join(response(create_environ("/path"), start_response))
    return sent[0], sent[1], body


def _of_werkzeug(error: HTTPException, default_headers: list[tuple[str, str]]) -> t.Any:
    response = error.get_response(create_environ("/path"))
    response.autocorrect_location_header = False
    for name, value in default_headers:
        response.headers.setdefault(name, value)
    return _sent(response)


def _page(app: Erlen, error: HTTPException) -> t.Any:
    with app.test_request_context("/path"):
        return _sent(app.finalize_request(t.cast(t.Any, error)))


@pytest.mark.parametrize("error", _PAGES, ids=lambda error: f"{type(error).__name__}-{error.code}")
@pytest.mark.parametrize("profile", ["safe", "flask"])
def test_page_of_an_exception_is_werkzeug_s(error: HTTPException, profile: t.Any) -> None:
    app = Erlen("pages", profile=profile)
    added = [("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "strict-origin-when-cross-origin")]
    expected = _of_werkzeug(error, added if profile == "safe" else [])
    assert _page(app, error) == expected
    # What the first one has remembered changes nothing.
    assert _page(app, error) == expected


class _ElsewhereBase(HTTPException):
    code = 303

    def __init__(self, url: str) -> None:
        self.url = url


class _Elsewhere(_ElsewhereBase):
    def get_response(self, *_: t.Any, **__: t.Any) -> t.Any:
        return PlainResponse("elsewhere", 303, {"Location": self.url})


def test_class_whose_constructor_is_not_that_of_werkzeug_makes_its_own_response() -> None:
    # As I Hate Money has one; Werkzeug's constructor is what sets 'response'.
    assert _page(Erlen("pages", profile="flask"), _Elsewhere("/there"))[0] == "303 SEE OTHER"


def test_class_whose_constructor_is_not_that_of_werkzeug_has_a_page() -> None:
    assert _page(Erlen("pages", profile="flask"), _ElsewhereBase("/there"))[0] == "303 SEE OTHER"


@given(
    code=st.sampled_from([400, 404, 405, 418, 500, 799]),
    description=st.one_of(st.none(), st.text(st.characters(codec="utf-8")), st.text("<&>\"'\n\x00 ab")),
)
def test_description_is_escaped_as_by_werkzeug(code: int, description: str | None) -> None:
    error = HTTPException(description)
    error.code = code
    assert _page(Erlen("pages", profile="flask"), error) == _of_werkzeug(error, [])


def test_response_class_has_its_say_in_pages() -> None:
    class Own(Response):
        @classmethod
        def force_type(cls, response: t.Any, environ: t.Any = None) -> t.Any:
            forced = super().force_type(response, environ)
            forced.headers["X-Forced"] = "1"
            return forced

    app = Erlen("pages")
    app.response_class = Own
    assert ("X-Forced", "1") in _page(app, NotFound())[1]


# What was found out about handlers


def test_handler_that_is_registered_late_is_found(app: Erlen, client: ErlenClient) -> None:
    app.testing = False
    assert client.get("/missing").status_code == 404
    app._got_first_request = False
    app.register_error_handler(404, lambda error: ("late", 404))
    assert client.get("/missing").text == "late"
    app.error_handler_spec[None][404][NotFound] = lambda error: ("later", 404)
    assert client.get("/missing").text == "later"


def test_handlers_beyond_those_that_are_remembered_answer_as_well(app: Erlen, client: ErlenClient) -> None:
    def failing(error: type[Exception]) -> t.NoReturn:
        raise error("failed")

    classes = [type(f"Error{number}", (Exception,), {}) for number in range(KNOWN_HANDLERS + 5)]
    for number, cls in enumerate(classes):
        app.register_error_handler(cls, lambda error, number=number: (f"handled {number}", 418))
        app.add_url_rule(f"/{number}", f"view{number}", lambda cls=cls: failing(cls))
    for _ in range(2):
        for number in (0, 1, KNOWN_HANDLERS, KNOWN_HANDLERS + 4):
            assert client.get(f"/{number}").text == f"handled {number}"
    assert [client.get(f"/{number}").status_code for number in range(len(classes))] == [418] * len(classes)
