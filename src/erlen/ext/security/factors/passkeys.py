"""Passkeys (WebAuthn level 3) as a second factor, or as the only one: a device that checks its user is two factors by itself.

Whose site a passkey is for is what ``SECURITY_SITE_URL`` says. A request's ``Host`` header is never asked, as a passkey that is
bound to a name the attacker has chosen protects nobody. Without the setting passkeys are for ``http://localhost`` on any port, which
is what browsers allow in development; an address such as ``http://127.0.0.1`` has no name, and so no passkeys.
"""

from __future__ import annotations

import collections.abc as cabc
import importlib.util
import logging
import re
import typing as t
import unicodedata
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..errors import ConfigurationError, InvalidToken, SecurityError, WrongCredentials
from ..kit import Kit
from ..tokens import Tokens
from ..types import Passkey, Token, User

if t.TYPE_CHECKING:
    from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
    from webauthn.helpers.structs import CollectedClientData, PublicKeyCredentialDescriptor

REGISTER_PURPOSE = "passkey-register"
LOGIN_PURPOSE = "passkey-login"
#: How many passkeys a user may have.
MOST = 25
NAME_LENGTH = 64

#: The longest text inside a credential; attestations with certificates stay far below.
_LONGEST_TEXT = 64 * 1024
#: The longest name of a key, 1023 bytes in base64url (WebAuthn, section 5.1.3).
_LONGEST_ID = 1364
_REFUSED = "This passkey was not accepted. Try again, or use another way to log in."
_NOT_REGISTERED = "This passkey could not be registered. Try again."

_PORTS = {"https": 443, "http": 80}
_LOCALHOST = re.compile(r"http://localhost(:[0-9]{1,5})?")

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Site:
    """Where passkeys are good for: the relying party, in the words of WebAuthn."""

    #: ``None`` for localhost on any port.
    origin: str | None
    rp_id: str

    def origin_for(self, told: str) -> str:
        """Return the origin that a device has to have seen, of which it says that it was this one."""
        if self.origin is None:
            return told if _LOCALHOST.fullmatch(told) else "http://localhost"
        return self.origin


