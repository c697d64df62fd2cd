"""uvicorn, in this process: for applications with WebSockets or async views."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
import typing as t

import uvicorn

from ..debug import own_traceback
from .terminal import say, say_request

if t.TYPE_CHECKING:
    import socket
    import ssl

    from ..typing import Receive, Scope, Send
    from .ending import Ending

_logger = logging.getLogger("uvicorn.error")

# The statuses of what starts an answer; a WebSocket that is closed before it was accepted is refused with 403.
_STATUS = {"websocket.accept": 101, "websocket.close": 403}


class Server(uvicorn.Server):
    """A server that leaves signals to others."""

    def __init__(self, config: uvicorn.Config, ending: Ending) -> None:
        super().__init__(config)
        self._ending = ending

    async def on_tick(self, counter: int) -> bool:
        """Do what is done ten times a second."""
        self._ending.hear_again()
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> t.Generator[None]:
        """Leave the signals alone."""
        yield


class FailedToStart(Exception):
    """The life span of the application could not begin; the cause says why."""


def serve(
    application: t.Any,
    app: t.Any,
    listener: socket.socket,
    tls: ssl.SSLContext | None,
    ending: Ending,
    ready: t.Callable[[], object],
) -> None:
    """Serve until something asks for the end.

    :param application: an ASGI callable.
    :param app: the Erlen application in it, whose life span begins and ends here.
    :param listener: the socket.
    :param tls: what connections are wrapped with.
    :param ending: tells of the end.
    :param ready: called when the life span has begun.
    :raises FailedToStart: when that failed.
    """

    async def main() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        ending.stop = lambda: loop.call_soon_threadsafe(task.cancel)
        if ending.code is not None:
            return
        try:
            await app.astart_serving()
        except Exception as error:
            raise FailedToStart from error
        try:
            ready()
            await _serve(application, app, listener, tls, ending)
        finally:
            ending.server_ended()
            await app.astop_serving()
            # Before the loop is closed, which waits for its threads.
            ending.over()

    with (
        ending.hearing_for_loop(),
        _quiet(ending),
        contextlib.suppress(asyncio.CancelledError),
        asyncio.Runner() as runner,
    ):
        runner.run(main())


async def _serve(
    application: t.Any, app: t.Any, listener: socket.socket, tls: ssl.SSLContext | None, ending: Ending
) -> None:
    loop = asyncio.get_running_loop()
    server = Server(
        uvicorn.Config(
            _Logged(application),
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            # As with the other server: what a client says of a proxy is not believed.
            proxy_headers=False,
            timeout_graceful_shutdown=1,
            ssl_context_factory=None if tls is None else lambda config, default: tls,
        ),
        ending,
    )

    def stop() -> None:
        server.should_exit = True
        # So that streams and WebSockets end before the server waits for them.
        app.begin_to_stop()

    ending.stop = lambda: loop.call_soon_threadsafe(stop)
    if ending.code is not None:
        return
    # uvicorn closes what it is given.
    await server.serve([listener.dup()])


@contextlib.contextmanager
def _quiet(ending: Ending) -> t.Generator[None]:
    """Leave out what uvicorn says of connections that are cut at the end, and errors that were shown already."""

    def is_wanted(record: logging.LogRecord) -> bool:
        return ending.code is None and "Exception in ASGI application" not in str(record.msg)

    _logger.addFilter(is_wanted)
    try:
        yield
    finally:
        _logger.removeFilter(is_wanted)


class _Logged:
    """Writes a line for each request, and what an application raises."""

    def __init__(self, application: t.Any) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def note(message: t.Any) -> None:
            nonlocal started
            status = message.get("status", _STATUS.get(message["type"]))
            if status is not None and not started:
                started = True
                _say_answer(scope, status)
            await send(message)

        try:
            await self._application(scope, receive, note)
        except Exception as error:
            if not started:
                _say_answer(scope, 500)
            trace = "".join(traceback.format_exception(own_traceback(error)))
            say(f"Error on request:\n{trace}", logging.ERROR)
            raise


def _say_answer(scope: Scope, status: int) -> None:
    client = scope.get("client")
    path = (scope.get("raw_path") or scope["path"].encode()).decode("ascii", "replace")
    query = scope.get("query_string", b"").decode("ascii", "replace")
    say_request(
        client[0] if client else "<local>",
        scope.get("method", "GET"),
        f"{path}?{query}" if query else path,
        f"HTTP/{scope.get('http_version', '1.1')}",
        status,
    )
