"""The ``run`` command: the development server."""

from __future__ import annotations

import sys
import traceback
import typing as t
from types import FunctionType

import click

# Called through its module: debuggers and profilers replace 'serving.run_simple' there (D11).
from werkzeug import serving

from ..debug import own_traceback
from ..helpers import get_debug_flag
from .locate import NoAppException, ScriptInfo, pass_script_info
from .parameters import AddressesType, CertParamType, NamesType, SeparatedPathType, validate_key

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


# Set in a process of the reloader that nothing was said before.
_says_first = False


def show_server_banner(debug: bool, app_import_path: str | None) -> None:
    """Print what is about to be served.

    Of the processes that the reloader starts, the first one alone prints it.

    :param debug: whether debug mode is on.
    :param app_import_path: as the user named the application, or ``None``.
    """
    if serving.is_running_from_reloader() and not _says_first:
        return
    if app_import_path is not None:
        click.echo(f" * Serving Erlen app {app_import_path!r}")
    click.echo(f" * Debug mode: {'on' if debug else 'off'}")


def announce(debug: bool, app_import_path: str | None) -> None:
    """Print the banner, in the first process that serves.

    :param debug: whether debug mode is on.
    :param app_import_path: as the user named the application, or ``None``.
    """
    global _says_first  # noqa: PLW0603 - the function that is called is public, and its arguments are given
    _says_first = True
    # Through the package, where scripts replace it to be quiet.
    sys.modules["erlen.cli"].show_server_banner(debug, app_import_path)
    _says_first = False


def is_server_replaced() -> bool:
    """Return whether somebody has put another function in the place of ``werkzeug.serving.run_simple``.

    Debuggers, profilers and tests do. They get the call that Flask makes.
    """
    function: t.Any = serving.run_simple
    if type(function) is not FunctionType:
        return True
    own: t.Any = vars(serving)
    return function.__globals__ is not own


@click.command("run", short_help="Run a development server.")
@click.option("--host", "-h", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    "-p",
    default=5000,
    show_default=True,
    # A greater number would be served on another port: its last 16 bits.
    type=click.IntRange(0, 65535),
    help="The port to listen on; 0 takes a free one.",
)
@click.option(
    "--cert",
    type=CertParamType(),
    help="Serve HTTPS with this certificate: a file, 'adhoc', or the import name of an SSLContext.",
    is_eager=True,
)
@click.option(
    "--key",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    callback=validate_key,
    expose_value=False,
    help="The key of the certificate.",
)
@click.option(
    "--reload/--no-reload", default=None, help="Start again when code changes. On by default in debug mode."
)
@click.option(
    "--debugger/--no-debugger", default=None, help="Debug in the browser. On by default in debug mode."
)
@click.option("--with-threads/--without-threads", default=True, help="Answer each request in a thread.")
@click.option(
    "--interface",
    type=click.Choice(("auto", "wsgi", "asgi")),
    default="auto",
    help="The protocol; 'auto' takes ASGI for WebSockets and async functions.",
)
@click.option(
    "--extra-files",
    default=None,
    type=SeparatedPathType(),
    help="More files and folders to reload for, separated as in PATH.",
)
@click.option(
    "--exclude-patterns",
    default=None,
    type=SeparatedPathType(),
    help="Files not to reload for, as shell patterns separated as in PATH.",
)
@click.option(
    "--debugger-clients",
    default=None,
    type=AddressesType(),
    help="Addresses or networks that may use the debugger as well as this machine, separated by commas.",
)
@click.option(
    "--debugger-hosts",
    default=None,
    type=NamesType(),
    help="Host names under which the debugger answers as well as 'localhost', separated by commas.",
)
@pass_script_info
@click.pass_context
def run_command(
    ctx: click.Context,
    info: ScriptInfo,
    host: str,
    port: int,
    reload: bool | None,
    debugger: bool | None,
    with_threads: bool,
    cert: t.Any,
    interface: str,
    extra_files: list[str] | None,
    exclude_patterns: list[str] | None,
    debugger_clients: list[str] | None,
    debugger_hosts: list[str] | None,
) -> None:
    """Run a server for development.

    It is not made for production: it is neither secure, nor stable, nor fast enough for that. '--debug' turns
    on the reloader and the debugger.
    """
    debug = get_debug_flag()
    reloads = debug if reload is None else reload
    debugs = debug if debugger is None else debugger
    if is_server_replaced():
        options: dict[str, t.Any] = {"threaded": with_threads, "ssl_context": cert}
        options.update(extra_files=extra_files, exclude_patterns=exclude_patterns)
        _run_simple(info, host, port, use_reloader=reloads, use_debugger=debugs, **options)
        return
    # Slow to import, for a command that is not always called.
    from ..development import Settings, run

    settings = Settings(
        host,
        port,
        ctx.command_path,
        reloads=reloads,
        debugger=debugs,
        debugger_clients=debugger_clients or (),
        debugger_hosts=debugger_hosts or (),
        threaded=with_threads,
        interface=interface,
        certificate=cert,
        extra_files=extra_files or (),
        exclude_patterns=exclude_patterns or (),
    )
    run(settings, lambda: _load(info), lambda: announce(debug, info.app_import_path))


