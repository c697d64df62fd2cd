"""A database in the browser: password, structure, rows that come and go, queries, exports, an import, a new column, its file."""

from __future__ import annotations

import io
import re
import sqlite3
import typing as t
from pathlib import Path

from sqlite_web import sqlite_web

if t.TYPE_CHECKING:
    from flask import Flask

    from visitor import Visitor

DISTRIBUTIONS = ["sqlite-web"]
APPLICATION = True

# When the file was made and written.
VARIES = ((r"<td>\d{4}-\d\d-\d\d \d\d:\d\d</td>", "<td><time></td>"),)

TABLES = """\
create table painter (id integer primary key, name text not null, born integer);
create table painting (id integer primary key, title text, by integer references painter (id), scan blob);
create index painter_born on painter (born);
create view old_masters as select name from painter where born < 1600;
"""


def make_app(folder: Path) -> Flask:
    with sqlite3.connect(folder / "gallery.db") as connection:
        connection.executescript(TABLES)
        connection.executemany(
            "insert into painter (name, born) values (?, ?)",
            [("Artemisia Gentileschi", 1593), ("Hilma af Klint", 1862)],
        )
        connection.execute("insert into painting values (1, 'Judith', 1, x'ff00')")
    connection.close()
    sqlite_web.initialize_app([str(folder / "gallery.db")], password="turpentine")
    return sqlite_web.app


def play(visitor: Visitor) -> None:
    sign_in(visitor)
    look_around(visitor)
    change_rows(visitor)
    ask_the_database(visitor)
    change_the_table(visitor)


def sign_in(visitor: Visitor) -> None:
    assert visitor.get("/painter/content/").location == "/login/"
    assert "You must log-in to view the database browser." in visitor.get("/login/").text
    assert "incorrect" in visitor.post("/login/", data={"password": "vinegar"}).text
    # It goes on where it was interrupted.
    signed_in = visitor.post("/login/", data={"password": "turpentine"})
    assert signed_in.location == "http://localhost/painter/content/"


def look_around(visitor: Visitor) -> None:
    home = visitor.get("/").text
    assert "gallery.db" in home
    assert "old_masters" in home
    assert "painter_born" in visitor.get("/painter/").text
    content = visitor.get("/painter/content/?ordering=-3").text
    assert content.index("Hilma af Klint") < content.index("Artemisia Gentileschi")
    assert visitor.get("/painter").location == "http://localhost/painter/"
    assert visitor.get("/sculptor/").status_code == 404
    style = visitor.get("/static/css/bootstrap.min.css")
    assert style.mimetype == "text/css"
    unchanged = visitor.get("/static/css/bootstrap.min.css", headers={"If-None-Match": style.headers["ETag"]})
    assert unchanged.status_code == 304


def change_rows(visitor: Visitor) -> None:
    inserted = visitor.post("/painter/insert/", data={"name": "Zoë Paul", "born": "1987"})
    assert inserted.location == "/painter/content/?page=last"
    page = visitor.get(inserted.location).text
    assert "Successfully inserted record (3)." in page
    assert "Zoë Paul" in page
    # The application writes the key of a row into the links of the page.
    key = re.findall("/painter/update/(.+?)/", page)[-1]
    assert "Zoë Paul" in visitor.get(f"/painter/update/{key}/").text
    assert visitor.post(f"/painter/update/{key}/", data={"born": "long ago"}).status_code == 200
    assert visitor.post(f"/painter/update/{key}/", data={"name": "Zoe Paul"}).status_code == 302
    assert "Zoe Paul" in visitor.get(f"/painter/row/{key}/").text
    assert visitor.post(f"/painter/delete/{key}/").status_code == 302
    assert "Zoe Paul" not in visitor.get("/painter/content/").text
    # A form of another page would come with this header.
    refused = visitor.post("/painter/insert/", data={"name": "x"}, headers={"Sec-Fetch-Site": "cross-site"})
    assert refused.status_code == 403


def ask_the_database(visitor: Visitor) -> None:
    question = {"sql": "select name from painter where born > 1700"}
    assert "Hilma af Klint" in visitor.post("/painter/query/", data=question).text
    assert "no such column: colour" in visitor.post("/query/", data={"sql": "select colour"}).text
    as_json = visitor.post("/query/", data=question | {"export_json": "1"})
    assert as_json.headers["Content-Disposition"] == 'attachment; filename="export.json"'
    assert as_json.json == [{"name": "Hilma af Klint"}]
    table = {"columns": ["name", "born"], "export_format": "csv"}
    exported = visitor.post("/painter/export/", data=table)
    assert exported.mimetype == "text/csv"
    assert exported.text.splitlines() == ["name,born", "Artemisia Gentileschi,1593", "Hilma af Klint,1862"]


def change_the_table(visitor: Visitor) -> None:
    rows = io.BytesIO(b"name,born\nKatsushika \xc5\x8ci,1800\n")
    imported = visitor.post("/painter/import/", data={"file": (rows, "more.csv")})
    assert imported.location == "/painter/content/"
    page = visitor.get(imported.location).text
    assert "Successfully imported 1 objects from more.csv." in page
    assert "Katsushika Ōi" in page
    assert visitor.post("/painter/add-column/", data={"name": "style", "type": "TEXT"}).status_code == 302
    assert "style" in visitor.get("/painter/").text
    assert visitor.post("/painting/drop/").location == "/"
    assert visitor.get("/painting/").status_code == 404
    # A snapshot of the file, as a stream.
    copy = visitor.get("/download/")
    assert copy.data.startswith(b"SQLite format 3\0")
    assert copy.content_length == len(copy.data)
    assert visitor.get("/logout/").location == "/login/"
    assert visitor.get("/").location == "/login/"
