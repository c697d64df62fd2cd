"""Checks of what a request may cost, and of what the safe profile refuses or adds."""

from __future__ import annotations

import typing as t

from .model import DoesNotApply, Finding, Subject
from .surroundings import hooks_of

_LARGE_BODY = 1024 * 1024 * 1024
_MEGABYTE = 1024 * 1024


def body(subject: Subject) -> t.Iterator[Finding]:
    """Find request bodies without a limit, which fill memory or disk (CVE-2018-1000656, CVE-2024-47874)."""
    value = subject.config.get("MAX_CONTENT_LENGTH")
    if getattr(subject.app.request_class, "max_content_length", None).__class__ is int:
        # A request class that sets a number of its own.
        return
    fix = 'app.config["MAX_CONTENT_LENGTH"] = 16 * 1024 * 1024'
    if value is None:
        yield Finding(
            "MAX_CONTENT_LENGTH is None: a request body of any size is received, and can fill the memory or the disk.",
            f"{fix}\nrequest.max_content_length = ...  # in a view that takes more",
        )
    elif isinstance(value, int) and value > _LARGE_BODY:
        yield Finding(
            f"MAX_CONTENT_LENGTH is {value // _MEGABYTE} MiB, for every view: a few requests at the same time can fill "
            f"the memory or the disk.",
            f"{fix}\nrequest.max_content_length = {value}  # in a view that takes so much",
        )


def form(subject: Subject) -> t.Iterator[Finding]:
    """Find forms without limits (CVE-2023-25577, CVE-2023-30798, CVE-2024-49767, CVE-2026-54283)."""
    for key, what, default in (
        ("MAX_FORM_MEMORY_SIZE", "a form field of any size is kept in memory", 500_000),
        ("MAX_FORM_PARTS", "a form may have any number of parts, each of which costs time", 1_000),
    ):
        if key in subject.config and subject.config[key] is None:
            yield Finding(f"{key} is None: {what}.", f'app.config["{key}"] = {default}')


def websocket(subject: Subject) -> t.Iterator[Finding]:
    """Find WebSockets without limits."""
    if not any(rule.websocket for rule in subject.app.url_map.iter_rules()):
        raise DoesNotApply("the application has no WebSockets")
    for key, what, default in (
        ("WEBSOCKET_MAX_MESSAGE_SIZE", "a message of any size is kept in memory", 1024 * 1024),
        (
            "WEBSOCKET_RECEIVE_TIMEOUT",
            "messages that the handler does not receive wait for ever, and hide that the client has gone",
            60,
        ),
    ):
        if key in subject.config and subject.config[key] is None:
            yield Finding(f"{key} is None: {what}.", f'app.config["{key}"] = {default}')


def malformed(subject: Subject) -> t.Iterator[Finding]:
    """Find requests that no correct client sends being answered (CVE-2026-48710, CVE-2026-54282)."""
    if not subject.config.get("REFUSE_MALFORMED_REQUESTS"):
        yield Finding(
            "REFUSE_MALFORMED_REQUESTS is off: requests with a Host, a length or a path that no correct client sends "
            "reach the views.",
            'app.config["REFUSE_MALFORMED_REQUESTS"] = True',
        )


def cross_origin(subject: Subject) -> t.Iterator[Finding]:
    """Find requests of other sites being answered, where no extension refuses them (CVE-2021-32677)."""
    config = subject.config
    if config.get("CROSS_ORIGIN_PROTECTION"):
        return
    tokens = "csrf" in subject.app.extensions
    off = [key for key in ("WTF_CSRF_ENABLED", "WTF_CSRF_CHECK_DEFAULT") if config.get(key) is False]
    if tokens and not off:
        return
    also = f" and {off[0]} is False" if off else ""
    yield Finding(
        f"CROSS_ORIGIN_PROTECTION is off{also}: a page of any site can make a visitor's browser send POST, PUT, PATCH "
        f"and DELETE here, with the visitor's cookies.",
        'app.config["CROSS_ORIGIN_PROTECTION"] = True',
    )


def headers(subject: Subject) -> t.Iterator[Finding]:
    """Find security headers that are not sent."""
    if hooks_of(subject, "flask_talisman"):
        raise DoesNotApply("Flask-Talisman sets these headers")
    for key, default, why in (
        ("CONTENT_TYPE_OPTIONS", "nosniff", "a browser may take an upload for a script or a page"),
        (
            "REFERRER_POLICY",
            "strict-origin-when-cross-origin",
            "it is left to the browser how much of an address other sites learn",
        ),
    ):
        if not subject.config.get(key):
            yield Finding(
                f"{key} is {subject.config.get(key)!r}: {why}.", f'app.config["{key}"] = "{default}"'
            )


def policy(subject: Subject) -> t.Iterator[Finding]:
    """Find an application without a Content-Security-Policy."""
    if hooks_of(subject, "flask_talisman"):
        raise DoesNotApply("Flask-Talisman sets this header")
    config = subject.config
    if config.get("CONTENT_SECURITY_POLICY"):
        return
    trial = bool(config.get("CONTENT_SECURITY_POLICY_REPORT_ONLY"))
    yield Finding(
        "CONTENT_SECURITY_POLICY is not set"
        + (", only the one under trial" if trial else "")
        + ": a script that gets into a page is executed.",
        'app.config["CONTENT_SECURITY_POLICY"] = {\n'
        '    "default-src": "\'self\'", "object-src": "\'none\'", "base-uri": "\'none\'",\n'
        '    "frame-ancestors": "\'none\'", "form-action": "\'self\'",\n'
        "}",
    )
