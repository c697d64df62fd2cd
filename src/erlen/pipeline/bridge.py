"""Crossings between threads and event loops (D4): with ``loops.py``, the only code that knows both.

From plain code into a coroutine, :func:`run_coroutine`. Three places it may be called from:

- a worker thread that answers a request for a serving loop (ASGI): the coroutine runs on that loop, as its resources
  belong to it, and the thread waits;
- inside a loop that runs (plain code called by async code): on a helper thread;
- any other thread (WSGI, scripts): on the loop kept for the thread, 15 us.

From async code into plain code, :func:`run_on_thread`: one hop to a worker thread, 35 to 70 us.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import threading
import traceback
import types
import typing as t
import weakref
from contextvars import Context, ContextVar, copy_context
from functools import partial, wraps

from ..lazy import Lazy, asyncio, futures, queue
from .loops import (
    check_in,
    check_out,
    copy_outcome,
    in_a_loop,
    is_kept,
    run_on_loop,
    unordered,
)

T = t.TypeVar("T")
F = t.TypeVar("F", bound=t.Callable[..., t.Any])

_missing: t.Any = object()

# How many worker threads wait for what runs here, each for the next.
_depth: ContextVar[int] = ContextVar("erlen.depth", default=0)

#: What calls plain functions in place of the worker threads, of which none can be started when a process ends.
calls_plain: ContextVar[t.Callable[..., t.Awaitable[t.Any]] | None] = ContextVar("erlen.calls", default=None)

# That of a life span, which threads of any other depth may wait for.
_DEPTH_OF_LIFE_SPAN = 1_000_000


def is_async(function: t.Any) -> bool:
    """Return whether a call of a function, or of an object, gives a coroutine.

    :param function: anything that can be called.
    """
    # Of an object it is the method that says so.
    call = getattr(function, "__call__", None)  # noqa: B004
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


# Into a coroutine


class Watching(t.Protocol):
    """What cancels a call on a worker thread when its client goes away."""

    @property
    def is_paused(self) -> bool:
        """Whether the thread runs what is not to be cancelled for that."""
        ...

    def begin(self) -> None:
        """Begin to watch; called on the loop when the thread begins to wait for a coroutine."""


class _Hop:
    """A plain call on a worker thread, made for a loop that goes on meanwhile.

    :param loop: that loop.
    :param watch: what cancels the call when its client goes away, if anything does.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, watch: Watching | None = None) -> None:
        self.loop = loop
        self._watch = watch
        # What the thread waits for, and whether that is cancelled before the loop has begun it. Changed on the loop, but
        # for the mark that the thread sets when it asks for it.
        self._task: asyncio.Task[t.Any] | None = None
        self._cancels_next = False
        self._is_starting = False
        # Whether a coroutine was told of a cancellation, and whether there was one that none was told of.
        self._has_told = self._has_missed = False

    def run(self, context: Context, function: t.Callable[..., T], args: tuple[t.Any, ...]) -> T:
        """Call a function on this thread, whose coroutines then run on the loop."""
        outer, _worker.hop = _worker.hop, self
        try:
            return context.run(function, *args)
        except StopIteration as error:
            # A future cannot carry one: it would end the coroutine that awaits it.
            raise _no_end(error) from error
        finally:
            _worker.hop = outer

    def run_coroutine(self, coroutine: t.Coroutine[t.Any, t.Any, T], context: Context) -> T:
        """Run a coroutine on the loop and wait for its result."""
        context.run(_depth.set, _depth.get() + 1)
        future = futures.Future[T]()
        self._is_starting = True
        try:
            self.loop.call_soon_threadsafe(self._start, coroutine, context, future)
        except RuntimeError:
            coroutine.close()
            raise
        try:
            return future.result()
        finally:
            # The exception holds this frame, and the future the exception.
            del future

    def _start(
        self,
        coroutine: t.Coroutine[t.Any, t.Any, T],
        context: Context,
        future: futures.Future[T],
    ) -> None:
        task = asyncio.Task(coroutine, loop=self.loop, context=context)
        self._task, self._is_starting = task, False
        if self._watch is not None:
            self._watch.begin()
        if self._cancels_next and (self._watch is None or not self._watch.is_paused):
            self._cancels_next = self._has_missed = False
            self.cancel()

        def finish(task: asyncio.Task[T]) -> None:
            self._task = None
            copy_outcome(task, future)

        task.add_done_callback(finish)

    def cancel(self) -> None:
        """Cancel the coroutine the thread waits for, or of a whole request the next; called on the loop."""
        if self._task is None:
            self._has_missed = True
            self._cancels_next |= self._is_starting or self._watch is not None
        else:
            # When it has begun: a teardown function that is cancelled has run, up to where it waits.
            self.loop.call_soon(self._tell, self._task)

    def _tell(self, task: asyncio.Task[t.Any]) -> None:
        if task.cancel():
            self._has_told = True
        else:
            self._has_missed = True

    @property
    def is_answered(self) -> bool:
        """Whether the code of the thread knows of each cancellation: it raises it, or has dealt with it."""
        return self._has_told and not self._has_missed

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody has cancelled the call."""
        return self._has_told or self._has_missed


def _no_end(error: StopIteration) -> RuntimeError:
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return RuntimeError(
        f"{frame.f_code.co_qualname!r} raised StopIteration, which no async code can be told of: it means the end of a "
        f"coroutine. Give 'next()' a default, or raise another exception."
    )


class _Worker(threading.local):
    hop: _Hop | None = None


_worker = _Worker()

if hasattr(os, "register_at_fork"):
    # The loop that the hop belongs to runs in the parent process alone.
    os.register_at_fork(after_in_child=lambda: setattr(_worker, "hop", None))


def is_cancelled() -> bool:
    """Return whether somebody has cancelled what runs here: its task, or the one that waits for this thread."""
    if in_a_loop():
        task = asyncio.current_task()
        return task is None or task.cancelling() > 0
    return _worker.hop is not None and _worker.hop.is_cancelled


def as_error(failure: BaseException) -> BaseException:
    """Return what an application answers in place of an exception: of a cancellation that nobody has ordered, an error.

    :param failure: anything else is returned as it is.
    """
    if isinstance(failure, asyncio.CancelledError) and not is_cancelled():
        return unordered(failure)
    return failure


def run_coroutine(coroutine: t.Coroutine[t.Any, t.Any, T]) -> T:
    """Run a coroutine to its end from plain code and return its result.

    Context variables that the coroutine sets are set for the caller afterwards.

    :param coroutine: a coroutine that has not been started.
    """
    context = copy_context()
    try:
        if in_a_loop():
            return _run_on_helper(coroutine, context)
        if _worker.hop is not None:
            return _worker.hop.run_coroutine(coroutine, context)
        try:
            kept = check_out()
        except RuntimeError:
            coroutine.close()
            raise
        try:
            return kept.run(coroutine, context)
        finally:
            check_in(kept)
    finally:
        copy_back(context)


def _run_on_helper(coroutine: t.Coroutine[t.Any, t.Any, T], context: Context) -> T:
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        kept = check_out()
        try:
            results.append(kept.run(coroutine, context))
        except BaseException as error:
            errors.append(error)
        finally:
            check_in(kept)

    thread = threading.Thread(target=run, name="erlen-bridge")
    thread.start()
    thread.join()
    if errors:
        # The exception holds this frame.
        raise errors.pop()
    return results[0]


def copy_back(context: Context) -> None:
    """Set the context variables of here to what they are in another context."""
    for variable, value in context.items():
        if variable.get(_missing) is not value and variable is not _depth:
            variable.set(value)


def to_sync(func: t.Callable[..., t.Coroutine[t.Any, t.Any, T]]) -> t.Callable[..., T]:
    """Wrap an async function so that plain code can call it.

    :param func: an ``async def`` function.
    """

    @wraps(func)
    def call(*args: t.Any, **kwargs: t.Any) -> T:
        return run_coroutine(func(*args, **kwargs))

    return call


def waits_for_hop() -> bool:
    """Return whether plain code runs here for a loop that goes on meanwhile, on one of its worker threads."""
    return _worker.hop is not None and not in_a_loop()


def spawn_coroutine(coroutine: t.Coroutine[t.Any, t.Any, T], context: Context) -> futures.Future[T]:
    """Start a coroutine that nobody waits for: on the server's loop, else on the background loop.

    :param coroutine: one that has not been started.
    :param context: the variables it runs in.
    :return: a future for its result; cancelling it cancels the coroutine.
    """
    loop = None
    if in_a_loop():
        loop = asyncio.get_running_loop()
    elif _worker.hop is not None:
        loop = _worker.hop.loop
    return run_on_loop(coroutine, context, None if loop is None or is_kept(loop) else loop)


def _run_step(
    kept: t.Any,
    coroutine: t.Coroutine[t.Any, t.Any, t.Any],
    context: Context,
    future: futures.Future[t.Any],
) -> None:
    try:
        future.set_result(kept.run(coroutine, context))
    except BaseException as error:
        future.set_exception(error)
    finally:
        del future


class LoopOfOneStream:
    """One loop for all steps of an async iterator that plain code reads.

    The steps may come on several threads, one after the other.
    """

    def __init__(self) -> None:
        hop = _worker.hop
        self._loop = None if hop is None else hop.loop
        self._kept = None if hop is not None else check_out()

    def run(self, coroutine: t.Coroutine[t.Any, t.Any, T]) -> T:
        """Run one step and return its result."""
        context = copy_context()
        if self._loop is not None:
            # Each step may be a hop of its own, and only that one hears of its cancellation.
            hop = _worker.hop
            if hop is None or hop.loop is not self._loop:
                hop = _Hop(self._loop)
            return hop.run_coroutine(coroutine, context)
        assert self._kept is not None
        if not in_a_loop():
            return self._kept.run(coroutine, context)
        # Plain code inside of a loop that runs.
        kept, future = self._kept, futures.Future[T]()
        thread = threading.Thread(
            target=_run_step, args=(kept, coroutine, context, future), name="erlen-bridge"
        )
        thread.start()
        thread.join()
        try:
            return future.result()
        finally:
            # The exception holds this frame, and the future the exception.
            del future

    def end(self) -> None:
        """Give the loop back; call it once, after the last step."""
        if self._kept is not None:
            check_in(self._kept)
            self._kept = None


# Into plain code


def nonblocking(function: F) -> F:
    """Decorate a plain function that never waits, so that async applications call it on the event loop itself.

    Under ASGI a plain view or hook runs on a worker thread, as it might wait for a disk or a database and nothing else
    could go on meanwhile. One that only computes a little is faster without the thread, by 35 to 70 us.

    .. code-block:: python

        @app.before_request
        @nonblocking
        def start_timer():
            g.started = time.perf_counter()

    :param function: a plain function; on an ``async def`` the decorator has no effect.
    :raises TypeError: for what takes no attributes, a ``functools.partial`` of a built-in for example.

    .. versionadded:: 0.1
    """
    target: t.Any = function
    try:
        # Who wraps the function with functools.wraps copies this as well, and may wait: so it says for whom it is.
        target.nonblocking_function = weakref.ref(target)
    except (AttributeError, TypeError):
        raise TypeError(
            f"'nonblocking' was put on {function!r}, which takes no attributes. Put it on a function of your own: "
            f"@nonblocking and then def hook(): ..."
        ) from None
    return function


def is_nonblocking(function: t.Any) -> bool:
    """Return whether a plain function is marked with :func:`nonblocking` itself, and not only something it wraps."""
    function = getattr(function, "__func__", function)
    marked = getattr(function, "nonblocking_function", None)
    return marked is not None and marked() is function


def spell_async(plain: t.Any, spelling: t.Callable[..., t.Coroutine[t.Any, t.Any, t.Any]]) -> None:
    """Give a plain function an async spelling, which async applications call in its place.

    :param plain: the function.
    :param spelling: does the same.
    """
    # As for ``nonblocking``: it must not be taken for the spelling of what wraps the function.
    plain.async_spelling = weakref.ref(plain), spelling


def spelled_async(function: t.Any) -> t.Callable[..., t.Coroutine[t.Any, t.Any, t.Any]] | None:
    """Return the async spelling of a plain function, ``None`` where it has none."""
    plain, spelling = getattr(function, "async_spelling", None) or (lambda: _missing, None)
    return t.cast(t.Any, spelling) if plain() is function else None


class Threads:
    """The worker threads of an application, started as they are needed and ended with it.

    What a thread waits for may need a thread itself: a plain view that runs an async function, which calls a plain one.
    That gets one of another pool, or views that occupy all threads would wait for each other for ever.

    :param size: how many there may be, of those that wait for none of them.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._process = 0
        # By the number of threads that wait.
        self._executors: dict[int, futures.Executor] = {}

    def executor(self) -> futures.Executor:
        """Return what runs functions on the threads."""
        # The threads of a parent process are not here.
        if self._process != os.getpid():
            self._process, self._executors = os.getpid(), {}
        executor = self._executors.get(depth := _depth.get())
        if executor is None:
            made = futures.ThreadPoolExecutor(self._size, "erlen-worker")
            executor = self._executors.setdefault(depth, made)
        return executor


