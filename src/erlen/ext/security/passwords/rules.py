"""Which passwords are refused. There are no rules about kinds of characters: these make passwords harder for people alone.

The list of common passwords is short where passwords have to be long: hardly anybody's favourite has twelve characters. What people choose
then is made of favourites: two of them, one with a year behind it, one in the disguise of digits. So a password is refused as well
where it is no more than that.
"""

from __future__ import annotations

import collections.abc as cabc
import itertools
import re
import unicodedata

from ..settings import Settings
from .common import entries, folded, plain

#: How many words of the list a password may not be made of, and how many digits and signs between and around them change nothing.
PIECES = 2
LOOSE = 10
#: The same for a password without a letter, of which any could be a piece.
LOOSE_DIGITS = 4
SHORTEST_PIECE = 4
LONGEST_PIECE = 24

#: A password that repeats fewer characters than this is as weak as these.
SHORTEST_PERIOD = 8
#: As many characters have to be left of a password without what everybody knows of its owner and the site.
LEFT_OVER = 8
#: Fewer runs of neighbours, and characters that are in none, are no password.
FEWEST_STEPS = 5

_ROWS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "qwertzuiopü",
    "yxcvbnm,.-",
    "azertyuiop",
    "йцукенгшщзхъ",
    "фывапролджэ",
    "ячсмитьбю",
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
)
_NEIGHBOURS = frozenset(
    pair for row in _ROWS for line in (row, row[::-1]) for pair in itertools.pairwise(line)
)


def problems_of(password: str, settings: Settings, about: cabc.Iterable[str] = ()) -> list[str]:
    """Return why a password is refused, a sentence each.

    :param password: the password; any text.
    :param settings: lengths, and the words of the site.
    :param about: what others know of its owner.
    """
    least, most = settings.password_min_length, settings.password_max_length
    if len(password) > most:
        # What follows takes longer for long ones.
        return [f"A password may have {most} characters at most."]
    if len(unicodedata.normalize("NFC", password)) < least:
        return [f"A password has to have at least {least} characters."]
    text = plain(password)
    known = _known_words([settings.site_name, *settings.password_words], about)
    if _is_about(text, known):
        return [
            "This password is easy to guess for whoever knows your address, your name or this site. Choose another one."
        ]
    if _repeats(text) or _steps(text) < FEWEST_STEPS:
        return ["This password repeats itself or follows the keyboard. Choose one that is harder to guess."]
    if _is_common(text, known):
        return [
            "This password, or the words it is made of, are among the first that are tried. Choose another one."
        ]
    return []


def _known_words(own: cabc.Iterable[str], about: cabc.Iterable[str]) -> frozenset[str]:
    words: set[str] = set()
    for text in (*own, *about):
        # Nobody's name is longer, and this is looked for at every place.
        name, _, domain = plain(text[:320]).partition("@")
        # The last part of a domain is nobody's.
        for part in (name, domain.rpartition(".")[0]):
            parts = re.findall(r"[^\W_]+", part)
            words.update(folded(word) for word in (*parts, "".join(parts)) if len(word) >= SHORTEST_PIECE)
    words.update(folded(plain(word)) for word in own if len(word) > 2)
    return frozenset(word for word in words if word)


def _is_about(text: str, words: cabc.Iterable[str]) -> bool:
    """Whether little is left of a password without the words."""
    # Without signs, so that `al.ice` has the word.
    kept = "".join(letter for letter in text if letter.isalnum())
    disguised = folded(kept)
    taken = bytearray(len(kept))
    for word in words:
        bare = "".join(letter for letter in word if letter.isalnum())
        for match in re.finditer(re.escape(bare), disguised) if bare else ():
            taken[match.start() : match.end()] = b"\1" * len(bare)
    if not any(taken):
        return False
    left = "".join(" " if gone else letter for letter, gone in zip(kept, taken, strict=True))
    # A year, or any number at all, is one thing to guess.
    return len(re.sub(r"\s+", "", re.sub(r"\d+", "0", left))) < LEFT_OVER


def _repeats(text: str) -> bool:
    return any(
        text[period:] == text[:-period] for period in range(1, min(SHORTEST_PERIOD, len(text) // 2 + 1))
    )


def _steps(text: str) -> int:
    """Count runs of neighbours on keyboards and in the alphabet, three at least, and characters that are in none."""
    steps = place = 0
    while place < len(text):
        end = place + 1
        while end < len(text) and (text[end - 1], text[end]) in _NEIGHBOURS:
            end += 1
        place = end if end - place > 2 else place + 1
        steps += 1
    return steps


def _is_common(text: str, words: frozenset[str]) -> bool:
    """Whether a password is on the list, or made of :data:`PIECES` of its entries with little beside them."""
    disguised, listed = folded(text), entries()
    if disguised in listed:
        return True
    most_loose = LOOSE if any(letter.isalpha() for letter in text) else LOOSE_DIGITS
    # cheapest[n][place]: the fewest loose characters that the text up to here has beside n pieces.
    cheapest = [[most_loose + 1] * (len(text) + 1) for _ in range(PIECES + 1)]
    cheapest[0][0] = 0
    for place, count in itertools.product(range(len(text)), range(PIECES + 1)):
        cost = cheapest[count][place]
        if cost > most_loose:
            continue
        if not text[place].isalpha():
            cheapest[count][place + 1] = min(cheapest[count][place + 1], cost + 1)
        if count == PIECES:
            continue
        for end in range(place + SHORTEST_PIECE, min(place + LONGEST_PIECE, len(text)) + 1):
            piece = disguised[place:end]
            if piece in listed or piece in words or piece[::-1] in listed:
                cheapest[count + 1][end] = min(cheapest[count + 1][end], cost)
    return min(cheapest[count][-1] for count in range(1, PIECES + 1)) <= most_loose
