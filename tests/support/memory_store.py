"""A store in dicts: what the protocol says, in its plainest form. Tests compare others with it."""

from __future__ import annotations

import collections.abc as cabc
import copy
import dataclasses
import re
import threading
import typing as t
from datetime import UTC, datetime, timedelta

from erlen.ext.security.errors import EmailTaken
from erlen.ext.security.keys import new_id
from erlen.ext.security.store import Store
from erlen.ext.security.types import Event, Identity, Passkey, SessionRecord, Token

_UNFIT = re.compile("[\0\ud800-\udfff]")


def clean(text: str) -> str:
    return _UNFIT.sub("\ufffd", text)


@dataclasses.dataclass
class Role:
    name: str
    description: str = ""
    permissions: tuple[str, ...] = ()


@dataclasses.dataclass
class User:
    email: str
    email_key: str
    uid: str = dataclasses.field(default_factory=new_id)
    # What an application might add.
    name: str = ""
    password_hash: str | None = None
    password_changed_at: datetime | None = None
    is_active: bool = True
    activated_at: datetime | None = None
    created_at: datetime = dataclasses.field(default_factory=lambda: datetime.now(UTC))
    current_login_at: datetime | None = None
    last_login_at: datetime | None = None
    current_login_address: str | None = None
    last_login_address: str | None = None
    login_count: int = 0
    failed_count: int = 0
    last_failed_at: datetime | None = None
    totp_secret: str | None = None
    totp_last_step: int = 0
    roles: list[Role] = dataclasses.field(default_factory=list[Role])

    @property
    def is_authenticated(self) -> bool:
        return True

    def has_role(self, name: str) -> bool:
        return any(role.name == name for role in self.roles)

    def has_permission(self, name: str) -> bool:
        return any(name in role.permissions for role in self.roles)


COLUMNS = {field.name for field in dataclasses.fields(User)} - {"roles", "name"}

F = t.TypeVar("F", bound=cabc.Callable[..., t.Any])


def _alone(method: F) -> F:
    """Let one thread at a time in: each method is a transaction."""

    def locked(self: MemoryStore, *arguments: t.Any, **keywords: t.Any) -> t.Any:
        with self.lock:
            return copy.deepcopy(method(self, *arguments, **keywords))

    return t.cast("F", locked)


