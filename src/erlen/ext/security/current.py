"""Who asks: what belongs to the active application, and the proxies of the active request.

``access.py`` decides who it is; without its decorators it is whoever is logged in by the session.
"""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import typing as t
import warnings
from dataclasses import dataclass, field

from werkzeug.local import LocalProxy

from erlen import current_app, has_app_context, has_request_context, request, websocket

from .kit import Kit
from .sessions import Sessions
from .types import Anonymous, Authentication, User

#: The key of ``app.extensions``.
NAME = "security"


class ReadsTokens(t.Protocol):
    """What knows tokens for programs."""

    def authenticate(self, bearer: str) -> Authentication | None:
        """Return whose token it is."""
        ...


class ChecksPasswords(t.Protocol):
    """What knows passwords."""

    def check_password(self, email: str, password: str) -> User:
        """Return the user. Raises :exc:`~.errors.WrongCredentials`, :exc:`~.errors.TooManyAttempts`."""
        ...


class KnowsFactors(t.Protocol):
    """What knows second factors."""

    def available(self, user: User) -> cabc.Sequence[str]:
        """Return the second factors a user has set up."""
        ...

    def must_set_up(self, user: User) -> bool:
        """Return whether a user has to have one, and has none."""
        ...


class CountsAttempts(t.Protocol):
    """What counts attempts. Both raise :exc:`~.errors.TooManyAttempts`."""

    def hit(self, kind: t.Literal["login", "mail", "api"], *keys: str | None) -> None:
        """Count one."""
        ...

    def check(self, kind: t.Literal["login", "mail", "api"], *keys: str | None) -> None:
        """Only look."""
        ...


class State(t.Protocol):
    """What access to views needs of the extension's parts."""

    @property
    def kit(self) -> Kit:
        """Settings, store, keys, log and clock."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Sessions."""
        ...

    @property
    def tokens(self) -> ReadsTokens:
        """Tokens."""
        ...

    @property
    def logins(self) -> ChecksPasswords:
        """Logins."""
        ...

    @property
    def factors(self) -> KnowsFactors:
        """Second factors."""
        ...

    @property
    def limits(self) -> CountsAttempts:
        """Limits."""
        ...


def state() -> State:
    """Return the parts of the extension for the active application.

    :raises RuntimeError: where it has none.
    """
    found: State | None = current_app.extensions.get(NAME)
    if found is None:
        raise RuntimeError(
            f"The application {current_app.name!r} has no accounts: 'erlen.ext.security' was not told of it. Write "
            f"Security(app, store=...) where the application is made, or security.init_app(app)."
        )
    return found


@dataclass(slots=True)
class Entry:
    """How the active request was let in.

    :param method: ``session``, ``token`` or ``basic``; ``None`` where nothing has asked for one.
    :param authentication: who asks, where it is no session: that is looked up, as it may end during the request.
    :param checks: what was asked of them.
    :param looked_at: the uid of whom it is known that no second factor is missing.
    """

    method: str | None = None
    authentication: Authentication | None = None
    checks: list[cabc.Callable[[Authentication], None]] = field(
        default_factory=list[cabc.Callable[[Authentication], None]]
    )
    looked_at: str | None = None


def entry() -> Entry:
    """Return how the active request was let in, to read and to write it."""
    found: Entry | None = getattr(request, "erlen_security_entry", None)
    if found is None:
        carrier: t.Any = request
        found = carrier.erlen_security_entry = Entry()
    return found


def is_websocket() -> bool:
    """Return whether the active request is the handshake of a WebSocket."""
    return bool(websocket)


def authentication() -> Authentication | None:
    """Return who asks and how they showed it, ``None`` for visitors and outside of requests."""
    if not has_app_context() or not has_request_context():
        return None
    established = entry().authentication
    return state().sessions.current() if established is None else established


def _here() -> Authentication | None:
    if has_request_context() and entry().authentication is None and not state().sessions.is_known():
        _warn_on_a_loop()
    return authentication()


def _warn_on_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    warnings.warn(
        "The user was loaded on an event loop, and everything on it waited for the store meanwhile. Put a decorator such as "
        "'login_required' on the async view, or write 'await security.load()' before 'current_user' is used.",
        RuntimeWarning,
        stacklevel=4,
    )


def _user() -> User | Anonymous:
    found = _here()
    return _nobody if found is None else found.user


_nobody = Anonymous()

#: The user who asks, an :class:`~.types.Anonymous` where nobody is logged in.
current_user = t.cast("User | Anonymous", LocalProxy(_user))

#: Who asks and how they showed it, false where nobody is logged in.
current_auth = t.cast("Authentication", LocalProxy(_here))
