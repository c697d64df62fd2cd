"""Who providers are: what is configured about one, and what it says of itself (OpenID Connect Discovery 1.0)."""

from __future__ import annotations

import collections.abc as cabc
import logging
import threading
import typing as t
import warnings
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ..errors import ConfigurationError, ProviderError
from ..kit import Kit
from .fetching import Fetcher, is_safe

if t.TYPE_CHECKING:
    from joserfc.jwk import Key

#: Algorithms that an ID token may be signed with: those with two keys, so that nobody but the provider can sign.
ALGORITHMS: tuple[str, ...] = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519"),
)
#: For how long metadata and keys are kept.
KEPT_FOR = timedelta(hours=1)
#: How long keys are not asked for again, whatever key a token names.
KEYS_RATE = timedelta(minutes=1)

_MOST_KEYS = 100
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Somebody who users may sign in with.

    :param name: how addresses call it, as in ``/account/openid/NAME``: letters, digits, ``-`` and ``_``.
    :param issuer: its address, exactly as it writes it itself: ``https``, or plain ``http`` on ``localhost`` for development.
    :param client_id: how it calls the application.
    :param client_secret: what the application shows it, ``None`` where it has none.
    :param scopes: what is asked for.
    :param label: how pages call it; the name where it is empty.
    :param algorithms: what its ID tokens may be signed with; of ``RS256``, ``PS256``, ``ES256``, ``Ed25519`` and their kin.

    .. versionadded:: 0.1
    """

    name: str
    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    label: str = ""
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "Ed25519")

    def __post_init__(self) -> None:
        where = f"The OpenID Connect provider {self.name!r}"
        if (
            not self.name
            or not self.name.isascii()
            or not self.name.replace("-", "a").replace("_", "a").isalnum()
        ):
            raise ConfigurationError(
                f"{where} needs a name of letters, digits, '-' and '_', as it is a part of addresses."
            )
        if not is_safe(self.issuer, loopback=True) or "?" in self.issuer:
            raise ConfigurationError(
                f"{where} has the issuer {self.issuer!r}. It has to be an address as in https://accounts.example.com: with https "
                f"(plain http is for localhost alone), without a user, a query or a fragment."
            )
        if not self.client_id:
            raise ConfigurationError(f"{where} needs the client_id under which it knows the application.")
        wrong = [name for name in self.algorithms if name not in ALGORITHMS]
        if wrong or not self.algorithms:
            raise ConfigurationError(
                f"{where} has the algorithms {self.algorithms!r}. They have to be of {', '.join(ALGORITHMS)}: with 'none' nobody has "
                f"signed, and with a shared key the application could have."
            )

    @property
    def title(self) -> str:
        """How pages call it."""
        return self.label or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a provider says of itself, as far as it is used."""

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    auth_methods: tuple[str, ...]
    #: Whether its answers say whom they are from (RFC 9207).
    tells_issuer: bool


