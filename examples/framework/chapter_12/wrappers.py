"""The request and the response: Werkzeug's, with what this framework wants of them."""

from __future__ import annotations

import typing as t

import werkzeug

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class Request(werkzeug.Request):
    """One request. Everything it offers is read from ``environ`` when it is first asked for."""


class Response(werkzeug.Response):
    """One response: a WSGI application that answers with its status, headers and body."""

    default_mimetype = "text/html"


def path_of(environ: WSGIEnvironment) -> str:
    """Return what ``Request.path`` would be, without a request."""
    path: str = environ.get("PATH_INFO", "")
    return "/" + path.encode("latin-1").decode("utf-8", "replace").lstrip("/")
