"""The reading list but for its data: the pages, their form, and what they ask of a data layer."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field

from werkzeug.exceptions import HTTPException

from erlen import (
    Blueprint,
    Erlen,
    Response,
    abort,
    current_app,
    redirect,
    render_template,
    request,
    url_for,
)
from erlen.typing import ResponseReturnValue

#: How many books a page lists.
LIMIT = 100

TITLE_LENGTH = 200
AUTHOR_LENGTH = 100
NOTE_LENGTH = 2000


#: A book of any data layer: an object with ``id``, ``title``, ``author`` and ``note``. There is no type for all of them:
#: a column of one layer is a number to type checkers, that of another a descriptor.
Book: t.TypeAlias = t.Any


class Books(t.Protocol):
    """What the pages ask of a data layer.

    No function here commits. A request is one unit of work: the data layer commits all of it when its answer is no
    error, and nothing of it otherwise.
    """

    def search(self, text: str, limit: int) -> t.Sequence[Book]:
        """Return the latest books with a text in title or author, the latest first; all for an empty text."""
        ...

    def get(self, number: int) -> Book:
        """Return a book, or ``None`` where there is none of this number."""
        ...

    def add(self, title: str, author: str, note: str) -> int:
        """Put a book on the list and return its number."""
        ...

    def change(self, number: int, title: str, author: str, note: str) -> bool:
        """Change a book; return whether there is one of this number."""
        ...

    def delete(self, number: int) -> bool:
        """Take a book off the list; return whether there was one of this number."""
        ...


@dataclass
class BookForm:
    """What was typed about a book, and a message for each field that is wrong."""

    title: str = ""
    author: str = ""
    note: str = ""
    errors: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def read(cls, typed: t.Mapping[str, str]) -> t.Self:
        """Make a form of what was sent; a missing field counts as empty."""
        note = typed.get("note", "").replace("\r\n", "\n").strip()
        return cls(_one_line(typed.get("title", "")), _one_line(typed.get("author", "")), note)

    @property
    def is_valid(self) -> bool:
        """Check every field and fill ``errors``."""
        self.errors = {}
        if not self.title:
            self.errors["title"] = "A book needs a title."
        limits = {"title": TITLE_LENGTH, "author": AUTHOR_LENGTH, "note": NOTE_LENGTH}
        for name, limit in limits.items():
            text: str = getattr(self, name)
            if len(text) > limit:
                self.errors[name] = f"That is {len(text)} characters long, and there is room for {limit}."
            elif not _can_be_shown(text):
                self.errors[name] = "There is a character in it that cannot be shown."
        return not self.errors

    @property
    def values(self) -> dict[str, str]:
        """What is kept of a book."""
        return {"title": self.title, "author": self.author, "note": self.note}


# Erlen refuses a POST that a page of another site has sent, so the forms need no token.
pages = Blueprint("pages", __name__)

#: The largest number that is an INTEGER in every database.
LARGEST_NUMBER = 2**31 - 1


def init_app(app: Erlen, books: Books) -> None:
    """Give an application its pages.

    :param books: where the books are kept.
    """
    app.extensions["books"] = books
    app.register_blueprint(pages)


def database_path(app: Erlen, database: str) -> str:
    """Return the path of the database file, and make its folder; a relative path begins in the instance folder."""
    path = os.path.join(app.instance_path, database)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def kept_books() -> Books:
    """Return the books of the current application."""
    return t.cast(Books, current_app.extensions["books"])


@pages.url_value_preprocessor
def check_number(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
    """Answer a number that no book can have with 404, before the database would refuse it with an error."""
    if values and values.get("number", 0) > LARGEST_NUMBER:
        abort(404)


@pages.get("/")
def index() -> ResponseReturnValue:
    """List the books, or those with a text in title or author."""
    text = _one_line(request.args.get("q", ""))
    return render_template("index.html", books=_search(text), text=text, limit=LIMIT)


@pages.get("/books.json")
def as_json() -> ResponseReturnValue:
    """List them for programs."""
    found = _search(_one_line(request.args.get("q", "")))
    return {
        "books": [
            {"id": book.id, "title": book.title, "author": book.author, "note": book.note} for book in found
        ]
    }


@pages.get("/add")
def add_form() -> ResponseReturnValue:
    """Show the empty form."""
    return render_template("edit.html", form=BookForm(), number=None)


@pages.post("/add")
def add() -> ResponseReturnValue:
    """Add a book, or show the form again with what to change."""
    form = BookForm.read(request.form)
    if not form.is_valid:
        return render_template("edit.html", form=form, number=None), 422
    return redirect(url_for(".show", number=kept_books().add(**form.values)), 303)


@pages.get("/several")
def several_form() -> ResponseReturnValue:
    """Show the form for several books."""
    return render_template("several.html", lines="", problem="")


@pages.post("/several")
def several() -> ResponseReturnValue:
    """Add a book for each line, or none at all."""
    lines = request.form.get("lines", "")
    for position, line in enumerate(lines.splitlines(), 1):
        title, _, author = line.partition(";")
        form = BookForm.read({"title": title, "author": author})
        if not form.is_valid:
            # The lines before this one are written. The answer is an error, so the data layer takes them back.
            problem = f"Line {position}: {' '.join(form.errors.values())}"
            return render_template("several.html", lines=lines, problem=problem), 422
        kept_books().add(**form.values)
    return redirect(url_for(".index"), 303)


@pages.get("/<int:number>")
def show(number: int) -> ResponseReturnValue:
    """Show a book."""
    return render_template("show.html", book=_found(number))


@pages.get("/<int:number>/edit")
def edit_form(number: int) -> ResponseReturnValue:
    """Show the form with a book in it."""
    book = _found(number)
    form = BookForm(book.title, book.author, book.note)
    return render_template("edit.html", form=form, number=number)


@pages.post("/<int:number>/edit")
def edit(number: int) -> ResponseReturnValue:
    """Change a book, or show the form again with what to change."""
    form = BookForm.read(request.form)
    if not form.is_valid:
        return render_template("edit.html", form=form, number=number), 422
    if not kept_books().change(number, **form.values):
        abort(404)
    return redirect(url_for(".show", number=number), 303)


@pages.post("/<int:number>/delete")
def delete(number: int) -> ResponseReturnValue:
    """Take a book off the list."""
    if not kept_books().delete(number):
        abort(404)
    return redirect(url_for(".index"), 303)


@pages.app_errorhandler(HTTPException)
def show_error(error: HTTPException) -> ResponseReturnValue:
    """Show an error, also one of a data layer, as a page."""
    response = t.cast(Response, error.get_response())
    response.data = render_template("error.html", error=error)
    response.content_type = "text/html; charset=utf-8"
    return response


def _found(number: int) -> Book:
    book = kept_books().get(number)
    if book is None:
        abort(404)
    return book


def _search(text: str) -> t.Sequence[Book]:
    return kept_books().search(text, LIMIT) if _can_be_shown(text) else []


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _can_be_shown(text: str) -> bool:
    # A null character ends a text for some databases.
    return text.replace("\n", "").isprintable()
