"""Differences of two files: both are named as the repository names them.

Sphinx begins a shown difference with the whole paths of the files, which are those of the machine that builds the site.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

ROOT = f"{Path(__file__).resolve().parents[2]}/"


def setup(app: Sphinx) -> dict[str, t.Any]:
    """Look at each page when it was parsed."""
    app.connect("doctree-read", _name_from_the_root)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _name_from_the_root(app: Sphinx, document: nodes.document) -> None:
    for block in document.findall(nodes.literal_block):
        if ROOT in block.astext():
            # Both alike, or the block would be shown without colours.
            block.rawsource = block.astext().replace(ROOT, "")
            block[:] = [nodes.Text(block.rawsource)]
