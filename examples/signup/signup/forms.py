"""What a visitor types, and whether it can be used."""

from __future__ import annotations

import typing as t
import unicodedata
from dataclasses import dataclass, field

from .addresses import AddressError, EmailAddress

NAME_LENGTH = 100

# Text that turns the reading direction around can make a list show something other than what it holds.
_DIRECTION_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Names of several languages are written with these two, although they are format characters.
_JOINERS = frozenset("\u200c\u200d")


@dataclass
class SignupForm:
    """The sign-up form: the text as typed, the cleaned values, and a message for each field that is wrong."""

    name: str = ""
    email: str = ""
    errors: dict[str, str] = field(default_factory=dict[str, str])
    clean_name: str = ""
    address: EmailAddress | None = None

    @classmethod
    def read(cls, values: t.Mapping[str, str]) -> t.Self:
        """Make a form of what was sent; a missing field counts as empty."""
        return cls(name=values.get("name", ""), email=values.get("email", ""))

    def validate(self) -> EmailAddress | None:
        """Check all fields, fill :attr:`errors`, and return the address when there are none."""
        self.errors.clear()
        self.clean_name = clean_name(self.name)
        if message := _name_error(self.clean_name):
            self.errors["name"] = message
        try:
            self.address = EmailAddress.parse(self.email)
        except AddressError as error:
            self.errors["email"] = str(error)
        return None if self.errors else self.address


def clean_name(text: str) -> str:
    """Compose characters (NFC), and make every run of white space one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def _name_error(name: str) -> str | None:
    if not name:
        return "Please tell us your name, so that we know how to greet you."
    if len(name) > NAME_LENGTH:
        return f"That is {len(name)} characters long, and we have room for {NAME_LENGTH}. A shorter form is fine."
    if not all(_may_stand_in_name(character) for character in name):
        return "There is a character in it that cannot be shown. Please type the name instead of pasting it."
    if not any(unicodedata.category(character).startswith("L") for character in name):
        return "Please use at least one letter, of any alphabet."
    return None


def _may_stand_in_name(character: str) -> bool:
    if character in _DIRECTION_CONTROLS or character == "\ufffd":
        return False
    return character in _JOINERS or not unicodedata.category(character).startswith("C")
