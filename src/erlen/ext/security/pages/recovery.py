"""Setting a password that was forgotten."""

from __future__ import annotations

from erlen import Response, request

from .. import forms
from ..errors import InvalidToken
from ..types import User
from .base import Pages, refusing, wants_json


class RecoveryPages(Pages):
    """Views about recovery. What they answer tells nobody whether an address has an account."""

    def recover(self) -> Response:
        """Have a recovery mail sent."""
        if request.method != "POST":
            if "sent" in request.args:
                return self.page("sent", reason="recover")
            return self.page("recover", form=forms.ADDRESS.blank())
        filled = forms.ADDRESS.read(request)
        if not filled.errors:
            with refusing(filled):
                self.security.accounts.ask_recovery(filled["email"])
                return self.sent("recover")
        return self.again("recover", filled)

    def reset(self, token: str) -> Response:
        """Set a password with the token of a mail; it leads to the login, second factor and all."""
        user = self._user_of(token)
        if request.method != "POST":
            if user is None:
                return self.page("link", 400, reason="recover")
            return self.page("reset", form=forms.RESET.blank(), user=user)
        filled = forms.RESET.read(request)
        if not filled.errors:
            with refusing(filled):
                self.security.accounts.reset(token, filled["password"])
                return self.noticed("login", "reset")
        if user is None and not wants_json():
            return self.page("link", 400, reason="recover")
        return self.again("reset", filled, user=user)

    def _user_of(self, token: str) -> User | None:
        try:
            found = self.security.tokens.look(token, "reset")
        except InvalidToken:
            return None
        return None if found.uid is None else self.security.store.user(found.uid)
