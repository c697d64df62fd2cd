"""Checks of the session: its cookie, how long it lives and what it may hold.

What the sessions of the application's interface are is asked of the interface, as an extension may have its own.
"""

from __future__ import annotations

import typing as t
from datetime import timedelta

from ...profiles import DEFAULTS
from .model import DoesNotApply, Finding, Subject
from .surroundings import hooks_of

_BROWSER_LIMIT: int = DEFAULTS["safe"]["MAX_COOKIE_SIZE"]
_LONG = timedelta(days=90)


def secure(subject: Subject) -> t.Iterator[Finding]:
    """Find a session cookie that is sent over http as well."""
    value = subject.config.get("SESSION_COOKIE_SECURE")
    extensions = [getattr(hook, "__self__", None) for hook in hooks_of(subject, "flask_talisman")]
    if any(getattr(one, "session_cookie_secure", False) for one in extensions):
        raise DoesNotApply("Flask-Talisman sets SESSION_COOKIE_SECURE with the first request")
    if not value:
        yield Finding(
            f"SESSION_COOKIE_SECURE is {value!r}: the browser sends the session over http as well, where anybody on "
            f"the way reads it.",
            'app.config["SESSION_COOKIE_SECURE"] = True',
        )


def httponly(subject: Subject) -> t.Iterator[Finding]:
    """Find a session cookie that scripts can read."""
    value = subject.config.get("SESSION_COOKIE_HTTPONLY")
    if not value:
        yield Finding(
            f"SESSION_COOKIE_HTTPONLY is {value!r}: a script that gets into a page can read the session and send it "
            f"away.",
            'app.config["SESSION_COOKIE_HTTPONLY"] = True',
        )


def samesite(subject: Subject) -> t.Iterator[Finding]:
    """Find a session cookie that other sites' requests carry, or that browsers drop for how it says so."""
    value = subject.config.get("SESSION_COOKIE_SAMESITE")
    fix = 'app.config["SESSION_COOKIE_SAMESITE"] = "Lax"'
    if value is None:
        yield Finding(
            "SESSION_COOKIE_SAMESITE is None: it is left to the browser whether requests of other sites carry the "
            "session. Some send it with every one of them.",
            fix,
        )
    elif str(value).lower() == "none":
        if subject.config.get("SESSION_COOKIE_SECURE") is not True:
            yield Finding(
                'SESSION_COOKIE_SAMESITE is "None" without SESSION_COOKIE_SECURE = True: browsers drop such a cookie '
                "where the request is http, and users are never logged in.",
                'app.config["SESSION_COOKIE_SECURE"] = True',
                "error",
            )
        if not subject.config.get("CROSS_ORIGIN_PROTECTION"):
            yield Finding(
                'SESSION_COOKIE_SAMESITE is "None": requests of every other site carry the session, and nothing '
                "refuses those that change something.",
                f'{fix}\n# Or, where other sites embed this one:\napp.config["CROSS_ORIGIN_PROTECTION"] = True',
            )


def domain(subject: Subject) -> t.Iterator[Finding]:
    """Find a session cookie that all hosts of a domain get."""
    value = subject.config.get("SESSION_COOKIE_DOMAIN")
    if value:
        yield Finding(
            f"SESSION_COOKIE_DOMAIN is {value!r}: every host below it gets the session, and can set one.",
            'app.config["SESSION_COOKIE_DOMAIN"] = None  # this host alone',
        )


def prefix(subject: Subject) -> t.Iterator[Finding]:
    """Find a name of the session cookie that promises more than the cookie keeps; and advise such a name.

    A cookie without a name can pass for one of these (CVE-2023-23934, fixed in Werkzeug 2.2.3).
    """
    name = str(subject.config.get("SESSION_COOKIE_NAME"))
    is_secure = subject.config.get("SESSION_COOKIE_SECURE") is True
    path = subject.config.get("SESSION_COOKIE_PATH") or subject.config.get("APPLICATION_ROOT")
    named_host, is_host = (
        name.startswith("__Host-"),
        path == "/" and not subject.config.get("SESSION_COOKIE_DOMAIN"),
    )
    if (named_host or name.startswith("__Secure-")) and not is_secure:
        yield Finding(
            f"The session cookie is called {name!r}, and SESSION_COOKIE_SECURE is not True: browsers drop a cookie of "
            f"such a name without Secure, and users are never logged in.",
            'app.config["SESSION_COOKIE_SECURE"] = True',
            "error",
        )
    if named_host and not is_host:
        yield Finding(
            f"The session cookie is called {name!r}, and has a domain or a path other than '/': browsers drop it, and "
            f"users are never logged in.",
            'app.config["SESSION_COOKIE_DOMAIN"] = None\napp.config["SESSION_COOKIE_PATH"] = "/"',
            "error",
        )
    if not name.startswith("__") and is_secure and is_host:
        yield Finding(
            f"The session cookie is called {name!r}: other hosts of the domain can set a cookie of that name. Browsers "
            f"protect a name that begins with '__Host-'.",
            '# This logs everybody out once:\napp.config["SESSION_COOKIE_NAME"] = "__Host-session"',
        )


