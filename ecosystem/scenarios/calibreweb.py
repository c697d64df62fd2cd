"""Calibre-Web: a library of books read in the browser: sign-in, set-up, search, shelves, an upload, a catalog in Atom."""

from __future__ import annotations

import base64
import io
import os
import re
import sys
import typing as t
import zipfile
from contextlib import suppress
from pathlib import Path
from unittest import mock

if t.TYPE_CHECKING:
    from flask import Flask

    from visitor import Visitor

DISTRIBUTIONS = ["calibreweb", "Flask-Principal", "Flask-Babel", "Flask-Limiter", "Flask-WTF"]
APPLICATION = True
ENVIRONMENT = "small"

VARIES = (
    # The limiter's: when the minute is over, and in how many seconds.
    (r"^(17|18)\d{8}$", "<time>"),
    (r"^(5\d|60)$", "<seconds>"),
    # The cookie that remembers: a random key of the user's, and a signature.
    (r"remember_token=[\w-]{40,}\.[\w-]{27}", "remember_token=<random>"),
    # The tag of a file: when it was written, its size, a sum of its path.
    (r'^"[\d.]+-(\d+)-\d+"$', r'"<time>-\1-<path>"'),
    (r"/og\?c=\d{10}", "/og?c=<time>"),
    # When the book was uploaded, and the catalog written.
    (r"<updated>20[^<]+</updated>", "<updated><time></updated>"),
)

CONTAINER = """<?xml version="1.0"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>"""
CONTENT = """<?xml version="1.0"?>
<package xmlns="http://www.idpf.org/2007/opf" version="2.0"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:title>{title}</dc:title><dc:creator>{author}</dc:creator><dc:language>en</dc:language>
</metadata><manifest/><spine/></package>"""


BOOKS = """
insert into library_id values (1, 'b6d1d3c4-0000-4000-8000-000000000000');
insert into books
    (id, title, sort, author_sort, timestamp, pubdate, last_modified, series_index, path, has_cover, uuid)
    values (1, 'A Tale', 'Tale, A', 'Author, Ann',
    '2024-01-02 03:04:05.000000', '2024-01-02 03:04:05.000000', '2024-01-02 03:04:05.000000',
    1.0, 'Ann Author/A Tale (1)', 0, 'b6d1d3c4-0000-4000-8000-000000000001');
insert into authors (id, name, sort, link) values (1, 'Ann Author', 'Author, Ann', '');
insert into books_authors_link (book, author) values (1, 1);
insert into tags (id, name) values (1, 'Fiction');
insert into books_tags_link (book, tag) values (1, 1);
insert into data (id, book, format, uncompressed_size, name) values (1, 1, 'EPUB', 1000, 'A Tale - Ann Author');
"""


