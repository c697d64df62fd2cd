"""HTTP Basic authentication (RFC 7617): an address and a password with each request, for programs that know nothing else.

A password is all that is shown, so users with a second factor, and those who have to have one, are not let in: that would be
the way around it. They make a token for the program.

Each request costs a verification of the password, 20 to 50 ms by design. Nothing is remembered to spare that: it would be the
password in memory. A program that asks often is better off with a token.
"""

from __future__ import annotations

import typing as t

from erlen import request

from .current import State
from .errors import WrongCredentials
from .sessions import is_usable
from .types import Authentication


def authenticate(state: State) -> Authentication | None:
    """Return whose address and password the active request has, ``None`` where they are wrong.

    :param state: the parts of the extension.
    :raises ~.errors.TooManyAttempts: where this client was wrong too often.
    """
    shown = request.authorization
    address = request.remote_addr
    state.limits.check("api", address)
    if shown is not None and shown.type == "basic":
        try:
            user = state.logins.check_password(_text(shown.username), _text(shown.password))
        except WrongCredentials:
            user = None
        if user is not None and _may_enter(state, user):
            return Authentication(user=user, method="basic")
    state.limits.hit("api", address)
    return None


def _text(value: t.Any) -> str:
    return value if isinstance(value, str) else ""


def _may_enter(state: State, user: t.Any) -> bool:
    if not is_usable(user, state.kit.settings):
        return False
    return not state.factors.available(user) and not state.factors.must_set_up(user)
