"""What Granian calls in a worker: the application, with what the settings put around it."""

from __future__ import annotations

import itertools
import typing as t

from .access import AccessLog
from .proxies import TrustedProxies

_CLOSE_WSGI = ("Connection", "close")
_CLOSE_ASGI = (b"connection", b"close")


class Gate:
    """The way of each request to the application.

    :param app: the application.
    :param interface: ``"wsgi"`` or ``"asgi"``.
    :param proxies: the proxies whose headers count.
    :param log: where requests are written to, ``None`` for nowhere.
    """

    def __init__(
        self, app: t.Any, interface: str, proxies: TrustedProxies | None, log: AccessLog | None
    ) -> None:
        is_wsgi = interface == "wsgi"
        # Proxies come last, so that the log has the client that they tell of.
        if log is not None:
            app = log.around_wsgi(app) if is_wsgi else log.around_asgi(app)
        if proxies is not None:
            app = proxies.around_wsgi(app) if is_wsgi else proxies.around_asgi(app)
        self._inner = app
        self._closing = closing_wsgi(app) if is_wsgi else closing_asgi(app)
        # PERF: plaintext: looked up in each call, and nothing else is; it changes once, at the end.
        target = [app]
        self._target = target

        def call_wsgi(environ: t.Any, start_response: t.Any) -> t.Any:
            return target[0](environ, start_response)

        def call_asgi(scope: t.Any, receive: t.Any, send: t.Any) -> t.Any:
            return target[0](scope, receive, send)

        self.call = call_wsgi if is_wsgi else call_asgi

    def close(self) -> None:
        """Let each connection end with its next answer."""
        self._target[0] = self._closing

    def count(self, limit: int, reached: t.Callable[[], object]) -> None:
        """Count requests.

        :param limit: how many, until ``reached`` is called, once.
        :param reached: is called from whatever thread answers that request.
        """
        numbers = itertools.count(1)
        inner = self._inner

        def counting(*arguments: t.Any) -> t.Any:
            if next(numbers) == limit:
                # Unless it closes by now.
                if self._target[0] is counting:
                    self._target[0] = inner
                reached()
            return inner(*arguments)

        self._target[0] = counting


def closing_wsgi(app: t.Any) -> t.Any:
    """Return a WSGI application whose answers close their connection."""

    def closing(environ: t.Any, start_response: t.Any) -> t.Any:
        if environ.get("SERVER_PROTOCOL", "").startswith("HTTP/2"):
            return app(environ, start_response)

        def start(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
            return start_response(status, [*headers, _CLOSE_WSGI], exc_info)

        return app(environ, start)

    return closing


def closing_asgi(app: t.Any) -> t.Any:
    """Return an ASGI application whose answers close their connection."""

    def closing(scope: t.Any, receive: t.Any, send: t.Any) -> t.Any:
        if scope["type"] != "http" or scope["http_version"].startswith("2"):
            return app(scope, receive, send)

        async def send_closing(message: t.Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], _CLOSE_ASGI]}
            await send(message)

        return app(scope, receive, send_closing)

    return closing
