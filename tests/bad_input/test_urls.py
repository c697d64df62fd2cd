"""Malformed hosts and paths."""

from __future__ import annotations

import typing as t

import pytest

from .calling import Caller, refused

# Host


@pytest.mark.parametrize(
    "host",
    [
        "", " ", "evil/../", "a@b", "a b", "a\x00b", "a\tb", "a?b", "a#b", "a\\b", "a:b", "a:-1", "a:99999", "a:0", "a:80:80",
        "a:\u00b2", "[::1", "::1", "[::1]x", "[zz]", "a,b", "http://a", "a/", "\xff", "a%00b", "localhost:80@evil", "<b>",
        "a:80 ", "a\r\nX: y", "xn--\xff.test",
    ],
)  # fmt: skip
def test_a_malformed_host_is_refused(send: Caller, host: str) -> None:
    """CVE-2026-48710: a malformed Host poisons the URL of the request."""
    answer = send("/url", HTTP_HOST=host)
    refused(answer)
    assert host not in ("<b>",) or host not in answer.body


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "a.b-c.test",
        "a:80",
        "127.0.0.1:5000",
        "[::1]",
        "[::1]:5000",
        "xn--bcher-kva.test",
        "a_b.test",
        "a.",
        "A.TEST",
    ],
)
def test_a_host_in_its_form_is_answered(send: Caller, host: str) -> None:
    assert send("/url", HTTP_HOST=host).status == 200


@pytest.mark.parametrize(
    "host", ["xn--other.test", "xn--a-ecp.test", "xn--.test", "a..b", "." * 300, "x" * 300]
)
def test_a_host_that_idna_cannot_decode_is_no_crash(send: Caller, host: str) -> None:
    """Whether such a name decodes differs between versions of Python."""
    assert send("/url", HTTP_HOST=host).status in (200, 400)


def test_a_request_without_a_host_takes_the_servers_name(send: Caller) -> None:
    assert '"host":"localhost:8080"' in send("/url", HTTP_HOST=None, SERVER_PORT="8080").body


def test_a_host_never_changes_the_path(send: Caller) -> None:
    """CVE-2026-48710: what routing sees is what the view reads."""
    for host in ("evil.test/admin", "evil.test?", "evil.test#"):
        assert "/admin" not in send("/url", HTTP_HOST=host).body


# Paths


@pytest.mark.parametrize("path", ["/path/%ff", "/path/%c3", "/%ed%a0%80", "/path/a%c0%afb", "/%fe%ff"])
def test_a_path_that_is_no_utf8_is_refused(send: Caller, path: str) -> None:
    refused(send(path))


@pytest.mark.parametrize(
    "path",
    [
        "/path/%00",
        "/%00",
        "/path/a%0d%0aX:y",
        "/path/a%0a",
        "/slash%0d%0aSet-Cookie:a=b",
        "/path/%7f",
        "/path/%1b",
    ],
)
def test_a_path_with_control_characters_is_refused(send: Caller, path: str) -> None:
    refused(send(path))


@pytest.mark.parametrize(
    "path",
    ["//evil.test/", "//evil.test", "///evil.test/..", "//evil.test/slash", "/\\evil.test", "/%5cevil.test/"],
)
def test_no_path_redirects_to_another_host(send: Caller, path: str) -> None:
    """CVE-2020-28724: the path ``//evil`` becomes an open redirect."""
    answer = send(path)
    location = dict(answer.headers).get("Location", "http://localhost/")
    assert location.startswith(("http://localhost/", "/")) and not location.startswith("//")
    assert answer.status in (308, 404)


@pytest.mark.parametrize(
    "path", ["@evil.test/", "evil.test", "@evil.test/slash", ".evil.test", ":80@evil.test/slash"]
)
def test_a_path_without_slash_moves_no_authority(send: Caller, path: str) -> None:
    """CVE-2026-54282: the path ``@evil`` moves the authority."""
    answer = send(path)
    assert answer.status in (308, 400, 404)
    assert dict(answer.headers).get("Location", "http://localhost/").startswith("http://localhost/")
    answer = send("/url", PATH_INFO="url")
    assert answer.status in (400, 404) or '"url":"http://localhost/url"' in answer.body


def test_a_redirect_keeps_its_host(send: Caller) -> None:
    assert dict(send("/slash").headers)["Location"] in ("http://localhost/slash/", "/slash/")
    assert dict(send("//slash").headers)["Location"] in (
        "http://localhost/slash",
        "http://localhost/slash/",
        "/slash",
        "/slash/",
    )


@pytest.mark.parametrize(
    "path",
    [None, "", "*", "/../../etc/passwd", "/path/../../x", "/" + "a/" * 5_000, "/path/" + "x" * 100_000],
)
def test_an_odd_path_is_no_crash(send: Caller, path: str | None) -> None:
    assert send("/", PATH_INFO=path).status in (200, 308, 400, 404)


@pytest.mark.parametrize(
    "name",
    [
        "..%2ffile.txt",
        "..\\file.txt",
        "%2e%2e/file.txt",
        "NUL",
        "CON.txt",
        "\\\\host\\share",
        "//etc/passwd",
        "c:/x",
        "a%00b",
    ],
)
def test_no_static_path_leaves_its_folder(send: Caller, tmp_path: t.Any, name: str) -> None:
    """Sanic CVE-2017-16762, Werkzeug CVE-2024-49766, CVE-2025-66221, CVE-2026-21860, CVE-2026-27199."""
    (tmp_path / "static").mkdir(exist_ok=True)
    assert send(f"/static/{name}").status in (400, 404, 308)


# Conversion of path values


@pytest.mark.parametrize(
    "text", ["\u0661", "1" * 5_000, "1e5", "-1", "+1", "1_0", " 1", "1.", ".5", "nan", "inf", "\xb2"]
)
def test_an_odd_number_in_a_path_is_404(send: Caller, text: str) -> None:
    """Werkzeug: a float converter's ValueError answered with 500; Unicode digits."""
    send.app.add_url_rule("/int/<int:value>", "int", lambda value: f"{value}")
    send.app.add_url_rule("/float/<float:value>", "float", lambda value: f"{value}")
    path = text.encode().decode("latin-1")
    # An Arabic digit is one: Werkzeug's converter reads it as Flask's does.
    assert send("/", PATH_INFO=f"/int/{path}").status == (200 if text == "\u0661" else 404)
    assert send("/", PATH_INFO=f"/float/{path}").status == 404
    assert send("/", PATH_INFO="/float/1." + "1" * 5_000).status in (200, 404)
