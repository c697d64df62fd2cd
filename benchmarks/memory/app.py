"""What is served: each way to read a body, and each way to stream one."""

from __future__ import annotations

import os
import resource
import sys
import typing as t

from erlen import Erlen, request, stream_request_body

from .client import blocks

READ = 64 * 1024

app = Erlen("benchmark", root_path=".")
app.config["MAX_CONTENT_LENGTH"] = 2 * 1024**3


@app.get("/process")
def process() -> dict[str, int]:
    # Kibibytes, but for macOS, which counts bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return {"pid": os.getpid(), "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}


@app.post("/upload/plain")
def upload_plain() -> str:
    stream, count = request.stream, 0
    while chunk := stream.read(READ):
        count += len(chunk)
    return str(count)


@app.post("/upload/async")
@stream_request_body
async def upload_async() -> str:
    count = 0
    async for chunk in request.stream:
        count += len(chunk)
    return str(count)


@app.post("/upload/form")
def upload_form() -> str:
    return str(request.files["file"].stream.seek(0, os.SEEK_END))


@app.get("/download/plain/<int:size>")
def download_plain(size: int) -> t.Iterator[bytes]:
    return blocks(size)


@app.get("/download/async/<int:size>")
async def download_async(size: int) -> t.AsyncIterator[bytes]:
    async def produce() -> t.AsyncIterator[bytes]:
        for block in blocks(size):
            yield block

    return produce()
