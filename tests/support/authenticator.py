"""An authenticator of WebAuthn in software: it makes passkeys and signs with them, and does wrong where a test asks for it."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import typing as t
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

USER_PRESENT, USER_VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, HAS_CREDENTIAL = 0x01, 0x04, 0x08, 0x10, 0x40


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Held:
    """A passkey as the device keeps it."""

    id: bytes
    rp_id: str
    user_handle: bytes
    key: ec.EllipticCurvePrivateKey
    count: int = 0


@dataclass
class Authenticator:
    """A device, together with the browser it is plugged into, which fills in the origin.

    :param origin: where the browser is.
    :param counts: whether it counts how often a passkey was used; devices that synchronise do not.
    :param verifies: whether it checks who holds it.
    """

    origin: str = "https://example.test"
    counts: bool = True
    verifies: bool = True
    held: list[Held] = field(default_factory=list[Held])

    def create(self, options: dict[str, t.Any], **changes: t.Any) -> dict[str, t.Any]:
        """Answer ``navigator.credentials.create()``."""
        known = {one["id"] for one in options["excludeCredentials"]}
        if any(encoded(one.id) in known for one in self.held):
            raise RuntimeError("InvalidStateError: the device is registered already.")
        one = Held(
            secrets.token_bytes(changes.get("id_length", 32)),
            changes.get("rp_id", options["rp"]["id"]),
            decoded(options["user"]["id"]),
            ec.generate_private_key(ec.SECP256R1()),
        )
        self.held.append(one)
        data = self._data(one, HAS_CREDENTIAL) + bytes(16) + len(one.id).to_bytes(2) + one.id + _cose(one.key)
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        seen = self._seen("webauthn.create", options, changes)
        response = {"clientDataJSON": encoded(seen), "attestationObject": encoded(attestation)}
        return self._credential(one, {**response, "transports": ["internal", "unheard-of"]})

    def get(
        self, options: dict[str, t.Any], *, held: Held | None = None, **changes: t.Any
    ) -> dict[str, t.Any]:
        """Answer ``navigator.credentials.get()``."""
        allowed = {one["id"] for one in options["allowCredentials"]}
        one = held or next(
            one
            for one in self.held
            if (encoded(one.id) in allowed or not allowed) and one.rp_id == options["rpId"]
        )
        one.count = changes.get("count", one.count + self.counts)
        data = self._data(one, 0, changes.get("rp_id"))
        seen = self._seen("webauthn.get", options, changes)
        signature = one.key.sign(data + hashlib.sha256(seen).digest(), ec.ECDSA(hashes.SHA256()))
        response = {"clientDataJSON": encoded(seen), "authenticatorData": encoded(data)}
        handle = {} if allowed else {"userHandle": encoded(one.user_handle)}
        return self._credential(one, {**response, "signature": encoded(signature), **handle})

    def _seen(self, kind: str, options: dict[str, t.Any], changes: dict[str, t.Any]) -> bytes:
        seen = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps({**seen, **changes.get("seen", {})}).encode()

    def _data(self, one: Held, flags: int, rp_id: str | None = None) -> bytes:
        flags |= USER_PRESENT | (USER_VERIFIED if self.verifies else 0)
        if not self.counts:
            flags |= BACKUP_ELIGIBLE | BACKED_UP
        return hashlib.sha256((rp_id or one.rp_id).encode()).digest() + bytes([flags]) + one.count.to_bytes(4)

    def _credential(self, one: Held, response: dict[str, t.Any]) -> dict[str, t.Any]:
        name = encoded(one.id)
        return {
            "id": name,
            "rawId": name,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": response,
        }


def _cose(key: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)})
