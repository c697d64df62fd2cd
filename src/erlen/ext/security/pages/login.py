"""Logging in, with a second factor and with passkeys; showing again who one is; logging out."""

from __future__ import annotations

import typing as t

from erlen import Response, request, session

from .. import forms
from ..errors import InvalidToken
from ..forms import Filled
from ..sessions import client_of_request
from ..types import User
from .base import PENDING, Pages, refusing, wants_json


class LoginPages(Pages):
    """Views about logging in and out."""

    def login(self) -> Response:
        """Ask for address and password; lead on to where ``next`` says, if that is safe."""
        if request.method != "POST":
            if self.auth() is not None and not wants_json():
                return self.see(self.next_asked() or self.security.settings.login_redirect)
            # The same for everybody: nothing of who is logged in, and no token (CVE-2021-21241).
            return self.page("login", form=forms.LOGIN.blank(), providers=self._providers())
        filled = forms.LOGIN.read(request)
        if not filled.errors:
            with refusing(filled):
                step = self.security.logins.with_password(
                    filled["email"], filled["password"], remember=filled["remember"]
                )
                return self.after(step)
        return self.again("login", filled, providers=self._providers())

    def _providers(self) -> t.Any:
        return self.security.openid.providers

    def passkey_options(self) -> Response:
        """Return what a browser needs to log in with a passkey, or to be verified by one."""
        self.need_passkeys()
        filled = forms.PASSKEY_OPTIONS.read(request)
        if filled.errors:
            return self.again("error", filled)
        user, step, auth = None, filled["step"], self.auth()
        if step == "verify":
            user = self._pending_user(filled["pending"])
        elif step == "reauthenticate" and auth is not None:
            user = auth.user
        if user is None and step in {"verify", "reauthenticate"}:
            filled.status = 400
            filled.refuse("", "The login has to begin anew.")
            return self.again("error", filled)
        with refusing(filled):
            self.security.limits.hit("login", client_of_request().address or "")
            return self.json(self.security.factors.passkeys.login_options(user))
        return self.again("error", filled)

    def passkey_login(self) -> Response:
        """Log in with a passkey alone."""
        self.need_passkeys()
        filled = forms.PASSKEY_LOGIN.read(request)
        if not filled.errors:
            with refusing(filled):
                return self.after(
                    self.security.logins.with_passkey(filled["credential"], remember=filled["remember"])
                )
        return self.again("error", filled)

    # The second step

    def verify(self) -> Response:
        """Ask for the second factor."""
        if request.method != "POST":
            user = self._pending_user("")
            if user is None:
                return self.see(self.url("login", next=self.next_asked(), notice="expired"))
            return self._verify_page(forms.VERIFY.blank(kind=self._kind(user)), user)
        filled = forms.VERIFY.read(request)
        pending = filled.values.get("pending") or self._pending()
        user = self._pending_user(pending)
        if user is None and not wants_json():
            session.pop(PENDING, None)
            return self.see(self.url("login", next=self.next_asked(), notice="expired"))
        if not filled.errors:
            kind = filled["kind"]
            answer = filled.values.get("credential") if kind == "passkey" else filled["code"]
            if not answer:
                filled.refuse("credential" if kind == "passkey" else "code", forms.REQUIRED)
            else:
                with refusing(filled):
                    return self.after(self.security.logins.with_factor(pending, kind, answer))
        if user is None or wants_json():
            return self.again("verify", filled)
        if self._pending_user(pending) is None:
            # That was the last attempt.
            session.pop(PENDING, None)
            return self.again("login", self._moved(filled), providers=self._providers())
        return self._verify_page(filled, user)

    def _verify_page(self, filled: Filled, user: User) -> Response:
        factors = self.security.factors.available(user)
        kind = filled.values.get("kind") or self._kind(user)
        answer = self.page(
            "verify", filled.status if filled.errors else 200, form=filled, kind=kind, factors=factors
        )
        if filled.retry_after is not None:
            answer.headers["Retry-After"] = str(filled.retry_after)
        return answer

    def _kind(self, user: User) -> str:
        factors = self.security.factors.available(user)
        asked = request.args.get("kind")
        if asked in factors:
            return asked
        return next((one for one in ("totp", "passkey", "code") if one in factors), "code")

    def _moved(self, filled: Filled) -> Filled:
        moved = forms.LOGIN.blank()
        moved.errors, moved.status, moved.retry_after = filled.errors, filled.status, filled.retry_after
        return moved

    def _pending(self) -> str:
        pending = session.get(PENDING)
        return pending if isinstance(pending, str) else ""

    def _pending_user(self, pending: str) -> User | None:
        try:
            token = self.security.tokens.look(pending or self._pending(), "pending")
        except InvalidToken:
            return None
        return None if token.uid is None else self.security.store.user(token.uid)

    # Again, and away

    def reauthenticate(self) -> Response:
        """Ask who is logged in to show it once more."""
        user = self.user()
        if request.method != "POST":
            return self._reauthenticate_page(forms.REAUTHENTICATE.blank(), user)
        filled = forms.REAUTHENTICATE.read(request)
        given = {
            "password": filled.values.get("password") or None,
            "totp": filled.values.get("code") or None,
            "passkey": filled.values.get("credential"),
        }
        if not filled.errors and not any(given.values()):
            filled.refuse("code" if self._how(user) == "totp" else "password", forms.REQUIRED)
        if not filled.errors:
            with refusing(filled):
                self.security.logins.reauthenticate(user, **given)
                target = self.next_asked() or self.url("overview")
                if wants_json():
                    return self.json({"status": "done", "next": target})
                return self.see(target)
        if wants_json():
            return self.again("reauthenticate", filled)
        return self._reauthenticate_page(filled, user)

    def _how(self, user: User) -> str:
        ways = self._ways(user)
        asked = request.args.get("with")
        return asked if asked in ways else next(iter(ways), "")

    def _ways(self, user: User) -> list[str]:
        factors = self.security.factors.available(user)
        ways = ["password"] if user.password_hash is not None else []
        return [*ways, *(one for one in ("totp", "passkey") if one in factors)]

    def _reauthenticate_page(self, filled: Filled, user: User) -> Response:
        return self.page(
            "reauthenticate",
            filled.status if filled.errors else 200,
            form=filled,
            user=user,
            ways=self._ways(user),
            way=self._how(user),
        )

    def logout(self) -> Response:
        """End the session of this browser; by ``POST`` alone, so that no picture on another page can."""
        if request.method != "POST":
            return self.page("logout")
        self.security.sessions.end()
        if wants_json():
            return self.json({"status": "done"})
        return self.see(self.security.settings.logout_redirect)
