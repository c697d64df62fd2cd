"""Addresses of e-mail: which texts are one, and which of them are the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from erlen.ext.security.emails import Email, parse_email
from erlen.ext.security.errors import InvalidEmail


@pytest.mark.parametrize(
    ("text", "address", "key"),
    [
        ("ada@example.com", "ada@example.com", "ada@example.com"),
        ("Ada.Lovelace+x@Example.COM", "Ada.Lovelace+x@example.com", "ada.lovelace+x@example.com"),
        (" ada@example.com\r\n", "ada@example.com", "ada@example.com"),
        ("ada@bücher.example", "ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ａｄａ@example.com", "ａｄａ@example.com", "ada@example.com"),
        ("ada@ＥＸＡＭＰＬＥ。com", "ada@example.com", "ada@example.com"),
        ("rene\u0301@example.com", "ren\u00e9@example.com", "ren\u00e9@example.com"),
        ("STRASSE@example.com", "STRASSE@example.com", "strasse@example.com"),
        ("straße@example.com", "straße@example.com", "strasse@example.com"),
        ("иван@пример.рф", "иван@пример.рф", "иван@xn--e1afmkfd.xn--p1ai"),
        ("山田taro@example.com", "山田taro@example.com", "山田taro@example.com"),
        ("ада.ada@example.com", "ада.ada@example.com", "ада.ada@example.com"),
        ("ada@example.test", "ada@example.test", "ada@example.test"),
    ],
)
def test_an_address_keeps_its_spelling_and_has_a_key_for_all_of_them(
    text: str, address: str, key: str
) -> None:
    assert parse_email(text) == Email(address, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@",
        "ada@",
        "@example.com",
        "ada@@example.com",
        "ada@example..com",
        ".ada@example.com",
        "ada.@example.com",
        "ada@localhost",
        "ada@example",
        "ada@[127.0.0.1]",
        '"ada lovelace"@example.com',
        "Ada <ada@example.com>",
        "ada@example.com, eve@example.com",
        "ada@example.com\nBcc: eve@example.com",
        "ada@exam\tple.com",
        "ada\0@example.com",
        "ada@example.com\0",
        "ada\u202e@example.com",  # bidi override
        "ada\u2067@example.com",  # bidi isolate
        "ada\u200b@example.com",  # zero width space
        "ada\u3164@example.com",  # a letter that is not seen
        "ada\ufe0f@example.com",  # variation selector
        "ada\ud800@example.com",
        "ada@\udfffexample.com",
        "a\ufe6bb@example.com",  # NFKC makes a second @ of it
        "ada\u2100x@example.com\u2100",
        "\ufdfa@example.com",  # NFKC makes spaces of it
        "a" * 65 + "@example.com",
        "ada@" + "a" * 64 + ".com",
        "a@" + "b." * 130 + "com",
        "x" * 2**20,
        "@" * 2**20,
        "a@" + "\u0301" * 2**20,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidEmail):
        parse_email(text)


@pytest.mark.parametrize(
    "text",
    [
        "аda@example.com",  # Cyrillic а
        "adа@example.com",
        "αda@example.com",  # Greek
        "ada@ехаmple.com",
        "ada@gοοgle.com",
        "ada+wоrk@example.com",
        "аlpha-b@xn--80ak6aa92e.com".replace("alpha", "аlpha"),
    ],
)
def test_letters_that_look_alike_do_not_stand_in_one_word(text: str) -> None:
    with pytest.raises(InvalidEmail, match="look alike"):
        parse_email(text)


def test_the_message_says_what_is_wrong() -> None:
    with pytest.raises(InvalidEmail, match="Cyrillic and Latin letters in one word"):
        parse_email("аda@example.com")
    with pytest.raises(InvalidEmail, match="has 300 characters. An address of e-mail has 254 at most"):
        parse_email("a" * 300)


@pytest.mark.parametrize("other", ["miKe@example.com", "mike@example.com", "MIKE@EXAMPLE.COM"])
def test_a_letter_that_folds_to_another_is_the_same_account_and_another_mailbox(other: str) -> None:
    """CVE-2019-19844: a recovery mail went to the address that was typed, which only looked like that of the account."""
    owner, stranger = parse_email("mike@example.com"), parse_email(other)
    assert owner.key == stranger.key
    # The local part is as typed, so that nobody who compares addresses takes them for one mailbox.
    assert stranger.address.partition("@")[0] == other.partition("@")[0]


# Near enough to addresses that most of the code is reached.
TEXTS = st.one_of(
    st.text(),
    st.text(st.characters(exclude_categories=())),
    st.builds(
        lambda local, domain: f"{local}@{domain}.com",
        st.text(
            st.sampled_from("aAzäßſKıİаαａ1.+-_\u0301\u1160@ \u00b5\u01c5\u0345ﬃ"), min_size=1, max_size=12
        ),
        st.text(st.sampled_from("aAzäßſKıａ1.-。\u0301о"), min_size=1, max_size=12),
    ),
    st.builds(
        lambda local: f"{local}@example.com", st.text(st.characters(categories=["L", "M", "N"]), min_size=1)
    ),
)


@given(TEXTS)
def test_any_text_is_an_address_or_refused_and_keys_are_their_own(text: str) -> None:
    try:
        found = parse_email(text)
    except InvalidEmail:
        return
    again = parse_email(found.key)
    assert again.key == found.key
    assert parse_email(found.address) == found
    assert found.key.count("@") == 1
    assert len(found.key) <= 254
    assert found.key.isprintable()
