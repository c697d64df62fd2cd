"""What belongs to one visitor or one request: sessions, flashed messages, a callback."""

from __future__ import annotations

import typing as t

from ...data import AFTER_HEADER, CART, KEY, USER
from .making import make_app


def _make_app(options: dict[str, t.Any]) -> tuple[t.Any, t.Any]:
    framework, app = make_app(options)
    # Only here: with a key Flask opens a session for every request, which would add 50 us to all its other cases.
    app.config["SECRET_KEY"] = KEY
    return framework, app


def session(**options: t.Any) -> t.Any:
    framework, app = _make_app(options)

    @app.get("/login")
    def login() -> str:
        framework.session["user"] = USER
        framework.session["cart"] = CART
        return "written"

    @app.get("/session")
    def read() -> str:
        return f"{framework.session['user']} {len(framework.session['cart'])}"

    @app.get("/untouched")
    def untouched() -> str:
        return "Hello, World!"

    return app


def flash(**options: t.Any) -> t.Any:
    framework, app = _make_app(options)

    @app.get("/flash")
    def add() -> str:
        framework.flash("saved")
        return "flashed"

    @app.get("/messages")
    def messages() -> str:
        shown = " ".join(framework.get_flashed_messages())
        framework.flash("saved")
        return shown

    return app


def after_this_request(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    @app.get("/")
    def index() -> str:
        @framework.after_this_request
        def add(response: t.Any) -> t.Any:
            response.headers[AFTER_HEADER] = "1"
            return response

        return "Hello, World!"

    return app
