"""Event loops of Erlen's own, for async code where no server runs one (D4).

Under WSGI each thread keeps a loop: making one for each call, as ``asyncio.run`` does, costs ten times the call. The
thread runs it while it waits for a coroutine. A task that outlives the coroutine is not left standing: a keeper thread
runs the loop until the task is done, and what the first thread wants of the loop meanwhile is handed to the keeper.

Beside them one loop of the process runs in the background, for what belongs to no request: the life span of an
application under WSGI, and coroutines that were spawned there.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import typing as t
import weakref
from contextvars import Context

from ..lazy import asyncio, futures

T = t.TypeVar("T")

#: How many seconds the end of the process waits for tasks that were cancelled.
EXIT_LIMIT = 5.0

# Modules that replace the standard library's, with what tells whether the threads are replaced.
_REPLACERS = (
    ("gevent.monkey", "is_module_patched", "threading"),
    ("eventlet.patcher", "is_monkey_patched", "thread"),
)


def in_a_loop() -> bool:
    """Return whether a loop is running in this thread."""
    if "asyncio" not in sys.modules:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def refuse_greenlets() -> None:
    """Look whether threads are what they seem, before a loop is made for one.

    :raises RuntimeError: where gevent or eventlet has replaced them with greenlets. Those share one thread of the system,
        which runs one loop at a time: while one waits, another could not run its own.
    """
    for name, asks, module in _REPLACERS:
        replacer = sys.modules.get(name)
        if replacer is not None and getattr(replacer, asks)(module):
            library = name.partition(".")[0]
            raise RuntimeError(
                f"Async code was called in a process in which {library} has replaced threads with greenlets. They share one "
                f"thread of the system, and asyncio runs one event loop at a time there, so that requests would fail while "
                f"another waits. Serve this application with threads, for example 'gunicorn --threads 8 module:app', or "
                f"over ASGI, 'uvicorn module:app'; or make what it calls plain functions."
            )


class KeptLoop:
    """A loop that one thread at a time runs: its owner while it waits for a coroutine, else a keeper."""

    def __init__(self) -> None:
        # In variables of its own: a loop keeps those it was made in, and with them the request of the moment.
        self.loop: asyncio.AbstractEventLoop = Context().run(asyncio.new_event_loop)
        # Whether a coroutine has made tasks. A list, as the loop must not refer to this object: it would never be freed.
        self._made_tasks: list[bool] = []
        self.loop.set_task_factory(t.cast(t.Any, _task_factory(self._made_tasks)))
        # Protects what follows: a keeper that is about to end must not be given another coroutine.
        self._lock = threading.Lock()
        self._keeper: threading.Thread | None = None
        self._handed_over = 0
        # The keeper's own task, which ends when it is the last.
        self._last: asyncio.Task[None] | None = None
        # Whether somebody closes it: the thread it was kept for ends when the process does, and both close it.
        self._is_closing = False
        # Whether its keeper closes it, as its thread has ended before the tasks.
        self._is_left = False
        _kept.add(self)

    def run(self, coroutine: t.Coroutine[t.Any, t.Any, T], context: Context) -> T:
        """Run a coroutine to its end from plain code and return its result.

        :param coroutine: one that has not been started.
        :param context: the variables it runs in.
        """
        with self._lock:
            if self._keeper is not None:
                self._handed_over += 1
                future = self._hand_over(coroutine, context)
            else:
                future = None
        try:
            return self._run_here(coroutine, context) if future is None else _wait_for(future)
        except asyncio.CancelledError as error:
            # Nobody cancels what plain code waits for.
            raise unordered(error) from error
        finally:
            # The exception holds this frame, and the future the exception.
            del future

    def _run_here(self, coroutine: t.Coroutine[t.Any, t.Any, T], context: Context) -> T:
        loop = self.loop
        # Not by way of the factory, which counts what the coroutine itself makes.
        task = asyncio.Task(coroutine, loop=loop, context=context)
        task.add_done_callback(_stop)
        try:
            # Not run_until_complete: its frame holds the task, and with that the exception which holds the frame.
            loop.run_forever()
            if not task.done():
                raise RuntimeError(
                    "The event loop was stopped by code that runs on it, before what it was run for had ended. Remove the call "
                    "of 'loop.stop()': the loop belongs to Erlen."
                )
            return task.result()
        finally:
            if not task.done():
                # A KeyboardInterrupt stopped the loop: let the coroutine clean up before its loop is reused.
                task.remove_done_callback(_stop)
                task.cancel()
                loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
            elif not task.cancelled():
                # Looked at, so that the loop does not log as forgotten what is raised here.
                task.exception()
            if self._made_tasks:
                self._keep()
            del task

    def _hand_over(self, coroutine: t.Coroutine[t.Any, t.Any, T], context: Context) -> futures.Future[T]:
        future = futures.Future[T]()

        def done(task: asyncio.Task[T]) -> None:
            with self._lock:
                self._handed_over -= 1
            copy_outcome(task, future)

        start_task(self.loop, coroutine, context, future, done)
        return future

    def _keep(self) -> None:
        """Start a keeper if tasks are left."""
        with self._lock:
            if not asyncio.all_tasks(self.loop):
                self._made_tasks.clear()
                return
            self._keeper = threading.Thread(target=self._run_tasks, name="erlen-keeper", daemon=True)
            self._keeper.start()

    def _run_tasks(self) -> None:
        loop = self.loop
        while True:
            # One that has not come to its end is run again: two would wait for each other.
            if self._last is None or self._last.done():
                self._last = asyncio.Task(_until_alone(), loop=loop, context=Context())
            with contextlib.suppress(RuntimeError, KeyboardInterrupt, SystemExit):
                # Somebody stopped the loop from within, or a task ended with what takes the loop down: what is left is
                # looked at again.
                loop.run_until_complete(self._last)
            with self._lock:
                if not self._handed_over and not asyncio.all_tasks(loop):
                    self._made_tasks.clear()
                    self._keeper = None
                    break
        if self._is_left:
            self.close()

    def leave(self) -> None:
        """Close the loop when the last task on it is done: its thread has ended."""
        with self._lock:
            self._is_left = True
            if self._keeper is not None:
                return
        self.close()

    def close(self) -> None:
        """Cancel what is pending, wait for that a few seconds at most, and close the loop."""
        loop = self.loop
        with self._lock:
            if self._is_closing:
                return
            self._is_closing, keeper = True, self._keeper
        if keeper is not None and keeper is not threading.current_thread():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._cancel_tasks)
            keeper.join(EXIT_LIMIT)
        if loop.is_closed() or loop.is_running():
            self._is_closing = False
            return
        if not in_a_loop():
            Context().run(_finish, loop)
        loop.close()

    def _cancel_tasks(self) -> None:
        for task in asyncio.all_tasks(self.loop) - {self._last}:
            task.cancel()

    def abandon(self) -> None:
        """Leave a loop of the parent process alone: after a fork both share its selector.

        To close it here, which is what its end would do, takes the parent's own registrations out of that selector. Marked
        as closed, it only gives back this process's descriptors.
        """
        t.cast(t.Any, self.loop)._closed = True
        self._keeper = None

    def __del__(self) -> None:
        self.close()


def unordered(error: asyncio.CancelledError) -> RuntimeError:
    """Return the error for a cancellation that nobody has ordered, which servers would take for one of their own.

    :param error: the cancellation.
    """
    result = RuntimeError(
        "A CancelledError was raised, but nobody has cancelled what it ended: it comes from something that was awaited and had "
        "been cancelled, a task for example. Where a task is awaited after 'task.cancel()', catch it: with "
        "contextlib.suppress(asyncio.CancelledError): await task."
    )
    result.__cause__ = error
    return result


def _task_factory(made: list[bool]) -> t.Callable[..., t.Any]:
    def make_task(loop: asyncio.AbstractEventLoop, coroutine: t.Any, **options: t.Any) -> asyncio.Task[t.Any]:
        if not made:
            made.append(True)
        return asyncio.Task(coroutine, loop=loop, **options)

    return make_task


def _stop(task: asyncio.Task[t.Any]) -> None:
    # These two have left the loop by themselves, and it would stop when it is run next.
    if task.cancelled() or not isinstance(task.exception(), SystemExit | KeyboardInterrupt):
        task.get_loop().stop()


async def _until_alone() -> None:
    own = asyncio.current_task()
    while others := asyncio.all_tasks() - {own}:
        await asyncio.wait(others)


def _finish(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is pending on a loop, and close its async generators, as ``asyncio.run`` does at its end."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())


def start_task(
    loop: asyncio.AbstractEventLoop,
    coroutine: t.Coroutine[t.Any, t.Any, T],
    context: Context,
    future: futures.Future[T],
    done: t.Callable[[asyncio.Task[T]], object],
) -> None:
    """Start a coroutine on a loop that another thread runs.

    :param context: the variables it runs in.
    :param future: stands for its result; cancelling it cancels the task.
    :param done: is called with the task at its end, on the loop.
    :raises RuntimeError: when the loop is closed; the coroutine is closed as well.
    """

    def start() -> None:
        if future.cancelled():
            coroutine.close()
            return
        task = asyncio.Task(coroutine, loop=loop, context=context)
        task.add_done_callback(done)
        future.add_done_callback(lambda one: _pass_on_cancel(one, loop, task))

    try:
        loop.call_soon_threadsafe(start)
    except RuntimeError:
        coroutine.close()
        raise


def _pass_on_cancel(
    future: futures.Future[T], loop: asyncio.AbstractEventLoop, task: asyncio.Task[T]
) -> None:
    if future.cancelled() and not task.done():
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(task.cancel)


def copy_outcome(task: asyncio.Future[T], future: futures.Future[T]) -> None:
    """Give a future the outcome of a task that is done.

    :param task: the task.
    :param future: the future another thread waits for; one that was cancelled is left alone.
    """
    if task.cancelled():
        if not future.done():
            future.set_exception(asyncio.CancelledError())
        return
    error = task.exception()
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(task.result())


def _wait_for(future: futures.Future[T]) -> T:
    try:
        return future.result()
    except BaseException:
        # A KeyboardInterrupt here: the coroutine must not go on as if somebody waited for it.
        future.cancel()
        raise
    finally:
        # The exception holds this frame, and the frame the future, which holds the exception.
        del future


class _Idle(list[KeptLoop]):
    """Closes the loops in it at its end, which is that of its thread.

    The loops themselves may stay longer: the traceback of an exception refers to them, and when the collector frees both
    it may have closed their sockets before.
    """

    def __del__(self) -> None:
        for kept in self:
            kept.leave()


class _Loops(threading.local):
    """The idle event loops of one thread; they are closed when the thread ends and their tasks are done."""

    def __init__(self) -> None:
        self.idle = _Idle()


_loops = _Loops()
# Loops that are alive, to close those of the main thread at exit. Only added to and, by the collector, taken from.
_kept: weakref.WeakSet[KeptLoop] = weakref.WeakSet()


def check_out() -> KeptLoop:
    """Return a loop of this thread that nobody uses; :func:`check_in` gives it back.

    Checked out rather than shared: where greenlets share a thread, a second call finds the list empty.

    :raises RuntimeError: where all threads are greenlets.
    """
    idle = _loops.idle
    if idle:
        return idle.pop()
    refuse_greenlets()
    return KeptLoop()


def check_in(kept: KeptLoop) -> None:
    """Keep a loop for the next coroutine of this thread.

    :param kept: a loop that this thread, or another one, has checked out.
    """
    _loops.idle.append(kept)


def is_kept(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether a loop is one that a thread keeps, and runs only when it has something to do there."""
    return any(kept.loop is loop for kept in list(_kept))


