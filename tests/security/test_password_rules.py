"""Which passwords are refused (ASVS 5.0, V6.2)."""

from __future__ import annotations

import dataclasses
import gzip
import secrets

import pytest

import common_passwords
from erlen.ext.security.passwords import Passwords
from erlen.ext.security.passwords.common import FILE, entries, folded, plain
from erlen.ext.security.passwords.rules import problems_of
from erlen.ext.security.settings import Settings

SETTINGS = Settings(
    site_name="Acme Tools", password_words=("rocket", "R2D2"), argon2_memory=7168, argon2_time=1
)
ABOUT = ("Alice.Smith@mail.wonderland.example", "Alice Liddell-Smith")


def why(password: str, settings: Settings = SETTINGS) -> str:
    return " ".join(problems_of(password, settings, ABOUT))


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "correcthorsebatterystaple",
        "tänzelnde Zebras",
        "我喜欢在河边散步和看书喝茶",
        "я люблю гулять у реки",
        "        a b        ",
        "\0\x01\x02 anything goes",
        "🐎🔋📎✅🐎🔋📎🌍🐙🎈🧀🥨",
        "kq7#Vz!p0Lw)",
        "837261940582",
        "UPPERCASEVOWELLESSNTHNG",
        "i like tea and cake",
        "alice walked through a looking glass",
        "we build tools at acme for coyotes",
        "k3!xQ9zpk3!xQ9zp",
        "\ud800 is half of a pair",
        "x7#" + "long and longer " * 15,
    ],
)
def test_a_password_of_any_composition_is_taken(password: str) -> None:
    """ASVS 6.2.5, 6.2.9: any characters, no rules about kinds of them, 64 characters and more."""
    assert why(password) == ""


def test_the_fewest_characters_are_those_of_the_settings() -> None:
    """ASVS 6.2.1: at least 8, and 15 are recommended. A character of Unicode is one."""
    assert why("kq7#Vz!p0Lw") == "A password has to have at least 12 characters."
    assert why("") == "A password has to have at least 12 characters."
    assert why("ж🐎#Vz!p0Lwq") == "A password has to have at least 12 characters."
    assert why("kq7#Vz!p0Lw)xy", dataclasses.replace(SETTINGS, password_min_length=15)).endswith(
        "15 characters."
    )
    # A mark on a letter is no character of its own where Unicode has both as one.
    assert why("ka\u0308fu\u0308rmo\u0308") == "A password has to have at least 12 characters."
    assert why("kq7#Vz!p", dataclasses.replace(SETTINGS, password_min_length=8)) == ""


def test_the_most_characters_are_those_of_the_settings() -> None:
    """ASVS 6.2.9."""
    phrase = " ".join(f"{number * number} geese" for number in range(100))
    assert why(phrase[:256]) == ""
    assert why(phrase[:257]) == "A password may have 256 characters at most."
    assert why(phrase[:64], dataclasses.replace(SETTINGS, password_max_length=64)) == ""


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "P@ssw0rd2024!",
        "ＰＡＳＳＷＯＲＤ１２３４",
        "!!!password!!!",
        "dragonmonkey42",
        "football-baseball",
        "letmein letmein",
        "iloveyouforever",
        "drowssap+terces",
        "summer2024!!",
        "2024-08-31dragon",
        "1q2w3e4r5t6y7u",
        "sup3rm4nb4tm4n",
        "acmetools-dragon",
        "1qaz2wsx3edc",
    ],
)
def test_a_password_that_many_have_is_refused(password: str) -> None:
    """ASVS 6.2.4, 6.2.12."""
    assert why(password) != ""


@pytest.mark.parametrize(
    "password",
    [
        "aaaaaaaaaaaa",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "xk9xk9xk9xk9",
        "qb7!zqb7!zqb7!z",
        "123456789012",
        "210987654321",
        "abcdefghijkl",
        "qwertyuiop[]",
        "zxcvbnm,./zxcvbnm",
        "qwertzuiopü",
        "йцукенгшщзхъ",
        "abcdef123456",
        "asdfghjklqwertz",
    ],
)
def test_a_password_that_repeats_itself_or_follows_the_keyboard_is_refused(password: str) -> None:
    assert why(password, dataclasses.replace(SETTINGS, password_min_length=8)).startswith(
        "This password repeats itself"
    )


