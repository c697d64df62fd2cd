"""Passkeys, and accounts somewhere else, in the database."""

from __future__ import annotations

import collections.abc as cabc
from datetime import datetime

from sqlalchemy import delete, exc, select, update

from ..types import Identity, Passkey
from .rows import changed, record_of, row_of
from .transactions import Transactions


class Factors(Transactions):
    """The part of the store that has passkeys, and accounts somewhere else."""

    def passkeys(self, uid: str) -> cabc.Sequence[Passkey]:
        """Return the passkeys of a user, the oldest first.

        :param uid: whose.
        """
        model = self._models.Passkey
        found = select(model).where(model.uid == uid).order_by(model.created_at, model.credential_id)
        rows = self._read(lambda session: session.scalars(found).all())
        return [record_of(Passkey, row) for row in rows]

    def passkey(self, credential_id: str) -> Passkey | None:
        """Return a passkey.

        :param credential_id: as the device names it.
        """
        row = self._read(lambda session: session.get(self._models.Passkey, credential_id))
        return None if row is None else record_of(Passkey, row)

    def add_passkey(self, passkey: Passkey) -> bool:
        """Add a passkey; ``False`` where its id is known already.

        :param passkey: the passkey.
        :raises LookupError: where there is no such user.
        """
        model = self._models.Passkey
        try:
            self._write_for(passkey.uid, lambda session: session.add(row_of(model, passkey)))
        except exc.IntegrityError:
            if self.passkey(passkey.credential_id) is None:
                raise
            return False
        return True

    def note_passkey(self, credential_id: str, expected: int, sign_count: int, at: datetime) -> bool:
        """Keep a passkey's new count if the one before is as expected; of several at once one wins.

        :param credential_id: as the device names it.
        :param expected: the count that was compared.
        :param sign_count: the new one.
        :param at: the time.
        """
        model = self._models.Passkey
        statement = (
            update(model)
            .where(model.credential_id == credential_id, model.sign_count == expected)
            .values(sign_count=sign_count, last_used_at=at)
        )
        return self._write(lambda session: changed(session, statement) > 0)

    def delete_passkey(self, uid: str, credential_id: str) -> bool:
        """Delete a passkey of a user.

        :param uid: whose it has to be.
        :param credential_id: as the device names it.
        """
        model = self._models.Passkey
        statement = delete(model).where(model.uid == uid, model.credential_id == credential_id)
        return self._write(lambda session: changed(session, statement) > 0)

    def identity(self, issuer: str, subject: str) -> Identity | None:
        """Return whose account somewhere else is.

        :param issuer: who says so.
        :param subject: how they call the user.
        """
        model = self._models.Identity
        # By both, as they are compared: the order of the key's columns says nothing.
        found = select(model).where(model.issuer == issuer, model.subject == subject)
        row = self._read(lambda session: session.scalars(found).one_or_none())
        return None if row is None else record_of(Identity, row)

    def identities(self, uid: str) -> cabc.Sequence[Identity]:
        """Return the accounts of a user somewhere else.

        :param uid: whose.
        """
        model = self._models.Identity
        found = select(model).where(model.uid == uid).order_by(model.created_at, model.issuer, model.subject)
        rows = self._read(lambda session: session.scalars(found).all())
        return [record_of(Identity, row) for row in rows]

    def add_identity(self, identity: Identity) -> bool:
        """Add an account somewhere else; ``False`` where somebody has it.

        :param identity: the account.
        :raises LookupError: where there is no such user.
        """
        model = self._models.Identity
        try:
            self._write_for(identity.uid, lambda session: session.add(row_of(model, identity)))
        except exc.IntegrityError:
            if self.identity(identity.issuer, identity.subject) is None:
                raise
            return False
        return True

    def delete_identity(self, uid: str, issuer: str, subject: str) -> bool:
        """Forget an account somewhere else of a user.

        :param uid: whose it has to be.
        :param issuer: who says so.
        :param subject: how they call the user.
        """
        model = self._models.Identity
        statement = delete(model).where(model.uid == uid, model.issuer == issuer, model.subject == subject)
        return self._write(lambda session: changed(session, statement) > 0)
