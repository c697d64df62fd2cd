"""Hashes that other software made, so that its users keep their passwords: Werkzeug, Django, passlib.

A stored hash is trusted no further than needed: what would cost more memory or time than a login may is refused, and so is
everything that is damaged.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import functools
import hashlib
import hmac
import re
import typing as t
from dataclasses import dataclass, replace

from werkzeug.security import check_password_hash

MOST_ITERATIONS = 10_000_000
MOST_SCRYPT_MEMORY = 1024**3
MOST_SCRYPT_LANES = 64
#: Each further round doubles the time; 16 take seconds.
MOST_BCRYPT_ROUNDS = 16
#: What bcrypt looks at.
BCRYPT_BYTES = 72

_DIGESTS = {"sha1", "sha224", "sha256", "sha384", "sha512"}


class Unusable(Exception):
    """A stored hash that cannot be checked. The text says why, and has nothing of the hash."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored hash that was read.

    :param scheme: how it was made.
    :param check: returns whether a password fits.
    :param most: how many bytes of a password it knows; ``None`` for all.
    :param is_current: whether a new hash would be no other.
    """

    scheme: str
    check: cabc.Callable[[str], bool]
    most: int | None = None
    is_current: bool = False


def read(stored: str) -> Stored:
    """Return what checks passwords against a stored hash, of any kind but Argon2.

    :param stored: the hash.
    :raises Unusable: where it is damaged or of no known kind, would cost too much, or needs what is not installed.
    """
    kind = next((kind for kind in _READERS if stored.startswith(kind)), None)
    if kind is None:
        raise Unusable("a hash of no known kind")
    try:
        found = _READERS[kind](stored)
    except ValueError:
        raise Unusable(f"a damaged hash of the kind {kind.strip(':$')!r}") from None
    # HMAC fills a short key up with NUL, so that PBKDF2 and scrypt take a password with one at its end for the same password.
    return replace(found, check=lambda password: found.check(password) and "\0" not in password)


def _number(text: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise ValueError
    number = int(text)
    if not 1 <= number <= most:
        raise Unusable(f"a hash with a cost of {number}, where {most} is the most")
    return number


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")


# Werkzeug


def _werkzeug(stored: str) -> Stored:
    method, salt, _ = stored.split("$", 2)
    name, *rest = method.split(":")
    if not salt:
        raise ValueError
    if name == "scrypt":
        cost, block, lanes = rest
        _check_scrypt(cost, block, lanes)
    else:
        digest, iterations = rest
        if digest not in _DIGESTS:
            raise ValueError
        _number(iterations, MOST_ITERATIONS)

    def check(password: str) -> bool:
        try:
            return check_password_hash(stored, password)
        except UnicodeEncodeError:
            # Half of a surrogate pair: Werkzeug could not make a hash of it either.
            return False

    return Stored(f"werkzeug {name}", check)


def _check_scrypt(cost: str, block: str, lanes: str) -> tuple[int, int, int]:
    n, r, p = _number(cost, 2**30), _number(block, 1024), _number(lanes, MOST_SCRYPT_LANES)
    if n < 2 or n & (n - 1) or 128 * n * r * p > MOST_SCRYPT_MEMORY:
        raise Unusable(f"a hash of scrypt with n={n}, r={r}, p={p}, which is out of bounds")
    return n, r, p


# Django


def _django_pbkdf2(stored: str) -> Stored:
    scheme, iterations, salt, digest = stored.split("$")
    return _pbkdf2(
        f"django {scheme}",
        scheme.removeprefix("pbkdf2_"),
        _number(iterations, MOST_ITERATIONS),
        salt.encode(),
        base64.b64decode(digest, validate=True),
    )


def _django_scrypt(stored: str) -> Stored:
    _, cost, salt, block, lanes, digest = stored.split("$")
    n, r, p = _check_scrypt(cost, block, lanes)
    expected = base64.b64decode(digest, validate=True)
    if not salt:
        raise ValueError

    def check(password: str) -> bool:
        found = hashlib.scrypt(
            _bytes(password), salt=salt.encode(), n=n, r=r, p=p, maxmem=132 * n * r * p, dklen=64
        )
        return hmac.compare_digest(found, expected)

    return Stored("django scrypt", check)


def _django_bcrypt(stored: str) -> Stored:
    scheme, _, rest = stored.partition("$")
    if scheme == "bcrypt":
        return _bcrypt(rest)
    return _bcrypt(rest, lambda password: hashlib.sha256(_bytes(password)).hexdigest().encode())


# passlib, as Flask-Security used it


def _passlib_pbkdf2(stored: str) -> Stored:
    _, scheme, iterations, salt, digest = stored.split("$")
    return _pbkdf2(
        f"passlib {scheme}",
        scheme.partition("-")[2] or "sha1",
        _number(iterations, MOST_ITERATIONS),
        _adapted(salt),
        _adapted(digest),
    )


def _adapted(text: str) -> bytes:
    # Base64 without padding, and with a dot in place of the plus.
    if "+" in text:
        raise ValueError
    return base64.b64decode(text.replace(".", "+") + "=" * (-len(text) % 4), validate=True)


def _passlib_bcrypt_sha256(stored: str) -> Stored:
    found = re.fullmatch(
        r"\$bcrypt-sha256\$(?:v=(?P<v>2),t=(?P<t>2b),r=(?P<r>[0-9]{1,2})|(?P<t1>2[aby]),(?P<r1>[0-9]{1,2}))"
        r"\$(?P<salt>[./A-Za-z0-9]{22})\$(?P<digest>[./A-Za-z0-9]{31})",
        stored,
    )
    if found is None:
        raise ValueError
    salt = found["salt"]
    kind, rounds = found["t"] or found["t1"], int(found["r"] or found["r1"])

    def prepared(password: str) -> bytes:
        if found["v"]:
            digest = hmac.digest(salt.encode(), _bytes(password), "sha256")
        else:
            digest = hashlib.sha256(_bytes(password)).digest()
        return base64.b64encode(digest)

    return _bcrypt(f"${kind}${rounds:02}${salt}{found['digest']}", prepared)


# What they have in common


def _pbkdf2(scheme: str, digest: str, iterations: int, salt: bytes, expected: bytes) -> Stored:
    if not salt:
        raise ValueError

    def check(password: str) -> bool:
        found = hashlib.pbkdf2_hmac(digest, _bytes(password), salt, iterations)
        return hmac.compare_digest(found, expected)

    return Stored(scheme, check)


def _bcrypt(stored: str, prepared: cabc.Callable[[str], bytes] | None = None) -> Stored:
    found = re.fullmatch(r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}", stored)
    if found is None:
        raise ValueError
    _number(found[1], MOST_BCRYPT_ROUNDS)
    checkpw = _bcrypt_check()
    # Modern bcrypt reads the older marks as the same; it refuses some of them.
    whole = ("$2b$" + stored[4:]).encode()

    def check(password: str) -> bool:
        secret = prepared(password) if prepared else _bytes(password)
        return checkpw(secret[:BCRYPT_BYTES], whole)

    return Stored("bcrypt", check, None if prepared else BCRYPT_BYTES)


@functools.cache
def _bcrypt_check() -> cabc.Callable[[bytes, bytes], bool]:
    try:
        # Needed for the users of some other systems alone.
        import bcrypt
    except ImportError:
        raise Unusable(
            "a hash of bcrypt, which is not installed. Install it with: pip install bcrypt"
        ) from None
    return t.cast("cabc.Callable[[bytes, bytes], bool]", bcrypt.checkpw)


_READERS: dict[str, cabc.Callable[[str], Stored]] = {
    "scrypt:": _werkzeug,
    "pbkdf2:": _werkzeug,
    "pbkdf2_sha256$": _django_pbkdf2,
    "pbkdf2_sha1$": _django_pbkdf2,
    "scrypt$": _django_scrypt,
    "bcrypt_sha256$": _django_bcrypt,
    "bcrypt$": _django_bcrypt,
    "$pbkdf2$": _passlib_pbkdf2,
    "$pbkdf2-sha256$": _passlib_pbkdf2,
    "$pbkdf2-sha512$": _passlib_pbkdf2,
    "$bcrypt-sha256$": _passlib_bcrypt_sha256,
    "$2a$": _bcrypt,
    "$2b$": _bcrypt,
    "$2y$": _bcrypt,
}
