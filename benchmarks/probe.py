"""Runs in a new process, as a copy beside an application: what it takes to import a framework, and to answer once.

It imports of the standard library what the measuring needs, and nothing of this package. What a server of ASGI brings,
``asyncio``, is there before the clock starts; over WSGI it is a cost of the framework that imports it.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import time
import typing as t

Message = dict[str, t.Any]

SERVER, PORT = "127.0.0.1", 8000

ENVIRON: dict[str, t.Any] = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/",
    "QUERY_STRING": "",
    "SERVER_NAME": SERVER,
    "SERVER_PORT": str(PORT),
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": SERVER,
    "HTTP_HOST": f"{SERVER}:{PORT}",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "http",
    "wsgi.errors": sys.stderr,
    "wsgi.input": io.BytesIO(),
    "wsgi.multithread": False,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
}

SCOPE: dict[str, t.Any] = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.3"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", f"{SERVER}:{PORT}".encode())],
    "client": (SERVER, 50_000),
    "server": (SERVER, PORT),
}


def answer_wsgi(app: t.Any) -> bytes:
    """Send the first request over WSGI and return the body."""

    def start_response(status: str, headers: t.Any, exc_info: t.Any = None) -> None:
        return None

    return b"".join(app(ENVIRON, start_response))


def answer_asgi(app: t.Any) -> bytes:
    """Send the first request over ASGI and return the body."""
    messages: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]
    parts: list[bytes] = []

    asyncio: t.Any = importlib.import_module("asyncio")

    async def receive() -> Message:
        # The client stays connected.
        return messages.pop() if messages else await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        parts.append(message.get("body", b""))

    asyncio.run(app(SCOPE, receive, send))
    return b"".join(parts)


def now() -> tuple[float, float]:
    """Return the milliseconds of the clock, and those that this process has spent on a core."""
    return 1000 * time.perf_counter(), 1000 * time.process_time()


def main(protocol: str, package: str, module: str, name: str) -> None:
    """Print the answer as JSON, and the times to the import, to the class of applications, to the end of the answer.

    :param module: where the class is.
    """
    if protocol == "asgi":
        importlib.import_module("asyncio")
    moments = [now()]
    importlib.import_module(package)
    moments.append(now())
    getattr(importlib.import_module(module), name)
    moments.append(now())
    app = importlib.import_module("application").app
    body = answer_wsgi(app) if protocol == "wsgi" else answer_asgi(app)
    moments.append(now())
    (clock, core), *later = moments
    print(json.dumps([body.decode(), *([one - clock, spent - core] for one, spent in later)]))


if __name__ == "__main__":
    main(*sys.argv[1:])
