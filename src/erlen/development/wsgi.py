"""Werkzeug's server, on a socket that is there already."""

from __future__ import annotations

import logging
import threading
import typing as t

from werkzeug import serving

from .connections import ClosingHandler
from .terminal import say, say_request

if t.TYPE_CHECKING:
    import socket
    import ssl

    from .ending import Ending
    from .settings import Settings

# How long a reload waits for requests that are being answered, and how often the server looks for its end.
_PATIENCE = 0.5
_INTERVAL = 0.1


class Requests:
    """Counts the requests that are being answered."""

    def __init__(self) -> None:
        self._number = 0
        # Protects the number: each request is on a thread of its own.
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._number += 1

    def __exit__(self, *details: object) -> None:
        with self._changed:
            self._number -= 1
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait for their end.

        :param seconds: at most.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._number, seconds)


class Handler(ClosingHandler):
    """Answers one connection; its lines are those of the other server."""

    answering: t.ClassVar[Requests] = Requests()

    def handle(self) -> None:
        """Answer, and be counted while doing so."""
        with self.answering:
            super().handle()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write the line of a request."""
        # A request line that could not be read has no parts.
        method, path = getattr(self, "command", None) or "-", getattr(self, "path", None) or "-"
        say_request(
            self.address_string(), method, path, self.request_version, str(getattr(code, "value", code)), size
        )

    def log(self, type: str, message: str, *args: t.Any) -> None:
        """Write a message about a connection."""
        text = message % args if args else message
        if "HTTP_REQUEST" in text:
            text = "A request without TLS came; this server is reached by https://."
        say(f"{self.address_string()} - - {text}", logging.ERROR if type == "error" else logging.INFO)


def serve(
    application: t.Any,
    settings: Settings,
    listener: socket.socket,
    tls: ssl.SSLContext | None,
    ending: Ending,
) -> None:
    """Serve until something asks for the end.

    :param application: a WSGI callable.
    :param settings: what was asked for.
    :param listener: the socket.
    :param tls: what the socket is wrapped with.
    :param ending: tells of the end.
    """
    options: dict[str, t.Any] = {
        "request_handler": Handler,
        "threaded": settings.threaded,
        **settings.server_options,
    }
    static_files = options.pop("static_files", None)
    if static_files:
        # Few ask for it.
        from werkzeug.middleware.shared_data import SharedDataMiddleware

        application = SharedDataMiddleware(application, static_files)
    server = serving.make_server(settings.host, settings.port, application, **options, fd=listener.fileno())
    if tls is not None:
        # The handshake is left to the thread of the connection: a client that says nothing keeps nobody waiting.
        server.ssl_context = tls
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    reloading = threading.Event()

    def stop() -> None:
        if threading.current_thread() is threading.main_thread():
            # A signal: the server's loop is below this on the stack.
            raise KeyboardInterrupt
        reloading.set()
        server.shutdown()

    ending.stop = stop
    if ending.code is None:
        server.serve_forever(_INTERVAL)
    server.server_close()
    if reloading.is_set():
        Handler.answering.wait(_PATIENCE)