class Directory:
    """Knows providers' metadata and keys, and asks again when they are old.

    :param kit: what every part works with.
    :param fetcher: asks.
    """

    def __init__(self, kit: Kit, fetcher: Fetcher) -> None:
        self._kit, self._fetcher = kit, fetcher
        self._lock = threading.Lock()
        self._metadata: dict[str, tuple[datetime, Metadata]] = {}
        self._keys: dict[str, tuple[datetime, list[Key]]] = {}

    def metadata(self, provider: Provider) -> Metadata:
        """Return what a provider says of itself.

        :param provider: the provider.
        :raises ProviderError: where it cannot be asked, or names another issuer.
        """
        kept = self._metadata.get(provider.name)
        if kept is not None and self._kit.clock() - kept[0] < KEPT_FOR:
            return kept[1]
        document = self._fetcher.get(provider.issuer.rstrip("/") + "/.well-known/openid-configuration")
        metadata = _metadata_of(provider, document)
        self._metadata[provider.name] = self._kit.clock(), metadata
        return metadata

    def key(self, provider: Provider, header: cabc.Mapping[str, t.Any]) -> Key:
        """Return the key that a token's header names.

        :param provider: who is said to have signed it.
        :param header: the header; nothing else of it than ``kid`` and ``alg`` is looked at.
        :raises ProviderError: where there is no such key, also after the provider was asked again, or more than one.
        """
        found = [key for key in self._kept_keys(provider) if _fits(key, header)]
        if not found and self._may_ask_again(provider):
            found = [key for key in self._asked_keys(provider) if _fits(key, header)]
        if len(found) != 1:
            raise ProviderError(
                f"{len(found)} keys of {provider.issuer} fit the key id {header.get('kid')!r}."
            )
        return found[0]

    def _kept_keys(self, provider: Provider) -> list[Key]:
        kept = self._keys.get(provider.name)
        if kept is not None and self._kit.clock() - kept[0] < KEPT_FOR:
            return kept[1]
        return self._asked_keys(provider)

    def _may_ask_again(self, provider: Provider) -> bool:
        # One thread gets to ask; tokens with made-up key ids cost the provider nothing.
        with self._lock:
            at, keys = self._keys[provider.name]
            if self._kit.clock() - at < KEYS_RATE:
                return False
            self._keys[provider.name] = self._kit.clock(), keys
            return True

    def _asked_keys(self, provider: Provider) -> list[Key]:
        document = self._fetcher.get(self.metadata(provider).jwks_uri)
        listed = document.get("keys")
        if not isinstance(listed, list) or len(listed) > _MOST_KEYS:
            raise ProviderError(f"{provider.issuer} has no list of keys, or one of more than {_MOST_KEYS}.")
        keys = [key for key in map(_key_of, listed) if key is not None]
        self._keys[provider.name] = self._kit.clock(), keys
        return keys


def _metadata_of(provider: Provider, document: dict[str, t.Any]) -> Metadata:
    if document.get("issuer") != provider.issuer:
        raise ProviderError(
            f"The provider {provider.name!r} says that its issuer is {document.get('issuer')!r}; configured is {provider.issuer!r}. "
            f"Both have to be the same to the last character."
        )
    loopback = provider.issuer.startswith("http://")
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
        if not is_safe(document.get(name), loopback=loopback):
            raise ProviderError(
                f"{provider.issuer} says that its {name} is {document.get(name)!r}, which is no address with https."
            )
    # What is meant where a provider does not say it (Discovery, section 3).
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if not isinstance(methods, list):
        raise ProviderError(
            f"{provider.issuer} says that clients show themselves with {methods!r}, which is no list."
        )
    return Metadata(
        authorization_endpoint=document["authorization_endpoint"],
        token_endpoint=document["token_endpoint"],
        jwks_uri=document["jwks_uri"],
        auth_methods=tuple(one for one in methods if isinstance(one, str)),
        tells_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _key_of(data: object) -> Key | None:
    """Return a public key to check signatures with, ``None`` for anything else, such as a shared one."""
    # PERF: joserfc is needed where somebody signs in with a provider, and not when an application starts.
    from joserfc.errors import JoseError, SecurityWarning
    from joserfc.jwk import JWKRegistry

    if (
        not isinstance(data, dict)
        or data.get("kty") not in {"RSA", "EC", "OKP"}
        or data.get("use", "sig") != "sig"
    ):
        return None
    try:
        with warnings.catch_warnings():
            # Of keys that are too short: they are not taken.
            warnings.simplefilter("error", SecurityWarning)
            return JWKRegistry.import_key(t.cast("dict[str, t.Any]", data))
    except (JoseError, SecurityWarning, ValueError, TypeError, KeyError, AttributeError) as error:
        _logger.info("A key of a provider was left out: %r", error)
        return None


_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


def _fits(key: Key, header: cabc.Mapping[str, t.Any]) -> bool:
    # A token without a key id is from a provider with one key (OpenID Connect Core, section 10.1).
    if "kid" in header and key.kid != header["kid"]:
        return False
    algorithm = str(header.get("alg"))
    return key.key_type == _KEY_TYPES.get(algorithm[:2]) and key.alg in {None, algorithm}
