"""Secrets that hide in something else: in paths, in JSON, in the text of other values."""

from __future__ import annotations

import dataclasses
import html
import json
import typing as t
import uuid
from collections import OrderedDict, defaultdict

import pytest

from debugged import BROWSER, Visitor
from erlen import Erlen, request, session
from erlen.debugger.masking import HIDDEN, Mask, is_secret_name

FORMS = pytest.mark.parametrize("accept", [BROWSER, "application/json", "*/*"])


# Not in the tests, whose source the page shows.
ADVICE = "no secret key to sign its cookie with. Set one, app.secret_key = '...' or the"
IN_PATH = "to%20ken-of-ada"
IN_JSON = "correct-horse"
IN_VAULT = "vault-of-ada"
INSIDE = ["hunter-two", "987654", "deadbeef", "bytes-secret", "in-json", "in-quotes", "pass@word"]


@dataclasses.dataclass
class Login:
    """What somebody logs in with."""

    name: str
    password: str
    pin: int
    session_id: uuid.UUID
    token: bytes


LOGIN = Login("ada", INSIDE[0], int(INSIDE[1]), uuid.UUID(INSIDE[2] * 4), INSIDE[3].encode())
QUOTES = f"it's \"{{'password': '{INSIDE[5]}'}}\""


@FORMS
def test_a_token_in_the_path_is_hidden(visitor: Visitor, failing: Erlen, accept: str) -> None:
    @failing.get("/reset/<token>/<user>")
    def reset(token: str, user: str) -> str:
        raise LookupError(request.url, token)

    text = visitor.ask(f"/reset/{IN_PATH}/grace", accept=accept).text
    assert IN_PATH[5:] not in text
    assert "grace" in text and "/reset/[hidden]/" in text


@FORMS
def test_what_json_has_brought_is_hidden(visitor: Visitor, failing: Erlen, accept: str) -> None:
    @failing.post("/login")
    def login() -> str:
        given: t.Any = request.get_json()
        [user] = given["users"]
        raise LookupError(f"no {user['name']} with {user['password']}")

    content = json.dumps({"users": [{"name": "ada", "password": IN_JSON}]})
    headers = {"Content-Type": "application/json"}
    text = visitor.ask("/login", method="POST", accept=accept, headers=headers, data=content).text
    assert IN_JSON not in text
    assert "no ada with [hidden]" in text


def test_json_that_was_not_read_is_not_read(visitor: Visitor, failing: Erlen) -> None:
    @failing.post("/unread")
    def unread() -> str:
        raise LookupError("unread")

    headers = {"Content-Type": "application/json"}
    assert "unread" in visitor.ask("/unread", method="POST", headers=headers, data="{").text


@FORMS
def test_a_message_that_quotes_a_secret_variable_is_masked(
    visitor: Visitor, failing: Erlen, accept: str
) -> None:
    @failing.get("/vault")
    def vault() -> str:
        api_key, token = IN_VAULT, "import"
        raise LookupError(f"{api_key} was refused, {token} was not")

    text = visitor.ask("/vault", accept=accept).text
    assert IN_VAULT not in text
    assert "[hidden] was refused, import was not" in text


@FORMS
def test_values_in_the_text_of_others_are_hidden(visitor: Visitor, failing: Erlen, accept: str) -> None:
    @failing.get("/nested")
    def nested() -> str:
        login, quotes, url = LOGIN, QUOTES, f"postgresql://shop:{INSIDE[6]}@localhost/shop"
        ordered, default = OrderedDict(vars(LOGIN)), defaultdict(list, vars(LOGIN))
        outer = json.dumps({"it's": json.dumps({"password": INSIDE[4]})})
        raise LookupError(f"{login} {outer}", bool((ordered, default, quotes, url)))

    text = visitor.ask("/nested", accept=accept).text
    assert "ada" in text
    for secret in INSIDE:
        assert secret not in text, secret


