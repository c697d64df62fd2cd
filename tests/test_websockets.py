"""WebSockets: registration, handshake, messages, close, and clients that leave at any step."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import threading
import typing as t
import weakref
from contextvars import ContextVar
from functools import partial
from wsgiref.validate import validator

import pytest
from werkzeug.exceptions import HTTPException, ImATeapot
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from asgi_peer import Peer, begun, connect, disconnect, get, handshake, run, text
from erlen import (
    Blueprint,
    Erlen,
    JSONLines,
    Response,
    WebSocketDisconnected,
    abort,
    after_this_request,
    copy_current_request_context,
    cross_origin_exempt,
    current_app,
    flash,
    g,
    got_request_exception,
    has_request_context,
    nonblocking,
    request,
    request_started,
    send_file,
    session,
    stream_with_context,
    url_for,
    websocket,
)
from erlen.ctx import context_var
from erlen.json.provider import DefaultJSONProvider
from erlen.scopes import MalformedScope
from erlen.sessions import SecureCookieSession, SessionInterface
from erlen.testing import ErlenClient, WebSocketRejected
from erlen.typing import Message
from erlen.websockets import AHEAD, AHEAD_SIZE, UnexpectedData, UpgradeRequired, WebSocketError
from waiting import until

BOTH = pytest.mark.protocol("wsgi", "asgi")


@pytest.fixture
def told(app: Erlen) -> list[t.Any]:
    """Return the list that the teardown functions of ``app`` fill."""
    told: list[t.Any] = []
    app.teardown_request(lambda exc: told.append(("request", exc)))
    app.teardown_appcontext(lambda exc: told.append(("appcontext", exc)))
    return told


ONCE = [("request", None), ("appcontext", None)]


def echo(app: Erlen, rule: str = "/") -> None:
    """Register a handler that sends back what it receives."""

    @app.websocket(rule)
    async def echo() -> None:
        async for message in websocket:
            await websocket.send(message)


def rejection(client: ErlenClient, path: str = "/", **options: t.Any) -> t.Any:
    """Return the response with which a WebSocket is rejected."""
    with pytest.raises(WebSocketRejected) as caught, client.websocket(path, **options):
        pass
    return caught.value.response


def without_propagation(app: Erlen) -> None:
    """Let the application answer its errors as it does for users."""
    app.config["PROPAGATE_EXCEPTIONS"] = False


# Messages


@pytest.mark.parametrize("message", ["text", "", "größe 🦉", b"bytes", b"", b"\xff\x00", "a" * 100_000])
def test_message_comes_back(app: Erlen, client: ErlenClient, message: str | bytes) -> None:
    echo(app)
    with client.websocket("/") as socket:
        socket.send(message)
        assert socket.receive() == message


def test_messages_keep_their_order(app: Erlen, client: ErlenClient) -> None:
    echo(app)
    with client.websocket("/") as socket:
        for number in range(50):
            socket.send(str(number))
        assert [socket.receive() for _ in range(50)] == [str(number) for number in range(50)]


def test_json_goes_through_the_provider_of_the_application(app: Erlen, client: ErlenClient) -> None:
    class Provider(DefaultJSONProvider):
        def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
            return super().dumps({"wrapped": obj}, **kwargs)

        def loads(self, s: t.Any, **kwargs: t.Any) -> t.Any:
            return {"read": super().loads(s, **kwargs)}

    app.json = Provider(app)

    @app.websocket("/")
    async def index() -> None:
        await websocket.send_json(await websocket.receive_json())

    with client.websocket("/") as socket:
        socket.send_json([1])
        assert socket.receive_json() == {"wrapped": {"read": [1]}}


def test_json_may_come_as_bytes(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.send_json(await websocket.receive_json())

    with client.websocket("/") as socket:
        socket.send(b'{"a": 1}')
        assert socket.receive_json() == {"a": 1}


@pytest.mark.parametrize("data", [b"bytes", bytearray(b"bytes"), memoryview(b"bytes")])
def test_send_takes_every_kind_of_bytes(app: Erlen, client: ErlenClient, data: t.Any) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.send(data)

    with client.websocket("/") as socket:
        assert socket.receive() == b"bytes"


@pytest.mark.parametrize("value", [None, 1, ["a"], {"a": 1}])
def test_send_of_something_else_says_what_to_call(app: Erlen, client: ErlenClient, value: t.Any) -> None:
    errors: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        try:
            await websocket.send(value)
        except TypeError as error:
            errors.append(str(error))
        assert not websocket.is_accepted
        await websocket.send("done")

    with client.websocket("/") as socket:
        assert socket.receive() == "done"
    assert errors == [
        (
            f"A WebSocket sends str and bytes, and was given {value!r}, of type {type(value).__name__}. Call 'send_json' for "
            f"anything else that JSON can say."
        )
    ]


SURROGATE = (
    "{what} has '\\ud800' in it, and so cannot be sent: half of a surrogate pair has no UTF-8 form. JSON of a client may bring "
    'it along. Replace it with \'text.encode("utf-8", "replace").decode()\', or refuse the text.'
)


def test_half_of_a_surrogate_pair_is_refused_before_the_server_has_it(
    app: Erlen, client: ErlenClient
) -> None:
    """JSON of one client may bring it along: it must not close the WebSockets of others."""
    raised: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        taken = await websocket.receive_json()
        for call in (partial(websocket.send, taken), partial(websocket.close, 4000, taken)):
            try:
                await call()
            except ValueError as error:
                raised.append(str(error))
        await websocket.send_json(taken)
        await websocket.send(taken.encode("utf-8", "replace").decode())

    with client.websocket("/") as socket:
        socket.send('"\\ud800"')
        assert socket.receive_json() == "\ud800"
        assert socket.receive() == "?"
    assert raised == [
        SURROGATE.format(what="The text for a WebSocket"),
        SURROGATE.format(what="The reason of a close"),
    ]


def test_text_and_bytes_can_be_asked_for(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.send(repr([await websocket.receive_text(), await websocket.receive_bytes()]))

    with client.websocket("/") as socket:
        socket.send("text")
        socket.send(b"bytes")
        assert socket.receive() == "['text', b'bytes']"


@pytest.mark.parametrize(
    ("method", "message", "code", "reason"),
    [
        ("receive_text", b"bytes", 1003, "text expected"),
        ("receive_bytes", "text", 1003, "bytes expected"),
        ("receive_json", "{", 1007, "JSON expected"),
        ("receive_json", b"\xff", 1007, "JSON expected"),
        ("receive_json", "", 1007, "JSON expected"),
        ("receive_json", "[" * 100_000, 1007, "JSON expected"),
    ],
)
def test_unexpected_data_closes(
    app: Erlen,
    client: ErlenClient,
    told: list[t.Any],
    caplog: pytest.LogCaptureFixture,
    method: str,
    message: str | bytes,
    code: int,
    reason: str,
) -> None:
    @app.websocket("/")
    async def index() -> None:
        await getattr(websocket, method)()

    with client.websocket("/") as socket:
        socket.send(message)
        with pytest.raises(WebSocketDisconnected) as caught:
            socket.receive()
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert (socket.close_code, socket.close_reason) == (code, reason)
    assert told == ONCE
    assert caplog.records == []


def test_unexpected_data_can_be_caught(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        try:
            await websocket.receive_json()
        except UnexpectedData as error:
            await websocket.send(str(error))

    with client.websocket("/") as socket:
        socket.send("no JSON")
        assert socket.receive() == "1007 JSON expected"


def test_proxy_has_the_state_of_the_websocket(app: Erlen, client: ErlenClient) -> None:
    states: list[t.Any] = []

    @app.websocket("/")
    async def index() -> None:
        states.append((websocket.is_accepted, websocket.close_code, websocket.subprotocols))
        await websocket.accept()
        states.append((websocket.is_accepted, websocket.close_code))
        await websocket.close(4001, "enough")
        states.append((websocket.close_code, websocket.close_reason))

    with client.websocket("/", subprotocols=["a", "b"]):
        pass
    assert states == [(False, None, ["a", "b"]), (True, None), (4001, "enough")]


def test_proxy_outside_of_a_websocket_says_where_there_is_one(app: Erlen) -> None:
    expected = (
        "Working outside of a WebSocket.\n\n"
        "Something asked for 'websocket', and no WebSocket is being handled here. Its handler has one:\n\n"
        '    @app.websocket("/echo")\n'
        "    async def echo():\n"
        "        async for message in websocket:\n"
        "            await websocket.send(message)\n"
    )
    with pytest.raises(RuntimeError) as caught:
        _ = websocket.subprotocols
    assert str(caught.value) == expected
    with app.test_request_context(), pytest.raises(RuntimeError) as caught:
        _ = websocket.subprotocols
    assert str(caught.value) == expected


@BOTH
def test_proxy_in_an_ordinary_view_says_so(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: str(websocket.is_accepted))
    with pytest.raises(RuntimeError, match="Working outside of a WebSocket"):
        client.get("/")


# Rules


def test_rule_has_converters(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/rooms/<int:room>/<path:rest>")
    async def index(room: int, rest: str) -> None:
        await websocket.send_json([room, rest, request.view_args])

    with client.websocket("/rooms/7/a/b") as socket:
        assert socket.receive_json() == [7, "a/b", {"room": 7, "rest": "a/b"}]
    assert rejection(client, "/rooms/x/a").status_code == 404


def test_rule_of_a_blueprint_has_its_prefix_and_its_hooks(app: Erlen, client: ErlenClient) -> None:
    blueprint = Blueprint("chat", "chat", url_prefix="/chat", root_path=".")
    nested = Blueprint("rooms", "rooms", url_prefix="/<language>", root_path=".")

    @nested.url_value_preprocessor
    def take_language(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        assert values is not None
        g.language = values.pop("language")

    @blueprint.before_request
    async def guard() -> t.Any:
        return None if "key" in request.args else ("no key", 401)

    @nested.websocket("/<int:room>")
    async def room(room: int) -> None:
        await websocket.send_json([g.language, room, request.endpoint, request.blueprints])

    blueprint.register_blueprint(nested)
    app.register_blueprint(blueprint)
    with client.websocket("/chat/de/1?key=a") as socket:
        assert socket.receive_json() == ["de", 1, "chat.rooms.room", ["chat.rooms", "chat"]]
    response = rejection(client, "/chat/de/1")
    assert (response.status_code, response.text) == (401, "no key")


def test_rule_may_be_added_before_its_handler(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", endpoint="later", websocket=True)

    @app.websocket("/other", endpoint="later")
    async def later() -> None:
        await websocket.send(request.path)

    for path in ("/", "/other"):
        with client.websocket(path) as socket:
            assert socket.receive() == path


def test_two_rules_on_one_handler(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/a")
    @app.websocket("/b", defaults={"name": "default"})
    @app.websocket("/b/<name>")
    async def index(name: str = "none") -> None:
        await websocket.send(f"{request.path} {name} {request.endpoint}")

    for path, answer in [("/a", "none"), ("/b", "default"), ("/b/x", "x")]:
        with client.websocket(path) as socket:
            assert socket.receive() == f"{path} {answer} index"


def test_two_handlers_of_one_name_are_refused(app: Erlen) -> None:
    echo(app, "/a")
    with pytest.raises(AssertionError, match="would give the endpoint 'echo'"):
        echo(app, "/b")


def test_decorator_returns_the_function(app: Erlen) -> None:
    async def index() -> None:
        """Say something."""

    assert app.websocket("/")(index) is index
    assert app.view_functions["index"].__name__ == "index"
    assert app.view_functions["index"].__doc__ == "Say something."


def test_plain_function_is_refused_where_it_is_registered(app: Erlen) -> None:
    with pytest.raises(TypeError) as caught:

        @app.websocket("/")
        def index() -> t.Any:
            """Return nothing."""

    name = "test_plain_function_is_refused_where_it_is_registered.<locals>.index"
    assert str(caught.value) == (
        f"The WebSocket handler {name!r} is a plain function, and would block the event loop that all WebSockets share. "
        f"Write it as 'async def index(...)', and await what it receives and sends."
    )
    assert "index" not in app.view_functions
    assert [rule.rule for rule in app.url_map.iter_rules() if rule.websocket] == []


def test_async_generator_function_is_refused(app: Erlen) -> None:
    async def index() -> t.AsyncIterator[str]:
        yield "text"

    with pytest.raises(TypeError, match="is a plain function"):
        app.websocket("/")(t.cast(t.Any, index))


def test_methods_are_refused(app: Erlen) -> None:
    with pytest.raises(TypeError) as caught:
        app.websocket("/", methods=["POST"])
    assert str(caught.value) == "'websocket' got methods=['POST'], but a WebSocket always begins with GET."


def test_handler_may_be_an_object_or_a_partial(app: Erlen, client: ErlenClient) -> None:
    class Handler:
        __name__ = "handler"

        async def __call__(self) -> None:
            await websocket.send("object")

    async def say(word: str) -> None:
        await websocket.send(word)

    app.websocket("/object", endpoint="object")(Handler())
    app.websocket("/partial", endpoint="partial")(partial(say, "partial"))
    for name in ("object", "partial"):
        with client.websocket(f"/{name}") as socket:
            assert socket.receive() == name


def test_handler_that_cannot_take_the_values_says_what_the_rule_passes(
    app: Erlen, client: ErlenClient
) -> None:
    @app.websocket("/<name>")
    async def index() -> None:
        """Take nothing."""

    with pytest.raises(TypeError, match="unexpected keyword argument 'name'"), client.websocket("/a"):
        pass


@BOTH
def test_url_of_a_websocket_is_absolute(app: Erlen, client: ErlenClient) -> None:
    """A page hands it to ``new WebSocket(...)``, which older browsers give whole URLs alone."""

    @app.websocket("/rooms/<int:room>")
    async def room(room: int) -> None:
        await websocket.send_json([url_for("room", room=2), url_for("room", room=2, _external=True)])

    app.add_url_rule("/", "index", lambda: url_for("room", room=1))
    assert client.get("/").text == "ws://localhost/rooms/1"
    assert client.get("/", base_url="https://example.com").text == "wss://example.com/rooms/1"
    with client.websocket("/rooms/1", base_url="https://example.com") as socket:
        assert socket.receive_json() == ["wss://example.com/rooms/2"] * 2


@pytest.mark.parametrize(("outer", "inner"), [("http", "ws"), ("https", "wss")])
def test_url_of_a_page_in_a_websocket(app: Erlen, client: ErlenClient, outer: str, inner: str) -> None:
    app.add_url_rule("/page", "page", lambda: "page")

    @app.websocket("/")
    async def index() -> None:
        await websocket.send_json(
            [url_for("page"), url_for("page", _external=True), request.url, request.is_secure]
        )

    with client.websocket("/", base_url=f"{outer}://example.com") as socket:
        assert socket.receive_json() == [
            "/page",
            f"{outer}://example.com/page",
            f"{inner}://example.com/",
            inner == "wss",
        ]


def test_websocket_over_http_2_has_no_upgrade_header(app: Erlen) -> None:
    """RFC 8441: the extended CONNECT takes its place."""

    @app.websocket("/")
    async def index() -> None:
        await websocket.send(url_for("index"))

    async def main() -> None:
        scope = handshake(http_version="2", scheme="wss", headers=[(b"host", b"localhost")])
        async with Peer(app, scope, connect()) as peer:
            await peer.take("websocket.accept")
            assert (await peer.take("websocket.send"))["text"] == "wss://localhost/"

    run(main())


def test_missing_slash_is_answered_with_a_redirect(app: Erlen, client: ErlenClient) -> None:
    echo(app, "/rooms/")
    response = rejection(client, "/rooms")
    assert response.status_code == 308
    assert response.location == "ws://localhost/rooms/"


# Pages and WebSockets


TEXT_426 = "This address speaks WebSocket. Connect to it with a WebSocket client."
TEXT_426_WSGI = (
    "This address speaks WebSocket, and the application is served over WSGI, which has none. Serve it over ASGI: "
    "&#39;granian --interface asgi module:app&#39;, &#39;uvicorn module:app&#39; or &#39;hypercorn asgi:module:app&#39;."
)


@BOTH
@pytest.mark.parametrize("upgrades", [False, True])
def test_request_for_a_websocket_is_answered_426(
    app: Erlen, client: ErlenClient, protocol: str, upgrades: bool
) -> None:
    echo(app, "/<int:room>")
    headers = {"Connection": "Upgrade", "Upgrade": "websocket"} if upgrades else {}
    response = client.get("/1", headers=headers)
    assert response.status == "426 UPGRADE REQUIRED"
    assert (TEXT_426_WSGI if protocol == "wsgi" else TEXT_426) in response.text
    # RFC 9110, section 15.5.22; PEP 3333 keeps an application from sending it.
    assert response.headers.get("Upgrade") == (None if protocol == "wsgi" else "websocket")


@BOTH
def test_upgrade_required_has_its_error_handler(app: Erlen, client: ErlenClient) -> None:
    echo(app)

    @app.errorhandler(UpgradeRequired)
    def explain(error: UpgradeRequired) -> t.Any:
        return f"explained {error.code}", 426

    assert client.get("/").text == "explained 426"


def test_answer_426_has_no_upgrade_header_over_http_2(app: Erlen) -> None:
    """RFC 9113, section 8.2.2: a header of one connection makes the whole response malformed."""
    echo(app)

    async def main() -> None:
        async with Peer(app, get("/", http_version="2")) as peer:
            start = await peer.take("http.response.start")
            assert start["status"] == 426
            assert b"upgrade" not in dict(start["headers"])

    run(main())


@BOTH
def test_other_methods_on_a_websocket(app: Erlen, client: ErlenClient) -> None:
    echo(app)
    assert client.head("/").status_code == 426
    assert client.post("/").status_code in {405, 426}
    assert client.options("/").status_code in {405, 426}


@BOTH
def test_page_and_websocket_share_a_path(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/<name>", "page", lambda name: f"page {name}")

    @app.websocket("/<name>")
    async def chat(name: str) -> None:
        await websocket.send(f"socket {name}")

    assert client.get("/a").text == "page a"
    with client.websocket("/a") as socket:
        assert socket.receive() == "socket a"
    assert client.get("/a").text == "page a"


@BOTH
def test_pages_of_an_application_with_websockets_are_found(app: Erlen, client: ErlenClient) -> None:
    echo(app, "/rooms/<int:room>")
    app.add_url_rule("/pages/<name>", "page", lambda name: name, methods=["GET", "POST"])
    assert client.get("/pages/a").text == "a"
    assert client.post("/pages/a").text == "a"
    assert client.get("/rooms/1").status_code == 426
    assert client.get("/nowhere").status_code == 404


@pytest.mark.parametrize("has_others", [True, False])
def test_websocket_to_a_page_is_rejected(app: Erlen, client: ErlenClient, has_others: bool) -> None:
    app.add_url_rule("/", "page", lambda: "page")
    if has_others:
        echo(app, "/echo")
    assert rejection(client).status_code == 400


def test_websocket_to_an_unknown_path_is_rejected(app: Erlen, client: ErlenClient, told: list[t.Any]) -> None:
    echo(app)

    @app.errorhandler(404)
    async def not_found(error: HTTPException) -> t.Any:
        return f"nothing at {request.path}", 404, {"X-Handled": "yes"}

    response = rejection(client, "/nowhere")
    assert (response.status_code, response.text) == (404, "nothing at /nowhere")
    assert response.headers["X-Handled"] == "yes"
    assert told == ONCE


@BOTH
def test_foreign_rule_keeps_flask_s_behaviour(app: Erlen, client: ErlenClient) -> None:
    """Extensions for other servers register plain views with ``websocket=True`` and take the socket of the environ."""

    def foreign() -> str:
        return f"{request.environ.get('HTTP_UPGRADE')} {has_request_context()}"

    app.add_url_rule("/", "foreign", foreign, websocket=True)
    assert client.get("/").status_code == 400
    response = client.get("/", headers={"Connection": "Upgrade", "Upgrade": "websocket"})
    assert (response.status_code, response.text) == (200, "websocket True")
    rejected = rejection(client)
    assert (rejected.status_code, rejected.text) == (200, "websocket True")


# The handshake


def test_accept_is_called_by_the_first_receive_or_send(app: Erlen) -> None:
    @app.websocket("/receive")
    async def receive() -> None:
        await websocket.receive()

    @app.websocket("/send")
    async def send() -> None:
        await websocket.send("text")

    async def main() -> None:
        async with Peer(app, handshake("/receive"), connect()) as peer:
            accepted = await peer.take("websocket.accept")
            assert accepted == {"type": "websocket.accept", "subprotocol": None, "headers": []}
            peer.give(disconnect())
        async with Peer(app, handshake("/send"), connect()) as peer:
            await peer.take("websocket.accept")
            assert await peer.take("websocket.send") == {
                "type": "websocket.send",
                "text": "text",
                "bytes": None,
            }
            assert await peer.take("websocket.close") == {
                "type": "websocket.close",
                "code": 1000,
                "reason": "",
            }

    run(main())


def test_accept_has_subprotocol_and_headers(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.accept(websocket.subprotocols[-1], {"X-One": "1", "X-Two": "ü"})

    with client.websocket("/", subprotocols=["v1", "v2"]) as socket:
        assert socket.subprotocol == "v2"
        assert (socket.headers["X-One"], socket.headers["X-Two"]) == ("1", "ü")


def test_headers_of_accept_may_be_pairs(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.accept(headers=[("X-A", "1"), ("X-A", "2")])

    with client.websocket("/") as socket:
        assert socket.headers.getlist("X-A") == ["1", "2"]
        assert socket.subprotocol is None


@pytest.mark.parametrize(
    ("offered", "said"), [([], "it offers none"), (["v1", "v2"], "it offers 'v1', 'v2'")]
)
def test_subprotocol_that_is_not_offered_is_refused(
    app: Erlen, client: ErlenClient, offered: list[str], said: str
) -> None:
    errors: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        try:
            await websocket.accept("v3")
        except ValueError as error:
            errors.append(str(error))
        await websocket.send("accepted without")

    with client.websocket("/", subprotocols=offered) as socket:
        assert socket.receive() == "accepted without"
    assert errors == [
        (
            f"The client does not offer the subprotocol 'v3'; {said}. Choose one of 'websocket.subprotocols', or accept "
            f"without."
        )
    ]


@pytest.mark.parametrize("pair", [(b"x-a", b"b"), ("x-a", b"b"), (b"x-a", "b"), ("x-a",), 7, "x-a"])
def test_header_of_accept_that_is_no_pair_of_text_says_what_to_write(
    app: Erlen, client: ErlenClient, pair: t.Any
) -> None:
    raised: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        try:
            await websocket.accept(headers=[pair])
        except TypeError as error:
            raised.append(str(error))
        await websocket.accept(headers={"X-A": "b"})

    with client.websocket("/") as socket:
        assert socket.headers["X-A"] == "b"
    (message,) = raised
    assert message == (
        f"A header of 'accept' is {pair!r}, not a pair of a name and a value, both str: write "
        f"headers={{'X-Name': 'value'}}, or headers=[('X-Name', 'value')]."
    )


def test_subprotocol_is_no_header(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.accept(headers={"Sec-WebSocket-Protocol": "v1"})

    with (
        pytest.raises(ValueError, match="is no header of 'accept': pass it as 'subprotocol'"),
        client.websocket("/"),
    ):
        pass


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: x=1", "a\nb", "🦉"])
def test_header_that_cannot_be_sent_is_an_error_before_the_acceptance(
    app: Erlen, client: ErlenClient, value: str
) -> None:
    states: list[bool] = []

    @app.websocket("/")
    async def index() -> None:
        try:
            await websocket.accept(headers={"X-Header": value})
        except ValueError:
            states.append(websocket.is_accepted)
            raise

    with pytest.raises(ValueError, match=r"newline|X-Header"), client.websocket("/"):
        pass
    assert states == [False]
    without_propagation(app)
    assert rejection(client).status_code == 500


@pytest.mark.parametrize("first", ["accept", "receive", "send"])
def test_accept_is_called_once(app: Erlen, client: ErlenClient, first: str) -> None:
    errors: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        await (websocket.send("text") if first == "send" else getattr(websocket, first)())
        try:
            await websocket.accept()
        except RuntimeError as error:
            errors.append(str(error))

    with client.websocket("/") as socket:
        socket.send("text")
    assert errors == [
        (
            "This WebSocket was accepted already: by 'accept', or by the first 'receive' or 'send'. Call 'accept' once, before "
            "them."
        )
    ]


def test_two_tasks_that_begin_at_once_accept_once(app: Erlen, client: ErlenClient) -> None:
    hooks: list[int] = []

    # Plain, so that the acceptance waits for a thread.
    @app.after_request
    def after(response: Response) -> Response:
        hooks.append(response.status_code)
        return response

    @app.websocket("/")
    async def index() -> None:
        async with asyncio.TaskGroup() as group:
            received = group.create_task(websocket.receive_text())
            group.create_task(websocket.send("sent"))
        await websocket.send(f"received {received.result()}")

    with client.websocket("/") as socket:
        socket.send("text")
        assert [socket.receive(), socket.receive()] == ["sent", "received text"]
    assert hooks == [101]


def test_acceptance_that_failed_can_be_tried_again(app: Erlen, client: ErlenClient) -> None:
    calls: list[int] = []

    @app.after_request
    async def fails_once(response: Response) -> Response:
        calls.append(response.status_code)
        if len(calls) == 1:
            raise LookupError("planned")
        return response

    @app.websocket("/")
    async def index() -> None:
        with pytest.raises(LookupError):
            await websocket.accept()
        await websocket.send("accepted")

    with client.websocket("/") as socket:
        assert socket.receive() == "accepted"
    assert calls == [101, 101]


def test_request_of_the_handshake_is_there(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/<name>")
    async def index(name: str) -> None:
        await websocket.accept()
        await websocket.send_json(
            [
                request.method,
                request.path,
                request.args["q"],
                request.headers["X-Mine"],
                request.remote_addr,
                request.get_data(as_text=True),
                current_app.name,
            ]
        )

    with client.websocket("/a?q=1", headers={"X-Mine": "yes"}) as socket:
        assert socket.receive_json() == ["GET", "/a", "1", "yes", "127.0.0.1", "", "erlen_test"]


@pytest.mark.parametrize("header", [("content-length", "5"), ("transfer-encoding", "chunked")])
def test_handshake_has_no_body_whatever_its_headers_say(app: Erlen, header: tuple[str, str]) -> None:
    """The messages belong to the WebSocket: a hook that looks at the body must not take one, or wait for it."""

    @app.before_request
    def look() -> None:
        g.form, g.data = dict(request.form), request.get_data()

    echo(app)

    async def main() -> None:
        async with Peer(app, handshake("/", header), connect(), text("first")) as peer:
            await peer.take("websocket.accept")
            assert (await peer.take("websocket.send"))["text"] == "first"
            peer.give(disconnect())

    run(main())


def test_hooks_run_around_the_handshake_and_teardown_after_the_socket(
    app: Erlen, client: ErlenClient
) -> None:
    log: list[str] = []
    app.url_value_preprocessor(lambda endpoint, values: log.append(f"values of {endpoint}"))

    @app.before_request
    def before() -> None:
        log.append("before")

    @app.before_request
    async def before_async() -> None:
        log.append("before async")

    @app.after_request
    def after(response: Response) -> Response:
        log.append(f"after {response.status_code}")
        response.headers["X-After"] = "yes"
        return response

    @app.teardown_request
    async def teardown(exc: BaseException | None) -> None:
        log.append(f"teardown {exc}")

    @app.websocket("/")
    async def index() -> None:
        log.append("handler")

        @after_this_request
        async def after_this(response: Response) -> Response:
            log.append("after this")
            return response

        await websocket.accept()
        log.append("accepted")
        await websocket.receive()
        log.append("received")

    with client.websocket("/") as socket:
        assert socket.headers["X-After"] == "yes"
        assert "Content-Type" not in socket.headers
        socket.send("text")
    assert log == [
        "values of index",
        "before",
        "before async",
        "handler",
        "after this",
        "after 101",
        "accepted",
        "received",
        "teardown None",
    ]


def test_request_started_is_sent_once(app: Erlen, client: ErlenClient) -> None:
    started: list[t.Any] = []
    echo(app)

    def note(sender: Erlen, **values: t.Any) -> None:
        started.append((sender, request.path))

    with request_started.connected_to(note, app), client.websocket("/") as socket:
        socket.send("a")
        socket.receive()
    assert started == [(app, "/")]


@pytest.mark.parametrize("kind", ["plain", "async", "raises"])
def test_hook_that_answers_rejects(app: Erlen, client: ErlenClient, told: list[t.Any], kind: str) -> None:
    handled: list[str] = []

    def refuse() -> t.Any:
        if kind == "raises":
            abort(403, "members only")
        return {"error": "members only"}, 403, {"X-Why": "hook"}

    async def refuse_async() -> t.Any:
        return refuse()

    app.before_request(refuse_async if kind == "async" else refuse)

    @app.after_request
    def after(response: Response) -> Response:
        response.headers["X-After"] = str(response.status_code)
        return response

    @app.websocket("/")
    async def index() -> None:
        handled.append("handler")

    response = rejection(client)
    assert response.status_code == 403
    assert "members only" in response.text
    assert response.headers["X-After"] == "403"
    if kind != "raises":
        assert response.json == {"error": "members only"}
        assert response.headers["X-Why"] == "hook"
    assert handled == []
    assert told == ONCE


@pytest.mark.parametrize("how", ["returns", "aborts", "raises"])
def test_handler_rejects_with_an_ordinary_response(
    app: Erlen, client: ErlenClient, told: list[t.Any], how: str
) -> None:
    class Mine(Exception):
        pass

    @app.errorhandler(Mine)
    def handle(error: Mine) -> t.Any:
        return "mine", 409

    @app.websocket("/")
    async def index() -> t.Any:
        if how == "aborts":
            abort(409)
        if how == "raises":
            raise Mine
        return "not now", 409

    assert rejection(client).status_code == 409
    assert told == ONCE


def test_rejection_is_a_whole_response(app: Erlen) -> None:
    app.add_url_rule("/page", "page", lambda: "page")

    @app.websocket("/")
    async def index() -> t.Any:
        return "no", 401, {"WWW-Authenticate": "Basic"}

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            start = await peer.take("websocket.http.response.start")
            assert start["status"] == 401
            headers = dict(start["headers"])
            assert headers[b"www-authenticate"] == b"Basic"
            assert headers[b"content-length"] == b"2"
            # Those of the safe profile.
            assert headers[b"x-content-type-options"] == b"nosniff"
            assert await peer.take("websocket.http.response.body") == {
                "type": "websocket.http.response.body",
                "body": b"no",
            }

    run(main())


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_rejection_may_stream(app: Erlen, client: ErlenClient, told: list[t.Any], kind: str) -> None:
    log: list[str] = []

    def plain() -> t.Iterator[str]:
        yield f"a {request.path}"
        yield " b"
        log.append(f"end, {len(told)} torn down")

    async def pieces() -> t.AsyncIterator[str]:
        for piece in plain():
            yield piece

    @app.websocket("/")
    async def index() -> t.Any:
        stream: t.Any = stream_with_context(plain()) if kind == "plain" else stream_with_context(pieces())
        return stream, 403

    response = rejection(client)
    assert (response.status_code, response.text) == (403, "a / b")
    assert log == ["end, 0 torn down"]
    assert told == ONCE


@pytest.mark.parametrize("kind", ["generator", "async generator", "file", "lines", "whole"])
def test_rejection_is_sent_in_one_piece(app: Erlen, kind: str) -> None:
    """Servers that take no more of it fail where a second piece comes, or one without a key ``body``."""

    async def pieces() -> t.AsyncIterator[str]:
        yield "[1"
        yield "]\n"

    def answer() -> t.Any:
        match kind:
            case "generator":
                return iter(["[1", "]", "", "\n"]), 403
            case "async generator":
                return pieces(), 403
            case "file":
                return send_file(io.BytesIO(b"[1]\n"), "text/plain"), 403
            case "lines":
                return JSONLines([[1]]), 403
            case _:
                return "[1]\n", 403

    @app.websocket("/")
    async def index() -> t.Any:
        return answer()

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            start = await peer.take("websocket.http.response.start")
            assert start["status"] == 403
            assert [value for name, value in start["headers"] if name == b"content-length"] == [b"4"]
            body = await peer.take("websocket.http.response.body")
            assert body == {"type": "websocket.http.response.body", "body": b"[1]\n"}
            await peer.over()
            assert peer.rest() == []

    run(main())


def test_rejection_without_an_end_is_an_error_before_anything_is_sent(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    without_propagation(app)
    log: list[str] = []

    def pieces() -> t.Iterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            log.append("closed")

    @app.websocket("/endless")
    async def index() -> t.Any:
        return pieces(), 403

    assert rejection(client, "/endless").status_code == 500
    assert log == ["closed"]
    assert (
        "The response that rejects the WebSocket '/endless' has more than 1048576 bytes. Servers send such a response as "
        "a whole, and browsers do not show it: return a short text with a status, as in 'return \"not for you\", 403'."
    ) in caplog.text


def test_rejection_whose_stream_fails_is_answered_500(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    without_propagation(app)

    async def pieces() -> t.AsyncIterator[str]:
        yield "a"
        raise ZeroDivisionError

    @app.websocket("/")
    async def index() -> t.Any:
        return pieces(), 403

    assert rejection(client).status_code == 500
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("event", ["start", "body"])
@pytest.mark.parametrize(("error", "logged"), [(OSError("gone"), 0), (KeyError("body"), 1)])
def test_rejection_that_the_server_cannot_send_is_not_answered_again(
    app: Erlen, caplog: pytest.LogCaptureFixture, event: str, error: Exception, logged: int
) -> None:
    processed: list[int] = []
    sent: list[str] = []

    @app.after_request
    def after(response: Response) -> Response:
        processed.append(response.status_code)
        return response

    @app.websocket("/")
    async def index() -> t.Any:
        return "no", 403

    async def send(message: Message) -> None:
        sent.append(message["type"].rpartition(".")[2])
        if sent[-1] == event:
            raise error

    async def main() -> None:
        messages = [connect()]

        async def receive() -> Message:
            return messages.pop() if messages else await asyncio.Future()

        await app.asgi(handshake(), receive, send)

    run(main())
    assert sent == ["start", "body"][: 1 if event == "start" else 2]
    assert processed == [403]
    said = "The server could not send the response that rejects a WebSocket"
    assert [record.getMessage() for record in caplog.records] == [said] * logged


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_server_that_cannot_send_a_rejection_closes(app: Erlen, told: list[t.Any], kind: str) -> None:
    """The response is closed all the same, and with it what a stream keeps."""
    closed: list[str] = []

    def plain() -> t.Iterator[str]:
        yield "no"

    async def pieces() -> t.AsyncIterator[str]:
        yield "no"

    @app.websocket("/")
    async def index() -> t.Any:
        stream: t.Any = stream_with_context(plain()) if kind == "plain" else stream_with_context(pieces())
        response = Response(stream, 401)
        response.call_on_close(lambda: closed.append("closed"))
        # Kept: nothing here may depend on the garbage collector.
        kept.append(response)
        return response

    kept: list[Response] = []

    without: tuple[t.Any, ...] = ({}, None, {"tls": {}})

    async def main() -> None:
        for extensions in without:
            async with Peer(app, handshake(extensions=extensions), connect()) as peer:
                assert (await peer.take("websocket.close"))["code"] == 1008

    run(main())
    assert closed == ["closed"] * 3
    assert told == ONCE * 3


def test_handler_that_does_nothing_rejects(app: Erlen, client: ErlenClient, told: list[t.Any]) -> None:
    @app.websocket("/")
    async def index() -> None:
        """Neither accept nor answer."""

    assert rejection(client).status_code == 403
    assert told == ONCE


def test_close_before_the_acceptance_rejects(app: Erlen, client: ErlenClient) -> None:
    after: list[t.Any] = []

    @app.websocket("/")
    async def index() -> None:
        await websocket.close(4003, "no")
        for call in (websocket.accept, websocket.receive, partial(websocket.send, "text")):
            with pytest.raises(RuntimeError, match="closed by its handler, with the code 4003"):
                await t.cast(t.Any, call)()
        after.append(websocket.is_accepted)

    assert rejection(client).status_code == 403
    assert after == [False]


def test_error_after_a_close_before_the_acceptance_is_logged(
    app: Erlen, client: ErlenClient, told: list[t.Any], caplog: pytest.LogCaptureFixture
) -> None:
    without_propagation(app)

    @app.websocket("/")
    async def index() -> None:
        await websocket.close()
        raise ZeroDivisionError("planned")

    assert rejection(client).status_code == 403
    assert [record.getMessage() for record in caplog.records] == ["Exception on / [GET]"]
    assert [name for name, _ in told] == ["request", "appcontext"]


# Errors


def test_error_before_the_acceptance_is_answered_500(
    app: Erlen, client: ErlenClient, told: list[t.Any], caplog: pytest.LogCaptureFixture
) -> None:
    without_propagation(app)

    @app.errorhandler(500)
    async def explain(error: t.Any) -> t.Any:
        return f"explained {error.original_exception!r}", 500

    @app.websocket("/")
    async def index() -> None:
        raise ZeroDivisionError("planned")

    response = rejection(client)
    assert (response.status_code, response.text) == (500, "explained ZeroDivisionError('planned')")
    [record] = caplog.records
    assert record.getMessage() == "Exception on / [GET]"
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    assert [(name, type(error)) for name, error in told] == [
        ("request", ZeroDivisionError),
        ("appcontext", ZeroDivisionError),
    ]


def test_error_after_the_acceptance_closes_with_1011(
    app: Erlen, client: ErlenClient, told: list[t.Any], caplog: pytest.LogCaptureFixture
) -> None:
    without_propagation(app)
    signalled: list[t.Any] = []

    def note(sender: Erlen, exception: BaseException) -> None:
        signalled.append(exception)

    @app.errorhandler(ZeroDivisionError)
    def never(error: ZeroDivisionError) -> t.Any:
        raise AssertionError("there is no response any more")

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        raise ZeroDivisionError("planned")

    with got_request_exception.connected_to(note, app), client.websocket("/") as socket:
        with pytest.raises(WebSocketDisconnected) as caught:
            socket.receive()
        assert (caught.value.code, caught.value.reason) == (1011, "Internal Server Error")
    [record] = caplog.records
    assert record.getMessage() == "Exception on / [GET]"
    assert [type(error) for error in signalled] == [ZeroDivisionError]
    assert [type(error) for _, error in told] == [ZeroDivisionError, ZeroDivisionError]


def test_error_reaches_the_test(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.receive()
        raise ZeroDivisionError("planned")

    with pytest.raises(ZeroDivisionError, match="planned"), client.websocket("/") as socket:
        socket.send("text")
        socket.receive()


def test_error_that_the_test_has_caught_is_not_raised_again(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.receive()
        raise ZeroDivisionError("planned")

    with client.websocket("/") as socket:
        socket.send("text")
        with pytest.raises(ZeroDivisionError, match="planned"):
            socket.receive()
    assert socket.close_code == 1011


@pytest.mark.parametrize(
    ("error", "code", "reason", "logged"),
    [
        (ImATeapot(), 1008, "I'm a teapot", 0),
        (WebSocketError(4100, "mine"), 4100, "mine", 0),
        (UpgradeRequired(), 1008, "Upgrade Required", 0),
    ],
)
def test_error_for_the_client_closes_with_its_code(
    app: Erlen,
    client: ErlenClient,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    code: int,
    reason: str,
    logged: int,
) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        raise error

    with client.websocket("/") as socket, pytest.raises(WebSocketDisconnected) as caught:
        socket.receive()
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert len(caplog.records) == logged


def test_server_error_raised_on_purpose_closes_with_1011(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    without_propagation(app)

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        abort(503)

    with client.websocket("/") as socket, pytest.raises(WebSocketDisconnected, match="1011"):
        socket.receive()
    assert len(caplog.records) == 1


def test_value_returned_after_the_acceptance_is_an_error(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> t.Any:
        await websocket.accept()
        return "too late"

    with pytest.raises(TypeError) as caught, client.websocket("/") as socket:
        socket.receive()
    assert str(caught.value) == (
        "The handler of the WebSocket 'index' returned 'too late' after the WebSocket was accepted, and there is no "
        "response any more. Send it with 'await websocket.send(...)'; what a handler returns before that rejects the "
        "WebSocket."
    )


def test_error_in_an_after_request_hook_fails_the_handshake(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    without_propagation(app)

    @app.after_request
    def fails(response: Response) -> Response:
        raise LookupError("planned")

    echo(app)
    assert rejection(client).status_code == 500
    assert [record.getMessage() for record in caplog.records] == [
        "Exception on / [GET]",
        "A hook raised while the response of an error handler was finished.",
    ]


def test_error_in_a_teardown_function_reaches_the_server_and_harms_no_other(
    app: Erlen, client: ErlenClient
) -> None:
    fails = [True]

    @app.teardown_request
    def teardown(exc: BaseException | None) -> None:
        if fails.pop():
            fails.append(False)
            raise LookupError("planned")
        fails.append(False)

    echo(app)
    with pytest.raises(LookupError, match="planned"), client.websocket("/") as socket:
        socket.send("a")
        socket.receive()
    with client.websocket("/") as socket:
        socket.send("b")
        assert socket.receive() == "b"


def test_group_of_closes_is_no_error(
    app: Erlen, client: ErlenClient, told: list[t.Any], caplog: pytest.LogCaptureFixture
) -> None:
    """What tasks of a group meet when the client goes away is not the handler's fault."""
    without_propagation(app)

    @app.websocket("/")
    async def index() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(websocket.receive_text())
            group.create_task(websocket.receive_text())

    with client.websocket("/") as socket:
        socket.close(4000)
    assert caplog.records == []
    assert told == ONCE


