"""Checks of the names the application is served under, and of who may say what a request's client and host are."""

from __future__ import annotations

import re
import typing as t

from ...pipeline.safety import is_host
from .model import DoesNotApply, Finding, Subject
from .surroundings import is_a, middleware

_LOCAL = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0)(:\d+)?", re.IGNORECASE)
_COUNTS = ("x_for", "x_proto", "x_host", "x_port", "x_prefix")

# One proxy at the provider and one on the machine are usual.
_USUAL_PROXIES = 2


def trusted_hosts(subject: Subject) -> t.Iterator[Finding]:
    """Find any host name being answered, and entries that no host matches.

    A forged Host header ends up in links of mails and in caches (CVE-2026-48710; Litestar's CVE-2026-25479).
    """
    hosts: t.Any = subject.config.get("TRUSTED_HOSTS") or getattr(
        subject.app.request_class, "trusted_hosts", None
    )
    if not hosts:
        yield Finding(
            "TRUSTED_HOSTS is not set: a request may name any host, and links that are made of it, in mails for "
            "example, lead there.",
            f'app.config["TRUSTED_HOSTS"] = ["{_example(subject)}"]',
        )
        return
    for host in [hosts] if isinstance(hosts, str) else hosts:
        if not isinstance(host, str) or not _is_pattern(host):
            yield Finding(
                f"TRUSTED_HOSTS has {host!r}, which matches no host: an entry is a host name, or one with a dot in "
                f"front for all below it.",
                'app.config["TRUSTED_HOSTS"] = ["example.com", ".example.com"]',
                "error",
            )
        elif host.startswith(".") and "." not in host[1:] and host != ".localhost":
            yield Finding(
                f"TRUSTED_HOSTS has {host!r}, which trusts every host of that top-level domain.",
                f'app.config["TRUSTED_HOSTS"] = ["{_example(subject)}"]',
            )


def _is_pattern(host: str) -> bool:
    name = host.removeprefix(".")
    try:
        return is_host(name.encode("idna").decode())
    except UnicodeError:
        return False


def _example(subject: Subject) -> str:
    name = subject.config.get("SERVER_NAME")
    if not isinstance(name, str) or not is_host(name) or _LOCAL.fullmatch(name):
        return "example.com"
    return name.partition(":")[0]


def trusted_origins(subject: Subject) -> t.Iterator[Finding]:
    """Find trusted origins that others can speak for."""
    origins = subject.config.get("TRUSTED_ORIGINS") or ()
    # Of another type is for another check.
    for origin in [] if isinstance(origins, str) else origins:
        if str(origin).lower().startswith("http://"):
            yield Finding(
                f"TRUSTED_ORIGINS has {origin!r}: anybody between a visitor and that page can change it, and send "
                f"requests here with the visitor's cookies.",
                f'app.config["TRUSTED_ORIGINS"] = ["https://{str(origin)[7:]}"]',
            )


def server_name(subject: Subject) -> t.Iterator[Finding]:
    """Find a ``SERVER_NAME`` that is no host, or an ``APPLICATION_ROOT`` that is no path."""
    name = subject.config.get("SERVER_NAME")
    root = subject.config.get("APPLICATION_ROOT")
    if name is not None and not (isinstance(name, str) and _is_pattern(name) and not name.startswith(".")):
        yield Finding(
            f"SERVER_NAME is {name!r}, which is no host name: it has neither scheme nor path.",
            'app.config["SERVER_NAME"] = "example.com"  # or "example.com:8000"',
        )
    if not (isinstance(root, str) and root.startswith("/")):
        yield Finding(
            f"APPLICATION_ROOT is {root!r}, which is no path: it begins with a slash.",
            'app.config["APPLICATION_ROOT"] = "/"',
        )


def served_as(subject: Subject) -> t.Iterator[Finding]:
    """Find addresses, in mails for example, that lead nowhere or to http."""
    name = subject.config.get("SERVER_NAME")
    if not name:
        raise DoesNotApply("SERVER_NAME is not set: without a request no addresses are made")
    if _LOCAL.fullmatch(str(name)):
        yield Finding(
            f"SERVER_NAME is {name!r}: addresses that are made without a request, in mails for example, lead to the "
            f"reader's own machine.",
            'app.config["SERVER_NAME"] = "example.com"',
        )
    elif subject.config.get("PREFERRED_URL_SCHEME") != "https":
        yield Finding(
            "PREFERRED_URL_SCHEME is not 'https': addresses that are made without a request, in mails for example, "
            "begin with http://, and their tokens are read on the way.",
            'app.config["PREFERRED_URL_SCHEME"] = "https"',
        )