class Passkeys:
    """Registers passkeys, and logs in with them.

    :param kit: what every part works with.
    :param tokens: keeps the challenges.
    :param on_removed: is called with a user who has removed one.

    .. versionadded:: 0.1
    """

    def __init__(self, kit: Kit, tokens: Tokens, on_removed: cabc.Callable[[User], None]) -> None:
        self._kit, self._tokens, self._on_removed = kit, tokens, on_removed

    @property
    def is_supported(self) -> bool:
        """Whether the package ``webauthn`` is installed."""
        return importlib.util.find_spec("webauthn") is not None

    def registration_options(self, user: User) -> dict[str, t.Any]:
        """Return what ``navigator.credentials.create()`` is called with, as JSON has it.

        :param user: who wants a passkey.
        :raises ConfigurationError: without the package ``webauthn``, or with a ``SECURITY_SITE_URL`` that is no site.
        """
        _need_webauthn()
        # Optional dependency.
        import webauthn
        from webauthn.helpers import options_to_json_dict, structs

        site = self._site()
        options = webauthn.generate_registration_options(
            rp_id=site.rp_id,
            rp_name=self._kit.settings.site_name or site.rp_id,
            user_id=user.uid.encode(),
            user_name=user.email,
            challenge=self._challenge(REGISTER_PURPOSE, user),
            timeout=self._timeout,
            attestation=structs.AttestationConveyancePreference.NONE,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.PREFERRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[_descriptor(passkey) for passkey in self.all(user)],
        )
        return options_to_json_dict(options)

    def register(self, user: User, credential: cabc.Mapping[str, t.Any], name: str) -> Passkey:
        """Keep a new passkey of a user.

        :param user: who asked for the options.
        :param credential: what ``navigator.credentials.create()`` returned, as JSON has it.
        :param name: how the user calls the device.
        :raises SecurityError: where it is refused.
        """
        _need_webauthn()
        # Optional dependency.
        import webauthn
        from webauthn.helpers import bytes_to_base64url

        site = self._site()
        answer, seen = self._answered(credential, REGISTER_PURPOSE, user, SecurityError(_NOT_REGISTERED))
        try:
            verified = webauthn.verify_registration_response(
                credential=answer,
                expected_challenge=seen.challenge,
                expected_rp_id=site.rp_id,
                expected_origin=site.origin_for(seen.origin),
                require_user_verification=True,
            )
        except Exception as error:
            # Of what it is given to read, webauthn raises exceptions of many kinds.
            _logger.info("A passkey of the user %r was not registered: %r", user.uid, error)
            raise SecurityError(_NOT_REGISTERED) from error
        if bytes_to_base64url(verified.credential_id) != answer["id"]:
            raise SecurityError(_NOT_REGISTERED)
        known = self.all(user)
        if len(known) >= MOST:
            raise SecurityError(
                f"There are {len(known)} passkeys already. Remove one that is no longer used."
            )
        passkey = Passkey(
            credential_id=answer["id"],
            uid=user.uid,
            public_key=bytes_to_base64url(verified.credential_public_key),
            sign_count=verified.sign_count,
            name=clean_name(name) or f"Passkey {len(known) + 1}",
            created_at=self._kit.clock(),
            transports=_transports(answer),
            backed_up=verified.credential_backed_up,
        )
        if not self._kit.store.add_passkey(passkey):
            raise SecurityError("This passkey is registered already.")
        self._kit.events.tell("factor_added", user, factor="passkey", label=passkey.name)
        return passkey

    def login_options(self, user: User | None = None) -> dict[str, t.Any]:
        """Return what ``navigator.credentials.get()`` is called with, as JSON has it.

        :param user: who has shown the first factor already, and nobody else: the answer lists the user's passkeys. Without a user
            the device offers the ones it has, and the answer is the same for everybody.
        :raises ConfigurationError: as :meth:`registration_options`.
        """
        _need_webauthn()
        # Optional dependency.
        import webauthn
        from webauthn.helpers import options_to_json_dict, structs

        options = webauthn.generate_authentication_options(
            rp_id=self._site().rp_id,
            challenge=self._challenge(LOGIN_PURPOSE, user),
            timeout=self._timeout,
            allow_credentials=[] if user is None else [_descriptor(passkey) for passkey in self.all(user)],
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    def login(self, credential: cabc.Mapping[str, t.Any], user: User | None = None) -> User:
        """Return whose passkey has answered the challenge.

        :param credential: what ``navigator.credentials.get()`` returned, as JSON has it.
        :param user: whose second factor it has to be, the same as for :meth:`login_options`.
        :raises WrongCredentials: where it is refused; the text is the same for all reasons.
        """
        _need_webauthn()
        site = self._site()
        answer, seen = self._answered(credential, LOGIN_PURPOSE, user, WrongCredentials(_REFUSED))
        passkey = self._kit.store.passkey(answer["id"])
        owner = None if passkey is None else self._kit.store.user(passkey.uid)
        if (
            passkey is None
            or owner is None
            or not owner.is_active
            or (user is not None and user.uid != owner.uid)
        ):
            raise WrongCredentials(_REFUSED)
        try:
            verified = _verified(site, passkey, answer, seen, handle_needed=user is None)
        except Exception as error:
            # As in `register`.
            _logger.info("A passkey of the user %r was refused: %r", owner.uid, error)
            raise WrongCredentials(_REFUSED) from error
        self._count(owner, passkey, verified.new_sign_count)
        return owner

    def all(self, user: User) -> cabc.Sequence[Passkey]:
        """Return the passkeys of a user, the oldest first.

        :param user: the user.
        """
        return self._kit.store.passkeys(user.uid)

    def remove(self, user: User, credential_id: str) -> bool:
        """Remove a passkey of a user; return whether there was one.

        :param user: the user.
        :param credential_id: which one.
        """
        name = next((one.name for one in self.all(user) if one.credential_id == credential_id), "")
        removed = self._kit.store.delete_passkey(user.uid, credential_id)
        if removed:
            self._kit.events.tell("factor_removed", user, factor="passkey", label=name)
            self._on_removed(user)
        return removed

    @property
    def _timeout(self) -> int:
        return int(self._kit.settings.pending_lifetime.total_seconds() * 1000)

    def _site(self) -> _Site:
        url = self._kit.settings.site_url
        return _Site(None, "localhost") if url is None else _site_of(url)

    def _challenge(self, purpose: str, user: User | None) -> bytes:
        uid = None if user is None else user.uid
        secret, _ = self._tokens.issue(purpose, uid, self._kit.settings.pending_lifetime)
        return secret.encode("ascii")

    def _answered(
        self, credential: cabc.Mapping[str, t.Any], purpose: str, user: User | None, refusal: SecurityError
    ) -> tuple[dict[str, t.Any], CollectedClientData]:
        """Return the credential as plain dicts, and what the browser saw. The challenge it answers is used up."""
        try:
            answer = _plain(credential)
            seen = _seen(answer)
            token: Token = self._tokens.use(seen.challenge.decode("ascii"), purpose)
        except (InvalidToken, TypeError, ValueError) as error:
            raise refusal from error
        if token.uid != (None if user is None else user.uid):
            raise refusal
        return answer, seen

    def _count(self, owner: User, passkey: Passkey, count: int) -> None:
        # A device that counts, and has counted less than before, is a copy or has one (WebAuthn, section 6.1.1). The check is here and
        # not webauthn's, which makes it before it has looked at the signature.
        known = passkey.sign_count
        told_back = bool(known or count) and count <= known
        if told_back:
            _logger.warning(
                "The passkey %r of the user %r has counted %d after %d: there may be a copy of it. It was refused.",
                passkey.credential_id,
                owner.uid,
                count,
                known,
            )
            self._kit.events.tell(
                "second_factor_failed", owner, factor="passkey", reason="sign_count", label=passkey.name
            )
        now = self._kit.clock()
        if told_back or not self._kit.store.note_passkey(passkey.credential_id, known, count, now):
            raise WrongCredentials(_REFUSED)


def clean_name(text: str) -> str:
    """Return a name without characters that are not seen or turn the line around, in one line, and not too long.

    :param text: what somebody has typed.
    """
    seen = (" " if unicodedata.category(one) in {"Zl", "Zp", "Cc"} else one for one in text[:1024])
    kept = "".join(one for one in seen if unicodedata.category(one)[0] != "C")
    return " ".join(unicodedata.normalize("NFC", kept).split())[:NAME_LENGTH].strip()


def _need_webauthn() -> None:
    if importlib.util.find_spec("webauthn") is None:
        raise ConfigurationError(
            "Passkeys need the package webauthn, which is not installed. Install it with: pip install 'erlen[passkeys]'"
        )


def _site_of(url: str) -> _Site:
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if not host or not host.isascii() or scheme not in _PORTS:
        raise ConfigurationError(
            f"SECURITY_SITE_URL is {url!r}. Passkeys need an address as in 'https://example.com', and the name of the site as browsers "
            f"send it: in ASCII, the form that begins with 'xn--' where it has other letters."
        )
    shown = "" if port is None or port == _PORTS[scheme] else f":{port}"
    return _Site(f"{scheme}://{host}{shown}", host)


def _plain(value: cabc.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return a credential as webauthn takes it: the parts it reads, as texts that are not too long."""
    response = value.get("response")
    if not isinstance(response, cabc.Mapping):
        raise TypeError("There is no response in the credential.")
    parts = {name: value.get(name) for name in ("id", "rawId", "type")}
    inner = {name: part for name, part in response.items() if isinstance(part, str) or name == "transports"}
    texts = [*parts.values(), *(part for name, part in inner.items() if name != "transports")]
    if not all(isinstance(text, str) and text.isascii() and len(text) <= _LONGEST_TEXT for text in texts):
        raise ValueError("A part of the credential is no text, or too long.")
    if len(str(parts["id"])) > _LONGEST_ID:
        raise ValueError("The name of the key is too long.")
    return {**parts, "response": inner}


def _seen(answer: dict[str, t.Any]) -> CollectedClientData:
    # Optional dependency.
    from webauthn.helpers import base64url_to_bytes, parse_client_data_json
    from webauthn.helpers.exceptions import InvalidJSONStructure

    try:
        client_data = parse_client_data_json(base64url_to_bytes(answer["response"]["clientDataJSON"]))
    except (InvalidJSONStructure, KeyError, TypeError, RecursionError) as error:
        raise ValueError("The data of the client cannot be read.") from error
    if client_data.cross_origin:
        raise ValueError("The page is a frame inside another site.")
    # It is whatever the JSON has.
    if not isinstance(t.cast("object", client_data.origin), str):
        raise TypeError("The origin is no text.")
    return client_data


def _verified(
    site: _Site, passkey: Passkey, answer: dict[str, t.Any], seen: CollectedClientData, *, handle_needed: bool
) -> VerifiedAuthentication:
    # Optional dependency.
    import webauthn
    from webauthn.helpers import base64url_to_bytes

    handle = answer["response"].get("userHandle")
    if (handle is None and handle_needed) or (
        handle is not None and base64url_to_bytes(handle) != passkey.uid.encode()
    ):
        raise ValueError("The device names another user.")
    return webauthn.verify_authentication_response(
        credential=answer,
        expected_challenge=seen.challenge,
        expected_rp_id=site.rp_id,
        expected_origin=site.origin_for(seen.origin),
        credential_public_key=base64url_to_bytes(passkey.public_key),
        # Judged once the signature is known to be right.
        credential_current_sign_count=0,
        require_user_verification=True,
    )


def _descriptor(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    # Optional dependency.
    from webauthn.helpers import base64url_to_bytes, structs

    known = {transport.value for transport in structs.AuthenticatorTransport}
    return structs.PublicKeyCredentialDescriptor(
        id=base64url_to_bytes(passkey.credential_id),
        transports=[structs.AuthenticatorTransport(one) for one in passkey.transports if one in known],
    )


def _transports(answer: dict[str, t.Any]) -> tuple[str, ...]:
    # Optional dependency.
    from webauthn.helpers import structs

    known = {transport.value for transport in structs.AuthenticatorTransport}
    told = answer["response"].get("transports")
    found = {one for one in told if isinstance(one, str)} & known if isinstance(told, list) else set[str]()
    return tuple(sorted(found))
