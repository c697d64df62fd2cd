"""Access tokens: JSON Web Tokens (RFC 7519) as RFC 9068 has them for access, signed with HMAC and SHA-256 by joserfc.

The application is issuer, client and audience in one, so the header of a token has no say. The only headers that are taken are
those that this application writes, compared as text before anything of the token is decoded: one for each of the application's
secret keys. So no token chooses an algorithm or a key (``alg``, ``jku``, ``jwk``, ``x5u``, ``crit``), and none of another type,
such as an ID token, is taken for one of access.
"""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .errors import ConfigurationError
from .keys import Keys, new_id

#: The most characters of a token that is looked at; those of this application are shorter.
MAX_LENGTH = 4096

#: The most bytes of issuer and scopes, so that no token of our own is longer than :data:`MAX_LENGTH`.
_MAX_ISSUER, _MAX_SCOPES = 256, 1024

#: By how much the clocks of several servers of one site may differ.
LEEWAY = timedelta(seconds=5)

_ALGORITHM = "HS256"

_TEXTS = ("iss", "aud", "client_id", "sub", "jti", "sid")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """What an access token says.

    :param uid: whose it is.
    :param family: the login it comes from, with the refresh tokens of that.
    :param scopes: what it permits.
    """

    uid: str
    family: str
    scopes: tuple[str, ...]


class AccessTokens:
    """Signs access tokens, and reads them.

    :param keys: the application's keys: the first signs, all verify.
    :param issuer: the URL of the site, or its name.
    :param scopes: what tokens may be limited to.
    :param lifetime: the longest life of a token; where it was made shorter, older tokens end earlier as well.
    :raises ConfigurationError: where these make tokens too long for a header.
    """

    def __init__(self, keys: Keys, issuer: str, scopes: tuple[str, ...], lifetime: timedelta) -> None:
        sizes = len(issuer.encode()), len(" ".join(scopes).encode())
        if sizes[0] > _MAX_ISSUER or sizes[1] > _MAX_SCOPES:
            raise ConfigurationError(
                f"Access tokens hold the URL of the site and the scopes, of which {_MAX_ISSUER} and {_MAX_SCOPES} bytes fit."
                f" SECURITY_SITE_URL has {sizes[0]}, and SECURITY_SCOPES together have {sizes[1]}. Shorten them."
            )
        # Times of tokens are whole seconds.
        self._issuer, self._longest = issuer, lifetime.total_seconds() + 1
        names = [key.hex()[:16] for key in keys.derive("access-token-name")]
        self._raw_keys = dict(zip(names, keys.derive("access-token"), strict=True))
        self._signs_with = names[0]
        self._loaded: _Loaded | None = None

    def sign(
        self, uid: str, family: str, scopes: tuple[str, ...], now: datetime, expires_at: datetime
    ) -> str:
        """Return a new access token.

        :param uid: whose it is.
        :param family: the login it comes from.
        :param scopes: what it permits.
        :param now: the time.
        :param expires_at: when it ends.
        """
        claims = {
            "iss": self._issuer,
            "aud": self._issuer,
            "client_id": self._issuer,
            "sub": uid,
            "sid": family,
            "scope": " ".join(scopes),
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
            "jti": new_id(),
        }
        return self._ready().encode(self._signs_with, claims)

    def read(self, bearer: str, now: datetime) -> AccessClaims | None:
        """Return what a token says, ``None`` for whatever is no valid token of this application.

        :param bearer: any text.
        :param now: the time.
        """
        if len(bearer) > MAX_LENGTH or not bearer.isascii():
            return None
        loaded = self._ready()
        name = loaded.names.get(bearer.partition(".")[0])
        claims = None if name is None else loaded.decode(name, bearer)
        if claims is None or not self._are_valid(claims, now):
            return None
        scopes = tuple(t.cast("str", claims["scope"]).split())
        return AccessClaims(uid=claims["sub"], family=claims["sid"], scopes=scopes)

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            self._loaded = _Loaded(self._raw_keys)
        return self._loaded

    def _are_valid(self, claims: dict[str, t.Any], now: datetime) -> bool:
        texts = [claims.get(name) for name in (*_TEXTS, "scope")]
        if not all(isinstance(text, str) for text in texts) or not all(texts[:-1]):
            return False
        if not claims["iss"] == claims["aud"] == claims["client_id"] == self._issuer:
            return False
        issued, expires, begins = (claims.get(name) for name in ("iat", "exp", "nbf"))
        # Ours are whole numbers; True is none, and 1e999 no time.
        if type(issued) is not int or type(expires) is not int or type(begins) not in {int, type(None)}:
            return False
        seconds, leeway = now.timestamp(), LEEWAY.total_seconds()
        if max(issued, begins or 0) > seconds + leeway:
            return False
        return expires > seconds and expires - issued <= self._longest


class _Loaded:
    """What needs joserfc: keys, and the headers that are taken."""

    def __init__(self, raw_keys: dict[str, bytes]) -> None:
        # Start-up cost: 0.1 s, for what not every application uses.
        from joserfc import errors, jwk, jwt

        self._jwt, self._errors = jwt, errors
        self._keys = {name: jwk.OctKey.import_key(key) for name, key in raw_keys.items()}
        #: The names of keys by the first part of the tokens that they sign.
        self.names = {self.encode(name, {}).partition(".")[0]: name for name in self._keys}

    def encode(self, name: str, claims: dict[str, t.Any]) -> str:
        header = {"alg": _ALGORITHM, "typ": "at+jwt", "kid": name}
        return self._jwt.encode(header, claims, self._keys[name], algorithms=[_ALGORITHM])

    def decode(self, name: str, token: str) -> dict[str, t.Any] | None:
        try:
            decoded = self._jwt.decode(token, self._keys[name], algorithms=[_ALGORITHM], decoder_cls=_Strict)
        # The last two: no JSON, or one that is too deep. Only who has the key gets as far as that.
        except (self._errors.JoseError, ValueError, RecursionError):
            return None
        return decoded.claims


def _once(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("A name is there twice.")
    return values


class _Strict(json.JSONDecoder):
    """JSON in which no name is there twice (RFC 7519, section 4: two readers would take different ones)."""

    def __init__(self, **_arguments: t.Any) -> None:
        super().__init__(object_pairs_hook=_once)
