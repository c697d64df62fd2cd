"""Exercise of chapter 9: which templates were rendered."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

from chapter_09 import Sapling, template_rendered


@contextmanager
def captured_templates(app: Sapling) -> t.Generator[list[str | None], None, None]:
    """Collect the names of the templates that an application renders, for a test."""
    names: list[str | None] = []

    def note(sender: Sapling, template: t.Any, **values: t.Any) -> None:
        names.append(template.name)

    # For the length of the block, so that the test does not listen for the others.
    with template_rendered.connected_to(note, app):
        yield names
