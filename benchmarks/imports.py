"""What a framework costs before it answers: its import, and the first request of a fresh process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .figures import Figure, turns

#: Where an application with one view has to answer the same.
ANSWER = "hello"

_FLASK_LIKE = """
from {package} import {name}
app = {name}("benchmark", root_path=".")
@app.get("/")
{asynchronous}def index():
    return "hello"
"""

_FASTAPI = """
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
app = FastAPI()
@app.get("/", response_class=PlainTextResponse)
async def index():
    return "hello"
"""

_FALCON = """
import falcon
class Index:
    def on_get(self, request, response):
        response.text = "hello"
app = falcon.App()
app.add_route("/", Index())
"""

_STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
async def index(request):
    return PlainTextResponse("hello")
app = Starlette(routes=[Route("/", index)])
"""


@dataclass(frozen=True)
class Framework:
    """One line of a table.

    :param name: the class of applications, as ``module:name``; the package of it is the distribution.
    :param protocol: that of the first request.
    :param text: an application with one view.
    """

    title: str
    name: str
    protocol: t.Literal["wsgi", "asgi"]
    text: str

    @property
    def package(self) -> str:
        """What is imported first."""
        return self.name.partition(":")[0].partition(".")[0]


def _flask_like(title: str, name: str, protocol: t.Literal["wsgi", "asgi"]) -> Framework:
    package, _, kind = name.partition(":")
    asynchronous = "async " if protocol == "asgi" else ""
    text = _FLASK_LIKE.format(package=package, name=kind, asynchronous=asynchronous)
    return Framework(title, name, protocol, text)


FRAMEWORKS: dict[str, Framework] = {
    "erlen": _flask_like("Erlen, WSGI", "erlen:Erlen", "wsgi"),
    "flask": _flask_like("Flask", "flask:Flask", "wsgi"),
    "falcon": Framework("Falcon", "falcon:App", "wsgi", _FALCON),
    "erlen-async": _flask_like("Erlen, ASGI", "erlen:Erlen", "asgi"),
    "quart": _flask_like("Quart", "quart:Quart", "asgi"),
    "fastapi": Framework("FastAPI", "fastapi:FastAPI", "asgi", _FASTAPI),
    "starlette": Framework("Starlette", "starlette.applications:Starlette", "asgi", _STARLETTE),
}

#: Three spans, each from before the import: of the package, to the class of applications, to the first answer.
SPANS = ("import", "class", "first request")

# What runs in the new process; a copy of it stands beside each application.
_PROBE = Path(__file__).with_name("probe.py")


def measure(names: t.Sequence[str], rounds: int) -> dict[str, dict[str, Figure]]:
    """Return the milliseconds of each framework, in interleaved rounds: of the import, and to the first answer.

    :param names: which of :data:`FRAMEWORKS`.
    """
    found: dict[str, list[list[list[float]]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as folder:
        places = {name: _write(Path(folder), name) for name in names}
        for name in names:
            # What is compiled at the first start is there from now on, and the files are in the system's memory.
            _one(FRAMEWORKS[name], places[name])
        for _, name in turns(names, rounds):
            found[name].append(_one(FRAMEWORKS[name], places[name]))
    return {
        span: {name: _figure(values, place) for name, values in found.items()}
        for place, span in enumerate(SPANS)
    }


def _figure(starts: list[list[list[float]]], place: int) -> Figure:
    elapsed, core = zip(*(start[place] for start in starts), strict=True)
    return Figure(elapsed, "ms", {"core_ms": core})


def _write(folder: Path, name: str) -> Path:
    place = folder / name
    place.mkdir()
    (place / "application.py").write_text(FRAMEWORKS[name].text, encoding="utf-8")
    shutil.copy(_PROBE, place)
    return place


def _one(framework: Framework, folder: Path) -> list[list[float]]:
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ERLEN_", "FLASK_", "QUART_")) and name != "PYTHONDONTWRITEBYTECODE"
    }
    done = subprocess.run(
        [sys.executable, _PROBE.name, framework.protocol, framework.package, *framework.name.split(":")],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{framework.title} does not start: {done.stderr.strip()[-400:]}")
    answer: str
    times: list[list[float]]
    answer, *times = json.loads(done.stdout)
    if answer != ANSWER:
        raise RuntimeError(f"{framework.title} answers {answer!r}, not {ANSWER!r}")
    return times


def print_table(tables: dict[str, dict[str, Figure]]) -> None:
    """Print the figures: of each span the time, and in brackets what of it was spent on a core.

    :param tables: those of :func:`measure`.
    """
    print(f"{'milliseconds (core)':<22}" + "".join(f"{span:>24}" for span in SPANS))
    for name in tables[SPANS[0]]:
        cells = [_cell(tables[span][name]) for span in SPANS]
        print(f"{FRAMEWORKS[name].title:<22}" + "".join(f"{cell:>24}" for cell in cells))


def _cell(one: Figure) -> str:
    return f"{one.median:.1f} ±{one.spread:.1f} ({one.median_of('core_ms') or 0:5.1f})"
