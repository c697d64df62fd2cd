"""Applications with one view and one WebSocket, the servers with one worker of them, and what that worker holds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from pathlib import Path

from ..serving.process import Process
from ..serving.servers import SERVERS, Server
from ..serving.wrk import Failed

ANSWER = b"hello"

_FLASK_LIKE = """
from {package} import {name}
app = {name}("benchmark", root_path=".")
@app.get("/")
def index():
    return "hello"
"""

_ERLEN_ASYNC = """
from erlen import Erlen, websocket
app = Erlen("benchmark", root_path=".")
@app.get("/")
async def index():
    return "hello"
@app.websocket("/echo")
async def echo():
    async for message in websocket:
        await websocket.send(message)
"""

_QUART = """
from quart import Quart, websocket
app = Quart("benchmark", root_path=".")
@app.get("/")
async def index():
    return "hello"
@app.websocket("/echo")
async def echo():
    while True:
        await websocket.send(await websocket.receive())
"""

_FASTAPI = """
from fastapi import FastAPI, WebSocket
from fastapi.responses import PlainTextResponse
app = FastAPI()
@app.get("/", response_class=PlainTextResponse)
async def index():
    return "hello"
@app.websocket("/echo")
async def echo(websocket: WebSocket):
    await websocket.accept()
    async for message in websocket.iter_text():
        await websocket.send_text(message)
"""

_BARE_WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "5")])
    return [b"hello"]
"""

_BARE_ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"hello"})
    elif scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    else:
        raise NotImplementedError(scope["type"])
"""


@dataclass(frozen=True)
class Subject:
    """One line of a table.

    :param distribution: whose version is shown.
    :param text: the application.
    """

    title: str
    distribution: str | None
    text: str


SUBJECTS: dict[str, dict[str, Subject]] = {
    "wsgi": {
        "erlen": Subject("Erlen", "erlen", _FLASK_LIKE.format(package="erlen", name="Erlen")),
        "flask": Subject("Flask", "flask", _FLASK_LIKE.format(package="flask", name="Flask")),
        "bare": Subject("bare callable", None, _BARE_WSGI),
    },
    "asgi": {
        "erlen": Subject("Erlen", "erlen", _ERLEN_ASYNC),
        "quart": Subject("Quart", "quart", _QUART),
        "fastapi": Subject("FastAPI", "fastapi", _FASTAPI),
        "bare": Subject("bare callable", None, _BARE_ASGI),
    },
}


#: Where a worker is measured that has answered one request.
IDLE: dict[str, Server] = {name: SERVERS[name] for name in ("gunicorn", "granian-wsgi", "granian-asgi")}

#: Where WebSockets stay open.
SOCKETS = Server(
    "websockets",
    "uvicorn",
    "uvicorn",
    "asgi",
    "--host 127.0.0.1 --port {port} --workers 1 --loop asyncio --http httptools --no-access-log "
    "--log-level warning",
    "One process, asyncio's own loop, the package websockets, which it takes first.",
    needs=("httptools", "websockets"),
)


class Memory(t.NamedTuple):
    """What a process holds, in MiB.

    :param resident: all that is in memory, shared libraries included.
    :param proportional: the same, with what is shared divided by those that share it.
    :param private: what it has for itself.
    """

    resident: float
    proportional: float
    private: float


def serving(server: Server, subject: Subject, folder: Path) -> Process:
    """Return a server with an application, not yet started.

    :param folder: where the application is written.
    """
    (folder / "application.py").write_text(subject.text, encoding="utf-8")
    return Process(server.command("application:app"), {}, folder)


def answered(process: Process, subject: Subject) -> None:
    """Send the one request.

    :raises Failed: where the answer is another one than it should be.
    """
    reply = process.wait("/")
    if reply.status != 200 or reply.body != ANSWER:
        raise Failed(f"{subject.title} answers {reply.status} {reply.body[:200]!r}, not {ANSWER!r}")


def memory_of_worker(process: Process) -> Memory:
    """Return what the process that answers holds: of those of a server the one with most of its own.

    :raises Failed: where the system does not tell.
    """
    found = [memory for pid in process.processes() if (memory := memory_of(pid)) is not None]
    if not found:
        raise Failed("memory is read from /proc/PID/smaps_rollup, which only Linux has")
    return max(found, key=lambda one: one.private)


def memory_of(pid: int) -> Memory | None:
    """Return what a process holds, ``None`` where it is gone or the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    sizes = {
        name: int(rest.split()[0]) / 1024 for name, _, rest in (line.partition(":") for line in lines[1:])
    }
    return Memory(sizes["Rss"], sizes["Pss"], sizes["Private_Clean"] + sizes["Private_Dirty"])
