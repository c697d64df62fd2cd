"""The servers, each in a way to call an application; the same options for all that they serve."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
import typing as t
from dataclasses import dataclass

from .process import pinned

#: Threads that run plain code. Over WSGI it is what 'erlen serve' has by default; Granian's own default is 512.
THREADS = 8


@dataclass(frozen=True)
class Server:
    """One server over one protocol, with one worker.

    :param module: what ``python -m`` runs, and the distribution whose version is shown.
    :param options: the arguments behind the application; ``{port}`` stands for the port.
    :param needs: what has to be installed beside it.
    :param note: what is said of the options below the table.
    """

    name: str
    title: str
    module: str
    protocol: t.Literal["wsgi", "asgi"]
    options: str
    note: str
    needs: tuple[str, ...] = ()

    def command(self, app: str) -> t.Callable[[int], list[str]]:
        """Return what makes the command line for a port.

        :param app: the application as ``module:name``.
        """

        def line(port: int) -> list[str]:
            options = self.options.format(port=port).split()
            return [*pinned(0), sys.executable, "-m", self.module, app, *options]

        return line

    @property
    def missing(self) -> str | None:
        """What is not installed and has to be, ``None`` where nothing is."""
        absent = [name for name in (self.module, *self.needs) if importlib.util.find_spec(name) is None]
        return ", ".join(absent) or None

    @property
    def heading(self) -> str:
        """The server with its version, and the protocol."""
        return f"{self.title} {importlib.metadata.version(self.module)}, {self.protocol.upper()}"


_GRANIAN = "--host 127.0.0.1 --port {port} --workers 1 --loop asyncio --no-ws --log-level warning"

SERVERS: dict[str, Server] = {
    server.name: server
    for server in (
        Server(
            "granian-wsgi",
            "Granian",
            "granian",
            "wsgi",
            f"--interface wsgi --blocking-threads {THREADS} {_GRANIAN}",
            f"One worker, one runtime thread, {THREADS} threads that run Python, as 'erlen serve' has by default.",
        ),
        Server(
            "granian-asgi",
            "Granian",
            "granian",
            "asgi",
            f"--interface asgi {_GRANIAN}",
            "One worker, one runtime thread, asyncio's own loop.",
        ),
        Server(
            "gunicorn",
            "gunicorn",
            "gunicorn",
            "wsgi",
            "--bind 127.0.0.1:{port} --workers 1 --worker-class sync --no-control-socket --log-level warning",
            "One worker of its default class, sync, which takes a new connection for each request.",
        ),
        Server(
            "uvicorn",
            "uvicorn",
            "uvicorn",
            "asgi",
            "--host 127.0.0.1 --port {port} --workers 1 --loop asyncio --http httptools --ws none --no-access-log "
            "--log-level warning",
            "One process, asyncio's own loop, httptools for the requests (BlackSheep brings it), no access log.",
            needs=("httptools",),
        ),
    )
}