def take_threads_of_a_life_span() -> None:
    """Let what runs here, and whatever it calls, get no worker threads that may be waiting for it."""
    _depth.set(_DEPTH_OF_LIFE_SPAN)


class BackgroundThreads:
    """Threads for work that nobody waits for; they do not keep the process from ending.

    The standard library's pool waits for its threads at exit, however long that takes.

    :param size: how many there may be.
    """

    #: How many seconds a thread waits for more work before it ends.
    patience = 10.0

    def __init__(self, size: int) -> None:
        self._size = size
        # Protects the counts, as a thread that ends must not be counted on, and the queue's making.
        self._lock = threading.Lock()
        self._threads = 0
        self._unfinished = 0

    def _make_jobs(self) -> queue.SimpleQueue[t.Callable[[], object]]:
        return queue.SimpleQueue()

    _jobs = Lazy(_make_jobs)

    @property
    def are_busy(self) -> bool:
        """Whether all threads have something to do, so that what is submitted has to wait for that."""
        return self._unfinished >= self._size

    def submit(self, function: t.Callable[[], T]) -> futures.Future[T]:
        """Call a function on a thread."""
        future = futures.Future[T]()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            self._jobs.put(job)
            self._unfinished += 1
            if self._threads < min(self._unfinished, self._size):
                self._threads += 1
                threading.Thread(target=self._work, name="erlen-spawned", daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=self.patience)
            except queue.Empty:
                with self._lock:
                    if self._unfinished < self._threads:
                        self._threads -= 1
                        return
                continue
            job()
            # What it holds must not live until the next one comes.
            del job
            with self._lock:
                self._unfinished -= 1


