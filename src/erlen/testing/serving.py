"""The two servers behind :class:`erlen.testing.LiveServer`, each in a thread."""

from __future__ import annotations

import asyncio
import socket
import threading
import typing as t
from concurrent.futures import Future
from contextlib import suppress

from werkzeug.serving import ThreadedWSGIServer

from ..debug import own_traceback
from ..development.connections import ClosingHandler
from ..typing import Application, Receive, Scope, Send

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

#: How often, in seconds, the thread that accepts connections looks whether it is to end.
POLL = 0.05

NO_UVICORN = """\
The live server serves this application over ASGI{reason}, with uvicorn, and {missing} is not installed. Install it with: \
pip install 'erlen[dev]'. Over WSGI nothing is needed, and WebSockets are refused: LiveServer(app, interface="wsgi"), for the \
fixture 'live_server' the line 'erlen_interface = wsgi' in the configuration of pytest."""

STILL_RUNS = """\
The live server was told to stop, and {limit:g} s later (SHUTDOWN_TIMEOUT) the application still answers: {late}. Does a view \
wait for something that the test has not done?"""

#: How many seconds a connection is given to end by itself, a WebSocket for example with a code.
GRACE = 0.3


class Recorder:
    """An application that notes on its way to the server what is raised, and what still runs.

    :param app: the application.
    """

    def __init__(self, app: t.Any) -> None:
        self._app = app
        #: What was raised.
        self.errors: list[Exception] = []
        # The requests that run. Guarded by the condition, as they run in many threads.
        self._running: dict[object, str] = {}
        self._has_changed = threading.Condition()

    def over_wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Call the application over WSGI."""
        key = self._begin(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        try:
            return _RecordedBody(self, key, self._app(environ, start_response))
        except BaseException as error:
            self.note(error)
            self.end(key)
            raise

    async def over_asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application over ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        key = self._begin(f"{scope.get('method', 'WebSocket')} {scope['path']}")
        try:
            await self._app(scope, receive, send)
        except BaseException as error:
            self.note(error)
            raise
        finally:
            self.end(key)

    def note(self, error: BaseException) -> None:
        """Note what was raised, unless it ends a thread or a task."""
        if isinstance(error, Exception):
            # It is shown in the log, and once more at the end of the test.
            own_traceback(error)
            self.errors.append(error)

    def _begin(self, request: str) -> object:
        key = object()
        with self._has_changed:
            self._running[key] = request
        return key

    def end(self, key: object) -> None:
        """Note that a request is over."""
        with self._has_changed:
            self._running.pop(key, None)
            self._has_changed.notify_all()

    def late(self, limit: float) -> list[str]:
        """Wait until no request runs, and return those that still do.

        :param limit: how many seconds to wait.
        """
        with self._has_changed:
            self._has_changed.wait_for(lambda: not self._running, limit)
            return list(self._running.values())


class _RecordedBody:
    def __init__(self, recorder: Recorder, key: object, body: t.Iterable[bytes]) -> None:
        self._recorder = recorder
        self._key = key
        self._body = body
        self._pieces = iter(body)

    def __iter__(self) -> t.Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._pieces)
        except StopIteration:
            raise
        except Exception as error:
            self._recorder.note(error)
            raise

    def close(self) -> None:
        """Close the body, as a server does in any case."""
        try:
            close = getattr(self._body, "close", None)
            if close is not None:
                close()
        except Exception as error:
            self._recorder.note(error)
            raise
        finally:
            self._recorder.end(self._key)


class _Handler(ClosingHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing: a test knows what it has asked for."""


class _ThreadedServer(ThreadedWSGIServer):
    """Werkzeug's server with threads, which knows those that answer."""

    def __init__(self, sock: socket.socket, host: str, port: int, app: t.Any) -> None:
        #: The threads that answer, each with its connection. Only the thread that accepts changes it.
        self.answering: dict[threading.Thread, socket.socket] = {}
        super().__init__(host, port, app, _Handler, fd=sock.fileno())

    def process_request(self, request: t.Any, client_address: t.Any) -> None:
        """Answer a connection in a thread of its own."""
        arguments = request, client_address
        thread = threading.Thread(
            target=self.process_request_thread, args=arguments, name="erlen-live-answer", daemon=True
        )
        living = {one: sock for one, sock in self.answering.items() if one.is_alive()}
        self.answering = {**living, thread: request}
        thread.start()


