"""Links of pages into the repository: to the page that shows the file, or to no page where none does.

In the repository a link such as ``../examples/chat`` leads to a folder. On the site it leads to the page about the example.
"""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path, PurePosixPath

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]

#: Files at the root that are pages.
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "project/changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "LICENSE": "project/licence.md",
    "SECURITY.md": "project/security-policy.md",
}

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<target>(?![a-z+]+:|#|/)[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")


def _of_the_site(app: Sphinx, docname: str, source: list[str]) -> None:
    folder = PurePosixPath("docs", docname).parent

    def link(found: re.Match[str]) -> str:
        inside = PurePosixPath(os.path.normpath(folder / found["target"]))
        if inside.parts[0] == "docs":
            return found[0]
        page = page_of(inside)
        if page is None or not (ROOT / "docs" / page).exists():
            # A name without a link: readers who have the repository find it.
            return found["text"] if found["text"].startswith("`") else f"{found['text']} (`{inside}`)"
        target = os.path.relpath(PurePosixPath("docs", page), folder)
        return f"[{found['text']}]({target}{found['anchor'] or ''})"

    source[0] = _LINK.sub(link, source[0])


def page_of(path: PurePosixPath) -> str | None:
    """Return the page that shows a file or folder of the repository, as a path below ``docs``."""
    if str(path) in PAGES:
        return PAGES[str(path)]
    if path.parts[0] == "examples" and len(path.parts) > 1 and path.parts[2:] in {(), ("README.md",)}:
        return f"examples/{path.parts[1]}.md"
    return None


def setup(app: Sphinx) -> dict[str, t.Any]:
    """Look at each page before it is parsed."""
    app.connect("source-read", _of_the_site)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
