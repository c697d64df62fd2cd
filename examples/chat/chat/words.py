"""What visitors type: made presentable, or refused with a reason that they are shown."""

from __future__ import annotations

import re
import typing as t
import unicodedata

# Control characters, and halves of surrogate pairs. Joiners are none of them: some scripts and many emoji need those.
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

NAME_LENGTH = 24
ROOM_LENGTH = 30


class Refused(ValueError):
    """Something a visitor typed cannot be taken; the message is for the visitor."""


def message(said: t.Any, longest: int) -> str:
    """Return the text of what a page has sent: ``{"text": "Hello"}``.

    :param said: what was read from JSON, which can be anything.
    :param longest: how many characters are taken.
    :raises Refused: for anything else, for nothing and for too much.
    """
    text = said.get("text") if isinstance(said, dict) else None
    if not isinstance(text, str):
        raise Refused("That could not be read as a message, so it was left out.")
    return _checked(text, longest, "There was nothing in that message.")


def visitor_name(text: str) -> str:
    """Return the name of a visitor.

    :raises Refused: if there is none, or too much of it.
    """
    name = _checked(text, NAME_LENGTH, "Please tell us what to call you.")
    if not any(map(str.isalnum, name)):
        raise Refused("Please use at least one letter or digit.")
    return name


def room_title(text: str) -> str:
    """Return the title of a room.

    :raises Refused: if nothing of it would be left in the address of the room.
    """
    title = _checked(text, ROOM_LENGTH, "Please give the room a name.")
    if not address_of(title):
        raise Refused("Please use at least one letter or digit.")
    return title


def address_of(title: str) -> str:
    """Return what stands for a room in its URL: ``net-loft`` for ``Net loft``."""
    return re.sub(r"[\W_]+", "-", unicodedata.normalize("NFKC", title).casefold()).strip("-")


def _checked(text: str, longest: int, if_empty: str) -> str:
    text = " ".join(_UNSEEN.sub(" ", text).split())
    if not text:
        raise Refused(if_empty)
    if len(text) > longest:
        raise Refused(f"That is {len(text)} characters long, and we have room for {longest}.")
    return text
