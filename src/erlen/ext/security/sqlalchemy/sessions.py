"""Sessions in the database."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session, joinedload

from ..types import SessionRecord, User
from .rows import as_user, bounded, changed, check, record_of, row_of
from .transactions import Transactions


class Sessions(Transactions):
    """The part of the store that has sessions."""

    def add_session(self, record: SessionRecord, limit: int) -> None:
        """Add a session. Of a user's sessions the oldest end until no more than a number are left.

        :param record: the session.
        :param limit: the number; the new one counts, and is always left.
        :raises LookupError: where there is no such user.
        """
        model = self._models.Session
        others = (
            select(model.id)
            .where(model.uid == record.uid)
            .order_by(model.created_at.desc(), model.last_seen_at.desc(), model.id)
            .offset(bounded(limit - 1))
        )

        def add(session: Session) -> None:
            ended = session.scalars(others).all()
            if ended:
                changed(session, delete(model).where(model.id.in_(ended)))
            session.add(row_of(model, record))

        self._write_for(record.uid, add)

    def session(self, key: str) -> tuple[SessionRecord, User] | None:
        """Return a session and its user, whatever their state.

        :param key: the digest of the secret in the cookie.
        """
        model, user = self._models.Session, self._models.User
        # One statement, as each request of somebody who is logged in asks this.
        found = (
            select(model, user)
            .join(user, user.uid == model.uid)
            .where(model.key == key)
            .options(joinedload(user.roles))
        )
        row = self._read(lambda session: session.execute(found).unique().one_or_none())
        return None if row is None else (record_of(SessionRecord, row[0]), as_user(row[1]))

    def change_session(self, key: str, /, **values: t.Any) -> bool:
        """Set values of a session; with another ``key`` the old one is worth nothing. Of several at once one changes a key.

        :param key: the digest of the secret in the cookie.
        :param values: by the names of the record.
        """
        model = self._models.Session
        check(model, values)
        setting = values or {"key": model.key}
        statement = update(model).where(model.key == key).values(**setting)
        return self._write(lambda session: changed(session, statement) > 0)

    def sessions(self, uid: str) -> cabc.Sequence[SessionRecord]:
        """Return the sessions of a user, those seen last first.

        :param uid: whose.
        """
        model = self._models.Session
        found = (
            select(model)
            .where(model.uid == uid)
            .order_by(model.last_seen_at.desc(), model.created_at.desc(), model.id)
        )
        rows = self._read(lambda session: session.scalars(found).all())
        return [record_of(SessionRecord, row) for row in rows]

    def end_session(self, key: str) -> bool:
        """End a session.

        :param key: the digest of the secret in the cookie.
        """
        model = self._models.Session
        return self._write(lambda session: changed(session, delete(model).where(model.key == key)) > 0)

    def end_session_by_id(self, uid: str, id: str) -> bool:
        """End a session of a user by its name in lists.

        :param uid: whose it has to be.
        :param id: its name.
        """
        model = self._models.Session
        statement = delete(model).where(model.uid == uid, model.id == id)
        return self._write(lambda session: changed(session, statement) > 0)

    def end_sessions(self, uid: str, *, but: str | None = None) -> int:
        """End the sessions of a user and return how many.

        :param uid: whose.
        :param but: the key of the one that is left.
        """
        model = self._models.Session
        statement = delete(model).where(model.uid == uid)
        if but is not None:
            statement = statement.where(model.key != but)
        return self._write(lambda session: changed(session, statement))
