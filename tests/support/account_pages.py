"""An application with the pages of accounts, over the store in memory, and what tests of these pages do all the time."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t
from datetime import datetime
from html import unescape

from pyotp.totp import TOTP

from erlen import Erlen
from erlen.ext.security.extension import Security
from erlen.ext.security.mail import Mailer, Outbox
from erlen.ext.security.settings import Settings
from erlen.ext.security.types import User
from memory_store import MemoryStore

ADA, PASSWORD = "ada@example.com", "correct horse battery"

JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class Site:
    """An application with accounts, and a browser.

    :param clock: the clock of the tests.
    :param providers: for OpenID Connect.
    :param store: where accounts are kept.
    :param mailer: sends mails in place of the list of the tests.
    :param settings: those that differ from the tests' own.
    """

    def __init__(
        self,
        clock: cabc.Callable[[], datetime],
        providers: cabc.Sequence[t.Any] = (),
        *,
        store: t.Any = None,
        mailer: Mailer | None = None,
        **settings: t.Any,
    ) -> None:
        self.app = Erlen(__name__)
        self.app.config.update(TESTING=True, SECRET_KEY="a key of the tests")
        self.app.add_url_rule("/", "home", lambda: "home")
        # The attempts of a test are no attack.
        values: dict[str, t.Any] = {
            "argon2_memory": 7168,
            "argon2_time": 1,
            "scopes": ("read", "write"),
            "login_rate": "1000 per minute",
            "mail_rate": "1000 per minute",
            "api_rate": "1000 per minute",
        }
        self.store: t.Any = MemoryStore() if store is None else store
        self.outbox, self.clock = Outbox(), clock
        Security(
            self.app,
            store=self.store,
            settings=Settings(**{**values, **settings}),
            mailer=mailer or self.outbox,
            providers=providers,
            clock=clock,
        )
        self.parts = Security.of(self.app)
        self.client = self.app.test_client()

    def add(self, email: str = ADA, **values: t.Any) -> User:
        """Return a new user, activated, with the password of the tests."""
        with self.app.app_context():
            return self.parts.accounts.create(email, PASSWORD, **values)

    def user(self, email: str = ADA) -> User:
        """Return a user as the store has it now."""
        found: User | None = self.store.user_by_email(email)
        assert found is not None
        return found

    def get(self, path: str, **arguments: t.Any) -> t.Any:
        """Ask for a page as a browser does."""
        return self.client.get(path, headers=HTML, **arguments)

    def post(self, path: str, data: cabc.Mapping[str, t.Any] | None = None, **arguments: t.Any) -> t.Any:
        """Send a form as a browser does, from a page of the site."""
        headers = {**HTML, "Sec-Fetch-Site": "same-origin"}
        return self.client.post(path, data=data or {}, headers=headers, **arguments)

    def send(self, path: str, values: t.Any = None, **arguments: t.Any) -> t.Any:
        """Send JSON as a program does."""
        return self.client.post(path, json={} if values is None else values, headers=JSON, **arguments)

    def fetch(self, path: str) -> t.Any:
        """Ask for JSON as a program does."""
        return self.client.get(path, headers=JSON)

    def log_in(self, email: str = ADA) -> None:
        """Log in with the password of the tests."""
        answer = self.send("/account/login", {"email": email, "password": PASSWORD})
        assert answer.get_json()["status"] == "logged_in", answer.get_json()

    def link(self, number: int = -1) -> str:
        """Return the path of the link in a mail."""
        found = re.search(r"https?://[^/\s]+(/account/\S+)", self.outbox.mails[number].text)
        assert found is not None, self.outbox.mails[number].text
        return unescape(found.group(1))

    def code(self, secret: str) -> str:
        """Return what an authenticator application shows now."""
        return TOTP(secret).at(self.clock())

    def set_up_totp(self) -> tuple[str, list[str]]:
        """Set up an authenticator application, and return its secret and the recovery codes."""
        setup = self.fetch("/account/second-factor/app").get_json()
        answer = self.send(
            "/account/second-factor/app", {"sealed": setup["sealed"], "code": self.code(setup["secret"])}
        )
        assert answer.status_code == 201, answer.get_json()
        return setup["secret"], answer.get_json()["codes"]
