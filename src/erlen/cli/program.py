"""The ``erlen`` program: the group of all commands, with its options."""

from __future__ import annotations

import os
import platform
import sys
import traceback
import typing as t

import click
from click.core import ParameterSource
from werkzeug.utils import import_string

from .. import variables
from ..ctx import context_var
from ..debug import own_traceback
from ..helpers import get_load_dotenv
from ..typing import Application
from ..variables import get_variable, set_variable
from .asking import may_have_command
from .commands import routes_command, shell_command
from .environment import load_dotenv as read_env_files
from .groups import AppGroup
from .locate import NoAppException, NothingNamed, ScriptInfo
from .serving import run_command

#: Commands that are loaded when they are called, with the place of each. An application or a plugin that has had a
#: command of that name keeps it.
LAZY_COMMANDS = {
    "check": "erlen.commands.check:check_command",
    "new": "erlen.commands.new:new_command",
    "serve": "erlen.commands.serve.command:serve_command",
}

# What starts often has to start fast, and looking for plugins takes as long as importing half of Erlen: so no plugin may
# replace it. After ``erlen.as_flask`` one may, as in Flask.
_NOT_REPLACED = frozenset({"run"})

# Of the lazy ones, what needs no application does not look into one for a command of that name either. After
# ``erlen.as_flask`` it is asked, as it may have had that command on Flask, but not loaded here.
_WITHOUT_APPLICATION = ("new", "serve")


def get_version(ctx: click.Context, param: click.Parameter, value: t.Any) -> None:
    """Print the versions of Python, Erlen and Werkzeug, and exit; the callback of ``--version``.

    :param value: nothing happens when it is false.
    """
    if not value or ctx.resilient_parsing:
        return
    # Slow to import.
    from importlib.metadata import PackageNotFoundError, version

    click.echo(f"Python {platform.python_version()}")
    for name in ("Erlen", "Werkzeug"):
        try:
            number = version(name)
        except PackageNotFoundError:
            # A folder of sources on Python's path.
            number = "(not installed, its version is unknown)"
        click.echo(f"{name} {number}")
    ctx.exit()


