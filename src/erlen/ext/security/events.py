"""What happens to accounts: as signals, in the log of the store, and as lines of the logger ``erlen.security``.

A receiver that fails must not undo a login, nor may what happened get lost: each of the three is tried whatever became of the
others, and what went wrong is logged with its traceback. The line of the logger comes first, as it needs nothing else.
"""

from __future__ import annotations

import collections.abc as cabc
import json
import logging
import typing as t
from datetime import datetime

from blinker import ANY, Signal

from .store import Store
from .types import Client, Event, User

__all__ = ["EventSignal", "Events", "Signals", "signals"]

#: The logger of events. Attacks and failures are warnings, the rest is information.
logger = logging.getLogger("erlen.security")

#: The most characters that are kept of a text in an event.
TEXT_LIMIT = 256

_WARNINGS = frozenset(
    {
        "login_failed",
        "login_locked",
        "second_factor_failed",
        "code_used",
        "refresh_reused",
        "access_denied",
        "account_deactivated",
    }
)


class EventSignal(Signal):
    """The signal of one event. Receivers get the sender, which is the application, ``user`` (or ``None``) and ``event``.

    .. versionadded:: 0.1
    """

    #: The name of the event.
    name: str = ""

    def __set_name__(self, owner: type[t.Any], name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<signal {self.name} of erlen.ext.security>"


class Signals:
    """The signals of the extension, one an event.

    ::

        from erlen.ext.security import signals

        @signals.logged_in.connect
        def greet(app, user, event): ...

    .. versionadded:: 0.1
    """

    registered = EventSignal("Somebody made themselves an account.")
    activated = EventSignal("The address of an account was confirmed.")
    logged_in = EventSignal("Somebody logged in.")
    login_failed = EventSignal("A login was refused.")
    login_locked = EventSignal("An account was locked for a while, after too many wrong attempts.")
    second_factor_failed = EventSignal("The second step of a login was refused.")
    reauthenticated = EventSignal("Somebody who is logged in has proved again who they are.")
    logged_out = EventSignal("Somebody logged out.")
    session_revoked = EventSignal("One session of a user was ended from elsewhere.")
    sessions_revoked = EventSignal("Several sessions of a user were ended.")
    password_changed = EventSignal("A password was changed by who knows it, or by an administrator.")
    password_upgraded = EventSignal("The hash of a password was replaced by one of today's cost.")
    recovery_asked = EventSignal("The mail to set a new password was asked for.")
    password_reset = EventSignal("A new password was set with the link of a mail.")
    email_change_asked = EventSignal("Another address was asked for.")
    email_changed = EventSignal("The address of an account was changed.")
    factor_added = EventSignal("A second factor was set up.")
    factor_removed = EventSignal("A second factor was removed.")
    codes_made = EventSignal("New recovery codes were made; the old ones are worth nothing.")
    code_used = EventSignal("A recovery code was used.")
    token_created = EventSignal("A token for programs was made.")
    token_revoked = EventSignal("A token for programs was ended.")
    refresh_reused = EventSignal("A refresh token was shown a second time: it may have been stolen.")
    identity_added = EventSignal("An account somewhere else may log in to this one.")
    identity_removed = EventSignal("An account somewhere else may not log in to this one any more.")
    role_granted = EventSignal("A user was given a role.")
    role_withdrawn = EventSignal("A role was taken from a user.")
    account_activated = EventSignal("An administrator switched an account on.")
    account_deactivated = EventSignal("An administrator switched an account off.")
    account_deleted = EventSignal("An account was deleted.")
    access_denied = EventSignal("Somebody who is logged in asked for what they may not have.")


#: The signals. They are the same for all applications of a process, which are told apart by the sender.
signals = Signals()

#: The names of events, each with a signal of that name in :data:`signals`.
NAMES: tuple[str, ...] = tuple(
    name for name, value in vars(Signals).items() if isinstance(value, EventSignal)
)


def signal(name: str) -> EventSignal:
    """Return the signal of an event.

    :param name: one of ``NAMES``.
    :raises LookupError: for another name.
    """
    if name not in NAMES:
        raise LookupError(f"{name!r} is no event of erlen.ext.security; there are: {', '.join(NAMES)}.")
    found: EventSignal = getattr(signals, name)
    return found


def clean_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return a text of a client as it may be stored and shown: what is not printable is replaced, and the rest is cut off.

    Line feeds would forge lines of a log, escape sequences reach terminals, bidirectional controls turn a text around, and no
    database takes NUL and halves of surrogate pairs.

    :param text: any text.
    :param limit: the most characters.
    """
    text = text[:limit]
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def _clean(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, cabc.Mapping):
        values: cabc.Mapping[t.Any, t.Any] = value
        return {clean_text(str(name)): _clean(one) for name, one in values.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(one) for one in t.cast("cabc.Iterable[t.Any]", value)]
    return clean_text(value.isoformat() if isinstance(value, datetime) else str(value))


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
        self._store, self._clock, self._client = store, clock, client
        #: What signals are sent by: the application.
        self.sender = sender

    def tell(self, name: str, user: User | None = None, /, **details: t.Any) -> Event:
        """Log an event, keep it, and send its signal. What fails of these is logged, and never raised.

        :param name: one of ``NAMES``.
        :param user: to whom it happened.
        :param details: values that JSON has; never a secret. Texts are cleaned, and cut after 256 characters.
        :raises LookupError: for a name that is no event's.
        """
        told = signal(name)
        client = self._client()
        event = Event(
            name=name,
            at=self._clock(),
            uid=None if user is None else user.uid,
            address=None if client.address is None else clean_text(client.address),
            agent=clean_text(client.agent),
            details=_clean(details),
        )
        logger.log(logging.WARNING if name in _WARNINGS else logging.INFO, "%s", line_of(event))
        try:
            self._store.add_event(event)
        except (
            Exception
        ):  # Whatever the store raises: what happened has happened, and the line above tells it.
            logger.exception("The event %r could not be added to the store; the line above has it.", name)
        self._send(told, user, event)
        return event

    def _send(self, told: EventSignal, user: User | None, event: Event) -> None:
        if told.is_muted:
            return
        sender = ANY if self.sender is None else self.sender
        for receiver in list(told.receivers_for(sender)):
            try:
                # Async receivers run to their end here, as those of the framework's own signals do in plain code.
                getattr(sender, "ensure_sync", _as_it_is)(receiver)(sender, user=user, event=event)
            except Exception:  # A receiver is code of somebody else; the login goes on.
                logger.exception("The receiver %r of the signal %r failed.", receiver, told.name)


def _as_it_is(receiver: t.Any) -> t.Any:
    return receiver


def line_of(event: Event) -> str:
    """Return an event as one line of ASCII: its name, and the values as JSON, so that no value can look like another field.

    :param event: the event.
    """
    values: dict[str, t.Any] = {"uid": event.uid, "address": event.address, "agent": event.agent or None}
    # A detail never stands where a reader of logs looks for who it was.
    values.update({f"details.{name}": value for name, value in event.details.items()})
    given = [f"{name}={json.dumps(value)}" for name, value in values.items() if value is not None]
    return " ".join([event.name, *given])
