"""The application of the example, with one view more: it says what arrives of a request."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

from erlen import request
from wsgi import app


@app.get("/seen/<path:rest>")
def seen(rest: str) -> dict[str, t.Any]:
    """Return what the application makes of a request."""
    names = ("X-Forwarded-For", "X-Forwarded-Host", "Forwarded")
    return {
        "client": request.remote_addr,
        "url": request.url,
        "root": request.root_path,
        "rest": rest,
        "headers": {name: request.headers.get(name) for name in names},
    }


@app.get("/slow")
def slow() -> str:
    """Answer after a moment, and leave a file when it begins."""
    Path(app.instance_path, "slow").touch()
    time.sleep(1)
    return "slow"


@app.get("/process")
def process() -> str:
    """Return the process that answers."""
    return str(os.getpid())


@app.post("/length")
def length() -> str:
    """Return how long the body is."""
    return str(len(request.get_data()))
