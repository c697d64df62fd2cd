"""Threads and event loops (D4): the one file that knows both.

Under WSGI an async callable runs on an event loop that is kept for its thread: making a loop for each call, as
``asyncio.run`` does, costs ten times the call. Inside a loop that runs already (an application called from async code)
the coroutine runs on a helper thread.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
import typing as t
import weakref
from contextvars import Context, copy_context
from functools import wraps

T = t.TypeVar("T")

_missing: t.Any = object()


class _Loops(threading.local):
    """The idle event loops of one thread; they are closed when the thread ends."""

    def __init__(self) -> None:
        self.idle: list[_KeptLoop] = []


class _KeptLoop:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        _kept.add(self)

    def close(self) -> None:
        if not self.loop.is_closed() and not self.loop.is_running():
            self.loop.close()

    def __del__(self) -> None:
        self.close()


_loops = _Loops()
# Loops that are alive, to close those of the main thread at exit. Only added to and, by the collector, taken from.
_kept: weakref.WeakSet[_KeptLoop] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for kept in list(_kept):
        kept.close()


def run_coroutine(coroutine: t.Coroutine[t.Any, t.Any, T]) -> T:
    """Run a coroutine to its end from plain code and return its result.

    Context variables that the coroutine sets are set for the caller afterwards.

    :param coroutine: a coroutine that has not been started.
    """
    context = copy_context()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        result = _run_on_kept_loop(coroutine, context)
    else:
        result = _run_on_thread(coroutine, context)
    _copy_back(context)
    return result


def _run_on_kept_loop(coroutine: t.Coroutine[t.Any, t.Any, T], context: Context) -> T:
    # Checked out rather than shared: where greenlets share a thread, a second call finds the list empty.
    kept = _loops.idle.pop() if _loops.idle else _KeptLoop()
    loop = kept.loop
    task = loop.create_task(coroutine, context=context)
    try:
        return loop.run_until_complete(task)
    finally:
        if not task.done():
            # A KeyboardInterrupt stopped the loop: let the coroutine clean up before its loop is reused.
            task.cancel()
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
        _loops.idle.append(kept)


def _run_on_thread(coroutine: t.Coroutine[t.Any, t.Any, T], context: Context) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(_run_on_kept_loop(coroutine, context))
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="erlen-bridge")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _copy_back(context: Context) -> None:
    for variable, value in context.items():
        if variable.get(_missing) is not value:
            variable.set(value)


def to_sync(func: t.Callable[..., t.Coroutine[t.Any, t.Any, T]]) -> t.Callable[..., T]:
    """Wrap an async function so that plain code can call it.

    :param func: an ``async def`` function.
    """

    @wraps(func)
    def call(*args: t.Any, **kwargs: t.Any) -> T:
        return run_coroutine(func(*args, **kwargs))

    return call
