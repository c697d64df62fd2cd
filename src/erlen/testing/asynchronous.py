"""The test client for async tests: the same calls, awaited."""

from __future__ import annotations

import asyncio
import typing as t
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from copy import copy
from types import TracebackType

from werkzeug.test import TestResponse

from ..sessions import SessionMixin
from ..typing import Application
from .client import ErlenClient
from .sockets import AsyncWebSocketSession


class _Inner(ErlenClient):
    """Does the client's work, on a thread; the requests run on the loop of the test."""

    def _keep_contexts(self) -> None:
        # The outer client binds them where the test sees them.
        pass


class AsyncErlenClient:
    """A test client whose calls are awaited. Requests run over ASGI, on the loop of the test.

    .. code-block:: python

        async with app.async_test_client() as client:
            response = await client.get("/?name=Ada")
            assert response.text == "Hello, Ada"

    In an ``async with`` block the context of the last request that its task has sent stays active after the answer, and
    the life span of the application begins and ends with the block, as with :class:`erlen.testing.ErlenClient`.

    :param application: the application.
    :param args: as for :class:`erlen.testing.ErlenClient`, as is ``kwargs``.

    .. versionadded:: 0.1
    """

    def __init__(self, application: Application, *args: t.Any, **kwargs: t.Any) -> None:
        self.application: t.Any = application
        self._inner = _Inner(application, *args, protocol="asgi", **kwargs)
        self._preserved = AsyncExitStack()
        self._has_begun = False
        # The task whose block keeps contexts.
        self._owner: asyncio.Task[t.Any] | None = None

    @property
    def environ_base(self) -> dict[str, t.Any]:
        """What every request's environment begins with."""
        return self._inner.environ_base

    async def open(self, *args: t.Any, buffered: bool = True, **kwargs: t.Any) -> TestResponse:
        """Send a request and return the response.

        :param args: as for :meth:`erlen.testing.ErlenClient.open`, as is ``kwargs``.
        :param buffered: read the whole body before returning; see :meth:`stream`.
        """
        # Requests may be sent side by side. Each has a client of its own, with the cookies of all.
        inner = copy(self._inner)
        inner._loop, inner._answered = asyncio.get_running_loop(), []
        # A context that was bound in another task could not be seen, nor ended, in that of the block.
        inner.preserve_context = self._owner is not None and self._owner is asyncio.current_task()
        if inner.preserve_context:
            await self._preserved.aclose()
        try:
            response = await asyncio.to_thread(inner.open, *args, buffered=buffered, **kwargs)
        finally:
            while inner._answered:
                await self._preserved.enter_async_context(inner._answered.pop(0))
        return response

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
        encoded = response.iter_encoded()

        async def pieces() -> t.AsyncIterator[bytes]:
            while (piece := await asyncio.to_thread(next, encoded, None)) is not None:
                yield piece

        try:
            yield response, pieces()
        finally:
            await asyncio.to_thread(response.close)

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
        return self._inner._new_socket(path, args, kwargs, subprotocols, timeout)

    def session_transaction(self, *args: t.Any, **kwargs: t.Any) -> AbstractContextManager[SessionMixin]:
        """Open the session that the next request will see; see :meth:`erlen.testing.ErlenClient.session_transaction`."""
        return self._inner.session_transaction(*args, **kwargs)

    def get_cookie(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Return a cookie; see :meth:`werkzeug.test.Client.get_cookie`."""
        return self._inner.get_cookie(*args, **kwargs)

    def set_cookie(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Set a cookie; see :meth:`werkzeug.test.Client.set_cookie`."""
        self._inner.set_cookie(*args, **kwargs)

    def delete_cookie(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Delete a cookie; see :meth:`werkzeug.test.Client.delete_cookie`."""
        self._inner.delete_cookie(*args, **kwargs)

    async def __aenter__(self) -> t.Self:
        if self._owner is not None:
            raise RuntimeError(
                "This client is in an 'async with' block already, and it keeps one context. Make another client for the "
                "inner block: 'app.async_test_client()'."
            )
        self._has_begun = await self.application.astart_serving()
        self._owner = asyncio.current_task()
        self._inner.preserve_context = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._owner = None
        try:
            await self._preserved.aclose()
        finally:
            if self._has_begun:
                await self.application.astop_serving()
