"""What the tests of the chapters share."""

from __future__ import annotations

import importlib
import typing as t
from wsgiref.validate import validator

from werkzeug.test import Client, TestResponse

import erlen

CHAPTERS = range(1, 13)

#: What a chapter is, and what Erlen is: a module with an application class, proxies and helpers.
Framework: t.TypeAlias = t.Any


def chapter(number: int) -> Framework:
    """Return the package of a chapter."""
    return importlib.import_module(f"chapter_{number:02}")


def new_app(framework: Framework) -> t.Any:
    """Return an empty application of a chapter, or of Erlen."""
    if framework is erlen:
        return erlen.Erlen("framework_example")
    takes_name = hasattr(framework, "render_template")
    return framework.Sapling("framework_example") if takes_name else framework.Sapling()


def validated(app: t.Any) -> t.Any:
    """Wrap an application so that what it does wrong by PEP 3333 is an error."""

    def run(environ: t.Any, start_response: t.Any) -> t.Any:
        return validator(app.wsgi_app)({**environ}, start_response)

    return run


def ask(app: t.Any, path: str, method: str = "GET", **options: t.Any) -> TestResponse:
    """Send one request, through the validator."""
    # Read to its end and closed at once: the validator minds a body that is forgotten.
    return Client(validated(app), use_cookies=False).open(path, method=method, buffered=True, **options)


def told(response: TestResponse) -> tuple[t.Any, ...]:
    """Return what two frameworks have to agree about."""
    text = response.get_data(as_text=True) if response.status_code == 200 else ""
    allowed = sorted(response.headers.get("Allow", "").split(", "))
    location = response.headers.get("Location", "").removeprefix("http://localhost")
    return response.status_code, text, response.mimetype, allowed, location
