"""Secrets that are handed out for one purpose: links of mails, tokens of programs, refresh tokens.

The store has digests alone, and finds a token by its digest, so the time that takes tells nothing of a secret. What ends a token
that a program shows, at its very next use:

- its own life, of a signed access token at most an hour;
- somebody ends it, or, for access tokens, the login it comes from: by logging out, or because a refresh token was used twice;
- the account is deleted, switched off, or not activated;
- for access and refresh tokens, a new password. Named tokens outlive a change of the password, and end with a reset.
"""

from __future__ import annotations

import binascii
import collections.abc as cabc
import re
import secrets
import string
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .errors import ConfigurationError, InvalidToken, TokenRefused
from .events import clean_text
from .keys import digest, new_id, new_secret
from .kit import Kit
from .signed import MAX_LENGTH, AccessTokens
from .types import Authentication, Token, User

__all__ = ["TokenPair", "Tokens"]

#: What tokens of programs begin with.
API_PREFIX = "erlen_"

#: How many named tokens a user may have.
API_TOKEN_LIMIT = 50

#: How often the last use of a token is written down at most.
NOTE_EVERY = timedelta(minutes=1)

_NAME_LENGTH = 100

# No secret of ours comes near it.
_MAX_SECRET = 512

_SEAL = "refresh-token"

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase

# 43 of 62 characters are 256 bits; 6 hold a sum of 32 bits.
_RANDOM_LENGTH, _SUM_LENGTH = 43, 6

_API_TOKEN = re.compile(rf"{API_PREFIX}[0-9A-Za-z]{{{_RANDOM_LENGTH + _SUM_LENGTH}}}")

# A scope as OAuth spells it (RFC 6749, section 3.3).
_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPair:
    """What a program gets that logs a user in.

    :param access_token: what it sends with each request, as ``Authorization: Bearer``.
    :param refresh_token: what it gets the next pair for, once.
    :param expires_in: seconds until the access token ends.
    :param scopes: what the access token permits.

    .. versionadded:: 0.1
    """

    access_token: str
    refresh_token: str
    expires_in: int
    scopes: tuple[str, ...]

    def __repr__(self) -> str:
        # Tracebacks and logs show it.
        return f"<TokenPair for {' '.join(self.scopes) or 'no scope'}, {self.expires_in} s>"


