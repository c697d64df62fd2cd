"""Rows for spreadsheet programs, which must not take what visitors typed for formulas."""

from __future__ import annotations

import re

from .database import Signup

COLUMNS = ("id", "name", "email", "signed up at (UTC)", "times asked")

# A cell that begins like this is a formula. So is what follows a separator, as some programs are set to split
# lines at another one than the comma (CWE-1236). The second row are the full-width forms, which count as well.
_FORMULA = re.compile(r"(^|[;,|\t])([\s'\"]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


def csv_row(entry: Signup) -> tuple[str, ...]:
    """Return the cells of an entry, in the order of :data:`COLUMNS`."""
    return (
        str(entry.id),
        harmless(entry.name),
        harmless(entry.email),
        entry.signed_up_at.strftime("%Y-%m-%d %H:%M:%S"),
        str(entry.times_asked),
    )


def harmless(text: str) -> str:
    """Put an apostrophe before what a spreadsheet program would compute; it shows the text without it."""
    return _FORMULA.sub(r"\1\2'", text)
