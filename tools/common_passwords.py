"""Write the list of common passwords of ``erlen.ext.security`` from the list of the Django that is installed.

Run it with ``python tools/common_passwords.py``. Shorter ones than four characters are of no use, as passwords are looked for that are
made of them; and some lines have lost their characters on the way to the list.
"""

from __future__ import annotations

import gzip
import typing as t
from importlib import metadata
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src" / "erlen" / "ext" / "security" / "passwords"
LIST = FOLDER / "common-passwords.txt.gz"
LICENSE = FOLDER / "common-passwords.license"

SHORTEST = 4
#: What is left of bytes that were read as the wrong charset.
LOST = ("пїѕ", "\N{REPLACEMENT CHARACTER}")


def chosen() -> list[str]:
    """Return the passwords of the list, the most frequent first."""
    source = t.cast(
        Path, metadata.distribution("django").locate_file("django/contrib/auth/common-passwords.txt.gz")
    )
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        words = dict.fromkeys(line.strip() for line in lines)
    return [word for word in words if len(word) >= SHORTEST and not any(lost in word for lost in LOST)]


def main() -> None:
    """Write the list, and the licence beside it."""
    text = "".join(f"{word}\n" for word in chosen())
    LIST.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    licence = next(file for file in metadata.distribution("django").files or () if file.name == "LICENSE")
    LICENSE.write_text(licence.read_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
