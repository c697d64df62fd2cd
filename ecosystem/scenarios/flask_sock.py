"""WebSockets as views: echo, parts of the path, a blueprint, subprotocols, close codes, refusals; over a real server."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from queue import Queue

from flask import Blueprint, Flask, abort, g, request, session
from flask_sock import Sock
from simple_websocket import Client, ConnectionClosed, ConnectionError, Server

from serving import serving

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Sock", "simple-websocket"]
PROTOCOLS = ["wsgi"]
NOT_ON_ASGI = (
    "the extension speaks the protocol itself, on the socket that a WSGI server leaves in the environ"
)


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    app.config["SOCK_SERVER_OPTIONS"] = {"subprotocols": ["chat.v2"], "ping_interval": 20}
    # What the threads of the server have to tell the scenario.
    events: Queue[t.Any] = Queue()
    app.extensions["events"] = events
    sock = Sock(app)

    @app.before_request
    def check_ticket() -> None:
        g.ticket = request.args.get("ticket", "none")
        if g.ticket == "forged":
            abort(401)

    @app.teardown_request
    def ended(error: BaseException | None) -> None:
        if request.headers.get("Upgrade") == "websocket":
            events.put(["ended", request.endpoint, repr(error)])

    @app.get("/")
    def home() -> str:
        session.setdefault("name", "ada")
        return f"sockets of {session['name']}"

    @sock.route("/echo")
    def echo(ws: Server) -> None:
        while True:
            data = ws.receive()
            if data == "enough":
                return
            ws.send(data)

    @sock.route("/sum/<int:start>")
    def add(ws: Server, start: int) -> None:
        try:
            while True:
                start += int(ws.receive())
                ws.send(str(start))
        except ValueError:
            ws.close(4000, "a number, please")
        except ConnectionClosed as closed:
            events.put(["closed by the client", int(closed.reason), closed.message])
            raise

    rooms = Blueprint("rooms", __name__, url_prefix="/rooms")
    talks: dict[str, list[Server]] = {}

    @sock.route("/<name>", bp=rooms)
    def room(ws: Server, name: str) -> None:
        # Who comes in speaks first: the client of these tests misses what comes along with the handshake.
        about = {"room": name, "said": ws.receive(), "user": session.get("name"), "ticket": g.ticket}
        ws.send(json.dumps({**about, "endpoint": request.endpoint, "spoken": ws.subprotocol}))
        members = talks.setdefault(name, [])
        members.append(ws)
        try:
            while True:
                text = ws.receive()
                for member in members:
                    member.send(text)
        finally:
            members.remove(ws)

    app.register_blueprint(rooms)
    return app


def play(visitor: Visitor) -> None:
    assert visitor.get("/").text == "sockets of ada"
    # A browser that only wants a page.
    assert visitor.get("/echo").status_code == 400
    assert visitor.get("/sum/one").status_code == 404
    cookie = f"session={visitor.client.get_cookie('session').value}"
    events = visitor.app.extensions["events"]

    def note(*what: t.Any) -> t.Any:
        visitor.note("seen", list(what))
        return what[0]

    with serving(visitor.app) as host:
        echo = Client(f"ws://{host}/echo")
        echo.send("good morning")
        assert note(echo.receive(10)) == "good morning"
        echo.send(b"\x00\x01")
        assert echo.receive(10) == b"\x00\x01"
        echo.send("enough")
        note(*closed(echo))
        assert note(events.get(timeout=10)) == ["ended", "echo", "None"]

        adding = Client(f"ws://{host}/sum/40")
        adding.send("2")
        assert note(adding.receive(10)) == "42"
        adding.send("two")
        assert note(*closed(adding)) == 4000
        note(events.get(timeout=10))
        adding = Client(f"ws://{host}/sum/0")
        adding.close(3001, "lunch")
        assert note(events.get(timeout=10)) == ["closed by the client", 3001, "lunch"]
        assert note(events.get(timeout=10)) == ["ended", "add", "None"]

        first = Client(
            f"ws://{host}/rooms/tea?ticket=7", subprotocols=["chat.v1", "chat.v2"], headers={"Cookie": cookie}
        )
        first.send("good evening")
        assert json.loads(note(first.receive(10))) == {
            "room": "tea",
            "said": "good evening",
            "user": "ada",
            "ticket": "7",
            "endpoint": "rooms.room",
            "spoken": "chat.v2",
        }
        second = Client(f"ws://{host}/rooms/tea")
        second.send("hi")
        assert json.loads(note(second.receive(10)))["user"] is None
        second.send("hello")
        assert note(first.receive(10), second.receive(10)) == "hello"
        for client in (second, first):
            client.close()
            note(events.get(timeout=10))

        for path in ("/rooms/tea?ticket=forged", "/sum/one", "/"):
            assert note(refused(f"ws://{host}{path}"), path) in {"401", "404", "400"}
            if events.qsize():
                note(events.get(timeout=10))


def closed(client: Client) -> tuple[int, str | None]:
    """Wait until the server closes, and return the code and the reason."""
    try:
        client.receive(10)
    except ConnectionClosed as error:
        return int(error.reason), error.message
    raise AssertionError("the server sent something else")


def refused(url: str) -> str:
    """Return the status that the server refuses a client with."""
    try:
        Client(url)
    except ConnectionError as error:
        return str(error.status_code)
    raise AssertionError("the server took the client")
