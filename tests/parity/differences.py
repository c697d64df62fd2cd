"""What is meant to differ between Flask 3.1.3 and Erlen with ``profile="flask"``, by the name of the case.

Each entry says why. A listed case that no longer differs fails the tests, so the table cannot grow stale.
"""

from __future__ import annotations

_JSON = "Erlen's 400 says that the body is not the JSON its content type announces; Flask's says nothing."
_STREAM = (
    "The context lives until a stream has ended, so teardown runs once; Flask runs it before and again after."
)
_REDIRECT = (
    "A line break in a redirect's target is escaped as any other character is; in Flask the view fails."
)

_LENGTH = "What a Content-Length means that is none, or that is not the body's, is the ASGI server's to say."
_STOP = "StopIteration cannot leave a worker thread or a coroutine: Python makes a RuntimeError of it."

_BODIES_THAT_ARE_NO_JSON = (1, 2, 8, 13, 15)

DIFFERENCES: dict[str, str] = {
    "returns: GET /returns/redirect-newline": _REDIRECT,
    "returns: HEAD /returns/redirect-newline": _REDIRECT,
    "hooks: GET /stream": _STREAM,
    "hooks-signals: GET /stream": _STREAM,
    "files-signals: GET /template-stream": _STREAM,
    "files-signals: GET /template-stream-string": _STREAM,
    **{
        f"requests: POST /request/{view} ({number})": _JSON
        for view in ("json", "json/force", "json/twice")
        for number in _BODIES_THAT_ARE_NO_JSON
    },
}

#: What differs from Flask over ASGI alone. That ASGI has no reason phrases is seen to in ``calling.py``.
OVER_ASGI: dict[str, str] = {
    **{f"errors-{mode}: GET /exception/stop-iteration": _STOP for mode in ("testing", "debug", "propagate")},
    **{
        f"requests: POST /request/data ({length!r})": _LENGTH
        for length in ("-1", "x", "99", "+5", "1_0", "\u0665")
    },
    "requests: POST /request/data (chunked, not terminated)": _LENGTH,
}
