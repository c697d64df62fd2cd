"""Mails to users: how they are sent, and what they say."""

from .courier import Courier
from .links import Links
from .mailer import ConsoleMailer, Mail, Mailer, NoMailer, Outbox, SMTPMailer, mailer_of
from .messages import Postman
from .wiring import postman_of

__all__ = [
    "ConsoleMailer",
    "Courier",
    "Links",
    "Mail",
    "Mailer",
    "NoMailer",
    "Outbox",
    "Postman",
    "SMTPMailer",
    "mailer_of",
    "postman_of",
]
