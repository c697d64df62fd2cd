"""An application whose visitors log in by asking for a path, with honest stand-ins for tokens, passwords and limits."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from erlen import Blueprint, Erlen
from erlen.ext.security import order
from erlen.ext.security.current import NAME, ReadsTokens
from erlen.ext.security.errors import TooManyAttempts, WrongCredentials
from erlen.ext.security.events import Events
from erlen.ext.security.keys import Keys
from erlen.ext.security.kit import Kit
from erlen.ext.security.sessions import Sessions, client_of_request
from erlen.ext.security.settings import Settings
from erlen.ext.security.types import Authentication, User
from memory_store import MemoryStore

#: Credentials of HTTP Basic: ada@example.test, 'right'.
ADA = "Basic YWRhQGV4YW1wbGUudGVzdDpyaWdodA=="
WRONG = "Basic YWRhQGV4YW1wbGUudGVzdDp3cm9uZw=="


class Counting(MemoryStore):
    """A store that counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def session(self, key: str) -> t.Any:
        self.asked.append("session")
        return super().session(key)

    def change_session(self, key: str, /, **values: t.Any) -> bool:
        self.asked.append("change_session")
        return super().change_session(key, **values)

    def user(self, uid: str) -> t.Any:
        self.asked.append("user")
        return super().user(uid)


@dataclass
class TokenTable:
    """Tokens as a dict."""

    known: dict[str, tuple[str, frozenset[str] | None]] = field(
        default_factory=dict[str, tuple[str, frozenset[str] | None]]
    )
    store: MemoryStore = field(default_factory=MemoryStore)

    def authenticate(self, bearer: str) -> Authentication | None:
        if bearer not in self.known:
            return None
        uid, scopes = self.known[bearer]
        user = self.store.user(uid)
        return None if user is None else Authentication(user=user, method="token", scopes=scopes)


@dataclass
class OnePassword:
    """Logins where each password is 'right'."""

    store: MemoryStore

    def check_password(self, email: str, password: str) -> User:
        user = self.store.user_by_email(email)
        if user is None or password != "right":
            raise WrongCredentials
        return user


@dataclass
class FactorTable:
    """Second factors as a dict."""

    kinds: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    needed: set[str] = field(default_factory=set[str])

    def available(self, user: User) -> list[str]:
        return self.kinds.get(user.uid, [])

    def must_set_up(self, user: User) -> bool:
        return user.uid in self.needed


@dataclass
class ThreeTries:
    """Limits that refuse after three attempts."""

    counted: int = 0

    def hit(self, kind: str, *keys: str | None) -> None:
        self.counted += 1

    def check(self, kind: str, *keys: str | None) -> None:
        if self.counted >= 3:
            raise TooManyAttempts(42)


@dataclass(eq=False)
class Guarded:
    """The parts that access to views needs, and users."""

    kit: Kit
    store: Counting
    sessions: Sessions
    tokens: TokenTable
    logins: OnePassword
    factors: FactorTable
    limits: ThreeTries
    ada: User
    eve: User


def add_user(store: MemoryStore, name: str, at: t.Any) -> User:
    """Add a user who may log in."""
    address = f"{name}@example.test"
    return store.add_user(email=address, email_key=address, uid=name, activated_at=at)


def guard(app: Erlen, settings: Settings, clock: t.Any, store: Counting | None = None) -> Guarded:
    """Give an application what access to views needs, and paths that log in and out."""
    app.secret_key = key = app.secret_key or "a key of tests"
    store = store or Counting()
    kit = Kit(
        settings=settings,
        store=store,
        keys=Keys([key]),
        events=Events(store, clock, app, client_of_request),
        clock=clock,
    )
    parts = Guarded(
        kit,
        store,
        Sessions(kit),
        TokenTable(store=store),
        OnePassword(store),
        FactorTable(),
        ThreeTries(),
        add_user(store, "ada", clock()),
        add_user(store, "eve", clock()),
    )
    app.extensions[NAME] = parts
    order.watch(app)
    blueprint = Blueprint("security", __name__, url_prefix=settings.url_prefix)
    blueprint.add_url_rule("/login", "login", lambda: "the login page")
    blueprint.add_url_rule("/reauthenticate", "reauthenticate", lambda: "once more")
    app.register_blueprint(blueprint)
    _add_ways_in(app, parts)
    return parts


def _add_ways_in(app: Erlen, parts: Guarded) -> None:
    @app.get("/enter/<name>")
    def enter(name: str) -> str:
        user = parts.store.user(name)
        assert user is not None
        parts.sessions.begin(user, ["password"])
        return "in"

    @app.get("/remember/<name>")
    def remember(name: str) -> str:
        user = parts.store.user(name)
        assert user is not None
        parts.sessions.begin(user, ["password"], remember=True)
        return "in"

    @app.get("/renew")
    def renew() -> str:
        return parts.sessions.renew(["totp"]).id

    @app.get("/leave")
    def leave() -> str:
        parts.sessions.end()
        return "out"

    @app.get("/who")
    def who() -> str:
        found = parts.sessions.current()
        return "nobody" if found is None else found.user.uid


if t.TYPE_CHECKING:
    _tokens: ReadsTokens = TokenTable()
