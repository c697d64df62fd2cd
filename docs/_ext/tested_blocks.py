"""Blocks of code with a file name or the name of a terminal behind their language, as the tests play them.

`````python shop/app.py```` is a block of Python with the caption ``shop/app.py``.
"""

from __future__ import annotations

import re
import typing as t

from sphinx.application import Sphinx

_FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<language>\w+) (?P<name>[\w./-]+)\n", re.MULTILINE)


def _with_captions(_: Sphinx, __: str, source: list[str]) -> None:
    source[0] = _FENCE.sub(_directive, source[0])


def _directive(fence: re.Match[str]) -> str:
    if fence["language"] == "console":
        # The name is one of a terminal.
        return f"{fence['ticks']}console\n"
    # What is between '{%' and '%}' may stand within a tag, where HTML alone has no place for it.
    language = "html+jinja" if fence["name"].endswith(".html") else fence["language"]
    # A caption is Markdown, where the underscores of '__init__.py' make bold letters.
    caption = fence["name"].replace("_", r"\_")
    return f"{fence['ticks']}{{code-block}} {language}\n:caption: {caption}\n\n"


def setup(app: Sphinx) -> dict[str, t.Any]:
    """Look at each page before it is parsed."""
    app.connect("source-read", _with_captions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
