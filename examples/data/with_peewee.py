"""The reading list in Peewee: ``erlen --app with_peewee init-db``, then ``erlen --app with_peewee run``."""

from __future__ import annotations

import typing as t

import click
from peewee import CharField, Model, SqliteDatabase, TextField

from erlen import Erlen, Response
from reading_list import AUTHOR_LENGTH, TITLE_LENGTH, database_path, init_app


def make_book(owner: SqliteDatabase) -> t.Any:
    """Make the model of an application.

    A model of Peewee's belongs to one database. Made here, each application has its own; at the top of the module,
    all of a process would share the last database that was named.
    """

    class Book(Model):
        title = CharField(TITLE_LENGTH)
        author = CharField(AUTHOR_LENGTH)
        note = TextField()

        class Meta:
            database = owner

    return Book


class Books:
    """The books, read and written over the connection of the current thread."""

    def __init__(self, path: str) -> None:
        # Without `autoconnect`, a query that runs where nobody has connected is an error and no leak. A transaction
        # takes SQLite's lock for writing at its beginning: two that read first would wait for each other later.
        self.database = SqliteDatabase(path, autoconnect=False, lock_type="IMMEDIATE")
        self.model = make_book(self.database)

    def begin(self) -> None:
        """Begin the transaction of this request, with the first change."""
        if not self.database.in_transaction():
            self.database.session_start()

    def search(self, text: str, limit: int) -> t.Sequence[t.Any]:
        """Return the latest books with a text in title or author, the latest first."""
        # The text is sent as a parameter, and a % in it is a %.
        found = self.model.title.contains(text) | self.model.author.contains(text)
        return list(self.model.select().where(found).order_by(self.model.id.desc()).limit(limit))

    def get(self, number: int) -> t.Any:
        """Return a book, or ``None`` where there is none of this number."""
        return self.model.get_or_none(self.model.id == number)

    def add(self, title: str, author: str, note: str) -> int:
        """Put a book on the list and return its number."""
        self.begin()
        return t.cast(int, self.model.create(title=title, author=author, note=note).id)

    def change(self, number: int, title: str, author: str, note: str) -> bool:
        """Change a book; return whether there is one of this number."""
        self.begin()
        query = self.model.update(title=title, author=author, note=note).where(self.model.id == number)
        return bool(query.execute())

    def delete(self, number: int) -> bool:
        """Take a book off the list; return whether there was one of this number."""
        self.begin()
        return bool(self.model.delete().where(self.model.id == number).execute())


class Application(Erlen):
    """An application whose requests stay in one thread each, as Peewee keeps the connection in the thread.

    Over ASGI the plain functions of a request share a thread, until one of its functions is ``async``: then each may
    get another, and would close what it has not opened. Where a phase of the pipeline is replaced, even by itself,
    they stay together.
    """

    def full_dispatch_request(self) -> Response:
        """Answer a request."""
        return super().full_dispatch_request()


def create_app(database: str = "peewee.sqlite") -> Erlen:
    """Make the application.

    :param database: the database file; a relative path begins in the instance folder.
    """
    app = Application(__name__)
    path = database_path(app, database)
    books = Books(path)
    init_app(app, books)

    @app.before_request
    def connect() -> None:
        # SQLite opens in microseconds. For a server of databases take one of `playhouse.pool`: it keeps connections
        # that are closed, for the next request of any thread.
        books.database.connect()

    @app.after_request
    def commit(response: Response) -> Response:
        # Before the answer leaves: when the commit fails, the visitor gets an error page and no promise.
        if response.status_code < 400:
            books.database.session_commit()
        return response

    @app.teardown_request
    def give_back(error: BaseException | None) -> None:
        # Runs at the end of every request, also when a view has raised, or a hook before the connection was open.
        # The connection may be lost, and then rolling back raises.
        try:
            books.database.session_rollback()
        finally:
            books.database.close()

    @app.cli.command("init-db")
    def init_db() -> None:
        """Make the tables that are missing."""
        with books.database:
            books.database.create_tables([books.model])
        click.echo(f"The tables are ready in {path}")

    return app
