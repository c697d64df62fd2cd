"""The tables: what an application's class of users gets by mixin, and models for the rest.

An application declares its users, and gets the models of everything else for them::

    class Base(DeclarativeBase): ...

    class User(UserMixin, Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)

    models = make_models(Base, User)
    store = SQLAlchemyStore(sessionmaker(create_engine("sqlite:///accounts.db")), models)

The primary key is the application's: a number, a UUID, a text, or several columns. Other tables refer to ``uid``.
"""

from __future__ import annotations

import types
import typing as t
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Index, Integer, Table, inspect
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship
from sqlalchemy.schema import SchemaItem

from ..errors import ConfigurationError
from ..keys import new_id
from ..kit import utc_now
from .columns import CleanString, CleanText, Texts, UtcDateTime

M = t.TypeVar("M")

#: Characters of a name that is random: an ``uid``, an ``id``, a digest.
RANDOM = 64

#: Characters of a name that people chose: of a role, of a purpose.
NAME = 255

# Folding the case of a text makes three characters of one at most, and 254 is the most of an address.
EMAIL, EMAIL_KEY = 320, 768


class UserMixin:
    """The columns of an account, for the application's own class of users.

    .. versionadded:: 0.1
    """

    uid: Mapped[str] = mapped_column(CleanString(RANDOM), unique=True, default=new_id)
    email: Mapped[str] = mapped_column(CleanString(EMAIL))
    email_key: Mapped[str] = mapped_column(CleanString(EMAIL_KEY), unique=True)
    password_hash: Mapped[str | None] = mapped_column(CleanText(), default=None)
    password_changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    is_active: Mapped[bool] = mapped_column(default=True)
    activated_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime(), default=utc_now)
    current_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    current_login_address: Mapped[str | None] = mapped_column(CleanText(), default=None)
    last_login_address: Mapped[str | None] = mapped_column(CleanText(), default=None)
    login_count: Mapped[int] = mapped_column(default=0)
    failed_count: Mapped[int] = mapped_column(default=0)
    last_failed_at: Mapped[datetime | None] = mapped_column(UtcDateTime(), default=None)
    totp_secret: Mapped[str | None] = mapped_column(CleanText(), default=None)
    totp_last_step: Mapped[int] = mapped_column(BigInteger(), default=0)

    if t.TYPE_CHECKING:
        # `make_models` adds it, as it needs the model of roles.
        #: The roles of the user.
        roles: Mapped[list[RoleMixin]]

    @property
    def is_authenticated(self) -> bool:
        """Whether this is a user: true."""
        return True

    def has_role(self, name: str) -> bool:
        """Return whether the user has a role.

        :param name: its name.
        """
        return any(role.name == name for role in self.roles)

    def has_permission(self, name: str) -> bool:
        """Return whether one of the user's roles permits something.

        :param name: the permission.
        """
        return any(name in role.permissions for role in self.roles)


class RoleMixin:
    """The columns of a role."""

    name: Mapped[str] = mapped_column(CleanString(NAME), primary_key=True)
    description: Mapped[str] = mapped_column(CleanText(), default="")
    permissions: Mapped[tuple[str, ...]] = mapped_column(Texts(), default=())


class _Owned:
    """What belongs to a user, and is gone when they are."""

    __user_uid__: t.ClassVar[Column[str]]
    if t.TYPE_CHECKING:
        __tablename__: str

    @declared_attr
    def uid(cls) -> Mapped[str]:  # noqa: N805 - SQLAlchemy calls it with the class
        """Whose it is."""
        return mapped_column(CleanString(RANDOM), _key_of_user(cls.__user_uid__), nullable=False)


class SessionMixin(_Owned):
    """The columns of :class:`~erlen.ext.security.types.SessionRecord`."""

    id: Mapped[str] = mapped_column(CleanString(RANDOM), primary_key=True)
    key: Mapped[str] = mapped_column(CleanString(RANDOM), unique=True)
    methods: Mapped[tuple[str, ...]] = mapped_column(Texts())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    authenticated_at: Mapped[datetime] = mapped_column(UtcDateTime())
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    remember: Mapped[bool] = mapped_column()
    address: Mapped[str | None] = mapped_column(CleanText())
    agent: Mapped[str] = mapped_column(CleanText())

    @declared_attr.directive
    def __table_args__(cls) -> tuple[SchemaItem, ...]:  # noqa: N805 - as above
        return _indexes(cls.__tablename__, ("uid",), ("expires_at",))