def test_error_beside_a_close_in_a_group_is_logged(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    without_propagation(app)

    async def fail() -> None:
        try:
            await websocket.receive()
        except WebSocketDisconnected:
            raise ZeroDivisionError("planned") from None

    @app.websocket("/")
    async def index() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(websocket.receive_text())
            group.create_task(fail())

    with client.websocket("/") as socket:
        socket.close()
    assert [record.getMessage() for record in caplog.records] == ["Exception on / [GET]"]


# Closing


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1011, 1012, 1013, 1014, 3000, 4999]
)
def test_close_has_code_and_reason(app: Erlen, client: ErlenClient, code: int) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await websocket.close(code, "größe")

    with client.websocket("/") as socket:
        with pytest.raises(WebSocketDisconnected) as caught:
            socket.receive()
        assert (caught.value.code, caught.value.reason) == (code, "größe")
        assert str(caught.value) == f"{code} größe"
    assert (socket.close_code, socket.close_reason) == (code, "größe")


@pytest.mark.parametrize("code", [0, -1, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65536])
def test_code_that_cannot_be_sent_is_refused(app: Erlen, client: ErlenClient, code: int) -> None:
    """RFC 6455, section 7.4: servers raise on these, or break the connection."""
    errors: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        try:
            await websocket.close(code)
        except ValueError as error:
            errors.append(str(error))
        await websocket.send(f"{websocket.close_code}")

    with client.websocket("/") as socket:
        assert socket.receive() == "None"
    assert errors == [
        (
            f"A WebSocket cannot be closed with the code {code} (RFC 6455, section 7.4). Use 1000, or a code of your own from "
            f"4000 to 4999."
        )
    ]


