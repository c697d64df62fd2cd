"""E-mail addresses, with any alphabet on both sides of the @ (RFC 5321, RFC 6531, RFC 5890)."""

from __future__ import annotations

import typing as t
import unicodedata
from dataclasses import dataclass

ADDRESS_OCTETS = 254
LOCAL_OCTETS = 64
DOMAIN_OCTETS = 253
LABEL_OCTETS = 63

_ATOM_PUNCTUATION = frozenset("!#$%&'*+-/=?^_`{|}~")
# The full stops of Chinese and Japanese keyboards, which IDNA takes for dots.
_DOTS = str.maketrans(dict.fromkeys("\u3002\uff0e\uff61", "."))
_EXAMPLE = "An address looks like name@example.org."
_LONG_LABEL = "A part of the name after the @ is too long to be one. Is it spelled right?"


class AddressError(ValueError):
    """The text is no e-mail address; the message is for the person who typed it."""


@dataclass(frozen=True)
class EmailAddress:
    """An e-mail address that can be used.

    :param display: the address for people, its domain in its own alphabet.
    :param key: what is equal for two spellings of one address: lower case, the domain in ASCII.
    """

    display: str
    key: str

    @classmethod
    def parse(cls, text: str) -> t.Self:
        """Read what somebody typed.

        :raises AddressError: when it cannot be an address; the message says what to change.
        """
        # Normalising and encoding cost more than a look at the length, so what is far too long ends here.
        if len(text) > 4 * ADDRESS_OCTETS:
            raise AddressError(_too_long())
        text = unicodedata.normalize("NFC", text.strip())
        if not text:
            raise AddressError("Please give us your e-mail address: it is where we send the app.")
        if any(character.isspace() for character in text):
            raise AddressError("There is a space in it. Addresses have none: please take it out.")
        local, at, domain = text.rpartition("@")
        if not at:
            raise AddressError(f"The @ is missing. {_EXAMPLE}")
        _check_local(local)
        labels = [_Label.parse(label) for label in _split_domain(domain)]
        ascii_domain = ".".join(label.ascii for label in labels)
        if len(labels) < 2:
            raise AddressError(f"The part after the @ needs a dot, as in example.org. {_EXAMPLE}")
        if labels[-1].ascii.isdigit():
            raise AddressError("The part after the @ must be a name such as example.org, not a number.")
        if len(ascii_domain) > DOMAIN_OCTETS or _octets(f"{local}@{ascii_domain}") > ADDRESS_OCTETS:
            raise AddressError(_too_long())
        display = f"{local}@{'.'.join(label.unicode for label in labels)}"
        return cls(display=display, key=f"{local.casefold()}@{ascii_domain}")


@dataclass(frozen=True)
class _Label:
    """One part of a domain name between two dots, in both of its spellings."""

    unicode: str
    ascii: str

    @classmethod
    def parse(cls, text: str) -> t.Self:
        if text.startswith("xn--"):
            text = _decode(text)
        if not text:
            raise AddressError(f"There is a dot too many after the @. {_EXAMPLE}")
        if len(text) > LABEL_OCTETS:
            raise AddressError(_LONG_LABEL)
        if text.startswith("-") or text.endswith("-"):
            raise AddressError("A part of the name after the @ cannot begin or end with a hyphen.")
        if unicodedata.category(text[0]).startswith("M") or not all(map(_may_stand_in_label, text)):
            raise AddressError(
                "After the @ only letters, digits, hyphens and dots can stand. Is there a typing mistake?"
            )
        encoded = text if text.isascii() else "xn--" + text.encode("punycode").decode("ascii")
        if len(encoded) > LABEL_OCTETS:
            raise AddressError(_LONG_LABEL)
        return cls(unicode=text, ascii=encoded)


def _split_domain(domain: str) -> list[str]:
    if not domain:
        raise AddressError(f"The part after the @ is missing. {_EXAMPLE}")
    return unicodedata.normalize("NFKC", domain.translate(_DOTS)).lower().split(".")


def _check_local(local: str) -> None:
    if not local:
        raise AddressError(f"The part before the @ is missing. {_EXAMPLE}")
    if _octets(local) > LOCAL_OCTETS:
        raise AddressError(f"The part before the @ is longer than {LOCAL_OCTETS} characters can be.")
    if not all(local.split(".")):
        raise AddressError("Before the @, dots only stand between other characters, one at a time.")
    if not all(map(_may_stand_in_local, local)):
        raise AddressError(
            "Before the @ is a character that addresses do not have. Is there a typing mistake?"
        )


def _decode(label: str) -> str:
    try:
        text = label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        text = ""
    # An encoded label that would be spelled differently by an encoder is a disguise of some other name.
    if text.isascii() or unicodedata.normalize("NFKC", text).lower() != text:
        raise AddressError("The part that begins with xn-- is no encoded name. Is it copied completely?")
    return text


def _octets(text: str) -> int:
    # Lone surrogates have no UTF-8 form; the checks of characters refuse them later.
    return len(text.encode("utf-8", "surrogatepass"))


def _may_stand_in_local(character: str) -> bool:
    return character in _ATOM_PUNCTUATION or character == "." or _is_letter_or_digit(character)


def _may_stand_in_label(character: str) -> bool:
    return character == "-" or _is_letter_or_digit(character)


def _is_letter_or_digit(character: str) -> bool:
    if character.isascii():
        return character.isalnum()
    return unicodedata.category(character)[0] in "LMN" or character in "\u00b7\u30fb\u200c\u200d"


def _too_long() -> str:
    return f"That is longer than an address can be ({ADDRESS_OCTETS} characters). Is it one address only?"
