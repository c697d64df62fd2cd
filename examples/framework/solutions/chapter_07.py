"""Exercise of chapter 7: sessions that are kept on the server."""

from __future__ import annotations

import secrets
import typing as t

from chapter_07 import Request, Response, Sapling
from chapter_07.sessions import Session, SessionInterface


class KeptSessions(SessionInterface):
    """Keeps sessions in a dict, under a secret that the cookie holds. Taking it out of the dict ends a session."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, t.Any]] = {}

    def open_session(self, app: Sapling, request: Request) -> Session:
        """Return what is kept under the secret of the cookie."""
        secret = request.cookies.get(app.config["SESSION_COOKIE_NAME"], "")
        return Session(self.kept.get(secret, {}))

    def save_session(self, app: Sapling, session: Session, response: Response) -> None:
        """Keep the session under a new secret: one that somebody has planted before a login is worth nothing."""
        if session.accessed:
            response.vary.add("Cookie")
        if session.modified:
            secret = secrets.token_urlsafe()
            self.kept[secret] = dict(session)
            response.set_cookie(app.config["SESSION_COOKIE_NAME"], secret, httponly=True, samesite="Lax")
