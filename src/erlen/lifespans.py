"""The life span of an application: what begins before it serves, and ends after it, in one task.

Task groups and cancel scopes ask to be left in the task that has entered them, so one task begins everything, waits, and
ends it in reverse. What began it, and what ends it later, wait outside.
"""

from __future__ import annotations

import contextlib
import inspect
import typing as t
from contextvars import ContextVar, copy_context
from functools import partial

from .lazy import asyncio, futures, queue
from .pipeline.bridge import calls_plain, copy_back, is_async, take_threads_of_a_life_span

T = t.TypeVar("T")

#: Calls a plain function off the loop, with the context variables of here.
CallPlain: t.TypeAlias = "t.Callable[..., t.Awaitable[t.Any]]"

_End: t.TypeAlias = "t.Callable[[BaseException | None], t.Awaitable[object]]"

# Those that have begun and not ended. Their tasks would be freed with an application that nobody else holds.
_running: set[LifeSpan] = set()

#: The application that is being begun here: what that calls must not wait for it.
beginning: ContextVar[t.Any] = ContextVar("erlen.beginning", default=None)


# What the context manager of a generator says of it, and what that means.
_MISTAKES = {
    "generator didn't yield": "has not yielded",
    "generator didn't stop": "has yielded twice",
    "generator didn't stop after throw()": "has yielded again after an error was raised at its 'yield'",
}


