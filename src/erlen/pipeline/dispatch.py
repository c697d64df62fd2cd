"""The phases of a request, from top to bottom in the order in which they run (D3).

:meth:`Dispatch.full_dispatch_request` calls :meth:`~Dispatch.preprocess_request` (hooks before),
:meth:`~Dispatch.dispatch_request` (the view), on an exception :meth:`~Dispatch.handle_user_exception`, then
:meth:`~Dispatch.finalize_request`, which calls :meth:`~Dispatch.make_response` and
:meth:`~Dispatch.process_response` (hooks after, session). :meth:`~Dispatch.do_teardown_request` and
:meth:`~Dispatch.do_teardown_appcontext` run when the context is popped for the last time.

Each phase is a plain virtual method: a subclass may override it, and an extension may assign another on the instance. Each
reads the context variable itself, 0.04 us, rather than taking the context as an argument, so that overrides written
for Flask fit.
"""

from __future__ import annotations

import sys
import threading
import typing as t
from inspect import iscoroutinefunction
from types import TracebackType

from werkzeug.exceptions import (
    BadRequestKeyError,
    HTTPException,
    InternalServerError,
)
from werkzeug.routing import MapAdapter, RequestRedirect, RoutingException

from .. import urls
from ..ctx import AppContext, context_var, raise_all
from ..debug import FormDataRoutingRedirect
from ..logging import printable
from ..sessions import SessionInterface
from ..signals import (
    appcontext_tearing_down,
    got_request_exception,
    request_finished,
    request_started,
    request_tearing_down,
)
from ..typing import ResponseReturnValue
from ..wrappers import Request, Response
from . import responses
from .bridge import to_sync
from .errors import find_error_handler
from .safety import SAFE_METHODS
from .steps import Plan, Steps

_sentinel: t.Any = object()

# Methods that are not called where nothing would happen in them, unless a subclass or an instance has replaced them.
PLANNED = (
    "create_url_adapter",
    "do_teardown_appcontext",
    "do_teardown_request",
    "make_response",
    "preprocess_request",
    "process_response",
)


