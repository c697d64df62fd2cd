"""The list of sign-ups, in any database SQLAlchemy speaks with. Built like an extension: ``store.init_app(app)``."""

from __future__ import annotations

import typing as t
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import (
    DateTime,
    Dialect,
    Engine,
    Select,
    StaticPool,
    String,
    Text,
    TypeDecorator,
    create_engine,
    func,
    inspect,
    make_url,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from erlen import Erlen, current_app, g

from .addresses import EmailAddress
from .forms import NAME_LENGTH

#: The largest number that is an INTEGER in every database.
LARGEST_ID = 2**31 - 1

_EXTENSION = "signup_store"


class Base(DeclarativeBase):
    """The tables of this application."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, aware of its time zone in Python and kept as UTC in databases that know of none."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn a moment into what the database keeps."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn what the database keeps into a moment."""
        return None if value is None else value.replace(tzinfo=UTC)


class Signup(Base):
    """One person who asked for the app."""

    __tablename__ = "signup"
    # Without this SQLite gives the number of a deleted row to the next one, and a confirmation page that
    # somebody left open would delete the wrong person.
    __table_args__ = {"sqlite_autoincrement": True}

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    email: Mapped[str] = mapped_column(String(254))
    # Folding case can make a text longer, up to three characters for one.
    email_key: Mapped[str] = mapped_column(String(400), unique=True)
    # Databases fold the case of ASCII at most (SQLite), so what the search looks at is folded here.
    search_text: Mapped[str] = mapped_column(Text)
    times_asked: Mapped[int] = mapped_column(default=1)
    signed_up_at: Mapped[datetime] = mapped_column(UtcDateTime)


@dataclass(frozen=True)
class Page:
    """A part of the list: its entries, its number, how many parts there are, and how many entries in all."""

    entries: t.Sequence[Signup]
    number: int
    count: int
    total: int


class Store:
    """Reads and writes sign-ups. One object serves any number of applications: each has its own engine."""

    def init_app(self, app: Erlen) -> None:
        """Connect an application to the database of its ``DATABASE_URL`` and make missing tables."""
        url = make_url(app.config["DATABASE_URL"])
        options: dict[str, t.Any] = {"pool_pre_ping": True}
        if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
            # A database in memory lives in its connection; a pool would give each thread an empty one.
            options |= {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
        engine = create_engine(url, **options)
        app.extensions[_EXTENSION] = engine
        app.teardown_appcontext(self._close_session)
        create_tables(engine)

    def dispose(self, app: Erlen) -> None:
        """Close the connections of an application that is no longer used."""
        t.cast(Engine, app.extensions[_EXTENSION]).dispose()

    @property
    def engine(self) -> Engine:
        """The engine of the current application."""
        return t.cast(Engine, current_app.extensions[_EXTENSION])

    @property
    def session(self) -> Session:
        """The database session of the current context, opened when first used and closed with the context."""
        if "signup_session" not in g:
            g.signup_session = Session(self.engine, expire_on_commit=False)
        return t.cast(Session, g.signup_session)

    def add(self, name: str, address: EmailAddress) -> None:
        """Put somebody on the list.

        Whoever is on it already stays as they are and the request is counted. Both cases write one row and
        return alike, so that a caller cannot tell, nor tell others, which addresses are on the list.
        """
        entry = Signup(
            name=name,
            email=address.display,
            email_key=address.key,
            search_text=fold(f"{name} {address.display} {address.key}"),
            signed_up_at=datetime.now(UTC),
        )
        self.session.add(entry)
        try:
            # The unique constraint decides, not a look beforehand: two requests may come at the same time.
            self.session.commit()
        except IntegrityError:
            self.session.rollback()
            again = update(Signup).where(Signup.email_key == address.key)
            self.session.execute(again.values(times_asked=Signup.times_asked + 1))
            self.session.commit()

    def get(self, entry_id: int) -> Signup | None:
        """Return an entry, or ``None`` when there is none of this number."""
        return self.session.get(Signup, entry_id)

    def delete(self, entry: Signup) -> None:
        """Take an entry off the list."""
        self.session.delete(entry)
        self.session.commit()

    def page(self, query: str, number: int, size: int) -> Page:
        """Return a page of the entries that hold a text, the latest first.

        :param query: text to look for in name and address; empty for all.
        :param number: which page, from 1; numbers outside give the nearest page there is.
        :param size: entries on a page.
        """
        found = matching(query)
        total = self.session.scalar(select(func.count()).select_from(found.subquery())) or 0
        count = max(1, -(-total // size))
        number = min(max(1, number), count)
        entries = self.session.scalars(
            found.order_by(Signup.id.desc()).limit(size).offset((number - 1) * size)
        ).all()
        return Page(entries, number, count, total)

    def each(self, query: str, batch_size: int = 500) -> t.Iterator[Signup]:
        """Yield all entries that hold a text, the oldest first.

        They are read in batches, with no transaction open in between: a slow download must not keep
        visitors from signing up.
        """
        last = 0
        while True:
            following = matching(query).where(Signup.id > last).order_by(Signup.id).limit(batch_size)
            batch = self.session.scalars(following).all()
            self.session.commit()
            self.session.expunge_all()
            yield from batch
            if len(batch) < batch_size:
                return
            last = batch[-1].id

    def _close_session(self, _error: BaseException | None = None) -> None:
        session: Session | None = g.pop("signup_session", None)
        if session is not None:
            session.close()


def create_tables(engine: Engine) -> None:
    """Make the tables that are missing, also when several processes start at the same time."""
    try:
        Base.metadata.create_all(engine)
    except SQLAlchemyError:
        # Between looking and making, another process may have made them; any other failure is one.
        if not inspect(engine).has_table(Signup.__tablename__):
            raise


def fold(text: str) -> str:
    """Make texts comparable that differ in case or in how their characters are composed."""
    return unicodedata.normalize("NFKC", text.casefold())


def matching(query: str) -> Select[t.Any]:
    """Select the entries that hold a text, in which ``%`` and ``_`` mean themselves."""
    if not query:
        return select(Signup)
    return select(Signup).where(Signup.search_text.contains(fold(query), autoescape=True))


store = Store()
