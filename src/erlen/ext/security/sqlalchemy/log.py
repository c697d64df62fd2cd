"""Attempts and the log in the database, and what clears away."""

from __future__ import annotations

import collections.abc as cabc
import functools
import typing as t
from datetime import datetime, timedelta

from sqlalchemy import delete, exc, func, insert, literal, select
from sqlalchemy.orm import Session

from ..keys import digest
from ..types import Event
from .rows import bounded, changed, record_of, row_of
from .transactions import Transactions

#: For how long attempts are kept, which is longer than any lock lasts.
ATTEMPTS_KEPT = timedelta(days=7)

#: How often a number is asked for that another request took first. Each time one of them has got its own.
_TRIES = 200


class Log(Transactions):
    """The part of the store that counts attempts and keeps events."""

    def count_attempt(self, key: str, at: datetime, window_start: datetime) -> int:
        """Count an attempt under a key, known or not, and return how many there were since the start of the window.

        :param key: any text; its digest is stored, as people type passwords where their address belongs.
        :param at: the time.
        :param window_start: the start of the window.
        """
        model, hidden = self._models.Attempt, digest(key)
        number = func.coalesce(func.max(model.number), 0) + 1
        one = select(literal(hidden, model.key.type), number, literal(at, model.at.type)).where(
            model.key == hidden
        )
        statement = insert(model).from_select(["key", "number", "at"], one)

        def count(session: Session) -> int:
            session.execute(statement)
            return self._count(session, hidden, window_start)[0]

        for _ in range(_TRIES):
            try:
                return self._write(count)
            except exc.IntegrityError:
                # Another request counted with that number. The next one counts that request as well.
                continue
        return self._write(count)

    def attempts(self, key: str, window_start: datetime) -> tuple[int, datetime | None]:
        """Return how many attempts there were since the start of the window, and when the last one was.

        :param key: any text.
        :param window_start: the start of the window.
        """
        return self._read(lambda session: self._count(session, digest(key), window_start))

    def forget_attempts(self, key: str) -> None:
        """Forget the attempts under a key.

        :param key: any text.
        """
        model = self._models.Attempt
        self._write(lambda session: changed(session, delete(model).where(model.key == digest(key))))

    def add_event(self, event: Event) -> None:
        """Add an event to the log.

        :param event: the event.
        """
        model = self._models.Event
        self._write(lambda session: session.add(row_of(model, event)))

    def events(
        self, uid: str | None = None, *, name: str | None = None, limit: int = 100
    ) -> cabc.Sequence[Event]:
        """Return events of the log, the newest first.

        :param uid: of whom; of everybody by default.
        :param name: which; any by default.
        :param limit: how many at most.
        """
        model = self._models.Event
        found = select(model).order_by(model.at.desc(), model.id.desc()).limit(bounded(limit))
        if uid is not None:
            found = found.where(model.uid == uid)
        if name is not None:
            found = found.where(model.name == name)
        rows = self._read(lambda session: session.scalars(found).all())
        return [record_of(Event, row) for row in rows]

    def purge(self, now: datetime, events_before: datetime) -> int:
        """Delete what has expired, and the events before a time; return how many rows.

        :param now: the time.
        :param events_before: of events, what is older.
        """
        models = self._models
        statements = (
            delete(models.Session).where(models.Session.expires_at <= now),
            delete(models.Token).where(models.Token.expires_at <= now),
            delete(models.Attempt).where(models.Attempt.at < now - ATTEMPTS_KEPT),
            delete(models.Event).where(models.Event.at < events_before),
        )
        # Each in a transaction of its own, so that nobody waits for all of them.
        return sum(self._write(functools.partial(changed, statement=one)) for one in statements)

    def _count(self, session: Session, key: str, start: datetime) -> tuple[int, datetime | None]:
        model = self._models.Attempt
        found = select(func.count(), func.max(model.at)).where(model.key == key, model.at >= start)
        row: tuple[t.Any, ...] = tuple(session.execute(found).one())
        return row[0], row[1]
