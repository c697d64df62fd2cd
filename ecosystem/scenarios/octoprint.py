"""OctoPrint, which serves Flask with Tornado: sign-in with tokens, settings, profiles, files of a printer, plugins, refusals."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import requests
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse
from werkzeug.wrappers import Request

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["OctoPrint", "Flask-Login", "Flask-Babel", "Flask-Assets", "Flask-Limiter"]
APPLICATION = True
ENVIRONMENT = "octoprint"
PROTOCOLS = ["wsgi"]
NOT_ON_ASGI = "it brings its own server, Tornado, which calls the application over WSGI"

VARIES = (
    # The port, in addresses and in the names of cookies.
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r"_P\d+=", "_P<port>="),
    # How long an answer took to make.
    (r"app;dur=\d+", "app;dur=<milliseconds>"),
    # The cookie that remembers: a user, a time, a signature.
    (r"=me\|[\d.]+\|[0-9a-f]{128}", "=me|<time>|<signature>"),
    (r'("_credentials_seen": )"[^"]*"', r'\1"<time>"'),
    (r'("(?:session|key)": )"(?:[0-9a-f]{64}|[\w-]{43})"', r'\1"<random>"'),
    # When a file was written, in a list and as its tag; the room that is left for more.
    (r'("date": |^")\d{10}\b', r"\1<time>"),
    (r'"free": \d+', '"free": "<bytes>"'),
    # Tags that are sums over settings, addresses and the times of files.
    (r'^"[0-9a-f]{40}"$', '"<sum>"'),
)

SETTINGS = """
server: {firstRun: false, onlineCheck: {enabled: false}, pluginBlacklist: {enabled: false}}
plugins:
  # These would ask the network, or tell the time.
  _disabled: [achievements, announcements, discovery, errortracking, health_check, pluginmanager, softwareupdate, tracking]
accessControl: {salt: abcdefghijklmnopqrstuvwxyzABCDEF, autologinLocal: false}
"""


class Browser:
    """What the visitor takes for a test client: it asks over HTTP."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.session = requests.Session()

    def open(self, path: str, **options: t.Any) -> TestResponse:
        answer = self.session.request(url=self.address + path, allow_redirects=False, timeout=20, **options)
        headers = [(name, value) for name, value in answer.raw.headers.items() if name != "Content-Encoding"]
        status = f"{answer.status_code} {answer.reason}"
        return TestResponse([answer.content], status, Headers(headers), Request.from_values(path))

    @property
    def token(self) -> dict[str, str]:
        """The header that has to have the same as a cookie."""
        names = [cookie for cookie in self.session.cookies if cookie.name.startswith("csrf_token")]
        return {"X-CSRF-Token": names[0].value or ""}


class Printer:
    """OctoPrint with its files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.settings = ("--basedir", str(folder))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]

    def test_client(self) -> Browser:
        return Browser(f"http://127.0.0.1:{self.port}")

    def command(self, *args: str) -> None:
        """Do what the command ``octoprint`` does."""
        import octoprint

        sys.argv = ["octoprint", *args]
        with suppress(SystemExit):
            octoprint.main()


def make_app(folder: Path) -> Printer:
    (folder / "config.yaml").write_text(SETTINGS)
    printer = Printer(folder)
    # In a process of its own, as OctoPrint reads its settings once.
    account = (*printer.settings, "user", "add", "me", "--password", "secret", "--admin")
    adding = get_context("fork").Process(target=printer.command, args=account)
    adding.start()
    adding.join()
    return printer


def play(visitor: Visitor) -> None:
    # Its server wants the main thread, for signals; one of these ends it.
    with ThreadPoolExecutor(1) as pool:
        visiting = pool.submit(visit, visitor)
        where = ("--host", "127.0.0.1", "--port", str(visitor.app.port))
        visitor.app.command("serve", "--iknowwhatimdoing", *where, *visitor.app.settings)
    visiting.result()


def visit(visitor: Visitor) -> None:
    try:
        wait(visitor.client)
        sign_in(visitor)
        settings(visitor)
        files(visitor)
        assert visitor.post("/api/logout", headers=visitor.client.token).status_code == 200
        assert visitor.get("/api/version").status_code == 403
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def wait(browser: Browser) -> None:
    """Wait for the server: until then another one answers, that it is starting."""
    for _ in range(600):
        with suppress(requests.ConnectionError):
            if browser.open("/online.gif", method="GET").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("OctoPrint does not start")


def sign_in(visitor: Visitor) -> None:
    assert visitor.get("/").location.startswith("/login/")
    assert "<title>OctoPrint Login" in visitor.get("/login/").text
    assert visitor.get("/api/version").status_code == 403
    account = {"user": "me", "pass": "secret", "remember": True}
    token = visitor.client.token
    assert visitor.post("/api/login", json={**account, "pass": "no"}, headers=token).status_code == 403
    assert visitor.post("/api/login", json=account).status_code == 400
    assert visitor.post("/api/login", json=account, headers=token).json["name"] == "me"
    assert visitor.get("/api/currentuser").json["name"] == "me"
    assert visitor.get("/api/version").json["server"].startswith("1.")


def settings(visitor: Visitor) -> None:
    assert "<title data-bind" in visitor.get("/").text
    assert visitor.get("/api/settings").json["appearance"]["name"] == ""
    change = {"appearance": {"name": "Mine"}}
    assert visitor.post("/api/settings", json=change).status_code == 400
    changed = visitor.post("/api/settings", json=change, headers=visitor.client.token)
    assert changed.json["appearance"]["name"] == "Mine"
    assert list(visitor.get("/api/printerprofiles").json["profiles"]) == ["_default"]
    profile = {"profile": {"name": "Large", "id": "large"}}
    made = visitor.post("/api/printerprofiles", json=profile, headers=visitor.client.token)
    assert made.json["profile"]["name"] == "Large"
    assert visitor.get("/api/connection").json["current"]["state"] == "Closed"
    assert visitor.get("/api/printer").status_code == 409
    assert "en" in json.dumps(visitor.get("/api/languages").json)
    assert visitor.get("/plugin/appkeys/probe").status_code == 204
    assert visitor.get("/api/plugin/appkeys").json == {"keys": [], "pending": {}}
    assert "Drucker" in visitor.get("/i18n/de/messages.js").text
    assert visitor.get("/static/img/tentacle-32x32.png").mimetype == "image/png"
    assert "Disallow" in visitor.get("/robots.txt").text
    assert visitor.get("/nope").status_code == 404


def files(visitor: Visitor) -> None:
    token = visitor.client.token
    sent = {"file": ("box.gcode", io.BytesIO(b"G28\nG1 X1\n"), "application/octet-stream")}
    assert visitor.post("/api/files/local", files=sent, headers=token).json["done"] is True
    text = {"file": ("box.txt", io.BytesIO(b"no"), "text/plain")}
    assert visitor.post("/api/files/local", files=text, headers=token).status_code == 415
    assert [file["name"] for file in visitor.get("/api/files").json["files"]] == ["box.gcode"]
    assert visitor.get("/downloads/files/local/box.gcode").text == "G28\nG1 X1\n"
    folder = {"foldername": (None, "old")}
    assert visitor.post("/api/files/local", files=folder, headers=token).status_code == 201
    move = {"command": "move", "destination": "old"}
    assert (
        visitor.post("/api/files/local/box.gcode", json=move, headers=token).json["path"] == "old/box.gcode"
    )
    assert visitor.get("/api/files/local/box.gcode").status_code == 404
    assert visitor.delete("/api/files/local/old/box.gcode", headers=token).status_code == 204
