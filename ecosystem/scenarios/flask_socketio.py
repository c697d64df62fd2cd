"""Events in rooms and namespaces, with the session of the pages, by the test client and by clients of a real server."""

from __future__ import annotations

import json
import logging
import typing as t
from pathlib import Path
from threading import Event
from urllib.request import urlopen

import simple_websocket
import socketio as client_library
from flask import Flask, current_app, g, redirect, request, session, url_for
from flask_socketio import (
    ConnectionRefusedError,
    Namespace,
    SocketIO,
    close_room,
    disconnect,
    emit,
    join_room,
    leave_room,
    rooms,
    send,
)

from serving import serving

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-SocketIO", "python-socketio", "simple-websocket", "requests"]


class Board(Namespace):
    """A drawing that all see, in a namespace of its own."""

    def on_connect(self, auth: dict[str, str] | None = None) -> None:
        if not auth or auth.get("ticket") != "valid":
            raise ConnectionRefusedError("a ticket is needed")
        emit("strokes", current_app.extensions["strokes"])

    def on_draw(self, stroke: list[int]) -> int:
        current_app.extensions["strokes"].append(stroke)
        emit("stroke", stroke, broadcast=True, include_self=False)
        return len(current_app.extensions["strokes"])

    def on_disconnect(self, reason: str) -> None:
        current_app.extensions["left"].append("board")


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    app.extensions.update(strokes=[], left=[])
    # A client that leaves while it polls is an error in the log, now and then.
    quiet = logging.getLogger("scenario.engineio")
    quiet.disabled = True
    socketio = SocketIO(app, async_mode="threading", monitor_clients=False, engineio_logger=quiet)

    @app.before_request
    def once_for_each_request() -> None:
        # Events are no requests: this is not called for them.
        g.asked = True

    @app.get("/")
    def home() -> str:
        return f"Hello, {session.get('name', 'stranger')}, in {session.get('room', 'no room')}"

    @app.post("/login")
    def login() -> t.Any:
        session["name"] = request.form["name"]
        return redirect(url_for("home"))

    @app.post("/announce")
    def announce() -> str:
        # From a page to all who are connected.
        socketio.emit("announcement", {"text": request.form["text"]})
        return ""

    @socketio.on("connect")
    def connected() -> None:
        emit("welcome", {"name": session.get("name"), "tab": request.args.get("tab"), "asked": "asked" in g})

    @socketio.on("join")
    def join(room: str) -> list[str]:
        join_room(room)
        # It is kept for this connection, and not in the cookie.
        session["room"] = room
        send(f"{session['name']} is here", to=room)
        return sorted(one for one in rooms() if one != request.sid)

    @socketio.on("say")
    def say(text: str, loud: bool = False) -> dict[str, t.Any]:
        emit("said", {"by": session["name"], "text": text.upper() if loud else text}, to=session["room"])
        return {"event": request.event["message"], "namespace": request.namespace, "path": request.path}

    @socketio.on("leave")
    def leave() -> None:
        leave_room(session.pop("room"))
        emit("left", "room" in session)

    @socketio.on("end")
    def end(room: str) -> None:
        close_room(room)

    @socketio.on("picture")
    def picture(data: bytes) -> None:
        emit("picture", data[::-1])

    @socketio.on("message")
    def message(text: str) -> None:
        send(f"echo of {text}")

    @socketio.on("json")
    def structure(data: t.Any) -> None:
        send({"link": url_for("home", _external=True), **data}, json=True)

    @socketio.on("divide")
    def divide(by: int) -> float:
        return 1 / by

    @socketio.on_error()
    def failed(error: Exception) -> str:
        return f"{type(error).__name__} in {request.event['message']}"

    @socketio.on("bye")
    def bye() -> None:
        disconnect()

    @socketio.on("disconnect")
    def disconnected(reason: str) -> None:
        app.extensions["left"].append(session.get("name", "stranger"))

    socketio.on_namespace(Board("/board"))
    return app


