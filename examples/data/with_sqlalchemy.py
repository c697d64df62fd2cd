"""The reading list in SQLAlchemy: ``erlen --app with_sqlalchemy init-db``, then ``erlen --app with_sqlalchemy run``."""

from __future__ import annotations

import typing as t

import click
from sqlalchemy import URL, Engine, String, create_engine, delete, or_, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from erlen import Erlen, Response, g
from reading_list import AUTHOR_LENGTH, NOTE_LENGTH, TITLE_LENGTH, database_path, init_app


class Base(DeclarativeBase):
    """The tables of this application."""


class Book(Base):
    """A book on the list."""

    __tablename__ = "book"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    author: Mapped[str] = mapped_column(String(AUTHOR_LENGTH))
    note: Mapped[str] = mapped_column(String(NOTE_LENGTH))


class Books:
    """The books, read and written in the session of the current context."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def session(self) -> Session:
        """The session of this context, made when it is first asked for.

        It is an object in ``g``, so it belongs to the request and to no thread. It takes a connection out of the
        engine's pool with its first statement.
        """
        if "session" not in g:
            g.session = Session(self.engine)
        return t.cast(Session, g.session)

    def search(self, text: str, limit: int) -> t.Sequence[Book]:
        """Return the latest books with a text in title or author, the latest first."""
        # `icontains` sends the text as a parameter, and with `autoescape` a % in it is a %.
        found = or_(Book.title.icontains(text, autoescape=True), Book.author.icontains(text, autoescape=True))
        return self.session.scalars(select(Book).where(found).order_by(Book.id.desc()).limit(limit)).all()

    def get(self, number: int) -> Book | None:
        """Return a book, or ``None`` where there is none of this number."""
        return self.session.get(Book, number)

    def add(self, title: str, author: str, note: str) -> int:
        """Put a book on the list and return its number."""
        book = Book(title=title, author=author, note=note)
        self.session.add(book)
        # Sends the INSERT, inside the transaction: the database gives the number.
        self.session.flush()
        return book.id

    def change(self, number: int, title: str, author: str, note: str) -> bool:
        """Change a book; return whether there is one of this number."""
        # One statement, so nobody comes in between. Where a book is read and then assigned to, and another request
        # deletes it meanwhile, the commit raises.
        query = update(Book).where(Book.id == number).values(title=title, author=author, note=note)
        return self.session.scalar(query.returning(Book.id)) is not None

    def delete(self, number: int) -> bool:
        """Take a book off the list; return whether there was one of this number."""
        query = delete(Book).where(Book.id == number)
        return self.session.scalar(query.returning(Book.id)) is not None


def create_app(database: str = "sqlalchemy.sqlite") -> Erlen:
    """Make the application.

    :param database: the database file; a relative path begins in the instance folder. For a server of databases make
        the engine of its URL instead, and nothing else changes.
    """
    app = Erlen(__name__)
    # One engine for each application. Its pool opens SQLite for use in any thread, one at a time.
    engine = create_engine(URL.create("sqlite", database=database_path(app, database)))
    books = Books(engine)
    init_app(app, books)

    @app.after_request
    def commit(response: Response) -> Response:
        # Before the answer leaves: when the commit fails, the visitor gets an error page and no promise.
        if "session" in g and response.status_code < 400:
            books.session.commit()
        return response

    @app.teardown_appcontext
    def give_back(error: BaseException | None) -> None:
        # Runs at the end of every context, also when a view has raised. Closing rolls back what is not committed, and
        # the connection goes back to the pool.
        if "session" in g:
            books.session.close()

    @app.cli.command("init-db")
    def init_db() -> None:
        """Make the tables that are missing."""
        Base.metadata.create_all(engine)
        click.echo(f"The tables are ready in {engine.url.database}")

    return app
