"""Signing in with an account elsewhere (OpenID Connect)."""

from __future__ import annotations

import typing as t

from erlen import Response, abort, request, session

from .. import forms
from ..errors import EmailTaken, InvalidEmail, ProviderError
from ..sessions import client_of_request
from ..types import User
from .base import PROVIDER, Pages, refusing, wants_json
from .shown import identity_shown

if t.TYPE_CHECKING:
    from ..openid import Claims

_NO_ACCOUNT = (
    "No account here is linked to that one. If you have an account, sign in to it in the way you know, and link the two "
    "under 'Linked accounts'."
)


class OpenIDPages(Pages):
    """Views about accounts elsewhere."""

    def identities(self) -> Response:
        """Show the accounts elsewhere that are linked."""
        user = self.user()
        found = self.security.store.identities(user.uid)
        if wants_json():
            return self.json({"identities": [identity_shown(one) for one in found]})
        names = {one.issuer: one.title for one in self.security.openid.providers}
        return self.page(
            "identities", user=user, identities=found, names=names, providers=self.security.openid.providers
        )

    def remove_identity(self) -> Response:
        """Forget one, unless it is the only way in."""
        user = self.user()
        filled = forms.IDENTITY.read(request)
        if filled.errors:
            return self.again("error", filled)
        others = len(self.security.store.identities(user.uid)) > 1 or bool(
            self.security.factors.passkeys.all(user)
        )
        if user.password_hash is None and not others:
            abort(409, "This is the only way into your account. Set a password first.")
        if not self.security.openid.unlink(user, filled["issuer"], filled["subject"]):
            abort(404, "No such account is linked. It may have been unlinked already.")
        return self.done("identities", "The account is unlinked.")

    def openid_start(self, name: str) -> Response:
        """Send a browser to a provider: to sign in, or, with ``link``, to link an account there to this one."""
        titles = {one.name: one.title for one in self.security.openid.providers}
        if name not in titles:
            abort(404, f"No provider is called {name[:100]!r}.")
        auth = self.auth() if self.security.sessions.is_fresh() else None
        if request.args.get("link") and auth is None:
            # Not a login instead, which is not what was asked for.
            if wants_json():
                return self.problem(403, "Show once more who you are, and link the account then.")
            return self.see(self.url("reauthenticate", next=self.url("identities")))
        uid = auth.user.uid if auth is not None and request.args.get("link") else None
        data = {"next": self.next_asked(), "link": uid}
        # Each one is kept, and has the provider asked when the browser comes back.
        self.security.limits.hit("login", client_of_request().address)
        try:
            url, secret = self.security.openid.start(name, self._callback(name), data=data)
        except ProviderError as error:
            abort(502, str(error))
        session[PROVIDER] = secret
        if wants_json():
            return self.json({"url": url})
        # A page, not a redirect: `form-action 'self'` holds for where the answer to a form leads as well.
        answer = self.page("leaving", url=url, name=titles[name])
        answer.headers["Refresh"] = f"0; url={url}"
        return answer

    def _callback(self, name: str) -> str:
        return self.absolute("openid_callback", name=name)

    def openid_callback(self, name: str) -> Response:
        """Take what a provider has sent a browser back with."""
        secret = session.get(PROVIDER)
        if not isinstance(secret, str):
            return self._failed("That took too long, or was begun in another browser. Try again.")
        try:
            claims = self.security.openid.finish(name, self._callback(name), request.args.to_dict(), secret)
        except ProviderError as error:
            # A link from elsewhere has another state, and ends nobody's login.
            if not self.security.openid.is_waiting(secret):
                session.pop(PROVIDER, None)
            return self._failed(str(error))
        session.pop(PROVIDER, None)
        if uid := claims.data.get("link"):
            return self._link(claims, uid)
        user = self.security.openid.user_of(claims)
        if user is None:
            user = self._new(claims)
        if user is None:
            return self._failed(_NO_ACCOUNT)
        filled = forms.LOGIN.blank()
        with refusing(filled):
            return self.after(self.security.logins.with_identity(user), target=claims.data.get("next"))
        return self.again("login", filled, providers=self.security.openid.providers)

    def _failed(self, text: str) -> Response:
        filled = forms.LOGIN.blank()
        filled.status = 400
        filled.refuse("", text)
        return self.again("login", filled, providers=self.security.openid.providers)

    def _link(self, claims: Claims, uid: str) -> Response:
        auth = self.auth()
        # The login may have ended, or be another one, since it began. A login elsewhere proves nothing here.
        if auth is None or auth.user.uid != uid or not self.security.sessions.is_fresh():
            return self._failed("Sign in again, and link the account then.")
        if not self.security.openid.link(auth.user, claims):
            abort(409, "That account is linked to another one here already.")
        return self.done("identities", "The account is linked.")

    def _new(self, claims: Claims) -> User | None:
        """Return a new account for somebody whom a provider knows, and whose address it has confirmed."""
        if not (self.security.settings.registration and claims.email and claims.email_verified):
            return None
        try:
            user = self.security.accounts.create(claims.email, None, activated=True, by=claims.issuer)
        except (EmailTaken, InvalidEmail):
            # Never joined by the address: the provider may be wrong about it.
            return None
        self.security.openid.link(user, claims)
        return user