def proxies(subject: Subject) -> t.Iterator[Finding]:
    """Find headers of proxies being taken from anybody: clients then choose their address, host and scheme."""
    layers = middleware(subject)
    fixes = [layer for layer in layers if is_a(layer, "werkzeug.middleware.proxy_fix.ProxyFix")]
    if len(fixes) > 1:
        yield Finding(
            f"ProxyFix is around the application {len(fixes)} times: each one believes one proxy more than there is.",
            "# Once, with the number of proxies there are:\napp.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)",
            "error",
        )
    for fix in fixes:
        counts = {name: getattr(fix, name, 0) for name in _COUNTS}
        most = max(counts.values())
        if most > _USUAL_PROXIES:
            given = ", ".join(f"{name}={count}" for name, count in counts.items() if count == most)
            yield Finding(
                f"ProxyFix({given}) believes {most} proxies. If fewer are there, clients write the values themselves.",
                "# The number of proxies there are:\napp.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)",
            )
    for layer in layers:
        hosts = getattr(layer, "trusted_hosts", None)
        if is_a(layer, "uvicorn.middleware.proxy_headers.ProxyHeadersMiddleware") and getattr(
            hosts, "always_trust", False
        ):
            yield Finding(
                "ProxyHeadersMiddleware trusts every address: clients write their own address and scheme.",
                "# The proxy's address:\n"
                'app.asgi = ProxyHeadersMiddleware(app.asgi, trusted_hosts="127.0.0.1")',
                "error",
            )
    allowed = subject.environ.get("FORWARDED_ALLOW_IPS", "")
    if "*" in [one.strip() for one in allowed.split(",")]:
        yield Finding(
            "FORWARDED_ALLOW_IPS is '*' in the environment: gunicorn and uvicorn believe headers of proxies from "
            "anybody who reaches them.",
            "FORWARDED_ALLOW_IPS=127.0.0.1  # the proxy's address",
        )


def shared_resources(subject: Subject) -> t.Iterator[Finding]:
    """Find every site being allowed to read answers with its visitors' credentials.

    Flask-CORS then answers with the origin that asked. See CVE-2024-6221, CVE-2024-6839, CVE-2024-6844, CVE-2024-6866 as well.
    """
    fix = '# Each site that may:\napp.config["CORS_ORIGINS"] = ["https://app.example.com"]'
    message = "Flask-CORS lets every site read answers with the credentials of its visitors: {}."
    config = subject.config
    if config.get("CORS_SUPPORTS_CREDENTIALS") and _allows_all(config.get("CORS_ORIGINS", "*")):
        yield Finding(message.format("CORS_SUPPORTS_CREDENTIALS is on, and CORS_ORIGINS allows any"), fix)
        return
    for function in subject.app.after_request_funcs.get(None, ()):
        if getattr(function, "__module__", None) != "flask_cors.extension":
            continue
        kept = dict(
            zip(
                function.__code__.co_freevars,
                (cell.cell_contents for cell in function.__closure__ or ()),
                strict=True,
            )
        )
        for _, options in kept.get("resources", ()):
            if _option(options, "supports_credentials") and _allows_all(_option(options, "origins")):
                yield Finding(
                    message.format("CORS(..., supports_credentials=True) is called without 'origins'"),
                    'CORS(app, supports_credentials=True, origins=["https://app.example.com"])',
                )
                return


def _option(options: t.Any, name: str) -> t.Any:
    return options.get(name) if isinstance(options, t.Mapping) else getattr(options, name, None)


def _allows_all(origins: t.Any) -> bool:
    each = [origins] if isinstance(origins, str | re.Pattern) else origins or ()
    texts = [one.pattern if isinstance(one, re.Pattern) else one for one in each]
    return any(text in {"*", ".*"} for text in texts)
