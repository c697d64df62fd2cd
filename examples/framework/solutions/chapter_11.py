"""Exercises of chapter 11: async generators as bodies, and views that end when their client goes away."""

from __future__ import annotations

import asyncio
import typing as t

from chapter_11 import Response, Sapling

if t.TYPE_CHECKING:
    from chapter_11.asgi import Message, Receive, Scope, Send

Piece: t.TypeAlias = str | bytes


class Pieces:
    """The pieces of an async generator, for a server that asks for them on a thread.

    Over ASGI the generator runs on the loop of the server, like the view that made it. Over WSGI there is none, and it
    gets one of its own, which runs while a piece is made and stands still between two.

    :param generator: the generator.
    """

    def __init__(self, generator: t.AsyncGenerator[Piece, None]) -> None:
        self._generator = generator
        self._runner: asyncio.Runner | None = None
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def __iter__(self) -> t.Self:
        return self

    def __next__(self) -> Piece:
        piece: Piece | None = self._run(self._next())
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        """End the generator, early or not, so that its ``finally`` is run."""
        self._run(self._end())
        if self._runner is not None:
            self._runner.close()

    async def _next(self) -> Piece | None:
        return await anext(self._generator, None)

    async def _end(self) -> None:
        await self._generator.aclose()

    def _run(self, step: t.Coroutine[t.Any, t.Any, t.Any]) -> t.Any:
        if self._loop is not None:
            return asyncio.run_coroutine_threadsafe(step, self._loop).result()
        self._runner = self._runner or asyncio.Runner()
        return self._runner.run(step)


def plain(value: t.Any) -> t.Any:
    """Return an async generator as an iterator, which all other code takes for a plain generator."""
    return Pieces(value) if hasattr(value, "__anext__") else value


class Streaming(Sapling):
    """An application whose views may return async generators."""

    def make_response(self, value: t.Any) -> Response:
        """Make a response of what a view returned, an async generator as well."""
        if isinstance(value, tuple):
            return super().make_response(tuple(map(plain, value)))
        return super().make_response(plain(value))


class Watching(Sapling):
    """An application that stops a view when nobody waits for its answer any more."""

    async def asgi_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, for as long as its client is there."""
        if scope["type"] != "http":
            await super().asgi_app(scope, receive, send)
            return
        received = asyncio.Event()

        async def relay() -> Message:
            message = await receive()
            if not message.get("more_body"):
                received.set()
            return message

        async def watch() -> None:
            # Not before the body is there: two that wait for messages would take them from each other.
            await received.wait()
            while (await receive())["type"] != "http.disconnect":
                pass

        answer = asyncio.create_task(super().asgi_app(scope, relay, send))
        gone = asyncio.create_task(watch())
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            answer.cancel()
            gone.cancel()
            # Both: a cancelled view has a `finally`, and its context functions at the end.
            await asyncio.wait({answer, gone})
        if not answer.cancelled():
            answer.result()
