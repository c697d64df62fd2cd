"""Test an application without a server: a client for requests and a runner for commands."""

from __future__ import annotations

import typing as t
from contextlib import ExitStack, contextmanager
from contextvars import Context
from copy import copy
from functools import cache, partial
from types import TracebackType
from urllib.parse import urlsplit

import werkzeug.test
from click.testing import CliRunner, Result
from werkzeug.test import Client, TestResponse
from werkzeug.wrappers import Request as BaseRequest
from werkzeug.wsgi import get_current_url

from ..cli.locate import ScriptInfo
from ..ctx import AppContext
from ..pipeline.loops import run_in_background
from ..scopes import BEGINS_AFTERWARDS, PRESERVE_CONTEXT
from ..sessions import SessionMixin
from ..typing import Application
from .afterwards import Afterwards
from .exchange import over_asgi, refuse_to_wait
from .sockets import AsyncWebSocketSession, WebSocketSession, websocket_scope

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from werkzeug.datastructures import Headers


class EnvironBuilder(werkzeug.test.EnvironBuilder):
    """Make a WSGI environment for an application; its configuration says where it is served.

    :param app: the application.
    :param path: the path. It may be a whole URL: then its scheme and host count.
    :param base_url: the URL below which ``path`` is, instead of the one made from ``SERVER_NAME``,
        ``APPLICATION_ROOT`` and ``PREFERRED_URL_SCHEME``.
    :param subdomain: put in front of the server name.
    :param url_scheme: instead of ``PREFERRED_URL_SCHEME``.
    :param args: passed on to :class:`werkzeug.test.EnvironBuilder`, as is ``kwargs``.
    """

    def __init__(
        self,
        app: Application,
        path: str = "/",
        base_url: str | None = None,
        subdomain: str | None = None,
        url_scheme: str | None = None,
        *args: t.Any,
        **kwargs: t.Any,
    ) -> None:
        if base_url is None:
            base_url, path = _split_base(app, path, subdomain, url_scheme)
        elif subdomain or url_scheme:
            raise TypeError(
                f"'subdomain' and 'url_scheme' were passed together with base_url={base_url!r}, which says both."
                " Leave out 'base_url', or put the subdomain and the scheme in it."
            )
        self.app = app
        super().__init__(path, base_url, *args, **kwargs)

    def json_dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        """Serialize the ``json`` argument with ``app.json``."""
        return t.cast(str, self.app.json.dumps(obj, **kwargs))


def _split_base(app: Application, path: str, subdomain: str | None, scheme: str | None) -> tuple[str, str]:
    """Return the base URL for a path or URL, and what is left of the path."""
    parts = urlsplit(path)
    host = app.config["SERVER_NAME"] or "localhost"
    if subdomain:
        host = f"{subdomain}.{host}"
    scheme = parts.scheme or scheme or app.config["PREFERRED_URL_SCHEME"]
    root = app.config["APPLICATION_ROOT"].lstrip("/")
    rest = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return f"{scheme}://{parts.netloc or host}/{root}", rest


@cache
def _werkzeug_version() -> str:
    # Slow to import.
    from importlib.metadata import version

    return version("werkzeug")


