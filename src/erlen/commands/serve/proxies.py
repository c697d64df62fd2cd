"""Proxies in front of the server: their headers count when they come from an address that was named, and never else.

``X-Forwarded-For`` is read from its end: each proxy adds the address it was called from there. Addresses of named proxies
are passed over, and the first other one is the client, whatever stands in front of it, as clients can send the header
themselves. Of ``X-Forwarded-Proto``, ``-Host`` and ``-Prefix`` the value counts that the outermost of the named proxies has
added. What is malformed is ignored, with all that stands in front of it.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

Address: t.TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: The name of whoever connects through a Unix socket.
UNIX = "unix"

_SCHEMES = frozenset({"http", "https"})

# RFC 3986, section 3.2.2, without what is percent-encoded: names of machines have letters, digits and a few signs.
_HOST = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?"
)

# One slash in front, or a browser takes what follows for a host; no '%', as a path is decoded by now.
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")

_BRACKETS = re.compile(r"\[([^\]]*)\](?::[0-9]{1,5})?")
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")


class Forwarded(t.NamedTuple):
    """What named proxies say of a request; ``None`` is what they do not say."""

    client: str | None = None
    scheme: str | None = None
    host: str | None = None
    prefix: str | None = None


def parse_address(text: str) -> Address | None:
    """Return an address as it stands in a header, ``None`` for what is none.

    :param text: the address, with or without port; version 6 with a port is in brackets.
    """
    text = text.strip()
    if match := _BRACKETS.fullmatch(text) or _WITH_PORT.fullmatch(text):
        text = match[1]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return _plain(found)


def _plain(address: Address) -> Address:
    """Return an IPv4 address for one that a socket for both versions shows as IPv6."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    # Without the zone, as in 'fe80::1%eth0': it may be any text, and says something on the machine of the proxy alone.
    return address.ipv4_mapped or ipaddress.IPv6Address(int(address))


