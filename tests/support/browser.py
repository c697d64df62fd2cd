"""A browser that a test drives: Chromium, through its DevTools protocol."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection, connect

#: Names under which systems have it.
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

#: Seconds that the browser has to start, and for each thing that is waited for.
START_LIMIT = 60.0
PATIENCE = 20.0

_KEYS = {
    "Enter": (13, "\r"),
    "Tab": (9, "\t"),
    "ArrowUp": (38, ""),
    "ArrowDown": (40, ""),
    "Escape": (27, ""),
}


def executable() -> str | None:
    """Return where Chromium is, ``None`` where it is not."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class BrowserError(AssertionError):
    """A page did not do what the test waited for."""


class Browser:
    """A browser without a window, with a profile of its own that is removed with it. Use it in a ``with`` block.

    :raises pytest.skip.Exception: where there is no Chromium.
    """

    def __init__(self) -> None:
        path = executable()
        if path is None:
            pytest.skip(f"there is no Chromium, under none of the names {', '.join(NAMES)}: install it")
        self._path = path

    def __enter__(self) -> t.Self:
        self._profile = tempfile.mkdtemp(prefix="browser-")
        options = (
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        )
        self._process = subprocess.Popen(
            [
                self._path,
                *options,
                "--remote-debugging-port=0",
                f"--user-data-dir={self._profile}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._pages: list[Page] = []
        self._open = contextlib.ExitStack()
        self._ids = itertools.count(1)
        try:
            self._connection = self._open.enter_context(connect(self._address(), max_size=None))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for page in self._pages:
            page.close()
        try:
            call(self._connection, next(self._ids), "Browser.close")
        except Exception:
            self._process.terminate()
        self._open.close()
        self._end()

    def _address(self) -> str:
        file = Path(self._profile) / "DevToolsActivePort"
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end:
            if file.is_file() and len(lines := file.read_text(encoding="utf-8").splitlines()) == 2:
                self._port = int(lines[0])
                return f"ws://127.0.0.1:{self._port}{lines[1]}"
            if self._process.poll() is not None:
                raise BrowserError(f"{self._path} ended with {self._process.returncode} before it was there")
            time.sleep(0.05)
        raise BrowserError(f"{self._path} did not start in {START_LIMIT} seconds")

    def _end(self) -> None:
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def open(
        self, url: str = "about:blank", *, width: int = 1280, height: int = 900, dark: bool = False
    ) -> Page:
        """Open a page in a tab of its own.

        :param url: its address.
        :param width: of the window in CSS pixels; up to 500 a phone is emulated.
        :param height: of the window.
        :param dark: whether the user prefers dark colours.
        """
        answer = call(self._connection, next(self._ids), "Target.createTarget", url="about:blank")
        page = Page(f"ws://127.0.0.1:{self._port}/devtools/page/{answer['targetId']}")
        self._pages.append(page)
        page.resize(width, height, dark=dark)
        page.go(url)
        return page


def call(connection: ClientConnection, number: int, method: str, **params: t.Any) -> dict[str, t.Any]:
    """Call a method of the protocol and return its result; events that come meanwhile are dropped."""
    connection.send(json.dumps({"id": number, "method": method, "params": params}))
    end = time.monotonic() + PATIENCE
    while (left := end - time.monotonic()) > 0:
        message = json.loads(connection.recv(timeout=left))
        if message.get("id") == number:
            if "error" in message:
                raise BrowserError(f"{method}: {message['error']['message']}")
            return t.cast("dict[str, t.Any]", message["result"])
    raise BrowserError(f"{method} was not answered in {PATIENCE} seconds")


class Page:
    """One tab of a browser.

    :param address: of its part of the protocol.
    """

    def __init__(self, address: str) -> None:
        self._open = contextlib.ExitStack()
        self._connection = self._open.enter_context(connect(address, max_size=None))
        self._ids = itertools.count(1)
        self.call("Page.enable")
        self.call("Runtime.enable")

    def close(self) -> None:
        """Close the connection; the tab ends with the browser."""
        self._open.close()

    def call(self, method: str, **params: t.Any) -> dict[str, t.Any]:
        """Call a method of the protocol and return its result."""
        return call(self._connection, next(self._ids), method, **params)

    def resize(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """Give the page another size and other colours.

        :param width: in CSS pixels; up to 500 a phone is emulated.
        :param height: in CSS pixels.
        :param dark: whether the user prefers dark colours.
        """
        is_phone = width <= 500
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=is_phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def go(self, url: str) -> None:
        """Load an address, and return when the page is there."""
        self.evaluate("window.isBefore = true")
        answer = self.call("Page.navigate", url=url)
        if answer.get("errorText"):
            raise BrowserError(f"{url}: {answer['errorText']}")
        # A navigation to a fragment keeps the page.
        if answer.get("loaderId"):
            self.until("!window.isBefore && document.readyState === 'complete'")

    def reload(self) -> None:
        """Load the page again, and return when it is there."""
        self.evaluate("window.isBefore = true")
        self.call("Page.reload")
        self.until("!window.isBefore && document.readyState === 'complete'")

    def evaluate(self, expression: str) -> t.Any:
        """Return the value of an expression of JavaScript; a promise is awaited.

        :raises BrowserError: with what it throws.
        """
        answer = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description") or details["text"])
        return answer["result"].get("value")

    def until(self, expression: str) -> t.Any:
        """Return the value of an expression of JavaScript once it is true."""
        end = time.monotonic() + PATIENCE
        value = None
        while time.monotonic() < end:
            try:
                value = self.evaluate(expression)
            except BrowserError:
                # While one page takes the place of another there is none to ask.
                value = None
            if value:
                return value
            time.sleep(0.03)
        shown = self.evaluate("document.body.innerText")[:2000]
        raise BrowserError(f"{expression} was not true after {PATIENCE} seconds. The page has: {shown}")

    def text(self, selector: str = "body") -> str:
        """Return the text that is seen of an element."""
        return t.cast(str, self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def click(self, selector: str) -> None:
        """Click on the middle of an element with the mouse."""
        where = self.until(
            f"(() => {{ const one = document.querySelector({json.dumps(selector)}); if (!one) return null;"
            "one.scrollIntoView({block: 'center', behavior: 'instant'}); const box = one.getBoundingClientRect();"
            "return box.width ? [box.x + box.width / 2, box.y + box.height / 2] : null })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call(
                "Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], button="left", clickCount=1
            )

    def type(self, text: str) -> None:
        """Type text into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key: ``Enter``, ``Tab``, ``ArrowUp``, ``ArrowDown`` or ``Escape``."""
        code, text = _KEYS[key]
        options = {"key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", text=text, **options)
        self.call("Input.dispatchKeyEvent", type="keyUp", **options)

    def scrolls_sideways(self) -> bool:
        """Return whether the page is wider than its window."""
        return bool(
            self.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        )

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        """Save a picture of what is seen, as PNG.

        :param file: where to.
        :param whole: the whole page, not only what is in the window.
        """
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(answer["data"]))
