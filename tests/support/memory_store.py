"""A store in memory, for tests: dicts and one lock. It shows what a store of somebody's own has to have."""

from __future__ import annotations

import collections.abc as cabc
import secrets
import threading
import typing as t
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from erlen.ext.security.errors import EmailTaken
from erlen.ext.security.store import Store
from erlen.ext.security.types import Event, Identity, Passkey, SessionRecord, Token, User


@dataclass
class MemoryRole:
    """A role."""

    name: str
    description: str = ""
    permissions: frozenset[str] = frozenset()


@dataclass(kw_only=True)
class MemoryUser:
    """A user as this store hands it out: a copy, so that changing it changes nothing."""

    email: str
    email_key: str
    uid: str = field(default_factory=lambda: secrets.token_hex(16))
    #: What an application has beside the columns of the extension.
    name: str = ""
    password_hash: str | None = None
    password_changed_at: datetime | None = None
    is_active: bool = True
    activated_at: datetime | None = None
    created_at: datetime = datetime(2030, 1, 1, tzinfo=UTC)
    current_login_at: datetime | None = None
    last_login_at: datetime | None = None
    current_login_address: str | None = None
    last_login_address: str | None = None
    login_count: int = 0
    failed_count: int = 0
    last_failed_at: datetime | None = None
    totp_secret: str | None = None
    totp_last_step: int = 0
    roles: cabc.Sequence[MemoryRole] = ()

    @property
    def is_authenticated(self) -> bool:
        return True

    def has_role(self, name: str) -> bool:
        return any(role.name == name for role in self.roles)

    def has_permission(self, name: str) -> bool:
        return any(name in role.permissions for role in self.roles)


