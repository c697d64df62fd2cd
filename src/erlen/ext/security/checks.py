"""What ``erlen check --deploy`` says about accounts: mails, rates, hashes, ids of sessions."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from erlen.commands.check import Check, DoesNotApply, Finding, Subject
from erlen.sessions import SecureCookieSessionInterface

if t.TYPE_CHECKING:
    from .extension import Parts

#: What OWASP's cheat sheet calls equal: KiB of memory, and how often it is gone through at least.
EQUAL = ((47104, 1), (19456, 2), (12288, 3), (9216, 4), (7168, 5))


def _parts(subject: Subject) -> Parts:
    parts: Parts | None = subject.app.extensions.get("security")
    if parts is None or type(parts).__module__ != f"{__package__}.extension":
        raise DoesNotApply("the application has no accounts")
    return parts


def site_url(subject: Subject) -> cabc.Iterator[Finding]:
    """Find that links in mails lead nowhere, or can be read on the way."""
    url = _parts(subject).settings.site_url
    fix = 'app.config["SECURITY_SITE_URL"] = "https://example.com"'
    if not url:
        yield Finding(
            "SECURITY_SITE_URL is not set: who registers, or has forgotten a password, gets an error in place of a mail, as a "
            "request cannot be trusted to say where the site is.",
            fix,
        )
    elif not url.lower().startswith("https://"):
        yield Finding(
            f"SECURITY_SITE_URL is {url!r}: links that set a password are followed without encryption.", fix
        )


def mail(subject: Subject) -> cabc.Iterator[Finding]:
    """Find that mails do not leave."""
    mailer = _parts(subject).mailer
    # Optional: what the extension needs may not be installed where there are no accounts.
    from .mail.mailer import ConsoleMailer, NoMailer

    fix = 'app.config["SECURITY_MAIL_URL"] = "smtp://user:password@mail.example.com:587"'
    if isinstance(mailer, NoMailer):
        yield Finding(
            "SECURITY_MAIL_URL is not set, and Security was given no mailer: no account can be activated.",
            fix,
        )
    elif isinstance(mailer, ConsoleMailer):
        yield Finding(
            "Mails are printed: who reads the output of the server reads the links that set passwords, and nobody else gets them.",
            fix,
        )


def activation(subject: Subject) -> cabc.Iterator[Finding]:
    """Find that anybody registers with anybody's address."""
    settings = _parts(subject).settings
    if not settings.registration:
        raise DoesNotApply("visitors cannot register")
    if not settings.activation_required:
        yield Finding(
            "SECURITY_ACTIVATION_REQUIRED is off while visitors may register: anybody makes an account with the address of "
            "somebody else, and uses it.",
            'app.config["SECURITY_ACTIVATION_REQUIRED"] = True',
        )


def rates(subject: Subject) -> cabc.Iterator[Finding]:
    """Find that each process counts by itself."""
    if _parts(subject).settings.rate_storage.startswith("memory:"):
        yield Finding(
            "SECURITY_RATE_STORAGE is in the memory of each process: with four workers four times as many attempts are let through, "
            "and a restart forgets them. Locks of accounts are in the database, and hold.",
            'app.config["SECURITY_RATE_STORAGE"] = "redis://localhost:6379"\n# With one worker, skip this check.',
        )


def hashes(subject: Subject) -> cabc.Iterator[Finding]:
    """Find that a copy of the database is cheap to try passwords on."""
    settings = _parts(subject).settings
    memory, time = settings.argon2_memory, settings.argon2_time
    if not any(memory >= least and time >= times for least, times in EQUAL):
        yield Finding(
            f"SECURITY_ARGON2_MEMORY is {memory} KiB and SECURITY_ARGON2_TIME {time}, which is less than OWASP advises: passwords "
            f"are tried quickly by who has a copy of the database.",
            'app.config["SECURITY_ARGON2_MEMORY"] = 19456\napp.config["SECURITY_ARGON2_TIME"] = 2',
        )


def session_ids(subject: Subject) -> cabc.Iterator[Finding]:
    """Find that a session keeps the id that somebody may have planted."""
    _parts(subject)
    interface: t.Any = subject.app.session_interface
    # A subclass may keep sessions elsewhere.
    opens = getattr(type(interface), "open_session", None)
    if opens is SecureCookieSessionInterface.open_session:
        raise DoesNotApply("the session is in the cookie, and has no id")
    makers = (interface, getattr(interface, "session_class", None))
    if not any(callable(getattr(one, "regenerate", None)) for one in makers):
        yield Finding(
            f"Sessions are kept by {type(interface).__name__}, which has no method 'regenerate'. Unless the sessions themselves have "
            f"one, or are in the cookie, they keep their id when somebody logs in, and who has planted that id in their browser, or "
            f"has read it before, is logged in with them.",
            "class Sessions(...):\n    def regenerate(self, session):\n        ...  # Another id; what is kept under the old one "
            "is deleted.\n# Where its sessions do so, say which they are: session_class = ...; in the cookie, skip this check.",
        )


checks = [
    Check(
        "accounts-site-url", "error", "Links in mails lead to this site, over https", site_url, deploy=True
    ),
    Check("accounts-mail", "error", "Mails about accounts are sent", mail, deploy=True),
    Check("accounts-activation", "warning", "Addresses of accounts are confirmed", activation, deploy=True),
    Check("accounts-rates", "warning", "Attempts are counted by all workers together", rates, deploy=True),
    Check("accounts-hashes", "warning", "Passwords are costly to try", hashes, deploy=True),
    Check(
        "accounts-session-ids",
        "error",
        "Sessions kept on the server get another id at login",
        session_ids,
        deploy=True,
    ),
]
