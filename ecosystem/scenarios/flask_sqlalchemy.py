"""A library in two databases: pages, 404 and 409, rollback, a streamed list, recorded queries, signals, the shell."""

from __future__ import annotations

import typing as t
from pathlib import Path

from flask import Flask, jsonify, render_template_string, request, stream_with_context, url_for
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.record_queries import get_recorded_queries
from flask_sqlalchemy.track_modifications import models_committed
from sqlalchemy import ForeignKey, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-SQLAlchemy"]


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)

subjects_of_books = db.Table(
    "subjects_of_books",
    db.Column("book_id", ForeignKey("book.id"), primary_key=True),
    db.Column("subject_id", ForeignKey("subject.id"), primary_key=True),
)


class Author(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    books: Mapped[list[Book]] = relationship(back_populates="author", order_by="Book.title")


class Subject(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Book(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(unique=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))
    author: Mapped[Author] = relationship(back_populates="books")
    subjects: Mapped[list[Subject]] = relationship(secondary=subjects_of_books, order_by=Subject.name)


class BookLoan(db.Model):
    """Who has which book; in a database of its own."""

    __bind_key__ = "loans"
    id: Mapped[int] = mapped_column(primary_key=True)
    book_id: Mapped[int] = mapped_column(unique=True)
    reader: Mapped[str]


CATALOGUE = {
    "Ursula K. Le Guin": ["The Dispossessed", "The Lathe of Heaven", "The Left Hand of Darkness"],
    "Stanisław Lem": ["Solaris", "The Cyberiad"],
}

PAGE_OF_BOOKS = """
{%- for book in books %}<li>{{ book.title }} by {{ book.author.name }}</li>
{% endfor -%}
{% for number in books.iter_pages() %}
{%- if number is none %} ...
{%- elif number == books.page %} [{{ number }}]
{%- else %} <a href="{{ url_for("books", page=number) }}">{{ number }}</a>
{%- endif %}{% endfor %}"""


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{folder / 'library.db'}"
    app.config["SQLALCHEMY_BINDS"] = {"loans": f"sqlite:///{folder / 'loans.db'}"}
    app.config["SQLALCHEMY_RECORD_QUERIES"] = True
    app.config["SQLALCHEMY_TRACK_MODIFICATIONS"] = True
    db.init_app(app)
    with app.app_context():
        db.create_all()
        for name, titles in CATALOGUE.items():
            db.session.add(Author(name=name, books=[Book(title=title) for title in titles]))
        db.session.commit()

    commits: list[str] = []

    @models_committed.connect_via(app)
    def remember(sender: Flask, changes: list[tuple[t.Any, str]]) -> None:
        commits.extend(sorted(f"{change} {type(model).__name__}" for model, change in changes))

    @app.after_request
    def count_queries(response: t.Any) -> t.Any:
        queries = get_recorded_queries()
        response.headers["X-Queries"] = ", ".join(query.statement.split()[0] for query in queries) or "none"
        return response

    @app.get("/books")
    def books() -> str:
        page = db.paginate(select(Book).order_by(Book.title), max_per_page=2)
        return render_template_string(PAGE_OF_BOOKS, books=page)

    @app.get("/books/<int:id>")
    def book(id: int) -> t.Any:
        book = db.get_or_404(Book, id, description=f"There is no book {id}.")
        loan = db.session.scalar(select(BookLoan).filter_by(book_id=id))
        return {
            "title": book.title,
            "author": book.author.name,
            "subjects": [subject.name for subject in book.subjects],
            "lent to": loan and loan.reader,
        }

    @app.post("/books")
    def add_book() -> t.Any:
        author = db.one_or_404(select(Author).filter_by(name=request.json["author"]))
        names = request.json["subjects"]
        known = {subject.name: subject for subject in db.session.scalars(select(Subject))}
        subjects = [known.get(name) or Subject(name=name) for name in names]
        added = Book(title=request.json["title"], author=author, subjects=subjects)
        db.session.add(added)
        try:
            db.session.commit()
        except IntegrityError:
            db.session.rollback()
            return jsonify(error="There is a book of this title", books=Book.query.count()), 409
        return {"id": added.id}, 201, {"Location": url_for("book", id=added.id)}

    @app.post("/authors")
    def add_author_and_fail() -> t.Any:
        db.session.add(Author(name=request.json["name"]))
        db.session.flush()
        found = db.session.scalar(select(db.func.count(Author.id)))
        raise LookupError(f"{found} authors, and no more")

    @app.errorhandler(LookupError)
    def failed(error: LookupError) -> t.Any:
        return jsonify(error=str(error)), 500

    @app.get("/authors/first")
    def first_author() -> t.Any:
        prefix = request.args["begins"]
        author = db.first_or_404(select(Author).filter(Author.name.startswith(prefix)).order_by(Author.name))
        return author.name

    @app.post("/books/<int:id>/loans")
    def lend(id: int) -> t.Any:
        db.get_or_404(Book, id)
        db.session.add(BookLoan(book_id=id, reader=request.json["reader"]))
        db.session.commit()
        return "", 204

    @app.delete("/books/<int:id>")
    def remove(id: int) -> t.Any:
        db.session.delete(db.get_or_404(Book, id))
        db.session.commit()
        return "", 204

    @app.get("/catalogue.txt")
    def catalogue() -> t.Any:
        def lines() -> t.Iterator[str]:
            # Each author's books are a query of their own, while the answer is on its way.
            for author in db.session.scalars(select(Author).order_by(Author.name)):
                yield f"{author.name}: {'; '.join(book.title for book in author.books)}\n"

        return stream_with_context(lines()), {"Content-Type": "text/plain; charset=utf-8"}

    @app.get("/commits")
    def what_was_committed() -> list[str]:
        return commits

    @app.cli.command("count")
    def count() -> None:
        """Count what is in the library."""
        for model in (Author, Book, BookLoan):
            print(model.__tablename__, db.session.scalar(select(db.func.count(model.id))))

    return app


def play(visitor: Visitor) -> None:
    first = visitor.get("/books")
    assert "Solaris by Stanisław Lem" in first.text
    assert '[1] <a href="/books?page=2">2</a> <a href="/books?page=3">3</a>' in first.text
    # The page's books, the number of all, and the authors of the two books.
    assert first.headers["X-Queries"] == "SELECT, SELECT, SELECT"
    assert "[3]" in visitor.get("/books?page=3").text
    assert visitor.get("/books?per_page=1").text.count("<li>") == 1
    assert visitor.get("/books?page=4").status_code == 404
    assert visitor.get("/books?page=x").status_code == 404

    assert visitor.get("/books/1").json["author"] == "Ursula K. Le Guin"
    missing = visitor.get("/books/77")
    assert missing.status_code == 404
    assert "There is no book 77." in missing.text
    assert visitor.get("/authors/first?begins=Stan").text == "Stanisław Lem"
    assert visitor.get("/authors/first?begins=Q").status_code == 404

    eden = {"title": "Eden", "author": "Stanisław Lem", "subjects": ["planets", "misunderstandings"]}
    added = visitor.post("/books", json=eden)
    assert (added.status_code, added.location) == (201, "/books/6")
    again = visitor.post("/books", json=eden)
    assert again.status_code == 409
    assert again.json["books"] == 6
    assert visitor.post("/books", json={**eden, "author": "nobody"}).status_code == 404
    # What a request did not commit is gone with it: the second one does not find what the first one added.
    assert visitor.post("/authors", json={"name": "Octavia Butler"}).json["error"] == "3 authors, and no more"
    assert visitor.post("/authors", json={"name": "Octavia Butler"}).json["error"] == "3 authors, and no more"

    assert visitor.post("/books/6/loans", json={"reader": "ada"}).status_code == 204
    lent = visitor.get("/books/6").json
    assert lent["lent to"] == "ada"
    assert lent["subjects"] == ["misunderstandings", "planets"]
    assert visitor.get("/catalogue.txt").text.startswith("Stanisław Lem: Eden; Solaris; The Cyberiad\nUrsula")
    assert visitor.delete("/books/6").status_code == 204
    assert visitor.get("/books/6").status_code == 404
    assert visitor.get("/commits").json == [
        "insert Book",
        "insert Subject",
        "insert Subject",
        "update Author",
        "insert BookLoan",
        "delete Book",
    ]

    assert visitor.run("count") == "author 2\nbook 5\nbook_loan 1\n"
    with visitor.app.app_context():
        shell = visitor.app.make_shell_context()
        assert shell["Book"] is Book
        visitor.note("names in the shell", sorted(shell))
        visitor.note("repr", repr(db))