@pytest.mark.parametrize(
    "password",
    [
        "alice.smith2024",
        "AliceSmith!!!!",
        "al-ice-sm-ith-99",
        "4l1c3sm1th!!!",
        "smithsmithsmith",
        "alice@mail.wonderland.example",
        "wonderland12345",
        "liddellliddell!",
        "acmetools2024!",
        "Acme Tools 1234",
        "4cm3t00l5-4cm3",
        "R0cketR0cket!",
        "r2d2r2d2r2d2!x",
    ],
)
def test_what_everybody_knows_of_user_and_site_is_no_password(password: str) -> None:
    """ASVS 6.2.11: words of the context, in whatever case and disguise."""
    assert why(password).startswith("This password is easy to guess for whoever knows your address")


def test_names_that_are_too_short_for_a_word_are_left_alone() -> None:
    assert problems_of("an bo walked to the shore", SETTINGS, ["an@bo.example", "An Bo", ""]) == []


def test_random_passwords_are_not_refused() -> None:
    refused = [password for _ in range(2000) if why(password := secrets.token_urlsafe(9))]
    # One in a million may be.
    assert len(refused) < 2


def test_one_sentence_is_enough() -> None:
    assert len(problems_of("password1234", SETTINGS, ABOUT)) == 1


def test_the_list_is_what_its_tool_makes() -> None:
    with gzip.open(FILE, "rt", encoding="utf-8") as lines:
        shipped = [line.rstrip("\n") for line in lines]
    assert shipped == common_passwords.chosen()
    assert {"password", "12345678", "qwertyuiop", "football", "iloveyou"} <= set(shipped)
    assert len([word for word in shipped if len(word) >= 8]) > 8000


def test_the_licence_of_the_list_is_beside_it() -> None:
    assert "Django Software Foundation" in FILE.with_name("common-passwords.license").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("least", [8, 10, 12])
def test_three_thousand_common_passwords_of_each_length_are_refused(least: int) -> None:
    """ASVS 6.2.4. Of eight characters the list has more itself; of twelve they are those that people make of its entries."""
    words = common_passwords.chosen()
    long_enough = [word for word in words if len(word) >= least]
    made = [
        word + end
        for word in words[:2000]
        for end in ("123", "2024", "1234567", word)
        if len(word + end) >= least
    ]
    settings = dataclasses.replace(SETTINGS, password_min_length=least)
    judged = [*long_enough[:3000], *made[: max(0, 3000 - len(long_enough))]]
    assert len(judged) >= 3000
    assert [word for word in judged if not problems_of(word, settings)] == []


def test_every_entry_of_the_list_is_refused_where_it_is_long_enough() -> None:
    settings = dataclasses.replace(SETTINGS, password_min_length=8)
    missed = [
        word
        for word in common_passwords.chosen()
        if len(word) >= 8 and not problems_of(word.upper(), settings)
    ]
    assert missed == []


def test_folding_keeps_each_character_in_its_place() -> None:
    assert folded(plain("P@$$W0RD!")) == folded("password1")
    assert all(len(folded(word)) == len(word) for word in entries())


class Known:
    def __init__(self, *known: str) -> None:
        self.known, self.asked = known, list[str]()

    def count(self, password: str) -> int:
        self.asked.append(password)
        return 7 if password in self.known else 0


def test_a_stolen_password_is_refused_and_only_good_ones_are_asked_for() -> None:
    """ASVS 6.2.12."""
    breaches = Known("tänzelnde Zebras")
    passwords = Passwords(SETTINGS, breaches=breaches)
    assert passwords.problems("tänzelnde Zebras", about=ABOUT) == [
        "This password was stolen from another site and is known. Choose another one."
    ]
    assert passwords.problems("correct horse battery staple", about=ABOUT) == []
    assert passwords.problems("password1234", about=ABOUT) != []
    assert breaches.asked == ["tänzelnde Zebras", "correct horse battery staple"]
