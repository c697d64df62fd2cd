"""Tokens for programs."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from erlen import Response, abort, request

from .. import forms
from ..errors import InvalidToken
from ..forms import Form
from .base import Pages, refusing, wants_json
from .shown import token_shown

if t.TYPE_CHECKING:
    from ..tokens import TokenPair


_OVER = "Your login has ended. Sign in again."


class TokenPages(Pages):
    """Views about tokens. The secret of one is shown once, in the answer to the request that makes it."""

    def tokens(self) -> Response:
        """Show the tokens."""
        user = self.user()
        tokens = self.security.tokens.api_tokens(user)
        if wants_json():
            return self.json({"tokens": [token_shown(one) for one in tokens]})
        return self.page("tokens", user=user, tokens=tokens, now=self.security.kit.clock())

    def create_token(self) -> Response:
        """Make a token."""
        user = self.user()
        form = self._scoped(forms.TOKEN)
        days = [(value, text) for value, text in form.fields["days"].choices if self._is_allowed(int(value))]
        most = max(1, self.security.settings.token_lifetime.days)
        form = form.changed("days", choices=tuple(days) or ((str(most), f"{most} days"),))
        if request.method != "POST":
            return self.page("token_new", form=form.blank(days=form.fields["days"].choices[0][0]), user=user)
        filled = form.read(request)
        if not filled.errors:
            with refusing(filled):
                secret, token = self.security.tokens.create_api_token(
                    user, filled["name"], filled["scopes"], timedelta(days=int(filled["days"]))
                )
                if not self.is_still_in():
                    self.security.tokens.revoke_api_token(user, token.id)
                    raise InvalidToken(_OVER)
                if wants_json():
                    return self.json({"token": secret, **token_shown(token)}, 201)
                # No redirect: the secret would have to be kept for the page it leads to.
                return self.page("token_created", 201, user=user, secret=secret, token=token)
        return self.again("token_new", filled, user=user)

    def _is_allowed(self, days: int) -> bool:
        return timedelta(days=days) <= self.security.settings.token_lifetime

    def _scoped(self, form: Form) -> Form:
        scopes = tuple((scope, scope) for scope in self.security.settings.scopes)
        return form.changed("scopes", choices=scopes)

    def revoke_token(self, id: str) -> Response:
        """Revoke a token."""
        if not self.security.tokens.revoke_api_token(self.user(), id):
            abort(404, "You have no such token. It may have been revoked already.")
        return self.done("tokens", "The token is revoked.")

    # Pairs, in JSON alone

    def token(self) -> Response:
        """Return a pair for the session, so after every factor the login asked for."""
        auth = self.auth()
        assert auth is not None  # the view asks for a login
        filled = self._scoped(forms.SCOPES).read(request)
        if not filled.errors:
            methods = () if auth.record is None else auth.record.methods
            with refusing(filled):
                pair = self.security.tokens.pair(auth.user, filled["scopes"], methods)
                if not self.is_still_in():
                    self.security.tokens.revoke_refresh(pair.refresh_token)
                    raise InvalidToken(_OVER)
                return self._pair(pair)
        return self.again("error", filled)

    def refresh_token(self) -> Response:
        """Exchange a refresh token."""
        filled = forms.REFRESH.read(request)
        if not filled.errors:
            with refusing(filled):
                return self._pair(self.security.tokens.refresh(filled["refresh_token"]))
        return self.again("error", filled)

    def revoke_refresh_token(self) -> Response:
        """Revoke a refresh token; the same answer for one that is none (RFC 7009, section 2.2)."""
        filled = forms.REFRESH.read(request)
        if not filled.errors:
            with refusing(filled):
                self.security.tokens.revoke_refresh(filled["refresh_token"])
                return self.json({"status": "done"})
        return self.again("error", filled)

    def _pair(self, pair: TokenPair) -> Response:
        return self.json(
            {
                "access_token": pair.access_token,
                "refresh_token": pair.refresh_token,
                "token_type": "Bearer",
                "expires_in": pair.expires_in,
                "scope": " ".join(pair.scopes),
            }
        )
