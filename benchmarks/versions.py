"""What is installed: the versions of the frameworks, and what of them is compiled."""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.metadata


def version(distribution: str | None) -> str | None:
    """Return the installed version, or that in the making; ``None`` where there is no distribution."""
    return None if distribution is None else importlib.metadata.version(distribution).partition(".dev")[0]


@functools.cache
def compiled_parts(distribution: str | None) -> list[str]:
    """Return the modules of a distribution that are compiled, as its wheel has them.

    A binary wheel may hold few of them: most of Falcon's modules are Python's in it.
    """
    if distribution is None:
        return []
    found: list[str] = []
    for file in importlib.metadata.files(distribution) or []:
        name = file.as_posix()
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            if name.endswith(suffix):
                found.append(name.removesuffix(suffix).replace("/", "."))
                break
    return found
