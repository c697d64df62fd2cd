"""Exercise of chapter 7: sessions that are kept on the server."""

from __future__ import annotations

import secrets
import typing as t

from chapter_07 import Request, Response, Sapling
from chapter_07.sessions import Session, SessionInterface


class KeptSession(Session):
    """A session that knows what it is kept under."""

    secret = ""


class KeptSessions(SessionInterface):
    """Keeps sessions in a dict, under a secret that the cookie holds. Taking it out of the dict ends a session.

    Two requests of one visitor at the same time are not told from a thief and his victim: the second that changes
    something finds nothing under its secret. A real one gives a new secret at a login, and keeps it otherwise.
    """

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, t.Any]] = {}

    def open_session(self, app: Sapling, request: Request) -> Session:
        """Return what is kept under the secret of the cookie."""
        secret = request.cookies.get(app.config["SESSION_COOKIE_NAME"], "")
        session = KeptSession(self.kept.get(secret, {}))
        session.secret = secret
        return session

    def save_session(self, app: Sapling, session: Session, response: Response) -> None:
        """Keep the session under a new secret: one that somebody has planted before a login is worth nothing.

        Nothing is left under the old one. Otherwise a copy of its cookie would still be logged in after a logout.
        """
        if session.accessed:
            response.vary.add("Cookie")
        if not session.modified:
            return
        assert isinstance(session, KeptSession)
        self.kept.pop(session.secret, None)
        name, secret = app.config["SESSION_COOKIE_NAME"], secrets.token_urlsafe()
        secure = app.config["SESSION_COOKIE_SECURE"]
        if session:
            self.kept[secret] = dict(session)
            response.set_cookie(name, secret, httponly=True, secure=secure, samesite="Lax")
        else:
            response.delete_cookie(name, httponly=True, secure=secure, samesite="Lax")
