"""The commands that look at an application: ``shell`` and ``routes``."""

from __future__ import annotations

import code
import os
import sys
import typing as t
from pathlib import Path

import click

from ..ctx import current_context
from ..typing import Application
from .groups import with_appcontext

if t.TYPE_CHECKING:
    from werkzeug.routing import Rule


@click.command("shell", short_help="Run a shell in the context of the application.")
@with_appcontext
def shell_command() -> None:
    """Run an interactive Python shell inside the context of the application.

    What the application's shell context processors return can be used by name. The file named by PYTHONSTARTUP is
    executed first.
    """
    application: Application = current_context().app
    namespace: dict[str, t.Any] = {}
    startup = Path(os.environ.get("PYTHONSTARTUP", ""))
    if startup.is_file():
        # The user's own file, executed as plain 'python' does.
        exec(compile(startup.read_text("utf-8"), startup, "exec"), namespace)  # noqa: S102
    namespace.update(application.make_shell_context())
    _complete_names_of(namespace)
    banner = (
        f"Python {sys.version} on {sys.platform}\nApp: {application.import_name}\n"
        f"Instance: {application.instance_path}"
    )
    code.interact(banner=banner, local=namespace)


def _complete_names_of(namespace: dict[str, t.Any]) -> None:
    """Let the tab key complete the names of the shell, where Python has readline."""
    try:
        # Not every platform has them, and only the shell needs them.
        import readline
        from rlcompleter import Completer
    except ImportError:
        return
    # The hook sets up history and keys, and a completer for another namespace: it comes first.
    hook = getattr(sys, "__interactivehook__", None)
    if hook is not None:
        hook()
    readline.set_completer(Completer(namespace).complete)


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
