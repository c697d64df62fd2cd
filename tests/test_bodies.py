"""Bodies of requests as they are read: in pieces, in lines, during the response, on threads of one's own."""

from __future__ import annotations

import typing as t

import pytest
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from asgi_calls import Call, answer, on_a_loop
from erlen import Erlen, request, stream_request_body, stream_with_context

#: More pieces than fit into the limit of ``make_app``.
PIECES = [bytes([65 + number]) * 600 for number in range(6)]


def make_app(name: str = "bodies") -> Erlen:
    app = Erlen(name, root_path=".")
    app.config.update(MAX_CONTENT_LENGTH=1000, PROPAGATE_EXCEPTIONS=True)
    return app


def add_echo(app: Erlen, kind: str, says: str) -> None:
    """Add a view that reads its body while it sends it, and the way in which it says so before."""

    def begin() -> None:
        if says == "limit":
            request.max_content_length = 10**9
        elif says == "stream":
            assert request.stream.readable()

    def plain() -> t.Any:
        begin()

        def pieces() -> t.Iterator[bytes]:
            request.max_content_length = 10**9
            while piece := request.stream.read(100_000):
                yield piece

        return stream_with_context(pieces())

    async def asynchronous() -> t.Any:
        begin()

        async def pieces() -> t.AsyncIterator[bytes]:
            request.max_content_length = 10**9
            async for piece in request.stream:
                yield piece

        return stream_with_context(pieces())

    view: t.Any = plain if kind == "plain" else asynchronous
    app.post("/", endpoint="echo")(stream_request_body(view) if says == "decorator" else view)


# While the response is sent


@pytest.mark.parametrize("says", ["limit", "decorator"])
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_body_that_is_read_while_the_response_is_sent_is_whole(kind: str, says: str) -> None:
    app = make_app()
    add_echo(app, kind, says)
    assert (await answer(app, body=PIECES)).text.encode() == b"".join(PIECES)


@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_stream_that_a_view_has_asked_for_may_be_read_while_the_response_is_sent(kind: str) -> None:
    app = make_app()

    @app.before_request
    def lift_the_limit() -> None:
        # After the body was received up to it.
        app.config["MAX_CONTENT_LENGTH"] = None

    add_echo(app, kind, "stream")
    assert (await answer(app, body=PIECES)).text.encode() == b"".join(PIECES)


@pytest.mark.parametrize("says", ["limit", "decorator"])
@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_body_of_an_application_inside_another_is_whole_while_the_response_is_sent(
    kind: str, says: str
) -> None:
    outer, inner = make_app("outer"), make_app("inner")
    add_echo(inner, kind, says)
    outer.wsgi_app = DispatcherMiddleware(outer.wsgi_app, {"/in": inner})  # type: ignore[method-assign, assignment]
    assert (await answer(outer, "/in/", body=PIECES)).text.encode() == b"".join(PIECES)


@pytest.mark.parametrize("kind", ["plain", "async"])
@on_a_loop
async def test_body_that_was_dropped_when_the_response_started_is_not_read_in_part(kind: str) -> None:
    app = make_app()
    add_echo(app, kind, "nothing")
    call = Call(app, body=PIECES)
    with pytest.raises(RuntimeError, match="put '@stream_request_body' below the route decorator"):
        await call.run()
    # Nothing of what came later is taken for what comes next.
    assert b"".join(PIECES).startswith(b"".join(call.pieces))