class Tokens:
    """Hands out tokens and takes them back.

    :param kit: what every part works with. Access tokens name ``site_url`` as issuer and audience, or else the name of
        the site or the application.
    :raises ConfigurationError: where a scope is spelled as no scope can be.

    .. versionadded:: 0.1
    """

    def __init__(self, kit: Kit) -> None:
        self._kit, self._store, self._settings = kit, kit.store, kit.settings
        for scope in kit.settings.scopes:
            if _SCOPE.fullmatch(scope) is None:
                raise ConfigurationError(
                    f"SECURITY_SCOPES has {scope!r}. A scope is one word of ASCII without quotes and backslashes, such as 'orders:read'."
                )
        name = kit.settings.site_name or getattr(kit.events.sender, "name", "erlen")
        issuer = (kit.settings.site_url or name).rstrip("/")
        self._access_tokens = AccessTokens(
            kit.keys, issuer, kit.settings.scopes, kit.settings.access_token_lifetime
        )

    # Of any purpose

    def issue(
        self,
        purpose: str,
        uid: str | None,
        lifetime: timedelta | None,
        *,
        name: str = "",
        scopes: cabc.Iterable[str] = (),
        data: cabc.Mapping[str, t.Any] | None = None,
        family: str | None = None,
        prefix: str = "",
    ) -> tuple[str, Token]:
        """Return a new secret, which is kept nowhere, and its record.

        :param purpose: what it is good for.
        :param uid: whose it is, ``None`` where nobody is known yet.
        :param lifetime: how long it works; ``None`` for ever.
        :param name: what lists call it.
        :param scopes: what it permits.
        :param data: what belongs to the purpose; values that JSON has.
        :param family: what it has in common with others.
        :param prefix: what the secret begins with.
        """
        now = self._kit.clock()
        expires_at = None if lifetime is None else now + lifetime
        values = {"name": name, "scopes": tuple(scopes), "data": dict(data or {}), "family": family}
        return self._add(new_secret(prefix), purpose, uid, now, expires_at, **values)

    def look(self, secret: str, purpose: str) -> Token:
        """Return the record of a secret that works, and leave it as it is.

        :param secret: any text.
        :param purpose: what it has to be good for.
        :raises InvalidToken: where it does not work.
        """
        token = self._find(secret, purpose)
        if token is None or token.used_at is not None or _is_over(token, self._kit.clock()):
            raise _invalid()
        return token

    def use(self, secret: str, purpose: str) -> Token:
        """Use up a secret and return its record. Of several who try at once one gets it.

        :param secret: any text.
        :param purpose: what it has to be good for.
        :raises InvalidToken: where it does not work.
        """
        token = None
        if len(secret) <= _MAX_SECRET:
            token = self._store.use_token(digest(secret), purpose, self._kit.clock())
        if token is None:
            raise _invalid()
        return token

    # Of programs, named by their users

    def create_api_token(
        self, user: User, name: str, scopes: cabc.Iterable[str], lifetime: timedelta | None = None
    ) -> tuple[str, Token]:
        """Return a new token for a program of the user, and its record. It cannot be shown again.

        It begins with ``erlen_`` and ends with a sum of itself, so that tools which look for secrets in code know one from a text
        that only looks like it.

        :param user: whose it is.
        :param name: what the user calls it.
        :param scopes: what it permits; of those in the settings.
        :param lifetime: how long it works; at most, and if nothing is said, ``token_lifetime`` of the settings.
        :raises TokenRefused: for a name, a scope or a lifetime that cannot be, or where the user has 50 tokens.
        """
        longest = self._settings.token_lifetime
        lifetime = longest if lifetime is None else lifetime
        if not timedelta(0) < lifetime <= longest:
            raise TokenRefused(f"A token lives for {_in_words(longest)} at most, and longer than nothing.")
        name = clean_text(name.strip(), _NAME_LENGTH + 1)
        if not 0 < len(name) <= _NAME_LENGTH:
            raise TokenRefused(f"A token needs a name of 1 to {_NAME_LENGTH} characters.")
        granted = self._checked(scopes, self._settings.scopes)
        self._make_room(user)
        now = self._kit.clock()
        secret, token = self._add(
            _new_api_secret(), "api", user.uid, now, now + lifetime, name=name, scopes=granted
        )
        ends = token.expires_at
        self._kit.events.tell(
            "token_created", user, kind="api", id=token.id, name=name, scopes=granted, expires_at=ends
        )
        return secret, token

    def api_tokens(self, user: User) -> cabc.Sequence[Token]:
        """Return the tokens for programs that a user has, the newest first; those that have expired as well.

        :param user: the user.
        """
        return self._store.tokens(user.uid, "api")

    def revoke_api_token(self, user: User, id: str) -> bool:
        """End a token for programs; return whether the user had it.

        :param user: the user.
        :param id: its name in lists.
        """
        name = next((token.name for token in self.api_tokens(user) if token.id == id), "")
        if not self._store.end_token(user.uid, id, "api"):
            return False
        self._kit.events.tell("token_revoked", user, kind="api", id=id, name=name)
        return True

    # Signed, with tokens to get the next one

    def pair(self, user: User, scopes: cabc.Iterable[str], methods: cabc.Sequence[str]) -> TokenPair:
        """Return an access token and a refresh token for somebody who has just logged in.

        What is refreshed from them, the family, ends ``token_lifetime`` after this in any case.

        :param user: who.
        :param scopes: what the tokens permit; of those in the settings.
        :param methods: what the user logged in with.
        :raises TokenRefused: for a scope that is not in the settings.
        """
        granted = self._checked(scopes, self._settings.scopes)
        now, family = self._kit.clock(), new_id()
        ends = now + self._settings.token_lifetime
        # The family itself: alive as long as this is there. Its key is no digest, so no secret leads to it.
        record = Token(
            key=_family_key(family), id=family, uid=user.uid, purpose="refresh", created_at=now, expires_at=ends,
            scopes=granted, family=family, data={"methods": list(methods)},
        )  # fmt: skip
        for old in self.families(user)[self._settings.session_limit - 1 :]:
            self._end_family(old)
        self._keep(record)
        self._kit.events.tell(
            "token_created", user, kind="refresh", id=family, scopes=granted, methods=methods
        )
        return self._pair_of(record, granted, now)

    def refresh(self, refresh_token: str, scopes: cabc.Iterable[str] | None = None) -> TokenPair:
        """Return the next pair for a refresh token, which is worth nothing after that.

        A refresh token that is shown again was copied, and nobody can tell which of the two has stolen it: the family ends
        with all its access tokens (RFC 9700, section 4.14.2). There is no grace for a client that sends one twice at once:
        one of the two gets a pair, which the other then ends. So clients refresh one at a time.

        :param refresh_token: any text.
        :param scopes: fewer than the family has, for this access token alone.
        :raises TokenRefused: for a scope that the family does not have; the refresh token stays good.
        :raises InvalidToken: where it does not work.
        """
        record, now = self._family_of(refresh_token), self._kit.clock()
        if record is None:
            raise _invalid()
        user = self._user_of(record)
        if user is None:
            self._end_family(record)
            raise _invalid()
        token = self._find(refresh_token, "refresh")
        if token is not None and token.used_at is None:
            left = self._left(record.scopes)
            granted = left if scopes is None else self._checked(scopes, left)
            if self._store.use_token(token.key, "refresh", now) is not None:
                self._store.note_token(record.key, now)
                pair = self._pair_of(record, granted, now)
                # One is enough: that a later one has taken its place says the family in its seal.
                self._store.end_token(user.uid, token.id, "refresh")
                return pair
        # Once, however many come at once, and not where it was logged out meanwhile.
        if self._store.end_token(user.uid, record.id, "refresh"):
            self._kit.events.tell("refresh_reused", user, id=record.id)
        self._end_family(record)
        raise _invalid()

    def revoke_refresh(self, refresh_token: str) -> None:
        """End the family of a refresh token, which logs its program out. An unknown one is no error (RFC 7009, section 2.2).

        :param refresh_token: any text.
        """
        record = self._family_of(refresh_token)
        user = None if record is None or record.uid is None else self._store.user(record.uid)
        if record is not None and user is not None:
            self.revoke_family(user, record.id)

    def families(self, user: User) -> cabc.Sequence[Token]:
        """Return the logins of programs that can refresh their tokens, the newest first: a record each, no secret leads to it.

        :param user: the user.
        """
        now, tokens = self._kit.clock(), self._store.tokens(user.uid, "refresh")
        alive = {one.family for one in tokens if one.key != _family_key(one.id) and not _is_over(one, now)}
        return [one for one in tokens if one.key == _family_key(one.id) and one.family in alive]

    def revoke_family(self, user: User, id: str) -> bool:
        """End a login of a program, its access tokens included; return whether the user had it.

        :param user: the user.
        :param id: its name in lists.
        """
        record = self._family(id)
        if record is None or record.uid != user.uid:
            return False
        if not self._end_family(record):
            return False
        self._kit.events.tell("token_revoked", user, kind="refresh", id=id)
        return True

    def revoke_families(self, user: User) -> int:
        """End all logins of programs of a user, and return how many.

        :param user: the user.
        """
        ended = len(self.families(user))
        self._store.end_tokens(user.uid, "refresh")
        if ended:
            self._kit.events.tell("token_revoked", user, kind="refresh", count=ended)
        return ended

    # Of requests

    def authenticate(self, bearer: str) -> Authentication | None:
        """Return who a request is from by the token it has, ``None`` where that does not work; why is not said.

        :param bearer: what the header ``Authorization: Bearer`` has; any text.
        """
        # Nothing is computed of what is longer than any token.
        if len(bearer) > MAX_LENGTH:
            return None
        if bearer.startswith(API_PREFIX):
            return self._of_api_token(bearer)
        now = self._kit.clock()
        claims = self._access_tokens.read(bearer, now)
        record = None if claims is None else self._family(claims.family)
        if claims is None or record is None or record.uid != claims.uid:
            return None
        user = self._user_of(record)
        return None if user is None else self._allowed(user, claims.scopes)

    def _of_api_token(self, bearer: str) -> Authentication | None:
        if _API_TOKEN.fullmatch(bearer) is None or bearer[-_SUM_LENGTH:] != _sum_of(bearer[:-_SUM_LENGTH]):
            return None
        token = self._find(bearer, "api")
        now = self._kit.clock()
        if token is None or token.uid is None or _is_over(token, now):
            return None
        user = self._usable(token.uid)
        if user is None:
            return None
        if token.last_used_at is None or now - token.last_used_at >= NOTE_EVERY:
            self._store.note_token(token.key, now)
        return self._allowed(user, token.scopes)

    def _allowed(self, user: User, scopes: tuple[str, ...]) -> Authentication:
        # Without scopes in the settings a token is worth as much as its user; one that was limited stays so.
        limited = bool(scopes or self._settings.scopes)
        return Authentication(
            user=user, method="token", scopes=frozenset(self._left(scopes)) if limited else None
        )

    # Parts of these

    def _add(
        self,
        secret: str,
        purpose: str,
        uid: str | None,
        now: datetime,
        expires_at: datetime | None,
        **values: t.Any,
    ) -> tuple[str, Token]:
        token = Token(
            key=digest(secret), id=new_id(), uid=uid, purpose=purpose, created_at=now, expires_at=expires_at,
            **values,
        )  # fmt: skip
        self._keep(token)
        return secret, token

    def _keep(self, token: Token) -> None:
        try:
            self._store.add_token(token)
        except LookupError:
            # The account was deleted a moment ago.
            raise _invalid() from None

    def _find(self, secret: str, purpose: str) -> Token | None:
        return self._store.token(digest(secret), purpose) if len(secret) <= _MAX_SECRET else None

    def _usable(self, uid: str) -> User | None:
        user = self._store.user(uid)
        if user is None or not user.is_active:
            return None
        return None if self._settings.activation_required and user.activated_at is None else user

    def _family(self, id: str | None) -> Token | None:
        record = None if id is None else self._store.token(_family_key(id), "refresh")
        return None if record is None or _is_over(record, self._kit.clock()) else record

    def _family_of(self, refresh_token: str) -> Token | None:
        """Return the family that a refresh token is of, whether or not it is the last one of it."""
        sealed = len(refresh_token) <= _MAX_SECRET and self._kit.keys.unseal(refresh_token, _SEAL)
        if not sealed:
            return None
        family, until, _ = sealed.split(" ")
        return self._family(family) if float(until) > self._kit.clock().timestamp() else None

    def _user_of(self, record: Token) -> User | None:
        """Return the user of a family, ``None`` where it has ended with the account or with the password of then."""
        user = None if record.uid is None else self._usable(record.uid)
        if user is None or (user.password_changed_at or record.created_at) > record.created_at:
            return None
        return user

    def _end_family(self, record: Token) -> int:
        if record.uid is None:
            return 0
        return self._store.end_tokens(record.uid, "refresh", family=record.family)

    def _pair_of(self, record: Token, scopes: tuple[str, ...], now: datetime) -> TokenPair:
        uid, family, ends = record.uid, record.id, record.expires_at
        assert uid is not None
        assert ends is not None
        expires_at = min(now + self._settings.access_token_lifetime, ends)
        until = min(now + self._settings.refresh_token_lifetime, ends)
        # Sealed, so that one that was replaced is known for one of the family, although the store has the last alone. The
        # random part is what counts: the application's keys are not enough to make one that works.
        sealed = self._kit.keys.seal(f"{family} {until.timestamp()} {new_secret()}", _SEAL)
        secret, _ = self._add(sealed, "refresh", uid, now, until, family=family)
        return TokenPair(
            access_token=self._access_tokens.sign(uid, family, scopes, now, expires_at),
            refresh_token=secret,
            expires_in=int((expires_at - now).total_seconds()),
            scopes=scopes,
        )

    def _left(self, scopes: tuple[str, ...]) -> tuple[str, ...]:
        """Return those scopes that the settings have still."""
        return tuple(scope for scope in scopes if scope in self._settings.scopes)

    def _checked(self, scopes: cabc.Iterable[str], allowed: tuple[str, ...]) -> tuple[str, ...]:
        asked = list(scopes)
        for scope in asked:
            if scope not in allowed:
                known = f"There are: {', '.join(allowed)}." if allowed else "There are none."
                raise TokenRefused(f"{clean_text(scope, 100)!r} is no scope that may be had here. {known}")
        return tuple(scope for scope in allowed if scope in asked)

    def _make_room(self, user: User) -> None:
        # Counted before the new one is added: requests that come at once may have one more each.
        now, tokens = self._kit.clock(), self.api_tokens(user)
        over = [token for token in tokens if _is_over(token, now)]
        if len(tokens) - len(over) >= API_TOKEN_LIMIT:
            raise TokenRefused(
                f"You have {API_TOKEN_LIMIT} tokens, which is the most. Revoke one that is not used."
            )
        if len(tokens) >= API_TOKEN_LIMIT:
            for token in over:
                self._store.end_token(user.uid, token.id, "api")


def _invalid() -> InvalidToken:
    return InvalidToken("This token or link does not work: it is not known here, was used, or is too old.")


def _is_over(token: Token, now: datetime) -> bool:
    return token.expires_at is not None and token.expires_at <= now


def _family_key(family: str) -> str:
    return f"family:{family}"


def _new_api_secret() -> str:
    secret = API_PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return secret + _sum_of(secret)


def _sum_of(text: str) -> str:
    number, found = binascii.crc32(text.encode()), ""
    for _ in range(_SUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        found = _ALPHABET[digit] + found
    return found


def _in_words(time: timedelta) -> str:
    return f"{time.days} days" if time.days else f"{int(time.total_seconds())} seconds"