class _Background:
    """The loop that runs in a thread of its own, from its first use to the end of the process."""

    def __init__(self) -> None:
        # Protects the start: two threads may want the loop at the same time.
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.thread: threading.Thread | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                refuse_greenlets()
                self._loop = Context().run(asyncio.new_event_loop)
                self.thread = threading.Thread(target=self._run, args=(self._loop,), daemon=True)
                self.thread.name = "erlen-background"
                self.thread.start()
            return self._loop

    @property
    def running(self) -> asyncio.AbstractEventLoop | None:
        """The loop, if it has been started."""
        return self._loop

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._loop is loop:
            # A task that ends with one of these takes the loop down with it, and the others shall go on.
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                loop.run_forever()
        _finish(loop)
        loop.close()

    def close(self) -> None:
        with self._lock:
            loop, thread, self._loop, self.thread = self._loop, self.thread, None, None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(EXIT_LIMIT)

    def abandon(self) -> None:
        self._lock = threading.Lock()
        if self._loop is not None:
            t.cast(t.Any, self._loop)._closed = True
        self._loop = self.thread = None


_background = _Background()


def is_background_running() -> bool:
    """Return whether the background loop has been started."""
    return _background.running is not None


def is_background_thread() -> bool:
    """Return whether this is the thread of the background loop."""
    return threading.current_thread() is _background.thread


