"""What each picture shows, and how that comes about."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import typing as t
from pathlib import Path

from playwright.sync_api import Page, expect

from accounts_example import create_app as create_club
from chat import create_app as create_chat
from erlen.ext.security import Security
from erlen.ext.security.mail import Outbox
from erlen.testing import LiveServer
from signup import create_app as create_signup

from .studio import PHONE, Studio

_KEY = "a key for pictures, which nobody keeps"


def signup(studio: Studio) -> t.Iterator[Path]:
    """Show the example of a page on which people sign up."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_signup({"SECRET_KEY": _KEY}, instance_path=folder)
        with LiveServer(app) as server:
            for name, size in (("signup-desktop", (1280, 860)), ("signup-phone", PHONE)):
                with studio.page(size) as page:
                    page.goto(server.url)
                    yield studio.take(page, name)


_SAID = (
    ("Cléo", "Morning. Has anybody seen the ferry yet?"),
    ("Ben", "Two horns a moment ago, so it is past the point."),
    ("Ben", "Low in the water, too."),
    ("Yuki", "Market day. The tide turns at 11:26, she will want to be gone by then."),
    ("Ada", "Then I will keep us places by the rail."),
    ("Ada", "Coffee is on the stove in the net loft."),
    ("Cléo", "You are a lighthouse. Ten minutes!"),
)


def chat(studio: Studio) -> t.Iterator[Path]:
    """Show a room with four people in it."""
    with LiveServer(create_chat({"SECRET_KEY": _KEY})) as server, contextlib.ExitStack() as stack:
        people = {
            "Ada": stack.enter_context(studio.page()),
            "Ben": stack.enter_context(studio.page((360, 740), dark=True)),
            "Cléo": stack.enter_context(studio.page()),
            "Yuki": stack.enter_context(studio.page()),
        }
        room = ""
        for name, page in people.items():
            page.goto(server.url)
            page.get_by_label("Your name").fill(name)
            page.get_by_role("button", name="Walk in").click()
            if not room:
                page.get_by_label("A room of your own").fill("The jetty")
                page.get_by_role("button", name="Open the room").click()
                room = page.url
            else:
                page.goto(room)
            expect(page.get_by_text("Connected")).to_be_visible()
        for count, (name, text) in enumerate(_SAID, 1):
            people[name].get_by_placeholder("Say something").fill(text)
            people[name].get_by_role("button", name="Send").click()
            for page in people.values():
                expect(page.get_by_text(_SAID[count - 1][1])).to_be_visible()
        yield studio.take(people["Ada"], "chat-desktop")
        yield studio.take(people["Ben"], "chat-phone")


def accounts(studio: Studio) -> t.Iterator[Path]:
    """Show where somebody logs in, and what they see of their account."""
    outbox = Outbox()
    with tempfile.TemporaryDirectory() as folder:
        app = create_club(
            {"SECRET_KEY": _KEY, "DATABASE_URL": f"sqlite:///{folder}/club.sqlite"}, mailer=outbox
        )
        with app.app_context():
            Security.of(app).accounts.create("ada@example.com", "a boat with three masts")
        with LiveServer(app) as server, studio.page((1280, 760)) as page:
            url = f"http://localhost:{server.port}"
            page.goto(f"{url}/account/login")
            yield studio.take(page, "accounts-login")
            page.get_by_label("E-mail address").fill("ada@example.com")
            page.get_by_label("Password").fill("a boat with three masts")
            page.get_by_role("button", name="Sign in", exact=True).click()
            page.goto(f"{url}/account/")
            yield studio.take(page, "accounts-desktop")


_BASKET = '''\
"""What somebody is about to buy."""

from dataclasses import dataclass, field


@dataclass
class Item:
    name: str
    price: float
    count: int = 1


@dataclass
class Basket:
    owner: str
    items: list[Item] = field(default_factory=list)

    def average(self, currency: str = "EUR") -> str:
        """Return what an item costs on average."""
        total = sum(item.price * item.count for item in self.items)
        number = sum(item.count for item in self.items)
        # An empty basket has no average.
        return f"{total / number:.2f} {currency}"
'''

_SHOP = """\
from erlen import Erlen, request, session

from shop.basket import Basket

app = Erlen(__name__)
app.secret_key = "only for a picture"


@app.get("/basket/<owner>")
def basket(owner: str) -> str:
    session["user"] = owner
    session["csrf_token"] = "e5e9fa1ba31ecd1a"
    api_token = request.args.get("token")
    found = Basket(owner)
    return f"{owner} pays {found.average()} an item"
"""


