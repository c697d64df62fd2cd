"""The process that serves: it loads the application, takes a server for it, and watches for changes."""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
import typing as t

import click

from ..debug import own_traceback
from . import banner, certificates, reloader, wsgi
from .ending import Ending
from .failures import plain_page, raising
from .protocol import choose

if t.TYPE_CHECKING:
    import ssl

    from .settings import Load, Settings
    from .watching import Watcher


class Process:
    """One run of the serving process.

    :param settings: what was asked for.
    :param handed: the socket, and what else all runs have in common.
    """

    def __init__(self, settings: Settings, handed: reloader.Handed) -> None:
        self._settings = settings
        self._handed = handed
        self._reloads = settings.reloads and handed.parent != 0
        self._ending = Ending(settings.owns_process)
        self._app: t.Any = None
        self._watcher: Watcher | None = None

    def run(self, load: Load, announce: t.Callable[[], object]) -> None:
        """Serve until the end."""
        ending = self._ending
        with ending.hearing_signals(), ending.waking():
            try:
                reloader.hear_interrupts()
                if self._reloads:
                    self._watch()
                self._serve(load, announce)
            except KeyboardInterrupt:
                if ending.signal is None:
                    raise
            finally:
                ending.server_ended()
                self._stop_app()
                ending.over()
                if self._watcher is not None:
                    self._watcher.stop()
        if ending.ends_process:
            sys.exit(ending.code)

    def _watch(self) -> None:
        # Only with the reloader.
        from .folders import Rules
        from .watching import Watcher

        settings = self._settings
        rules = Rules(settings.extra_files, settings.exclude_patterns)
        self._watcher = Watcher(rules, lambda path: self._start_again())
        self._watcher.start()
        if os.name == "posix":
            threading.Thread(target=self._watch_parent, name="erlen-parent", daemon=True).start()

    def _watch_parent(self) -> None:
        """End with the process that has started this one, in whatever way that was ended."""
        while os.getppid() == self._handed.parent:
            time.sleep(1)
        self._ending.ask(0)
        self._ending.insist()

    def _start_again(self) -> None:
        self._ending.ask(reloader.AGAIN_UNSAID if self._handed.first else reloader.AGAIN)

    def _serve(self, load: Load, announce: t.Callable[[], object]) -> None:
        tls = certificates.context_of(self._settings.certificate)
        try:
            app = self._app = load()
        except (Exception, SystemExit) as error:
            if self._ends_with(error):
                if isinstance(error, SystemExit):
                    # A server that does not come up, and says nothing of the reason, helps nobody.
                    traceback.print_exception(own_traceback(error))
                    sys.exit(1)
                raise
            self._serve_failure(error, announce, tls)
            return
        if self._ending.code is not None:
            # A file has changed meanwhile.
            return
        is_asgi, line = choose(app, self._settings.interface, self._settings.command)
        application, unlock_url = self._debugged(app, is_asgi)
        ready = self._once(announce, line, unlock_url)
        try:
            if is_asgi:
                self._serve_asgi(application, app, tls, ready)
                return
            if hasattr(app, "start_serving"):
                app.start_serving()
        except Exception as error:
            if not self._reloads or self._ending.code is not None:
                raise
            self._serve_failure(error, announce, tls)
            return
        ready()
        wsgi.serve(application, self._settings, self._handed.listener, tls, self._ending)

    def _serve_asgi(
        self, application: t.Any, app: t.Any, tls: ssl.SSLContext | None, ready: t.Callable[[], None]
    ) -> None:
        # Optional dependency, and slow to import.
        from . import asgi

        try:
            asgi.serve(application, app, self._handed.listener, tls, self._ending, ready)
        except asgi.FailedToStart as error:
            raise t.cast(Exception, error.__cause__) from None

    def _serve_failure(
        self, error: BaseException, announce: t.Callable[[], object], tls: ssl.SSLContext | None
    ) -> None:
        """Answer with the error, until a change starts this process again."""
        is_ours = isinstance(error, click.ClickException)
        failure = error if is_ours else own_traceback(error)
        if isinstance(error, click.ClickException):
            click.echo(f"Error: {error.format_message()}", err=True)
        else:
            traceback.print_exception(failure)
        application, unlock_url = plain_page, None
        # What is our own says all in its message: no frame of the user's would be in a traceback.
        if self._settings.debugger and not is_ours:
            application, unlock_url = self._debugged(raising(failure), is_asgi=False)
        self._once(announce, None, unlock_url)()
        wsgi.serve(application, self._settings, self._handed.listener, tls, self._ending)

    def _ends_with(self, error: BaseException) -> bool:
        """Return whether there is nothing to wait for: no reloader, or no such application from the beginning."""
        if not self._reloads or self._ending.code is not None:
            return True
        return self._handed.first and isinstance(error, click.ClickException)

    def _once(
        self, announce: t.Callable[[], object], protocol: str | None, unlock_url: str | None
    ) -> t.Callable[[], None]:
        """Return what is called when the server is ready: it says so, in the first process alone."""

        def ready() -> None:
            if not self._handed.first or self._ending.is_asked():
                return
            self._handed.first = False
            announce()
            banner.say_where(self._settings, self._handed.listener, protocol)
            banner.say_the_rest(unlock_url)
            if self._ending.is_asked(reloader.AGAIN_UNSAID):
                # It was asked for while that was said.
                self._ending.code = reloader.AGAIN

        return ready

    def _debugged(self, application: t.Any, is_asgi: bool) -> tuple[t.Any, str | None]:
        """Put the debugger around an application, where it was asked for, and return the link that unlocks it."""
        settings = self._settings
        if not settings.debugger:
            return application, None
        # Slow to import, for a server that is started often.
        from ..debugger import Debugger

        debugger = Debugger(
            application,
            secret=self._handed.secret,
            clients=settings.debugger_clients,
            hosts=settings.debugger_hosts,
        )
        url = banner.base_url(settings, self._handed.listener)
        return debugger, None if url is None else debugger.unlock_url(url)

    def _stop_app(self) -> None:
        if getattr(self._app, "is_serving", False):
            self._app.stop_serving()
