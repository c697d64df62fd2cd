"""Codes of authenticator applications (TOTP, RFC 6238): six digits, SHA-1, a new one every 30 seconds.

How long a code is good for: its own 30 seconds (ASVS 6.5.5), and :data:`DRIFT_SECONDS` after them for a code that was read just before it
changed, the network, and a device whose clock is late (RFC 6238, section 5.2). A code of the future is never taken: a device whose
clock is early has to wait for as long as it is early. Each code counts once; the store decides who was first.
"""

from __future__ import annotations

import collections.abc as cabc
import hashlib
import hmac
import json
import logging
import typing as t
import unicodedata
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import pyotp
from pyotp.totp import TOTP

from ..kit import Kit
from ..types import User

#: How long the device shows a code.
STEP_SECONDS = 30
#: For how long after that it is taken.
DRIFT_SECONDS = 5
#: For how long the secret of a setup may be confirmed.
SETUP_LIFETIME = timedelta(minutes=15)

DIGITS = 6
#: Longer texts are no code, however many blanks are in it.
_LONGEST_INPUT = 64
_PURPOSE = "totp"
_SETUP_PURPOSE = "totp-setup"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TotpSetup:
    """A secret that is offered to a user, and not theirs before they have confirmed it.

    :param secret: the secret in base32, for those who type it.
    :param uri: the same as an ``otpauth:`` URI.
    :param qr_svg: the URI as a QR code: an ``<svg>`` element for the page, with a label for screen readers.
    :param sealed: the secret for :meth:`Totp.confirm`, encrypted and bound to the user; a hidden field of the form.
    """

    secret: str = field(repr=False)
    uri: str = field(repr=False)
    qr_svg: str = field(repr=False)
    sealed: str = field(repr=False)


