"""Second factors: an authenticator application, recovery codes, passkeys."""

from __future__ import annotations

from erlen import Response, abort, request

from .. import forms
from ..forms import Filled
from ..types import User
from .base import Pages, refusing, wants_json
from .shown import passkey_shown

_WRONG = "That is not the code the app shows now. Check the time of the device, and try the next code."


class FactorPages(Pages):
    """Views about second factors; all but the first ask for a fresh login."""

    def second_factor(self) -> Response:
        """Show what there is."""
        user = self.user()
        factors = self.security.factors
        shown = {
            "factors": factors.available(user),
            "codes_left": factors.codes.left(user),
            "must_set_up": factors.must_set_up(user),
        }
        if wants_json():
            return self.json(shown)
        return self.page("second_factor", user=user, **shown)

    def _codes_for_first(self, user: User) -> list[str]:
        """Return recovery codes, where the first other factor was set up just now."""
        codes = self.security.factors.codes
        return [] if codes.left(user) else codes.make(user)

    def totp(self) -> Response:
        """Set up an authenticator application: it counts once it has shown a right code."""
        user = self.user()
        totp = self.security.factors.totp
        if request.method != "POST":
            setup = totp.begin(user)
            if wants_json():
                return self.json({"secret": setup.secret, "uri": setup.uri, "sealed": setup.sealed})
            return self.page("totp", form=forms.TOTP.blank(sealed=setup.sealed), user=user, setup=setup)
        filled = forms.TOTP.read(request)
        if not filled.errors:
            with refusing(filled):
                self.security.limits.hit("login", f"totp:{user.uid}")
                if totp.confirm(user, filled["sealed"], filled["code"]):
                    return self._added(user, "The authenticator app is set up.")
                filled.refuse("code", _WRONG)
        # The page shows the same secret again: it is in the app already. Where that is too old, a new one.
        if wants_json():
            return self.again("totp", filled)
        return self._totp_again(filled, user)

    def _totp_again(self, filled: Filled, user: User) -> Response:
        totp = self.security.factors.totp
        setup = totp.resume(user, filled.values.get("sealed") or "") or totp.begin(user)
        filled.values["sealed"] = setup.sealed
        return self.again("totp", filled, user=user, setup=setup)

    def _added(self, user: User, message: str) -> Response:
        codes = self._codes_for_first(user)
        if wants_json():
            return self.json({"status": "done", "codes": codes}, 201)
        if codes:
            # No redirect: codes are shown once, and kept nowhere for another page.
            return self.page("codes_made", 201, user=user, codes=codes, notice=message)
        return self.done("second_factor", message)

    def remove_totp(self) -> Response:
        """Do without the authenticator application."""
        user = self.user()
        if not self.security.factors.totp.is_on(user):
            abort(404, "No authenticator application is set up.")
        self.security.factors.totp.remove(user)
        return self.done("second_factor", "The authenticator app is removed.")

    def codes(self) -> Response:
        """Make new recovery codes."""
        user = self.user()
        codes = self.security.factors.codes
        if request.method != "POST":
            if wants_json():
                return self.json({"codes_left": codes.left(user)})
            return self.page("codes", user=user, left=codes.left(user), form=forms.NOTHING.blank())
        if not {"totp", "passkey"} & set(self.security.factors.available(user)):
            abort(409, "Recovery codes stand in for another second factor. Set one up first.")
        made = codes.make(user)
        if wants_json():
            return self.json({"codes": made}, 201)
        return self.page("codes_made", 201, user=user, codes=made)

    # Passkeys

    def passkeys(self) -> Response:
        """Show the passkeys, and add one; the page adds them with JSON, as only a script can ask a device."""
        user = self.user()
        passkeys = self.security.factors.passkeys
        if request.method != "POST":
            found = passkeys.all(user)
            if wants_json():
                return self.json({"passkeys": [passkey_shown(one) for one in found]})
            return self.page(
                "passkeys",
                user=user,
                passkeys=found,
                is_supported=passkeys.is_supported,
                form=forms.PASSKEY.blank(),
            )
        self.need_passkeys()
        filled = forms.PASSKEY.read(request)
        if not filled.errors:
            with refusing(filled):
                passkeys.register(user, filled["credential"], filled["name"])
                return self._added(user, "The passkey is added.")
        return self.again("error", filled)

    def new_passkey_options(self) -> Response:
        """Return what a browser needs to make a passkey."""
        self.need_passkeys()
        filled = forms.NOTHING.blank()
        with refusing(filled):
            return self.json(self.security.factors.passkeys.registration_options(self.user()))
        return self.again("error", filled)

    def remove_passkey(self, id: str) -> Response:
        """Remove a passkey."""
        if not self.security.factors.passkeys.remove(self.user(), id):
            abort(404, "You have no such passkey. It may have been removed already.")
        return self.done("passkeys", "The passkey is removed.")
