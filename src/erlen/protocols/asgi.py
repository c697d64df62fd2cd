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
from ..headers import ENCODED
from ..lazy import asyncio
from ..pipeline.bridge import copy_back, go_on, run_on_thread
from ..pipeline.safety import MAX_LENGTH_DIGITS
from ..pipeline.steps import Plan
from ..scopes import MalformedScope
from ..signals import listened
from ..streams import aclose_body, close_body
from ..typing import Receive, Scope, Send
from ..wrappers import Request
from .choice import asgi_reason
from .sending import Start, Watch, begin, send_stream, whole
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
        plan = self.plan or self.freeze()
        context = plan.context_of_scope(self, scope, receive)
        if context is None or not (context._match[3] and context.steps.is_async and self.is_serving):
            return await self._answer(plan, context, scope, receive, send)
        # PERF: async plaintext: the method does the same, and another class may do more: 0.1 us.
        if plan.binds_contexts and not listened:
            context._token = context_var.set(context)
        elif not context.push_at_once():
            return await self._answer(plan, context, scope, receive, send)
        answer: t.Any = self.aanswer_shortly(context)
        sent: t.Any = None
        # PERF: async plaintext: a view that never waits is done after one step, and nobody has to watch meanwhile whether its
        # client goes away: a task for that costs 8 us. Nor has a coroutine to be made of what stands around the view, 0.2 us.
        try:
            # What it waits for is no local: an exception that comes of it holds this frame.
            answer = go_on(answer, answer.send(None))
        except StopIteration as finished:
            sent, answer = finished.value, None
        except BaseException as failure:
            answer = _raised(failure)
        if type(sent) is tuple and context.pop_at_once():
            plan, body, content_type = sent
            # PERF: async plaintext: as in start_of, 0.1 us.
            length = (b"content-length", b"%d" % len(body))
            headers = [ENCODED[content_type], length, *plan.encoded_headers]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            return await send({"type": "http.response.body", "body": body})
        start = Start()
        if answer is None:
            # Nothing of it waits but the end of the context, which is not cut short.
            sent = await self._finish(context, start, _returned(sent))
            if type(sent) is list:
                await send(start.message())
                return await send(whole(sent))
        else:
            answer = self._finish(context, start, answer)
        return await self._send_later(context._request, start, answer, sent, receive, send)

    async def _finish(self, context: t.Any, start: Start, answer: t.Awaitable[t.Any]) -> t.Any:
        """Do what is left of :meth:`awsgi_app` when the view of a request has begun.

        :param context: its context, active.
        :param start: keeps the start of the response.
        :param answer: what :meth:`aanswer_shortly` gives.
        """
        body: t.Any = None
        try:
            body = await answer
            if type(body) is not tuple:
                body = body(context._request.head, start)
        except BaseException as failure:
            return await self._aanswer_failure(failure, body, context, context._request.head, start)
        try:
            if not context.pop_at_once():
                await context.apop(None)
        except BaseException:
            await aclose_body(body)
            raise
        return body

    async def _answer(self, plan: Plan, context: t.Any, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request that is unusual in some way, with all that is registered around it.

        :param context: its context where it was matched, ``None`` otherwise.
        """
        body = None
        if context is None:
            context = self._matched_context(plan, scope, receive)
            body = context._request._body
        try:
            if body is not None and not await _has_come(body, context):
                return
            steps = context.steps
            if steps is None or not steps.is_async:
                await self._answer_on_thread(plan, context, receive, send)
                return
            start, sent = Start(), None
            # What was made of the scope alone has no environment: whoever needs it asks the request for it.
            head = None if context._made is None else context._made.head
            answer: t.Any = self.awsgi_app(head, start, context)
            try:
                answer = go_on(answer, answer.send(None))
            except StopIteration as finished:
                sent, answer = finished.value, None
            if type(sent) is list and (body is None or body.is_complete):
                await send(start.message())
                await send(whole(sent))
                return
            await self._send_later(context._request, start, answer, sent, receive, send)
        finally:
            if body is not None:
                body.close()

    def _matched_context(self, plan: Plan, scope: Scope, receive: Receive) -> t.Any:
        """Make the context of a request that is unusual in some way, with its request, and match it."""
        app: t.Any = self
        request: t.Any = self.request_class.of_scope(scope, receive, app)
        context: t.Any = (
            self._context_of(request)
            if plan.takes_environ
            else app.request_context_class(app, request.head, request)
        )
        # Only converters of the application's own need an active context.
        token = None if plan.matches_alone else context_var.set(context)
        try:
            plan.match(context)
        except Exception:
            # Raised again when the context is pushed, where it is answered.
            pass
        finally:
            if token is not None:
                context_var.reset(token)
        return context

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
            if type(sent) is tuple or type(sent) is list:
                await self._send_whole(start, sent, send, watch)
            else:
                await send_stream(send, start, sent, self.threads.executor(), copy_context(), watch)

    async def _send_whole(self, start: Start, sent: t.Any, send: Send, watch: Watch) -> None:
        """Send a complete answer: what :meth:`answer_shortly` returns, or the pieces of a body."""
        is_text = type(sent) is tuple
        await send(sent[0].start_of(sent[1], sent[2]) if is_text else start.message())
        watch.finish()
        await send({"type": "http.response.body", "body": sent[1]} if is_text else whole(sent))

    async def _answer_on_thread(self, plan: Plan, context: AppContext, receive: Receive, send: Send) -> None:
        pool, variables, start = self.threads.executor(), copy_context(), Start()
        head = None if context._made is None else context._made.head
        request = context._request
        async with Watch(receive, request) as watch:
            if plan.goes_through_wsgi:
                # Middleware sees, and may change, the whole environment, so the context is made behind it.
                args: tuple[t.Any, ...] = (request.environ, start)
                # This request ends here; that of the other context takes its place, also in a copy of the environment.
                request.environ.pop("werkzeug.request", None)
                request.routing_exception = None
            else:
                args = (head, start, context)
            sent = await run_on_thread(
                pool, variables, begin, self.wsgi_app, *args, discard=close_body, watch=watch
            )
            if type(sent) is list or (type(sent) is tuple and not plan.goes_through_wsgi):
                await self._send_whole(start, sent, send, watch)
                return
            watch.begin()
            if hasattr(sent, "__aiter__"):
                copy_back(variables)
            await send_stream(send, start, sent, pool, variables, watch)

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("type") == "lifespan":
            # Slow to load, and WSGI does without.
            from .lifespan import serve_lifespan

            await serve_lifespan(self, receive, send)
            return
        if scope.get("type") == "websocket":
            # Slow to load, and not every application has WebSockets.
            from .websocket import serve_websocket

            await serve_websocket(self, scope, receive, send)
            return
        raise MalformedScope(
            f"The server called the application with a scope of the type {scope.get('type')!r}. Erlen answers 'http', "
            f"'websocket' and 'lifespan'."
        )


async def _returned(value: t.Any) -> t.Any:
    return value


async def _raised(error: BaseException) -> t.NoReturn:
    try:
        raise error
    finally:
        # The exception holds this frame: only the garbage collector would free both, and the request with them.
        del error


async def _has_come(body: ReceivedBody, context: AppContext) -> bool:
    """Receive a body, as far as it is received ahead, and return whether the client is still there."""
    steps, request = context.steps, context._request
    body.loop = asyncio.get_running_loop()
    if steps is not None and steps.streams_body:
        body.is_streamed = True
        return True
    limit = request.max_content_length
    if limit is not None and _announces_more(request, limit):
        # Nobody has to receive what is refused: asking for it raises the 413.
        return True
    token = context_var.set(context)
    try:
        # PERF: form POST over ASGI: most bodies come whole, 3 us.
        if not body.take_in(await body.receive()):
            await body.fill(limit, context.app.on_thread)
        if body.is_large and steps is not None and (steps.is_async or steps.has_async):
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


def _announces_more(request: Request, limit: int) -> bool:
    length = request.head.get("CONTENT_LENGTH", "")
    if length.isdecimal() and len(length) < MAX_LENGTH_DIGITS and int(length) <= limit:
        return False
    return (request.content_length or 0) > limit