class Dispatch:
    """The part of an application that answers requests."""

    # What other parts of the application provide.
    config: t.Any
    debug: t.Any
    testing: t.Any
    logger: t.Any
    error_handler_spec: t.Any
    json: t.Any
    session_interface: SessionInterface
    request_class: type[Request]
    response_class: type[Response]

    #: What the first request froze (see ``steps.py``), ``None`` before it and after a change.
    plan: Plan | None = None

    _got_first_request = False

    def __init__(self) -> None:
        # Held while a plan is made and while one is dropped, so that a change made meanwhile is not lost.
        self._plan_lock = threading.RLock()

    def freeze(self) -> Plan:
        """Decide what requests would otherwise decide each time, and return it."""
        with self._plan_lock:
            overridden = {
                name
                for name in PLANNED
                if name in vars(self) or getattr(type(self), name) is not getattr(Dispatch, name)
            }
            plan = Plan(self, overridden)
            vars(self)["plan"] = plan
            return plan

    def _thaw(self) -> None:
        with self._plan_lock:
            vars(self)["plan"] = None

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return the URL adapter for a request, or for building URLs without one.

        :param request: the request, or ``None`` to bind to ``SERVER_NAME``.
        """
        return urls.create_url_adapter(t.cast(t.Any, self), request)

    def full_dispatch_request(self) -> Response:
        """Answer the active request: hooks, view, error handlers, hooks."""
        if not self._got_first_request:
            vars(self)["_got_first_request"] = True
        context = context_var.get()
        try:
            if request_started.receivers:
                request_started.send(self, _async_wrapper=self.ensure_sync)
            steps = context.steps or self._steps(context)
            if context._request.method not in SAFE_METHODS:
                self._check_origin(context)
            value = self.preprocess_request() if steps.preprocesses else None
            if value is None:
                value = self.dispatch_request()
        except Exception as error:
            value = self.handle_user_exception(error)
        return self.finalize_request(value)

    def _check_origin(self, context: AppContext) -> None:
        protection = (self.plan or self.freeze()).protection
        if protection is not None and not self._steps(context).cross_origin_exempt:
            protection.check(context.request.environ)

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Call what ``url_value_preprocessor`` and ``before_request`` registered.

        What the first hook returns that is not ``None`` is the response, and the view is not called.
        """
        context = context_var.get()
        steps = self._steps(context)
        if steps.preprocessors:
            request = context.request
            for preprocess in steps.preprocessors:
                preprocess(request.endpoint, request.view_args)
        for hook in steps.before:
            value: ResponseReturnValue | None = hook()
            if value is not None:
                return value
        return None

    def dispatch_request(self) -> ResponseReturnValue:
        """Call the view that the URL matched and return what it returned.

        :raises HTTPException: what matching raised, where no view matched.
        """
        context = context_var.get()
        request = context._request
        if request.routing_exception is not None:
            self.raise_routing_exception(request)
        rule = request.url_rule
        if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
            return self.make_default_options_response()
        steps = context.steps
        if steps is None or steps.endpoint != rule.endpoint:
            # A hook has set another rule, and its view may not be exempt.
            steps = context.steps = (self.plan or self.freeze()).steps_for(rule.endpoint)
            if request.method not in SAFE_METHODS:
                self._check_origin(context)
        if steps.view is None:
            raise KeyError(
                f"The rule {rule.rule!r} has the endpoint {rule.endpoint!r}, and no view function is registered for "
                f"it. Register one with '@app.endpoint({rule.endpoint!r})'."
            )
        values = request.view_args
        try:
            # PERF: plaintext: a call without unpacking is 0.1 us cheaper.
            value: ResponseReturnValue = steps.view(**values) if values else steps.view()
        except TypeError as error:
            _explain_call(error, rule, values)
            raise
        return value

    def raise_routing_exception(self, request: Request) -> t.NoReturn:
        """Raise what matching the request raised.

        In debug mode a redirect that would lose the body of the request is explained instead.

        :param request: a request with a ``routing_exception``.
        """
        error = request.routing_exception
        assert error is not None
        loses_body = (
            isinstance(error, RequestRedirect)
            and error.code not in {307, 308}
            and request.method not in {"GET", "HEAD", "OPTIONS"}
        )
        if self.debug and loses_body:
            raise FormDataRoutingRedirect(request)
        raise error

    def make_default_options_response(self) -> Response:
        """Return the answer to OPTIONS: the methods of the URL in the ``Allow`` header."""
        adapter = context_var.get().url_adapter
        response = self.response_class()
        response.allow.update(adapter.allowed_methods())
        return response

    def finalize_request(
        self, rv: ResponseReturnValue | HTTPException, from_error_handler: bool = False
    ) -> Response:
        """Make a response of what a view or an error handler returned, and run the hooks after it.

        :param rv: the return value.
        :param from_error_handler: whether an exception of a hook is logged rather than raised.
        """
        context = context_var.get()
        plan = self.plan or self.freeze()
        response = self.make_response(rv)
        if not (plan.plain_responses and response.has_default_headers):
            _add_default_headers(response, plan)
        try:
            if (
                (context.steps or self._steps(context)).processes
                or context._after_request_functions is not None
                or context._session is not None
                or "HTTP_COOKIE" in context._request.environ
            ):
                response = self.process_response(response)
                _add_default_headers(response, plan)
            if request_finished.receivers:
                request_finished.send(self, _async_wrapper=self.ensure_sync, response=response)
        except Exception:
            if not from_error_handler:
                # Another response takes its place; a stream in this one must not wait for the garbage collector.
                response.close()
                raise
            self.logger.exception("A hook raised while the response of an error handler was finished.")
            if context.session_is_open:
                response.vary.add("Cookie")
        for policy in plan.policies:
            policy.add_to(response, context)
        return response

    def make_response(self, rv: t.Any) -> Response:
        """Make a response of a view's return value.

        :param rv: a ``str``, ``bytes``, ``dict``, ``list``, response, iterator or WSGI callable, or a tuple of one of
            these with a status, headers, or both.
        :raises TypeError: for anything else; the message says what is accepted.
        """
        plan = self.plan or self.freeze()
        kind = type(rv)
        # PERF: plaintext, json: what the response class would make of these, for a fifth of its time.
        if kind is str:
            if plan.plain_responses:
                return plan.respond(rv.encode(), plan.content_type, plan.default_headers)
        elif (kind is dict or kind is list) and plan.json_text is not None:
            body = plan.json_text(rv).encode()
            return plan.respond(body, plan.json_content_type, plan.default_headers)
        return responses.make_response(self, rv)

    def text_response(self, text: str, mimetype: str) -> Response:
        """Make a response with status 200 of a whole text.

        :param text: the body.
        :param mimetype: its type without parameters.
        """
        plan = self.plan or self.freeze()
        if not plan.plain_responses:
            return self.response_class(text, mimetype=mimetype)
        content_type = plan.content_type_of(mimetype)
        return plan.respond(text.encode(), content_type, plan.default_headers)

    def process_response(self, response: Response) -> Response:
        """Run the hooks after a request and save the session.

        :param response: the response; a hook may return another.
        """
        context = context_var.get()
        for function in context._after_request_functions or ():
            response = _checked(function, self.ensure_sync(function)(response))
        for hook in self._steps(context).after:
            response = _checked(hook, hook(response))
        plan = self.plan or self.freeze()
        if (
            context.session_is_open
            or plan.opens_every_session
            or plan.session_cookie in context.request.environ.get("HTTP_COOKIE", "")
        ):
            self._save_session(context, response)
        return response

    def _save_session(self, context: AppContext, response: Response) -> None:
        # A session that nobody touched may be permanent, and its cookie due for a refresh.
        session = context.open_session()
        interface = self.session_interface
        if not interface.is_null_session(session):
            interface.save_session(t.cast(t.Any, self), session, response)

    def handle_user_exception(self, e: Exception) -> HTTPException | ResponseReturnValue:
        """Answer an exception raised while a request was handled, with its error handler where there is one.

        :param e: the exception; it is raised again where no handler is registered for it.
        """
        if isinstance(e, BadRequestKeyError) and (self.debug or self.config["TRAP_BAD_REQUEST_ERRORS"]):
            e.show_exception = True
        if isinstance(e, HTTPException) and not self.trap_http_exception(e):
            return self.handle_http_exception(e)
        handler = self._find_error_handler(e, context_var.get().request.blueprints)
        if handler is None:
            try:
                raise e
            finally:
                # The exception holds this frame: without this only the garbage collector would free what the view had.
                del e
        return t.cast(ResponseReturnValue, self.ensure_sync(handler)(e))

    def handle_http_exception(self, e: HTTPException) -> HTTPException | ResponseReturnValue:
        """Answer an HTTP exception with its handler, or with the exception itself, which is a response.

        :param e: the exception.
        """
        # One without a code (a proxy's) or a redirect of the router is no error: it is the answer.
        if e.code is None or isinstance(e, RoutingException):
            return e
        handler = self._find_error_handler(e, context_var.get().request.blueprints)
        if handler is None:
            return e
        return t.cast(ResponseReturnValue, self.ensure_sync(handler)(e))

    def trap_http_exception(self, e: Exception) -> bool:
        """Return whether an HTTP exception is treated as an error of the code, for debugging.

        :param e: the exception; see ``TRAP_HTTP_EXCEPTIONS`` and ``TRAP_BAD_REQUEST_ERRORS``.
        """
        if self.config["TRAP_HTTP_EXCEPTIONS"]:
            return True
        trapped = self.config["TRAP_BAD_REQUEST_ERRORS"]
        if trapped is None:
            return bool(self.debug) and isinstance(e, BadRequestKeyError)
        return bool(trapped) and isinstance(e, HTTPException) and e.code == 400

    def handle_exception(self, e: Exception) -> Response:
        """Answer an exception that nothing handled: log it, and send the 500 response.

        In debug mode and in tests, or with ``PROPAGATE_EXCEPTIONS``, it is raised instead.

        :param e: the exception; the handler for 500 gets an ``InternalServerError`` with it as
            ``original_exception``.
        """
        if got_request_exception.receivers:
            got_request_exception.send(self, _async_wrapper=self.ensure_sync, exception=e)
        propagate = self.config["PROPAGATE_EXCEPTIONS"]
        if (self.testing or self.debug) if propagate is None else propagate:
            raise e
        self.log_exception((type(e), e, t.cast(TracebackType, e.__traceback__)))
        value: t.Any = InternalServerError(original_exception=e)
        handler = self._find_error_handler(value, context_var.get().request.blueprints)
        if handler is not None:
            value = self.ensure_sync(handler)(value)
        return self.finalize_request(value, from_error_handler=True)

    def log_exception(
        self,
        exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None],
    ) -> None:
        """Log an exception with the method and the path of the request.

        :param exc_info: as :func:`sys.exc_info` returns it.
        """
        request = context_var.get().request
        self.logger.error(
            "Exception on %s [%s]", printable(request.path), printable(request.method), exc_info=exc_info
        )

    def should_ignore_error(self, error: BaseException | None) -> bool:
        """Return whether teardown functions are not told of an exception; a subclass may override this.

        :param error: the exception.
        """
        return False

    def do_teardown_request(self, exc: BaseException | None = _sentinel) -> None:
        """Call what ``teardown_request`` registered, every function also when one raises.

        :param exc: the unhandled exception, by default the one being handled.
        :raises BaseException: what a function raised, as a group where several did.
        """
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        functions = self._steps(context_var.get()).teardown
        self._tear_down(functions, request_tearing_down, exc)

    def do_teardown_appcontext(self, exc: BaseException | None = _sentinel) -> None:
        """Call what ``teardown_appcontext`` registered, every function also when one raises.

        :param exc: the unhandled exception, by default the one being handled.
        :raises BaseException: what a function raised, as a group where several did.
        """
        if exc is _sentinel:
            exc = sys.exc_info()[1]
        self._tear_down((self.plan or self.freeze()).teardown_appcontext, appcontext_tearing_down, exc)

    def _tear_down(
        self, functions: list[t.Callable[..., t.Any]], signal: t.Any, exc: BaseException | None
    ) -> None:
        if not functions and not signal.receivers:
            return
        errors: list[BaseException] = []
        for function in functions:
            try:
                function(exc)
            except BaseException as error:
                errors.append(error)
        if signal.receivers:
            try:
                signal.send(self, _async_wrapper=self.ensure_sync, exc=exc)
            except BaseException as error:
                errors.append(error)
        raise_all(errors, "tearing down the context")

    def ensure_sync(self, func: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        """Return a plain function for an async one, and a plain one as it is.

        :param func: the function.
        """
        if iscoroutinefunction(func) or iscoroutinefunction(getattr(func, "__call__", None)):  # noqa: B004 - the method itself is looked at
            return self.async_to_sync(func)
        return func

    def async_to_sync(
        self, func: t.Callable[..., t.Coroutine[t.Any, t.Any, t.Any]]
    ) -> t.Callable[..., t.Any]:
        """Return a plain function that runs an async one to its end; see ``bridge.py``.

        :param func: an async function.
        """
        return to_sync(func)

    def _find_error_handler(self, e: Exception, blueprints: list[str]) -> t.Callable[[t.Any], t.Any] | None:
        return find_error_handler(self.error_handler_spec, e, blueprints)

    def _steps(self, context: AppContext) -> Steps:
        steps: Steps | None = context.steps
        if steps is None:
            # Matching itself raised, or the context was not pushed.
            endpoint = context.request.endpoint if context.has_request else None
            steps = context.steps = (self.plan or self.freeze()).steps_for(endpoint)
        return steps


def _explain_call(error: TypeError, rule: t.Any, values: t.Any) -> None:
    """Add to an error of calling a view, but not to one from inside it, what the rule passes."""
    traceback = error.__traceback__
    if traceback is not None and traceback.tb_next is None:
        error.add_note(
            f"The rule {rule.rule!r} of the endpoint {rule.endpoint!r} calls its view with "
            f"{', '.join(values) or 'no arguments'}: the names in the rule and the parameters of the view have to agree."
        )


def _checked(hook: t.Any, response: Response | None) -> Response:
    if response is None:
        name = getattr(hook, "__qualname__", repr(hook))
        raise TypeError(
            f"The after-request function {name!r} in module {getattr(hook, '__module__', None)!r} returned None, so "
            f"there is no response to send. End it with 'return response'."
        )
    return response


def _add_default_headers(response: t.Any, plan: Plan) -> None:
    if getattr(response, "has_default_headers", False):
        return
    headers = response.headers
    for name, value in plan.default_headers:
        if name not in headers:
            headers[name] = value
    response.has_default_headers = True
