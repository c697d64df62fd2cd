"""What an application does around serving, and beside its requests.

Its life span begins once in each process: with an ASGI server's start, else with the first request; and ends with the
server, else with the process. Under ASGI it runs on the server's loop, elsewhere on the background loop (``loops.py``).
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import inspect
import os
import sys
import threading
import typing as t
import weakref
from contextvars import Context, ContextVar, copy_context
from functools import partial

from .config import Config
from .ctx import AppContext, after_this_request, context_var
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
from .teardown import raise_all

F = t.TypeVar("F", bound=t.Callable[..., t.Any])
T = t.TypeVar("T")

#: Calls a plain function: on the loop's own thread or on another.
CallPlain: t.TypeAlias = "t.Callable[..., t.Awaitable[t.Any]]"

#: How many seconds tasks have to clean up when they are cancelled at the end.
CLEANUP = 1.0

_End: t.TypeAlias = "t.Callable[[], t.Awaitable[object]]"

WAITS_FOR_ITSELF = """\
'{name}' was called by code that runs on the event loop on which the life span has to run, and would wait for itself. \
Async code writes 'await app.a{name}()', and uses 'app.async_test_client()'."""

# The application whose life span is being begun here: what that calls must not wait for it.
_beginning: ContextVar[LifeCycle | None] = ContextVar("erlen.beginning", default=None)


class LifeCycle:
    """The part of an application that starts and stops, and that works in the background."""

    config: Config
    logger: t.Any
    threads: t.Any
    app_context: t.Callable[[], AppContext]
    _check_setup_finished: t.Callable[[str], None]

    #: Whether the first request of this process has been prepared for. PERF: plaintext: looked at by each request.
    is_serving = False

    def __init__(self) -> None:
        self.lifespan_funcs: list[t.Callable[..., t.Any]] = []
        self.before_serving_funcs: list[t.Callable[..., t.Any]] = []
        self.after_serving_funcs: list[t.Callable[..., t.Any]] = []
        # Protects what follows: requests on several threads may all be the first, and spawn from anywhere.
        self._life_lock = threading.Lock()
        self._start: concurrent.futures.Future[None] | None = None
        self._ends: list[_End] = []
        # What was spawned: a future that is done when it is over, its name, and the future of its result.
        self._background: dict[
            concurrent.futures.Future[None], tuple[str, concurrent.futures.Future[t.Any]]
        ] = {}
        self._background_threads: BackgroundThreads | None = None
        #: Whether the server was told to stop.
        self.is_stopping = False
        #: What is told of that, in the order in which it asked.
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
        self.start_serving()

    async def abegin_serving(self) -> None:
        """Do what :meth:`begin_serving` does.

        In a task of its own: the client of this request may go, and other requests wait as well.
        """
        if _beginning.get() is self:
            return
        start, is_own = self._begin_start()
        if is_own:
            beginning = self._enter_all(start, self._call_on_thread)
            task = asyncio.get_running_loop().create_task(beginning, context=Context())
            # Whoever waits is told.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(asyncio.wrap_future(start))

    def start_serving(self) -> bool:
        """Begin the life span, unless it has begun, and return whether this call did it.

        Servers and the test client's ``with`` block do that; call it in a script that works without a server.

        :raises Exception: what a life span or a function of :meth:`before_serving` raised.
        """
        if _beginning.get() is self:
            return False
        if waits_for_hop():
            return run_coroutine(self.astart_serving())
        has_functions = bool(self.lifespan_funcs or self.before_serving_funcs or self.after_serving_funcs)
        if has_functions and is_background_thread() and not self.is_serving:
            raise RuntimeError(WAITS_FOR_ITSELF.format(name="start_serving"))
        start, is_own = self._begin_start()
        if not is_own:
            start.result()
            return False
        if has_functions:
            running = run_in_background(self._enter_all(start, _call_here), Context())
            running.result()
        else:
            self._started(start)
        at_exit(self)
        return True

    async def astart_serving(self) -> bool:
        """Do what :meth:`start_serving` does, on the running loop."""
        if _beginning.get() is self:
            return False
        start, is_own = self._begin_start()
        if is_own:
            await self._enter_all(start, self._call_on_thread)
        else:
            await asyncio.shield(asyncio.wrap_future(start))
        return is_own

    def _begin_start(self) -> tuple[concurrent.futures.Future[None], bool]:
        with self._life_lock:
            start = self._start
            if start is None:
                start = self._start = concurrent.futures.Future()
                return start, True
            return start, False

    def _started(self, start: concurrent.futures.Future[None]) -> None:
        vars(self)["_got_first_request"] = vars(self)["is_serving"] = True
        self.is_stopping = False
        start.set_result(None)

    async def _enter_all(self, start: concurrent.futures.Future[None], call_plain: CallPlain) -> None:
        ends: list[_End] = []
        token = _beginning.set(self)
        try:
            for function in self.lifespan_funcs:
                async with self.app_context():
                    ends.append(await _enter(self, function, call_plain))
            for function in self.before_serving_funcs:
                async with self.app_context():
                    await _call(self, function, call_plain)
        except BaseException as error:
            errors = await self._end_all(ends)
            for other in errors:
                error.add_note(f"While the life spans that had begun were ended, {other!r} was raised.")
            with self._life_lock:
                self._start = None
            start.set_exception(error)
            raise
        finally:
            _beginning.reset(token)
        after = [partial(_call, self, function, call_plain) for function in self.after_serving_funcs]
        self._ends = [*ends, *after[::-1]]
        self._started(start)

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
        run_in_background(self.astop_serving(), Context()).result()

    async def astop_serving(self) -> None:
        """End the life span on the loop on which it has begun: wait for background work, then end what was begun."""
        with self._life_lock:
            # A request that comes while this one ends begins another.
            ends, self._ends, self._start = self._ends, [], None
        vars(self)["is_serving"] = False
        self.begin_to_stop()
        await self._wait_for_background()
        raise_all(await self._end_all(ends), "ending the life span")

    async def _end_all(self, ends: list[_End]) -> list[BaseException]:
        errors: list[BaseException] = []
        while ends:
            try:
                async with self.app_context():
                    await ends.pop()()
            except BaseException as error:
                errors.append(error)
        return errors

    def _forget_start(self) -> None:
        """Begin anew: this process was forked from one that has begun."""
        self._life_lock = threading.Lock()
        self._start = self._background_threads = None
        self._ends, self._background = [], {}
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

    def spawn(self, function: t.Any, /, *args: t.Any, **kwargs: t.Any) -> concurrent.futures.Future[t.Any]:
        """Run a function beside the request, with a copy of its context; nobody waits for it.

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

        .. versionadded:: 0.1
        """
        return self._spawning(function, args, kwargs)()

    def spawn_after_response(self, function: t.Any, /, *args: t.Any, **kwargs: t.Any) -> None:
        """Run a function as :meth:`spawn` does, when the response of this request has been sent.

        :param function: a plain or an async function.
        :param args: its arguments, as is ``kwargs``.
        :raises RuntimeError: outside of a request.

        .. versionadded:: 0.1
        """
        start = self._spawning(function, args, kwargs)

        @after_this_request
        def begin_at_the_end(response: t.Any) -> t.Any:
            response.call_on_close(start)
            return response

    def _spawning(
        self, function: t.Any, args: tuple[t.Any, ...], kwargs: dict[str, t.Any]
    ) -> t.Callable[[], concurrent.futures.Future[t.Any]]:
        active = context_var.get(None)
        context = active.copy() if active is not None and active.app is self else self.app_context()
        name = getattr(function, "__qualname__", repr(function))
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
                    return function(*args, **kwargs)
            except Exception as error:
                self._log_background(described, error)
                raise

        def start() -> concurrent.futures.Future[t.Any]:
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

    def _forget(self, over: concurrent.futures.Future[None]) -> None:
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

    def _running(self) -> dict[concurrent.futures.Future[None], tuple[str, concurrent.futures.Future[t.Any]]]:
        with self._life_lock:
            return dict(self._background)


class _Work:
    """Whether spawned work has begun, and is over: it has not when its future is cancelled, as it may clean up."""

    def __init__(self) -> None:
        self.over: concurrent.futures.Future[None] = concurrent.futures.Future()
        #: The future of the result, once it was started.
        self.future: concurrent.futures.Future[t.Any] | None = None
        self._has_begun = False

    def __enter__(self) -> None:
        self._has_begun = True

    def __exit__(self, *details: object) -> None:
        self._end()

    def follow(self, future: concurrent.futures.Future[t.Any]) -> None:
        """Be over as well when a future is done before the work has begun."""
        self.future = future
        future.add_done_callback(lambda _: None if self._has_begun else self._end())

    def _end(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def _call(app: t.Any, function: t.Callable[..., t.Any], call_plain: CallPlain) -> t.Any:
    args = (app,) if _takes_an_argument(function) else ()
    return await (function(*args) if is_async(function) else call_plain(function, *args))


async def _call_here(function: t.Callable[..., T], *args: t.Any) -> T:
    return function(*args)


async def _enter(app: t.Any, function: t.Callable[..., t.Any], call_plain: CallPlain) -> _End:
    """Begin a life span and return what ends it."""
    make: t.Callable[..., t.Any] = function
    if inspect.isasyncgenfunction(function):
        make = contextlib.asynccontextmanager(function)
    elif inspect.isgeneratorfunction(function):
        make = contextlib.contextmanager(function)
    manager: t.Any = make(app) if _takes_an_argument(function) else make()
    if hasattr(manager, "__aenter__"):
        await manager.__aenter__()
        return lambda: manager.__aexit__(None, None, None)
    if hasattr(manager, "__enter__"):
        await call_plain(manager.__enter__)
        return lambda: call_plain(manager.__exit__, None, None, None)
    name = getattr(function, "__qualname__", repr(function))
    if inspect.iscoroutine(manager):
        manager.close()
    raise TypeError(
        f"The lifespan function {name!r} returned {manager!r}, which is no context manager. Write a generator: what is to "
        f"be done before serving, then 'yield', then what is to be done after it. For one of both alone there are "
        f"'before_serving' and 'after_serving'."
    )


def _takes_an_argument(function: t.Callable[..., t.Any]) -> bool:
    return any(
        parameter.default is parameter.empty
        and parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
        for parameter in inspect.signature(function).parameters.values()
    )


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
        if app._ends or app._background:
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
