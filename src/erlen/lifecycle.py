"""What an application does around serving, and beside its requests.

Its life span begins once in each process: with an ASGI server's start, else with the first request; and ends with the
server, else with the process. Under ASGI it runs on the server's loop, elsewhere on the background loop (``loops.py``).
"""

from __future__ import annotations

import atexit
import inspect
import os
import sys
import threading
import typing as t
import weakref
from contextvars import Context, copy_context

from .config import Config
from .ctx import AppContext, after_this_request, context_var
from .lazy import asyncio, futures
from .logging import printable
from .pipeline.bridge import (
    BackgroundThreads,
    call_on_thread,
    is_async,
    run_coroutine,
    spawn_coroutine,
    waits_for_hop,
)
from .pipeline.loops import is_background_running, is_background_thread, run_in_background
from .scopes import BEGINS_AFTERWARDS
from .teardown import raise_all

if t.TYPE_CHECKING:
    from .lifespans import CallPlain, LifeSpan

F = t.TypeVar("F", bound=t.Callable[..., t.Any])
T = t.TypeVar("T")

#: How many seconds tasks have to clean up when they are cancelled at the end.
CLEANUP = 1.0

WAITS_FOR_ITSELF = """\
'{name}' was called by code that runs on the event loop on which the life span has to run, and would wait for itself. \
Async code writes 'await app.a{name}()', and uses 'app.async_test_client()'."""

NOT_CALLABLE = """\
{function!r} was to be run in the background, and cannot be called with these arguments. Pass a function and its arguments: \
'app.spawn(send_mail, address)', without the parentheses of a call."""

AWAITABLE = """\
{name!r} was run in the background as the plain function it is, and returned {result!r}, which nobody awaits. Pass the async \
function itself and its arguments, 'app.spawn(send_mail, address)', not a plain function that calls it."""


