"""The lock of the console: a secret that nobody can guess, and a cookie that is made of it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading

#: How many wrong secrets are looked at. Then the console stays locked until the process starts again.
TRIES = 10

# Characters of a secret that was made elsewhere: 128 bits in base64.
_SHORTEST = 22


class Lock:
    """Opens the console for who knows the secret.

    :param secret: a secret that another process has made, ``None`` for a new one of 256 bits.
    :raises ValueError: for one that could be guessed.
    """

    def __init__(self, secret: str | None = None) -> None:
        if secret is None:
            # Nothing of the machine goes into it: containers have that in common (CVE-2019-14806).
            secret = secrets.token_urlsafe(32)
        if len(secret) < _SHORTEST:
            raise ValueError(
                f"The secret of the debugger has {len(secret)} characters, and so could be guessed. Leave it out, or make "
                f"one of {_SHORTEST} or more with secrets.token_urlsafe(32)."
            )
        self.secret = secret
        self._changing = threading.Lock()
        self._wrong = 0
        #: The value of the cookie. Who has it does not have the secret.
        self.cookie = hmac.digest(secret.encode(), b"erlen.debugger: console", hashlib.sha256).hex()

    @property
    def tries_left(self) -> int:
        """How many wrong secrets more are looked at."""
        return TRIES - self._wrong

    def opens(self, secret: str) -> bool:
        """Return whether this is the secret. Another one counts as a try.

        :param secret: what somebody has entered.
        """
        # Both in one step: of requests at the same time none is one too many.
        with self._changing:
            if self._wrong >= TRIES:
                return False
            is_right = hmac.compare_digest(
                secret.encode("utf-8", "surrogatepass"), self.secret.encode("utf-8", "surrogatepass")
            )
            self._wrong += not is_right
            return is_right

    def is_open_for(self, cookie: str | None) -> bool:
        """Return whether a browser may use the console.

        :param cookie: the value of its cookie, ``None`` where it has none.
        """
        # Of an earlier start a browser still has another one, so that a wrong cookie is no try; it has 256 bits.
        return (
            bool(cookie)
            and self._wrong < TRIES
            and hmac.compare_digest((cookie or "").encode("utf-8", "surrogatepass"), self.cookie.encode())
        )
