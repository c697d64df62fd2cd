"""The command line: commands of the framework, and those of the application it is told of."""

from __future__ import annotations

import importlib
import os
import sys
import typing as t
from functools import wraps

import click

from .ctx import current_context

if t.TYPE_CHECKING:
    from .app import Sapling

R = t.TypeVar("R")


class ScriptInfo:
    """What commands know of the application: where it is, and it itself once somebody needs it.

    :param place: ``module:name``, or ``module`` where the name is ``app``.
    :param app: the application, for tests.
    """

    def __init__(self, place: str | None = None, app: Sapling | None = None) -> None:
        self.place = place
        self._app = app

    def load_app(self) -> Sapling:
        """Return the application, imported the first time."""
        if self._app is None:
            if self.place is None:
                raise click.UsageError("No application was named. Name one: --app module:name.")
            self._app = locate_app(self.place)
        return self._app


def locate_app(place: str) -> Sapling:
    """Import an application.

    :param place: ``module:name``; behind the colon may stand a function that returns the application.
    """
    module_name, _, name = place.partition(":")
    # Modules of the folder a command is called in can be imported by `python -m`, and not by an installed program.
    sys.path.insert(0, os.getcwd())
    module = importlib.import_module(module_name)
    name = name or "app"
    if not hasattr(module, name):
        raise click.UsageError(
            f"The module {module_name!r} has no {name!r}. Name what it has: --app {module_name}:NAME."
        )
    found = getattr(module, name)
    return t.cast("Sapling", found if hasattr(found, "wsgi_app") else found())


def with_appcontext(command: t.Callable[..., R]) -> t.Callable[..., R]:
    """Wrap the function of a command so that the application is active in it."""

    @click.pass_context
    @wraps(command)
    def run(context: click.Context, /, *args: t.Any, **kwargs: t.Any) -> R:
        with context.ensure_object(ScriptInfo).load_app().app_context():
            return context.invoke(command, *args, **kwargs)

    return run


class AppGroup(click.Group):
    """A group of commands in which the application is active."""

    def command(  # type: ignore[override]
        self, *args: t.Any, **kwargs: t.Any
    ) -> t.Callable[[t.Callable[..., t.Any]], click.Command]:
        """Register a command, as :meth:`click.Group.command` does."""
        register: t.Any = super().command(*args, **kwargs)

        def decorate(function: t.Callable[..., t.Any]) -> click.Command:
            return t.cast("click.Command", register(with_appcontext(function)))

        return decorate


class Program(AppGroup):
    """The program itself: its own commands, and those that the application has registered."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *ctx.ensure_object(ScriptInfo).load_app().cli.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command; the application is imported only for what the program itself does not know."""
        own = super().get_command(ctx, cmd_name)
        return own or ctx.ensure_object(ScriptInfo).load_app().cli.get_command(ctx, cmd_name)


def set_place(context: click.Context, parameter: click.Parameter, place: str | None) -> None:
    """Remember where the application is, before anybody asks for it."""
    if place is not None:
        context.ensure_object(ScriptInfo).place = place


main = Program(
    "sapling",
    params=[
        click.Option(
            ["--app"],
            envvar="SAPLING_APP",
            expose_value=False,
            is_eager=True,
            callback=set_place,
            help="module:name",
        )
    ],
)


@main.command("routes")
def routes() -> None:
    """Show the rules, in the order in which they are tried."""
    for rule in current_context().app.router.rules:
        click.echo(f"{rule.endpoint:20} {', '.join(sorted(rule.methods)):20} {rule.path}")


@main.command("run")
@click.option("--port", default=5000, show_default=True)
def run(port: int) -> None:
    """Serve the application, for development."""
    from werkzeug.serving import run_simple  # It takes a while to load, and no other command needs it.

    run_simple("127.0.0.1", port, current_context().app, use_reloader=True)
