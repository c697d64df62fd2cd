"""Exercise of chapter 3: variables that are UUIDs."""

from __future__ import annotations

import uuid

from chapter_03.routing import CONVERTERS, Converter

HEX = "[0-9A-Fa-f]"


def register() -> None:
    """Add the converter. It is tried before texts, which accept everything that it accepts."""
    pattern = f"{HEX}{{8}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{4}}-{HEX}{{12}}"
    CONVERTERS["uuid"] = Converter(1, pattern, uuid.UUID)
