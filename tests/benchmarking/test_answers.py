"""The check that makes benchmarks comparable: what it lets pass and what it does not."""

from __future__ import annotations

import json
import typing as t
from dataclasses import replace

import pytest
from benchmarks.answers import Answer, Unequal, checked, introduce
from benchmarks.cases import CASES, Case
from benchmarks.compared import alike, compared, described

HTML = ("Content-Type", "text/html; charset=utf-8")
PLAIN = Answer(200, (HTML, ("Content-Length", "13")), b"Hello, World!")
More = tuple[tuple[str, str], ...]


def check(case: Case, answer: Answer) -> Answer:
    return checked(case, "it", lambda case, more: answer, ())


def changed(answer: Answer, name: str, value: str | None) -> Answer:
    kept = tuple(pair for pair in answer.headers if pair[0] != name)
    return replace(answer, headers=kept if value is None else (*kept, (name, value)))


def test_an_equal_answer_passes() -> None:
    assert check(CASES["plaintext"], PLAIN) is PLAIN


def test_the_charset_may_be_written_large() -> None:
    check(CASES["plaintext"], changed(PLAIN, "Content-Type", "text/html; charset=UTF-8"))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (replace(PLAIN, status=201), "it answers 201, not 200"),
        (replace(PLAIN, body=b"Hello, Moon!!"), "it answers b'Hello, Moon!!', not b'Hello, World!'"),
        (changed(PLAIN, "Content-Type", "text/plain"), "the content type 'text/plain', not 'text/html"),
        (changed(PLAIN, "Content-Length", None), "it does not say how long its answer is"),
        (changed(PLAIN, "Content-Length", "12"), "it announces 12 bytes and sends 13"),
        (
            changed(PLAIN, "Server", "x"),
            "it sends the header Server: x, which is not among those it may have",
        ),
        (changed(PLAIN, "Set-Cookie", "a=b"), "it sends the header Set-Cookie: a=b"),
    ],
)
def test_an_unequal_answer_does_not_pass(answer: Answer, reason: str) -> None:
    with pytest.raises(Unequal) as caught:
        check(CASES["plaintext"], answer)
    assert reason in str(caught.value)


def test_headers_of_the_safe_profile_may_be_there() -> None:
    check(CASES["plaintext"], changed(PLAIN, "X-Content-Type-Options", "nosniff"))


def test_a_header_that_the_case_requires_has_to_be_there() -> None:
    case = CASES["after_this_request"]
    check(case, changed(PLAIN, "X-After", "1"))
    for value in (None, "2"):
        with pytest.raises(Unequal, match="x-after"):
            check(case, changed(PLAIN, "X-After", value))


def test_a_location_may_be_absolute() -> None:
    moved = Answer(302, (HTML, ("Content-Length", "0"), ("Location", "/new?page=2")), b"")
    check(CASES["redirect"], moved)
    check(CASES["redirect"], changed(moved, "Location", "http://127.0.0.1:8000/new?page=2"))
    with pytest.raises(Unequal, match="location"):
        check(CASES["redirect"], changed(moved, "Location", "http://localhost/new?page=2"))


def test_of_json_it_counts_what_it_says() -> None:
    body = json.dumps(json.loads(CASES["json"].body or b""), indent=1).encode()
    answer = Answer(200, (("Content-Type", "application/json"), ("Content-Length", str(len(body)))), body)
    check(CASES["json"], answer)
    with pytest.raises(Unequal):
        check(CASES["json"], replace(answer, body=body.replace(b"1", b"4")))


def test_a_second_answer_has_to_be_as_the_first() -> None:
    given = iter([PLAIN, replace(PLAIN, body=b"Hello, again!")])
    with pytest.raises(Unequal, match="the second request otherwise than the first"):
        checked(CASES["plaintext"], "it", lambda case, more: next(given), ())


def test_what_a_cookie_holds_is_asked_for() -> None:
    asked: list[tuple[str, More]] = []

    def ask(body: bytes) -> t.Callable[[Case, More], Answer]:
        def answer(case: Case, more: More) -> Answer:
            asked.append((case.path, more))
            text = b"written" if case.path == "/login" else body
            headers = (HTML, ("Content-Length", str(len(text))), ("Set-Cookie", "s=1; HttpOnly; Path=/"))
            return Answer(200, headers, text)

        return answer

    checked(CASES["session write"], "it", ask(b"ann 2"), ())
    assert ("/session", (("Cookie", "s=1"),)) in asked
    with pytest.raises(Unequal, match="at /session to the cookies it has set"):
        checked(CASES["session write"], "it", ask(b"bob 2"), ())


def test_a_visit_before_has_to_leave_cookies_or_validators() -> None:
    def ask(case: Case, more: More) -> Answer:
        return replace(PLAIN, headers=(("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2"), ("ETag", '"x"')))

    assert introduce(CASES["session read"], "it", ask) == (("Cookie", "a=1; b=2"),)
    assert introduce(CASES["static file 304"], "it", ask) == (("If-None-Match", '"x"'),)
    for name, reason in (("session read", "sets no cookie"), ("static file 304", "neither an ETag")):
        with pytest.raises(Unequal, match=reason):
            introduce(CASES[name], "it", lambda case, more: PLAIN)


def test_subjects_that_answer_the_same_share_a_line() -> None:
    other = changed(PLAIN, "Vary", "Cookie")
    groups = list(alike({"a": PLAIN, "b": other, "c": PLAIN}))
    assert groups == [(["a", "c"], PLAIN), (["b"], other)]
    assert described(other) == (
        "200; 13 bytes; content-length: 13; content-type: text/html; charset=utf-8; vary: Cookie"
    )


def test_what_is_compared_is_told() -> None:
    assert compared(CASES["session write"]) == (
        "status 200; content-type text/html; charset=utf-8; that there is content-length; the body, 7 bytes; "
        "what the cookies hold, at /session"
    )
    assert compared(CASES["404"]) == "status 404; that there is content-length"
