"""The application that real servers serve here.

A process of its own runs it, so tests learn through requests what has happened in it: views and hooks take notes under the
``key`` of their request (``/notes/<key>``), and wait at gates that tests open (``/gates/<key>``). What is wrong on purpose
says so, and stands below ``/on-purpose``: nothing else may be found in the log of a server.
"""

# Views are registered by their decorators; nothing else mentions them.
# pyright: reportUnusedFunction=false
from __future__ import annotations

import asyncio
import gc
import hashlib
import io
import os
import re
import threading
import time
import typing as t
from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import parse_qs

from werkzeug.middleware.proxy_fix import ProxyFix

from erlen import (
    Blueprint,
    Erlen,
    EventStream,
    JSONLines,
    ServerSentEvent,
    abort,
    g,
    has_app_context,
    nonblocking,
    redirect,
    request,
    send_file,
    session,
    stream_request_body,
    stream_with_context,
    url_for,
    websocket,
)
from erlen.ctx import context_var

#: Seconds after which what waits for a test gives up.
PATIENCE = 20.0

#: The limits, small enough to be crossed quickly.
MAX_BODY = 2 * 1024 * 1024
MAX_MESSAGE = 64 * 1024

#: A flood is this many pieces of this many bytes at first.
FLOOD_PIECES = 512
FLOOD_PIECE = 256 * 1024

Value = t.Any


class Provoked(Exception):
    """An error that a test wants."""

    def __init__(self) -> None:
        super().__init__("an error on purpose")


class Handled(Exception):
    """An error that a handler answers."""


class Notes:
    """What has happened under a key."""

    def __init__(self) -> None:
        # Protects what follows: views run on several threads.
        self._lock = threading.Lock()
        self._taken: defaultdict[str, list[str]] = defaultdict(list)
        self._gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self.counts: Counter[str] = Counter()

    def take(self, key: str, what: str) -> None:
        with self._lock:
            self._taken[key].append(what)

    def count(self, key: str) -> None:
        with self._lock:
            self.counts[key] += 1

    def of(self, key: str) -> list[str]:
        with self._lock:
            return self._taken[key].copy()

    def gate(self, key: str) -> threading.Event:
        with self._lock:
            return self._gates[key]

    def wait(self, key: str) -> bool:
        return self.gate(key).wait(PATIENCE)

    async def await_(self, key: str) -> bool:
        gate, end = self.gate(key), time.monotonic() + PATIENCE
        while not gate.is_set():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.01)
        return True


notes = Notes()

app = Erlen(__name__)
app.config.update(
    SECRET_KEY="a key for tests",
    MAX_CONTENT_LENGTH=MAX_BODY,
    WEBSOCKET_MAX_MESSAGE_SIZE=MAX_MESSAGE,
    WEBSOCKET_CLOSE_TIMEOUT=1,
    SHUTDOWN_TIMEOUT=10,
)

F = t.TypeVar("F", bound=t.Callable[..., Value])


def in_both_kinds(rule: str, **options: Value) -> t.Callable[[F], F]:
    """Register a plain view below ``/plain``, and below ``/async`` an async one that does the same."""

    def register(view: F) -> F:
        async def aview(**values: Value) -> Value:
            await asyncio.sleep(0)
            return view(**values)

        name = view.__name__
        app.add_url_rule(f"/plain{rule}", f"plain_{name}", view, **options)
        app.add_url_rule(f"/async{rule}", f"async_{name}", aview, **options)
        return view

    return register


@app.teardown_request
@nonblocking
def note_teardown(error: BaseException | None) -> None:
    # The query may be one that `request.args` refuses.
    for key in parse_qs(request.query_string.decode("latin1")).get("key", ()):
        notes.take(key, "torn down" if error is None else f"torn down after {type(error).__name__}")


# What tests ask


@app.get("/ready")
@nonblocking
def ready() -> Value:
    return "ready"


@app.get("/notes/<key>")
@nonblocking
def notes_of(key: str) -> Value:
    return {"notes": notes.of(key), "count": notes.counts[key]}


