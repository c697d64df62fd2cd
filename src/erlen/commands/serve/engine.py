"""Granian in a worker process: the one file that knows how it is driven.

Granian's own main process is not used. Its workers open a listening socket each, and what waits in the queue of a socket
is reset when that is closed, so that a reload loses connections; it ends the old workers after a fixed time, whether
or not the new ones have started; and it stops altogether when one of them fails to. For WSGI it has no other public way to
serve in a process that is there. So the classes of its workers are called here, with arguments by name, and a version
of Granian that has other ones is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import os
import signal
import socket
import threading
import traceback
import typing as t
from pathlib import Path

import click

from ...debug import own_traceback
from .ending import Ending
from .settings import MISSING, Settings

_UNKNOWN = """\
Granian {version} is not driven as this version of Erlen drives it: {what}. Install one that is: pip install 'erlen[serve]' \
'granian>=2.8,<2.9'"""

# Connections of one worker are many; threads that run Python are another setting.
_RUNTIME_THREADS = 1


class Failure(Exception):
    """The application did not start; the text is for people."""


def load_granian() -> t.Any:
    """Return the compiled module of Granian.

    :raises click.ClickException: where it is missing, or is one that this file does not know.
    """
    try:
        # Optional dependency.
        native: t.Any = importlib.import_module("granian._granian")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "granian":
            raise
        raise click.ClickException(MISSING) from None
    wanted = {"worker_id", "sock", "ipc", "py_threads", "backpressure", "static_files", "ssl_protocol_min"}
    for name in ("WSGIWorker", "ASGIWorker", "SocketHolder", "WorkerSignal"):
        found = getattr(native, name, None)
        if found is None:
            raise click.ClickException(_UNKNOWN.format(version=native.__version__, what=f"it has no {name}"))
        missing = (
            wanted - inspect.signature(found).parameters.keys() if name.endswith("Worker") else set[str]()
        )
        if missing:
            what = f"{name} takes no {', '.join(sorted(missing))}"
            raise click.ClickException(_UNKNOWN.format(version=native.__version__, what=what))
    return native


def _of_granian(module: str, name: str) -> t.Any:
    # Optional dependency, whose parts in Python have no types.
    return getattr(importlib.import_module(f"granian.{module}"), name)


class Start(t.NamedTuple):
    """How a worker begins: it waits until all have loaded the application, so that none of them serves alone."""

    #: Is called when the application has been loaded, and its life span has begun.
    loaded: t.Callable[[], object]
    #: Is set when requests may be answered, or never will be.
    go: threading.Event
    #: Is called when they are.
    ready: t.Callable[[], object]


class Engine:
    """What serves an application in this process.

    :param app: the application.
    :param call: what Granian calls in its place: the application with what is around it.
    :param settings: the settings.
    :param listener: the socket that listens.
    :param number: the number of the worker.
    """

    def __init__(
        self, app: t.Any, call: t.Any, settings: Settings, listener: socket.socket, number: int
    ) -> None:
        self.app = app
        self.call = call
        self.settings = settings
        self.listener = listener
        self.number = number
        self.native = load_granian()
        self.signal = self.native.WorkerSignal()
        # What Granian reads when it starts.
        self._files = contextlib.ExitStack()

    def serve(self, interface: str, start: Start, ending: Ending) -> None:
        """Serve until the end has come.

        :param interface: ``"wsgi"`` or ``"asgi"``.
        :param start: when it begins.
        :param ending: what ends it.
        :raises Failure: when the life span did not begin.
        """
        loop = _new_loop()
        try:
            if interface == "asgi":
                loop.run_until_complete(self._serve_asgi(loop, start, ending))
            else:
                self._serve_wsgi(loop, start, ending)
        finally:
            loop.close()

    def _serve_wsgi(self, loop: asyncio.AbstractEventLoop, start: Start, ending: Ending) -> None:
        wrap = _of_granian("wsgi", "_callback_wrapper")
        try:
            self.app.start_serving()
        except Exception as error:
            raise Failure(_text_of(error)) from None
        start.loaded()
        start.go.wait()
        if not ending.has_begun:
            done = threading.Event()
            self.signal.add_cb(done.set)
            worker = self.native.WSGIWorker(**self._arguments(), py_threads=self.settings.threads)
            self._start(worker, wrap(self.call, {}), loop)
            ending.begins_with(self.app.begin_to_stop, self.signal.set)
            start.ready()
            done.wait()
        self.app.stop_serving()

    async def _serve_asgi(self, loop: asyncio.AbstractEventLoop, start: Start, ending: Ending) -> None:
        wrap, watched = (
            _of_granian("asgi", "_callback_wrapper"),
            _of_granian("_futures", "_future_watcher_wrapper"),
        )
        span = _LifeSpan(self.app)
        await span.begin()
        start.loaded()
        await asyncio.to_thread(start.go.wait)
        if not ending.has_begun:
            done = asyncio.Event()
            self.signal.add_cb(lambda: loop.call_soon_threadsafe(done.set))
            worker = self.native.ASGIWorker(
                **self._arguments(), py_threads=1, websockets_enabled=self.settings.websockets
            )
            self._start(worker, watched(wrap(self.call, {}, span.state)), loop)
            ending.begins_with(lambda: loop.call_soon_threadsafe(self.app.begin_to_stop), self.signal.set)
            start.ready()
            await done.wait()
        await span.end()

    def _start(self, worker: t.Any, callback: t.Any, loop: asyncio.AbstractEventLoop) -> None:
        new_scheduler = _of_granian("_futures", "_new_cbscheduler")
        serve = worker.serve_mtr_uds if self.settings.unix_socket else worker.serve_mtr
        with self._files:
            serve(new_scheduler(loop, callback, impl_asyncio=True), loop, self.signal)

    def _arguments(self) -> dict[str, t.Any]:
        settings = self.settings
        return {
            "worker_id": self.number,
            "sock": (None, self._socket()),
            "ipc": None,
            "threads": _RUNTIME_THREADS,
            "backpressure": settings.max_connections,
            "http_mode": settings.http,
            "static_files": ([(prefix, folder) for prefix, folder in settings.static], None, None)
            if settings.static
            else None,
            "ssl_enabled": settings.cert is not None,
            "ssl_cert": settings.cert,
            "ssl_key": self._key_file(),
            "ssl_key_password": None,
            # What rustls has of 1.2 is without known weakness.
            "ssl_protocol_min": "tls1.2",
            "ssl_ca": settings.client_ca,
            "ssl_crl": [],
            "ssl_client_verify": settings.client_ca is not None,
            "metrics": (None, None),
        }

    def _key_file(self) -> str | None:
        """Return where Granian reads the key.

        An encrypted one is decrypted here, into a file that only this process has: Granian 2.8 cannot read those that it
        says it can.
        """
        settings = self.settings
        if settings.key is None or settings.key_password is None:
            return settings.key
        # Optional, slow to import, and for encrypted keys alone.
        from cryptography.hazmat.primitives import serialization

        key = serialization.load_pem_private_key(
            Path(settings.key).read_bytes(), settings.key_password.encode()
        )
        file = self._files.enter_context(_file_without_name())
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        file.seek(0)
        return f"/dev/fd/{file.fileno()}"

    def _socket(self) -> t.Any:
        """Return the listening socket as Granian takes it, which closes it in the end."""
        parameters = inspect.signature(self.native.SocketHolder).parameters
        values = {
            "fd": self.listener.detach(),
            "uds": self.settings.unix_socket is not None,
            "backlog": self.settings.backlog,
        }
        return self.native.SocketHolder(*(values[name] for name in parameters))


def _file_without_name() -> t.IO[bytes]:
    """Return a file that nobody else can open: in memory where the system has that."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("erlen-serve"), "w+b")
    # Slow to import, and for encrypted keys alone.
    import tempfile

    return tempfile.TemporaryFile()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        # Optional: faster where it is installed.
        import uvloop  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        loop = asyncio.new_event_loop()
    else:
        loop = t.cast("asyncio.AbstractEventLoop", uvloop.new_event_loop())
    asyncio.set_event_loop(loop)
    return loop