def test_reason_is_measured_in_bytes(app: Erlen, client: ErlenClient) -> None:
    errors: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        try:
            await websocket.close(1000, "ü" * 62)
        except ValueError as error:
            errors.append(str(error))
        await websocket.close(1000, "ü" * 61)

    with client.websocket("/") as socket:
        with pytest.raises(WebSocketDisconnected):
            socket.receive()
        assert socket.close_reason == "ü" * 61
    assert errors == ["The reason of a close has at most 123 bytes; this one has 124."]


def test_closing_again_does_nothing(app: Erlen) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await websocket.close(4001)
        await websocket.close(4002)

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            assert (await peer.take("websocket.close"))["code"] == 4001
        assert peer.rest() == []

    run(main())


@pytest.mark.parametrize("call", ["send", "send_json", "receive", "accept"])
def test_call_after_the_close_says_who_closed(app: Erlen, client: ErlenClient, call: str) -> None:
    errors: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await websocket.close(4000)
        try:
            await getattr(websocket, call)(*(["text"] if "send" in call else []))
        except RuntimeError as error:
            errors.append(str(error))

    with client.websocket("/"):
        pass
    if call == "accept":
        assert "accepted already" in errors[0]
    else:
        assert errors == [
            (
                "This WebSocket was closed by its handler, with the code 4000, so nothing more can be received or sent. Return "
                "after 'close', or look at 'websocket.close_code' first."
            )
        ]


