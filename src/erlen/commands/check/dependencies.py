"""The check of installed packages against known weaknesses."""

from __future__ import annotations

import re
import tomllib
import typing as t
from dataclasses import dataclass
from importlib import metadata, resources

from .model import Finding, Subject
from .versions import is_within, version_key


@dataclass(frozen=True)
class Advisory:
    """A published weakness of a package.

    :param package: its name, as it is normalised.
    :param affected: the versions that have it, as ranges.
    :param fixed: the first version of the newest line without it.
    :param ids: the numbers under which it was published.
    :param summary: what it is, in a line.
    """

    package: str
    affected: tuple[str, ...]
    fixed: str
    ids: tuple[str, ...]
    summary: str


def known() -> tuple[str, list[Advisory]]:
    """Return the date of the table of weaknesses, and its lines."""
    text = resources.files(__package__ or "").joinpath("advisories.toml").read_text("utf-8")
    table = tomllib.loads(text)
    advisories = [
        Advisory(
            normalised(name), tuple(line["affected"]), line["fixed"], tuple(line["ids"]), line["summary"]
        )
        for name, lines in table["packages"].items()
        for line in lines
    ]
    return str(table["date"]), advisories


def normalised(name: str) -> str:
    """Return the name of a package as registries compare it.

    :param name: as it is written, such as ``"Flask_Cors"``.
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def vulnerable(subject: Subject) -> t.Iterator[Finding]:
    """Find installed packages of versions with weaknesses that were published and mended.

    The lines of Werkzeug (CVE-2025-66221, CVE-2026-21860, CVE-2026-27199), Flask (CVE-2026-27205), python-multipart
    (CVE-2024-53981, CVE-2026-24486), Starlette (CVE-2025-62727) and many more are in ``advisories.toml``.
    """
    date, advisories = known()
    installed = installed_versions()
    for package in dict.fromkeys(one.package for one in advisories):
        if package not in installed:
            continue
        name, version = installed[package]
        found = [one for one in advisories if one.package == package and _affects(one, version)]
        if found:
            listed = "; ".join(f"{', '.join(one.ids)}: {one.summary}" for one in found)
            fixed = max((one.fixed for one in found), key=version_key)
            yield Finding(
                f"{name} {version} has known weaknesses (table of {date}). {listed}.",
                f"pip install '{name}>={fixed}'",
            )


def installed_versions() -> dict[str, tuple[str, str]]:
    """Return name and version of each installed package, by its normalised name."""
    found: dict[str, tuple[str, str]] = {}
    for distribution in metadata.distributions():
        # Of a broken installation both can be missing.
        name, version = distribution.metadata["Name"], distribution.metadata["Version"]
        if name and version:
            # The first one on the path is the one that is imported.
            found.setdefault(normalised(name), (name, version))
    return found


def _affects(advisory: Advisory, version: str) -> bool:
    try:
        return is_within(version, advisory.affected)
    except ValueError:
        # A version that is none can be compared with nothing.
        return False
