"""What can go wrong, as exceptions.

Their tree::

SecurityError
 +- ConfigurationError     a setting is wrong, or one is missing
 +- InvalidEmail           text that is no address of e-mail
 +- EmailTaken             another account has this address
 +- WeakPassword           a password that the rules refuse; its ``problems`` say why
 +- InvalidToken           a token that is unknown, used, of another purpose, or too old
 +- TokenRefused           a token that cannot be made so: its name, scopes or life, or there are too many
 +- WrongCredentials       an address, a password or a code that does not fit
 +- TooManyAttempts        a limit was reached; its ``retry_after`` says for how many seconds
 +- ProviderError          signing in with somebody else failed
"""

from __future__ import annotations

import collections.abc as cabc

__all__ = [
    "ConfigurationError",
    "EmailTaken",
    "InvalidEmail",
    "InvalidToken",
    "ProviderError",
    "SecurityError",
    "TokenRefused",
    "TooManyAttempts",
    "WeakPassword",
    "WrongCredentials",
]


class SecurityError(Exception):
    """The base of the extension's exceptions. The text may be shown to users."""


class ConfigurationError(SecurityError):
    """A setting is wrong, or one is missing."""


class InvalidEmail(SecurityError, ValueError):
    """Text that is no address of e-mail."""


class EmailTaken(SecurityError):
    """Another account has this address. Users must not be told: that would tell who has an account."""


class WeakPassword(SecurityError, ValueError):
    """A password that the rules refuse.

    :param problems: a sentence for each rule.
    """

    def __init__(self, problems: cabc.Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = tuple(problems)


class InvalidToken(SecurityError):
    """A token that is unknown, used, of another purpose, or too old; which of these is not said."""


class TokenRefused(SecurityError, ValueError):
    """A token for programs that cannot be made so: its name, its scopes or its life, or its owner has too many."""


class WrongCredentials(SecurityError):
    """An address, a password or a code that does not fit, or an account that may not be used: one text for all of them."""

    def __init__(self, text: str = "These credentials are not right.") -> None:
        super().__init__(text)


class TooManyAttempts(SecurityError):
    """A limit was reached.

    :param retry_after: seconds until the next attempt is looked at.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many attempts. Try again in {retry_after} seconds.")
        self.retry_after = retry_after


class ProviderError(SecurityError):
    """Signing in with somebody else failed, or was refused."""
