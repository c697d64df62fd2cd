"""Sessions that are kept on the server, as extensions and applications keep them."""

from __future__ import annotations

import itertools
import typing as t

from erlen.sessions import SecureCookieSession, SessionInterface


class Kept(SecureCookieSession):
    sid = ""


class KeptSessions(SessionInterface):
    """Keeps sessions in a dict, and like Flask-Session takes an empty one for none: it is not stored and keeps its id."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, t.Any]] = {}
        self.ids = map(str, itertools.count())

    def open_session(self, app: t.Any, request: t.Any) -> Kept:
        sid = request.cookies.get("sid", "")
        opened = Kept(self.held.get(sid, {}))
        opened.sid = sid if sid in self.held else next(self.ids)
        return opened

    def regenerate(self, session: t.Any) -> None:
        if session:
            self.held.pop(session.sid, None)
            session.sid = next(self.ids)

    def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:
        if session:
            self.held[session.sid] = dict(session)
            response.set_cookie("sid", session.sid)
        else:
            self.held.pop(session.sid, None)
            response.delete_cookie("sid")


class AsyncKeptSessions(KeptSessions):
    """The same, asked on the event loop."""

    async def open_session(self, app: t.Any, request: t.Any) -> Kept:  # type: ignore[override]
        return super().open_session(app, request)

    async def regenerate(self, session: t.Any) -> None:  # type: ignore[override]
        super().regenerate(session)

    async def save_session(self, app: t.Any, session: t.Any, response: t.Any) -> None:  # type: ignore[override]
        super().save_session(app, session, response)


class StuckSessions(KeptSessions):
    """The same while nothing can be deleted."""

    is_stuck = False

    def regenerate(self, session: t.Any) -> None:
        if self.is_stuck:
            raise OSError("Nothing can be deleted now.")
        super().regenerate(session)
