"""The two sets of defaults an application starts with (D8).

``"safe"`` is what ``Erlen(...)`` takes unless told otherwise; ``"flask"`` is Flask 3.1's, for applications that
were written for it. Every key may be set to anything else, one by one.
"""

from __future__ import annotations

import typing as t
from copy import deepcopy
from datetime import timedelta

from werkzeug.datastructures import ImmutableDict

_FLASK: dict[str, t.Any] = {
    "DEBUG": False,  # a debugger executes code: off until asked for
    "TESTING": False,  # on, errors reach the test
    "PROPAGATE_EXCEPTIONS": None,  # None: as DEBUG or TESTING say
    "SECRET_KEY": None,  # no key that everybody knows
    "SECRET_KEY_FALLBACKS": None,  # older keys, which only verify
    "PERMANENT_SESSION_LIFETIME": timedelta(days=31),  # how long a permanent session lives
    "USE_X_SENDFILE": False,  # only some servers know the header
    "TRUSTED_HOSTS": None,  # None: any host name is answered
    "SERVER_NAME": None,  # None: the host of the request
    "APPLICATION_ROOT": "/",  # the path URLs start with where no request tells it
    "SESSION_COOKIE_NAME": "session",  # what Flask called it, so that cookies carry over
    "SESSION_COOKIE_DOMAIN": None,  # None: this host only, the narrowest
    "SESSION_COOKIE_PATH": None,  # None: as APPLICATION_ROOT
    "SESSION_COOKIE_HTTPONLY": True,  # scripts never read it
    "SESSION_COOKIE_SECURE": False,  # sent over http as well
    "SESSION_COOKIE_PARTITIONED": False,  # one cookie jar for all embedding sites
    "SESSION_COOKIE_SAMESITE": None,  # the browser's own default
    "SESSION_COOKIE_OVERFLOW": "warn",  # a warning, and the browser drops the cookie
    "SESSION_REFRESH_EACH_REQUEST": True,  # a permanent session in use does not end
    "MAX_CONTENT_LENGTH": None,  # bodies of any size
    "MAX_FORM_MEMORY_SIZE": 500_000,  # bytes of one form field
    "MAX_FORM_PARTS": 1_000,  # parts of one multipart form
    "MAX_COOKIE_SIZE": 4_093,  # bytes; browsers drop larger cookies
    "SEND_FILE_MAX_AGE_DEFAULT": None,  # None: the browser asks whether the file has changed
    "TRAP_BAD_REQUEST_ERRORS": None,  # None: in debug mode
    "TRAP_HTTP_EXCEPTIONS": False,  # HTTP errors are answers
    "EXPLAIN_TEMPLATE_LOADING": False,  # on, each look-up of a template is logged
    "TEMPLATES_AUTO_RELOAD": None,  # None: in debug mode
    "PREFERRED_URL_SCHEME": "http",  # for URLs made where no request tells it
    "PROVIDE_AUTOMATIC_OPTIONS": True,  # OPTIONS is answered for each route
    "BACKGROUND_THREADS": 8,  # spawned plain functions that run at the same time
    "SHUTDOWN_TIMEOUT": 10,  # seconds that spawned work has when the application stops
    "THREAD_POOL_SIZE": 40,  # plain views that run at the same time under ASGI
    "WEBSOCKET_CLOSE_TIMEOUT": 10,  # seconds a handler may go on when its client has gone
    "WEBSOCKET_MAX_MESSAGE_SIZE": 1024 * 1024,  # bytes of one message
    "WEBSOCKET_RECEIVE_TIMEOUT": 60,  # seconds that messages may wait which a handler does not receive
    "REFUSE_MALFORMED_REQUESTS": False,  # Host, Content-Length, path and query are taken as they come
    "CROSS_ORIGIN_PROTECTION": False,  # unsafe requests and WebSockets of other sites pass
    "TRUSTED_ORIGINS": [],  # "https://host[:port]" whose requests and WebSockets pass
    "CONTENT_TYPE_OPTIONS": None,  # no header
    "REFERRER_POLICY": None,  # no header
    "CONTENT_SECURITY_POLICY": None,  # no header: only the application knows its sources
    "CONTENT_SECURITY_POLICY_REPORT_ONLY": None,  # the same, for a policy under trial
}

_SAFE: dict[str, t.Any] = _FLASK | {
    "MAX_CONTENT_LENGTH": 16 * 1024 * 1024,  # a body cannot fill memory or disk
    "SESSION_COOKIE_SECURE": "auto",  # an https session never travels over http
    "SESSION_COOKIE_SAMESITE": "Lax",  # forms of other sites are sent without the session
    "SESSION_COOKIE_OVERFLOW": "error",  # nobody is logged out by a cookie that was dropped
    "REFUSE_MALFORMED_REQUESTS": True,  # what no correct client sends is answered with 400
    "CROSS_ORIGIN_PROTECTION": True,  # CSRF, by Sec-Fetch-Site and Origin, also by WebSockets
    "CONTENT_TYPE_OPTIONS": "nosniff",  # an upload is not taken for a script
    "REFERRER_POLICY": "strict-origin-when-cross-origin",  # other sites learn the host, not the URL
}

#: The default configuration of each profile.
DEFAULTS: dict[str, dict[str, t.Any]] = {"safe": _SAFE, "flask": _FLASK}

#: The default configuration of each profile, as the class attribute of applications that have it.
STOCK = {name: ImmutableDict(defaults) for name, defaults in DEFAULTS.items()}


def defaults_of(profile: str) -> dict[str, t.Any]:
    """Return a new dict with the default configuration of a profile.

    :param profile: ``"safe"`` or ``"flask"``.
    :raises ValueError: for any other name.
    """
    defaults = DEFAULTS.get(profile)
    if defaults is None:
        names = " or ".join(f"profile={name!r}" for name in DEFAULTS)
        raise ValueError(f"There is no profile {profile!r}. Pass {names}, or leave it out for 'safe'.")
    # Lists that users append to must not be shared by applications.
    return deepcopy(defaults)