def test_send_after_the_close_that_nobody_catches_is_logged(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    without_propagation(app)

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await websocket.close(4000)
        await websocket.send("too late")

    with client.websocket("/") as socket, pytest.raises(WebSocketDisconnected, match="4000"):
        socket.receive()
    [record] = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is RuntimeError


def test_loop_over_messages_ends_when_another_task_closes(app: Erlen, client: ErlenClient) -> None:
    received: list[str | bytes] = []

    @app.websocket("/")
    async def index() -> None:
        async def read() -> None:
            async for message in websocket:
                received.append(message)
                has_come.set()

        has_come = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            await has_come.wait()
            await websocket.close(4000, "enough")

    with client.websocket("/") as socket:
        socket.send("text")
        with pytest.raises(WebSocketDisconnected, match="4000 enough"):
            socket.receive()
    assert received == ["text"]


def test_messages_before_the_close_of_the_client_are_received(app: Erlen, client: ErlenClient) -> None:
    received: list[t.Any] = []

    @app.websocket("/")
    async def index() -> None:
        await websocket.receive()
        received.extend([message async for message in websocket])
        received.append((websocket.close_code, websocket.close_reason))

    with client.websocket("/") as socket:
        for number in range(5):
            socket.send(str(number))
        socket.close(4000, "bye")
    assert received == ["1", "2", "3", "4", (4000, "bye")]


@pytest.mark.parametrize("code", [1000, 1005, 1006, 4000, None])
@pytest.mark.parametrize("catches", [True, False])
def test_close_of_the_client_ends_the_handler(
    app: Erlen, told: list[t.Any], caplog: pytest.LogCaptureFixture, code: int | None, catches: bool
) -> None:
    caught: list[t.Any] = []

    @app.websocket("/")
    async def index() -> None:
        try:
            await websocket.receive()
        except WebSocketDisconnected as error:
            caught.append((error.code, error.reason))
            if not catches:
                raise
        with pytest.raises(WebSocketDisconnected):
            await websocket.send("nobody is there")
        with pytest.raises(WebSocketDisconnected):
            await websocket.receive()

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            peer.give(disconnect(code, "bye"))
        # Servers take no close for a WebSocket that is closed.
        assert peer.rest() == []

    run(main())
    assert caught == [(code or 1005, "bye")]
    assert told == ONCE
    assert caplog.records == []


# Sessions


def with_session(app: Erlen) -> None:
    app.secret_key = "a key for tests"

    @app.get("/name")
    def name() -> t.Any:
        return session.get("name", "nobody")


def test_session_is_read(app: Erlen, client: ErlenClient) -> None:
    with_session(app)

    @app.websocket("/")
    async def index() -> None:
        await websocket.send(session["name"])

    with client.session_transaction() as opened:
        opened["name"] = "Ada"
    with client.websocket("/") as socket:
        assert socket.receive() == "Ada"
        assert "Set-Cookie" not in socket.headers


@pytest.mark.parametrize("step", ["hook", "handler", "after this request"])
def test_session_changed_before_the_acceptance_is_saved_with_it(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    with_session(app)

    @app.before_request
    def hook() -> None:
        if step == "hook" and request.path == "/":
            session["name"] = step

    @app.websocket("/")
    async def index() -> None:
        if step == "handler":
            session["name"] = step
        if step == "after this request":

            @after_this_request
            def change(response: Response) -> Response:
                session["name"] = step
                return response

        await websocket.accept()
        await websocket.receive()

    with client.websocket("/") as socket:
        assert socket.headers["Set-Cookie"].startswith("session=")
        assert socket.headers["Vary"] == "Cookie"
        # While the WebSocket is open.
        assert client.get("/name").text == step
        socket.send("end")
    assert caplog.records == []


def test_session_changed_after_the_acceptance_is_lost_with_a_warning(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    with_session(app)

    @app.websocket("/rooms/<name>")
    async def index(name: str) -> None:
        session["name"] = "first"
        await websocket.accept()
        session["name"] = "second"

    with client.websocket("/rooms/a") as socket:
        socket.close()
    assert client.get("/name").text == "first"
    [record] = caplog.records
    assert (record.levelname, record.getMessage()) == (
        "WARNING",
        (
            "The session was changed after the WebSocket /rooms/a had been accepted. Its cookie was sent with the acceptance, "
            "so the change is lost. Change it before 'await websocket.accept()', or store sessions on the server."
        ),
    )


def test_path_in_a_log_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    app = Erlen("erlen_test", profile="flask", static_folder=None)
    with_session(app)

    @app.websocket("/<name>")
    async def index(name: str) -> None:
        await websocket.accept()
        session["name"] = name

    with app.test_client().websocket("/a%0aERROR%20forged") as socket:
        socket.close()
    [record] = caplog.records
    assert "\n" not in record.getMessage()


def test_session_of_a_rejection_is_saved(app: Erlen, client: ErlenClient) -> None:
    with_session(app)

    @app.websocket("/")
    async def index() -> t.Any:
        session["name"] = "rejected"
        return "no", 403

    rejection(client)
    assert client.get("/name").text == "rejected"


def test_flashed_message_is_kept_for_the_next_page(app: Erlen, client: ErlenClient) -> None:
    with_session(app)

    @app.websocket("/")
    async def index() -> None:
        flash("hello")
        await websocket.accept()

    with client.websocket("/") as socket:
        socket.close()
    with client.session_transaction() as opened:
        assert opened["_flashes"] == [("message", "hello")]


class StoredSessions(SessionInterface):
    """Sessions in a dict of the process."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, t.Any]] = {}
        self.saved = 0

    async def open_session(self, app: t.Any, request: t.Any) -> t.Any:  # type: ignore[override]
        await asyncio.sleep(0)
        return SecureCookieSession(self.stored.get("one", {}))

    async def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        if session.modified:
            self.saved += 1
            self.stored["one"] = dict(session)
            response.set_cookie("session", "one")


def test_stored_session_changed_after_the_acceptance_is_saved(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    app.session_interface = interface = StoredSessions()

    @app.websocket("/<int:changes>")
    async def index(changes: int) -> None:
        session["name"] = "first"
        await websocket.accept()
        if changes:
            session["name"] = "second"

    with client.websocket("/1") as socket:
        assert socket.headers["Set-Cookie"].startswith("session=one")
    assert interface.stored == {"one": {"name": "second"}}
    assert interface.saved == 2
    with client.websocket("/0"):
        pass
    assert interface.saved == 3
    assert caplog.records == []


def test_stored_session_is_saved_when_the_handler_fails(app: Erlen, client: ErlenClient) -> None:
    app.session_interface = interface = StoredSessions()

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        session["name"] = "before the failure"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), client.websocket("/") as socket:
        socket.receive()
    assert interface.stored == {"one": {"name": "before the failure"}}


def test_stored_session_that_cannot_be_saved_at_the_end_does_not_keep_teardown_from_running(
    app: Erlen, client: ErlenClient, told: list[t.Any]
) -> None:
    class Failing(StoredSessions):
        async def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:  # type: ignore[override]
            if websocket.is_accepted:
                raise LookupError("planned")

    app.session_interface = Failing()

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        session["name"] = "changed"

    with pytest.raises(LookupError, match="planned"), client.websocket("/") as socket:
        socket.close()
    assert [name for name, _ in told] == ["request", "appcontext"]


# Pages of other origins


EVIL = {"Origin": "https://evil.example"}


@pytest.mark.parametrize(
    "headers",
    [
        EVIL,
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://localhost:8080"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://sub.localhost"},
    ],
)
def test_page_of_another_origin_is_refused(
    app: Erlen, client: ErlenClient, headers: dict[str, str], told: list[t.Any]
) -> None:
    """Cross-site WebSocket hijacking: browsers send cookies along with WebSockets from any page."""
    called: list[str] = []
    app.before_request(lambda: called.append("hook"))

    @app.websocket("/")
    async def index() -> None:
        called.append("handler")

    response = rejection(client, headers=headers)
    assert response.status_code == 403
    assert "TRUSTED_ORIGINS" in response.text
    assert called == []
    assert told == ONCE


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost:80"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://app.example"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_page_of_the_same_origin_is_let_in(app: Erlen, client: ErlenClient, headers: dict[str, str]) -> None:
    echo(app)
    with client.websocket("/", headers=headers) as socket:
        socket.send("a")
        assert socket.receive() == "a"


def test_page_of_a_trusted_origin_is_let_in(app: Erlen, client: ErlenClient) -> None:
    app.config["TRUSTED_ORIGINS"] = ["https://app.example"]
    echo(app)
    with client.websocket("/", headers={"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}):
        pass
    assert rejection(client, headers=EVIL).status_code == 403


@pytest.mark.parametrize("on_blueprint", [False, True])
def test_exempt_handler_lets_every_page_in(app: Erlen, client: ErlenClient, on_blueprint: bool) -> None:
    blueprint = Blueprint("part", "part", root_path=".")
    owner: Erlen | Blueprint = blueprint if on_blueprint else app

    @owner.websocket("/open")
    @cross_origin_exempt
    async def index() -> None:
        await websocket.accept()

    @owner.websocket("/closed")
    async def closed() -> None:
        await websocket.accept()

    if on_blueprint:
        app.register_blueprint(blueprint)
    with client.websocket("/open", headers=EVIL):
        pass
    assert rejection(client, "/closed", headers=EVIL).status_code == 403


def test_flask_s_profile_lets_every_page_in() -> None:
    app = Erlen("erlen_test", profile="flask")
    echo(app)
    with app.test_client().websocket("/", headers=EVIL):
        pass


def test_refused_page_has_its_error_handler(app: Erlen, client: ErlenClient) -> None:
    echo(app)
    app.register_error_handler(403, lambda error: ("explained", 403))
    assert rejection(client, headers=EVIL).text == "explained"


@pytest.mark.parametrize("host", ["evil.example", "a b", "localhost:99999"])
def test_host_is_checked_as_for_requests(app: Erlen, client: ErlenClient, host: str) -> None:
    app.config["TRUSTED_HOSTS"] = ["localhost"]
    echo(app)
    assert rejection(client, headers={"Host": host}).status_code == 400


# Replaced phases


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_replaced_phases_are_honoured(told: list[t.Any], kind: str) -> None:
    log: list[str] = []

    class Plain(Erlen):
        def preprocess_request(self) -> t.Any:
            log.append("preprocess")
            return super().preprocess_request()

        def dispatch_request(self) -> t.Any:
            log.append("dispatch")
            value = super().dispatch_request()
            log.append("dispatched")
            return value

        def process_response(self, response: t.Any) -> t.Any:
            log.append(f"process {response.status_code}")
            return super().process_response(response)

    class Async(Erlen):
        async def apreprocess_request(self) -> t.Any:
            log.append("preprocess")
            return await super().apreprocess_request()

        async def adispatch_request(self) -> t.Any:
            log.append("dispatch")
            value = await super().adispatch_request()
            log.append("dispatched")
            return value

        async def aprocess_response(self, response: t.Any) -> t.Any:
            log.append(f"process {response.status_code}")
            return await super().aprocess_response(response)

    app = (Plain if kind == "plain" else Async)("erlen_test")
    app.config["TESTING"] = True
    echo(app)
    with app.test_client().websocket("/") as socket:
        socket.send("a")
        assert socket.receive() == "a"
    assert log == ["preprocess", "dispatch", "process 101", "dispatched"]


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_replaced_teardown_is_honoured(kind: str) -> None:
    log: list[str] = []

    class Plain(Erlen):
        def do_teardown_request(self, *args: t.Any, **kwargs: t.Any) -> None:
            log.append("request")
            super().do_teardown_request(*args, **kwargs)

        def do_teardown_appcontext(self, *args: t.Any, **kwargs: t.Any) -> None:
            log.append("appcontext")
            super().do_teardown_appcontext(*args, **kwargs)

    class Async(Erlen):
        async def ado_teardown_request(self, *args: t.Any, **kwargs: t.Any) -> None:
            log.append("request")
            await super().ado_teardown_request(*args, **kwargs)

        async def ado_teardown_appcontext(self, *args: t.Any, **kwargs: t.Any) -> None:
            log.append("appcontext")
            await super().ado_teardown_appcontext(*args, **kwargs)

    app = (Plain if kind == "plain" else Async)("erlen_test")
    app.config["TESTING"] = True
    echo(app)
    with app.test_client().websocket("/") as socket:
        socket.send("a")
    assert log == ["request", "appcontext"]


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_replaced_phases_of_a_rejection_are_honoured(kind: str) -> None:
    log: list[str] = []

    class Plain(Erlen):
        def handle_user_exception(self, e: Exception) -> t.Any:
            log.append("user exception")
            return super().handle_user_exception(e)

        def handle_exception(self, e: Exception) -> t.Any:
            log.append("exception")
            return super().handle_exception(e)

        def finalize_request(self, rv: t.Any, from_error_handler: bool = False) -> t.Any:
            log.append(f"finalize {from_error_handler}")
            return super().finalize_request(rv, from_error_handler)

        def make_response(self, rv: t.Any) -> t.Any:
            log.append("make")
            return super().make_response(rv)

    class Async(Erlen):
        async def ahandle_user_exception(self, e: Exception) -> t.Any:
            log.append("user exception")
            return await super().ahandle_user_exception(e)

        async def ahandle_exception(self, e: Exception) -> t.Any:
            log.append("exception")
            return await super().ahandle_exception(e)

        async def afinalize_request(self, rv: t.Any, from_error_handler: bool = False) -> t.Any:
            log.append(f"finalize {from_error_handler}")
            return await super().afinalize_request(rv, from_error_handler)

        def make_response(self, rv: t.Any) -> t.Any:
            log.append("make")
            return super().make_response(rv)

    app = (Plain if kind == "plain" else Async)("erlen_test")

    @app.websocket("/<name>")
    async def index(name: str) -> t.Any:
        if name == "error":
            raise ZeroDivisionError
        abort(409)

    assert rejection(app.test_client(), "/abort").status_code == 409
    assert log == ["user exception", "finalize False", "make"]
    log.clear()
    assert rejection(app.test_client(), "/error").status_code == 500
    assert log == ["user exception", "exception", "finalize True", "make"]


def test_phase_assigned_on_the_instance_is_honoured(app: Erlen, client: ErlenClient) -> None:
    original = app.dispatch_request
    app.dispatch_request = lambda: ("stopped", 403)  # type: ignore[method-assign]
    echo(app)
    assert rejection(client).text == "stopped"
    app.dispatch_request = original  # type: ignore[method-assign]


def test_client_that_leaves_ends_a_replaced_dispatch(told: list[t.Any]) -> None:
    """The handler runs on the loop, and a worker thread waits for it: both end."""
    events: list[str] = []

    class Mine(Erlen):
        def dispatch_request(self) -> t.Any:
            try:
                return super().dispatch_request()
            finally:
                events.append("dispatched")

    app = Mine("erlen_test")

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            events.append("cancelled")
            raise

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            peer.give(disconnect())

    run(main())
    assert events == ["cancelled", "dispatched"]


def test_request_context_of_a_subclass_is_used(client: ErlenClient) -> None:
    made: list[str] = []

    class Mine(Erlen):
        def request_context(self, environ: t.Any) -> t.Any:
            made.append(environ["PATH_INFO"])
            return super().request_context(environ)

    app = Mine("erlen_test")
    app.config["TESTING"] = True

    @app.websocket("/<name>")
    async def index(name: str) -> None:
        assert request.scope is not None
        await websocket.send(f"{name} {request.scope['type']}")

    with app.test_client().websocket("/a") as socket:
        assert socket.receive() == "a websocket"
    assert made == ["/a"]


def test_request_class_of_a_subclass_is_used(app: Erlen, client: ErlenClient) -> None:
    class Mine(app.request_class):  # type: ignore[misc, name-defined]
        def __init__(self, environ: t.Any, *args: t.Any, **kwargs: t.Any) -> None:
            super().__init__(environ, *args, **kwargs)
            self.mine = environ["PATH_INFO"]

    app.request_class = Mine

    @app.websocket("/<name>")
    async def index(name: str) -> None:
        await websocket.send(t.cast(t.Any, request).mine)

    with client.websocket("/a") as socket:
        assert socket.receive() == "/a"


def behind(app: Erlen, make: t.Callable[[t.Any], t.Any]) -> None:
    """Put middleware around an application."""
    app.wsgi_app = make(app.wsgi_app)  # type: ignore[method-assign]


PROXIED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-For": "9.9.9.9",
    "X-Forwarded-Host": "public.example",
    "X-Forwarded-Prefix": "/shop",
}


def behind_a_proxy(app: Erlen) -> None:
    behind(app, lambda wsgi_app: ProxyFix(wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1))


@pytest.mark.parametrize("proto", ["https", "wss"])
def test_proxy_fix_is_honoured(app: Erlen, client: ErlenClient, proto: str) -> None:
    behind_a_proxy(app)
    app.secret_key = "a key"

    @app.websocket("/<name>")
    async def index(name: str) -> None:
        session["name"] = name
        await websocket.send_json(
            [
                request.url,
                url_for("index", name="b"),
                request.is_secure,
                request.remote_addr,
                request.is_websocket,
                request.headers["Host"],
            ]
        )

    with client.websocket("/a", headers=PROXIED | {"X-Forwarded-Proto": proto}) as socket:
        assert socket.receive_json() == [
            "wss://public.example/shop/a",
            "wss://public.example/shop/b",
            True,
            "9.9.9.9",
            True,
            "public.example",
        ]
        assert "Secure" in socket.headers["Set-Cookie"]


def test_without_the_headers_of_a_proxy_proxy_fix_changes_nothing(app: Erlen, client: ErlenClient) -> None:
    behind_a_proxy(app)

    @app.websocket("/")
    async def index() -> None:
        async for message in websocket:
            await websocket.send(f"{message!s} {request.url} {request.remote_addr} {request.is_secure}")

    with client.websocket("/") as socket:
        socket.send("a")
        assert socket.receive() == "a ws://localhost/ 127.0.0.1 False"


@pytest.mark.parametrize(
    ("origin", "is_own"), [("https://public.example", True), ("http://localhost", False)]
)
def test_origin_is_compared_with_the_host_that_proxy_fix_tells(
    app: Erlen, client: ErlenClient, origin: str, is_own: bool
) -> None:
    behind_a_proxy(app)
    echo(app)
    headers = PROXIED | {"Origin": origin}
    if not is_own:
        assert rejection(client, headers=headers).status_code == 403
        return
    with client.websocket("/", headers=headers) as socket:
        socket.send("a")
        assert socket.receive() == "a"


def test_middleware_sees_a_handshake_as_wsgi_spells_it(app: Erlen, client: ErlenClient) -> None:
    seen: list[t.Any] = []

    def make(wsgi_app: t.Any) -> t.Any:
        def middleware(environ: t.Any, start_response: t.Any) -> t.Any:
            seen.append(
                (environ["wsgi.url_scheme"], environ["HTTP_UPGRADE"], threading.current_thread().name)
            )
            variable.set("set by middleware")
            return wsgi_app(environ | {"mine": "passed on"}, start_response)

        return middleware

    variable: ContextVar[str] = ContextVar("variable")
    behind(app, validator)
    behind(app, make)

    @app.websocket("/")
    async def index() -> None:
        await websocket.send(f"{request.environ['mine']} {variable.get()} {request.scheme}")

    with client.websocket("/") as socket:
        assert socket.receive() == "passed on set by middleware ws"
    ((scheme, upgrade, thread),) = seen
    assert (scheme, upgrade) == ("http", "websocket")
    assert thread.startswith("erlen-worker")


@pytest.mark.parametrize("has_response", [True, False])
@pytest.mark.parametrize("kind", ["list", "generator"])
def test_middleware_that_answers_rejects(
    app: Erlen, told: list[t.Any], kind: str, has_response: bool
) -> None:
    closed: list[str] = []

    class Body:
        def __iter__(self) -> t.Iterator[bytes]:
            yield b"not "
            yield b"you"

        def close(self) -> None:
            closed.append("closed")

    def guard(environ: t.Any, start_response: t.Any) -> t.Any:
        start_response("401 UNAUTHORIZED", [("WWW-Authenticate", "Basic")])
        return [b"not ", b"you"] if kind == "list" else Body()

    behind(app, lambda wsgi_app: guard)
    echo(app)

    async def main() -> None:
        scope = handshake() if has_response else handshake(extensions={})
        async with Peer(app, scope, connect()) as peer:
            if not has_response:
                assert (await peer.take("websocket.close"))["code"] == 1008
                return
            start = await peer.take("websocket.http.response.start")
            assert (start["status"], start["headers"][0]) == (401, (b"www-authenticate", b"Basic"))
            assert (await peer.take("websocket.http.response.body"))["body"] == b"not you"

    run(main())
    assert closed == (["closed"] if kind == "generator" else [])
    assert told == []


def test_middleware_that_answers_in_place_of_the_application_rejects(app: Erlen, client: ErlenClient) -> None:
    def make(wsgi_app: t.Any) -> t.Any:
        def middleware(environ: t.Any, start_response: t.Any) -> t.Any:
            list(wsgi_app(environ, lambda *_: None))
            start_response("403 FORBIDDEN", [])
            return [b"on second thoughts"]

        return middleware

    behind(app, make)
    echo(app)
    response = rejection(client)
    assert (response.status_code, response.text) == (403, "on second thoughts")


def test_middleware_that_raises_reaches_the_server(app: Erlen, client: ErlenClient) -> None:
    def broken(environ: t.Any, start_response: t.Any) -> t.Any:
        raise ZeroDivisionError

    behind(app, lambda wsgi_app: broken)
    echo(app)
    with pytest.raises(ZeroDivisionError), client.websocket("/"):
        pass


def test_body_that_middleware_has_wrapped_is_closed_when_the_websocket_ends(
    app: Erlen, client: ErlenClient, told: list[t.Any]
) -> None:
    log: list[t.Any] = []

    def make(wsgi_app: t.Any) -> t.Any:
        def middleware(environ: t.Any, start_response: t.Any) -> t.Iterator[bytes]:
            log.append("begins")
            try:
                yield from wsgi_app(environ, start_response)
            finally:
                log.append(f"ends, {len(told)} torn down")

        return middleware

    behind(app, make)

    @app.websocket("/")
    async def index() -> None:
        async for _ in websocket:
            await websocket.send_json(log)

    with client.websocket("/") as socket:
        socket.send("a")
        assert socket.receive_json() == ["begins"]
    assert log == ["begins", "ends, 2 torn down"]
    assert told == ONCE


def test_client_that_leaves_while_middleware_runs(app: Erlen, told: list[t.Any]) -> None:
    has_begun, may_go_on = threading.Event(), threading.Event()

    def make(wsgi_app: t.Any) -> t.Any:
        def middleware(environ: t.Any, start_response: t.Any) -> t.Any:
            has_begun.set()
            may_go_on.wait(10)
            return wsgi_app(environ, start_response)

        return middleware

    behind(app, make)

    @app.websocket("/")
    async def index() -> None:
        await websocket.receive()

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await asyncio.to_thread(has_begun.wait, 10)
            peer.give(disconnect())
            may_go_on.set()

    run(main())
    assert [name for name, _ in told] == ["request", "appcontext"]


def test_websocket_of_a_mounted_application(app: Erlen, client: ErlenClient) -> None:
    other = Erlen("other", root_path=".")

    @other.websocket("/room")
    async def room() -> None:
        await websocket.send(f"{current_app.name} {url_for('room')}")

    @app.websocket("/room")
    async def outer_room() -> None:
        await websocket.send(current_app.name)

    behind(app, lambda wsgi_app: DispatcherMiddleware(wsgi_app, {"/other": other}))
    behind_a_proxy(other)
    with client.websocket("/other/room") as socket:
        assert socket.receive() == "other ws://localhost/other/room"
    with client.websocket("/room") as socket:
        assert socket.receive() == "erlen_test"


def test_request_context_of_a_subclass_knows_its_websocket(client: ErlenClient) -> None:
    class Own(Erlen):
        def request_context(self, environ: t.Any) -> t.Any:
            return super().request_context(environ)

    app = Own("erlen_test", root_path=".")

    @app.websocket("/")
    async def index() -> None:
        await websocket.send_json(request.is_websocket)

    with app.test_client().websocket("/") as socket:
        assert socket.receive_json() is True


def test_middleware_of_asgi_sees_websockets(app: Erlen, client: ErlenClient) -> None:
    seen: list[str] = []
    asgi = app.asgi

    async def middleware(scope: t.Any, receive: t.Any, send: t.Any) -> None:
        seen.append(scope["type"])
        await asgi(scope, receive, send)

    app.asgi = middleware  # type: ignore[method-assign]
    echo(app)
    with client.websocket("/"):
        pass
    assert seen == ["websocket"]


# Contexts


def test_tasks_of_a_handler_share_its_context(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        g.name = "g"

        async def read() -> None:
            async for message in websocket:
                await queue.put(f"{message!s} {g.name} {request.path}")
            await queue.put(None)

        async def write() -> None:
            while (item := await queue.get()) is not None:
                await websocket.send(item)

        queue: asyncio.Queue[str | None] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(write())

    with client.websocket("/") as socket:
        for number in range(3):
            socket.send(str(number))
        assert [socket.receive() for _ in range(3)] == ["0 g /", "1 g /", "2 g /"]


def test_copied_context_has_the_websocket(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        g.name = "g"

        @copy_current_request_context
        async def say(word: str) -> None:
            await websocket.send(f"{word} {request.path} {g.get('name')}")

        await asyncio.create_task(say("copied"))

    with client.websocket("/") as socket:
        assert socket.receive() == "copied / None"


def test_spawned_function_has_the_websocket(app: Erlen, client: ErlenClient) -> None:
    async def say(word: str) -> None:
        await websocket.send(f"{word} {request.path}")

    def look() -> str:
        return f"{websocket.subprotocols} {request.path}"

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await asyncio.wrap_future(app.spawn(say, "spawned"))
        await websocket.send(await asyncio.wrap_future(app.spawn(look)))

    with client.websocket("/") as socket:
        assert socket.receive() == "spawned /"
        assert socket.receive() == "[] /"


def test_function_spawned_for_after_the_response_begins_when_the_websocket_is_over(
    app: Erlen, client: ErlenClient
) -> None:
    log: list[str] = []
    done = threading.Event()

    def work(word: str) -> None:
        log.append(word)
        done.set()

    @app.websocket("/")
    async def index() -> None:
        app.spawn_after_response(work, "spawned")
        await websocket.accept()
        await websocket.receive()
        log.append("handler")

    with client.websocket("/") as socket:
        socket.send("text")
    assert done.wait(30)
    assert log == ["handler", "spawned"]


@pytest.mark.parametrize("name", ["after_this_request", "spawn_after_response"])
def test_what_waits_for_the_response_is_refused_after_it(app: Erlen, client: ErlenClient, name: str) -> None:
    errors: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        try:
            (after_this_request if name == "after_this_request" else app.spawn_after_response)(print)
        except RuntimeError as error:
            errors.append(str(error))

    with client.websocket("/"):
        pass
    assert errors == [
        (
            "'after_this_request' was called after the WebSocket was accepted, so its response has been sent. Call it before "
            "'await websocket.accept()' and before the first 'receive' and 'send'."
        )
    ]


def test_stream_with_context_may_run_inside_of_a_handler(
    app: Erlen, client: ErlenClient, told: list[t.Any]
) -> None:
    @app.websocket("/")
    async def index() -> None:
        async def words() -> t.AsyncIterator[str]:
            yield f"{request.path} {len(told)}"

        async for word in stream_with_context(words()):
            await websocket.send(word)

    with client.websocket("/") as socket:
        assert socket.receive() == "/ 0"
    assert told == ONCE


def test_contexts_of_two_websockets_are_apart(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/<name>")
    async def index(name: str) -> None:
        g.name = name
        async for message in websocket:
            await websocket.send(f"{g.name} {request.path} {message!s}")

    with client.websocket("/a") as a, client.websocket("/b") as b:
        for number in range(3):
            a.send(str(number))
            b.send(str(number))
            assert (a.receive(), b.receive()) == (f"a /a {number}", f"b /b {number}")


def test_nothing_of_a_websocket_is_kept(app: Erlen) -> None:
    class Thing:
        pass

    things: list[weakref.ref[Thing]] = []

    @app.websocket("/<name>")
    async def index(name: str) -> None:
        g.thing = Thing()
        things.append(weakref.ref(g.thing))
        await websocket.receive()
        if name == "closes":
            await websocket.close(4000)
        if name == "fails":
            raise WebSocketError(4001)

    async def main() -> None:
        for name in ("returns", "closes", "fails"):
            async with Peer(app, handshake(f"/{name}"), connect(), text("text")) as peer:
                await peer.take("websocket.accept")
            async with Peer(app, handshake(f"/{name}"), connect()) as peer:
                await peer.take("websocket.accept")
                peer.give(disconnect())

    run(main())
    gc.collect()
    assert [thing() for thing in things] == [None] * 6


# Clients that leave


def test_client_that_leaves_before_the_handshake_is_no_request(app: Erlen, told: list[t.Any]) -> None:
    echo(app)

    async def main() -> None:
        async with Peer(app, handshake(), disconnect()) as peer:
            pass
        assert peer.rest() == []

    run(main())
    assert told == []


@pytest.mark.parametrize("kind", ["async hook", "plain hook", "handler"])
def test_client_that_leaves_before_the_acceptance_ends_the_handshake(
    app: Erlen, told: list[t.Any], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    loop: t.Any = None
    log: list[str] = []
    entered = asyncio.Event()
    may_end = threading.Event()

    async def wait() -> None:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    if kind == "async hook":
        app.before_request(wait)
    elif kind == "plain hook":

        @app.before_request
        def hook() -> None:
            loop.call_soon_threadsafe(entered.set)
            assert may_end.wait(30)
            log.append("ended")

    @app.websocket("/")
    async def index() -> None:
        log.append("handler")
        await wait()

    async def main() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        async with Peer(app, handshake(), connect()) as peer:
            await begun(entered)
            peer.give(disconnect())
            await until(lambda: peer.received >= 2)
            may_end.set()
        assert peer.rest() == []

    run(main())
    assert (
        log
        == {
            "async hook": ["cancelled"],
            "plain hook": ["ended"],
            "handler": ["handler", "cancelled"],
        }[kind]
    )
    assert [name for name, _ in told] == ["request", "appcontext"]
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["async", "plain"])
def test_client_that_leaves_while_it_is_accepted(app: Erlen, told: list[t.Any], kind: str) -> None:
    log: list[str] = []
    entered = asyncio.Event()
    may_end = threading.Event()
    loop: t.Any = None

    if kind == "async":

        @app.after_request
        async def wait(response: Response) -> Response:
            entered.set()
            await asyncio.Event().wait()
            return response

    else:

        @app.after_request
        def wait_plainly(response: Response) -> Response:
            loop.call_soon_threadsafe(entered.set)
            assert may_end.wait(30)
            log.append("ended")
            return response

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        log.append("accepted")
        await asyncio.Event().wait()

    async def main() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        async with Peer(app, handshake(), connect()) as peer:
            await begun(entered)
            peer.give(disconnect())
            await until(lambda: peer.received >= 2)
            may_end.set()
        # What came in the meantime must not be answered with an acceptance.
        assert peer.rest() == []

    run(main())
    assert log == ([] if kind == "async" else ["ended"])
    assert [name for name, _ in told] == ["request", "appcontext"]


def test_handler_that_waits_for_a_message_hears_of_the_end(app: Erlen, told: list[t.Any]) -> None:
    ends: list[t.Any] = []

    @app.websocket("/<kind>")
    async def index(kind: str) -> None:
        if kind == "receive":
            with pytest.raises(WebSocketDisconnected) as caught:
                await websocket.receive()
            ends.append((caught.value.code, caught.value.reason))
        else:
            ends.append([message async for message in websocket])

    async def main() -> None:
        for kind in ("receive", "iterate"):
            async with Peer(app, handshake(f"/{kind}"), connect()) as peer:
                await peer.take("websocket.accept")
                peer.give(disconnect(4000, "bye"))
            assert peer.rest() == []

    run(main())
    assert ends == [(4000, "bye"), []]
    assert told == ONCE * 2


def test_handler_that_never_receives_is_cancelled_at_once(app: Erlen, told: list[t.Any]) -> None:
    # It would hang if this counted.
    app.config["WEBSOCKET_CLOSE_TIMEOUT"] = 10_000
    log: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        try:
            while True:
                await websocket.send("tick")
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            # There is time to clean up.
            await asyncio.sleep(0)
            log.append("cleaned up")

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            await peer.take("websocket.send")
            peer.give(disconnect())
        assert peer.rest() == []

    run(main())
    assert log == ["cancelled", "cleaned up"]
    assert [(name, type(error)) for name, error in told] == [
        ("request", asyncio.CancelledError),
        ("appcontext", asyncio.CancelledError),
    ]


def test_handler_that_is_busy_with_a_message_may_finish(app: Erlen, told: list[t.Any]) -> None:
    app.config["WEBSOCKET_CLOSE_TIMEOUT"] = 10_000
    may_finish, is_busy = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        async for message in websocket:
            is_busy.set()
            await may_finish.wait()
            done.append(str(message))

    async def main() -> None:
        async with Peer(app, handshake(), connect(), text("a"), text("b")) as peer:
            await peer.take("websocket.accept")
            await begun(is_busy)
            peer.give(disconnect())
            await until(lambda: peer.received >= 4)
            may_finish.set()
        assert peer.rest() == []

    run(main())
    assert done == ["a", "b"]
    assert told == ONCE


def test_handler_that_is_busy_for_too_long_is_cancelled(app: Erlen) -> None:
    app.config["WEBSOCKET_CLOSE_TIMEOUT"] = 0.01
    log: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        await websocket.receive()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    async def main() -> None:
        async with Peer(app, handshake(), connect(), text("a")) as peer:
            await peer.take("websocket.accept")
            peer.give(disconnect())

    run(main())
    assert log == ["cancelled"]


@pytest.mark.parametrize("then", ["returns", "raises", "goes on", "returns a value"])
@pytest.mark.parametrize("receives", [False, True])
def test_handler_that_swallows_its_cancellation(
    app: Erlen, told: list[t.Any], caplog: pytest.LogCaptureFixture, then: str, receives: bool
) -> None:
    without_propagation(app)
    app.config["WEBSOCKET_CLOSE_TIMEOUT"] = 0.01
    log: list[str] = []

    @app.websocket("/")
    async def index() -> t.Any:
        await websocket.accept()
        if receives:
            await websocket.receive()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("swallowed")
        if then == "raises":
            raise ZeroDivisionError("planned")
        if then == "goes on":
            # As if nothing had been: nothing it waits for is cancelled again.
            await asyncio.sleep(0.01)
            with pytest.raises(WebSocketDisconnected):
                await websocket.send("nobody")
            log.append("went on")
        return "a value" if then == "returns a value" else None

    async def main() -> None:
        async with Peer(app, handshake(), connect(), text("a")) as peer:
            await peer.take("websocket.accept")
            peer.give(disconnect())
        assert peer.rest() == []

    run(main())
    assert log == ["swallowed", *(["went on"] if then == "goes on" else [])]
    assert [name for name, _ in told] == ["request", "appcontext"]
    assert len(caplog.records) == (1 if then.endswith(("raises", "value")) else 0)


def test_client_that_leaves_ends_a_group_of_reader_and_writer(
    app: Erlen, told: list[t.Any], caplog: pytest.LogCaptureFixture
) -> None:
    app.config["WEBSOCKET_CLOSE_TIMEOUT"] = 0.01
    log: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        async def read() -> None:
            async for message in websocket:
                log.append(str(message))
            log.append("read")

        async def write() -> None:
            try:
                await websocket.send("tick")
                await asyncio.Event().wait()
            finally:
                log.append("writer ended")

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(write())

    async def main() -> None:
        async with Peer(app, handshake(), connect(), text("a")) as peer:
            await peer.take("websocket.accept")
            await peer.take("websocket.send")
            peer.give(disconnect())

    run(main())
    assert log == ["a", "read", "writer ended"]
    assert [name for name, _ in told] == ["request", "appcontext"]
    assert caplog.records == []


@pytest.mark.parametrize("receives", [False, True])
def test_client_that_leaves_while_something_is_sent_to_it(
    app: Erlen, told: list[t.Any], receives: bool
) -> None:
    app.config["WEBSOCKET_CLOSE_TIMEOUT"] = 0.01
    may_send = asyncio.Event()

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await begun(may_send)
        if receives:
            await websocket.receive()
        await websocket.send("never taken")

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            peer.takes.clear()
            peer.has_sent.clear()
            may_send.set()
            peer.give(text("a"))
            await begun(peer.has_sent)
            peer.give(disconnect())
        assert peer.rest() == []

    run(main())
    assert [name for name, _ in told] == ["request", "appcontext"]


@pytest.mark.parametrize("step", ["accept", "send", "close", "reject"])
def test_server_that_refuses_to_send_says_that_the_client_is_gone(
    app: Erlen, told: list[t.Any], caplog: pytest.LogCaptureFixture, step: str
) -> None:
    """ASGI, HTTP and WebSocket 2.4: ``send`` raises an ``OSError`` for a client that is gone."""
    without_propagation(app)
    log: list[t.Any] = []
    peer: t.Any = None

    @app.websocket("/")
    async def index() -> t.Any:
        if step == "reject":
            peer.refusal = BrokenPipeError()
            return "no", 403
        if step == "accept":
            peer.refusal = BrokenPipeError()
        try:
            await websocket.accept()
            peer.refusal = BrokenPipeError()
            await (websocket.close() if step == "close" else websocket.send("text"))
        except WebSocketDisconnected as error:
            log.append((error.code, type(error.__cause__)))
            raise

    async def main() -> None:
        nonlocal peer
        async with Peer(app, handshake(), connect()) as peer:
            pass

    run(main())
    if step in {"accept", "send"}:
        assert log == [(1006, BrokenPipeError)]
    assert told == ONCE
    assert caplog.records == []


def test_handler_that_has_closed_may_clean_up(app: Erlen, told: list[t.Any]) -> None:
    may_finish = asyncio.Event()
    log: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await websocket.close(4000)
        await may_finish.wait()
        log.append("cleaned up")

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            await peer.take("websocket.close")
            peer.give(disconnect(4000))
            for _ in range(20):
                await asyncio.sleep(0)
            may_finish.set()

    run(main())
    assert log == ["cleaned up"]
    assert told == ONCE


@pytest.mark.parametrize("step", ["rejection", "return", "close", "error", "left", "cancelled"])
def test_teardown_is_not_cancelled_by_the_client_s_end(app: Erlen, step: str) -> None:
    """A server tells of the end after a rejection as well; connections are given back nevertheless."""
    app.config.update(PROPAGATE_EXCEPTIONS=False, WEBSOCKET_CLOSE_TIMEOUT=0.01)
    in_teardown, may_finish = asyncio.Event(), asyncio.Event()
    log: list[str] = []

    @app.teardown_request
    async def teardown(exc: BaseException | None) -> None:
        in_teardown.set()
        await may_finish.wait()
        log.append("given back")

    @app.websocket("/")
    async def index() -> t.Any:
        if step == "rejection":
            return "no", 403
        await websocket.accept()
        if step == "close":
            await websocket.close()
        if step == "error":
            raise ZeroDivisionError
        if step == "left":
            async for _ in websocket:
                pass
        if step == "cancelled":
            await asyncio.Event().wait()
        return None

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            if step in {"left", "cancelled"}:
                await peer.take("websocket.accept")
                peer.give(disconnect())
            await begun(in_teardown)
            peer.give(disconnect())
            # Longer than the timeout.
            await asyncio.sleep(0.05)
            may_finish.set()

    run(main())
    assert log == ["given back"]


def test_client_that_leaves_during_a_streamed_rejection_closes_it(app: Erlen, told: list[t.Any]) -> None:
    log: list[str] = []
    has_begun = asyncio.Event()

    async def pieces() -> t.AsyncIterator[str]:
        try:
            yield "piece"
            has_begun.set()
            await asyncio.Event().wait()
        finally:
            log.append("closed")

    @app.websocket("/")
    async def index() -> t.Any:
        return stream_with_context(pieces()), 403

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await begun(has_begun)
            peer.give(disconnect())
            await peer.over()
            assert peer.rest() == []

    run(main())
    assert log == ["closed"]
    assert [name for name, _ in told] == ["request", "appcontext"]


def test_server_that_cancels_is_obeyed(app: Erlen, told: list[t.Any]) -> None:
    log: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        try:
            await websocket.receive()
        finally:
            log.append("ended")

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            async with Peer(app, handshake(), connect()) as peer:
                await peer.take("websocket.accept")
                peer.task.cancel()
                await peer.over()

    run(main())
    assert log == ["ended"]
    assert [name for name, _ in told] == ["request", "appcontext"]


def test_cancellation_that_nobody_ordered_is_an_error_of_the_handler(
    app: Erlen, told: list[t.Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Servers would take it for their own, and close the connection of a task that ends so without a word."""
    without_propagation(app)

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        task = asyncio.create_task(asyncio.sleep(1000))
        task.cancel()
        await task

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            await peer.over()
            assert peer.rest() == [
                {"type": "websocket.close", "code": 1011, "reason": "Internal Server Error"}
            ]

    run(main())
    assert [name for name, _ in told] == ["request", "appcontext"]
    assert len(caplog.records) == 1 and "nobody has cancelled" in caplog.text


def test_the_next_websocket_is_unharmed(app: Erlen) -> None:
    without_propagation(app)
    app.config["WEBSOCKET_CLOSE_TIMEOUT"] = 0.01
    echo(app, "/echo")

    @app.websocket("/")
    async def index() -> None:
        await websocket.receive()
        await asyncio.Event().wait()

    async def main() -> None:
        for messages in ([disconnect()], [text("a"), disconnect()], [{"type": "nonsense"}]):
            async with Peer(app, handshake(), connect(), *messages):
                pass
            async with Peer(app, handshake("/echo"), connect(), text("a")) as peer:
                await peer.take("websocket.accept")
                assert (await peer.take("websocket.send"))["text"] == "a"
                peer.give(disconnect())

    run(main())


# Messages that no server should send


@pytest.mark.parametrize(
    "scope",
    [
        {"path": None},
        {"path": b"/"},
        {"headers": None},
        {"headers": [("host", "localhost")]},
        {"query_string": "a=b"},
        {"client": ("127.0.0.1",)},
    ],
)
def test_malformed_scope_is_explained(app: Erlen, scope: dict[str, t.Any]) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.send(f"{request.remote_addr}{request.args}{request.headers}")

    async def main() -> None:
        async with Peer(app, handshake() | scope, connect()):
            pass

    with pytest.raises(MalformedScope, match="is no ASGI 3 scope of a request: its"):
        run(main())


def test_scope_without_its_optional_keys_is_enough(app: Erlen) -> None:
    echo(app)
    scope = {"type": "websocket", "path": "/", "headers": [], "asgi": {"version": "3.0"}, "scheme": "ws"}

    async def main() -> None:
        async with Peer(app, scope, connect(), text("a")) as peer:
            await peer.take("websocket.accept")
            assert (await peer.take("websocket.send"))["text"] == "a"
            peer.give(disconnect())

    run(main())


@pytest.mark.parametrize("first", [{"type": "websocket.receive", "text": "early"}, {"type": "http.request"}])
def test_first_event_that_is_no_handshake_is_an_error(app: Erlen, first: dict[str, t.Any]) -> None:
    echo(app)

    async def main() -> None:
        async with Peer(app, handshake(), first) as peer:
            pass
        assert peer.rest() == []

    with pytest.raises(ValueError) as caught:
        run(main())
    assert (
        str(caught.value)
        == f"The server began a WebSocket with {first['type']!r} instead of 'websocket.connect'."
    )


MALFORMED = [
    (
        {"type": "websocket.nonsense"},
        "The server sent 'websocket.nonsense', which is no event of a WebSocket",
    ),
    ({"type": "websocket.connect"}, "The server sent 'websocket.connect', which is no event of a WebSocket"),
    ({"type": "websocket.receive"}, "The server sent a message with neither 'text' nor 'bytes'"),
    ({"type": "websocket.receive", "text": None, "bytes": None}, "neither 'text' nor 'bytes'"),
    ({"type": "websocket.receive", "text": 1}, "neither 'text' nor 'bytes'"),
    ({}, ""),
    (OSError("receive failed"), "receive failed"),
]


@pytest.mark.parametrize(("message", "said"), MALFORMED)
@pytest.mark.parametrize("step", ["before accept", "in receive", "never receives"])
def test_malformed_event_closes_and_is_logged(
    app: Erlen, told: list[t.Any], caplog: pytest.LogCaptureFixture, message: t.Any, said: str, step: str
) -> None:
    app.config["WEBSOCKET_CLOSE_TIMEOUT"] = 0.01
    ends: list[t.Any] = []

    @app.websocket("/")
    async def index() -> None:
        try:
            if step != "before accept":
                await websocket.accept()
            if step == "in receive":
                await websocket.receive()
            await asyncio.Event().wait()
        except WebSocketDisconnected as error:
            ends.append(error.code)
            raise

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            if step != "before accept":
                await peer.take("websocket.accept")
            peer.give(message)
            assert (await peer.take("websocket.close"))["code"] == 1011

    run(main())
    assert ends == ([1011] if step == "in receive" else [])
    assert [name for name, _ in told] == ["request", "appcontext"]
    [record] = caplog.records
    assert record.getMessage() == "A WebSocket ended, as its server went wrong"
    assert record.exc_info is not None
    assert said in str(record.exc_info[1])


def test_unknown_kind_of_scope_is_refused(app: Erlen) -> None:
    with pytest.raises(
        MalformedScope,
        match="scope of the type 'nonsense'. Erlen answers 'http', 'websocket' and 'lifespan'",
    ):
        run(app.asgi({"type": "nonsense"}, t.cast(t.Any, None), t.cast(t.Any, None)))


# Sizes, and messages that come faster than they are taken


@pytest.mark.parametrize(
    ("limit", "message", "fits"),
    [
        (10, "a" * 10, True),
        (10, "a" * 11, False),
        (10, b"a" * 10, True),
        (10, b"a" * 11, False),
        # Bytes count, not characters.
        (10, "ü" * 5, True),
        (10, "ü" * 6, False),
        (10, "🦉" * 2, True),
        (10, "🦉" * 3, False),
        (10, "a" * 9 + "ü", False),
        (0, "", True),
        (0, "a", False),
        (None, "a" * 5_000_000, True),
    ],
)
def test_message_has_a_size(
    app: Erlen, client: ErlenClient, limit: int | None, message: str | bytes, fits: bool
) -> None:
    app.config["WEBSOCKET_MAX_MESSAGE_SIZE"] = limit
    echo(app)
    with client.websocket("/") as socket:
        socket.send(message)
        if fits:
            assert socket.receive() == message
        else:
            with pytest.raises(WebSocketDisconnected) as caught:
                socket.receive()
            assert (caught.value.code, caught.value.reason) == (1009, f"at most {limit} bytes")


def test_message_of_a_mebibyte_is_the_largest_by_default(app: Erlen, client: ErlenClient) -> None:
    echo(app)
    with client.websocket("/") as socket:
        socket.send(b"a" * 1024 * 1024)
        assert len(socket.receive()) == 1024 * 1024
        socket.send(b"a" * (1024 * 1024 + 1))
        with pytest.raises(WebSocketDisconnected, match="1009"):
            socket.receive()


@pytest.mark.parametrize("slow", [False, True])
def test_message_that_is_too_large_ends_the_handler_as_if_the_client_had_gone(
    app: Erlen, told: list[t.Any], caplog: pytest.LogCaptureFixture, slow: bool
) -> None:
    app.config["WEBSOCKET_MAX_MESSAGE_SIZE"] = 3
    received: list[t.Any] = []
    is_over = asyncio.Event()

    @app.websocket("/")
    async def index() -> None:
        try:
            received.append(await websocket.receive())
            received.append(await websocket.receive())
        except WebSocketDisconnected as error:
            received.append((error.code, error.reason, websocket.close_code))
            with pytest.raises(WebSocketDisconnected):
                await websocket.send("a")
        finally:
            is_over.set()

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            if slow:
                # The close waits; the handler need not.
                peer.takes.clear()
            peer.give(text("abc"), text("abcd"))
            await begun(is_over)
            peer.takes.set()
        if not slow:
            assert [message["code"] for message in peer.rest()] == [1009]

    run(main())
    assert received == ["abc", (1009, "at most 3 bytes", 1009)]
    assert told == ONCE
    assert caplog.records == []


def test_message_that_is_too_large_ends_a_handler_that_never_receives(
    app: Erlen, told: list[t.Any], caplog: pytest.LogCaptureFixture
) -> None:
    app.config["WEBSOCKET_MAX_MESSAGE_SIZE"] = 3

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await asyncio.Event().wait()

    async def main() -> None:
        for refusal in (None, BrokenPipeError()):
            async with Peer(app, handshake(), connect()) as peer:
                await peer.take("websocket.accept")
                peer.refusal = refusal
                peer.give(text("abcd"))
                if refusal is None:
                    assert (await peer.take("websocket.close"))["code"] == 1009

    run(main())
    assert [name for name, _ in told] == ["request", "appcontext"] * 2
    assert caplog.records == []


def test_messages_are_received_ahead_up_to_a_number(app: Erlen) -> None:
    may_receive = asyncio.Event()
    counts: list[int] = []

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await may_receive.wait()
        for number in range(AHEAD * 3):
            assert await websocket.receive() == str(number)

    async def settle() -> None:
        for _ in range(50):
            await asyncio.sleep(0)

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            peer.give(*(text(str(number)) for number in range(AHEAD * 3)))
            await settle()
            # One is the handshake.
            counts.append(peer.received - 1)
            may_receive.set()

    run(main())
    assert counts == [AHEAD]


@pytest.mark.parametrize(
    ("limit", "size", "count"),
    [
        (1000, 1000, 1),
        (1000, 999, 2),
        (1000, 300, 4),
        (1000, 1, AHEAD),
        (None, AHEAD_SIZE, 1),
        (None, 1, AHEAD),
    ],
)
@pytest.mark.parametrize("character", ["a", b"a"])
def test_messages_are_received_ahead_up_to_a_size(
    app: Erlen, limit: int | None, size: int, count: int, character: str | bytes
) -> None:
    """A message of the largest size comes through, and about one of that waits."""
    app.config["WEBSOCKET_MAX_MESSAGE_SIZE"] = limit
    may_receive = asyncio.Event()

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await may_receive.wait()
        for _ in range(AHEAD * 2):
            assert await websocket.receive() == character * size

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            key = "text" if isinstance(character, str) else "bytes"
            message = {"type": "websocket.receive", key: character * size}
            peer.give(*[message] * (AHEAD * 2))
            for _ in range(50):
                await asyncio.sleep(0)
            # One is the handshake.
            assert peer.received - 1 == count
            may_receive.set()

    run(main())


def test_handler_that_ends_with_messages_unread_leaves_no_task(app: Erlen) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.receive()

    async def main() -> None:
        for count in (1, AHEAD, AHEAD + 1, AHEAD * 2):
            async with Peer(app, handshake(), connect(), *[text("a")] * count) as peer:
                await peer.take("websocket.accept")
                assert (await peer.take("websocket.close"))["code"] == 1000

    run(main())


def test_slow_client_slows_the_handler_down(app: Erlen) -> None:
    sent: list[int] = []
    may_send = asyncio.Event()

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await begun(may_send)
        for number in range(3):
            await websocket.send(str(number))
            sent.append(number)

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            peer.takes.clear()
            peer.has_sent.clear()
            may_send.set()
            await begun(peer.has_sent)
            for _ in range(50):
                await asyncio.sleep(0)
            assert sent == []
            peer.takes.set()

    run(main())
    assert sent == [0, 1, 2]


def test_client_that_floods_and_leaves_ends_a_handler_that_never_receives(
    app: Erlen, told: list[t.Any]
) -> None:
    """Otherwise any client can leave handlers behind that wait for ever."""
    app.config.update(WEBSOCKET_RECEIVE_TIMEOUT=0.01, WEBSOCKET_CLOSE_TIMEOUT=0.01)

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        await asyncio.Event().wait()

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            peer.give(*[text("a")] * (AHEAD + 1), disconnect())
            async with asyncio.timeout(5):
                await peer.over()
            assert peer.rest() == [
                {"type": "websocket.close", "code": 1008, "reason": "messages are not received"}
            ]

    run(main())
    assert [name for name, _ in told] == ["request", "appcontext"]


def test_two_tasks_may_receive(app: Erlen, client: ErlenClient) -> None:
    received: list[str] = []

    @app.websocket("/")
    async def index() -> None:
        async def read() -> None:
            async for message in websocket:
                received.append(str(message))
                await websocket.send("got it")

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            group.create_task(read())

    with client.websocket("/") as socket:
        for number in range(20):
            socket.send(str(number))
            assert socket.receive() == "got it"
    assert received == [str(number) for number in range(20)]


def test_receive_may_be_given_up_without_losing_a_message(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        try:
            async with asyncio.timeout(0.001):
                await websocket.receive()
        except TimeoutError:
            await websocket.send("timeout")
        await websocket.send(await websocket.receive())

    with client.websocket("/") as socket:
        assert socket.receive() == "timeout"
        socket.send("later")
        assert socket.receive() == "later"


# The test client


def test_client_keeps_cookies_of_websockets(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.accept(headers={"Set-Cookie": "name=Ada; Path=/"})

    app.add_url_rule("/cookie", "cookie", lambda: request.cookies.get("name", "none"))

    @app.websocket("/cookie")
    async def cookie_of_a_websocket() -> None:
        await websocket.send(request.cookies["name"])

    with client.websocket("/"):
        pass
    assert client.get("/cookie").text == "Ada"
    with client.websocket("/cookie") as socket:
        assert socket.receive() == "Ada"


def test_client_says_what_did_not_come(app: Erlen, client: ErlenClient) -> None:
    echo(app)
    with client.websocket("/", timeout=0.01) as socket:
        with pytest.raises(TimeoutError) as caught:
            socket.receive()
        assert str(caught.value) == (
            "The application sent nothing over the WebSocket '/' for 0.01 s. Pass 'timeout' to 'client.websocket' where it "
            "takes longer."
        )
        # It is as usable as before.
        socket.send("a")
    assert socket.close_code == 1000


def test_client_says_that_the_handshake_was_not_answered(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        await asyncio.Event().wait()

    with (
        pytest.raises(TimeoutError, match="sent nothing over the WebSocket '/' for 0.01 s"),
        client.websocket("/", timeout=0.01),
    ):
        pass


def test_client_receives_what_was_sent_before_the_close(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> None:
        await websocket.send("a")
        await websocket.close(4000)

    with client.websocket("/") as socket:
        assert socket.receive() == "a"
        for _ in range(2):
            with pytest.raises(WebSocketDisconnected, match="4000"):
                socket.receive()


def test_client_ends_the_websocket_when_the_test_fails(
    app: Erlen, client: ErlenClient, told: list[t.Any]
) -> None:
    echo(app)
    with pytest.raises(ZeroDivisionError), client.websocket("/") as socket:
        socket.send("a")
        raise ZeroDivisionError
    assert told == ONCE


def test_rejection_says_what_was_answered(app: Erlen, client: ErlenClient) -> None:
    @app.websocket("/")
    async def index() -> t.Any:
        return {"error": "no"}, 401

    with pytest.raises(WebSocketRejected) as caught, client.websocket("/"):
        pass
    assert str(caught.value) == 'The WebSocket was rejected with 401 UNAUTHORIZED: b\'{"error":"no"}\\n\''
    assert json.loads(caught.value.response.get_data()) == {"error": "no"}
    assert caught.value.response.request.path == "/"


@pytest.mark.protocol("asgi")
def test_client_in_an_async_view_is_refused_instead_of_waiting_for_itself(
    app: Erlen, client: ErlenClient
) -> None:
    echo(app, "/echo")

    @app.get("/")
    async def index() -> str:
        with (
            pytest.raises(RuntimeError, match="would wait for itself"),
            app.test_client().websocket("/echo"),
        ):
            pass
        return "refused"

    assert client.get("/").text == "refused"


def test_handlers_of_many_websockets_run_at_the_same_time(app: Erlen, client: ErlenClient) -> None:
    echo(app)
    sockets = [client.websocket("/") for _ in range(50)]
    for socket in sockets:
        socket.__enter__()
    for number, socket in enumerate(sockets):
        socket.send(str(number))
    assert [socket.receive() for socket in sockets] == [str(number) for number in range(50)]
    for socket in sockets:
        socket.__exit__(None, None, None)


def test_plain_hooks_of_a_websocket_share_their_thread_s_variables(app: Erlen, client: ErlenClient) -> None:
    threads: list[threading.Thread] = []

    @app.before_request
    @nonblocking
    def on_the_loop() -> None:
        threads.append(threading.current_thread())

    @app.before_request
    def on_a_worker() -> None:
        threads.append(threading.current_thread())
        g.name = "set by a worker"

    @app.websocket("/")
    async def index() -> None:
        threads.append(threading.current_thread())
        await websocket.send(g.name)

    with client.websocket("/") as socket:
        assert socket.receive() == "set by a worker"
    assert threads[0] is threads[2] is not threads[1]


def test_context_is_bound_in_the_handler_alone(app: Erlen) -> None:
    echo(app)

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            peer.give(disconnect())
        assert context_var.get(None) is None

    run(main())


def test_log_of_a_websocket_in_debug_mode_goes_to_the_server(
    app: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["TESTING"] = False
    app.debug = True

    @app.websocket("/")
    async def index() -> None:
        await websocket.accept()
        raise ZeroDivisionError("planned")

    async def main() -> None:
        async with Peer(app, handshake(), connect()) as peer:
            await peer.take("websocket.accept")
            assert (await peer.take("websocket.close"))["code"] == 1011

    with caplog.at_level(logging.ERROR), pytest.raises(ZeroDivisionError, match="planned"):
        run(main())
    assert caplog.records == []
