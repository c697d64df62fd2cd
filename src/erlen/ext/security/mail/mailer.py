"""What a mail is, and how one leaves: by SMTP, to the console, or into a list."""

from __future__ import annotations

import email.policy
import email.utils
import logging
import re
import sys
import typing as t
import unicodedata
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from ..emails import parse_email
from ..errors import ConfigurationError

if t.TYPE_CHECKING:
    import smtplib
    import ssl

logger = logging.getLogger(__name__)

#: How many seconds a mail server has for one answer.
TIMEOUT = 10.0

MISSING = """\
A mail was to be sent, and SECURITY_MAIL_URL is not set. Set it to the mail server, \
as in 'smtp://user:password@mail.example.com:587', or to 'console:' to read mails on the terminal during development."""

FORMS = "'smtp://user:password@host:587' (STARTTLS), 'smtps://user:password@host:465', or 'console:'"

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def _one_line(name: str, text: str) -> None:
    # A line break would begin another header, and with it another recipient or another body. Unicode's own are among them.
    if any(unicodedata.category(character) in {"Cc", "Zl", "Zp", "Cs"} for character in text):
        raise ValueError(
            f"The {name} of a mail is {text[:80]!r}. It has to be one line without control characters."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail.

    :param to: one address.
    :param subject: one line.
    :param text: what it says, for every program.
    :param html: the same as HTML.
    :param sender: whom it is from: an address, or ``Name <address>``.
    :raises ValueError: for a header that is more than one line, or an address that is more than one.

    .. versionadded:: 0.1
    """

    to: str
    subject: str
    text: str
    html: str
    sender: str

    def __post_init__(self) -> None:
        for name in ("to", "subject", "sender"):
            _one_line(name, getattr(self, name))
        address_of(self.to)
        address_of(self.sender)


class Mailer(t.Protocol):
    """Sends mails.

    A mailer is called in the background, so that the time of an answer does not tell whether a mail was sent. One whose attribute
    ``is_immediate`` is true is called by the request itself.

    .. versionadded:: 0.1
    """

    def send(self, mail: Mail) -> None:
        """Send a mail, or raise; what it raises is logged.

        :param mail: the mail.
        """
        ...


def address_of(text: str) -> Address:
    """Return the one address that a text is, with or without a name before it.

    :param text: ``jane@example.com`` or ``Jane <jane@example.com>``.
    :raises ValueError: for anything else, a list of addresses among it.
    """
    name, bare = "", text.strip()
    if match := re.fullmatch(r'\s*"?([^"<>]*?)"?\s*<([^<>]*)>\s*', text):
        name, bare = match.groups()
    local, at, domain = bare.rpartition("@")
    # Addresses of users were looked at by ``emails.py``; what matters here is that no second one hides in it.
    if not at or not local or not domain or re.search(r"[\s,;:<>()\"@\\\[\]]", local + domain):
        raise ValueError(f"{text[:80]!r} is not one address of e-mail, such as 'jane@example.com'.")
    return Address(display_name=name, username=local, domain=domain)


def message_of(mail: Mail) -> EmailMessage:
    """Return a mail as SMTP carries it: text, and HTML beside it.

    :param mail: the mail.
    """
    sender, to = _for_the_wire(address_of(mail.sender)), _for_the_wire(address_of(mail.to))
    message = EmailMessage(email.policy.SMTP)
    message["From"] = sender
    message["To"] = to
    message["Subject"] = mail.subject
    message["Date"] = email.utils.localtime()
    message["Message-ID"] = email.utils.make_msgid(domain=sender.domain)
    # No machine answers it (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _for_the_wire(address: Address) -> Address:
    if address.domain.isascii():
        return address
    domain = parse_email(f"a@{address.domain}").key.removeprefix("a@")
    return Address(address.display_name, address.username, domain)


@dataclass(frozen=True, slots=True, kw_only=True)
class SMTPMailer:
    """Sends mails to a mail server, encrypted, and to no server whose certificate does not fit.

    :param host: the server.
    :param port: 587 for STARTTLS (RFC 6409), 465 for TLS from the start (RFC 8314).
    :param user: who logs in; nobody does where it is empty.
    :param password: their password.
    :param implicit_tls: whether TLS begins with the connection. Otherwise STARTTLS has to be offered.
    :param plain: whether to do without TLS, which only a server on this machine may.
    :param timeout: how many seconds the server has for one answer.
    :param context: which certificates are trusted; those of the system by default.
    :raises ConfigurationError: for a server elsewhere without TLS.

    .. versionadded:: 0.1
    """

    host: str
    port: int = 587
    user: str = ""
    password: str = field(default="", repr=False)
    implicit_tls: bool = False
    plain: bool = False
    timeout: float = TIMEOUT
    context: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        if self.plain and self.host not in _LOCAL:
            raise ConfigurationError(
                f"Mails to {self.host!r} were to be sent without TLS, so that everybody between could read the links in them. Only a server "
                f"on this machine may do without. Leave out 'tls=no'."
            )

    def send(self, mail: Mail) -> None:
        """Send a mail.

        :param mail: the mail.
        :raises OSError: what the server or the connection said, as ``smtplib`` tells it.
        """
        message = message_of(mail)
        with self._connect() as server:
            if self.user:
                server.login(self.user, self.password)
            server.send_message(
                message, address_of(str(message["From"])).addr_spec, [message["To"].addresses[0].addr_spec]
            )

    def _connect(self) -> smtplib.SMTP:
        # Slow to load, and only for mails.
        import smtplib
        import ssl

        context = self.context or ssl.create_default_context()
        if self.implicit_tls:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        if not self.plain:
            try:
                # Raises where the server does not offer it: a stranger in between may have taken the offer away.
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server


class ConsoleMailer:
    """Prints mails on the terminal, for development.

    :param stream: where to; standard output by default.
    :param debug: whether this is development; otherwise the first mail is warned of.

    .. versionadded:: 0.1
    """

    #: Called by the request itself.
    is_immediate = True

    def __init__(self, stream: t.TextIO | None = None, *, debug: bool = True) -> None:
        self._stream, self._is_quiet = stream, debug

    def send(self, mail: Mail) -> None:
        """Print the text of a mail.

        :param mail: the mail.
        """
        if not self._is_quiet:
            # Once, and not before: commands that send no mail have nothing to warn of.
            self._is_quiet = True
            logger.warning(
                "SECURITY_MAIL_URL is 'console:' and debug mode is off: who reads the output of this process reads the links that reset "
                "passwords."
            )
        stream = self._stream or sys.stdout
        lines = [
            "",
            "---- Mail " + "-" * 62,
            f"To:      {mail.to}",
            f"From:    {mail.sender}",
            f"Subject: {mail.subject}",
            "",
            mail.text.rstrip("\n"),
            "-" * 72,
            "",
        ]
        encoding = getattr(stream, "encoding", None) or "utf-8"
        # Not every terminal has every letter. One write, as other threads print as well.
        stream.write("\n".join(lines).encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


class Outbox:
    """Keeps mails in a list, for tests.

    ::

        outbox = Outbox()
        Security(app, store=store, mailer=outbox)
        ...
        assert outbox.mails[-1].to == "jane@example.com"

    .. versionadded:: 0.1
    """

    #: Called by the request itself.
    is_immediate = True

    def __init__(self) -> None:
        #: The mails, the oldest first.
        self.mails: list[Mail] = []

    def send(self, mail: Mail) -> None:
        """Keep a mail.

        :param mail: the mail.
        """
        self.mails.append(mail)

    def to(self, address: str) -> list[Mail]:
        """Return the mails to an address.

        :param address: the address.
        """
        return [mail for mail in self.mails if mail.to == address]


class NoMailer:
    """Stands where no mailer was set, and says so when a mail is to be sent."""

    #: Called by the request itself.
    is_immediate = True

    def send(self, mail: Mail) -> None:
        """Raise.

        :param mail: the mail.
        :raises ConfigurationError: always.
        """
        raise ConfigurationError(MISSING)


def mailer_of(url: str, *, debug: bool) -> Mailer:
    """Return the mailer that a URL names.

    :param url: ``smtp://user:password@host:587``, ``smtps://...`` or ``console:``. ``smtp://localhost:25?tls=no`` sends to a server on
        this machine without TLS.
    :param debug: whether mails are printed where the URL is empty. Otherwise the first mail raises.
    :raises ConfigurationError: for a URL of another form; its text does not have the password.

    .. versionadded:: 0.1
    """
    if not url:
        return ConsoleMailer() if debug else NoMailer()
    if url.rstrip("/") == "console:":
        return ConsoleMailer(debug=debug)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigurationError(
            f"SECURITY_MAIL_URL has no host or port that can be read. It has to be {FORMS}."
        ) from error
    if (
        parts.scheme not in {"smtp", "smtps"}
        or not host
        or parts.path not in {"", "/"}
        or parts.query not in {"", "tls=no"}
    ):
        raise ConfigurationError(
            f"SECURITY_MAIL_URL begins with {parts.scheme!r} and names the host {host!r}. It has to be {FORMS}. A user or a password with "
            f"one of '@:/?#%' in it is written in percent-encoding."
        )
    implicit = parts.scheme == "smtps"
    return SMTPMailer(
        host=host,
        port=port or (465 if implicit else 587),
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        implicit_tls=implicit,
        plain=parts.query == "tls=no" and not implicit,
    )
