"""Tokens in the database."""

from __future__ import annotations

import collections.abc as cabc
from datetime import datetime

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from ..types import Token
from .rows import changed, record_of, row_of
from .transactions import Transactions


class Tokens(Transactions):
    """The part of the store that has tokens."""

    def add_token(self, token: Token) -> None:
        """Add a token.

        :param token: the token.
        :raises LookupError: where there is no such user.
        """
        model = self._models.Token
        self._write_for(token.uid, lambda session: session.add(row_of(model, token)))

    def token(self, key: str, purpose: str) -> Token | None:
        """Return a token, whatever its state.

        :param key: the digest of the secret.
        :param purpose: what it has to be for.
        """
        return self._read(lambda session: self._find_token(session, key, purpose))

    def use_token(self, key: str, purpose: str, at: datetime) -> Token | None:
        """Use up a token that is not used and has not expired; of several who try at once one gets it.

        :param key: the digest of the secret.
        :param purpose: what it has to be for.
        :param at: the time.
        """
        model = self._models.Token
        statement = (
            update(model)
            .where(
                model.key == key,
                model.purpose == purpose,
                model.used_at.is_(None),
                or_(model.expires_at.is_(None), model.expires_at > at),
            )
            .values(used_at=at)
        )

        def use(session: Session) -> Token | None:
            return self._find_token(session, key, purpose) if changed(session, statement) else None

        return self._write(use)

    def tokens(self, uid: str, purpose: str) -> cabc.Sequence[Token]:
        """Return the tokens of a user for a purpose, the newest first.

        :param uid: whose.
        :param purpose: what they are for.
        """
        model = self._models.Token
        found = (
            select(model)
            .where(model.uid == uid, model.purpose == purpose)
            .order_by(model.created_at.desc(), model.id)
        )
        rows = self._read(lambda session: session.scalars(found).all())
        return [record_of(Token, row) for row in rows]

    def note_token(self, key: str, at: datetime) -> None:
        """Keep when a token was used last.

        :param key: the digest of the secret.
        :param at: the time.
        """
        model = self._models.Token
        statement = update(model).where(model.key == key).values(last_used_at=at)
        self._write(lambda session: changed(session, statement))

    def end_token(self, uid: str, id: str, purpose: str) -> bool:
        """Delete a token of a user by its name in lists.

        :param uid: whose it has to be.
        :param id: its name.
        :param purpose: what it has to be for.
        """
        model = self._models.Token
        statement = delete(model).where(model.uid == uid, model.id == id, model.purpose == purpose)
        return self._write(lambda session: changed(session, statement) > 0)

    def end_tokens(self, uid: str, *purposes: str, family: str | None = None) -> int:
        """Delete the tokens of a user for some purposes, or of one family, and return how many.

        :param uid: whose.
        :param purposes: what they are for; any where a family is given alone.
        :param family: what refresh tokens have in common.
        """
        model = self._models.Token
        if not purposes and family is None:
            return 0
        statement = delete(model).where(model.uid == uid)
        if purposes:
            statement = statement.where(model.purpose.in_(purposes))
        if family is not None:
            statement = statement.where(model.family == family)
        return self._write(lambda session: changed(session, statement))

    def _find_token(self, session: Session, key: str, purpose: str) -> Token | None:
        model = self._models.Token
        row = session.scalars(select(model).where(model.key == key, model.purpose == purpose)).one_or_none()
        return None if row is None else record_of(Token, row)
