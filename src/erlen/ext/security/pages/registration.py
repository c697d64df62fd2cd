"""Making an account, and activating it."""

from __future__ import annotations

from erlen import Response, abort, request

from .. import forms
from ..errors import InvalidToken
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
        """Show a button to whoever follows the link, and activate the account when it is pressed.

        Programs that look at mails follow links as well.
        """
        filled = forms.NOTHING.blank()
        if request.method == "POST":
            with refusing(filled):
                self.security.accounts.activate(token)
                return self.noticed("login", "activated")
            if wants_json():
                return self.again("activate", filled)
            return self.page("link", filled.status, reason="activate")
        try:
            self.security.tokens.look(token, "activate")
        except InvalidToken:
            return self.page("link", 400, reason="activate")
        return self.page("activate", form=filled)

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
