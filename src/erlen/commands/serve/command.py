"""The command ``erlen serve``: its options, and from them a server."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import sys
import typing as t

import click
from click.core import ParameterSource

from ... import variables
from ...cli import ScriptInfo, pass_script_info
from ...helpers import get_debug_flag
from . import logs
from .access import BadFormat, check_format
from .master import Master, holding_signals
from .pid_file import PidFile
from .processes import Worker, environment_of_workers
from .proxies import TrustedProxies
from .settings import MISSING, Settings, check, cpu_count, read_file, unknown_variables
from .sockets import SocketFile, listen, url_of
from .task import Task

#: Where in the context of the command stands which file its settings have come from.
_FILE = "erlen.serve.file"


class _ServeCommand(click.Command):
    """A command that says where a wrong value has come from, when it was not typed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            name = getattr(error.param, "name", None) or ""
            source = ctx.get_parameter_source(name)
            if source is ParameterSource.DEFAULT_MAP and _FILE in ctx.meta:
                where = f" It stands in {ctx.meta[_FILE]!r} as {name!r}."
            elif source is ParameterSource.ENVIRONMENT:
                where = f" It comes from the variable {ctx.auto_envvar_prefix}_{name.upper()}."
            else:
                raise
            raise click.BadParameter(error.message + where, ctx, error.param) from None


