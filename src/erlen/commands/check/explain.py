"""What a check is about, in full words: its section of the page, which is packed beside this file."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path

import click

from .model import PAGE, Check, Severity
from .report import COLOURS, echo_lines, width_of_text, wrapped

_WORDS: dict[Severity, str] = {"error": "Error", "warning": "Warning", "info": "Note"}

_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


def print_explanation(check: Check) -> None:
    """Print what a check is about.

    :param check: the check.
    """
    width = width_of_text()
    when = "Made with --deploy." if check.deploy else "Made each time."
    lines = [click.style(check.id, fg=COLOURS[check.severity]), *wrapped(f"{check.title}.", width), ""]
    for paragraph in explanation_of(check).split("\n\n"):
        lines += [*wrapped(paragraph, width), ""]
    echo_lines([*lines, click.style(when, dim=True), click.style(check.link, dim=True)])


def print_list(checks: Iterable[Check]) -> None:
    """Print the ids of checks, each with its severity and what holds when it finds nothing.

    :param checks: the checks.
    """
    rows = list(checks)
    widest = max(len(check.id) for check in rows)
    for deploy, heading in ((False, "Made each time"), (True, "Made with --deploy")):
        echo_lines([*([""] if deploy else []), click.style(heading, bold=True), ""])
        for check in rows:
            if check.deploy == deploy:
                word = click.style(_WORDS[check.severity].lower().ljust(7), fg=COLOURS[check.severity])
                echo_lines([f"  {check.id.ljust(widest)}  {word}  {check.title}"])


def explanation_of(check: Check) -> str:
    """Return the severity and what a check is about: the section of the page, or what an extension says.

    :param check: the check.
    """
    section = _section(check.id) if check.link == f"{PAGE}#{check.id}" else None
    if section is None:
        said = inspect.getdoc(check.find) or f"The check is an extension's; {check.link} is its page."
        section = f"{_WORDS[check.severity]}. {said}"
    return "\n\n".join(" ".join(_LINK.sub(r"\1", paragraph).split()) for paragraph in section.split("\n\n"))


def _section(id: str) -> str | None:
    parts = re.split(r"^#{2,3} (.+)$", _page(), flags=re.MULTILINE)[1:]
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    return sections[id].strip() if id in sections else None


def _page() -> str:
    here = Path(__file__)
    # Beside this file in an installed package, in the repository's folder in an editable installation.
    packed = here.with_name("checks.md")
    return (packed if packed.is_file() else here.parents[4] / PAGE).read_text("utf-8")