class ServerOverWSGI:
    """Werkzeug's server, in a thread.

    :param app: the application.
    :param recorder: what is served.
    :param sock: a socket that listens. It is closed here.
    """

    def __init__(self, app: Application, recorder: Recorder, sock: socket.socket) -> None:
        self._app: t.Any = app
        self._recorder = recorder
        host, port = sock.getsockname()[:2]
        with sock:
            # It takes a copy of the socket.
            self._server = _ThreadedServer(sock, host, port, recorder.over_wsgi)
        try:
            self._has_begun = _begin(self._app)
        except BaseException:
            self._server.server_close()
            raise
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": POLL},
            name="erlen-live-server",
            daemon=True,
        )
        self._thread.start()

    def tell_to_stop(self) -> None:
        """Accept nothing more, and let what is open end."""
        self._app.begin_to_stop()
        self._server.shutdown()
        self._recorder.late(GRACE)
        for sock in self._server.answering.values():
            # Browsers keep connections open on which they ask nothing.
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def join(self, *, is_late: bool) -> None:
        """Wait until the threads have ended, and end the life span.

        :param is_late: whether a request goes on for ever.
        """
        self._thread.join()
        for thread in self._server.answering:
            # Of the others only what comes after the last byte is left.
            thread.join(0 if is_late else None)
        _end(self._app, self._has_begun)


def _begin(app: t.Any) -> bool:
    """Begin the life span, and return whether it is to be ended."""
    if app.has_life_span():
        return t.cast(bool, app.start_serving())
    # The first request begins: until then a test can add routes.
    return not app.is_serving


def _end(app: t.Any, has_begun: bool) -> None:
    if has_begun:
        app.stop_serving()
    else:
        # Whoever has begun goes on.
        app.is_stopping = False


class ServerOverASGI:
    """uvicorn, in a thread with an event loop.

    :param app: the application.
    :param recorder: what is served.
    :param sock: a socket that listens. It is closed here.
    """

    def __init__(self, app: Application, recorder: Recorder, sock: socket.socket) -> None:
        self._app: t.Any = app
        self._recorder = recorder
        self._sock = sock
        self._limit: float = self._app.config["SHUTDOWN_TIMEOUT"]
        # Done when it answers, or has failed to; and when the thread has done everything.
        self._started: Future[None] = Future()
        self._ended: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="erlen-live-server", daemon=True)
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            if self._started.done():
                self._thread.join()
            raise

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            # The thread that waits raises it, as 'sys.exit' of uvicorn would end this one alone.
            (self._ended if self._started.done() else self._started).set_exception(error)
        else:
            self._ended.set_result(None)
        finally:
            self._sock.close()

    async def _serve(self) -> None:
        app = self._app
        # Here, so that a failure is raised as it is; uvicorn would log it and exit.
        has_begun = await app.astart_serving() if app.has_life_span() else not app.is_serving
        try:
            await self._serve_with_uvicorn()
        finally:
            if has_begun:
                await app.astop_serving()
            else:
                app.is_stopping = False

    async def _serve_with_uvicorn(self) -> None:
        # Optional dependency.
        import uvicorn

        config = uvicorn.Config(
            self._recorder.over_asgi,
            interface="asgi3",
            # Middleware for ASGI may have something to begin as well; that of the application has begun.
            lifespan="on" if "asgi" in vars(self._app) else "off",
            log_config=None,
            proxy_headers=False,
            # What still runs then was reported before.
            timeout_graceful_shutdown=int(self._limit) + 1,
        )
        started = self._started

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                if self.started:
                    started.set_result(None)

        self._loop = asyncio.get_running_loop()
        self._uvicorn = Server(config)
        await self._uvicorn.serve([self._sock])
        if not started.done() or getattr(self._uvicorn.lifespan, "shutdown_failed", False):
            raise RuntimeError(
                "The life span of a middleware for ASGI has failed. The log of uvicorn says why."
            )

    def tell_to_stop(self) -> None:
        """Accept nothing more, and let what is open end."""
        told: Future[None] = Future()
        with suppress(RuntimeError, TimeoutError):
            # Its loop may have ended by itself.
            self._loop.call_soon_threadsafe(self._tell_to_stop, told)
            told.result(GRACE)

    def _tell_to_stop(self, told: Future[None]) -> None:
        # Uvicorn looks ten times a second whether it is to exit.
        for server in self._uvicorn.servers:
            server.close()
        told.set_result(None)
        self._app.begin_to_stop()
        self._uvicorn.should_exit = True
        self._loop.call_later(GRACE, self._close_connections)

    def _close_connections(self) -> None:
        # Clients that do not read, and streams without an end: uvicorn would wait for them.
        for connection in list(self._uvicorn.server_state.connections):
            connection.transport.abort()

    def join(self, *, is_late: bool) -> None:
        """Wait until the thread has ended.

        :param is_late: whether a request goes on for ever, and the thread with it.
        """
        if not is_late:
            self._thread.join()
            self._ended.result()
