"""Where ``next`` may lead, judged by hand and by a browser."""

from __future__ import annotations

import json
import random
import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser import Browser
from erlen.ext.security.errors import ConfigurationError
from erlen.ext.security.redirects import safe_target

OWN = "https://example.com"
ALLOWED = ("https://accounts.example.org", "https://bücher.example", "http://localhost:8080/")

HONEST = {
    "/": "/",
    "/account/": "/account/",
    "/search?q=a%20b&page=2#results": "/search?q=a%20b&page=2#results",
    "/search?q=a b": "/search?q=a%20b",
    "/ü?ö#ä": "/%C3%BC?%C3%B6#%C3%A4",
    "/a//b": "/a//b",
    "/a/../b": "/a/../b",
    "/@ada": "/@ada",
    "/mail/a:b": "/mail/a:b",
    "/?next=https://evil.com": "/?next=https://evil.com",
    "/?q=\\\\evil.com": "/?q=%5C%5Cevil.com",
    "?page=2": "/?page=2",
    "#part": "/#part",
    "reports/7": "/reports/7",
    "evil.com": "/evil.com",
    "https://example.com": "/",
    "https://example.com/a?b#c": "/a?b#c",
    "https://example.com?b": "/?b",
    "HTTPS://EXAMPLE.com/a": "/a",
    "https://example.com:443/a": "/a",
    "https://example.com:/a": "/a",
    "https://accounts.example.org/me": "https://accounts.example.org/me",
    "https://bücher.example/a": "https://bücher.example/a",
    "https://xn--bcher-kva.example/a": "https://bücher.example/a",
    "http://localhost:8080/a": "http://localhost:8080/a",
}


@pytest.mark.parametrize("target", HONEST)
def test_a_page_of_the_site_or_of_an_allowed_origin_is_taken(target: str) -> None:
    assert safe_target(target, OWN, ALLOWED) == HONEST[target]


EVIL = {
    "a host without a scheme": ["//evil.com", "//evil.com/a", "//example.com@evil.com", "//example.com"],
    "CVE-2021-32618: backslashes are slashes": [
        "\\\\evil.com",
        "/\\evil.com",
        "\\/evil.com",
        "\\\\\\evil.com",
        "https:\\\\evil.com",
        "https:/\\evil.com",
        "https://example.com\\.evil.com",
        "https://example.com\\@evil.com",
        "https://evil.com\\@example.com",
        "/a\\b",
    ],
    "CVE-2023-49438: any number of slashes": [
        "///evil.com",
        "////evil.com",
        "/\\/evil.com",
        "https:///evil.com",
        "https:////evil.com",
        "https:/evil.com",
        "https:evil.com",
        "http:evil.com",
        "https:///example.com/",
        "https:",
        "https://",
    ],
    "what browsers drop": [
        "/\t/evil.com",
        "/\n/evil.com",
        "/\r/evil.com",
        "\t//evil.com",
        " //evil.com",
        "//evil.com ",
        "\x00//evil.com",
        "\x01https://evil.com",
        "ht\ntps://evil.com",
        "java\nscript:alert(1)",
        "https://exa\nmple.com.evil.com",
        "/\u0085/evil.com",
        "/\u2028/evil.com",
        "\u00a0//evil.com",
        "\u3000//evil.com",
    ],
    "what a server on the way may decode": [
        "/%2fevil.com",
        "/%2F/evil.com",
        "/%5cevil.com",
        "/%09/evil.com",
        "/%0d%0aLocation:%20https://evil.com",
        "/%20/evil.com",
        "/a/%2e%2e/%2fevil.com",
    ],
    "dots that leave two slashes": [
        "/..//evil.com",
        "/.//evil.com",
        "/a/..//evil.com",
        "/%2e//evil.com",
        "/%2E%2e//evil.com",
        "/a/.%2e//evil.com",
        "./../..//evil.com",
        "https://example.com//evil.com",
        "https://example.com/..//evil.com",
    ],
    "a name and password": [
        "https://example.com@evil.com",
        "https://example.com:443@evil.com",
        "http://localhost:80@evil",
        "http://localhost:8080@evil.com",
        "https://ada:secret@example.com/",
        "https://@example.com/",
        "https://example.com%40evil.com",
        "https://example.com%2f@evil.com",
    ],
    "names that look like ours": [
        "https://example.com.evil.com",
        "https://evilexample.com",
        "https://evil.com/https://example.com",
        "https://evil.com?https://example.com",
        "https://evil.com#https://example.com",
        "https://www.example.com",
        "https://example.co",
        "https://example.com.",
        "https://еxample.com",  # Cyrillic е
        "https://example。com.evil.com",
        "https://example.com／.evil.com",
        "https://example.com\u200b.evil.com",
        "https://[::1]",
        "https://[example.com]",
        "https://0x7f.1",
        "https://2130706433",
        "https://evil.com:443/",
    ],
    "another scheme or port": [
        "http://example.com/",
        "https://example.com:8443/",
        "https://example.com:99999/",
        "https://example.com:-1/",
        "https://example.com:४४३/",
        "http://localhost/",
        "javascript:alert(1)",
        "JavaScript://example.com/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "ftp://example.com/",
        "blob:https://example.com/1",
        "mailto:a@evil.com",
        "x:y",
        "evil.com:80/",
    ],
    "texts that are none": [
        "",
        " ",
        "\ud800",
        "/\ud800",
        "/" + "a" * 4096,
        "https://\ud800.com",
        "https://" + "ü" * 2000,
    ],
}


