"""A difference that the site shows names its files as the repository does."""

from __future__ import annotations

import runpy
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_folder_of_the_machine_is_not_shown() -> None:
    pytest.importorskip("sphinx")
    nodes: t.Any = pytest.importorskip("docutils.nodes")
    utils: t.Any = pytest.importorskip("docutils.utils")
    document = utils.new_document("page")
    shown = f"--- {ROOT}/examples/one.py\n+++ {ROOT}/examples/two.py\n-a\n+b\n"
    document += [nodes.literal_block(shown, shown), nodes.literal_block("as it is", "as it is")]
    differences = runpy.run_path(str(ROOT / "docs" / "_ext" / "differences.py"))
    differences["_name_from_the_root"](None, document)
    blocks = list(document.findall(nodes.literal_block))
    texts = [block.astext() for block in blocks]
    assert texts == ["--- examples/one.py\n+++ examples/two.py\n-a\n+b\n", "as it is"]
    assert [block.rawsource for block in blocks] == texts
