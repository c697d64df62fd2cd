"""How a WebSocket ends, with a server that is written out here: the order of events is what these tests are about."""

from __future__ import annotations

import asyncio
import logging
import typing as t

import pytest

from erlen import Erlen, WebSocketDisconnected, websocket
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
        self._accepted = asyncio.Event()
        self._may_close = asyncio.Event()
        self._may_close.set()
        self._closes_beside_receive = closes_beside_receive

    async def receive(self) -> Message:
        if self.events:
            event = self.events.pop(0)
            if event["type"] != "websocket.connect":
                # A client says nothing before it is accepted.
                await self._accepted.wait()
            return event
        self._may_close.clear()
        try:
            return await asyncio.Future()
        finally:
            self._may_close.set()

    async def send(self, message: Message) -> None:
        if message["type"] != "websocket.accept":
            # Meanwhile, the application may ask for what comes.
            await asyncio.sleep(0)
        if message["type"] == "websocket.close" and not self._closes_beside_receive:
            await self._may_close.wait()
        self.sent.append(message)
        if message["type"] == "websocket.accept":
            self._accepted.set()

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


@pytest.mark.parametrize("closes_beside_receive", [True, False])
@pytest.mark.parametrize("ending", ["close", "return"])
def test_a_close_gets_through_while_the_client_is_listened_to(
    app: Erlen, ending: str, closes_beside_receive: bool
) -> None:
    @app.websocket("/")
    async def end() -> None:
        await websocket.send("Bye")
        if ending == "close":
            await websocket.close(4001, "done")

    sent = asyncio.run(Server(app, closes_beside_receive=closes_beside_receive).serve())
    code, reason = (4001, "done") if ending == "close" else (1000, "")
    assert sent[2:] == [{"type": "websocket.close", "code": code, "reason": reason}]


def test_a_task_that_waits_for_a_message_ends_when_another_one_closes(app: Erlen) -> None:
    ends: list[object] = []

    @app.websocket("/")
    async def talk() -> None:
        has_begun = asyncio.Event()

        async def listen() -> None:
            async for message in websocket:
                ends.append(message)
                has_begun.set()
            ends.append("end")

        listening = asyncio.create_task(listen())
        await has_begun.wait()
        await websocket.close(4001)
        await listening

    sent = asyncio.run(Server(app, said("one")).serve())
    assert ends == ["one", "end"]
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]


def test_receiving_after_ones_own_close_is_a_mistake(app: Erlen) -> None:
    raised: list[str] = []

    @app.websocket("/")
    async def talk() -> None:
        await websocket.accept()
        await websocket.close()
        try:
            await websocket.receive()
        except RuntimeError as error:
            raised.append(str(error))

    asyncio.run(Server(app).serve())
    assert len(raised) == 1 and "closed by its handler, with the code 1000" in raised[0]


def test_a_message_that_is_too_large_ends_the_handler_as_a_client_that_goes(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["WEBSOCKET_MAX_MESSAGE_SIZE"] = 3

    @app.websocket("/")
    async def listen() -> None:
        await websocket.receive()

    sent = asyncio.run(Server(app, said("four")).serve())
    assert sent[1:] == [{"type": "websocket.close", "code": 1009, "reason": "at most 3 bytes"}]
    assert caplog.messages == []


def test_a_close_that_a_server_cannot_send_is_given_up(app: Erlen) -> None:
    app.config["WEBSOCKET_CLOSE_TIMEOUT"] = 0.01

    class Stuck(Server):
        async def send(self, message: Message) -> None:
            await (asyncio.Future[None]() if message["type"] == "websocket.close" else super().send(message))

    @app.websocket("/")
    async def end() -> None:
        await websocket.accept()
        await websocket.close()

    assert [message["type"] for message in asyncio.run(Stuck(app).serve())] == ["websocket.accept"]


GONE = "unable to perform operation on <TCPTransport closed=True>; the handler is closed"


def gone_while(app: Erlen, kind: str, *events: Message, is_gone: bool) -> None:
    """Serve a WebSocket whose server raises something of its own where one kind of event is sent."""

    class Raising(Server):
        def __init__(self) -> None:
            super().__init__(app, *events)
            self.hears = asyncio.Event()

        async def receive(self) -> Message:
            if self.events:
                return await super().receive()
            await self.hears.wait()
            return {"type": "websocket.disconnect", "code": 1006}

        async def send(self, message: Message) -> None:
            if message["type"] == kind:
                if is_gone:
                    asyncio.get_running_loop().call_soon(self.hears.set)
                raise RuntimeError(GONE)
            await super().send(message)

    asyncio.run(Raising().serve())


def test_an_error_of_a_server_whose_client_has_gone_is_a_disconnection(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    @app.websocket("/")
    async def index() -> None:
        with pytest.raises(WebSocketDisconnected, match="1006") as caught:
            await websocket.send(await websocket.receive())
        raised.append(caught.value.__cause__)
        raise caught.value

    raised: list[BaseException | None] = []
    gone_while(app, "websocket.send", said("a"), is_gone=True)
    assert [str(error) for error in raised] == [GONE]
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["websocket.accept", "websocket.send"])
def test_an_error_of_a_server_whose_client_has_gone_ends_a_handler_that_only_sends(
    app: Erlen, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    log: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        try:
            await websocket.send("a")
        finally:
            log.append("ended")

    gone_while(app, kind, is_gone=True)
    assert log == ["ended"]
    assert caplog.records == []


def test_an_error_of_a_server_whose_client_is_there_is_raised(app: Erlen) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.receive()
        await websocket.send("a")

    with pytest.raises(RuntimeError, match="unable to perform operation"):
        gone_while(app, "websocket.send", said("a"), is_gone=False)


def test_a_close_that_a_server_refuses_is_no_error_of_the_handler(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    log: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await websocket.close()
        log.append("closed")

    gone_while(app, "websocket.close", is_gone=False)
    assert log == ["closed"]
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []
