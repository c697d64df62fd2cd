"""The application: what a WSGI server calls, once a request."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

View: t.TypeAlias = "t.Callable[[WSGIEnvironment], str]"


class Sapling:
    """An application: views, by the path they answer."""

    def __init__(self) -> None:
        self.views: dict[str, View] = {}

    def route(self, path: str) -> t.Callable[[View], View]:
        """Register the decorated view for a path."""

        def register(view: View) -> View:
            self.views[path] = view
            return view

        return register

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Answer one request: what a WSGI server calls."""
        # By a method of another name, which can be replaced: `app.wsgi_app = Middleware(app.wsgi_app)`. Python looks
        # for `__call__` on the class alone.
        return self.wsgi_app(environ, start_response)

    def wsgi_app(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Answer one request (PEP 3333)."""
        path = path_of(environ)
        view = self.views.get(path)
        if view is None:
            status, text = "404 Not Found", f"Nothing answers {path}.\n"
        else:
            status, text = "200 OK", view(environ)
        body = text.encode()
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def path_of(environ: WSGIEnvironment) -> str:
    """Return the path of a request as text.

    A server puts each byte of the path into one character, as Latin-1 does. What the bytes mean is UTF-8.
    """
    path: str = environ.get("PATH_INFO", "")
    return path.encode("latin-1").decode("utf-8", "replace") or "/"
