"""The settings of the extension: one object, made of the ``SECURITY_`` keys of the configuration."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import difflib
import typing as t
from dataclasses import dataclass
from datetime import timedelta

from .errors import ConfigurationError

__all__ = ["Settings"]

PREFIX = "SECURITY_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What may be changed about accounts. The defaults are safe, and no value makes a password or a token readable.

    Each is the key ``SECURITY_<NAME>`` of the configuration as well. A duration is a :class:`~datetime.timedelta`, or a number of seconds.

    :param site_name: how pages, mails and authenticator applications call the site; the application's name where it is empty.
    :param site_url: where the site is, as in ``https://example.com``, for the links in mails, OpenID Connect and passkeys. A request
        cannot be trusted to say it, so without it links are built in debug mode and in tests alone.
    :param url_prefix: where the pages are.
    :param registration: whether visitors may make themselves an account.
    :param activation_required: whether an account has to be activated by mail before it can be used.
    :param login_redirect: where a login leads that was not asked for by another page.
    :param logout_redirect: where a logout leads.
    :param redirect_origins: other origins that ``next`` may lead to.
    :param password_min_length: the fewest characters of a password; 8 at least.
    :param password_max_length: the most characters of a password; 64 at least.
    :param password_words: words that no password may be, such as the names of the company and its products.
    :param argon2_memory: KiB of memory a password costs; from 7168 to 1048576.
    :param argon2_time: how often the memory is gone through; 100 times at most.
    :param argon2_parallelism: how many lanes it has; 64 at most.
    :param session_idle: after how long without a request a session ends.
    :param session_lifetime: after how long a session ends in any case.
    :param remember_lifetime: the same for a session that outlives the browser; such sessions do not end by idling.
    :param session_limit: how many sessions, and how many logins of programs, a user may have at once; the oldest end.
    :param fresh_for: for how long after a login sensitive things may be done without another one.
    :param activation_lifetime: for how long the link of an activation mail works.
    :param reset_lifetime: for how long the link of a recovery mail works.
    :param email_change_lifetime: for how long the link to a new address works.
    :param pending_lifetime: how long the second step of a login may take.
    :param token_lifetime: the longest life of a user's token for programs, and of a login of a program that refreshes its tokens.
    :param access_token_lifetime: the life of a signed access token; 1 hour at most.
    :param refresh_token_lifetime: the life of a refresh token that is not used.
    :param scopes: what tokens may be limited to.
    :param second_factor_roles: roles whose users have to have a second factor.
    :param login_rate: how often one network address may try to log in.
    :param mail_rate: how often one address of e-mail, and one network address, may have mails sent.
    :param api_rate: how often one network address may show a wrong token, or a wrong password to HTTP Basic.
    :param rate_storage: where rates are counted: the URL of a storage of ``limits``, such as ``redis://localhost:6379``.
    :param lock_after: how many wrong passwords in a row lock an account for the network address they come from.
    :param lock_time: for how long; each further one doubles it.
    :param lock_max: the longest lock.
    :param mail_url: how mail is sent: ``smtp://user:password@host:587`` (STARTTLS), ``smtps://...``, or ``console:`` for development.
    :param mail_sender: whom mails are from.
    :param event_lifetime: for how long the log of security is kept.
    """

    site_name: str = ""
    site_url: str | None = None
    url_prefix: str = "/account"
    registration: bool = True
    activation_required: bool = True
    login_redirect: str = "/"
    logout_redirect: str = "/"
    redirect_origins: tuple[str, ...] = ()
    password_min_length: int = 12
    password_max_length: int = 256
    password_words: tuple[str, ...] = ()
    argon2_memory: int = 19456
    argon2_time: int = 2
    argon2_parallelism: int = 1
    session_idle: timedelta = timedelta(hours=12)
    session_lifetime: timedelta = timedelta(days=7)
    remember_lifetime: timedelta = timedelta(days=30)
    session_limit: int = 50
    fresh_for: timedelta = timedelta(minutes=15)
    activation_lifetime: timedelta = timedelta(days=3)
    reset_lifetime: timedelta = timedelta(hours=1)
    email_change_lifetime: timedelta = timedelta(hours=24)
    pending_lifetime: timedelta = timedelta(minutes=5)
    token_lifetime: timedelta = timedelta(days=90)
    access_token_lifetime: timedelta = timedelta(minutes=10)
    refresh_token_lifetime: timedelta = timedelta(days=30)
    scopes: tuple[str, ...] = ()
    second_factor_roles: tuple[str, ...] = ()
    login_rate: str = "20 per minute; 200 per hour"
    mail_rate: str = "5 per hour"
    api_rate: str = "20 per minute"
    rate_storage: str = "memory://"
    lock_after: int = 5
    lock_time: timedelta = timedelta(seconds=30)
    lock_max: timedelta = timedelta(hours=1)
    mail_url: str = ""
    mail_sender: str = ""
    event_lifetime: timedelta = timedelta(days=180)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            _check(field.name, getattr(self, field.name), field.default)
        for name, least in _LEAST.items():
            if (value := getattr(self, name)) < least:
                raise ConfigurationError(
                    f"{PREFIX}{name.upper()} is {value!r}. It has to be {least!r} or more."
                )
        for name, most in _MOST.items():
            if (value := getattr(self, name)) > most:
                raise ConfigurationError(
                    f"{PREFIX}{name.upper()} is {value!r}. It has to be {most!r} or less: each login would take that long, and "
                    f"that much memory, also those of strangers."
                )
        if self.password_min_length > self.password_max_length:
            raise ConfigurationError(
                f"{PREFIX}PASSWORD_MIN_LENGTH is {self.password_min_length}, and {PREFIX}PASSWORD_MAX_LENGTH is "
                f"{self.password_max_length}, so no password would do. Make the first one the smaller."
            )
        if self.access_token_lifetime > timedelta(hours=1):
            raise ConfigurationError(
                f"{PREFIX}ACCESS_TOKEN_LIFETIME is {self.access_token_lifetime!r}. It has to be an hour at most, as a signed "
                f"token cannot be taken back; refresh tokens live longer."
            )

    @classmethod
    def from_config(cls, config: cabc.Mapping[str, t.Any]) -> Settings:
        """Make the settings of the keys of a configuration that begin with ``SECURITY_``.

        :param config: the application's configuration.
        :raises ConfigurationError: for a key that is unknown, or a value that is of no use.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        values: dict[str, t.Any] = {}
        for key, value in config.items():
            if not key.startswith(PREFIX):
                continue
            name = key.removeprefix(PREFIX).lower()
            if name not in fields:
                near = difflib.get_close_matches(name, fields, 1)
                hint = f" Did you mean {PREFIX}{near[0].upper()}?" if near else ""
                raise ConfigurationError(f"{key} is no setting of erlen.ext.security.{hint}")
            values[name] = _converted(value, fields[name].default)
        return cls(**values)


#: Ten years; what is far longer is a mistake in the unit, and no calendar has a day for it.
_LONGEST = timedelta(days=3653)

_LEAST: dict[str, t.Any] = {
    "password_min_length": 8,
    "password_max_length": 64,
    # What OWASP's table begins with.
    "argon2_memory": 7168,
    "argon2_time": 1,
    "argon2_parallelism": 1,
    "session_limit": 1,
    "lock_after": 1,
}

_MOST: dict[str, t.Any] = {
    # A gibibyte.
    "argon2_memory": 1048576,
    "argon2_time": 100,
    "argon2_parallelism": 64,
}


def _converted(value: t.Any, default: t.Any) -> t.Any:
    # Environment variables and TOML have no durations, JSON no tuples.
    if isinstance(default, timedelta) and type(value) in {int, float}:
        return timedelta(seconds=value)
    if isinstance(default, tuple) and isinstance(value, list | set | frozenset):
        return tuple(t.cast("cabc.Iterable[t.Any]", value))
    return value


def _check(name: str, value: t.Any, default: t.Any) -> None:
    if default is None and value is None:
        return
    kind: type[t.Any] = str if default is None else type(default)
    if type(value) is not kind or (kind is tuple and not all(isinstance(one, str) for one in value)):
        wanted = {"tuple": "a tuple of texts", "timedelta": "a timedelta, or a number of seconds"}
        raise ConfigurationError(
            f"{PREFIX}{name.upper()} is {value!r}. It has to be {wanted.get(kind.__name__, kind.__name__)}."
        )
    if isinstance(value, timedelta) and not timedelta(0) < value <= _LONGEST:
        raise ConfigurationError(
            f"{PREFIX}{name.upper()} is {value!r}. It has to be longer than nothing, and {_LONGEST.days} days at most."
        )
    if isinstance(value, str) and not value.isprintable():
        raise ConfigurationError(
            f"{PREFIX}{name.upper()} is {value!r}. It has to be one line without control characters."
        )
