"""What the store of SQLAlchemy's promises beyond the protocol: keys, sessions, the application's own class."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import typing as t
import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, ForeignKey, create_engine, event, exc, func, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)

import erlen.ext.security.sqlalchemy.models as models_module
import postgresql as support
from erlen.ext.security.errors import ConfigurationError, EmailTaken
from erlen.ext.security.keys import digest
from erlen.ext.security.sqlalchemy import Models, SQLAlchemyStore, UserMixin, make_models
from races import at_once
from records import NOW, a_session, a_token, a_user, an_event, everything_of


def number(base: type[t.Any]) -> type[UserMixin]:
    class User(UserMixin, base):  # type: ignore[misc]
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)

    return User


def random(base: type[t.Any]) -> type[UserMixin]:
    class User(UserMixin, base):  # type: ignore[misc]
        __tablename__ = "users"
        id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)

    return User


def text(base: type[t.Any]) -> type[UserMixin]:
    class User(UserMixin, base):  # type: ignore[misc]
        __tablename__ = "users"
        name: Mapped[str] = mapped_column(primary_key=True, default=lambda: uuid.uuid4().hex)

    return User


def several(base: type[t.Any]) -> type[UserMixin]:
    class User(UserMixin, base):  # type: ignore[misc]
        __tablename__ = "users"
        tenant: Mapped[int] = mapped_column(primary_key=True, default=7)
        number: Mapped[str] = mapped_column(primary_key=True, default=lambda: uuid.uuid4().hex)

    return User


def inherited(base: type[t.Any]) -> type[UserMixin]:
    class Person(base):  # type: ignore[misc]
        __tablename__ = "people"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        __mapper_args__: t.ClassVar[dict[str, t.Any]] = {
            "polymorphic_on": "kind",
            "polymorphic_identity": "person",
        }

    class User(UserMixin, Person):
        __tablename__ = "users"
        person: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
        __mapper_args__: t.ClassVar[dict[str, t.Any]] = {"polymorphic_identity": "user"}

    return User


def a_store(
    engine: Engine, make: t.Callable[[type[t.Any]], type[UserMixin]]
) -> tuple[SQLAlchemyStore, Models]:
    class Base(DeclarativeBase):
        pass

    models = make_models(Base, make(Base))
    Base.metadata.create_all(engine)
    return SQLAlchemyStore(sessionmaker(engine), models), models


def rows(engine: Engine, models: Models) -> dict[str, int]:
    """Return the number of rows of each table that has any."""
    with engine.connect() as connection:
        counts = {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (models.User.__table__, *models.tables())  # type: ignore[attr-defined]
        }
    return {name: count for name, count in counts.items() if count}


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> t.Iterator[Engine]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'own.db'}"
    else:
        url = support.schema(request.getfixturevalue("postgresql"), f"own{uuid.uuid4().hex}")
    engine = create_engine(url)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("make", [number, random, text, several, inherited])
def test_the_key_of_a_user_is_of_any_type(engine: Engine, make: t.Any) -> None:
    store, models = a_store(engine, make)
    ada, eve = a_user(store), a_user(store, "eve")
    everything_of(store, ada.uid, "a")
    everything_of(store, eve.uid, "e")
    found = store.session(digest("a"))
    assert found is not None
    assert (found[1].uid, found[1].has_role("admin")) == (ada.uid, True)
    assert store.change_user(ada.uid, is_active=False)
    with pytest.raises(EmailTaken):
        a_user(store)
    assert store.delete_user(eve.uid)
    assert store.delete_user(ada.uid)
    assert rows(engine, models) == {"security_roles": 1, "security_events": 2}


@pytest.mark.parametrize("switch", ["ON", "OFF"])
def test_what_is_deleted_is_gone_with_foreign_keys_and_without(tmp_path: Path, switch: str) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'own.db'}")

    @event.listens_for(engine, "connect")
    def connected(connection: t.Any, record: t.Any) -> None:
        connection.execute(f"PRAGMA foreign_keys = {switch}")

    store, models = a_store(engine, number)
    ada = a_user(store)
    everything_of(store, ada.uid, "a")
    assert len(rows(engine, models)) == 8
    assert store.delete_role("admin")
    assert "security_user_roles" not in rows(engine, models)
    assert store.delete_user(ada.uid)
    assert rows(engine, models) == {"security_events": 1}
    with pytest.raises(LookupError, match="There is no user with the uid"):
        store.add_token(a_token(ada.uid, "late"))
    engine.dispose()


class Blog(DeclarativeBase):
    pass


class Author(UserMixin, Blog):
    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    nick: Mapped[str] = mapped_column(unique=True)
    karma: Mapped[int] = mapped_column(server_default="5")
    posts: Mapped[list[Post]] = relationship(cascade="all, delete-orphan")


class Post(Blog):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author: Mapped[int] = mapped_column(ForeignKey("authors.id"))


BLOG = make_models(Blog, Author, prefix="blog_")


@pytest.fixture
def blog(engine: Engine) -> SQLAlchemyStore:
    Blog.metadata.create_all(engine)
    return SQLAlchemyStore(sessionmaker(engine), Author)


def test_the_applications_own_columns_are_set_and_read(blog: SQLAlchemyStore) -> None:
    ada = t.cast("Author", a_user(blog, nick="ada"))
    assert (ada.nick, ada.karma) == ("ada", 5)
    assert blog.change_user(ada.uid, nick="lovelace")
    found = t.cast("Author", blog.user(ada.uid))
    assert found.nick == "lovelace"


def test_another_constraint_is_not_taken_for_the_address(blog: SQLAlchemyStore) -> None:
    a_user(blog, nick="ada")
    eve = a_user(blog, "eve", nick="eve")
    with pytest.raises(exc.IntegrityError):
        a_user(blog, "bob", nick="ada")
    with pytest.raises(exc.IntegrityError):
        blog.change_user(eve.uid, nick="ada", email="e@e", email_key="e@e")
    with pytest.raises(TypeError, match="surname"):
        a_user(blog, "bob", nick="bob", surname="B")


def test_what_belongs_to_a_user_by_the_applications_relationships_goes_with_them(
    blog: SQLAlchemyStore, engine: Engine
) -> None:
    ada = a_user(blog, nick="ada")
    with sessionmaker(engine).begin() as session:
        author = session.scalars(select(Author)).one()
        author.posts.append(Post())
        assert author.roles == []
    assert blog.delete_user(ada.uid)
    with sessionmaker(engine)() as session:
        assert session.scalar(select(func.count()).select_from(Post)) == 0


def test_the_tables_have_the_prefix() -> None:
    assert {table.name.partition("_")[0] for table in BLOG.tables()} == {"blog"}


def test_indexes_are_there_for_what_is_looked_up() -> None:
    tables = {table.name: table for table in BLOG.tables()}
    indexed = {
        name: {tuple(column.name for column in index.columns) for index in table.indexes}
        for name, table in tables.items()
    }
    assert indexed["blog_sessions"] == {("uid",), ("expires_at",)}
    assert indexed["blog_tokens"] == {("uid", "purpose"), ("expires_at",)}
    assert indexed["blog_events"] == {("uid", "at"), ("at",)}
    assert all(key.ondelete == "CASCADE" for table in tables.values() for key in table.foreign_keys)


def test_a_user_is_used_without_a_session(blog: SQLAlchemyStore) -> None:
    """The factory of an application expires what was committed, which would need a session to be read again."""
    ada = a_user(blog, nick="ada")
    blog.put_role("admin", permissions=["all"])
    blog.grant(ada.uid, "admin")
    blog.add_session(a_session(ada.uid, "s"), 5)
    found = blog.session(digest("s"))
    assert found is not None
    for user in (found[1], *blog.users(), blog.user(ada.uid), blog.user_by_email("ada@example.com")):
        assert user is not None
        assert user.has_permission("all")
        assert user.created_at.tzinfo is not None
    # The object is this one's own: what is done with it is not written.
    found[1].is_active = False
    again = blog.user(ada.uid)
    assert again is not None
    assert again.is_active


def test_times_are_in_utc_whatever_zone_they_had(blog: SQLAlchemyStore) -> None:
    ada = a_user(blog, nick="ada")
    east = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    blog.add_event(an_event("logged_in", ada.uid, at=east))
    (told,) = blog.events()
    assert told.at == NOW
    assert told.at.tzinfo is UTC
    blog.add_token(a_token(ada.uid, "s", expires_at=east))
    assert blog.use_token(digest("s"), "reset", NOW) is None


def test_a_time_without_a_zone_is_refused(blog: SQLAlchemyStore) -> None:
    with pytest.raises(exc.StatementError, match=r"has no zone.*datetime\.now\(UTC\)"):
        blog.add_event(an_event("logged_in", at=datetime(2030, 1, 1)))


def test_text_that_is_too_long_for_a_column_is_refused_on_every_database(blog: SQLAlchemyStore) -> None:
    with pytest.raises(ValueError, match=r"BlogRole\.name takes 255 characters, and was given 256"):
        blog.put_role("x" * 256)
    with pytest.raises(ValueError, match=r"Author\.email_key takes 768 characters"):
        blog.add_user(email="a@b", email_key="x" * 769, nick="ada")
    ada = a_user(blog, nick="ada")
    with pytest.raises(ValueError, match=r"BlogToken\.id takes 64 characters"):
        blog.add_token(a_token(ada.uid, "x" * 65))


def test_a_scoped_session_will_do(engine: Engine) -> None:
    Blog.metadata.create_all(engine)
    scoped = scoped_session(sessionmaker(engine))
    store = SQLAlchemyStore(scoped, BLOG)
    a_user(store, nick="ada")
    # The session of the thread is the application's; the store has not touched it.
    assert not scoped.registry.has()


def test_what_is_no_factory_is_refused(engine: Engine) -> None:
    with pytest.raises(ConfigurationError, match=r"Give it sessionmaker\(engine\)"):
        SQLAlchemyStore(engine, BLOG)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_models_have_to_be_made() -> None:
    class Base(DeclarativeBase):
        pass

    with pytest.raises(ConfigurationError, match=r"make_models\(Base, User\)"):
        SQLAlchemyStore(sessionmaker(), number(Base))

    class Other(Base):
        __tablename__ = "others"
        id: Mapped[int] = mapped_column(primary_key=True)

    with pytest.raises(ConfigurationError, match=r"class Other\(UserMixin, Base\)"):
        make_models(Base, Other)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_the_documented_declaration_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert models_module.__doc__ is not None
    block = re.findall(r"(?:^    .*\n|^\n)+", models_module.__doc__, re.MULTILINE)
    code = max(block, key=len).replace("\n    ", "\n").strip()
    monkeypatch.chdir(tmp_path)
    names: dict[str, t.Any] = {"__name__": __name__}
    exec(
        "from sqlalchemy import *\nfrom sqlalchemy.orm import *\nfrom erlen.ext.security.sqlalchemy import *",
        names,
    )
    exec(code, names)
    engine = names["store"]._plain.kw["bind"]
    names["Base"].metadata.create_all(engine)
    assert a_user(names["store"]).email == "ada@example.com"
    engine.dispose()


@pytest.mark.parametrize("level", ["SERIALIZABLE", "REPEATABLE READ"])
def test_races_are_decided_where_transactions_have_to_be_begun_again(postgresql: str, level: str) -> None:
    """A database that sees a conflict rolls one side back and asks to try again."""
    url = support.schema(postgresql, f"level{uuid.uuid4().hex}")
    engine = create_engine(url, isolation_level=level)  # pyright: ignore[reportArgumentType]
    store, _ = a_store(engine, number)
    decided(store)
    engine.dispose()


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
def test_races_are_decided_where_sqlite_begins_a_transaction_by_reading(tmp_path: Path, journal: str) -> None:
    """As SQLAlchemy tells applications to set it up, so that what is read in a transaction stays the same."""
    engine = create_engine(f"sqlite:///{tmp_path / 'own.db'}")

    @event.listens_for(engine, "connect")
    def connected(connection: t.Any, record: t.Any) -> None:
        connection.isolation_level = None
        for line in (f"journal_mode = {journal}", "synchronous = OFF"):
            connection.execute(f"PRAGMA {line}")

    @event.listens_for(engine, "begin")
    def begun(connection: t.Any) -> None:
        connection.exec_driver_sql("BEGIN")

    store, _ = a_store(engine, number)
    decided(store)
    engine.dispose()


def decided(store: SQLAlchemyStore) -> None:
    ada = a_user(store)
    store.put_role("admin")
    store.add_token(a_token(ada.uid, "s"))
    assert (
        sum(
            bool(store_token) for store_token in at_once(lambda _: store.use_token(digest("s"), "reset", NOW))
        )
        == 1
    )
    assert sum(at_once(lambda _: store.take_totp_step(ada.uid, 5))) == 1
    assert sum(at_once(lambda _: store.grant(ada.uid, "admin"))) == 1
    assert sorted(at_once(lambda _: store.count_attempt("ada", NOW, NOW))) == [1, 2, 3, 4, 5, 6]
    at_once(lambda one: store.add_session(a_session(ada.uid, str(one)), 2))
    assert len(store.sessions(ada.uid)) == 2

    def register(_: int) -> bool:
        with contextlib.suppress(EmailTaken):
            return bool(a_user(store, "eve"))
        return False

    assert sum(at_once(register)) == 1


def test_plain_sessions_need_no_greenlet_which_sqlalchemy_does_not_install_by_itself() -> None:
    code = """
import sys
sys.modules["greenlet"] = None
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.pool import StaticPool
from erlen.ext.security import ConfigurationError
from erlen.ext.security.sqlalchemy import SQLAlchemyStore, UserMixin, make_models

class Base(DeclarativeBase): pass
class User(UserMixin, Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)

models = make_models(Base, User)
engine = create_engine("sqlite://", poolclass=StaticPool)
Base.metadata.create_all(engine)
assert SQLAlchemyStore(sessionmaker(engine), models).users() == []
try:
    SQLAlchemyStore(engine, models)
except ConfigurationError as error:
    assert "sessionmaker(engine)" in str(error)
else:
    raise SystemExit("an engine was taken")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
