"""Exercises of chapter 10: a client that keeps the last request active, and a command that serves over ASGI."""

from __future__ import annotations

import typing as t

import click

from chapter_10 import Context, Sapling, SaplingClient, request_started
from chapter_10.ctx import current_context
from chapter_11.cli import with_appcontext
from chapter_11.ctx import current_context as current_context_11

if t.TYPE_CHECKING:
    from types import TracebackType

    from werkzeug.test import TestResponse


class KeepingClient(SaplingClient):
    """A client that keeps the last request active within ``with client:``, for a test that looks at ``session``.

    Its functions at the end run when the next request begins, and at the end of the block.
    """

    _kept: Context | None = None

    def __enter__(self) -> t.Self:
        request_started.connect(self._keep, self.application)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        request_started.disconnect(self._keep, self.application)
        self._let_go()

    def open(self, *args: t.Any, **kwargs: t.Any) -> TestResponse:
        """Send a request; the one before ends first, as it would keep its context beneath this one's."""
        self._let_go()
        return super().open(*args, **kwargs)

    def _keep(self, sender: Sapling) -> None:
        # A second time: the end of the request takes this one away, and the first stays.
        self._kept = current_context()
        self._kept.push()

    def _let_go(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.pop()


@click.command("run")
@click.option("--port", default=5000, show_default=True)
@with_appcontext
def run(port: int) -> None:
    """Serve the application for development: over ASGI where uvicorn is installed. ``main.add_command(run)`` adds it."""
    app = current_context_11().app
    try:
        import uvicorn  # Only this command needs it, and does without where it is not there.
    except ImportError:
        from werkzeug.serving import run_simple

        run_simple("127.0.0.1", port, app)
    else:
        # Said, as uvicorn cannot see it: `__call__` is a plain method that returns what is to be awaited.
        uvicorn.run(app, host="127.0.0.1", port=port, interface="asgi3", lifespan="on")