@pytest.mark.parametrize(("text", "expected"), [
    ("x\nhunter-two", "x\n[hidden]"), (repr("x\nhunter-two"), r"'x\n[hidden]'"), ("a%20hunter-two", "a%20[hidden]"),
    ("hunter-twosome", "hunter-twosome"), ("xhunter-two", "xhunter-two"), ("reset_0123456789abcdef_1", "reset_[hidden]_1"),
    ("token = request.args.get('token')", "token = request.args.get('token')"),
    ("password: str = None", "password: str = None"), ("Login(pin=1234)", "Login(pin=[hidden])"), ("Login(pin=12)", "Login(pin=12)"),
    ("http://localhost:5000/users/@ada", "http://localhost:5000/users/@ada"),
    ("postgresql://u:p@ss@host/db", "postgresql://u:[hidden]@host/db"),
    (r"a=\'x, pin=1234\\\' b", r"a=\'x, pin=[hidden]\\\' b"), (r"a password=\\\'bcdef\' c", r"a password=\\\'[hidden]\\\' c"),
    ("Login(pin='123')", "Login(pin='[hidden]')"), ("{'password': 'hunter'}", "{'password': '[hidden]'}"),
    ("/a?token=abc", "/a?token=[hidden]"),
])  # fmt: skip
def test_text_is_masked_and_else_unchanged(text: str, expected: str) -> None:
    mask = Mask()
    mask.add(["hunter-two", "0123456789abcdef"])
    assert mask(text) == expected


@pytest.mark.parametrize("value", [
    "...", "\u2026", "***", "xxxxxxxx", "<your key>", "{token}", "${SECRET_KEY}", "$SECRET_KEY", "%s", "%(password)s", "your-secret-key", "abcd", "",
])  # fmt: skip
@pytest.mark.parametrize("quote", ["'", '"', r"\'"])
def test_what_stands_for_a_secret_in_advice_is_shown(value: str, quote: str) -> None:
    text = f"Set app.secret_key = {quote}{value}{quote}, or {{{quote}password{quote}: {quote}{value}{quote}}}"
    assert Mask()(text) == text


@pytest.mark.parametrize("value", ["..a..", "xx-yy-zz", "<a>b<c>", "$ecret", "yourself", "!!@@##"])
def test_what_only_begins_like_that_is_hidden(value: str) -> None:
    assert Mask()(f"secret_key = '{value}'") == "secret_key = '[hidden]'"


@FORMS
def test_the_advice_for_an_application_without_a_secret_key_is_whole(
    visitor: Visitor, failing: Erlen, accept: str
) -> None:
    failing.secret_key = None

    @failing.get("/keyless")
    def keyless() -> str:
        session["user"] = "ada"
        return ""

    text = html.unescape(visitor.ask("/keyless", accept=accept).text)
    assert ADVICE in text


@pytest.mark.parametrize("name", ["MAIL_PASS", "db-pass", "smtpPass", "cvv"])
def test_names_that_are_short_for_a_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["compass", "passenger", "passed"])
def test_words_that_contain_such_a_name(name: str) -> None:
    assert not is_secret_name(name)


def test_a_request_cannot_crowd_out_the_secrets_of_the_application(visitor: Visitor, failing: Erlen) -> None:
    failing.config["PAYMENT"] = {"api_key": "key-of-the-payment"}

    @failing.get("/crowded")
    def crowded() -> str:
        raise LookupError("refused: " + failing.config["PAYMENT"]["api_key"])

    query = "&".join(f"token{number}=value-{number:05}" for number in range(600))
    assert f"refused: {HIDDEN}" in visitor.ask(f"/crowded?{query}", accept="*/*").text


def test_a_secret_is_not_shown_where_long_bytes_are_cut(visitor: Visitor, failing: Erlen) -> None:
    secret = "secret-of-the-body"

    @failing.post("/bytes")
    def long_bytes() -> str:
        data = request.get_data()
        raise LookupError(len(data))

    for length in (1275, 1280, 1285):
        body = "x" * length + f'{{"password": "{secret}"}}' + "y" * 5000
        text = visitor.ask("/bytes", method="POST", accept="application/json", data=body).text
        assert "secret-of" not in text