@pytest.mark.parametrize(
    "target",
    [pytest.param(target, id=f"{kind}: {target[:30]!a}") for kind, all in EVIL.items() for target in all],
)
def test_everything_else_is_refused(target: str) -> None:
    """CVE-2021-32618, CVE-2023-49438, CVE-2020-28724, CVE-2026-54282 and what else reads as one thing and leads to another."""
    assert safe_target(target, OWN, ALLOWED) is None


@pytest.mark.parametrize("target", [None, 7, True, b"/account", ["/account"], {"a": 1}, 1.5])
def test_what_is_no_text_is_refused(target: object) -> None:
    """A field of JSON that is no text was answered with 500."""
    assert safe_target(target, OWN) is None


@pytest.mark.parametrize(
    "origin",
    ["example.com", "https://example.com/path", "*", "", "//example.com", "https://a@b", "ftp://example.com"],
)
def test_an_origin_that_is_none_is_a_mistake_of_the_settings(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="is no origin. An origin is a scheme and a host"):
        safe_target("/", OWN, [origin])


@given(
    st.one_of(st.text(), st.text(st.sampled_from("/\\.:@?#%25fe \t\nhttps[]ü")), st.binary(), st.integers())
)
def test_no_input_is_an_error(target: object) -> None:
    found = safe_target(target, OWN, ALLOWED)
    assert found is None or (found.startswith("/") and not found.startswith(("//", "/\\"))) or "://" in found


PIECES = (
    *(
        "/",
        "//",
        "\\",
        ".",
        "..",
        "%2e",
        "%2f",
        "%5c",
        ":",
        "@",
        "?",
        "#",
        " ",
        "\t",
        "\n",
        "\x00",
        "\u3000",
        "。",
        "／",
    ),
    *(
        "https:",
        "http:",
        "HTTPS:",
        "javascript:",
        "example.com",
        "evil.com",
        "accounts.example.org",
        "xn--bcher-kva.example",
    ),
    *(
        "localhost:8080",
        ":443",
        ":80",
        "[::1]",
        "a",
        "ü",
        "\u00ad",
        "ß",
        "[",
        "]",
        "%00",
        "&",
        "=",
        "bücher.example",
    ),
)


def test_a_browser_goes_nowhere_else() -> None:
    """What the URL parser of Chromium makes of each answer is of an allowed origin, for these and for 4,000 random addresses."""
    chance = random.Random(7)
    made = ["".join(chance.choices(PIECES, k=chance.randint(1, 7))) for _ in range(4000)]
    targets = [*HONEST, *(target for all in EVIL.values() for target in all), *made]
    answers = {target: safe_target(target, OWN, ALLOWED) for target in targets}
    taken = [(target, answer) for target, answer in answers.items() if answer is not None]
    with Browser() as browser:
        page = browser.open()
        script = (
            "JSON.parse(%s).map(([asked, answer]) => [new URL(answer, 'https://example.com/login/?x').origin, "
            "new URL(answer, 'https://example.com').href, new URL(asked, 'https://example.com').href])"
        )
        seen = t.cast("list[list[str]]", page.evaluate(script % json.dumps(json.dumps(taken))))
    origins = {
        "https://example.com",
        "https://accounts.example.org",
        "https://xn--bcher-kva.example",
        "http://localhost:8080",
    }
    assert [one for one, (origin, _, _) in zip(taken, seen, strict=True) if origin not in origins] == []
    # And it is the page that was asked for; what differs is encoded here alone.
    wrong = [
        (one, after, before)
        for one, (_, after, before) in zip(taken, seen, strict=True)
        if _same(after) != _same(before)
    ]
    assert wrong == []
    assert len([target for target in made if answers[target] is not None]) > 400


def _same(url: str) -> str:
    for character in "\\[]|^`{}'\"":
        url = url.replace(f"%{ord(character):02X}", character)
    return url
