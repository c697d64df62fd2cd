"""ASGI 3: a request comes in as a scope and messages, and leaves as messages.

:meth:`ASGI.asgi` makes the context and matches the URL on the event loop, receives the body, and then answers in one of
two ways, as the endpoint's steps say: in the async spelling of the pipeline on the loop, or in the plain spelling in one
hop to a worker thread. Both give a status, headers and a body as WSGI has them, which ``sending.py`` sends.
"""

from __future__ import annotations

import typing as t
from contextvars import copy_context

from werkzeug.exceptions import ClientDisconnected

from ..bodies import NotKept, ReceivedBody
from ..ctx import AppContext, context_var
from ..lazy import asyncio
from ..pipeline.bridge import copy_back, go_on, run_on_thread
from ..pipeline.steps import Plan
from ..scopes import MalformedScope
from ..streams import close_body
from ..typing import Receive, Scope, Send
from ..wrappers import Request
from .choice import asgi_reason
from .lifespan import serve_lifespan
from .sending import Start, Watch, begin, send_stream, whole
from .websocket import serve_websocket
from .wsgi import WSGI


class ASGI(WSGI):
    """The part of an application that ASGI servers call."""

    plan: Plan | None
    freeze: t.Callable[[], Plan]
    threads: t.Any
    request_class: type[Request]

    def asgi_reason(self) -> str | None:
        """Return what of this application is better served over ASGI, in words; ``None`` where WSGI does as well.

        ``erlen run`` and ``erlen serve`` choose by it where nobody says.

        .. versionadded:: 0.1
        """
        return asgi_reason(self)

    async def asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what ASGI hands on: a request, a WebSocket, or the life span of the process.

        Assign a wrapped one to add middleware: ``app.asgi = Middleware(app.asgi)``.

        :param scope: what the connection is.
        :param receive: the server's callable for events of the client.
        :param send: the server's callable for events to the client.
        :raises MalformedScope: for a scope that is none.
        """
        if scope.get("type") != "http":
            return await self._serve_other(scope, receive, send)
        app: t.Any = self
        plan = self.plan or self.freeze()
        request: t.Any = self.request_class.of_scope(scope, receive, app)
        body: ReceivedBody | None = request._body
        context: t.Any = (
            self._context_of(request)
            if plan.takes_environ
            else app.request_context_class(app, request.head, request)
        )
        # PERF: async plaintext: binding the context takes 0.1 us, and only converters of the application's own see it.
        token = None if plan.matches_alone else context_var.set(context)
        try:
            try:
                plan.match(context)
            except Exception:
                # Raised again when the context is pushed, where it is answered.
                pass
            finally:
                if token is not None:
                    context_var.reset(token)
            if body is not None and not await _has_come(body, context):
                return None
            steps = context.steps
            if steps is None or not steps.is_async:
                return await self._answer_on_thread(plan, context, receive, send)
            start, sent = Start(), None
            answer: t.Any = self.awsgi_app(request.head, start, context)
            # PERF: async plaintext: a view that never waits is done after one step, and nobody has to watch meanwhile
            # whether its client goes away: a task for that costs 8 us.
            try:
                # What it waits for is no local: an exception that comes of it holds this frame.
                answer = go_on(answer, answer.send(None))
            except StopIteration as finished:
                sent, answer = finished.value, None
            if type(sent) is list and (body is None or body.is_complete):
                await send(start.message())
                return await send(whole(sent))
            await self._send_later(request, start, answer, sent, receive, send)
        finally:
            if body is not None:
                body.close()

    def _context_of(self, request: Request) -> AppContext:
        """Make the context of a request in the way of a subclass, and with the whole environment."""
        context: AppContext = self.request_context(request.environ)
        if context.request is not request:
            context.request._scope, context.request._body = request._scope, request._body
        return context

    async def _send_later(
        self,
        request: t.Any,
        start: Start,
        answer: t.Any,
        sent: t.Any,
        receive: Receive,
        send: Send,
    ) -> None:
        """Finish an answer that waits, or that is a stream, and send it."""
        async with Watch(receive, request) as watch:
            watch.begin()
            if answer is not None:
                sent = await answer
            if type(sent) is list:
                await send(start.message())
                watch.finish()
                await send(whole(sent))
            else:
                await send_stream(send, start, sent, self.threads.executor(), copy_context(), watch)

    async def _answer_on_thread(self, plan: Plan, context: AppContext, receive: Receive, send: Send) -> None:
        pool, variables, start = self.threads.executor(), copy_context(), Start()
        request = context._request
        async with Watch(receive, request) as watch:
            if plan.goes_through_wsgi:
                # Middleware sees, and may change, the whole environment, so the context is made behind it.
                args: tuple[t.Any, ...] = (request.environ, start)
                # This request ends here; that of the other context takes its place, also in a copy of the environment.
                request.environ.pop("werkzeug.request", None)
                request.routing_exception = None
            else:
                args = (request.head, start, context)
            sent = await run_on_thread(
                pool, variables, begin, self.wsgi_app, *args, discard=close_body, watch=watch
            )
            if type(sent) is list:
                await send(start.message())
                watch.finish()
                await send(whole(sent))
                return
            watch.begin()
            if hasattr(sent, "__aiter__"):
                copy_back(variables)
            await send_stream(send, start, sent, pool, variables, watch)

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("type") == "lifespan":
            await serve_lifespan(self, receive, send)
            return
        if scope.get("type") == "websocket":
            await serve_websocket(self, scope, receive, send)
            return
        raise MalformedScope(
            f"The server called the application with a scope of the type {scope.get('type')!r}. Erlen answers 'http', "
            f"'websocket' and 'lifespan'."
        )


async def _has_come(body: ReceivedBody, context: AppContext) -> bool:
    """Receive a body, as far as it is received ahead, and return whether the client is still there."""
    steps, request = context.steps, context.request
    body.loop = asyncio.get_running_loop()
    if steps is not None and steps.streams_body:
        body.is_streamed = True
        return True
    limit = request.max_content_length
    if limit is not None and (request.content_length or 0) > limit:
        # Nobody has to receive what is refused: asking for it raises the 413.
        return True
    token = context_var.set(context)
    try:
        await body.fill(limit, context.app.on_thread)
        if steps is not None and (steps.is_async or steps.has_async):
            await request.parse_ahead()
    except NotKept:
        # Reading it raises the same, where it is answered.
        return True
    except BaseException as error:
        # No context ends that would do it: the two hold each other.
        request.head["werkzeug.request"] = None
        if not isinstance(error, ClientDisconnected):
            raise
        return False
    finally:
        context_var.reset(token)
    return True
