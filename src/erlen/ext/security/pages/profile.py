"""What users see and change of their accounts."""

from __future__ import annotations

from erlen import Response, abort, request

from .. import forms
from ..errors import InvalidToken
from .base import Pages, refusing, wants_json
from .shown import ALARMING, EVENTS, account_shown, device_of, event_shown, program_shown, session_shown

#: How many events the log of a user shows.
EVENTS_SHOWN = 50


class ProfilePages(Pages):
    """Views of who is logged in."""

    def overview(self) -> Response:
        """Show the account."""
        user = self.user()
        factors = self.security.factors.available(user)
        must_set_up = self.security.factors.must_set_up(user)
        if wants_json():
            return self.json(account_shown(user, factors, must_set_up=must_set_up))
        return self.page("overview", user=user, factors=factors, must_set_up=must_set_up)

    def password(self) -> Response:
        """Change the password; all other sessions end."""
        user = self.user()
        if request.method != "POST":
            return self.page("password", form=forms.PASSWORD_CHANGE.blank(), user=user)
        filled = forms.PASSWORD_CHANGE.read(request)
        if user.password_hash is not None and not filled.values.get("current") and not filled.errors:
            filled.refuse("current", forms.REQUIRED)
        if not filled.errors:
            with refusing(filled):
                self.security.accounts.change_password(user, filled["current"] or None, filled["password"])
                return self.done("overview", "Your password is changed. All other devices are signed out.")
        return self.again("password", filled, user=user)

    def email(self) -> Response:
        """Ask for another address, which a mail to it has to confirm."""
        user = self.user()
        if request.method != "POST":
            if "sent" in request.args:
                return self.page("sent", reason="email", user=user)
            return self.page("email", form=forms.NEW_EMAIL.blank(), user=user)
        filled = forms.NEW_EMAIL.read(request)
        if not filled.errors:
            with refusing(filled):
                self.security.accounts.ask_email_change(user, filled["email"])
                return self.sent("email")
        return self.again("email", filled, user=user)

    def confirm_email(self, token: str) -> Response:
        """Show a button to whoever follows the link, and change the address when it is pressed."""
        filled = forms.NOTHING.blank()
        if request.method == "POST":
            with refusing(filled):
                self.security.accounts.change_email(token)
                return self.noticed("login" if self.auth() is None else "overview", "email")
            if wants_json():
                return self.again("confirm_email", filled)
            return self.page("link", filled.status, reason="email")
        try:
            found = self.security.tokens.look(token, "email")
        except InvalidToken:
            return self.page("link", 400, reason="email")
        return self.page("confirm_email", form=filled, email=found.data.get("email", ""))

    def object_email(self, token: str) -> Response:
        """Show a button to whoever did not ask for another address, and undo the change when it is pressed."""
        filled = forms.NOTHING.blank()
        if request.method == "POST":
            with refusing(filled):
                self.security.accounts.object_to_email_change(token)
                return self.noticed("login", "kept")
            if wants_json():
                return self.again("object_email", filled)
            return self.page("link", filled.status, reason="object")
        try:
            found = self.security.tokens.look(token, "email-object")
        except InvalidToken:
            return self.page("link", 400, reason="object")
        return self.page("object_email", form=filled, email=found.data.get("email", ""))

    def delete(self) -> Response:
        """Delete the account, after asking."""
        user = self.user()
        if request.method != "POST":
            return self.page("delete", form=forms.NOTHING.blank(), user=user)
        filled = forms.NOTHING.blank()
        with refusing(filled):
            self.security.accounts.delete(user)
            self.security.sessions.end()
            return self.noticed("login", "deleted")
        return self.again("delete", filled, user=user)

    def log(self) -> Response:
        """Show what has happened to the account."""
        user = self.user()
        events = self.security.store.events(user.uid, limit=EVENTS_SHOWN)
        if wants_json():
            return self.json({"events": [event_shown(one) for one in events]})
        return self.page(
            "log", user=user, events=events, texts=EVENTS, alarming=ALARMING, device_of=device_of
        )

    # Sessions

    def sessions(self) -> Response:
        """Show where the account is logged in."""
        auth = self.auth()
        assert auth is not None  # the view asks for a login
        current = None if auth.record is None else auth.record.id
        records, programs = self.security.sessions.all(auth.user), self.security.tokens.families(auth.user)
        if wants_json():
            return self.json(
                {
                    "sessions": [session_shown(one, current) for one in records],
                    "programs": [program_shown(one) for one in programs],
                }
            )
        return self.page(
            "sessions",
            user=auth.user,
            records=records,
            programs=programs,
            current=current,
            device_of=device_of,
        )

    def revoke_session(self, id: str) -> Response:
        """End one session."""
        if not self.security.sessions.revoke(self.user(), id):
            abort(404, "You have no such session. It may have ended already.")
        return self.done("sessions", "That device is signed out.")

    def revoke_program(self, id: str) -> Response:
        """End the login of a program."""
        if not self.security.tokens.revoke_family(self.user(), id):
            abort(404, "You have no such program. It may have been signed out already.")
        return self.done("sessions", "That program is signed out.")

    def revoke_other_sessions(self) -> Response:
        """End all sessions but this one, and the logins of programs."""
        user = self.user()
        count = self.security.sessions.revoke_others(user) + self.security.tokens.revoke_families(user)
        return self.done("sessions", "All other devices are signed out.", count=count)
