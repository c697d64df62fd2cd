"""Passwords that we hash ourselves."""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
import typing as t
import unicodedata

import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from erlen.ext.security.errors import WeakPassword
from erlen.ext.security.passwords import Passwords, Verdict
from erlen.ext.security.settings import Settings

CHEAP = Settings(argon2_memory=7168, argon2_time=1)
NOT = Verdict(matches=False, replacement=None)


@pytest.fixture
def passwords() -> Passwords:
    return Passwords(CHEAP)


def test_a_hash_is_argon2id_as_owasp_asks_by_default() -> None:
    """ASVS 11.4.2: m=19 MiB, t=2, p=1."""
    found = Passwords(Settings()).hash("correct horse battery staple")
    assert found.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    parameters = extract_parameters(found)
    assert (parameters.salt_len, parameters.hash_len) == (16, 32)
    # The reference implementation, as it is installed, agrees.
    assert PasswordHasher().verify(found, "correct horse battery staple")


def test_the_right_password_fits_and_no_other(passwords: Passwords) -> None:
    stored = passwords.hash("correct horse battery staple")
    assert passwords.verify("correct horse battery staple", stored) == Verdict(matches=True, replacement=None)
    assert passwords.verify("correct horse battery stapl", stored) == NOT
    assert passwords.hash("correct horse battery staple") != stored


def test_a_password_counts_as_it_was_given(passwords: Passwords) -> None:
    """ASVS 6.2.8: nothing is cut, trimmed or changed in case."""
    stored = passwords.hash(" Correct horse \0 battery staple " + "x" * 100)
    assert passwords.verify(" Correct horse \0 battery staple " + "x" * 100, stored).matches
    for other in (
        " correct horse \0 battery staple " + "x" * 100,
        "Correct horse \0 battery staple " + "x" * 100,
        " Correct horse \0 battery staple " + "x" * 99,
        " Correct horse \0 battery staple " + "x" * 101,
        " Correct horse ",
        " Correct horse \0 battery staple " + "x" * 100 + "\0",
    ):
        assert not passwords.verify(other, stored).matches


def test_forms_of_unicode_that_look_the_same_are_the_same(passwords: Passwords) -> None:
    for password in ("Käse über Brücken", "\u1e9b\u0323 und mehr davon"):
        stored = passwords.hash(unicodedata.normalize("NFD", password))
        assert passwords.verify(unicodedata.normalize("NFC", password), stored) == Verdict(matches=True)
        assert passwords.verify(unicodedata.normalize("NFD", password), stored) == Verdict(matches=True)
    # Compatibility is something else: a ligature is two letters to who looks for it, and one key to who types it.
    assert not passwords.verify("fine cheese and wine", passwords.hash("ﬁne cheese and wine")).matches


@given(
    st.text(st.characters(exclude_categories=()), max_size=40),
    st.text(st.characters(exclude_categories=()), max_size=40),
)
@hypothesis_settings(max_examples=40, deadline=None)
def test_any_text_is_a_password(password: str, other: str) -> None:
    """Halves of surrogate pairs, which JSON may have, among them."""
    passwords = Passwords(CHEAP)
    stored = passwords.hash(password)
    assert passwords.verify(password, stored) == Verdict(matches=True, replacement=None)
    if unicodedata.normalize("NFKD", password) != unicodedata.normalize("NFKD", other):
        assert passwords.verify(other, stored) == NOT


def test_without_a_stored_hash_nothing_matches(passwords: Passwords) -> None:
    for password in ("", "correct horse battery staple", "\ud800", "x" * 2**20):
        assert passwords.verify(password, None) == NOT


@pytest.mark.parametrize(
    "changed",
    [
        {"argon2_memory": 8192},
        {"argon2_time": 2},
        {"argon2_parallelism": 2},
        {"argon2_memory": 19456, "argon2_time": 3},
    ],
    ids=str,
)
def test_a_hash_of_another_cost_is_replaced_whichever_costs_more(changed: dict[str, t.Any]) -> None:
    """Timing on login reveals accounts: where all hashes cost the same it cannot."""
    one, other = Passwords(CHEAP), Passwords(dataclasses.replace(CHEAP, **changed))
    for old, new in ((one, other), (other, one)):
        verdict = new.verify("correct horse battery staple", old.hash("correct horse battery staple"))
        assert verdict.matches
        assert verdict.replacement is not None
        assert new.verify("correct horse battery staple", verdict.replacement) == Verdict(matches=True)
        assert new.verify("wrong", old.hash("correct horse battery staple")) == NOT


def test_a_password_of_a_mebibyte_is_not_looked_at(passwords: Passwords) -> None:
    """It is refused even where somebody made a hash of it."""
    password = "x" * 2**20
    stored = PasswordHasher(1, 7168, 1).hash(password)
    assert passwords.verify(password, stored) == NOT
    # Normalisation alone would take minutes: the marks are sorted one by one.
    assert passwords.verify("a" + "\u0316\u0301" * 2**19, stored) == NOT
    assert passwords.problems("a" + "\u0316\u0301" * 2**19) == ["A password may have 256 characters at most."]
    with pytest.raises(WeakPassword, match="256 characters at most"):
        passwords.hash(password)


def test_a_password_that_was_longer_than_rules_allow_now_still_logs_in(passwords: Passwords) -> None:
    stored = passwords.hash("x" * 4096)
    assert passwords.verify("x" * 4096, stored).matches
    assert passwords.verify("x" * 4097, stored) == NOT
    longer = Passwords(dataclasses.replace(CHEAP, password_max_length=10_000))
    assert longer.verify("x" * 10_000, longer.hash("x" * 10_000)).matches


def test_neither_password_nor_hash_is_logged(passwords: Passwords, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        stored = passwords.hash("correct horse battery staple")
        passwords.verify("correct horse battery staple", stored)
        passwords.verify("correct horse battery staple", "$argon2id$v=19$m=1,t=1,p=1$c2VjcmV0$c2VjcmV0")
        passwords.verify("correct horse battery staple", "my-secret-in-plain-text")
    assert len(caplog.records) == 2
    for secret in ("correct", "staple", "c2VjcmV0", "my-secret", stored):
        assert secret not in caplog.text


def test_an_import_takes_neither_the_list_nor_a_client_of_http() -> None:
    code = (
        "import sys; import erlen.ext.security.passwords as p; from erlen.ext.security.passwords.common import entries;"
        "print('httpx' in sys.modules, 'bcrypt' in sys.modules, entries.cache_info().currsize)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "0"]
