"""Write ``docs/api/commands.md``: every command of ``erlen`` with its arguments and options, as Click has them.

Run it when a command has changed; a test compares the page with the commands.
"""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import click

from erlen.cli import cli
from erlen.ext.security.cli import commands as security_commands

PAGE = Path(__file__).parents[1] / "docs" / "api" / "commands.md"

_BEGINNING = """\
# Commands and options

Every command of `erlen` with its arguments and options.
[The command line](../command-line.md) says how they are used.
An option of a command may be given as a variable, named after both: `ERLEN_RUN_PORT` is `erlen run --port`.
`--help` shows the same on the terminal, and each command has it.
This page is made of the commands themselves by `tools/command_table.py`.
"""

_QUOTED = re.compile(r"(?<!\w)'([^']+)'(?!\w)")
_OPTION = re.compile(r"(?<![\w`-])(--[a-z][\w-]+)(?![\w`-])")


def page() -> str:
    """Return the page."""
    sections = [_section("erlen", cli), *_sections(cli, "erlen")]
    intro = "These are there in an application with [accounts](../accounts.md).\n"
    sections.append(_section("erlen security", security_commands, intro))
    sections += _sections(security_commands, "erlen security")
    return "\n".join([_BEGINNING, *sections])


def _sections(group: click.Group, path: str) -> t.Iterator[str]:
    context = click.Context(group)
    # Not by 'list_commands', which asks for those of plugins and of an application as well.
    lazy: dict[str, str] = getattr(group, "_lazy_commands", {})
    for name in sorted({*group.commands, *lazy}):
        command = group.commands.get(name) or group.get_command(context, name)
        assert command is not None
        yield _section(f"{path} {name}", command)
        if isinstance(command, click.Group):
            yield from _sections(command, f"{path} {name}")


def _section(path: str, command: click.Command, intro: str = "") -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    text = "\n".join(_sentences(command.help or ""))
    parts = [f"## {path}\n", f"{intro}{_as_code(text)}\n", f"```text\n{path} {usage}\n```\n"]
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if options:
        rows = [_row(one, context) for one in options]
        parts.append("\n".join(["| option | default | |", "|---|---|---|", *rows]) + "\n")
    return "\n".join(parts)


def _sentences(text: str) -> list[str]:
    paragraphs = [" ".join(one.split()) for one in text.partition("\f")[0].split("\n\n")]
    return [*"\n\n".join(re.sub(r"(?<=\.) (?=[A-Z'])", "\n", one) for one in paragraphs).split("\n")]


def _row(option: click.Option, context: click.Context) -> str:
    record = option.get_help_record(context)
    assert record is not None
    names = record[0].replace("|", "\\|")
    default = option.get_default(context)
    is_shown = option.show_default and default is not None and not callable(option.default)
    shown = f"`{_default(option, default)}`" if is_shown else ""
    return f"| `{names}` | {shown} | {_as_code(' '.join((option.help or '').split()))} |"


def _default(option: click.Option, default: t.Any) -> str:
    if isinstance(default, bool):
        return max((option.opts if default else option.secondary_opts), key=len)
    return str(default)


def _as_code(text: str) -> str:
    return _OPTION.sub(r"`\1`", _QUOTED.sub(r"`\1`", text))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name} has {page().count('## ')} commands")
