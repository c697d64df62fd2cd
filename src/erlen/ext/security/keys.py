"""Secrets that are handed out, and the keys that are made of the application's own."""

from __future__ import annotations

import base64
import collections.abc as cabc
import hashlib
import secrets

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import ConfigurationError

__all__ = ["Keys", "digest", "new_id", "new_secret"]

#: Bytes of a secret that is handed out; 256 bits cannot be guessed, so one round of SHA-256 hides them well enough.
SECRET_BYTES = 32


def new_secret(prefix: str = "") -> str:
    """Return a new random text for a cookie, a link or a header.

    :param prefix: what it begins with, so that tools that look for secrets in code know it.
    """
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def new_id() -> str:
    """Return a new random name, which is no secret."""
    return secrets.token_hex(16)


def digest(secret: str) -> str:
    """Return what is stored in place of a secret: its SHA-256 in 64 hexadecimal digits.

    :param secret: what a client has sent; any text.
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Keys:
    """Keys for one purpose each, derived (HKDF, RFC 5869) from the application's secret keys.

    :param secret_keys: the keys of the application, the one that signs first.
    """

    def __init__(self, secret_keys: cabc.Sequence[str | bytes]) -> None:
        self._keys = [key.encode() if isinstance(key, str) else bytes(key) for key in secret_keys]
        if not self._keys or not all(self._keys):
            raise ConfigurationError(
                "erlen.ext.security needs the application's SECRET_KEY, which is not set. Set it to a random value that stays the same "
                "over restarts and is kept out of the repository. Make one with: python -c 'import secrets; print(secrets.token_hex())'"
            )

    def derive(self, purpose: str) -> list[bytes]:
        """Return keys of 32 bytes for a purpose, the one to sign with first.

        :param purpose: its name.
        """
        info = b"erlen.ext.security:" + purpose.encode()
        return [HKDF(hashes.SHA256(), 32, None, info).derive(key) for key in self._keys]

    def seal(self, text: str, purpose: str) -> str:
        """Return a text encrypted and signed.

        :param text: the text.
        :param purpose: the same is needed to read it.
        """
        return self._fernet(purpose).encrypt(text.encode()).decode("ascii")

    def unseal(self, sealed: str, purpose: str, max_age: int | None = None) -> str | None:
        """Return what was sealed, ``None`` for anything else.

        :param sealed: what :meth:`seal` returned, with any of the keys.
        :param purpose: what it was sealed for.
        :param max_age: the most seconds since then.
        """
        try:
            return self._fernet(purpose).decrypt(sealed.encode(), max_age).decode()
        except (InvalidToken, UnicodeError):
            return None

    def reseal(self, sealed: str, purpose: str) -> str | None:
        """Return what was sealed with an older key sealed with the first one; ``None`` where that is so, or where it cannot be read.

        :param sealed: what :meth:`seal` returned, with any of the keys.
        :param purpose: what it was sealed for.
        """
        if Keys(self._keys[:1]).unseal(sealed, purpose) is not None:
            return None
        text = self.unseal(sealed, purpose)
        return None if text is None else self.seal(text, purpose)

    def _fernet(self, purpose: str) -> MultiFernet:
        return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in self.derive(purpose)])
