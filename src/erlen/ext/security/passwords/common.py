"""Passwords that are tried first, because many people have them.

``common-passwords.txt.gz`` has them, one a line, the most frequent first. It is the list that Django ships, less what is shorter than four
characters or no longer readable; ``common-passwords.license`` has Django's licence. ``python tools/common_passwords.py`` makes it.
"""

from __future__ import annotations

import functools
import gzip
import unicodedata
from pathlib import Path

FILE = Path(__file__).with_name("common-passwords.txt.gz")

#: Characters that stand for each other, and one for each group of them. ``1`` and ``!`` stand for two letters, so these are one group.
_SUBSTITUTIONS = str.maketrans("013456789@$!|+l", "oieasgtbgasiiti")


def folded(text: str) -> str:
    """Return what a text has in common with its usual disguises: case, forms of characters, digits in place of letters.

    :param text: a text that :func:`plain` returned; each character stays in its place.
    """
    return text.translate(_SUBSTITUTIONS)


def plain(text: str) -> str:
    """Return a text without regard to case and forms of characters.

    :param text: any text.
    """
    return unicodedata.normalize("NFKC", text).casefold()


@functools.cache
def entries() -> frozenset[str]:
    """Return the list, folded. It is read once, when the first password is judged."""
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        return frozenset(folded(plain(line.rstrip("\n"))) for line in lines)
