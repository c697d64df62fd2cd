"""Diagrams from text: their pictures say in words what they show, and are seen on a dark page as on a light one."""

from __future__ import annotations

import typing as t

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinxcontrib.svgbob.directive import SvgbobDirective


class Diagram(SvgbobDirective):
    """``svgbob`` with ``:alt:``, which every diagram needs."""

    option_spec = (SvgbobDirective.option_spec or {}) | {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the diagram; what it says in words is not optional."""
        if not self.options.get("alt"):
            message = "A diagram says in words what it shows: write ':alt: ...' above it."
            raise self.error(message)
        # On the page it has the page's own background.
        self.options.setdefault("background-color", "transparent")
        self.options.setdefault("font-family", "monospace")
        return super().run()


class _Words(SphinxTransform):
    """After the transform that makes images of diagrams."""

    default_priority = 11

    def apply(self, **_: t.Any) -> None:
        for image in self.document.findall(nodes.image):
            if "svgbob" in image:
                image["alt"] = image["svgbob"]["options"]["alt"]
                image["classes"].append("diagram")


def setup(app: Sphinx) -> dict[str, t.Any]:
    """Put the directive in the place of the package's own."""
    app.add_directive("svgbob", Diagram, override=True)
    app.add_transform(_Words)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
