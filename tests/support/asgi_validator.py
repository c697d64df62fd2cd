"""What ``wsgiref.validate`` does for WSGI, for ASGI 3: checks both sides of each call of an application.

The application is held to the events of the HTTP and WebSocket specification (version 2.4 of it): their order, their keys,
the types of the values. Two calls of ``receive`` at the same time are refused, as servers hand an event to one of them.
"""

from __future__ import annotations

import typing as t

Message = t.MutableMapping[str, t.Any]
Receive = t.Callable[[], t.Awaitable[Message]]
Send = t.Callable[[Message], t.Awaitable[None]]


class Invalid(AssertionError):
    """An application did what ASGI does not allow."""


def check(condition: bool, text: str) -> None:
    if not condition:
        raise Invalid(text)


def check_headers(headers: t.Any) -> None:
    check(isinstance(headers, list | tuple), f"headers are a list, not {headers!r}")
    for pair in headers:
        name, value = pair
        check(
            isinstance(name, bytes) and isinstance(value, bytes), f"a header is a pair of bytes, not {pair!r}"
        )
        check(name == name.lower(), f"the name of a header is in lower case: {name!r}")
        check(bool(name) and not set(name) & set(b" \t\r\n:"), f"no header has the name {name!r}")
        check(not set(value) & set(b"\r\n\0"), f"no header has the value {value!r}")


class HTTP:
    """The states of one request."""

    def __init__(self) -> None:
        self.state = "before the start"

    def sent(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            check(self.state == "before the start", f"a response starts once; this was {self.state}")
            check(type(message["status"]) is int and 100 <= message["status"] < 1000, "a status is a number")
            check_headers(message.get("headers", []))
            self.state = "in the body"
        elif kind == "http.response.body":
            check(self.state == "in the body", f"a piece of a body was sent {self.state}")
            check(
                isinstance(message.get("body", b""), bytes), f"a body is bytes, not {message.get('body')!r}"
            )
            check(isinstance(message.get("more_body", False), bool), "more_body is a bool")
            if not message.get("more_body", False):
                self.state = "after the end"
        else:
            raise Invalid(f"no answer to a request has an event {kind!r}")

    def over(self) -> None:
        check(self.state != "in the body", "the application returned in the middle of a response")


class WebSocket:
    """The states of one WebSocket."""

    def __init__(self) -> None:
        self.state = "connecting"

    def sent(self, message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            check(self.state == "connecting", f"a WebSocket is accepted once; this was {self.state}")
            check_headers(message.get("headers", []))
            check(isinstance(message.get("subprotocol"), str | None), "a subprotocol is a str")
            self.state = "open"
        elif kind == "websocket.send":
            check(self.state == "open", f"something was sent while {self.state}")
            data = [key for key in ("bytes", "text") if message.get(key) is not None]
            check(len(data) == 1, f"a message has either bytes or text: {message!r}")
            check(
                isinstance(message[data[0]], bytes if data == ["bytes"] else str),
                f"the type is wrong: {message!r}",
            )
        elif kind == "websocket.close":
            check(self.state in {"connecting", "open"}, f"a WebSocket was closed while {self.state}")
            check(type(message.get("code", 1000)) is int, "a code is a number")
            check(len(message.get("reason", "").encode()) <= 123, "a reason has at most 123 bytes")
            self.state = "closed"
        elif kind == "websocket.http.response.start":
            check(self.state == "connecting", f"a WebSocket was rejected while {self.state}")
            check_headers(message.get("headers", []))
            self.state = "rejecting"
        elif kind == "websocket.http.response.body":
            check(self.state == "rejecting", f"a piece of a body was sent while {self.state}")
            if not message.get("more_body", False):
                self.state = "closed"
        else:
            raise Invalid(f"a WebSocket has no event {kind!r}")

    def over(self) -> None:
        check(self.state != "rejecting", "the application returned in the middle of a response")


class LifeSpan:
    """The states of the life span."""

    def sent(self, message: Message) -> None:
        allowed = {
            f"lifespan.{phase}.{end}" for phase in ("startup", "shutdown") for end in ("complete", "failed")
        }
        check(message["type"] in allowed, f"the life span has no event {message['type']!r}")

    def over(self) -> None:
        pass


STATES: dict[str, type[HTTP | WebSocket | LifeSpan]] = {
    "http": HTTP,
    "websocket": WebSocket,
    "lifespan": LifeSpan,
}


async def call_validated(app: t.Any, scope: Message, receive: Receive, send: Send) -> None:
    """Call an application over ASGI and check what it does."""
    if scope.get("type") not in STATES:
        await app(scope, receive, send)
        return
    state = STATES[scope["type"]]()
    is_receiving = is_gone = False

    async def receive_once() -> Message:
        nonlocal is_receiving, is_gone
        check(not is_receiving, "receive was called while another call of it was waiting")
        is_receiving = True
        try:
            message = await receive()
        finally:
            is_receiving = False
        is_gone = is_gone or str(message.get("type")).endswith(".disconnect")
        return message

    async def send_checked(message: Message) -> None:
        nonlocal is_gone
        state.sent(message)
        try:
            await send(message)
        except OSError:
            is_gone = True
            raise

    await app(scope, receive_once, send_checked)
    if not is_gone:
        state.over()
