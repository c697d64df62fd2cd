"""The reading list in SQLObject: ``erlen --app with_sqlobject init-db``, then ``erlen --app with_sqlobject run``."""

from __future__ import annotations

import typing as t

import click
from sqlobject import SQLObject, SQLObjectNotFound, StringCol
from sqlobject.sqlbuilder import CONTAINSSTRING, OR
from sqlobject.sqlite.sqliteconnection import SQLiteConnection

from erlen import Erlen, Response, g
from reading_list import AUTHOR_LENGTH, TITLE_LENGTH, database_path, init_app


class Database(SQLiteConnection):
    """SQLite with a connection for each transaction.

    SQLObject's own pool of SQLite keeps a connection for each thread, and threads come and go: those of threads that
    have ended stay open, until any thread asks again and closes them all, without a lock.
    """

    def getConnection(self) -> t.Any:
        """Open a connection."""
        return self.makeConnection()

    def releaseConnection(self, conn: t.Any, explicit: bool = False) -> None:
        """Close a connection; SQLite rolls back what is not committed."""
        conn.close()


class Book(SQLObject):
    """A book on the list."""

    title = StringCol(length=TITLE_LENGTH)
    author = StringCol(length=AUTHOR_LENGTH)
    note = StringCol()


class Books:
    """The books, read and written in the transaction of the current context."""

    def __init__(self, path: str) -> None:
        # A transaction may go from thread to thread, but is used by one at a time.
        self.database = Database(path, check_same_thread=False)

    @property
    def transaction(self) -> t.Any:
        """The transaction of this context, begun when it is first asked for.

        It is an object in ``g`` and passed as ``connection`` each time. Without that, SQLObject asks its ``sqlhub``,
        which knows one connection for the process or one for each thread.
        """
        if "transaction" not in g:
            g.transaction = self.database.transaction()
        return g.transaction

    def search(self, text: str, limit: int) -> t.Sequence[t.Any]:
        """Return the latest books with a text in title or author, the latest first."""
        # SQLObject writes values into the SQL and quotes them itself. A % in the text is a %.
        found = OR(CONTAINSSTRING(Book.q.title, text), CONTAINSSTRING(Book.q.author, text))
        return list(Book.select(found, connection=self.transaction).orderBy("-id")[:limit])

    def get(self, number: int) -> t.Any:
        """Return a book, or ``None`` where there is none of this number."""
        try:
            return Book.get(number, connection=self.transaction)
        except SQLObjectNotFound:
            return None

    def add(self, title: str, author: str, note: str) -> int:
        """Put a book on the list and return its number."""
        return t.cast(int, Book(title=title, author=author, note=note, connection=self.transaction).id)

    def change(self, number: int, title: str, author: str, note: str) -> bool:
        """Change a book; return whether there is one of this number."""
        book = self.get(number)
        if book is None:
            return False
        book.set(title=title, author=author, note=note)
        return True

    def delete(self, number: int) -> bool:
        """Take a book off the list; return whether there was one of this number."""
        book = self.get(number)
        if book is None:
            return False
        book.destroySelf()
        return True


def create_app(database: str = "sqlobject.sqlite") -> Erlen:
    """Make the application.

    :param database: the database file; a relative path begins in the instance folder. For a server of databases, make
        the object of its URI once with ``connectionForURI``: their pool has a lock.
    """
    app = Erlen(__name__)
    path = database_path(app, database)
    books = Books(path)
    init_app(app, books)

    @app.after_request
    def commit(response: Response) -> Response:
        # Before the answer leaves: when the commit fails, the visitor gets an error page and no promise.
        if "transaction" in g and response.status_code < 400:
            g.transaction.commit(close=True)
        return response

    @app.teardown_appcontext
    def give_back(error: BaseException | None) -> None:
        # Runs at the end of every context, also when a view has raised. Where the transaction is committed, this
        # does nothing.
        if "transaction" in g:
            g.transaction.rollback()

    @app.cli.command("init-db")
    def init_db() -> None:
        """Make the tables that are missing."""
        Book.createTable(ifNotExists=True, connection=books.database)
        click.echo(f"The tables are ready in {path}")

    return app
