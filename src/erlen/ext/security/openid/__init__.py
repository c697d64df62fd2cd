"""Signing in with others: a client of OpenID Connect (code flow with PKCE).

Whose account it is is said by issuer and subject alone. The address of e-mail that a provider says links nothing, verified or not:
providers hand addresses on, and not all of them check.

How a user has shown who they are to the provider is not known for certain, so it counts as one factor whatever the provider says
(the fallback that ASVS 6.8.4 asks to be documented): a second factor is asked for as after a password.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import contextlib
import hashlib
import hmac
import json
import logging
import typing as t
from datetime import timedelta
from urllib.parse import quote_plus, urlencode

from ..errors import ConfigurationError, InvalidToken, ProviderError
from ..keys import new_secret
from ..kit import Kit
from ..tokens import Tokens
from ..types import Identity, Token, User
from .fetching import Fetcher
from .identity import Claims, checked, claims_of
from .providers import Directory, Metadata, Provider

if t.TYPE_CHECKING:
    import httpx

__all__ = ["Claims", "OpenID", "Provider"]

PURPOSE = "openid"
#: How long somebody may take at the provider.
START_LIFETIME = timedelta(minutes=15)

_LONGEST_CODE = 4096
#: What a provider may say that went wrong (RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6). Other texts are anybody's.
_KNOWN_ERRORS = frozenset(
    "invalid_request unauthorized_client access_denied unsupported_response_type invalid_scope server_error "
    "temporarily_unavailable interaction_required login_required account_selection_required consent_required".split()
)

_logger = logging.getLogger(__name__)


class OpenID:
    """Signs users in with providers.

    :param kit: what every part works with.
    :param tokens: keeps what belongs to a login that has begun.
    :param providers: with whom users may sign in.
    :param http: an ``httpx.Client`` to ask providers with; one with short timeouts by default.
    :raises ConfigurationError: where two providers have one name.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        kit: Kit,
        tokens: Tokens,
        providers: cabc.Sequence[Provider] = (),
        http: httpx.Client | None = None,
    ) -> None:
        self._kit, self._tokens, self._fetcher = kit, tokens, Fetcher(http)
        self._directory = Directory(kit, self._fetcher)
        self._providers = {provider.name: provider for provider in providers}
        if len(self._providers) != len(providers):
            names = ", ".join(sorted(provider.name for provider in providers))
            raise ConfigurationError(
                f"Each OpenID Connect provider needs a name of its own; there are: {names}."
            )

    @property
    def providers(self) -> cabc.Sequence[Provider]:
        """With whom users may sign in."""
        return tuple(self._providers.values())

    def start(
        self, name: str, redirect_uri: str, *, data: cabc.Mapping[str, t.Any] | None = None
    ) -> tuple[str, str]:
        """Return where to send the browser, and a secret that its session has to keep until it is back.

        :param name: which provider.
        :param redirect_uri: where it comes back to, absolute, and registered with the provider. Each provider needs one of its own.
        :param data: what :meth:`finish` returns, such as the page to go on with; values that JSON has.
        :raises ProviderError: where there is no such provider, or it cannot be asked.
        """
        provider = self._provider(name)
        with _told_safely(provider):
            metadata = self._directory.metadata(provider)
        state, nonce, verifier = new_secret(), new_secret(), new_secret()
        kept = json.dumps([provider.name, redirect_uri, state, nonce, verifier, dict(data or {})])
        secret, _ = self._tokens.issue(
            PURPOSE, None, START_LIFETIME, data={"sealed": self._kit.keys.seal(kept, PURPOSE)}
        )
        query = urlencode(
            {
                "response_type": "code",
                "client_id": provider.client_id,
                "redirect_uri": redirect_uri,
                "scope": " ".join(dict.fromkeys(("openid", *provider.scopes))),
                "state": state,
                "nonce": nonce,
                "code_challenge": _challenge_of(verifier),
                "code_challenge_method": "S256",
            }
        )
        endpoint = metadata.authorization_endpoint
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}", secret

    def finish(self, name: str, redirect_uri: str, args: cabc.Mapping[str, str], secret: str) -> Claims:
        """Return who somebody is who comes back from a provider.

        :param name: which provider, by the address that the browser came back to.
        :param redirect_uri: that address, as given to :meth:`start`.
        :param args: the query of the request.
        :param secret: what :meth:`start` returned, from the session of the browser; it counts once.
        :raises ProviderError: where the provider has refused, or anything is not as it has to be. The text may be shown; what exactly
            was wrong is in the log.
        """
        provider = self._provider(name)
        with _told_safely(provider):
            token, kept = self._begun(secret, args)
            if (kept[0], kept[1]) != (provider.name, redirect_uri):
                raise ProviderError(
                    "The login was begun with another provider, or with another address to come back to."
                )
            metadata = self._directory.metadata(provider)
            code = _code_of(provider, metadata, args)
            answer = self._exchange(provider, metadata, code, redirect_uri, kept[4])
            claims = checked(
                answer.get("id_token"),
                provider,
                self._directory,
                nonce=kept[3],
                begun_at=token.created_at,
                now=self._kit.clock(),
            )
        return claims_of(provider, claims, kept[5])

    def is_waiting(self, secret: str) -> bool:
        """Return whether somebody who was sent to a provider has not come back yet.

        :param secret: what :meth:`start` returned.
        """
        try:
            self._tokens.look(secret, PURPOSE)
        except InvalidToken:
            return False
        return True

    def user_of(self, claims: Claims) -> User | None:
        """Return whose account it is, by issuer and subject alone.

        :param claims: what :meth:`finish` returned.
        """
        identity = self._kit.store.identity(claims.issuer, claims.subject)
        return None if identity is None else self._kit.store.user(identity.uid)

    def link(self, user: User, claims: Claims) -> bool:
        """Let a user sign in with an account somewhere else; ``False`` where somebody does already.

        :param user: who is logged in, freshly.
        :param claims: what :meth:`finish` returned.
        """
        identity = Identity(
            issuer=claims.issuer,
            subject=claims.subject,
            uid=user.uid,
            email=claims.email,
            created_at=self._kit.clock(),
        )
        added = self._kit.store.add_identity(identity)
        if added:
            self._kit.events.tell("identity_added", user, issuer=claims.issuer)
        return added

    def unlink(self, user: User, issuer: str, subject: str) -> bool:
        """Let a user no longer sign in with an account somewhere else; return whether they did.

        :param user: the user.
        :param issuer: the provider.
        :param subject: how the provider calls them.
        """
        removed = self._kit.store.delete_identity(user.uid, issuer, subject)
        if removed:
            self._kit.events.tell("identity_removed", user, issuer=issuer)
        return removed

    def _provider(self, name: str) -> Provider:
        provider = self._providers.get(name)
        if provider is None:
            raise ProviderError("There is no provider of this name to sign in with.")
        return provider

    def _begun(self, secret: str, args: cabc.Mapping[str, str]) -> tuple[Token, list[t.Any]]:
        """Return what a login was begun with, which is used up once the state is right: a link from elsewhere ends nobody's login."""
        try:
            token = self._tokens.look(secret, PURPOSE)
            kept = json.loads(self._kit.keys.unseal(token.data["sealed"], PURPOSE) or "null")
            if kept is None:
                raise ProviderError(
                    "What the login was begun with cannot be read: the secret key has changed."
                )
            if not hmac.compare_digest(args.get("state", "").encode("utf-8", "replace"), kept[2].encode()):
                raise ProviderError("The state is of another login.")
            return self._tokens.use(secret, PURPOSE), kept
        except InvalidToken as error:
            raise ProviderError(
                "The browser has begun no login, has finished it, or has taken too long."
            ) from error

    def _exchange(
        self, provider: Provider, metadata: Metadata, code: str, redirect_uri: str, verifier: str
    ) -> dict[str, t.Any]:
        data = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        headers: dict[str, str] = {}
        if provider.client_secret is None:
            data["client_id"] = provider.client_id
        elif "client_secret_basic" in metadata.auth_methods:
            # Both are encoded as in a form first (RFC 6749, section 2.3.1).
            pair = f"{quote_plus(provider.client_id)}:{quote_plus(provider.client_secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        elif "client_secret_post" in metadata.auth_methods:
            data |= {"client_id": provider.client_id, "client_secret": provider.client_secret}
        else:
            raise ProviderError(
                f"{provider.issuer} takes client secrets by {metadata.auth_methods!r} alone, and not by client_secret_basic or "
                f"client_secret_post."
            )
        status, answer = self._fetcher.post(metadata.token_endpoint, data, headers)
        if status != 200:
            raise ProviderError(
                f"The code was refused with the status {status}: {answer.get('error')!r:.200}"
            )
        if str(answer.get("token_type")).lower() != "bearer":
            raise ProviderError(
                f"The token is of the type {answer.get('token_type')!r:.100}, and not Bearer."
            )
        return answer