def stop_serving(application: t.Any) -> None:
    """End the life span of an application, if it has one that has begun.

    :param application: what was served.
    """
    if getattr(application, "is_serving", False):
        application.stop_serving()


def run_in_code(application: t.Any, host: str, port: int, options: dict[str, t.Any]) -> None:
    """Serve an application that calls for it itself: ``app.run()``.

    :param application: the application.
    :param host: the address.
    :param port: the port.
    :param options: for :func:`werkzeug.serving.run_simple`.
    """
    settings = None
    if not is_server_replaced():
        # Slow to import; most applications are served by something else.
        from ..development import Settings, run

        settings = Settings.of_options(host, port, options)
        if settings is not None:
            try:
                run(settings, lambda: application, lambda: announce(application.debug, application.name))
            except click.ClickException as error:
                error.show()
                sys.exit(error.exit_code)
            return
    # Through the package, where scripts replace it to be quiet.
    sys.modules["erlen.cli"].show_server_banner(application.debug, application.name)
    try:
        if serving.is_running_from_reloader() or not options["use_reloader"]:
            application.start_serving()
        serving.run_simple(host, port, application, **options)
    finally:
        stop_serving(application)


def _load(info: ScriptInfo) -> t.Any:
    """Load the application. What its own code raises is raised as it is, also where it kept an import from working."""
    try:
        return info.load_app()
    except NoAppException as error:
        if error.__cause__ is None:
            raise
        raise error.__cause__ from None


def _run_simple(info: ScriptInfo, host: str, port: int, *, use_reloader: bool, **options: t.Any) -> None:
    """Make the call that Flask makes, for what stands in the place of Werkzeug's function."""
    application = _load_or_defer(info, serves=serving.is_running_from_reloader() or not use_reloader)
    # Through the package, where scripts replace it to be quiet.
    sys.modules["erlen.cli"].show_server_banner(get_debug_flag(), info.app_import_path)
    try:
        serving.run_simple(host, port, application, use_reloader=use_reloader, **options)
    finally:
        stop_serving(application)


def _load_or_defer(info: ScriptInfo, *, serves: bool) -> WSGIApplication:
    """Load the application, and begin its life span in the process that serves.

    After a reload, a broken one answers with its error until the next reload.
    """
    try:
        application = info.load_app()
        if serves and hasattr(application, "start_serving"):
            application.start_serving()
        return t.cast("WSGIApplication", application)
    except Exception as error:
        if not serving.is_running_from_reloader():
            raise
        failure = error.with_traceback(None) if isinstance(error, NoAppException) else own_traceback(error)
    traceback.print_exception(failure)
    trace = failure.__traceback__

    def raise_failure(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        # Raising adds frames to the traceback: each request begins with the original one.
        raise failure.with_traceback(trace)

    return raise_failure
