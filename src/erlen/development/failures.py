"""What is served in place of an application that could not be loaded."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PAGE = b"""\
<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width">
<title>The application could not be loaded</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }</style>
<h1>The application could not be loaded</h1>
<p>The terminal of the development server shows why. It tries again when a file has changed.
<p>With <code>--debug</code> the traceback is shown here, where there is one.
</html>
"""


def raising(failure: BaseException) -> WSGIApplication:
    """Return an application that raises for each request what has happened, for a debugger around it.

    :param failure: the exception.
    """
    trace = failure.__traceback__
    if not isinstance(failure, Exception):
        # A debugger shows exceptions alone; an exit of the process is none, and would end the server's thread.
        ended = RuntimeError(f"The application ended the process while it was being loaded: {failure!r}.")
        ended.__cause__ = failure
        failure = ended

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        # Raising adds frames to the traceback: each request begins with the original one.
        raise failure.with_traceback(trace)

    return application


def plain_page(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
    """Answer that the application could not be loaded, without the reason."""
    start_response(
        "500 Internal Server Error",
        [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Length", str(len(_PAGE))),
            ("Cache-Control", "no-store"),
        ],
    )
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [_PAGE]
