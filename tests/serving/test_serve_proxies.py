"""Headers of proxies count when a proxy that was named has sent them, and never else."""

from __future__ import annotations

import asyncio
import typing as t

import pytest

from erlen import Erlen, request
from erlen.commands.serve.proxies import Forwarded, TrustedProxies, parse_address

PROXIES = TrustedProxies(["10.0.0.0/8", "192.0.2.7", "fd00::/8"])


def client(forwarded_for: str) -> str | None:
    return PROXIES.read(forwarded_for, None, None, None).client


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("203.0.113.5", "203.0.113.5"),
        # What the client has sent itself stands in front.
        ("198.51.100.1, 203.0.113.5", "203.0.113.5"),
        ("127.0.0.1,10.9.9.9,203.0.113.5", "203.0.113.5"),
        # Several proxies.
        ("203.0.113.5, 10.0.0.2, 192.0.2.7", "203.0.113.5"),
        ("6.6.6.6, 203.0.113.5, 10.0.0.2", "203.0.113.5"),
        # All of them are proxies: the outermost one has asked.
        ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("203.0.113.5:4711", "203.0.113.5"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("203.0.113.5, ::ffff:10.0.0.1", "203.0.113.5"),
        # Malformed: with all that stands in front of it, which nobody vouches for.
        ("6.6.6.6, unknown", None),
        ("6.6.6.6, ", None),
        ("", None),
        (",,,", None),
        ("6.6.6.6, _hidden, 10.0.0.2", "10.0.0.2"),
        ("6.6.6.6, 010.0.0.1", None),
        ("6.6.6.6, 203.0.113.5 10.0.0.1", None),
        ("203.0.113.5\r\nX-Evil: 1", None),
        ("1.2.3.4.5", None),
        ("٣.0.0.1", None),
        ("[203.0.113.5", None),
        ("<script>", None),
        ("0x7f000001", None),
        # A zone may be any text.
        ("fe80::1%eth0", "fe80::1"),
        ('2001:db8::1%"><script>', "2001:db8::1"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_named_proxy(header: str, expected: str | None) -> None:
    assert client(header) == expected


def test_a_list_without_end_is_read_from_its_end() -> None:
    assert client("6.6.6.6," * 100_000 + "203.0.113.5") == "203.0.113.5"


@pytest.mark.parametrize(
    ("proto", "expected"),
    [
        ("https", "https"),
        ("HTTP", "http"),
        (" https ", "https"),
        ("http, https", "https"),
        ("javascript", None),
        ("https://", None),
        ("", None),
        ("https,", None),
        ("wss", None),
    ],
)
def test_only_http_and_https_are_schemes(proto: str, expected: str | None) -> None:
    assert PROXIES.read("", proto, None, None).scheme == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.example", "shop.example"),
        ("shop.example:8443", "shop.example:8443"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ("evil.example, shop.example", "shop.example"),
        ("shop.example:99999", None),
        ("shop.example:0", None),
        ("shop.example:", None),
        ("user@evil.example", None),
        ("evil.example/path", None),
        ("evil.example#", None),
        ("evil.example\\@shop.example", None),
        ("shop.example\r\nX-Evil: 1", None),
        ("shop..example", None),
        ("-shop.example", None),
        ("[shop]", None),
        ("[::1", None),
        ("shöp.example", None),
        ("", None),
        ("a" * 300, None),
    ],
)
def test_a_host_is_a_name_with_or_without_port(host: str, expected: str | None) -> None:
    assert PROXIES.read("", None, host, None).host == expected


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("/shop", "/shop"),
        ("/shop/", "/shop"),
        ("/a/b", "/a/b"),
        ("/", None),
        ("", None),
        ("shop", None),
        ("//evil.example", None),
        ("/\\evil.example", None),
        ("/a//b", None),
        ("/../admin", None),
        ("/a/./b", None),
        ("/a%2f", None),
        ("/a?b", None),
        ("/a b", None),
        ("/a\r\nX: 1", None),
        ("https://evil.example", None),
    ],
)
def test_a_prefix_is_a_path_and_nothing_else(prefix: str, expected: str | None) -> None:
    assert PROXIES.read("", None, None, prefix).prefix == expected


def test_of_several_proxies_what_the_outermost_has_added_counts() -> None:
    said = PROXIES.read(
        "203.0.113.5, 10.0.0.2",
        "spoofed, https, http",
        "evil.example, shop.example, inner.local",
        "/evil, /shop, /in",
    )
    assert said == Forwarded("203.0.113.5", "https", "shop.example", "/shop")


def test_one_that_overwrites_what_others_have_added_counts() -> None:
    assert PROXIES.read("203.0.113.5, 10.0.0.2", "https", "shop.example", None).host == "shop.example"


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("10.1.2.3", True),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("127.0.0.1", False),
        ("fd00::1", True),
        ("::ffff:10.1.2.3", True),
        ("", False),
        ("/run/app.sock", False),
    ],
)
def test_addresses_and_networks_are_trusted_and_nobody_else(peer: str, expected: bool) -> None:
    # The second time from memory.
    assert PROXIES.trust(peer) is PROXIES.trust(peer) is expected


