"""Passwords: how they are stored and checked, and which of them are refused.

A password counts as it was given: nothing is trimmed, cut or changed in case. One thing alone is the same to us: forms of
Unicode that mean the same characters (NFC), as keyboards and systems differ in which they send, and nobody sees it.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import hmac
import logging
import unicodedata
from dataclasses import dataclass

from ..errors import WeakPassword
from ..settings import Settings
from .breaches import BreachCheck, HaveIBeenPwned
from .hashing import Hasher, encoded
from .legacy import Stored, Unusable, read
from .rules import problems_of

__all__ = ["BreachCheck", "HaveIBeenPwned", "Passwords", "Verdict"]

_log = logging.getLogger(__name__)

#: The most characters that are looked at in a login. More than the rules allow, for passwords that other systems took.
LONGEST = 4096
#: And of a stored hash.
LONGEST_HASH = 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found.

    :param matches: whether the password is right.
    :param replacement: a new hash to store, where the password is right and the stored hash is old, foreign, or of another cost.

    .. versionadded:: 0.1
    """

    matches: bool
    replacement: str | None = None


class Passwords:
    """Makes and checks hashes of passwords, and judges new ones.

    :param settings: lengths, words, and what a hash costs.
    :param breaches: knows passwords that were stolen elsewhere.
    :param legacy_salt: the ``SECURITY_PASSWORD_SALT`` of a former Flask-Security, which mixed it into passwords before it
        hashed them.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        settings: Settings,
        *,
        breaches: BreachCheck | None = None,
        legacy_salt: str | bytes | None = None,
    ) -> None:
        self._settings = settings
        self._breaches = breaches
        self._salt = legacy_salt.encode() if isinstance(legacy_salt, str) else legacy_salt
        self._hasher = Hasher(settings)
        self._longest = max(LONGEST, settings.password_max_length)
        self._nobodys = self._hasher.read(self._hasher.nobodys)

    def hash(self, password: str) -> str:
        """Return a new hash (Argon2id).

        :param password: the password; :meth:`problems` judges whether it is a good one.
        :raises WeakPassword: where it is longer than any login looks at.
        """
        if len(password) > self._longest:
            raise WeakPassword(
                [f"A password may have {self._settings.password_max_length} characters at most."]
            )
        return self._hasher.hash(unicodedata.normalize("NFC", password))

    def verify(self, password: str, stored: str | None) -> Verdict:
        """Check a password.

        Without a stored hash, or with one that cannot be used, the same work is done as for one of ours, and nothing matches.
        A foreign hash costs what it costs, until its owner logs in and it is replaced.

        :param password: what somebody typed.
        :param stored: the hash, ``None`` where there is no such account or it has no password.
        """
        known = self._read(stored)
        is_too_long = len(password) > self._longest
        # A password that is too long is not looked at, for that costs; but the answer takes as long as any other.
        forms = [""] if is_too_long else _forms(password)
        place = self._place(known or self._nobodys, [*forms, *self._mixed(forms)])
        if known is None or place is None or is_too_long:
            return Verdict(matches=False)
        if known.most is not None and place < len(forms) and len(encoded(forms[place])) > known.most:
            # A longer one with the same beginning would fit as well, so this may not be the one its owner knows.
            return Verdict(matches=True)
        is_current = known.is_current and place == 0
        return Verdict(matches=True, replacement=None if is_current else self.hash(password))

    def problems(self, password: str, *, about: cabc.Iterable[str] = ()) -> list[str]:
        """Return why a new password is refused, a sentence each; none for a good one.

        :param password: the new password.
        :param about: what others know of its owner, such as address and name.
        """
        found = problems_of(password, self._settings, about)
        if not found and self._breaches is not None and self._breaches.count(password) > 0:
            found.append("This password was stolen from another site and is known. Choose another one.")
        return found

    def _read(self, stored: str | None) -> Stored | None:
        if stored is None:
            return None
        try:
            if len(stored) > LONGEST_HASH:
                raise Unusable("a text that is too long for a hash")
            return self._hasher.read(stored) if stored.startswith("$argon2") else self._foreign(stored)
        except Unusable as error:
            _warn(error)
            return None

    def _foreign(self, stored: str) -> Stored | None:
        if stored.startswith("argon2$"):
            return self._hasher.read(stored.removeprefix("argon2"))
        # What Django puts where nobody may log in with a password.
        return None if stored == "" or stored.startswith("!") else read(stored)

    def _place(self, stored: Stored, forms: cabc.Sequence[str]) -> int | None:
        try:
            return next((place for place, form in enumerate(forms) if stored.check(form)), None)
        except (Unusable, ValueError) as error:
            _warn(error)
            return None if stored is self._nobodys else self._place(self._nobodys, forms)

    def _mixed(self, forms: cabc.Iterable[str]) -> list[str]:
        if self._salt is None:
            return []
        return [
            base64.b64encode(hmac.digest(self._salt, encoded(form), "sha512")).decode("ascii")
            for form in forms
        ]


def _forms(password: str) -> list[str]:
    # As we hash it; as it was sent, which Django and Werkzeug hash; and as Flask-Security hashes it. Mostly they are one.
    given = (unicodedata.normalize("NFC", password), password, unicodedata.normalize("NFKD", password))
    return list(dict.fromkeys(given))


def _warn(error: Exception) -> None:
    _log.warning("A stored password cannot be checked, so nobody can log in with it: it is %s.", error)