class MemoryStore(Store):
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.empty()

    def empty(self) -> None:
        self._users: dict[str, User] = {}
        self._roles: dict[str, Role] = {}
        self._having: set[tuple[str, str]] = set()
        self._sessions: dict[str, SessionRecord] = {}
        self._tokens: dict[str, Token] = {}
        self._passkeys: dict[str, Passkey] = {}
        self._identities: dict[tuple[str, str], Identity] = {}
        self._attempts: dict[str, list[datetime]] = {}
        self._events: list[Event] = []

    # Users

    def _with_roles(self, user: User) -> User:
        names = sorted(role for uid, role in self._having if uid == user.uid)
        return dataclasses.replace(user, roles=[self._roles[name] for name in names])

    def _need(self, uid: str | None) -> None:
        if uid is not None and uid not in self._users:
            raise LookupError(uid)

    @_alone
    def user(self, uid: str) -> User | None:
        return self._with_roles(self._users[uid]) if uid in self._users else None

    @_alone
    def user_by_email(self, email_key: str) -> User | None:
        return next(
            (self._with_roles(one) for one in self._users.values() if one.email_key == email_key), None
        )

    @_alone
    def users(self, search: str = "", *, limit: int = 100, offset: int = 0) -> list[User]:
        text = clean(search)
        found = [
            self._with_roles(user)
            for user in self._users.values()
            if text.casefold() in user.email_key or text.lower() in user.email.lower()
        ]
        offset = max(offset, 0)
        return sorted(found, key=lambda user: user.email_key)[offset : offset + max(limit, 0)]

    @_alone
    def add_user(self, *, email: str, email_key: str, **values: t.Any) -> User:
        if self.user_by_email(email_key):
            raise EmailTaken
        user = User(email, email_key, **values)
        self._users[user.uid] = user
        return user

    @_alone
    def change_user(self, uid: str, **values: t.Any) -> bool:
        return self.change_user_if(uid, {}, **values)

    @_alone
    def change_user_if(self, uid: str, expected: cabc.Mapping[str, t.Any], **values: t.Any) -> bool:
        if unknown := ({*values} - COLUMNS - {"name"}) | ({*values} & {"uid"}) | ({*expected} - COLUMNS):
            raise TypeError(unknown)
        user = self._users.get(uid)
        if user is None or any(getattr(user, name) != value for name, value in expected.items()):
            return False
        other = self.user_by_email(values["email_key"]) if "email_key" in values else None
        if other is not None and other.uid != uid:
            raise EmailTaken
        for name, value in values.items():
            setattr(user, name, value)
        return True

    @_alone
    def delete_user(self, uid: str) -> bool:
        if self._users.pop(uid, None) is None:
            return False
        self._having = {one for one in self._having if one[0] != uid}
        for kept in (self._sessions, self._tokens, self._passkeys, self._identities):
            _drop(kept, lambda one: one.uid == uid)
        return True

    @_alone
    def note_login(self, uid: str, at: datetime, address: str | None) -> None:
        if user := self._users.get(uid):
            user.last_login_at, user.last_login_address = user.current_login_at, user.current_login_address
            user.current_login_at, user.current_login_address = at, address
            user.login_count, user.failed_count = user.login_count + 1, 0

    @_alone
    def note_failure(self, uid: str, at: datetime) -> None:
        if user := self._users.get(uid):
            user.failed_count, user.last_failed_at = user.failed_count + 1, at

    @_alone
    def take_totp_step(self, uid: str, step: int) -> bool:
        user = self._users.get(uid)
        if user is None or user.totp_last_step >= step:
            return False
        user.totp_last_step = step
        return True

    # Roles

    @_alone
    def role(self, name: str) -> Role | None:
        return self._roles.get(clean(name))

    @_alone
    def roles(self) -> list[Role]:
        return [self._roles[name] for name in sorted(self._roles)]

    @_alone
    def put_role(self, name: str, description: str = "", permissions: cabc.Iterable[str] = ()) -> Role:
        if isinstance(permissions, str):
            raise TypeError(permissions)
        name = clean(name)
        self._roles[name] = Role(name, clean(description), tuple(sorted({*permissions})))
        return self._roles[name]

    @_alone
    def delete_role(self, name: str) -> bool:
        self._having = {one for one in self._having if one[1] != name}
        return self._roles.pop(name, None) is not None

    @_alone
    def grant(self, uid: str, role: str) -> bool:
        self._need(uid)
        if role not in self._roles:
            raise LookupError(role)
        if (uid, role) in self._having:
            return False
        self._having.add((uid, role))
        return True

    @_alone
    def withdraw(self, uid: str, role: str) -> bool:
        had = (uid, role) in self._having
        self._having.discard((uid, role))
        return had

    # Sessions

    @_alone
    def add_session(self, record: SessionRecord, limit: int) -> None:
        self._need(record.uid)
        own = [one for one in self._sessions.values() if one.uid == record.uid]
        own.sort(key=lambda one: one.id)
        own.sort(key=lambda one: (one.created_at, one.last_seen_at), reverse=True)
        for one in own[max(limit - 1, 0) :]:
            del self._sessions[one.key]
        self._sessions[record.key] = record

    @_alone
    def session(self, key: str) -> tuple[SessionRecord, User] | None:
        record = self._sessions.get(key)
        return None if record is None else (record, self._with_roles(self._users[record.uid]))

    @_alone
    def change_session(self, key: str, /, **values: t.Any) -> bool:
        record = self._sessions.get(key)
        if unknown := {*values} - {field.name for field in dataclasses.fields(SessionRecord)}:
            raise TypeError(unknown)
        if record is None:
            return False
        del self._sessions[key]
        record = dataclasses.replace(record, **values)
        self._sessions[record.key] = record
        return True

    @_alone
    def sessions(self, uid: str) -> list[SessionRecord]:
        own = sorted((one for one in self._sessions.values() if one.uid == uid), key=lambda one: one.id)
        return sorted(own, key=lambda one: (one.last_seen_at, one.created_at), reverse=True)

    @_alone
    def end_session(self, key: str) -> bool:
        return self._sessions.pop(key, None) is not None

    @_alone
    def end_session_by_id(self, uid: str, id: str) -> bool:
        return _drop(self._sessions, lambda one: one.uid == uid and one.id == id) > 0

    @_alone
    def end_sessions(self, uid: str, *, but: str | None = None) -> int:
        return _drop(self._sessions, lambda one: one.uid == uid and one.key != but)

    # Tokens

    @_alone
    def add_token(self, token: Token) -> None:
        self._need(token.uid)
        self._tokens[token.key] = token

    @_alone
    def token(self, key: str, purpose: str) -> Token | None:
        found = self._tokens.get(key)
        return found if found is not None and found.purpose == purpose else None

    @_alone
    def use_token(self, key: str, purpose: str, at: datetime) -> Token | None:
        found = self.token(key, purpose)
        if found is None or found.used_at or (found.expires_at is not None and found.expires_at <= at):
            return None
        self._tokens[key] = dataclasses.replace(found, used_at=at)
        return self._tokens[key]

    @_alone
    def tokens(self, uid: str, purpose: str) -> list[Token]:
        found = [one for one in self._tokens.values() if one.uid == uid and one.purpose == purpose]
        found.sort(key=lambda one: one.id)
        return sorted(found, key=lambda one: one.created_at, reverse=True)

    @_alone
    def note_token(self, key: str, at: datetime) -> None:
        if key in self._tokens:
            self._tokens[key] = dataclasses.replace(self._tokens[key], last_used_at=at)

    @_alone
    def end_token(self, uid: str, id: str, purpose: str) -> bool:
        return _drop(self._tokens, lambda one: (one.uid, one.id, one.purpose) == (uid, id, purpose)) > 0

    @_alone
    def end_tokens(self, uid: str, *purposes: str, family: str | None = None) -> int:
        if not purposes and family is None:
            return 0

        def meant(one: Token) -> bool:
            of_purpose = not purposes or one.purpose in purposes
            return one.uid == uid and of_purpose and (family is None or one.family == family)

        return _drop(self._tokens, meant)

    # Second factors, other accounts

    @_alone
    def passkeys(self, uid: str) -> list[Passkey]:
        found = [one for one in self._passkeys.values() if one.uid == uid]
        return sorted(found, key=lambda one: (one.created_at, one.credential_id))

    @_alone
    def passkey(self, credential_id: str) -> Passkey | None:
        return self._passkeys.get(credential_id)

    @_alone
    def add_passkey(self, passkey: Passkey) -> bool:
        self._need(passkey.uid)
        return self._passkeys.setdefault(passkey.credential_id, passkey) is passkey

    @_alone
    def note_passkey(self, credential_id: str, expected: int, sign_count: int, at: datetime) -> bool:
        found = self._passkeys.get(credential_id)
        if found is None or found.sign_count != expected:
            return False
        self._passkeys[credential_id] = dataclasses.replace(found, sign_count=sign_count, last_used_at=at)
        return True

    @_alone
    def delete_passkey(self, uid: str, credential_id: str) -> bool:
        return _drop(self._passkeys, lambda one: one.uid == uid and one.credential_id == credential_id) > 0

    @_alone
    def identity(self, issuer: str, subject: str) -> Identity | None:
        return self._identities.get((issuer, subject))

    @_alone
    def identities(self, uid: str) -> list[Identity]:
        found = [one for one in self._identities.values() if one.uid == uid]
        return sorted(found, key=lambda one: (one.created_at, one.issuer, one.subject))

    @_alone
    def add_identity(self, identity: Identity) -> bool:
        self._need(identity.uid)
        return self._identities.setdefault((identity.issuer, identity.subject), identity) is identity

    @_alone
    def delete_identity(self, uid: str, issuer: str, subject: str) -> bool:
        return (
            _drop(self._identities, lambda one: (one.uid, one.issuer, one.subject) == (uid, issuer, subject))
            > 0
        )

    # Attempts, the log

    @_alone
    def count_attempt(self, key: str, at: datetime, window_start: datetime) -> int:
        self._attempts.setdefault(key, []).append(at)
        return self.attempts(key, window_start)[0]

    @_alone
    def attempts(self, key: str, window_start: datetime) -> tuple[int, datetime | None]:
        times = [at for at in self._attempts.get(key, []) if at >= window_start]
        return len(times), max(times, default=None)

    @_alone
    def forget_attempts(self, key: str) -> None:
        self._attempts.pop(key, None)

    @_alone
    def add_event(self, event: Event) -> None:
        self._events.append(event)

    @_alone
    def events(self, uid: str | None = None, *, name: str | None = None, limit: int = 100) -> list[Event]:
        found = [one for one in self._events if uid in {None, one.uid} and name in {None, one.name}]
        # Of those at one time the one that was added last comes first.
        found.reverse()
        return sorted(found, key=lambda one: one.at, reverse=True)[: max(limit, 0)]

    @_alone
    def purge(self, now: datetime, events_before: datetime) -> int:
        gone = _drop(self._sessions, lambda one: one.expires_at <= now)
        gone += _drop(self._tokens, lambda one: one.expires_at is not None and one.expires_at <= now)
        for key, times in self._attempts.items():
            self._attempts[key] = [at for at in times if at >= now - timedelta(days=7)]
            gone += len(times) - len(self._attempts[key])
        left = [one for one in self._events if one.at >= events_before]
        gone += len(self._events) - len(left)
        self._events = left
        return gone


def _drop(kept: dict[t.Any, t.Any], meant: cabc.Callable[[t.Any], bool]) -> int:
    keys = [key for key, one in kept.items() if meant(one)]
    for key in keys:
        del kept[key]
    return len(keys)
