"""Recovery codes: ten texts on paper, each of which stands in once for a device that is lost.

A code has 120 bits. From 112 bits on a digest hides a code as well as a slow hash does (ASVS 6.5.2), so it is kept as other secrets are.
"""

from __future__ import annotations

import re
import secrets

from ..keys import digest, new_id
from ..kit import Kit
from ..types import Token, User

#: How many a user gets.
COUNT = 10
#: Crockford's base 32: without I, L, O and U, which are read as something else.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUPS, GROUP_LENGTH = 6, 4
PURPOSE = "code"

_LENGTH = GROUPS * GROUP_LENGTH
#: Longer texts are no code, however many blanks are in it.
_LONGEST_INPUT = 100
_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0"})
# Hyphens, and what word processors make of them.
_SEPARATORS = re.compile(r"[\s\-\u00ad\u2010-\u2015\u2212]+")


class Codes:
    """Makes recovery codes, and takes them.

    :param kit: what every part works with.

    .. versionadded:: 0.1
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def make(self, user: User) -> list[str]:
        """Return ten new codes; those from before are worth nothing. Nobody can show them again.

        :param user: the user.
        """
        self._kit.store.end_tokens(user.uid, PURPOSE)
        codes = [_new_code() for _ in range(COUNT)]
        for code in codes:
            self._kit.store.add_token(
                Token(
                    key=_key(user, code),
                    id=new_id(),
                    uid=user.uid,
                    purpose=PURPOSE,
                    created_at=self._kit.clock(),
                    expires_at=None,
                )
            )
        self._kit.events.tell("codes_made", user, count=COUNT)
        return codes

    def use(self, user: User, code: str) -> bool:
        """Return whether a code is one of the user's, and use it up.

        :param user: the user.
        :param code: what was typed, with or without hyphens and blanks, in upper or lower case.
        """
        if len(code) > _LONGEST_INPUT:
            return False
        if self._kit.store.use_token(_key(user, code), PURPOSE, self._kit.clock()) is None:
            return False
        self._kit.events.tell("code_used", user, left=self.left(user))
        return True

    def left(self, user: User) -> int:
        """Return how many codes a user has that are not used.

        :param user: the user.
        """
        return sum(token.used_at is None for token in self._kit.store.tokens(user.uid, PURPOSE))

    def remove(self, user: User) -> int:
        """Make the codes of a user worth nothing; return how many there were.

        :param user: the user.
        """
        return self._kit.store.end_tokens(user.uid, PURPOSE)


def _new_code() -> str:
    text = "".join(secrets.choice(ALPHABET) for _ in range(_LENGTH))
    return "-".join(text[start : start + GROUP_LENGTH] for start in range(0, _LENGTH, GROUP_LENGTH))


def _key(user: User, code: str) -> str:
    plain = _SEPARATORS.sub("", code).upper().translate(_READ_AS)
    # With the user in the digest, the code of another user is not even found, and so not used up.
    return digest(f"{PURPOSE}:{user.uid}:{plain}")
