"""Accounts from the first day to the last: registration, activation, recovery, changes of password and address, deletion."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from datetime import datetime, timedelta

from .emails import Email, parse_email
from .errors import EmailTaken, InvalidToken, SecurityError, WeakPassword, WrongCredentials
from .factors import Factors
from .keys import digest
from .kit import Kit
from .limits import Limits
from .mail import Postman
from .passwords import Passwords
from .proofs import Proofs
from .sessions import Sessions, client_of_request
from .tokens import Tokens
from .types import Token, User

__all__ = ["Accounts"]

#: For how long the owner of an address can object when it is replaced: not everybody reads mails each day.
OBJECTION_LIFETIME = timedelta(days=7)

#: What ends with the sessions when somebody may have got in. Objections to a change of address do not: they are the owner's way back.
TOKENS = ("api", "refresh", "pending", "reset", "activate", "email")

#: What ends when users change their password. A change of address is among it: it may be a thief's, who is to be kept out.
UNDER_PASSWORD = ("refresh", "pending", "reset", "email")

#: Whose password it is may be a stranger's, who registered the address as well. The owner then chooses one of their own.
NOT_OF_REGISTRATION = (
    "This is not the password of this registration. Enter the one you chose, or ask for a recovery mail, which activates the "
    "account as well."
)

#: Attributes that no registration sets, whatever an application passes on from a form.
RESERVED = frozenset({*User.__annotations__, "id", "roles", "is_authenticated"})


class Accounts:
    """Makes, changes and ends accounts.

    What a visitor asks about an address is answered the same, with the same work, whether it has an account: the account is
    looked for after the answer, and its owner is written to.

    :param kit: store, settings, log and clock.
    :param passwords: the rules for passwords, and hashes.
    :param tokens: what links in mails carry.
    :param limits: how many mails may be asked for.
    :param sessions: the sessions that end.
    :param factors: the second factors, which a reset leaves as they are.
    :param postman: writes to users.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        kit: Kit,
        passwords: Passwords,
        tokens: Tokens,
        limits: Limits,
        sessions: Sessions,
        factors: Factors,
        postman: Postman,
    ) -> None:
        self._kit, self._store, self._passwords, self._tokens = kit, kit.store, passwords, tokens
        self._limits, self._sessions, self._factors, self._postman = limits, sessions, factors, postman
        self._proofs = Proofs(kit, passwords, limits)

    # Registration and activation

    def register(self, email: str, password: str, **values: t.Any) -> None:
        """Make an account for a visitor, and write to the address.

        An address that has an account gets a mail that says so; the visitor hears the same as for a new one. Where the account was
        never activated nor used, the last registration counts: its password and values, and the link of its mail alone. The event ``registered``
        is told after the answer.

        :param email: as it was typed.
        :param password: as it was typed.
        :param values: further attributes of the application's user.
        :raises InvalidEmail: for what is no address.
        :raises WeakPassword: for a password that the rules refuse.
        :raises TooManyAttempts: when too many mails were asked for.
        :raises SecurityError: where visitors may not register.
        :raises TypeError: for attributes that are not the application's own.
        """
        if not self._kit.settings.registration:
            raise SecurityError("Visitors cannot make accounts here. Those who run the site make them.")
        if wrong := RESERVED & values.keys():
            raise TypeError(
                f"register() was called with {', '.join(sorted(wrong))}, which visitors may not choose. Pass the attributes of "
                f"your own that the form has by name, not everything that a request has sent."
            )
        address = parse_email(email)
        self._refuse_weak(password, address.address)
        self._may_write(address)
        # Equal cost: known addresses pay for the hash as well, and for one look and one change of the store.
        hashed = self._passwords.hash(password)
        known = self._store.user_by_email(address.key)
        added = None if known is not None else self._add(address, hashed, values)
        # Another registration may have come at the same moment.
        user = added or self._take_over(known or self._store.user_by_email(address.key), hashed, values)
        self._postman.later(lambda: self._registered(address, user, hashed, is_new=added is not None))

    def send_activation(self, email: str) -> None:
        """Write to an address once more how its account is activated, if it has one that is not.

        :param email: as it was typed.
        :raises InvalidEmail: for what is no address.
        :raises TooManyAttempts: when too many mails were asked for.
        """

        def write(user: User) -> None:
            if user.activated_at is None:
                self._store.end_tokens(user.uid, "activate")
                self._mail_activation(user)

        self._ask(email, write)

    def activated_by(self, secret: str) -> User:
        """Return the user whose account a secret would activate, and leave both as they are.

        :param secret: of the mail.
        :raises InvalidToken: for one that is unknown, used, too old, or was for another address or registration.
        """
        token, user = self._owner(secret, "activate")
        # Of several who register one address before its owner confirms it, the last one counts.
        if user.email_key != token.data["email_key"] or token.data["password"] != self._registration_of(user):
            raise InvalidToken
        return user

    def activate(self, secret: str, password: str | None) -> User:
        """Activate the account whose mail had a secret, for whoever knows its password as well.

        Anybody may register an address. The link alone shows that the mail was read, and not that its reader chose the password: the
        owner's click would open the account to a stranger.

        :param secret: of the mail. A password that is wrong does not use it up.
        :param password: of the registration; nothing counts for it where the user has none, as an administrator may make one.
        :raises InvalidToken: for a secret that is unknown, used, too old, or was for another address or registration.
        :raises WrongCredentials: if the password is not right.
        :raises TooManyAttempts: when it was wrong too often, here or in logins.
        """
        user = self.activated_by(secret)
        if user.password_hash is not None:
            self._check_registration(user, password)
        self._tokens.use(secret, "activate")
        compared: dict[str, t.Any] = {"activated_at": None}
        if self._kit.settings.activation_required:
            # Another registration may have replaced it in the meantime. Nothing else does: upgrades wait for a login.
            compared["password_hash"] = user.password_hash
        changed = self._store.change_user_if(user.uid, compared, activated_at=self._kit.clock())
        if not changed and self._again(user).activated_at is None:
            raise InvalidToken
        self._store.end_tokens(user.uid, "activate")
        self._kit.events.tell("activated", user)
        return self._again(user)

    # Recovery

    def ask_recovery(self, email: str) -> None:
        """Write to an address how its account gets a new password, if it has one.

        An account without a password, one that logs in with a passkey or another site, gets one that way: who reads the mails of
        an address owns the account. Its second factors, passkeys among them, are asked for as before.

        :param email: as it was typed.
        :raises InvalidEmail: for what is no address.
        :raises TooManyAttempts: when too many mails were asked for.
        """

        def write(user: User) -> None:
            self._kit.events.tell("recovery_asked", user)
            self._mail_recovery(user)

        self._ask(email, write)

    def reset(self, secret: str, password: str) -> User:
        """Give an account a new password, and end its sessions and tokens. Nobody is logged in by it.

        The address is confirmed with it, as its mails were read.

        :param secret: of the mail. A password that is refused does not use it up.
        :param password: the new password.
        :raises InvalidToken: for a secret that is unknown, used, too old, or was for another address.
        :raises WeakPassword: for a password that the rules refuse.
        """
        token, user = self._owner(secret, "reset")
        if user.email_key != token.data["email_key"]:
            raise InvalidToken
        self._refuse_weak(password, user.email)
        hashed = self._passwords.hash(password)
        self._tokens.use(secret, "reset")
        self._replace_password(user, hashed, activated_at=user.activated_at or self._kit.clock())
        if user.activated_at is None:
            # Nobody has shown before whose address it is, so an account elsewhere may be linked that is not its owner's.
            self._unlink_all(user)
        if not self._factors.available(user):
            # The owner is back. Codes of a second factor could be guessed anew after each reset otherwise.
            self._proofs.succeeded(user)
        self._kit.events.tell("password_reset", user)
        if user.activated_at is None:
            self._kit.events.tell("activated", user)
        self._postman.notify("password_changed", user)
        return self._again(user)

    # Changes by the user

    def change_password(self, user: User, current: str | None, password: str) -> None:
        """Change the password of a user who is logged in. Other sessions end, and this one gets another secret.

        :param user: the user.
        :param current: the password so far; nothing counts for it where the user has none.
        :param password: the new one.
        :raises WeakPassword: for a password that the rules refuse.
        :raises WrongCredentials: if ``current`` is not right.
        :raises TooManyAttempts: when it was wrong too often.
        """
        self._refuse_weak(password, user.email)
        before = user.password_hash
        if before is not None:
            if current is None:
                raise WrongCredentials
            self._proofs.check(user, current)
            before = self._hash_of(user, current)
        hashed = self._passwords.hash(password)
        # First of all, as in `_replace_password`. Sessions are told by their time: of two who change it at once one has to keep theirs.
        self._store.end_tokens(user.uid, *UNDER_PASSWORD)
        if not self._store.change_user_if(
            user.uid,
            {"password_hash": before},
            password_hash=hashed,
            password_changed_at=self._kit.clock(),
        ):
            # Somebody else was quicker, so ``current`` is the password no more.
            raise WrongCredentials
        self._store.end_tokens(user.uid, *UNDER_PASSWORD)
        self._sessions.revoke_others(user)
        self._kit.events.tell("password_changed", user)
        self._postman.notify("password_changed", user)
        own = self._sessions.current()
        if own is not None and own.user.uid == user.uid:
            self._sessions.renew(("password",))

    def _hash_of(self, user: User, password: str) -> str | None:
        """Return the hash of a password that was right just now."""
        stored = self._again(user).password_hash
        # It may have been upgraded since, or somebody else was quicker and has changed the password.
        if stored != user.password_hash and stored and not self._passwords.verify(password, stored).matches:
            raise WrongCredentials
        return stored

    def ask_email_change(self, user: User, email: str) -> None:
        """Write to a new address that is to replace the one of a user, and to the one so far, from which it can be objected to.

        An address that has another account gets a mail that says so; the user hears the same. The page asks for a fresh login before.

        :param user: the user.
        :param email: the new address, as it was typed.
        :raises InvalidEmail: for what is no address.
        :raises TooManyAttempts: when too many mails were asked for.
        """
        address = parse_email(email)
        self._may_write(address, user.uid)
        # Plain values, as the proxy of the current user belongs to this request.
        uid, old, old_key, changed_at = user.uid, user.email, user.email_key, user.password_changed_at
        self._kit.events.tell("email_change_asked", user)

        def write() -> None:
            again = self._store.user(uid)
            if again is None or not again.is_active or again.password_changed_at != changed_at:
                # Mails may wait, and whoever has asked was thrown out in the meantime.
                return
            self._store.end_tokens(uid, "email")
            # First, so that no change goes unseen where mails fail.
            self._mail_objection("email_change_notice", uid, old, old_key, address.address)
            owner = self._store.user_by_email(address.key)
            if owner is not None and owner.uid != uid:
                self._postman.send("email_taken", owner.email, endpoint="security.recover")
                return
            secret, token = self._tokens.issue(
                "email",
                uid,
                self._kit.settings.email_change_lifetime,
                data={
                    "email": address.address,
                    "email_key": address.key,
                    "from": old_key,
                    "password": _time_of(changed_at),
                },
            )
            self._postman.send(
                "email_change",
                address.address,
                endpoint="security.confirm_email",
                token=secret,
                until=token.expires_at,
            )

        self._postman.later(write)

    def change_email(self, secret: str) -> User:
        """Give an account the address whose mail had a secret, and write to the one so far.

        :param secret: the secret.
        :raises InvalidToken: for one that is unknown, used or too old, and where somebody else has the address by now.
        """
        token, user = self._owner(secret, "email")
        old, old_key = user.email, user.email_key
        # The mail before this one may have taken its time. One of an earlier version does not say of which password it is.
        asked_with = token.data.get("password", "")
        if old_key != token.data["from"] or _time_of(user.password_changed_at) != asked_with:
            raise InvalidToken
        self._tokens.use(secret, "email")
        new: dict[str, str] = {"email": token.data["email"], "email_key": token.data["email_key"]}
        # A new password ends changes that were asked for before, also one that is on its way.
        compared = {"email_key": old_key, "password_changed_at": user.password_changed_at}
        try:
            changed = self._store.change_user_if(
                user.uid, compared, **new, activated_at=user.activated_at or self._kit.clock()
            )
        except EmailTaken:
            changed = False
        if not changed:
            raise InvalidToken
        # Mails to the address so far had them.
        self._store.end_tokens(user.uid, "email", "reset", "activate")
        self._kit.events.tell("email_changed", user)
        self._postman.later(
            lambda: self._mail_objection("email_changed", user.uid, old, old_key, new["email"])
        )
        return self._again(user)

    def object_to_email_change(self, secret: str) -> User:
        """Undo a change of address, or keep it from happening, because it was not the owner who asked for it.

        Whoever did has been logged in. So all sessions and tokens end, the password counts no more, accounts elsewhere are unlinked, and
        the owner is written to how to choose another password. A second factor that was added meanwhile stays, which is for an administrator to judge.

        :param secret: of the mail to the address so far.
        :raises InvalidToken: for one that is unknown, used or too old, and where somebody else has the address by now.
        """
        token, user = self._owner(secret, "email-object")
        self._tokens.use(secret, "email-object")
        kept: dict[str, t.Any] = {"email": token.data["email"], "email_key": token.data["email_key"]}
        try:
            changed = self._replace_password(user, None, **kept)
        except EmailTaken:
            changed = False
        if not changed:
            raise InvalidToken
        # Who has taken the account may have changed the address again, and must not object in turn.
        for other in self._store.tokens(user.uid, "email-object"):
            if other.created_at >= token.created_at:
                self._store.end_token(user.uid, other.id, "email-object")
        user = self._again(user)
        # It may be the account of whoever asked for the change.
        self._unlink_all(user)
        self._kit.events.tell("email_changed", user, by="objection")
        self._postman.later(lambda: self._mail_recovery(user))
        return user

    def delete(self, user: User) -> None:
        """Delete an account and what belongs to it, but for the log.

        :param user: the user.
        """
        self._sessions.revoke_all(user)
        if self._store.delete_user(user.uid):
            self._kit.events.tell("account_deleted", user)
            self._postman.notify("deleted", user, endpoint="")

    # By an administrator

    def create(
        self,
        email: str,
        password: str | None = None,
        *,
        activated: bool = True,
        roles: cabc.Iterable[str] = (),
        by: str = "administrator",
    ) -> User:
        """Make an account for somebody. They are told an address that is taken, so this is for administrators.

        :param email: the address.
        :param password: the password; without one the user asks for a recovery mail.
        :param activated: whether the address counts as confirmed.
        :param roles: names of roles that there are.
        :param by: who makes it, for the log.
        :raises InvalidEmail: for what is no address.
        :raises WeakPassword: for a password that the rules refuse.
        :raises EmailTaken: if the address has an account.
        :raises LookupError: for a role that there is not.
        """
        address, roles = parse_email(email), tuple(roles)
        for role in roles:
            if self._store.role(role) is None:
                names = ", ".join(one.name for one in self._store.roles()) or "none"
                raise LookupError(f"There is no role {role!r}. There are: {names}.")
        if password is not None:
            self._refuse_weak(password, address.address)
        hashed = None if password is None else self._passwords.hash(password)
        user = self._insert(address, hashed, {"activated_at": self._kit.clock() if activated else None})
        self._kit.events.tell("registered", user, by=by)
        for role in roles:
            self._store.grant(user.uid, role)
            self._kit.events.tell("role_granted", user, role=role)
        return self._again(user)

    def set_active(self, user: User, active: bool) -> None:
        """Switch an account on or off. Off ends its sessions and tokens at once.

        :param user: the user.
        :param active: whether it may be used.
        """
        self._store.change_user(user.uid, is_active=active)
        if not active:
            self._end_all(user)
        self._kit.events.tell("account_activated" if active else "account_deactivated", user)

    def set_password(self, user: User, password: str) -> None:
        """Give an account another password, end its sessions and tokens, and write to its owner.

        :param user: the user.
        :param password: the new password.
        :raises WeakPassword: for a password that the rules refuse.
        """
        self._refuse_weak(password, user.email)
        self._replace_password(user, self._passwords.hash(password))
        self._kit.events.tell("password_changed", user, by="administrator")
        self._postman.notify("password_changed", user)

    # What they share

    def _refuse_weak(self, password: str, email: str) -> None:
        if problems := self._passwords.problems(password, about=(email,)):
            raise WeakPassword(problems)

    def _may_write(self, address: Email, *further: str) -> None:
        self._limits.hit("mail", address.key, client_of_request().address, *further)
        self._postman.check()

    def _ask(self, email: str, write: cabc.Callable[[User], None]) -> None:
        address = parse_email(email)
        self._may_write(address)

        def find() -> None:
            user = self._store.user_by_email(address.key)
            if user is not None and user.is_active:
                write(user)

        self._postman.later(find)

    def _insert(self, address: Email, hashed: str | None, values: cabc.Mapping[str, t.Any]) -> User:
        now = self._kit.clock()
        return self._store.add_user(
            email=address.address,
            email_key=address.key,
            password_hash=hashed,
            password_changed_at=None if hashed is None else now,
            created_at=now,
            **values,
        )

    def _add(self, address: Email, hashed: str, values: cabc.Mapping[str, t.Any]) -> User | None:
        try:
            return self._insert(address, hashed, values)
        except EmailTaken:
            return None

    def _take_over(self, known: User | None, hashed: str, values: cabc.Mapping[str, t.Any]) -> User | None:
        """Give an account that nobody has activated or used what another registration says."""
        if known is None:
            return None
        now = self._kit.clock()
        is_nobodys = self._kit.settings.activation_required and known.is_active and not known.login_count
        if known.activated_at is None and is_nobodys and not known.roles:
            if self._store.change_user_if(
                known.uid,
                {"activated_at": None, "password_hash": known.password_hash},
                password_hash=hashed,
                password_changed_at=now,
                **values,
            ):
                return known
            return None
        # A new address has something written as well.
        self._store.count_attempt(digest(f"registered:{known.email_key}"), now, now)
        return None

    def _registered(self, address: Email, user: User | None, hashed: str, *, is_new: bool) -> None:
        known = self._store.user_by_email(address.key)
        if user is None:
            if known is not None and known.is_active:
                self._postman.send("registered", known.email, endpoint="security.recover")
            return
        if is_new:
            self._kit.events.tell("registered", user)
        # Where another registration has come in the meantime, its mail is the one that counts.
        if known is not None and known.password_hash == hashed:
            self._mail_activation(known)

    def _registration_of(self, user: User) -> str | None:
        """Return what tells registrations of one address apart, as long as nobody can use the account."""
        if user.password_hash is None or not self._kit.settings.activation_required:
            return None
        return digest(user.password_hash)

    def _check_registration(self, user: User, password: str | None) -> None:
        try:
            if password is None:
                raise WrongCredentials
            self._proofs.check(user, password)
        except WrongCredentials:
            raise WrongCredentials(NOT_OF_REGISTRATION) from None

    def _owner(self, secret: str, purpose: str) -> tuple[Token, User]:
        token = self._tokens.look(secret, purpose)
        user = None if token.uid is None else self._store.user(token.uid)
        if user is None or not user.is_active:
            raise InvalidToken
        return token, user

    def _again(self, user: User) -> User:
        found = self._store.user(user.uid)
        if found is None:
            raise InvalidToken
        return found

    def _replace_password(self, user: User, hashed: str | None, **values: t.Any) -> bool:
        """Set another password, and end what was begun with the one before.

        First of all, so that nothing is left where the process dies in between; and once more for what was begun meanwhile.
        """
        self._end_all(user)
        changed = self._store.change_user(
            user.uid, password_hash=hashed, password_changed_at=self._kit.clock(), **values
        )
        self._end_all(user)
        return changed

    def _unlink_all(self, user: User) -> None:
        for one in self._store.identities(user.uid):
            if self._store.delete_identity(user.uid, one.issuer, one.subject):
                self._kit.events.tell("identity_removed", user, issuer=one.issuer)

    def _end_all(self, user: User) -> None:
        self._store.end_tokens(user.uid, *TOKENS)
        self._sessions.revoke_all(user)

    def _mail_activation(self, user: User) -> None:
        # Older ones are of another registration, and worth nothing, or end when this one is used.
        secret, token = self._tokens.issue(
            "activate",
            user.uid,
            self._kit.settings.activation_lifetime,
            data={"email_key": user.email_key, "password": self._registration_of(user)},
        )
        self._postman.send(
            "activate", user.email, endpoint="security.activate", token=secret, until=token.expires_at
        )

    def _mail_recovery(self, user: User) -> None:
        self._store.end_tokens(user.uid, "reset")
        secret, token = self._tokens.issue(
            "reset", user.uid, self._kit.settings.reset_lifetime, data={"email_key": user.email_key}
        )
        self._postman.send(
            "recover", user.email, endpoint="security.reset", token=secret, until=token.expires_at
        )

    def _mail_objection(self, name: str, uid: str, old: str, old_key: str, new: str) -> None:
        secret, token = self._tokens.issue(
            "email-object", uid, OBJECTION_LIFETIME, data={"email": old, "email_key": old_key}
        )
        self._postman.send(
            name,
            old,
            endpoint="security.object_email",
            token=secret,
            until=token.expires_at,
            new=new,
            at=self._kit.clock(),
        )


def _time_of(changed_at: datetime | None) -> str | None:
    return None if changed_at is None else changed_at.isoformat()
