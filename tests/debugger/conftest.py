"""An application that fails in the debugger, and who visits it."""

from __future__ import annotations

import typing as t

import pytest

from debugged import Visitor
from erlen import Erlen, request, session
from erlen.debugger import Debugger


def divide(amount: int, parts: int) -> float:
    return amount / parts


@pytest.fixture
def failing(app: Erlen) -> Erlen:
    """Return an application in debug mode with views that fail."""
    app.debug = True
    app.testing = False
    app.secret_key = "the-key-of-the-application"

    @app.route("/divide", methods=["GET", "POST"])
    def division() -> str:
        amount, password = 7, "correct horse"
        assert password
        return str(divide(amount, 0))

    @app.get("/divide-async")
    async def division_async() -> str:
        amount = 7
        return str(divide(amount, 0))

    @app.post("/form")
    def form() -> str:
        session["user"] = "ada"
        session["csrf_token"] = "token-of-the-session"
        return str(divide(len(request.form), 0))

    @app.get("/fine")
    def fine() -> str:
        return "fine"

    return app


@pytest.fixture
def debugger(failing: Erlen) -> Debugger:
    return Debugger(failing)


@pytest.fixture(params=["wsgi", "asgi"])
def visitor(debugger: Debugger, request: pytest.FixtureRequest) -> Visitor:
    """Return who asks over each protocol."""
    return Visitor(debugger, t.cast(str, request.param))
