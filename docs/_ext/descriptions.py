"""What search engines and the tabs of browsers show of a page: its first paragraph, and what it is a part of."""

from __future__ import annotations

import html
import typing as t

from docutils import nodes
from sphinx.application import Sphinx

#: Characters. Search engines show about as many.
LENGTH = 200


def _describe(
    app: Sphinx, name: str, template: str, context: dict[str, t.Any], doctree: nodes.document | None
) -> None:
    """Add a description, and the page above to the title: the guide and the reference both have 'Sessions'."""
    title = html.unescape(context.get("title") or "")
    about = f"The documentation of {app.config.project}"
    description = _first_paragraph(doctree) or (f"{about}: {title}" if title else about)
    tag = f'<meta name="description" content="{html.escape(description)}">'
    context["metatags"] = f"{context.get('metatags') or ''}\n    {tag}\n"
    if parents := context.get("parents"):
        context["title"] = f"{context['title']} - {parents[-1]['title']}"


def _first_paragraph(doctree: nodes.document | None) -> str:
    """Return the sentences of the first paragraph below the heading that there is place for."""
    if doctree is None:
        return ""
    paragraphs = (node for node in doctree.findall(nodes.paragraph) if isinstance(node.parent, nodes.section))
    text = " ".join(next((node.astext() for node in paragraphs), "").split())
    if len(text) <= LENGTH:
        return text
    whole = text[: LENGTH + 1].rpartition(". ")[0]
    return f"{whole}." if whole else f"{text[:LENGTH].rpartition(' ')[0]} ..."


def setup(app: Sphinx) -> dict[str, t.Any]:
    """Look at each page before it is written."""
    app.connect("html-page-context", _describe)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
