"""The ``new`` command: a project that runs, tests and type-checks at once.

.. versionadded:: 0.1
"""

from __future__ import annotations

import os
import shlex
import sys
import typing as t
from pathlib import Path

import click

from .names import InvalidNameError, ProjectName
from .place import PlaceError, check_place, make_project
from .table import DEFAULT, EXTENSION, TEMPLATES

#: What a shell says of a command that Ctrl-C has ended.
_INTERRUPTED = 130


def _list(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    """Show the templates and leave, before the name is missed."""
    if wanted and not ctx.resilient_parsing:
        _echo_templates()
        ctx.exit()


@click.command("new", short_help="Make a new project.")
@click.argument("name")
@click.option(
    "--template",
    "-t",
    "template",
    type=click.Choice(tuple(TEMPLATES)),
    help=f"{'; '.join(f'{one.name}: {one.summary}' for one in TEMPLATES.values())}. Without it you are asked on a"
    f" terminal, elsewhere it is '{DEFAULT}'.",
)
@click.option("--extension", "-x", is_flag=True, help=f"The same as '--template {EXTENSION}'.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="The folder to make, or an empty one that is there. By default NAME in this folder.",
)
@click.option("--yes", "-y", is_flag=True, help="Ask nothing.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="Show the templates and exit.",
)
@click.pass_context
def new_command(
    ctx: click.Context, name: str, template: str | None, extension: bool, folder: Path | None, yes: bool
) -> None:
    """Make a project called NAME in a new folder.

    It runs, has tests that pass, and type-checks. NAME '.' makes it in the empty folder you are in, with that
    folder's name. Nothing that is there already is changed.
    """
    if extension:
        if template not in {None, EXTENSION}:
            raise click.UsageError(
                f"'--extension' and '--template {template}' contradict each other: an extension is a template of its own."
                " Leave one of them out."
            )
        template = EXTENSION
    project, place = _read(name, folder)
    try:
        check_place(place)
        chosen = TEMPLATES[template or _ask(yes)]
        # Slow to import, and 'erlen --help' does without.
        from .render import render_project

        count = make_project(render_project(chosen, project), place)
    except PlaceError as error:
        raise click.ClickException(str(error)) from None
    except (KeyboardInterrupt, click.Abort):
        # The terminal shows '^C' on the line of the question.
        click.echo(f"\nStopped: {_what_is_there(place)}", err=True)
        ctx.exit(_INTERRUPTED)
    _show_result(project, chosen.name, place, count)


def _read(name: str, folder: Path | None) -> tuple[ProjectName, Path]:
    """Return what the project is called and where it goes."""
    try:
        if name != ".":
            project = ProjectName.parse(name)
            return project, Path(project.distribution) if folder is None else folder
        if folder is not None:
            raise InvalidNameError(
                "'.' is the folder you are in, and '--folder' names another. Give the project a name."
            )
        here = Path.cwd()
        try:
            return ProjectName.parse(here.name), Path()
        except InvalidNameError as error:
            raise InvalidNameError(
                f"{error} That is what this folder is called: give the name, 'erlen new NAME --folder .'"
            ) from None
    except InvalidNameError as error:
        raise click.BadParameter(str(error), param_hint="'NAME'") from None
    except FileNotFoundError:
        raise click.ClickException(
            "The folder you are in is no longer there. Change to another one first: cd ~"
        ) from None


def _ask(yes: bool) -> str:
    """Ask for the template where somebody is there to answer."""
    if yes or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return DEFAULT
    click.echo("What shall it be?\n")
    _echo_templates()
    click.echo()
    answer: str = click.prompt(
        "Template", type=click.Choice(tuple(TEMPLATES)), default=DEFAULT, show_choices=False
    )
    click.echo()
    return answer


def _echo_templates() -> None:
    width = max(map(len, TEMPLATES))
    for one in TEMPLATES.values():
        _echo(f"  {click.style(one.name.ljust(width), bold=True)}  {one.summary}")


def _what_is_there(place: Path) -> str:
    """Say what an interruption has left; it may have come when all was done."""
    try:
        check_place(place)
    except PlaceError:
        return f"the project in '{click.format_filename(place)}' is whole."
    return "nothing was made."


def _show_result(project: ProjectName, template: str, place: Path, count: int) -> None:
    shown = click.format_filename(place)
    is_here = place.resolve() == Path.cwd()
    where = " in this folder" if is_here else "" if shown == project.distribution else f" in '{shown}'"
    _echo(
        f"Made {click.style(project.distribution, bold=True)}{where}: {count} files, template '{template}'."
    )
    activate = r".venv\Scripts\activate" if os.name == "nt" else ". .venv/bin/activate"
    python = "py" if os.name == "nt" else "python3"
    steps = [
        *([] if is_here else [f"cd {shlex.quote(shown)}"]),
        f"{python} -m venv .venv",
        activate,
        "pip install -e '.[dev]'" if os.name != "nt" else 'pip install -e ".[dev]"',
        "pytest",
        "erlen run --debug",
    ]
    click.echo("\nNext:\n")
    for step in steps:
        _echo(f"  {click.style(step, fg='cyan')}")
    click.echo("\nThen open http://127.0.0.1:5000; README.md says what is where.")


def _echo(text: str) -> t.Any:
    # Click knows whether this is a terminal, and not NO_COLOR.
    return click.echo(text, color=False if os.environ.get("NO_COLOR") else None)
