"""Fixtures: a folder that servers of other users may enter."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from .running import folder


@pytest.fixture(scope="module")
def place() -> t.Iterator[t.Callable[[str], Path]]:
    """Return what makes folders that others may enter, by their names."""
    makers = folder()
    top = next(makers)

    def make(name: str) -> Path:
        made = top / name
        made.mkdir(mode=0o755)
        return made

    yield make
    for _ in makers:
        raise AssertionError("one folder is made")
