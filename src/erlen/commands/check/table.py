"""The checks, in the order in which they are made."""

from __future__ import annotations

import typing as t

from . import (
    cookies,
    dependencies,
    deployment,
    development,
    files,
    hosts,
    keys,
    limits,
    routes,
    settings,
    templates,
)
from .model import Check, Finding, Severity, Subject


def _deployed(
    id: str, severity: Severity, title: str, find: t.Callable[[Subject], t.Iterable[Finding]]
) -> Check:
    return Check(id, severity, title, find, deploy=True)


# fmt: off
#: Made each time.
ALWAYS = (
    #     id                      severity   title                                                    function
    Check("routes-shadowed",      "warning", "Every route is reached by its requests",                routes.shadowed),
    Check("routes-unmatchable",   "warning", "Every route can match",                                 routes.unmatchable),
    Check("routes-braces",        "warning", "Variables of routes are written as <name>",              routes.braces),
    Check("routes-without-view",  "error",   "Every route has a view",                                routes.without_view),
    Check("views-unanswered",     "error",   "Class-based views answer what their routes accept",     routes.unanswered),
    Check("folders-missing",      "warning", "The folders of templates and static files are there",   templates.missing_folders),
    Check("templates-missing",    "error",   "The templates that views render are there",             templates.missing_templates),
    Check("config-types",         "error",   "Values of the configuration are of the right kind",     settings.wrong_kind),
    Check("config-secrets",       "error",   "Secret keys are text or bytes",                         settings.secrets_of_wrong_kind),
    Check("config-unusable",      "error",   "Origins, headers and policies can be used",             settings.unusable),
    Check("config-unread",        "warning", "Every key of the configuration is read",                settings.misspelled),
    Check("server-name",          "error",   "SERVER_NAME and APPLICATION_ROOT are a host and a path", hosts.server_name),
    Check("extension-checks",     "error",   "The checks of extensions could be loaded",              settings.plugins),
    Check("skip-unknown",         "warning", "What pyproject.toml skips is there",                    settings.skips),
)

#: Made with ``--deploy`` as well.
DEPLOY = (
    _deployed("debug-on",              "error",   "Debug mode is off",                                     development.debug_on),
    _deployed("testing-on",            "error",   "TESTING is off",                                        development.testing_on),
    _deployed("exceptions-propagated", "warning", "Errors are answered by the application",                development.propagated),
    _deployed("errors-trapped",        "warning", "HTTP errors are answers",                               development.trapped),
    _deployed("development-middleware", "error",  "No debugger and no profiler is around the application", development.development_middleware),
    _deployed("development-server",    "error",   "A server for production is started",                    deployment.development_server),
    _deployed("logging-verbose",       "warning", "Logging leaves out contents",                           development.verbose_logging),
    _deployed("secret-key-missing",    "error",   "There is a secret key",                                 keys.missing),
    _deployed("secret-key-weak",       "error",   "The secret keys cannot be guessed",                     keys.weak),
    _deployed("secret-key-in-code",    "warning", "The secret keys are kept out of the code",              keys.in_code),
    _deployed("cookie-secure",         "error",   "The session is sent over https alone",                  cookies.secure),
    _deployed("cookie-httponly",       "error",   "Scripts cannot read the session",                       cookies.httponly),
    _deployed("cookie-samesite",       "warning", "Requests of other sites are sent without the session",  cookies.samesite),
    _deployed("cookie-domain",         "warning", "The session is this host's alone",                      cookies.domain),
    _deployed("cookie-prefix",         "info",    "The name of the session's cookie protects it",          cookies.prefix),
    _deployed("cookie-partitioned",    "warning", "A partitioned session reaches embedded pages",          cookies.partitioned),
    _deployed("cookie-remember",       "warning", "The cookie that logs in again is protected",            cookies.remember),
    _deployed("session-lifetime",      "warning", "Sessions end in good time",                             cookies.lifetime),
    _deployed("session-size",          "warning", "A session that is too large is an error",               cookies.size),
    _deployed("session-pickle",        "warning", "Sessions are not read with pickle",                     cookies.pickled),
    _deployed("body-limit",            "warning", "Request bodies have a limit",                           limits.body),
    _deployed("form-limits",           "warning", "Forms have limits",                                     limits.form),
    _deployed("websocket-limits",      "warning", "WebSockets have limits",                                limits.websocket),
    _deployed("malformed-requests",    "warning", "Malformed requests are refused",                        limits.malformed),
    _deployed("cross-origin",          "warning", "Requests of other sites that change something are refused", limits.cross_origin),
    _deployed("security-headers",      "warning", "Security headers are sent",                             limits.headers),
    _deployed("content-security-policy", "info",  "There is a Content-Security-Policy",                    limits.policy),
    _deployed("trusted-hosts",         "warning", "Only known hosts are answered",                         hosts.trusted_hosts),
    _deployed("trusted-origins",       "warning", "Trusted origins are https",                             hosts.trusted_origins),
    _deployed("proxy-headers",         "warning", "Headers of proxies are believed from proxies alone",    hosts.proxies),
    _deployed("url-scheme",            "warning", "Addresses made without a request lead here, over https", hosts.served_as),
    _deployed("cors-credentials",      "error",   "Other sites cannot read answers to visitors",           hosts.shared_resources),
    _deployed("autoescape-off",        "error",   "Templates are escaped",                                 templates.autoescape_off),
    _deployed("static-secrets",        "error",   "Static folders hold nothing secret",                    files.static_secrets),
    _deployed("shared-caches",         "error",   "Nobody else can write to caches",                       files.shared_caches),
    _deployed("dependencies",          "error",   "Installed packages have no known weaknesses",           dependencies.vulnerable),
    _deployed("templates-explained",   "warning", "Looking for templates is not logged",                   templates.explained),
    _deployed("templates-reloaded",    "warning", "Templates are read once",                               templates.reloaded),
    _deployed("routes-uncompiled",     "info",    "Compiled routes are used",                              development.uncompiled_routes),
    _deployed("middleware-plain",      "info",    "Async views need no thread",                            development.plain_middleware),
)
# fmt: on

CHECKS = (*ALWAYS, *DEPLOY)