def play_with_test_client(visitor: Visitor) -> None:
    app = visitor.app
    socketio: SocketIO = app.extensions["socketio"]

    def note(who: str, client: t.Any, namespace: str | None = None) -> list[t.Any]:
        received = [
            [one["name"], one["args"] if isinstance(one["args"], str | dict) else list(one["args"])]
            for one in client.get_received(namespace)
        ]
        visitor.note(f"received by {who}", received)
        return received

    assert visitor.get("/").text == "Hello, stranger, in no room"
    visitor.post("/login", data={"name": "ada"})
    other = visitor.another()
    other.post("/login", data={"name": "grace"})

    ada = socketio.test_client(app, flask_test_client=visitor.client, query_string="?tab=2")
    grace = socketio.test_client(app, flask_test_client=other.client)
    guest = socketio.test_client(app)
    assert note("ada", ada) == [["welcome", [{"name": "ada", "tab": "2", "asked": False}]]]
    assert note("grace", grace) == [["welcome", [{"name": "grace", "tab": None, "asked": False}]]]
    assert note("guest", guest) == [["welcome", [{"name": None, "tab": None, "asked": False}]]]

    assert ada.emit("join", "tea", callback=True) == ["tea"]
    assert grace.emit("join", "tea", callback=True) == ["tea"]
    acknowledged = ada.emit("say", "good morning", True, callback=True)
    assert acknowledged == {"event": "say", "namespace": "/", "path": "/socket.io"}
    assert note("ada", ada) == [
        ["message", "ada is here"],
        ["message", "grace is here"],
        ["said", [{"by": "ada", "text": "GOOD MORNING"}]],
    ]
    assert [name for name, _ in note("grace", grace)] == ["message", "said"]
    assert note("guest", guest) == []
    # The page has the session of the cookie, which the events do not change.
    assert visitor.get("/").text == "Hello, ada, in no room"

    grace.emit("leave")
    ada.emit("say", "anybody?")
    assert note("grace", grace) == [["left", [False]]]
    ada.emit("end", "tea")
    ada.emit("say", "nobody")
    assert note("ada", ada) == [["said", [{"by": "ada", "text": "anybody?"}]]]

    ada.emit("picture", b"\x00\x01\xff")
    ada.send("a word")
    ada.send({"number": 1}, json=True)
    received = ada.get_received()
    assert received[0]["args"] == [b"\xff\x01\x00"]
    assert received[1]["args"] == "echo of a word"
    assert received[2]["args"] == {"link": "http://localhost/", "number": 1}
    assert ada.emit("divide", 4, callback=True) == 0.25
    assert ada.emit("divide", 0, callback=True) == "ZeroDivisionError in divide"
    assert guest.emit("say", "hello?", callback=True) == "KeyError in say"

    visitor.post("/announce", data={"text": "closing soon"})
    assert note("guest", guest) == [["announcement", [{"text": "closing soon"}]]]

    ada.connect("/board")
    assert not ada.is_connected("/board")
    ada.connect("/board", auth={"ticket": "valid"})
    grace.connect("/board", auth={"ticket": "valid"})
    assert ada.emit("draw", [1, 2], namespace="/board", callback=True) == 1
    assert note("ada on the board", ada, "/board") == [["strokes", [[]]]]
    assert note("grace on the board", grace, "/board") == [["strokes", [[]]], ["stroke", [[1, 2]]]]
    grace.disconnect("/board")
    assert grace.is_connected()

    guest.disconnect()
    grace.emit("bye")
    assert not grace.is_connected()
    assert ada.is_connected()
    ada.disconnect()
    visitor.note("who left", app.extensions["left"])


def play_on_a_server(visitor: Visitor) -> None:
    # The test client put itself in the place of the transport: an application of its own for this.
    app = make_app(visitor.folder)
    with serving(app) as host:
        # The library's client, by long polling.
        seen: list[t.Any] = []
        welcomed = Event()
        polling = client_library.Client(reconnection=False)

        @polling.on("welcome")
        def welcome(data: t.Any) -> None:
            seen.append(data)
            welcomed.set()

        polling.connect(f"http://{host}?tab=7", transports=["polling"])
        assert welcomed.wait(10)
        visitor.note("welcome, by polling", seen)
        assert polling.call("divide", 8, timeout=10) == 0.125
        # The server ends it; the client's own end could wait for a poll that is under way.
        polling.emit("bye")
        polling.wait()
        assert not polling.connected

        # And a WebSocket, the packets written by hand.
        cookies = visitor.client.get_cookie("session")
        socket = simple_websocket.Client(
            f"ws://{host}/socket.io/?EIO=4&transport=websocket",
            headers={"Cookie": f"session={cookies.value}"},
        )
        # It connects without waiting, as this client misses a packet that comes along with the handshake.
        socket.send("40")
        visitor.note("opened", sorted(json.loads(socket.receive(10)[1:])))
        received = [socket.receive(10), socket.receive(10)]
        # The answer to the connect, and the first event: either may be first.
        events = sorted(one for one in received if one.startswith("42"))
        assert json.loads(events[0][2:]) == ["welcome", {"name": "ada", "tab": None, "asked": False}]
        socket.send('420["join","garden"]')
        assert [socket.receive(10), socket.receive(10)] == ['42["message","ada is here"]', '430[["garden"]]']
        socket.send('421["divide",2]')
        assert socket.receive(10) == "431[0.5]"
        # Pages are answered on the same port, while the socket is open.
        with urlopen(f"http://{host}/") as page:
            assert page.read() == b"Hello, stranger, in no room"
        socket.send("42" + json.dumps(["say", "still there?"]))
        visitor.note("said", socket.receive(10))
        socket.close()


def play(visitor: Visitor) -> None:
    play_with_test_client(visitor)
    play_on_a_server(visitor)