class TokenMixin:
    """The columns of :class:`~erlen.ext.security.types.Token`."""

    __user_uid__: t.ClassVar[Column[str]]
    if t.TYPE_CHECKING:
        __tablename__: str

    id: Mapped[str] = mapped_column(CleanString(RANDOM), primary_key=True)
    key: Mapped[str] = mapped_column(CleanString(RANDOM), unique=True)
    purpose: Mapped[str] = mapped_column(CleanString(NAME))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    name: Mapped[str] = mapped_column(CleanText())
    scopes: Mapped[tuple[str, ...]] = mapped_column(Texts())
    data: Mapped[dict[str, t.Any]] = mapped_column(JSON())
    family: Mapped[str | None] = mapped_column(CleanString(RANDOM))
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime())

    @declared_attr
    def uid(cls) -> Mapped[str | None]:  # noqa: N805 - as above
        """Whose it is, if anybody's."""
        return mapped_column(CleanString(RANDOM), _key_of_user(cls.__user_uid__), nullable=True)

    @declared_attr.directive
    def __table_args__(cls) -> tuple[SchemaItem, ...]:  # noqa: N805 - as above
        return _indexes(cls.__tablename__, ("uid", "purpose"), ("expires_at",))


class PasskeyMixin(_Owned):
    """The columns of :class:`~erlen.ext.security.types.Passkey`."""

    # 1023 bytes are the most (WebAuthn, 5.1.3); in base64url these are 1364 characters.
    credential_id: Mapped[str] = mapped_column(CleanString(1400), primary_key=True)
    public_key: Mapped[str] = mapped_column(CleanText())
    sign_count: Mapped[int] = mapped_column(BigInteger())
    name: Mapped[str] = mapped_column(CleanText())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    transports: Mapped[tuple[str, ...]] = mapped_column(Texts())
    backed_up: Mapped[bool] = mapped_column()
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime())

    @declared_attr.directive
    def __table_args__(cls) -> tuple[SchemaItem, ...]:  # noqa: N805 - as above
        return _indexes(cls.__tablename__, ("uid",))


class IdentityMixin(_Owned):
    """The columns of :class:`~erlen.ext.security.types.Identity`."""

    issuer: Mapped[str] = mapped_column(CleanString(512), primary_key=True)
    subject: Mapped[str] = mapped_column(CleanString(NAME), primary_key=True)
    email: Mapped[str] = mapped_column(CleanText())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())

    @declared_attr.directive
    def __table_args__(cls) -> tuple[SchemaItem, ...]:  # noqa: N805 - as above
        return _indexes(cls.__tablename__, ("uid",))


class AttemptMixin:
    """The columns of one attempt. Those under one key are numbered, so that no two count as the same."""

    key: Mapped[str] = mapped_column(CleanString(RANDOM), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger(), primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime())

    if t.TYPE_CHECKING:
        __tablename__: str

    @declared_attr.directive
    def __table_args__(cls) -> tuple[SchemaItem, ...]:  # noqa: N805 - as above
        return _indexes(cls.__tablename__, ("at",))


class EventMixin:
    """The columns of :class:`~erlen.ext.security.types.Event`. It stays when the user is gone, so nothing ties it to one."""

    # SQLite numbers rows by itself in a column of this one type alone.
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"), primary_key=True)
    name: Mapped[str] = mapped_column(CleanString(NAME))
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    uid: Mapped[str | None] = mapped_column(CleanString(RANDOM))
    address: Mapped[str | None] = mapped_column(CleanText())
    agent: Mapped[str] = mapped_column(CleanText())
    details: Mapped[dict[str, t.Any]] = mapped_column(JSON())

    if t.TYPE_CHECKING:
        __tablename__: str

    @declared_attr.directive
    def __table_args__(cls) -> tuple[SchemaItem, ...]:  # noqa: N805 - as above
        return _indexes(cls.__tablename__, ("uid", "at"), ("at",))