async def run_on_thread(
    pool: futures.Executor,
    context: Context,
    function: t.Callable[..., T],
    *args: t.Any,
    discard: t.Callable[[T], object] | None = None,
    watch: Watching | None = None,
    must_run: bool = False,
) -> T:
    """Call a plain function on a worker thread and await its result.

    A call that has begun is always waited for, also when the task that awaits it is cancelled: what it opened is then
    closed, and nothing of the request is left running.

    :param pool: the threads.
    :param context: the variables it runs in.
    :param discard: is called, on a worker thread, with a result that nobody awaits any more.
    :param watch: what cancels the awaiting task when the client goes away.
    :param must_run: whether it is called, and waited for, also when the task is cancelled before a thread is free.
    """
    loop = asyncio.get_running_loop()
    hop = _Hop(loop, watch)
    future = pool.submit(hop.run, context, function, args)
    try:
        return await asyncio.wrap_future(future, loop=loop)
    except asyncio.CancelledError:
        if future.cancelled():
            if not must_run:
                raise
            future = pool.submit(hop.run, context, function, args)
        hop.cancel()
        await _wait_out(future, hop)
        if hop.is_answered:
            return future.result()
        if discard is not None and future.exception() is None:
            hop = _Hop(loop)
            await _wait_out(pool.submit(hop.run, context, discard, (future.result(),)), hop)
        raise
    finally:
        # An exception holds this frame, and the future the exception.
        del future


