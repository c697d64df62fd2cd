"""Recovery codes."""

from __future__ import annotations

import math
import threading
import typing as t

import pytest

from erlen.ext.security.factors import Codes
from erlen.ext.security.factors.codes import ALPHABET, COUNT
from erlen.ext.security.settings import Settings
from erlen.ext.security.types import User
from memory_store import MemoryStore
from security_kit import Clock, add_user, kit_of, told


@pytest.fixture
def codes(settings: Settings, store: MemoryStore, clock: Clock) -> Codes:
    return Codes(kit_of(settings, store, clock))


@pytest.fixture
def ada(store: MemoryStore) -> User:
    return add_user(store)


def test_ten_codes_are_made_that_differ(codes: Codes, ada: User) -> None:
    made = codes.make(ada)
    assert len(set(made)) == len(made) == COUNT == 10
    assert codes.left(ada) == 10


def test_a_code_has_so_many_bits_that_a_digest_hides_it(codes: Codes, ada: User) -> None:
    """ASVS 6.5.2: 112 bits. ASVS 6.5.4: 20 at least."""
    assert len(set(ALPHABET)) == 32
    for code in codes.make(ada):
        characters = code.replace("-", "")
        assert set(characters) <= set(ALPHABET)
        assert len(characters) * math.log2(len(ALPHABET)) >= 112


def test_a_code_is_read_in_groups(codes: Codes, ada: User) -> None:
    for code in codes.make(ada):
        assert [len(group) for group in code.split("-")] == [4] * 6


def test_codes_have_no_letters_that_look_like_digits() -> None:
    assert not set("ILOU") & set(ALPHABET)


def test_a_code_is_right_once(codes: Codes, ada: User) -> None:
    """ASVS 6.5.1."""
    first, second, *_ = codes.make(ada)
    assert codes.use(ada, first)
    assert not codes.use(ada, first)
    assert codes.left(ada) == 9
    assert codes.use(ada, second)
    assert codes.left(ada) == 8


def test_of_many_who_show_one_code_at_once_one_gets_in(codes: Codes, ada: User) -> None:
    code, answers = codes.make(ada)[0], list[bool]()
    gate = threading.Barrier(8)

    def show() -> None:
        gate.wait()
        answers.append(codes.use(ada, code))

    threads = [threading.Thread(target=show) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [False] * 7 + [True]


def test_new_codes_replace_the_old_ones_as_a_whole(codes: Codes, ada: User) -> None:
    old = codes.make(ada)
    codes.use(ada, old[0])
    new = codes.make(ada)
    assert codes.left(ada) == 10
    assert not any(codes.use(ada, code) for code in old)
    assert all(codes.use(ada, code) for code in new)
    assert codes.left(ada) == 0


@pytest.mark.parametrize(
    "shape",
    [
        str.lower,
        lambda code: code.replace("-", ""),
        lambda code: code.replace("-", " "),
        lambda code: f"  {code}\r\n",
        lambda code: code.replace("-", "\u2013"),
        lambda code: code.replace("-", "\u2011"),
        lambda code: code.replace("0", "O").replace("1", "l"),
        lambda code: code.replace("0", "o").replace("1", "I").lower(),
    ],
    ids=["lower case", "no hyphens", "blanks", "around it", "dashes", "word processor", "O l", "o i"],
)
def test_a_code_may_be_typed_as_people_type(codes: Codes, ada: User, shape: t.Callable[[str], str]) -> None:
    assert all(codes.use(ada, shape(code)) for code in codes.make(ada))


def test_the_code_of_another_user_is_refused_and_not_used_up(
    codes: Codes, store: MemoryStore, ada: User
) -> None:
    bob = add_user(store, "bob@example.com")
    code = codes.make(ada)[0]
    codes.make(bob)
    assert not codes.use(bob, code)
    assert codes.left(ada) == 10
    assert codes.use(ada, code)


@pytest.mark.parametrize("text", ["", "-", "0" * 24, "\0", "\ud800", "\u202e", "ß" * 24, "A" * 2**20])
def test_what_is_no_code_is_refused(codes: Codes, ada: User, text: str) -> None:
    codes.make(ada)
    assert not codes.use(ada, text)
    assert codes.left(ada) == 10


def test_codes_are_not_stored_readable(codes: Codes, store: MemoryStore, ada: User) -> None:
    made = codes.make(ada)
    codes.use(ada, made[0])
    kept = repr([store.tokens(ada.uid, "code"), store.events()])
    assert not any(code in kept or code.replace("-", "") in kept for code in made)


def test_codes_are_told_of(codes: Codes, store: MemoryStore, ada: User) -> None:
    code = codes.make(ada)[0]
    codes.use(ada, code)
    codes.use(ada, code)
    assert told(store) == [("codes_made", {"count": 10}), ("code_used", {"left": 9})]


def test_codes_do_not_expire(codes: Codes, store: MemoryStore, ada: User, clock: Clock) -> None:
    code = codes.make(ada)[0]
    clock.forward(days=3650)
    store.purge(clock(), clock())
    assert codes.use(ada, code)


def test_removed_codes_are_worth_nothing(codes: Codes, ada: User) -> None:
    made = codes.make(ada)
    assert codes.remove(ada) == 10
    assert not codes.use(ada, made[0])
