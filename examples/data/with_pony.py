"""The reading list in PonyORM: ``erlen --app with_pony init-db``, then ``erlen --app with_pony run``."""

from __future__ import annotations

import typing as t

import click
from pony import orm

from erlen import Erlen, Response, g
from reading_list import AUTHOR_LENGTH, TITLE_LENGTH, database_path, init_app


def make_book(database: orm.Database) -> t.Any:
    """Make the entity of an application.

    An entity of Pony's belongs to one database, and a database is bound to its file once. Made here, each application
    has its own.
    """

    class Book(database.Entity):
        title = orm.Required(str, TITLE_LENGTH)
        author = orm.Optional(str, AUTHOR_LENGTH)
        note = orm.Optional(orm.LongStr)

    return Book


class Books:
    """The books, read and written in the session of the current thread."""

    def __init__(self, path: str) -> None:
        self.database = orm.Database()
        self.entity = make_book(self.database)
        self.database.bind("sqlite", path, create_db=True)
        self.database.generate_mapping(check_tables=False)
        # Binding has opened a connection, and Pony keeps one for each thread.
        self.database.disconnect()

    def search(self, text: str, limit: int) -> t.Sequence[t.Any]:
        """Return the latest books with a text in title or author, the latest first."""
        wanted = text.lower()
        # Pony reads the lambda and makes SQL of it; `wanted` is sent as a parameter.
        found = self.entity.select(lambda book: wanted in book.title.lower() or wanted in book.author.lower())
        return list(found.order_by(orm.desc(self.entity.id))[:limit])

    def get(self, number: int) -> t.Any:
        """Return a book, or ``None`` where there is none of this number."""
        return self.entity.get(id=number)

    def add(self, title: str, author: str, note: str) -> int:
        """Put a book on the list and return its number."""
        book = self.entity(title=title, author=author, note=note)
        # Sends the INSERT, inside the transaction: the database gives the number.
        book.flush()
        return t.cast(int, book.id)

    def change(self, number: int, title: str, author: str, note: str) -> bool:
        """Change a book; return whether there is one of this number."""
        # Takes SQLite's lock for writing before it reads, so nobody comes in between. With `get`, and another request
        # that deletes the book meanwhile, the commit raises.
        book = self.entity.get_for_update(id=number)
        if book is None:
            return False
        book.set(title=title, author=author, note=note)
        return True

    def delete(self, number: int) -> bool:
        """Take a book off the list; return whether there was one of this number."""
        book = self.entity.get_for_update(id=number)
        if book is None:
            return False
        book.delete()
        return True


class Application(Erlen):
    """An application whose requests stay in one thread each, as Pony keeps session and connection in the thread.

    Over ASGI the plain functions of a request share a thread, until one of its functions is ``async``: then each may
    get another, and would close what it has not opened. Where a phase of the pipeline is replaced, even by itself,
    they stay together.
    """

    def full_dispatch_request(self) -> Response:
        """Answer a request."""
        return super().full_dispatch_request()


def create_app(database: str = "pony.sqlite") -> Erlen:
    """Make the application.

    :param database: the database file; a relative path begins in the instance folder.
    """
    app = Application(__name__)
    path = database_path(app, database)
    books = Books(path)
    init_app(app, books)

    @app.before_request
    def begin() -> None:
        # Connects with the first statement, and begins a transaction with the first change.
        g.db_session = orm.db_session()
        g.db_session.__enter__()

    @app.after_request
    def commit(response: Response) -> Response:
        # Before the answer leaves: when the commit fails, the visitor gets an error page and no promise.
        if response.status_code < 400:
            orm.commit()
        return response

    @app.teardown_request
    def give_back(error: BaseException | None) -> None:
        # Runs at the end of every request, also when a view has raised, or a hook before the session had begun. Left
        # on its own, `__exit__` would commit, and the connection would stay open as long as the thread.
        if "db_session" in g:
            try:
                orm.rollback()
            finally:
                g.db_session.__exit__()
                books.database.disconnect()

    @app.cli.command("init-db")
    def init_db() -> None:
        """Make the tables that are missing."""
        books.database.create_tables()
        books.database.disconnect()
        click.echo(f"The tables are ready in {path}")

    return app