async def _wait_out(future: futures.Future[t.Any], hop: _Hop) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    future.add_done_callback(lambda _: loop.call_soon_threadsafe(over.set))
    with _held_off():
        while not over.is_set():
            # The first cancellation is raised when the thread is done; another one is for what it has begun meanwhile.
            try:
                await over.wait()
            except asyncio.CancelledError:
                hop.cancel()


def _held_off() -> t.ContextManager[object]:
    """Return what holds anyio off, whose scopes cancel anew in each turn of the loop until they are told to wait."""
    if "anyio._backends._asyncio" not in sys.modules:
        return contextlib.nullcontext()
    anyio: t.Any = sys.modules["anyio"]
    return t.cast("t.ContextManager[object]", anyio.CancelScope(shield=True))


@types.coroutine
def go_on(coroutine: t.Coroutine[t.Any, t.Any, T], waits_for: t.Any) -> t.Generator[t.Any, t.Any, T]:
    """Await a coroutine whose first step was made by hand, with ``coroutine.send(None)``.

    :param coroutine: the coroutine.
    :param waits_for: what that step returned.
    """
    while True:
        try:
            value = yield waits_for
        except BaseException as error:
            step: t.Callable[[t.Any], t.Any] = coroutine.throw
            value = error
        else:
            step = coroutine.send
        # What was awaited holds the exception as well.
        waits_for = None
        try:
            waits_for = step(value)
        except StopIteration as finished:
            return t.cast(T, finished.value)
        finally:
            # The exception holds this frame: only the garbage collector would free both, and the request with them.
            del value