@app.post("/gates/<key>")
@nonblocking
def open_gate(key: str) -> Value:
    notes.gate(key).set()
    return ""


@app.get("/memory")
def memory() -> Value:
    # Linux alone says what is in use now.
    told = Path("/proc/self/statm")
    pages = int(told.read_text(encoding="ascii").split()[1]) if told.exists() else 0
    return {"resident": pages * os.sysconf("SC_PAGE_SIZE")}


@app.get("/left")
async def left() -> Value:
    """Say what is there while only this request is: threads, tasks, contexts below the one of this request."""
    gc.collect()
    tasks = [task.get_coro() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    token: Value = t.cast(Value, context_var.get())._token
    return {
        "threads": Counter(re.sub(r"\d+", "N", thread.name) for thread in threading.enumerate()),
        "tasks": Counter(getattr(coroutine, "__qualname__", repr(coroutine)) for coroutine in tasks),
        "context_below": repr(token.old_value) if token.old_value is not token.MISSING else None,
    }


@app.get("/left/plain")
def left_plain() -> Value:
    token: Value = t.cast(Value, context_var.get())._token
    return {"context_below": repr(token.old_value) if token.old_value is not token.MISSING else None}


# Requests


@in_both_kinds("/quick")
def quick() -> Value:
    return "quick"


@in_both_kinds("/echo/<int:number>/<path:rest>", methods=["GET", "PUT"])
def echo(number: int, rest: str) -> Value:
    return {
        "number": number,
        "rest": rest,
        "args": request.args.to_dict(flat=False),
        "method": request.method,
    }


@in_both_kinds("/headers")
def headers() -> Value:
    response = app.json.response([[name, value] for name, value in request.headers])
    response.headers.add("X-Twice", "one")
    response.headers.add("X-Twice", "two")
    response.headers["X-Latin"] = "caf\xe9"
    return response


@in_both_kinds("/cookies")
def cookies() -> Value:
    response = app.json.response(request.cookies.to_dict(flat=False))
    response.set_cookie("first", "1")
    response.set_cookie("second", "2")
    return response


@in_both_kinds("/visits")
def visits() -> Value:
    session["visits"] = session.get("visits", 0) + 1
    return {"visits": session["visits"]}


@in_both_kinds("/address")
def address() -> Value:
    return {
        "built": url_for("plain_echo", number=7, rest="a b", q="\xe9"),
        "external": url_for("plain_quick", _external=True),
        "url": request.url,
        "path": request.path,
        "root": request.root_path,
        "scheme": request.scheme,
        "client": request.remote_addr,
    }


@in_both_kinds("/moved")
def moved() -> Value:
    return redirect(url_for("plain_quick"))


@in_both_kinds("/slash/")
def slash() -> Value:
    return "slash"


@in_both_kinds("/abort/<int:status>")
def abort_with(status: int) -> Value:
    abort(status)


@in_both_kinds("/handled")
def handled() -> Value:
    raise Handled


@app.errorhandler(Handled)
def answer_handled(error: Handled) -> Value:
    return {"handled": type(error).__name__}, 409


@in_both_kinds("/on-purpose/error")
def error() -> Value:
    raise Provoked


@in_both_kinds("/file")
def file() -> Value:
    return send_file(io.BytesIO(b"0123456789abcdef" * 65536), "application/octet-stream", max_age=0)


def _hooked(kind: str) -> Blueprint:
    """Return a blueprint with hooks of one kind, and views of both."""
    blueprint = Blueprint(f"hooks_{kind}", __name__, url_prefix=f"/hooks-{kind}")

    def before() -> None:
        g.trail = [f"before {kind}"]

    async def abefore() -> None:
        await asyncio.sleep(0)
        before()

    def after(response: Value) -> Value:
        response.headers["X-Trail"] = ", ".join([*g.trail, f"after {kind}"])
        return response

    async def aafter(response: Value) -> Value:
        await asyncio.sleep(0)
        return after(response)

    def teardown(error: BaseException | None) -> None:
        notes.take(request.args["key"], f"teardown {kind}")

    async def ateardown(error: BaseException | None) -> None:
        await asyncio.sleep(0)
        teardown(error)

    is_async = kind == "async"
    blueprint.before_request(abefore if is_async else before)
    blueprint.after_request(t.cast(Value, aafter if is_async else after))
    blueprint.teardown_request(t.cast(Value, ateardown if is_async else teardown))

    @blueprint.get("/plain")
    def plain_view() -> Value:
        g.trail.append("view plain")
        return "plain"

    @blueprint.get("/async")
    async def async_view() -> Value:
        await asyncio.sleep(0)
        g.trail.append("view async")
        return "async"

    @blueprint.get("/on-purpose")
    def failing_view() -> Value:
        raise Provoked

    return blueprint


app.register_blueprint(_hooked("plain"))
app.register_blueprint(_hooked("async"))


# Bodies


@in_both_kinds("/form", methods=["POST"])
def form() -> Value:
    return {
        "form": request.form.to_dict(flat=False),
        "files": {
            name: [file.filename, hashlib.sha256(file.read()).hexdigest()]
            for name, file in request.files.items()
        },
    }


@in_both_kinds("/body", methods=["POST"])
def body() -> Value:
    data = request.get_data()
    return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@in_both_kinds("/json", methods=["POST"])
def as_json() -> Value:
    return {"json": request.get_json()}


@app.post("/async/streamed")
@stream_request_body
async def astreamed() -> Value:
    key, length, digest = request.args["key"], 0, hashlib.sha256()
    notes.take(key, "began")
    async for piece in request.stream:
        if not length:
            notes.take(key, "received")
        length += len(piece)
        digest.update(piece)
    return {"length": length, "sha256": digest.hexdigest()}


@app.post("/plain/streamed")
@stream_request_body
def streamed() -> Value:
    key, length, digest = request.args["key"], 0, hashlib.sha256()
    notes.take(key, "began")
    while piece := request.stream.read(1000):
        if not length:
            notes.take(key, "received")
        length += len(piece)
        digest.update(piece)
    return {"length": length, "sha256": digest.hexdigest()}


# Waiting


@app.get("/plain/wait")
def wait() -> Value:
    key = request.args["key"]
    notes.take(key, "began")
    notes.wait(key)
    return "waited"


@app.get("/async/wait")
async def await_() -> Value:
    key = request.args["key"]
    notes.take(key, "began")
    try:
        await notes.await_(key)
    except asyncio.CancelledError:
        notes.take(key, "cancelled")
        raise
    return "waited"


# Responses that go on


def _steps(key: str, more: int = 2000) -> t.Iterator[str]:
    try:
        yield f"first of {key}\n"
        notes.wait(key)
        for _ in range(more):
            yield "more\n"
            # Where nobody says that the client is gone, sending to it does.
            time.sleep(0.005)
    finally:
        notes.take(key, "closed")


async def _asteps(key: str, more: int = 2000) -> t.AsyncIterator[str]:
    try:
        yield f"first of {key}\n"
        await notes.await_(key)
        for _ in range(more):
            yield "more\n"
            await asyncio.sleep(0.005)
    finally:
        notes.take(key, "closed")


@in_both_kinds("/pieces/plain")
def pieces() -> Value:
    return stream_with_context(_steps(request.args["key"]))


@in_both_kinds("/pieces/async")
def apieces() -> Value:
    return stream_with_context(_asteps(request.args["key"]))


@in_both_kinds("/short/plain")
def short() -> Value:
    return stream_with_context(_steps(request.args["key"], 10))


@in_both_kinds("/short/async")
def ashort() -> Value:
    return stream_with_context(_asteps(request.args["key"], 10))


@in_both_kinds("/pieces/on-purpose/<kind>")
def failing_pieces(kind: str) -> Value:
    def failing() -> t.Iterator[str]:
        yield "first\n"
        raise Provoked

    async def afailing() -> t.AsyncIterator[str]:
        yield "first\n"
        raise Provoked

    return stream_with_context(failing()) if kind == "plain" else stream_with_context(afailing())


def _pieces_of_a_flood(key: str) -> t.Iterator[bytes]:
    """Give pieces, one after the other and without waiting: enough to fill any buffer, and for ever once the gate is open."""
    gate, end, number = notes.gate(key), time.monotonic() + PATIENCE, 0
    while (number < FLOOD_PIECES or gate.is_set()) and time.monotonic() < end:
        notes.count(key)
        yield b"x" * FLOOD_PIECE
        number += 1
    notes.take(key, "has run out")


def _flood(key: str) -> t.Iterator[bytes]:
    try:
        yield from _pieces_of_a_flood(key)
    finally:
        notes.take(key, "closed")


async def _aflood(key: str) -> t.AsyncIterator[bytes]:
    try:
        for piece in _pieces_of_a_flood(key):
            yield piece
    finally:
        notes.take(key, "closed")


@app.get("/flood/plain")
def flood() -> Value:
    return stream_with_context(_flood(request.args["key"]))


@app.get("/flood/async")
async def aflood() -> Value:
    return stream_with_context(_aflood(request.args["key"]))


@app.get("/lines/<kind>")
def lines(kind: str) -> Value:
    async def rows() -> t.AsyncIterator[Value]:
        for row in range(3):
            yield {"row": row}

    return JSONLines(rows() if kind == "async" else ({"row": row} for row in range(3)))


@app.get("/events/<kind>")
def events(kind: str) -> Value:
    key, last = request.args["key"], int(request.last_event_id or 0)

    def plain_events() -> t.Iterator[Value]:
        try:
            yield ServerSentEvent({"count": last + 1}, event="count", id=str(last + 1))
            yield "two\nlines"
            notes.wait(key)
            yield "after the gate"
        finally:
            notes.take(key, "closed")

    async def async_events() -> t.AsyncIterator[Value]:
        try:
            yield ServerSentEvent({"count": last + 1}, event="count", id=str(last + 1))
            yield "two\nlines"
            await notes.await_(key)
            yield "after the gate"
        finally:
            notes.take(key, "closed")

    made: Value = plain_events() if kind == "plain" else async_events()
    return EventStream(stream_with_context(made), keep_alive=0.1, retry=3000)


# WebSockets


@app.websocket("/ws/echo")
async def ws_echo() -> Value:
    async for message in websocket:
        await websocket.send(message)


@app.websocket("/ws/json")
async def ws_json() -> Value:
    while True:
        await websocket.send_json({"received": await websocket.receive_json()})


@app.websocket("/ws/unpacked")
async def ws_unpacked() -> Value:
    async for value in websocket.iter_json():
        try:
            await websocket.send(value)
        except ValueError:
            await websocket.send("refused")


@app.websocket("/ws/rooms/<int:room>/<name>")
async def ws_room(room: int, name: str) -> Value:
    session["visits"] = session.get("visits", 0) + 1
    wanted = [one for one in websocket.subprotocols if one == "second"]
    await websocket.accept(subprotocol=wanted[0] if wanted else None, headers={"X-Room": str(room)})
    await websocket.send_json(
        {
            "room": room,
            "name": name,
            "visits": session["visits"],
            "cookies": request.cookies.to_dict(),
            "args": request.args.to_dict(),
            "url": request.url,
            "built": url_for("ws_room", room=room, name=name, _external=True),
        }
    )


@app.websocket("/ws/refused")
async def ws_refused() -> Value:
    return "you are not known here", 401, {"X-Why": "unknown"}


@app.websocket("/ws/aborted")
async def ws_aborted() -> Value:
    abort(404)


@app.websocket("/ws/refused/<kind>")
async def ws_refused_with_a_stream(kind: str) -> Value:
    async def pieces() -> t.AsyncIterator[str]:
        for word in ("not", " for", " you"):
            await asyncio.sleep(0)
            yield word

    if kind == "file":
        return send_file(io.BytesIO(b"not for you"), "text/plain", max_age=0), 403
    return (iter(["not", " for", " you"]) if kind == "plain" else pieces()), 403


@app.websocket("/ws/unaccepted")
async def ws_unaccepted() -> Value:
    await websocket.close()


@app.websocket("/ws/closing")
async def ws_closing() -> Value:
    await websocket.accept()
    await websocket.close(4001, "enough")


@app.websocket("/ws/noted")
async def ws_noted() -> Value:
    key = request.args["key"]
    async for message in websocket:
        notes.take(key, f"received {len(message)}")
        await websocket.send("noted")
    notes.take(key, f"ended {websocket.close_code} {websocket.close_reason}".rstrip())


@app.websocket("/ws/silent")
async def ws_silent() -> Value:
    key = request.args["key"]
    await websocket.accept()
    notes.take(key, "began")
    try:
        await notes.await_(key)
    except asyncio.CancelledError:
        notes.take(key, "cancelled")
        raise


@app.websocket("/ws/push")
async def ws_push() -> Value:
    await websocket.accept()
    for number in range(100):
        await websocket.send(f"message {number}")


@app.websocket("/ws/flood")
async def ws_flood() -> Value:
    key = request.args["key"]
    await websocket.accept()
    try:
        for piece in _pieces_of_a_flood(key):
            await websocket.send(piece)
    finally:
        notes.take(key, "closed")


@app.websocket("/ws/on-purpose/error")
async def ws_error() -> Value:
    await websocket.accept()
    raise Provoked


@app.websocket("/ws/on-purpose/error-before")
async def ws_error_before() -> Value:
    raise Provoked


# Life span and background work


def _write(line: str) -> None:
    """Append to the file that outlives the process."""
    name = os.environ.get("ERLEN_TEST_NOTES")
    if name:
        with Path(name).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


@app.lifespan
async def live() -> t.AsyncIterator[None]:
    assert has_app_context()
    await asyncio.sleep(0)
    _write("began")
    yield
    await asyncio.sleep(0)
    _write("ended")


@app.before_serving
def before_serving() -> None:
    _write("before serving")


@app.after_serving
async def after_serving() -> None:
    _write("after serving")


@in_both_kinds("/spawn", methods=["POST"])
def spawn() -> Value:
    _write("request")

    def work() -> None:
        time.sleep(0.5)
        _write("plain work done")

    async def awork() -> None:
        await asyncio.sleep(0.5)
        _write("async work done")

    app.spawn(work)
    app.spawn(awork)
    return "spawned", 202


@in_both_kinds("/spawn/on-purpose", methods=["POST"])
def spawn_failing() -> Value:
    def fail() -> None:
        raise Provoked

    async def afail() -> None:
        raise Provoked

    app.spawn(fail)
    app.spawn(afail)
    return "spawned", 202


#: An application that cannot start.
failing = Erlen("failing")


@failing.lifespan
def fail_to_start() -> t.Iterator[None]:
    raise Provoked
    yield


@failing.get("/ready")
def never_ready() -> Value:
    return "ready"


#: An application behind a proxy, and behind middleware that refuses what it does not like.
proxied = Erlen("proxied")


@proxied.get("/ready")
@nonblocking
def proxied_ready() -> Value:
    return "ready"


@proxied.websocket("/ws")
async def ws_proxied() -> Value:
    async for message in websocket:
        await websocket.send_json([message, request.url, request.is_secure, request.remote_addr])


def _guarded(wsgi_app: Value) -> Value:
    def guard(environ: Value, start_response: Value) -> Value:
        match environ["QUERY_STRING"]:
            case "refused":
                start_response("401 UNAUTHORIZED", [("Content-Length", "7"), ("X-Why", "guard")])
                return [b"refused"]
            case "on-purpose":
                raise Provoked
            case _:
                return wsgi_app(environ, start_response)

    return guard


proxied.wsgi_app = ProxyFix(_guarded(proxied.wsgi_app), x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign, assignment]
