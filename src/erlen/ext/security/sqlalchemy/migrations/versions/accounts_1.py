"""The tables of accounts, as a branch of their own: ``alembic upgrade erlen_security@head``."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

from erlen.ext.security.errors import ConfigurationError
from erlen.ext.security.sqlalchemy.migrations import security_downgrade, security_upgrade

revision = "erlen_security_1"
down_revision = None
branch_labels = ("erlen_security",)
depends_on = None


def upgrade() -> None:
    """Make the tables.

    :raises ConfigurationError: where the table of users is not there yet.
    """
    users = _option("security_users", "users")
    # With --sql there is no database to look into.
    if not context.is_offline_mode():
        schema, _, name = users.rpartition(".")
        if not sa.inspect(op.get_bind()).has_table(name, schema=schema or None):
            raise ConfigurationError(
                f"There is no table {users!r} for the accounts to belong to. Run the application's own migrations first, as in "
                f"'alembic upgrade <branch>@head', or name its table of users in alembic.ini: security_users = ..."
            )
    security_upgrade(op, users=users, prefix=_option("security_prefix", "security_"))


def downgrade() -> None:
    """Drop the tables."""
    security_downgrade(op, prefix=_option("security_prefix", "security_"))


def _option(name: str, default: str) -> str:
    return context.config.get_main_option(name) or default
