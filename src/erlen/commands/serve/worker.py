"""A worker: loads the application, and serves it until it is told to end."""

from __future__ import annotations

import dataclasses
import logging
import os
import random
import socket
import threading
import time
import traceback
import typing as t

import click
from werkzeug.utils import import_string

from ...cli import ScriptInfo
from ...debug import own_traceback
from . import logs
from .access import AccessLog
from .channel import Channel
from .ending import LEAVING, STOPPING, Ending
from .engine import Engine, Failure, Start, on_signal
from .gate import Gate
from .proxies import TrustedProxies
from .settings import Settings, check_certificate
from .task import Task

#: With what a worker ends that could not start. The main process was told why.
FAILED = 3

#: How many threads answer requests over WSGI unless something else is said.
DEFAULT_THREADS = 8


def serve(task: Task, channel: Channel) -> int:
    """Serve until the end, and return the exit code.

    :param task: what to serve, and how.
    :param channel: to the main process.
    """
    try:
        _serve(task, channel)
    except BaseException as error:  # Whatever it is, the main process shows it once for all workers.
        text, code = _told(error)
        channel.send(event="failed", text=text, code=code)
        return FAILED
    return 0


def _told(error: BaseException) -> tuple[str, int]:
    """Return what to show of an error, and the exit code of the server for it."""
    if isinstance(error, click.ClickException):
        return f"Error: {error.format_message()}", error.exit_code
    if isinstance(error, Failure):
        return str(error), 1
    if isinstance(error, SystemExit):
        return f"The application ended the process while it was loaded: SystemExit({error.code!r}).", 1
    return "".join(traceback.format_exception(own_traceback(error))).rstrip(), 1


def _serve(task: Task, channel: Channel) -> None:
    settings = task.settings
    logs.configure(f"worker {task.number}", settings.log_level)
    check_certificate(settings)
    app = _load(task)
    reason: str | None = app.asgi_reason()
    interface = settings.interface
    if interface == "auto":
        # Over WSGI Granian takes 'X_Forwarded_For' for 'X-Forwarded-For', and a client could put in the one what a proxy has
        # put in the other.
        interface = "asgi" if reason or settings.trusted_proxy else "wsgi"
    settings = _with_threads(settings, app, interface)

    gate = Gate(
        app,
        interface,
        TrustedProxies(settings.trusted_proxy) if settings.trusted_proxy else None,
        AccessLog(settings.access_log_format, task.number) if settings.access_log else None,
    )
    listener = socket.socket(fileno=task.listener)
    # It is that already. But the object does not know, and would make it block when it is copied, for all workers.
    listener.setblocking(False)
    ending = Ending(gate, listener, lambda: channel.send(event="left"))
    engine = Engine(app, gate.call, settings, listener, task.number)
    start = Start(
        loaded=lambda: channel.send(event="loaded", interface=interface, reason=reason, name=app.name),
        go=threading.Event(),
        ready=lambda: _begin(settings, gate, channel),
    )

    def end(seconds: float) -> None:
        ending.begin(seconds)
        start.go.set()

    on_signal(lambda: end(STOPPING))
    # The rest of the time is for what is being answered then.
    leaving = min(LEAVING, settings.timeout / 2)

    def end_alone() -> None:
        end(STOPPING)
        # Nobody is left to kill this process, and it would keep the port.
        time.sleep(settings.timeout)
        os._exit(FAILED)

    _listen_to(channel, {"go": start.go.set, "leave": lambda: end(leaving)}, end_alone)
    engine.serve(interface, start, ending)
    logging.shutdown()


def _begin(settings: Settings, gate: Gate, channel: Channel) -> None:
    channel.send(event="ready")
    _wear_out(settings, gate, lambda why: channel.send(event="worn", why=why))


def _load(task: Task) -> t.Any:
    create_app = None if task.factory is None else import_string(task.factory)
    return ScriptInfo(task.app_import_path, create_app, task.set_debug_flag, False).load_app()


def _with_threads(settings: Settings, app: t.Any, interface: str) -> Settings:
    """Decide how many threads run plain code: Granian's over WSGI, the application's own over ASGI."""
    if interface == "asgi":
        if settings.threads is not None:
            app.config["THREAD_POOL_SIZE"] = settings.threads
        return settings
    return dataclasses.replace(settings, threads=settings.threads or DEFAULT_THREADS)


def _listen_to(
    channel: Channel, actions: t.Mapping[str, t.Callable[[], object]], gone: t.Callable[[], object]
) -> None:
    """Do what the main process says, in a thread.

    :param actions: what is done for each event.
    :param gone: what is done when the main process has ended.
    """

    def listen() -> None:
        while (messages := channel.receive()) is not None:
            for message in messages:
                actions[message["event"]]()
        gone()

    threading.Thread(target=listen, name="erlen-channel", daemon=True).start()


def _wear_out(settings: Settings, gate: Gate, worn: t.Callable[[str], None]) -> None:
    """Ask for a replacement when the worker has served long enough.

    The limits are up to a tenth higher than they were set, so that the workers are not all replaced at once.
    """
    spread = 1 + random.random() / 10  # noqa: S311 (nothing is secret)
    if settings.max_requests:
        limit = round(settings.max_requests * spread)
        gate.count(limit, lambda: worn(f"it has answered {limit} requests"))
    if settings.worker_lifetime:
        lifetime = settings.worker_lifetime * spread
        timer = threading.Timer(lifetime, worn, [f"it has served for {lifetime:.0f} seconds"])
        timer.daemon = True
        timer.start()
