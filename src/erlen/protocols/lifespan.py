"""The life span of the process as ASGI servers tell it (ASGI Lifespan, version 2)."""

from __future__ import annotations

import contextlib
import threading
import traceback
import typing as t

from ..debug import own_traceback
from ..lazy import asyncio, signal
from ..typing import Receive, Send


async def serve_lifespan(app: t.Any, receive: Receive, send: Send) -> None:
    """Begin and end the life span of an application when its server says so.

    :param app: the application.
    :param receive: the server's callable for what begins.
    :param send: the server's callable for how it went. A failure is sent with the user's own traceback, and stops the
        server.
    """
    with _hearing_signals(app):
        await _follow(app, receive, send)


async def _follow(app: t.Any, receive: Receive, send: Send) -> None:
    calls = {"lifespan.startup": app.astart_serving, "lifespan.shutdown": app.astop_serving}
    while True:
        kind = (await receive())["type"]
        if kind not in calls:
            raise ValueError(f"The server sent {kind!r}, which is no event of the life span in ASGI 3.")
        failure: str | None = None
        try:
            await calls[kind]()
        except Exception as error:
            failure = "".join(traceback.format_exception(own_traceback(error))).rstrip()
        if failure is not None:
            # Not while the error is handled: what hypercorn raises here to end itself would show it a second time.
            await send({"type": f"{kind}.failed", "message": failure})
            return
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


@contextlib.contextmanager
def _hearing_signals(app: t.Any) -> t.Generator[None]:
    """Tell the application of SIGINT and SIGTERM when they come; the server acts on them as it would without.

    Nothing in ASGI says that a server is about to stop: it waits for its open connections before it ends the life span, and
    for a stream of events without an end, for ever.
    """
    if threading.current_thread() is not threading.main_thread():
        # Signals come to the main thread.
        yield
        return
    loop = asyncio.get_running_loop()
    of_server = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def hear(number: int, frame: t.Any) -> None:
        loop.call_soon_threadsafe(app.begin_to_stop)
        handler = of_server[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        elif handler is signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in of_server:
        signal.signal(number, hear)
    try:
        yield
    finally:
        for number, handler in of_server.items():
            # Somebody may have set another one meanwhile.
            if signal.getsignal(number) is hear:
                signal.signal(number, handler)
