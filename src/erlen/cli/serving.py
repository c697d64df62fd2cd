"""The ``run`` command: the development server."""

from __future__ import annotations

import sys
import traceback
import typing as t

import click

# Called through its module: debuggers and profilers replace 'serving.run_simple' there (D11).
from werkzeug import serving

from ..debug import own_traceback
from ..helpers import get_debug_flag
from .locate import NoAppException, ScriptInfo, pass_script_info
from .parameters import CertParamType, SeparatedPathType, validate_key

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def show_server_banner(debug: bool, app_import_path: str | None) -> None:
    """Print what is about to be served.

    The process that the reloader starts again and again prints nothing.

    :param debug: whether debug mode is on.
    :param app_import_path: as the user named the application, or ``None``.
    """
    if serving.is_running_from_reloader():
        return
    if app_import_path is not None:
        click.echo(f" * Serving Erlen app {app_import_path!r}")
    click.echo(f" * Debug mode: {'on' if debug else 'off'}")


@click.command("run", short_help="Run a development server.")
@click.option("--host", "-h", default="127.0.0.1", help="The interface to listen on.")
@click.option(
    "--port",
    "-p",
    default=5000,
    # A greater number would be served on another port: its last 16 bits.
    type=click.IntRange(0, 65535),
    help="The port to listen on; 0 takes a free one.",
)
@click.option("--cert", type=CertParamType(), help="Serve HTTPS with this certificate.", is_eager=True)
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
    "--extra-files",
    default=None,
    type=SeparatedPathType(),
    help="More files to reload for, separated as in PATH.",
)
@click.option(
    "--exclude-patterns",
    default=None,
    type=SeparatedPathType(),
    help="Files not to reload for, as shell patterns separated as in PATH.",
)
@pass_script_info
def run_command(
    info: ScriptInfo,
    host: str,
    port: int,
    reload: bool | None,
    debugger: bool | None,
    with_threads: bool,
    cert: t.Any,
    extra_files: list[str] | None,
    exclude_patterns: list[str] | None,
) -> None:
    """Run a server for development.

    It is not made for production: it is neither secure, nor stable, nor fast enough for that. '--debug' turns
    on the reloader and the debugger.
    """
    debug = get_debug_flag()
    reloads = debug if reload is None else reload
    application = _load_or_defer(info, serves=serving.is_running_from_reloader() or not reloads)
    # Through the package, where scripts replace it to be quiet.
    sys.modules["erlen.cli"].show_server_banner(debug, info.app_import_path)
    try:
        serving.run_simple(
            host,
            port,
            application,
            use_reloader=reloads,
            use_debugger=debug if debugger is None else debugger,
            threaded=with_threads,
            ssl_context=cert,
            extra_files=extra_files,
            exclude_patterns=exclude_patterns,
        )
    finally:
        stop_serving(application)


def stop_serving(application: t.Any) -> None:
    """End the life span of an application, if it has one that has begun.

    :param application: what was served.
    """
    if getattr(application, "is_serving", False):
        application.stop_serving()


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
        failure = error if isinstance(error, NoAppException) else own_traceback(error)
    traceback.print_exception(failure)
    trace = failure.__traceback__

    def raise_failure(environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        # Raising adds frames to the traceback: each request begins with the original one.
        raise failure.with_traceback(trace)

    return raise_failure
