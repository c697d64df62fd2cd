"""What the database holds, and what the pages of it have to say."""

from __future__ import annotations

import random
import sqlite3
import typing as t
from pathlib import Path

from markupsafe import escape

#: Rows of the table ``world``, whose ids begin at 1.
WORLDS = 10_000

#: What ``?queries=`` may ask for.
LEAST, MOST = 1, 500

WORLD = "SELECT id, randomnumber FROM world WHERE id = {mark}"
FORTUNES = "SELECT id, message FROM fortune"

#: The row that is added when the page is asked for.
ADDED = (0, "Additional fortune added at request time.")

#: One has to be escaped, and one is not in English.
MESSAGES = (
    "A bug that is gone by itself comes back by itself.",
    "A cache has two states: stale, and not yet looked at.",
    "The fastest request is the one nobody has to send.",
    "A program that is never wrong has never been asked.",
    "Whoever measures once believes; whoever measures twice doubts.",
    '<script>alert("This message is escaped.");</script>',
    "Of two clocks that differ, both are used in production.",
    "No test fails on the machine of its author.",
    "Every timeout is somebody's guess.",
    "A comment is right on the day it is written.",
    "It worked before it was needed.",
    "\u5e78\u904b\u306f\u6e96\u5099\u306e\u3042\u308b\u4eba\u306b\u6765\u308b\u3002",
)

#: One template for all. In front of it nothing is compared but its own text.
TEMPLATE = (
    "<!DOCTYPE html><html><head><title>Fortunes</title></head><body><table>"
    "<tr><th>id</th><th>message</th></tr>"
    "{% for id, message in fortunes %}<tr><td>{{ id }}</td><td>{{ message }}</td></tr>{% endfor %}"
    "</table></body></html>"
)


def number_of(world: int) -> int:
    """Return the number in a row, the same in each database that is made."""
    return world * 7919 % WORLDS + 1


def some_id() -> int:
    """Return the id of a row that is asked for."""
    return random.randint(1, WORLDS)


def bounded(text: str | None) -> int:
    """Return how many rows ``?queries=`` asks for: at least one, and not more than are allowed."""
    try:
        number = int(text or LEAST)
    except ValueError:
        return LEAST
    return min(max(number, LEAST), MOST)


def arranged(rows: t.Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """Return the fortunes as they are shown: with the one that is added, in the order of their messages."""
    return sorted((*rows, ADDED), key=_message)


def _message(row: tuple[int, str]) -> str:
    return row[1]


def fortunes() -> list[tuple[int, str]]:
    """Return the rows of the table ``fortune``."""
    return list(enumerate(MESSAGES, 1))


def page() -> str:
    """Return the page of the fortunes, made without a template."""
    rows = "".join(
        f"<tr><td>{number}</td><td>{escape(message)}</td></tr>" for number, message in arranged(fortunes())
    )
    return TEMPLATE.partition("{%")[0] + rows + TEMPLATE.rpartition("%}")[2]


def fill_sqlite(file: Path) -> None:
    """Make the database as a file."""
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE world (id INTEGER PRIMARY KEY, randomnumber INTEGER NOT NULL)")
        connection.execute("CREATE TABLE fortune (id INTEGER PRIMARY KEY, message TEXT NOT NULL)")
        connection.executemany(
            "INSERT INTO world VALUES (?, ?)", ((one, number_of(one)) for one in range(1, WORLDS + 1))
        )
        connection.executemany("INSERT INTO fortune VALUES (?, ?)", fortunes())
    connection.close()


def fill_postgresql(address: str) -> None:
    """Make the tables in a PostgreSQL database.

    :param address: how it is reached.
    """
    import psycopg  # here, so that SQLite is measured without it

    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE world (id integer PRIMARY KEY, randomnumber integer NOT NULL)")
        cursor.execute("CREATE TABLE fortune (id integer PRIMARY KEY, message text NOT NULL)")
        with cursor.copy("COPY world FROM STDIN") as copy:
            for one in range(1, WORLDS + 1):
                copy.write_row((one, number_of(one)))
        cursor.executemany("INSERT INTO fortune VALUES (%s, %s)", fortunes())
        cursor.execute("ANALYZE world, fortune")
