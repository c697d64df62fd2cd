"""Sessions that are kept in Redis: the cookie has a random id and nothing else, so every process finds the same session."""

from __future__ import annotations

import hashlib
import re
import secrets
import time
import typing as t
from datetime import timedelta

import redis
from redis.exceptions import RedisError

from erlen.sessions import NullSession, SecureCookieSession, SessionInterface, session_json_serializer

#: What :func:`new_id` makes. Anything else is not asked for in Redis.
_ID = re.compile(r"[A-Za-z0-9_-]{43}")


class SessionTooLarge(ValueError):
    """A session would take more room in Redis than one visitor is given."""


def new_id() -> str:
    """Return an id of 256 random bits, which nobody guesses, so that it needs no signature."""
    return secrets.token_urlsafe(32)


class StoredSession(SecureCookieSession):
    """A session that knows under which id it is stored."""

    #: ``None`` until it has been stored.
    id: str | None = None

    #: The id that it had before :meth:`RedisSessions.regenerate`.
    former_id: str | None = None

    #: When it began, in seconds since 1970.
    began_at = 0.0

    #: Whether storing it has failed.
    is_lost = False


class LostSession(NullSession):
    """The session while Redis cannot be reached: whoever touches it gets the error, and it is not saved.

    :param error: what the client of Redis has raised.
    """

    def __init__(self, error: RedisError) -> None:
        super().__init__()
        self.error = error

    def _fail(self, *args: t.Any, **kwargs: t.Any) -> t.NoReturn:
        raise self.error

    __getitem__ = __setitem__ = __delitem__ = __contains__ = __iter__ = __len__ = __ior__ = _fail
    get = keys = values = items = copy = clear = pop = popitem = setdefault = update = _fail


class RedisSessions(SessionInterface):
    """Keeps sessions in Redis, as JSON.

    Its methods are plain functions, so it serves plain views, ``async`` ones and the shell alike; over ASGI the
    application calls it on a worker thread.

    :param client: a plain client of Redis that decodes responses.
    :param idle: a session that nobody uses for so long is over.
    :param longest: a session is over after this time in any case.
    :param size: how many bytes one session may take.
    :param without: endpoints that have no session, so that they are answered without asking Redis.
    """

    def __init__(
        self,
        client: redis.Redis,
        *,
        idle: timedelta = timedelta(hours=2),
        longest: timedelta = timedelta(days=7),
        size: int = 16 * 1024,
        without: t.Collection[str] = ("static",),
    ) -> None:
        self._client = client
        self._idle = int(idle.total_seconds())
        self._longest = int(longest.total_seconds())
        self._size = size
        self._without = frozenset(without)

    def open_session(self, app: t.Any, request: t.Any) -> SecureCookieSession | None:
        """Return the session that the cookie names, a new one where it names none that is there."""
        if request.endpoint in self._without:
            return None
        id = request.cookies.get(self.get_cookie_name(app), "")
        if not _ID.fullmatch(id):
            return StoredSession()
        try:
            # One step: reading it also puts off its end.
            text = self._client.getex(self._key(id), ex=self._idle)
        except RedisError as error:
            return LostSession(error)
        # An id that is not there is never taken over: somebody may have planted it in this browser.
        return StoredSession() if text is None else self._read(app, id, t.cast("str", text))

    def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:
        """Store what has changed, and set or delete the cookie."""
        if session.accessed or session.modified:
            response.vary.add("Cookie")
        if not session.modified or session.is_lost:
            return
        try:
            is_kept = self._store(session)
        except RedisError:
            # The answer to this error is saved as well, and must not fail in the same way.
            session.is_lost = True
            raise
        attributes = {
            "domain": self.get_cookie_domain(app),
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "samesite": self.get_cookie_samesite(app),
            "httponly": self.get_cookie_httponly(app),
        }
        if is_kept is None:
            return
        if is_kept:
            expires = self.get_expiration_time(app, session)
            response.set_cookie(self.get_cookie_name(app), session.id, expires=expires, **attributes)
        else:
            response.delete_cookie(self.get_cookie_name(app), **attributes)

    def regenerate(self, session: t.Any) -> None:
        """Give a session a new id. Call it when somebody logs in: an id that was known before is worth nothing then."""
        if isinstance(session, LostSession):
            raise session.error
        session.former_id = session.former_id or session.id
        session.id = None
        session.modified = True

    def _read(self, app: t.Any, id: str, text: str) -> StoredSession:
        try:
            record = session_json_serializer.loads(text)
            session = StoredSession(record["values"])
            session.began_at = float(record["began_at"])
        except (ValueError, KeyError, TypeError):
            app.logger.warning("A session in Redis could not be read, and is taken for empty.")
            return StoredSession()
        if time.time() - session.began_at > self._longest:
            return StoredSession()
        session.id = id
        return session

    def _store(self, session: StoredSession) -> bool | None:
        """Store a session, and return whether there is one now; ``None`` where another request has ended it."""
        gone = [self._key(id) for id in (session.former_id, session.id) if id is not None]
        if not session:
            if gone:
                self._client.delete(*gone)
            return False
        is_new = session.id is None
        if session.id is None:
            session.id, session.began_at = new_id(), time.time()
        text = session_json_serializer.dumps({"began_at": session.began_at, "values": dict(session)})
        if len(text) > self._size:
            raise SessionTooLarge(
                f"The session takes {len(text)} bytes of JSON, and {self._size} are allowed. Keep large values in a "
                f"database and their ids in the session."
            )
        with self._client.pipeline(transaction=True) as pipe:
            # xx: a slow request must not bring back a session that another one has ended meanwhile. Nor may it delete the
            # cookie then: where that was a login, the browser has the cookie of the new session by now.
            pipe.set(self._key(session.id), text, ex=self._idle, xx=not is_new)
            if session.former_id is not None:
                pipe.delete(self._key(session.former_id))
            return True if pipe.execute()[0] else None

    @staticmethod
    def _key(id: str) -> str:
        # Who reads the database, or a copy of it, learns no id that a cookie could have.
        return f"doors:session:{hashlib.sha256(id.encode()).hexdigest()}"
