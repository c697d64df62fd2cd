"""The application: what a WSGI server calls, once a request."""

from __future__ import annotations

import json
import typing as t

import werkzeug
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from .routing import Router, Rule, SlashMissing
from .wrappers import Request, Response

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

View = t.TypeVar("View", bound=t.Callable[..., t.Any])


class Sapling:
    """An application: rules that lead to endpoints, and the views of these."""

    request_class = Request
    response_class = Response

    def __init__(self) -> None:
        self.router = Router()
        self.view_functions: dict[str, t.Callable[..., t.Any]] = {}

    def route(
        self, path: str, methods: t.Iterable[str] = ("GET",), endpoint: str | None = None
    ) -> t.Callable[[View], View]:
        """Register the decorated view for a path."""

        def register(view: View) -> View:
            self.add_url_rule(path, endpoint or view.__name__, view, methods)
            return view

        return register

    def add_url_rule(
        self, path: str, endpoint: str, view: t.Callable[..., t.Any], methods: t.Iterable[str] = ("GET",)
    ) -> None:
        """Register a view for a path; what :meth:`route` does.

        :param path: the path, with its variables.
        :param endpoint: the name that the view has for :meth:`url_for`.
        :param view: the view; it is called with the request and the variables by name.
        :param methods: the HTTP methods it answers.
        """
        if self.view_functions.setdefault(endpoint, view) is not view:
            raise ValueError(
                f"Two views have the endpoint {endpoint!r}, and the second would never be called. Give one of them "
                f"another: route({path!r}, endpoint='...')."
            )
        answered = {method.upper() for method in methods}
        if "GET" in answered:
            answered.add("HEAD")
        automatic_options = "OPTIONS" not in answered
        self.router.add(Rule(path, endpoint, answered | {"OPTIONS"}, automatic_options))

    def url_for(self, endpoint: str, /, **values: t.Any) -> str:
        """Return the URL of an endpoint."""
        return self.router.build(endpoint, values)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Answer one request: what a WSGI server calls."""
        # By a method of another name, which can be replaced: `app.wsgi_app = Middleware(app.wsgi_app)`. Python looks
        # for `__call__` on the class alone.
        return self.wsgi_app(environ, start_response)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        request = self.request_class(environ)
        response = self.full_dispatch_request(request)
        return response(environ, start_response)

    def full_dispatch_request(self, request: Request) -> Response:
        """Answer one request with a response, also where the view raised an HTTP error."""
        try:
            value = self.dispatch_request(request)
        except HTTPException as error:
            value = error
        return self.make_response(value)

    def dispatch_request(self, request: Request) -> t.Any:
        """Call the view of a request and return what it returns."""
        rule, values = self.match_request(request)
        if request.method == "OPTIONS" and rule.automatic_options:
            return self.response_class(headers={"Allow": ", ".join(self.router.allowed(request.path))})
        return self.view_functions[rule.endpoint](request, **values)

    def match_request(self, request: Request) -> tuple[Rule, dict[str, t.Any]]:
        """Return the rule that answers a request, and the values of its variables."""
        try:
            return self.router.match(request.path, request.method)
        except SlashMissing:
            # With the host in it: of '//host' alone a browser would make another site.
            query = "?" + request.query_string.decode("latin-1") if request.query_string else ""
            raise RequestRedirect(f"{request.base_url}/{query}") from None

    def make_response(self, value: t.Any) -> Response:
        """Make a response of what a view returned.

        :param value: a text, bytes, a dict or a list (sent as JSON), a generator, a response, an HTTP error, or a
            tuple of one of these with a status, headers, or both.
        """
        status = headers = None
        if isinstance(value, tuple):
            value, status, headers = taken_apart(value)
        response = self._response_of(value)
        if status is not None:
            response.status_code = status
        if headers is not None:
            response.headers.update(headers)
        return response

    def _response_of(self, value: t.Any) -> Response:
        if isinstance(value, HTTPException):
            value = value.get_response()
        if isinstance(value, werkzeug.Response):
            # Werkzeug's own errors and redirects become responses of our class, so that all are alike.
            return t.cast("Response", self.response_class.force_type(value))
        if isinstance(value, dict | list):
            return self.response_class(json.dumps(value), mimetype="application/json")
        if isinstance(value, str | bytes) or hasattr(value, "__next__"):
            return self.response_class(value)
        raise TypeError(
            f"A view returned {value!r}, of which no response can be made. Return a text, bytes, a dict, a list, a "
            f"generator or a response; where it is None, a branch of the view may lack its 'return'."
        )


def taken_apart(value: tuple[t.Any, ...]) -> tuple[t.Any, int | None, t.Any]:
    """Return body, status and headers of a tuple that a view returned."""
    if len(value) == 3:
        return value
    if len(value) == 2 and isinstance(value[1], int):
        return value[0], value[1], None
    if len(value) == 2:
        return value[0], None, value[1]
    raise TypeError(
        f"A view returned a tuple of {len(value)}. Return (body, status), (body, headers) or (body, status, headers)."
    )
