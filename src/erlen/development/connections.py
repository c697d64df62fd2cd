"""What Werkzeug's server does not do where a client resets its connection."""

from __future__ import annotations

import typing as t

from werkzeug import serving


class ClosingHandler(serving.WSGIRequestHandler):
    """Answers one connection, and closes the body of the answer in any case, as PEP 3333 asks.

    When Werkzeug's handler has sent an answer it reads what is left of the request, and closes the body after that. Where
    the client has reset the connection that reading fails, and the body would stay open, with the context of its request.
    """

    def make_environ(self) -> t.Any:
        """Return the environment of a request; what the application reads from it fails as before."""
        environ = super().make_environ()
        self.rfile = t.cast("t.Any", _Rest(self.rfile))
        return environ


class _Rest:
    """What is left of a request: nothing, where it cannot be read."""

    def __init__(self, stream: t.Any) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        try:
            return t.cast("bytes", self._stream.read(size))
        except OSError:
            return b""

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._stream, name)
