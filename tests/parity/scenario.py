"""The applications whose answers are compared: one function builds them all, on the framework it is given."""

from __future__ import annotations

import logging
import typing as t
from dataclasses import dataclass, field

from . import part_errors, part_files, part_hooks, part_requests, part_returns, part_routing
from .framework import Framework

if t.TYPE_CHECKING:
    from erlen import Erlen

Register = t.Callable[["Erlen", Framework], None]


@dataclass(frozen=True)
class Recipe:
    """What one application is made of: its parts, its configuration, arguments of its class."""

    parts: tuple[Register, ...]
    config: dict[str, t.Any] = field(default_factory=dict[str, t.Any])
    options: dict[str, t.Any] = field(default_factory=dict[str, t.Any])


_ERRORS = (part_errors.register,)
_BARE = (part_errors.register_bare,)
_SIGNALS = (part_hooks.register_signals,)
_REQUESTS = (part_requests.register,)
_SESSION = {"SECRET_KEY": "parity key"}

RECIPES: dict[str, Recipe] = {
    "returns": Recipe((part_returns.register,), _SESSION),
    "returns-sorted": Recipe((part_returns.register,), {"DEBUG": True, "PROPAGATE_EXCEPTIONS": False}),
    "hooks": Recipe((part_hooks.register,)),
    "hooks-signals": Recipe((part_hooks.register, *_SIGNALS)),
    "teardown": Recipe((part_hooks.register_teardown,)),
    "teardown-signals": Recipe((part_hooks.register_teardown, *_SIGNALS)),
    "teardown-propagate": Recipe((part_hooks.register_teardown, *_SIGNALS), {"PROPAGATE_EXCEPTIONS": True}),
    "errors": Recipe(_ERRORS),
    "errors-signals": Recipe(_ERRORS + _SIGNALS),
    "errors-bare": Recipe(_BARE),
    "errors-testing": Recipe(_BARE, {"TESTING": True}),
    "errors-debug": Recipe(_BARE, {"DEBUG": True}),
    "errors-propagate": Recipe(_ERRORS, {"PROPAGATE_EXCEPTIONS": True}),
    "errors-contained": Recipe(_BARE, {"TESTING": True, "PROPAGATE_EXCEPTIONS": False}),
    "errors-trap-http": Recipe(_ERRORS, {"TRAP_HTTP_EXCEPTIONS": True, "PROPAGATE_EXCEPTIONS": True}),
    "errors-trap-bad": Recipe(_BARE, {"TRAP_BAD_REQUEST_ERRORS": True, "PROPAGATE_EXCEPTIONS": True}),
    "routing": Recipe((part_routing.register,), _SESSION),
    "routing-debug": Recipe((part_routing.register,), {"DEBUG": True}),
    "routing-named": Recipe(
        (part_routing.register,),
        {"SERVER_NAME": "named.test", "APPLICATION_ROOT": "/root", "PREFERRED_URL_SCHEME": "https"},
    ),
    "routing-no-options": Recipe((part_routing.register,), {"PROVIDE_AUTOMATIC_OPTIONS": False}),
    "hosts": Recipe((part_routing.register_hosts,), {}, {"host_matching": True, "static_host": "one.test"}),
    "subdomains": Recipe(
        (part_routing.register_subdomains,), {"SERVER_NAME": "parity.test"}, {"subdomain_matching": True}
    ),
    "requests": Recipe(_REQUESTS, _SESSION),
    "requests-debug": Recipe(_REQUESTS, {**_SESSION, "DEBUG": True}),
    "requests-limited": Recipe(
        _REQUESTS, {"MAX_CONTENT_LENGTH": 200, "MAX_FORM_MEMORY_SIZE": 50, "MAX_FORM_PARTS": 3}
    ),
    "requests-hosts": Recipe(_REQUESTS, {"TRUSTED_HOSTS": ["good.test", ".sub.test"]}),
    "requests-no-key": Recipe(_REQUESTS),
    "requests-session": Recipe(
        _REQUESTS,
        {
            **_SESSION,
            "SESSION_COOKIE_NAME": "biscuit",
            "SESSION_COOKIE_DOMAIN": "parity.test",
            "SESSION_COOKIE_PATH": "/session",
            "SESSION_COOKIE_SECURE": True,
            "SESSION_COOKIE_HTTPONLY": False,
            "SESSION_COOKIE_SAMESITE": "Strict",
            "SESSION_COOKIE_PARTITIONED": True,
            "SESSION_REFRESH_EACH_REQUEST": False,
            "PERMANENT_SESSION_LIFETIME": 3600,
        },
    ),
    "requests-rotated": Recipe(
        _REQUESTS, {"SECRET_KEY": "a newer key", "SECRET_KEY_FALLBACKS": ["other", "parity key"]}
    ),
    "files": Recipe((part_files.register,), {"SEND_FILE_MAX_AGE_DEFAULT": 120}),
    "files-signals": Recipe((part_files.register, *_SIGNALS)),
    "files-static-path": Recipe(
        (part_files.register,), {}, {"static_url_path": "/assets", "template_folder": "templates"}
    ),
}


class _Into(logging.Handler):
    """A log handler that writes into the trace: not the text, which is each framework's own."""

    def __init__(self, trace: list[str]) -> None:
        super().__init__()
        self.trace = trace

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        self.trace.append(f"log {record.levelname} {kind and kind.__name__}")


def build(f: Framework, name: str) -> Erlen:
    """Build the application of a name on a framework.

    What hooks, signals and the log saw is in ``app.extensions["parity"]``, a list of texts.
    """
    recipe = RECIPES[name]
    app = f.application(
        f"parity_{f.name}_{name.replace('-', '_')}",
        root_path=str(part_files.RESOURCES),
        instance_path=str(part_files.RESOURCES),
        **recipe.options,
    )
    trace: list[str] = []
    app.extensions["parity"] = trace
    app.config.update(recipe.config)
    app.logger.handlers[:] = [_Into(trace)]
    app.logger.propagate = False
    for part in recipe.parts:
        part(app, f)
    return app
