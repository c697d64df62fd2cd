"""What a project may be called."""

from __future__ import annotations

import importlib.machinery
import keyword
import re
import sys
import typing as t
import unicodedata
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

#: A name goes into file names, imports and lines of code, which it must not make too long for the formatter.
MAX_LENGTH = 40

# A distribution's name (the packaging specifications, "Names and normalization").
_DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)

# Files and folders at the top of a project, which Python would take for the package.
_IN_PROJECT = {"app": "app.py", "tests": "tests/"}

# What an extension names after itself would hide what is Erlen's: commands, the extension of accounts; and 'app' is what
# applications are called.
_OF_ERLEN = frozenset("app check new routes run security serve shell static".split())

# What a project installs, or imports by another name, whether or not it is installed where this runs.
_NEEDED = frozenset(
    "blinker click dotenv erlen flask granian itsdangerous jinja2 markupsafe mypy pip pytest ruff sqlalchemy uvicorn"
    " watchfiles websockets werkzeug".split()
)


class InvalidNameError(ValueError):
    """A project cannot be called that; the message says why, and what to take instead."""


@dataclass(frozen=True)
class ProjectName:
    """The name of a project in its spellings.

    :param distribution: as typed, for ``pyproject.toml``.
    :param package: what Python imports.
    """

    distribution: str
    package: str

    @property
    def title(self) -> str:
        """The name as people read it: ``my-shop`` is 'My shop'."""
        words = " ".join(re.split(r"[-_.]+", self.distribution))
        return words[0].upper() + words[1:]

    @property
    def prefix(self) -> str:
        """What the project's environment variables begin with, without the underscore."""
        return self.package.upper()

    @property
    def short(self) -> str:
        """What an extension calls itself inside of an application: ``erlen-visits`` is 'visits'."""
        short = self.package.removeprefix("erlen_").removeprefix("flask_")
        is_taken = keyword.iskeyword(short) or not short.isidentifier() or short in _OF_ERLEN
        return self.package if is_taken else short

    @property
    def class_name(self) -> str:
        """The class of an extension: ``erlen-visits`` is 'Visits'."""
        name = "".join(word[:1].upper() + word[1:] for word in self.short.split("_"))
        return f"{name}Extension" if keyword.iskeyword(name) else name

    @classmethod
    def parse(cls, text: str) -> t.Self:
        """Read a name as somebody typed it.

        :param text: the name of a distribution; the package's is derived from it.
        :raises InvalidNameError: when it is none, or would hide another module.
        """
        _check_spelling(text)
        package = re.sub(r"[-_.]+", "_", text).lower()
        if not package.isidentifier():
            raise InvalidNameError(
                f"{text!r} gives the package {package!r}, which Python cannot import: names there do not begin with"
                f" a digit. Put a letter first, for example {'app-' + text!r}."
            )
        if keyword.iskeyword(package):
            raise InvalidNameError(
                f"{package!r} is a keyword of Python and cannot be imported. {_other(text)}"
            )
        _check_free(text, package)
        return cls(distribution=text, package=package)


def _check_spelling(text: str) -> None:
    if not text.strip():
        raise InvalidNameError("The name is empty. Give one, for example 'my-shop'.")
    if len(text) > MAX_LENGTH:
        raise InvalidNameError(
            f"The name is {len(text)} characters long, and {MAX_LENGTH} is the most. Take a shorter one."
        )
    if "/" in text or "\\" in text:
        last = re.split(r"[/\\]", text.rstrip("/\\"))[-1] or "NAME"
        raise InvalidNameError(
            f"{text!r} is a path. Give name and place apart: erlen new {last} --folder {text}"
        )
    if not _DISTRIBUTION.fullmatch(text):
        raise InvalidNameError(
            f"{text!r} cannot be the name of a distribution. It has letters of a to z and digits, and between them"
            f" '-', '_' and '.'. {_respelled(text)}"
        )


def _respelled(text: str) -> str:
    """Offer the nearest name that can be one."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    nearest = re.sub(r"[^A-Za-z0-9._-]+", "-", ascii_only).strip("-_.")
    return f"For example {nearest!r}." if _DISTRIBUTION.fullmatch(nearest) else "For example 'my-shop'."


def _check_free(text: str, package: str) -> None:
    """Refuse a name that is somebody else's: the project would hide it, or be hidden."""
    if package in _IN_PROJECT:
        raise InvalidNameError(f"{_IN_PROJECT[package]!r} is in every project already. {_other(text)}")
    # The list of Python's modules leaves out 'test', which is one.
    if package in sys.stdlib_module_names or package == "test":
        raise InvalidNameError(
            f"{package!r} is a module of Python's own library, and 'import {package}' can mean one only. {_other(text)}"
        )
    if package in _NEEDED:
        raise InvalidNameError(f"{package!r} is a package that projects use. {_other(text)}")
    if (place := _installed_as(package)) is not None:
        raise InvalidNameError(
            f"{package!r} is installed here already ({place}), and 'import {package}' can mean one only. {_other(text)}"
        )
    try:
        version = metadata.version(text)
    except metadata.PackageNotFoundError:
        return
    raise InvalidNameError(f"The distribution {text!r} is installed here already ({version}). {_other(text)}")


def _installed_as(package: str) -> str | None:
    """Return where a module is installed. The folder we are in does not count: 'python -m erlen' looks there too."""
    here = Path.cwd()
    path = [entry for entry in sys.path if Path(entry).resolve() != here]
    spec = importlib.machinery.PathFinder.find_spec(package, path)
    if spec is None:
        return None
    places = spec.submodule_search_locations
    return spec.origin or next(iter(places or ()), "built in")


def _other(text: str) -> str:
    return f"Take another name, for example {'my-' + text!r}."
