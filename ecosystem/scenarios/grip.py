"""A preview of READMEs: pages, folders, pictures, its assets and settings, events as a file changes, a limit, styles inlined."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path
from threading import Event, Thread
from urllib.request import urlopen

from grip import DirectoryReader, Grip, ReadmeAssetManager, ReadmeRenderer
from requests import HTTPError, Response

from serving import serving

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["grip"]
APPLICATION = True

# The entity tag of a file has its time in it, and its folder.
VARIES = ((r'"\d{10}\.\d+-(\d+)-\d+"', r'"<time>-\1-<path>"'),)

PICTURE = b"\x89PNG\r\n\x1a\n\x00\xff"


class Plain(ReadmeRenderer):
    """A renderer that asks nobody; the application's own asks GitHub."""

    def render(self, text: str, auth: t.Any = None) -> str:
        if "too often" in text:
            response = Response()
            response.status_code = 403
            raise HTTPError(response=response)
        return f"<article>{text}</article>"


class Stored(ReadmeAssetManager):
    """Styles that are there already; the application's own fetches GitHub's."""

    def retrieve_styles(self, asset_url_path: str) -> None:
        self.style_urls.append(f"{asset_url_path}paper.css")

    def _get_style_urls(self, asset_url_path: str) -> list[str]:
        return []

    def clear(self) -> None:
        """Keep them."""


class Watched(DirectoryReader):
    """A reader that tells when somebody has asked for the time of a file."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.looked = Event()

    def last_updated(self, subpath: str | None = None) -> t.Any:
        time = super().last_updated(subpath)
        self.looked.set()
        return time


def make_app(folder: Path, **options: t.Any) -> Grip:
    for name in ("settings", "assets", "project/docs"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    project = folder / "project"
    (folder / "settings" / "settings.py").write_text(
        "AUTOREFRESH = True\nSHELF = 'from the instance folder'\n"
    )
    (folder / "assets" / "paper.css").write_text("body{background:url(/__/grip/asset/dot.woff)}")
    (folder / "assets" / "dot.woff").write_bytes(b"a font")
    (project / "README.md").write_text("# Kettle\n\n[usage](usage.md)\n")
    (project / "usage.md").write_text("Fill it *first*.\n")
    (project / "busy.md").write_text("asked too often\n")
    (project / "docs" / "README.md").write_text("More of it\n")
    (project / "picture.png").write_bytes(PICTURE)
    return Grip(
        Watched(str(project)),
        renderer=Plain(),
        assets=Stored(str(folder / "assets")),
        instance_path=str(folder / "settings"),
        quiet=True,
        **options,
    )


def play(visitor: Visitor) -> None:
    read(visitor)
    find_nothing(visitor)
    have_styles_inlined(visitor)
    see_a_file_change(visitor)


def read(visitor: Visitor) -> None:
    assert visitor.app.config["SHELF"] == "from the instance folder"
    page = visitor.get("/").text
    assert "<article># Kettle" in page
    assert 'href="/__/grip/asset/paper.css"' in page
    assert "/__/grip/refresh/" in page
    assert "Fill it *first*." in visitor.get("/usage.md").text
    # Meant is /docs/; this release loses the slash that it has added.
    assert visitor.get("/docs").location == "/docs"
    assert "More of it" in visitor.get("/docs/").text
    picture = visitor.get("/picture.png")
    assert picture.mimetype == "image/png"
    assert picture.data == PICTURE
    style = visitor.get("/__/grip/asset/paper.css")
    assert style.mimetype == "text/css"
    unchanged = visitor.get("/__/grip/asset/paper.css", headers={"If-None-Match": style.headers["ETag"]})
    assert unchanged.status_code == 304
    assert visitor.get("/__/grip/static/octicons/octicons.css").mimetype == "text/css"
    # Outside of a server, from its own test client.
    assert "More of it" in visitor.app.render("/docs/")


def find_nothing(visitor: Visitor) -> None:
    assert visitor.get("/none.md").status_code == 404
    assert visitor.get("/../settings/settings.py").status_code == 404
    assert visitor.get("/__/grip/asset/../settings/settings.py").status_code == 404
    assert visitor.post("/").status_code == 405
    # The 403 has a page, also where it comes of the renderer's error.
    for path in ("/busy.md", "/__/grip/rate-limit-preview"):
        limited = visitor.get(path)
        assert limited.status_code == 403
        assert "GitHub Rate Limit Reached" in limited.text
    # Nothing to listen to, as its own server does not run.
    assert visitor.get("/__/grip/refresh/").text == ""


def have_styles_inlined(visitor: Visitor) -> None:
    inlined = type(visitor)(
        make_app(visitor.folder, render_inline=True, autorefresh=False),
        visitor.protocol,
        visitor.folder,
        visitor.transcript,
    )
    # With its test client the application asks itself for the parts, while it answers.
    page = inlined.get("/").text
    assert "data:font/woff;base64,YSBmb250" in page
    assert "data:image/x-icon;base64," in page
    assert inlined.get("/__/grip/refresh/").status_code == 404


def see_a_file_change(visitor: Visitor) -> None:
    # As its `run` has it, which would hold a port of its own and a browser.
    visitor.app._shutdown_event = Event()
    reader, usage = visitor.app.reader, visitor.folder / "project" / "usage.md"

    def change() -> None:
        reader.looked.wait(10)
        usage.write_text("Fill it *before*.\n")
        # The time of the change counts in it, however fast this is.
        os.utime(usage, (2_000_000_000, 2_000_000_000))

    writer = Thread(target=change)
    writer.start()
    with (
        serving(visitor.app) as host,
        urlopen(f"http://{host}/__/grip/refresh/usage.md", timeout=10) as events,
    ):
        lines = [events.readline().decode().rstrip() for _ in range(3)]
        visitor.app._shutdown_event.set()
    writer.join()
    visitor.note("events", [events.headers["Content-Type"], lines])
    assert json.loads(lines[0].removeprefix("data: ")) == {"updating": True}
    assert "before" in json.loads(lines[2].removeprefix("data: "))["content"]
