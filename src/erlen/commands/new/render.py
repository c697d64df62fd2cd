"""The files of a project, made of the templates beside this file."""

from __future__ import annotations

import secrets
import typing as t
from importlib import metadata, resources
from importlib.resources.abc import Traversable

from jinja2 import Environment, StrictUndefined

from .names import ProjectName
from .place import ProjectFile
from .table import Template

# Linters, type checkers and pytest shall not take templates for files of Erlen's own.
_SUFFIX = ".jinja"
_PACKAGE_FOLDER = "_package_"
_SECRET_FILES = frozenset({".env"})


def render_project(template: Template, name: ProjectName) -> list[ProjectFile]:
    """Return all files of a project.

    :param template: what to make.
    :param name: what it is called.
    """
    environment = Environment(
        # The files are Python, TOML, and HTML with Jinja's own marks in it.
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        # The name consists of letters, digits and hyphens (names.py), and only some of the files are HTML.
        autoescape=False,  # noqa: S701
    )
    values = {
        "name": name.distribution,
        "package": name.package,
        "title": name.title,
        "prefix": name.prefix,
        # Of extensions.
        "short": name.short,
        "short_prefix": name.short.upper(),
        "command": name.short.replace("_", "-"),
        "class_name": name.class_name,
        # What an optional part changes in files that are there without it.
        "has_accounts": "accounts" in template.folders,
        "secret_key": secrets.token_urlsafe(32),
        # What a wheel of somebody's own has behind its number cannot be asked for.
        "erlen_version": metadata.version("erlen").partition("+")[0],
    }
    files: dict[str, ProjectFile] = {}
    for folder in template.folders:
        for path, source in _sources(resources.files("erlen.commands.new") / "templates" / folder):
            made = path.replace(_PACKAGE_FOLDER, name.package)
            text = environment.from_string(source).render(values)
            files[made] = ProjectFile(made, text.encode(), is_secret=made in _SECRET_FILES)
    return [files[path] for path in sorted(files)]


def _sources(folder: Traversable, above: str = "") -> t.Iterator[tuple[str, str]]:
    """Yield path and text of each template below a folder."""
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _sources(entry, f"{above}{entry.name}/")
        elif entry.name.endswith(_SUFFIX):
            yield f"{above}{entry.name.removesuffix(_SUFFIX)}", entry.read_text("utf-8")