def _challenge_of(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def _code_of(provider: Provider, metadata: Metadata, args: cabc.Mapping[str, str]) -> str:
    issuer = args.get("iss")
    if (issuer is None and metadata.tells_issuer) or (issuer is not None and issuer != provider.issuer):
        raise ProviderError(f"The answer says that it is from {issuer!r:.200} (RFC 9207).")
    if "error" in args:
        code = args["error"] if args["error"] in _KNOWN_ERRORS else "another error"
        if code == "access_denied":
            raise _Shown(f"You have not let {provider.title} sign you in.")
        raise _Shown(f"{provider.title} has not signed you in ({code}).")
    code = args.get("code", "")
    if not 0 < len(code) <= _LONGEST_CODE:
        raise ProviderError("There is no code in the answer, or one that is too long.")
    return code


class _Shown(ProviderError):
    """A failure whose text is for users as it is."""


@contextlib.contextmanager
def _told_safely(provider: Provider) -> cabc.Generator[None, None, None]:
    """Turn failures into a text for users that tells nothing, and a line of the log that tells what was wrong."""
    try:
        yield
    except _Shown:
        raise
    except ProviderError as error:
        _logger.warning("Signing in with %r failed: %r", provider.name, str(error))
        raise ProviderError(f"Signing in with {provider.title} did not work. Try again.") from error
