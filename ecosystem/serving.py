"""A real server for scenarios that need sockets: Werkzeug's, with threads, on a port that is free."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from threading import Thread

from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    """A handler of requests that logs nothing."""

    def log(self, type: str, message: str, *args: t.Any) -> None:
        """Print nothing."""


@contextmanager
def serving(app: t.Any) -> t.Iterator[str]:
    """Serve an application over WSGI as long as the block lasts.

    :param app: the application.
    :return: the host and the port, as in a URL.
    """
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
