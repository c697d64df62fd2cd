"""``Security``: accounts for an application, all parts put together."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from dataclasses import dataclass
from datetime import datetime

from erlen import Erlen, current_app, has_app_context

from . import access, csrf, order
from .accounts import RESERVED, Accounts
from .answers import Refused, answer, too_many
from .cli import commands
from .current import NAME, current_auth, current_user
from .errors import ConfigurationError, TooManyAttempts
from .events import Events
from .factors import Factors
from .forms import REGISTER, Field, Form
from .keys import Keys
from .kit import Kit, utc_now
from .limits import Limits
from .logins import Logins
from .mail import Mailer, mailer_of
from .mail.messages import Postman
from .mail.wiring import postman_of
from .openid import OpenID, Provider
from .pages import make_blueprint
from .passwords import BreachCheck, Passwords
from .redirects import safe_target
from .sessions import Sessions, client_of_request
from .settings import Settings
from .store import Store
from .tokens import Tokens


@dataclass(eq=False, kw_only=True)
class Parts:
    """The parts of the extension, made for one application.

    :param kit: what every part works with.
    :param settings: the settings.
    :param store: where everything is kept.
    :param passwords: hashes and rules of passwords.
    :param limits: rates and locks.
    :param tokens: secrets that were handed out.
    :param sessions: sessions of users.
    :param factors: second factors.
    :param mailer: what sends mails.
    :param postman: what composes them.
    :param accounts: what happens to an account from registration to deletion.
    :param logins: how users log in.
    :param openid: signing in with somebody else.
    :param register_form: what those who register are asked.

    .. versionadded:: 0.1
    """

    kit: Kit
    settings: Settings
    store: Store
    passwords: Passwords
    limits: Limits
    tokens: Tokens
    sessions: Sessions
    factors: Factors
    mailer: Mailer
    postman: Postman
    accounts: Accounts
    logins: Logins
    openid: OpenID
    register_form: Form = REGISTER

    @property
    def keys(self) -> Keys:
        """Keys, derived from the application's own."""
        return self.kit.keys

    @property
    def events(self) -> Events:
        """The log of security."""
        return self.kit.events


