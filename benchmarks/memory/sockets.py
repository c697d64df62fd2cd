"""Many WebSockets that stay open, and what they add to the worker that has them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import typing as t
from pathlib import Path

from ..serving.wrk import Failed
from .workers import SOCKETS, SUBJECTS, answered, memory_of_worker, serving

#: How many are opened at a time.
_AT_A_TIME = 25

MESSAGE = "hello"

#: Of files that are open beside the sockets.
_SPARE = 200

#: Seconds for one socket to open and to answer once.
_LIMIT = 60.0


def measure(name: str, count: int, folder: Path) -> float:
    """Return the KiB that one idle WebSocket adds, on uvicorn.

    :param name: which of the applications over ASGI.
    :param count: how many are opened.
    :raises Failed: where they do not open, or do not answer.
    """
    allow_files(count + _SPARE)
    subject = SUBJECTS["asgi"][name]
    with serving(SOCKETS, subject, folder) as process:
        answered(process, subject)
        address = f"ws://127.0.0.1:{process.port}/echo"

        def private() -> float:
            return memory_of_worker(process).private

        try:
            before, after = asyncio.run(_grown(address, count, private))
        except (OSError, TimeoutError) as error:
            raise Failed(f"{subject.title}: WebSockets do not open: {error!r}\n{process.log()}") from error
    return 1024 * (after - before) / count


async def _grown(address: str, count: int, private: t.Callable[[], float]) -> tuple[float, float]:
    # Here, so that idle workers are measured without it.
    from websockets.asyncio.client import connect

    async with contextlib.AsyncExitStack() as stack:
        lock = asyncio.Semaphore(_AT_A_TIME)

        async def open_one() -> None:
            async with lock, asyncio.timeout(_LIMIT):
                # Without compression, whose buffers would hide the rest; no pings, as these stay idle.
                one = await stack.enter_async_context(connect(address, compression=None, ping_interval=None))
                await one.send(MESSAGE)
                if await one.recv() != MESSAGE:
                    raise Failed("a WebSocket does not echo")

        # The first loads what is loaded late.
        await open_one()
        before = await asyncio.to_thread(private)
        await asyncio.gather(*(open_one() for _ in range(count)))
        # Tasks that have to end, end.
        await asyncio.sleep(0.3)
        return before, await asyncio.to_thread(private)


def allow_files(count: int) -> None:
    """Raise the number of files that this process and the servers it starts may have open.

    :raises Failed: where the system does not let it.
    """
    if sys.platform == "win32":
        return
    import resource  # here: Windows has none

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count or soft == resource.RLIM_INFINITY:
        return
    if hard != resource.RLIM_INFINITY and hard < count:
        raise Failed(
            f"{count} open files are needed, and the system allows {hard}: ulimit -Hn {count}, or --sockets"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
