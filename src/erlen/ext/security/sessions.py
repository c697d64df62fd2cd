"""Sessions of users: a secret in the cookie of the browser, and a record of it on the server.

In Erlen's ``session`` stands the secret and nothing else of this extension, and only while somebody is logged in. The record
has its digest as the key, so neither a cookie that somebody made up nor a copy of the database logs anybody in. Whether a
session counts is decided anew with each request: the record has to be there, within its times, and its user able to log in.

A record that is not there is never made for a cookie that names it: each login and each change of privilege has a new secret.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import dataclasses
import typing as t
from datetime import datetime, timedelta

from erlen import after_this_request, current_app, has_request_context, nonblocking, request, session

from .errors import SecurityError, WrongCredentials
from .keys import digest, new_id, new_secret
from .kit import Kit
from .settings import Settings
from .types import Authentication, Client, SessionRecord, User

__all__ = ["Sessions"]

#: What holds the secret in Erlen's ``session``.
KEY = "_account"

#: How exact ``last_seen_at`` is; each time it is set is a write to the database.
SEEN_EVERY = timedelta(minutes=1)

#: By how much the clocks of several servers of one site may differ.
CLOCKS = timedelta(minutes=1)

_MAX_AGENT = 256


def client_of_request() -> Client:
    """Return where the active request came from, an empty client where none is active."""
    if not has_request_context():
        return Client()
    agent = request.headers.get("User-Agent", "").replace("\0", "")
    return Client(address=request.remote_addr or None, agent=agent[:_MAX_AGENT])


def is_usable(user: User, settings: Settings) -> bool:
    """Return whether an account may be used: it is switched on, and activated where that is asked for.

    :param user: the user.
    :param settings: say whether it is.
    """
    return user.is_active and (user.activated_at is not None or not settings.activation_required)


def _is_of_former_password(record: SessionRecord, user: User, now: datetime) -> bool:
    """Return whether a session was left over when the password was changed, as by a process that died in between."""
    changed = user.password_changed_at
    # A change of the future was made while the clock was wrong, and says nothing as long as it is.
    return changed is not None and changed <= now and record.authenticated_at < changed - CLOCKS


@nonblocking
def _make_private(response: t.Any) -> t.Any:
    # What a view says itself counts, such as a public file that only counts who has seen it.
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store, private"
    response.vary.add("Cookie")
    return response


def keep_private() -> None:
    """Let no cache keep the answer to this request, as it was made for one user."""
    carrier: t.Any = request
    if not getattr(carrier, "erlen_security_private", False):
        carrier.erlen_security_private = True
        # A WebSocket that was accepted has sent its answer.
        with contextlib.suppress(RuntimeError):
            after_this_request(_make_private)


def regenerate_id() -> None:
    """Give the session a new id, where it is kept on the server: visitors may have been made to use one that is known."""
    for owner, args in ((current_app.session_interface, (session,)), (session, ())):
        regenerate = getattr(t.cast("t.Any", owner), "regenerate", None)
        if callable(regenerate):
            # An interface may be async.
            current_app.ensure_sync(regenerate)(*args)
            return


def put_with_new_id(key: str, secret: str) -> None:
    """Put a secret into the session, under a new id alone."""
    # Something first, as Flask-Session leaves an empty session its id. Not the secret: where there is no new id, the session is
    # saved with the error, under the old one.
    session[key] = ""
    regenerate_id()
    session[key] = secret


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    """What a request has found for the secret in its cookie."""

    owner: Sessions
    secret: str
    authentication: Authentication | None


class Sessions:
    """The sessions of users.

    :param kit: settings, store, keys, log and clock.

    .. versionadded:: 0.1
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    # Of this browser

    def current(self) -> Authentication | None:
        """Return who is logged in by the cookie of the active request. A request asks the store once at most."""
        if not has_request_context():
            return None
        secret = session.get(KEY)
        if not isinstance(secret, str):
            return None
        found: _Found | None = getattr(request, "erlen_security_session", None)
        # Not of another request, user or application: the cookie says which.
        if found is not None and found.secret == secret and found.owner is self:
            return found.authentication
        return self._keep(secret, self._load(digest(secret)))

    def is_known(self) -> bool:
        """Return whether :meth:`current` would not have to ask the store."""
        if not has_request_context() or not isinstance(secret := session.get(KEY), str):
            return True
        found: _Found | None = getattr(request, "erlen_security_session", None)
        return found is not None and found.secret == secret and found.owner is self

    def look_anew(self) -> None:
        """Have :meth:`current` ask the store once more, as time has passed since a hook of the application may have asked."""
        carrier: t.Any = request
        carrier.erlen_security_session = None

    def begin(self, user: User, methods: cabc.Sequence[str], *, remember: bool = False) -> SessionRecord:
        """Log a user in. What this browser was logged in with before ends.

        What the application has in ``session`` is kept, unless it was another user's.

        :param user: the user.
        :param methods: what they have shown, such as ``password`` and ``totp``.
        :param remember: whether the session outlives the browser.
        :raises WrongCredentials: for a user who has been deleted.
        """
        kit, settings, now, client = self._kit, self._kit.settings, self._kit.clock(), client_of_request()
        self._leave_former(user.uid)
        secret = new_secret()
        record = SessionRecord(
            key=digest(secret),
            id=new_id(),
            uid=user.uid,
            methods=tuple(methods),
            created_at=now,
            authenticated_at=now,
            last_seen_at=now,
            expires_at=now + (settings.remember_lifetime if remember else settings.session_lifetime),
            remember=remember,
            address=client.address,
            agent=client.agent,
        )
        try:
            kit.store.add_session(record, settings.session_limit)
        except LookupError:
            # The account was deleted a moment ago.
            raise WrongCredentials from None
        # What a visitor has chosen for the cookie is no wish to stay logged in.
        if remember or session.permanent:
            session.permanent = remember
        put_with_new_id(KEY, secret)
        kit.store.note_login(user.uid, now, client.address)
        self._keep(secret, Authentication(user=user, method="session", record=record))
        kit.events.tell("logged_in", user, methods=list(record.methods), session=record.id, remember=remember)
        return record

    def renew(self, methods: cabc.Sequence[str]) -> SessionRecord:
        """Note that the user has proved once more who they are, and give the session a new secret.

        :param methods: what they have shown.
        :raises SecurityError: where nobody is logged in, or the session has ended meanwhile.
        """
        authentication, now = self.current(), self._kit.clock()
        if authentication is None or authentication.record is None:
            raise SecurityError("Nobody is logged in, so there is no session to renew. Log in first.")
        record, secret = authentication.record, new_secret()
        values: dict[str, t.Any] = {
            "key": digest(secret),
            "methods": tuple(dict.fromkeys((*record.methods, *methods))),
            "authenticated_at": now,
            "last_seen_at": now,
        }
        if not self._kit.store.change_session(record.key, **values):
            raise SecurityError("This session has ended. Log in again.")
        regenerate_id()
        record = dataclasses.replace(record, **values)
        session[KEY] = secret
        self._keep(secret, dataclasses.replace(authentication, record=record))
        self._kit.events.tell(
            "reauthenticated", authentication.user, methods=list(methods), session=record.id
        )
        return record

    def end(self) -> None:
        """Log out. Everything in ``session`` goes with it, as the next one at this browser may be somebody else."""
        authentication = self.current()
        secret = session.get(KEY)
        if authentication is not None and authentication.record is not None:
            # By its name: another tab may have given it another secret since.
            self._kit.store.end_session_by_id(authentication.user.uid, authentication.record.id)
        elif isinstance(secret, str):
            self._kit.store.end_session(digest(secret))
        session.clear()
        # What is put into it after this is not kept under an id that was known before.
        put_with_new_id(KEY, "")
        del session[KEY]
        if authentication is not None and authentication.record is not None:
            self._kit.events.tell("logged_out", authentication.user, session=authentication.record.id)

    def is_fresh(self, authentication: Authentication | None = None) -> bool:
        """Return whether the user has proved who they are within ``fresh_for``.

        Another site's word is no such proof, unless it is all the user has: a browser is mostly signed in there as well, so
        that it asks for nothing.

        :param authentication: who asks; whoever is logged in by default.
        """
        found = authentication or self.current()
        if found is None or found.record is None:
            return False
        if set(found.record.methods) <= {"openid"} and found.user.password_hash is not None:
            return False
        age = self._kit.clock() - found.record.authenticated_at
        # A clock that was put back makes a login one of the future, and nobody knows how long ago it was.
        return -CLOCKS <= age < self._kit.settings.fresh_for

    def _keep(self, secret: str, authentication: Authentication | None) -> Authentication | None:
        carrier: t.Any = request
        # On the request: ``g`` may be shared by requests that are made while an application context is active.
        carrier.erlen_security_session = _Found(self, secret, authentication)
        if authentication is not None:
            keep_private()
        return authentication

    def _leave_former(self, uid: str) -> None:
        """End the session that this browser has, and forget what is in it where it may be another user's."""
        if KEY not in session:
            return
        secret = session.pop(KEY)
        found = None
        if isinstance(secret, str):
            found = self._kit.store.session(digest(secret))
            self._kit.store.end_session(digest(secret))
        if found is None or found[1].uid != uid:
            session.clear()

    # Whether a session counts

    def _load(self, key: str) -> Authentication | None:
        found, now = self._kit.store.session(key), self._kit.clock()
        if found is None:
            return None
        record, user = found
        if self._is_over(record, now):
            # Now, so that longer times in the settings do not wake it up.
            self._kit.store.end_session(key)
            return None
        if not is_usable(user, self._kit.settings) or _is_of_former_password(record, user, now):
            return None
        # Often enough that a short time of idling is not counted wrong.
        if now - record.last_seen_at >= min(SEEN_EVERY, self._kit.settings.session_idle / 10):
            address = client_of_request().address
            self._kit.store.change_session(key, last_seen_at=now, address=address)
            record = dataclasses.replace(record, last_seen_at=now, address=address)
        return Authentication(user=user, method="session", record=record)

    def _is_over(self, record: SessionRecord, now: datetime) -> bool:
        if now >= record.expires_at:
            return True
        return not record.remember and now - record.last_seen_at >= self._kit.settings.session_idle

    def look_again(self, record: SessionRecord) -> Authentication | None:
        """Return a session as it is now, ``None`` where it has ended; for connections that stay open.

        It is found by its name, as its secret may have changed since. Looking does not count as being seen.

        :param record: the session as it was.
        """
        for one in self.all_of(record.uid):
            user = self._kit.store.user(record.uid) if one.id == record.id else None
            if user is not None:
                now = self._kit.clock()
                usable = is_usable(user, self._kit.settings) and not _is_of_former_password(one, user, now)
                return Authentication(user=user, method="session", record=one) if usable else None
        return None

    # Of a user

    def all(self, user: User) -> cabc.Sequence[SessionRecord]:
        """Return the sessions of a user that have not ended, those seen last first.

        :param user: the user.
        """
        return self.all_of(user.uid)

    def all_of(self, uid: str) -> cabc.Sequence[SessionRecord]:
        """Do what :meth:`all` does, for the user of an uid."""
        now = self._kit.clock()
        return [one for one in self._kit.store.sessions(uid) if not self._is_over(one, now)]

    def revoke(self, user: User, id: str) -> bool:
        """End a session of a user.

        :param user: the user.
        :param id: its name in lists.
        :return: whether the user has one of that name.
        """
        own = self._own(user)
        if not self._kit.store.end_session_by_id(user.uid, id):
            return False
        if own is not None and own.id == id:
            session.clear()
        self._kit.events.tell("session_revoked", user, session=id)
        return True

    def revoke_others(self, user: User) -> int:
        """End all sessions of a user but the one of this browser.

        :param user: the user.
        :return: how many there were.
        """
        own = self._own(user)
        return self._revoke(user, None if own is None else own.key)

    def revoke_all(self, user: User) -> int:
        """End all sessions of a user, the one of this browser as well.

        :param user: the user.
        :return: how many there were.
        """
        if self._own(user) is not None:
            session.clear()
        return self._revoke(user, None)

    def _revoke(self, user: User, but: str | None) -> int:
        count = self._kit.store.end_sessions(user.uid, but=but)
        if count:
            self._kit.events.tell("sessions_revoked", user, count=count)
        return count

    def _own(self, user: User) -> SessionRecord | None:
        current = self.current()
        return current.record if current is not None and current.user.uid == user.uid else None