class Security:
    """Accounts for an application.

    ::

        security = Security(app, store=SQLAlchemyStore(Session, User))

    Without an application :meth:`init_app` is called later, for one or for several; the parts are then those of the
    active application.

    :param app: the application.
    :param store: where users, sessions, tokens and the log are kept.
    :param settings: the settings; by default those of the configuration's ``SECURITY_`` keys.
    :param mailer: sends mails in place of what ``SECURITY_MAIL_URL`` names.
    :param providers: with whom users may sign in (OpenID Connect).
    :param breaches: knows passwords that were leaked.
    :param register_fields: what those who register are asked beside address and password; attributes of the user's class.
    :param legacy_salt: the ``SECURITY_PASSWORD_SALT`` of a former Flask-Security, whose hashes are to be read.
    :param clock: returns the time, aware; for tests.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        app: Erlen | None = None,
        *,
        store: Store | None = None,
        settings: Settings | None = None,
        mailer: Mailer | None = None,
        providers: cabc.Sequence[Provider] = (),
        breaches: BreachCheck | None = None,
        register_fields: cabc.Iterable[Field] = (),
        legacy_salt: str | bytes | None = None,
        clock: cabc.Callable[[], datetime] = utc_now,
    ) -> None:
        self._store, self._given, self._clock = store, settings, clock
        self._mailer, self._providers, self._breaches = mailer, providers, breaches
        self._legacy_salt = legacy_salt
        self._register_form = _register_form(register_fields)
        self._apps: list[Erlen] = []
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Erlen) -> None:
        """Give an application accounts: the pages, the commands, and what templates may use.

        :param app: the application, with its ``SECRET_KEY`` and its ``SECURITY_`` settings.
        :raises ConfigurationError: where something is missing or wrong; the text says what to do.
        """
        if NAME in app.extensions:
            raise ConfigurationError(
                f"The application {app.name!r} has accounts already. Write Security(app, ...) or security.init_app(app), once."
            )
        app.extensions[NAME] = parts = self._make_parts(app, self._make_kit(app))
        try:
            order.watch(app)
            self._register(app, parts)
        except BaseException:
            # A second attempt is told what is wrong, not that there was a first.
            del app.extensions[NAME]
            raise
        self._apps.append(app)

    def _make_kit(self, app: Erlen) -> Kit:
        if self._store is None:
            raise ConfigurationError(
                "Security was given no store, so there is nowhere to keep users. Pass one: Security(app, store=SQLAlchemyStore("
                "Session, User)), with SQLAlchemyStore from erlen.ext.security.sqlalchemy."
            )
        settings = self._given or Settings.from_config(app.config)
        try:
            safe_target(None, "http://localhost", settings.redirect_origins)
        except ConfigurationError as error:
            # Now, and not when a visitor asks for a page.
            raise ConfigurationError(
                f"SECURITY_REDIRECT_ORIGINS has something that is none. {error}"
            ) from None
        events = Events(self._store, self._clock, app, client_of_request)
        return Kit(
            settings=settings,
            store=self._store,
            keys=Keys(_secret_keys(app)),
            events=events,
            clock=self._clock,
        )

    def _make_parts(self, app: Erlen, kit: Kit) -> Parts:
        """Put the parts together."""
        passwords = Passwords(kit.settings, breaches=self._breaches, legacy_salt=self._legacy_salt)
        tokens, sessions, limits = Tokens(kit), Sessions(kit), Limits(kit)
        factors = Factors(kit, tokens)
        mailer = self._mailer or mailer_of(kit.settings.mail_url, debug=app.debug or app.testing)
        postman = postman_of(app, kit, mailer)
        return Parts(
            kit=kit,
            settings=kit.settings,
            store=kit.store,
            passwords=passwords,
            limits=limits,
            tokens=tokens,
            sessions=sessions,
            factors=factors,
            mailer=mailer,
            postman=postman,
            accounts=Accounts(kit, passwords, tokens, limits, sessions, factors, postman),
            logins=Logins(kit, passwords, tokens, limits, sessions, factors),
            openid=OpenID(kit, tokens, self._providers),
            register_form=self._register_form,
        )

    def _register(self, app: Erlen, parts: Parts) -> None:
        if app.url_map.host_matching:
            raise ConfigurationError(
                f"The application {app.name!r} matches hosts, and the pages of accounts are of no host, so nobody would reach them. Make "
                f"an application of its own for each host, without host_matching=True."
            )
        blueprint = make_blueprint(parts)
        # Visitors as well: nobody is to be logged in by another site (login CSRF).
        blueprint.before_request(csrf.check_csrf)
        app.register_blueprint(blueprint)
        app.register_error_handler(TooManyAttempts, too_many)
        # Handlers of the application for 401, 403 and 429 are asked first; one for every HTTPException is not.
        app.register_error_handler(Refused, answer)
        app.cli.add_command(commands)
        # Globals rather than a context processor, so that macros see them.
        helpers: dict[str, t.Any] = {
            "current_user": current_user,
            "current_auth": current_auth,
            "csrf_field": csrf.csrf_field,
            "csrf_token": csrf.csrf_token,
            "has_role": _has_role,
            "has_permission": _has_permission,
        }
        for name, helper in helpers.items():
            app.add_template_global(helper, name)

    # The parts

    @staticmethod
    def of(app: Erlen) -> Parts:
        """Return the parts that were made for an application.

        :param app: the application.
        :raises RuntimeError: where it has no accounts.
        """
        parts: Parts | None = app.extensions.get(NAME)
        if parts is None:
            raise RuntimeError(
                f"The application {app.name!r} has no accounts. Write Security(app, store=...) first."
            )
        return parts

    @property
    def _parts(self) -> Parts:
        if has_app_context() and NAME in current_app.extensions:
            return self.of(current_app)
        if len(self._apps) == 1:
            return self.of(self._apps[0])
        raise RuntimeError(
            f"This Security has {len(self._apps)} applications, and none is active here. Use it within a request or "
            f"within 'with app.app_context():', or name the application: Security.of(app)."
        )

    @property
    def settings(self) -> Settings:
        """The settings of the active application."""
        return self._parts.settings

    @property
    def store(self) -> Store:
        """Where everything is kept."""
        return self._parts.store

    @property
    def kit(self) -> Kit:
        """Settings, store, keys, log and clock in one, which every part is given."""
        return self._parts.kit

    @property
    def keys(self) -> Keys:
        """Keys, derived from the application's own."""
        return self._parts.keys

    @property
    def events(self) -> Events:
        """The log of security."""
        return self._parts.events

    @property
    def passwords(self) -> Passwords:
        """Passwords: their hashes, and the rules for new ones."""
        return self._parts.passwords

    @property
    def limits(self) -> Limits:
        """Rates of addresses and locks of accounts."""
        return self._parts.limits

    @property
    def tokens(self) -> Tokens:
        """Secrets that are handed out: links in mails, tokens for programs, access and refresh tokens."""
        return self._parts.tokens

    @property
    def sessions(self) -> Sessions:
        """Sessions of users: beginning, listing and ending them."""
        return self._parts.sessions

    @property
    def factors(self) -> Factors:
        """Second factors: authenticator applications, passkeys and recovery codes."""
        return self._parts.factors

    @property
    def accounts(self) -> Accounts:
        """What happens to an account from registration to deletion."""
        return self._parts.accounts

    @property
    def logins(self) -> Logins:
        """How users log in."""
        return self._parts.logins

    @property
    def openid(self) -> OpenID:
        """Signing in with an account somewhere else, by OpenID Connect."""
        return self._parts.openid

    @property
    def mailer(self) -> Mailer:
        """What sends mails."""
        return self._parts.mailer

    # Views, as functions of the package

    protect = staticmethod(access.protect)
    load = staticmethod(access.load)
    still_allowed = staticmethod(access.still_allowed)


