"""How a WebSocket ends, with a server that is written out here: the order of events is what these tests are about."""

from __future__ import annotations

import asyncio
import logging
import typing as t

import pytest

from erlen import Erlen, websocket
from erlen.typing import Message


class Server:
    """One WebSocket of a server.

    :param app: the application.
    :param events: what the client does, after it has connected.
    :param closes_beside_receive: whether a close gets through while ``receive`` waits; with granian it does not.
    """

    def __init__(self, app: Erlen, *events: Message, closes_beside_receive: bool = True) -> None:
        self.app = app
        self.events: list[Message] = [{"type": "websocket.connect"}, *events]
        self.sent: list[Message] = []
        self._may_close = asyncio.Event()
        self._closes_beside_receive = closes_beside_receive

    async def receive(self) -> Message:
        if self.events:
            return self.events.pop(0)
        self._may_close.clear()
        try:
            return await asyncio.Future()
        finally:
            self._may_close.set()

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.close":
            await asyncio.sleep(0)
            if not self._closes_beside_receive:
                await self._may_close.wait()
        self.sent.append(message)

    async def serve(self) -> list[Message]:
        scope: t.Any = {"type": "websocket", "path": "/", "headers": [], "query_string": b"", "scheme": "ws"}
        async with asyncio.timeout(5):
            await self.app.asgi(scope, self.receive, self.send)
        return self.sent


def said(text: str) -> Message:
    return {"type": "websocket.receive", "text": text}


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006])
def test_a_handler_may_let_the_error_of_a_client_that_goes_pass(
    app: Erlen, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """Browsers end with 1001 and 1005, lost connections with 1006; the latter two are codes that nobody can send."""

    @app.websocket("/")
    async def listen() -> None:
        await websocket.receive()
        await websocket.receive()

    events = said("one"), {"type": "websocket.disconnect", "code": code}
    with caplog.at_level(logging.INFO):
        sent = asyncio.run(Server(app, *events).serve())
    assert [message["type"] for message in sent] == ["websocket.accept"]
    assert caplog.messages == []
