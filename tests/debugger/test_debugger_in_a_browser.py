"""The debugger as a person uses it: in Chromium, on real ports, over both protocols."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import typing as t
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import uvicorn

from browser import Browser, Page
from erlen import Erlen, render_template_string, request, session
from erlen.debugger import Debugger

SECRET = "a-secret-for-this-test-and-no-other"

BROKEN = """
    from erlen import Erlen

    app = Erlen("shop")
    app.debug = True


    def average(prices):
        return sum(prices) / len(prices)


    @app.get("/")
    def index():
        prices = []
        return f"average: {average(prices)}"
"""

SERVE = """
    import sys

    from werkzeug.serving import run_simple

    from erlen.debugger import Debugger
    from shop import app

    run_simple(
        "127.0.0.1", int(sys.argv[1]), Debugger(app, secret=sys.argv[2]),
        use_reloader=True, reloader_type="stat", reloader_interval=0.1, threaded=True,
    )
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return t.cast(int, listener.getsockname()[1])


def answers(url: str) -> bool:
    """Return whether a server is there, whatever it answers."""
    try:
        urllib.request.urlopen(url, timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    except OSError:
        return False
    return True


def wait_for(url: str) -> None:
    end = time.monotonic() + 30
    while not answers(url):
        assert time.monotonic() < end, "the server did not start"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def browser() -> t.Iterator[Browser]:
    with Browser() as browser:
        yield browser


class Served(t.NamedTuple):
    """An application in the debugger on a port."""

    url: str
    debugger: Debugger


@pytest.fixture(scope="module")
def served() -> t.Iterator[Served]:
    """Serve an application with mistakes over ASGI."""
    app = Erlen("erlen_test_in_a_browser")
    app.debug = True
    app.secret_key = "key"

    def divide(amount: int, parts: int) -> float:
        return amount / parts

    @app.get("/divide")
    async def division() -> str:
        session["user"] = "ada"
        return str(divide(7, int(request.args.get("parts", "0"))))

    @app.get("/markup")
    def markup() -> str:
        text = "<img src=x onerror='document.title=1'><script>document.title = 1</script>"
        error = LookupError(text)
        error.add_note(text)
        raise error

    @app.get("/wide")
    def wide() -> str:
        long = "x" * 1000
        raise LookupError("y" * 300 + render_template_string("{{ long }}", long=long)[:1])

    @app.get("/group")
    def group() -> str:
        raise ExceptionGroup("outer", [ValueError("one"), ExceptionGroup("inner", [KeyError("two")])])

    debugger = Debugger(app)
    port = free_port()
    server = uvicorn.Server(
        # Its own configuration of logging would be that of the whole process.
        uvicorn.Config(
            t.cast(t.Any, debugger),
            port=port,
            interface="asgi3",
            log_config=None,
            access_log=False,
            ws="none",
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url)
        yield Served(url, debugger)
    finally:
        server.should_exit = True
        thread.join()


@contextlib.contextmanager
def reloading_server(folder: Path) -> t.Generator[str, None, None]:
    """Serve the application of a folder over WSGI, and start it again when its file changes."""
    (folder / "serve.py").write_text(textwrap.dedent(SERVE))
    port = free_port()
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "serve.py", str(port), SECRET],
            cwd=folder,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        # The process that the reloader has started is in its group.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    written = log.read_text()
    assert (
        "ZeroDivisionError: float division by zero" in written
        or "ZeroDivisionError: division by zero" in written
    )
    assert SECRET not in written


def open_console(page: Page, function: str) -> str:
    """Open the console of a frame, and return the selector of the frame."""
    place = f".prompt[data-function={function!r}]"
    frame = "#" + t.cast(str, page.until(f"document.querySelector(\"{place}\").closest('.frame').id"))
    page.click(f"{frame} .prompt button")
    page.until(f"document.activeElement === document.querySelector('{frame} textarea')")
    return frame


def enter(page: Page, frame: str, code: str) -> str:
    """Type code into a console, and return the whole log when it has run."""
    page.type(code)
    before = page.text(f"{frame} .log")
    page.press("Enter")
    page.until(f"document.querySelector('{frame} .log').innerText !== {before!r}")
    page.until(f"!document.querySelector('{frame} textarea').readOnly")
    return page.text(f"{frame} .log")


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no groups of processes on this system")
def test_from_the_error_to_the_fix(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "shop.py"
    file.write_text(textwrap.dedent(BROKEN))
    with reloading_server(tmp_path) as url:
        page = browser.open(url)
        assert page.text("h1") == "ZeroDivisionError"
        assert page.text("mark") == "sum(prices) / len(prices)"
        # The link of the terminal, in another tab.
        other = browser.open(f"{url}/__debugger__/#{SECRET}")
        other.until("document.querySelector('#status').innerText.startsWith('The console is unlocked')")
        assert other.evaluate("location.href") == f"{url}/__debugger__/"
        assert other.evaluate("document.cookie") == ""
        frame = open_console(page, "average")
        assert enter(page, frame, "prices").endswith("\n[]")
        assert enter(page, frame, "sum([1, 2]) / len([1, 2])").endswith("\n1.5")

        file.write_text(textwrap.dedent(BROKEN).replace("prices = []", "prices = [1, 2]"))
        end = time.monotonic() + 30
        while "average: 1.5" not in page.text():
            assert time.monotonic() < end, page.text()
            time.sleep(0.2)
            with contextlib.suppress(AssertionError):
                page.reload()


def test_the_secret_is_typed_into_the_page(browser: Browser, served: Served) -> None:
    page = browser.open(f"{served.url}/divide")
    page.call("Network.clearBrowserCookies")
    page.reload()
    frame = open_console(page, "served.<locals>.divide")
    page.type("amount")
    page.press("Enter")
    page.until("document.activeElement.id === 'secret'")
    page.type("wrong")
    page.press("Enter")
    page.until("document.querySelector('#status').innerText.includes('Tries left: 9')")
    page.type(served.debugger.secret)
    page.press("Enter")
    # What was typed before runs then.
    page.until(f"document.querySelector('{frame} .log').innerText.endsWith('7')")
    assert not page.evaluate("document.querySelector('#unlock').checkVisibility()")
    assert served.debugger.secret not in page.evaluate("document.documentElement.outerHTML")


def test_a_link_that_was_mistyped_asks_for_the_secret(browser: Browser, served: Served) -> None:
    page = browser.open(f"{served.url}/__debugger__/#%")
    page.until("document.querySelector('#status').innerText.startsWith('This is not the secret')")
    assert page.evaluate("document.querySelector('#unlock').checkVisibility()")


def test_the_console_takes_several_lines_and_remembers(browser: Browser, served: Served) -> None:
    page = browser.open(served.debugger.unlock_url(served.url))
    page.until("document.querySelector('#status').classList.contains('good')")
    page.go(f"{served.url}/divide")
    frame = open_console(page, "served.<locals>.divide")
    page.type("for number in range(2):")
    page.press("Enter")
    page.until(f"document.querySelector('{frame} textarea').value.endsWith(':\\n')")
    page.type("    print(number + amount)")
    page.press("Enter")
    page.until(f"document.querySelector('{frame} textarea').value.endsWith(')\\n')")
    assert enter(page, frame, "").endswith("\n7\n8")
    assert enter(page, frame, "'<b>bold</b>'").endswith("\n'<b>bold</b>'")
    page.press("ArrowUp")
    assert page.evaluate(f"document.querySelector('{frame} textarea').value") == "'<b>bold</b>'"
    page.press("ArrowDown")
    assert page.evaluate(f"document.querySelector('{frame} textarea').value") == ""
    assert enter(page, frame, "1 / 0").endswith("ZeroDivisionError: division by zero")


def test_markup_of_an_exception_stays_text(browser: Browser, served: Served) -> None:
    """CVE-2016-10516."""
    page = browser.open(f"{served.url}/markup")
    assert page.evaluate("document.title").startswith("LookupError: <img")
    assert page.evaluate("document.images.length") == 0
    assert "<script>document.title = 1</script>" in page.text(".message")


def test_the_policy_lets_the_page_work(browser: Browser, served: Served) -> None:
    page = browser.open(f"{served.url}/divide")
    assert page.evaluate("getComputedStyle(document.querySelector('.top')).borderTopWidth") == "4px"
    blocked = page.evaluate(
        "new Promise(done => { document.addEventListener('securitypolicyviolation', e => done(e.violatedDirective));"
        "const script = document.createElement('img'); script.src = 'http://127.0.0.1:9/x.png'; document.body.append(script) })"
    )
    assert blocked == "img-src"


@pytest.mark.parametrize("width", [1280, 390, 320])
@pytest.mark.parametrize("path", ["/divide", "/markup", "/wide", "/group", "/__debugger__/"])
def test_no_page_is_wider_than_its_window(browser: Browser, served: Served, path: str, width: int) -> None:
    page = browser.open(served.url + path, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert not page.scrolls_sideways()


def test_colours_follow_the_user(browser: Browser, served: Served) -> None:
    page = browser.open(f"{served.url}/divide")
    light = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.resize(1280, dark=True)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != light


def test_the_switch_opens_the_frames_of_libraries(browser: Browser, served: Served) -> None:
    page = browser.open(f"{served.url}/divide")
    closed = "document.querySelectorAll('.folded:not([open])').length"
    assert page.evaluate(closed) > 0
    page.click("#libraries")
    assert page.evaluate(closed) == 0
    page.click("#libraries")
    assert page.evaluate(closed) > 0


def test_the_text_is_copied_or_selected(browser: Browser, served: Served) -> None:
    page = browser.open(f"{served.url}/divide")
    page.call("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.call("Page.bringToFront")
    page.click("#copy")
    page.until("document.querySelector('#status').innerText !== ''")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert page.text("#status") == "Copied."
    assert copied.startswith(f"GET {served.url}/divide\n\nTraceback (most recent call last):")
    assert "ZeroDivisionError: division by zero" in copied


def test_the_page_is_read_without_javascript_and_without_a_mouse(browser: Browser, served: Served) -> None:
    page = browser.open()
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    page.call("Page.navigate", url=f"{served.url}/divide")
    page.until(
        "document.querySelector('h1')?.innerText === 'ZeroDivisionError' && document.readyState === 'complete'"
    )
    assert "return amount / parts" in page.text()
    assert "The console and the buttons need JavaScript" in page.text()
    assert not page.evaluate("document.querySelector('.actions').checkVisibility()")
    closed = page.evaluate("document.querySelectorAll('.folded:not([open])').length")
    page.evaluate("document.querySelector('.folded > summary').focus()")
    page.press("Enter")
    assert page.evaluate("document.querySelectorAll('.folded:not([open])').length") == closed - 1