def _secret_keys(app: Erlen) -> list[str | bytes]:
    fallbacks: t.Any = app.config["SECRET_KEY_FALLBACKS"] or ()
    if isinstance(fallbacks, str | bytes):
        raise ConfigurationError(
            "SECRET_KEY_FALLBACKS is a single string, each character of which would be a key that anybody can guess. Make it "
            "a list: SECRET_KEY_FALLBACKS = [old_key]."
        )
    keys: list[t.Any] = [app.secret_key or "", *(key for key in fallbacks if key)]
    if not all(isinstance(key, str | bytes) for key in keys):
        # The values stay out of the message: they are secrets.
        raise ConfigurationError(
            "SECRET_KEY or SECRET_KEY_FALLBACKS holds something else than str and bytes. Environment variables are read as "
            "JSON, so a key of digits alone becomes a number: quote it there, '\"123\"'."
        )
    return keys


def _register_form(fields: cabc.Iterable[Field]) -> Form:
    fields, names = tuple(fields), set(REGISTER.fields)
    for one in fields:
        if one.name in names:
            raise ConfigurationError(
                f"register_fields has {one.name!r} twice, or beside the one that is always there."
            )
        if one.name in RESERVED or one.name == csrf.FIELD or one.kind == "object":
            raise ConfigurationError(
                f"register_fields has {one.name!r}, which visitors may not choose. Name attributes of your own user's class there."
            )
        names.add(one.name)
    return REGISTER.with_fields(fields)


def _has_role(name: str) -> bool:
    return current_user.has_role(name)


def _has_permission(name: str) -> bool:
    return current_user.has_permission(name)
