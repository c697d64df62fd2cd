"""The reading list in ZODB, as Python objects: ``erlen --app with_zodb init-db``, then ``erlen --app with_zodb run``."""

from __future__ import annotations

import itertools
import threading
import typing as t

import click
import ZODB
from BTrees import family64
from persistent import Persistent
from transaction import TransactionManager
from ZODB.FileStorage import FileStorage

from erlen import Erlen, Response, g
from reading_list import database_path, init_app


class Book(Persistent):
    """A book on the list. Assigning to an attribute is all that it takes to change it."""

    def __init__(self, number: int, title: str, author: str, note: str) -> None:
        self.id = number
        self.title = title
        self.author = author
        self.note = note


class Database:
    """The file, opened when it is first asked for.

    One process has it open and locks it. With its reloader, ``erlen run`` imports the application in two, and only one
    of them serves.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        # Whoever changes something holds this. Without it, the second of two that change the same object at the same
        # time gets a ConflictError when it commits, and has to do everything again.
        self.writing = threading.Lock()
        # Two threads may be the first to ask.
        self._opening = threading.Lock()
        self._opened: t.Any = None

    def connect(self, manager: TransactionManager) -> t.Any:
        """Take a connection out of the pool; it sees the data as they are now."""
        with self._opening:
            if self._opened is None:
                # ZODB warns where more connections are open than its pool keeps. So many plain views run at a time
                # over ASGI, by default.
                self._opened = ZODB.DB(FileStorage(self.path), pool_size=40)
            return self._opened.open(manager)

    def close(self) -> None:
        """Close the file; asked for a connection, it is opened again."""
        with self._opening:
            if self._opened is not None:
                self._opened.close()
                self._opened = None


class Books:
    """The books, read and written over the connection of the current context."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @property
    def connection(self) -> t.Any:
        """The connection of this context, taken when it is first asked for.

        It is an object in ``g`` with a transaction manager of its own, so it belongs to the request and to no thread.
        """
        if "connection" not in g:
            g.connection = self.database.connect(TransactionManager())
        return g.connection

    @property
    def tree(self) -> t.Any:
        """All books by their numbers, in order."""
        return self.connection.root()["books"]

    def begin(self) -> None:
        """Begin to change something: wait for those who do, and see what they have left."""
        if "writes" not in g:
            self.database.writing.acquire()
            g.writes = True
            self.connection.transaction_manager.begin()

    def search(self, text: str, limit: int) -> t.Sequence[Book]:
        """Return the latest books with a text in title or author, the latest first."""
        # There are no queries: this looks at each book. What is asked for often gets a tree of its own.
        wanted, tree = text.casefold(), self.tree
        latest: t.Iterator[Book] = (tree[number] for number in reversed(list(tree)))
        found = (book for book in latest if wanted in f"{book.title}\n{book.author}".casefold())
        return list(itertools.islice(found, limit))

    def get(self, number: int) -> Book | None:
        """Return a book, or ``None`` where there is none of this number."""
        return t.cast("Book | None", self.tree.get(number))

    def add(self, title: str, author: str, note: str) -> int:
        """Put a book on the list and return its number."""
        self.begin()
        tree = self.tree
        number: int = tree.maxKey() + 1 if tree else 1
        tree[number] = Book(number, title, author, note)
        return number

    def change(self, number: int, title: str, author: str, note: str) -> bool:
        """Change a book; return whether there is one of this number."""
        self.begin()
        book = self.get(number)
        if book is None:
            return False
        book.title, book.author, book.note = title, author, note
        return True

    def delete(self, number: int) -> bool:
        """Take a book off the list; return whether there was one of this number."""
        self.begin()
        return self.tree.pop(number, None) is not None


def create_app(database: str = "books.fs") -> Erlen:
    """Make the application.

    :param database: the database file; a relative path begins in the instance folder.
    """
    app = Erlen(__name__)
    path = database_path(app, database)
    books = Books(Database(path))
    init_app(app, books)

    @app.after_request
    def commit(response: Response) -> Response:
        # Before the answer leaves: when the commit fails, the visitor gets an error page and no promise.
        if "connection" in g and response.status_code < 400:
            books.connection.transaction_manager.commit()
        return response

    @app.teardown_appcontext
    def give_back(error: BaseException | None) -> None:
        # Runs at the end of every context, also when a view has raised. The connection goes back to the pool, which
        # takes none that still has changes.
        try:
            if "connection" in g:
                books.connection.transaction_manager.abort()
                books.connection.close()
        finally:
            if "writes" in g:
                books.database.writing.release()

    @app.after_serving
    def close_file() -> None:
        books.database.close()

    @app.cli.command("init-db")
    def init_db() -> None:
        """Make the tree of books if it is missing."""
        root = books.connection.root()
        if "books" not in root:
            # Numbers of 64 bits to objects.
            root["books"] = family64.IO.BTree()
            books.connection.transaction_manager.commit()
        click.echo(f"The tree is ready in {path}")

    return app