class MemoryStore:
    """Keeps everything until the process ends."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._users: dict[str, MemoryUser] = {}
        self._roles: dict[str, MemoryRole] = {}
        self._granted: dict[str, set[str]] = {}
        self._sessions: dict[str, SessionRecord] = {}
        self._tokens: dict[str, Token] = {}
        self._passkeys: dict[str, Passkey] = {}
        self._identities: dict[tuple[str, str], Identity] = {}
        self._attempts: dict[str, list[datetime]] = {}
        self._events: list[Event] = []

    # Users

    def _shown(self, user: MemoryUser | None) -> MemoryUser | None:
        if user is None:
            return None
        return replace(
            user, roles=tuple(replace(self._roles[name]) for name in sorted(self._granted[user.uid]))
        )

    def user(self, uid: str) -> User | None:
        with self._lock:
            return self._shown(self._users.get(uid))

    def user_by_email(self, email_key: str) -> User | None:
        with self._lock:
            return self._shown(
                next((one for one in self._users.values() if one.email_key == email_key), None)
            )

    def users(self, search: str = "", *, limit: int = 100, offset: int = 0) -> cabc.Sequence[User]:
        with self._lock:
            found = [one for one in self._users.values() if search.casefold() in one.email_key]
            found.sort(key=lambda one: one.email_key)
            return [t.cast("User", self._shown(one)) for one in found[offset : offset + limit]]

    def add_user(self, *, email: str, email_key: str, **values: t.Any) -> User:
        with self._lock:
            if self.user_by_email(email_key) is not None:
                raise EmailTaken
            user = MemoryUser(email=email, email_key=email_key, **values)
            self._users[user.uid], self._granted[user.uid] = user, set()
            return t.cast("User", self._shown(user))

    def change_user(self, uid: str, **values: t.Any) -> bool:
        return self.change_user_if(uid, {}, **values)

    def change_user_if(self, uid: str, expected: cabc.Mapping[str, t.Any], **values: t.Any) -> bool:
        with self._lock:
            user = self._users.get(uid)
            if user is None or any(getattr(user, name) != value for name, value in expected.items()):
                return False
            other = self.user_by_email(values.get("email_key", user.email_key))
            if other is not None and other.uid != uid:
                raise EmailTaken
            self._users[uid] = replace(user, **values)
            return True

    def delete_user(self, uid: str) -> bool:
        with self._lock:
            self._granted.pop(uid, None)
            for kept in (self._sessions, self._tokens, self._passkeys, self._identities):
                records = t.cast("dict[t.Any, t.Any]", kept)
                for key in [key for key, record in records.items() if record.uid == uid]:
                    del records[key]
            return self._users.pop(uid, None) is not None

    def note_login(self, uid: str, at: datetime, address: str | None) -> None:
        with self._lock:
            user = self._users[uid]
            self.change_user(
                uid,
                last_login_at=user.current_login_at,
                last_login_address=user.current_login_address,
                current_login_at=at,
                current_login_address=address,
                login_count=user.login_count + 1,
                failed_count=0,
            )

    def note_failure(self, uid: str, at: datetime) -> None:
        with self._lock:
            user = self._users[uid]
            self.change_user(uid, failed_count=user.failed_count + 1, last_failed_at=at)

    def take_totp_step(self, uid: str, step: int) -> bool:
        with self._lock:
            user = self._users.get(uid)
            if user is None or step <= user.totp_last_step:
                return False
            return self.change_user(uid, totp_last_step=step)

    # Roles

    def role(self, name: str) -> MemoryRole | None:
        with self._lock:
            return self._roles.get(name)

    def roles(self) -> cabc.Sequence[MemoryRole]:
        with self._lock:
            return [self._roles[name] for name in sorted(self._roles)]

    def put_role(self, name: str, description: str = "", permissions: cabc.Iterable[str] = ()) -> MemoryRole:
        with self._lock:
            role = self._roles[name] = MemoryRole(name, description, frozenset(permissions))
            return role

    def delete_role(self, name: str) -> bool:
        with self._lock:
            for granted in self._granted.values():
                granted.discard(name)
            return self._roles.pop(name, None) is not None

    def grant(self, uid: str, role: str) -> bool:
        with self._lock:
            if uid not in self._users or role not in self._roles:
                raise LookupError(f"There is no user {uid!r}, or no role {role!r}.")
            if role in self._granted[uid]:
                return False
            self._granted[uid].add(role)
            return True

    def withdraw(self, uid: str, role: str) -> bool:
        with self._lock:
            if role not in self._granted.get(uid, ()):
                return False
            self._granted[uid].discard(role)
            return True

    # Sessions

    def add_session(self, record: SessionRecord, limit: int) -> None:
        with self._lock:
            others = [one for one in self._sessions.values() if one.uid == record.uid]
            others.sort(key=lambda one: one.created_at)
            for one in others[: max(len(others) - limit + 1, 0)]:
                del self._sessions[one.key]
            self._sessions[record.key] = record

    def session(self, key: str) -> tuple[SessionRecord, User] | None:
        with self._lock:
            record = self._sessions.get(key)
            if record is None:
                return None
            return record, t.cast("User", self._shown(self._users[record.uid]))

    def change_session(self, key: str, /, **values: t.Any) -> bool:
        with self._lock:
            record = self._sessions.pop(key, None)
            if record is None:
                return False
            changed = replace(record, **values)
            self._sessions[changed.key] = changed
            return True

    def sessions(self, uid: str) -> cabc.Sequence[SessionRecord]:
        with self._lock:
            found = [one for one in self._sessions.values() if one.uid == uid]
            return sorted(found, key=lambda one: one.last_seen_at, reverse=True)

    def end_session(self, key: str) -> bool:
        with self._lock:
            return self._sessions.pop(key, None) is not None

    def end_session_by_id(self, uid: str, id: str) -> bool:
        with self._lock:
            return any(self.end_session(one.key) for one in self.sessions(uid) if one.id == id)

    def end_sessions(self, uid: str, *, but: str | None = None) -> int:
        with self._lock:
            return sum(self.end_session(one.key) for one in self.sessions(uid) if one.key != but)

    # Tokens

    def add_token(self, token: Token) -> None:
        with self._lock:
            self._tokens[token.key] = token

    def token(self, key: str, purpose: str) -> Token | None:
        with self._lock:
            token = self._tokens.get(key)
            return token if token is not None and token.purpose == purpose else None

    def use_token(self, key: str, purpose: str, at: datetime) -> Token | None:
        with self._lock:
            token = self.token(key, purpose)
            if token is None or token.used_at is not None:
                return None
            if token.expires_at is not None and token.expires_at <= at:
                return None
            used = self._tokens[key] = replace(token, used_at=at)
            return used

    def tokens(self, uid: str, purpose: str) -> cabc.Sequence[Token]:
        with self._lock:
            found = [one for one in self._tokens.values() if one.uid == uid and one.purpose == purpose]
            return sorted(found, key=lambda one: one.created_at, reverse=True)

    def note_token(self, key: str, at: datetime) -> None:
        with self._lock:
            if key in self._tokens:
                self._tokens[key] = replace(self._tokens[key], last_used_at=at)

    def end_token(self, uid: str, id: str, purpose: str) -> bool:
        with self._lock:
            found = [one.key for one in self.tokens(uid, purpose) if one.id == id]
            return any(self._tokens.pop(key, None) is not None for key in found)

    def end_tokens(self, uid: str, *purposes: str, family: str | None = None) -> int:
        def is_meant(token: Token) -> bool:
            if family is None:
                return token.purpose in purposes
            return token.family == family and (not purposes or token.purpose in purposes)

        with self._lock:
            found = [one.key for one in self._tokens.values() if one.uid == uid and is_meant(one)]
            for key in found:
                del self._tokens[key]
            return len(found)

    # Second factors, other accounts

    def passkeys(self, uid: str) -> cabc.Sequence[Passkey]:
        with self._lock:
            found = [one for one in self._passkeys.values() if one.uid == uid]
            return sorted(found, key=lambda one: one.created_at)

    def passkey(self, credential_id: str) -> Passkey | None:
        with self._lock:
            return self._passkeys.get(credential_id)

    def add_passkey(self, passkey: Passkey) -> bool:
        with self._lock:
            return self._passkeys.setdefault(passkey.credential_id, passkey) is passkey

    def note_passkey(self, credential_id: str, expected: int, sign_count: int, at: datetime) -> bool:
        with self._lock:
            passkey = self._passkeys.get(credential_id)
            if passkey is None or passkey.sign_count != expected:
                return False
            self._passkeys[credential_id] = replace(passkey, sign_count=sign_count, last_used_at=at)
            return True

    def delete_passkey(self, uid: str, credential_id: str) -> bool:
        with self._lock:
            passkey = self._passkeys.get(credential_id)
            if passkey is None or passkey.uid != uid:
                return False
            del self._passkeys[credential_id]
            return True

    def identity(self, issuer: str, subject: str) -> Identity | None:
        with self._lock:
            return self._identities.get((issuer, subject))

    def identities(self, uid: str) -> cabc.Sequence[Identity]:
        with self._lock:
            return [one for one in self._identities.values() if one.uid == uid]

    def add_identity(self, identity: Identity) -> bool:
        with self._lock:
            return self._identities.setdefault((identity.issuer, identity.subject), identity) is identity

    def delete_identity(self, uid: str, issuer: str, subject: str) -> bool:
        with self._lock:
            identity = self._identities.get((issuer, subject))
            if identity is None or identity.uid != uid:
                return False
            del self._identities[issuer, subject]
            return True

    # Attempts, the log

    def count_attempt(self, key: str, at: datetime, window_start: datetime) -> int:
        with self._lock:
            self._attempts.setdefault(key, []).append(at)
            return self.attempts(key, window_start)[0]

    def attempts(self, key: str, window_start: datetime) -> tuple[int, datetime | None]:
        with self._lock:
            counted = [at for at in self._attempts.get(key, ()) if at >= window_start]
            return len(counted), max(counted, default=None)

    def forget_attempts(self, key: str) -> None:
        with self._lock:
            self._attempts.pop(key, None)

    def add_event(self, event: Event) -> None:
        with self._lock:
            self._events.append(event)

    def events(
        self, uid: str | None = None, *, name: str | None = None, limit: int = 100
    ) -> cabc.Sequence[Event]:
        with self._lock:
            found = [one for one in self._events if uid in {None, one.uid} and name in {None, one.name}]
            return found[::-1][:limit]

    def purge(self, now: datetime, events_before: datetime) -> int:
        with self._lock:
            before = self._count_rows()
            self._sessions = {key: one for key, one in self._sessions.items() if one.expires_at > now}
            self._tokens = {
                key: one
                for key, one in self._tokens.items()
                if one.expires_at is None or one.expires_at > now
            }
            self._attempts = {key: kept for key, kept in self._attempts.items() if max(kept) >= events_before}
            self._events = [one for one in self._events if one.at >= events_before]
            return before - self._count_rows()

    def _count_rows(self) -> int:
        return len(self._sessions) + len(self._tokens) + len(self._attempts) + len(self._events)


if t.TYPE_CHECKING:
    # The type checkers compare it with the protocol.
    _store: Store = MemoryStore()
