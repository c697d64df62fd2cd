"""Log in in tests: users without a password, and test clients that are logged in without the form.

::

    from erlen.ext.security.testing import add_user, login

    def test_the_admin_page(app, client):
        login(client, add_user(app, "ada@example.com", roles=["admin"]))
        assert client.get("/admin").status_code == 200
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from contextlib import AbstractContextManager

from erlen import Erlen

from .emails import parse_email
from .extension import Security
from .keys import digest, new_id, new_secret
from .sessions import KEY
from .types import SessionRecord, User

__all__ = ["add_user", "login"]


class Client(t.Protocol):
    """A test client of Erlen's, plain or async."""

    @property
    def application(self) -> t.Any:
        """The application that it calls."""
        ...

    @property
    def environ_base(self) -> dict[str, t.Any]:
        """What every request's environment begins with."""
        ...

    def session_transaction(self, *args: t.Any, **kwargs: t.Any) -> AbstractContextManager[t.Any]:
        """Open the session of the next request."""
        ...


def add_user(app: Erlen, email: str, password: str | None = None, *, roles: cabc.Iterable[str] = ()) -> User:
    """Add a user who is activated. Roles that there are not yet are made.

    :param app: the application.
    :param email: the address.
    :param password: for tests that use the form; nothing is hashed without one.
    :param roles: names of roles.

    .. versionadded:: 0.1
    """
    parts, names = Security.of(app), tuple(roles)
    with app.app_context():
        for name in names:
            if parts.store.role(name) is None:
                parts.store.put_role(name)
        return parts.accounts.create(email, password, roles=names, by="test")


def login(
    client: Client, user: User | str, *, methods: cabc.Sequence[str] = ("password",), fresh: bool = True
) -> SessionRecord:
    """Log a test client in, as the login page would at the end: with a record in the store, and a cookie.

    From here on the client says with each request that a page of the site has sent it, as browsers do; forms need no token then.
    A request with a header ``Sec-Fetch-Site`` of its own is what that says.

    :param client: ``app.test_client()``, or the async one.
    :param user: the user, or the address of one.
    :param methods: what they have shown; ``("password", "totp")`` for a login with a second factor.
    :param fresh: whether it was just now, so that sensitive actions ask for nothing.
    :raises LookupError: where no account has the address.

    .. versionadded:: 0.1
    """
    parts = Security.of(client.application)
    if isinstance(user, str):
        found = parts.store.user_by_email(parse_email(user).key)
        if found is None:
            raise LookupError(
                f"No account has the address {user!r}. Add one first: add_user(app, {user!r}), of erlen.ext.security.testing."
            )
        user = found
    settings, now, secret = parts.settings, parts.kit.clock(), new_secret()
    record = SessionRecord(
        key=digest(secret),
        id=new_id(),
        uid=user.uid,
        methods=tuple(methods),
        created_at=now,
        authenticated_at=now if fresh else now - settings.fresh_for,
        last_seen_at=now,
        expires_at=now + settings.session_lifetime,
        agent="test",
    )
    with client.session_transaction() as session:
        parts.store.add_session(record, settings.session_limit)
        session[KEY] = secret
    client.environ_base.setdefault("HTTP_SEC_FETCH_SITE", "same-origin")
    return record
