"""What is sent and what is shown: the data that the cases and the applications share."""

from __future__ import annotations

import random
import typing as t
from pathlib import Path

#: Rows of the template cases.
ROWS = [{"name": f"Name {number} <b>", "price": number * 1.25} for number in range(12)]

#: The template, as a file and as a string. It is the same for all, as they all know Jinja2.
TEMPLATES = Path(__file__).parent / "apps" / "templates"
TEMPLATE_NAME = "rows.html"
TEMPLATE = TEMPLATES.joinpath(TEMPLATE_NAME).read_text(encoding="utf-8")

#: What the template makes of the rows.
RENDERED = "<ul>{}</ul>".format(
    "".join(f"<li>{row['name']}: {row['price']}</li>".replace("<b>", "&lt;b&gt;") for row in ROWS)
)

#: The files that are served.
STATIC = Path(__file__).parent / "apps" / "static"
PICTURE_NAME = "picture.png"
PICTURE = STATIC.joinpath(PICTURE_NAME).read_bytes()

#: Names of the query and header case.
QUERY, HEADER = "q", "X-Name"

#: The small answer in JSON, and the larger one.
MESSAGE: dict[str, t.Any] = {"message": "Hello, World!", "n": [1, 2, 3]}
PRODUCTS: dict[str, t.Any] = {
    "items": [
        {
            "id": number,
            "name": f"Product {number}",
            "price": number * 1.25,
            "stock": number % 7,
            "tags": ["new", "garden"],
            "active": number % 2 == 0,
        }
        for number in range(200)
    ]
}

FORM = b"name=Ann&mail=ann%40example.org&note=" + b"x" * 40

#: What is posted as JSON.
ORDER: dict[str, t.Any] = {
    "customer": {"name": "Ann", "mail": "ann@example.org"},
    "items": [{"id": number, "count": number + 1} for number in range(3)],
    "note": "x" * 40,
}

#: The file that is uploaded, and the form it is sent in. Random bytes, as an archive or a picture has them.
UPLOAD = random.Random(6).randbytes(1 << 20)
BOUNDARY = "----geckoformboundary7c1d2a8be5f04936"
MULTIPART = b"".join(
    (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\nholiday\r\n'.encode(),
        f"--{BOUNDARY}\r\n".encode(),
        b'Content-Disposition: form-data; name="file"; filename="holiday.zip"\r\n',
        b"Content-Type: application/zip\r\n\r\n",
        UPLOAD,
        f"\r\n--{BOUNDARY}--\r\n".encode(),
    )
)

#: What is streamed.
CHUNKS = tuple(f"chunk {number:03} ".encode() + b"x" * 90 for number in range(100))

#: Signs the sessions. Long enough for those that ask for a length.
KEY = "a key of the benchmark, which signs its sessions"

#: What is kept in a session.
USER, CART = "ann", [1, 2]

#: The numbers of the addresses that are built.
NUMBERS = range(10)

#: The headers that the hooks set, from the outermost to the innermost, and the one that a single request sets.
LEVELS = ("app", "outer", "inner")
LEVEL_HEADERS = ("X-App", "X-Outer", "X-Inner")
AFTER_HEADER = "X-After"


def uploaded(title: str, filename: str, content: bytes) -> str:
    """Return what is answered to an upload: enough to see that all of it has arrived."""
    return f"{title} {filename} {len(content)} {content[:4].hex()} {content[-4:].hex()}"


class Trouble(Exception):
    """What a view raises that has an error handler."""
