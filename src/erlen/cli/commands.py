"""The commands that look at an application: ``shell`` and ``routes``."""

from __future__ import annotations

import typing as t

import click

from ..ctx import current_context
from .groups import with_appcontext

if t.TYPE_CHECKING:
    from werkzeug.routing import Rule


@click.command("shell", short_help="Run a shell in the context of the application.")
@click.option(
    "--interface",
    "-i",
    type=click.Choice(["auto", "ipython", "bpython", "python"]),
    default="auto",
    show_default=True,
    help="Which shell; 'auto' is the first of these that is installed.",
)
@click.option(
    "--code",
    "-c",
    metavar="CODE",
    help="Run this code and exit. So does code that comes through a pipe.",
    # A variable of that name would run with every shell.
    allow_from_autoenv=False,
)
@click.option(
    "--request", "path", metavar="PATH", help="Make up a request for this path and be inside of it."
)
@click.option(
    "--serving", is_flag=True, help="Begin the life span of the application, and end it at the end."
)
@with_appcontext
def shell_command(
    interface: str = "auto", code: str | None = None, path: str | None = None, serving: bool = False
) -> None:
    """Run an interactive Python shell inside the context of the application.

    What the application's shell context processors return can be used by name, and 'await' works at the prompt.
    Python's own shell, which is used without IPython and bpython, executes the file named by PYTHONSTARTUP first.
    """
    # Only this command needs it.
    from .shell.session import run_shell

    run_shell(current_context().app, interface=interface, code=code, serving=serving, path=path)


_SORT_KEYS: dict[str, t.Callable[[Rule], t.Any]] = {
    "endpoint": lambda rule: rule.endpoint,
    "methods": lambda rule: sorted(rule.methods or ()),
    "domain": lambda rule: rule.host or rule.subdomain or "",
    "rule": lambda rule: rule.rule,
}


@click.command("routes", short_help="Show the routes of the application.")
@click.option(
    "--sort",
    "-s",
    type=click.Choice((*_SORT_KEYS, "match")),
    default="endpoint",
    help="The column to sort by; 'match' is the order in which the routes are tried.",
)
@click.option("--all-methods", is_flag=True, help="Show HEAD and OPTIONS too.")
@with_appcontext
def routes_command(sort: str, all_methods: bool) -> None:
    """Show all routes with their endpoints and methods."""
    url_map = current_context().app.url_map
    rules: list[Rule] = list(url_map.iter_rules())
    if not rules:
        click.echo("No routes were registered.")
        return
    # 'match' keeps the order of the map.
    if sort in _SORT_KEYS:
        rules.sort(key=_SORT_KEYS[sort])

    hidden: set[str] = set() if all_methods else {"HEAD", "OPTIONS"}
    columns: dict[str, list[str]] = {
        "Endpoint": [str(rule.endpoint) for rule in rules],
        "Methods": [", ".join(sorted((rule.methods or set()) - hidden)) for rule in rules],
    }
    domains = [(rule.host if url_map.host_matching else rule.subdomain) or "" for rule in rules]
    if any(domains):
        columns["Host" if url_map.host_matching else "Subdomain"] = domains
    columns["Rule"] = [rule.rule for rule in rules]
    _echo_table(columns)


def _echo_table(columns: dict[str, list[str]]) -> None:
    widths = [max(map(len, (title, *cells))) for title, cells in columns.items()]
    lines = [tuple(columns), tuple("-" * width for width in widths), *zip(*columns.values(), strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
