"""Requests and their answers, as clients of real servers see them."""

from __future__ import annotations

import contextlib
import json
import typing as t
from http.client import HTTPConnection

import pytest

from .servers import Server, eventually, new_key
from .wire import read_answer

in_both_kinds = pytest.mark.parametrize("kind", ["plain", "async"])

# Servers that do otherwise than the rest, and what. The tests hold them to it, so that nobody misses when it changes.
UNDERSCORE_IS_DASH = {
    "granian-wsgi": "X_Real_IP becomes HTTP_X_REAL_IP as well and stands in for X-Real-IP, whichever comes last",
}
LATIN_1_IS_EMPTY = {"granian-wsgi": "a value with bytes beyond ASCII arrives as an empty one"}
LATIN_1_IS_UTF_8 = {"granian-wsgi": "values of a response are sent in UTF-8, where PEP 3333 has Latin-1"}
COOKIES_JOINED_BY_COMMA = {
    "gunicorn-wsgi": "two Cookie headers are joined by a comma as any others, so the second is part of the first's value",
}


@pytest.fixture
def connection(server: Server) -> t.Iterator[HTTPConnection]:
    with contextlib.closing(server.connection()) as opened:
        yield opened


@in_both_kinds
def test_a_view_answers(server: Server, kind: str) -> None:
    answer = server.get(f"/{kind}/quick")
    assert (answer.status, answer.text) == (200, "quick")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Content-Length"] == "5"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@in_both_kinds
def test_parameters_and_query_arrive(server: Server, kind: str) -> None:
    answer = server.get(f"/{kind}/echo/42/a/b?one=1&two=2&one=%C3%A9&empty=")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json == {
        "number": 42,
        "rest": "a/b",
        "args": {"one": ["1", "\xe9"], "two": ["2"], "empty": [""]},
        "method": "GET",
    }


@in_both_kinds
def test_a_connection_serves_several_requests(connection: HTTPConnection, kind: str) -> None:
    for number in range(3):
        connection.request("GET", f"/{kind}/echo/{number}/x")
        assert b'"rest":"x"' in connection.getresponse().read()


@in_both_kinds
def test_requests_in_one_piece_are_answered_in_order(server: Server, kind: str) -> None:
    with server.connect() as opened:
        opened.sendall(b"".join(server.lines(f"GET /{kind}/echo/{number}/x HTTP/1.1") for number in range(3)))
        answers = [read_answer_of_many(opened) for _ in range(3)]
    assert [b'"number":%d' % number in body for number, body in enumerate(answers)] == [True] * 3


