"""Follow the links inside a built site, without a network."""

from __future__ import annotations

import html.parser
import sys
import typing as t
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(html.parser.HTMLParser):
    """What a page links to, and the places in it that others link to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.places.add(value)
            elif name in {"href", "src"}:
                self.links.add(value)


def problems_of(site: Path) -> list[str]:
    """Return a line for each link that leads nowhere, and for each out of the site that is not over https.

    :param site: the folder with the first page.
    """
    pages = {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    return [
        f"{path.relative_to(site.resolve())}: {problem}"
        for path, page in sorted(pages.items())
        for link in sorted(page.links)
        if (problem := _problem(link, path, pages))
    ]


def _problem(link: str, path: Path, pages: t.Mapping[Path, _Page]) -> str | None:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        inside = parts.scheme in {"https", "mailto", "data", "javascript"} or parts.hostname in {
            "127.0.0.1",
            "localhost",
        }
        return None if inside else f"{link!r} is not https"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return f"{link!r} leads to no file"
    place = unquote(parts.fragment)
    if place and target in pages and place not in pages[target].places:
        return f"{link!r} leads to a page without {place!r}"
    return None


if __name__ == "__main__":
    found = problems_of(Path(sys.argv[1]))
    print("\n".join(found))
    sys.exit(1 if found else 0)
