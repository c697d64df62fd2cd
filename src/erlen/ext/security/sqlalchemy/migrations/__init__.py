"""The tables as a migration of Alembic's.

In a migration of the application, which makes the users as well or comes after the one that does::

    from erlen.ext.security.sqlalchemy.migrations import security_downgrade, security_upgrade, user_columns

    def upgrade() -> None:
        op.create_table("users", sa.Column("id", sa.Integer(), primary_key=True), *user_columns())
        security_upgrade(op, users="users")

Or as a branch of its own, with these lines in ``alembic.ini``, and ``alembic upgrade erlen_security@head`` when the users are there::

    path_separator = newline
    version_locations =
        %(here)s/migrations/versions
        erlen.ext.security.sqlalchemy:migrations:versions
    security_users = users
    security_prefix = security_
"""

from __future__ import annotations

import typing as t

import sqlalchemy as sa

__all__ = ["security_downgrade", "security_upgrade", "user_columns"]

# What is written here stays as it is, whatever becomes of the models: a later change is a later migration.
_TIME = sa.DateTime(timezone=True)


def user_columns() -> list[sa.Column[t.Any]]:
    """Return the columns of :class:`~erlen.ext.security.sqlalchemy.UserMixin`, for a table of users that is made.

    .. versionadded:: 0.1
    """
    return [
        sa.Column("uid", sa.String(64), nullable=False, unique=True),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("email_key", sa.String(768), nullable=False, unique=True),
        sa.Column("password_hash", sa.Text()),
        sa.Column("password_changed_at", _TIME),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("activated_at", _TIME),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("current_login_at", _TIME),
        sa.Column("last_login_at", _TIME),
        sa.Column("current_login_address", sa.Text()),
        sa.Column("last_login_address", sa.Text()),
        sa.Column("login_count", sa.Integer(), nullable=False),
        sa.Column("failed_count", sa.Integer(), nullable=False),
        sa.Column("last_failed_at", _TIME),
        sa.Column("totp_secret", sa.Text()),
        sa.Column("totp_last_step", sa.BigInteger(), nullable=False),
    ]


def security_upgrade(op: t.Any, *, users: str = "users", prefix: str = "security_") -> None:
    """Make the tables that belong to the users.

    :param op: ``alembic.op``.
    :param users: the name of the table of users.
    :param prefix: what the names of the tables begin with.

    .. versionadded:: 0.1
    """
    _roles(op, users, prefix)
    _sessions(op, users, prefix)
    _tokens(op, users, prefix)
    _factors(op, users, prefix)
    _log(op, prefix)


def security_downgrade(op: t.Any, *, prefix: str = "security_") -> None:
    """Drop the tables that belong to the users, with all that is in them.

    :param op: ``alembic.op``.
    :param prefix: what the names of the tables begin with.

    .. versionadded:: 0.1
    """
    for name in ("events", "attempts", "identities", "passkeys", "tokens", "sessions", "user_roles", "roles"):
        op.drop_table(prefix + name)


def _roles(op: t.Any, users: str, prefix: str) -> None:
    op.create_table(
        f"{prefix}roles",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("permissions", sa.JSON(), nullable=False),
    )
    role = sa.ForeignKey(f"{prefix}roles.name", ondelete="CASCADE")
    op.create_table(
        f"{prefix}user_roles",
        sa.Column("uid", sa.String(64), _user(users), primary_key=True),
        sa.Column("role", sa.String(255), role, primary_key=True),
    )
    _index(op, f"{prefix}user_roles", "role")


def _sessions(op: t.Any, users: str, prefix: str) -> None:
    op.create_table(
        f"{prefix}sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("uid", sa.String(64), _user(users), nullable=False),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("methods", sa.JSON(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("authenticated_at", _TIME, nullable=False),
        sa.Column("last_seen_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("remember", sa.Boolean(), nullable=False),
        sa.Column("address", sa.Text()),
        sa.Column("agent", sa.Text(), nullable=False),
    )
    _index(op, f"{prefix}sessions", "uid")
    _index(op, f"{prefix}sessions", "expires_at")


def _tokens(op: t.Any, users: str, prefix: str) -> None:
    op.create_table(
        f"{prefix}tokens",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("uid", sa.String(64), _user(users)),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("purpose", sa.String(255), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("family", sa.String(64)),
        sa.Column("used_at", _TIME),
        sa.Column("last_used_at", _TIME),
    )
    _index(op, f"{prefix}tokens", "uid", "purpose")
    _index(op, f"{prefix}tokens", "expires_at")


def _factors(op: t.Any, users: str, prefix: str) -> None:
    op.create_table(
        f"{prefix}passkeys",
        sa.Column("credential_id", sa.String(1400), primary_key=True),
        sa.Column("uid", sa.String(64), _user(users), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("transports", sa.JSON(), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("last_used_at", _TIME),
    )
    _index(op, f"{prefix}passkeys", "uid")
    op.create_table(
        f"{prefix}identities",
        sa.Column("issuer", sa.String(512), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("uid", sa.String(64), _user(users), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
    )
    _index(op, f"{prefix}identities", "uid")


def _log(op: t.Any, prefix: str) -> None:
    op.create_table(
        f"{prefix}attempts",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", _TIME, nullable=False),
    )
    _index(op, f"{prefix}attempts", "at")
    op.create_table(
        f"{prefix}events",
        # SQLite numbers rows by itself in a column of this one type alone.
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("uid", sa.String(64)),
        sa.Column("address", sa.Text()),
        sa.Column("agent", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
    )
    _index(op, f"{prefix}events", "uid", "at")
    _index(op, f"{prefix}events", "at")


def _user(users: str) -> sa.ForeignKey:
    return sa.ForeignKey(f"{users}.uid", ondelete="CASCADE")


def _index(op: t.Any, table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
