"""An application with accounts, without the pages: what the parts do is called inside of requests that a test client makes."""

from __future__ import annotations

import collections.abc as cabc
import itertools
import threading
import typing as t
from datetime import datetime
from pathlib import Path

from erlen import Blueprint, Erlen
from erlen.ext.security import mail as mail_package
from erlen.ext.security.accounts import Accounts
from erlen.ext.security.events import Events
from erlen.ext.security.factors import Factors
from erlen.ext.security.keys import Keys
from erlen.ext.security.kit import Kit
from erlen.ext.security.limits import Limits
from erlen.ext.security.logins import Logins
from erlen.ext.security.mail import Mailer, Outbox, postman_of
from erlen.ext.security.passwords import Passwords
from erlen.ext.security.sessions import Sessions, client_of_request
from erlen.ext.security.settings import Settings
from erlen.ext.security.store import Store
from erlen.ext.security.tokens import Tokens
from erlen.ext.security.types import User
from memory_store import MemoryStore

T = t.TypeVar("T")

TEMPLATES = Path(mail_package.__file__).parents[1] / "templates"

#: The pages that mails lead to.
ENDPOINTS = ("login", "recover", "activate", "reset", "confirm_email", "object_email")

PASSWORD = "correct horse battery"
OTHER = "another long sentence"


def app_with_pages(name: str = "shop", **values: t.Any) -> Erlen:
    """Return an application with the pages that mails lead to; they show nothing."""
    app = Erlen(name)
    app.config.update(SECRET_KEY="a key of the tests", **values)
    pages = Blueprint("security", name, template_folder=str(TEMPLATES), url_prefix="/account")
    for endpoint in ENDPOINTS:
        pages.add_url_rule(f"/{endpoint}", endpoint, view_func=lambda: "")
    app.register_blueprint(pages)
    return app


def kit_for(app: t.Any, settings: Settings, store: t.Any, clock: cabc.Callable[[], datetime]) -> Kit:
    """Return the kit of an application."""
    kept: Store = store
    return Kit(
        settings=settings,
        store=kept,
        keys=Keys(["a key of the tests"]),
        events=Events(kept, clock, app, client_of_request),
        clock=clock,
    )


class Site:
    """An application with accounts, and everything that belongs to it."""

    def __init__(
        self,
        settings: Settings,
        store: t.Any,
        clock: cabc.Callable[[], datetime],
        *,
        mailer: Mailer | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        self.app = app_with_pages(TESTING=True)
        self.store: t.Any = store
        self.outbox = Outbox()
        self.settings = settings
        self.kit = kit_for(self.app, settings, store, clock)
        self.passwords = passwords or Passwords(settings)
        self.tokens, self.limits = Tokens(self.kit), Limits(self.kit)
        self.sessions, self.factors = Sessions(self.kit), Factors(self.kit, self.tokens)
        self.postman = postman_of(self.app, self.kit, mailer or self.outbox)
        shared = (self.kit, self.passwords, self.tokens, self.limits, self.sessions, self.factors)
        self.logins, self.accounts = Logins(*shared), Accounts(*shared, self.postman)
        self._calls: dict[str, cabc.Callable[[], t.Any]] = {}
        self._results: dict[str, t.Any] = {}
        self._numbers = itertools.count()

        @self.app.post("/call/<name>")
        def call(name: str) -> str:
            try:
                self._results[name] = (self._calls[name](), None)
            except Exception as error:
                self._results[name] = (None, error)
            return ""

    def browser(self) -> t.Any:
        """Return a client that keeps cookies."""
        return self.app.test_client()

    def call(
        self, function: cabc.Callable[[], T], browser: t.Any = None, *, address: str | None = "192.0.2.1"
    ) -> T:
        """Call a function inside of a request, and return or raise what it does."""
        name = str(next(self._numbers))
        self._calls[name] = function
        answer = (browser or self.browser()).post(f"/call/{name}", environ_base={"REMOTE_ADDR": address})
        assert answer.status_code == 200, answer.text
        result, error = self._results.pop(name)
        if error is not None:
            raise error
        return t.cast("T", result)

    def add(
        self, email: str = "ada@example.com", password: str | None = PASSWORD, *, activated: bool = True
    ) -> User:
        """Return a new user."""
        return self.accounts.create(email, password, activated=activated)

    def token(self, address: str = "ada@example.com", path: str = "") -> str:
        """Return the secret of the last mail to an address, of those whose link leads to a path."""
        links = [
            line
            for mail in self.outbox.to(address)
            for line in mail.text.splitlines()
            if line.startswith("https://") and f"/{path}?token=" in line
        ]
        return links[-1].partition("?token=")[2]

    def subjects(self, address: str = "ada@example.com") -> list[str]:
        """Return what the mails to an address are about."""
        return [mail.subject for mail in self.outbox.to(address)]

    def again(self, user: User) -> User:
        """Return a user as the store has it."""
        found: User = self.store.user(user.uid)
        return found

    def logged_in(self, browser: t.Any) -> str | None:
        """Return the address of who is logged in."""
        current = self.call(self.sessions.current, browser)
        return None if current is None else current.user.email

    def told(self, *names: str) -> list[str]:
        """Return the names of events, the oldest first."""
        found = [event.name for event in reversed(self.store.events(limit=1000))]
        return [name for name in found if name in names or not names]


class LateOutbox(Outbox):
    """Keeps mails, and gets them in the background, as a mail server does."""

    is_immediate = False


class RecordingStore:
    """A store that writes down which of its methods are called before the answer, by the thread that asks."""

    def __init__(self, store: MemoryStore) -> None:
        self.kept = store
        self.calls: list[str] = []
        self.thread = threading.get_ident()

    def __getattr__(self, name: str) -> t.Any:
        method = getattr(self.kept, name)

        def called(*args: t.Any, **kwargs: t.Any) -> t.Any:
            if threading.get_ident() == self.thread:
                self.calls.append(name)
            return method(*args, **kwargs)

        return called

    def during(self, function: cabc.Callable[[], object]) -> list[str]:
        """Return the calls that a function makes, whether or not it raises."""
        self.calls.clear()
        try:
            function()
        except Exception as error:
            return [*self.calls, f"{type(error).__name__}: {error}"]
        return list(self.calls)


class CountingPasswords(Passwords):
    """Counts how often something is hashed or compared with a hash."""

    work = 0

    def hash(self, password: str) -> str:
        """Hash."""
        self.work += 1
        return super().hash(password)

    def verify(self, password: str, stored: str | None) -> t.Any:
        """Compare."""
        self.work += 1
        return super().verify(password, stored)
