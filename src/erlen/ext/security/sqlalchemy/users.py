"""Users and roles in the database."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from datetime import datetime

from sqlalchemy import delete, exc, insert, inspect, or_, select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from ..errors import EmailTaken
from ..types import Role, User
from .models import EMAIL_KEY, RoleMixin, UserMixin
from .rows import as_role, as_user, bounded, changed, check
from .transactions import Transactions


class Users(Transactions):
    """The part of the store that has users."""

    def user(self, uid: str) -> User | None:
        """Return a user with their roles.

        :param uid: whom.
        """
        return self._find(uid=uid)

    def user_by_email(self, email_key: str) -> User | None:
        """Return the user with an address.

        :param email_key: the form that all spellings of the address share.
        """
        return self._find(email_key=email_key)

    def users(self, search: str = "", *, limit: int = 100, offset: int = 0) -> cabc.Sequence[User]:
        """Return users in the order of their addresses, of those that contain a text in any case.

        :param search: the text; every character stands for itself.
        :param limit: how many at most.
        :param offset: how many to leave out at the start.
        """
        user = self._models.User
        if len(search) > EMAIL_KEY:
            # No address is as long, and SQLite takes no pattern of any length.
            return []
        found = select(user).options(selectinload(user.roles)).order_by(user.email_key)
        if search:
            found = found.where(
                or_(
                    user.email_key.contains(search.casefold(), autoescape=True),
                    user.email.icontains(search, autoescape=True),
                )
            )
        found = found.limit(bounded(limit)).offset(bounded(offset))
        return [as_user(row) for row in self._read(lambda session: session.scalars(found).all())]

    def add_user(self, *, email: str, email_key: str, **values: t.Any) -> User:
        """Add a user.

        :param email: the address.
        :param email_key: the form that all its spellings share.
        :param values: of other attributes, those of the application's own included.
        :raises EmailTaken: where the address has a user, also where both come at once.
        """
        model = self._models.User
        given = {"email": email, "email_key": email_key, **values}
        # Whatever else the class takes is its own business.
        columns = inspect(model).column_attrs
        check(model, {name: value for name, value in given.items() if name in columns})

        def add(session: Session) -> UserMixin:
            user = model(**given)
            session.add(user)
            session.flush()
            # What the database itself filled in, and the roles: they are looked at when the session is gone.
            session.refresh(user)
            session.refresh(user, ["roles"])
            return user

        with _Taken(self, email_key):
            return as_user(self._write(add))

    def change_user(self, uid: str, **values: t.Any) -> bool:
        """Set attributes of a user. Returns whether there is such a user.

        :param uid: whom.
        :param values: by the names of columns.
        :raises EmailTaken: where another user has the address.
        """
        return self.change_user_if(uid, {}, **values)

    def change_user_if(self, uid: str, expected: cabc.Mapping[str, t.Any], **values: t.Any) -> bool:
        """Set attributes of a user if others are as expected still; of several who try at once one wins.

        :param uid: whom.
        :param expected: attributes that are compared.
        :param values: by the names of columns.
        :raises EmailTaken: where another user has the address.
        """
        user = self._models.User
        check(user, expected)
        check(user, values)
        if "uid" in values:
            raise TypeError("The uid of a user never changes, as everything refers to it.")
        conditions = [getattr(user, name) == value for name, value in expected.items()]
        # Without values it is asked alone, by setting what is there already.
        setting = values or {"uid": user.uid}
        statement = update(user).where(user.uid == uid, *conditions).values(**setting)
        with _Taken(self, values.get("email_key"), uid):
            return self._write(lambda session: changed(session, statement) > 0)

    def delete_user(self, uid: str) -> bool:
        """Delete a user and everything that is theirs, but for the log.

        :param uid: whom.
        """
        models = self._models

        def remove(session: Session) -> None:
            # Databases do it by their foreign keys, SQLite where these are switched on alone.
            for model in (models.Session, models.Token, models.Passkey, models.Identity):
                changed(session, delete(model).where(model.uid == uid))
            changed(session, delete(models.UserRole).where(models.UserRole.c.uid == uid))
            # The object itself, so that what the application's own relationships say is done as well.
            session.delete(session.scalars(select(models.User).where(models.User.uid == uid)).unique().one())

        try:
            self._write_for(uid, remove)
        except LookupError:
            return False
        return True

    def note_login(self, uid: str, at: datetime, address: str | None) -> None:
        """Count a login, and keep when and from where this one and the one before came.

        :param uid: who logged in.
        :param at: when.
        :param address: from where.
        """
        user = self._models.User
        # Columns on the right have the values from before.
        statement = (
            update(user)
            .where(user.uid == uid)
            .values(
                last_login_at=user.current_login_at,
                last_login_address=user.current_login_address,
                current_login_at=at,
                current_login_address=address,
                login_count=user.login_count + 1,
                failed_count=0,
            )
        )
        self._write(lambda session: changed(session, statement))

    def note_failure(self, uid: str, at: datetime) -> None:
        """Count a failed attempt.

        :param uid: to log in as whom.
        :param at: when.
        """
        user = self._models.User
        values = {"failed_count": user.failed_count + 1, "last_failed_at": at}
        statement = update(user).where(user.uid == uid).values(values)
        self._write(lambda session: changed(session, statement))

    def take_totp_step(self, uid: str, step: int) -> bool:
        """Use up the code of a time step.

        :param uid: whose code it is.
        :param step: the number of the step.
        :return: ``False`` where it or a later one was used already.
        """
        user = self._models.User
        statement = (
            update(user).where(user.uid == uid, user.totp_last_step < step).values(totp_last_step=step)
        )
        return self._write(lambda session: changed(session, statement) > 0)

    def _find(self, **by: str) -> User | None:
        user = self._models.User
        found = select(user).filter_by(**by).options(joinedload(user.roles))
        row = self._read(lambda session: session.scalars(found).unique().one_or_none())
        return None if row is None else as_user(row)


class _Taken:
    """Turns the database's refusal of a second user with one address into :exc:`EmailTaken`; it may have refused another thing."""

    def __init__(self, users: Users, email_key: str | None, uid: str | None = None) -> None:
        self._users, self._email_key, self._uid = users, email_key, uid

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, exc.IntegrityError) and self._email_key is not None:
            owner = self._users.user_by_email(self._email_key)
            if owner is not None and owner.uid != self._uid:
                raise EmailTaken("Another account has this address.") from None


