"""What the parts of the extension hand to each other: users and roles as protocols, the rest as plain records.

A store keeps them however it likes; nothing here knows of a database. Times are aware, in UTC.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from dataclasses import dataclass, field
from datetime import datetime

__all__ = [
    "Anonymous",
    "Authentication",
    "Client",
    "Event",
    "Identity",
    "Passkey",
    "Role",
    "SessionRecord",
    "Token",
    "User",
]


class Role(t.Protocol):
    """A name that users have, and what it permits."""

    #: The name, unique.
    name: str
    #: What it is for, in words.
    description: str

    @property
    def permissions(self) -> cabc.Collection[str]:
        """What the role permits."""
        ...


class User(t.Protocol):
    """An account, as the application's own class of users has it.

    Everything refers to a user by ``uid``, a random text that never changes, so that the application's own key may be of any type.
    """

    #: The random text that everything refers to.
    uid: str
    #: As it was typed, but for what Unicode says is the same.
    email: str
    #: What two spellings of one address have in common; unique.
    email_key: str
    #: ``None`` where somebody signs in without a password.
    password_hash: str | None
    #: When the password was set last.
    password_changed_at: datetime | None
    #: Whether the account may be used; administrators switch it off.
    is_active: bool
    #: When the address was confirmed, ``None`` before.
    activated_at: datetime | None
    #: When the account was made.
    created_at: datetime
    #: When the user logged in last.
    current_login_at: datetime | None
    #: When the user logged in the time before.
    last_login_at: datetime | None
    #: From which network address the user logged in last.
    current_login_address: str | None
    #: From which network address the user logged in the time before.
    last_login_address: str | None
    #: How often the user has logged in.
    login_count: int
    #: Failed attempts since the last login.
    failed_count: int
    #: When an attempt failed last.
    last_failed_at: datetime | None
    #: The secret of the authenticator application, sealed; ``None`` without one.
    totp_secret: str | None
    #: The last time step whose code was used.
    totp_last_step: int

    @property
    def roles(self) -> cabc.Sequence[Role]:
        """The roles of the user."""
        ...

    @property
    def is_authenticated(self) -> bool:
        """Whether this is a user at all: true, as opposed to :class:`Anonymous`."""
        ...

    def has_role(self, name: str) -> bool:
        """Return whether the user has a role."""
        ...

    def has_permission(self, name: str) -> bool:
        """Return whether one of the user's roles permits something."""
        ...


class Anonymous:
    """Who asks when nobody is logged in."""

    #: Nobody.
    uid: t.Final[None] = None
    #: No address.
    email: t.Final[None] = None
    #: No roles.
    roles: t.Final[tuple[Role, ...]] = ()
    #: There is no account to be used.
    is_active: t.Final[bool] = False
    #: What tells this from a :class:`User`.
    is_authenticated: t.Final[bool] = False

    def has_role(self, name: str) -> bool:
        """Return ``False``."""
        return False

    def has_permission(self, name: str) -> bool:
        """Return ``False``."""
        return False

    def __repr__(self) -> str:
        return "<Anonymous>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Where a request came from, as far as it tells.

    :param address: the address of the network, ``None`` where the server does not say.
    :param agent: the ``User-Agent`` header, at most 256 characters.
    """

    address: str | None = None
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRecord:
    """A login that lasts: the session of one browser, kept on the server.

    :param key: the digest of the secret in the browser's cookie; the secret itself is stored nowhere.
    :param id: how the user's list of sessions names it; of no use to log in.
    :param uid: whose it is.
    :param methods: what it was authenticated with: ``password``, ``totp``, ``code``, ``passkey``, ``openid``.
    :param created_at: when it began.
    :param authenticated_at: when the user proved last who they are.
    :param last_seen_at: when it was used last, to within a minute or so.
    :param expires_at: when it ends, whatever is done with it.
    :param remember: whether it outlives the browser.
    :param address: the network address it was used from last.
    :param agent: the ``User-Agent`` header it began with.
    """

    key: str
    id: str
    uid: str
    methods: tuple[str, ...]
    created_at: datetime
    authenticated_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    remember: bool = False
    address: str | None = None
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A secret that was handed out for one purpose, kept as its digest.

    :param key: the digest of the secret.
    :param id: how lists name it; of no use as a secret.
    :param uid: whose it is, ``None`` where nobody is known yet.
    :param purpose: what it is good for, and nothing else: ``activate``, ``reset``, ``email``, ``api``, ``refresh``, ``code``, ...
    :param name: what the user called it.
    :param scopes: what it permits.
    :param data: what belongs to the purpose, such as the new address; values that JSON has.
    :param family: what a refresh token and those that replaced it have in common.
    :param created_at: when it was made.
    :param expires_at: ``None`` for never.
    :param used_at: when it was used, for those that count once.
    :param last_used_at: when it was used last, for those that count more than once.
    """

    key: str
    id: str
    uid: str | None
    purpose: str
    created_at: datetime
    expires_at: datetime | None
    name: str = ""
    scopes: tuple[str, ...] = ()
    data: cabc.Mapping[str, t.Any] = field(default_factory=dict[str, t.Any])
    family: str | None = None
    used_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """A public key of a user's device (WebAuthn).

    :param credential_id: as the device names it, in base64url.
    :param uid: whose it is.
    :param public_key: in COSE form, in base64url.
    :param sign_count: how often it was used, as the device says; 0 where it does not count.
    :param name: what the user called it.
    :param created_at: when it was registered.
    :param transports: how browsers may reach it.
    :param backed_up: whether the device says that it is kept in other places as well.
    :param last_used_at: when it was used last.
    """

    credential_id: str
    uid: str
    public_key: str
    sign_count: int
    name: str
    created_at: datetime
    transports: tuple[str, ...] = ()
    backed_up: bool = False
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An account somewhere else that logs a user in (OpenID Connect): who says so, and how they call the user.

    :param issuer: who says so, a URL.
    :param subject: how the issuer calls the user; the two together are unique.
    :param uid: whose it is here.
    :param email: the address that the issuer has, to show; nothing is decided by it.
    :param created_at: when it was added.
    """

    issuer: str
    subject: str
    uid: str
    email: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that the log of security has.

    :param name: what happened, the name of a signal such as ``"logged_in"``.
    :param at: when.
    :param uid: to whom, ``None`` where nobody is known.
    :param address: from which network address, ``None`` where it is not known.
    :param agent: the ``User-Agent`` header of the request.
    :param details: values that JSON has; never a secret.
    """

    name: str
    at: datetime
    uid: str | None = None
    address: str | None = None
    agent: str = ""
    details: cabc.Mapping[str, t.Any] = field(default_factory=dict[str, t.Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """Who asks, and how they showed it.

    :param user: the user.
    :param method: ``session``, ``token`` or ``basic``.
    :param record: the session, where it is one.
    :param scopes: what a token permits, ``None`` where the user's own permissions are the limit.
    """

    user: User
    method: str
    record: SessionRecord | None = None
    scopes: frozenset[str] | None = None
