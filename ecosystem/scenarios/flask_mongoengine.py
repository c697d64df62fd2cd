"""Documents as JSON, pages of a list, forms made of documents, and sessions in the database, which is mongomock here."""

from __future__ import annotations

import typing as t
from datetime import datetime
from pathlib import Path

import mongomock
from flask import Flask, jsonify, render_template_string, request, session
from flask_mongoengine import MongoEngine, MongoEngineSessionInterface
from flask_mongoengine.wtf import model_form

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["flask-mongoengine", "mongoengine", "mongomock", "Flask-WTF"]
REMOVED_FROM_FLASK = ["flask.json.JSONEncoder", "app.json_encoder", "app.session_cookie_name"]

# The ids that the database and the session make.
VARIES = [
    (r"\b[0-9a-f]{24}\b", "<id>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<session>"),
]

FORM = "<form>{{ form.title() }}{{ form.stars() }}</form>{% for name, errors in form.errors|dictsort %}{{ name }}: {{ errors[0] }}{% endfor %}"


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="only for this scenario",
        SESSION_COOKIE_NAME="reader",
        WTF_CSRF_ENABLED=False,
        MONGODB_SETTINGS={
            "host": "mongodb://localhost/library",
            "mongo_client_class": mongomock.MongoClient,
            "uuidRepresentation": "standard",
        },
    )
    db = MongoEngine(app)
    app.session_interface = MongoEngineSessionInterface(db)

    class Book(db.Document):
        title = db.StringField(required=True, max_length=20)
        stars = db.IntField(min_value=1, max_value=5, default=3)
        read = db.DateTimeField()
        tags = db.ListField(db.StringField())

    BookForm = model_form(Book, only=["title", "stars"])

    @app.post("/books")
    def add() -> t.Any:
        form = BookForm()
        if not form.validate_on_submit():
            return render_template_string(FORM, form=form), 422
        book = Book(read=datetime(2024, 2, 29, 12, 30), tags=request.form.getlist("tags"))
        form.populate_obj(book)
        book.save()
        session["last"] = book.title
        return jsonify(book), 201

    @app.get("/books")
    def books() -> t.Any:
        page = Book.objects.order_by("title").paginate(page=request.args.get("page", 1, type=int), per_page=2)
        return jsonify(
            titles=[book.title for book in page.items],
            pages=page.pages,
            next=page.next_num if page.has_next else None,
            around=list(page.iter_pages()),
        )

    @app.get("/export")
    def export() -> t.Any:
        # A query, and documents within other structures.
        return jsonify(all=Book.objects.order_by("title"), best=[Book.objects(stars=5).first()])

    @app.get("/books/<title>")
    def book(title: str) -> t.Any:
        found = Book.objects.get_or_404(title=title)
        return {"stars": found.stars, "book": found}

    @app.get("/best")
    def best() -> t.Any:
        return jsonify(Book.objects(stars=int(request.args["stars"])).first_or_404())

    @app.get("/edit/<title>")
    def edit(title: str) -> str:
        return render_template_string(FORM, form=BookForm(obj=Book.objects.get_or_404(title=title)))

    @app.get("/last")
    def last() -> t.Any:
        return jsonify(session.get("last"))

    @app.post("/forget")
    def forget() -> t.Any:
        session.clear()
        return "", 204

    @app.cli.command("stored")
    def stored() -> None:
        """Count what is in the database."""
        print(
            db.connection["library"].session.count_documents({}), "sessions,", Book.objects.count(), "books"
        )

    return app


def play(visitor: Visitor) -> None:
    added = visitor.post("/books", data={"title": "Persuasion", "stars": "5", "tags": ["novel", "sea"]})
    assert added.status_code == 201
    assert added.json["read"] == {"$date": "2024-02-29T12:30:00Z"}
    assert added.json["tags"] == ["novel", "sea"]
    assert added.headers["Set-Cookie"].startswith("reader=")
    for title in ("Emma", "Villette"):
        assert visitor.post("/books", data={"title": title, "stars": "4"}).status_code == 201
    wrong = visitor.post("/books", data={"title": "", "stars": "9"})
    assert wrong.status_code == 422
    assert "stars: Number must be between 1 and 5." in wrong.text

    assert visitor.get("/books").json == {
        "titles": ["Emma", "Persuasion"],
        "pages": 2,
        "next": 2,
        "around": [1, 2],
    }
    assert visitor.get("/books?page=2").json["titles"] == ["Villette"]
    assert visitor.get("/books?page=3").status_code == 404
    exported = visitor.get("/export").json
    assert [book["title"] for book in exported["all"]] == ["Emma", "Persuasion", "Villette"]
    assert exported["best"][0]["title"] == "Persuasion"
    assert visitor.get("/books/Emma").json["stars"] == 4
    assert visitor.get("/books/Ulysses").status_code == 404
    assert visitor.get("/best?stars=5").json["title"] == "Persuasion"
    assert visitor.get("/best?stars=1").status_code == 404
    assert 'value="Emma"' in visitor.get("/edit/Emma").text

    # The session is in the database; the browser has its name alone.
    assert visitor.get("/last").json == "Villette"
    assert visitor.another().get("/last").json is None
    assert visitor.run("stored") == "1 sessions, 3 books\n"
    assert "reader=;" in visitor.post("/forget").headers["Set-Cookie"]
    assert visitor.get("/last").json is None