def _key_of_user(uid: Column[str]) -> ForeignKey:
    return ForeignKey(uid, ondelete="CASCADE")


def _indexes(table: str, *columns: tuple[str, ...]) -> tuple[SchemaItem, ...]:
    return tuple(Index(f"ix_{table}_{'_'.join(names)}", *names) for names in columns)


@dataclass(frozen=True, kw_only=True)
class Models:
    """The models of one application.

    :param User: the application's own class.
    :param UserRole: the table of who has which role.

    .. versionadded:: 0.1
    """

    User: type[UserMixin]
    Role: type[RoleMixin]
    UserRole: Table
    Session: type[SessionMixin]
    Token: type[TokenMixin]
    Passkey: type[PasskeyMixin]
    Identity: type[IdentityMixin]
    Attempt: type[AttemptMixin]
    Event: type[EventMixin]

    def tables(self) -> tuple[Table, ...]:
        """Return all tables but that of the users, each after those it refers to."""
        models = (self.Role, self.Session, self.Token, self.Passkey, self.Identity, self.Attempt, self.Event)
        first, *others = (t.cast("Table", inspect(model).local_table) for model in models)
        return (first, self.UserRole, *others)


_made: dict[type[UserMixin], Models] = {}


def make_models(base: type[t.Any], user_class: type[UserMixin], *, prefix: str = "security_") -> Models:
    """Make the models that belong to a class of users; it gets ``roles`` by that.

    :param base: the declarative base of the application.
    :param user_class: its class of users, with :class:`UserMixin`.
    :param prefix: what the names of the tables begin with.
    :raises ConfigurationError: where the class has no :class:`UserMixin`.

    .. versionadded:: 0.1
    """
    if not issubclass(t.cast("type[object]", user_class), UserMixin):
        raise ConfigurationError(
            f"{user_class!r} has no columns for an account. Give it the mixin: class {user_class.__name__}(UserMixin, Base)."
        )
    uid = inspect(user_class).column_attrs["uid"].columns[0]
    title = prefix.title().replace("_", "")

    def model(mixin: type[M], table: str) -> type[M]:
        name = title + mixin.__name__.removesuffix("Mixin")
        values = {
            "__tablename__": prefix + table,
            "__user_uid__": uid,
            "__module__": user_class.__module__,
            "__doc__": mixin.__doc__,
        }
        return t.cast(
            "type[M]", types.new_class(name, (mixin, base), exec_body=lambda body: body.update(values))
        )

    role = model(RoleMixin, "roles")
    user_role = _user_roles(base, uid, role, prefix)
    user_class.roles = relationship(role, secondary=user_role, order_by=role.name, lazy="selectin")
    models = Models(
        User=user_class,
        Role=role,
        UserRole=user_role,
        Session=model(SessionMixin, "sessions"),
        Token=model(TokenMixin, "tokens"),
        Passkey=model(PasskeyMixin, "passkeys"),
        Identity=model(IdentityMixin, "identities"),
        Attempt=model(AttemptMixin, "attempts"),
        Event=model(EventMixin, "events"),
    )
    _made[user_class] = models
    return models


def models_of(user_class: type[UserMixin]) -> Models:
    """Return the models that were made for a class of users.

    :param user_class: the class.
    :raises ConfigurationError: where none were made.
    """
    for one in user_class.__mro__:
        if one in _made:
            return _made[one]
    raise ConfigurationError(
        f"There are no models for {user_class!r} yet. Make them beside the class: make_models(Base, {user_class.__name__})."
    )


def _user_roles(base: type[t.Any], uid: Column[str], role: type[RoleMixin], prefix: str) -> Table:
    name = f"{prefix}user_roles"
    return Table(
        name,
        base.metadata,
        Column("uid", CleanString(RANDOM), ForeignKey(uid, ondelete="CASCADE"), primary_key=True),
        Column(
            "role",
            CleanString(NAME),
            ForeignKey(inspect(role).columns["name"], ondelete="CASCADE"),
            primary_key=True,
        ),
        Index(f"ix_{name}_role", "role"),
    )
