"""The application: what a WSGI server calls, once a request."""

from __future__ import annotations

import json
import logging
import typing as t
from functools import cached_property

import werkzeug
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.routing import RequestRedirect
from werkzeug.test import create_environ

from .config import DEFAULTS, Config
from .ctx import Context, current_context
from .errors import Handler, find_handler, key_of
from .paths import root_path_of
from .routing import Router, Rule, SlashMissing
from .sessions import SessionInterface
from .templating import create_environment
from .wrappers import Request, Response

if t.TYPE_CHECKING:
    import jinja2
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

View = t.TypeVar("View", bound=t.Callable[..., t.Any])
Before = t.TypeVar("Before", bound=t.Callable[[], t.Any])
After = t.TypeVar("After", bound=t.Callable[..., Response])
Teardown = t.TypeVar("Teardown", bound=t.Callable[[BaseException | None], object])
Processor = t.TypeVar("Processor", bound=t.Callable[[], dict[str, t.Any]])
Answer = t.TypeVar("Answer", bound=Handler)

log = logging.getLogger("sapling")


class Sapling:
    """An application: rules that lead to endpoints, and the views of these.

    :param import_name: where it is made, ``__name__``: its templates lie beside that file.
    :param root_path: the folder itself, for a module without a file.
    """

    request_class = Request
    response_class = Response

    def __init__(self, import_name: str, root_path: str | None = None) -> None:
        self.import_name = import_name
        self.root_path = root_path or root_path_of(import_name)
        self.router = Router()
        self.view_functions: dict[str, t.Callable[..., t.Any]] = {}
        self.before_request_funcs: list[t.Callable[[], t.Any]] = []
        self.after_request_funcs: list[t.Callable[[Response], Response]] = []
        self.teardown_funcs: list[t.Callable[[BaseException | None], object]] = []
        self.error_handlers: dict[type[Exception], Handler] = {}
        self.context_processors: list[t.Callable[[], dict[str, t.Any]]] = []
        self.config = Config(DEFAULTS)
        self.session_interface = SessionInterface()

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
        :param view: the view; it is called with the variables by name.
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

    def before_request(self, hook: Before) -> Before:
        """Call a function before each view; what it returns, if not ``None``, answers in the view's place."""
        self.before_request_funcs.append(hook)
        return hook

    def after_request(self, hook: After) -> After:
        """Call a function with each response, the latest registered first; it returns the one to send."""
        self.after_request_funcs.append(hook)
        return hook

    def teardown_appcontext(self, hook: Teardown) -> Teardown:
        """Call a function when a context ends, whatever has happened, with the exception that nobody handled."""
        self.teardown_funcs.append(hook)
        return hook

    def context_processor(self, processor: Processor) -> Processor:
        """Call a function for each template; the dict it returns is among the template's variables."""
        self.context_processors.append(processor)
        return processor

    @cached_property
    def jinja_env(self) -> jinja2.Environment:
        """The environment of the templates, made when one is first needed."""
        return create_environment(self)

    def errorhandler(self, what: type[Exception] | int) -> t.Callable[[Answer], Answer]:
        """Let the decorated function answer exceptions of a class, or HTTP errors of a status."""
        cls = key_of(what)

        def register(handler: Answer) -> Answer:
            self.error_handlers[cls] = handler
            return handler

        return register

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
        failure: Exception | None = None
        context = self.request_context(environ)
        context.push()
        try:
            try:
                response = self.full_dispatch_request(context)
            except Exception as error:
                failure = error
                response = self.handle_exception(error)
            return response(environ, start_response)
        finally:
            context.pop(failure)

    def app_context(self) -> Context:
        """Return a context without a request, for a ``with`` statement."""
        return Context(self)

    def request_context(self, environ: WSGIEnvironment) -> Context:
        """Return the context of one request, for a ``with`` statement."""
        request = self.request_class(environ)
        request.max_content_length = self.config["MAX_CONTENT_LENGTH"]
        return Context(self, request)

    def test_request_context(self, path: str = "/", **options: t.Any) -> Context:
        """Return the context of a request that is made up. The arguments are those of ``EnvironBuilder``."""
        return self.request_context(create_environ(path, **options))

    def full_dispatch_request(self, context: Context) -> Response:
        """Answer one request: hooks before, view, error handlers, hooks after."""
        try:
            value = self.preprocess_request()
            if value is None:
                value = self.dispatch_request(context)
        except Exception as error:
            value = self.handle_user_exception(error)
        return self.finalize_request(value)

    def preprocess_request(self) -> t.Any:
        """Call the hooks before the view, until one returns something."""
        for hook in self.before_request_funcs:
            value = hook()
            if value is not None:
                return value
        return None

    def dispatch_request(self, context: Context) -> t.Any:
        """Call the view of a request and return what it returns."""
        request = context.request
        rule, values = context.rule, context.view_args = self.match_request(request)
        if request.method == "OPTIONS" and rule.automatic_options:
            return self.response_class(headers={"Allow": ", ".join(self.router.allowed(request.path))})
        return self.view_functions[rule.endpoint](**values)

    def match_request(self, request: Request) -> tuple[Rule, dict[str, t.Any]]:
        """Return the rule that answers a request, and the values of its variables."""
        try:
            return self.router.match(request.path, request.method)
        except SlashMissing:
            # With the host in it: of '//host' alone a browser would make another site.
            query = "?" + request.query_string.decode("latin-1") if request.query_string else ""
            raise RequestRedirect(f"{request.base_url}/{query}") from None

    def finalize_request(self, value: t.Any) -> Response:
        """Make the response, and call the hooks after the view, the latest registered first."""
        response = self.make_response(value)
        for hook in reversed(self.after_request_funcs):
            response = hook(response)
        current_context().save_session(response)
        return response

    def handle_user_exception(self, error: Exception) -> t.Any:
        """Return what answers an exception of a view or a hook: what a handler returns, or an HTTP error itself."""
        if isinstance(error, RequestRedirect):
            # It is no failure, also for those who handle every exception.
            return error
        handler = find_handler(self.error_handlers, error)
        if handler is not None:
            return handler(error)
        if isinstance(error, HTTPException):
            return error
        raise error

    def handle_exception(self, error: Exception) -> Response:
        """Answer an exception that nobody handled: it is logged, and the client learns that there was one."""
        if self.config["TESTING"]:
            raise error
        log.error("Exception on a request", exc_info=error)
        failure = InternalServerError(original_exception=error)
        handler = find_handler(self.error_handlers, failure)
        try:
            return self.finalize_request(failure if handler is None else handler(failure))
        except Exception:
            # The handler or a hook may be what is broken.
            log.exception("Exception while answering an exception")
            return self.make_response(failure)

    def do_teardown(self, failure: BaseException | None) -> None:
        """Call all functions for the end of a context, also when some raise."""
        errors: list[Exception] = []
        for hook in reversed(self.teardown_funcs):
            try:
                hook(failure)
            except Exception as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("at the end of a context", errors)

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
