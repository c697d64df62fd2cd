"""A real server for tests, in a thread of the process of the test."""

from __future__ import annotations

import socket
import typing as t
from importlib.util import find_spec
from types import TracebackType

from ..typing import Application
from .serving import NO_UVICORN, STILL_RUNS, Recorder, ServerOverASGI, ServerOverWSGI

Interface: t.TypeAlias = t.Literal["auto", "wsgi", "asgi"]


class LiveServer:
    """Serve an application on a real port, for browsers and other programs, in a thread of this process.

    So a test may change what the application uses: its configuration, a database in memory, a function that it replaces.

    .. code-block:: python

        with LiveServer(app) as server:
            answer = urlopen(f"{server.url}/hello").read()

    It answers when the block begins. At its end streams and WebSockets are ended, views that still run have
    ``SHUTDOWN_TIMEOUT`` seconds, and nothing is left. The life span of the application begins and ends with the block,
    unless it had begun before.

    What a view raises is logged as on any server. What no error handler has answered is in :attr:`errors` as well, and is
    raised at the end of the block, unless that ends with an exception of its own. With ``TESTING`` that is what the test
    client would raise. Clear the list in a test that expects it.

    :param app: the application.
    :param host: the address to listen on.
    :param port: the port; 0 takes a free one.
    :param interface: ``"wsgi"``, ``"asgi"`` (with uvicorn), or ``"auto"`` for ASGI where :meth:`erlen.Erlen.asgi_reason`
        has a reason for it.

    .. versionadded:: 0.1
    """

    def __init__(
        self, app: Application, *, host: str = "127.0.0.1", port: int = 0, interface: Interface = "auto"
    ) -> None:
        if interface not in t.get_args(Interface):
            raise ValueError(
                f"interface={interface!r} is none of 'auto', 'wsgi' and 'asgi'. Leave it out, and the application decides."
            )
        self.app = app
        #: The address it listens on.
        self.host = host
        #: The port it listens on; the one that was taken, when it has started.
        self.port: int = port
        #: What it speaks: ``"wsgi"`` or ``"asgi"`` when it has started.
        self.interface: Interface = interface
        self._asked: tuple[int, Interface] = port, interface
        self._recorder = Recorder(app)
        self._server: ServerOverWSGI | ServerOverASGI | None = None

    def __repr__(self) -> str:
        state = "not started" if self._server is None else self.url
        return f"<{type(self).__name__} {state} of {self.app!r}>"

    @property
    def errors(self) -> list[Exception]:
        """What views have raised, and no error handler has answered."""
        return self._recorder.errors

    @property
    def url(self) -> str:
        """The URL of the server, without a slash at its end."""
        if self._server is None:
            raise RuntimeError(
                "This live server has no URL, as it does not run. It does in a block: 'with LiveServer(app) as server:'."
            )
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def url_for(self, endpoint: str, **values: t.Any) -> str:
        """Return the whole URL of an endpoint on this server; that of a WebSocket begins with ``ws:``.

        :param endpoint: the name of the endpoint.
        :param values: as for :func:`erlen.url_for`.
        :raises werkzeug.routing.BuildError: when there is no such endpoint, or a value is missing.
        """
        url = self.url
        with self.app.test_request_context(base_url=url):
            built = self.app.url_for(endpoint, **{"_external": False, **values})
        # A rule of a subdomain, of another host or of a WebSocket has a whole URL.
        is_path = built.startswith("/") and not built.startswith("//")
        return url + built if is_path else built

    def __enter__(self) -> t.Self:
        if self._server is not None:
            raise RuntimeError(
                f"This live server runs already, on {self.url}. Make another one for the inner block: 'LiveServer(app)'."
            )
        port, interface = self._asked
        reason = self.app.asgi_reason() if interface != "wsgi" else None
        self.interface = interface
        if interface == "auto":
            self.interface = "wsgi" if reason is None else "asgi"
        if self.interface == "asgi":
            _look_for_uvicorn(reason)
        self.errors.clear()
        sock = _listen(self.host, port)
        self.port = sock.getsockname()[1]
        server = ServerOverWSGI if self.interface == "wsgi" else ServerOverASGI
        try:
            self._server = server(self.app, self._recorder, sock)
        except BaseException:
            sock.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, self._server = self._server, None
        failures: list[Exception] = []
        if server is not None:
            failures = self._stop(server)
        if error is None:
            _raise([*self.errors, *failures])
        for failure in failures:
            t.cast(BaseException, error).add_note(f"Then the live server did not end well: {failure}")

    def _stop(self, server: ServerOverWSGI | ServerOverASGI) -> list[Exception]:
        limit: float = self.app.config["SHUTDOWN_TIMEOUT"]
        failures: list[Exception] = []
        server.tell_to_stop()
        if late := self._recorder.late(limit):
            failures.append(RuntimeError(STILL_RUNS.format(limit=limit, late=", ".join(late))))
        try:
            server.join(is_late=bool(late))
        except Exception as failure:
            failures.append(failure)
        return failures


def _raise(errors: list[Exception]) -> None:
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise ExceptionGroup("several errors while the live server ran", errors)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=128
        )
    except (OSError, OverflowError) as error:
        raise RuntimeError(
            f"The live server cannot listen on {host!r}, port {port}: {error}. Leave out 'host' and 'port', and it takes a"
            " free port of 127.0.0.1."
        ) from error


def _look_for_uvicorn(reason: str | None) -> None:
    missing = "uvicorn" if find_spec("uvicorn") is None else None
    if missing is None and not (find_spec("websockets") or find_spec("wsproto")):
        # Uvicorn would refuse them with a line in its log.
        missing = "websockets" if reason is not None and "WebSocket" in reason else None
    if missing is not None:
        because = "" if reason is None else f", because of {reason}"
        raise ModuleNotFoundError(NO_UVICORN.format(reason=because, missing=missing), name=missing)
