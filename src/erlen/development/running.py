"""Where both begin: the process that watches over the reloads, and the one that serves."""

from __future__ import annotations

import os
import secrets
import sys
import typing as t

from . import certificates, reloader, sockets

if t.TYPE_CHECKING:
    from .settings import Load, Settings


def run(settings: Settings, load: Load, announce: t.Callable[[], object]) -> None:
    """Serve an application until the end.

    With the reloader this starts processes that do it, and that come here again.

    :param settings: what was asked for.
    :param load: returns the application; with the reloader it is called in the serving process alone.
    :param announce: says what is about to be served.
    :raises click.ClickException: when there is no listening, no such certificate, no such application.
    :raises SystemExit: where the process is to end with a code of its own.
    """
    settings.host = sockets.plain_host(settings.host)
    handed = reloader.take_over()
    if handed is not None:
        if handed.certificate is not None:
            settings.certificate = handed.certificate
        with handed.listener:
            _serve(settings, handed, load, announce)
        return
    # A variable that was inherited from the reloader of another server.
    os.environ.pop("WERKZEUG_RUN_MAIN", None)
    with certificates.prepared(settings.certificate) as certificate:
        settings.certificate = certificate
        secret = secrets.token_urlsafe()
        with sockets.listening(settings.host, settings.port, settings.command) as listener:
            if settings.reloads:
                # Code of a script before its 'app.run()' handles Ctrl-C as it likes.
                sys.exit(reloader.supervise(listener, secret, certificate, settings.owns_process))
            _serve(settings, reloader.Handed(listener, secret, None, True, 0), load, announce)


def _serve(settings: Settings, handed: reloader.Handed, load: Load, announce: t.Callable[[], object]) -> None:
    # Not for the process that watches over the reloads.
    from .process import Process

    Process(settings, handed).run(load, announce)
