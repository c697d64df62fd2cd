"""The phases of a request, each in two spellings: a plain one, and below it an async one with an ``a`` in front.

Both are the same but for ``await`` and names; a test compares them.
"""

from __future__ import annotations

import json
import logging
import typing as t

import werkzeug
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.routing import RequestRedirect

from .bridge import acall, call
from .ctx import Context
from .errors import find_handler
from .routing import SlashMissing
from .scaffold import Scaffold
from .signals import got_request_exception, request_finished, request_started
from .wrappers import Request, Response

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .app import Sapling
    from .config import Config
    from .routing import Router

log = logging.getLogger("sapling")


class Dispatch(Scaffold):
    """The part of an application that answers requests."""

    request_class = Request
    response_class = Response
    router: Router
    config: Config
    is_serving: bool
    view_functions: dict[str, t.Callable[..., t.Any]]
    teardown_funcs: list[t.Callable[[BaseException | None], t.Any]]

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

    async def awsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Do what :meth:`wsgi_app` does."""
        self.is_serving = True
        failure: Exception | None = None
        context = self.request_context(environ)
        context.push()
        try:
            try:
                response = await self.afull_dispatch_request(context)
            except Exception as error:
                failure = error
                response = await self.ahandle_exception(error, context)
            return response(environ, start_response)
        finally:
            await context.apop(failure)

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

    async def afull_dispatch_request(self, context: Context) -> Response:
        """Do what :meth:`full_dispatch_request` does."""
        request_started.send(self)
        try:
            self.match_request(context)
            value = await self.apreprocess_request(context)
            if value is None:
                value = await self.adispatch_request(context)
        except Exception as error:
            value = await self.ahandle_user_exception(error, context)
        return await self.afinalize_request(value, context)

    def preprocess_request(self, context: Context) -> t.Any:
        """Call the hooks before the view, the application's first, until one returns something."""
        for hook in context.collect(self.before_request_funcs):
            value = call(hook)
            if value is not None:
                return value
        return None

    async def apreprocess_request(self, context: Context) -> t.Any:
        """Do what :meth:`preprocess_request` does."""
        for hook in context.collect(self.before_request_funcs):
            value = await acall(hook)
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
        return call(self.view_functions[rule.endpoint], **context.view_args)

    async def adispatch_request(self, context: Context) -> t.Any:
        """Do what :meth:`dispatch_request` does."""
        request, rule = context.request, context.rule
        if rule is None:
            assert context.routing_error is not None
            raise context.routing_error
        if request.method == "OPTIONS" and rule.automatic_options:
            return self.response_class(headers={"Allow": ", ".join(self.router.allowed(request.path))})
        return await acall(self.view_functions[rule.endpoint], **context.view_args)

    def finalize_request(self, value: t.Any, context: Context) -> Response:
        """Make the response, and call the hooks after the view: the blueprint's first, the latest registered first."""
        response = self.make_response(value)
        for hook in reversed(context.collect(self.after_request_funcs)):
            response = call(hook, response)
        context.save_session(response)
        request_finished.send(self, response=response)
        return response

    async def afinalize_request(self, value: t.Any, context: Context) -> Response:
        """Do what :meth:`finalize_request` does."""
        response = self.make_response(value)
        for hook in reversed(context.collect(self.after_request_funcs)):
            response = await acall(hook, response)
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
            return call(handler, error)
        if isinstance(error, HTTPException):
            return error
        raise error

    async def ahandle_user_exception(self, error: Exception, context: Context) -> t.Any:
        """Do what :meth:`handle_user_exception` does."""
        if isinstance(error, RequestRedirect):
            return error
        handler = find_handler(self.error_handlers, error, context.owners)
        if handler is not None:
            return await acall(handler, error)
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
            return self.finalize_request(failure if handler is None else call(handler, failure), context)
        except Exception:
            # The handler or a hook may be what is broken.
            log.exception("Exception while answering an exception")
            return self.make_response(failure)

    async def ahandle_exception(self, error: Exception, context: Context) -> Response:
        """Do what :meth:`handle_exception` does."""
        got_request_exception.send(self, exception=error)
        if self.config["TESTING"]:
            raise error
        log.error("Exception on a request", exc_info=error)
        failure = InternalServerError(original_exception=error)
        handler = find_handler(self.error_handlers, failure, context.owners)
        try:
            return await self.afinalize_request(
                failure if handler is None else await acall(handler, failure), context
            )
        except Exception:
            log.exception("Exception while answering an exception")
            return self.make_response(failure)

    def do_teardown(self, failure: BaseException | None) -> None:
        """Call all functions for the end of a context, also when some raise."""
        errors: list[Exception] = []
        for hook in reversed(self.teardown_funcs):
            try:
                call(hook, failure)
            except Exception as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("at the end of a context", errors)

    async def ado_teardown(self, failure: BaseException | None) -> None:
        """Do what :meth:`do_teardown` does."""
        errors: list[Exception] = []
        for hook in reversed(self.teardown_funcs):
            try:
                await acall(hook, failure)
            except Exception as error:
                errors.append(error)
        if errors:
            raise ExceptionGroup("at the end of a context", errors)

    def request_context(self, environ: WSGIEnvironment) -> Context:
        """Return the context of one request, for a ``with`` statement."""
        request = self.request_class(environ)
        request.max_content_length = self.config["MAX_CONTENT_LENGTH"]
        return Context(t.cast("Sapling", self), request)

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
