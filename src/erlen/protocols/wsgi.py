"""WSGI 1.0 (PEP 3333): a request comes in as an environment and leaves through ``start_response``."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# Where the test client and the debugger ask for the context to outlive its request.
PRESERVE_CONTEXT = "werkzeug.debug.preserve_context"


def answer(app: t.Any, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
    """Answer one request: push its context, dispatch, send the response, pop the context.

    :param app: the application.
    :param environ: the environment of the request.
    :param start_response: the server's callable for status and headers.
    """
    context = app.request_context(environ)
    failure: BaseException | None = None
    try:
        try:
            context.push()
            response = app.full_dispatch_request()
        except Exception as error:
            failure = error
            response = app.handle_exception(error)
        return t.cast("t.Iterable[bytes]", response(environ, start_response))
    except BaseException as error:
        failure = failure or error
        raise
    finally:
        if PRESERVE_CONTEXT in environ:
            environ[PRESERVE_CONTEXT](context)
        context.pop(None if failure is not None and app.should_ignore_error(failure) else failure)
