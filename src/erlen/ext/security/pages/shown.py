"""Accounts, sessions, tokens and events as pages and JSON show them."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t
from datetime import UTC, datetime

from ..types import Event, Identity, Passkey, SessionRecord, Token

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

#: What people read of an event; ``%`` is never in it, so that catalogues of translations take it as it is.
EVENTS: cabc.Mapping[str, str] = {
    "registered": "You registered",
    "activated": "Your account was activated",
    "logged_in": "You signed in",
    "login_failed": "Somebody tried to sign in and failed",
    "login_locked": "Signing in was locked after too many attempts",
    "second_factor_failed": "A second factor was wrong",
    "reauthenticated": "You confirmed who you are",
    "logged_out": "You signed out",
    "session_revoked": "A device was signed out",
    "sessions_revoked": "Devices were signed out",
    "password_changed": "Your password was changed",
    "password_upgraded": "Your password is stored in a newer way",
    "recovery_asked": "A mail to reset your password was asked for",
    "password_reset": "Your password was reset",
    "email_change_asked": "Another e-mail address was asked for",
    "email_changed": "Your e-mail address was changed",
    "factor_added": "A second factor was added",
    "factor_removed": "A second factor was removed",
    "codes_made": "New recovery codes were made",
    "code_used": "A recovery code was used",
    "token_created": "A token was made",
    "token_revoked": "A token was revoked",
    "refresh_reused": "A refresh token was used twice, so all of its kind ended",
    "identity_added": "An account elsewhere was linked",
    "identity_removed": "An account elsewhere was unlinked",
    "role_granted": "You were given a role",
    "role_withdrawn": "A role was taken from you",
    "account_activated": "Your account was switched on",
    "account_deactivated": "Your account was switched off",
    "account_deleted": "Your account was deleted",
    "access_denied": "Something you may not do was refused",
}

#: Events that a user should look at twice.
ALARMING = frozenset(
    {"login_failed", "login_locked", "second_factor_failed", "refresh_reused", "access_denied"}
)

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
    ("python", "Python"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_WORD = re.compile(r"[\w.-]{1,30}")


def device_of(agent: str) -> str:
    """Return what a ``User-Agent`` header calls the device, in a few words; what it says is no proof of anything.

    :param agent: the header.
    """
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    if browser and system:
        return f"{browser}, {system}"
    if browser or system:
        return browser or system
    word = _WORD.match(agent)
    return word.group() if word else "Unknown device"


def moment(at: datetime | None) -> str:
    """Return a time as people read it; templates may do so in another way.

    :param at: the time.
    """
    if at is None:
        return ""
    at = at.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def session_shown(record: SessionRecord, current: str | None) -> dict[str, t.Any]:
    """Return a session as JSON has it.

    :param record: the session.
    :param current: the id of the one that asks.
    """
    return {
        "id": record.id,
        "current": record.id == current,
        "device": device_of(record.agent),
        "address": record.address,
        "methods": list(record.methods),
        "created_at": _iso(record.created_at),
        "last_seen_at": _iso(record.last_seen_at),
        "expires_at": _iso(record.expires_at),
        "remember": record.remember,
    }


def program_shown(family: Token) -> dict[str, t.Any]:
    """Return the login of a program as JSON has it."""
    return {
        "id": family.id,
        "scopes": list(family.scopes),
        "methods": list(family.data.get("methods", ())),
        "created_at": _iso(family.created_at),
        "last_used_at": _iso(family.last_used_at),
        "expires_at": _iso(family.expires_at),
    }


def token_shown(token: Token) -> dict[str, t.Any]:
    """Return a token as JSON has it, without its secret, which nobody knows any more."""
    return {
        "id": token.id,
        "name": token.name,
        "scopes": list(token.scopes),
        "created_at": _iso(token.created_at),
        "expires_at": _iso(token.expires_at),
        "last_used_at": _iso(token.last_used_at),
    }


def passkey_shown(passkey: Passkey) -> dict[str, t.Any]:
    """Return a passkey as JSON has it."""
    return {
        "id": passkey.credential_id,
        "name": passkey.name,
        "created_at": _iso(passkey.created_at),
        "last_used_at": _iso(passkey.last_used_at),
        "backed_up": passkey.backed_up,
    }


def identity_shown(identity: Identity) -> dict[str, t.Any]:
    """Return an account elsewhere as JSON has it."""
    return {
        "issuer": identity.issuer,
        "subject": identity.subject,
        "email": identity.email,
        "created_at": _iso(identity.created_at),
    }


def event_shown(event: Event) -> dict[str, t.Any]:
    """Return an event as its user sees it in JSON: without the details, which are for administrators."""
    return {
        "name": event.name,
        "at": _iso(event.at),
        "address": event.address,
        "device": device_of(event.agent),
    }


def account_shown(user: t.Any, factors: cabc.Sequence[str], *, must_set_up: bool) -> dict[str, t.Any]:
    """Return an account as its user sees it in JSON.

    :param user: the user.
    :param factors: the second factors that are set up.
    :param must_set_up: whether there has to be one, and is none.
    """
    return {
        "email": user.email,
        "roles": [role.name for role in user.roles],
        "created_at": _iso(user.created_at),
        "current_login_at": _iso(user.current_login_at),
        "last_login_at": _iso(user.last_login_at),
        "last_login_address": user.last_login_address,
        "login_count": user.login_count,
        "failed_count": user.failed_count,
        "factors": list(factors),
        "must_set_up": must_set_up,
    }
