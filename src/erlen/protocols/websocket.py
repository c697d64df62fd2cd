"""A WebSocket from ASGI: its handshake is a request, with hooks, error handlers and a session; then its handler has it.

``before_request`` hooks run for the handshake as for any request, so what protects a blueprint protects its WebSockets too.
``after_request`` hooks run on the response of the handshake: on that of status 101 when the WebSocket is accepted,
else on the rejection. Teardown runs at the end of the WebSocket.

How hooks and handler end decides what the client sees:

==================  =============================================  ==============================================
they                before the acceptance                          after it
==================  =============================================  ==============================================
return nothing      403 of the server                              closed with 1000
return a value      rejected with it as a response                 TypeError: as for other errors
WebSocketError      403 of the server                              closed with its code
HTTPException       error handlers, else rejected with it          closed with 1008; from 500 on as other errors
other errors        error handlers, else logged, rejected: 500     logged, closed with 1011
==================  =============================================  ==============================================

Error handlers run in ``_handle``, where nothing is accepted yet; what they and ``_end`` raise is ``_fail``'s to answer. A
response that the server cannot send becomes its 403.
"""

from __future__ import annotations

import contextlib
import typing as t
from contextvars import Context

from werkzeug.exceptions import HTTPException

from ..ctx import AppContext, context_var
from ..headers import ENCODED
from ..lazy import asyncio
from ..logging import printable
from ..pipeline.bridge import as_error
from ..pipeline.steps import Plan
from ..scopes import malformed
from ..signals import atell, got_request_exception, request_started
from ..streams import aclose
from ..typing import Receive, Scope, Send
from ..websockets import WebSocket, WebSocketError
from .handshake import Handshake, can_reject, gathered, reject_outside, send_rejection
from .sending import Start, begin

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Headers of a response that say something of its body.
_OF_BODY = frozenset({"content-type", "content-length"})