class ErlenClient(Client):
    """A test client that knows its application: ``app.test_client()``.

    ``get``, ``post``, ``put``, ``patch``, ``delete``, ``head``, ``options`` and ``trace`` send a request as :meth:`open`
    does, with the method of that name, and return a :class:`werkzeug.test.TestResponse`: ``status_code``, ``text``,
    ``json``, ``headers``, ``history`` ... With ``TESTING`` what a view raises is raised here. Cookies are kept from
    request to request, so a session is.

    In a ``with`` block the context of the last request stays active after the answer, so that a test can look at
    ``request``, ``session`` and ``g``; the next request or the end of the block ends it. Teardown functions run
    at the end of the request, and once more there. The life span of the application begins and ends with the block.

    .. code-block:: python

        with app.test_client() as client:
            client.get("/?name=Ada")
            assert request.args["name"] == "Ada"

    :param args: the application, the class of responses, and what else :class:`werkzeug.test.Client` takes, as is
        ``kwargs``. ``app.test_client()`` passes them.
    :param protocol: ``"wsgi"`` or ``"asgi"``, by default that of :attr:`default_protocol`.
    """

    application: Application  # type: ignore[assignment]

    #: The protocol of a client that is not given one.
    default_protocol: t.ClassVar[str] = "wsgi"

    def __init__(self, *args: t.Any, protocol: str | None = None, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        #: How requests are sent: ``"wsgi"`` or ``"asgi"``.
        self.protocol = protocol or self.default_protocol
        #: Whether contexts are kept, as in a ``with`` block.
        self.preserve_context = False
        #: What every request's environment begins with.
        self.environ_base: dict[str, t.Any] = {
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_USER_AGENT": f"Werkzeug/{_werkzeug_version()}",
        }
        self._answered: list[AppContext] = []
        self._preserved = ExitStack()

    def open(
        self, *args: t.Any, buffered: bool = False, follow_redirects: bool = False, **kwargs: t.Any
    ) -> TestResponse:
        """Send a request and return the response.

        :param args: as for :class:`EnvironBuilder` without ``app``; or one builder, environment or request,
            which is copied.
        :param buffered: read the whole body before returning, and close the response.
        :param follow_redirects: follow redirects; the responses before the last are in ``response.history``.
        :param kwargs: as for :class:`EnvironBuilder`: ``query_string``, ``headers``, ``data`` (a dict is a form, bytes are
            the body), ``json``, ``content_type`` ...
        :raises Exception: what the application raises; with ``TESTING`` or ``PROPAGATE_EXCEPTIONS`` that is what a view
            raised and no error handler answered.
        """
        request = self._request_from_builder_args(args, kwargs)
        # The request before this one is over; so is the one that redirected to this one.
        self._preserved.close()
        self._answered.clear()
        try:
            response = super().open(request, buffered=buffered, follow_redirects=follow_redirects)
        finally:
            self._keep_contexts()
        response.json_module = self.application.json
        return response

    def _keep_contexts(self) -> None:
        # Where the application called another, that one was done first: this one's context comes on top.
        while self._answered:
            self._preserved.enter_context(self._answered.pop(0))

    def run_wsgi_app(
        self, environ: WSGIEnvironment, buffered: bool = False
    ) -> tuple[t.Iterable[bytes], str, Headers]:
        """Send a request, over the protocol of this client, and keep the cookies of the response.

        :param environ: the request.
        :param buffered: whether to read the whole body before returning.
        """
        if self.protocol == "wsgi":
            afterwards = Afterwards()
            environ[BEGINS_AFTERWARDS] = afterwards.add
            pieces, status, headers = super().run_wsgi_app(environ, buffered)
            is_read = buffered or environ.get("REQUEST_METHOD") == "HEAD"
            return afterwards.begin_after(pieces, is_read), status, headers
        self._add_cookies_to_wsgi(environ)
        answer = werkzeug.test.run_wsgi_app(over_asgi(self.application), environ, buffered)
        self._keep_cookies(environ, answer[2])
        return answer

    def _keep_cookies(self, environ: WSGIEnvironment, headers: Headers) -> None:
        url = urlsplit(get_current_url(environ))
        host = url.hostname or "localhost"
        self._update_cookies_from_response(host, url.path, headers.getlist("Set-Cookie"))

    # Under the name that it has in Flask: the test client of Flask-SocketIO calls it.
    def _request_from_builder_args(self, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]) -> BaseRequest:
        given = args[0] if args else None
        if isinstance(given, BaseRequest):
            request = copy(given)
            request.environ = self._with_base(given.environ)
            return request
        if isinstance(given, werkzeug.test.EnvironBuilder):
            builder = copy(given)
            builder.environ_base = self._with_base(given.environ_base)
            return builder.get_request()
        if isinstance(given, dict):
            environ = t.cast("WSGIEnvironment", given)
            builder = EnvironBuilder.from_environ(
                environ, app=self.application, environ_base=self._with_base(None)
            )
        else:
            kwargs["environ_base"] = self._with_base(kwargs.get("environ_base"))
            builder = EnvironBuilder(self.application, *args, **kwargs)
        try:
            return builder.get_request()
        finally:
            builder.close()

    def _with_base(self, environ: t.Mapping[str, t.Any] | None) -> dict[str, t.Any]:
        merged = {**self.environ_base, **(environ or {})}
        # That of a request which is sent again is of its own time.
        merged.pop(PRESERVE_CONTEXT, None)
        if self.preserve_context:
            merged[PRESERVE_CONTEXT] = self._answered.append
        return merged

    def websocket(
        self,
        path: str,
        *args: t.Any,
        subprotocols: t.Sequence[str] = (),
        timeout: float = 10,
        **kwargs: t.Any,
    ) -> WebSocketSession:
        """Open a WebSocket, over ASGI also where requests are sent over WSGI.

        .. code-block:: python

            with client.websocket("/echo") as socket:
                socket.send("Hello")
                assert socket.receive() == "Hello"

        :param path: as for :class:`EnvironBuilder`, so are ``args`` and ``kwargs``: ``headers``, ``query_string`` ...
        :param subprotocols: what the client offers.
        :param timeout: seconds that receiving waits, in which other clients would wait for ever.
        :raises erlen.testing.WebSocketRejected: when the block begins, and the application answers with a response.

        .. versionadded:: 0.1
        """
        return WebSocketSession(self._new_socket(path, args, kwargs, subprotocols, timeout))

    def _new_socket(
        self, path: str, args: t.Any, kwargs: t.Any, subprotocols: t.Sequence[str], timeout: float
    ) -> AsyncWebSocketSession:
        environ = self._request_from_builder_args((path, *args), kwargs).environ
        self._add_cookies_to_wsgi(environ)
        scope = websocket_scope(environ, subprotocols)
        keep_cookies = partial(self._keep_cookies, environ)
        return AsyncWebSocketSession(
            self.application, scope, self.response_wrapper, environ, keep_cookies, timeout
        )

    @contextmanager
    def session_transaction(self, *args: t.Any, **kwargs: t.Any) -> t.Generator[SessionMixin]:
        """Open the session that the next request will see, and save it at the end of the block.

        .. code-block:: python

            with client.session_transaction() as session:
                session["user_id"] = 1

        :param args: as for :meth:`erlen.Erlen.test_request_context`, for a session that depends on the request;
            as is ``kwargs``.
        :raises TypeError: when the client has no cookies.
        :raises RuntimeError: when the application opens no session.
        """
        if self._cookies is None:
            raise TypeError(
                "This client keeps no cookies, so it has no session. Make it with"
                " 'app.test_client(use_cookies=True)'."
            )
        app = self.application
        context = app.test_request_context(*args, **kwargs)
        self._add_cookies_to_wsgi(context.request.environ)
        interface = app.session_interface

        with context:
            session = app.ensure_sync(interface.open_session)(app, context.request)
        if session is None:
            raise RuntimeError(
                f"{type(interface).__name__} opened no session. With cookie sessions the application has no secret"
                " key: set 'app.secret_key'."
            )
        yield session

        if interface.is_null_session(session):
            return
        response = app.response_class()
        with context:
            app.ensure_sync(interface.save_session)(app, session, response)
        request = context.request
        self._update_cookies_from_response(
            request.host.partition(":")[0], request.path, response.headers.getlist("Set-Cookie")
        )

    def __enter__(self) -> t.Self:
        if self.preserve_context:
            raise RuntimeError(
                "This client is in a 'with' block already, and it keeps one context. Make another client for the"
                " inner block: 'app.test_client()'."
            )
        self._has_begun = self._begin()
        self.preserve_context = True
        return self

    def _begin(self) -> bool:
        """Begin the life span of the application, where its requests will run; return whether it had not begun."""
        if self.protocol != "wsgi":
            refuse_to_wait("began a 'with' block", "async with app.async_test_client()")
        if not self.application.has_life_span():
            # The first request begins: until then routes can be added in the block.
            if self.application.is_serving:
                return False
            self.application.is_stopping = False
            return True
        if self.protocol == "wsgi":
            return self.application.start_serving()
        return run_in_background(self.application.astart_serving(), Context()).result()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.preserve_context = False
        try:
            self._preserved.close()
        finally:
            if self._has_begun:
                self.application.stop_serving()