def _read_file(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    found, name = read_file(value)
    if name is not None:
        ctx.meta[_FILE] = name
    # What variables of another prefix have set comes first.
    ctx.default_map = {**found, **(ctx.default_map or {})}


def _workers(ctx: click.Context, param: click.Parameter, value: str) -> int:
    if value.lower() == "auto":
        return cpu_count()
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is neither a number from 1 on, nor 'auto'.", ctx, param)
    return int(value)


def _unix_mode(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    if not re.fullmatch("0?[0-7]{3}", value):
        raise click.BadParameter(
            f"{value!r} is no mode of a file, which is three digits such as 660.", ctx, param
        )
    return int(value, 8)


def _static(ctx: click.Context, param: click.Parameter, value: t.Sequence[str]) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for text in value:
        prefix, separator, folder = text.partition("=")
        prefix = prefix.rstrip("/")
        if not separator or not folder:
            raise click.BadParameter(
                f"{text!r} is not 'PREFIX=FOLDER', such as '/static=static'.", ctx, param
            )
        if not prefix.startswith("/"):
            raise click.BadParameter(
                f"{text!r} has to begin with a path below the root, such as '/static': what is served at '/' itself is"
                " the application's.",
                ctx,
                param,
            )
        if prefix in found:
            raise click.BadParameter(
                f"{prefix!r} is there twice, for {found[prefix]!r} and {folder!r}.", ctx, param
            )
        found[prefix] = os.path.realpath(folder)
    # Granian takes the first that fits.
    return sorted(found.items(), key=lambda pair: -len(pair[0]))


def _proxies(ctx: click.Context, param: click.Parameter, value: t.Sequence[str]) -> list[str]:
    names = [name for text in value for name in text.replace(",", " ").split()]
    try:
        TrustedProxies(names)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None
    return names


def _format(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    try:
        check_format(value or "")
    except BadFormat as error:
        raise click.BadParameter(str(error), ctx, param) from None
    return value


def _host(ctx: click.Context, param: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("it is empty. '0.0.0.0' takes all addresses of this machine.", ctx, param)
    return value.strip("[]")


_DEBUG_WARNING = """\
 * WARNING: debug mode is on. It shows the inside of the application where something fails. Turn it off for production: leave \
out '--debug' and the variable ERLEN_DEBUG."""

_TELLS_NAMES_APART = "as a proxy is trusted: WSGI does not tell 'X_Forwarded_For' from 'X-Forwarded-For'"

# The system takes no greater number for a backlog; for the others it is as good as any.
_GREATEST = 2**31 - 1
_AT_LEAST_1 = click.IntRange(1, _GREATEST)
_AT_LEAST_0 = click.IntRange(0, _GREATEST)


@click.command(
    "serve",
    cls=_ServeCommand,
    short_help="Run a server for production.",
    context_settings={"show_default": True},
)
@click.option("--host", "-h", default=Settings.host, callback=_host, help="The address to listen at.")
@click.option(
    "--port",
    "-p",
    default=Settings.port,
    type=click.IntRange(0, 65535),
    help="The port to listen at; 0 takes a free one.",
)
@click.option("--unix-socket", metavar="PATH", help="Listen at a Unix socket instead.")
@click.option(
    "--unix-mode", metavar="MODE", callback=_unix_mode, help="The permissions of that, such as 660."
)
@click.option(
    "--interface",
    type=click.Choice(["auto", "wsgi", "asgi"]),
    default=Settings.interface,
    help="What to speak with the application; 'auto' looks at it.",
)
@click.option(
    "--workers",
    "-w",
    default=str(Settings.workers),
    metavar="NUMBER",
    callback=_workers,
    help="How many processes answer requests; 'auto' is one for each processor.",
)
@click.option(
    "--threads",
    type=_AT_LEAST_1,
    help="How many threads of a worker run plain code: 8 over WSGI; over ASGI what THREAD_POOL_SIZE says.",
)
@click.option(
    "--http",
    type=click.Choice(["auto", "1", "2"]),
    default=Settings.http,
    help="The version of HTTP; 'auto' speaks both.",
)
@click.option("--websockets/--no-websockets", default=Settings.websockets, help="Take WebSockets, over ASGI.")
@click.option("--cert", metavar="FILE", help="Serve HTTPS with this certificate, followed by its chain.")
@click.option(
    "--key", metavar="FILE", help="The key of the certificate. Its password is in ERLEN_SERVE_KEY_PASSWORD."
)
@click.option(
    "--client-ca", metavar="FILE", help="Ask clients for certificates that one of these has signed."
)
@click.option(
    "--static",
    multiple=True,
    metavar="PREFIX=FOLDER",
    callback=_static,
    help="Serve the files of a folder below a path, without asking the application. Several.",
)
@click.option(
    "--trusted-proxy",
    multiple=True,
    metavar="ADDRESS",
    callback=_proxies,
    help="Believe the X-Forwarded headers of this address or network; 'unix' for the Unix socket. Several.",
)
@click.option(
    "--access-log/--no-access-log", default=Settings.access_log, help="Write a line for each request."
)
@click.option("--access-log-format", metavar="TEXT", callback=_format, help="How that looks.")
@click.option(
    "--log-level",
    type=click.Choice(logs.LEVELS, case_sensitive=False),
    default=Settings.log_level,
    help="What the server tells of itself.",
)
@click.option("--backlog", type=_AT_LEAST_1, default=Settings.backlog, help="How many connections may wait.")
@click.option(
    "--max-connections",
    type=_AT_LEAST_1,
    default=Settings.max_connections,
    help="How many connections a worker has at a time.",
)
@click.option(
    "--max-requests",
    type=_AT_LEAST_0,
    default=Settings.max_requests,
    help="Replace a worker after this many requests; 0 is never.",
)
@click.option(
    "--worker-lifetime",
    type=_AT_LEAST_0,
    default=Settings.worker_lifetime,
    help="Replace a worker after this many seconds; 0 is never.",
)
@click.option(
    "--timeout",
    type=_AT_LEAST_1,
    default=Settings.timeout,
    help="How many seconds requests have to end when a worker stops.",
)
@click.option("--pid-file", metavar="FILE", help="Write the number of the main process there.")
@click.option(
    "--config",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_read_file,
    help="Read settings from this TOML file, in place of [tool.erlen.serve] in pyproject.toml.",
)
@pass_script_info
@click.pass_context
def serve_command(ctx: click.Context, info: ScriptInfo, /, **options: t.Any) -> None:
    """Run a server for production.

    It answers with several processes and threads, over HTTP/1 and HTTP/2, WSGI or ASGI. SIGTERM and Ctrl-C stop it when
    requests have been answered; SIGHUP loads the application anew, and loses no request.

    Each option may also be a variable, as ERLEN_SERVE_PORT, or stand in a file, as 'port' in the table [tool.erlen.serve]
    of pyproject.toml.
    """
    # Not loaded here: this process has no use for it.
    if importlib.util.find_spec("granian") is None:
        raise click.ClickException(MISSING)
    if not hasattr(socket, "AF_UNIX") or sys.platform == "win32":
        raise click.ClickException(
            "'erlen serve' needs what Unix has: sockets that processes inherit, and signals. On Windows 'waitress-serve'"
            " serves the application: pip install waitress"
        )
    settings = _settings(ctx, options)
    logs.configure("serve", settings.log_level)
    for sentence in unknown_variables(variables.prefixes):
        logs.logger.warning(sentence)
    code = _serve(settings, info)
    logs.let_go_of_streams()
    sys.exit(code)


def _settings(ctx: click.Context, options: dict[str, t.Any]) -> Settings:
    given = {
        name
        for name in options
        if ctx.get_parameter_source(name) not in {ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP}
        or name in (ctx.default_map or {})
    }
    password = variables.get_variable("SERVE_KEY_PASSWORD")
    if password is None:
        password = (ctx.default_map or {}).get("key_password")
    settings = Settings(**options, key_password=password)
    check(settings, given)
    return settings


def _serve(settings: Settings, info: ScriptInfo) -> int:
    """Listen, and serve until the end; return the exit code."""
    start = _starter(settings, info)
    pid_file = PidFile(settings.pid_file)
    listener = listen(settings)
    socket_file = SocketFile(settings.unix_socket)
    environment_of_workers()
    with holding_signals():
        try:
            pid_file.write()
            if get_debug_flag():
                logs.say(_DEBUG_WARNING, "red")
            url = url_of(settings, listener)
            master = Master(
                lambda number, generation: start(number, generation, listener.fileno()),
                settings.workers,
                settings.timeout,
                lambda said: _say_what_is_served(settings, info, url, said),
            )
            return master.run()
        finally:
            listener.close()
            socket_file.remove()
            pid_file.remove()


def _starter(settings: Settings, info: ScriptInfo) -> t.Callable[[int, int, int], Worker]:
    """Return what starts a worker, by its number, its generation and the number of the socket."""
    factory = _place_of(info.create_app) if info.create_app is not None else None

    def start(number: int, generation: int, listener: int) -> Worker:
        task = Task(
            settings=settings,
            number=number,
            listener=listener,
            app_import_path=info.app_import_path,
            factory=factory,
            set_debug_flag=info.set_debug_flag,
            path=sys.path,
            arguments=sys.argv,
            as_flask=len(variables.prefixes) > 1,
        )
        return Worker(task, generation)

    return start


def _say_what_is_served(settings: Settings, info: ScriptInfo, url: str, said: dict[str, t.Any]) -> None:
    reason: str | None = said["reason"]
    interface: str = said["interface"]
    if settings.interface != "auto":
        why = "as '--interface' says"
    elif reason:
        why = f"because of {reason}"
    else:
        why = _TELLS_NAMES_APART if interface == "asgi" else "it has nothing async"
    count = "1 worker" if settings.workers == 1 else f"{settings.workers} workers"
    name = info.app_import_path or said["name"]
    prevents = _what_prevents_websockets(settings, interface)
    if prevents and reason is not None and reason.startswith("the WebSocket "):
        logs.logger.warning("%s: %s is not served", prevents, reason)
    # Last, as who waits for this line has read then what else there is to say.
    logs.say(f" * Serving Erlen app {name!r} over {interface.upper()} ({why}) on {url}, {count}")


def _what_prevents_websockets(settings: Settings, interface: str) -> str | None:
    if interface == "wsgi":
        return "WSGI has no WebSockets"
    if settings.http == "2":
        return "Granian speaks WebSockets over HTTP/1 only, and '--http' is 2"
    return None if settings.websockets else "'--no-websockets' was given"


def _place_of(factory: t.Callable[..., t.Any]) -> str:
    """Return how workers import the factory of a program of the user's own."""
    module, name = getattr(factory, "__module__", None), getattr(factory, "__qualname__", "<")
    if module in {None, "__main__"} or "<" in name:
        raise click.ClickException(
            f"This program makes its application with {factory!r}, which worker processes cannot import: it has to be a"
            " function at the top level of a module. Or name the application: '--app module:name'."
        )
    return f"{module}:{name}"
