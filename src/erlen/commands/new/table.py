"""What ``erlen new`` can make: the table of templates."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Template:
    """One choice of ``erlen new``.

    :param name: what ``--template`` takes.
    :param summary: what it is, for help and question.
    :param folders: folders of ``templates/`` that are laid over one another; of two files with one name the later
        counts. An optional part, such as accounts, is one more folder.
    """

    name: str
    summary: str
    folders: tuple[str, ...]


#: The template that ``--extension`` stands for.
EXTENSION = "extension"

TEMPLATES = {
    one.name: one
    for one in (
        Template("minimal", "one file and its test", ("common", "minimal")),
        Template("full", "factory, database, forms, tests, container file", ("common", "full")),
        Template(
            "accounts", "the full one, and users who register and log in", ("common", "full", "accounts")
        ),
        Template(
            EXTENSION, "an extension for Erlen and Flask, to be installed by others", ("common", "extension")
        ),
    )
}

#: The template when none is named.
DEFAULT = "minimal"