FlaskClient = ErlenClient


class ErlenCliRunner(CliRunner):
    """Run an application's commands in a test, with their output caught: ``app.test_cli_runner()``.

    .. code-block:: python

        result = app.test_cli_runner().invoke(args=["greet", "Ada"])
        assert (result.exit_code, result.output.strip()) == (0, "Hello, Ada")

    :param app: the application the commands are given.
    :param kwargs: passed on to :class:`click.testing.CliRunner`.
    """

    def __init__(self, app: Application, **kwargs: t.Any) -> None:
        self.app = app
        super().__init__(**kwargs)

    def invoke(  # type: ignore[override]
        self, cli: t.Any = None, args: t.Any = None, **kwargs: t.Any
    ) -> Result:
        """Run a command, isolated from the terminal, and return how it went.

        The result has ``exit_code``, ``output``, and in ``exception`` what the command raised.

        :param cli: the command; by default ``app.cli``, of which ``args`` names one.
        :param args: its arguments, a list or one string.
        :param kwargs: passed on to :meth:`click.testing.CliRunner.invoke`: ``input`` for what is typed at prompts, ``env``
            for environment variables, ``catch_exceptions=False`` to raise what the command raises. Without ``obj`` the
            command is given this runner's application, as it is.
        """
        if "obj" not in kwargs:
            kwargs["obj"] = ScriptInfo(create_app=lambda: self.app, set_debug_flag=False)
        return super().invoke(self.app.cli if cli is None else cli, args, **kwargs)


FlaskCliRunner = ErlenCliRunner
