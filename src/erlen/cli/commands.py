"""The commands that look at an application: ``shell`` and ``routes``."""

from __future__ import annotations

import re

import click

from ..ctx import current_context
from ..typing import Application
from .groups import with_appcontext


def _method(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Check that ``--method`` is a token (RFC 9110, section 5.6.2)."""
    if value is not None and not re.fullmatch(r"[!#$%&'*+.^_`|~\w-]+", value, re.ASCII):
        raise click.BadParameter(
            f"{value!r} is no method. Write it as in a request: GET, POST ...", ctx, param
        )
    return value if value is None else value.upper()


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


@click.command("routes", short_help="Show the routes of the application, or what answers a URL.")
@click.option(
    "--sort",
    "-s",
    type=click.Choice(["endpoint", "methods", "domain", "rule", "match", "view"]),
    default="endpoint",
    show_default=True,
    help="The column to sort by; 'match' is the order in which the routes are tried.",
)
@click.option("--all-methods", is_flag=True, help="Show HEAD and OPTIONS too.")
@click.option("--verbose", "-v", is_flag=True, help="Show the views, with file and line.")
@click.option(
    "--match", "url", metavar="URL", help="Show which route answers this URL, and why others do not."
)
@click.option("--method", "-m", default=None, help="The method to match, by default GET.", callback=_method)
@click.option("--websocket", is_flag=True, help="Match the handshake of a WebSocket.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@with_appcontext
def routes_command(
    sort: str = "endpoint",
    all_methods: bool = False,
    verbose: bool = False,
    url: str | None = None,
    method: str | None = None,
    websocket: bool = False,
    as_json: bool = False,
) -> None:
    """Show all routes with their endpoints and methods.

    With '--match', show what answers one URL: a path, or a whole URL with its host. The exit code is 0 when a route
    answers, with its view or a redirect, and 1 when none does.
    """
    application: Application = current_context().app
    if url is None:
        if method is not None or websocket:
            given = "--websocket" if websocket else "--method"
            raise click.UsageError(f"'{given}' says how to match a URL: add '--match URL'.")
        # Only this command needs it.
        from .routes.listing import show_routes

        show_routes(application, sort=sort, all_methods=all_methods, verbose=verbose, as_json=as_json)
        return
    if websocket and method not in {None, "GET"}:
        raise click.UsageError(
            f"'--method {method}' cannot be with '--websocket': a WebSocket begins with a GET."
        )
    # Only this command needs it.
    from .routes.report import show_match

    code = show_match(application, url, method or "GET", websocket=websocket, as_json=as_json)
    click.get_current_context().exit(code)
