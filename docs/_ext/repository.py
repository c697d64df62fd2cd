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


# Without options: with them MyST includes the file itself.
_INCLUDE = re.compile(r"^```\{include\} (?P<path>\.\./\S+)\n```\n", re.MULTILINE)


def _of_the_site(app: Sphinx, docname: str, source: list[str]) -> None:
    folder = PurePosixPath("docs", docname).parent

    def include(found: re.Match[str]) -> str:
        path = PurePosixPath(os.path.normpath(folder / found["path"]))
        app.env.note_dependency(str(ROOT / path))
        return for_the_site((ROOT / path).read_text(encoding="utf-8"), path.parent, folder)

    source[0] = _INCLUDE.sub(include, for_the_site(source[0], folder, folder))


def for_the_site(text: str, folder: PurePosixPath, place: PurePosixPath) -> str:
    """Return a text whose links are right on the site.

    :param text: the text of a page, or of a file of the repository that a page shows.
    :param folder: the folder of that file, from the top of the repository.
    :param place: the folder of the page.
    """

    def link(found: re.Match[str]) -> str:
        inside = PurePosixPath(os.path.normpath(folder / found["target"]))
        page = os.path.relpath(inside, "docs") if inside.parts[0] == "docs" else page_of(inside)
        if page is None or (inside.parts[0] != "docs" and not (ROOT / "docs" / page).exists()):
            # A name without a link: readers who have the repository find it.
            return found["text"] if found["text"].startswith("`") else f"{found['text']} (`{inside}`)"
        target = os.path.relpath(PurePosixPath("docs", page), place)
        return f"[{found['text']}]({target}{found['anchor'] or ''})"

    return _LINK.sub(link, text)


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
