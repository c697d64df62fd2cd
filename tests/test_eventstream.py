"""Server-sent events and lines of JSON: what is sent, and how a stream ends."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import subprocess
import sys
import threading
import time
import typing as t
import weakref
from contextlib import AsyncExitStack
from contextvars import ContextVar, copy_context
from dataclasses import FrozenInstanceError

import pytest

from asgi_peer import LIMIT, Peer, begun, get, run
from erlen import (
    Erlen,
    EventStream,
    JSONLines,
    Response,
    ServerSentEvent,
    g,
    has_request_context,
    request,
    stream_with_context,
)
from erlen.json.provider import DefaultJSONProvider
from erlen.streams import PLAIN_STREAMS
from erlen.testing import ErlenClient
from waiting import until

FIRST = b":\n\n"

language: ContextVar[str] = ContextVar("language", default="none")


@pytest.fixture
def told(app: Erlen) -> list[t.Any]:
    """Return the list that both teardowns of ``app`` fill."""
    told: list[t.Any] = []
    app.teardown_request(lambda exc: told.append(("request", exc)))
    app.teardown_appcontext(lambda exc: told.append(("appcontext", exc)))
    return told


ONCE = [("request", None), ("appcontext", None)]

KINDS = pytest.mark.parametrize("kind", ["plain", "async"])


async def as_async(iterable: t.Iterable[t.Any]) -> t.AsyncIterator[t.Any]:
    for item in iterable:
        yield item


def of_kind(kind: str, iterable: t.Iterable[t.Any]) -> t.Any:
    """Return a plain generator, or an async one of the same items."""
    return (item for item in iterable) if kind == "plain" else as_async(iterable)


def pieces_of(client: ErlenClient, path: str = "/", **options: t.Any) -> tuple[t.Any, t.Iterator[bytes]]:
    """Return a response, and what it sends, piece by piece as it comes."""
    response = client.get(path, **options)
    return response, iter(response.iter_encoded())


def wait_for(condition: t.Callable[[], bool]) -> None:
    """Wait for what other threads do."""
    deadline = time.monotonic() + LIMIT / 2
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


# One event


@pytest.mark.parametrize(
    ("event", "sent"),
    [
        (ServerSentEvent("text"), b"data: text\n\n"),
        (ServerSentEvent(""), b"data: \n\n"),
        (ServerSentEvent(" text"), b"data:  text\n\n"),
        (ServerSentEvent("größe 🦉"), "data: größe 🦉\n\n".encode()),
        (ServerSentEvent("a\nb"), b"data: a\ndata: b\n\n"),
        (ServerSentEvent("a\rb"), b"data: a\ndata: b\n\n"),
        (ServerSentEvent("a\r\nb"), b"data: a\ndata: b\n\n"),
        (ServerSentEvent("a\n\rb\r\r\nc"), b"data: a\ndata: \ndata: b\ndata: \ndata: c\n\n"),
        (ServerSentEvent("a\n"), b"data: a\ndata: \n\n"),
        (ServerSentEvent("\n"), b"data: \ndata: \n\n"),
        # What Python takes for line breaks and the format does not.
        (ServerSentEvent("a\x0bb\x0c\x85\u2028"), "data: a\x0bb\x0c\x85\u2028\n\n".encode()),
        # Text that looks like a field stays text.
        (ServerSentEvent("x\nevent: forged\n\ndata: y"), b"data: x\ndata: event: forged\ndata: \ndata: data: y\n\n"),
        (ServerSentEvent({"a": [1, None]}), b'data: {"a": [1, null]}\n\n'),
        (ServerSentEvent(0), b"data: 0\n\n"),
        (ServerSentEvent(False), b"data: false\n\n"),
        (ServerSentEvent([]), b"data: []\n\n"),
        (ServerSentEvent("a", event="tick"), b"event: tick\ndata: a\n\n"),
        (ServerSentEvent("a", id="7"), b"id: 7\ndata: a\n\n"),
        # An empty id takes the last one back (WHATWG HTML, section 9.2.6).
        (ServerSentEvent("a", id=""), b"id: \ndata: a\n\n"),
        (ServerSentEvent(retry=3000), b"retry: 3000\n\n"),
        (ServerSentEvent(retry=0), b"retry: 0\n\n"),
        (ServerSentEvent(comment="hello"), b": hello\n\n"),
        (ServerSentEvent(comment=""), b": \n\n"),
        (ServerSentEvent(comment="a\r\nb\rc\nd"), b": a\n: b\n: c\n: d\n\n"),
        (
            ServerSentEvent("a", "tick", "7", 10, "why"),
            b": why\nevent: tick\nid: 7\nretry: 10\ndata: a\n\n",
        ),
    ],
)  # fmt: skip
def test_event_as_it_is_sent(event: ServerSentEvent, sent: bytes) -> None:
    assert event.encode() == sent


@pytest.mark.parametrize("name", ["event", "id"])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\r\nb", "a\n", "\n", "a\0b"])
def test_name_with_a_line_break_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError) as caught:
        ServerSentEvent("data", **t.cast(t.Any, {name: value}))
    assert str(caught.value) == (
        f"The {name!r} of a server-sent event is {value!r}, and would end in the middle: it is one line. Put text with "
        f"line breaks in 'data'."
    )


@pytest.mark.parametrize("name", ["event", "id", "comment"])
def test_name_that_is_no_text_is_refused(name: str) -> None:
    with pytest.raises(TypeError) as caught:
        ServerSentEvent("data", **t.cast(t.Any, {name: 7}))
    assert str(caught.value) == f"The {name!r} of a server-sent event is text, not 7: write {name}=str(...)."


@pytest.mark.parametrize("retry", ["x", "7", 1.5, True])
@pytest.mark.parametrize("make", [ServerSentEvent, EventStream])
def test_retry_that_is_no_number_is_refused(make: t.Any, retry: t.Any) -> None:
    with pytest.raises(TypeError) as caught:
        make(retry=retry)
    assert str(caught.value) == (
        f"The 'retry' of a server-sent event is a number of milliseconds, not {retry!r}: write retry=3000 for three seconds."
    )


def test_retry_below_0_is_refused() -> None:
    with pytest.raises(ValueError) as caught:
        ServerSentEvent(retry=-5)
    assert str(caught.value) == (
        "The 'retry' of a server-sent event is -5, and no time is shorter than 0: write the milliseconds after which the "
        "browser connects again, as in retry=3000."
    )


@pytest.mark.parametrize("name", ["data", "event", "id", "comment"])
def test_half_of_a_surrogate_pair_is_refused_where_the_event_is_made(name: str) -> None:
    with pytest.raises(ValueError) as caught:
        ServerSentEvent(**t.cast(t.Any, {name: "0123456789abc\ud800\xe4"}))
    assert str(caught.value) == (
        f"The {name!r} of a server-sent event has '3456789abc\\ud800\xe4' in it, and so cannot be sent: half of a surrogate pair "
        f'has no UTF-8 form. JSON of a client may bring it along. Replace it with \'text.encode("utf-8", '
        f'"replace").decode()\', or refuse the text.'
    )


def test_half_of_a_surrogate_pair_in_what_writes_json_is_explained() -> None:
    event = ServerSentEvent(["\ud800"])
    with pytest.raises(
        ValueError, match="The JSON of a server-sent event has '.*' in it, and so cannot be sent"
    ):
        event.encode(lambda value: str(value[0]))
    assert event.encode() == b'data: ["\\ud800"]\n\n'


def test_event_cannot_be_changed() -> None:
    event = ServerSentEvent("a")
    with pytest.raises(FrozenInstanceError):
        event.data = "b"  # type: ignore[misc]


def test_json_is_written_by_what_is_passed() -> None:
    assert ServerSentEvent([1]).encode(lambda value: f"<{value}>\n") == b"data: <[1]>\ndata: \n\n"


# The response


def test_response_has_the_headers_of_a_stream(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: EventStream(["a"]))
    response = client.get("/")
    assert response.status_code == 200
    assert response.content_type == "text/event-stream; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Length" not in response.headers
    assert response.data == FIRST + b"data: a\n\n"


def test_headers_and_status_may_be_given(app: Erlen, client: ErlenClient) -> None:
    headers = {"Cache-Control": "no-store", "X-Mine": "yes"}
    app.add_url_rule("/", "index", lambda: EventStream(["a"], 203, headers))
    response = client.get("/")
    assert response.status_code == 203
    assert response.headers.getlist("Cache-Control") == ["no-store"]
    assert response.headers["X-Mine"] == "yes"
    assert response.headers["X-Accel-Buffering"] == "no"
    response.close()


@pytest.mark.parametrize("method", ["hook", "tuple"])
def test_response_can_be_changed_like_any_other(app: Erlen, client: ErlenClient, method: str) -> None:
    @app.get("/")
    def index() -> t.Any:
        stream = EventStream(["a"])
        return (stream, 202, {"X-Mine": "yes"}) if method == "tuple" else stream

    @app.after_request
    def after(response: Response) -> Response:
        if method == "hook":
            response.status_code = 202
            response.headers["X-Mine"] = "yes"
        return response

    response = client.get("/")
    assert (response.status_code, response.headers["X-Mine"]) == (202, "yes")
    assert response.data == FIRST + b"data: a\n\n"


@KINDS
def test_every_kind_of_item_is_sent(app: Erlen, client: ErlenClient, kind: str) -> None:
    items = [
        "text",
        {"a": 1},
        ServerSentEvent("named", event="name"),
        7,
        None,
        "a\nb",
        ServerSentEvent(comment="c"),
    ]
    app.add_url_rule("/", "index", lambda: EventStream(of_kind(kind, items)))
    assert client.get("/").data == (
        FIRST
        + b'data: text\n\ndata: {"a":1}\n\nevent: name\ndata: named\n\ndata: 7\n\ndata: null\n\ndata: a\ndata: b\n\n: c\n\n'
    ).replace(b'{"a":1}', app.json.dumps({"a": 1}).encode())


@pytest.mark.parametrize("make", [list, tuple, iter, lambda items: map(str, items)])
def test_any_iterable_is_streamed(app: Erlen, client: ErlenClient, make: t.Any) -> None:
    app.add_url_rule("/", "index", lambda: EventStream(make(["a", "b"])))
    assert client.get("/").data == FIRST + b"data: a\n\ndata: b\n\n"


def test_async_iterator_need_not_be_a_generator(app: Erlen, client: ErlenClient) -> None:
    class Countdown:
        left = 2

        def __aiter__(self) -> t.Self:
            return self

        async def __anext__(self) -> int:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return self.left

    app.add_url_rule("/", "index", lambda: EventStream(Countdown()))
    assert client.get("/").data == FIRST + b"data: 1\n\ndata: 0\n\n"


def test_stream_may_be_empty(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: EventStream())
    assert client.get("/").data == FIRST


def test_json_goes_through_the_provider_of_the_application(app: Erlen, client: ErlenClient) -> None:
    class Provider(DefaultJSONProvider):
        def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
            return f"{super().dumps(obj, **kwargs)}\n  of the application"

    app.json = Provider(app)
    app.add_url_rule("/", "index", lambda: EventStream([[1]]))
    app.add_url_rule("/lines", "lines", lambda: JSONLines([[1]]))
    assert client.get("/").data == FIRST + b"data: [1]\ndata:   of the application\n\n"
    assert client.get("/lines").data == b"[1]   of the application\n"


def test_json_outside_of_a_context_is_the_standard_one() -> None:
    stream = EventStream([{"a": 1}])
    assert b"".join(stream.iter_encoded()) == FIRST + b'data: {"a": 1}\n\n'
    stream.close()
    assert b"".join(JSONLines([{"a": 1}]).iter_encoded()) == b'{"a": 1}\n'


@KINDS
def test_something_is_sent_before_the_first_event(app: Erlen, client: ErlenClient, kind: str) -> None:
    """``onopen`` of the page is called when the first bytes come."""
    begun: list[str] = []

    def events() -> t.Iterator[str]:
        begun.append("begun")
        yield "a"

    app.add_url_rule("/", "index", lambda: EventStream(of_kind(kind, events())))
    response, pieces = pieces_of(client)
    assert next(pieces) == FIRST
    assert next(pieces) == b"data: a\n\n"
    assert begun == ["begun"]
    response.close()


def test_retry_is_the_first_that_is_sent(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: EventStream(["a"], retry=3000))
    assert client.get("/").data == b"retry: 3000\n\ndata: a\n\n"


@KINDS
def test_comments_are_sent_while_there_are_no_events(app: Erlen, client: ErlenClient, kind: str) -> None:
    may_go_on = threading.Event()

    def events() -> t.Iterator[str]:
        yield "a"
        assert may_go_on.wait(LIMIT)
        yield "b"

    async def aevents() -> t.AsyncIterator[str]:
        yield "a"
        assert await asyncio.to_thread(may_go_on.wait, LIMIT)
        yield "b"

    app.add_url_rule(
        "/", "index", lambda: EventStream(events() if kind == "plain" else aevents(), keep_alive=0.01)
    )
    response, pieces = pieces_of(client)
    assert next(pieces) == FIRST
    assert next(pieces) == b"data: a\n\n"
    # Whatever the machine is busy with: these come because nothing else can.
    assert [next(pieces) for _ in range(3)] == [b": keep-alive\n\n"] * 3
    may_go_on.set()
    rest = [piece for piece in pieces if piece != b": keep-alive\n\n"]
    assert rest == [b"data: b\n\n"]
    response.close()


@KINDS
def test_comments_can_be_left_out(app: Erlen, client: ErlenClient, kind: str) -> None:
    def events() -> t.Iterator[str]:
        time.sleep(0.05)
        yield "a"

    app.add_url_rule("/", "index", lambda: EventStream(of_kind(kind, events()), keep_alive=None))
    assert client.get("/").data == FIRST + b"data: a\n\n"


def test_id_of_the_last_event_is_an_attribute_of_the_request(app: Erlen, client: ErlenClient) -> None:
    @app.get("/")
    def index() -> t.Any:
        number = int(request.last_event_id or 0) + 1
        return EventStream([ServerSentEvent("a", id=str(number))])

    assert client.get("/").data == FIRST + b"id: 1\ndata: a\n\n"
    assert client.get("/", headers={"Last-Event-ID": "41"}).data == FIRST + b"id: 42\ndata: a\n\n"


@pytest.mark.parametrize(
    ("sent", "id"), [("größe 🦉".encode(), "größe 🦉"), (b"caf\xe9", "caf\ufffd"), (b"7", "7")]
)
def test_id_of_the_last_event_is_utf_8(app: Erlen, client: ErlenClient, sent: bytes, id: str) -> None:
    app.add_url_rule("/", "index", lambda: {"id": request.last_event_id})
    response = client.get("/", headers={"Last-Event-ID": sent.decode("latin1")})
    assert response.get_json() == {"id": id}


@KINDS
@pytest.mark.parametrize("view_kind", ["plain", "async"])
def test_view_may_be_of_the_other_kind(app: Erlen, client: ErlenClient, kind: str, view_kind: str) -> None:
    def make() -> EventStream:
        return EventStream(of_kind(kind, ["a", "b"]))

    async def amake() -> EventStream:
        return make()

    app.add_url_rule("/", "index", make if view_kind == "plain" else amake)
    assert client.get("/").data == FIRST + b"data: a\n\ndata: b\n\n"


@KINDS
def test_variables_that_the_generator_sets_last(app: Erlen, client: ErlenClient, kind: str) -> None:
    def events() -> t.Iterator[str]:
        yield language.get()
        language.set("of the generator")
        yield language.get()
        yield language.get()

    async def aevents() -> t.AsyncIterator[str]:
        for event in events():
            await asyncio.sleep(0)
            yield event

    @app.get("/")
    def index() -> t.Any:
        language.set("of the view")
        return EventStream(events() if kind == "plain" else aevents())

    expected = ["of the view", "of the generator", "of the generator"]
    # Under WSGI a view shares the variables of its caller.
    sent = copy_context().run(lambda: client.get("/").data)
    assert sent == FIRST + b"".join(f"data: {one}\n\n".encode() for one in expected)


@KINDS
def test_generator_runs_outside_of_the_context(
    app: Erlen, client: ErlenClient, kind: str, told: list[t.Any]
) -> None:
    """As that of any other response: the context has been torn down by then."""

    def events() -> t.Iterator[str]:
        yield f"{has_request_context()} {len(told)}"

    async def aevents() -> t.AsyncIterator[str]:
        for event in events():
            yield event

    app.add_url_rule("/", "index", lambda: EventStream(events() if kind == "plain" else aevents()))
    assert client.get("/").data == FIRST + b"data: False 2\n\n"


def test_response_class_of_the_application_is_used(app: Erlen, client: ErlenClient) -> None:
    class Mine(Response):
        default_mimetype = "text/plain"

        @property
        def is_mine(self) -> bool:
            return True

    app.response_class = Mine
    app.add_url_rule("/", "index", lambda: EventStream(as_async(["a"])))
    app.add_url_rule("/lines", "lines", lambda: JSONLines(as_async([1])))

    @app.after_request
    def after(response: t.Any) -> t.Any:
        response.headers["X-Mine"] = str(response.is_mine)
        return response

    response = client.get("/")
    assert response.headers["X-Mine"] == "True"
    assert response.mimetype == "text/event-stream"
    assert response.data == FIRST + b"data: a\n\n"
    assert client.get("/lines").data == b"1\n"


def test_stream_may_be_subclassed(app: Erlen, client: ErlenClient) -> None:
    class Ticks(EventStream):
        def __init__(self, events: t.Any) -> None:
            super().__init__(events, headers={"X-Ticks": "yes"}, retry=5)

    app.add_url_rule("/", "index", lambda: Ticks(["a"]))
    response = client.get("/")
    assert response.headers["X-Ticks"] == "yes"
    assert response.data == b"retry: 5\n\ndata: a\n\n"


# The context that a stream keeps


@KINDS
def test_context_lasts_as_long_as_the_stream(
    app: Erlen, client: ErlenClient, told: list[t.Any], kind: str
) -> None:
    def events() -> t.Iterator[str]:
        for number in range(3):
            yield f"{request.path} {g.name} {number} {len(told)}"

    @app.get("/")
    def index() -> t.Any:
        g.name = "g"
        source: t.Any = events() if kind == "plain" else as_async(events())
        return EventStream(stream_with_context(source))

    response, pieces = pieces_of(client)
    assert next(pieces) == FIRST
    assert next(pieces) == b"data: / g 0 0\n\n"
    assert told == []
    assert list(pieces) == [b"data: / g 1 0\n\n", b"data: / g 2 0\n\n"]
    response.close()
    assert told == ONCE


@KINDS
def test_context_ends_when_the_client_leaves(
    app: Erlen, client: ErlenClient, told: list[t.Any], kind: str
) -> None:
    closed: list[str] = []

    def events() -> t.Iterator[str]:
        try:
            for number in range(1000):
                yield str(number)
        finally:
            closed.append(f"closed {request.path} {len(told)}")

    async def aevents() -> t.AsyncIterator[str]:
        try:
            for number in range(1000):
                yield str(number)
        finally:
            closed.append(f"closed {request.path} {len(told)}")

    @app.get("/")
    def index() -> t.Any:
        source: t.Any = events() if kind == "plain" else aevents()
        return EventStream(stream_with_context(source))

    response, pieces = pieces_of(client)
    assert [next(pieces) for _ in range(3)] == [FIRST, b"data: 0\n\n", b"data: 1\n\n"]
    response.close()
    wait_for(lambda: len(told) == 2)
    assert closed == ["closed / 0"]
    assert told == ONCE


@KINDS
@pytest.mark.parametrize("keeps", [False, True])
def test_head_begins_no_generator(
    app: Erlen, client: ErlenClient, told: list[t.Any], kind: str, keeps: bool
) -> None:
    begun: list[str] = []
    kept: list[t.Any] = []

    def events() -> t.Iterator[str]:
        begun.append("begun")
        yield "a"

    async def aevents() -> t.AsyncIterator[str]:
        for event in events():
            yield event

    def index(response_class: t.Any) -> t.Any:
        source: t.Any = events() if kind == "plain" else aevents()
        response = response_class(stream_with_context(source) if keeps else source)
        # Nothing here may depend on the garbage collector.
        kept.append(response)
        return response

    app.add_url_rule("/events", "events", lambda: index(EventStream))
    app.add_url_rule("/lines", "lines", lambda: index(JSONLines))
    for number, path in enumerate(["/events", "/lines"], 1):
        response = client.head(path)
        assert (response.status_code, response.data) == (200, b"")
        response.close()
        assert told == ONCE * number
    assert begun == []


@KINDS
@pytest.mark.parametrize("response_class", [EventStream, JSONLines])
@pytest.mark.protocol("wsgi")
def test_stream_of_a_client_that_never_reads_is_closed(
    app: Erlen, told: list[t.Any], kind: str, response_class: t.Any
) -> None:
    begun: list[str] = []

    def events() -> t.Iterator[str]:
        begun.append("begun")
        yield "a"

    async def aevents() -> t.AsyncIterator[str]:
        for event in events():
            yield event

    @app.get("/")
    def index() -> t.Any:
        source: t.Any = events() if kind == "plain" else aevents()
        return response_class(stream_with_context(source))

    with app.test_request_context() as context:
        environ = {key: value for key, value in context.request.environ.items() if key != "werkzeug.request"}
    told.clear()
    body: t.Any = app.wsgi_app(environ, lambda *args: t.cast(t.Any, None))
    assert told == []
    body.close()
    assert told == ONCE
    body.close()
    assert (told, begun) == (ONCE, [])


@KINDS
@pytest.mark.parametrize("response_class", [EventStream, JSONLines])
def test_client_that_leaves_before_anything_is_sent(
    app: Erlen, told: list[t.Any], kind: str, response_class: t.Any
) -> None:
    def items() -> t.Iterator[str]:
        yield "a"

    @app.get("/")
    async def index() -> t.Any:
        source: t.Any = items() if kind == "plain" else as_async(items())
        return response_class(stream_with_context(source))

    async def main() -> None:
        async with Peer(app, get("/")) as peer:
            peer.takes.clear()
            await begun(peer.has_sent)
            peer.give({"type": "http.disconnect"})
        assert peer.rest() == []

    run(main())
    wait_for(lambda: len(told) == 2)
    assert [name for name, _ in told] == ["request", "appcontext"]


@KINDS
@pytest.mark.parametrize("response_class", [EventStream, JSONLines])
def test_response_that_another_takes_the_place_of_is_closed(
    app: Erlen, client: ErlenClient, told: list[t.Any], kind: str, response_class: t.Any
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    kept: list[t.Any] = []

    @app.get("/")
    def index() -> t.Any:
        source: t.Any = of_kind(kind, ["a"])
        response = response_class(stream_with_context(source))
        kept.append(response)
        return response

    @app.after_request
    def fails_once(response: Response) -> Response:
        if response.status_code == 200:
            raise ZeroDivisionError("planned")
        return response

    assert client.get("/").status_code == 500
    assert [name for name, _ in told] == ["request", "appcontext"]


# Clients that leave


def test_async_generator_is_cancelled_where_it_waits(
    app: Erlen, client: ErlenClient, told: list[t.Any]
) -> None:
    log: list[str] = []

    async def events() -> t.AsyncIterator[str]:
        yield "a"
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append(f"cancelled {request.path}")
            raise
        finally:
            await asyncio.sleep(0)
            log.append("cleaned up")

    @app.get("/")
    def index() -> t.Any:
        return EventStream(stream_with_context(events()), keep_alive=0.01)

    response, pieces = pieces_of(client)
    assert [next(pieces) for _ in range(3)] == [FIRST, b"data: a\n\n", b": keep-alive\n\n"]
    response.close()
    assert log == ["cancelled /", "cleaned up"]
    assert [name for name, _ in told] == ["request", "appcontext"]


def test_async_generator_between_two_events_is_closed(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    async def events() -> t.AsyncIterator[str]:
        try:
            while True:
                yield "a"
        except GeneratorExit:
            log.append("closed")
            raise

    app.add_url_rule("/", "index", lambda: EventStream(events()))
    response, pieces = pieces_of(client)
    assert [next(pieces) for _ in range(2)] == [FIRST, b"data: a\n\n"]
    response.close()
    assert log == ["closed"]


@pytest.mark.parametrize("how", ["swallows", "yields", "raises"])
def test_async_generator_that_does_not_mind_its_cancellation(
    app: Erlen, client: ErlenClient, told: list[t.Any], how: str
) -> None:
    log: list[str] = []

    async def events() -> t.AsyncIterator[str]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
        if how == "raises":
            raise ZeroDivisionError("planned")
        if how == "yields":
            yield "nobody gets this"
        log.append("went on")

    @app.get("/")
    def index() -> t.Any:
        return EventStream(stream_with_context(events()), keep_alive=0.01)

    response, pieces = pieces_of(client)
    assert [next(pieces) for _ in range(2)] == [FIRST, b": keep-alive\n\n"]
    response.close()
    assert log == ["cancelled", *(["went on"] if how == "swallows" else [])]
    assert [name for name, _ in told] == ["request", "appcontext"]


def test_plain_generator_that_is_busy_is_closed_afterwards(
    app: Erlen, client: ErlenClient, told: list[t.Any]
) -> None:
    is_busy, may_go_on = threading.Event(), threading.Event()
    log: list[str] = []

    def events() -> t.Iterator[str]:
        try:
            yield "a"
            is_busy.set()
            assert may_go_on.wait(LIMIT)
            log.append(f"went on {request.path}")
            yield "b"
            log.append("never")
        finally:
            log.append(f"closed {request.path} {len(told)}")

    @app.get("/")
    def index() -> t.Any:
        return EventStream(stream_with_context(events()), keep_alive=0.01)

    response, pieces = pieces_of(client)
    assert [next(pieces) for _ in range(3)] == [FIRST, b"data: a\n\n", b": keep-alive\n\n"]
    assert is_busy.wait(LIMIT)
    # The client goes, and nobody waits for the generator.
    response.close()
    assert log == []
    assert told == []
    may_go_on.set()
    wait_for(lambda: len(told) == 2)
    assert log == ["went on /", "closed / 0"]
    assert told == ONCE


def test_plain_generator_that_is_idle_is_closed_at_once(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    def events() -> t.Iterator[str]:
        try:
            while True:
                yield "a"
        finally:
            log.append("closed")

    app.add_url_rule("/", "index", lambda: EventStream(events()))
    response, pieces = pieces_of(client)
    assert [next(pieces) for _ in range(2)] == [FIRST, b"data: a\n\n"]
    response.close()
    wait_for(lambda: bool(log))
    assert log == ["closed"]


@KINDS
def test_client_that_leaves_while_an_event_is_sent(app: Erlen, told: list[t.Any], kind: str) -> None:
    log: list[str] = []

    def events() -> t.Iterator[str]:
        try:
            while True:
                yield "a"
        finally:
            log.append("closed")

    async def aevents() -> t.AsyncIterator[str]:
        try:
            while True:
                yield "a"
        finally:
            log.append("closed")

    @app.get("/")
    async def index() -> t.Any:
        source: t.Any = events() if kind == "plain" else aevents()
        return EventStream(stream_with_context(source))

    async def main() -> None:
        async with Peer(app, get("/")) as peer:
            await peer.take("http.response.start")
            await peer.take("http.response.body")
            await peer.take("http.response.body")
            peer.takes.clear()
            peer.has_sent.clear()
            await begun(peer.has_sent)
            peer.give({"type": "http.disconnect"})

    run(main())
    wait_for(lambda: len(told) == 2)
    assert log == ["closed"]


@KINDS
def test_server_that_refuses_to_send_ends_the_stream(app: Erlen, told: list[t.Any], kind: str) -> None:
    log: list[str] = []

    def events() -> t.Iterator[str]:
        try:
            while True:
                yield "a"
        finally:
            log.append("closed")

    async def aevents() -> t.AsyncIterator[str]:
        try:
            while True:
                await asyncio.sleep(0)
                yield "a"
        finally:
            log.append("closed")

    @app.get("/")
    async def index() -> t.Any:
        source: t.Any = events() if kind == "plain" else aevents()
        return EventStream(stream_with_context(source))

    async def main() -> None:
        with contextlib.suppress(BrokenPipeError):
            async with Peer(app, get("/")) as peer:
                await peer.take("http.response.start")
                await peer.take("http.response.body")
                peer.refusal = BrokenPipeError()

    run(main())
    wait_for(lambda: len(told) == 2)
    assert log == ["closed"]


def test_nothing_of_a_stream_is_kept(app: Erlen, client: ErlenClient) -> None:
    class Thing:
        pass

    things: list[weakref.ref[Thing]] = []

    def events(thing: Thing) -> t.Iterator[str]:
        kept = [thing]
        while kept:
            yield "a"

    async def aevents(thing: Thing) -> t.AsyncIterator[str]:
        kept = [thing]
        while kept:
            yield "a"

    @app.get("/<kind>")
    def index(kind: str) -> t.Any:
        g.thing = thing = Thing()
        things.append(weakref.ref(thing))
        source: t.Any = events(thing) if kind == "plain" else aevents(thing)
        return EventStream(stream_with_context(source))

    for kind in ("plain", "async"):
        response, pieces = pieces_of(client, f"/{kind}")
        assert [next(pieces) for _ in range(2)] == [FIRST, b"data: a\n\n"]
        response.close()
        del response, pieces

    def are_gone() -> bool:
        gc.collect()
        return [thing() for thing in things] == [None, None]

    wait_for(are_gone)


def test_streams_leave_no_thread_that_keeps_a_loop(app: Erlen, client: ErlenClient) -> None:
    async def events() -> t.AsyncIterator[str]:
        yield "a"
        await asyncio.Event().wait()

    app.add_url_rule("/", "index", lambda: EventStream(events(), keep_alive=0.01))
    for _ in range(5):
        response, pieces = pieces_of(client)
        assert [next(pieces) for _ in range(3)] == [FIRST, b"data: a\n\n", b": keep-alive\n\n"]
        response.close()
    wait_for(lambda: "erlen-keeper" not in {thread.name for thread in threading.enumerate()})


def test_many_clients_wait_without_a_thread_each(app: Erlen) -> None:
    """Far more than there are worker threads."""
    entered: list[int] = []
    all_entered = asyncio.Event()

    async def events() -> t.AsyncIterator[str]:
        entered.append(1)
        if len(entered) == 200:
            all_entered.set()
        await all_entered.wait()
        yield "a"

    @app.get("/")
    async def index() -> t.Any:
        return EventStream(events())

    async def one() -> bytes:
        async with Peer(app, get("/")) as peer:
            await peer.over()
        return b"".join(message.get("body", b"") for message in peer.rest())

    async def main() -> list[bytes]:
        return await asyncio.gather(*(one() for _ in range(200)))

    assert run(main()) == [FIRST + b"data: a\n\n"] * 200


@pytest.mark.parametrize("begins", [True, False])
@pytest.mark.protocol("asgi")
def test_client_that_leaves_waits_for_no_other_plain_stream(
    app: Erlen, told: list[t.Any], begins: bool
) -> None:
    """All threads of plain streams are busy: one more client gets comments, and can go."""
    may_go_on = threading.Event()
    busy: list[int] = []

    def events() -> t.Iterator[str]:
        busy.append(1)
        assert may_go_on.wait(LIMIT)
        yield "a"

    @app.get("/")
    async def index() -> t.Any:
        return EventStream(stream_with_context(events()), keep_alive=0.01)

    async def main() -> None:
        async with AsyncExitStack() as stack:
            peers = [await stack.enter_async_context(Peer(app, get("/"))) for _ in range(PLAIN_STREAMS)]
            await until(lambda: len(busy) == PLAIN_STREAMS)
            async with Peer(app, get("/")) as peer:
                if begins:
                    await peer.take("http.response.start")
                    await peer.take("http.response.body")
                    assert (await peer.take("http.response.body"))["body"] == b": keep-alive\n\n"
                else:
                    peer.takes.clear()
                    await begun(peer.has_sent)
                peer.give({"type": "http.disconnect"})
                # This is what must not wait.
                await peer.over()
            may_go_on.set()
            for peer in peers:
                peer.give({"type": "http.disconnect"})

    try:
        run(main())
    finally:
        may_go_on.set()
    wait_for(lambda: len(told) == 2 * (PLAIN_STREAMS + 1))


# Errors


@KINDS
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("response_class", [EventStream, JSONLines])
def test_error_of_the_generator_reaches_the_server(
    app: Erlen, client: ErlenClient, told: list[t.Any], kind: str, before: int, response_class: t.Any
) -> None:
    """The response has begun: all that is left is to break it off."""
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def events() -> t.Iterator[str]:
        yield from ["a"] * before
        raise ZeroDivisionError("planned")

    @app.get("/")
    def index() -> t.Any:
        return response_class(stream_with_context(of_kind(kind, events())))

    with pytest.raises(ZeroDivisionError, match="planned"):
        # The client reads up to the first piece by itself.
        pieces_of(client)[0].get_data()
    wait_for(lambda: len(told) == 2)
    assert [type(error) for _, error in told] == [ZeroDivisionError, ZeroDivisionError]


@KINDS
def test_event_that_cannot_be_written_reaches_the_server(
    app: Erlen, client: ErlenClient, told: list[t.Any], kind: str
) -> None:
    closed: list[str] = []

    def events() -> t.Iterator[t.Any]:
        try:
            yield "a"
            yield object()
            yield "b"
        finally:
            closed.append("closed")

    async def aevents() -> t.AsyncIterator[t.Any]:
        try:
            yield "a"
            yield object()
            yield "b"
        finally:
            closed.append("closed")

    @app.get("/")
    def index() -> t.Any:
        source: t.Any = events() if kind == "plain" else aevents()
        return EventStream(stream_with_context(source))

    response, pieces = pieces_of(client)
    assert [next(pieces) for _ in range(2)] == [FIRST, b"data: a\n\n"]
    with pytest.raises(TypeError, match="not JSON serializable"):
        next(pieces)
    response.close()
    wait_for(lambda: len(told) == 2)
    assert closed == ["closed"]


@pytest.mark.parametrize("value", [None, 7, object()])
@pytest.mark.parametrize("response_class", [EventStream, JSONLines])
def test_what_cannot_be_iterated_fails_in_the_view(
    app: Erlen, client: ErlenClient, value: t.Any, response_class: t.Any
) -> None:
    app.add_url_rule("/", "index", lambda: response_class(value))
    with pytest.raises(TypeError, match="is not iterable"):
        client.get("/")


@pytest.mark.parametrize(
    ("value", "shown", "one"),
    [("hello", "'hello'", "letter"), (b"hi", "b'hi'", "number"), ("x" * 31, f"'{'x' * 30}'...", "letter")],
)
@pytest.mark.parametrize("response_class", [EventStream, JSONLines])
def test_text_in_place_of_an_iterator_says_what_to_pass(
    value: str | bytes, shown: str, one: str, response_class: t.Any
) -> None:
    with pytest.raises(TypeError) as caught:
        response_class(value)
    name = response_class.__name__
    assert str(caught.value) == (
        f"{name} was given {shown}, and would send it {one} by {one}. Pass an iterator of what is to be sent, a list for a "
        f"single one: {name}([...])."
    )


@KINDS
@pytest.mark.parametrize("response_class", [EventStream, JSONLines])
def test_function_in_place_of_its_generator_says_what_to_pass(kind: str, response_class: t.Any) -> None:
    def events() -> t.Iterator[str]:
        yield "a"

    async def aevents() -> t.AsyncIterator[str]:
        yield "a"

    function = events if kind == "plain" else aevents
    with pytest.raises(TypeError) as caught:
        response_class(function)
    name = response_class.__name__
    assert str(caught.value) == (
        f"{name} was given {function!r}, which is not iterable, but can be called. Pass what it returns: "
        f"{name}({function.__name__}())."
    )


@KINDS
def test_the_next_stream_is_unharmed(app: Erlen, client: ErlenClient, kind: str) -> None:
    fails = [True]

    def events() -> t.Iterator[str]:
        yield "a"
        if fails.pop():
            raise ZeroDivisionError

    app.add_url_rule("/", "index", lambda: EventStream(of_kind(kind, events())))
    response, pieces = pieces_of(client)
    with pytest.raises(ZeroDivisionError):
        list(pieces)
    response.close()
    fails.append(False)
    assert client.get("/").data == FIRST + b"data: a\n\n"


# Lines of JSON


@KINDS
def test_values_are_sent_as_lines(app: Erlen, client: ErlenClient, kind: str) -> None:
    values: list[t.Any] = [{"a": "x\ny\r\u2028"}, [1, 2], "text", 7, None, True]
    app.add_url_rule("/", "index", lambda: JSONLines(of_kind(kind, values), 203, {"X-Mine": "yes"}))
    response = client.get("/")
    assert (response.status_code, response.headers["X-Mine"]) == (203, "yes")
    assert response.content_type == "application/x-ndjson"
    lines = response.data.split(b"\n")
    assert lines.pop() == b""
    assert [app.json.loads(line) for line in lines] == values


@KINDS
def test_value_is_one_line_in_debug_mode_as_well(app: Erlen, client: ErlenClient, kind: str) -> None:
    app.debug = True
    t.cast(DefaultJSONProvider, app.json).compact = False
    app.add_url_rule("/", "index", lambda: JSONLines(of_kind(kind, [{"a": [1, {"b": 2}]}, 3])))
    assert [app.json.loads(line) for line in client.get("/").data.splitlines()] == [{"a": [1, {"b": 2}]}, 3]


@KINDS
def test_lines_are_sent_as_they_come(app: Erlen, client: ErlenClient, told: list[t.Any], kind: str) -> None:
    log: list[str] = []

    def values() -> t.Iterator[int]:
        try:
            for number in range(1000):
                log.append(f"made {number} {request.path}")
                yield number
        finally:
            log.append("closed")

    async def avalues() -> t.AsyncIterator[int]:
        try:
            for number in range(1000):
                log.append(f"made {number} {request.path}")
                yield number
        finally:
            log.append("closed")

    @app.get("/")
    def index() -> t.Any:
        source: t.Any = values() if kind == "plain" else avalues()
        return JSONLines(stream_with_context(source))

    response, pieces = pieces_of(client)
    assert [next(pieces), next(pieces)] == [b"0\n", b"1\n"]
    response.close()
    wait_for(lambda: len(told) == 2)
    assert log[:2] == ["made 0 /", "made 1 /"]
    # Some may have been made ahead, but not all.
    assert len(log) < 500
    assert log[-1] == "closed"
    assert told == ONCE


def test_async_lines_are_cancelled_where_they_wait(
    app: Erlen, client: ErlenClient, told: list[t.Any]
) -> None:
    log: list[str] = []

    async def values() -> t.AsyncIterator[int]:
        yield 1
        try:
            await asyncio.Event().wait()
        finally:
            log.append(f"ended {request.path}")

    @app.get("/")
    async def index() -> t.Any:
        return JSONLines(stream_with_context(values()))

    async def main() -> None:
        async with Peer(app, get("/")) as peer:
            await peer.take("http.response.start")
            assert (await peer.take("http.response.body"))["body"] == b"1\n"
            peer.give({"type": "http.disconnect"})

    run(main())
    assert log == ["ended /"]
    assert [name for name, _ in told] == ["request", "appcontext"]


def test_rows_may_be_many(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: JSONLines({"row": number} for number in range(2000)))
    lines = client.get("/").data.splitlines()
    assert [app.json.loads(line)["row"] for line in lines] == list(range(2000))


# Processes


FORKS = """
import os, sys
from erlen import Erlen, EventStream

app = Erlen("app")
app.add_url_rule("/", "index", lambda: EventStream(str(number) for number in range(3)))

assert app.test_client().get("/").data.count(b"data:") == 3
child = os.fork()
if not child:
    print(app.test_client().get("/").data.count(b"data:"), flush=True)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print("parent", app.test_client().get("/").data.count(b"data:"))
"""


@pytest.mark.protocol("wsgi")
def test_plain_stream_in_a_forked_process() -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKS],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert (finished.stdout.split(), finished.returncode) == (["3", "parent", "3"], 0), finished.stderr
