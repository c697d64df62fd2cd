"""Hooks as a pure ASGI middleware: the cheapest form that Starlette's documentation shows."""

from __future__ import annotations

import typing as t

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class LevelMiddleware:
    """Note a level before the request, and set a header after it."""

    def __init__(self, app: ASGIApp, level: str, header: str) -> None:
        self.app = app
        self.level = level
        self.header = header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        state: dict[str, t.Any] = scope.setdefault("state", {})
        state.setdefault("seen", []).append(self.level)

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[self.header] = "1"
            await send(message)

        await self.app(scope, receive, send_with_header)