class LifeSpan:
    """One run of the life spans of an application.

    :param app: the application.
    :param begun: a future that is done when everything has begun.
    :param call_plain: calls what is plain of the beginning.
    """

    def __init__(self, app: t.Any, begun: futures.Future[None], call_plain: CallPlain) -> None:
        self._app = app
        self._begun = begun
        self._ended: futures.Future[list[BaseException]] = futures.Future()
        self._call_plain = call_plain
        self._ends: list[_End] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[t.Any] | None = None
        self._is_over = asyncio.Event()

    async def run(self) -> None:
        """Begin everything, wait until it is to end, and end it."""
        _running.add(self)
        try:
            await self._run()
        finally:
            _running.discard(self)

    async def _run(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        take_threads_of_a_life_span()
        token = beginning.set(self._app)
        try:
            await self._begin()
        except BaseException as error:
            for other in await self._end_all(None):
                error.add_note(f"While the life spans that had begun were ended, {other!r} was raised.")
            self._app.failed_to_start(self._begun, error)
            if not isinstance(error, Exception):
                raise
            return
        finally:
            beginning.reset(token)
        self._app.has_started(self._begun)
        cause: BaseException | None = None
        try:
            if self._ends:
                await self._is_over.wait()
        except asyncio.CancelledError as error:
            # The loop ends without having ended this, or a task of a group in here has failed.
            cause = error
        errors = [error for error in await self._end_all(cause) if error is not cause]
        if cause is not None and errors:
            failure = BaseExceptionGroup("a life span ended before the application", errors)
            self._app.logger.error("A life span ended early", exc_info=failure)
        self._ended.set_result([] if cause is not None else errors)

    async def end(self, call_plain: CallPlain) -> list[BaseException]:
        """End everything, from any loop, and return what that raised.

        :param call_plain: calls what is plain of it.
        """
        self._call_plain = call_plain
        loop = self._loop
        assert loop is not None
        if loop.is_running():
            loop.call_soon_threadsafe(self._is_over.set)
        elif not self._ended.done():
            # Nobody will run that task any more.
            self.forget()
            return await self._end_all(None)
        return await asyncio.wrap_future(self._ended)

    def forget(self) -> None:
        """Let go of a task that does not end here, as its loop does not run any more, without a warning of that."""
        _running.discard(self)
        if self._task is not None:
            t.cast(t.Any, self._task)._log_destroy_pending = False

    async def _begin(self) -> None:
        app = self._app
        for function in app.lifespan_funcs:
            async with app.app_context():
                self._ends.append(await self._enter(function))
        for function in app.before_serving_funcs:
            async with app.app_context():
                await self._call(function)
        for function in app.after_serving_funcs[::-1]:
            self._ends.append(partial(self._call_at_end, function))

    async def _end_all(self, cause: BaseException | None) -> list[BaseException]:
        errors: list[BaseException] = []
        token = calls_plain.set(self._call_plain)
        try:
            while self._ends:
                try:
                    async with self._app.app_context():
                        await self._ends.pop()(cause)
                except BaseException as error:
                    errors.append(error)
        finally:
            calls_plain.reset(token)
        return errors

    async def _call(self, function: t.Callable[..., t.Any]) -> t.Any:
        args = (self._app,) if takes_an_argument(function) else ()
        return await (function(*args) if is_async(function) else self._call_plain(function, *args))

    async def _call_at_end(self, function: t.Callable[..., t.Any], cause: BaseException | None) -> None:
        await self._call(function)

    async def _enter(self, function: t.Callable[..., t.Any]) -> _End:
        make: t.Callable[..., t.Any] = function
        if inspect.isasyncgenfunction(function):
            make = contextlib.asynccontextmanager(function)
        elif inspect.isgeneratorfunction(function):
            make = contextlib.contextmanager(function)
        manager: t.Any = make(self._app) if takes_an_argument(function) else make()
        name = getattr(function, "__qualname__", repr(function))
        is_awaited = hasattr(manager, "__aenter__")
        if not is_awaited and not hasattr(manager, "__enter__"):
            if inspect.iscoroutine(manager):
                manager.close()
            raise TypeError(
                f"The lifespan function {name!r} returned {manager!r}, which is no context manager. Write a generator: what "
                f"is to be done before serving, then 'yield', then what is to be done after it. For one of both alone there "
                f"are 'before_serving' and 'after_serving'."
            )

        async def end(cause: BaseException | None) -> None:
            details = _details(cause)
            with _named(name):
                await (
                    manager.__aexit__(*details)
                    if is_awaited
                    else self._call_plain(manager.__exit__, *details)
                )

        with _named(name):
            await (manager.__aenter__() if is_awaited else self._call_plain(manager.__enter__))
        return end


class WaitingThread:
    """Calls plain functions on the thread that waits for a life span to begin or end, which has nothing else to do.

    Plain code may call what no event loop permits, and at the end of a process no thread can be started (Python 3.12).
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[tuple[futures.Future[t.Any], t.Callable[[], t.Any]] | None]
        self._calls = queue.SimpleQueue()

    async def call(self, function: t.Callable[..., T], *args: t.Any) -> T:
        """Call a function there, from the loop."""
        future, variables = futures.Future[T](), copy_context()
        self._calls.put((future, partial(variables.run, function, *args)))
        try:
            return await asyncio.wrap_future(future)
        finally:
            copy_back(variables)

    def wait_for(self, over: futures.Future[T]) -> T:
        """Call what is to be called until a future is done, and return its result."""
        over.add_done_callback(lambda _: self._calls.put(None))
        while (waiting := self._calls.get()) is not None:
            future, function = waiting
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)
        return over.result()


def takes_an_argument(function: t.Callable[..., t.Any]) -> bool:
    """Return whether a function of the life span is to be called with the application."""
    return any(
        parameter.default is parameter.empty
        and parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
        for parameter in inspect.signature(function).parameters.values()
    )


def _details(cause: BaseException | None) -> tuple[t.Any, ...]:
    return (None, None, None) if cause is None else (type(cause), cause, cause.__traceback__)


@contextlib.contextmanager
def _named(name: str) -> t.Generator[None, None, None]:
    """Say of which life span an error is that a context manager raises because its generator yields too often or never."""
    try:
        yield
    except RuntimeError as error:
        did = _MISTAKES.get(str(error))
        if did is None:
            raise
        raise RuntimeError(
            f"The lifespan function {name!r} {did}. It yields once, on every way through it: what is to be done before "
            f"serving, then 'yield', then what is to be done after it."
        ) from error
