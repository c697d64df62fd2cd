"""Second factors: authenticator applications, passkeys, and recovery codes for when these are lost."""

from __future__ import annotations

from ..kit import Kit
from ..tokens import Tokens
from ..types import User
from .codes import Codes
from .passkeys import Passkeys
from .totp import Totp, TotpSetup

__all__ = ["Codes", "Factors", "Passkeys", "Totp", "TotpSetup"]


class Factors:
    """The second factors of users.

    :param kit: what every part works with.
    :param tokens: keeps the challenges of passkeys.

    .. versionadded:: 0.1
    """

    def __init__(self, kit: Kit, tokens: Tokens) -> None:
        self._kit = kit
        #: Authenticator applications.
        self.totp = Totp(kit, self._tidy)
        #: Recovery codes.
        self.codes = Codes(kit)
        #: Passkeys and security keys.
        self.passkeys = Passkeys(kit, tokens, self._tidy)

    def available(self, user: User) -> list[str]:
        """Return what a user may show as a second factor: of ``totp``, ``passkey`` and ``code``, nothing where none is set up.

        A factor that cannot be checked, such as a passkey on a server without the package for them, is among these all the same:
        otherwise a password alone would be enough. Recovery codes are a way back to another factor, and none by themselves.

        :param user: the user.
        """
        found: list[str] = []
        if self.totp.is_on(user):
            found.append("totp")
        if self._kit.store.passkeys(user.uid):
            found.append("passkey")
        if found and self.codes.left(user):
            found.append("code")
        return found

    def must_set_up(self, user: User) -> bool:
        """Return whether a role of the user asks for a second factor, and there is none.

        :param user: the user.
        """
        asked = any(user.has_role(name) for name in self._kit.settings.second_factor_roles)
        # Recovery codes are there beside another factor alone, so they need not be asked for.
        return asked and not (self.totp.is_on(user) or self._kit.store.passkeys(user.uid))

    def remove_all(self, user: User) -> bool:
        """Remove all factors of a user, for an administrator who knows who asks; return whether there were any.

        :param user: the user.
        """
        removed = self.totp.remove(user)
        for passkey in self.passkeys.all(user):
            removed = self.passkeys.remove(user, passkey.credential_id) or removed
        return removed

    def _tidy(self, user: User) -> None:
        # Once the last factor they stand in for is gone, recovery codes are worth nothing.
        if not self.available(user):
            self.codes.remove(user)
