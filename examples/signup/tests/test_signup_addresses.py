from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signup.addresses import AddressError, EmailAddress


@pytest.mark.parametrize(
    ("typed", "display"),
    [
        ("anna@example.org", "anna@example.org"),
        ("  anna@example.org\n", "anna@example.org"),
        ("Anna.Berg+ebb@Example.ORG", "Anna.Berg+ebb@example.org"),
        ("anna@bücher.example", "anna@bücher.example"),
        ("anna@xn--bcher-kva.example", "anna@bücher.example"),
        ("花子@例え。テスト", "花子@例え.テスト"),
        ("søren@straße.example", "søren@straße.example"),
        ("o'hara@a.b.c.example", "o'hara@a.b.c.example"),
        ("मीना@उदाहरण.परीक्षा", "मीना@उदाहरण.परीक्षा"),
    ],
)
def test_address_is_accepted(typed: str, display: str) -> None:
    assert EmailAddress.parse(typed).display == display


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("anna@example.org", "ANNA@EXAMPLE.ORG"),
        ("anna@bücher.example", "anna@xn--bcher-kva.example"),
        ("anna@bücher.example", "anna@BU\u0308CHER.example"),
        ("zoe\u0308@example.org", "ZO\u00cb@example.org"),
        ("anna@\uff45xample.org", "anna@example.org"),
    ],
)
def test_two_spellings_of_one_address_have_one_key(first: str, second: str) -> None:
    assert EmailAddress.parse(first).key == EmailAddress.parse(second).key


def test_sharp_s_and_double_s_are_two_domains() -> None:
    # They were one in IDNA 2003, which the codec of the standard library still follows.
    assert EmailAddress.parse("a@straße.example").key != EmailAddress.parse("a@strasse.example").key


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "Please give us your e-mail address"),
        ("   ", "Please give us your e-mail address"),
        ("anna.example.org", "The @ is missing"),
        ("anna@", "The part after the @ is missing"),
        ("@example.org", "The part before the @ is missing"),
        ("anna berg@example.org", "There is a space in it"),
        ("anna@localhost", "needs a dot"),
        ("anna@example..org", "a dot too many"),
        ("anna@.example.org", "a dot too many"),
        ("anna@127.0.0.1", "not a number"),
        ("anna@[127.0.0.1]", "only letters, digits, hyphens and dots"),
        ("anna@exam_ple.org", "only letters, digits, hyphens and dots"),
        ("anna@-example.org", "begin or end with a hyphen"),
        ("anna@xn--a-b.example", "begins with xn--"),
        ("anna@xn--\u00fc.example", "begins with xn--"),
        (".anna@example.org", "dots only stand between"),
        ("an..na@example.org", "dots only stand between"),
        ("anna@berg@example.org", "a character that addresses do not have"),
        ('"anna"@example.org', "a character that addresses do not have"),
        ("anna<script>@example.org", "a character that addresses do not have"),
        ("anna\x00@example.org", "a character that addresses do not have"),
        ("anna@example.org\r\nBcc:x@y.example", "There is a space in it"),
        ("a" * 65 + "@example.org", "The part before the @ is longer than 64"),
        ("ü" * 33 + "@example.org", "The part before the @ is longer than 64"),
        ("a@" + "b" * 64 + ".org", "too long to be one"),
        ("a@" + "ü" * 60 + ".org", "too long to be one"),
        ("a@" + "b." * 140 + "org", "longer than an address can be"),
        ("a@" + "\ufdfa." * 500, "only letters, digits, hyphens and dots"),
        ("a" * 60_000, "longer than an address can be"),
    ],
)
def test_address_is_refused_with_a_reason(typed: str, message: str) -> None:
    with pytest.raises(AddressError) as caught:
        EmailAddress.parse(typed)
    assert message in str(caught.value)


@given(st.text() | st.from_regex(r"\A[^@]{0,8}@(xn--)?[^@.]{0,9}\.(xn--)?[^@.]{1,9}\Z"))
def test_any_text_is_an_address_or_refused_and_fits_the_table(typed: str) -> None:
    try:
        address = EmailAddress.parse(typed)
    except AddressError:
        return
    assert len(address.display) <= 254
    assert len(address.key) <= 400
    assert address.key.rpartition("@")[2].isascii()
    assert EmailAddress.parse(address.display).key == address.key