def run_in_background(coroutine: t.Coroutine[t.Any, t.Any, T], context: Context) -> futures.Future[T]:
    """Start a coroutine on the background loop of the process.

    :param coroutine: one that has not been started.
    :param context: the variables it runs in.
    :return: a future for its result; cancelling it cancels the coroutine.
    """
    future = futures.Future[T]()
    try:
        loop = _background.loop()
    except RuntimeError:
        coroutine.close()
        raise
    start_task(loop, coroutine, context, future, lambda task: copy_outcome(task, future))
    return future


def run_on_loop(
    coroutine: t.Coroutine[t.Any, t.Any, T], context: Context, loop: asyncio.AbstractEventLoop | None
) -> futures.Future[T]:
    """Start a coroutine on a loop that another thread runs.

    :param coroutine: one that has not been started.
    :param context: the variables it runs in.
    :param loop: the loop, ``None`` for the background loop of the process.
    """
    if loop is None:
        return run_in_background(coroutine, context)
    future = futures.Future[T]()
    start_task(loop, coroutine, context, future, lambda task: copy_outcome(task, future))
    return future


def _abandon_all() -> None:
    for kept in list(_kept):
        kept.abandon()
    _kept.clear()
    _loops.idle = _Idle()
    _background.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)


@atexit.register
def _close_all() -> None:
    for kept in list(_kept):
        kept.close()
    _background.close()
