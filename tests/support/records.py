"""Records for tests of stores."""

from __future__ import annotations

import typing as t
from datetime import UTC, datetime, timedelta

from erlen.ext.security.keys import digest
from erlen.ext.security.store import Store
from erlen.ext.security.types import Event, Identity, Passkey, SessionRecord, Token, User

NOW = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def a_user(store: Store, name: str = "ada", **values: t.Any) -> User:
    """Add a user with the address of a name."""
    return store.add_user(email=f"{name}@example.com", email_key=f"{name}@example.com", **values)


def a_session(uid: str, secret: str, **values: t.Any) -> SessionRecord:
    given: dict[str, t.Any] = {
        "key": digest(secret),
        "id": f"id-{secret}",
        "uid": uid,
        "methods": ("password", "totp"),
        "created_at": NOW,
        "authenticated_at": NOW,
        "last_seen_at": NOW,
        "expires_at": NOW + timedelta(days=7),
    }
    return SessionRecord(**{**given, **values})


def a_token(uid: str | None, secret: str, **values: t.Any) -> Token:
    given: dict[str, t.Any] = {
        "key": digest(secret),
        "id": f"id-{secret}",
        "uid": uid,
        "purpose": "reset",
        "created_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
    }
    return Token(**{**given, **values})


def a_passkey(uid: str, credential_id: str, **values: t.Any) -> Passkey:
    given: dict[str, t.Any] = {"public_key": "pk", "sign_count": 0, "name": "laptop", "created_at": NOW}
    return Passkey(credential_id=credential_id, uid=uid, **{**given, **values})


def an_identity(uid: str, subject: str, **values: t.Any) -> Identity:
    given: dict[str, t.Any] = {"issuer": "https://id.example", "email": "ada@id.example", "created_at": NOW}
    return Identity(uid=uid, subject=subject, **{**given, **values})


def an_event(name: str, uid: str | None = None, **values: t.Any) -> Event:
    return Event(name=name, uid=uid, **{"at": NOW, **values})


def everything_of(store: Store, uid: str, secret: str) -> None:
    """Give a user one of each thing."""
    store.put_role("admin", permissions=["all"])
    store.grant(uid, "admin")
    store.add_session(a_session(uid, secret), 10)
    store.add_token(a_token(uid, secret))
    store.add_passkey(a_passkey(uid, f"cred-{secret}"))
    store.add_identity(an_identity(uid, f"sub-{secret}"))
    store.add_event(an_event("logged_in", uid))
