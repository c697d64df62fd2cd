"""Hashes of Argon2id, as the settings say what they cost."""

from __future__ import annotations

import base64
import secrets

from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from ..settings import Settings
from .legacy import Stored, Unusable

SALT_BYTES = 16
HASH_BYTES = 32

#: The most that checking one stored hash may cost. RFC 9106 recommends 2 GiB to machines that do nothing else.
MOST_MEMORY = 1024 * 1024
MOST_WORK = 8 * MOST_MEMORY
MOST_LANES = 64


class Hasher:
    """Makes and checks hashes of Argon2.

    :param settings: what a new hash costs.
    """

    def __init__(self, settings: Settings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_time,
            memory_cost=settings.argon2_memory,
            parallelism=settings.argon2_parallelism,
            hash_len=HASH_BYTES,
            salt_len=SALT_BYTES,
            type=Type.ID,
        )
        self._most_memory = max(MOST_MEMORY, settings.argon2_memory)
        self._most_work = max(MOST_WORK, settings.argon2_memory * settings.argon2_time)
        self._most_lanes = max(MOST_LANES, settings.argon2_parallelism)
        #: What no password fits, but for a chance of 1 in 2**256; checking it costs what checking a real one does.
        self.nobodys = (
            f"$argon2id$v=19$m={settings.argon2_memory},t={settings.argon2_time},p={settings.argon2_parallelism}"
            f"${_random(SALT_BYTES)}${_random(HASH_BYTES)}"
        )

    def hash(self, password: str) -> str:
        """Return a new hash.

        :param password: the password; any text.
        """
        return self._hasher.hash(encoded(password))

    def read(self, stored: str) -> Stored:
        """Return what checks passwords against a stored hash of Argon2, of whatever make.

        :param stored: a hash that begins with ``$argon2``.
        :raises Unusable: where it is none, or would cost more than a login may.
        """
        try:
            found = extract_parameters(stored)
        except InvalidHashError:
            raise Unusable("a damaged hash of Argon2") from None
        if (
            not 8 <= found.memory_cost <= self._most_memory
            or found.time_cost < 1
            or found.memory_cost * found.time_cost > self._most_work
            or not 1 <= found.parallelism <= self._most_lanes
            or not 16 <= found.hash_len <= 128
        ):
            raise Unusable(
                f"a hash of Argon2 with m={found.memory_cost}, t={found.time_cost}, p={found.parallelism} and "
                f"{found.hash_len} bytes, which is out of bounds"
            )
        # One that costs more is not current either: with hashes of one cost alone, time does not tell whose account is there.
        is_current = not self._hasher.check_needs_rehash(stored)
        return Stored("argon2", lambda password: self._check(password, stored), is_current=is_current)

    def _check(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, encoded(password))
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError) as error:
            raise Unusable(f"a hash of Argon2 that cannot be checked ({error})") from None


def encoded(password: str) -> bytes:
    """Return a password as bytes; halves of surrogate pairs, which JSON may have, are no error."""
    return password.encode("utf-8", "surrogatepass")


def _random(count: int) -> str:
    return base64.b64encode(secrets.token_bytes(count)).decode("ascii").rstrip("=")
