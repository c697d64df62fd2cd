"""Addresses of e-mail: which texts are one, and which of them are the same."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from .errors import InvalidEmail

__all__ = ["Email", "parse_email"]

#: What fits into a command of SMTP (RFC 5321, 4.5.3.1.3, less the angle brackets).
LONGEST = 254

#: Letters of these are written as one script, so they may stand beside each other, and beside Latin (UTS 39, 5.2).
_EAST_ASIAN = frozenset(
    {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC"}
)

#: Characters that are not seen and that Unicode does not count among the control characters, as it does others.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


@dataclass(frozen=True, slots=True)
class Email:
    """An address of e-mail.

    :param address: as it was typed, but for spaces around it and for what Unicode says is the same. Mail goes here.
    :param key: what all spellings of one address have in common: no case, one form of characters, the domain as DNS has it.

    .. versionadded:: 0.1
    """

    address: str
    key: str


def parse_email(text: str) -> Email:
    """Return the address that a text is.

    Mail servers may tell ``ada@`` from ``Ada@``, and hardly any does; to us they are one, so that two people cannot have accounts that nobody
    can tell apart. For the same reason letters of different scripts do not stand beside each other in one word, and characters that are not
    seen do not stand anywhere. The domain is not looked up.

    Two texts with one key may be two mailboxes, so a mail for an account goes to the address that is stored with it, never
    to the one that was typed (CVE-2019-19844).

    :param text: what somebody typed.
    :raises InvalidEmail: where it is no address, or one that is refused.

    .. versionadded:: 0.1
    """
    text = text.strip(" \t\r\n")
    if len(text) > LONGEST:
        raise InvalidEmail(
            f"This address has {len(text)} characters. An address of e-mail has {LONGEST} at most."
        )
    address, key = _parts(text)
    # What is left of compatibility characters may be no address any more, or another one: U+FE6B is a small `@`.
    again = _parts(key)[1]
    if again != key or len(key) > LONGEST:
        raise InvalidEmail("This address has characters that stand for others. Write the usual ones.")
    return Email(address, key)


def _parts(text: str) -> tuple[str, str]:
    try:
        found = validate_email(
            text,
            strict=True,
            check_deliverability=False,
            # Of the names that reach nobody (RFC 6761) `.test` is taken, for tests.
            test_environment=True,
            allow_smtputf8=True,
            allow_quoted_local=False,
            allow_domain_literal=False,
            allow_display_name=False,
            allow_empty_local=False,
        )
    except (EmailNotValidError, ValueError) as error:
        # A ValueError of another kind: half of a surrogate pair.
        reason = str(error) if isinstance(error, EmailNotValidError) else "It has broken characters."
        raise InvalidEmail(f"This is no address of e-mail. {reason}") from None
    domain = found.ascii_domain.lower()
    if "." not in domain:
        raise InvalidEmail("This is no address of e-mail: its domain has no dot, as in name@example.com.")
    _check_looks(found.local_part)
    _check_looks(found.domain)
    return found.normalized, f"{_folded(found.local_part)}@{domain}"


def _folded(text: str) -> str:
    # As in Unicode's NFKC_Casefold: what case folding leaves may have a shorter form once more.
    for _ in range(4):
        before, text = text, unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        if text == before:
            break
    return text


def _check_looks(text: str) -> None:
    if _UNSEEN.search(text):
        raise InvalidEmail("This address has characters that are not seen. Type it instead of pasting it.")
    for word in re.split(r"[.+_-]", text):
        if len(scripts := _scripts(word)) > 1 and not scripts <= _EAST_ASIAN | {"LATIN"}:
            names = " and ".join(sorted(name.capitalize() for name in scripts))
            raise InvalidEmail(
                f"This address has {names} letters in one word, which look alike. Write it in one of these."
            )


def _scripts(word: str) -> set[str]:
    # The names of letters begin with their script; the forms that NFKC takes away are named otherwise.
    letters = (
        letter for letter in unicodedata.normalize("NFKC", word) if unicodedata.category(letter)[0] == "L"
    )
    return {unicodedata.name(letter, "UNKNOWN").partition(" ")[0] for letter in letters} - {"MODIFIER"}
