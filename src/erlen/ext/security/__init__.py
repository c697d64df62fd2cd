"""Accounts: users, roles, sessions, tokens, second factors, and the pages for them.

::

    from erlen.ext.security import Security, current_user, login_required
    from erlen.ext.security.sqlalchemy import SQLAlchemyStore

    security = Security(app, store=SQLAlchemyStore(Session, User))
"""

from __future__ import annotations

import typing as t
from importlib import import_module

if t.TYPE_CHECKING:
    from .access import anonymous_required as anonymous_required
    from .access import auth_required as auth_required
    from .access import fresh_login_required as fresh_login_required
    from .access import load as load
    from .access import login_required as login_required
    from .access import permissions_accepted as permissions_accepted
    from .access import permissions_required as permissions_required
    from .access import protect as protect
    from .access import roles_accepted as roles_accepted
    from .access import roles_required as roles_required
    from .access import scopes_required as scopes_required
    from .access import still_allowed as still_allowed
    from .answers import Refused as Refused
    from .csrf import check_csrf as check_csrf
    from .csrf import csrf_field as csrf_field
    from .csrf import csrf_token as csrf_token
    from .current import current_auth as current_auth
    from .current import current_user as current_user
    from .errors import ConfigurationError as ConfigurationError
    from .errors import EmailTaken as EmailTaken
    from .errors import InvalidEmail as InvalidEmail
    from .errors import InvalidToken as InvalidToken
    from .errors import ProviderError as ProviderError
    from .errors import SecurityError as SecurityError
    from .errors import TooManyAttempts as TooManyAttempts
    from .errors import WeakPassword as WeakPassword
    from .errors import WrongCredentials as WrongCredentials
    from .events import signals as signals
    from .extension import Parts as Parts
    from .extension import Security as Security
    from .forms import Field as Field
    from .kit import Kit as Kit
    from .openid import Provider as Provider
    from .settings import Settings as Settings
    from .store import Store as Store
    from .types import Anonymous as Anonymous
    from .types import Authentication as Authentication
    from .types import Client as Client
    from .types import Event as Event
    from .types import Role as Role
    from .types import SessionRecord as SessionRecord
    from .types import Token as Token
    from .types import User as User

# Where the names are: a module is loaded when one of its names is asked for first.
_MODULES = {
    "access": "anonymous_required auth_required fresh_login_required load login_required permissions_accepted permissions_required protect roles_accepted roles_required scopes_required still_allowed",
    "answers": "Refused",
    "csrf": "check_csrf csrf_field csrf_token",
    "current": "current_auth current_user",
    "errors": "ConfigurationError EmailTaken InvalidEmail InvalidToken ProviderError SecurityError TooManyAttempts WeakPassword WrongCredentials",
    "events": "signals",
    "extension": "Parts Security",
    "forms": "Field",
    "kit": "Kit",
    "openid": "Provider",
    "settings": "Settings",
    "store": "Store",
    "types": "Anonymous Authentication Client Event Role SessionRecord Token User",
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names.split()}

# What comes with ``erlen[security]``.
_PACKAGES = frozenset({
    "alembic", "argon2", "cryptography", "email_validator", "httpx", "joserfc", "limits", "pyotp", "segno", "sqlalchemy",
})  # fmt: skip

__all__ = [
    "Anonymous",
    "Authentication",
    "Client",
    "ConfigurationError",
    "EmailTaken",
    "Event",
    "Field",
    "InvalidEmail",
    "InvalidToken",
    "Kit",
    "Parts",
    "Provider",
    "ProviderError",
    "Refused",
    "Role",
    "Security",
    "SecurityError",
    "SessionRecord",
    "Settings",
    "Store",
    "Token",
    "TooManyAttempts",
    "User",
    "WeakPassword",
    "WrongCredentials",
    "anonymous_required",
    "auth_required",
    "check_csrf",
    "csrf_field",
    "csrf_token",
    "current_auth",
    "current_user",
    "fresh_login_required",
    "load",
    "login_required",
    "permissions_accepted",
    "permissions_required",
    "protect",
    "roles_accepted",
    "roles_required",
    "scopes_required",
    "signals",
    "still_allowed",
]


def __getattr__(name: str) -> t.Any:
    """Load a name when it is asked for (PEP 562)."""
    module = _HOMES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _PACKAGES:
            raise
        raise ImportError(
            f"Accounts need {error.name!r}, which is not installed. Install what they need with: pip install 'erlen[security]'",
            name=error.name,
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
