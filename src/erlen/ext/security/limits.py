"""How often somebody may try: rates for a network address or an address of e-mail, and locks after wrong passwords.

Rates are kept in memory or in Redis, locks in the store, where restarts and other processes find them. Neither keeps an address: keys are made
of a secret and what they stand for, so that who reads them learns nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import re
import typing as t
from datetime import datetime, timedelta

from .errors import TooManyAttempts
from .kit import Kit
from .rates import Rates, parsed

__all__ = ["Limits"]

Kind: t.TypeAlias = t.Literal["login", "mail", "api"]

#: How many times the failures of one network the whole account may have, from everywhere together.
EVERYWHERE = 10

#: Failures that are older count no more; at least so long.
MEMORY = timedelta(days=1)

#: For how long a network from which somebody logged in is theirs.
TRUST = timedelta(days=30)

#: What stands for a client of which the server does not know the address.
UNKNOWN = "unknown"

#: An address with a port, as some proxies hand it on in ``X-Forwarded-For``. Each connection has another one.
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")


def network_of(address: str | None) -> str:
    """Return the network that counts for an address: the address of IPv4, the first 64 bits of IPv6, as one customer has at least these.

    :param address: as the server says it; :data:`UNKNOWN` stands for what is none.

    .. versionadded:: 0.1
    """
    host = address or ""
    if with_port := _WITH_PORT.fullmatch(host):
        host = str(with_port[1] or with_port[2])
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
        found = found.ipv4_mapped
    return str(found)


class Limits:
    """Counts attempts.

    :param kit: has settings, store, keys and clock.
    :raises ConfigurationError: for a rate or a storage that is of no use.

    .. versionadded:: 0.1
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        settings = kit.settings
        self._key = kit.keys.derive("limits")[0]
        self._rates = Rates(settings.rate_storage, kit.clock)
        self._allowed = {
            kind: parsed(f"{kind}_rate", rate)
            for kind, rate in (
                ("login", settings.login_rate),
                ("mail", settings.mail_rate),
                ("api", settings.api_rate),
            )
        }
        # From where the longest lock has long ended.
        self._memory = max(MEMORY, 2 * settings.lock_max)

    # Rates

    def hit(self, kind: Kind, *keys: str | None) -> None:
        """Count an attempt under each key. One that is refused does not count.

        :param kind: whose rate it is.
        :param keys: network addresses, ``None`` for one that is not known, and keys of addresses of e-mail.
        :raises TooManyAttempts: where one of the keys has reached the rate.
        """
        self._refuse(self._rates.hit(self._allowed[kind], self._names(kind, keys)))

    def check(self, kind: Kind, *keys: str | None) -> None:
        """Refuse what :meth:`hit` would refuse, and count nothing.

        :param kind: whose rate it is.
        :param keys: as there.
        :raises TooManyAttempts: where one of the keys has reached the rate.
        """
        self._refuse(self._rates.wait(self._allowed[kind], self._names(kind, keys)))

    def _names(self, kind: str, keys: tuple[str | None, ...]) -> list[str]:
        names = (
            self._name(kind, network)
            if (network := network_of(key)) != UNKNOWN or key is None
            else self._name(kind, key)
            for key in keys
        )
        return list(dict.fromkeys(names))

    # Locks

    def check_lock(self, email_key: str, address: str | None) -> None:
        """Refuse an attempt that comes while an account is locked. Accounts that do not exist lock as others do.

        After ``lock_after`` failures an account is locked for the network that they came from, each time for twice as long; after ten
        times as many from all networks together it is locked for all but those from which its owner logged in lately. So
        a stranger stops neither the owner at home nor, from one network, anybody.

        :param email_key: of the account.
        :param address: of the client.
        :raises TooManyAttempts: while it is locked.
        """
        now = self._kit.clock()
        here, everywhere, trusted = self._lock_names(email_key, address)
        least = self._kit.settings.lock_after
        wait = self._locked_for(here, least, now)
        if (longer := self._locked_for(everywhere, least * EVERYWHERE, now)) > wait and not self._is_known(
            trusted, now
        ):
            wait = longer
        self._refuse(wait)

    def note_failure(self, email_key: str, address: str | None) -> bool:
        """Count a failed attempt; return whether the account is locked now.

        :param email_key: of the account.
        :param address: of the client.
        """
        now = self._kit.clock()
        here, everywhere, trusted = self._lock_names(email_key, address)
        start, least = now - self._memory, self._kit.settings.lock_after
        # The store counts each of several that come at once.
        here_count = self._kit.store.count_attempt(here, now, start)
        all_count = self._kit.store.count_attempt(everywhere, now, start)
        return here_count >= least or (all_count >= least * EVERYWHERE and not self._is_known(trusted, now))

    def forget(self, email_key: str, address: str | None) -> None:
        """Forget failures after a login: those of this network and those of all together, but not those of other networks.

        :param email_key: of the account.
        :param address: of the client.
        """
        now = self._kit.clock()
        here, everywhere, trusted = self._lock_names(email_key, address)
        for name in (here, everywhere, trusted):
            self._kit.store.forget_attempts(name)
        self._kit.store.count_attempt(trusted, now, now - TRUST)

    def _locked_for(self, name: str, least: int, now: datetime) -> int:
        count, last = self._kit.store.attempts(name, now - self._memory)
        if count < least or last is None:
            return 0
        settings = self._kit.settings
        # No more doublings than the longest lock has use for.
        lock = settings.lock_time.total_seconds() * (1 << min(count - least, 32))
        left = min(lock, settings.lock_max.total_seconds()) - (now - last).total_seconds()
        return max(0, math.ceil(left))

    def _is_known(self, trusted: str, now: datetime) -> bool:
        return self._kit.store.attempts(trusted, now - TRUST)[0] > 0

    def _lock_names(self, email_key: str, address: str | None) -> tuple[str, str, str]:
        network = network_of(address)
        return (
            self._name("lock", email_key, network),
            self._name("lock", email_key),
            self._name("trust", email_key, network),
        )

    # What they have in common

    def _name(self, *parts: str) -> str:
        # NUL is in no address, so that no two lists of parts are one text.
        text = "\0".join(parts).encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, hashlib.sha256).hex()

    def _refuse(self, seconds: int) -> None:
        if seconds > 0:
            raise TooManyAttempts(seconds)
