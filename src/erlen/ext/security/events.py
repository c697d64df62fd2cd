"""What happens to accounts: as signals, and in the log of the store."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from datetime import datetime

from blinker import Namespace

from .store import Store
from .types import Client, Event, User

_signals = Namespace()

#: The names of events, each with a signal of that name in ``erlen.ext.security.signals``.
NAMES: tuple[str, ...] = (
    "registered",
    "activated",
    "logged_in",
    "login_failed",
    "login_locked",
    "second_factor_failed",
    "reauthenticated",
    "logged_out",
    "session_revoked",
    "sessions_revoked",
    "password_changed",
    "password_upgraded",
    "recovery_asked",
    "password_reset",
    "email_change_asked",
    "email_changed",
    "factor_added",
    "factor_removed",
    "codes_made",
    "code_used",
    "token_created",
    "token_revoked",
    "refresh_reused",
    "identity_added",
    "identity_removed",
    "role_granted",
    "role_withdrawn",
    "account_activated",
    "account_deactivated",
    "account_deleted",
    "access_denied",
)


def signal(name: str) -> t.Any:
    """Return the signal of an event; its receivers get the application, ``user`` (or ``None``) and ``event``.

    :param name: one of :data:`NAMES`.
    """
    if name not in NAMES:
        raise LookupError(f"{name!r} is no event of erlen.ext.security; there are: {', '.join(NAMES)}.")
    return _signals.signal(name)


class Events:
    """Tells of events.

    :param store: keeps them.
    :param clock: returns the time.
    :param sender: what signals are sent by: the application.
    :param client: returns where the active request came from.
    """

    def __init__(
        self,
        store: Store,
        clock: cabc.Callable[[], datetime],
        sender: t.Any,
        client: cabc.Callable[[], Client],
    ) -> None:
        self._store, self._clock, self._sender, self._client = store, clock, sender, client

    def tell(self, name: str, user: User | None = None, **details: t.Any) -> Event:
        """Keep an event and send its signal.

        :param name: one of :data:`NAMES`.
        :param user: to whom it happened.
        :param details: values that JSON has; never a secret.
        """
        told = signal(name)
        client = self._client()
        event = Event(
            name=name,
            at=self._clock(),
            uid=None if user is None else user.uid,
            address=client.address,
            agent=client.agent,
            details=details,
        )
        self._store.add_event(event)
        told.send(self._sender, user=user, event=event)
        return event