class TrustedProxies:
    """The proxies whose headers count.

    :param names: addresses, networks, and ``"unix"`` for whoever connects through the Unix socket.
    :raises ValueError: for what is none of these; the message says what to write instead.
    """

    def __init__(self, names: t.Iterable[str]) -> None:
        self.trusts_unix = False
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for name in names:
            if name.lower() == UNIX:
                self.trusts_unix = True
            else:
                self._networks.append(_network(name))
        # Addresses of proxies are few, and come with each request.
        self._known: dict[str, bool] = {}

    def trust(self, peer: str) -> bool:
        """Return whether the headers of a peer count.

        :param peer: its address as the server has it; that of a Unix socket is empty, or a path.
        """
        known = self._known.get(peer)
        if known is None:
            address = parse_address(peer)
            known = self.trusts_unix if address is None else self.include(address)
            if len(self._known) < 1024:
                self._known[peer] = known
        return known

    def include(self, address: Address) -> bool:
        """Return whether an address is that of a named proxy."""
        return any(address in network for network in self._networks)

    def read(self, forwarded_for: str, proto: str | None, host: str | None, prefix: str | None) -> Forwarded:
        """Return what a named proxy says with its headers.

        :param forwarded_for: the values of ``X-Forwarded-For``, in their order, with commas between them; as are
        :param proto: those of ``X-Forwarded-Proto``,
        :param host: of ``X-Forwarded-Host``,
        :param prefix: and of ``X-Forwarded-Prefix``.
        """
        client: Address | None = None
        # The one that has called is a named proxy itself.
        proxies = 1
        for item in reversed(forwarded_for.split(",")):
            address = parse_address(item)
            if address is None:
                break
            client = address
            if not self.include(address):
                break
            proxies += 1
        scheme = (_value(proto, proxies) or "").lower()
        host, prefix = _value(host, proxies), _value(prefix, proxies)
        return Forwarded(
            client=None if client is None else str(client),
            scheme=scheme if scheme in _SCHEMES else None,
            host=host if host and _is_host(host) else None,
            prefix=_prefix(prefix),
        )

    def around_wsgi(self, app: t.Any) -> t.Any:
        """Return a WSGI application that sees a request as the proxies have seen it."""

        def behind_proxies(environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
            if self.trust(environ.get("REMOTE_ADDR", "")):
                self._apply_to_environ(environ)
            return app(environ, start_response)

        return behind_proxies

    def _apply_to_environ(self, environ: dict[str, t.Any]) -> None:
        get = environ.get
        said = self.read(
            get("HTTP_X_FORWARDED_FOR", ""),
            get("HTTP_X_FORWARDED_PROTO"),
            get("HTTP_X_FORWARDED_HOST"),
            get("HTTP_X_FORWARDED_PREFIX"),
        )
        if said.client is not None:
            environ["REMOTE_ADDR"] = said.client
            environ.pop("REMOTE_PORT", None)
        if said.scheme is not None:
            environ["wsgi.url_scheme"] = said.scheme
        if said.host is not None:
            environ["HTTP_HOST"] = said.host
        if said.prefix is not None:
            environ["SCRIPT_NAME"] = said.prefix + get("SCRIPT_NAME", "")

    def around_asgi(self, app: t.Any) -> t.Any:
        """Return an ASGI application that sees a request as the proxies have seen it."""

        def behind_proxies(scope: t.Any, receive: t.Any, send: t.Any) -> t.Any:
            client = scope.get("client")
            if self.trust(client[0] if client else ""):
                self._apply_to_scope(scope)
            return app(scope, receive, send)

        return behind_proxies

    def _apply_to_scope(self, scope: dict[str, t.Any]) -> None:
        found: dict[bytes, list[str]] = {}
        for name, value in scope["headers"]:
            if name.startswith(b"x-forwarded-"):
                found.setdefault(name, []).append(value.decode("latin1"))

        def joined(name: bytes) -> str | None:
            return ",".join(found[name]) if name in found else None

        said = self.read(
            joined(b"x-forwarded-for") or "",
            joined(b"x-forwarded-proto"),
            joined(b"x-forwarded-host"),
            joined(b"x-forwarded-prefix"),
        )
        if said.client is not None:
            # The port of the client is not told.
            scope["client"] = (said.client, 0)
        if said.scheme is not None:
            secure = said.scheme == "https"
            scope["scheme"] = said.scheme if scope["type"] == "http" else "wss" if secure else "ws"
        if said.host is not None:
            others = [pair for pair in scope["headers"] if pair[0] != b"host"]
            scope["headers"] = [(b"host", said.host.encode("ascii")), *others]
        if said.prefix is not None:
            # In ASGI the path begins with the root path.
            scope["root_path"] = said.prefix + scope.get("root_path", "")
            scope["path"] = said.prefix + scope["path"]
            if scope.get("raw_path"):
                scope["raw_path"] = said.prefix.encode("ascii") + scope["raw_path"]


def _network(name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(name)
    except ValueError:
        pass
    if name == "*":
        raise ValueError(
            "'*' would believe the headers of everybody, so that any client could pass for another. Name the addresses of"
            " your proxies, for example '127.0.0.1' or '10.0.0.0/8'."
        )
    try:
        wider = ipaddress.ip_network(name, strict=False)
    except ValueError:
        raise ValueError(
            f"{name!r} is neither an address, such as '127.0.0.1' or '::1', nor a network, such as '10.0.0.0/8', nor"
            " 'unix'. Names of machines are not looked up."
        ) from None
    raise ValueError(f"{name!r} names a machine and a network at once. The network is {str(wider)!r}.")


def _value(listed: str | None, proxies: int) -> str | None:
    """Return what the outermost named proxy has added to a list, or the first where not each has added something."""
    if listed is None:
        return None
    values = listed.split(",")
    return values[-min(proxies, len(values))].strip()


def _is_host(text: str) -> bool:
    match = _HOST.fullmatch(text)
    if match is None or (match[1] is not None and not 0 < int(match[1]) < 65536):
        return False
    if not text.startswith("["):
        return ".." not in text
    try:
        ipaddress.IPv6Address(text[1 : text.index("]")])
    except ValueError:
        return False
    return True


def _prefix(text: str | None) -> str | None:
    """Return a prefix without slash at its end, ``None`` for what is none."""
    text = (text or "").rstrip("/")
    if not _PREFIX.fullmatch(text) or {".", ".."} & set(text.split("/")):
        return None
    return text