def _text_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(own_traceback(error))).rstrip()


class _LifeSpan:
    """The server's side of a life span over ASGI, with the middleware an application may have.

    :param app: the application.
    """

    def __init__(self, app: t.Any) -> None:
        self.app = app
        self.state: dict[str, t.Any] = {}
        self._events: asyncio.Queue[dict[str, t.Any]] = asyncio.Queue()
        self._answers: asyncio.Queue[dict[str, t.Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self.app(scope, self._events.get, self._answers.put)

    async def begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())
        answer = await self._ask("lifespan.startup")
        if answer["type"] != "lifespan.startup.complete":
            raise Failure(answer.get("message") or "The life span did not begin.")

    async def end(self) -> None:
        answer = await self._ask("lifespan.shutdown")
        if answer["type"] == "lifespan.shutdown.failed":
            raise Failure(answer.get("message") or "The life span did not end.")

    async def _ask(self, event: str) -> dict[str, t.Any]:
        assert self._task is not None
        if not self._task.done():
            self._events.put_nowait({"type": event})
        answering = asyncio.ensure_future(self._answers.get())
        await asyncio.wait({answering, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            return answering.result()
        if not self._answers.empty():
            answering.cancel()
            return self._answers.get_nowait()
        answering.cancel()
        error = self._task.exception()
        return {"type": f"{event}.failed", "message": _text_of(error) if error else None}


def on_signal(action: t.Callable[[], None]) -> None:
    """Call a function when the process is told to stop.

    :param action: what is called.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: action())
