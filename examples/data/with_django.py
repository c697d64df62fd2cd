"""The reading list in Django's ORM: ``erlen --app with_django init-db``, then ``erlen --app with_django run``."""

from __future__ import annotations

import typing as t

import click
import django
from django.conf import settings

from erlen import Erlen, Response, g
from reading_list import AUTHOR_LENGTH, TITLE_LENGTH, database_path, init_app

# Django has its settings once in a process, and asks for them when the first model is made. `create_app` fills in the
# name of the database.
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "",
            # A transaction takes SQLite's lock for writing at its beginning: two that read first would wait for
            # each other later.
            "OPTIONS": {"transaction_mode": "IMMEDIATE"},
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402


class Book(models.Model):
    """A book on the list."""

    title = models.CharField(max_length=TITLE_LENGTH)
    author = models.CharField(max_length=AUTHOR_LENGTH, blank=True)
    note = models.TextField(blank=True)

    # Django would add it; written out, type checkers see it as well.
    objects: t.ClassVar[t.Any] = models.Manager()

    class Meta:
        """The model belongs to no application of Django's, so it says which one it would be of."""

        app_label = "reading_list"
        db_table = "book"

    def __str__(self) -> str:
        return str(self.title)


class Books:
    """The books, read and written over the connection of the current thread."""

    def begin(self) -> None:
        """Begin the transaction of this request, with the first change."""
        if "atomic" not in g:
            atomic: t.Any = transaction.atomic()
            atomic.__enter__()
            g.atomic = atomic

    def end(self, *, commit: bool) -> None:
        """End the transaction of this request, if one has begun."""
        if "atomic" in g:
            transaction.set_rollback(not commit)
            g.pop("atomic").__exit__(None, None, None)

    def search(self, text: str, limit: int) -> t.Sequence[t.Any]:
        """Return the latest books with a text in title or author, the latest first."""
        # The text is sent as a parameter, and a % in it is a %.
        found = models.Q(title__icontains=text) | models.Q(author__icontains=text)
        return list(Book.objects.filter(found).order_by("-id")[:limit])

    def get(self, number: int) -> t.Any:
        """Return a book, or ``None`` where there is none of this number."""
        return Book.objects.filter(id=number).first()

    def add(self, title: str, author: str, note: str) -> int:
        """Put a book on the list and return its number."""
        self.begin()
        return t.cast(int, Book.objects.create(title=title, author=author, note=note).pk)

    def change(self, number: int, title: str, author: str, note: str) -> bool:
        """Change a book; return whether there is one of this number."""
        self.begin()
        return bool(Book.objects.filter(id=number).update(title=title, author=author, note=note))

    def delete(self, number: int) -> bool:
        """Take a book off the list; return whether there was one of this number."""
        self.begin()
        deleted, _ = Book.objects.filter(id=number).delete()
        return bool(deleted)


class Application(Erlen):
    """An application whose requests stay in one thread each, as Django keeps the connection in the thread.

    Over ASGI the plain functions of a request share a thread, until one of its functions is ``async``: then each may
    get another, and would close what it has not opened. Where a phase of the pipeline is replaced, even by itself,
    they stay together.
    """

    def full_dispatch_request(self) -> Response:
        """Answer a request."""
        return super().full_dispatch_request()


def create_app(database: str = "django.sqlite") -> Erlen:
    """Make the application.

    :param database: the database file; a relative path begins in the instance folder.
    :raises RuntimeError: another database is in use in this process.
    """
    app = Application(__name__)
    path = database_path(app, database)
    chosen: dict[str, t.Any] = settings.DATABASES["default"]
    if chosen["NAME"] not in {"", path}:
        raise RuntimeError(
            f"This process has its Django database in {chosen['NAME']!r}, and cannot have another in {path!r}:"
            " Django's settings belong to the process. Start another process, or give both a name in DATABASES and"
            " choose with '.using(name)'."
        )
    chosen["NAME"] = path
    books = Books()
    init_app(app, books)

    @app.after_request
    def commit(response: Response) -> Response:
        # Before the answer leaves: when the commit fails, the visitor gets an error page and no promise.
        books.end(commit=response.status_code < 400)
        return response

    @app.teardown_request
    def give_back(error: BaseException | None) -> None:
        # Runs at the end of every request, also when a view has raised. Django has connected with the first query.
        books.end(commit=False)
        connection.close()

    @app.cli.command("init-db")
    def init_db() -> None:
        """Make the tables that are missing."""
        with connection.schema_editor() as editor:
            if "book" not in connection.introspection.table_names():
                editor.create_model(Book)
        connection.close()
        click.echo(f"The tables are ready in {path}")

    return app
