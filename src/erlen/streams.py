"""Iterators that outlive the view that returned them: with their context, and async ones for plain code.

Whatever runs them, one step after the other: a WSGI server on its thread, ASGI on the loop or on worker threads. A
step may come on another thread than the one before, and so may the end.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import os
import typing as t
from contextvars import Context, copy_context
from functools import update_wrapper

from .ctx import AppContext, context_var
from .lazy import asyncio, futures
from .pipeline.bridge import BackgroundThreads, LoopOfOneStream

T = t.TypeVar("T")

_end: t.Any = object()

#: How many plain iterators may wait at the same time for what they give next (:class:`OnThreads`).
PLAIN_STREAMS = 256

_threads = BackgroundThreads(PLAIN_STREAMS)


def _forget_threads() -> None:
    # Those of the parent process are not here, and nobody must wait for them.
    global _threads  # noqa: PLW0603 - as many as the process has
    _threads = BackgroundThreads(PLAIN_STREAMS)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def variables_without_context() -> Context:
    """Return the context variables of here for an iterator that outlives the view, without Erlen's context.

    That is torn down by then; who wants it kept says so with :func:`stream_with_context`.
    """
    variables = Context()
    for variable, value in copy_context().items():
        if variable is not context_var:
            variables.run(variable.set, value)
    return variables


def _hold(context: AppContext) -> None:
    context.hold()
    if context.steps is not None and context.steps.streams_body:
        # Behind middleware for WSGI nobody has known of it before.
        context.request._stream_body()


class _ContextStream(t.Generic[T]):
    """An iterator whose every step runs inside a context, and whose end tears that context down.

    The context is bound for the length of one step alone, so nothing is left bound in the worker when a client goes
    away between two items, and the end may come on another thread (Flask's issue 6123).
    """

    def __init__(self, context: AppContext, iterator: t.Iterator[T]) -> None:
        self._context: AppContext | None = context
        self._iterator = iterator
        _hold(context)

    def __iter__(self) -> t.Iterator[T]:
        return self

    def __next__(self) -> T:
        context = self._context
        if context is None:
            raise StopIteration
        token = context_var.set(context)
        try:
            return next(self._iterator)
        except BaseException as error:
            # An iterator that is no generator is closed by nobody else.
            self._finish(None if isinstance(error, StopIteration) else error)
            raise
        finally:
            context_var.reset(token)

    def close(self) -> None:
        """Close the iterator inside its context, then tear the context down."""
        self._finish(None)

    def _finish(self, error: BaseException | None) -> None:
        context, self._context = self._context, None
        if context is None:
            return
        token = context_var.set(context)
        try:
            close_body(self._iterator)
        except BaseException as raised:
            error = raised if error is None else error
            raise
        finally:
            context_var.reset(token)
            context.release(error)
            # Its traceback holds this frame.
            del error

    def __del__(self) -> None:
        self.close()


class _AsyncContextStream(t.Generic[T]):
    """The same for an async iterator."""

    def __init__(self, context: AppContext, iterator: t.AsyncIterator[T]) -> None:
        self._context: AppContext | None = context
        self._iterator = iterator
        _hold(context)

    def __aiter__(self) -> t.AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        context = self._context
        if context is None:
            raise StopAsyncIteration
        token = context_var.set(context)
        try:
            return await anext(self._iterator)
        except BaseException as error:
            await self._finish(None if isinstance(error, StopAsyncIteration) else error)
            raise
        finally:
            context_var.reset(token)

    async def aclose(self) -> None:
        """Close the iterator inside its context, then tear the context down."""
        await self._finish(None)

    async def _finish(self, error: BaseException | None) -> None:
        context, self._context = self._context, None
        if context is None:
            return
        token = context_var.set(context)
        try:
            await aclose(self._iterator)
        except BaseException as raised:
            error = raised if error is None else error
            raise
        finally:
            context_var.reset(token)
            await context.arelease(error)
            del error

    def close(self) -> None:
        """Tear the context down without closing the iterator: one that has not begun, or that its loop will close."""
        context, self._context = self._context, None
        if context is not None:
            context.release()

    def __del__(self) -> None:
        self.close()


async def aclose(iterator: t.Any) -> None:
    """Close an async iterator that can be closed.

    :param iterator: an async generator, or another iterator, which need not have ``aclose``.
    """
    close = getattr(iterator, "aclose", None)
    if close is not None:
        await close()


@t.overload
def stream_with_context(generator_or_function: t.Iterator[T]) -> t.Iterator[T]: ...


@t.overload
def stream_with_context(generator_or_function: t.AsyncIterator[T]) -> t.AsyncIterator[T]: ...


@t.overload
def stream_with_context(
    generator_or_function: t.Callable[..., t.Iterator[T]],
) -> t.Callable[..., t.Iterator[T]]: ...


@t.overload
def stream_with_context(
    generator_or_function: t.Callable[..., t.AsyncIterator[T]],
) -> t.Callable[..., t.AsyncIterator[T]]: ...


def stream_with_context(generator_or_function: t.Any) -> t.Any:
    """Keep the context for a generator that runs after the view has returned it.

    The teardown functions run when the generator ends, is closed because the client went away, or is
    dropped. Works on a generator, plain or async, and as a decorator of a function that returns one.

    :param generator_or_function: an iterable, or a function that returns one.
    """
    given: t.Any = generator_or_function
    is_async = isinstance(given, cabc.AsyncIterable)
    if is_async or isinstance(given, cabc.Iterable):
        context = context_var.get(None)
        if context is None:
            raise RuntimeError(
                "'stream_with_context' was called without an active context, so there is none to keep. Call it "
                "inside the view: 'return stream_with_context(generate())'."
            )
        if is_async:
            return _AsyncContextStream[t.Any](context, aiter(given))
        return _ContextStream[t.Any](context, iter(t.cast("t.Iterable[t.Any]", given)))

    def stream(*args: t.Any, **kwargs: t.Any) -> t.Any:
        return stream_with_context(given(*args, **kwargs))

    return update_wrapper(stream, given)


class OnThreads(t.Generic[T]):
    """A plain iterator as an async one: each step runs on a thread, however long it waits.

    The threads are those of all such iterators of the process, and none of the application's. Someone who stops waiting
    for a step does not stop the step: the iterator is closed when it is done.

    :param iterable: a plain iterable.
    """

    def __init__(self, iterable: t.Iterable[T]) -> None:
        self._iterator = iter(iterable)
        self._variables = variables_without_context()
        self._step: futures.Future[t.Any] | None = None

    def __aiter__(self) -> t.Self:
        return self

    async def __anext__(self) -> T:
        self._step = step = _threads.submit(lambda: self._variables.run(next, self._iterator, _end))
        item = await asyncio.wrap_future(step)
        if item is _end:
            raise StopAsyncIteration
        return t.cast(T, item)

    async def aclose(self) -> None:
        """Close the iterator: now, or when the step that still runs is done."""
        close = getattr(self._iterator, "close", None)
        if close is None:
            return

        def close_it(_: object = None) -> None:
            with contextlib.suppress(ValueError):
                # Closed by its last step already, or closing itself.
                self._variables.copy().run(close)

        if self._step is None or self._step.done():
            are_busy = _threads.are_busy
            closing = _threads.submit(close_it)
            if not are_busy:
                # Else it waits for other streams, and nobody waits with it.
                await asyncio.wrap_future(closing)
        else:
            self._step.add_done_callback(close_it)

    def close(self) -> None:
        """Close an iterator that has not begun."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()


class AsyncBody:
    """The body of a response that an async iterable makes.

    ASGI iterates it as it is. Plain code, a WSGI server for example, iterates it through an event loop that is kept for
    the length of the stream.

    :param iterable: gives ``bytes`` or ``str``.
    """

    def __init__(self, iterable: t.AsyncIterable[t.Any]) -> None:
        self._iterator: t.Any = aiter(iterable)
        self._loop: LoopOfOneStream | None = None
        self._has_begun = False
        self._is_closed = False

    def __aiter__(self) -> t.Self:
        return self

    async def __anext__(self) -> bytes:
        self._has_begun = True
        return _bytes_of(await anext(self._iterator))

    def pieces(self) -> t.AsyncIterable[t.Any]:
        """Return what gives the pieces, of text or of bytes, for somebody who calls :meth:`aclose` at the end."""
        self._has_begun = True
        # An iterator that says nothing of being one can only be asked for its next piece.
        return self._iterator if hasattr(self._iterator, "__aiter__") else self

    async def aclose(self) -> None:
        """Close the iterator."""
        if not self._is_closed:
            self._is_closed = True
            await aclose(self._iterator)

    def __iter__(self) -> t.Self:
        return self

    def __next__(self) -> bytes:
        if self._is_closed:
            raise StopIteration
        if self._loop is None:
            self._has_begun = True
            self._loop = LoopOfOneStream()
        item: t.Any = _end
        try:
            item = self._loop.run(_next_or_end(self._iterator))
        finally:
            if item is _end:
                # Also where nobody closes this after an error.
                self._loop.end()
                self._loop = None
        if item is _end:
            raise StopIteration
        return _bytes_of(item)

    def close(self) -> None:
        """Close the iterator from plain code."""
        if self._is_closed:
            return
        if not self._has_begun:
            # Nothing in it waits to be closed, only what keeps a context or a plain iterator.
            self._is_closed = True
            close = getattr(self._iterator, "close", None)
            if close is not None:
                close()
            return
        loop, self._loop = self._loop or LoopOfOneStream(), None
        try:
            loop.run(self.aclose())
        finally:
            loop.end()


async def _next_or_end(iterator: t.AsyncIterator[t.Any]) -> t.Any:
    # StopAsyncIteration is no exception for a future.
    return await anext(iterator, _end)


def _bytes_of(item: t.Any) -> bytes:
    return item.encode() if isinstance(item, str) else item


def close_body(body: t.Any) -> None:
    """Close a body, or a response whose body has not begun, if it can be closed."""
    close = getattr(body, "close", None)
    if close is not None:
        close()


async def aclose_body(body: t.Any) -> None:
    """Do what :func:`close_body` does; what is async in the body is awaited."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()
    close_body(body)
