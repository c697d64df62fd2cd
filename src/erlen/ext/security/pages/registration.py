"""Making an account, and activating it."""

from __future__ import annotations

from erlen import Response, abort, request

from .. import forms
from ..errors import InvalidToken
from ..types import User
from .base import Pages, refusing, wants_json


class RegistrationPages(Pages):
    """Views about registration. What they answer tells nobody whether an address has an account."""

    def register(self) -> Response:
        """Make an account, and have a mail sent."""
        if not self.security.settings.registration:
            abort(404, "This site does not let visitors register.")
        if request.method != "POST":
            if "sent" in request.args:
                return self.page("sent", reason="register")
            return self.page(
                "register", form=self.security.register_form.blank(), providers=self.security.openid.providers
            )
        filled = self.security.register_form.read(request)
        if not filled.errors:
            with refusing(filled):
                self.security.accounts.register(**filled.values)
                return self.sent("register")
        return self.again("register", filled, providers=self.security.openid.providers)

    def activate(self, token: str) -> Response:
        """Ask whoever follows the link for the password of the registration, and activate the account with it.

        Programs that look at mails follow links as well, and so may an owner whose address a stranger has registered.
        """
        user = self._activated_by(token)
        form = forms.ACTIVATE
        if user is not None and user.password_hash is not None:
            form = form.changed("password", required=True)
        if request.method != "POST":
            if user is None:
                return self.page("link", 400, reason="activate")
            return self.page("activate", form=form.blank(), user=user)
        filled = form.read(request)
        if not filled.errors:
            with refusing(filled):
                self.security.accounts.activate(token, filled["password"] or None)
                return self.noticed("login", "activated")
        # Looked at again: of two who press the button at once, the second one has a link that is used.
        if self._activated_by(token) is None and not wants_json():
            return self.page("link", 400, reason="activate")
        return self.again("activate", filled, user=user)

    def _activated_by(self, token: str) -> User | None:
        try:
            return self.security.accounts.activated_by(token)
        except InvalidToken:
            return None

    def resend_activation(self) -> Response:
        """Have the activation mail sent again."""
        if request.method != "POST":
            if "sent" in request.args:
                return self.page("sent", reason="resend_activation")
            return self.page("resend_activation", form=forms.ADDRESS.blank())
        filled = forms.ADDRESS.read(request)
        if not filled.errors:
            with refusing(filled):
                self.security.accounts.send_activation(filled["email"])
                return self.sent("resend_activation")
        return self.again("resend_activation", filled)