def read_answer_of_many(opened: t.Any) -> bytes:
    """Read exactly one response: what follows on the connection stays there."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += opened.recv(1)
    length = int(data.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    body = b""
    while len(body) < length:
        body += opened.recv(length - len(body))
    return body


@in_both_kinds
def test_headers_arrive_and_leave(server: Server, kind: str) -> None:
    with contextlib.closing(server.connection()) as connection:
        connection.putrequest("GET", f"/{kind}/headers")
        connection.putheader("X-Again", "one")
        connection.putheader("x-again", "two")
        connection.putheader("X-Latin-1", b"caf\xe9")
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
    headers = dict(json.loads(body))
    assert headers["X-Again"].replace(" ", "") == "one,two"
    assert headers["X-Latin-1"] == ("" if server.kind.name in LATIN_1_IS_EMPTY else "caf\xe9")
    assert response.headers.get_all("X-Twice") == ["one", "two"]
    sent = "caf\xe9".encode("utf-8" if server.kind.name in LATIN_1_IS_UTF_8 else "latin1")
    assert response.headers["X-Latin"] == sent.decode("latin1")


@in_both_kinds
def test_an_underscore_does_not_stand_for_a_dash(server: Server, kind: str) -> None:
    answer = server.get(f"/{kind}/headers", {"X_Real_IP": "6.6.6.6"})
    if server.kind.name in UNDERSCORE_IS_DASH:
        assert dict(answer.json)["X-Real-Ip"] == "6.6.6.6"
    else:
        assert answer.status == 200
        assert "6.6.6.6" not in answer.text


@in_both_kinds
def test_a_dashed_header_wins_over_one_with_an_underscore(server: Server, kind: str) -> None:
    answer = server.get(f"/{kind}/headers", {"X-Real-IP": "1.1.1.1", "X_Real_IP": "6.6.6.6"})
    expected = "6.6.6.6" if server.kind.name in UNDERSCORE_IS_DASH else "1.1.1.1"
    assert dict(answer.json)["X-Real-Ip"] == expected


@in_both_kinds
def test_cookies_arrive_and_leave(server: Server, kind: str) -> None:
    answer = server.get(f"/{kind}/cookies", {"Cookie": "a=1; b=two"})
    assert answer.json == {"a": ["1"], "b": ["two"]}
    assert answer.headers.get_all("Set-Cookie") == ["first=1; Path=/", "second=2; Path=/"]


@in_both_kinds
def test_cookies_in_two_headers_are_all_there(server: Server, kind: str) -> None:
    with server.opened(
        f"GET /{kind}/cookies HTTP/1.1\nCookie: a=1\nCookie: b=2\nConnection: close"
    ) as opened:
        answer = read_answer(opened)
    assert answer is not None
    joined = server.kind.name in COOKIES_JOINED_BY_COMMA
    assert answer.json == ({"a": ["1,b=2"]} if joined else {"a": ["1"], "b": ["2"]})


@in_both_kinds
def test_a_session_goes_on_over_requests(server: Server, kind: str) -> None:
    cookie = ""
    for visit in (1, 2, 3):
        answer = server.get(f"/{kind}/visits", {"Cookie": cookie} if cookie else None)
        assert answer.json == {"visits": visit}
        assert answer.headers["Vary"] == "Cookie"
        cookie = answer.headers["Set-Cookie"].partition(";")[0]


@in_both_kinds
def test_urls_are_those_of_the_client(server: Server, kind: str) -> None:
    answer = server.get(f"/{kind}/address?q=1").json
    root = f"http://127.0.0.1:{server.port}"
    assert answer == {
        "built": "/plain/echo/7/a%20b?q=%C3%A9",
        "external": f"{root}/plain/quick",
        "url": f"{root}/{kind}/address?q=1",
        "path": f"/{kind}/address",
        "root": "",
        "scheme": "http",
        "client": "127.0.0.1",
    }


@in_both_kinds
def test_the_host_of_urls_is_the_one_the_client_names(server: Server, kind: str) -> None:
    answer = server.get(f"/{kind}/address", {"Host": "www.example.com:8080"}).json
    assert answer["external"] == "http://www.example.com:8080/plain/quick"


@in_both_kinds
def test_proxy_headers_of_anybody_are_not_believed(server: Server, kind: str) -> None:
    answer = server.get(f"/{kind}/address", {"X-Forwarded-Host": "evil.example"}).json
    assert answer["external"] == f"http://127.0.0.1:{server.port}/plain/quick"


@in_both_kinds
def test_a_redirect_names_its_target(server: Server, kind: str) -> None:
    answer = server.get(f"/{kind}/moved")
    assert (answer.status, answer.headers["Location"]) == (302, "/plain/quick")


@in_both_kinds
def test_a_missing_slash_is_redirected_with_its_query(server: Server, kind: str) -> None:
    answer = server.get(f"/{kind}/slash?a=1")
    assert answer.status == 308
    assert answer.headers["Location"] == f"http://127.0.0.1:{server.port}/{kind}/slash/?a=1"


def test_an_unknown_path_is_404(server: Server) -> None:
    assert server.get("/nothing/here").status == 404


@in_both_kinds
def test_another_method_is_405_and_names_the_right_ones(server: Server, kind: str) -> None:
    answer = server.request("DELETE", f"/{kind}/echo/1/x")
    assert answer.status == 405
    assert {"GET", "HEAD", "OPTIONS", "PUT"} == set(answer.headers["Allow"].replace(" ", "").split(","))


@in_both_kinds
def test_head_has_the_headers_of_get_and_no_body(connection: HTTPConnection, kind: str) -> None:
    connection.request("HEAD", f"/{kind}/quick")
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Content-Length"], answer.read()) == (200, "5", b"")
    connection.request("GET", f"/{kind}/quick")
    assert connection.getresponse().read() == b"quick"


@in_both_kinds
def test_head_of_a_stream_has_no_body_and_closes_it(
    connection: HTTPConnection, server: Server, kind: str
) -> None:
    key = new_key()
    connection.request("HEAD", f"/{kind}/pieces/{kind}?key={key}")
    assert connection.getresponse().read() == b""
    assert server.noted(key, "torn down") == ["torn down"]
    connection.close()


@in_both_kinds
def test_options_are_answered(server: Server, kind: str) -> None:
    answer = server.request("OPTIONS", f"/{kind}/quick")
    assert (answer.status, answer.body) == (200, b"")
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) == {"GET", "HEAD", "OPTIONS"}


@in_both_kinds
def test_an_error_is_a_500_that_is_logged_once(server: Server, kind: str) -> None:
    line = f"Exception on /{kind}/on-purpose/error [GET]"
    before = server.log().count(line)
    answer = server.get(f"/{kind}/on-purpose/error")
    assert answer.status == 500
    assert "on purpose" not in answer.text
    assert eventually(lambda: server.log().count(line) - before) == 1
    assert server.get(f"/{kind}/quick").text == "quick"


@in_both_kinds
@pytest.mark.parametrize("status", [400, 403, 410, 418, 503])
def test_abort_answers_with_its_status(server: Server, kind: str, status: int) -> None:
    assert server.get(f"/{kind}/abort/{status}").status == status


@in_both_kinds
def test_an_error_handler_answers(server: Server, kind: str) -> None:
    answer = server.get(f"/{kind}/handled")
    assert (answer.status, answer.json) == (409, {"handled": "Handled"})


@in_both_kinds
@pytest.mark.parametrize("hooks", ["plain", "async"])
def test_hooks_run_around_a_view(server: Server, hooks: str, kind: str) -> None:
    key = new_key()
    answer = server.get(f"/hooks-{hooks}/{kind}?key={key}")
    assert answer.text == kind
    assert answer.headers["X-Trail"] == f"before {hooks}, view {kind}, after {hooks}"
    assert server.noted(key, "torn down", f"teardown {hooks}") == [f"teardown {hooks}", "torn down"]


@pytest.mark.parametrize("hooks", ["plain", "async"])
def test_hooks_run_around_an_error(server: Server, hooks: str) -> None:
    key = new_key()
    answer = server.get(f"/hooks-{hooks}/on-purpose?key={key}")
    assert answer.status == 500
    assert answer.headers["X-Trail"] == f"before {hooks}, after {hooks}"
    expected = [f"teardown {hooks}", "torn down after Provoked"]
    assert server.noted(key, *expected) == expected


@in_both_kinds
def test_a_file_is_sent_as_a_whole_and_in_parts(server: Server, kind: str) -> None:
    whole = server.get(f"/{kind}/file")
    assert (whole.status, whole.body) == (200, b"0123456789abcdef" * 65536)
    part = server.get(f"/{kind}/file", {"Range": "bytes=16-31"})
    assert (part.status, part.body) == (206, b"0123456789abcdef")
    assert part.headers["Content-Range"] == "bytes 16-31/1048576"


def test_a_static_file_is_sent_once_until_it_changes(server: Server) -> None:
    first = server.get("/static/hello.txt")
    assert (first.status, first.text) == (200, "Hello from a file.\n")
    assert first.headers["Content-Type"] == "text/plain; charset=utf-8"
    again = server.get("/static/hello.txt", {"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


@in_both_kinds
def test_a_page_of_another_site_cannot_post(server: Server, kind: str) -> None:
    sent = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example"}
    assert server.request("POST", f"/{kind}/form", b"a=1", sent).status == 403
    sent["Origin"] = f"http://127.0.0.1:{server.port}"
    assert server.request("POST", f"/{kind}/form", b"a=1", sent).status == 200


def test_plain_views_run_side_by_side_and_leave_the_loop_alone(server: Server) -> None:
    """Eight views wait on threads until the test lets them go on, and an async one is answered meanwhile."""
    keys = [new_key() for _ in range(8)]
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(server.opened(f"GET /plain/wait?key={key} HTTP/1.1")) for key in keys]
        for key in keys:
            assert server.noted(key, "began") == ["began"]
        assert server.get("/async/quick").text == "quick"
        assert server.get("/plain/quick").text == "quick"
        for key in keys:
            server.open_gate(key)
        answers = [read_answer(one) for one in opened]
    assert [answer and answer.body for answer in answers] == [b"waited"] * 8


def test_async_views_wait_side_by_side(server: Server) -> None:
    keys = [new_key() for _ in range(8)]
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(server.opened(f"GET /async/wait?key={key} HTTP/1.1")) for key in keys]
        for key in keys:
            assert server.noted(key, "began") == ["began"]
        assert server.get("/plain/quick").text == "quick"
        for key in keys:
            server.open_gate(key)
        answers = [read_answer(one) for one in opened]
    assert [answer and answer.body for answer in answers] == [b"waited"] * 8
