"""What tests call an application with: requests and commands, without a server and without a terminal."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager

import werkzeug.test
from click.testing import CliRunner, Result
from werkzeug.http import dump_cookie, parse_cookie

from .cli import ScriptInfo, main

if t.TYPE_CHECKING:
    from .app import Sapling
    from .sessions import Session


class SaplingClient(werkzeug.test.Client):
    """A client that calls the application as a server would, and keeps cookies as a browser would."""

    application: Sapling

    @contextmanager
    def session_transaction(self) -> t.Generator[Session, None, None]:
        """Open the session between two requests, to read it or to put something into it."""
        app = self.application
        name = app.config["SESSION_COOKIE_NAME"]
        kept = self.get_cookie(name)
        headers = {"Cookie": dump_cookie(name, kept.value)} if kept else {}
        with app.test_request_context(headers=headers) as context:
            yield context.session
            response = app.response_class()
            context.save_session(response)
        for cookie in response.headers.getlist("Set-Cookie"):
            self.set_cookie(name, parse_cookie(cookie)[name])


class CommandRunner(CliRunner):
    """Runs commands in this process, and keeps what they print.

    :param app: the application they are for.
    """

    def __init__(self, app: Sapling) -> None:
        super().__init__()
        self.app = app

    def invoke(self, *args: t.Any, **kwargs: t.Any) -> Result:
        """Run a command of the application: ``invoke(args=["routes"])``."""
        if not args:
            args = (main,)
        return super().invoke(*args, **{"obj": ScriptInfo(app=self.app), **kwargs})