class LifeCycle:
    """The part of an application that starts and stops, and that works in the background."""

    config: Config
    logger: t.Any
    threads: t.Any
    app_context: t.Callable[[], AppContext]
    _check_setup_finished: t.Callable[[str], None]

    # PERF: plaintext: looked at by each request.
    #: Whether the first request of this process has been prepared for.
    is_serving: bool

    def __init__(self) -> None:
        #: What :meth:`lifespan` registered.
        self.lifespan_funcs: list[t.Callable[..., t.Any]] = []
        #: What :meth:`before_serving` registered.
        self.before_serving_funcs: list[t.Callable[..., t.Any]] = []
        #: What :meth:`after_serving` registered.
        self.after_serving_funcs: list[t.Callable[..., t.Any]] = []
        # Protects what follows: requests on several threads may all be the first, and spawn from anywhere.
        self._life_lock = threading.Lock()
        self._start: futures.Future[None] | None = None
        self._span: LifeSpan | None = None
        self._span_task: asyncio.Task[None] | None = None
        # What was spawned: a future that is done when it is over, its name, and the future of its result.
        self._background: dict[futures.Future[None], tuple[str, futures.Future[t.Any]]] = {}
        self._background_threads: BackgroundThreads | None = None
        #: Whether the server was told to stop.
        self.is_stopping = False
        #: What :meth:`when_stopping` registered, in that order.
        self.stop_callbacks: dict[t.Callable[[], object], None] = {}

    # Registration

    def lifespan(self, f: F) -> F:
        """Decorate a generator, plain or async, that runs around serving: up to its ``yield`` before, the rest after.

        .. code-block:: python

            @app.lifespan
            async def database():
                app.extensions["pool"] = await connect(app.config["DATABASE"])
                yield
                await app.extensions["pool"].close()

        What it raises before the ``yield`` keeps the application from starting. Several run in the order of their
        registration, and end in the reverse order.

        :param f: a generator function, or a function that returns a context manager, plain or async. It is called
            with the application if it takes an argument.

        .. versionadded:: 0.1
        """
        self._check_setup_finished("lifespan")
        self.lifespan_funcs.append(f)
        return f

    def before_serving(self, f: F) -> F:
        """Run a function, plain or async, before the first request, after the life spans have begun.

        :param f: called with the application if it takes an argument.

        .. versionadded:: 0.1
        """
        self._check_setup_finished("before_serving")
        self.before_serving_funcs.append(f)
        return f

    def after_serving(self, f: F) -> F:
        """Run a function, plain or async, after the last request, before the life spans end.

        :param f: called with the application if it takes an argument.

        .. versionadded:: 0.1
        """
        self._check_setup_finished("after_serving")
        self.after_serving_funcs.append(f)
        return f

    # Starting

    def begin_serving(self) -> None:
        """Start what has not been started, before the first request that this process answers."""
        try:
            self.start_serving()
        except Exception as error:
            # Each request that waited raises the same exception, with the frames of those before it.
            _shorten(error)
            raise

    async def abegin_serving(self) -> None:
        """Do what :meth:`begin_serving` does."""
        if not self.has_life_span():
            self._start_at_once()
            return
        # Slow to load, and most applications have no life span; as below.
        from .lifespans import beginning

        if beginning.get() is self:
            return
        start, is_own = self._begin_start()
        if is_own:
            # The client of this request may go, and other requests wait as well.
            self._begin_here(start, Context())
        try:
            if start.done():
                start.result()
            else:
                await asyncio.shield(asyncio.wrap_future(start))
        except Exception as error:
            _shorten(error)
            raise

    def _begin_here(self, start: futures.Future[None], context: Context) -> None:
        """Begin on the running loop, in a task of its own: it lasts longer than whoever begins it."""
        # As above.
        from .lifespans import LifeSpan

        span = self._span = LifeSpan(self, start, self._call_on_thread)
        # Kept, as the loop does not.
        self._span_task = asyncio.get_running_loop().create_task(span.run(), context=context)

    def has_life_span(self) -> bool:
        """Return whether anything is to be called when serving begins or ends."""
        return bool(self.lifespan_funcs or self.before_serving_funcs or self.after_serving_funcs)

    def start_serving(self) -> bool:
        """Begin the life span, unless it has begun, and return whether this call did it.

        Servers and the test client's ``with`` block do that; call it in a script that works without a server.

        :raises Exception: what a life span or a function of :meth:`before_serving` raised.
        """
        if not self.has_life_span():
            return self._start_at_once()
        # As above.
        from .lifespans import LifeSpan, WaitingThread, beginning

        if beginning.get() is self:
            return False
        if waits_for_hop():
            return run_coroutine(self.astart_serving())
        if is_background_thread() and not self.is_serving:
            raise RuntimeError(WAITS_FOR_ITSELF.format(name="start_serving"))
        start, is_own = self._begin_start()
        if not is_own:
            start.result()
            return False
        here = WaitingThread()
        span = self._span = LifeSpan(self, start, here.call)
        run_in_background(span.run(), Context())
        here.wait_for(start)
        at_exit(self)
        return True

    async def astart_serving(self) -> bool:
        """Do what :meth:`start_serving` does, on the running loop."""
        if not self.has_life_span():
            return self._start_at_once()
        # As above.
        from .lifespans import beginning

        if beginning.get() is self:
            return False
        start, is_own = self._begin_start()
        if is_own:
            self._begin_here(start, copy_context())
        if start.done():
            start.result()
            return is_own
        try:
            await asyncio.shield(asyncio.wrap_future(start))
        except asyncio.CancelledError:
            if is_own and self._span_task is not None:
                # The server stops: what has begun ends.
                self._span_task.cancel()
                await asyncio.wait({self._span_task})
            raise
        return is_own

    def _start_at_once(self) -> bool:
        """Start where nothing is to be called for it, and return whether this call did it."""
        with self._life_lock:
            if self._start is not None:
                return False
            self._start = _DONE
            self.has_started(_DONE)
        at_exit(self)
        return True

    def _begin_start(self) -> tuple[futures.Future[None], bool]:
        with self._life_lock:
            start = self._start
            if start is None:
                start = self._start = futures.Future()
                return start, True
            return start, False

    def has_started(self, start: futures.Future[None]) -> None:
        """Note that everything has begun, and let requests go on that wait for it.

        :param start: what they wait for.
        """
        vars(self)["_got_first_request"] = vars(self)["is_serving"] = True
        self.is_stopping = False
        start.set_result(None)

    def failed_to_start(self, start: futures.Future[None], error: BaseException) -> None:
        """Hand an exception to those that wait for the start, and let the next request try again.

        :param start: what they wait for.
        :param error: what was raised.
        """
        with self._life_lock:
            self._start = self._span = None
        start.set_exception(error)

    async def _call_on_thread(self, function: t.Callable[..., T], *args: t.Any) -> T:
        return await call_on_thread(self.threads.executor(), function, *args)

    # Stopping

    def stop_serving(self) -> None:
        """End the life span where :meth:`start_serving` has begun it, outside of a server's loop.

        :raises Exception: what ended with an exception, as a group where several did; all is ended nevertheless.
        """
        if is_background_thread():
            raise RuntimeError(WAITS_FOR_ITSELF.format(name="stop_serving"))
        if not is_background_running():
            # So nothing has begun there, and no thread has to be started for it: Python 3.12 refuses at the end of a process.
            run_coroutine(self.astop_serving())
            return
        # As above.
        from .lifespans import WaitingThread

        here = WaitingThread()
        here.wait_for(run_in_background(self._stop(here.call), Context()))

    async def astop_serving(self) -> None:
        """End the life span: wait for background work, then end what was begun."""
        await self._stop(self._call_on_thread)

    async def _stop(self, call_plain: CallPlain) -> None:
        with self._life_lock:
            # A request that comes while this one ends begins another.
            span, self._span, self._start = self._span, None, None
        vars(self)["is_serving"] = False
        self.begin_to_stop()
        await self._wait_for_background()
        if span is not None:
            raise_all(await span.end(call_plain), "ending the life span")

    def _forget_start(self) -> None:
        """Begin anew: this process was forked from one that has begun."""
        self._life_lock = threading.Lock()
        if self._span is not None:
            self._span.forget()
        self._start = self._background_threads = None
        self._span, self._background = None, {}
        vars(self)["is_serving"] = False

    def when_stopping(self, f: F) -> F:
        """Call a plain function on the server's loop when the application is told to stop.

        Servers wait for open connections first, and end the life span then. So what keeps a connection open without an
        end has to hear of the stop before: an :class:`erlen.EventStream` and a WebSocket do by themselves.

        :param f: takes nothing, and must not wait.

        .. versionadded:: 0.1
        """
        self.stop_callbacks[f] = None
        return f

    def begin_to_stop(self) -> None:
        """Tell everybody who asked that the application stops; the second time does nothing."""
        if self.is_stopping:
            return
        self.is_stopping = True
        for callback in list(self.stop_callbacks):
            try:
                callback()
            except Exception:
                self.logger.exception("%r raised when the application was told to stop", callback)

    # Background work

    def spawn(self, function: t.Any, /, *args: t.Any, **kwargs: t.Any) -> futures.Future[t.Any]:
        """Run a function beside the request, with a copy of its context; nobody waits for it.

        The copy has the request, the session and the context variables of here; ``g`` is empty in it. Teardown functions
        run at its end, as they do for the request. Outside of a request it is an application context.

        A coroutine runs on the server's loop, a plain function on a thread (``BACKGROUND_THREADS`` of them). An
        exception is logged with the request that spawned. When the application stops, what is still running has
        ``SHUTDOWN_TIMEOUT`` seconds to end.

        .. code-block:: python

            @app.post("/orders")
            def order():
                app.spawn(send_confirmation, request.form["mail"])
                return "Thank you"

        :param function: a plain or an async function, or a coroutine.
        :param args: its arguments, as is ``kwargs``. Hand over values: of the request a copy of the context has the
            headers, but the body may be closed by then.
        :return: a future, for tests and for whoever wants the result after all.
        :raises TypeError: for what cannot be called.

        .. versionadded:: 0.1
        """
        return self._spawning(function, args, kwargs)()

    def spawn_after_response(self, function: t.Any, /, *args: t.Any, **kwargs: t.Any) -> None:
        """Run a function as :meth:`spawn` does, when the response of this request has been sent.

        :param function: a plain or an async function.
        :param args: its arguments, as is ``kwargs``.
        :raises RuntimeError: outside of a request.
        :raises TypeError: for what cannot be called.

        .. versionadded:: 0.1
        """
        start = self._spawning(function, args, kwargs)

        @after_this_request
        def begin_at_the_end(response: t.Any) -> t.Any:
            response.call_on_close(start)
            if BEGINS_AFTERWARDS in head:
                head[BEGINS_AFTERWARDS](response, start)
            return response

        head: dict[str, t.Any] = context_var.get().request.head

    def _spawning(
        self, function: t.Any, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]
    ) -> t.Callable[[], futures.Future[t.Any]]:
        name = _name_of(function, has_arguments=bool(args or kwargs))
        active = context_var.get(None)
        context = active.copy() if active is not None and active.app is self else self.app_context()
        described = f"{name}{_origin(context)}"
        variables = copy_context()
        work = _Work()

        async def arun() -> t.Any:
            try:
                with work:
                    async with context:
                        return await (
                            function if inspect.iscoroutine(function) else function(*args, **kwargs)
                        )
            except Exception as error:
                self._log_background(described, error)
                raise

        def run() -> t.Any:
            try:
                with work, context:
                    return _no_awaitable(function(*args, **kwargs), name)
            except Exception as error:
                self._log_background(described, error)
                raise

        def start() -> futures.Future[t.Any]:
            if work.future is not None:
                # A response that was closed twice.
                return work.future
            if inspect.iscoroutine(function) or is_async(function):
                future = spawn_coroutine(arun(), variables)
            else:
                future = self._threads_of_background().submit(lambda: variables.run(run))
            with self._life_lock:
                self._background[work.over] = described, future
            work.over.add_done_callback(self._forget)
            work.follow(future)
            at_exit(self)
            return future

        return start

    def _threads_of_background(self) -> BackgroundThreads:
        with self._life_lock:
            if self._background_threads is None:
                self._background_threads = BackgroundThreads(self.config["BACKGROUND_THREADS"])
            return self._background_threads

    def _forget(self, over: futures.Future[None]) -> None:
        with self._life_lock:
            self._background.pop(over, None)

    def _log_background(self, described: str, error: Exception) -> None:
        self.logger.error("Exception in the background task %s", described, exc_info=error)

    async def _wait_for_background(self) -> None:
        loop, limit = asyncio.get_running_loop(), self.config["SHUTDOWN_TIMEOUT"]
        deadline = loop.time() + limit
        # What is still running may spawn more.
        while running := self._running():
            waits = {asyncio.wrap_future(over): entry for over, entry in running.items()}
            _, late = await asyncio.wait(waits, timeout=max(deadline - loop.time(), 0))
            if late:
                names = ", ".join(sorted(waits[one][0] for one in late))
                self.logger.warning(
                    "%d background tasks had not ended %s s after the application was told to stop (SHUTDOWN_TIMEOUT) and "
                    "were given up: %s", len(late), limit, names,
                )  # fmt: skip
                for one in late:
                    waits[one][1].cancel()
                await asyncio.wait(late, timeout=CLEANUP)
                return

    def _running(self) -> dict[futures.Future[None], tuple[str, futures.Future[t.Any]]]:
        with self._life_lock:
            return dict(self._background)