async def serve_websocket(app: t.Any, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the handshake of a WebSocket and let its handler have it.

    :param app: the application.
    :param scope: the ASGI scope.
    :param receive: the server's callable for events of the client.
    :param send: the server's callable for events to the client.
    """
    kind = (await receive()).get("type")
    if kind != "websocket.connect":
        if kind == "websocket.disconnect":
            return
        raise ValueError(f"The server began a WebSocket with {kind!r} instead of 'websocket.connect'.")
    plan: Plan = app.plan or app.freeze()
    request = app.request_class.of_scope(scope, receive, app)
    if not plan.goes_through_wsgi:
        context = (
            _context_of(app, request.environ, scope)
            if plan.needs_environ
            else app.request_context_class(app, request.head, request)
        )
        await _Connection(app, plan, context, scope, receive, send).serve()
        return
    handshake = Handshake(app, request.environ)
    await handshake.pass_through()
    if not handshake.is_passed_on:
        await reject_outside(app, scope, send, handshake.start, handshake.body)
        return
    try:
        app = handshake.app
        context = _context_of(app, handshake.environ, scope)
        await _Connection(app, app.plan or app.freeze(), context, scope, receive, send).serve()
    finally:
        await handshake.close()


def _context_of(app: t.Any, environ: WSGIEnvironment, scope: Scope) -> AppContext:
    context: AppContext = app.request_context(environ)
    context.request._scope = scope
    return context


class _Connection:
    """One WebSocket and its handler."""

    def __init__(
        self, app: t.Any, plan: Plan, context: AppContext, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._app = app
        self._plan = plan
        self._context = context
        self._scope = scope
        self._send = send
        self._websocket = WebSocket(app, scope, receive, send, self._begin)
        self._task = t.cast("asyncio.Task[t.Any]", asyncio.current_task())
        self._is_cancelled = False
        self._stopping: asyncio.Task[None] | None = None
        # Whether the handler has ended and its response, if there is one, was sent.
        self._is_over = False
        # The response of status 101.
        self._acceptance: t.Any = None
        context._websocket = self._websocket

    async def serve(self) -> None:
        """Run everything, and leave nothing behind."""
        listener = asyncio.get_running_loop().create_task(self._listen(), context=Context())
        self._websocket.listener = listener
        self._app.stop_callbacks[self._stop] = None
        try:
            await self._respond()
        except asyncio.CancelledError:
            # Ours, as the client has gone: the server need not hear of it, unless it asks as well.
            if not self._is_cancelled or self._task.cancelling() > 1:
                raise
        finally:
            if self._is_cancelled:
                self._task.uncancel()
            self._app.stop_callbacks.pop(self._stop, None)
            self._websocket.end(1001, "")
            for task in (listener, self._stopping):
                if task is not None:
                    task.cancel()
                    await asyncio.wait({task})
            if self._acceptance is not None and self._acceptance._on_close:
                await self._app._ensure_called(self._acceptance.close)()

    async def _listen(self) -> None:
        websocket = self._websocket
        try:
            await websocket.listen()
        except Exception:
            self._app.logger.exception("A WebSocket ended, as its server went wrong")
            with contextlib.suppress(Exception):
                await websocket.break_off(1011, "")
        await self._let_go()

    def _stop(self) -> None:
        """Tell the client that the server stops; for the handler it is as if the client had gone."""
        loop = self._task.get_loop()

        def begin() -> None:
            self._stopping = loop.create_task(self._shut(), context=Context())

        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(begin)

    async def _shut(self) -> None:
        await self._websocket.break_off(1012, "the server stops")
        await self._let_go()

    async def _let_go(self) -> None:
        """Cancel a handler that does not end with its WebSocket."""
        websocket = self._websocket
        if websocket.is_closed_here:
            # The handler knows.
            return
        if websocket.has_received or websocket.has_messages:
            # It hears of the end when it asks for the next message, and may be busy with the last one.
            await asyncio.sleep(self._app.config["WEBSOCKET_CLOSE_TIMEOUT"])
        if not self._is_over:
            self._is_cancelled = True
            self._task.cancel("the client of the WebSocket went away")

    async def _respond(self) -> None:
        app, context = self._app, self._context
        failure: BaseException | None = None
        mismatch = self._match()
        try:
            await context.apush()
            if not app.is_serving:
                await app.abegin_serving()
            await self._handle(mismatch)
        except BaseException as raised:
            failure = as_error(raised)
            if isinstance(failure, Exception):
                await self._fail(failure)
            else:
                raise
        finally:
            # What is given back at the end is given back in peace.
            self._is_over = True
            try:
                await self._keep_session()
            finally:
                await context.apop(failure)

    def _match(self) -> Exception | None:
        token = context_var.set(self._context)
        try:
            self._plan.match_websocket(self._context)
        except Exception as error:
            self._context.steps = self._plan.steps_for(None)
            return malformed(self._scope, error)
        finally:
            context_var.reset(token)
        return None

    async def _handle(self, mismatch: Exception | None) -> None:
        try:
            try:
                if mismatch is not None:
                    raise mismatch
                value = await self._dispatch()
            except Exception as error:
                if self._websocket.is_accepted or _end_of(error) is not None:
                    raise
                value = await self._app.ahandle_user_exception(error)
            await self._end(value)
        except Exception as error:
            end = _end_of(error)
            if end is None:
                raise
            await self._close(end.code, end.reason)

    async def _dispatch(self) -> t.Any:
        app, context = self._app, self._context
        if request_started.receivers:
            await atell(request_started, app)
        protection = self._plan.protection
        if protection is not None and not context.steps.cross_origin_exempt:
            # Any page can open a WebSocket to any host, and the browser sends that host's cookies along.
            protection.check(context.request.environ)
        value = await self._app.apreprocess_request()
        return await self._app.adispatch_request() if value is None else value

    async def _begin(self, headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
        """Run what runs on a response on the one that accepts the WebSocket, and return its headers."""
        response = self._app.response_class(status=101)
        for name, value in headers:
            response.headers.add(name, value)
        response = await self._app.aprocess_response(response)
        encoded = [
            ENCODED[pair] for pair in response.headers.to_wsgi_list() if pair[0].lower() not in _OF_BODY
        ]
        session = self._context._session
        if session is not None:
            session.modified = False
        self._acceptance = response
        return encoded

    async def _end(self, value: t.Any) -> None:
        websocket = self._websocket
        if websocket.is_accepted:
            if value is not None:
                raise TypeError(
                    f"The handler of the WebSocket {self._context.request.endpoint!r} returned {value!r} after the WebSocket "
                    f"was accepted, and there is no response any more. Send it with 'await websocket.send(...)'; what a "
                    f"handler returns before that rejects the WebSocket."
                )
            await self._close(1000, "")
        elif value is None:
            if websocket.close_code is None:
                await self._close(1000, "")
        else:
            await self._reject(await self._app.afinalize_request(value))

    async def _close(self, code: int, reason: str) -> None:
        if self._websocket.close_code is None:
            await self._websocket.close(code, reason)

    async def _reject(self, response: t.Any) -> None:
        """Answer the handshake with an ordinary response, where the server can send one."""
        app, websocket, start = self._app, self._websocket, Start()
        if not can_reject(self._scope):
            # The server answers this with 403.
            await websocket.break_off(1008, "")
        if websocket.close_code is not None:
            await aclose(response)
            await app._ensure_called(response.close)()
            return
        request = self._context.request
        # A client that goes meanwhile ends this, as any handler.
        messages = await gathered(app, request.path, start, begin(response, request.environ, start))
        if t.cast("int | None", websocket.close_code) is None:
            websocket.end(1006, "")
            await websocket.stop_listening()
            await send_rejection(app, self._send, messages)
            self._is_over = True

    async def _fail(self, error: Exception) -> None:
        """Answer what nothing handled: with the 500 response before the acceptance, with a code after it."""
        app, websocket = self._app, self._websocket
        if not websocket.is_accepted:
            try:
                response = await self._app.ahandle_exception(error)
            except BaseException:
                await self._close(1011, "")
                raise
            await self._reject(response)
            return
        if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
            await self._close(1008, error.name)
            return
        await self._close(1011, "Internal Server Error")
        if got_request_exception.receivers:
            await atell(got_request_exception, app, exception=error)
        propagate = app.config["PROPAGATE_EXCEPTIONS"]
        if (app.testing or app.debug) if propagate is None else propagate:
            raise error
        app.log_exception((type(error), error, error.__traceback__))

    async def _keep_session(self) -> None:
        """Save what changed in the session after its cookie was sent, where that can be."""
        app, context = self._app, self._context
        session = context._session
        if not self._websocket.is_accepted or session is None or not session.modified:
            return
        if self._plan.opens_every_session:
            # Sessions that are stored elsewhere need no cookie for that.
            interface = app.session_interface
            if not interface.is_null_session(session):
                await app.ensure_async(interface.save_session)(app, session, app.response_class())
            return
        app.logger.warning(
            "The session was changed after the WebSocket %s had been accepted. Its cookie was sent with the acceptance, so "
            "the change is lost. Change it before 'await websocket.accept()', or store sessions on the server.",
            printable(context.request.path),
        )


def _end_of(error: BaseException) -> WebSocketError | None:
    """Return the error with which a WebSocket ended, also where tasks of a group have raised it, and nothing else."""
    if isinstance(error, BaseExceptionGroup):
        group = t.cast("BaseExceptionGroup[BaseException]", error)
        return None if group.split(WebSocketError)[1] is not None else _end_of(group.exceptions[0])
    return error if isinstance(error, WebSocketError) else None
