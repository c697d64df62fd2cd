"""WSGI 1.0 (PEP 3333): a request comes in as an environment and leaves through ``start_response``."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# Where the test client and the debugger ask for the context to outlive its request.
PRESERVE_CONTEXT = "werkzeug.debug.preserve_context"


class WSGI:
    """The part of an application that WSGI servers call."""

    request_context: t.Callable[[WSGIEnvironment], t.Any]
    full_dispatch_request: t.Callable[[], t.Any]
    handle_exception: t.Callable[[Exception], t.Any]
    should_ignore_error: t.Callable[[BaseException], bool]

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Answer one request: push its context, dispatch, send the response, pop the context.

        Assign a wrapped one to add middleware: ``app.wsgi_app = Middleware(app.wsgi_app)``.

        :param environ: the environment of the request.
        :param start_response: the server's callable for status and headers.
        """
        context = self.request_context(environ)
        failure: BaseException | None = None
        try:
            try:
                context.push()
                response = self.full_dispatch_request()
            except Exception as error:
                failure = error
                response = self.handle_exception(error)
            body: t.Iterable[bytes] = response(environ, start_response)
            return body
        except BaseException as error:
            failure = failure or error
            raise
        finally:
            if PRESERVE_CONTEXT in environ:
                environ[PRESERVE_CONTEXT](context)
            if failure is not None and self.should_ignore_error(failure):
                failure = None
            context.pop(failure)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Answer one request as a WSGI server calls it, middleware around :attr:`wsgi_app` included."""
        return self.wsgi_app(environ, start_response)
