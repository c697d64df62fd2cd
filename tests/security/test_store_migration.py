"""The migration makes what the models say, as Alembic compares them."""

from __future__ import annotations

import io
import typing as t
import uuid
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import postgresql as support
import stores
from erlen.ext.security.errors import ConfigurationError
from erlen.ext.security.sqlalchemy import UserMixin, make_models

ENV = """
from alembic import context
from sqlalchemy import NullPool, create_engine

url = context.config.get_main_option("sqlalchemy.url")
if context.is_offline_mode():
    context.configure(url=url, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
"""

USERS = """
import sqlalchemy as sa
from alembic import op
from erlen.ext.security.sqlalchemy.migrations import security_downgrade, security_upgrade, user_columns

revision, down_revision, branch_labels, depends_on = "users_1", None, ("own",), None

def upgrade():
    op.create_table("{users}", sa.Column("id", sa.Integer(), primary_key=True), *user_columns())
    {upgrade}

def downgrade():
    {downgrade}
    op.drop_table("{users}")
"""

INI = """
[alembic]
script_location = {folder}
sqlalchemy.url = {url}
path_separator = newline
version_locations =
    {folder}/versions
    {shipped}
{options}
"""

SHIPPED = "erlen.ext.security.sqlalchemy:migrations:versions"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'own.db'}"
    return support.database(request.getfixturevalue("postgresql"), f"migrated{uuid.uuid4().hex}")


def an_application(
    folder: Path, url: str, *, users: str = "users", calls: str | None = None, shipped: str = "", options: str = ""
) -> Config:
    """Write an application's migrations; return Alembic's configuration."""
    (folder / "versions").mkdir()
    (folder / "env.py").write_text(ENV, encoding="utf-8")
    upgrade = "pass" if calls is None else f"security_upgrade(op, users={users!r}{calls})"
    downgrade = "pass" if calls is None else f"security_downgrade(op{calls})"
    script = USERS.format(users=users, upgrade=upgrade, downgrade=downgrade)
    (folder / "versions" / "users_1.py").write_text(script, encoding="utf-8")
    ini = folder / "alembic.ini"
    ini.write_text(INI.format(folder=folder, url=url, shipped=shipped, options=options), encoding="utf-8")
    return Config(str(ini), stdout=io.StringIO())


def differences(url: str, metadata: sa.MetaData) -> list[t.Any]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        found = compare_metadata(context, metadata)
    engine.dispose()
    return list(found)


def tables(url: str) -> set[str]:
    engine = sa.create_engine(url)
    names = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    return names - {"alembic_version"}


def test_a_migration_of_the_application_makes_what_the_models_say(tmp_path: Path, url: str) -> None:
    config = an_application(tmp_path, url, calls="")
    command.upgrade(config, "head")
    assert differences(url, stores.Base.metadata) == []
    command.downgrade(config, "base")
    assert tables(url) == set()


def test_the_shipped_branch_makes_what_the_models_say(tmp_path: Path, url: str) -> None:
    config = an_application(tmp_path, url, shipped=SHIPPED)
    command.upgrade(config, "own@head")
    assert tables(url) == {"users"}
    # Something is compared: the tables that are missing.
    assert differences(url, stores.Base.metadata)
    command.upgrade(config, "erlen_security@head")
    assert differences(url, stores.Base.metadata) == []
    command.downgrade(config, "erlen_security@base")
    assert tables(url) == {"users"}


def test_the_names_of_the_tables_are_the_applications(tmp_path: Path, url: str) -> None:
    class Base(DeclarativeBase):
        pass

    class Member(UserMixin, Base):
        __tablename__ = "members"
        id: Mapped[int] = mapped_column(primary_key=True)

    make_models(Base, Member, prefix="auth_")
    options = "security_users = members\nsecurity_prefix = auth_"
    config = an_application(tmp_path, url, users="members", shipped=SHIPPED, options=options)
    command.upgrade(config, "own@head")
    command.upgrade(config, "heads")
    assert differences(url, Base.metadata) == []
    command.downgrade(config, "erlen_security@base")
    assert tables(url) == {"members"}


def test_the_shipped_branch_says_that_the_users_come_first(tmp_path: Path, url: str) -> None:
    config = an_application(tmp_path, url, shipped=SHIPPED)
    with pytest.raises(ConfigurationError, match="There is no table 'users'.*security_users = "):
        command.upgrade(config, "erlen_security@head")
    assert tables(url) == set()


def test_the_migration_is_written_as_sql(tmp_path: Path, url: str) -> None:
    config = an_application(tmp_path, url, shipped=SHIPPED)
    output = io.StringIO()
    config.output_buffer = output
    command.upgrade(config, "erlen_security@head", sql=True)
    for table in stores.MODELS.tables():
        assert f"CREATE TABLE {table.name} " in output.getvalue()
