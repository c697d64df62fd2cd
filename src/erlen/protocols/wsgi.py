"""WSGI 1.0 (PEP 3333): a request comes in as an environment and leaves through ``start_response``.

ASGI answers in the same form (see ``asgi.py``), so the one request with its context, dispatch, start of the response and
teardown stands here in both spellings. The response is started inside the context and its body sent after it: what a
stream needs of the context it keeps with ``stream_with_context``.
"""

from __future__ import annotations

import typing as t
from traceback import clear_frames

from ..pipeline.bridge import as_error
from ..pipeline.steps import Plan
from ..response import LENGTHS
from ..scopes import HANDSHAKE, PRESERVE_CONTEXT
from ..signals import listened
from ..streams import aclose_body, close_body

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class WSGI:
    """The part of an application that WSGI servers call."""

    plan: Plan | None
    freeze: t.Callable[[], Plan]
    is_serving: bool
    answer_shortly: t.Callable[[t.Any], t.Any]
    aanswer_shortly: t.Callable[[t.Any], t.Awaitable[t.Any]]
    request_context: t.Callable[[WSGIEnvironment], t.Any]
    full_dispatch_request: t.Callable[[], t.Any]
    afull_dispatch_request: t.Callable[[], t.Awaitable[t.Any]]
    handle_exception: t.Callable[[Exception], t.Any]
    ahandle_exception: t.Callable[[Exception], t.Awaitable[t.Any]]
    should_ignore_error: t.Callable[[BaseException], bool]

    def wsgi_app(
        self, environ: t.Any, start_response: StartResponse, context: t.Any = None
    ) -> t.Iterable[bytes]:
        """Answer one request: push its context, dispatch, start the response, pop the context.

        Assign a wrapped one to add middleware: ``app.wsgi_app = Middleware(app.wsgi_app)``.

        :param environ: the environment of the request; with a context, those entries of it that are needed, or ``None`` where
            its request has not been made.
        :param start_response: the server's callable for status and headers.
        :param context: the context of the request, where it was made already; ASGI passes it.
        :return: the body. With ``None`` for an environment, what :meth:`answer_shortly` returned may come unsent.
        """
        if context is None:
            context = (self.plan or self.freeze()).context_of(self, environ)
        if context is None:
            if HANDSHAKE in environ:
                handed: t.Iterable[bytes] = environ[HANDSHAKE](self, environ, start_response)
                return handed
            context = self.request_context(environ)
        body: t.Any = None
        try:
            if not context.push_at_once():
                context.push()
            # Until its body has begun, it is the response that has to be closed.
            if context._match is not None and context._match[3] and self.is_serving and not listened:
                body = self.answer_shortly(context)
            else:
                body = self.full_dispatch_request()
            if type(body) is not tuple:
                body = body(environ or context._request.head, start_response)
            elif environ is not None:
                # ASGI encodes the headers in its own way.
                plan, whole, content_type = body
                start_response("200 OK", [content_type, LENGTHS[len(whole)], *plan.default_headers])
                body = [whole]
        except BaseException as failure:
            environ = environ or context._request.head
            return self._answer_failure(failure, body, context, environ, start_response)
        if environ and PRESERVE_CONTEXT in environ:
            environ[PRESERVE_CONTEXT](context)
        try:
            if not context.pop_at_once():
                context.pop(None)
        except BaseException:
            # The server never gets the body, so it cannot close it.
            close_body(body)
            raise
        sent: t.Iterable[bytes] = body
        return sent

    async def awsgi_app(
        self, environ: t.Any, start_response: StartResponse, context: t.Any = None
    ) -> t.Iterable[bytes]:
        """Do what :meth:`wsgi_app` does, for requests that come over ASGI."""
        if context is None:
            context = (self.plan or self.freeze()).context_of(self, environ)
        if context is None:
            if HANDSHAKE in environ:
                handed: t.Iterable[bytes] = environ[HANDSHAKE](self, environ, start_response)
                return handed
            context = self.request_context(environ)
        body: t.Any = None
        try:
            if not context.push_at_once():
                await context.apush()
            if context._match is not None and context._match[3] and self.is_serving and not listened:
                body = await self.aanswer_shortly(context)
            else:
                body = await self.afull_dispatch_request()
            if type(body) is not tuple:
                body = body(environ or context._request.head, start_response)
            elif environ is not None:
                # ASGI encodes the headers in its own way.
                plan, whole, content_type = body
                start_response("200 OK", [content_type, LENGTHS[len(whole)], *plan.default_headers])
                body = [whole]
        except BaseException as failure:
            environ = environ or context._request.head
            return await self._aanswer_failure(failure, body, context, environ, start_response)
        if environ and PRESERVE_CONTEXT in environ:
            environ[PRESERVE_CONTEXT](context)
        try:
            if not context.pop_at_once():
                await context.apop(None)
        except BaseException:
            await aclose_body(body)
            raise
        sent: t.Iterable[bytes] = body
        return sent

    def _answer_failure(
        self,
        failure: BaseException,
        body: t.Any,
        context: t.Any,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> t.Iterable[bytes]:
        failure = as_error(failure)
        try:
            if body is not None or not isinstance(failure, Exception):
                # It failed while it was sent, or is none that a handler answers.
                raise failure
            body = self.handle_exception(failure)
            body = body(environ, start_response)
        except BaseException:
            close_body(body)
            raise
        finally:
            try:
                self._leave(context, environ, failure, body)
            finally:
                # Its traceback may hold this frame, so only the garbage collector would free both.
                del failure
        return t.cast("t.Iterable[bytes]", body)

    async def _aanswer_failure(
        self,
        failure: BaseException,
        body: t.Any,
        context: t.Any,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> t.Iterable[bytes]:
        failure = as_error(failure)
        try:
            if body is not None or not isinstance(failure, Exception):
                raise failure
            body = await self.ahandle_exception(failure)
            body = body(environ, start_response)
        except BaseException:
            await aclose_body(body)
            raise
        finally:
            try:
                await self._aleave(context, environ, failure, body)
            finally:
                del failure
        return t.cast("t.Iterable[bytes]", body)

    def _leave(self, context: t.Any, environ: WSGIEnvironment, failure: BaseException, body: t.Any) -> None:
        told: BaseException | None = failure
        try:
            if PRESERVE_CONTEXT in environ:
                environ[PRESERVE_CONTEXT](context)
            if body is not None and context._held:
                # A stream that is never sent is a local of the frames that failed; with them it lets the context go.
                # Not where the failure is raised further: a debugger shows those frames.
                clear_frames(failure.__traceback__)
            if self.should_ignore_error(failure):
                told = None
        finally:
            try:
                context.pop(told)
            except BaseException:
                close_body(body)
                raise

    async def _aleave(
        self, context: t.Any, environ: WSGIEnvironment, failure: BaseException, body: t.Any
    ) -> None:
        told: BaseException | None = failure
        try:
            if PRESERVE_CONTEXT in environ:
                environ[PRESERVE_CONTEXT](context)
            if body is not None and context._held:
                clear_frames(failure.__traceback__)
            if self.should_ignore_error(failure):
                told = None
        finally:
            try:
                await context.apop(told)
            except BaseException:
                await aclose_body(body)
                raise