class _Done:
    """Stands for the future of a start that nobody has to wait for."""

    def result(self) -> None:
        return None

    def done(self) -> bool:
        return True

    def set_result(self, result: None) -> None:
        pass


_DONE: t.Any = _Done()


def _shorten(error: Exception) -> None:
    # Slow to load, and only for errors.
    from .debug import own_traceback

    own_traceback(error)


class _Work:
    """Whether spawned work has begun, and is over: it has not when its future is cancelled, as it may clean up."""

    def __init__(self) -> None:
        self.over: futures.Future[None] = futures.Future()
        #: The future of the result, once it was started.
        self.future: futures.Future[t.Any] | None = None
        self._has_begun = False

    def __enter__(self) -> None:
        self._has_begun = True

    def __exit__(self, *details: object) -> None:
        self._end()

    def follow(self, future: futures.Future[t.Any]) -> None:
        """Be over as well when a future is done before the work has begun."""
        self.future = future
        future.add_done_callback(lambda _: None if self._has_begun else self._end())

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


def _name_of(function: t.Any, *, has_arguments: bool) -> str:
    if not callable(function) and (has_arguments or not inspect.iscoroutine(function)):
        raise TypeError(NOT_CALLABLE.format(function=function))
    return t.cast(str, getattr(function, "__qualname__", repr(function)))


def _no_awaitable(result: T, name: str) -> T:
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise TypeError(AWAITABLE.format(name=name, result=result))
    return result


def _origin(context: AppContext) -> str:
    if not context.has_request:
        return ""
    request = context.request
    return f", spawned by {printable(request.path)} [{printable(request.method)}]"


# Applications that have begun, or that have spawned something, where no server tells them of the end.
_begun: weakref.WeakSet[LifeCycle] = weakref.WeakSet()


def at_exit(app: LifeCycle) -> None:
    """Stop an application when the process ends, if nobody has done it by then.

    :param app: the application.
    """
    processes = sys.modules.get("multiprocessing.util")
    if processes is not None and not _begun:
        # What multiprocessing has forked, a worker of granian for example, does not come to ``atexit`` before Python 3.13,
        # and later not to what was registered there before the fork.
        processes.Finalize(None, _stop_all, exitpriority=0)
    _begun.add(app)


@atexit.register
def _stop_all() -> None:
    for app in list(_begun):
        if app._span is not None or app._background:
            try:
                app.stop_serving()
            except Exception:
                app.logger.exception("The life span of %r did not end well", app)


def _forget_all() -> None:
    for app in list(_begun):
        app._forget_start()
    _begun.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
