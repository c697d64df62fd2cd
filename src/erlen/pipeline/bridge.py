"""Threads and event loops (D4): the one file that knows both.

Under WSGI an async callable runs on an event loop that is kept for its thread: making a loop for each call, as
``asyncio.run`` does, costs ten times the call. Inside a loop that runs already (an application called from async code)
the coroutine runs on a helper thread.
"""

from __future__ import annotations

import asyncio
import atexit
import os
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
        # In variables of its own: a loop keeps those it was made in, and with them the request of the moment.
        self.loop = Context().run(asyncio.new_event_loop)
        _kept.add(self)

    def close(self) -> None:
        loop = self.loop
        if loop.is_closed() or loop.is_running():
            return
        if not _is_in_a_loop():
            Context().run(_finish, loop)
        loop.close()

    def __del__(self) -> None:
        self.close()


def _finish(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is pending on a loop, and close its async generators, as ``asyncio.run`` does at its end."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())


_loops = _Loops()
# Loops that are alive, to close those of the main thread at exit. Only added to and, by the collector, taken from.
_kept: weakref.WeakSet[_KeptLoop] = weakref.WeakSet()


def _abandon_loops() -> None:
    """Leave the loops of the parent process alone: they share their selector with it.

    To close one here, which is what its end would do, takes the parent's own registrations out of that selector. Marked
    as closed, it only gives back this process's descriptors.
    """
    for kept in list(_kept):
        t.cast(t.Any, kept.loop)._closed = True
    _kept.clear()
    _loops.idle = []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_loops)


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
        if _is_in_a_loop():
            return _run_on_thread(coroutine, context)
        return _run_on_kept_loop(coroutine, context)
    finally:
        _copy_back(context)


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


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
        elif not task.cancelled():
            # Looked at, so that the loop does not log as forgotten what is raised here.
            task.exception()
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