def book(title: str, author: str) -> bytes:
    """Return a book without pages, as an EPUB file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        for name, text in (
            ("mimetype", "application/epub+zip"),
            ("META-INF/container.xml", CONTAINER),
            ("content.opf", CONTENT.format(title=title, author=author)),
        ):
            parts.writestr(zipfile.ZipInfo(name), text)
    return file.getvalue()


def make_library(folder: Path) -> None:
    """Make what the program Calibre makes: a database and a folder of books, with one in it."""
    import sqlalchemy as sa
    from cps import db

    shelf = folder / "Ann Author" / "A Tale (1)"
    shelf.mkdir(parents=True)
    (shelf / "A Tale - Ann Author.epub").write_bytes(book("A Tale", "Ann Author"))
    engine = sa.create_engine(f"sqlite:///{folder / 'metadata.db'}")
    number = db.Books.__table__.c.series_index
    declared, number.type = number.type, sa.REAL()  # as in Calibre's own databases
    made = engine.execution_options(schema_translate_map={"calibre": None})
    db.Base.metadata.create_all(made)
    number.type = declared
    with engine.begin() as connection:
        connection.connection.executescript(BOOKS)
    engine.dispose()


def make_app(folder: Path) -> Flask:
    # What it stores of its own, and where it looks for a folder of the user's.
    os.environ.update(HOME=str(folder), CALIBRE_DBPATH=str(folder), CACHE_DIRECTORY=str(folder / "cache"))
    sys.argv = [
        "cps",
        "-p",
        str(folder / "app.db"),
        "-g",
        str(folder / "gdrive.db"),
        "-o",
        str(folder / "log"),
    ]
    import calibreweb  # noqa: F401 - it makes `cps` importable
    import cps
    from cps import main

    make_library(folder / "library")
    # Its main function makes the application and serves it until it ends.
    with mock.patch.object(cps.web_server, "start", return_value=True):
        with suppress(SystemExit):
            main.main()
    return cps.app


def token_of(page: t.Any) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def play(visitor: Visitor) -> None:
    from cps import web_server

    try:
        sign_in(visitor)
        set_up(visitor)
        read(visitor)
        keep(visitor)
        add_a_book(visitor)
        office(visitor)
        read_catalog(visitor.another())
        sign_out(visitor)
    finally:
        web_server.stop()  # it ends the threads that the application has started


def sign_in(visitor: Visitor) -> None:
    assert visitor.get("/").location == "/admin/dbconfig"
    assert visitor.get("/admin/dbconfig").location == "/login?next=%2Fadmin%2Fdbconfig"
    page = visitor.get("/login")
    assert "<title>Calibre-Web | Login</title>" in page.text
    form = {"username": "admin", "password": "admin123", "remember_me": "on", "next": "/"}
    assert visitor.post("/login", data=form).status_code == 400
    form["csrf_token"] = token_of(page)
    assert "Wrong Username or Password" in visitor.post("/login", data={**form, "password": "no"}).text
    assert visitor.post("/login", data=form).location == "/"
    assert visitor.client.get_cookie("remember_token") is not None


def set_up(visitor: Visitor) -> None:
    token = token_of(visitor.get("/admin/dbconfig"))
    library = str(visitor.folder / "library")
    there = visitor.get("/ajax/pathchooser/", query_string={"path": library, "folder": "true"})
    assert '"name": "Ann Author"' in there.text
    form = {"csrf_token": token, "config_calibre_dir": str(visitor.folder / "nowhere")}
    assert "danger" in visitor.post("/admin/ajaxdbconfig", data=form).text
    form["config_calibre_dir"] = library
    assert "danger" not in visitor.post("/admin/ajaxdbconfig", data=form).text


def read(visitor: Visitor) -> None:
    assert "A Tale" in visitor.get("/").text
    page = visitor.get("/book/1").text
    assert "/download/1/epub" in page
    assert "Fiction" in page
    file = visitor.get("/download/1/epub/1.epub")
    assert file.headers["Content-Disposition"].startswith("attachment; filename=")
    assert file.get_data().startswith(b"PK")
    assert "/show/1/epub" in visitor.get("/read/1/epub").text
    assert "A Tale" in visitor.get("/search?query=tale", follow_redirects=True).text
    assert "No Results Found" in visitor.get("/search?query=nonsense", follow_redirects=True).text
    assert "A Tale" in visitor.get("/author/stored/1").text
    assert visitor.get("/get_tags_json?q=Fi").text == '[{"name": "Fiction"}]'
    assert visitor.get("/cover/1").mimetype == "image/jpeg"
    assert "body" in visitor.get("/static/css/style.css").text
    assert visitor.get("/book/9", follow_redirects=True).status_code == 200


def keep(visitor: Visitor) -> None:
    token = token_of(visitor.get("/shelf/create"))
    by_script = {"X-CSRFToken": token, "X-Requested-With": "XMLHttpRequest"}
    assert (
        visitor.post("/shelf/create", data={"csrf_token": token, "title": "For winter"}).location
        == "/shelf/1"
    )
    assert visitor.post("/shelf/add/1/1", headers=by_script).status_code == 204
    assert visitor.post("/shelf/add/1/1", headers=by_script).status_code == 400
    assert "A Tale" in visitor.get("/shelf/1").text
    assert visitor.post("/ajax/toggleread/1", headers={"X-CSRFToken": token}).status_code == 200
    assert "A Tale" in visitor.get("/read/stored").text


def add_a_book(visitor: Visitor) -> None:
    token = token_of(visitor.get("/admin/book/1"))
    sent = {"csrf_token": token, "btn-upload": (io.BytesIO(book("Another", "Ben Writer")), "another.epub")}
    assert visitor.post("/upload", data=sent).json == {"location": "/admin/book/2"}
    form = {"csrf_token": token, "title": "Another One", "authors": "Ben Writer", "tags": "Essays"}
    edited = visitor.post("/admin/book/2", data=form, follow_redirects=True)
    assert "Another One" in edited.text
    library = visitor.folder / "library"
    visitor.note("books", sorted(str(path.relative_to(library)) for path in library.rglob("*.epub")))
    assert visitor.post("/delete/2", data={"csrf_token": token}).status_code == 302
    assert "Another One" not in visitor.get("/").text


def office(visitor: Visitor) -> None:
    assert "admin" in visitor.get("/me").text
    assert "admin" in visitor.get("/admin/view").text
    assert "Tasks" in visitor.get("/tasks").text
    assert "Calibre-Web" in visitor.get("/stats").text


def read_catalog(visitor: Visitor) -> None:
    refused = visitor.get("/opds")
    assert (refused.status_code, refused.www_authenticate.type) == (401, "basic")
    key = {"Authorization": "Basic " + base64.b64encode(b"admin:admin123").decode()}
    assert "<feed" in visitor.get("/opds", headers=key).text
    assert "<title>A Tale</title>" in visitor.get("/opds/new", headers=key).text
    assert "<name>Ann Author</name>" in visitor.get("/opds/search/a%20tale", headers=key).text


def sign_out(visitor: Visitor) -> None:
    # Behind a proxy, under a prefix.
    assert (
        visitor.get("/login", headers={"X-Script-Name": "/books", "X-Scheme": "https"}).location == "/books/"
    )
    assert visitor.get("/logout").location.startswith("/login")
    assert visitor.get("/").location == "/login?next=%2F"
    missing = visitor.get("/nowhere")
    assert (missing.status_code, "Error 404" in missing.text) == (404, True)
