"""Between threads and event loops: the only file that knows both."""

from __future__ import annotations

import asyncio
import inspect
import typing as t


def call(function: t.Callable[..., t.Any], *args: t.Any, **kwargs: t.Any) -> t.Any:
    """Call a function where no event loop runs; an async one is run to its end."""
    value = function(*args, **kwargs)
    # Each run makes a loop of its own. It takes the context variables of this thread along, so proxies go on working.
    return asyncio.run(value) if inspect.iscoroutine(value) else value


async def acall(function: t.Callable[..., t.Any], *args: t.Any, **kwargs: t.Any) -> t.Any:
    """Call a function from an event loop; a plain one runs on a worker thread, as it may wait for something."""
    if inspect.iscoroutinefunction(function):
        return await function(*args, **kwargs)
    # The thread gets a copy of the context variables. Ours holds an object, which both see.
    value = await asyncio.to_thread(function, *args, **kwargs)
    return await value if inspect.isawaitable(value) else value
