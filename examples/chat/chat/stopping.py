"""Learning that the server is about to stop, in time to end what it waits for."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import typing as t


@contextlib.contextmanager
def on_stop_signal(callback: t.Callable[[], object]) -> t.Generator[None]:
    """Call a function on the running loop when the process gets SIGINT or SIGTERM, before the server acts on it.

    Servers wait for their open connections first and end the life span then, so a stream without an end would keep them
    waiting for ever.
    """
    if threading.current_thread() is not threading.main_thread():
        # There are no signals elsewhere: tests over WSGI.
        yield
        return
    loop = asyncio.get_running_loop()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: t.Any) -> None:
        loop.call_soon_threadsafe(callback)
        of_server = handlers[signal.Signals(number)]
        if callable(of_server):
            of_server(number, frame)

    for number in handlers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, of_server in handlers.items():
            signal.signal(number, of_server)
