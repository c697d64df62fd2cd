"""What the extension needs of a database, as a protocol. ``sqlalchemy`` beside this file has it for SQLAlchemy.

Each method is one transaction of its own, and plain: requests call it on the thread that answers them. Where two requests may
want the same, such as a token that counts once, the method itself decides who wins, so that no lock is needed around it.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from datetime import datetime

from .types import Event, Identity, Passkey, Role, SessionRecord, Token, User

__all__ = ["Store"]


class Store(t.Protocol):
    """Where users, roles, sessions, tokens and the log are kept. Threads share it."""

    # Users

    def user(self, uid: str) -> User | None:
        """Return a user with their roles."""
        ...

    def user_by_email(self, email_key: str) -> User | None:
        """Return the user with an address, in the form that all its spellings share."""
        ...

    def users(self, search: str = "", *, limit: int = 100, offset: int = 0) -> cabc.Sequence[User]:
        """Return users in the order of their addresses, of those that contain a text."""
        ...

    def add_user(self, *, email: str, email_key: str, **values: t.Any) -> User:
        """Add a user. Raises :exc:`~.errors.EmailTaken` where the address has one, also where both come at once."""
        ...

    def change_user(self, uid: str, **values: t.Any) -> bool:
        """Set attributes of a user. Raises :exc:`~.errors.EmailTaken`. Returns whether there is such a user."""
        ...

    def change_user_if(self, uid: str, expected: cabc.Mapping[str, t.Any], **values: t.Any) -> bool:
        """Set attributes of a user if others are as expected still; of several who try at once one wins."""
        ...

    def delete_user(self, uid: str) -> bool:
        """Delete a user and everything that is theirs, but for the log."""
        ...

    def note_login(self, uid: str, at: datetime, address: str | None) -> None:
        """Count a login, and keep when and from where this one and the one before came."""
        ...

    def note_failure(self, uid: str, at: datetime) -> None:
        """Count a failed attempt."""
        ...

    def take_totp_step(self, uid: str, step: int) -> bool:
        """Use up the code of a time step; ``False`` where it or a later one was used already."""
        ...

    # Roles

    def role(self, name: str) -> Role | None:
        """Return the role of a name, ``None`` where there is none."""
        ...

    def roles(self) -> cabc.Sequence[Role]:
        """Return all roles, by name."""
        ...

    def put_role(self, name: str, description: str = "", permissions: cabc.Iterable[str] = ()) -> Role:
        """Add a role, or change the one of that name."""
        ...

    def delete_role(self, name: str) -> bool:
        """Delete a role; nobody has it after that."""
        ...

    def grant(self, uid: str, role: str) -> bool:
        """Give a user a role; ``False`` where they have it.

        :param uid: the user.
        :param role: the name of the role.
        :raises LookupError: where there is no such user or role.
        """
        ...

    def withdraw(self, uid: str, role: str) -> bool:
        """Take a role from a user; ``False`` where they do not have it."""
        ...

    # Sessions

    def add_session(self, record: SessionRecord, limit: int) -> None:
        """Add a session. Of a user's sessions the oldest end until no more than a number are left.

        :raises LookupError: where there is no such user, as one may be deleted during a login.
        """
        ...

    def session(self, key: str) -> tuple[SessionRecord, User] | None:
        """Return a session and its user, whatever their state."""
        ...

    def change_session(self, key: str, /, **values: t.Any) -> bool:
        """Set values of a session; with another ``key`` the old one is worth nothing. Of several at once one changes a key."""
        ...

    def sessions(self, uid: str) -> cabc.Sequence[SessionRecord]:
        """Return the sessions of a user, those seen last first."""
        ...

    def end_session(self, key: str) -> bool:
        """Delete a session by its key; ``False`` where there is none."""
        ...

    def end_session_by_id(self, uid: str, id: str) -> bool:
        """End a session of a user by its name in lists."""
        ...

    def end_sessions(self, uid: str, *, but: str | None = None) -> int:
        """End the sessions of a user, but for one key; return how many."""
        ...

    # Tokens

    def add_token(self, token: Token) -> None:
        """Keep a token that was handed out; its key is unique."""
        ...

    def token(self, key: str, purpose: str) -> Token | None:
        """Return a token of a purpose, whatever its state."""
        ...

    def use_token(self, key: str, purpose: str, at: datetime) -> Token | None:
        """Use up a token that is not used and has not expired; of several who try at once one gets it."""
        ...

    def tokens(self, uid: str, purpose: str) -> cabc.Sequence[Token]:
        """Return the tokens of a user for a purpose, the newest first."""
        ...

    def note_token(self, key: str, at: datetime) -> None:
        """Keep when a token was used last."""
        ...

    def end_token(self, uid: str, id: str, purpose: str) -> bool:
        """Delete a token of a user by its name in lists."""
        ...

    def end_tokens(self, uid: str, *purposes: str, family: str | None = None) -> int:
        """Delete the tokens of a user for some purposes, or of one family; return how many."""
        ...

    # Second factors, other accounts

    def passkeys(self, uid: str) -> cabc.Sequence[Passkey]:
        """Return the passkeys of a user, the oldest first."""
        ...

    def passkey(self, credential_id: str) -> Passkey | None:
        """Return the passkey of an id, ``None`` where it is not known."""
        ...

    def add_passkey(self, passkey: Passkey) -> bool:
        """Add a passkey; ``False`` where its id is known already."""
        ...

    def note_passkey(self, credential_id: str, expected: int, sign_count: int, at: datetime) -> bool:
        """Keep a passkey's new count if the one before is as expected; of several at once one wins."""
        ...

    def delete_passkey(self, uid: str, credential_id: str) -> bool:
        """Delete a passkey of a user."""
        ...

    def identity(self, issuer: str, subject: str) -> Identity | None:
        """Return whose account somewhere else is."""
        ...

    def identities(self, uid: str) -> cabc.Sequence[Identity]:
        """Return the accounts of a user somewhere else."""
        ...

    def add_identity(self, identity: Identity) -> bool:
        """Add an account somewhere else; ``False`` where somebody has it."""
        ...

    def delete_identity(self, uid: str, issuer: str, subject: str) -> bool:
        """Forget an account somewhere else of a user."""
        ...

    # Attempts, the log

    def count_attempt(self, key: str, at: datetime, window_start: datetime) -> int:
        """Count an attempt under a key, known or not, and return how many there were since the start of the window."""
        ...

    def attempts(self, key: str, window_start: datetime) -> tuple[int, datetime | None]:
        """Return how many attempts there were since the start of the window, and when the last one was."""
        ...

    def forget_attempts(self, key: str) -> None:
        """Forget the attempts under a key."""
        ...

    def add_event(self, event: Event) -> None:
        """Add an event to the log."""
        ...

    def events(
        self, uid: str | None = None, *, name: str | None = None, limit: int = 100
    ) -> cabc.Sequence[Event]:
        """Return events of the log, the newest first."""
        ...

    def purge(self, now: datetime, events_before: datetime) -> int:
        """Delete what has expired, and the events before a time; return how many rows."""
        ...
