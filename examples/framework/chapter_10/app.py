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

from .cli import AppGroup
from .config import DEFAULTS, Config
from .ctx import Context, current_context
from .errors import find_handler
from .routing import Router, Rule, SlashMissing
from .scaffold import Scaffold
from .sessions import SessionInterface
from .signals import got_request_exception, request_finished, request_started
from .templating import create_environment
from .testing import CommandRunner, SaplingClient
from .wrappers import Request, Response

if t.TYPE_CHECKING:
    import jinja2
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .blueprints import Blueprint

Teardown = t.TypeVar("Teardown", bound=t.Callable[[BaseException | None], object])
log = logging.getLogger("sapling")


class Sapling(Scaffold):
    """An application: rules that lead to endpoints, and the views of these. The arguments are :class:`Scaffold`'s."""

    request_class = Request
    response_class = Response

    def __init__(self, import_name: str, root_path: str | None = None) -> None:
        super().__init__(import_name, root_path)
        self.router = Router()
        self.view_functions: dict[str, t.Callable[..., t.Any]] = {}
        self.teardown_funcs: list[t.Callable[[BaseException | None], object]] = []
        self.blueprints: dict[str, Blueprint] = {}
        # What extensions keep for this application, under their names.
        self.extensions: dict[str, t.Any] = {}
        # Whether a request was answered; what is registered from then on would be missing in those before.
        self.is_serving = False
        self.config = Config(DEFAULTS)
        self.session_interface = SessionInterface()
        self.cli = AppGroup()

    def add_url_rule(
        self, path: str, endpoint: str, view: t.Callable[..., t.Any], methods: t.Iterable[str] = ("GET",)
    ) -> None:
        """Register a view for a path; what :meth:`route` does. The arguments are those of :meth:`Scaffold.add_url_rule`."""
        self.check_setup("add_url_rule")
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

    def teardown_appcontext(self, hook: Teardown) -> Teardown:
        """Call a function when a context ends, whatever has happened, with the exception that nobody handled."""
        self.teardown_funcs.append(hook)
        return hook

    def register_blueprint(
        self, blueprint: Blueprint, url_prefix: str | None = None, name: str | None = None
    ) -> None:
        """Make what a blueprint has collected part of this application.

        :param blueprint: the blueprint.
        :param url_prefix: what its paths begin with, in place of its own.
        :param name: what its endpoints begin with, in place of its own name; for a blueprint registered twice.
        """
        self.check_setup("register_blueprint")
        name = name or blueprint.name
        if name in self.blueprints:
            raise ValueError(
                f"There is a blueprint {name!r} already, and endpoints would not say which one is meant. Give this one "
                f"a name for its registration: register_blueprint(blueprint, name='...')."
            )
        self.blueprints[name] = blueprint
        blueprint.register(self, name, blueprint.url_prefix if url_prefix is None else url_prefix)

    def check_setup(self, method: str) -> None:
        """Refuse a registration that comes too late."""
        if self.is_serving:
            raise RuntimeError(
                f"'{method}' was called after the first request, which was answered without what it registers. Call it "
                f"where the application is made; a module that registers views has to be imported there."
            )

    @cached_property
    def jinja_env(self) -> jinja2.Environment:
        """The environment of the templates, made when one is first needed."""
        return create_environment(self)

    def url_for(self, endpoint: str, /, **values: t.Any) -> str:
        """Return the URL of an endpoint; one that begins with a dot is of the active request's blueprint."""
        if endpoint.startswith("."):
            blueprint = current_context().blueprint
            endpoint = endpoint[1:] if blueprint is None else blueprint + endpoint
        return self.router.build(endpoint, values)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Answer one request: what a WSGI server calls."""
        # By a method of another name, which can be replaced: `app.wsgi_app = Middleware(app.wsgi_app)`. Python looks
        # for `__call__` on the class alone.
        return self.wsgi_app(environ, start_response)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        self.is_serving = True
        failure: Exception | None = None
        context = self.request_context(environ)
        context.push()
        try:
            try:
                response = self.full_dispatch_request(context)
            except Exception as error:
                failure = error
                response = self.handle_exception(error, context)
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

    def test_client(self) -> SaplingClient:
        """Return a client for tests."""
        return SaplingClient(self)

    def test_cli_runner(self) -> CommandRunner:
        """Return a runner of commands for tests."""
        return CommandRunner(self)

    def full_dispatch_request(self, context: Context) -> Response:
        """Answer one request: hooks before, view, error handlers, hooks after."""
        request_started.send(self)
        try:
            # First, as hooks and handlers of a blueprint are for its own requests. What comes of it waits for the view.
            self.match_request(context)
            value = self.preprocess_request(context)
            if value is None:
                value = self.dispatch_request(context)
        except Exception as error:
            value = self.handle_user_exception(error, context)
        return self.finalize_request(value, context)

    def preprocess_request(self, context: Context) -> t.Any:
        """Call the hooks before the view, the application's first, until one returns something."""
        for hook in context.collect(self.before_request_funcs):
            value = hook()
            if value is not None:
                return value
        return None

    def dispatch_request(self, context: Context) -> t.Any:
        """Call the view of a request and return what it returns."""
        request, rule = context.request, context.rule
        if rule is None:
            assert context.routing_error is not None
            raise context.routing_error
        if request.method == "OPTIONS" and rule.automatic_options:
            return self.response_class(headers={"Allow": ", ".join(self.router.allowed(request.path))})
        return self.view_functions[rule.endpoint](**context.view_args)

    def match_request(self, context: Context) -> None:
        """Find the rule that answers a request, and the values of its variables; or the error in its place."""
        request = context.request
        try:
            context.rule, context.view_args = self.router.match(request.path, request.method)
        except HTTPException as error:
            context.routing_error = error
        except SlashMissing:
            # With the host in it: of '//host' alone a browser would make another site.
            query = "?" + request.query_string.decode("latin-1") if request.query_string else ""
            context.routing_error = RequestRedirect(f"{request.base_url}/{query}")

    def finalize_request(self, value: t.Any, context: Context) -> Response:
        """Make the response, and call the hooks after the view: the blueprint's first, the latest registered first."""
        response = self.make_response(value)
        for hook in reversed(context.collect(self.after_request_funcs)):
            response = hook(response)
        context.save_session(response)
        request_finished.send(self, response=response)
        return response

    def handle_user_exception(self, error: Exception, context: Context) -> t.Any:
        """Return what answers an exception of a view or a hook: what a handler returns, or an HTTP error itself."""
        if isinstance(error, RequestRedirect):
            # It is no failure, also for those who handle every exception.
            return error
        handler = find_handler(self.error_handlers, error, context.owners)
        if handler is not None:
            return handler(error)
        if isinstance(error, HTTPException):
            return error
        raise error

    def handle_exception(self, error: Exception, context: Context) -> Response:
        """Answer an exception that nobody handled: it is logged, and the client learns that there was one."""
        got_request_exception.send(self, exception=error)
        if self.config["TESTING"]:
            raise error
        log.error("Exception on a request", exc_info=error)
        failure = InternalServerError(original_exception=error)
        handler = find_handler(self.error_handlers, failure, context.owners)
        try:
            return self.finalize_request(failure if handler is None else handler(failure), context)
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
