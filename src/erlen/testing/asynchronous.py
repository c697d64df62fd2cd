"""The test client for async tests: the same calls, awaited."""

from __future__ import annotations

import typing as t
from contextlib import AbstractContextManager, asynccontextmanager, closing
from types import TracebackType

from werkzeug.datastructures import Headers
from werkzeug.test import ClientRedirectError, Cookie, TestResponse
from werkzeug.wrappers import Request

from ..ctx import AppContext
from ..scopes import PRESERVE_CONTEXT
from ..sessions import SessionMixin
from ..typing import Application
from .client import ErlenClient
from .exchange import Exchange, Pieces, scope_of
from .preserved import PreservedContexts
from .sockets import AsyncWebSocketSession

_REDIRECTS = frozenset({301, 302, 303, 305, 307, 308})


class _Requests(ErlenClient):
    """Makes requests, resolves redirects and keeps cookies, but sends nothing."""

    def open(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Return the request that a redirect was resolved into."""
        return args[0]


class AsyncErlenClient:
    """A test client whose calls are awaited. Requests run over ASGI, on the loop of the test, many at the same time.

    .. code-block:: python

        async with app.async_test_client() as client:
            response = await client.get("/?name=Ada")
            assert response.text == "Hello, Ada"

    In an ``async with`` block the context of the last request stays active after the answer, in the task that has sent
    it; the next request or the end of the block ends it. The life span of the application begins and ends with the
    block, as with :class:`erlen.testing.ErlenClient`.

    :param application: the application.
    :param args: as for :class:`erlen.testing.ErlenClient`, as is ``kwargs``.

    .. versionadded:: 0.1
    """

    def __init__(self, application: Application, *args: t.Any, **kwargs: t.Any) -> None:
        self.application: t.Any = application
        self._requests = _Requests(application, *args, protocol="asgi", **kwargs)
        self._preserved = PreservedContexts()
        self._is_in_block = self._has_begun = False

    @property
    def environ_base(self) -> dict[str, t.Any]:
        """What every request's environment begins with."""
        return self._requests.environ_base

    async def open(
        self, *args: t.Any, buffered: bool = True, follow_redirects: bool = False, **kwargs: t.Any
    ) -> TestResponse:
        """Send a request and return the response.

        :param args: as for :meth:`erlen.testing.ErlenClient.open`, as is ``kwargs``.
        :param buffered: read the whole body before returning; see :meth:`stream`.
        :param follow_redirects: follow redirects; the responses before the last are in ``response.history``.
        """
        request = self._requests._request_from_builder_args(args, kwargs)
        response = await self._send(request, buffered)
        if follow_redirects:
            response = await self._follow(response, buffered)
            response.call_on_close(request.input_stream.close)
        response.json_module = self.application.json
        return response

    async def _follow(self, response: TestResponse, buffered: bool) -> TestResponse:
        history: list[TestResponse] = []
        seen: set[tuple[str | None, int]] = set()
        while response.status_code in _REDIRECTS:
            if isinstance(response.response, Pieces):
                response.response = await response.response.exchange.read()
            place = response.location, response.status_code
            if place in seen:
                raise ClientRedirectError(
                    f"The redirects go in a circle: a second one with {response.status} leads to {response.location!r}."
                )
            seen.add(place)
            response.history = tuple(history)
            history.append(response)
            builder = self._requests.resolve_redirect(response)
            response = await self._send(self._requests._request_from_builder_args((builder,), {}), buffered)
        response.history = tuple(history)
        return response

    async def _send(self, request: Request, buffered: bool) -> TestResponse:
        requests, environ = self._requests, request.environ
        # The request before this one is over; so is the one that redirected to this one.
        await self._preserved.end()
        answered: list[AppContext] = []
        if self._is_in_block:
            environ[PRESERVE_CONTEXT] = answered.append
        requests._add_cookies_to_wsgi(environ)
        exchange = Exchange(self.application, scope_of(environ), environ["wsgi.input"])
        try:
            status, fields = await exchange.start()
            body = await exchange.read() if buffered else Pieces(exchange)
        except BaseException:
            await exchange.leave()
            raise
        finally:
            # Others may have been answered meanwhile, and the block may have ended.
            if answered:
                await self._preserved.keep(answered)
                if not self._is_in_block:
                    await self._preserved.end()
        headers = Headers(fields)
        requests._keep_cookies(environ, headers)
        return requests.response_wrapper(body, status, headers, request=request)

    @asynccontextmanager
    async def stream(
        self, *args: t.Any, **kwargs: t.Any
    ) -> t.AsyncGenerator[tuple[TestResponse, t.AsyncIterator[bytes]]]:
        """Send a request and read the response piece by piece; at the end of the block the client goes away.

        .. code-block:: python

            async with client.stream("/events") as (response, pieces):
                first = await anext(pieces)

        :param args: as for :meth:`open`, as is ``kwargs``.
        """
        response = await self.open(*args, buffered=False, **kwargs)
        exchange = t.cast(Pieces, response.response).exchange
        with closing(response):
            try:
                yield response, exchange
            except BaseException:
                await exchange.leave()
                raise
            await exchange.close()

    async def get(self, *args: t.Any, **kwargs: t.Any) -> TestResponse:
        """Call :meth:`open` with the method GET."""
        return await self.open(*args, method="GET", **kwargs)

    async def post(self, *args: t.Any, **kwargs: t.Any) -> TestResponse:
        """Call :meth:`open` with the method POST."""
        return await self.open(*args, method="POST", **kwargs)

    async def put(self, *args: t.Any, **kwargs: t.Any) -> TestResponse:
        """Call :meth:`open` with the method PUT."""
        return await self.open(*args, method="PUT", **kwargs)

    async def delete(self, *args: t.Any, **kwargs: t.Any) -> TestResponse:
        """Call :meth:`open` with the method DELETE."""
        return await self.open(*args, method="DELETE", **kwargs)

    async def patch(self, *args: t.Any, **kwargs: t.Any) -> TestResponse:
        """Call :meth:`open` with the method PATCH."""
        return await self.open(*args, method="PATCH", **kwargs)

    async def options(self, *args: t.Any, **kwargs: t.Any) -> TestResponse:
        """Call :meth:`open` with the method OPTIONS."""
        return await self.open(*args, method="OPTIONS", **kwargs)

    async def head(self, *args: t.Any, **kwargs: t.Any) -> TestResponse:
        """Call :meth:`open` with the method HEAD."""
        return await self.open(*args, method="HEAD", **kwargs)

    async def trace(self, *args: t.Any, **kwargs: t.Any) -> TestResponse:
        """Call :meth:`open` with the method TRACE."""
        return await self.open(*args, method="TRACE", **kwargs)

    def websocket(
        self,
        path: str,
        *args: t.Any,
        subprotocols: t.Sequence[str] = (),
        timeout: float = 10,
        **kwargs: t.Any,
    ) -> AsyncWebSocketSession:
        """Open a WebSocket: ``async with client.websocket("/echo") as socket: ...``.

        :param path: as for :meth:`erlen.testing.ErlenClient.websocket`, as are the others.
        """
        return self._requests._new_socket(path, args, kwargs, subprotocols, timeout)

    def session_transaction(self, *args: t.Any, **kwargs: t.Any) -> AbstractContextManager[SessionMixin]:
        """Open the session that the next request will see; see :meth:`erlen.testing.ErlenClient.session_transaction`."""
        return self._requests.session_transaction(*args, **kwargs)

    def get_cookie(self, key: str, domain: str = "localhost", path: str = "/") -> Cookie | None:
        """Return a cookie; see :meth:`werkzeug.test.Client.get_cookie`."""
        return self._requests.get_cookie(key, domain, path)

    def set_cookie(
        self,
        key: str,
        value: str = "",
        *,
        domain: str = "localhost",
        origin_only: bool = True,
        path: str = "/",
        **kwargs: t.Any,
    ) -> None:
        """Set a cookie; see :meth:`werkzeug.test.Client.set_cookie`."""
        self._requests.set_cookie(key, value, domain=domain, origin_only=origin_only, path=path, **kwargs)

    def delete_cookie(self, key: str, *, domain: str = "localhost", path: str = "/") -> None:
        """Delete a cookie; see :meth:`werkzeug.test.Client.delete_cookie`."""
        self._requests.delete_cookie(key, domain=domain, path=path)

    async def __aenter__(self) -> t.Self:
        if self._is_in_block:
            raise RuntimeError(
                "This client is in an 'async with' block already, and it keeps one context. Make another client for the "
                "inner block: 'app.async_test_client()'."
            )
        self._has_begun = await self.application.astart_serving()
        self._is_in_block = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_in_block = False
        try:
            await self._preserved.end()
        finally:
            if self._has_begun:
                await self.application.astop_serving()