class Totp:
    """Sets up authenticator applications, and checks their codes.

    :param kit: what every part works with.
    :param on_removed: is called with a user whose codes were turned off.

    .. versionadded:: 0.1
    """

    def __init__(self, kit: Kit, on_removed: cabc.Callable[[User], None]) -> None:
        self._kit, self._on_removed = kit, on_removed

    def is_on(self, user: User) -> bool:
        """Return whether a user has an authenticator application, also one whose secret cannot be read any more.

        :param user: the user.
        """
        return self._stored(user) is not None

    def begin(self, user: User) -> TotpSetup:
        """Return a new secret for a user. One that is on already stays on until the new one is confirmed.

        :param user: the user.
        """
        secret = pyotp.random_base32()
        until = (self._kit.clock() + SETUP_LIFETIME).timestamp()
        # With the digest of the secret that is on, a setup cannot be confirmed twice, nor after another one.
        content = json.dumps([user.uid, secret, until, _mark(self._stored(user))])
        return self._setup(user, secret, self._kit.keys.seal(content, _SETUP_PURPOSE))

    def resume(self, user: User, sealed: str) -> TotpSetup | None:
        """Return a setup that was begun, to show it again after a wrong code; ``None`` where it is of no use any more.

        :param user: the user.
        :param sealed: the setup's ``sealed``.
        """
        secret = self._opened(user, sealed)
        return None if secret is None else self._setup(user, secret, sealed)

    def confirm(self, user: User, sealed: str, code: str) -> bool:
        """Turn a setup on if the device shows the right code; the code is used up by that.

        :param user: who began the setup.
        :param sealed: the setup's ``sealed``.
        :param code: what the device shows.
        """
        secret = self._opened(user, sealed)
        step = None if secret is None else self._step_of(secret, code)
        if step is None:
            return False
        former = self._stored(user)
        changed = self._kit.store.change_user_if(
            user.uid,
            {"totp_secret": former},
            totp_secret=self._kit.keys.seal(f"{user.uid}:{secret}", _PURPOSE),
            totp_last_step=step,
        )
        if changed:
            self._kit.events.tell("factor_added", user, factor="totp", replaced=former is not None)
        return changed

    def check(self, user: User, code: str) -> bool:
        """Return whether a code is right, and use it up.

        A stored secret that cannot be read, because its secret key is gone, lets nobody in.

        :param user: the user.
        :param code: what the device shows; blanks and other forms of digits are no mistake.
        """
        sealed = self._stored(user)
        if sealed is None:
            return False
        owner, _, secret = (self._kit.keys.unseal(sealed, _PURPOSE) or "").partition(":")
        if owner != user.uid:
            _logger.error(
                "The authenticator secret of the user %r cannot be read, so the code was refused. It was sealed with a secret key that "
                "the application has no longer, or it is of another user. Put the former key into SECRET_KEY_FALLBACKS, or have the "
                "user set up the second factor anew.",
                user.uid,
            )
            return False
        step = self._step_of(secret, code)
        if step is None or not self._kit.store.take_totp_step(user.uid, step):
            return False
        if (resealed := self._kit.keys.reseal(sealed, _PURPOSE)) is not None:
            self._kit.store.change_user_if(user.uid, {"totp_secret": sealed}, totp_secret=resealed)
        return True

    def remove(self, user: User) -> bool:
        """Turn the codes off; return whether they were on.

        :param user: the user.
        """
        removed = self._stored(user) is not None and self._kit.store.change_user(user.uid, totp_secret=None)
        if removed:
            self._kit.events.tell("factor_removed", user, factor="totp")
            self._on_removed(user)
        return removed

    def _stored(self, user: User) -> str | None:
        # The user in hand may be a copy from before a change.
        stored = self._kit.store.user(user.uid)
        return None if stored is None else stored.totp_secret

    def _setup(self, user: User, secret: str, sealed: str) -> TotpSetup:
        site = (
            self._kit.settings.site_name or urlsplit(self._kit.settings.site_url or "").hostname or "Account"
        )
        uri = TOTP(secret).provisioning_uri(name=user.email, issuer_name=site)
        return TotpSetup(secret=secret, uri=uri, qr_svg=_drawn(uri), sealed=sealed)

    def _opened(self, user: User, sealed: str) -> str | None:
        content = self._kit.keys.unseal(sealed, _SETUP_PURPOSE)
        if content is None:
            return None
        uid, secret, until, mark = t.cast("tuple[str, str, float, str]", tuple(json.loads(content)))
        fits = (uid, mark) == (user.uid, _mark(self._stored(user)))
        return secret if fits and self._kit.clock().timestamp() < until else None

    def _step_of(self, secret: str, code: str) -> int | None:
        digits = _digits_of(code)
        if digits is None:
            return None
        now = int(self._kit.clock().timestamp())
        generator = TOTP(secret, interval=STEP_SECONDS, digits=DIGITS)
        found = None
        for step in sorted({(now - DRIFT_SECONDS) // STEP_SECONDS, now // STEP_SECONDS}):
            if hmac.compare_digest(generator.generate_otp(step), digits):
                found = step
        return found


def _mark(sealed: str | None) -> str:
    return "" if sealed is None else hashlib.sha256(sealed.encode()).hexdigest()


def _digits_of(text: str) -> str | None:
    if len(text) > _LONGEST_INPUT:
        return None
    kept = [character for character in text if not character.isspace() and character != "-"]
    digits = [unicodedata.decimal(character, None) for character in kept]
    if len(digits) != DIGITS or None in digits:
        return None
    return "".join(str(digit) for digit in digits)


def _drawn(uri: str) -> str:
    # PERF: segno is needed where somebody sets up a factor, and not when an application starts.
    import segno

    svg = segno.make(uri, error="m", micro=False).svg_inline(
        omitsize=True, border=4, dark="#000", light="#fff", svgclass="security-qr", lineclass=None
    )
    # What it holds stands beside it as text, so the label says only what it is.
    return svg.replace("<svg", '<svg role="img" aria-label="QR code for an authenticator application"', 1)
