"""The life span of the process as ASGI servers tell it (ASGI Lifespan, version 2)."""

from __future__ import annotations

import traceback
import typing as t

from ..debug import own_traceback
from ..typing import Receive, Send


async def serve_lifespan(app: t.Any, receive: Receive, send: Send) -> None:
    """Begin and end the life span of an application when its server says so.

    :param app: the application.
    :param receive: the server's callable for what begins.
    :param send: the server's callable for how it went. A failure is sent with the user's own traceback, and stops the
        server.
    """
    calls = {"lifespan.startup": app.astart_serving, "lifespan.shutdown": app.astop_serving}
    while True:
        kind = (await receive())["type"]
        if kind not in calls:
            raise ValueError(f"The server sent {kind!r}, which is no event of the life span in ASGI 3.")
        try:
            await calls[kind]()
        except Exception as error:
            shown = "".join(traceback.format_exception(own_traceback(error))).rstrip()
            await send({"type": f"{kind}.failed", "message": shown})
            return
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
