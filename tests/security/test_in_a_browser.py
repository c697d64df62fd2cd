"""The example of accounts in a real browser: without scripts, but for passkeys, which nothing else can make."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from pyotp.totp import TOTP

from accounts_example import create_app
from browser import NAMES, executable
from erlen.ext.security import Security
from erlen.ext.security.mail import Outbox
from erlen.testing import LiveServer

ADA, PASSWORD, NEW = "ada@example.com", "a boat with three masts", "another boat, with two"

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def chromium() -> t.Iterator[Browser]:
    path = executable()
    if path is None:
        pytest.skip(f"there is no Chromium, under none of the names {', '.join(NAMES)}: install it")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Club:
    """The example, served to a browser.

    :param server: what serves it.
    :param outbox: its mails.
    """

    def __init__(self, server: LiveServer, outbox: Outbox) -> None:
        self.server, self.outbox = server, outbox
        self.parts = Security.of(t.cast("t.Any", server.app))
        # Not an address with numbers: a passkey is bound to a name.
        self.url = f"http://localhost:{server.port}"

    def link(self, to: str = ADA) -> str:
        found = re.search(r"https?://[^/\s]+(/account/\S+)", self.outbox.to(to)[-1].text)
        assert found is not None
        return self.url + found.group(1)

    def add(self) -> None:
        with t.cast("t.Any", self.server.app).app_context():
            self.parts.accounts.create(ADA, PASSWORD)

    def log_in(self, page: Page, password: str = PASSWORD) -> None:
        page.goto(f"{self.url}/account/login")
        page.get_by_label("E-mail address").fill(ADA)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.fixture
def club(tmp_path: Path) -> t.Iterator[Club]:
    outbox = Outbox()
    config = {
        "TESTING": True,
        "SECRET_KEY": "test",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'club.sqlite'}",
        "SECURITY_ARGON2_MEMORY": 7168,
        "SECURITY_ARGON2_TIME": 1,
        "SECURITY_LOGIN_RATE": "1000 per minute",
        "SECURITY_MAIL_RATE": "1000 per minute",
    }
    # Over ASGI: Werkzeug's server does not close an answer whose connection the browser has reset, as it does after a 303.
    app = create_app(config, outbox)
    with LiveServer(app, interface="asgi") as server:
        yield Club(server, outbox)
    app.extensions["database"].dispose()


def pages_of(chromium: Browser, **options: t.Any) -> t.Iterator[Page]:
    context: BrowserContext = chromium.new_context(**options)
    context.set_default_timeout(20_000)
    page = context.new_page()
    refused: list[str] = []
    page.on(
        "console",
        lambda message: refused.append(message.text) if "Content Security" in message.text else None,
    )
    yield page
    context.close()
    assert refused == []


@pytest.fixture
def plain(chromium: Browser, club: Club) -> t.Iterator[Page]:
    """A phone without scripts."""
    yield from pages_of(chromium, java_script_enabled=False, viewport={"width": 360, "height": 740})


@pytest.fixture
def scripted(chromium: Browser, club: Club) -> t.Iterator[Page]:
    """A browser with a device that holds passkeys, and whose owner always agrees."""
    for page in pages_of(chromium):
        session = page.context.new_cdp_session(page)
        session.send("WebAuthn.enable")
        session.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        yield page


def test_the_whole_walk_without_scripts(club: Club, plain: Page) -> None:
    plain.goto(f"{club.url}/members")
    expect(plain.get_by_role("heading", name="Sign in")).to_be_visible()
    plain.get_by_role("link", name="Create an account").click()

    # Registration, with a password that is refused first.
    plain.get_by_label("E-mail address").fill(ADA)
    plain.get_by_label("Password").fill("short")
    plain.get_by_role("button", name="Create account").click()
    expect(plain.get_by_role("alert")).to_be_visible()
    assert plain.get_by_label("Password").input_value() == ""
    plain.get_by_label("Password").fill(PASSWORD)
    plain.get_by_role("button", name="Create account").click()
    expect(plain.get_by_role("heading", name="Look into your mail")).to_be_visible()

    # Activation.
    plain.goto(club.link())
    field = plain.get_by_label("Password")
    assert field.get_attribute("autocomplete") == "current-password"
    field.fill("not what was chosen")
    plain.get_by_role("button", name="Activate account").click()
    expect(plain.get_by_role("alert")).to_contain_text("ask for a recovery mail")
    plain.get_by_label("Password").fill(PASSWORD)
    plain.get_by_role("button", name="Activate account").click()
    expect(plain.get_by_role("status")).to_contain_text("activated")
    club.log_in(plain)
    expect(plain.get_by_role("heading", name="For members")).to_be_visible()

    # The second factor, and the codes for when it is lost.
    plain.get_by_role("link", name="Your account").click()
    plain.get_by_role("link", name="Set up").click()
    plain.get_by_role("link", name="Set up authenticator app").click()
    expect(plain.get_by_role("img", name="QR code")).to_be_visible()
    secret = plain.locator(".secret").inner_text()
    plain.get_by_label("Code that the app shows").fill(TOTP(secret).now())
    plain.get_by_role("button", name="Confirm").click()
    codes = plain.locator(".codes li").all_inner_texts()
    assert plain.locator(".codes").evaluate("(list) => list.scrollWidth <= list.clientWidth")
    assert len(codes) == 10

    # A token.
    plain.get_by_role("navigation").get_by_role("link", name="Tokens").click()
    plain.get_by_role("link", name="New token").click()
    plain.get_by_label("Name").fill("backup")
    plain.get_by_label("profile:read").check()
    plain.get_by_role("button", name="Make token").click()
    token = plain.locator("#secret").input_value()
    me = plain.request.get(f"{club.url}/api/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json() == {"email": ADA, "roles": []}

    # A role.
    plain.goto(f"{club.url}/admin")
    expect(plain.get_by_role("heading", level=1)).not_to_have_text("Everybody")
    user = club.parts.store.user_by_email(ADA)
    assert user is not None
    club.parts.store.grant(user.uid, "admin")
    plain.goto(f"{club.url}/admin")
    expect(plain.get_by_role("heading", name="Everybody")).to_be_visible()

    # Recovery, which does not lead around the second factor.
    plain.get_by_role("button", name="Sign out").click()
    plain.goto(f"{club.url}/account/login")
    plain.get_by_role("link", name="Forgotten your password?").click()
    plain.get_by_label("E-mail address").fill(ADA)
    plain.get_by_role("button", name="Send mail").click()
    plain.goto(club.link())
    plain.get_by_label("New password").fill(NEW)
    plain.get_by_role("button", name="Set password").click()
    club.log_in(plain, NEW)
    expect(plain.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    plain.get_by_role("link", name="Use a recovery code").click()
    plain.get_by_label("Recovery code").fill(codes[0])
    plain.get_by_role("button", name="Continue").click()
    expect(plain.get_by_role("heading", name="For members")).to_be_visible()


def test_a_passkey_is_added_and_logs_in_alone_and_as_a_second_step(club: Club, scripted: Page) -> None:
    club.add()
    club.log_in(scripted)
    scripted.goto(f"{club.url}/account/passkeys")
    scripted.get_by_label("Name").fill("The laptop")
    scripted.get_by_role("button", name="Add passkey").click()
    expect(scripted.locator(".made li")).to_have_count(10)
    scripted.get_by_role("link", name="I have kept them").click()
    expect(scripted.get_by_text("The laptop").first).to_be_visible()

    # As a second step, after the password.
    scripted.get_by_role("button", name="Sign out").click()
    club.log_in(scripted)
    expect(scripted.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    scripted.get_by_role("button", name="Use the passkey").click()
    expect(scripted.get_by_role("heading", name="For members")).to_be_visible()

    # Alone.
    scripted.get_by_role("button", name="Sign out").click()
    scripted.goto(f"{club.url}/account/login?next=/account/")
    scripted.get_by_role("button", name="Sign in with a passkey").click()
    expect(scripted.get_by_role("heading", name="Your account")).to_be_visible()

    # Once more, for what is sensitive.
    scripted.goto(f"{club.url}/account/reauthenticate?with=passkey&next=/account/sessions")
    scripted.get_by_role("button", name="Use the passkey").click()
    expect(scripted.get_by_role("heading", name="Devices")).to_be_visible()


PATHS = [
    "",
    "password",
    "email",
    "second-factor",
    "second-factor/app",
    "passkeys",
    "tokens",
    "tokens/new",
    "sessions",
    "log",
    "delete",
    "reauthenticate",
    "logout",
]
OPEN_PATHS = ["login", "register", "recover", "activate", "activate/nothing"]

_SMALL = """() => [...document.querySelectorAll("button, main a, main input:not([type=hidden]), nav a")]
    .filter((one) => one.checkVisibility() && !(one.closest("p, dd, li") && one.tagName === "A" && getComputedStyle(one).display === "inline"))
    .map((one) => [one.outerHTML.slice(0, 80), (one.type === "checkbox" || one.type === "radio" ? one.parentElement : one).getBoundingClientRect().height])
    .filter(([, height]) => height < 43.5)"""


# Such as the name of the account, which is there for password managers.
_SHOWN = """() => [...document.querySelectorAll("[hidden]")].filter((one) => one.checkVisibility()).map((one) => one.outerHTML)"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_pages_fit_a_phone_and_their_buttons_a_thumb(club: Club, scripted: Page, dark: bool) -> None:
    club.add()
    scripted.emulate_media(color_scheme="dark" if dark else "light")
    scripted.set_viewport_size({"width": 360, "height": 740})

    def look(path: str) -> None:
        scripted.goto(f"{club.url}/account/{path}")
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not scripted.evaluate(wide), path
        assert scripted.evaluate(_SMALL) == [], path
        assert scripted.evaluate(_SHOWN) == [], path
        assert scripted.locator("h1").count() == 1, path

    for path in OPEN_PATHS:
        look(path)
    club.log_in(scripted)
    for path in PATHS:
        look(path)


_CONTRASTS = """() => {
  const channel = (one) => (one /= 255) <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const colour = numbers(getComputedStyle(one).backgroundColor);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!text || !one.checkVisibility() || one.closest("svg, .unseen, .skip")) continue;
    const [a, b] = [light(numbers(getComputedStyle(one).color)), light(ground(one))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) found.push([one.textContent.trim().slice(0, 40), ratio]);
  }
  return found;
}"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_texts_stand_out_from_their_ground(club: Club, scripted: Page, dark: bool) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    club.add()
    scripted.emulate_media(color_scheme="dark" if dark else "light")
    for path in OPEN_PATHS:
        scripted.goto(f"{club.url}/account/{path}")
        assert scripted.evaluate(_CONTRASTS) == [], path
    club.log_in(scripted, "wrong")
    assert scripted.evaluate(_CONTRASTS) == []
    club.log_in(scripted)
    for path in PATHS:
        scripted.goto(f"{club.url}/account/{path}")
        assert scripted.evaluate(_CONTRASTS) == [], path
