"""Checks for what belongs on a developer's machine: debug mode, its middleware, its settings and its logging."""

from __future__ import annotations

import logging
import re
import typing as t

from ...pipeline.bridge import is_async, spelled_async
from ...variables import prefixes
from .model import DoesNotApply, Finding, Subject
from .surroundings import class_name, is_a, middleware

# Erlen's own, in whichever file of its package.
_DEBUGGER = re.compile(r"werkzeug\.debug\.DebuggedApplication|erlen\.debugger(\.\w+)*\.Debugger")
_SLOW = {
    "werkzeug.middleware.profiler.ProfilerMiddleware": "measures every request with cProfile",
    "werkzeug.middleware.lint.LintMiddleware": "checks every request and response against PEP 3333",
}
_OFF = {"", "0", "false", "no"}


def debug_on(subject: Subject) -> t.Iterator[Finding]:
    """Find debug mode.

    The debugger executes code for whoever reaches it (CVE-2016-10516, CVE-2019-14806, CVE-2024-34069).
    """
    if not subject.app.debug:
        return
    for prefix in prefixes:
        value = subject.environ.get(f"{prefix}_DEBUG")
        if value is not None and value.lower() not in _OFF:
            yield Finding(
                f"Debug mode is on: {prefix}_DEBUG is {value!r}, in the environment or in an env file of this folder. "
                f"Errors show the code and its variables to strangers.",
                f"# Where it is served:\n{prefix}_DEBUG=0\n"
                f"# Here, to check without the env files:\n{prefix}_SKIP_DOTENV=1 erlen check --deploy",
            )
            return
    yield Finding(
        "Debug mode is on, switched on by the application's own configuration. Errors show the code and its variables "
        "to strangers.",
        "# Remove app.debug = True or DEBUG = True; for development:\nerlen run --debug",
    )


def testing_on(subject: Subject) -> t.Iterator[Finding]:
    """Find ``TESTING``, with which errors reach the server and extensions switch protections off."""
    if subject.config.get("TESTING"):
        yield Finding(
            "TESTING is on: errors are raised to the server in place of an answer, and extensions send no mail or "
            "ask for no login.",
            'app.config["TESTING"] = False  # True in tests alone',
        )


def propagated(subject: Subject) -> t.Iterator[Finding]:
    """Find ``PROPAGATE_EXCEPTIONS``: errors reach the server, and error handlers are passed by."""
    if subject.config.get("PROPAGATE_EXCEPTIONS"):
        yield Finding(
            "PROPAGATE_EXCEPTIONS is on: an error is raised to the server, which drops the connection or shows a page "
            "of its own. The application's handler of errors is never asked.",
            'app.config["PROPAGATE_EXCEPTIONS"] = None',
        )


def trapped(subject: Subject) -> t.Iterator[Finding]:
    """Find settings that make errors of the code of HTTP errors."""
    for key, what in (
        ("TRAP_HTTP_EXCEPTIONS", "abort(404) and its like"),
        ("TRAP_BAD_REQUEST_ERRORS", "a form without an expected field"),
    ):
        if subject.config.get(key):
            yield Finding(
                f"{key} is on: {what} ends in a 500, so that anybody can fill the log with errors.",
                f'app.config["{key}"] = {None if key == "TRAP_BAD_REQUEST_ERRORS" else False}',
            )


def development_middleware(subject: Subject) -> t.Iterator[Finding]:
    """Find debuggers, profilers and the like around the application."""
    for layer in middleware(subject):
        if _DEBUGGER.fullmatch(class_name(layer)):
            yield Finding(
                f"{class_name(layer)} is around the application. It shows the code to strangers, and may execute theirs.",
                f"# Remove app.wsgi_app = {type(layer).__name__}(...); for development:\nerlen run --debug",
            )
        for name, does in _SLOW.items():
            if is_a(layer, name):
                yield Finding(
                    f"{name} is around the application. It {does}.",
                    f"# Remove app.wsgi_app = {type(layer).__name__}(...).",
                    "warning",
                )
    if "_debug_toolbar.static" in subject.app.view_functions:
        yield Finding(
            "Flask-DebugToolbar is active. It shows configuration, queries and templates on each page.",
            'app.config["DEBUG_TB_ENABLED"] = False',
        )


def verbose_logging(subject: Subject) -> t.Iterator[Finding]:
    """Find logging at the level DEBUG, and queries that are logged with their values."""
    # By name: the attribute 'logger' would set it up.
    name = str(subject.app.name)
    logger = logging.getLogger(name)
    if not subject.app.debug and logger.getEffectiveLevel() <= logging.DEBUG:
        own = logger.level != logging.NOTSET
        yield Finding(
            "Logging is at the level DEBUG: libraries write contents of requests and queries to the log, and writing "
            "takes time.",
            f"logging.getLogger({name!r}).setLevel(logging.INFO)"
            if own
            else "logging.getLogger().setLevel(logging.INFO)",
        )
    if subject.config.get("SQLALCHEMY_ECHO"):
        yield Finding(
            "SQLALCHEMY_ECHO is on: each query is written to the log, with its values.",
            'app.config["SQLALCHEMY_ECHO"] = False',
        )


def uncompiled_routes(subject: Subject) -> t.Iterator[Finding]:
    """Find what makes Werkzeug's matcher answer for every request, where compiled routes could."""
    app = subject.app
    rules = sum(1 for _ in app.url_map.iter_rules())
    if app.url_map.host_matching or app.subdomain_matching:
        raise DoesNotApply("hosts or subdomains are matched, which only Werkzeug's matcher does")
    if (
        "create_url_adapter" in vars(app)
        or type(app).create_url_adapter is not app.stock["create_url_adapter"]
    ):
        yield Finding(
            f"'create_url_adapter' is overridden, so that each request is matched by Werkzeug and none of the "
            f"{rules} compiled rules is used.",
            "# Remove it. What changes the values of URLs without it:\n@app.url_defaults\n@app.url_value_preprocessor",
        )


def plain_middleware(subject: Subject) -> t.Iterator[Finding]:
    """Find middleware around ``wsgi_app`` of an application with async views: each of its requests takes a thread."""
    app = subject.app
    if "wsgi_app" not in vars(app):
        return
    # Not 'asgi_reason', which has none where middleware is around 'wsgi_app'.
    if not any(is_async(view) or spelled_async(view) for view in app.view_functions.values()):
        return
    yield Finding(
        "There is middleware around app.wsgi_app, and the application has async views: over ASGI each request goes "
        "through the middleware on a worker thread, and holds it until it is answered.",
        "# ASGI middleware that does the same, where there is one:\napp.asgi = Middleware(app.asgi)",
    )