class Roles(Transactions):
    """The part of the store that has roles, and who has which."""

    def role(self, name: str) -> Role | None:
        """Return a role.

        :param name: its name.
        """
        row = self._read(lambda session: session.get(self._models.Role, name))
        return None if row is None else as_role(row)

    def roles(self) -> cabc.Sequence[Role]:
        """Return all roles, by name."""
        role = self._models.Role
        found = select(role).order_by(role.name)
        return [as_role(row) for row in self._read(lambda session: session.scalars(found).all())]

    def put_role(self, name: str, description: str = "", permissions: cabc.Iterable[str] = ()) -> Role:
        """Add a role, or change the one of that name.

        :param name: its name.
        :param description: what it is for.
        :param permissions: what it permits.
        :raises TypeError: where the permissions are one text.
        """
        if isinstance(permissions, str):
            raise TypeError(
                f"The permissions of a role are several texts, and one was given: [{permissions!r}] is meant."
            )
        model = self._models.Role
        values: dict[str, t.Any] = {
            "description": description,
            "permissions": tuple(sorted(set(permissions))),
        }
        check(model, {"name": name, **values})

        def put(session: Session) -> RoleMixin:
            if not changed(session, update(model).where(model.name == name).values(**values)):
                session.execute(insert(model).values(name=name, **values))
            return session.scalars(select(model).where(model.name == name)).one()

        try:
            return as_role(self._write(put))
        except exc.IntegrityError:
            # Somebody added it in between, so now it is there to be changed.
            return as_role(self._write(put))

    def delete_role(self, name: str) -> bool:
        """Delete a role; nobody has it after that.

        :param name: its name.
        """
        role, having = self._models.Role, self._models.UserRole

        def remove(session: Session) -> bool:
            gone = changed(session, delete(role).where(role.name == name)) > 0
            # As for users: foreign keys have done it, where they are switched on.
            changed(session, delete(having).where(having.c.role == name))
            return gone

        return self._write(remove)

    def grant(self, uid: str, role: str) -> bool:
        """Give a user a role; ``False`` where they have it.

        :param uid: whom.
        :param role: its name.
        :raises LookupError: where there is no such user or role.
        """
        model, having = self._models.Role, self._models.UserRole

        def give(session: Session) -> bool:
            # Held, so that it is not deleted at this time. Nobody gives this user another one either.
            held = select(model.name).where(model.name == role).with_for_update(read=True, key_share=True)
            if session.scalar(held) is None:
                raise LookupError(f"There is no role {role!r}. Add it first: store.put_role({role!r}).")
            if session.execute(select(having).where(having.c.uid == uid, having.c.role == role)).first():
                return False
            session.execute(insert(having).values(uid=uid, role=role))
            return True

        try:
            return self._write_for(uid, give)
        except exc.IntegrityError:
            # The role was deleted at that time. Asked again, it is missed.
            return self._write_for(uid, give)

    def withdraw(self, uid: str, role: str) -> bool:
        """Take a role from a user; ``False`` where they do not have it.

        :param uid: whom.
        :param role: its name.
        """
        having = self._models.UserRole
        statement = delete(having).where(having.c.uid == uid, having.c.role == role)
        return self._write(lambda session: changed(session, statement) > 0)