def partitioned(subject: Subject) -> t.Iterator[Finding]:
    """Find a partitioned cookie that no embedding site gets."""
    same = str(subject.config.get("SESSION_COOKIE_SAMESITE")).lower()
    if subject.config.get("SESSION_COOKIE_PARTITIONED") and (
        subject.config.get("SESSION_COOKIE_SAMESITE") is None or same != "none"
    ):
        yield Finding(
            'SESSION_COOKIE_PARTITIONED is on, and SESSION_COOKIE_SAMESITE is not "None": a page in a frame of another '
            "site, which the first is for, never gets the session.",
            'app.config["SESSION_COOKIE_PARTITIONED"] = False\n'
            "# Or, where other sites embed this one:\n"
            'app.config["SESSION_COOKIE_SAMESITE"] = "None"',
        )


def remember(subject: Subject) -> t.Iterator[Finding]:
    """Find the cookie of Flask-Login that logs users in again, where it is less protected than it can be."""
    if not hasattr(subject.app, "login_manager"):
        raise DoesNotApply("Flask-Login is not used")
    for key, default, why in (
        ("REMEMBER_COOKIE_SECURE", False, "it is sent over http as well"),
        ("REMEMBER_COOKIE_HTTPONLY", True, "scripts can read it"),
    ):
        if not subject.config.get(key, default):
            yield Finding(
                f"{key} is off: the cookie with which Flask-Login logs users in again lives for a year, and {why}.",
                f'app.config["{key}"] = True',
            )


def lifetime(subject: Subject) -> t.Iterator[Finding]:
    """Find sessions that live very long, or not at all."""
    value: t.Any = subject.config.get("PERMANENT_SESSION_LIFETIME")
    if isinstance(value, int | float):
        value = timedelta(seconds=value)
    fix = 'app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(days=31)'
    if not isinstance(value, timedelta):
        return
    if value <= timedelta():
        yield Finding(
            "PERMANENT_SESSION_LIFETIME is not positive: every session has ended before it is read.",
            fix,
            "error",
        )
    elif value > _LONG:
        yield Finding(
            f"PERMANENT_SESSION_LIFETIME is {value.days} days: so long a session that somebody has copied is good.",
            fix,
        )


def size(subject: Subject) -> t.Iterator[Finding]:
    """Find sessions that browsers drop without a word (issue 3080 of Flask)."""
    if subject.config.get("SESSION_COOKIE_OVERFLOW") == "warn":
        yield Finding(
            'SESSION_COOKIE_OVERFLOW is "warn": a session that is too large for a cookie is sent all the same. The '
            "browser drops it, and the user is logged out or loses the cart.",
            'app.config["SESSION_COOKIE_OVERFLOW"] = "error"',
        )
    limit = subject.config.get("MAX_COOKIE_SIZE")
    if isinstance(limit, int) and (limit <= 0 or limit > _BROWSER_LIMIT):
        yield Finding(
            f"MAX_COOKIE_SIZE is {limit}: browsers keep {_BROWSER_LIMIT} bytes of a cookie, and nothing tells when a "
            f"session is larger.",
            f'app.config["MAX_COOKIE_SIZE"] = {_BROWSER_LIMIT}',
        )


def _name_of(module: t.Any) -> str:
    return getattr(module, "__name__", "")


def pickled(subject: Subject) -> t.Iterator[Finding]:
    """Find sessions that are read with pickle: who can write to their store executes code."""
    interface = subject.app.session_interface
    if (
        getattr(interface, "pickle_based", False)
        or _name_of(getattr(interface, "serializer", None)) == "pickle"
    ):
        yield Finding(
            f"{type(interface).__name__} reads sessions with pickle: who can write to their store executes code in the "
            f"application.",
            "# One that keeps JSON or MessagePack; the extension's latest release may:\napp.session_interface = ...",
        )