def _set_app(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if ctx.get_parameter_source(param.name or "") is not ParameterSource.COMMANDLINE:
        # Click knows one prefix of environment variables.
        value = get_variable("APP") or value
    if value is not None:
        ctx.ensure_object(ScriptInfo).app_import_path = value
    return value


def _set_debug(ctx: click.Context, param: click.Parameter, value: bool | None) -> bool | None:
    # Only what the user said counts, and through the environment it also reaches the reloader's process.
    if value is None or ctx.get_parameter_source(param.name or "") is not ParameterSource.COMMANDLINE:
        return None
    set_variable("DEBUG", "1" if value else "0")
    return value


def _load_env_files(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    info = ctx.ensure_object(ScriptInfo)
    if value is None and not info.load_dotenv_defaults:
        return None
    loaded = read_env_files(value, load_defaults=info.load_dotenv_defaults)
    if value is not None and not loaded:
        # Optional dependency.
        from importlib.util import find_spec

        if find_spec("dotenv") is None:
            raise click.BadParameter(
                "env files are read with python-dotenv, which is not installed. Install it with: pip install"
                " python-dotenv",
                ctx,
                param,
            )
    return value


version_option = click.Option(
    ["--version"],
    help="Show the versions.",
    expose_value=False,
    callback=get_version,
    is_flag=True,
    is_eager=True,
)

_app_option = click.Option(
    ["-A", "--app"],
    metavar="IMPORT",
    help="The application: 'module:name' or 'file.py:name'. The name may be a call of a factory, and is not"
    " needed when the module holds one application, or a factory 'create_app' or 'make_app'.",
    is_eager=True,
    expose_value=False,
    callback=_set_app,
)

_debug_option = click.Option(
    ["--debug/--no-debug"],
    help="Set debug mode.",
    default=None,
    expose_value=False,
    callback=_set_debug,
)

# Before '--app': the file may hold ERLEN_APP.
_env_file_option = click.Option(
    ["-e", "--env-file"],
    type=click.Path(exists=True, dir_okay=False),
    help="Set environment variables from this file, besides '.env' and '.erlenenv', and with ERLEN_AS_FLASK=1 '.flaskenv'."
    " Needs python-dotenv.",
    is_eager=True,
    expose_value=False,
    callback=_load_env_files,
)

# 'erlen run --debug' is typed more often than 'erlen --debug run'.
run_command.params.insert(0, _debug_option)


class ErlenGroup(AppGroup):
    """The group of the ``erlen`` program: its own commands, those of plugins, and those of the application.

    Plugins are entry points of the group ``erlen.commands``, after ``erlen.as_flask`` of ``flask.commands`` as well. Pass
    ``create_app`` to make a program of your own.

    :param add_default_commands: add ``run``, ``shell`` and ``routes``, ``serve``, ``new`` and ``check``.
    :param create_app: returns the application; then none is looked for.
    :param add_version_option: add ``--version``.
    :param load_dotenv: read ``.env`` and ``.erlenenv``; ``ERLEN_SKIP_DOTENV`` forbids it.
    :param set_debug_flag: set ``app.debug`` from ``--debug`` or ``ERLEN_DEBUG``.
    :param extra: passed on to :class:`click.Group`.
    """

    def __init__(
        self,
        add_default_commands: bool = True,
        create_app: t.Callable[..., Application] | None = None,
        add_version_option: bool = True,
        load_dotenv: bool = True,
        set_debug_flag: bool = True,
        **extra: t.Any,
    ) -> None:
        options = [_env_file_option, _app_option, _debug_option]
        if add_version_option:
            options.append(version_option)
        params = [*(extra.pop("params", None) or ()), *options]
        super().__init__(params=params, **extra)

        self.create_app = create_app
        self.load_dotenv = load_dotenv
        self.set_debug_flag = set_debug_flag
        self._plugins_loaded = False
        self._lazy_commands = LAZY_COMMANDS if add_default_commands else {}
        if add_default_commands:
            for command in (run_command, shell_command, routes_command):
                self.add_command(command)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: t.Any
    ) -> click.Context:
        """Make Click's context, with a :class:`ScriptInfo` in it unless the caller passes an ``obj``."""
        # An 'app.run()' at the end of the user's module must not start a second server.
        set_variable("RUN_FROM_CLI", "true")
        if "auto_envvar_prefix" not in self.context_settings:
            extra.setdefault("auto_envvar_prefix", variables.prefixes[-1])
        if "obj" not in self.context_settings:
            read_files = get_load_dotenv(self.load_dotenv)
            info = ScriptInfo(None, self.create_app, self.set_debug_flag, load_dotenv_defaults=read_files)
            extra.setdefault("obj", info)
        return super().make_context(info_name, args, parent=parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the options; the help lists the application's commands, so these two come before it."""
        if not args or not set(args).isdisjoint(self.get_help_option_names(ctx)):
            for option in (_env_file_option, _app_option):
                option.handle_parse_result(ctx, {}, [])
        return super().parse_args(ctx, args)

    # Click calls it by position, and Flask's name for the argument is the public one.
    def get_command(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, ctx: click.Context, name: str
    ) -> click.Command | None:
        """Return a command: a built-in one or a plugin's first, else the application's."""
        if name not in _NOT_REPLACED or name not in self.commands or len(variables.prefixes) > 1:
            self._load_plugins()
        # These come first so that 'run' starts although the application is broken.
        command = super().get_command(ctx, name)
        if command is not None:
            return _with_both_prefixes(ctx, name, command)
        lazy = self._lazy_commands.get(name)
        asks_quietly = lazy is not None
        if (
            lazy is not None
            and name in _WITHOUT_APPLICATION
            and (len(variables.prefixes) == 1 or not may_have_command(ctx, name))
        ):
            return _load_command(ctx, name, lazy)
        try:
            application = ctx.ensure_object(ScriptInfo).load_app()
        except NoAppException as error:
            if not asks_quietly and not ctx.resilient_parsing:
                _report(error)
                ctx.fail(
                    f"{name!r} is none of Erlen's own commands ({', '.join(self._own_names())}), and the application, which"
                    " may have it, was not loaded: see above."
                )
        except Exception:
            # The command loads it again, and says it better.
            if not asks_quietly:
                raise
        else:
            command = application.cli.get_command(ctx, name)
            if command is not None or lazy is None:
                active = context_var.get(None)
                if active is None or active.app is not application:
                    ctx.with_resource(application.app_context())
                return t.cast("click.Command | None", command)
        return None if lazy is None else _load_command(ctx, name, lazy)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands. An application that cannot be loaded is reported, not raised.

        Where there is none, nobody has to be told: the help says what it would add.
        """
        self._load_plugins()
        names = set(self._own_names())
        try:
            names.update(ctx.ensure_object(ScriptInfo).load_app().cli.list_commands(ctx))
        except NothingNamed:
            pass
        except NoAppException as error:
            _report(error)
        except Exception as error:  # The help is shown whatever the user's module raises.
            trace = "".join(traceback.format_exception(own_traceback(error)))
            click.secho(f"The application could not be loaded:\n\n{trace}", err=True, fg="red")
        return sorted(names)

    def _own_names(self) -> list[str]:
        return sorted({*self.commands, *self._lazy_commands})

    def _load_plugins(self) -> None:
        if self._plugins_loaded:
            return
        self._plugins_loaded = True
        # Slow to import.
        from importlib.metadata import entry_points

        groups = [f"{prefix.lower()}.commands" for prefix in variables.prefixes]
        for entry_point in [one for group in groups for one in entry_points(group=group)]:
            if entry_point.name in _NOT_REPLACED & self.commands.keys() and len(groups) == 1:
                click.secho(
                    f"Left out the command {entry_point.name!r} of the plugin {entry_point.value!r}: Erlen has one of that"
                    " name, which plugins do not replace.",
                    err=True,
                    fg="red",
                )
                continue
            try:
                self.add_command(entry_point.load(), entry_point.name)
            except Exception as error:  # A broken plugin must not take every command with it.
                click.secho(
                    f"Left out the command {entry_point.name!r} of the plugin {entry_point.value!r}:"
                    f" {type(error).__name__}: {error}",
                    err=True,
                    fg="red",
                )


FlaskGroup = ErlenGroup


def _load_command(ctx: click.Context, name: str, place: str) -> click.Command:
    """Import one of :data:`LAZY_COMMANDS`."""
    command: click.Command = import_string(place)
    return _with_both_prefixes(ctx, name, command)


def _with_both_prefixes(ctx: click.Context, name: str, command: click.Command) -> click.Command:
    """Let options of a command of our own come from variables of either prefix: Click knows one."""
    first = variables.prefixes[0]
    if first != ctx.auto_envvar_prefix and not isinstance(command, click.Group):
        found: dict[str, str] = {}
        for parameter in (one.name for one in command.params):
            variable = f"{first}_{name}_{parameter}".upper()
            if variable in os.environ:
                found[str(parameter)] = os.environ[variable]
        if found:
            ctx.default_map = {**(ctx.default_map or {}), name: found}
    return command


def _report(error: NoAppException) -> None:
    error.show()
    click.echo(err=True)


cli = ErlenGroup(
    name="erlen",
    help="""Run commands of an Erlen application.

    The application is named by '--app', or the variable ERLEN_APP (with ERLEN_AS_FLASK=1 also FLASK_APP), or is in
    'wsgi.py' or 'app.py' in this folder. Its own commands are listed below as well.
    """,
)


def main() -> None:
    """Run the ``erlen`` program. An error of the application shows its traceback from the user's code on."""
    try:
        cli.main()
    except Exception as error:  # Whatever it is, it is shown and ends the program.
        traceback.print_exception(own_traceback(error))
        sys.exit(1)
