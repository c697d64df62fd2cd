"""The request and the response: Werkzeug's, with what this framework wants of them."""

from __future__ import annotations

import werkzeug


class Request(werkzeug.Request):
    """One request. Everything it offers is read from ``environ`` when it is first asked for."""

    # Werkzeug bounds the fields of a form by itself; how large a whole body may be is ours to say.
    max_content_length = 16 * 1024 * 1024


class Response(werkzeug.Response):
    """One response: a WSGI application that answers with its status, headers and body."""

    default_mimetype = "text/html"
