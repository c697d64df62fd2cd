"""ID tokens: who a provider says that somebody is (OpenID Connect Core 1.0, section 3.1.3.7)."""

from __future__ import annotations

import hmac
import math
import typing as t
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..errors import ProviderError
from .providers import Directory, Provider

#: How far the provider's clock may be from ours.
LEEWAY = timedelta(minutes=1)

_LONGEST_TOKEN = 64 * 1024
_LONGEST_SUBJECT = 255
_LONGEST_EMAIL = 254
_LONGEST_NAME = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Who somebody is, as a provider says it. Accounts are found by ``issuer`` and ``subject``, and by nothing else.

    :param issuer: the provider.
    :param subject: how the provider calls the user, for ever.
    :param email: an address, or an empty text; a provider may say any.
    :param email_verified: whether the provider says that it has checked the address. That is no reason to take an account with
        this address for the same person's.
    :param name: how the user is called, or an empty text.
    :param data: what was given to :meth:`OpenID.start`.

    .. versionadded:: 0.1
    """

    issuer: str
    subject: str
    email: str = ""
    email_verified: bool = False
    name: str = ""
    data: dict[str, t.Any] = field(default_factory=dict[str, t.Any])


def checked(
    token: object, provider: Provider, directory: Directory, *, nonce: str, begun_at: datetime, now: datetime
) -> dict[str, t.Any]:
    """Return the claims of an ID token that is right in everything.

    :param token: what the provider has answered.
    :param provider: who has to have signed it.
    :param directory: knows the provider's keys.
    :param nonce: what the browser was sent away with.
    :param begun_at: when that was; a token from before is of another login.
    :param now: the time.
    :raises ProviderError: for anything else.
    """
    # PERF: joserfc is needed where somebody signs in with a provider, and not when an application starts.
    from joserfc import jws, jwt
    from joserfc.errors import JoseError

    if not isinstance(token, str) or len(token) > _LONGEST_TOKEN:
        raise ProviderError("The ID token is missing, no text, or too long.")

    def key_of(signed: t.Any) -> t.Any:
        header = signed.headers()
        # A token of another kind, such as an access token, has the same signature.
        if str(header.get("typ", "JWT")).upper() != "JWT":
            raise ProviderError(f"The ID token is of the type {header.get('typ')!r}.")
        return directory.key(provider, header)

    # The list comes first, before a key is looked for: `none` and shared keys are never on it (CVE-2024-37568, CVE-2026-28802). What
    # else a header says is left alone, as the specification wants it, but for `crit`.
    registry = jws.JWSRegistry(algorithms=list(provider.algorithms), strict_check_header=False)
    try:
        claims = jwt.decode(token, key_of, list(provider.algorithms), registry).claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise ProviderError(f"The ID token cannot be checked: {error!r}") from error
    _check_who(claims, provider, nonce)
    _check_when(claims, begun_at, now)
    return claims


def _check_who(claims: dict[str, t.Any], provider: Provider, nonce: str) -> None:
    if claims.get("iss") != provider.issuer:
        raise ProviderError(f"The ID token is from {claims.get('iss')!r}, and not from {provider.issuer!r}.")
    audience, party = claims.get("aud"), claims.get("azp")
    audiences: list[t.Any] = audience if isinstance(audience, list) else [audience]
    if provider.client_id not in audiences or not all(isinstance(one, str) for one in audiences):
        raise ProviderError(f"The ID token is for {audience!r}, and not for this application.")
    # For others as well: then it has to be this application that has asked for it.
    if party not in ({None, provider.client_id} if len(audiences) == 1 else {provider.client_id}):
        raise ProviderError(f"The ID token was asked for by {party!r}, and not by this application.")
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode("utf-8", "replace"), nonce.encode()):
        raise ProviderError("The ID token has another nonce: it is of another login.")
    subject = claims.get("sub")
    if (
        not isinstance(subject, str)
        or not 0 < len(subject) <= _LONGEST_SUBJECT
        or not subject.isascii()
        or not subject.isprintable()
    ):
        raise ProviderError(
            f"The ID token has the subject {subject!r:.300}, which is no text of ASCII, or too long."
        )


def _check_when(claims: dict[str, t.Any], begun_at: datetime, now: datetime) -> None:
    ends, issued, begins = (_seconds(claims, name) for name in ("exp", "iat", "nbf"))
    late, early = (now - LEEWAY).timestamp(), (now + LEEWAY).timestamp()
    if ends is None or issued is None:
        raise ProviderError("The ID token does not say when it was issued and when it ends.")
    if ends <= late:
        raise ProviderError("The ID token has expired.")
    if issued > early or (begins is not None and begins > early):
        raise ProviderError("The ID token is of the future: one of the two clocks is wrong.")
    if issued < (begun_at - LEEWAY).timestamp():
        raise ProviderError("The ID token is older than this login.")


def _seconds(claims: dict[str, t.Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    # A boolean is a number to Python, and JSON of Python's has numbers that are none.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ProviderError(f"The ID token says {name} {value!r:.100}, which is no time.")
    return value


def claims_of(provider: Provider, claims: dict[str, t.Any], data: dict[str, t.Any]) -> Claims:
    """Return what is handed on of the claims of a token.

    :param provider: who says it.
    :param claims: what :func:`checked` returned.
    :param data: what was given to :meth:`OpenID.start`.
    """
    email = _shown(claims.get("email"), _LONGEST_EMAIL)
    return Claims(
        issuer=provider.issuer,
        subject=claims["sub"],
        email=email,
        # Some providers write the text "true"; what else they write nobody knows.
        email_verified=bool(email) and claims.get("email_verified") is True,
        name=_shown(claims.get("name"), _LONGEST_NAME),
        data=data,
    )


def _shown(value: object, longest: int) -> str:
    """Return a text that may be shown; an empty one for what is no text, too long, or has characters that are not seen."""
    if not isinstance(value, str) or len(value) > longest:
        return ""
    return "" if any(unicodedata.category(one)[0] == "C" for one in value) else value.strip()
