"""The question whether a password was stolen, and what becomes of it where nobody answers."""

from __future__ import annotations

import logging
import typing as t

import httpx
import pytest

from erlen.ext.security.passwords import BreachCheck, HaveIBeenPwned

# SHA-1 of `password` is 5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8.
REST = "1E4C9B93F3F0682250B6CF8331B7EE68FD8"
LINES = f"003D68EB55068C33ACE09247EE4C639306B:3\r\n{REST}:9659365\r\n012C192B2F16F82EA0EB9EF18D9D539B0DD:0"


def asked(handler: t.Callable[[httpx.Request], httpx.Response]) -> HaveIBeenPwned:
    return HaveIBeenPwned(httpx.Client(transport=httpx.MockTransport(handler)))


def test_only_five_digits_of_the_hash_leave_the_process() -> None:
    requests: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, text=LINES)

    assert asked(handler).count("password") == 9659365
    (request,) = requests
    assert str(request.url) == "https://api.pwnedpasswords.com/range/5BAA6"
    assert request.headers["Add-Padding"] == "true"
    assert request.extensions["timeout"] == {"connect": 2.0, "read": 2.0, "write": 2.0, "pool": 2.0}
    sent = repr((request.headers.raw, request.read(), request.url))
    assert REST not in sent
    assert "password" not in sent.replace("pwnedpasswords", "")


@pytest.mark.parametrize(
    ("text", "count"),
    [
        (LINES.replace("\r\n", "\n").lower(), 9659365),
        (LINES.replace("9659365", "0"), 0),  # a random line of the padding
        (LINES.replace(REST, REST[:-1] + "9"), 0),
        (f"{REST}:", 0),
        (f"{REST}:-5", 0),
        (f"{REST}:" + "9" * 5000, 0),
        (f"x{REST}:5", 0),
        ("", 0),
        ("<html>not what was asked for</html>", 0),
        ("\udcff", 0),
    ],
)
def test_the_answer_is_read_for_the_rest_of_the_hash(text: str, count: int) -> None:
    content = text.encode("utf-8", "surrogateescape")
    assert asked(lambda _: httpx.Response(200, content=content)).count("password") == count


def _raise(error: Exception) -> httpx.Response:
    raise error


@pytest.mark.parametrize(
    "handler",
    [
        lambda _: _raise(httpx.ConnectError("refused")),
        lambda _: _raise(httpx.ReadTimeout("too slow")),
        lambda _: httpx.Response(500, text=LINES),
        lambda _: httpx.Response(404),
        lambda _: httpx.Response(301, headers={"Location": "https://evil.com/"}, text=LINES),
        lambda _: httpx.Response(200, content=b"0" * (1024 * 1024 + 1) + LINES.encode()),
    ],
    ids=["refused", "slow", "500", "404", "moved", "endless"],
)
def test_a_service_that_does_not_answer_stops_nobody(
    handler: t.Callable[[httpx.Request], httpx.Response], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "erlen"):
        assert asked(handler).count("password") == 0
    assert "Whether a password is among stolen ones could not be asked" in caplog.text
    assert "5BAA6" not in caplog.text


def test_any_text_may_be_asked_for() -> None:
    check: BreachCheck = asked(lambda _: httpx.Response(200, text=LINES))
    assert check.count("\ud800") == 0
    assert check.count("") == 0