def test_a_unix_socket_is_trusted_when_it_was_named() -> None:
    assert TrustedProxies(["unix"]).trust("")
    assert TrustedProxies(["UNIX"]).trust("/run/app.sock")
    assert not TrustedProxies(["unix"]).trust("127.0.0.1")


def test_nobody_is_trusted_unless_named() -> None:
    assert not any(TrustedProxies([]).trust(peer) for peer in ("", "127.0.0.1", "::1"))


@pytest.mark.parametrize("text", ["fe80::1%eth0", "[::1]:80", "127.0.0.1:80"])
def test_addresses_as_headers_have_them_are_read(text: str) -> None:
    assert parse_address(text) is not None


# What the application sees


def application() -> Erlen:
    app = Erlen(__name__)

    @app.get("/seen")
    def seen() -> dict[str, t.Any]:
        return {
            "client": request.remote_addr,
            "url": request.url,
            "root": request.root_path,
            "path": request.path,
            "secure": request.is_secure,
        }

    return app


HEADERS = {
    "Host": "inner.local:8000",
    "X-Forwarded-For": "203.0.113.5",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
    "X-Forwarded-Prefix": "/shop",
}


def seen_over(over: str, peer: str, headers: dict[str, str]) -> t.Any:
    app = application()
    if over == "wsgi":
        app.wsgi_app = PROXIES.around_wsgi(app.wsgi_app)  # type: ignore[method-assign]
        return app.test_client().get("/seen", headers=headers, environ_base={"REMOTE_ADDR": peer}).json
    return asyncio.run(_ask(PROXIES.around_asgi(app), peer, headers))


async def _ask(app: t.Any, peer: str, headers: dict[str, str]) -> t.Any:
    import json

    sent: list[dict[str, t.Any]] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/seen",
        "raw_path": b"/seen",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin1")) for name, value in headers.items()],
        "client": (peer, 4711),
        "server": ("10.0.0.1", 8000),
    }

    async def receive() -> dict[str, t.Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, t.Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return json.loads(b"".join(message.get("body", b"") for message in sent))


@pytest.mark.parametrize("over", ["wsgi", "asgi"])
def test_an_application_sees_what_a_named_proxy_tells(over: str) -> None:
    assert seen_over(over, "10.0.0.1", HEADERS) == {
        "client": "203.0.113.5",
        "url": "https://shop.example/shop/seen",
        "root": "/shop",
        "path": "/seen",
        "secure": True,
    }


@pytest.mark.parametrize("over", ["wsgi", "asgi"])
def test_a_client_that_is_no_proxy_cannot_set_the_host_with_x_forwarded_host(over: str) -> None:
    """Litestar: X-Forwarded-Host trusted."""
    found = seen_over(over, "203.0.113.9", HEADERS)
    assert found["url"] == "http://inner.local:8000/seen"
    assert not found["secure"]


@pytest.mark.parametrize("over", ["wsgi", "asgi"])
@pytest.mark.parametrize("value", ["1.2.3.4", "10.0.0.1", "127.0.0.1", "1.2.3.4, 5.6.7.8"])
def test_a_rate_limit_is_not_passed_by_with_x_forwarded_for(over: str, value: str) -> None:
    """Litestar: X-Forwarded-For defeats the rate limit, as each value was another client."""
    assert seen_over(over, "203.0.113.9", {**HEADERS, "X-Forwarded-For": value})["client"] == "203.0.113.9"
    # Through a proxy, which adds the address that has called it.
    headers = {**HEADERS, "X-Forwarded-For": f"{value}, 203.0.113.9"}
    assert seen_over(over, "10.0.0.1", headers)["client"] == "203.0.113.9"


@pytest.mark.parametrize("over", ["wsgi", "asgi"])
def test_what_a_named_proxy_tells_wrongly_changes_nothing(over: str) -> None:
    headers = {
        "Host": "inner.local:8000",
        "X-Forwarded-For": "nonsense",
        "X-Forwarded-Proto": "gopher",
        "X-Forwarded-Host": "evil.example/@",
        "X-Forwarded-Prefix": "//evil.example",
    }
    found = seen_over(over, "10.0.0.1", headers)
    assert (found["client"], found["url"]) == ("10.0.0.1", "http://inner.local:8000/seen")


def test_names_with_an_underscore_are_not_those_of_proxies() -> None:
    found = seen_over("asgi", "10.0.0.1", {"Host": "inner.local", "X_Forwarded_For": "6.6.6.6"})
    assert found["client"] == "10.0.0.1"


def test_the_scheme_of_a_websocket_follows() -> None:
    scope = {
        "type": "websocket",
        "scheme": "ws",
        "path": "/",
        "client": ("10.0.0.1", 1),
        "headers": [(b"x-forwarded-proto", b"https")],
    }
    PROXIES.around_asgi(lambda *arguments: None)(scope, None, None)
    assert scope["scheme"] == "wss"
