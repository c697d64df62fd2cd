"""The mails of the extension: which there are, what they link to, and how they are rendered."""

from __future__ import annotations

import collections.abc as cabc
import logging
import re
import typing as t
from datetime import datetime
from email.headerregistry import Address
from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..events import signal
from ..kit import Kit
from ..types import User
from .courier import Courier, Work
from .mailer import MISSING, Mail, Mailer, NoMailer, address_of

logger = logging.getLogger(__name__)

Link: t.TypeAlias = cabc.Callable[[str, dict[str, t.Any]], str]
Render: t.TypeAlias = cabc.Callable[[str, dict[str, t.Any]], str]


class Translate(t.Protocol):
    """Returns a text in the language of the reader, with values in place of ``%(name)s``."""

    def __call__(self, text: str, /, **values: t.Any) -> str:
        """Return the text."""
        ...


def in_english(text: str, /, **values: t.Any) -> str:
    """Return a text as it is, with its values.

    :param text: with ``%(name)s`` for values.
    :param values: the values.
    """
    return text % values if values else text


FOLDER = "security/mail"

#: The mails, each with its subject. The templates are ``security/mail/<name>.txt`` and ``.html``.
SUBJECTS: t.Final[cabc.Mapping[str, str]] = {
    "activate": "Confirm your address for %(site)s",
    "registered": "You already have an account at %(site)s",
    "recover": "Choose a new password for %(site)s",
    "password_changed": "Your password for %(site)s was changed",
    "email_change": "Confirm your new address for %(site)s",
    "email_taken": "You already have an account at %(site)s",
    "email_change_notice": "Your address at %(site)s is about to change",
    "email_changed": "Your address at %(site)s was changed",
    "factor_added": "A new way to log in to %(site)s was added",
    "factor_removed": "A way to log in to %(site)s was removed",
    "deleted": "Your account at %(site)s was deleted",
}

#: What factors are called in mails.
FACTORS: t.Final[cabc.Mapping[str, str]] = {
    "totp": "an authenticator application",
    "passkey": "a passkey",
    "codes": "new recovery codes",
    "openid": "an account somewhere else",
}

#: Events that a user hears of by mail, with the mail and what it is about; ``""`` where the event says it.
NOTICES: t.Final[cabc.Mapping[str, tuple[str, str]]] = {
    "factor_added": ("factor_added", ""),
    "factor_removed": ("factor_removed", ""),
    "codes_made": ("factor_added", "codes"),
    "identity_added": ("factor_added", "openid"),
    "identity_removed": ("factor_removed", "openid"),
}

NO_SENDER = """\
A mail was to be sent, and SECURITY_MAIL_SENDER is not set. Set it to the address that mails are from, \
as in 'Example <accounts@example.com>'; the mail server has to accept it."""

WRONG_SENDER = """\
SECURITY_MAIL_SENDER is {sender!r}. It has to be one address, as in 'accounts@example.com' or 'Example <accounts@example.com>'."""


class Postman:
    """Writes to users.

    :param kit: the settings.
    :param mailer: sends the mails.
    :param link: returns the URL of an endpoint with values, complete with scheme and host.
    :param render: returns a template with a context: ``render_template``.
    :param courier: does the work after the answer; without one it is done at once.
    :param translate: returns a text in the language of the reader; templates have it as ``_``.
    :param site: how mails call the site, where ``SECURITY_SITE_NAME`` does not say it.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        kit: Kit,
        mailer: Mailer,
        link: Link,
        render: Render,
        *,
        courier: Courier | None = None,
        translate: Translate = in_english,
        site: str = "",
    ) -> None:
        self._kit, self._mailer, self._link, self._render = kit, mailer, link, render
        self._translate = translate
        # What tests and terminals show comes at once.
        self._courier = None if getattr(mailer, "is_immediate", False) else courier
        self._site = (
            kit.settings.site_name or site or urlsplit(kit.settings.site_url or "").hostname or "Erlen"
        )
        self._sender = self._sender_of(kit.settings.mail_sender)

    def check(self) -> None:
        """See whether mails can be sent at all, before an answer says that one was.

        It is asked by the request, for known and unknown addresses alike.

        :raises ConfigurationError: with what to set.
        """
        if isinstance(self._mailer, NoMailer):
            raise ConfigurationError(MISSING)
        if not self._kit.settings.mail_sender and not getattr(self._mailer, "is_immediate", False):
            raise ConfigurationError(NO_SENDER)
        self._link("security.login", {})

    def later(self, work: Work) -> None:
        """Do something when the answer is out, such as looking for an account and writing to its owner.

        :param work: a plain function; the request is there while it runs.
        """
        if self._courier is None:
            work()
        else:
            self._courier.take(work)

    def send(self, name: str, to: str, *, endpoint: str = "", token: str = "", **values: t.Any) -> None:
        """Render a mail and send it, now.

        :param name: one of ``SUBJECTS``.
        :param to: the address.
        :param endpoint: what its button leads to.
        :param token: the secret that belongs to the link.
        :param values: what the templates show.
        """
        link = self._link(endpoint, {"token": token} if token else {}) if endpoint else ""
        subject = self._translate(SUBJECTS[name], site=self._site)
        context = {"_": self._translate, "site": self._site, "subject": subject, "link": link, "to": to}
        context |= {key: _shown(value) for key, value in values.items()}
        self._mailer.send(
            self._mail(
                to,
                subject,
                # Tags of templates leave empty lines.
                re.sub(r"\n{3,}", "\n\n", self._render(f"{FOLDER}/{name}.txt", context).strip()) + "\n",
                self._render(f"{FOLDER}/{name}.html", context),
            )
        )

    def notify(self, name: str, user: User, *, endpoint: str = "security.recover", **values: t.Any) -> None:
        """Write to a user about a change of their account, later.

        The change has happened, so this does not fail where no mail can be sent; the log says so then.

        :param name: one of ``SUBJECTS``.
        :param user: the user, with the address that is written to.
        :param endpoint: what its button leads to.
        :param values: what the templates show.
        """
        try:
            self.check()
        except ConfigurationError as error:
            logger.warning("A user was not told of a change of their account (%s). %s", name, error)
            return
        to, values = user.email, {"at": self._kit.clock(), **values}
        self.later(lambda: self.send(name, to, endpoint=endpoint, **values))

    def notify_of_factors(self, app: t.Any) -> None:
        """Write to users when a second factor or another way to log in was added or removed, whoever did it.

        :param app: the application, as the sender of signals.
        """
        for event in NOTICES:
            signal(event).connect(self._noticed, sender=app)

    def _noticed(self, _: t.Any, user: User | None, event: t.Any) -> None:
        if user is None:
            return
        name, kind = NOTICES[event.name]
        kind = kind or str(event.details.get("factor", ""))
        what = FACTORS.get(kind, "a second factor")
        self.notify(name, user, factor=self._translate(what))

    def _mail(self, to: str, subject: str, text: str, html: str) -> Mail:
        return Mail(to=to, subject=subject, text=text, html=html, sender=self._sender)

    def _sender_of(self, sender: str) -> str:
        if not sender:
            # For the terminal and for tests; other mailers ask for a real one.
            return f"accounts@{urlsplit(self._kit.settings.site_url or '').hostname or 'localhost'}"
        try:
            address: Address = address_of(sender)
        except ValueError as error:
            raise ConfigurationError(WRONG_SENDER.format(sender=sender)) from error
        return str(address) if address.display_name else sender


def _shown(value: t.Any) -> t.Any:
    return value.strftime("%Y-%m-%d %H:%M UTC") if isinstance(value, datetime) else value
