"""Who shows that they are the owner of an account, and what a wrong answer costs. Logins and accounts ask it."""

from __future__ import annotations

from .emails import parse_email
from .errors import InvalidEmail, WrongCredentials
from .keys import digest
from .kit import Kit
from .limits import Limits
from .passwords import Passwords
from .sessions import client_of_request, is_usable
from .types import User


class Proofs:
    """Compares passwords, and counts what fails.

    :param kit: store, settings, log and clock.
    :param passwords: compares.
    :param limits: counts.
    """

    def __init__(self, kit: Kit, passwords: Passwords, limits: Limits) -> None:
        self._kit, self._passwords, self._limits = kit, passwords, limits

    def guard(self, email_key: str | None, *, counted: bool = True) -> None:
        """Count an attempt, and refuse it where there were too many.

        :param email_key: whose account it is about, known or not; ``None`` for nobody's.
        :param counted: whether it counts for the rate of logins.
        :raises TooManyAttempts: before anything is compared, so that a right password does not show either.
        """
        address = client_of_request().address
        if counted:
            self._limits.hit("login", address)
        if email_key is not None:
            self._limits.check_lock(email_key, address)

    def user_with_password(self, email: str, password: str, *, counted: bool = True) -> User:
        """Return the user whose address and password these are.

        Whatever is wrong, the work is the same: one look at the store, one comparison, one failure noted for the address, one for
        the account or for nothing, and one event.

        :param email: as it was typed.
        :param password: as it was typed.
        :param counted: whether it counts for the rate of logins.
        :raises WrongCredentials: for whatever does not fit.
        :raises TooManyAttempts: for known and unknown addresses alike.
        """
        key = self._key_of(email)
        self.guard(key, counted=counted)
        user = None if key is None else self._kit.store.user_by_email(key)
        matches = self._compare(user, password)
        if user is None or not matches or not is_usable(user, self._kit.settings):
            # What can be no address is nobody's, which whoever typed it can see.
            reason = "address" if user is None else "password" if not matches else "state"
            self.failed(key or "", user, reason)
            raise WrongCredentials
        return user

    def check(self, user: User, password: str) -> None:
        """Raise if a password is not the one of a user who is known already.

        :param user: the user.
        :param password: as it was typed.
        :raises WrongCredentials: if it is not.
        :raises TooManyAttempts: when there were too many.
        """
        self.guard(user.email_key)
        if not self._compare(user, password):
            self.failed(user.email_key, user, "password")
            raise WrongCredentials

    def failed(self, email_key: str, user: User | None, reason: str, event: str = "login_failed") -> None:
        """Note a failed attempt.

        :param email_key: whose account it was about, known or not.
        :param user: the user, where there is one.
        :param reason: for the log; never shown.
        :param event: what it is called in the log.
        """
        now = self._kit.clock()
        is_locked = self._limits.note_failure(email_key, client_of_request().address)
        if user is None:
            # The same number of things written as below.
            self._kit.store.count_attempt(f"unknown:{digest(email_key)}", now, now)
        else:
            self._kit.store.note_failure(user.uid, now)
        self._kit.events.tell("login_locked" if is_locked else event, user, reason=reason)

    def succeeded(self, user: User) -> None:
        """Forget what failed before.

        :param user: who has shown everything that is asked for.
        """
        self._limits.forget(user.email_key, client_of_request().address)

    def _key_of(self, email: str) -> str | None:
        try:
            return parse_email(email).key
        except InvalidEmail:
            return None

    def _compare(self, user: User | None, password: str) -> bool:
        stored = None if user is None else user.password_hash
        verdict = self._passwords.verify(password, stored)
        if not verdict.matches or user is None:
            return False
        # Only in place of the hash that was compared: the user may have changed the password in the meantime.
        if (
            verdict.replacement is not None
            and is_usable(user, self._kit.settings)
            and self._kit.store.change_user_if(
                user.uid, {"password_hash": stored}, password_hash=verdict.replacement
            )
        ):
            self._kit.events.tell("password_upgraded", user)
        return True