async def call_on_thread(
    pool: futures.Executor, function: t.Callable[..., T], *args: t.Any, **kwargs: t.Any
) -> T:
    """Call a plain function on a worker thread as if it were called here: with the same context variables, both ways.

    :param pool: the threads.
    """
    context = copy_context()
    try:
        return await run_on_thread(pool, context, partial(function, *args, **kwargs))
    finally:
        copy_back(context)


def to_async(
    func: t.Callable[..., t.Any],
    pool: t.Callable[[], futures.Executor],
    discard: t.Callable[[t.Any], object] | None = None,
    must_run: bool = False,
) -> t.Callable[..., t.Coroutine[t.Any, t.Any, t.Any]]:
    """Wrap a plain function so that async code can await it.

    :param func: a plain function; one marked with :func:`nonblocking` is called on the loop, others on a thread.
    :param pool: returns the threads.
    :param discard: is called, on a thread, with a result that nobody awaits any more. What the function was given and
        returns belongs to its caller.
    :param must_run: whether it is called also when who awaits it is cancelled before a thread is free.
    """

    def discard_new(args: tuple[t.Any, ...], result: t.Any) -> None:
        if discard is not None and all(result is not one for one in args):
            discard(result)

    if is_nonblocking(func):

        @wraps(func)
        async def call_here(*args: t.Any, **kwargs: t.Any) -> t.Any:
            try:
                return func(*args, **kwargs)
            except StopIteration as error:
                raise _no_end(error) from error

        return call_here

    @wraps(func)
    async def call(*args: t.Any, **kwargs: t.Any) -> t.Any:
        step = partial(func, *args, **kwargs)
        if (calls := calls_plain.get()) is not None:
            return await calls(step)
        context = copy_context()
        try:
            return await run_on_thread(
                pool(), context, step, discard=partial(discard_new, args), must_run=must_run
            )
        finally:
            copy_back(context)

    return call
