"""What is said where a proxy is used and nothing is active, and what several modules say."""

from __future__ import annotations

NO_APP_CONTEXT = """\
Working outside of application context.

Something asked for 'current_app', 'g' or a function that needs them, and no application is active here. Views, \
hooks and CLI commands have one; a script, a thread or an interactive shell makes one:

    with app.app_context():
        ...
"""

NO_REQUEST_CONTEXT = """\
Working outside of request context.

Something asked for 'request', 'session' or a function that needs them, and no request is being handled here. \
In a test or a shell, make one:

    with app.test_request_context("/path"):
        ...

In a thread or greenlet that a view started, wrap the function in 'copy_current_request_context'; in a \
generator that a view returns, wrap it in 'stream_with_context'.
"""


NO_WEBSOCKET = """\
Working outside of a WebSocket.

Something asked for 'websocket', and no WebSocket is being handled here. Its handler has one:

    @app.websocket("/echo")
    async def echo():
        async for message in websocket:
            await websocket.send(message)
"""

NOTHING_TO_COPY = """\
'copy_current_request_context' was called without a request being handled, so there is no context to copy. Call it inside a \
view or a hook, on the function that will run elsewhere."""

NO_UTF_8 = """\
{what} has {part!r} in it, and so cannot be sent: half of a surrogate pair has no UTF-8 form. JSON of a client may bring it \
along. Replace it with 'text.encode("utf-8", "replace").decode()', or refuse the text."""


def as_utf_8(text: str, what: str) -> bytes:
    """Return text in UTF-8.

    :param text: the text.
    :param what: what it is, for the message.
    :raises ValueError: for a lone surrogate.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        part = text[max(error.start - 10, 0) : error.end + 10]
        raise ValueError(NO_UTF_8.format(what=what, part=part)) from None


def wrong_pop(context: object, active: object) -> str:
    """Return what is said where a context is popped that is not the active one.

    :param context: the context.
    :param active: the active one, ``None`` where there is none.
    """
    return (
        f"Cannot pop {context!r}: the active context is {active!r}. Contexts are popped in the reverse order of their "
        f"push; use 'with context:' so that this cannot go wrong."
    )
