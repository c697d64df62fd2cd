"""Logging in: with a password, a passkey or another site's word, and the second step where there is one."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from dataclasses import dataclass

from .errors import InvalidToken, SecurityError, WrongCredentials
from .factors import Factors
from .keys import digest
from .kit import Kit
from .limits import Limits
from .passwords import Passwords
from .proofs import Proofs
from .sessions import Sessions, is_usable
from .tokens import Tokens
from .types import Token, User

__all__ = ["Logins", "Step"]

Factor: t.TypeAlias = t.Literal["totp", "code", "passkey"]

#: The purpose of the token that stands between the two steps.
PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far a login is.

    :param user: who logs in.
    :param done: whether they are logged in.
    :param pending: what the second step needs, where there is one; a secret.
    :param factors: what the second step may be done with: of ``totp``, ``passkey``, ``code``.
    :param must_set_up: whether a role of the user asks for a second factor and they have none, so that setting one up comes next.

    .. versionadded:: 0.1
    """

    user: User
    done: bool
    pending: str | None = None
    factors: tuple[str, ...] = ()
    must_set_up: bool = False


class Logins:
    """Logs users in. Whoever is refused hears the same, and waits as long, whatever the reason.

    A passkey is a second factor in itself: it asks for the device and for what unlocks it. After everything else, a user
    with a second factor is asked for it; no way leads around that.

    :param kit: store, settings, log and clock.
    :param passwords: compares passwords.
    :param tokens: makes the token between two steps.
    :param limits: counts attempts.
    :param sessions: begins sessions.
    :param factors: the second factors.

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
    ) -> None:
        self._kit, self._tokens, self._sessions, self._factors = kit, tokens, sessions, factors
        self._proofs = Proofs(kit, passwords, limits)

    def check_password(self, email: str, password: str) -> User:
        """Return the user whose address and password these are, where nothing else is asked for: HTTP Basic.

        A user who has a second factor, or has to have one, is refused as if the password were wrong; they use a token. As every
        request of a program asks, only failures count, and the caller has a rate for them; locks are the same as for logins.

        :param email: as it was typed.
        :param password: as it was typed.
        :raises WrongCredentials: for whatever does not fit.
        :raises TooManyAttempts: for known and unknown addresses alike.
        """
        user = self._proofs.user_with_password(email, password, counted=False)
        if self._factors.available(user) or self._factors.must_set_up(user):
            self._proofs.failed(user.email_key, user, "second factor")
            raise WrongCredentials
        if user.failed_count:
            # Not each time: a program asks often, and forgetting writes.
            self._proofs.succeeded(user)
            self._kit.store.change_user(user.uid, failed_count=0)
        return user

    def with_password(self, email: str, password: str, *, remember: bool = False) -> Step:
        """Log in with address and password, or begin to.

        :param email: as it was typed.
        :param password: as it was typed.
        :param remember: whether the session outlives the browser.
        :raises WrongCredentials: for an unknown address, a wrong password, and an account that may not be used.
        :raises TooManyAttempts: for known and unknown addresses alike.
        """
        user = self._proofs.user_with_password(email, password)
        return self._step(user, ("password",), remember=remember)

    def with_identity(self, user: User, *, remember: bool = False) -> Step:
        """Log in a user for whom another site has spoken, or begin to.

        :param user: the user to whom issuer and subject belong.
        :param remember: whether the session outlives the browser.
        :raises WrongCredentials: for an account that may not be used.
        """
        self._refuse_unusable(user)
        return self._step(user, ("openid",), remember=remember)

    def with_passkey(self, credential: cabc.Mapping[str, t.Any], *, remember: bool = False) -> Step:
        """Log in with a passkey alone.

        :param credential: what ``navigator.credentials.get`` returned, as JSON.
        :param remember: whether the session outlives the browser.
        :raises WrongCredentials: for a passkey that does not fit, and an account that may not be used.
        :raises TooManyAttempts: when the network address has tried too often.
        """
        # Nobody guesses a passkey, so a lock that strangers have caused does not keep its owner out.
        self._proofs.guard(None)
        try:
            user = self._factors.passkeys.login(credential)
        except SecurityError as error:
            self._kit.events.tell("login_failed", reason="passkey")
            raise WrongCredentials from error
        self._refuse_unusable(user)
        return self._finish(user, ("passkey",), remember=remember)

    def with_factor(self, pending: str, kind: Factor, answer: t.Any) -> Step:
        """Do the second step.

        :param pending: what the first step returned.
        :param kind: the factor.
        :param answer: the code, or what ``navigator.credentials.get`` returned.
        :raises InvalidToken: if the login has to begin anew: it took too long, was tried too often, or was finished.
        :raises WrongCredentials: for an answer that does not fit.
        :raises TooManyAttempts: when the account is locked by what failed before, passwords among it.
        """
        token, user = self._pending(pending)
        self._proofs.guard(user.email_key)
        self._count_try(token, pending)
        if kind not in self._factors.available(user) or not self._is_right(user, kind, answer):
            self._proofs.failed(user.email_key, user, kind, "second_factor_failed")
            raise WrongCredentials
        # Of two right answers at once one gets in.
        self._tokens.use(pending, PENDING)
        methods = (*(str(one) for one in token.data["methods"]), kind)
        return self._finish(user, methods, remember=token.data["remember"])

    def reauthenticate(
        self,
        user: User,
        *,
        password: str | None = None,
        totp: str | None = None,
        passkey: cabc.Mapping[str, t.Any] | None = None,
    ) -> None:
        """Make the session of a user fresh, by something that only they know or have. Another site's word is nothing of that kind.

        :param user: who is logged in.
        :param password: their password.
        :param totp: a code of their authenticator application.
        :param passkey: what ``navigator.credentials.get`` returned.
        :raises WrongCredentials: if nothing is given, if one does not fit, or if the session is somebody else's.
        :raises TooManyAttempts: when there were too many.
        """
        current = self._sessions.current()
        given: dict[str, t.Any] = {"password": password, "totp": totp, "passkey": passkey}
        given = {kind: answer for kind, answer in given.items() if answer is not None}
        if current is None or current.record is None or current.user.uid != user.uid or not given:
            raise WrongCredentials
        for kind, answer in given.items():
            if kind == "password":
                self._proofs.check(user, answer)
                continue
            self._proofs.guard(user.email_key)
            if kind not in self._factors.available(user) or not self._is_right(user, kind, answer):
                self._proofs.failed(user.email_key, user, kind, "second_factor_failed")
                raise WrongCredentials
        self._refuse_unusable(user)
        self._proofs.succeeded(user)
        self._sessions.renew(tuple(given))

    def _refuse_unusable(self, user: User) -> None:
        if not is_usable(user, self._kit.settings):
            self._kit.events.tell("login_failed", user, reason="state")
            raise WrongCredentials

    def _step(self, user: User, methods: tuple[str, ...], *, remember: bool) -> Step:
        factors = tuple(self._factors.available(user))
        if not factors:
            return self._finish(user, methods, remember=remember)
        # What failed before is not forgotten yet: who knows the password could guess codes without an end.
        secret, _ = self._tokens.issue(
            PENDING,
            user.uid,
            self._kit.settings.pending_lifetime,
            data={"methods": list(methods), "remember": remember is True, "password": _password_of(user)},
        )
        return Step(user=user, done=False, pending=secret, factors=factors)

    def _finish(self, user: User, methods: tuple[str, ...], *, remember: bool) -> Step:
        self._proofs.succeeded(user)
        self._sessions.begin(user, methods, remember=remember is True)
        # A change of the password, and switching an account off, end the sessions that there are then, which one that was about
        # to begin was not. It would be there again when the account is switched on.
        again = self._kit.store.user(user.uid)
        if (
            again is None
            or not is_usable(again, self._kit.settings)
            or _password_of(again) != _password_of(user)
        ):
            self._sessions.end()
            raise WrongCredentials
        # A passkey is a second factor already, so who has one is never asked to set one up.
        return Step(user=user, done=True, must_set_up=self._factors.must_set_up(user))

    def _pending(self, secret: str) -> tuple[Token, User]:
        token = self._tokens.look(secret, PENDING)
        user = None if token.uid is None else self._kit.store.user(token.uid)
        # Between the steps an account may have been switched off, or got another password.
        if (
            user is None
            or not is_usable(user, self._kit.settings)
            or token.data["password"] != _password_of(user)
        ):
            raise InvalidToken
        return token, user

    def _count_try(self, token: Token, secret: str) -> None:
        # Counted before the answer is looked at, so that many at once are no more than one after the other.
        now = self._kit.clock()
        tries = self._kit.store.count_attempt(digest(f"pending:{token.key}"), now, token.created_at)
        if tries > self._kit.settings.lock_after:
            self._tokens.use(secret, PENDING)
            raise InvalidToken

    def _is_right(self, user: User, kind: str, answer: t.Any) -> bool:
        if kind == "passkey":
            try:
                return (
                    isinstance(answer, cabc.Mapping)
                    and self._factors.passkeys.login(t.cast("cabc.Mapping[str, t.Any]", answer), user).uid
                    == user.uid
                )
            except SecurityError:
                return False
        if not isinstance(answer, str):
            return False
        return (
            self._factors.totp.check(user, answer)
            if kind == "totp"
            else self._factors.codes.use(user, answer)
        )


def _password_of(user: User) -> str | None:
    """Return which password of a user this is; a hash of other cost does not make it another one."""
    return None if user.password_changed_at is None else user.password_changed_at.isoformat()
