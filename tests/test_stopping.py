"""What keeps a connection open hears of the server's stop before the server waits for it."""

from __future__ import annotations

import asyncio
import signal
import typing as t

import pytest

from erlen import Erlen, EventStream, WebSocketDisconnected, websocket
from erlen.protocols.lifespan import serve_lifespan
from erlen.testing import WebSocketRejected
from waiting import until


async def never() -> None:
    await asyncio.Event().wait()


class Server:
    """The server's side of a life span."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[t.Any] = asyncio.Queue()
        self.sent: list[str] = []

    async def receive(self) -> t.Any:
        return await self.events.get()

    async def send(self, message: t.Any) -> None:
        self.sent.append(message["type"])

    async def run(self, app: Erlen, meanwhile: t.Callable[[], t.Awaitable[None]]) -> None:
        await self.events.put({"type": "lifespan.startup"})
        serving = asyncio.create_task(serve_lifespan(app, self.receive, self.send))
        await until(lambda: self.sent)
        await meanwhile()
        await self.events.put({"type": "lifespan.shutdown"})
        await serving


def test_a_signal_reaches_the_application_and_the_server(app: Erlen) -> None:
    happened: list[str] = []
    told = asyncio.Event()

    @app.when_stopping
    def stop() -> None:
        happened.append("application")
        told.set()

    async def signalled() -> None:
        signal.raise_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            await told.wait()

    before = signal.signal(signal.SIGTERM, lambda number, frame: happened.append("server"))
    try:
        asyncio.run(Server().run(app, signalled))
        assert happened == ["server", "application"] and app.is_stopping
        # The server's handler is back.
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert happened == ["server", "application", "server"]


def test_a_handler_that_was_set_meanwhile_stays(app: Erlen) -> None:
    def another(number: int, frame: t.Any) -> None:
        pass

    async def changed() -> None:
        signal.signal(signal.SIGTERM, another)

    before = signal.getsignal(signal.SIGTERM)
    try:
        asyncio.run(Server().run(app, changed))
        assert signal.getsignal(signal.SIGTERM) is another
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_server_without_signals_stops_with_the_life_span(app: Erlen) -> None:
    async def nothing() -> None:
        assert not app.is_stopping

    asyncio.run(Server().run(app, nothing))
    assert app.is_stopping


def test_what_a_callback_raises_is_logged_and_the_next_is_called(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[str] = []

    @app.when_stopping
    def fails() -> None:
        raise LookupError("in the way")

    app.when_stopping(lambda: called.append("next"))
    app.begin_to_stop()
    app.begin_to_stop()
    assert called == ["next"]
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [LookupError]


def test_an_application_that_starts_again_is_not_stopping(app: Erlen) -> None:
    with app.test_client():
        pass
    assert app.is_stopping
    with app.test_client():
        assert not app.is_stopping


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_a_stream_of_events_ends(app: Erlen, kind: str) -> None:
    log: list[str] = []

    @app.get("/async")
    async def waits() -> EventStream:
        async def events() -> t.AsyncIterator[str]:
            try:
                yield "first"
                await never()
            finally:
                log.append("closed")

        return EventStream(events())

    @app.get("/plain")
    def plain() -> EventStream:
        def events() -> t.Iterator[str]:
            try:
                while True:
                    yield "again"
            finally:
                log.append("closed")

        return EventStream(events())

    async def main() -> None:
        async with app.async_test_client() as client:
            answer = asyncio.create_task(client.get(f"/{kind}"))
            await until(lambda: app.stop_callbacks)
            app.begin_to_stop()
            async with asyncio.timeout(10):
                assert (await answer).status_code == 200
        assert app.stop_callbacks == {}

    asyncio.run(main())
    assert log == ["closed"]


def test_a_websocket_is_closed_and_its_handler_ends(app: Erlen) -> None:
    log: list[str] = []

    @app.websocket("/receives")
    async def receives() -> None:
        async for message in websocket:
            log.append(f"{message!r}")
        log.append("receives ended")

    @app.websocket("/waits")
    async def waits() -> None:
        await websocket.accept()
        try:
            await never()
        finally:
            log.append("waits ended")

    async def main() -> None:
        async with app.async_test_client() as client:
            for path in ("/receives", "/waits"):
                async with client.websocket(path) as socket:
                    app.is_stopping = False
                    app.begin_to_stop()
                    with pytest.raises(WebSocketDisconnected, match="1012 the server stops"):
                        await socket.receive()
        assert app.stop_callbacks == {}

    asyncio.run(main())
    assert log == ["receives ended", "waits ended"]


def test_a_websocket_that_is_not_accepted_yet_is_rejected(app: Erlen) -> None:
    @app.websocket("/")
    async def handler() -> None:
        app.begin_to_stop()
        await never()

    async def main() -> None:
        async with app.async_test_client() as client:
            with pytest.raises(WebSocketRejected) as caught:
                async with client.websocket("/"):
                    pass
            assert caught.value.response.status_code == 403

    asyncio.run(main())