def debugger(studio: Studio) -> t.Iterator[Path]:
    """Show the debugger, and its console in the frame that failed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "shop"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "app.py").write_text(_SHOP, encoding="utf-8")
        (folder / "basket.py").write_text(_BASKET, encoding="utf-8")
        with _development_server(Path(name), "--app", "shop.app") as (url, unlock):
            with studio.page((1280, 1060)) as page:
                _fail(page, url, unlock)
                page.locator(".prompt button").first.click()
                prompt = page.get_by_placeholder("Python, in this frame").first
                for line in (
                    "self.items",
                    "from shop.basket import Item; self.items.append(Item('tea', 4.5, 2))",
                    "self.average()",
                ):
                    prompt.fill(line)
                    prompt.press("Enter")
                expect(page.get_by_text("'4.50 EUR'").first).to_be_visible()
                page.evaluate("scrollTo(0, 0)")
                yield studio.take(page, "debugger-desktop")
            with studio.page(PHONE, dark=True) as page:
                _fail(page, url, unlock)
                yield studio.take(page, "debugger-phone")


def _fail(page: Page, url: str, unlock: str) -> None:
    page.goto(unlock)
    page.wait_for_load_state("networkidle")
    page.goto(f"{url}/basket/ada?token=4f1c")
    expect(page.get_by_role("heading", name="ZeroDivisionError").first).to_be_visible()


@contextlib.contextmanager
def _development_server(folder: Path, *options: str) -> t.Generator[tuple[str, str], None, None]:
    """Run ``erlen run --debug``, and return its address and the one that opens the debugger."""
    process = subprocess.Popen(  # noqa: S603 (Python, and Erlen's command)
        [sys.executable, "-m", "erlen", *options, "run", "--debug", "--no-reload", "--port", "0"],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    try:
        for line in process.stdout:
            said += line
            if "Press CTRL+C" in line:
                break
        url = re.search(r"Running on (http://\S+)", said)
        unlock = re.search(r"Debugger: (http://\S+)", said)
        if url is None or unlock is None:
            raise RuntimeError(f"The development server did not start:\n{textwrap.indent(said, '  ')}")
        yield url[1], unlock[1]
    finally:
        process.terminate()
        process.communicate(timeout=20)


_NAMED = re.compile(r"^```\w+ ([\w./-]+)\n(.*?)^```$|^\$ ((?:mv|mkdir) [\w /]+)$", re.MULTILINE | re.DOTALL)


def toolshed(studio: Studio) -> t.Iterator[Path]:
    """Show the application of the tutorial, as its chapters have it in the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for chapter in sorted((Path(__file__).parents[2] / "docs" / "tutorial").glob("[0-9]*.md")):
            for file, text, move in _NAMED.findall(chapter.read_text(encoding="utf-8")):
                if move:
                    subprocess.run(move.split(), cwd=folder, check=True)  # noqa: S603 (of the page)
                    continue
                path = folder / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
        (folder / ".env").write_text(f"TOOLSHED_SECRET_KEY={_KEY}\n", encoding="utf-8")
        _erlen(folder, "init-db")
        _erlen(
            folder,
            "security",
            "users",
            "create",
            "ada@example.org",
            "--password-stdin",
            said="a boat with three masts",
        )
        _erlen(folder, "seed", "ada@example.org")
        with _development_server(folder) as (url, _):
            for name, size, dark in (
                ("toolshed-desktop", (1280, 720), False),
                ("toolshed-phone", PHONE, True),
            ):
                with studio.page(size, dark=dark) as page:
                    page.goto(url)
                    yield studio.take(page, name)


def _erlen(folder: Path, *arguments: str, said: str = "") -> None:
    subprocess.run(  # noqa: S603 (Python, and Erlen's command)
        [sys.executable, "-m", "erlen", *arguments],
        cwd=folder,
        input=said,
        text=True,
        capture_output=True,
        check=True,
    )


#: The names of pictures' groups, and what takes them.
SCENES: dict[str, t.Callable[[Studio], t.Iterator[Path]]] = {
    "signup": signup,
    "chat": chat,
    "accounts": accounts,
    "debugger": debugger,
    "toolshed": toolshed,
}
